package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// TakeOurs has callsync's values written once in place of what people put into fields of a record: into those named, or
// with none into all that are kept open. It returns how many fields that concerns; the next delivery writes them, unless
// somebody changes them again before.
func (db *DB) TakeOurs(ctx context.Context, workspaceID, recordID, connectionID string, fields []string) (int, error) {
	var n int
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `
		with lane as (
			select d.id, k.key as field, k.value->>'theirs_hash' as seen
			from deliveries d cross join jsonb_each(d.kept) k
			where d.workspace_id = $1 and d.record_id = $2 and d.connection_id = $3 and d.object <> 'contact'
				and k.value->>'resolved_at' is null and k.value->>'cause' <> 'filled' and (cardinality($4::text[]) = 0 or k.key = any($4))
		), taken as (
			update deliveries d set overruled = d.overruled || l.fields
			from (select id, jsonb_object_agg(field, seen) as fields from lane group by id) l
			where d.workspace_id = $1 and d.id = l.id
		)
		select count(*) from lane`, workspaceID, recordID, connectionID, orNone(fields)).Scan(&n)
		if err != nil || n == 0 {
			return err
		}
		return db.note(ctx, tx, workspaceID, records.Change{Action: "call.take_ours", ObjectKind: "call", ObjectID: recordID,
			After: map[string]any{"connection": connectionID, "fields": orNone(fields), "overruled": n}})
	})
	if err != nil {
		return 0, fmt.Errorf("overrule people's edits: %w", err)
	}
	return n, nil
}
