package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// ClaimRecordings takes recordings that are to be copied now, for at most lease, perSource of one source at once.
func (db *DB) ClaimRecordings(ctx context.Context, limit, perSource int, lease time.Duration) ([]records.RecordingJob, error) {
	token := uuid.NewString()
	rows, _ := db.pool.Query(ctx, `
		with mine as (
			select r.id from (select id from sources order by random()) s cross join lateral (
				select id from recordings
				where source_id = s.id and next_at <= now() and lease_until <= now()
				order by next_at
				limit greatest(0, $2 - (select count(*) from recordings b where b.source_id = s.id and b.lease is not null and b.lease_until > now()))
				for update skip locked) r
			limit $1
		), r as (
			update recordings t set lease = $3, lease_until = now() + $4, attempts = t.attempts + 1 from mine where t.id = mine.id returning t.*
		)
		select `+recordingColumns+`, r.upload_id, r.part_offset, r.part_hash, r.validator, r.part_total, c.state->'recordings', coalesce(c.state->>'provider_call_id', ''),
			greatest(coalesce(c.window_base, r.known_at), coalesce(r.available_at, r.known_at)) + make_interval(secs => s.window_seconds) + $5
		from r join calls c on c.id = r.call_id join sources s on s.id = r.source_id`, limit, perSource, token, lease, records.RecordingPatience)
	jobs, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (records.RecordingJob, error) {
		j := records.RecordingJob{Lease: token}
		var vendor []byte
		var deadline *time.Time
		err := db.scanRecordingInto(row, &j.Recording, &j.Partial.UploadID, &j.Partial.Offset, &j.Partial.Hash, &j.Partial.Validator, &j.Partial.Total,
			&vendor, &j.ProviderCallID, &deadline)
		if err != nil {
			return j, err
		}
		j.Partial.BlobKey, j.Deadline = j.BlobKey, orZero(deadline)
		return j, vendorRecording(&j, vendor)
	})
	return jobs, settingsError("claim recordings", err)
}

// RenewRecording prolongs a claim; records.ErrLeaseLost if it is another process's by now.
func (db *DB) RenewRecording(ctx context.Context, workspaceID, id, token string, lease time.Duration) error {
	return db.whileLeased(ctx, "renew the claim of a recording", `
		update recordings set lease_until = now() + $4 where workspace_id = $1 and id = $2 and lease = $3`, workspaceID, id, token, lease)
}

// BeginRecording notes the archive's file of a copy that begins, before there is one, and gives up the file of an earlier
// attempt. Errors: records.ErrLeaseLost.
func (db *DB) BeginRecording(ctx context.Context, workspaceID, id, token, blobKey string) error {
	return db.whileLeased(ctx, "begin a copy", `
		with old as (
			select id, workspace_id, blob_key from recordings where workspace_id = $1 and id = $2 and lease = $3 for update
		), doomed as (
			update recording_blobs b set doomed_at = now() from old where b.key = old.blob_key
		), made as (
			insert into recording_blobs (key, workspace_id, recording_id) select $4, old.workspace_id, old.id from old
		)
		update recordings r set blob_key = $4, upload_id = '', part_offset = 0, part_hash = null, validator = '', part_total = 0
		from old where r.id = old.id`, workspaceID, id, token, blobKey)
}

// SaveRecordingPart notes how much is copied. Progress begins the count of attempts anew. Errors: records.ErrLeaseLost.
func (db *DB) SaveRecordingPart(ctx context.Context, workspaceID, id, token string, p records.RecordingPart) error {
	return db.whileLeased(ctx, "note the progress of a copy", `
		update recordings set attempts = case when part_offset < $6 then 1 else attempts end,
			upload_id = $5, part_offset = $6, part_hash = $7, validator = $8, part_total = $9
		where workspace_id = $1 and id = $2 and lease = $3 and blob_key = $4`,
		workspaceID, id, token, p.BlobKey, p.UploadID, p.Offset, p.Hash, storable(p.Validator), p.Total)
}

// FinishRecording records what became of an attempt and gives the claim back. What there is of a copy stays for the next
// attempt; if there is to be none, it is given up. Errors: records.ErrLeaseLost.
func (db *DB) FinishRecording(ctx context.Context, workspaceID, id, token string, r records.RecordingResult) error {
	var next *time.Duration
	if r.RetryIn > 0 {
		next = &r.RetryIn
	}
	return db.whileLeased(ctx, "record a copy", `
		with done as (
			update recordings i set state = $4, class = $5, reason = $6, detail = $7, next_at = now() + $8, lease = null, lease_until = '-infinity',
				size = case when $4 = 'archived' then $9 else size end, sha256 = coalesce($10, sha256),
				content_type = case when $4 = 'archived' then $11 else content_type end,
				archived_at = case when $4 = 'archived' then now() else archived_at end,
				tell_at = case when $4 = 'archived' and `+recordingUploads+` then now() end, tells = 0,
				upload_id = case when $4 = 'archived' or $8::interval is null then '' else upload_id end,
				part_offset = case when $4 = 'archived' or $8::interval is null then 0 else part_offset end,
				part_hash = case when $4 = 'archived' or $8::interval is null then null else part_hash end,
				blob_key = case when $4 = 'archived' or $8::interval is not null then blob_key else '' end
			where workspace_id = $1 and id = $2 and lease = $3
			returning id
		), given_up as (
			update recording_blobs b set doomed_at = now() from done
			where $4 <> 'archived' and $8::interval is null and b.recording_id = done.id and b.doomed_at is null
		)
		select id from done`, workspaceID, id, token, string(r.State), r.Class, storable(r.Reason), storable(r.Detail), next, r.Size, r.SHA256, r.ContentType)
}

