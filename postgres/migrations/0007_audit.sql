-- Who changed what, and when: one row for each change that a person, an API token, the operator or callsync itself made to
-- what people configure or decide. Rows are only ever added.
create table audit_log (
    -- A UUIDv7 of the moment, so that a list by id is a list by time, and a range of time is a range of ids.
    id            uuid primary key,
    workspace_id  uuid not null references workspaces,
    at            timestamptz not null,
    actor_kind    text not null check (actor_kind in ('user', 'token', 'operator', 'system')),
    -- Of users and tokens; the name is as it was then, because both may be gone by now.
    actor_id      text not null default '',
    actor_name    text not null default '',
    -- "connection.update": stable names for scripts.
    action        text not null,
    object_kind   text not null,
    object_id     text not null default '',
    -- Which part of the object: of a mapping, what it maps.
    object_part   text not null default '',
    object_name   text not null default '',
    -- The fields that changed, by name. Secrets are "set", "changed" or missing.
    before        jsonb not null default '{}',
    after         jsonb not null default '{}',
    -- The request that did it; empty for what no request asked for.
    route         text not null default '',
    request_id    text not null default ''
);
-- Each filter of the list comes with the order of the list.
create index audit_log_list on audit_log (workspace_id, id desc);
create index audit_log_actor on audit_log (workspace_id, actor_kind, actor_id, id desc);
create index audit_log_action on audit_log (workspace_id, action, id desc);
create index audit_log_kind on audit_log (workspace_id, object_kind, id desc);
create index audit_log_object on audit_log (workspace_id, object_id, id desc) where object_id <> '';

-- A log that can be rewritten proves nothing. Who owns the database can take the trigger away; the application cannot slip.
create function audit_log_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'the audit log is append-only';
end
$$;
create trigger audit_log_append_only before update or delete or truncate on audit_log
    for each statement execute function audit_log_is_append_only();
