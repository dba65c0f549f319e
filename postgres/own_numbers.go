package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// OwnNumbers lists the phone numbers of the workspace itself, in order.
func (db *DB) OwnNumbers(ctx context.Context, workspaceID string) ([]records.OwnNumber, error) {
	rows, _ := db.pool.Query(ctx, `select number, label from own_numbers where workspace_id = $1 order by number`, workspaceID)
	ns, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (n records.OwnNumber, err error) {
		err = row.Scan(&n.Number, &n.Label)
		return n, err
	})
	return ns, settingsError("list own numbers", err)
}

// PutOwnNumbers replaces the list. Of a number that stands twice the last one counts. Errors: records.ErrNotFound for a
// workspace that does not exist.
func (db *DB) PutOwnNumbers(ctx context.Context, workspaceID string, numbers []records.OwnNumber) error {
	labels := make(map[string]string, len(numbers))
	for _, n := range numbers {
		labels[n.Number] = n.Label
	}
	keys, values := make([]string, 0, len(labels)), make([]string, 0, len(labels))
	for number, label := range labels {
		keys, values = append(keys, number), append(values, label)
	}
	err := db.changing(ctx, workspaceID, "own_numbers.save", audited{kind: "own_numbers"}, func(tx pgx.Tx) error {
		// Two admins at once would otherwise meet in the middle and leave a mixture.
		err := tx.QueryRow(ctx, `select id from workspaces where id = $1 for no key update`, workspaceID).Scan(new(string))
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `delete from own_numbers where workspace_id = $1`, workspaceID); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			insert into own_numbers (workspace_id, number, label)
			select $1, n.number, n.label from unnest($2::text[], $3::text[]) as n (number, label)`, workspaceID, keys, values)
		return err
	})
	return settingsError("replace own numbers", err)
}

// ListOwnNumber adds one number to the list, or changes its label. Errors: records.ErrNotFound for a workspace that does
// not exist.
func (db *DB) ListOwnNumber(ctx context.Context, workspaceID string, n records.OwnNumber) error {
	err := db.changing(ctx, workspaceID, "own_numbers.save", audited{kind: "own_numbers"}, func(tx pgx.Tx) error {
		return mustMeet(tx.Exec(ctx, `insert into own_numbers (workspace_id, number, label) select id, $2, $3 from workspaces where id = $1
			on conflict (workspace_id, number) do update set label = excluded.label`, workspaceID, n.Number, n.Label))
	})
	return settingsError("list an own number", err)
}

// UnlistOwnNumber takes one number off the list. Errors: records.ErrNotFound if it is not on it.
func (db *DB) UnlistOwnNumber(ctx context.Context, workspaceID, number string) error {
	err := db.changing(ctx, workspaceID, "own_numbers.save", audited{kind: "own_numbers"}, func(tx pgx.Tx) error {
		return mustMeet(tx.Exec(ctx, `delete from own_numbers where workspace_id = $1 and number = $2`, workspaceID, number))
	})
	return settingsError("take an own number off the list", err)
}
