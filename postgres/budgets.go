package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// ChargeBudgets charges all of charges to a connection's budgets, or none where one of them would have to wait longer
// than maxWait. It returns how long to wait before sending: more than maxWait if nothing was charged. All workers of all
// processes share the budgets, and the database's clock.
func (db *DB) ChargeBudgets(ctx context.Context, workspaceID, connectionID string, charges []records.BudgetCharge, maxWait time.Duration) (time.Duration, error) {
	n := len(charges)
	if n == 0 {
		return 0, nil
	}
	classes, days := make([]string, n), make([]string, n)
	emissions, tolerances, costs, dailies, ends := make([]float64, n), make([]float64, n), make([]int, n), make([]int, n), make([]float64, n)
	for i, c := range charges {
		classes[i], days[i], costs[i], dailies[i] = c.Class, c.Day, c.Cost, c.Daily
		emissions[i], tolerances[i] = c.Emission.Seconds(), c.Tolerance.Seconds()
		if c.Day != "" {
			ends[i] = max(time.Until(c.DayEnds).Seconds(), 1)
		}
	}
	for try := 0; ; try++ {
		var rows int
		var wait float64
		err := db.pool.QueryRow(ctx, `
			with want as (
				select * from unnest($3::text[], $4::text[], $5::float8[], $6::float8[], $7::int[], $8::int[], $9::float8[])
					as w(class, day, emission, tolerance, cost, daily, day_ends)
			), held as (
				select b.* from rate_budgets b
				where b.workspace_id = $1 and b.connection_id = $2 and b.class = any($3)
				order by b.class for update
			), asked as (
				select w.class, w.day,
					greatest(h.tat, now()) + w.emission * interval '1 second' as tat,
					case when h.day = w.day then h.used else 0 end + w.cost as used,
					greatest(
						extract(epoch from greatest(h.blocked_until, now()) - now()),
						case when w.day <> '' then
							case when w.cost > 0 and case when h.day = w.day then h.used else 0 end + w.cost > w.daily then w.day_ends else 0 end
						else
							extract(epoch from greatest(h.tat, now()) - now()) + w.emission - w.tolerance
						end,
						0)::float8 as wait
				from want w join held h on h.class = w.class
			), verdict as (
				select count(*) as rows, coalesce(max(wait), 0) as wait from asked
			), charged as (
				update rate_budgets b set tat = a.tat, day = a.day, used = greatest(a.used, 0)
				from asked a, verdict v
				where b.workspace_id = $1 and b.connection_id = $2 and b.class = a.class and v.rows = $10 and v.wait <= $11
			)
			select rows, wait from verdict`,
			workspaceID, connectionID, classes, days, emissions, tolerances, costs, dailies, ends, n, maxWait.Seconds()).Scan(&rows, &wait)
		if err != nil {
			return 0, fmt.Errorf("charge budgets: %w", err)
		}
		if rows == n {
			return time.Duration(wait * float64(time.Second)), nil
		}
		if try > 0 {
			return 0, fmt.Errorf("charge budgets: %w", records.ErrNotFound)
		}
		if _, err := db.pool.Exec(ctx, `
			insert into rate_budgets (connection_id, class, workspace_id)
			select k.id, class, k.workspace_id from connections k, unnest($3::text[]) as class
			where k.workspace_id = $1 and k.id = $2 order by class
			on conflict (connection_id, class) do nothing`, workspaceID, connectionID, classes); err != nil {
			return 0, fmt.Errorf("make budgets: %w", err)
		}
	}
}

// BlockBudget keeps everybody from a budget for wait, because the CRM said so.
func (db *DB) BlockBudget(ctx context.Context, workspaceID, connectionID, class string, wait time.Duration) error {
	_, err := db.pool.Exec(ctx, `
		update rate_budgets set blocked_until = greatest(blocked_until, now() + $4)
		where workspace_id = $1 and connection_id = $2 and class = $3`, workspaceID, connectionID, class, wait)
	if err != nil {
		return fmt.Errorf("block a budget: %w", err)
	}
	return nil
}

// ReserveTurn remembers that holder's turn is in that long.
func (db *DB) ReserveTurn(ctx context.Context, workspaceID, connectionID, holder string, in time.Duration) error {
	_, err := db.pool.Exec(ctx, `
		insert into rate_turns (workspace_id, connection_id, holder, at)
		select k.workspace_id, k.id, $3, now() + $4 from connections k where k.workspace_id = $1 and k.id = $2
		on conflict (connection_id, holder) do update set at = excluded.at`, workspaceID, connectionID, holder, in)
	if err != nil {
		return fmt.Errorf("reserve a turn: %w", err)
	}
	return nil
}

