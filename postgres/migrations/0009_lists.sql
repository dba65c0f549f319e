-- What lists of calls are made of: one narrow row a call, beside the wide one, so that lists, searches and figures read
-- little, and so that the row of a call, which changes some ten times, carries fewer indexes.

alter table calls
    -- What a search may find the call by, made by the application: words in lower case without accents, parted by spaces;
    -- "#" and "=" begin the customer's number backwards and forwards, "%" our numbers backwards. Empty: by the columns.
    add column search_text text not null default '',
    -- What has become of recording, transcription and disposition, a letter each: a(rrived), e(xpected), n(ot expected).
    -- Empty: by the columns.
    add column artifacts text not null default '';

create table call_list (
    call_id        uuid primary key,
    workspace_id   uuid not null,
    source_id      uuid not null,
    listed_at      timestamptz not null,
    -- Where it stands with its CRMs, taken together: records.CallLive to records.CallOnHold.
    state          text not null,
    status         text not null,
    direction      text not null,
    recording      "char" not null,
    transcription  "char" not null,
    disposition    "char" not null,
    -- Its deliveries: of each the end of the connection's id and a letter: w(aiting, or being sent), d(one), p(arked), s(kipped).
    lanes          text not null,
    window_base    timestamptz,
    -- From the end of the call to its first complete delivery.
    crm_seconds    integer,
    -- Every lexeme begins with the workspace's, so that one index serves searches of each.
    search         tsvector not null
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

-- The beginning of a workspace's lexemes: the end of its id, which is its random part.
create function search_prefix(workspace uuid) returns text language sql immutable parallel safe as
    $$ select right(replace(workspace::text, '-', ''), 8) $$;

-- How a call stands with its CRMs, and its lanes. Those of connections that were deleted do not count.
create function listed_state(phase text, revision bigint, settled bigint, call uuid, workspace uuid, out state text, out lanes text) language sql stable as $$
    select case
        when phase = 'live' then 'live'
        when l.parked > 0 then 'on_hold'
        when l.open > 0 or settled < listed_state.revision then 'waiting'
        when l.done > 0 then 'synced'
        else 'skipped' end, l.lanes
    from (
        select count(*) filter (where d.state = 'parked') as parked,
            count(*) filter (where d.state in ('waiting', 'reserved', 'sending') or (d.state = 'done' and d.revision < listed_state.revision)) as open,
            count(*) filter (where d.state = 'done') as done,
            coalesce(string_agg(right(d.connection_id::text, 8) || case d.state when 'done' then 'd' when 'parked' then 'p' when 'skipped' then 's' else 'w' end, ' ' order by d.connection_id), '') as lanes
        from deliveries d join connections k on k.id = d.connection_id
        where d.record_id = call and d.workspace_id = workspace and d.object = 'call' and k.deleted_at is null) l
$$;

-- Lists a call anew. The row is locked before anything is read: of two transactions that change one call, the second
-- waits and then sees what the first has changed.
create function list_call(which uuid) returns void language plpgsql as $$
begin
    perform 1 from call_list where call_id = which for update;
    insert into call_list as o (call_id, workspace_id, source_id, listed_at, state, status, direction, recording, transcription, disposition, lanes, window_base, search)
    select c.id, c.workspace_id, c.source_id, c.listed_at, n.state, c.status, c.direction,
        substr(a.letters, 1, 1)::"char", substr(a.letters, 2, 1)::"char", substr(a.letters, 3, 1)::"char", n.lanes, c.window_base,
        array_to_tsvector(array(
            select distinct search_prefix(c.workspace_id) || left(w, 64)
            from string_to_table(case when c.search_text <> '' then c.search_text else
                lower(regexp_replace(concat_ws(' ', c.customer_name, c.agent_text, c.state ->> 'provider_call_id'), '[^[:alnum:]]+', ' ', 'g'))
                || ' #' || reverse(regexp_replace(c.customer_number, '\D', '', 'g')) || ' =' || regexp_replace(c.customer_number, '\D', '', 'g') end, ' ') w
            where w not in ('', '#', '=')))
    from calls c
    cross join lateral listed_state(c.phase, c.revision, c.settled_revision, c.id, c.workspace_id) n
    cross join lateral (select case when c.artifacts <> '' then c.artifacts else
        case when c.state @? '$.recordings[*].url' then 'a' when c.complete then 'n' else 'e' end
        || case when c.state @? '$.transcription.text' then 'a' else 'n' end
        || case when c.state @? '$.disposition.value' then 'a' else 'n' end end as letters) a
    where c.id = which and c.merged_into is null
    on conflict (call_id) do update set listed_at = excluded.listed_at, state = excluded.state, status = excluded.status, direction = excluded.direction,
        recording = excluded.recording, transcription = excluded.transcription, disposition = excluded.disposition,
        lanes = excluded.lanes, window_base = excluded.window_base, search = excluded.search
    where (o.listed_at, o.state, o.status, o.direction, o.recording, o.transcription, o.disposition, o.lanes, o.window_base, o.search)
        is distinct from (excluded.listed_at, excluded.state, excluded.status, excluded.direction, excluded.recording, excluded.transcription,
            excluded.disposition, excluded.lanes, excluded.window_base, excluded.search);
    if not found then
        delete from call_list o using calls c where o.call_id = which and c.id = which and c.merged_into is not null;
    end if;
end $$;

-- Tells a call's state anew, as list_call does.
create function restate_call(which uuid) returns void language plpgsql as $$
begin
    perform 1 from call_list where call_id = which for update;
    update call_list o set state = n.state, lanes = n.lanes
    from calls c cross join lateral listed_state(c.phase, c.revision, c.settled_revision, c.id, c.workspace_id) n
    where o.call_id = which and c.id = which and (o.state, o.lanes) <> (n.state, n.lanes);
end $$;

create function list_changed_call() returns trigger language plpgsql as $$
begin
    perform list_call(new.id);
    return null;
end $$;

create function list_settled_call() returns trigger language plpgsql as $$
begin
    perform restate_call(new.id);
    return null;
end $$;

create function list_changed_lane() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' and old.object = 'call' and old.record_id is not null then
        perform restate_call(old.record_id);
    end if;
    if tg_op <> 'DELETE' and new.object = 'call' and new.record_id is not null and (tg_op = 'INSERT' or new.record_id is distinct from old.record_id) then
        perform restate_call(new.record_id);
    end if;
    return null;
end $$;

create function list_first_delivery() returns trigger language plpgsql as $$
begin
    update call_list o set crm_seconds = least(greatest(extract(epoch from new.at - c.ended_at), 0), 2000000000)
    from deliveries d join calls c on c.id = d.record_id
    where d.id = new.delivery_id and d.object = 'call' and o.call_id = d.record_id and o.crm_seconds is null and c.ended_at is not null;
    return null;
end $$;

-- All of them at the end of the transaction: they lock the list's rows after every other row, and so cannot make a deadlock
-- with those who lock calls and deliveries.
create constraint trigger call_listed after insert or update of state, complete, phase, started_at, merged_into, window_base, search_text, artifacts on calls
    deferrable initially deferred for each row execute function list_changed_call();
create constraint trigger call_settled after update of settled_revision, revision on calls deferrable initially deferred for each row
    when (old.settled_revision <> new.settled_revision or old.revision <> new.revision) execute function list_settled_call();
create constraint trigger lane_listed after insert or delete on deliveries
    deferrable initially deferred for each row execute function list_changed_lane();
create constraint trigger lane_restated after update of state, revision, record_id on deliveries deferrable initially deferred for each row
    when (old.revision <> new.revision or old.record_id is distinct from new.record_id
        or replace(replace(old.state, 'reserved', 'waiting'), 'sending', 'waiting') <> replace(replace(new.state, 'reserved', 'waiting'), 'sending', 'waiting'))
    execute function list_changed_lane();
create constraint trigger first_delivery after insert on delivery_attempts deferrable initially deferred for each row
    when (new.outcome = 'done') execute function list_first_delivery();

-- A connection that is taken out of use holds nothing up any more.
create function list_without_connection() returns trigger language plpgsql as $$
begin
    perform restate_call(r.record_id) from (
        select d.record_id from deliveries d where d.workspace_id = new.workspace_id and d.connection_id = new.id and d.object = 'call'
            and d.state in ('parked', 'waiting', 'reserved', 'sending') and d.record_id is not null order by d.record_id) r;
    return null;
end $$;
create trigger connection_out_of_use after update of deleted_at on connections for each row
    when (old.deleted_at is distinct from new.deleted_at) execute function list_without_connection();

select list_call(id) from calls;
update call_list o set crm_seconds = least(greatest(extract(epoch from f.at - c.ended_at), 0), 2000000000)
from calls c, (select d.record_id, min(a.at) as at from delivery_attempts a join deliveries d on d.id = a.delivery_id where a.outcome = 'done' and d.object = 'call' group by 1) f
where c.id = o.call_id and f.record_id = c.id and c.ended_at is not null;

-- The figures of a span are read from this index alone: a tenth of the pages of the rows.
create index call_list_newest on call_list (workspace_id, listed_at desc, call_id desc) include (source_id, state, status, lanes, crm_seconds);
create index call_list_source on call_list (workspace_id, source_id, listed_at desc, call_id desc);
-- Most calls are synced: the list by time finds them.
create index call_list_state on call_list (workspace_id, state, listed_at desc, call_id desc) where state <> 'synced';
create index call_list_awaited on call_list (workspace_id, listed_at desc, call_id desc) where 'e' in (recording, transcription, disposition);
create index call_list_search on call_list using gin (search) with (gin_pending_list_limit = 512);

-- These served the lists. Each change of a call wrote into it.
drop index calls_list;

-- How many receipts of which kind each hour brought. A row has several slots, so that those who apply receipts at the same
-- time do not wait for each other.
create table receipt_hours (
    workspace_id  uuid not null,
    hour          timestamptz not null,
    state         text not null,
    slot          smallint not null,
    receipts      bigint not null,
    primary key (workspace_id, hour, state, slot)
) with (fillfactor = 50);

-- When the receiver gave out an id, a UUIDv7.
create function id_time(id uuid) returns timestamptz language sql immutable parallel safe as $$
    select to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0) $$;

