package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// isFollowUp tells whether a delivery's object is that of a follow-up.
func isFollowUp(object string) bool {
	return object == records.FollowUpTask || object == records.FollowUpTicket || object == records.FollowUpDeal
}

const followUpColumns = `f.id, f.workspace_id, f.connection_id, f.kind, f.action, f.plan, f.number, f.call_id, f.calls, f.missed_at, f.state,
	coalesce(f.due_at, '0001-01-01 00:00:00+00'), coalesce(f.escalate_at, '0001-01-01 00:00:00+00'), coalesce(f.closed_by::text, ''), f.closed,
	coalesce(f.closed_at, '0001-01-01 00:00:00+00'), f.revision, f.settled_revision, f.created_at, f.updated_at`

// followUpTargets are where followUpColumns are scanned into; after says what is left to do then.
func followUpTargets(f *records.FollowUp) (to []any, after func() error) {
	var plan []byte
	to = []any{&f.ID, &f.WorkspaceID, &f.ConnectionID, &f.Kind, &f.Action, &plan, &f.Number, &f.CallID, &f.Calls, &f.MissedAt, &f.State,
		&f.DueAt, &f.EscalateAt, &f.ClosedBy, &f.Closed, &f.ClosedAt, &f.Revision, &f.Settled, &f.CreatedAt, &f.UpdatedAt}
	return to, func() error {
		for _, t := range []*time.Time{&f.MissedAt, &f.DueAt, &f.EscalateAt, &f.ClosedAt, &f.CreatedAt, &f.UpdatedAt} {
			*t = utc(*t)
		}
		if err := json.Unmarshal(plan, &f.Plan); err != nil {
			return fmt.Errorf("read follow-up %s: %w", f.ID, err)
		}
		return nil
	}
}

// repairAfter is how long after a follow-up was changed it is looked whether its workflow has done its part.
const repairAfter = 10 * time.Minute

// answers is when a call (c) closes an open task (f): a later one with its number that was answered or, unless only a
// conversation counts, that went out. A call that the task itself was made of does so only if it was answered after all.
const answers = `c.workspace_id = f.workspace_id and c.customer_number <> '' and c.merged_into is null and c.phase = 'ended'
	and c.listed_at >= f.missed_at
	and (c.status = 'answered' or c.direction = 'outbound' and not coalesce((f.plan->>'conversation')::boolean, false)
		and not exists (select from follow_up_calls o where o.workspace_id = f.workspace_id and o.follow_up_id = f.id and o.call_id = c.id))`

// closeAnswered is the statement that closes open tasks by what found says: a select of (id, workspace_id, call_id), the task and
// the call that answers it.
const closeAnswered = `
	update follow_ups f set closed_by = a.call_id, closed_at = now(), updated_at = now(), revision = f.revision + 1, check_at = now() + $2,
		state = case when own.is then 'cancelled' else 'done' end, closed = case when own.is then 'answered' else 'call' end
	from answered a cross join lateral (
		select exists (select from follow_up_calls o where o.workspace_id = a.workspace_id and o.follow_up_id = a.id and o.call_id = a.call_id) as is) own
	where f.workspace_id = a.workspace_id and f.id = a.id and f.closed_at is null`

// FollowUpsOfCall returns the follow-ups that a connection's actions have made of a call, by the actions' names.
func (db *DB) FollowUpsOfCall(ctx context.Context, workspaceID, connectionID, callID string) (map[string]string, error) {
	rows, err := db.pool.Query(ctx, `select action, follow_up_id from follow_up_calls where workspace_id = $1 and connection_id = $2 and call_id = $3`,
		workspaceID, connectionID, callID)
	if err != nil {
		return nil, fmt.Errorf("read a call's follow-ups: %w", storeError(err))
	}
	out := map[string]string{}
	var action, id string
	if _, err := pgx.ForEachRow(rows, []any{&action, &id}, func() error { out[action] = id; return nil }); err != nil {
		return nil, fmt.Errorf("read a call's follow-ups: %w", storeError(err))
	}
	return out, nil
}

