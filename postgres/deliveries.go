package postgres

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// LeaseLane reads all that one delivery of a call needs and takes the lane's lease, in one round trip where the lane's
// row exists and is free. Errors: records.ErrNotFound, *records.LeasedError.
func (db *DB) LeaseLane(ctx context.Context, workspaceID, callID, connectionID string, lease time.Duration) (records.Lane, error) {
	lane, err := db.leaseLane(ctx, workspaceID, kindCall, callID, connectionID, lease)
	if !errors.Is(err, errNoLane) {
		return lane, err
	}
	if _, err := db.pool.Exec(ctx, `
		insert into deliveries (id, workspace_id, connection_id, object, key, record_id, state)
		select $4, c.workspace_id, k.id, 'call', c.id::text, c.id, 'waiting'
		from calls c join connections k on k.workspace_id = c.workspace_id
		where c.workspace_id = $1 and c.id = $2 and k.id = $3
		on conflict (connection_id, object, key) do nothing`,
		workspaceID, callID, connectionID, newID()); err != nil {
		return lane, fmt.Errorf("make the lane's row: %w", err)
	}
	return db.leaseLane(ctx, workspaceID, kindCall, callID, connectionID, lease)
}

// errNoLane means that the lane has no row yet.
var errNoLane = errors.New("the lane has no row")

