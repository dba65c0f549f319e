package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// Dispositions lists which dispositions of the phone systems are which outcomes of the CRM, in the order of their keys.
func (db *DB) Dispositions(ctx context.Context, workspaceID, connectionID string) ([]records.Disposition, error) {
	rows, _ := db.pool.Query(ctx, `
		select value, option_id from connection_dispositions
		where workspace_id = $1 and connection_id = $2 order by value_key`, workspaceID, connectionID)
	ds, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d records.Disposition, err error) {
		err = row.Scan(&d.Value, &d.OptionID)
		return d, err
	})
	return ds, settingsError("list dispositions", err)
}

// PutDispositions replaces the table of a connection. Of a value that stands twice the last entry counts. Errors:
// records.ErrNotFound for a connection that is not there.
func (db *DB) PutDispositions(ctx context.Context, workspaceID, connectionID string, all []records.Disposition) error {
	byKey := make(map[string]records.Disposition, len(all))
	for _, d := range all {
		byKey[records.DispositionKey(d.Value)] = d
	}
	var keys, values, options []string
	for key, d := range byKey {
		keys, values, options = append(keys, key), append(values, d.Value), append(options, d.OptionID)
	}
	err := db.changing(ctx, workspaceID, "dispositions.save", audited{kind: "dispositions", id: connectionID}, func(tx pgx.Tx) error {
		if err := lockConnection(ctx, tx, workspaceID, connectionID); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `delete from connection_dispositions where workspace_id = $1 and connection_id = $2`, workspaceID, connectionID)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			insert into connection_dispositions (connection_id, workspace_id, value_key, value, option_id)
			select $2, $1, d.value_key, d.value, d.option_id
			from unnest($3::text[], $4::text[], $5::text[]) as d (value_key, value, option_id)`,
			workspaceID, connectionID, keys, values, options)
		return err
	})
	return settingsError("replace dispositions", err)
}

// DispositionFor returns the outcome of the CRM that an admin gave a disposition; ok is false where nobody did.
func (db *DB) DispositionFor(ctx context.Context, workspaceID, connectionID, value string) (optionID string, ok bool, err error) {
	err = db.pool.QueryRow(ctx, `
		select option_id from connection_dispositions where workspace_id = $1 and connection_id = $2 and value_key = $3`,
		workspaceID, connectionID, records.DispositionKey(value)).Scan(&optionID)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", false, nil
	}
	return optionID, err == nil, settingsError("look up a disposition", err)
}