// MakeFollowUp makes what an action wants of a call, or adds the call to the open task of its number. It makes nothing of
// calls from before the actions were turned on, of calls that were heard of more than a day after they had ended, and no
// task of a call that has been answered by a later one. It may be repeated.
func (db *DB) MakeFollowUp(ctx context.Context, f records.FollowUp) error {
	plan, err := storableJSON(f.Plan)
	if err != nil {
		return fmt.Errorf("encode a follow-up: %w", err)
	}
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		var at time.Time
		err := tx.QueryRow(ctx, `
			select c.listed_at from calls c join actions a on a.workspace_id = c.workspace_id and a.connection_id = $3
			where c.workspace_id = $1 and c.id = $2 and c.merged_into is null and c.created_at >= a.since - interval '1 hour'
				and c.created_at < coalesce(c.ended_at, c.listed_at) + interval '1 day'
				and not exists (select from follow_up_calls o where o.workspace_id = $1 and o.connection_id = $3 and o.action = $4 and o.call_id = $2)`,
			f.WorkspaceID, f.CallID, f.ConnectionID, f.Action).Scan(&at)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if f.Kind == records.FollowUpTask {
			var answered bool
			if err := tx.QueryRow(ctx, `
				select exists (select from calls c, (select $1::uuid as workspace_id, $3::timestamptz as missed_at, $4::jsonb as plan, null::uuid as id) f
					where c.workspace_id = $1 and reverse(c.customer_number) = reverse($2) and c.id <> $5 and `+answers+`)`,
				f.WorkspaceID, f.Number, at, plan, f.CallID).Scan(&answered); err != nil || answered {
				return err
			}
		}
		var id string
		if err := tx.QueryRow(ctx, `
			insert into follow_ups as f (id, workspace_id, connection_id, kind, action, plan, number, call_id, missed_at, due_at, escalate_at, check_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, now() + $12)
			on conflict (connection_id, action, number) where kind = 'task' and closed_at is null do update set
				calls = f.calls + 1, revision = f.revision + 1, updated_at = now(), check_at = now() + $12,
				missed_at = greatest(f.missed_at, excluded.missed_at),
				call_id = case when excluded.missed_at >= f.missed_at then excluded.call_id else f.call_id end,
				plan = case when excluded.missed_at >= f.missed_at then excluded.plan else f.plan end
			returning id`,
			newID(), f.WorkspaceID, f.ConnectionID, f.Kind, f.Action, plan, f.Number, f.CallID, at, orNull(f.DueAt), orNull(f.EscalateAt), repairAfter).Scan(&id); err != nil {
			return err
		}
		batch := &pgx.Batch{}
		batch.Queue(`insert into follow_up_calls (connection_id, action, call_id, workspace_id, follow_up_id) values ($1, $2, $3, $4, $5)`,
			f.ConnectionID, f.Action, f.CallID, f.WorkspaceID, id)
		batch.Queue(newFollowUpDelivery, newID(), f.WorkspaceID, f.ConnectionID, f.Kind, id)
		return tx.SendBatch(ctx, batch).Close()
	})
	if err != nil {
		return settingsError("make a follow-up", err)
	}
	return nil
}

const newFollowUpDelivery = `
	insert into deliveries (id, workspace_id, connection_id, object, key, record_id, state) values ($1, $2, $3, $4, $5::uuid::text, $5::uuid, 'waiting')
	on conflict (connection_id, object, key) do nothing`

// RenewFollowUp gives an open task what its newest call makes of its texts, if callID is that call.
func (db *DB) RenewFollowUp(ctx context.Context, workspaceID, id, callID string, plan records.FollowUpPlan) error {
	data, err := storableJSON(plan)
	if err != nil {
		return fmt.Errorf("encode a follow-up: %w", err)
	}
	_, err = db.pool.Exec(ctx, `
		update follow_ups set plan = $4, revision = revision + 1, updated_at = now(), check_at = now() + $5
		where workspace_id = $1 and id = $2 and call_id = $3 and kind = 'task' and closed_at is null and plan <> $4::jsonb`,
		workspaceID, id, callID, data, repairAfter)
	if err != nil {
		return fmt.Errorf("renew a follow-up: %w", storeError(err))
	}
	return nil
}

