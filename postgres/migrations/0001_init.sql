-- The facts of callsync. Every row belongs to a workspace; ids are UUIDv7 made by the application, so they sort by time.

create table workspaces (
    id          uuid primary key,
    name        text not null,
    created_at  timestamptz not null default now()
);

create table users (
    id             uuid primary key,
    workspace_id   uuid not null references workspaces,
    email          text not null,
    name           text not null default '',
    password_hash  text not null,
    role           text not null default 'admin' check (role in ('viewer', 'operator', 'admin')),
    created_at     timestamptz not null default now()
);
create unique index users_email on users (lower(email));

create table sessions (
    token_hash    bytea primary key,
    user_id       uuid not null references users on delete cascade,
    workspace_id  uuid not null references workspaces,
    created_at    timestamptz not null default now(),
    expires_at    timestamptz not null
);

create table api_tokens (
    token_hash    bytea primary key,
    id            uuid not null unique,
    workspace_id  uuid not null references workspaces,
    name          text not null,
    -- A bootstrap token may create workspaces.
    bootstrap     boolean not null default false,
    created_at    timestamptz not null default now(),
    last_used_at  timestamptz
);

create table sources (
    id               uuid primary key,
    workspace_id     uuid not null references workspaces,
    provider         text not null,
    name             text not null,
    time_zone        text not null default '',
    default_country  text not null default '',
    window_seconds   integer not null default 1200 check (window_seconds between 0 and 604800),
    quiet_seconds    integer not null default 5 check (quiet_seconds between 0 and 3600),
    stale_seconds    integer not null default 14400 check (stale_seconds between 60 and 604800),
    policy           text not null default 'complete' check (policy in ('complete', 'early')),
    config           jsonb not null default '{}',
    secrets          bytea,
    token_hash       bytea not null unique,
    old_token_hash   bytea unique,
    old_token_until  timestamptz,
    -- The token itself, sealed: the UI shows hook URLs again.
    token_sealed     bytea not null,
    -- null: every connection of the workspace.
    connections      uuid[],
    created_at       timestamptz not null default now(),
    updated_at       timestamptz not null default now(),
    deleted_at       timestamptz
);
create index sources_workspace on sources (workspace_id, id);

create table own_numbers (
    workspace_id  uuid not null references workspaces,
    number        text not null,
    label         text not null default '',
    primary key (workspace_id, number)
);

create table connections (
    id              uuid primary key,
    workspace_id    uuid not null references workspaces,
    connector       text not null,
    name            text not null,
    config          jsonb not null default '{}',
    secrets         bytea,
    mode            text not null default 'live' check (mode in ('live', 'shadow')),
    policy          text check (policy in ('complete', 'early')),
    window_seconds  integer check (window_seconds between 0 and 604800),
    -- How a call finds its contact and its owner (records.Match); what is missing in it is the default.
    match_policy    jsonb not null default '{}',
    status          text not null default 'active' check (status in ('active', 'paused', 'revoked')),
    status_reason   text not null default '',
    idempotency     text check (idempotency in ('keyed_upsert', 'lookup_then_write', 'create_only')),
    report          jsonb,
    verified_at     timestamptz,
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    deleted_at      timestamptz
);
create index connections_workspace on connections (workspace_id, id);

-- What CRMs have granted by OAuth: the tokens, sealed. Until lease_until somebody is refreshing them.
create table connection_grants (
    connection_id  uuid primary key references connections,
    workspace_id   uuid not null,
    sealed         bytea,
    lease_until    timestamptz not null default '-infinity',
    updated_at     timestamptz not null default now()
);

-- People on their way to a CRM's consent page, by the hash of the state that comes back.
create table grant_requests (
    state_hash     bytea primary key,
    workspace_id   uuid not null,
    connection_id  uuid not null,
    user_id        uuid,
    verifier       bytea not null,
    expires_at     timestamptz not null
);

-- What a connection has used of its CRM's limits. tat is when the bucket of a class will be empty again; used is the part
-- of the day's budget. blocked_until is when the CRM wants requests again.
create table rate_budgets (
    connection_id  uuid not null references connections,
    class          text not null,
    workspace_id   uuid not null,
    tat            timestamptz not null default '-infinity',
    day            text not null default '',
    used           bigint not null default 0,
    blocked_until  timestamptz not null default '-infinity',
    primary key (connection_id, class)
) with (fillfactor = 50);