create function count_receipts() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        insert into receipt_hours as o
        select workspace_id, date_trunc('hour', id_time(receipt_id), 'UTC'), state, pg_backend_pid() % 8, count(*) from added group by 1, 2, 3 order by 1, 2, 3
        on conflict (workspace_id, hour, state, slot) do update set receipts = o.receipts + excluded.receipts;
    else
        insert into receipt_hours as o
        select workspace_id, hour, state, pg_backend_pid() % 8, sum(n) from (
            select workspace_id, date_trunc('hour', id_time(receipt_id), 'UTC') as hour, state, 1 as n from added
            union all
            select workspace_id, date_trunc('hour', id_time(receipt_id), 'UTC'), state, -1 from gone) c
        group by 1, 2, 3 having sum(n) <> 0 order by 1, 2, 3
        on conflict (workspace_id, hour, state, slot) do update set receipts = o.receipts + excluded.receipts;
    end if;
    return null;
end $$;
create trigger receipts_counted after insert on receipt_results referencing new table as added for each statement execute function count_receipts();
create trigger receipts_recounted after update on receipt_results referencing new table as added old table as gone for each statement execute function count_receipts();

insert into receipt_hours select workspace_id, date_trunc('hour', id_time(receipt_id), 'UTC'), state, 0, count(*) from receipt_results group by 1, 2, 3;

-- What was not simply applied: few in many.
create index receipt_results_other on receipt_results (workspace_id, state, receipt_id desc) where state <> 'applied';
-- What is tried again.
create index deliveries_retrying on deliveries (workspace_id) where state in ('waiting', 'sending') and class <> '';
