package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// RecordFields keeps sightings of unknown fields, each name once. Of a source that has records.MostSourceFields already
// only those that are kept count on. Several processes may tell of the same at once.
func (db *DB) RecordFields(ctx context.Context, all []records.FieldSighting) error {
	if len(all) == 0 {
		return nil
	}
	// In one order for all processes, so that none waits for another in a circle.
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b records.FieldSighting) int {
		return cmp.Or(cmp.Compare(a.SourceID, b.SourceID), cmp.Compare(a.Trigger, b.Trigger), cmp.Compare(a.Path, b.Path), b.First.Compare(a.First))
	})
	all = slices.CompactFunc(all, func(a, b records.FieldSighting) bool { return a.SourceID == b.SourceID && a.FieldName == b.FieldName })
	n := len(all)
	workspaces, sources, triggers, paths, types, receipts := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	firsts, lasts, counts := make([]time.Time, n), make([]time.Time, n), make([]int64, n)
	for i, s := range all {
		workspaces[i], sources[i], triggers[i], paths[i], types[i], receipts[i] = s.WorkspaceID, s.SourceID, s.Trigger, s.Path, s.Type, s.ReceiptID
		firsts[i], lasts[i], counts[i] = s.First, s.Last, s.Count
	}
	_, err := db.pool.Exec(ctx, `
		with sighted as (
			select n.*, exists (select 1 from source_fields f where f.workspace_id = n.workspace_id and f.source_id = n.source_id and f.trigger = n.trigger and f.path = n.path) as known
			from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::timestamptz[], $8::timestamptz[], $9::bigint[])
				as n (workspace_id, source_id, trigger, path, type, receipt_id, first_seen, last_seen, seen)
			where exists (select 1 from sources s where s.workspace_id = n.workspace_id and s.id = n.source_id)
		), fitting as (
			select s.*, row_number() over (partition by source_id, known order by trigger, path)
				+ (select count(*) from source_fields f where f.workspace_id = s.workspace_id and f.source_id = s.source_id) as place
			from sighted s
		)
		insert into source_fields as f (workspace_id, source_id, trigger, path, type, receipt_id, first_seen, last_seen, seen)
		select workspace_id, source_id, trigger, path, type, receipt_id, first_seen, last_seen, seen
		from fitting where known or place <= $10 order by source_id, trigger, path
		on conflict (source_id, trigger, path) do update set
			first_seen = least(f.first_seen, excluded.first_seen), last_seen = greatest(f.last_seen, excluded.last_seen), seen = f.seen + excluded.seen`,
		workspaces, sources, triggers, paths, types, receipts, firsts, lasts, counts, records.MostSourceFields)
	if err != nil {
		return fmt.Errorf("record unknown fields: %w", storeError(err))
	}
	return nil
}

// UnknownFields lists the unknown fields of a source: those nobody has acknowledged first, then the newest.
func (db *DB) UnknownFields(ctx context.Context, workspaceID, sourceID string) ([]records.UnknownField, error) {
	if _, ok := parseUUID(sourceID); !ok {
		return nil, records.ErrNotFound
	}
	rows, _ := db.pool.Query(ctx, `
		select trigger, path, type, first_seen, last_seen, seen, receipt_id, acknowledged_at, acknowledged_by from source_fields
		where workspace_id = $1 and source_id = $2
		order by acknowledged_at is not null, first_seen desc, trigger, path limit $3`, workspaceID, sourceID, records.MostSourceFields)
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (f records.UnknownField, err error) {
		var acknowledged *time.Time
		err = row.Scan(&f.Trigger, &f.Path, &f.Type, &f.FirstSeen, &f.LastSeen, &f.Seen, &f.ReceiptID, &acknowledged, &f.AcknowledgedBy)
		f.FirstSeen, f.LastSeen, f.AcknowledgedAt = f.FirstSeen.UTC(), f.LastSeen.UTC(), orZero(acknowledged)
		return f, err
	})
	if err != nil {
		return nil, fmt.Errorf("list unknown fields: %w", storeError(err))
	}
	return out, nil
}

// AcknowledgeFields marks unknown fields of a source as acknowledged by somebody, all of them if fields is nil, and
// returns how many were not before.
func (db *DB) AcknowledgeFields(ctx context.Context, workspaceID, sourceID, who string, fields []records.FieldName) (int, error) {
	if _, ok := parseUUID(sourceID); !ok {
		return 0, records.ErrNotFound
	}
	triggers, paths := make([]string, len(fields)), make([]string, len(fields))
	for i, f := range fields {
		triggers[i], paths[i] = f.Trigger, f.Path
	}
	n := 0
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			update source_fields set acknowledged_at = now(), acknowledged_by = $3
			where workspace_id = $1 and source_id = $2 and acknowledged_at is null
				and ($4 or (trigger, path) in (select * from unnest($5::text[], $6::text[])))`,
			workspaceID, sourceID, who, fields == nil, triggers, paths)
		if n = int(tag.RowsAffected()); err != nil || n == 0 {
			return err
		}
		return db.note(ctx, tx, workspaceID, records.Change{Action: "source.acknowledge_fields", ObjectKind: "source", ObjectID: sourceID,
			After: map[string]any{"acknowledged": n}})
	})
	if err != nil {
		return 0, fmt.Errorf("acknowledge unknown fields: %w", rowError(err))
	}
	return n, nil
}
