package postgres

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// stepOf is how finely a span is counted: some dozens of steps.
func stepOf(span time.Duration) time.Duration {
	switch {
	case span <= 3*time.Hour:
		return 5 * time.Minute
	case span <= 72*time.Hour:
		return time.Hour
	case span <= 92*24*time.Hour:
		return 24 * time.Hour
	}
	return 7 * 24 * time.Hour
}

// maxSteps bounds a trend: a span of years has no more.
const maxSteps = 400

// flows fills in what a span's calls are step by step, of each source and of each connection.
func (db *DB) flows(ctx context.Context, workspaceID string, from, to time.Time, s *records.Stats) error {
	step := max(stepOf(to.Sub(from)), to.Sub(from)/maxSteps).Truncate(time.Second)
	s.StepSeconds = int64(step / time.Second)
	// Steps begin at round times, so that two looks at the same hour show the same bar.
	first := from.UTC().Truncate(step)
	s.Trend, s.BySource, s.ByConnection = []records.TrendStep{}, []records.SourceFlow{}, []records.ConnectionFlow{}
	for at := first; at.Before(to); at = at.Add(step) {
		s.Trend = append(s.Trend, records.TrendStep{At: at, ByState: map[string]int64{}})
	}
	// Everything by one look at the span: there are few combinations. date_bin reckons with whole numbers, which takes a
	// fraction of the time that extract takes.
	rows, err := db.look(ctx, `
		select date_bin($4::interval, listed_at, $5::timestamptz), source_id, state, status, lanes, count(*)
		from call_list where workspace_id = $1 and listed_at >= $2 and listed_at < $3 group by 1, 2, 3, 4, 5`, workspaceID, from, to, step, first)
	if err != nil {
		return err
	}
	s.ByStatus, s.ByState, s.Deliveries = map[string]int64{}, map[string]int64{}, map[string]int64{}
	bySource, byLane := map[string]int64{}, map[string]map[string]int64{}
	var (
		began                        time.Time
		source, state, status, lanes string
		n                            int64
	)
	_, err = pgx.ForEachRow(rows, []any{&began, &source, &state, &status, &lanes, &n}, func() error {
		if at := int(began.Sub(first) / step); at >= 0 && at < len(s.Trend) {
			s.Trend[at].ByState[state] += n
		}
		s.Calls += n
		s.ByStatus[cmp.Or(status, "unknown")] += n
		s.ByState[state] += n
		bySource[source] += n
		for _, lane := range strings.Fields(lanes) {
			connection, letter := lane[:len(lane)-1], stateOfLetter[lane[len(lane)-1]]
			s.Deliveries[letter] += n
			if byLane[connection] == nil {
				byLane[connection] = map[string]int64{}
			}
			byLane[connection][letter] += n
		}
		return nil
	})
	if err != nil {
		return err
	}
	rows, err = db.look(ctx, `
		select s.id, coalesce(q.quarantined, 0), coalesce(q.rejected, 0), coalesce(recent.received_at, old.received_at)
		from sources s
		left join (select source_id, count(*) filter (where state = 'quarantined') as quarantined, count(*) filter (where state = 'rejected') as rejected from receipt_results where workspace_id = $1 and state in ('quarantined', 'rejected') and receipt_id >= $2::uuid and receipt_id < $3::uuid group by 1) q on q.source_id = s.id
		left join lateral (select received_at from receipts where workspace_id = $1 and source_id = s.id and id >= $4::uuid order by id desc limit 1) recent on true
		left join lateral (select received_at from receipts where recent.received_at is null and workspace_id = $1 and source_id = s.id and id < $4::uuid order by id desc limit 1) old on true
		where s.workspace_id = $1 and s.deleted_at is null order by s.id`, workspaceID, firstID(from.Add(-time.Minute)), firstID(to.Add(time.Minute)),
		firstID(time.Now().Add(-72*time.Hour))) // the server looks at few partitions where it can
	if err != nil {
		return err
	}
	s.BySource, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (records.SourceFlow, error) {
		var f records.SourceFlow
		var last *time.Time
		err := row.Scan(&f.SourceID, &f.Quarantined, &f.Rejected, &last)
		f.LastReceipt, f.Calls = orZero(last).UTC(), bySource[f.SourceID]
		return f, err
	})
	if err != nil {
		return err
	}
	rows, err = db.look(ctx, `select id from connections where workspace_id = $1 and deleted_at is null order by id`, workspaceID)
	if err != nil {
		return err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, id := range ids {
		f := records.ConnectionFlow{ConnectionID: id, ByState: byLane[id[len(id)-8:]]}
		if f.ByState == nil {
			f.ByState = map[string]int64{}
		}
		s.ByConnection = append(s.ByConnection, f)
	}
	return err
}

// stateOfLetter is what the letters of call_list.lanes stand for.
var stateOfLetter = map[byte]string{'w': records.DeliveryWaiting, 'd': records.DeliveryDone, 'p': records.DeliveryParked, 's': records.DeliverySkipped}