// LeaveFollowUp takes a call away from an open task whose action does not apply to it any more. A task without any call
// left is cancelled.
func (db *DB) LeaveFollowUp(ctx context.Context, workspaceID, id, callID string) error {
	err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		// The row is locked before its calls are counted, so that two calls that leave at once see each other.
		if _, err := tx.Exec(ctx, `select 1 from follow_ups where workspace_id = $1 and id = $2 for update`, workspaceID, id); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `
			with gone as (
				delete from follow_up_calls o using follow_ups f
				where o.workspace_id = $1 and o.follow_up_id = $2 and o.call_id = $3 and f.id = o.follow_up_id and f.kind = 'task' and f.closed_at is null
				returning o.follow_up_id
			), left_over as (
				select o.call_id, c.listed_at from follow_up_calls o join calls c on c.id = o.call_id
				where o.workspace_id = $1 and o.follow_up_id = $2 and o.call_id <> $3 order by c.listed_at desc limit 1
			)
			update follow_ups f set revision = f.revision + 1, updated_at = now(), check_at = now() + $4,
				calls = greatest(f.calls - 1, 1),
				call_id = coalesce((select call_id from left_over), f.call_id), missed_at = coalesce((select listed_at from left_over), f.missed_at),
				state = case when exists (select from left_over) then f.state else 'cancelled' end,
				closed = case when exists (select from left_over) then '' else 'no_match' end,
				closed_at = case when exists (select from left_over) then null else now() end
			from gone where f.workspace_id = $1 and f.id = gone.follow_up_id and f.closed_at is null`, workspaceID, id, callID, repairAfter)
		return err
	})
	if err != nil {
		return fmt.Errorf("take a call from a follow-up: %w", storeError(err))
	}
	return nil
}

// LeaseFollowUp reads all that one delivery of a follow-up needs and takes its lease; strikes tells that its clock has come
// to what is due. A task that a call has answered meanwhile is closed first. Errors: records.ErrNotFound,
// *records.LeasedError.
func (db *DB) LeaseFollowUp(ctx context.Context, workspaceID, id string, lease time.Duration) (lane records.FollowUpLane, strikes bool, err error) {
	if _, ok := parseUUID(id); !ok {
		return lane, false, records.ErrNotFound
	}
	if err := db.closeIfAnswered(ctx, workspaceID, id); err != nil {
		return lane, false, err
	}
	return db.leaseFollowUp(ctx, workspaceID, id, lease)
}