// TakeTurn takes holder's turn where it comes within early; otherwise it stays, and the wait is longer than early. A turn
// that nobody came for within an hour is none. ok is false where there is none.
func (db *DB) TakeTurn(ctx context.Context, workspaceID, connectionID, holder string, early time.Duration) (wait time.Duration, ok bool, err error) {
	var left float64
	err = db.pool.QueryRow(ctx, `
		with mine as (
			select at from rate_turns where workspace_id = $1 and connection_id = $2 and holder = $3
		), taken as (
			delete from rate_turns where workspace_id = $1 and connection_id = $2 and (holder = $3 and at <= now() + $4 or at < now() - interval '1 hour')
		)
		select extract(epoch from at - now())::float8 from mine where at > now() - interval '1 hour'`,
		workspaceID, connectionID, holder, early).Scan(&left)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("take a turn: %w", err)
	}
	return time.Duration(max(left, 0) * float64(time.Second)), true, nil
}

// TakeSlot takes one of slots places of a connection for at most lease. A holder that has one keeps it.
func (db *DB) TakeSlot(ctx context.Context, workspaceID, connectionID, holder string, slots int, lease time.Duration) (bool, error) {
	var taken bool
	err := db.pool.QueryRow(ctx, `
		with places as (
			insert into connection_slots (connection_id, slot, workspace_id)
			select k.id, slot, k.workspace_id from connections k, generate_series(1, $4) as slot
			where k.workspace_id = $1 and k.id = $2
				and (select count(*) from connection_slots s where s.workspace_id = $1 and s.connection_id = $2) < $4
			on conflict (connection_id, slot) do nothing
		), place as (
			select slot from connection_slots
			where workspace_id = $1 and connection_id = $2 and slot <= $4 and (until < now() or holder = $3)
			order by holder = $3 desc limit 1 for update skip locked
		), taken as (
			update connection_slots s set holder = $3, until = now() + $5
			from place where s.workspace_id = $1 and s.connection_id = $2 and s.slot = place.slot
			returning 1
		)
		select exists (select from taken)`, workspaceID, connectionID, holder, slots, lease).Scan(&taken)
	if err != nil {
		return false, fmt.Errorf("take a place: %w", err)
	}
	return taken, nil
}

// FreeSlot gives a place back.
func (db *DB) FreeSlot(ctx context.Context, workspaceID, connectionID, holder string) error {
	_, err := db.pool.Exec(ctx, `
		update connection_slots set until = '-infinity' where workspace_id = $1 and connection_id = $2 and holder = $3`,
		workspaceID, connectionID, holder)
	if err != nil {
		return fmt.Errorf("free a place: %w", err)
	}
	return nil
}

// ConnectionFailed counts a failure to reach a connection's CRM. From threshold failures in a row on the connection is
// suspended: for least, doubling up to most. It returns for how long from now, also where others had suspended it.
func (db *DB) ConnectionFailed(ctx context.Context, workspaceID, connectionID string, threshold int, least, most time.Duration) (time.Duration, error) {
	var left float64
	var first bool
	err := db.pool.QueryRow(ctx, `
		insert into connection_health as h (connection_id, workspace_id, failures, since)
		select k.id, k.workspace_id, 1, now() from connections k where k.workspace_id = $1 and k.id = $2
		on conflict (connection_id) do update set
			since = case when h.failures = 0 then now() else h.since end,
			-- Those that were under way when it was suspended add nothing to what is known.
			failures = case when h.suspended_until > now() and h.probe_until <= now() then h.failures else h.failures + 1 end,
			probe_until = '-infinity',
			suspended_until = case
				when h.suspended_until > now() and h.probe_until <= now() then h.suspended_until
				when h.failures + 1 < $3 then h.suspended_until
				else now() + least($5::interval, $4::interval * power(2, least(h.failures + 1 - $3, 20)))
			end
		returning extract(epoch from greatest(suspended_until, now()) - now())::float8,
			-- now() is this transaction's alone
			failures = $3 and suspended_until = now() + least($5::interval, $4::interval)`,
		workspaceID, connectionID, threshold, least, most).Scan(&left, &first)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("count a failure of a connection: %w", err)
	}
	if first {
		err = db.Audit(records.WithActor(ctx, records.SystemActor()), workspaceID, records.Change{Action: "connection.suspend", ObjectKind: "connection", ObjectID: connectionID,
			After: map[string]any{"failures": threshold}})
		if err != nil {
			return 0, err
		}
	}
	return time.Duration(left * float64(time.Second)), nil
}

