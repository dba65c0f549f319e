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

// healedShown is how long issues that are gone are listed, and how long they are kept.
const (
	healedShown = 30 * 24 * time.Hour
	healedKept  = 180 * 24 * time.Hour
)

// mostIssues bounds a list of issues.
const mostIssues = 500

// PutSchemaIssues makes v's issues the open ones of an object: those that were open before and are not among them are
// healed, and what is on hold for them is drained. It returns how many have come and how many have gone. Errors:
// records.ErrConflict where another mapping or schema is in force by now than those that were compared.
func (db *DB) PutSchemaIssues(ctx context.Context, k records.SchemaKey, v records.SchemaVerdict) (opened, healed int, err error) {
	err = db.inTx(ctx, func(tx pgx.Tx) error {
		opened, healed = 0, 0
		if err := lockConnection(ctx, tx, k.WorkspaceID, k.ConnectionID); err != nil {
			return err
		}
		var is bool
		err := tx.QueryRow(ctx, `
			select s.version = $4 and coalesce((select a.version from active_mappings a where a.connection_id = s.connection_id and a.object = s.object), 0) = $5
			from crm_schemas s where s.workspace_id = $1 and s.connection_id = $2 and s.object = $3`,
			k.WorkspaceID, k.ConnectionID, k.Object, v.SchemaVersion, v.MappingVersion).Scan(&is)
		if err != nil {
			return err
		}
		if !is {
			return records.ErrConflict
		}
		var fields, codes, values []string
		for _, i := range v.Issues[:min(len(v.Issues), mostIssues)] {
			i.Field, i.Value = storable(i.Field), storable(i.Value)
			fields, codes, values = append(fields, i.Field), append(codes, i.Code), append(values, i.Value)
			var isNew bool
			err := tx.QueryRow(ctx, `
				insert into crm_schema_issues as i (id, workspace_id, connection_id, object, field, code, value, blocking, creates_only, text, suggestion, schema_version, mapping_version)
				values ($4, $1, $2, $3, $5, $6, $7, $8, $9, $10, $11, $12, $13)
				on conflict (connection_id, object, field, code, value) where healed_at is null do update set
					blocking = i.blocking or excluded.blocking, creates_only = excluded.creates_only, text = case when i.blocking and not excluded.blocking then i.text else excluded.text end,
					suggestion = coalesce(nullif(excluded.suggestion, ''), i.suggestion)
				returning xmax = 0`,
				k.WorkspaceID, k.ConnectionID, k.Object, newID(), i.Field, i.Code, i.Value, i.Blocking, i.CreatesOnly, storable(i.Text), storable(i.Suggestion),
				v.SchemaVersion, v.MappingVersion).Scan(&isNew)
			if err != nil {
				return err
			}
			if isNew {
				opened++
			}
		}
		tag, err := tx.Exec(ctx, `
			update crm_schema_issues i set healed_at = now(), drained_at = case when not i.blocking then now() end
			where i.workspace_id = $1 and i.connection_id = $2 and i.object = $3 and i.healed_at is null
				and not exists (select from unnest($4::text[], $5::text[], $6::text[]) as n (field, code, value)
					where n.field = i.field and n.code = i.code and n.value = i.value)`,
			k.WorkspaceID, k.ConnectionID, k.Object, fields, codes, values)
		healed = int(tag.RowsAffected())
		if err != nil || opened+healed == 0 {
			return err
		}
		// The CRM's doing, found by callsync, also where a person who saves a mapping had it look.
		return db.note(records.WithActor(ctx, records.SystemActor()), tx, k.WorkspaceID, records.Change{Action: "mapping.drift", ObjectKind: "mapping",
			ObjectID: k.ConnectionID, ObjectPart: k.Object, After: map[string]any{"opened": opened, "healed": healed}})
	})
	return opened, healed, settingsError("keep the issues of a schema", err)
}

const issueColumns = `i.id, i.connection_id, i.object, i.field, i.code, i.value, i.blocking, i.creates_only, i.text, i.suggestion, i.schema_version,
	i.mapping_version, i.opened_at, i.healed_at`

func scanIssue(row pgx.CollectableRow, more ...any) (i records.SchemaIssue, err error) {
	var healed *time.Time
	err = row.Scan(append([]any{&i.ID, &i.ConnectionID, &i.Object, &i.Field, &i.Code, &i.Value, &i.Blocking, &i.CreatesOnly, &i.Text, &i.Suggestion,
		&i.SchemaVersion, &i.MappingVersion, &i.OpenedAt, &healed}, more...)...)
	i.OpenedAt, i.HealedAt = i.OpenedAt.UTC(), orZero(healed)
	return i, err
}

// BlockingIssues lists the open issues of a connection for which deliveries are put on hold.
func (db *DB) BlockingIssues(ctx context.Context, workspaceID, connectionID string) ([]records.SchemaIssue, error) {
	rows, _ := db.pool.Query(ctx, `select `+issueColumns+` from crm_schema_issues i
		where i.workspace_id = $1 and i.connection_id = $2 and i.healed_at is null and i.blocking order by i.opened_at, i.id limit $3`,
		workspaceID, connectionID, mostIssues)
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (records.SchemaIssue, error) { return scanIssue(row) })
	return all, settingsError("list blocking issues", err)
}

