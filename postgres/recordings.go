package postgres

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/records"
)

// recordingWanted tells of a recording (i) whether it is to be copied: its source archives, or a connection uploads.
const recordingWanted = `(exists (select from sources s where s.workspace_id = i.workspace_id and s.id = i.source_id and s.recordings = 'archive')
	or exists (select from connections k join sources s on s.workspace_id = i.workspace_id and s.id = i.source_id
		where k.workspace_id = i.workspace_id and k.recordings = 'upload' and k.mode = 'live' and k.deleted_at is null
			and (s.connections is null or k.id = any(s.connections))))`

// noAddress is said of a recording that the phone system names without saying where it is.
const noAddress = "The phone system sent no address for this recording."

// queueRecordings keeps a row for every recording of the calls that has a name, so that its permanent link is there before
// anybody needs it. A recording that moved at the phone system has another chance to be copied.
func queueRecordings(batch *pgx.Batch, sealer Sealer, calls []callRow) error {
	var (
		ids, workspaces, sources, callIDs, keys, states, classes, reasons []string
		hashes, sealed, urls                                              [][]byte
	)
	for i := range calls {
		seen := map[string]bool{}
		for _, r := range calls[i].Call.Recordings {
			key := records.RecordingKey(r)
			if key == "" || seen[key] {
				continue
			}
			seen[key] = true
			id, token := newID(), secretbox.NewToken()
			box, err := sealer.Seal([]byte(token), recordingSeal(id))
			if err != nil {
				return fmt.Errorf("seal the link of a recording: %w", err)
			}
			state, class, reason := call.RecordingAvailable, "", ""
			var url []byte
			switch {
			case r.URL != "" || r.PlayerURL != "":
				sum := sha256.Sum256([]byte(r.URL + "\n" + r.PlayerURL))
				url = sum[:]
			case r.State == call.RecordingUnavailable || r.State == call.RecordingFailed:
				state, class, reason = call.RecordingUnavailable, records.RecordingNever, "The phone system says that there is no recording."
			case r.State == call.RecordingExpected:
				state = call.RecordingExpected
			default:
				state, class, reason = call.RecordingUnavailable, records.RecordingNoAddress, noAddress
			}
			ids, workspaces, sources = append(ids, id), append(workspaces, calls[i].workspace), append(sources, calls[i].source)
			callIDs, keys = append(callIDs, calls[i].Call.ID), append(keys, key)
			states, classes, reasons = append(states, string(state)), append(classes, class), append(reasons, reason)
			hashes, sealed, urls = append(hashes, secretbox.HashToken(token)), append(sealed, box), append(urls, url)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	batch.Queue(`
		insert into recordings as r (id, workspace_id, source_id, call_id, key, state, class, reason, token_hash, token_sealed, url_hash, available_at, next_at)
		select i.id, i.workspace_id, i.source_id, i.call_id, i.key, i.state, i.class, i.reason, i.token_hash, i.token_sealed, i.url_hash,
			case when i.state = 'available' then now() end, case when i.state = 'available' and `+recordingWanted+` then now() end
		from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bytea[], $10::bytea[], $11::bytea[])
			as i (id, workspace_id, source_id, call_id, key, state, class, reason, token_hash, token_sealed, url_hash)
		order by i.call_id, i.key
		on conflict (call_id, key) do update set state = excluded.state, class = excluded.class, reason = excluded.reason, detail = '',
			url_hash = excluded.url_hash, attempts = 0, next_at = excluded.next_at, available_at = coalesce(r.available_at, excluded.available_at)
		where r.state <> 'archived' and r.class <> 'expired' and (r.url_hash is distinct from excluded.url_hash or r.url_hash is null and r.state <> excluded.state)`,
		ids, workspaces, sources, callIDs, keys, states, classes, reasons, hashes, sealed, urls)
	return nil
}

func recordingSeal(id string) string { return "recording:" + id }

// sameRecordings tells whether two calls name the same recordings at the same addresses.
func sameRecordings(a, b []call.Recording) bool {
	return slices.EqualFunc(a, b, func(x, y call.Recording) bool {
		return x.ID == y.ID && x.URL == y.URL && x.PlayerURL == y.PlayerURL && x.State == y.State
	})
}

// vendorRecording finds a job's recording among those of its call.
func vendorRecording(j *records.RecordingJob, all []byte) error {
	var list []call.Recording
	if len(all) > 0 {
		if err := json.Unmarshal(all, &list); err != nil {
			return fmt.Errorf("read the recordings of call %s: %w", j.CallID, err)
		}
	}
	i := slices.IndexFunc(list, func(r call.Recording) bool { return records.RecordingKey(r) == j.Key })
	if j.Gone = i < 0; !j.Gone {
		j.Vendor = list[i]
	}
	return nil
}

// WantRecording has a recording copied that nobody has asked for so far: a connection is to upload it.
func (db *DB) WantRecording(ctx context.Context, workspaceID, id string) error {
	_, err := db.pool.Exec(ctx, `
		update recordings set next_at = now(), attempts = 0
		where workspace_id = $1 and id = $2 and state = 'available' and next_at is null and lease is null`, workspaceID, id)
	return settingsError("want a recording", err)
}

// retryRecordings gives recordings of a source another chance whose trouble its settings may have been.
const retryRecordings = `
	update recordings i set state = 'available', class = '', reason = '', detail = '', attempts = 0,
		next_at = case when ` + recordingWanted + ` then now() end
	where i.workspace_id = $1 and i.source_id = $2 and i.state = 'failed' and i.class in ('host', 'access')`

// RetryRecording has a recording copied again, or at all, because a person asked. Errors: records.ErrNotFound for one that
// there is nothing to fetch of.
func (db *DB) RetryRecording(ctx context.Context, workspaceID, callID, id string) error {
	c := records.Change{Action: "recording.fetch", ObjectKind: "recording", ObjectID: callID, ObjectPart: id}
	err := db.noting(ctx, workspaceID, c, func(tx pgx.Tx) error {
		return mustMeet(tx.Exec(ctx, `
			update recordings set state = 'available', class = '', reason = '', detail = '', attempts = 0, next_at = now(), available_at = now()
			where workspace_id = $1 and call_id = $2 and id = $3 and state <> 'archived' and url_hash is not null and class <> 'expired'`,
			workspaceID, callID, id))
	})
	return settingsError("fetch a recording", err)
}

// RevokeRecording makes the permanent link of a recording dead, or alive again. Errors: records.ErrNotFound.
func (db *DB) RevokeRecording(ctx context.Context, workspaceID, callID, id, by string, revoked bool) error {
	action := "recording.restore_link"
	if revoked {
		action = "recording.revoke_link"
	}
	err := db.changing(ctx, workspaceID, action, audited{"recording", callID, id}, func(tx pgx.Tx) error {
		return mustMeet(tx.Exec(ctx, `
			update recordings set revoked_at = case when $5 then coalesce(revoked_at, now()) end, revoked_by = case when $5 then $4 else '' end
			where workspace_id = $1 and call_id = $2 and id = $3`, workspaceID, callID, id, storable(by), revoked))
	})
	return settingsError("revoke a link", err)
}

// recordingColumns are those of a recording (r) for scanRecordingInto.
const recordingColumns = `r.id, r.workspace_id, r.source_id, r.call_id, r.key, r.token_sealed, r.state, r.class, r.reason, r.detail, r.attempts, r.next_at,
	r.blob_key, r.size, r.sha256, r.content_type, r.known_at, r.available_at, r.archived_at, r.revoked_at, r.revoked_by`

// scanRecordingInto reads recordingColumns and what follows them.
func (db *DB) scanRecordingInto(row pgx.CollectableRow, r *records.Recording, more ...any) error {
	var sealed []byte
	var next, available, archived, revoked *time.Time
	err := row.Scan(append([]any{&r.ID, &r.WorkspaceID, &r.SourceID, &r.CallID, &r.Key, &sealed, &r.State, &r.Class, &r.Reason, &r.Detail, &r.Attempts, &next,
		&r.BlobKey, &r.Size, &r.SHA256, &r.ContentType, &r.KnownAt, &available, &archived, &revoked, &r.RevokedBy}, more...)...)
	if err != nil {
		return err
	}
	r.KnownAt = r.KnownAt.UTC()
	r.NextAt, r.AvailableAt, r.ArchivedAt, r.RevokedAt = orZero(next), orZero(available), orZero(archived), orZero(revoked)
	token, err := db.sealer.Open(sealed, recordingSeal(r.ID))
	if err != nil {
		return fmt.Errorf("recording %s: its link cannot be opened: %w", r.ID, err)
	}
	r.Token = string(token)
	return nil
}

// RecordingsOfCall returns the recordings of a call, the oldest first.
func (db *DB) RecordingsOfCall(ctx context.Context, workspaceID, callID string) ([]records.Recording, error) {
	rows, _ := db.pool.Query(ctx, `
		select `+recordingColumns+`, case when r.state = 'archived' then r.archived_at + make_interval(days => `+recordingDays+`) end
		from recordings r join sources s on s.workspace_id = r.workspace_id and s.id = r.source_id
		where r.workspace_id = $1 and r.call_id = $2 order by r.id`, workspaceID, callID)
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r records.Recording, err error) {
		var expires *time.Time
		err = db.scanRecordingInto(row, &r, &expires)
		r.ExpiresAt = orZero(expires)
		return r, err
	})
	return all, settingsError("list the recordings of a call", err)
}

