-- A database of {calls} calls of 90 days until now, as a service that several customers share would have it: workspaces,
-- sources, numbers and names of very different weight. Nothing of it is random: two runs make the same rows.
begin; -- now() must stay what it is
set session_replication_role = replica; -- the rows of call_list are made at once below
set synchronous_commit = off;
set work_mem = '256MB';
set maintenance_work_mem = '512MB';

create function pg_temp.h(text) returns bigint language sql immutable as $$ select ('x' || substr(md5($1), 1, 8))::bit(32)::bigint & 2147483647 $$;
create function pg_temp.v7(at timestamptz, seed text) returns uuid language sql immutable as $$
    select (substr(t, 1, 12) || '7' || substr(m, 1, 3) || '8' || substr(m, 4, 15))::uuid
    from (select lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') as t, md5(seed) as m) x $$;

insert into workspaces (id, name) select pg_temp.v7(now() - interval '100 days', 'w' || i), 'Customer ' || i from generate_series(1, 7) i;
insert into sources (id, workspace_id, provider, name, time_zone, default_country, token_hash, token_sealed)
    select pg_temp.v7(now() - interval '100 days', 's' || w || '-' || s), pg_temp.v7(now() - interval '100 days', 'w' || w), 'callrail', 'Office ' || s, 'Europe/London', 'GB', ('t' || w || '-' || s)::bytea, ''
    from generate_series(1, 7) w, generate_series(1, 3) s;
insert into connections (id, workspace_id, connector, name, created_at)
    select pg_temp.v7(now() - interval '100 days', 'k' || w || '-' || k), pg_temp.v7(now() - interval '100 days', 'w' || w), case k when 1 then 'hubspot' else 'salesforce' end, case k when 1 then 'HubSpot' else 'Salesforce' end, now() - interval '100 days'
    from generate_series(1, 7) w, generate_series(1, 2) k;

-- Six workspaces have 60, 25, 10, 4, 0.9 and 0.1 of a hundred calls; the seventh has 40 calls in all.
create unlogged table bench_calls as
select i, w, pg_temp.v7(at, 'c' || i) as id, pg_temp.v7(now() - interval '100 days', 'w' || w) as ws,
    pg_temp.v7(now() - interval '100 days', 's' || w || '-' || case when r2 % 1000 < 700 then 1 when r2 % 1000 < 999 then 2 else 3 end) as source,
    at, case when r3 % 10 < 7 then interval '1 second' * (20 + r3 % 600) else interval '0' end as talked,
    case when at > now() - interval '20 minutes' and r3 % 3 = 0 then 'live' else 'ended' end as phase,
    case when r3 % 10 < 7 then 'answered' when r3 % 10 < 9 then 'missed' when r3 % 1000 = 999 then 'failed' else 'voicemail' end as status,
    case when r2 % 4 = 0 then 'outbound' else 'inbound' end as direction,
    -- One number makes 5 of a hundred calls of its workspace, as alarm lines do; the others about three each.
    case when r4 % 100 < 5 then '+442079460' || lpad(w::text, 3, '0') else '+4477' || lpad((pg_temp.h('n' || w || '-' || (r4 / 100) % greatest(1, share * {calls} / 300)) % 100000000)::text, 8, '0') end as number,
    (array['Jane','John','Maria','Anna','Wei','José','Müller','Ravi','Olga','Ahmed','Chloë','Zoltán'])[1 + r4 % 12]
        || ' ' || (array['Smith','Jones','Patel','García','Nguyen','Kowalski','Okafor','Schmidt','Brown','Rossi'])[1 + (r4 / 12) % 10] || case when r4 % 50 = 0 then ' Quartz' || (r4 / 50) % 20000 else '' end as name,
    'agent' || (r2 / 7) % 50 as agent,
    case when r2 % 500 = 0 then 'parked' when r2 % 40 = 1 then 'skipped' else 'done' end as lane,
    case when r3 % 10 >= 7 then 'n' when r3 % 300 = 1 then 'e' else 'a' end as rec, case when r3 % 10 >= 7 or r3 % 2 = 0 then 'n' when r3 % 200 = 3 then 'e' else 'a' end as tra, case when r3 % 5 = 0 then 'a' else 'n' end as dis
from (
    select i, case when m < 600 then 1 when m < 850 then 2 when m < 950 then 3 when m < 990 then 4 when m < 999 then 5 else 6 end as w,
        case when m < 600 then 60 when m < 850 then 25 when m < 950 then 10 when m < 990 then 4 else 1 end as share, r2, r3, r4,
        now() - interval '90 days' * (1 - i::float8 / {calls}) as at
    from (select i, pg_temp.h('m' || i) % 1000 as m, pg_temp.h('b' || i) as r2, pg_temp.h('d' || i) as r3, pg_temp.h('f' || i) as r4 from generate_series(1, {calls}) i) x
    union all
    select {calls} + i, 7, 1, pg_temp.h('b' || i), pg_temp.h('d' || i), pg_temp.h('f' || i), now() - interval '90 days' * (1 - i::float8 / 40) from generate_series(1, 40) i) y
order by at;
analyze bench_calls;

insert into calls (id, workspace_id, source_id, state, revision, phase, status, direction, started_at, ended_at, customer_number, customer_name, agent_text,
    complete, window_base, changed_at, signalled_revision, settled_revision, created_at, artifacts, search_text)
select id, ws, source, jsonb_build_object('id', id, 'workspace_id', ws, 'source_id', source, 'provider', 'callrail', 'provider_call_id', 'CAL' || md5(i::text), 'phase', phase, 'revision', 3,
        'direction', direction, 'status', status, 'started_at', at, 'ended_at', case when phase = 'ended' then at + talked end, 'duration_seconds', extract(epoch from talked)::int,
        'customer', jsonb_build_object('number', number, 'name', name, 'city', 'London', 'country', 'GB'), 'business_number', '+44207946' || lpad(w::text, 4, '9'),
        'agents', jsonb_build_array(jsonb_build_object('name', agent, 'email', agent || '@example.com', 'status', 'answered', 'talk_seconds', 60)),
        'recordings', case when rec = 'a' then jsonb_build_array(jsonb_build_object('id', '1', 'url', 'https://app.callrail.com/calls/CAL' || md5(i::text) || '/recording', 'state', 'available')) else '[]' end,
        'transcription', case when tra = 'a' then jsonb_build_object('text', repeat('Hello, this is what was said in the call. ', 1 + i % 20)) else '{}' end,
        'tags', jsonb_build_array('sales', 'bench'), 'attributes', jsonb_build_object('utm_source', 'google', 'landing_page', 'https://www.example.com/pages/' || i % 100)),
    3, phase, status, direction, at, case when phase = 'ended' then at + talked end, number, name, agent || ' ' || agent || '@example.com',
    rec <> 'e' and tra <> 'e', case when phase = 'ended' then at + talked end, at + interval '5 minutes', 3, case when phase = 'ended' then 3 else 0 end, at,
    rec || tra || dis,
    lower(translate(name, 'éëüíáó', 'eeuiao')) || ' ' || agent || ' example com cal' || md5(i::text) || ' #' || reverse(substr(number, 2)) || ' =' || substr(number, 2) || ' =' || substr(number, 4) || ' %' || reverse('44207946' || lpad(w::text, 4, '9'))
from bench_calls order by i;

insert into deliveries (id, workspace_id, connection_id, object, key, record_id, state, revision, remote_id, class, field, reason, written, steps, created_at, updated_at)
select pg_temp.v7(at + interval '5 minutes', 'l' || i || '-' || k), ws, pg_temp.v7(now() - interval '100 days', 'k' || w || '-' || k), 'call', id::text, id,
    case when k = 1 or lane = 'skipped' then lane else 'done' end, 3, case when lane = 'done' or k = 2 and lane = 'parked' then (1000000 + i)::text else '' end,
    case when k = 1 and lane = 'parked' then 'invalid' else '' end, case when k = 1 and lane = 'parked' then 'field_' || i % 7 else '' end, case when k = 1 and lane = 'parked' then 'HubSpot refused the field field_' || i % 7 else '' end,
    jsonb_build_object('hs_call_title', 'Call with ' || name, 'hs_call_duration', '60000', 'hs_timestamp', at, 'hs_call_body', repeat('x', 100)), jsonb_build_object('call', jsonb_build_object('at', at, 'id', i::text)), at + interval '5 minutes', at + interval '6 minutes'
from bench_calls, generate_series(1, 2) k where phase = 'ended' order by i;

insert into delivery_attempts (id, workspace_id, delivery_id, at, revision, outcome, duration_ms)
select pg_temp.v7(at + interval '6 minutes', 'a' || i || '-' || k), ws, pg_temp.v7(at + interval '5 minutes', 'l' || i || '-' || k), at + talked + interval '1 second' * (30 + i % 1000), 3, case when k = 1 or lane = 'skipped' then lane else 'done' end, 400
from bench_calls, generate_series(1, 2) k where phase = 'ended' order by i;

do $$ begin for d in 0..92 loop
    execute format('create table receipts_%s partition of receipts for values from (%L) to (%L)', to_char((now() at time zone 'UTC')::date - 91 + d, 'YYYYMMDD'),
        (lpad(to_hex((extract(epoch from ((now() at time zone 'UTC')::date - 91 + d)::timestamp at time zone 'UTC') * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid,
        (lpad(to_hex((extract(epoch from ((now() at time zone 'UTC')::date - 90 + d)::timestamp at time zone 'UTC') * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid);
end loop; end $$;

-- Three receipts a call, which tell of five events.
insert into receipts (id, workspace_id, source_id, received_at, method, hook_event, query, headers, body, signature)
select pg_temp.v7(least(at + interval '1 minute' * n, now()), 'r' || i || '-' || n), ws, source, least(at + interval '1 minute' * n, now()), 'POST', 'post-call', '', '{"Content-Type":["application/json"]}', repeat('b', 300)::bytea, 'ok'
from bench_calls, generate_series(1, 3) n order by i, n;
insert into receipt_results (receipt_id, workspace_id, source_id, state, record_kind, record_id, changed, applied_at, reason)
select pg_temp.v7(least(at + interval '1 minute' * n, now()), 'r' || i || '-' || n), ws, source, case when i % 1000 = 0 and n = 3 then 'quarantined' when i % 50 = 1 and n = 3 then 'ignored' else 'applied' end, 'call', id, n < 3, least(at + interval '1 minute' * n, now()),
    case when i % 1000 = 0 and n = 3 then 'start_time is not a time' else '' end
from bench_calls, generate_series(1, 3) n order by i, n;
insert into events (receipt_id, seq, workspace_id, source_id, record_kind, record_id, kind, data)
select pg_temp.v7(least(at + interval '1 minute' * least(n, 3), now()), 'r' || i || '-' || least(n, 3)), greatest(n - 3, 0), ws, source, 'call', id, 'call.updated', jsonb_build_object('kind', 'call.updated', 'received_at', at, 'facts', jsonb_build_object('status', status, 'customer', jsonb_build_object('number', number, 'name', name)))
from bench_calls, generate_series(1, 5) n order by i, n;

insert into messages (id, workspace_id, source_id, provider_id, state, created_at, revision, settled_revision)
select pg_temp.v7(at, 'm' || i), ws, source, 'm' || i, jsonb_build_object('body', 'Is Friday fine?', 'customer', jsonb_build_object('number', number)), at, 1, 1 from bench_calls where i % 10 = 0 order by i;

insert into call_list (call_id, workspace_id, source_id, listed_at, state, status, direction, recording, transcription, disposition, lanes, window_base, crm_seconds, search)
select id, ws, source, at, case when phase = 'live' then 'live' when lane = 'parked' then 'on_hold' when lane = 'skipped' then 'skipped' else 'synced' end, status, direction, rec::"char", tra::"char", dis::"char",
    case when phase = 'ended' then (select string_agg(right(pg_temp.v7(now() - interval '100 days', 'k' || w || '-' || k)::text, 8) || case when k = 1 or lane = 'skipped' then left(lane, 1) else 'd' end, ' ' order by pg_temp.v7(now() - interval '100 days', 'k' || w || '-' || k)) from generate_series(1, 2) k) else '' end,
    case when phase = 'ended' then at + talked end, case when phase = 'ended' then 30 + i % 1000 end,
    array_to_tsvector(array(select distinct search_prefix(ws) || x from string_to_table(lower(translate(name, 'éëüíáó', 'eeuiao')) || ' ' || agent || ' example com cal' || md5(i::text) || ' #' || reverse(substr(number, 2)) || ' =' || substr(number, 2) || ' =' || substr(number, 4) || ' %' || reverse('44207946' || lpad(w::text, 4, '9')), ' ') x))
from bench_calls order by i;
insert into receipt_hours select workspace_id, date_trunc('hour', id_time(receipt_id), 'UTC'), state, 0, count(*) from receipt_results group by 1, 2, 3;
drop table bench_calls;
commit;
vacuum analyze;
