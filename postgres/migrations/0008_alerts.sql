-- Alerts: what is wrong with sources and connections, whom it is told, and what of that has arrived.

-- The one row of the watch that looks at all workspaces every minute: when the next look is due, when the last one was, and
-- since when somebody has been looking without a break. While nobody does, a source that is not heard is not silent.
create table alert_watch (
    one           boolean primary key default true check (one),
    due_at        timestamptz not null default '-infinity',
    looked_at     timestamptz not null default '-infinity',
    watched_from  timestamptz not null default now(),
    -- Receipts of the hours before this one are counted in arrival_hours.
    counted_to    timestamptz not null default date_trunc('hour', now()) - interval '56 days'
);
insert into alert_watch default values;

-- How busy each hour of a source was: the receipts that its phone system sent by itself, and in how many of the twelve
-- five-minute parts of the hour there were any. Hours without any have no row.
create table arrival_hours (
    source_id     uuid not null,
    hour          timestamptz not null,
    workspace_id  uuid not null,
    received      bigint not null,
    parts         smallint not null check (parts between 1 and 12),
    first_at      timestamptz not null,
    last_at       timestamptz not null,
    -- The longest time between two of them.
    gap_seconds   integer not null,
    primary key (source_id, hour)
);
create index arrival_hours_old on arrival_hours (hour);

-- What admins have set; a workspace without a row has the defaults.
create table alert_settings (
    workspace_id   uuid primary key references workspaces,
    held_count     integer not null check (held_count between 1 and 1000000),
    held_hours     integer not null check (held_hours between 1 and 720),
    trouble_count  integer not null check (trouble_count between 1 and 1000000),
    silent_minutes integer not null check (silent_minutes between 10 and 1440),
    quota_percent  integer not null check (quota_percent between 10 and 100),
    updated_at     timestamptz not null default now()
);

-- One row for each time that something was wrong. seen: it must last a little before it is told; open; resolved.
create table alerts (
    id            uuid primary key,
    workspace_id  uuid not null references workspaces,
    kind          text not null,
    -- "source" or "connection", and its id.
    object        text not null check (object in ('source', 'connection')),
    object_id     uuid not null,
    object_name   text not null,
    severity      text not null check (severity in ('warning', 'critical')),
    state         text not null check (state in ('seen', 'open', 'resolved')),
    -- Why, in a sentence or two for people; of a resolved one, how it ended.
    reason        text not null,
    -- Since when it is wrong, as far as that is known.
    since         timestamptz not null,
    created_at    timestamptz not null,
    opened_at     timestamptz,
    -- Since when it has looked right again.
    clear_since   timestamptz,
    resolved_at   timestamptz,
    -- When people were told of it first, and last.
    told_at       timestamptz,
    reminded_at   timestamptz
);
create unique index alerts_current on alerts (workspace_id, kind, object_id) where state <> 'resolved';
create index alerts_list on alerts (workspace_id, id desc) where state <> 'seen';
create index alerts_old on alerts (resolved_at) where state = 'resolved';

-- What is not told, of one kind and object, until a moment.
create table alert_mutes (
    workspace_id  uuid not null references workspaces,
    kind          text not null,
    object_id     uuid not null,
    until         timestamptz not null,
    muted_by      text not null default '',
    primary key (workspace_id, kind, object_id)
);

create table alert_channels (
    id             uuid primary key,
    workspace_id   uuid not null references workspaces,
    kind           text not null check (kind in ('email', 'slack', 'webhook')),
    name           text not null,
    config         jsonb not null default '{}',
    secrets        bytea,
    -- The kinds of alerts that it wants; null: all.
    kinds          text[],
    min_severity   text not null default 'warning' check (min_severity in ('warning', 'critical')),
    enabled        boolean not null default true,
    sent_at        timestamptz,
    -- The last failure, as a sentence, unless something was sent since.
    failed_at      timestamptz,
    failure        text not null default '',
    tested_at      timestamptz,
    created_at     timestamptz not null default now()
);
create index alert_channels_workspace on alert_channels (workspace_id, id);

-- What is to be told on a channel: a row for each change of an alert's state. Its number counts the changes of the alert, so
-- that none is queued twice for a channel.
create table alert_messages (
    id            uuid primary key,
    workspace_id  uuid not null references workspaces,
    channel_id    uuid not null references alert_channels on delete cascade,
    alert_id      uuid not null references alerts on delete cascade,
    number        integer not null,
    event         text not null check (event in ('opened', 'reminded', 'resolved')),
    -- What is said, as it was when the state changed (records.AlertMessage).
    said          jsonb not null,
    state         text not null default 'queued' check (state in ('queued', 'sent', 'failed')),
    attempts      integer not null default 0,
    due_at        timestamptz not null default now(),
    -- Until then somebody is sending it.
    lease_until   timestamptz not null default '-infinity',
    -- The last failure, as a sentence.
    failure       text not null default '',
    created_at    timestamptz not null default now(),
    ended_at      timestamptz,
    unique (channel_id, alert_id, number)
);
create index alert_messages_due on alert_messages (due_at) where state = 'queued';
create index alert_messages_list on alert_messages (workspace_id, id desc);