// ShareRecordings returns the recordings of a call that is about to be delivered, and makes the rows of those that have none:
// the call is older than they are.
func (db *DB) ShareRecordings(ctx context.Context, c call.Call) ([]records.Recording, error) {
	for again := false; ; again = true {
		all, err := db.RecordingsOfCall(ctx, c.WorkspaceID, c.ID)
		if err != nil || again || !slices.ContainsFunc(c.Recordings, func(r call.Recording) bool {
			key := records.RecordingKey(r)
			return key != "" && !slices.ContainsFunc(all, func(have records.Recording) bool { return have.Key == key })
		}) {
			return all, err
		}
		batch := &pgx.Batch{}
		row := callRow{workspace: c.WorkspaceID, source: c.SourceID}
		row.Call = c
		if err := queueRecordings(batch, db.sealer, []callRow{row}); err != nil {
			return nil, err
		}
		if err := db.pool.SendBatch(ctx, batch).Close(); err != nil {
			return nil, fmt.Errorf("keep the recordings of a call: %w", storeError(err))
		}
	}
}

// withRecordings adds to a lane what is kept of its call's recordings.
func (db *DB) withRecordings(ctx context.Context, lane records.Lane, err error) (records.Lane, error) {
	if err != nil || len(lane.Call.Call.Recordings) == 0 {
		return lane, err
	}
	lane.Recordings, err = db.ShareRecordings(ctx, lane.Call.Call)
	return lane, err
}