-- Turns of deliveries that a short budget keeps waiting.
create table rate_turns (
    connection_id  uuid not null,
    holder         text not null,
    workspace_id   uuid not null,
    at             timestamptz not null,
    primary key (connection_id, holder)
);

-- Places of a connection whose CRM limits how much may be under way at once.
create table connection_slots (
    connection_id  uuid not null,
    slot           integer not null,
    workspace_id   uuid not null,
    holder         text not null default '',
    until          timestamptz not null default '-infinity',
    primary key (connection_id, slot)
) with (fillfactor = 50);

-- Failures in a row to reach a connection's CRM, and until when it is left alone; probe_until is when the one who tries
-- whether it is back is given up.
create table connection_health (
    connection_id    uuid primary key,
    workspace_id     uuid not null,
    failures         integer not null default 0,
    since            timestamptz not null default now(),
    suspended_until  timestamptz not null default '-infinity',
    probe_until      timestamptz not null default '-infinity'
) with (fillfactor = 50);

create table connection_owners (
    connection_id  uuid not null references connections,
    workspace_id   uuid not null references workspaces,
    -- How the agent is named by the phone system: an e-mail in lower case, or "id:..." .
    agent_key      text not null,
    owner_id       text not null,
    owner_name     text not null default '',
    manual         boolean not null default true,
    primary key (connection_id, agent_key)
);

-- The users of a connection's CRM, as they were listed last: [{"id", "name", "email", "active"}].
create table connection_users (
    connection_id  uuid primary key references connections,
    workspace_id   uuid not null references workspaces,
    users          jsonb not null default '[]',
    listed_at      timestamptz not null default '-infinity',
    -- Until then somebody is listing them.
    claimed_until  timestamptz not null default '-infinity'
);

-- The agents that calls have named, by source; seen_at is exact to an hour.
create table agents_seen (
    workspace_id  uuid not null references workspaces,
    source_id     uuid not null,
    -- As in connection_owners.
    agent_key     text not null,
    name          text not null default '',
    email         text not null default '',
    number        text not null default '',
    extension     text not null default '',
    seen_at       timestamptz not null default now(),
    primary key (workspace_id, source_id, agent_key)
);
create index agents_seen_old on agents_seen (seen_at);

-- Numbers that calls showed to be the workspace's own: dialled or shown as its line, or an agent's. Whether one counts is
-- decided by how often it was seen as ours, and how often as that of a customer whose call was answered.
create table learned_numbers (
    workspace_id   uuid not null references workspaces,
    number         text not null,
    kind           text not null check (kind in ('line', 'agent')),
    source_id      uuid not null,
    own_seen       integer not null default 0,
    customer_seen  integer not null default 0,
    -- An admin says that it is not ours.
    rejected       boolean not null default false,
    first_seen_at  timestamptz not null default now(),
    seen_at        timestamptz not null default now(),
    primary key (workspace_id, number)
);

create table connection_dispositions (
    connection_id  uuid not null references connections,
    workspace_id   uuid not null references workspaces,
    -- The phone system's disposition in lower case with single spaces; value is as the admin wrote it.
    value_key      text not null,
    value          text not null,
    -- The outcome's id in the CRM.
    option_id      text not null,
    primary key (connection_id, value_key)
);

-- Which calls of a source, or to a connection, sync. The version rises with every change, also when the document is emptied.
create table rules (
    owner_id      uuid primary key,
    workspace_id  uuid not null references workspaces,
    owner         text not null check (owner in ('source', 'connection')),
    version       integer not null,
    document      text not null,
    author        text not null default '',
    updated_at    timestamptz not null default now()
);

create table mappings (
    connection_id  uuid not null references connections,
    object         text not null,
    version        integer not null,
    workspace_id   uuid not null references workspaces,
    document       text not null,
    author         text not null default '',
    note           text not null default '',
    created_at     timestamptz not null default now(),
    primary key (connection_id, object, version)
);
-- The active version, apart, because versions are immutable.
create table active_mappings (
    connection_id  uuid not null,
    object         text not null,
    version        integer not null,
    primary key (connection_id, object),
    foreign key (connection_id, object, version) references mappings
);

