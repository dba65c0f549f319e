package activities_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/espocrm"
	"github.com/callsync/callsync/connectors/espocrm/espocrmfake"
	"github.com/callsync/callsync/connectors/hubspot"
	"github.com/callsync/callsync/connectors/hubspot/hubspotfake"
	"github.com/callsync/callsync/internal/blobstore"
	"github.com/callsync/callsync/postgres"
	"github.com/callsync/callsync/records"
)

const recordingMapping = `
format: 1
object: call
fields:
  - target: link
    value: {expr: "coalesce(recording_url, recordings[0].url)"}
    empty: clear
`

func (w *world) sharing(how string) { w.exec(`update connections set recordings = $1`, how) }

func (w *world) recorded() call.Call {
	c := w.call("")
	c.Recordings = []call.Recording{{ID: "r1", URL: "https://app.callrail.com/calls/1/recording?access_key=hunter2", PlayerURL: "https://app.callrail.com/player?access_key=hunter2", State: call.RecordingAvailable}}
	w.save(c)
	return c
}

// The CRM gets what the connection says, and the phone system's link with its token only if it says so.
func TestWhatTheCRMGetsOfARecording(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.KeyedUpsert)
	w := newWorld(t, c)
	w.exec(`update mappings set document = $1 where object = 'call'`, recordingMapping)
	link := func(one call.Call) any {
		t.Helper()
		require.Equal(t, activities.Done, w.settle(one).Outcome)
		return c.calls[w.row(one).RemoteID]["link"]
	}
	one := w.recorded()
	ours, ok := link(one).(string)
	require.True(t, ok)
	require.Regexp(t, `^https://callsync\.example/recordings/cs_[a-z2-7]{26}$`, ours)
	one.Revision++
	one.Note = "later"
	w.save(one)
	require.Equal(t, ours, link(one), "the link is for good")

	w.exec(`update recordings set revoked_at = now()`)
	one.Revision++
	w.save(one)
	require.Nil(t, link(one), "a link that was withdrawn is taken out")

	w.sharing(records.ShareNone)
	require.Nil(t, link(w.recorded()))
	w.sharing(records.ShareVendorLink)
	require.Contains(t, link(w.recorded()), "access_key=hunter2")

	silent := w.call("")
	silent.Recordings = []call.Recording{{ID: "r9", State: call.RecordingExpected}}
	w.save(silent)
	w.sharing(records.ShareLink)
	require.Nil(t, link(silent), "what is only announced has no link yet")
}

// ids are those of records in paths.
var ids = regexp.MustCompile(`[0-9a-f]{8,}|\d+`)

// forgetful answers the first request of each kind that changes something by doing it and dropping the connection.
type forgetful struct {
	http.Handler
	mu    sync.Mutex
	drops map[string]bool
	on    bool
}

func (f *forgetful) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind := r.Method + ids.ReplaceAllString(r.URL.Path, "*")
	f.mu.Lock()
	drop := f.on && r.Method != http.MethodGet && (strings.Contains(r.URL.Path, "/files/") || strings.Contains(r.URL.Path, "/Attachment") || r.Method != http.MethodPost) && !f.drops[kind]
	if drop {
		f.drops[kind] = true
	}
	f.mu.Unlock()
	if drop {
		f.Handler.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}
	f.Handler.ServeHTTP(w, r)
}