// leaseLane reads a lane and takes its lease; with a lease of zero it only reads, also a lane that is not there yet or that
// another attempt works on.
func (db *DB) leaseLane(ctx context.Context, workspaceID, kind, callID, connectionID string, lease time.Duration) (records.Lane, error) {
	token := uuid.NewString()
	row := db.pool.QueryRow(ctx, `
		with lane as (
			select id from deliveries
			where workspace_id = $1 and connection_id = $3 and object = $6 and key = $2::uuid::text
		), leased as (
			update deliveries d
			set attempt_token = $4, lease_until = now() + $5, attempt = attempt + 1, updated_at = now()
			from lane where d.id = lane.id and d.lease_until <= now() and $5 > interval '0'
			returning d.id
		)
		select c.state, c.revision, c.complete, coalesce(c.window_base, '0001-01-01 00:00:00+00'), c.changed_at, c.settled_revision,
			s.name, coalesce(rs.version, 0), coalesce(rk.version, 0), coalesce(ac.version, 0),
			s.default_country, s.time_zone,
			k.connector, k.name, k.config, k.mode, k.match_policy, k.recordings, k.status, k.status_reason,
			coalesce(k.idempotency, ''), k.updated_at, k.deleted_at is not null,
			exists (select 1 from own_numbers o where o.workspace_id = c.workspace_id and o.number = c.customer_number)
				or exists (select 1 from learned_numbers l where l.workspace_id = c.workspace_id and l.number = c.customer_number and `+learnedCounts+`),
			exists (select from crm_schema_issues i where i.workspace_id = c.workspace_id and i.connection_id = k.id and i.blocking and i.healed_at is null),
			coalesce(ch.choice, ''), coalesce(ch.object, ''), coalesce(ch.name, ''),
			coalesce(m.version, 0), coalesce(mc.version, 0),
			leased.id is not null,
			d.id, d.state, d.revision, d.remote_id, d.remote_url, d.mapping_version, d.written, d.steps, d.warnings, d.attempt,
			extract(epoch from greatest(d.lease_until, now()) - now())::float8, extract(epoch from now() - d.sending_since)::float8,
			d.class, d.field, d.reason, d.detail, c.source_id, d.shown, d.sent, d.kept, d.overruled
		from `+laneRecords(kind)+` c
		left join rules rs on rs.workspace_id = c.workspace_id and rs.owner_id = c.source_id
		left join rules rk on rk.workspace_id = c.workspace_id and rk.owner_id = $3
		left join actions ac on ac.workspace_id = c.workspace_id and ac.connection_id = $3 and ac.document <> ''
		join sources s on s.id = c.source_id
		join connections k on k.workspace_id = c.workspace_id and k.id = $3
		left join match_choices ch on ch.workspace_id = c.workspace_id and ch.connection_id = k.id and ch.number = c.customer_number
		left join active_mappings m on m.connection_id = k.id and m.object = $6
		left join active_mappings mc on mc.connection_id = k.id and mc.object = 'contact'
		left join lane on true
		left join deliveries d on d.id = lane.id
		left join leased on true
		where c.workspace_id = $1 and c.id = $2 and c.merged_into is null`,
		workspaceID, callID, connectionID, token, lease, kind)

	var (
		lane                    records.Lane
		state, config           []byte
		leased                  bool
		id, dState              *string
		dRevision               *int64
		remoteID, remoteURL     *string
		version, attempt        *int
		written, steps, warns   []byte
		leaseLeft, sendingFor   *float64
		class, field, why, det  *string
		sourceID                string
		shown, sent, kept, over []byte
	)
	k := &lane.Connection
	var revision int64
	err := row.Scan(&state, &revision, &lane.Call.Complete, &lane.Call.WindowBase, &lane.Call.ChangedAt, &lane.Call.SettledRevision,
		&lane.SourceName, &lane.SourceRules, &lane.ConnectionRules, &lane.Actions,
		&lane.DefaultCountry, &lane.TimeZone,
		&k.Connector, &k.Name, &config, &k.Mode, &k.Match, &k.Recordings, &k.Status, &k.StatusReason,
		&k.Idempotency, &k.UpdatedAt, &lane.Deleted,
		&lane.OwnNumber, &lane.Drift, &lane.Choice, &lane.ChoiceObject, &lane.ChoiceName, &lane.MappingVersion, &lane.ContactMappingVersion, &leased,
		&id, &dState, &dRevision, &remoteID, &remoteURL, &version, &written, &steps, &warns, &attempt,
		&leaseLeft, &sendingFor, &class, &field, &why, &det, &sourceID, &shown, &sent, &kept, &over)
	if errors.Is(err, pgx.ErrNoRows) {
		return lane, records.ErrNotFound
	}
	if err != nil {
		return lane, fmt.Errorf("lease a lane: %w", err)
	}
	switch {
	case id == nil && lease > 0:
		return lane, errNoLane
	case !leased && lease > 0:
		return lane, &records.LeasedError{Until: time.Now().Add(duration(*leaseLeft))}
	case leased:
		lane.Lease = token
	}
	k.ID, k.WorkspaceID = connectionID, workspaceID
	if id == nil {
		return db.withRecordings(ctx, lane, laneState(&lane, kind, callID, sourceID, state, config, revision))
	}
	lane.Delivery = records.Delivery{
		ID: *id, WorkspaceID: workspaceID, ConnectionID: connectionID, Object: kind, Key: callID, RecordID: callID,
		State: *dState, Revision: *dRevision, RemoteID: *remoteID, RemoteURL: *remoteURL, MappingVersion: *version,
		Attempt: *attempt, SendingSince: ago(sendingFor), Class: *class, Field: *field, Reason: *why, Detail: *det,
	}
	err = errors.Join(
		laneState(&lane, kind, callID, sourceID, state, config, revision),
		json.Unmarshal(written, &lane.Delivery.Written), json.Unmarshal(steps, &lane.Delivery.Steps),
		json.Unmarshal(warns, &lane.Delivery.Warnings), json.Unmarshal(shown, &lane.Delivery.Shown), json.Unmarshal(sent, &lane.Delivery.Sent),
		json.Unmarshal(kept, &lane.Delivery.Kept), json.Unmarshal(over, &lane.Delivery.Overruled))
	if err != nil {
		return lane, fmt.Errorf("read a lane: %w", err)
	}
	return db.withRecordings(ctx, lane, nil)
}

// laneState reads what a lane has whether or not it has a delivery: its record and its connection's settings.
func laneState(lane *records.Lane, kind, id, sourceID string, state, config []byte, revision int64) error {
	err := errors.Join(readRecord(lane, kind, state), json.Unmarshal(config, &lane.Connection.Config))
	lane.Call.Call.Revision = revision
	if kind != kindCall {
		lane.Call.Call.ID, lane.Call.Call.WorkspaceID, lane.Call.Call.SourceID = id, lane.Connection.WorkspaceID, sourceID
	}
	return err
}