-- Receipts are never updated: their raw bytes are the evidence. They are partitioned by day through their id, a UUIDv7
-- whose first 48 bits are the receiver's clock in milliseconds. Bytes, not text: a NUL or bad UTF-8 harms nobody.
create table receipts (
    id            uuid not null primary key,
    workspace_id  uuid not null,
    source_id     uuid not null,
    received_at   timestamptz not null,
    method        text not null,
    hook_event    text not null default '',
    query         bytea not null,
    headers       bytea not null,
    body          bytea not null,
    -- verdict of the signature check at arrival: ok, bad, none (the provider or source does not sign)
    signature     text not null default 'none' check (signature in ('ok', 'bad', 'none'))
) partition by range (id);
create table receipts_default partition of receipts default;
create index receipts_source on receipts (workspace_id, source_id, id desc);

-- What is still to be applied. Small and short-lived: a row is deleted in the transaction that applies its receipt.
create table inbox (
    receipt_id    uuid primary key,
    workspace_id  uuid not null,
    source_id     uuid not null,
    -- A receipt that could not be applied for a reason that may pass is tried again then.
    not_before    timestamptz not null default '-infinity',
    attempts      integer not null default 0
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- What became of a receipt; written once when it is applied and again by a replay.
create table receipt_results (
    receipt_id    uuid primary key,
    workspace_id  uuid not null,
    source_id     uuid not null,
    state         text not null check (state in ('applied', 'ignored', 'quarantined', 'rejected')),
    -- For people: why it is ignored, quarantined or rejected. Holds nothing of the payload.
    reason        text not null default '',
    -- For operators: the chain of errors.
    detail        text not null default '',
    record_kind   text check (record_kind in ('call', 'message', 'form')),
    record_id     uuid,
    -- Whether it changed its record; a duplicate did not.
    changed       boolean not null default false,
    applied_at    timestamptz not null default now()
);
create index receipt_results_record on receipt_results (record_id, receipt_id) where record_id is not null;
create index receipt_results_trouble on receipt_results (workspace_id, source_id, receipt_id desc)
    where state in ('quarantined', 'rejected');

-- A pull asks a phone system for the calls of a range and stores them as receipts. Its workflow only turns the pages; where
-- it stands and what came of it is here.
create table source_pulls (
    id            uuid primary key,
    workspace_id  uuid not null references workspaces,
    source_id     uuid not null references sources,
    -- manual: somebody asked; recent and daily: by the source's plan.
    kind          text not null check (kind in ('manual', 'recent', 'daily')),
    from_at       timestamptz not null,
    to_at         timestamptz not null,
    state         text not null default 'queued' check (state in ('queued', 'running', 'done', 'failed')),
    -- The page to ask for next.
    cursor        text not null default '',
    -- Calls that the phone system listed; of these left_out had not ended, repeated were as they had been when pulled
    -- before, stored became receipts.
    listed        bigint not null default 0,
    left_out      bigint not null default 0,
    repeated      bigint not null default 0,
    stored        bigint not null default 0,
    -- What became of the receipts: they made a call, changed one, changed nothing, could not be applied.
    created       bigint not null default 0,
    changed       bigint not null default 0,
    unchanged     bigint not null default 0,
    troubled      bigint not null default 0,
    -- The last failure: the sentence, the operator's chain, and when it is tried again.
    reason        text not null default '',
    detail        text not null default '',
    retry_at      timestamptz,
    -- Until then it is not looked whether its workflow runs.
    lease_until   timestamptz not null default '-infinity',
    created_at    timestamptz not null default now(),
    started_at    timestamptz,
    finished_at   timestamptz
);
create index source_pulls_list on source_pulls (workspace_id, source_id, id desc);
create index source_pulls_open on source_pulls (source_id, id) where state in ('queued', 'running');

-- Receipts of pulls that have not been counted yet.
create table pull_receipts (
    receipt_id    uuid primary key,
    pull_id       uuid not null,
    workspace_id  uuid not null,
    -- The call was there before it was pulled.
    known         boolean not null
);

-- What a phone system said of each call when it was pulled last: the same again is not stored again.
create table pulled_items (
    source_id     uuid not null,
    item          text not null,
    workspace_id  uuid not null,
    digest        bytea not null,
    seen_at       timestamptz not null default now(),
    primary key (source_id, item)
);
create index pulled_items_old on pulled_items (seen_at);

-- When a source is pulled next, by its settings; null for never.
create table source_plans (
    source_id     uuid primary key references sources,
    workspace_id  uuid not null,
    -- When the source's settings were last looked at.
    checked_at    timestamptz not null,
    recent_at     timestamptz,
    daily_at      timestamptz
);

-- Fields that a source sends and its provider does not know: their names and types, nothing of their values.
create table source_fields (
    workspace_id     uuid not null references workspaces,
    source_id        uuid not null references sources,
    trigger          text not null check (octet_length(trigger) <= 100),
    path             text not null check (octet_length(path) <= 1000),
    type             text not null,
    first_seen       timestamptz not null,
    last_seen        timestamptz not null,
    -- About how often; several processes count, and not every time they say so.
    seen             bigint not null,
    receipt_id       uuid not null,
    acknowledged_at  timestamptz,
    acknowledged_by  text not null default '',
    primary key (source_id, trigger, path)
);

-- By how many seconds the latest calls of a source seem to end before their first final report is received: whole hours
-- mean a wrong time zone. Written now and then, not with each call.
create table source_clocks (
    source_id     uuid primary key references sources,
    workspace_id  uuid not null,
    -- The latest first.
    samples       bigint[] not null default '{}',
    sampled_at    timestamptz not null default now(),
    -- What was received before is not counted: the time zone was another.
    counts_from   timestamptz not null default '-infinity'
);

create table calls (
    id                 uuid primary key,
    workspace_id       uuid not null,
    source_id          uuid not null,
    -- The canonical call as JSON (call.Call), without its events.
    state              jsonb not null,
    -- Columns below repeat what lists, search, the relay and the sweeper ask for.
    revision           bigint not null default 0,
    phase              text not null check (phase in ('live', 'ended')),
    status             text not null default '',
    direction          text not null default '',
    started_at         timestamptz,
    -- What lists are ordered by: when the call began, else when it was first heard of.
    listed_at          timestamptz not null generated always as (coalesce(started_at, created_at)) stored,
    ended_at           timestamptz,
    customer_number    text not null default '',
    customer_name      text not null default '',
    agent_text         text not null default '',
    complete           boolean not null default false,
    -- The moment from which the window is counted; fixed once when the call ends.
    window_base        timestamptz,
    -- The last time the folded state changed.
    changed_at         timestamptz not null default now(),
    -- Alive while only a connection id is known.
    provisional        boolean not null default false,
    -- Set when the call was folded into an older one; its receipts and deliveries moved there.
    merged_into        uuid,
    -- Signalling: what the workflow has been told, and who is telling it right now.
    signalled_revision bigint not null default 0,
    signal_lease       timestamptz not null default '-infinity',
    -- Until when the workflow was last told to wait for artifacts. Changes before then need no signal: the workflow
    -- reads the newest state when it wakes. Null: it does not wait.
    waits_until        timestamptz,
    -- The lowest revision that every lane has delivered, skipped or parked.
    settled_revision   bigint not null default 0,
    -- When the sweeper looks at this call next; null when it has nothing to repair.
    check_at           timestamptz,
    check_count        integer not null default 0,
    created_at         timestamptz not null default now()
);
create index calls_list on calls (workspace_id, listed_at desc, id desc) where merged_into is null;
-- Reversed, because people type the end of a number: with or without its country code.
create index calls_number on calls (workspace_id, reverse(customer_number) text_pattern_ops) where merged_into is null;
create index calls_unsignalled on calls (signal_lease) where revision > signalled_revision and merged_into is null;
create index calls_check on calls (check_at) where check_at is not null and merged_into is null;
-- For the live board of a workspace and, source by source, for live calls that never end.
create index calls_live on calls (workspace_id, source_id, changed_at) where phase = 'live' and merged_into is null;

create table call_aliases (
    source_id     uuid not null,
    kind          text not null,
    value         text not null,
    workspace_id  uuid not null,
    call_id       uuid not null,
    primary key (source_id, kind, value)
);
create index call_aliases_call on call_aliases (call_id);

-- Events are what a receipt says; replaying a receipt replaces its events.
create table events (
    receipt_id    uuid not null,
    seq           integer not null,
    workspace_id  uuid not null,
    source_id     uuid not null,
    -- The call, message or form it belongs to.
    record_kind   text not null check (record_kind in ('call', 'message', 'form')),
    record_id     uuid not null,
    kind          text not null,
    -- The whole event (call.Event) as JSON.
    data          jsonb not null,
    primary key (receipt_id, seq)
);
create index events_record on events (record_id, receipt_id, seq);

create table messages (
    id            uuid primary key,
    workspace_id  uuid not null,
    source_id     uuid not null,
    provider_id   text not null,
    state         jsonb not null,
    created_at    timestamptz not null default now(),
    -- As of calls; a message or form is complete as soon as it is there, so nothing waits for a window.
    revision           bigint not null default 0,
    changed_at         timestamptz not null default now(),
    signalled_revision bigint not null default 0,
    signal_lease       timestamptz not null default '-infinity',
    settled_revision   bigint not null default 0,
    check_at           timestamptz,
    check_count        integer not null default 0,
    unique (source_id, provider_id)
);
create index messages_list on messages (workspace_id, id desc);
create index messages_unsignalled on messages (signal_lease) where revision > signalled_revision;
create index messages_check on messages (check_at) where check_at is not null;

create table forms (
    id            uuid primary key,
    workspace_id  uuid not null,
    source_id     uuid not null,
    provider_id   text not null,
    state         jsonb not null,
    created_at    timestamptz not null default now(),
    -- As of calls; a message or form is complete as soon as it is there, so nothing waits for a window.
    revision           bigint not null default 0,
    changed_at         timestamptz not null default now(),
    signalled_revision bigint not null default 0,
    signal_lease       timestamptz not null default '-infinity',
    settled_revision   bigint not null default 0,
    check_at           timestamptz,
    check_count        integer not null default 0,
    unique (source_id, provider_id)
);
create index forms_list on forms (workspace_id, id desc);
create index forms_unsignalled on forms (signal_lease) where revision > signalled_revision;
create index forms_check on forms (check_at) where check_at is not null;

-- One row per record of ours in one CRM: the lane of a call, message or form (key = its id), or a contact that callsync
-- made or matched (object 'contact', key = E.164 number).
create table deliveries (
    id               uuid primary key,
    workspace_id     uuid not null,
    connection_id    uuid not null,
    object           text not null check (object in ('call', 'contact', 'message', 'form')),
    key              text not null,
    -- The call, message or form; null for contacts.
    record_id        uuid,
    -- waiting: for the window or for its turn; sending: a request may be under way; done; parked: a person must act;
    -- skipped: by rule or because a human deleted the record.
    state            text not null check (state in ('waiting', 'reserved', 'sending', 'done', 'parked', 'skipped')),
    -- The revision of the record that this row has settled (delivered, parked or skipped).
    revision         bigint not null default 0,
    remote_id        text not null default '',
    remote_url       text not null default '',
    mapping_version  integer not null default 0,
    -- What callsync last wrote, by CRM field.
    written          jsonb not null default '{}',
    -- What a connection in shadow mode would have written (records.Shadow).
    shadow           jsonb,
    -- Steps that are done: {"party": {...}, "link:contact": {...}}.
    steps            jsonb not null default '{}',
    warnings         jsonb not null default '[]',
    -- The protocol of a create: who is sending, until when, and since when the outcome is open.
    attempt          integer not null default 0,
    attempt_token    uuid,
    lease_until      timestamptz not null default '-infinity',
    sending_since    timestamptz,
    -- The last failure, if the last attempt failed: its class, the sentence, the operator's chain, and when it goes on.
    class            text not null default '',
    field            text not null default '',
    reason           text not null default '',
    detail           text not null default '',
    retry_at         timestamptz,
    created_at       timestamptz not null default now(),
    updated_at       timestamptz not null default now(),
    unique (connection_id, object, key)
);
create index deliveries_record on deliveries (record_id) where record_id is not null;
create index deliveries_parked on deliveries (workspace_id, connection_id, class) where state = 'parked';

-- Lanes that were delivered, or wait, without a contact although their call has a customer's number.
create table unmatched (
    delivery_id    uuid primary key,
    workspace_id   uuid not null,
    connection_id  uuid not null,
    number         text not null,
    created_at     timestamptz not null default now()
);
create index unmatched_number on unmatched (connection_id, number, created_at);

-- When a number without a contact is looked up again: some times, ever more seldom. found: it has a contact by now, or
-- somebody chose one, and all its lanes are to be delivered again.
create table match_watch (
    connection_id  uuid not null references connections,
    number         text not null,
    workspace_id   uuid not null,
    looks          integer not null default 0,
    next_at        timestamptz,
    found          boolean not null default false,
    created_at     timestamptz not null default now(),
    primary key (connection_id, number)
);
create index match_watch_due on match_watch (connection_id, next_at) where next_at is not null;

-- Questions to people: whose is this number?
create table match_reviews (
    id             uuid primary key,
    workspace_id   uuid not null,
    connection_id  uuid not null references connections,
    number         text not null,
    -- many: several contacts share it; none: no contact has it.
    kind           text not null check (kind in ('many', 'none')),
    -- [{"object", "id", "name", "url", "owner"}], some of them; total is how many there are.
    candidates     jsonb not null default '[]',
    total          integer not null default 0,
    state          text not null default 'open' check (state in ('open', 'resolved', 'dismissed')),
    -- What was chosen: a record, "none" or "create".
    choice         text not null default '',
    object         text not null default '',
    resolved_by    text not null default '',
    created_at     timestamptz not null default now(),
    resolved_at    timestamptz
);
create unique index match_reviews_open on match_reviews (connection_id, number) where state = 'open';
create index match_reviews_list on match_reviews (workspace_id, id desc);

-- What people chose for a number, for good.
create table match_choices (
    id             uuid primary key,
    workspace_id   uuid not null,
    connection_id  uuid not null references connections,
    number         text not null,
    -- The contact's id in the CRM, "none" or "create".
    choice         text not null,
    object         text not null default '',
    name           text not null default '',
    chosen_by      text not null default '',
    created_at     timestamptz not null default now(),
    unique (connection_id, number)
);
create index match_choices_list on match_choices (workspace_id, id desc);

-- Resyncs have many calls delivered again, beside the live ones. A filter's calls are gathered first (listed), because
-- delivering them changes what it would choose.
create table resyncs (
    id            uuid primary key,
    workspace_id  uuid not null references workspaces,
    filter        jsonb not null,
    -- null: all that a call belongs to.
    connections   uuid[],
    dry_run       boolean not null default false,
    state         text not null check (state in ('listing', 'running', 'paused', 'done', 'cancelled')),
    author        text not null default '',
    listed        boolean not null default false,
    cursor_at     timestamptz,
    cursor_id     uuid,
    total         bigint not null default 0,
    lease_until   timestamptz not null default '-infinity',
    created_at    timestamptz not null default now(),
    started_at    timestamptz,
    finished_at   timestamptz
);
create index resyncs_list on resyncs (workspace_id, id desc);
create index resyncs_open on resyncs (lease_until) where state in ('listing', 'running');

create table resync_calls (
    resync_id     uuid not null references resyncs on delete cascade,
    call_id       uuid not null,
    workspace_id  uuid not null,
    listed_at     timestamptz not null,
    -- When its delivery was asked for, and what came of it.
    told_at       timestamptz,
    outcome       text check (outcome in ('done', 'failed', 'skipped')),
    ended_at      timestamptz,
    primary key (resync_id, call_id)
);
create index resync_calls_open on resync_calls (resync_id, listed_at, call_id) where outcome is null;

create table delivery_attempts (
    id             uuid primary key,
    workspace_id   uuid not null,
    delivery_id    uuid not null,
    at             timestamptz not null default now(),
    revision       bigint not null,
    -- done, unchanged, skipped, parked, or retry
    outcome        text not null,
    class          text not null default '',
    reason         text not null default '',
    detail         text not null default '',
    duration_ms    integer not null default 0
);
create index delivery_attempts_delivery on delivery_attempts (delivery_id, id);
