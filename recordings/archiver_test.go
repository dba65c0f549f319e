package recordings

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/internal/blobstore"
	"github.com/callsync/callsync/internal/pgtest"
	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/postgres"
	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/callrail"
	"github.com/callsync/callsync/telephony/generic"
)

func TestMain(m *testing.M) { pgtest.Main(m, postgres.Migrate) }

// rig is an archiver on a real database and a folder, with a phone system's host.
type rig struct {
	t    *testing.T
	db   *postgres.DB
	sql  *pgxpool.Pool
	keys *secretbox.Keyset
	*Archiver
	host   *host
	dir    string
	ws     string
	source records.Source
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

func newRig(t *testing.T, options ...func(*records.Source)) *rig {
	t.Helper()
	dsn := pgtest.New(t)
	keys, err := secretbox.Parse(secretbox.Generate("test"))
	require.NoError(t, err)
	db, err := postgres.Open(t.Context(), dsn, keys, postgres.Options{MaxConns: 6})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	sql, err := pgxpool.New(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(sql.Close)
	r := &rig{t: t, db: db, sql: sql, keys: keys, host: newHost(t), dir: t.TempDir(), ws: newID()}
	require.NoError(t, db.CreateWorkspace(t.Context(), records.Workspace{ID: r.ws, Name: "Acme"}))
	r.source = records.Source{ID: newID(), WorkspaceID: r.ws, Provider: generic.ID, Name: "PBX", Window: 20 * time.Minute, Quiet: 5 * time.Second, Stale: 4 * time.Hour,
		Policy: "complete", Token: secretbox.NewToken(), Recordings: records.SourceRecordings{Policy: records.RecordingsArchive, Hosts: []string{r.host.name()}}}
	for _, o := range options {
		o(&r.source)
	}
	require.NoError(t, db.CreateSource(t.Context(), r.source))
	blobs, err := blobstore.Open("file://" + r.dir)
	require.NoError(t, err)
	r.Archiver = &Archiver{Store: db, Blobs: blobs, Withheld: (&activities.Consent{Store: db}).WithholdsRecording, Metrics: NewMetrics(nil), Log: slog.New(slog.DiscardHandler),
		Fetcher: &Fetcher{Providers: telephony.NewRegistry(generic.New(), callrail.New()), Transport: NewTransport(true)}}
	return r
}

func (r *rig) exec(sql string, args ...any) {
	r.t.Helper()
	_, err := r.sql.Exec(r.t.Context(), sql, args...)
	require.NoError(r.t, err)
}

// call keeps an ended call with recordings, as the relay does, and returns it.
func (r *rig) call(recordings ...call.Recording) call.Call {
	r.t.Helper()
	c := call.Call{ID: newID(), WorkspaceID: r.ws, SourceID: r.source.ID, Provider: r.source.Provider, ProviderID: "CAL1", Phase: call.Ended}
	c.Recordings = recordings
	state, err := json.Marshal(c)
	require.NoError(r.t, err)
	r.exec(`insert into calls (id, workspace_id, source_id, state, revision, phase, window_base) values ($1, $2, $3, $4, 1, 'ended', now())`, c.ID, r.ws, r.source.ID, state)
	_, err = r.db.ShareRecordings(r.t.Context(), c)
	require.NoError(r.t, err)
	return c
}

func (r *rig) sound(url string) call.Call {
	return r.call(call.Recording{ID: "r1", URL: url, State: call.RecordingAvailable})
}

func (r *rig) one(c call.Call) records.Recording {
	r.t.Helper()
	all, err := r.db.RecordingsOfCall(r.t.Context(), r.ws, c.ID)
	require.NoError(r.t, err)
	require.Len(r.t, all, 1)
	return all[0]
}

// claim takes what is due.
func (r *rig) claim() []records.RecordingJob {
	r.t.Helper()
	jobs, err := r.db.ClaimRecordings(r.t.Context(), 10, 10, time.Minute)
	require.NoError(r.t, err)
	return jobs
}

// try makes one attempt at all that is due, as if the waits were over.
func (r *rig) try() {
	r.t.Helper()
	r.exec(`update recordings set next_at = now() where next_at is not null and lease is null`)
	for _, j := range r.claim() {
		r.Attempt(r.t.Context(), j)
	}
}

func (r *rig) content(key string) []byte {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.dir, key))
	require.NoError(r.t, err)
	return b
}

