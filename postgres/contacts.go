package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// contactColumns are those of a contact's row. Its key is the phone number: one row per connection and number.
const contactColumns = `id, state, remote_id, mapping_version, written, steps, extract(epoch from now() - sending_since)::float8, updated_at,
	extract(epoch from greatest(lease_until, now()) - now())::float8`

// Contact returns the row of a phone number (E.164) in a connection; records.ErrNotFound if there is none.
func (db *DB) Contact(ctx context.Context, workspaceID, connectionID, number string) (records.Delivery, error) {
	row := db.pool.QueryRow(ctx, `select `+contactColumns+` from deliveries
		where workspace_id = $1 and connection_id = $2 and object = 'contact' and key = $3`, workspaceID, connectionID, number)
	d, err := scanContact(row)
	if errors.Is(err, pgx.ErrNoRows) {
		return d, records.ErrNotFound
	}
	if err != nil {
		return d, fmt.Errorf("read a contact: %w", err)
	}
	d.WorkspaceID, d.ConnectionID, d.Object, d.Key = workspaceID, connectionID, "contact", number
	return d, nil
}

// LeaseContact takes the lease of the row of a phone number, making it where needed. Errors: *records.LeasedError.
func (db *DB) LeaseContact(ctx context.Context, workspaceID, connectionID, number string, lease time.Duration) (records.Delivery, string, error) {
	token := uuid.NewString()
	row := db.pool.QueryRow(ctx, `
		insert into deliveries as d (id, workspace_id, connection_id, object, key, state, attempt_token, lease_until)
		select $4, $1, k.id, 'contact', $3, 'reserved', $5, now() + $6 from connections k where k.workspace_id = $1 and k.id = $2
		on conflict (connection_id, object, key) do update
			set attempt_token = excluded.attempt_token, lease_until = excluded.lease_until, attempt = d.attempt + 1
			where d.workspace_id = $1 and d.lease_until <= now()
		returning `+contactColumns, workspaceID, connectionID, number, newID(), token, lease)
	d, err := scanContact(row)
	if errors.Is(err, pgx.ErrNoRows) {
		held, err := db.Contact(ctx, workspaceID, connectionID, number)
		if err != nil {
			return held, "", err
		}
		return held, "", &records.LeasedError{Until: held.LeaseUntil}
	}
	if err != nil {
		return d, "", fmt.Errorf("lease a contact: %w", err)
	}
	d.WorkspaceID, d.ConnectionID, d.Object, d.Key = workspaceID, connectionID, "contact", number
	return d, token, nil
}

func scanContact(row pgx.Row) (records.Delivery, error) {
	var d records.Delivery
	var written, steps []byte
	var sendingFor *float64
	var leaseLeft float64
	if err := row.Scan(&d.ID, &d.State, &d.RemoteID, &d.MappingVersion, &written, &steps, &sendingFor, &d.UpdatedAt, &leaseLeft); err != nil {
		return d, err
	}
	d.SendingSince, d.LeaseUntil = ago(sendingFor), time.Now().Add(duration(leaseLeft)).UTC()
	return d, errors.Join(json.Unmarshal(written, &d.Written), json.Unmarshal(steps, &d.Steps))
}

// FinishContact records what became of a contact and gives its lease back; records.ErrLeaseLost if it is not ours. A
// contact of all calls of the number ends the search for one: its open review is closed, and the lanes that
// were delivered without it become due.
func (db *DB) FinishContact(ctx context.Context, r records.ContactResult) error {
	written := map[string]any{}
	if r.Created {
		written = orEmpty(r.Written)
	}
	w, err := storableJSON(written)
	if err != nil {
		return fmt.Errorf("encode a contact: %w", err)
	}
	step := records.Step{At: time.Now().UTC(), ID: r.RemoteID, Object: cmp.Or(r.Object, "contact"), Key: r.Key, Name: r.Name, Text: r.Text}
	steps, err := storableJSON(map[string]records.Step{"party": step})
	if err != nil {
		return fmt.Errorf("encode a contact: %w", err)
	}
	var finished int
	err = db.pool.QueryRow(ctx, `
		with done as (
			update deliveries set state = $4, remote_id = $5,
				written = case when $4 = 'done' and $6 then written || $7::jsonb when $4 = 'done' then '{}' else written end,
				mapping_version = case when $4 = 'done' and $6 and $10 > 0 then $10 else mapping_version end,
				steps = $8::jsonb, sending_since = case when $4 = 'sending' then sending_since end,
				lease_until = '-infinity', attempt_token = null, updated_at = now()
			where workspace_id = $1 and id = $2 and attempt_token = $3
			returning connection_id, key
		), found as (
			update match_watch m set found = true, next_at = now() + interval '5 seconds', looks = 0
			from done where $9 and m.workspace_id = $1 and m.connection_id = done.connection_id and m.number = done.key and not m.found
		), closed as (
			update match_reviews m set state = 'dismissed', resolved_at = now()
			from done where $9 and m.workspace_id = $1 and m.connection_id = done.connection_id and m.number = done.key and m.state = 'open'
		)
		select count(*) from done`,
		r.WorkspaceID, r.DeliveryID, r.Lease, r.State, r.RemoteID, r.Created, w, steps,
		r.State == records.DeliveryDone && r.ForAll, r.MappingVersion).Scan(&finished)
	if err != nil {
		return fmt.Errorf("record a contact: %w", err)
	}
	if finished == 0 {
		return records.ErrLeaseLost
	}
	return nil
}

// MoveContact has a number's row, and what people chose for it, name the record that stands for from by now; it may be
// from itself, which says that it is still there. It does nothing where they name another one.
func (db *DB) MoveContact(ctx context.Context, workspaceID, connectionID, number, fromID, toObject, toID string) error {
	_, err := db.pool.Exec(ctx, `
		with row as (
			update deliveries set remote_id = $6, updated_at = now(),
				steps = jsonb_set(steps, '{party}', coalesce(steps->'party', '{}') || jsonb_build_object('id', $6::text, 'object', $5::text))
			where workspace_id = $1 and connection_id = $2 and object = 'contact' and key = $3 and remote_id = $4
		)
		update match_choices set choice = $6, object = $5
		where workspace_id = $1 and connection_id = $2 and number = $3 and choice = $4`,
		workspaceID, connectionID, number, fromID, toObject, toID)
	if err != nil {
		return fmt.Errorf("move a contact: %w", err)
	}
	return nil
}