// ConnectionWorks ends a suspension: the CRM has answered.
func (db *DB) ConnectionWorks(ctx context.Context, workspaceID, connectionID string) error {
	var ended bool
	err := db.pool.QueryRow(ctx, `
		with before as (
			select suspended_until from connection_health where workspace_id = $1 and connection_id = $2 and failures > 0 for update
		), ended as (
			update connection_health set failures = 0, suspended_until = '-infinity', probe_until = '-infinity'
			where workspace_id = $1 and connection_id = $2 and failures > 0 and exists (select from before)
		)
		select exists (select from before where suspended_until > '-infinity')`, workspaceID, connectionID).Scan(&ended)
	if err == nil && ended {
		err = db.Audit(records.WithActor(ctx, records.SystemActor()), workspaceID, records.Change{Action: "connection.recover", ObjectKind: "connection", ObjectID: connectionID})
	}
	if err != nil {
		return fmt.Errorf("end a suspension: %w", err)
	}
	return nil
}

// ProbeConnection lets one caller try whether the CRM of a suspended connection is back: for it the wait is zero. The
// others learn when to ask again.
func (db *DB) ProbeConnection(ctx context.Context, workspaceID, connectionID string, lease time.Duration) (time.Duration, error) {
	var mine bool
	var left float64
	err := db.pool.QueryRow(ctx, `
		with before as (
			select suspended_until > now() as closed from connection_health
			where workspace_id = $1 and connection_id = $2 and failures > 0 and suspended_until > '-infinity' for update
		), probing as (
			update connection_health set suspended_until = now() + $3, probe_until = now() + $3
			from before where workspace_id = $1 and connection_id = $2 and not closed
			returning 1
		)
		select exists (select from probing) or not exists (select from before),
			coalesce((select extract(epoch from greatest(suspended_until, now()) - now())::float8 from connection_health
				where workspace_id = $1 and connection_id = $2), 0)`,
		workspaceID, connectionID, lease).Scan(&mine, &left)
	if err != nil {
		return 0, fmt.Errorf("probe a connection: %w", err)
	}
	if mine {
		return 0, nil
	}
	return max(time.Duration(left*float64(time.Second)), 100*time.Millisecond), nil
}

// ConnectionHealth is what is known of the reachability of a workspace's CRMs, by connection; those without trouble are
// missing.
func (db *DB) ConnectionHealth(ctx context.Context, workspaceID string) (map[string]records.Health, error) {
	rows, _ := db.pool.Query(ctx, `
		select connection_id::text, failures, suspended_until > now(), greatest(suspended_until, now()), since
		from connection_health where workspace_id = $1 and failures > 0`, workspaceID)
	out := map[string]records.Health{}
	var id string
	var h records.Health
	var suspended bool
	var until time.Time
	_, err := pgx.ForEachRow(rows, []any{&id, &h.Failures, &suspended, &until, &h.Since}, func() error {
		h.SuspendedUntil = time.Time{}
		if suspended {
			h.SuspendedUntil = until.UTC()
		}
		h.Since = h.Since.UTC()
		out[id] = h
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the health of connections: %w", err)
	}
	return out, nil
}

// ConnectionLimits is what is used of the limits of a workspace's CRMs, by connection: of those that are daily, and those that
// the CRM keeps closed.
func (db *DB) ConnectionLimits(ctx context.Context, workspaceID string) (map[string][]records.LimitUse, error) {
	rows, _ := db.pool.Query(ctx, `
		select connection_id::text, class, day, used, blocked_until > now(), greatest(blocked_until, now())
		from rate_budgets where workspace_id = $1 and (day <> '' or blocked_until > now()) order by connection_id, class`, workspaceID)
	out := map[string][]records.LimitUse{}
	var id string
	var u records.LimitUse
	var blocked bool
	var until time.Time
	_, err := pgx.ForEachRow(rows, []any{&id, &u.Class, &u.Day, &u.Used, &blocked, &until}, func() error {
		u.BlockedUntil = time.Time{}
		if blocked {
			u.BlockedUntil = until.UTC()
		}
		out[id] = append(out[id], u)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the use of limits: %w", err)
	}
	return out, nil
}