// ago is the time, by this process's clock, so many seconds ago; zero for nil. Only the server knows how much time has
// passed since it wrote a time of its own.
func ago(seconds *float64) time.Time {
	if seconds == nil {
		return time.Time{}
	}
	return time.Now().Add(-duration(*seconds)).UTC()
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

// RenewLease prolongs the lease of a delivery; records.ErrLeaseLost if it is another attempt's by now.
func (db *DB) RenewLease(ctx context.Context, workspaceID, deliveryID, token string, lease time.Duration) error {
	return db.whileLeased(ctx, "renew a lease", `
		update deliveries set lease_until = now() + $4
		where workspace_id = $1 and id = $2 and attempt_token = $3`, workspaceID, deliveryID, token, lease)
}

// MarkSending commits that a create is about to be sent. A call that was settled before is open again, and the sweeper's
// to look after.
func (db *DB) MarkSending(ctx context.Context, workspaceID, deliveryID, token string) error {
	return db.markSending(ctx, workspaceID, deliveryID, token, []byte("{}"))
}

func (db *DB) markSending(ctx context.Context, workspaceID, deliveryID, token string, sent []byte) error {
	var marked int
	err := db.pool.QueryRow(ctx, `
		with marked as (
			update deliveries set state = 'sending', sending_since = now(), sent = sent || $5::jsonb
			where workspace_id = $1 and id = $2 and attempt_token = $3
			returning record_id, object
		), reopened_messages as (
			update messages c set settled_revision = least(c.settled_revision, c.revision - 1), check_at = coalesce(c.check_at, now() + $4)
			from marked where marked.object = 'message' and c.id = marked.record_id and (c.settled_revision >= c.revision or c.check_at is null)
		), reopened_forms as (
			update forms c set settled_revision = least(c.settled_revision, c.revision - 1), check_at = coalesce(c.check_at, now() + $4)
			from marked where marked.object = 'form' and c.id = marked.record_id and (c.settled_revision >= c.revision or c.check_at is null)
		), reopened as (
			update calls c set settled_revision = least(c.settled_revision, c.revision - 1), check_at = coalesce(c.check_at, now() + $4)
			from marked where marked.object = 'call' and c.id = marked.record_id and (c.settled_revision >= c.revision or c.check_at is null)
		)
		select count(*) from marked`, workspaceID, deliveryID, token, checkAfter, sent).Scan(&marked)
	if err != nil {
		return fmt.Errorf("mark a delivery as sending: %w", err)
	}
	if marked == 0 {
		return records.ErrLeaseLost
	}
	return nil
}

// MarkWriting commits what is about to be sent of a lane's record, by field, before it is; of a create it does what
// MarkSending does, too.
func (db *DB) MarkWriting(ctx context.Context, workspaceID, deliveryID, token string, sent map[string][]any, create bool) error {
	data, err := storableJSON(orEmpty(sent))
	if err != nil {
		return fmt.Errorf("encode what is sent: %w", err)
	}
	if create {
		return db.markSending(ctx, workspaceID, deliveryID, token, data)
	}
	return db.whileLeased(ctx, "mark a delivery as writing", `
		update deliveries set sent = sent || $4::jsonb where workspace_id = $1 and id = $2 and attempt_token = $3`,
		workspaceID, deliveryID, token, data)
}

// checkAfter is how long after a settled call was opened again the sweeper looks at it, unless it has to look earlier.
const checkAfter = 5 * time.Minute

// SaveRemote commits the id of a record that was just created. An attempt that has lost its lease is heard as well while
// the outcome of its create is open: it is the only one who knows.
func (db *DB) SaveRemote(ctx context.Context, workspaceID, deliveryID, token, remoteID, remoteURL string) error {
	return db.whileLeased(ctx, "save a record's id", `
		update deliveries set remote_id = $4, remote_url = $5, sending_since = null,
			state = case when attempt_token = $3 or state = 'sending' then 'waiting' else state end
		where workspace_id = $1 and id = $2 and (attempt_token = $3 or remote_id = '' and sending_since is not null)`, workspaceID, deliveryID, token, remoteID, remoteURL)
}

func (db *DB) whileLeased(ctx context.Context, doing, sql string, args ...any) error {
	tag, err := db.pool.Exec(ctx, sql, args...)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if tag.RowsAffected() == 0 {
		return records.ErrLeaseLost
	}
	return nil
}

// FinishLane records the result of an attempt, gives the lease back and settles the call: its settled revision is the
// lowest that all its lanes have delivered, skipped or parked; lanes to which its source leads no more do not count.
func (db *DB) FinishLane(ctx context.Context, r records.LaneResult) error {
	if r.Warnings == nil {
		r.Warnings = []string{}
	}
	written, err1 := storableJSON(orEmpty(r.Written))
	steps, err2 := storableJSON(orEmpty(r.Steps))
	warnings, err3 := storableJSON(r.Warnings)
	var shadow []byte
	var err4 error
	if r.Shadow != nil {
		shadow, err4 = storableJSON(r.Shadow)
	}
	shown, err5 := storableJSON(orEmpty(r.Shown))
	var kept []byte
	var err6 error
	if r.Kept != nil {
		kept, err6 = storableJSON(r.Kept)
	}
	if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
		return fmt.Errorf("encode a delivery: %w", err)
	}
	// A failed delivery must not fail to be recorded for what a CRM or a mapping put into a text.
	for _, text := range []*string{&r.RemoteID, &r.RemoteURL, &r.Class, &r.Field, &r.Reason, &r.Detail} {
		*text = storable(*text)
	}
	var retryAt *time.Time
	if !r.RetryAt.IsZero() {
		retryAt = &r.RetryAt
	}
	batch := &pgx.Batch{}
	// What waits for its connection must not begin to wait after that was resumed, when nobody drains it any more: the
	// connection's row is locked, so that a resume comes before this or after it.
	waits := r.State == records.DeliveryParked && (r.Class == "paused" || r.Class == "revoked")
	if waits {
		batch.Queue(`select k.status from deliveries d join connections k on k.id = d.connection_id
			where d.workspace_id = $1 and d.id = $2 for share of k`, r.WorkspaceID, r.DeliveryID)
	}
	// The call's row is locked first, so that two lanes that finish at once see each other when they settle it.
	kind := cmp.Or(r.Kind, kindCall)
	batch.Queue(`select 1 from `+settledTable(kind)+` where workspace_id = $1 and id = $2 for update`, r.WorkspaceID, r.CallID)
	batch.Queue(`
		with done as (
			update deliveries set
				state = $4, revision = greatest(revision, $5), remote_id = $6, remote_url = $7, mapping_version = $8,
				written = written || $9::jsonb, shown = (shown - $22::text[]) || $23::jsonb, sent = sent - $24::text[],
				overruled = overruled - $24::text[], kept = coalesce($25::jsonb, kept), shadow = case when $18 in ('unchanged', 'retry') then shadow else $21::jsonb end, steps = steps || $10::jsonb, warnings = $11::jsonb,
				class = $12, field = $13, reason = $14, detail = $15, retry_at = $16,
				sending_since = case when $20 then sending_since end,
				lease_until = '-infinity', attempt_token = null, updated_at = now()
			where workspace_id = $1 and id = $2 and attempt_token = $3
			returning id)
		insert into delivery_attempts (id, workspace_id, delivery_id, revision, outcome, class, reason, detail, duration_ms)
		select $17, $1, id, $5, $18, $12, $14, $15, $19 from done`,
		r.WorkspaceID, r.DeliveryID, r.Lease, r.State, r.Revision, r.RemoteID, r.RemoteURL, r.MappingVersion,
		written, steps, warnings, r.Class, r.Field, r.Reason, r.Detail, retryAt,
		newID(), r.Outcome, r.Duration.Milliseconds(), r.Open, shadow,
		orNone(slices.Collect(maps.Keys(r.Written))), shown, orNone(r.Settled), kept)
	if isFollowUp(kind) {
		queueEnd(batch, r, waits)
		return db.finishLane(ctx, batch, waits)
	}
	// The lanes are read first and by themselves: without statistics of the tables the planner would come by way of the
	// connections and read all deliveries of each.
	batch.Queue(`
		with lanes as materialized (
			select connection_id, case when state in ('done', 'parked', 'skipped') then revision else 0 end as settled
			from deliveries where workspace_id = $1 and record_id = $2 and object = $5)
		update `+settledTable(kind)+` c set settled_revision = least(c.revision, l.settled),
			check_at = case when l.settled < c.revision then coalesce(c.check_at, greatest(now(), $3) + $4) end
		from (select coalesce(min(d.settled), 0) as settled
			from lanes d join connections k on k.id = d.connection_id
			cross join (select s.connections from `+settledTable(kind)+` o join sources s on s.id = o.source_id where o.workspace_id = $1 and o.id = $2) fed
			where k.deleted_at is null and (fed.connections is null or k.id = any(fed.connections))) l
		where c.workspace_id = $1 and c.id = $2
			and (c.settled_revision <> least(c.revision, l.settled) or (c.check_at is null) <> (l.settled >= c.revision))`,
		r.WorkspaceID, r.CallID, retryAt, checkAfter, kind)
	return db.finishLane(ctx, batch, waits)
}