// SchemaIssues lists the issues of a connection, or with an empty connectionID of all of the workspace: the open ones
// first, with how many deliveries are on hold for them, and with healed those that were gone within 30 days.
func (db *DB) SchemaIssues(ctx context.Context, workspaceID, connectionID string, healed bool) ([]records.SchemaIssue, error) {
	rows, _ := db.pool.Query(ctx, `
		select `+issueColumns+`, case when i.healed_at is null and i.blocking then (
				select count(*) from deliveries d where d.workspace_id = i.workspace_id and d.connection_id = i.connection_id and d.state = 'parked'
					and d.class = $5 and d.field = i.field) else 0 end
		from crm_schema_issues i join connections k on k.id = i.connection_id and k.deleted_at is null
		where i.workspace_id = $1 and ($2 = '' or i.connection_id = nullif($2, '')::uuid) and (i.healed_at is null or $3 and i.healed_at > now() - $4::interval)
		order by i.healed_at desc nulls first, i.blocking desc, i.opened_at, i.id limit $6`,
		workspaceID, connectionID, healed, healedShown, records.DeliveryDrift, mostIssues)
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (records.SchemaIssue, error) {
		var held int64
		i, err := scanIssue(row, &held)
		i.Held = held
		return i, err
	})
	return all, settingsError("list the issues of schemas", err)
}

// drainGrace is for how long after an issue was healed it is looked for deliveries that it held: an attempt that began
// before may still put its delivery on hold.
const drainGrace = 5 * time.Minute

// drainable are deliveries (d) that are on hold for an issue (i) that is healed: those that were held because of it, and
// those whose write the CRM refused for its field before it was known.
const drainable = `d.workspace_id = i.workspace_id and d.connection_id = i.connection_id and d.state = 'parked' and d.object <> 'contact'
	and d.field = i.field and (d.class = '` + records.DeliveryDrift + `' or d.class = 'invalid' and d.updated_at < i.healed_at and d.updated_at > i.opened_at - interval '7 days')
	and coalesce(d.retry_at, '-infinity') <= now() and d.lease_until <= now()
	and not exists (select from crm_schema_issues o where o.workspace_id = i.workspace_id and o.connection_id = i.connection_id and o.field = i.field and o.blocking and o.healed_at is null)`

// ClaimDrained returns up to limit lanes that were on hold for an issue that is healed, the oldest first. They are not
// given again within wait, for their deliveries may take some time.
func (db *DB) ClaimDrained(ctx context.Context, limit int, wait time.Duration) ([]records.LaneKey, error) {
	type lane struct {
		id string
		records.LaneKey
	}
	var lanes []lane
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, `
			with due as (
				select d.id from crm_schema_issues i join connections k on k.id = i.connection_id and k.deleted_at is null and k.status = 'active'
				join deliveries d on `+drainable+`
				where i.healed_at is not null and i.drained_at is null
				order by d.id limit $1 for update of d skip locked)
			update deliveries d set retry_at = now() + $2::interval from (select distinct id from due) n where d.id = n.id
			returning d.id, d.workspace_id, d.record_id, d.connection_id, d.object`, limit, wait)
		var err error
		lanes, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (l lane, err error) {
			err = row.Scan(&l.id, &l.WorkspaceID, &l.CallID, &l.ConnectionID, &l.Kind)
			if l.Kind == kindCall {
				l.Kind = ""
			}
			return l, err
		})
		if err != nil || len(lanes) > 0 {
			return err
		}
		_, err = tx.Exec(ctx, `
			update crm_schema_issues i set drained_at = now()
			where i.healed_at < now() - $1::interval and i.drained_at is null
				and not exists (select from connections k where k.id = i.connection_id and k.deleted_at is null and k.status <> 'active')
				and not exists (select from deliveries d where `+drainable+`)`, drainGrace)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("claim lanes to drain: %w", storeError(err))
	}
	slices.SortFunc(lanes, func(a, b lane) int { return cmp.Compare(a.id, b.id) })
	out := make([]records.LaneKey, len(lanes))
	for i, l := range lanes {
		out[i] = l.LaneKey
	}
	return out, nil
}

// ReturnDrained has lanes that were claimed given again after wait.
func (db *DB) ReturnDrained(ctx context.Context, lanes []records.LaneKey, wait time.Duration) error {
	calls, connections := make([]string, len(lanes)), make([]string, len(lanes))
	for i, l := range lanes {
		calls[i], connections[i] = l.CallID, l.ConnectionID
	}
	_, err := db.pool.Exec(ctx, `
		update deliveries d set retry_at = now() + $3::interval from unnest($1::uuid[], $2::uuid[]) as l (record_id, connection_id)
		where d.record_id = l.record_id and d.connection_id = l.connection_id and d.object <> 'contact' and d.state = 'parked'`, calls, connections, wait)
	if err != nil {
		return fmt.Errorf("put lanes to drain back: %w", storeError(err))
	}
	return nil
}

// CountSchemaIssues counts the open issues of all workspaces by connector, the blocking ones apart, and forgets those that
// are long gone.
func (db *DB) CountSchemaIssues(ctx context.Context) (map[string][2]int, error) {
	if _, err := db.pool.Exec(ctx, `delete from crm_schema_issues where healed_at < now() - $1::interval and drained_at is not null`, healedKept); err != nil {
		return nil, settingsError("forget the issues of schemas", err)
	}
	rows, _ := db.pool.Query(ctx, `
		select k.connector, count(*) filter (where i.blocking), count(*) filter (where not i.blocking)
		from crm_schema_issues i join connections k on k.id = i.connection_id and k.deleted_at is null
		where i.healed_at is null group by k.connector`)
	out := map[string][2]int{}
	var connector string
	var blocking, others int
	_, err := pgx.ForEachRow(rows, []any{&connector, &blocking, &others}, func() error {
		out[connector] = [2]int{blocking, others}
		return nil
	})
	return out, settingsError("count the issues of schemas", err)
}
