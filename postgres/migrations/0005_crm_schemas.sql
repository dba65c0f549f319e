-- The fields that CRMs have, as they were read, and where mappings do not fit them any more.

-- The watch over one object of a connection's CRM.
create table crm_schemas (
    connection_id   uuid not null references connections,
    object          text not null,
    workspace_id    uuid not null references workspaces,
    -- The newest version in crm_schema_versions; zero while nothing was read.
    version         integer not null default 0,
    read_at         timestamptz not null default '-infinity',
    -- When it is read next; a write that was refused for a field of it brings that forward.
    next_at         timestamptz not null default '-infinity',
    -- Until then somebody is reading it.
    claimed_until   timestamptz not null default '-infinity',
    -- A sentence about the last read, where it failed, and how many have failed in a row.
    failure         text not null default '',
    failures        integer not null default 0,
    primary key (connection_id, object)
);
create index crm_schemas_due on crm_schemas (next_at);

-- What was read, whenever it was not what had been read before. Versions are never changed; old ones are dropped.
create table crm_schema_versions (
    connection_id   uuid not null references connections,
    object          text not null,
    version         integer not null,
    workspace_id    uuid not null references workspaces,
    -- records.Schema, and the differences from the version before (records.SchemaChange).
    document        jsonb not null,
    changes         jsonb not null default '[]',
    found_at        timestamptz not null default now(),
    primary key (connection_id, object, version)
);

-- In what the mapping in force, or the table of dispositions, does not fit the CRM's fields: open while healed_at is null.
create table crm_schema_issues (
    id              uuid primary key,
    workspace_id    uuid not null references workspaces,
    connection_id   uuid not null references connections,
    object          text not null,
    field           text not null,
    code            text not null,
    -- The option that is missing, if it is one.
    value           text not null default '',
    -- Deliveries that write the field are put on hold; creates_only: only those that make a record.
    blocking        boolean not null,
    creates_only    boolean not null default false,
    text            text not null,
    suggestion      text not null default '',
    schema_version  integer not null,
    mapping_version integer not null,
    opened_at       timestamptz not null default now(),
    healed_at       timestamptz,
    -- Set when what was on hold for it has gone out again.
    drained_at      timestamptz
);
create unique index crm_schema_issues_open on crm_schema_issues (connection_id, object, field, code, value) where healed_at is null;
create index crm_schema_issues_list on crm_schema_issues (workspace_id, connection_id, opened_at desc);
create index crm_schema_issues_drain on crm_schema_issues (healed_at) where healed_at is not null and drained_at is null;
