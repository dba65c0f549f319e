package postgres

import (
	"context"
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
	rows, err := db.pool.Query(ctx, `
		with span as (select c.id, c.phase, c.revision, c.settled_revision, c.listed_at from calls c
			where c.workspace_id = $1 and c.merged_into is null and c.listed_at >= $2 and c.listed_at < $3),
		lanes as (select c.id, `+laneCounts+` from span c join deliveries d on d.record_id = c.id and d.object = 'call'
			join connections k on k.id = d.connection_id and k.deleted_at is null where d.workspace_id = $1 group by c.id, c.revision)
		select floor(extract(epoch from c.listed_at - $4::timestamptz) / $5)::int, `+callState+`, count(*)
		from span c left join lanes l on l.id = c.id group by 1, 2`, workspaceID, from, to, first, s.StepSeconds)
	if err != nil {
		return err
	}
	var (
		at    int
		state string
		n     int64
	)
	_, err = pgx.ForEachRow(rows, []any{&at, &state, &n}, func() error {
		if at >= 0 && at < len(s.Trend) {
			s.Trend[at].ByState[state] = n
		}
		return nil
	})
	if err != nil {
		return err
	}
	rows, err = db.pool.Query(ctx, `
		select s.id, coalesce(c.n, 0), coalesce(q.quarantined, 0), coalesce(q.rejected, 0), r.received_at
		from sources s
		left join (select source_id, count(*) as n from calls where workspace_id = $1 and merged_into is null and listed_at >= $2 and listed_at < $3 group by 1) c on c.source_id = s.id
		left join (select source_id, count(*) filter (where state = 'quarantined') as quarantined, count(*) filter (where state = 'rejected') as rejected from receipt_results where workspace_id = $1 and state in ('quarantined', 'rejected') and receipt_id >= $4::uuid and receipt_id < $5::uuid group by 1) q on q.source_id = s.id
		left join lateral (select received_at from receipts where workspace_id = $1 and source_id = s.id order by id desc limit 1) r on true
		where s.workspace_id = $1 and s.deleted_at is null order by s.id`, workspaceID, from, to, firstID(from.Add(-time.Minute)), firstID(to.Add(time.Minute)))
	if err != nil {
		return err
	}
	s.BySource, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (records.SourceFlow, error) {
		var f records.SourceFlow
		var last *time.Time
		err := row.Scan(&f.SourceID, &f.Calls, &f.Quarantined, &f.Rejected, &last)
		f.LastReceipt = orZero(last).UTC()
		return f, err
	})
	if err != nil {
		return err
	}
	rows, err = db.pool.Query(ctx, `
		select k.id, coalesce(d.state, ''), count(d.id)
		from connections k
		left join (select d.id, d.connection_id, d.state from calls c join deliveries d on d.record_id = c.id and d.object = 'call'
			where c.workspace_id = $1 and d.workspace_id = $1 and c.merged_into is null and c.listed_at >= $2 and c.listed_at < $3) d on d.connection_id = k.id
		where k.workspace_id = $1 and k.deleted_at is null group by 1, 2 order by 1, 2`, workspaceID, from, to)
	if err != nil {
		return err
	}
	var id string
	_, err = pgx.ForEachRow(rows, []any{&id, &state, &n}, func() error {
		if last := len(s.ByConnection) - 1; last < 0 || s.ByConnection[last].ConnectionID != id {
			s.ByConnection = append(s.ByConnection, records.ConnectionFlow{ConnectionID: id, ByState: map[string]int64{}})
		}
		if state != "" {
			s.ByConnection[len(s.ByConnection)-1].ByState[state] = n
		}
		return nil
	})
	return err
}