// files are all files of the archive.
func (r *rig) files() (out []string) {
	r.t.Helper()
	require.NoError(r.t, filepath.WalkDir(r.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, path)
		}
		return err
	}))
	return out
}

func TestArchive(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	data := wav(3<<20 + 77)
	c := r.sound(r.host.put("/a.wav", &file{data: data, contentType: "audio/x-wav"}))
	require.Equal(t, call.RecordingAvailable, r.one(c).State)
	require.NotEmpty(t, r.one(c).Token, "the link is there before the copy")
	r.try()
	got := r.one(c)
	require.Equal(t, call.RecordingArchived, got.State, got.Detail)
	require.Equal(t, data, r.content(got.BlobKey))
	require.EqualValues(t, len(data), got.Size)
	require.Equal(t, sumOf(data), got.SHA256)
	require.Equal(t, "audio/wav", got.ContentType)
	require.Len(t, r.files(), 1)
	r.try()
	require.Equal(t, 1, r.host.requests("/a.wav"), "once is enough")
	require.NotContains(t, got.BlobKey, "CAL1")
}

// What somebody did not want to be kept is not copied, whatever the source keeps otherwise.
func TestARuleWithholdsRecordings(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	kept, refused := r.sound(r.host.put("/kept.wav", &file{data: wav(1000)})), r.sound(r.host.put("/refused.wav", &file{data: wav(1000)}))
	r.exec(`update calls set state = state || '{"tags": ["Do not record"]}' where id = $1`, refused.ID)
	put := func(document string) {
		now, err := r.db.Rules(t.Context(), r.ws, records.RulesOfSource, r.source.ID)
		require.NoError(t, err)
		now.Document = document
		_, err = r.db.PutRules(t.Context(), r.ws, now)
		require.NoError(t, err)
	}
	put("rules:\n  - name: Recording refused\n    when: {field: tags, operator: one_of, value: [do not record]}\n    action: sync_without_recording\n")
	r.try()
	require.Equal(t, call.RecordingArchived, r.one(kept).State)
	got := r.one(refused)
	require.Equal(t, call.RecordingFailed, got.State)
	require.Equal(t, records.RecordingWithheld, got.Class)
	require.Contains(t, got.Reason, "Recording refused")
	require.Zero(t, r.host.requests("/refused.wav"))

	// Rules that nobody can ask keep it out as well, until they can be asked.
	third := r.sound(r.host.put("/third.wav", &file{data: wav(1000)}))
	r.exec(`update rules set document = 'rules: {broken' where owner_id = $1`, r.source.ID)
	r.try()
	require.Equal(t, call.RecordingAvailable, r.one(third).State)
	require.Zero(t, r.host.requests("/third.wav"))
	put("rules: []\n")
	r.exec(`update recordings set next_at = now() where call_id = $1`, third.ID)
	r.try()
	require.Equal(t, call.RecordingArchived, r.one(third).State)
}