// RecordingByID returns a recording with what its phone system says of it. Errors: records.ErrNotFound.
func (db *DB) RecordingByID(ctx context.Context, workspaceID, id string) (records.RecordingJob, error) {
	rows, _ := db.pool.Query(ctx, recordingForLink+`where r.workspace_id = $1 and r.id = $2`, workspaceID, id)
	j, err := pgx.CollectExactlyOneRow(rows, db.scanForLink)
	return j, settingsError("read a recording", err)
}

func (db *DB) scanForLink(row pgx.CollectableRow) (j records.RecordingJob, err error) {
	var vendor []byte
	if err := db.scanRecordingInto(row, &j.Recording, &vendor, &j.ProviderCallID); err != nil {
		return j, err
	}
	return j, vendorRecording(&j, vendor)
}

// NoteRecordingTrouble keeps why a link could not lead to the phone system, where nothing else is known of the recording.
func (db *DB) NoteRecordingTrouble(ctx context.Context, workspaceID, id string, r records.RecordingResult) error {
	_, err := db.pool.Exec(ctx, `
		update recordings set state = $3, class = $4, reason = $5, detail = $6
		where workspace_id = $1 and id = $2 and state = 'available' and next_at is null and lease is null`,
		workspaceID, id, string(r.State), r.Class, storable(r.Reason), storable(r.Detail))
	return settingsError("note trouble with a recording", err)
}

// recordingsOr is a source's policy as it is stored.
func recordingsOr(policy string) string { return cmp.Or(policy, records.RecordingsLink) }