// leaseFollowUp reads a follow-up and takes its lease; with a lease of zero it only reads.
func (db *DB) leaseFollowUp(ctx context.Context, workspaceID, id string, lease time.Duration) (lane records.FollowUpLane, strikes bool, err error) {
	token := uuid.NewString()
	f, l := &lane.FollowUp, &lane.Lane
	k, d := &l.Connection, &l.Delivery
	var (
		state, config, written, steps, warns, party []byte
		shown, sent, kept, over                     []byte
		leased                                      bool
		leaseLeft, sendingFor                       *float64
		revision                                    int64
		force                                       int64
	)
	to, after := followUpTargets(f)
	err = db.pool.QueryRow(ctx, `
		with lane as (
			select d.id from follow_ups f join deliveries d on d.connection_id = f.connection_id and d.object = f.kind and d.key = f.id::text
			where f.workspace_id = $1 and f.id = $2
		), leased as (
			update deliveries d set attempt_token = $3, lease_until = now() + $4, attempt = attempt + 1, updated_at = now()
			from lane where d.id = lane.id and d.lease_until <= now() and $4 > interval '0'
			returning d.id
		)
		select `+followUpColumns+`, f.force,
			coalesce(case f.state when 'open' then f.due_at when 'overdue' then f.escalate_at end <= now(), false),
			c.state, c.revision, s.name, s.default_country, s.time_zone,
			k.connector, k.name, k.config, k.mode, k.match_policy, k.status, k.status_reason, coalesce(k.idempotency, ''), k.updated_at, k.deleted_at is not null,
			coalesce(m.version, 0), coalesce(a.version, 0), coalesce(cd.remote_id, ''), coalesce(cd.steps->'party', '{}'),
			leased.id is not null,
			d.id, d.state, d.revision, d.remote_id, d.remote_url, d.mapping_version, d.written, d.steps, d.warnings, d.attempt,
			extract(epoch from greatest(d.lease_until, now()) - now())::float8, extract(epoch from now() - d.sending_since)::float8,
			d.class, d.field, d.reason, d.detail, d.shown, d.sent, d.kept, d.overruled
		from follow_ups f
		join lane on true
		join deliveries d on d.id = lane.id
		join calls c on c.id = f.call_id
		join sources s on s.id = c.source_id
		join connections k on k.workspace_id = f.workspace_id and k.id = f.connection_id
		left join active_mappings m on m.connection_id = k.id and m.object = f.kind
		left join actions a on a.workspace_id = f.workspace_id and a.connection_id = k.id
		left join deliveries cd on cd.connection_id = k.id and cd.object = 'call' and cd.key = c.id::text
		left join leased on true
		where f.workspace_id = $1 and f.id = $2`, workspaceID, id, token, lease).Scan(append(to, &force, &strikes,
		&state, &revision, &l.SourceName, &l.DefaultCountry, &l.TimeZone,
		&k.Connector, &k.Name, &config, &k.Mode, &k.Match, &k.Status, &k.StatusReason, &k.Idempotency, &k.UpdatedAt, &l.Deleted,
		&l.MappingVersion, &lane.ActionsVersion, &lane.CallRemoteID, &party,
		&leased,
		&d.ID, &d.State, &d.Revision, &d.RemoteID, &d.RemoteURL, &d.MappingVersion, &written, &steps, &warns, &d.Attempt,
		&leaseLeft, &sendingFor, &d.Class, &d.Field, &d.Reason, &d.Detail, &shown, &sent, &kept, &over)...)
	if errors.Is(err, pgx.ErrNoRows) {
		return lane, false, records.ErrNotFound
	}
	if err != nil {
		return lane, false, fmt.Errorf("lease a follow-up: %w", storeError(err))
	}
	if !leased && lease > 0 {
		return lane, false, &records.LeasedError{Until: time.Now().Add(duration(*leaseLeft))}
	}
	k.ID, k.WorkspaceID = f.ConnectionID, workspaceID
	if leased {
		l.Lease = token
	}
	d.WorkspaceID, d.ConnectionID, d.Object, d.Key, d.RecordID, d.SendingSince = workspaceID, f.ConnectionID, f.Kind, id, id, ago(sendingFor)
	lane.Forced = force > 0
	err = errors.Join(after(), json.Unmarshal(state, &l.Call.Call), json.Unmarshal(config, &k.Config), json.Unmarshal(party, &lane.Party),
		json.Unmarshal(written, &d.Written), json.Unmarshal(steps, &d.Steps), json.Unmarshal(warns, &d.Warnings),
		json.Unmarshal(shown, &d.Shown), json.Unmarshal(sent, &d.Sent), json.Unmarshal(kept, &d.Kept), json.Unmarshal(over, &d.Overruled))
	l.Call.Call.Revision = revision
	if err != nil {
		return lane, false, fmt.Errorf("read a follow-up: %w", err)
	}
	return lane, strikes, nil
}

// closeIfAnswered closes an open task if there is a call that answers it.
func (db *DB) closeIfAnswered(ctx context.Context, workspaceID, id string) error {
	_, err := db.pool.Exec(ctx, `
		with answered as (
			select f.id, f.workspace_id, c.id as call_id from follow_ups f join calls c on reverse(c.customer_number) = reverse(f.number) and `+answers+`
			where f.workspace_id = $1 and f.id = $3 and f.kind = 'task' and f.closed_at is null and f.number <> ''
			order by c.listed_at limit 1
		)`+closeAnswered, workspaceID, repairAfter, id)
	if err != nil {
		return fmt.Errorf("look whether a follow-up was answered: %w", storeError(err))
	}
	return nil
}