// Whatever goes wrong at the phone system, the recording's state says what it means for people.
func TestTrouble(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	other := newHost(t)
	inside := other.put("/secret.wav", &file{data: wav(1000)})
	r.MaxBytes = 1 << 20
	r.Fetcher.Stall = 200 * time.Millisecond
	later := func(f *file) *file { f.absentFor = 1; return f }
	for _, tc := range []struct {
		name string
		file *file
		url  string
		// state, class and sentence after the first attempt; then after the second.
		state call.RecordingState
		class string
		says  string
		then  call.RecordingState
	}{
		{name: "not ready", file: later(&file{data: wav(1000), absent: 404}), state: call.RecordingExpected, class: records.RecordingNotYet, says: "does not have the recording yet", then: call.RecordingArchived},
		{name: "not ready, 403", file: later(&file{data: wav(1000), absent: 403}), state: call.RecordingExpected, class: records.RecordingNotYet, then: call.RecordingArchived},
		{name: "empty so far", file: &file{data: nil, contentType: "audio/wav"}, state: call.RecordingExpected, class: records.RecordingNotYet, then: call.RecordingExpected},
		{name: "gone", file: later(&file{data: wav(1000), absent: 410}), state: call.RecordingUnavailable, class: records.RecordingGone, says: "has deleted", then: call.RecordingUnavailable},
		{name: "down", file: later(&file{data: wav(1000), absent: 503}), state: call.RecordingAvailable, class: records.RecordingUnreachable, then: call.RecordingArchived},
		{name: "wants a login", file: &file{data: wav(1000), key: "Bearer x"}, state: call.RecordingFailed, class: records.RecordingAccess, says: "wants a login", then: call.RecordingFailed},
		{name: "login page", file: &file{data: []byte("<!doctype html><html><body>Log in</body></html>"), contentType: "text/html"}, state: call.RecordingAvailable, class: records.RecordingWrong, says: "instead of sound", then: call.RecordingAvailable},
		{name: "login page as sound", file: &file{data: []byte("<!doctype html><html><body>Log in</body></html>"), contentType: "audio/mpeg"}, state: call.RecordingAvailable, class: records.RecordingWrong, then: call.RecordingAvailable},
		{name: "huge", file: &file{data: wav(1000), size: 1<<20 + 1}, state: call.RecordingFailed, class: records.RecordingTooLarge, says: "larger than", then: call.RecordingFailed},
		{name: "huge without a length", file: &file{data: wav(1000), size: 3 << 20, noLength: true}, state: call.RecordingFailed, class: records.RecordingTooLarge, then: call.RecordingFailed},
		{name: "packed", file: &file{data: wav(1000), packed: true}, state: call.RecordingFailed, class: records.RecordingWrong, then: call.RecordingFailed},
		{name: "elsewhere", url: "https://evil.example/a.wav", state: call.RecordingFailed, class: records.RecordingHost, says: "evil.example, which is not among the hosts", then: call.RecordingFailed},
		{name: "leads elsewhere", file: &file{redirect: inside}, state: call.RecordingFailed, class: records.RecordingHost, says: other.name(), then: call.RecordingFailed},
		{name: "leads to a file", file: &file{redirect: "file:///etc/passwd"}, state: call.RecordingAvailable, class: records.RecordingWrong, then: call.RecordingAvailable},
		{name: "leads in circles", file: &file{redirect: "/circle.wav"}, state: call.RecordingAvailable, class: records.RecordingWrong, then: call.RecordingAvailable},
		{name: "stalls", file: &file{data: wav(200_000), pause: make(chan struct{}), reached: make(chan struct{}, 1)}, state: call.RecordingAvailable, class: records.RecordingUnreachable, says: "stopped sending", then: call.RecordingAvailable},
		{name: "nobody there", url: "http://127.0.0.1:1/a.wav", state: call.RecordingAvailable, class: records.RecordingUnreachable, says: "could not be reached", then: call.RecordingAvailable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := "/" + strings.ReplaceAll(tc.name, " ", "-") + ".wav"
			if tc.name == "leads in circles" {
				path = "/circle.wav"
			}
			where := tc.url
			if tc.file != nil {
				where = r.host.put(path, tc.file)
			}
			if strings.HasPrefix(where, "http://127.0.0.1:1/") {
				r.exec(`update sources set recording_hosts = recording_hosts || '{127.0.0.1:1}'`)
			}
			c := r.sound(where)
			r.try()
			got := r.one(c)
			require.Equal(t, tc.state, got.State, "%s: %s", got.Reason, got.Detail)
			require.Equal(t, tc.class, got.Class)
			require.Contains(t, got.Reason, tc.says)
			require.Equal(t, tc.state == call.RecordingAvailable || tc.state == call.RecordingExpected, !got.NextAt.IsZero(), "tried again, or not")
			r.try()
			require.Equal(t, tc.then, r.one(c).State, r.one(c).Detail)
			r.exec(`update recordings set next_at = null`)
		})
	}
	require.Zero(t, other.requests("/secret.wav"), "what is not allowed was never asked")
}