// With real connectors: a recording that has come goes into the CRM once, whatever answers are lost; one that comes later
// has its call told of.
func TestRecordingsAreUploadedOnce(t *testing.T) {
	t.Parallel()
	hub := hubspotfake.New(hubspotfake.Options{PerTenSeconds: -1, SearchPerSecond: -1, Tokens: map[string][]string{"fake-token": nil}})
	espo := espocrmfake.New(espocrmfake.Options{})
	for name, crm := range map[string]struct {
		connector connectors.Connector
		fake      http.Handler
		secrets   map[string]string
		files     func(remoteID string) [][32]byte
	}{
		"HubSpot": {hubspot.New(), hub, map[string]string{"access_token": "fake-token"}, func(id string) (out [][32]byte) {
			require.Len(t, hub.Files(), len(hub.FilesOf("calls", id)), "none is left over")
			for _, f := range hub.FilesOf("calls", id) {
				out = append(out, sumOfFile(t, f))
			}
			return out
		}},
		"EspoCRM": {espocrm.New(), espo, map[string]string{"api_key": espocrmfake.APIKey}, func(id string) (out [][32]byte) {
			for _, r := range espo.Records("Call") {
				if r["id"] == id {
					for _, data := range espo.Files(r["cCallsyncRecordingsIds"]) {
						out = append(out, sha256.Sum256(data))
					}
				}
			}
			return out
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &forgetful{Handler: crm.fake, drops: map[string]bool{}}
			s := httptest.NewServer(server)
			t.Cleanup(s.Close)
			w := newWorld(t, newCRM(connectors.KeyedUpsert))
			info := crm.connector.Info()
			config, err := json.Marshal(map[string]string{"base_url": s.URL})
			require.NoError(t, err)
			secrets, err := json.Marshal(crm.secrets)
			require.NoError(t, err)
			w.exec(`update connections set connector = $1, config = $2, secrets = $3, idempotency = $4, recordings = 'upload'`, info.ID, config, secrets, string(info.Idempotency))
			for object, doc := range info.Mappings {
				w.exec(`update mappings set document = $2 where object = $1`, object, string(doc))
			}
			session, err := crm.connector.Open(connectors.Settings{ConnectionID: w.conn, Config: map[string]string{"base_url": s.URL}, Secrets: crm.secrets})
			require.NoError(t, err)
			_, err = session.(connectors.Verifier).Verify(t.Context())
			require.NoError(t, err)
			files, err := blobstore.Open("file://" + t.TempDir())
			require.NoError(t, err)
			db := w.delivery.Store.(*postgres.DB)
			w.delivery.Connectors, w.delivery.Recordings, w.delivery.Files = connectors.NewRegistry(crm.connector), db, files

			one := w.recorded()
			one.Direction, one.Status = call.Inbound, call.Answered
			one.StartedAt = time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
			one.EndedAt = one.StartedAt.Add(time.Minute)
			w.save(one)
			require.Equal(t, activities.Done, w.settle(one).Outcome, "%+v", w.row(one))
			require.Empty(t, crm.files(w.row(one).RemoteID))
			var id string
			require.NoError(t, w.sql.QueryRow(t.Context(), `select id from recordings where next_at is not null`).Scan(&id), "it is copied now")

			data := make([]byte, 3<<20)
			_, _ = rand.Read(data)
			copy(data, "RIFF\x00\x00\x00\x00WAVE")
			up := blobstore.Upload{Key: "ws/" + id}
			for len(data[up.Offset:]) > files.PartSize() {
				require.NoError(t, files.Write(t.Context(), &up, data[up.Offset:up.Offset+int64(files.PartSize())]))
			}
			require.NoError(t, files.Finish(t.Context(), &up, data[up.Offset:]))
			sum := sha256.Sum256(data)
			token := uuid.NewString()
			w.exec(`update recordings set lease = $1, lease_until = now() + interval '1 minute'`, token)
			w.exec(`update recordings set blob_key = $1`, up.Key)
			require.NoError(t, db.FinishRecording(t.Context(), w.ws, id, token, records.RecordingResult{State: call.RecordingArchived, Size: int64(len(data)), SHA256: sum[:], ContentType: "audio/wav"}))

			lanes, err := db.ClaimRecordingNews(t.Context(), 10)
			require.NoError(t, err)
			require.Equal(t, []records.LaneKey{{WorkspaceID: w.ws, CallID: one.ID, ConnectionID: w.conn}}, lanes)
			lanes, err = db.ClaimRecordingNews(t.Context(), 10)
			require.NoError(t, err)
			require.Empty(t, lanes, "not twice at once")

			server.mu.Lock()
			server.on = true
			server.mu.Unlock()
			again := func() {
				t.Helper()
				for try := 0; ; try++ {
					r, err := w.delivery.Deliver(t.Context(), activities.DeliverInput{WorkspaceID: w.ws, CallID: one.ID, ConnectionID: w.conn, Revision: 1, Force: true})
					if err == nil {
						require.Equal(t, activities.Done, r.Outcome)
						return
					}
					require.Less(t, try, 10, "%v", w.row(one))
				}
			}
			again()
			require.NotEmpty(t, server.drops, "answers were lost")
			require.Equal(t, [][32]byte{sum}, crm.files(w.row(one).RemoteID))
			// A worker that was killed before it recorded the step uploads again, and the file is there already.
			w.exec(`update deliveries set steps = steps - ('recording:' || $1::text)`, id)
			again()
			again()
			require.Equal(t, [][32]byte{sum}, crm.files(w.row(one).RemoteID))
			w.exec(`update recordings set tell_at = now()`)
			lanes, err = db.ClaimRecordingNews(t.Context(), 10)
			require.NoError(t, err)
			require.Empty(t, lanes, "it has been told")
			var tell int
			require.NoError(t, w.sql.QueryRow(t.Context(), `select count(*) from recordings where tell_at is not null`).Scan(&tell))
			require.Zero(t, tell)

			// What is too large costs a warning, not the delivery.
			w.exec(`update deliveries set steps = steps - ('recording:' || $1::text)`, id)
			w.exec(`update recordings set size = $1`, info.MaxUpload+1)
			again()
			var warnings string
			require.NoError(t, w.sql.QueryRow(t.Context(), `select warnings::text from deliveries where object = 'call'`).Scan(&warnings))
			require.Contains(t, warnings, "The recording was not uploaded, the link to it is in the record.")
			require.Len(t, crm.files(w.row(one).RemoteID), 1)
		})
	}
}

func sumOfFile(t *testing.T, f hubspotfake.File) [32]byte {
	t.Helper()
	return sha256.Sum256(f.Content)
}
