package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// ofDemo are the statements that remove the demo data of a workspace. The inbox is
// first, so that what is being applied at this moment is done before the rest goes.
var ofDemo = []string{
	`delete from inbox where workspace_id = @ws and source_id = any(@sources)`,
	`delete from delivery_attempts a using deliveries d where a.workspace_id = @ws and a.delivery_id = d.id and d.workspace_id = @ws and (d.connection_id = any(@connections)
		or d.record_id in (select id from calls where workspace_id = @ws and source_id = any(@sources)
			union all select id from messages where workspace_id = @ws and source_id = any(@sources) union all select id from forms where workspace_id = @ws and source_id = any(@sources)))`,
	`delete from deliveries where workspace_id = @ws and (connection_id = any(@connections)
		or record_id in (select id from calls where workspace_id = @ws and source_id = any(@sources)
			union all select id from messages where workspace_id = @ws and source_id = any(@sources) union all select id from forms where workspace_id = @ws and source_id = any(@sources)))`,
	`delete from resync_calls r using calls c where r.workspace_id = @ws and r.call_id = c.id and c.workspace_id = @ws and c.source_id = any(@sources)`,
	`delete from follow_ups where workspace_id = @ws and connection_id = any(@connections)`,
	`delete from unmatched where workspace_id = @ws and connection_id = any(@connections)`,
	`delete from match_watch where workspace_id = @ws and connection_id = any(@connections)`,
	`delete from match_reviews where workspace_id = @ws and connection_id = any(@connections)`,
	`delete from match_choices where workspace_id = @ws and connection_id = any(@connections)`,
	`delete from recordings where workspace_id = @ws and source_id = any(@sources)`,
	`delete from events where workspace_id = @ws and source_id = any(@sources)`,
	// What was counted is counted no more.
	`insert into receipt_hours as o select workspace_id, date_trunc('hour', id_time(receipt_id), 'UTC'), state, 0, -count(*) from receipt_results
		where workspace_id = @ws and source_id = any(@sources) group by 1, 2, 3 order by 1, 2, 3
		on conflict (workspace_id, hour, state, slot) do update set receipts = o.receipts + excluded.receipts`,
	`delete from receipt_results where workspace_id = @ws and source_id = any(@sources)`,
	`delete from receipts where workspace_id = @ws and source_id = any(@sources)`,
	`delete from call_aliases where workspace_id = @ws and source_id = any(@sources)`,
	`delete from call_list where workspace_id = @ws and source_id = any(@sources)`,
	`delete from calls where workspace_id = @ws and source_id = any(@sources)`,
	`delete from messages where workspace_id = @ws and source_id = any(@sources)`,
	`delete from forms where workspace_id = @ws and source_id = any(@sources)`,
	`delete from agents_seen where workspace_id = @ws and source_id = any(@sources)`,
	`delete from learned_numbers where workspace_id = @ws and source_id = any(@sources)`,
	`delete from source_fields where workspace_id = @ws and source_id = any(@sources)`,
	`delete from source_plans where source_id = any(@sources)`,
	`delete from source_clocks where source_id = any(@sources)`,
	`delete from rules where workspace_id = @ws and (owner_id = any(@sources) or owner_id = any(@connections))`,
	`delete from actions where workspace_id = @ws and connection_id = any(@connections)`,
	`delete from crm_schema_issues where workspace_id = @ws and connection_id = any(@connections)`,
	`delete from crm_schema_versions where workspace_id = @ws and connection_id = any(@connections)`,
	`delete from crm_schemas where workspace_id = @ws and connection_id = any(@connections)`,
	`delete from active_mappings where connection_id = any(@connections)`,
	`delete from mappings where workspace_id = @ws and connection_id = any(@connections)`,
	`delete from connection_owners where workspace_id = @ws and connection_id = any(@connections)`,
	`delete from connection_users where workspace_id = @ws and connection_id = any(@connections)`,
	`delete from connection_dispositions where workspace_id = @ws and connection_id = any(@connections)`,
	`delete from connection_health where connection_id = any(@connections)`,
	`delete from connection_slots where connection_id = any(@connections)`,
	`delete from rate_turns where connection_id = any(@connections)`,
	`delete from rate_budgets where connection_id = any(@connections)`,
	`delete from connections where workspace_id = @ws and id = any(@connections)`,
	`delete from sources where workspace_id = @ws and id = any(@sources)`,
}

// RemoveDemo deletes the sources and connections of kind records.Demo, those that are deleted already included, with all
// that belongs to them, and nothing else. The audit log keeps that they were there. Without demo data it does nothing.
func (db *DB) RemoveDemo(ctx context.Context, workspaceID string) error {
	return db.inTx(ctx, func(tx pgx.Tx) error {
		var sources, connections []string
		if err := tx.QueryRow(ctx, `
			select coalesce((select array_agg(id) from sources where workspace_id = $1 and provider = $2), '{}'),
				coalesce((select array_agg(id) from connections where workspace_id = $1 and connector = $2), '{}')`,
			workspaceID, records.Demo).Scan(&sources, &connections); err != nil {
			return settingsError("look for the demo data", err)
		}
		// Nobody must make rows for them meanwhile.
		if _, err := tx.Exec(ctx, `select from connections where workspace_id = $1 and id = any($2) for update`, workspaceID, connections); err != nil {
			return fmt.Errorf("remove the demo data: %w", storeError(err))
		}
		args := pgx.NamedArgs{"ws": workspaceID, "sources": sources, "connections": connections}
		for _, statement := range ofDemo {
			if _, err := tx.Exec(ctx, statement, args); err != nil {
				return fmt.Errorf("remove the demo data: %w", storeError(err))
			}
		}
		if len(sources) == 0 {
			return nil
		}
		return writeAudit(ctx, tx, workspaceID, records.Change{Action: "source.delete", ObjectKind: "source", ObjectID: sources[0], ObjectName: "Demo phone system"})
	})
}

// HideSteps puts the first steps of a workspace away, for everybody in it.
func (db *DB) HideSteps(ctx context.Context, workspaceID string) error {
	tag, err := db.pool.Exec(ctx, `update workspaces set steps_hidden_at = coalesce(steps_hidden_at, now()) where id = $1`, workspaceID)
	return oneRow("hide the first steps", tag, err)
}

// StepsHidden tells whether the first steps of a workspace were put away.
func (db *DB) StepsHidden(ctx context.Context, workspaceID string) (hidden bool, err error) {
	err = db.pool.QueryRow(ctx, `select steps_hidden_at is not null from workspaces where id = $1`, workspaceID).Scan(&hidden)
	return hidden, settingsError("read the first steps", err)
}