// A 404 means "not yet" until the limit, and "never" after it.
func TestNeverIsToldFromNotYet(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.sound(r.host.put("/a.wav", &file{absent: 404, absentFor: 100}))
	r.try()
	require.Equal(t, call.RecordingExpected, r.one(c).State)
	r.exec(`update calls set window_base = now() - interval '13 hours'`)
	r.exec(`update recordings set available_at = now() - interval '11 hours', known_at = now() - interval '11 hours'`)
	r.try()
	require.Equal(t, call.RecordingExpected, r.one(c).State, "it was heard of later than the call")
	r.exec(`update recordings set available_at = now() - interval '13 hours', known_at = now() - interval '13 hours'`)
	r.try()
	got := r.one(c)
	require.Equal(t, call.RecordingUnavailable, got.State)
	require.Equal(t, records.RecordingNever, got.Class)
	require.Contains(t, got.Reason, "never came")
	require.True(t, got.NextAt.IsZero())
	// A person may have it tried again all the same.
	require.NoError(t, r.db.RetryRecording(t.Context(), r.ws, c.ID, got.ID))
	r.host.put("/a.wav", &file{data: wav(100)})
	r.try()
	require.Equal(t, call.RecordingArchived, r.one(c).State)
}

func TestPrivateAddresses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Fetcher.Transport = NewTransport(false)
	c := r.sound(r.host.put("/a.wav", &file{data: wav(100)}))
	r.try()
	got := r.one(c)
	require.Equal(t, call.RecordingFailed, got.State)
	require.Contains(t, got.Reason, "private or local address")
	require.Zero(t, r.host.requests("/a.wav"))
}

// A setting that was the trouble is tried again when it is changed.
func TestAllowingAHostTriesAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *records.Source) { s.Recordings.Hosts = nil })
	c := r.sound(r.host.put("/a.wav", &file{data: wav(100)}))
	r.try()
	require.Equal(t, records.RecordingHost, r.one(c).Class)
	r.source.Recordings.Hosts = []string{r.host.name()}
	require.NoError(t, r.db.UpdateSource(t.Context(), r.source))
	r.try()
	require.Equal(t, call.RecordingArchived, r.one(c).State)
}