// recordingUploads tells of a recording (i) whether a connection uploads it.
const recordingUploads = `exists (select from connections k join sources s on s.workspace_id = i.workspace_id and s.id = i.source_id
	where k.workspace_id = i.workspace_id and k.recordings = 'upload' and k.mode = 'live' and k.deleted_at is null
		and (s.connections is null or k.id = any(s.connections)))`

// ClaimRecordingNews returns lanes of connections that upload recordings and do not have one that is here by now. A
// recording is looked at again, ever more seldom, until its lanes have it or have ended otherwise.
func (db *DB) ClaimRecordingNews(ctx context.Context, limit int) ([]records.LaneKey, error) {
	rows, _ := db.pool.Query(ctx, `
		with due as (
			select id from recordings where tell_at <= now() order by tell_at limit $1 for update skip locked
		), news as (
			select r.id, r.workspace_id, r.call_id, d.connection_id, d.state,
				d.state = 'done' and d.lease_until <= now() as tell
			from due join recordings r on r.id = due.id
			join deliveries d on d.workspace_id = r.workspace_id and d.record_id = r.call_id and d.object = 'call'
				and not d.steps ? ('recording:' || r.id::text) and d.state in ('done', 'waiting', 'sending', 'reserved')
			join connections k on k.id = d.connection_id and k.recordings = 'upload' and k.mode = 'live' and k.deleted_at is null
			where r.state = 'archived' and r.revoked_at is null
		), looked as (
			update recordings r set tells = r.tells + 1,
				tell_at = case when r.tells < 20 and exists (select from news where news.id = r.id) then now() + interval '1 minute' * least(r.tells + 1, 60) end
			from due where r.id = due.id
		)
		select workspace_id, call_id, connection_id from news where tell`, limit)
	lanes, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (k records.LaneKey, err error) {
		err = row.Scan(&k.WorkspaceID, &k.CallID, &k.ConnectionID)
		return k, err
	})
	return lanes, settingsError("find recordings to upload", err)
}

// ExpireRecordings gives up copies that are older than their source keeps them, limit at most, and returns how many. A
// copy that was only made to be uploaded is kept for a week; then the link leads to the phone system again.
func (db *DB) ExpireRecordings(ctx context.Context, limit int) (int, error) {
	tag, err := db.pool.Exec(ctx, `
		with old as (
			select r.id, r.blob_key, s.recordings = 'link' as lent, s.recording_days as days
			from sources s cross join lateral (
				select id, blob_key from recordings
				where source_id = s.id and state = 'archived' and archived_at < now() - make_interval(days => `+recordingDays+`)
				order by archived_at limit $1 for update skip locked) r
			limit $1
		), doomed as (
			update recording_blobs b set doomed_at = now() from old where b.key = old.blob_key
		)
		update recordings r set blob_key = '', size = 0, sha256 = null, tell_at = null, next_at = null, detail = '',
			state = case when old.lent then 'available' else 'unavailable' end,
			class = case when old.lent then '' else 'expired' end,
			reason = case when old.lent then '' else 'Deleted after ' || old.days || ' days, as configured.' end
		from old where r.id = old.id`, limit)
	if err != nil {
		return 0, fmt.Errorf("give up old copies: %w", err)
	}
	return int(tag.RowsAffected()), nil
}

// recordingDays are the days that a source (s) keeps copies.
const recordingDays = `case when s.recordings = 'link' then least(7, coalesce(s.recording_days, 7)) else s.recording_days end`

// DoomedBlobs returns files of the archive that are to be deleted, limit at most. They are looked at again after wait, unless
// ForgetBlob says that they are gone. A file is left alone for some minutes first: somebody may be reading it, or may not
// know yet that it is not theirs to write any more.
func (db *DB) DoomedBlobs(ctx context.Context, limit int, after, wait time.Duration) ([]string, error) {
	rows, _ := db.pool.Query(ctx, `
		update recording_blobs b set doomed_at = now() - $2::interval + $3::interval
		from (select key from recording_blobs where doomed_at <= now() - $2::interval order by doomed_at limit $1 for update skip locked) d
		where b.key = d.key returning b.key`, limit, after, wait)
	keys, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return keys, settingsError("find files to delete", err)
}

// ForgetBlob says that a file of the archive is gone.
func (db *DB) ForgetBlob(ctx context.Context, key string) error {
	_, err := db.pool.Exec(ctx, `delete from recording_blobs where key = $1 and doomed_at is not null`, key)
	return settingsError("forget a file", err)
}

// RecordingByToken returns the recording whose permanent link has the token with this SHA-256, of whatever workspace: the
// token is what authorises. Errors: records.ErrNotFound.
func (db *DB) RecordingByToken(ctx context.Context, hash []byte) (records.RecordingJob, error) {
	rows, _ := db.pool.Query(ctx, recordingForLink+`where r.token_hash = $1`, hash)
	j, err := pgx.CollectExactlyOneRow(rows, db.scanForLink)
	return j, settingsError("look up a recording", err)
}

// recordingForLink reads a recording (r) with what its phone system says of it.
const recordingForLink = `
	select ` + recordingColumns + `, c.state->'recordings', coalesce(c.state->>'provider_call_id', '')
	from recordings r join calls c on c.workspace_id = r.workspace_id and c.id = r.call_id `
