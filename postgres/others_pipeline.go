package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// others are the kinds of records beside calls that are delivered. Statements for them are written once, for {table} and
// {kind}.
var others = []string{kindMessage, kindForm}

func ofKind(sql, kind string) string {
	return strings.NewReplacer("{table}", tableOf(kind), "{kind}", kind).Replace(sql)
}

// otherColumns are pendingColumns of a message or form: it is complete, and waits for nothing.
const otherColumns = `'{kind}', c.id, c.workspace_id, c.source_id, c.revision, true as complete, false as stale,
	null::timestamptz as base, c.changed_at, null::timestamptz as waits, c.settled_revision >= c.revision`

// ofOthers makes one statement of an update that returns pending records, for all kinds.
func ofOthers(update string) string {
	var with, from []string
	for _, kind := range others {
		with = append(with, ofKind("{table}_done as ("+update+otherColumns+")", kind))
		from = append(from, ofKind("select * from {table}_done", kind))
	}
	return "with " + strings.Join(with, ", ") + " " + strings.Join(from, " union all ")
}

// pendingOther reads a message or form as a claim would.
func (db *DB) pendingOther(ctx context.Context, workspaceID, id string) (records.PendingCall, error) {
	var from []string
	for _, kind := range others {
		from = append(from, ofKind(`select `+otherColumns+` from {table} c where c.workspace_id = $1 and c.id = $2`, kind))
	}
	rows, err := db.pool.Query(ctx, strings.Join(from, " union all "), workspaceID, id)
	if err != nil {
		return records.PendingCall{}, fmt.Errorf("read a message or form: %w", err)
	}
	p, err := pgx.CollectExactlyOneRow(rows, scanPending)
	return p, rowError(err)
}

// eachOther runs a statement for every kind.
func (db *DB) eachOther(ctx context.Context, sql string, args ...any) error {
	batch := &pgx.Batch{}
	for _, kind := range others {
		batch.Queue(ofKind(sql, kind), args...)
	}
	return db.pool.SendBatch(ctx, batch).Close()
}

// splitOthers parts the records of calls from those of messages and forms.
func splitOthers(all []records.Signalled) (calls []records.Signalled, rest map[string][]records.Signalled) {
	for _, s := range all {
		if s.Kind == "" {
			calls = append(calls, s)
			continue
		}
		if rest == nil {
			rest = map[string][]records.Signalled{}
		}
		rest[s.Kind] = append(rest[s.Kind], s)
	}
	return calls, rest
}

// finishOthers is FinishSignals for messages and forms.
func (db *DB) finishOthers(ctx context.Context, all map[string][]records.Signalled) error {
	for _, kind := range others {
		n := len(all[kind])
		if n == 0 {
			continue
		}
		ids, revisions, nothing, checks := make([]string, n), make([]int64, n), make([]bool, n), make([]*time.Time, n)
		for i, s := range all[kind] {
			ids[i], revisions[i], nothing[i], checks[i] = s.CallID, s.Revision, s.Nothing, orNull(s.CheckAt)
		}
		err := db.inTx(ctx, func(tx pgx.Tx) error {
			batch := &pgx.Batch{}
			batch.Queue(planByKeys)
			batch.Queue(ofKind(`select 1 from {table} where id = any($1::uuid[]) order by id for update`, kind), ids)
			batch.Queue(ofKind(`
				update {table} c set
					signalled_revision = greatest(c.signalled_revision, s.revision),
					signal_lease = '-infinity',
					settled_revision = case when s.nothing then greatest(c.settled_revision, s.revision) else c.settled_revision end,
					check_count = case when s.check_at is null then c.check_count else 0 end,
					check_at = case
						when s.nothing and s.revision >= c.revision or c.settled_revision >= c.revision then null
						else coalesce(s.check_at, c.check_at) end
				from unnest($1::uuid[], $2::bigint[], $3::bool[], $4::timestamptz[]) as s (id, revision, nothing, check_at)
				where c.id = s.id`, kind), ids, revisions, nothing, checks)
			return tx.SendBatch(ctx, batch).Close()
		})
		if err != nil {
			return fmt.Errorf("record signals: %w", storeError(err))
		}
	}
	return nil
}

// LeaseRecord is LeaseLane for a message or form.
func (db *DB) LeaseRecord(ctx context.Context, workspaceID, kind, id, connectionID string, lease time.Duration) (records.Lane, error) {
	if kind != kindMessage && kind != kindForm {
		return records.Lane{}, fmt.Errorf("%w: there are no records of the kind %q", records.ErrNotFound, kind)
	}
	lane, err := db.leaseLane(ctx, workspaceID, kind, id, connectionID, lease)
	if !errors.Is(err, errNoLane) {
		return lane, err
	}
	if _, err := db.pool.Exec(ctx, ofKind(`
		insert into deliveries (id, workspace_id, connection_id, object, key, record_id, state)
		select $4, c.workspace_id, k.id, '{kind}', c.id::text, c.id, 'waiting'
		from {table} c join connections k on k.workspace_id = c.workspace_id
		where c.workspace_id = $1 and c.id = $2 and k.id = $3
		on conflict (connection_id, object, key) do nothing`, kind),
		workspaceID, id, connectionID, newID()); err != nil {
		return lane, fmt.Errorf("make the lane's row: %w", err)
	}
	return db.leaseLane(ctx, workspaceID, kind, id, connectionID, lease)
}

// laneRecords is what a lane reads of its record, by the names of calls.
func laneRecords(kind string) string {
	if kind == kindCall {
		return "calls"
	}
	return ofKind(`(select id, workspace_id, source_id, state, revision, true as complete, null::timestamptz as window_base, changed_at,
		settled_revision, coalesce(nullif(state->'customer'->>'number', ''), lower(trim(state->'customer'->>'email')), '') as customer_number, null::uuid as merged_into from {table})`, kind)
}

// readRecord reads the state of a lane's record.
func readRecord(lane *records.Lane, kind string, state []byte) error {
	switch kind {
	case kindMessage:
		lane.Message = &call.Message{}
		err := json.Unmarshal(state, lane.Message)
		lane.Call.Call = mappings.FromMessage(*lane.Message).Call
		return err
	case kindForm:
		lane.Form = &call.Form{}
		err := json.Unmarshal(state, lane.Form)
		lane.Call.Call = mappings.FromForm(*lane.Form).Call
		return err
	}
	return json.Unmarshal(state, &lane.Call.Call)
}

// settledTable is the table of a lane's record.
func settledTable(kind string) string {
	switch {
	case kind == kindCall:
		return "calls"
	case isFollowUp(kind):
		return "follow_ups"
	}
	return tableOf(kind)
}