// Connections that break cost what was not noted yet, and nothing else.
func TestResume(t *testing.T) {
	t.Parallel()
	data := wav(20<<20 + 5)
	for name, f := range map[string]*file{
		"with a length":          {data: data, etag: `"v1"`, cutAt: 11 << 20, cuts: 1},
		"in chunks":              {data: data, noLength: true, cutAt: 11 << 20, cuts: 1},
		"without any end":        {data: data, closing: true, cutAt: 11 << 20, cuts: 1},
		"without any end, dated": {data: data, closing: true, etag: `"v1"`, cutAt: 11 << 20, cuts: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			c := r.sound(r.host.put("/a.wav", f))
			r.try()
			if !f.closing {
				got := r.one(c)
				require.Equal(t, call.RecordingAvailable, got.State, got.Detail)
				require.Equal(t, records.RecordingUnreachable, got.Class)
				r.try()
			}
			got := r.one(c)
			require.Equal(t, call.RecordingArchived, got.State, got.Detail)
			require.Equal(t, data, r.content(got.BlobKey))
			require.Equal(t, sumOf(data), got.SHA256)
			require.Contains(t, r.host.log(), fmt.Sprintf("/a.wav bytes=%d-", 11<<20), "the rest alone is asked for")
			require.Len(t, r.files(), 1)
		})
	}
	t.Run("another file meanwhile", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		c := r.sound(r.host.put("/a.wav", &file{data: data, etag: `"v1"`, cutAt: 11 << 20, cuts: 1}))
		r.try()
		other := append(wav(9<<20), 1, 2, 3)
		r.host.put("/a.wav", &file{data: other, etag: `"v2"`})
		r.try()
		got := r.one(c)
		require.Equal(t, call.RecordingArchived, got.State, got.Detail)
		require.Equal(t, other, r.content(got.BlobKey))
		require.NoError(t, r.delete(t.Context(), 0))
		require.Len(t, r.files(), 1, "the beginning of the first one is gone")
	})
	t.Run("no ranges", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		c := r.sound(r.host.put("/a.wav", &file{data: data, noRange: true, cutAt: 11 << 20, cuts: 1}))
		r.try()
		r.try()
		got := r.one(c)
		require.Equal(t, call.RecordingArchived, got.State, got.Detail)
		require.Equal(t, sumOf(data), got.SHA256)
	})
	t.Run("the file of the beginning is spoilt", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		c := r.sound(r.host.put("/a.wav", &file{data: data, cutAt: 11 << 20, cuts: 1}))
		r.try()
		files := r.files()
		require.Len(t, files, 1)
		spoilt, err := os.OpenFile(files[0], os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = spoilt.WriteAt([]byte("other"), 5<<20)
		require.NoError(t, err)
		require.NoError(t, spoilt.Close())
		r.try()
		require.Equal(t, call.RecordingAvailable, r.one(c).State, "the checksum shows it")
		r.try()
		got := r.one(c)
		require.Equal(t, call.RecordingArchived, got.State, got.Detail)
		require.Equal(t, data, r.content(got.BlobKey))
	})
}

// A worker that is killed in the middle leaves its claim; the next one goes on where the last note is.
func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	data := wav(24 << 20)
	f := &file{data: data, pause: make(chan struct{}), reached: make(chan struct{}, 1)}
	c := r.sound(r.host.put("/a.wav", f))
	jobs := r.claim()
	require.Len(t, jobs, 1)
	ctx, kill := context.WithCancel(t.Context())
	dead := &Archiver{Store: dying{r.db}, Blobs: r.Blobs, Withheld: r.Withheld, Fetcher: r.Fetcher, Metrics: r.Metrics, Log: r.Log}
	done := make(chan struct{})
	go func() { defer close(done); dead.Attempt(ctx, jobs[0]) }()
	<-f.reached
	require.Eventually(t, func() bool {
		var offset int64
		return r.sql.QueryRow(ctx, `select part_offset from recordings`).Scan(&offset) == nil && offset >= 8<<20
	}, 20*time.Second, 10*time.Millisecond)
	kill()
	<-done
	require.Empty(t, r.claim(), "its lease is not over")
	close(f.pause)
	r.host.put("/a.wav", &file{data: data})
	r.exec(`update recordings set lease_until = now() - interval '1 second', next_at = now()`)
	r.try()
	got := r.one(c)
	require.Equal(t, call.RecordingArchived, got.State, got.Detail)
	require.Equal(t, sumOf(data), got.SHA256)
	require.Equal(t, data, r.content(got.BlobKey))
	require.Contains(t, r.host.log(), "/a.wav bytes=")
}

// dying forgets to record its end, as a killed process does.
type dying struct{ *postgres.DB }

func (dying) FinishRecording(context.Context, string, string, string, records.RecordingResult) error {
	return records.ErrLeaseLost
}