// StrikeFollowUp moves an open task on whose clock has come to what is due: to overdue, and to escalated. It returns the
// task as it is then.
func (db *DB) StrikeFollowUp(ctx context.Context, workspaceID, id string) (f records.FollowUp, err error) {
	to, after := followUpTargets(&f)
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		var second bool
		err := tx.QueryRow(ctx, `
			with was as (select state from follow_ups where workspace_id = $1 and id = $2 for update)
			update follow_ups f set revision = f.revision + 1, updated_at = now(), check_at = now() + $3,
				state = case when f.escalate_at <= now() then 'escalated' else 'overdue' end
			from was where f.workspace_id = $1 and f.id = $2 and f.kind = 'task' and f.closed_at is null
				and (was.state = 'open' and f.due_at <= now() or was.state = 'overdue' and f.escalate_at <= now())
			returning f.state = 'escalated' and coalesce((f.plan->'escalate'->>'second_task')::boolean, false)`, workspaceID, id, repairAfter).Scan(&second)
		if errors.Is(err, pgx.ErrNoRows) {
			second, err = false, nil
		}
		if err == nil && second {
			err = secondTask(ctx, tx, workspaceID, id)
		}
		if err != nil {
			return err
		}
		return tx.QueryRow(ctx, `select `+followUpColumns+` from follow_ups f where f.workspace_id = $1 and f.id = $2`, workspaceID, id).Scan(to...)
	})
	if err != nil {
		return f, fmt.Errorf("move a follow-up on: %w", storeError(err))
	}
	return f, after()
}

// secondTask makes the task for whom an overdue one is escalated to. It has no clock, and the same calls close it.
func secondTask(ctx context.Context, tx pgx.Tx, workspaceID, id string) error {
	second := newID()
	tag, err := tx.Exec(ctx, `
		insert into follow_ups (id, workspace_id, connection_id, kind, action, plan, number, call_id, missed_at, calls, due_at, state, check_at)
		select $3, workspace_id, connection_id, kind, left(action, 88) || ' (escalated)', jsonb_strip_nulls((plan - 'escalate') || jsonb_build_object(
				'assign', plan->'escalate'->>'to', 'priority', coalesce(plan->'escalate'->>'priority', plan->>'priority'))),
			number, call_id, missed_at, calls, now(), 'escalated', now() + $4
		from follow_ups where workspace_id = $1 and id = $2
		on conflict (connection_id, action, number) where kind = 'task' and closed_at is null do nothing`, workspaceID, id, second, repairAfter)
	if err != nil || tag.RowsAffected() == 0 {
		return err
	}
	batch := &pgx.Batch{}
	batch.Queue(`
		insert into follow_up_calls (connection_id, action, call_id, workspace_id, follow_up_id)
		select o.connection_id, f.action, o.call_id, o.workspace_id, f.id from follow_up_calls o, follow_ups f
		where o.workspace_id = $1 and o.follow_up_id = $2 and f.workspace_id = $1 and f.id = $3
		on conflict (connection_id, action, call_id) do nothing`, workspaceID, id, second)
	batch.Queue(`
		insert into deliveries (id, workspace_id, connection_id, object, key, record_id, state)
		select $3, workspace_id, connection_id, kind, id::text, id, 'waiting' from follow_ups where workspace_id = $1 and id = $2`, workspaceID, second, newID())
	return tx.SendBatch(ctx, batch).Close()
}

// queueEnd settles a follow-up by the result of an attempt: what FinishLane does for calls.
func queueEnd(batch *pgx.Batch, r records.LaneResult, waits bool) {
	end := records.FollowUpEnd{}
	if r.FollowUp != nil {
		end = *r.FollowUp
	}
	parked := r.State == records.DeliveryParked
	batch.Queue(`
		with now_is as (
			select id, case when closed_at is null and $3 <> '' then $3 else state end as state,
				case when closed_at is null and $3 <> '' then $4 else closed end as closed,
				coalesce(closed_at, case when $3 in ('done', 'cancelled') then now() end) as closed_at,
				case when $5 then greatest(settled_revision, $6) else settled_revision end as settled
			from follow_ups where workspace_id = $1 and id = $2)
		update follow_ups f set state = n.state, closed = n.closed, closed_at = n.closed_at, settled_revision = n.settled,
			force = 0, check_count = 0, updated_at = now(),
			check_at = case
				when $7::timestamptz is not null then greatest(now(), $7) + $8::interval
				when $9 then now() + interval '1 minute'
				when f.revision > n.settled and not $10 then now() + $8::interval
				when n.closed_at is not null or $10 then null
				else case n.state when 'open' then f.due_at when 'overdue' then f.escalate_at end + interval '2 minutes' end
		from now_is n where f.id = n.id`,
		r.WorkspaceID, r.CallID, end.State, end.Closed, end.Settles, r.Revision, orNull(r.RetryAt), checkAfter, waits, parked)
}
