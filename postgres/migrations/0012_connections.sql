-- What the deliveries of a connection have asked of its CRM, hour by hour: forecasts are made of it. A week is kept.
create table connection_usage (
    connection_id  uuid not null references connections,
    hour           timestamptz not null,
    workspace_id   uuid not null references workspaces,
    -- Attempts that sent something, their requests, and what those cost where requests have prices.
    deliveries     bigint not null default 0,
    requests       bigint not null default 0,
    cost           bigint not null default 0,
    primary key (connection_id, hour)
) with (fillfactor = 50);

-- Calls that a connection in shadow mode has only shown: after the switch, people are told how many there are.
create index deliveries_shadow on deliveries (workspace_id, connection_id) where state = 'skipped' and class = 'shadow';