// Two workers at once make one copy; the one whose claim is over notices, and its end counts for nothing.
func TestTwoWorkers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	data := wav(12 << 20)
	f := &file{data: data, pause: make(chan struct{}), reached: make(chan struct{}, 1)}
	c := r.sound(r.host.put("/a.wav", f))
	first := r.claim()
	require.Len(t, first, 1)
	require.Empty(t, r.claim(), "what is claimed is nobody else's")
	done := make(chan struct{})
	go func() { defer close(done); r.Attempt(t.Context(), first[0]) }()
	<-f.reached
	// The first one sleeps for longer than its lease.
	r.exec(`update recordings set lease_until = now() - interval '1 second', next_at = now()`)
	second := r.claim()
	require.Len(t, second, 1)
	var wg sync.WaitGroup
	wg.Go(func() { r.Attempt(t.Context(), second[0]) })
	close(f.pause)
	wg.Wait()
	<-done
	got := r.one(c)
	if got.State != call.RecordingArchived {
		r.try()
		got = r.one(c)
	}
	require.Equal(t, call.RecordingArchived, got.State, got.Detail)
	require.Equal(t, data, r.content(got.BlobKey))
	require.NoError(t, r.delete(t.Context(), 0))
	require.Len(t, r.files(), 1, "one copy: %v", r.files())
}

// Many workers on many recordings: each is copied once.
func TestEachOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var calls []call.Call
	for i := range 20 {
		calls = append(calls, r.sound(r.host.put(fmt.Sprintf("/%d.wav", i), &file{data: wav(1000 + i)})))
	}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { r.Run(ctx) })
	}
	require.Eventually(t, func() bool {
		var n int
		return r.sql.QueryRow(ctx, `select count(*) from recordings where state = 'archived'`).Scan(&n) == nil && n == len(calls)
	}, 30*time.Second, 50*time.Millisecond)
	stop()
	wg.Wait()
	for i := range calls {
		require.Equal(t, 1, r.host.requests(fmt.Sprintf("/%d.wav", i)))
	}
}

// A slow source has its places, and no more.
func TestPlacesOfASource(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i := range 5 {
		r.sound(r.host.put(fmt.Sprintf("/%d.wav", i), &file{data: wav(10)}))
	}
	jobs, err := r.db.ClaimRecordings(t.Context(), 10, 2, time.Minute)
	require.NoError(t, err)
	require.Len(t, jobs, 2)
	jobs, err = r.db.ClaimRecordings(t.Context(), 10, 2, time.Minute)
	require.NoError(t, err)
	require.Empty(t, jobs)
}

func TestKeyedSources(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *records.Source) {
		s.Provider = callrail.ID
		s.Secrets = map[string]string{"api_key": "hunter2"}
		s.Config = map[string]string{"api_account_id": "123"}
	})
	r.source.Config["api_base_url"] = r.host.http.URL
	require.NoError(t, r.db.UpdateSource(t.Context(), r.source))
	data := wav(5000)
	sound := r.host.put("/files/x.mp3", &file{data: data})
	r.host.put("/v3/a/123/calls/CAL1/recording.json", &file{key: `Token token="hunter2"`, json: `{"url": "` + r.host.http.URL + `/lead"}`})
	r.host.put("/lead", &file{redirect: sound})
	c := r.sound("https://app.callrail.com/calls/CAL1/recording/redirect?access_key=abc")
	r.try()
	got := r.one(c)
	require.Equal(t, call.RecordingArchived, got.State, got.Detail)
	require.Equal(t, data, r.content(got.BlobKey))
	require.Equal(t, []string{`Token token="hunter2"`, "", ""}, r.host.keys, "the key goes to the API alone")
}

