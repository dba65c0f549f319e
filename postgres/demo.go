package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// ofDemo are the statements that remove the demo data of a workspace, its sources last. TestRemoveDemo finds what they leave. The inbox is
// first, so that what is being applied at this moment is done before the rest goes; then rows are locked in the order in
// which deliveries lock them, so that an attempt that is being recorded is done, too.
var ofDemo = []string{
	`delete from inbox where workspace_id = @ws and source_id = any(@sources)`,
	`select from calls where workspace_id = @ws and source_id = any(@sources) for update`,
	`select from messages where workspace_id = @ws and source_id = any(@sources) for update`,
	`select from forms where workspace_id = @ws and source_id = any(@sources) for update`,
	`select from follow_ups where workspace_id = @ws and connection_id = any(@connections) for update`,
	`select from deliveries where workspace_id = @ws and ` + deliveryOfDemo + ` for update`,
	`delete from delivery_attempts where workspace_id = @ws and delivery_id in (select id from deliveries where workspace_id = @ws and ` + deliveryOfDemo + `)`,
	`delete from unmatched where workspace_id = @ws and (connection_id = any(@connections) or delivery_id in (select id from deliveries where workspace_id = @ws and ` + deliveryOfDemo + `))`,
	`delete from deliveries where workspace_id = @ws and ` + deliveryOfDemo,
	`delete from match_watch where workspace_id = @ws and connection_id = any(@connections)`,
	`delete from match_reviews where workspace_id = @ws and connection_id = any(@connections)`,
	`delete from match_choices where workspace_id = @ws and connection_id = any(@connections)`,
	`delete from follow_up_calls where workspace_id = @ws and (connection_id = any(@connections) or call_id in (` + callsOfDemo + `))`,
	`delete from follow_ups where workspace_id = @ws and (connection_id = any(@connections) or call_id in (` + callsOfDemo + `))`,
	// Resyncs of the demo alone go; others lose what is the demo's.
	`delete from resync_calls where workspace_id = @ws and call_id in (` + callsOfDemo + `)`,
	`delete from resyncs where workspace_id = @ws and (filter ->> 'SourceID' = any(@sources::text[]) or filter ->> 'ConnectionID' = any(@connections::text[])
		or connections::text[] <@ @connections::text[] and connections <> '{}')`,
	`update resyncs set connections = array(select c from unnest(connections) c where c <> all(@connections)) where workspace_id = @ws and connections && @connections`,
	// A file of the archive is gone when its row is: until then somebody has to remove it.
	`update recording_blobs set doomed_at = coalesce(doomed_at, now()) where workspace_id = @ws and recording_id in (select id from recordings where workspace_id = @ws and source_id = any(@sources))`,
	`delete from recordings where workspace_id = @ws and source_id = any(@sources)`,
	`delete from events where workspace_id = @ws and source_id = any(@sources)`,
	// What was counted is counted no more.
	`insert into receipt_hours as o select workspace_id, date_trunc('hour', id_time(receipt_id), 'UTC'), state, 0, -count(*) from receipt_results
		where workspace_id = @ws and source_id = any(@sources) group by 1, 2, 3 order by 1, 2, 3
		on conflict (workspace_id, hour, state, slot) do update set receipts = o.receipts + excluded.receipts`,
	`delete from receipt_results where workspace_id = @ws and source_id = any(@sources)`,
	`delete from pull_receipts where workspace_id = @ws and pull_id in (select id from source_pulls where workspace_id = @ws and source_id = any(@sources))`,
	`delete from source_pulls where workspace_id = @ws and source_id = any(@sources)`,
	`delete from pulled_items where workspace_id = @ws and source_id = any(@sources)`,
	`delete from receipts where workspace_id = @ws and source_id = any(@sources)`,
	`delete from call_aliases where workspace_id = @ws and source_id = any(@sources)`,
	`delete from call_list where workspace_id = @ws and source_id = any(@sources)`,
	`delete from calls where workspace_id = @ws and source_id = any(@sources)`,
	`delete from messages where workspace_id = @ws and source_id = any(@sources)`,
	`delete from forms where workspace_id = @ws and source_id = any(@sources)`,
	`delete from agents_seen where workspace_id = @ws and source_id = any(@sources)`,
	`delete from learned_numbers where workspace_id = @ws and source_id = any(@sources)`,
	`delete from source_fields where workspace_id = @ws and source_id = any(@sources)`,
	`delete from source_plans where workspace_id = @ws and source_id = any(@sources)`,
	`delete from source_clocks where workspace_id = @ws and source_id = any(@sources)`,
	`delete from arrival_hours where workspace_id = @ws and source_id = any(@sources)`,
	// Their messages go with them.
	`delete from alerts where workspace_id = @ws and (object_id = any(@sources) or object_id = any(@connections))`,
	`delete from alert_mutes where workspace_id = @ws and (object_id = any(@sources) or object_id = any(@connections))`,
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
	`delete from connection_health where workspace_id = @ws and connection_id = any(@connections)`,
	`delete from connection_usage where workspace_id = @ws and connection_id = any(@connections)`,
	`delete from connection_slots where workspace_id = @ws and connection_id = any(@connections)`,
	`delete from connection_grants where workspace_id = @ws and connection_id = any(@connections)`,
	`delete from grant_requests where workspace_id = @ws and connection_id = any(@connections)`,
	`delete from rate_turns where workspace_id = @ws and connection_id = any(@connections)`,
	`delete from rate_budgets where workspace_id = @ws and connection_id = any(@connections)`,
	`update sources set connections = array(select c from unnest(connections) c where c <> all(@connections)) where workspace_id = @ws and connections && @connections`,
	`delete from connections where workspace_id = @ws and id = any(@connections)`,
	`delete from sources where workspace_id = @ws and id = any(@sources)`,
}

