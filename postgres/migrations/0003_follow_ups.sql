-- What else is made of calls: tasks with a clock, tickets, changes of deals.

-- What an admin wants made of the calls of a connection. The version rises with every change, also when the document is
-- emptied. Calls that began before since are nobody's follow-ups: turning actions on says nothing of the past.
create table actions (
    connection_id  uuid primary key references connections,
    workspace_id   uuid not null references workspaces,
    version        integer not null,
    document       text not null,
    author         text not null default '',
    since          timestamptz not null default now(),
    updated_at     timestamptz not null default now()
);

create table follow_ups (
    id                 uuid primary key,
    workspace_id       uuid not null,
    connection_id      uuid not null references connections,
    kind               text not null check (kind in ('task', 'ticket', 'deal')),
    -- The name of the action, and what it said when this was made (records.FollowUpPlan).
    action             text not null,
    plan               jsonb not null default '{}',
    number             text not null default '',
    -- The newest of its calls, when that was, and how many they are.
    call_id            uuid not null,
    missed_at          timestamptz not null,
    calls              integer not null default 1,
    state              text not null default 'open' check (state in ('open', 'overdue', 'escalated', 'done', 'cancelled')),
    due_at             timestamptz,
    escalate_at        timestamptz,
    -- The call that closed it, why, and when.
    closed_by          uuid,
    closed             text not null default '',
    closed_at          timestamptz,
    -- As of calls: what the CRM must be told, has been told, and what the workflow knows of.
    revision           bigint not null default 1,
    settled_revision   bigint not null default 0,
    signalled_revision bigint not null default 0,
    signal_lease       timestamptz not null default '-infinity',
    -- When it is looked whether its workflow has done its part; null when there is nothing to repair.
    check_at           timestamptz,
    check_count        integer not null default 0,
    -- Somebody asked for another try, in milliseconds since 1970.
    force              bigint not null default 0,
    created_at         timestamptz not null default now(),
    updated_at         timestamptz not null default now()
);
-- Missed calls of one number in a row have one open task.
create unique index follow_ups_one on follow_ups (connection_id, action, number) where kind = 'task' and closed_at is null;
create index follow_ups_open on follow_ups (workspace_id, number) where kind = 'task' and closed_at is null;
create index follow_ups_list on follow_ups (workspace_id, id desc);
create index follow_ups_unsignalled on follow_ups (signal_lease) where revision > signalled_revision;
create index follow_ups_check on follow_ups (connection_id, check_at) where check_at is not null;

-- Which calls a follow-up was made of: a call is followed up once by each action.
create table follow_up_calls (
    connection_id  uuid not null,
    action         text not null,
    call_id        uuid not null,
    workspace_id   uuid not null,
    follow_up_id   uuid not null references follow_ups on delete cascade,
    created_at     timestamptz not null default now(),
    primary key (connection_id, action, call_id)
);
create index follow_up_calls_call on follow_up_calls (call_id);
create index follow_up_calls_follow_up on follow_up_calls (follow_up_id);

-- Follow-ups have deliveries, whose record_id and key are the follow-up's id. Rows that are there fit: they need no look.
alter table deliveries drop constraint deliveries_object_check;
alter table deliveries add constraint deliveries_object_check
    check (object in ('call', 'contact', 'message', 'form', 'task', 'ticket', 'deal')) not valid;