// A key that proves who asks is for the recording's host, and not for where that leads.
func TestKeysStayAtHome(t *testing.T) {
	t.Parallel()
	storage := newHost(t)
	r := newRig(t, func(s *records.Source) {
		s.Secrets = map[string]string{"recording_authorization": "Bearer hunter2"}
		s.Recordings.Hosts = append(s.Recordings.Hosts, storage.name())
	})
	data := wav(5000)
	c := r.sound(r.host.put("/a.wav", &file{key: "Bearer hunter2", redirect: storage.put("/b.wav", &file{data: data})}))
	r.try()
	got := r.one(c)
	require.Equal(t, call.RecordingArchived, got.State, got.Detail)
	require.Equal(t, data, r.content(got.BlobKey))
	require.Equal(t, []string{"Bearer hunter2"}, r.host.keys)
	require.Equal(t, []string{""}, storage.keys)
}

func TestRetention(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *records.Source) { s.Recordings.Days = 30 })
	c := r.sound(r.host.put("/a.wav", &file{data: wav(3 << 20)}))
	r.try()
	require.WithinDuration(t, time.Now().Add(30*24*time.Hour), r.one(c).ExpiresAt, time.Hour)
	require.NoError(t, r.Sweep(t.Context()))
	require.Equal(t, call.RecordingArchived, r.one(c).State)
	r.exec(`update recordings set archived_at = now() - interval '31 days'`)
	broken := &Archiver{Store: r.db, Blobs: away{r.Blobs}, Withheld: r.Withheld, Metrics: r.Metrics, Log: r.Log}
	require.NoError(t, broken.Sweep(t.Context()), "files are left alone for some minutes")
	got := r.one(c)
	require.Equal(t, call.RecordingUnavailable, got.State)
	require.Equal(t, "Deleted after 30 days, as configured.", got.Reason)
	require.Empty(t, got.BlobKey)
	require.Len(t, r.files(), 1)
	require.Error(t, broken.delete(t.Context(), 0), "the archive is away")
	require.Len(t, r.files(), 1, "a file that could not be deleted is not forgotten")
	r.exec(`update recording_blobs set doomed_at = now() - interval '1 hour'`)
	require.NoError(t, r.Sweep(t.Context()))
	require.Empty(t, r.files())
	var left int
	require.NoError(t, r.sql.QueryRow(t.Context(), `select count(*) from recording_blobs`).Scan(&left))
	require.Zero(t, left)
	r.try()
	_, err := r.db.ShareRecordings(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, 1, r.host.requests("/a.wav"), "what was deleted does not come back")
	require.Error(t, r.db.RetryRecording(t.Context(), r.ws, c.ID, got.ID))
}

type away struct{ blobstore.Store }

func (away) Delete(context.Context, string) error { return io.ErrClosedPipe }
func (away) Write(context.Context, *blobstore.Upload, []byte) error {
	return io.ErrClosedPipe
}
func (away) Finish(context.Context, *blobstore.Upload, []byte) error { return io.ErrClosedPipe }

func TestArchiveIsAway(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.sound(r.host.put("/a.wav", &file{data: wav(3 << 20)}))
	whole := r.Blobs
	r.Blobs = away{whole}
	r.try()
	got := r.one(c)
	require.Equal(t, call.RecordingAvailable, got.State)
	require.Equal(t, records.RecordingArchiveAway, got.Class)
	r.Blobs = whole
	r.try()
	require.Equal(t, call.RecordingArchived, r.one(c).State)
}

// A recording of any length takes the memory of a part.
func TestMemory(t *testing.T) {
	r := newRig(t)
	const size = 200 << 20
	f := &file{data: wav(1 << 20), size: size}
	c := r.sound(r.host.put("/long.wav", f))
	want := sha256.New()
	for range size >> 20 {
		want.Write(f.data)
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	runtime.GC()
	before, highest := heap(), uint64(0)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				highest = max(highest, heap())
			}
		}
	}()
	r.try()
	close(stop)
	<-done
	got := r.one(c)
	require.Equal(t, call.RecordingArchived, got.State, got.Detail)
	require.True(t, bytes.Equal(want.Sum(nil), got.SHA256))
	require.Less(t, int64(highest)-int64(before), int64(24<<20), "heap before %d MB, at most %d MB", before>>20, highest>>20)
}