// callsOfDemo are the ids of the demo's calls; deliveryOfDemo tells which deliveries are the demo's.
const (
	callsOfDemo    = `select id from calls where workspace_id = @ws and source_id = any(@sources)`
	deliveryOfDemo = `(connection_id = any(@connections) or record_id in (` + callsOfDemo + `
		union all select id from messages where workspace_id = @ws and source_id = any(@sources) union all select id from forms where workspace_id = @ws and source_id = any(@sources)))`
)

// demoRest is when it is looked for what was being written while the demo data went: a statement that began before sees
// the connection that is gone. Its attempt finds nothing to write to afterwards.
const demoRest = 200 * time.Millisecond

// RemoveDemo deletes the sources and connections of kind records.Demo, those that are deleted already included, with all
// that belongs to them, and nothing else. The audit log keeps that they were there. Without demo data it does nothing.
// Workers may be at work for it: their attempts end as if there had been nothing to do.
func (db *DB) RemoveDemo(ctx context.Context, workspaceID string) error {
	var sources, connections []string
	if err := db.pool.QueryRow(ctx, `
		select coalesce((select array_agg(id) from sources where workspace_id = $1 and provider = $2), '{}'),
			coalesce((select array_agg(id) from connections where workspace_id = $1 and connector = $2), '{}')`,
		workspaceID, records.Demo).Scan(&sources, &connections); err != nil {
		return settingsError("look for the demo data", err)
	}
	if len(sources) == 0 && len(connections) == 0 {
		return nil
	}
	args := pgx.NamedArgs{"ws": workspaceID, "sources": sources, "connections": connections}
	if err := db.removeDemo(ctx, args, sources); err != nil {
		return err
	}
	select {
	case <-time.After(demoRest):
	case <-ctx.Done():
	}
	return db.removeDemo(context.WithoutCancel(ctx), args, sources)
}

func (db *DB) removeDemo(ctx context.Context, args pgx.NamedArgs, sources []string) error {
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		// It gives way to the workers and tries again, before the server would have to break a deadlock at their cost.
		if _, err := tx.Exec(ctx, `set local lock_timeout = '300ms'`); err != nil {
			return err
		}
		// Nobody must make rows for them meanwhile.
		if _, err := tx.Exec(ctx, `select from connections where workspace_id = @ws and id = any(@connections) for update`, args); err != nil {
			return err
		}
		var removed int64
		for _, statement := range ofDemo {
			tag, err := tx.Exec(ctx, statement, args)
			if err != nil {
				return err
			}
			removed = tag.RowsAffected()
		}
		if removed == 0 {
			return nil
		}
		return writeAudit(ctx, tx, args["ws"].(string), records.Change{Action: "source.delete", ObjectKind: "source", ObjectID: sources[0], ObjectName: "Demo phone system"})
	})
	if err != nil {
		return fmt.Errorf("remove the demo data: %w", storeError(err))
	}
	return nil
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
