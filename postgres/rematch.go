package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// redeliverable are the lanes (d) that may be delivered again for a contact's sake: those that were delivered without one,
// those that wait for an answer, and messages and forms that the CRM did not take, most of all because nobody was there to
// whom they belong. What is on hold for another cause is a person's to retry, and what is under way sees for itself.
const redeliverable = `(d.state = 'done' or d.state = 'parked' and (d.class = 'ask' or d.class = 'invalid' and d.object in ('message', 'form')))
	and d.lease_until <= now()`

// drainedAtOnce is how many lanes of one number are delivered again in one round.
const drainedAtOnce = 200

// ClaimRematches returns lanes without a contact that are to be delivered again: of up to perConnection numbers of each
// connection and limit altogether. Of a number that nobody is known to have it is the newest call, which looks; of one
// that has a contact by now, all. The next look is set: an hour after the first call, then after a day, a week and 30
// days; then the number is given up, unless people have been asked. Several processes may call it at once.
func (db *DB) ClaimRematches(ctx context.Context, limit, perConnection int) ([]records.LaneKey, error) {
	var lanes []records.LaneKey
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		lanes = nil
		rows, _ := tx.Query(ctx, `
			with due as (
				select w.connection_id, w.number
				from connections k cross join lateral (
					select m.connection_id, m.number from match_watch m
					where m.connection_id = k.id and m.next_at <= now() order by m.next_at limit $2 for update skip locked) w
				where k.status = 'active' and k.mode = 'live' and k.deleted_at is null
				limit $1
			)
			update match_watch m set looks = m.looks + 1,
				next_at = case when m.found then now() + interval '5 minutes' * (m.looks + 1)
					else greatest(now() + interval '1 hour', m.created_at + case m.looks when 0 then interval '1 day' when 1 then interval '7 days' else interval '30 days' end) end
			from due where m.connection_id = due.connection_id and m.number = due.number
			returning m.connection_id, m.number, m.found, m.looks`, limit, perConnection)
		var connections, numbers []string
		var found, over []bool
		var (
			connection, number string
			is                 bool
			looks              int
		)
		_, err := pgx.ForEachRow(rows, []any{&connection, &number, &is, &looks}, func() error {
			connections, numbers = append(connections, connection), append(numbers, number)
			found, over = append(found, is), append(over, looks > 4 && !is || looks > 20)
			return nil
		})
		if err != nil || len(numbers) == 0 {
			return err
		}
		if err := giveUp(ctx, tx, connections, numbers, over); err != nil {
			return err
		}
		lanes, err = lanesOf(ctx, tx, connections, numbers, found)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("claim numbers to look up: %w", storeError(err))
	}
	return lanes, nil
}

// lanesOf are the lanes of numbers that are to be delivered again.
func lanesOf(ctx context.Context, tx pgx.Tx, connections, numbers []string, found []bool) ([]records.LaneKey, error) {
	rows, _ := tx.Query(ctx, `
		select l.workspace_id, l.record_id, l.connection_id
		from unnest($1::uuid[], $2::text[], $3::bool[]) with ordinality as w (connection_id, number, found, n)
		cross join lateral (
			select d.workspace_id, d.record_id, d.connection_id, u.created_at
			from unmatched u join deliveries d on d.id = u.delivery_id
			where u.connection_id = w.connection_id and u.number = w.number and `+redeliverable+`
			order by case when not w.found then u.created_at end desc, u.created_at
			limit case when w.found then $4 else 1 end) l
		order by w.n, l.created_at`, connections, numbers, found, drainedAtOnce)
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (k records.LaneKey, err error) {
		err = row.Scan(&k.WorkspaceID, &k.CallID, &k.ConnectionID)
		return k, err
	})
}

// giveUp forgets lanes that will not be delivered again, numbers that have none, and numbers that are over unless people
// have been asked about them.
func giveUp(ctx context.Context, tx pgx.Tx, connections, numbers []string, over []bool) error {
	batch := &pgx.Batch{}
	batch.Queue(`
		delete from unmatched u using unnest($1::uuid[], $2::text[], $3::bool[]) as w (connection_id, number, over), deliveries d
		where u.connection_id = w.connection_id and u.number = w.number and d.id = u.delivery_id
			and (d.state = 'skipped' or w.over and not exists (
				select 1 from match_reviews r where r.connection_id = w.connection_id and r.number = w.number and r.state = 'open'))`,
		connections, numbers, over)
	batch.Queue(`
		delete from match_watch m using unnest($1::uuid[], $2::text[]) as w (connection_id, number)
		where m.connection_id = w.connection_id and m.number = w.number
			and not exists (select 1 from unmatched u where u.connection_id = w.connection_id and u.number = w.number)`,
		connections, numbers)
	return tx.SendBatch(ctx, batch).Close()
}

// ReturnRematches has lanes that were claimed looked at again after wait.
func (db *DB) ReturnRematches(ctx context.Context, lanes []records.LaneKey, wait time.Duration) error {
	calls, connections := make([]string, len(lanes)), make([]string, len(lanes))
	for i, l := range lanes {
		calls[i], connections[i] = l.CallID, l.ConnectionID
	}
	_, err := db.pool.Exec(ctx, `
		update match_watch m set looks = greatest(m.looks - 1, 0), next_at = now() + $3
		from (select distinct u.connection_id, u.number from unnest($1::uuid[], $2::uuid[]) as l (record_id, connection_id)
			join deliveries d on d.record_id = l.record_id and d.connection_id = l.connection_id and d.object <> 'contact'
			join unmatched u on u.delivery_id = d.id) w
		where m.connection_id = w.connection_id and m.number = w.number`, calls, connections, wait)
	if err != nil {
		return fmt.Errorf("put numbers to look up back: %w", storeError(err))
	}
	return nil
}