// finishLane runs the statements of FinishLane; with waits the first one locks the connection.
func (db *DB) finishLane(ctx context.Context, batch *pgx.Batch, waits bool) error {
	return pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		results := tx.SendBatch(ctx, batch)
		defer results.Close()
		if waits {
			var status string
			if err := results.QueryRow().Scan(&status); err != nil && !errors.Is(err, pgx.ErrNoRows) {
				return fmt.Errorf("lock the connection: %w", err)
			}
			if status == records.ConnectionActive {
				return records.ErrConnectionActive
			}
		}
		if _, err := results.Exec(); err != nil {
			return fmt.Errorf("lock the call: %w", err)
		}
		tag, err := results.Exec()
		if err != nil {
			return fmt.Errorf("record a delivery: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return records.ErrLeaseLost
		}
		if _, err := results.Exec(); err != nil {
			return fmt.Errorf("settle the call: %w", err)
		}
		return results.Close()
	})
}

// storable is s without what Postgres cannot keep as text: NUL, and bytes that are not UTF-8.
func storable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// storableJSON encodes v without escaped NULs, which jsonb cannot keep.
func storableJSON(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil || !bytes.Contains(data, []byte(`\u0000`)) {
		return data, err
	}
	out := make([]byte, 0, len(data))
	for i := 0; i < len(data); i++ {
		switch {
		case data[i] != '\\':
			out = append(out, data[i])
		case bytes.HasPrefix(data[i:], []byte(`\u0000`)):
			out = append(out, `\ufffd`...)
			i += len(`u0000`)
		default:
			// Two bytes at once: the second one of an escaped backslash begins no escape.
			out = append(out, data[i], data[i+1])
			i++
		}
	}
	return out, nil
}

// RevokeConnection revokes an active connection whose settings are still those of version, and tells whether it did. A
// refusal that former credentials earned says nothing about those that were entered since.
func (db *DB) RevokeConnection(ctx context.Context, workspaceID, id string, version time.Time, reason string) (bool, error) {
	var did bool
	err := db.changing(ctx, workspaceID, "connection.revoke", audited{kind: "connection", id: id}, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			update connections set status = 'revoked', status_reason = $4, updated_at = now()
			where workspace_id = $1 and id = $2 and deleted_at is null and status = 'active' and updated_at = $3`,
			workspaceID, id, version, storable(reason))
		did = tag.RowsAffected() == 1
		return err
	})
	if err != nil {
		return false, fmt.Errorf("revoke a connection: %w", err)
	}
	return did, nil
}

func orNone(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func orEmpty[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}
