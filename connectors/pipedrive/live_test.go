package pipedrive_test

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/pipedrive"
)

// TestLive goes the whole way in a real account: CALLSYNC_LIVE_PIPEDRIVE_TOKEN is the API token of a user of a sandbox,
// CALLSYNC_LIVE_PIPEDRIVE_BASE_URL the company's address. It takes away what it has made.
func TestLive(t *testing.T) {
	secret := os.Getenv("CALLSYNC_LIVE_PIPEDRIVE_TOKEN")
	if secret == "" {
		t.Skip("CALLSYNC_LIVE_PIPEDRIVE_TOKEN is not set")
	}
	base := strings.TrimRight(os.Getenv("CALLSYNC_LIVE_PIPEDRIVE_BASE_URL"), "/")
	if base == "" {
		base = "https://api.pipedrive.com"
	}
	session, err := pipedrive.New().Open(connectors.Settings{Config: map[string]string{"base_url": base}, Secrets: map[string]string{"api_token": secret}})
	require.NoError(t, err)
	remove := func(path string) {
		r, err := http.NewRequest(http.MethodDelete, base+path, nil)
		require.NoError(t, err)
		r.Header.Set("x-api-token", secret)
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		t.Logf("DELETE %s: %s", path, resp.Status)
		_ = resp.Body.Close()
	}

	report, err := session.(connectors.Verifier).Verify(t.Context())
	require.NoError(t, err)
	for _, c := range report.Checks {
		t.Logf("%t %s: %s", c.OK, c.Name, c.Text)
	}
	require.True(t, report.OK())

	run := strconv.FormatInt(time.Now().UnixNano(), 36)
	national := fmt.Sprintf("415%07d", time.Now().Unix()%10_000_000)
	creator := session.(connectors.ContactCreator)
	person, err := creator.CreateContact(t.Context(), connectors.ContactWrite{Key: "live-" + run, Fields: map[string]any{"name": "callsync live test", "phone": "+1" + national}})
	require.NoError(t, err)
	t.Cleanup(func() { remove("/api/v2/persons/" + person.RemoteID) })
	found, ok, err := creator.FindContactByKey(t.Context(), "live-"+run)
	require.NoError(t, err)
	t.Logf("found by key: %t %s", ok, found.ID)
	require.Eventually(t, func() bool {
		list, err := session.(connectors.ContactMatcher).FindContacts(t.Context(), connectors.PhoneQuery{E164: "+1" + national, National: national, Country: "US"})
		return err == nil && len(list) == 1 && list[0].ID == person.RemoteID
	}, time.Minute, 3*time.Second, "the search finds the person")

	owners, err := session.(connectors.OwnerLister).Owners(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, owners)
	ref := connectors.Ref{Object: connectors.ObjectContact, ID: person.RemoteID}
	start := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	w := connectors.CallWrite{Key: "live-call-" + run, Links: []connectors.Ref{ref}, Fields: map[string]any{
		"subject": "callsync live test", "note": "<b>one</b> &amp; 漢字 🎧", "outcome": "connected", "start_time": start, "end_time": start.Add(205 * time.Second),
		"duration": int64(205), "from_phone_number": "+1" + national, "to_phone_number": "+13035550100"}}
	out, err := session.WriteCall(t.Context(), w)
	require.NoError(t, err)
	t.Logf("call %s, warnings %v", out.RemoteID, out.Warnings)
	activity, log, _ := strings.Cut(out.RemoteID, ":")
	t.Cleanup(func() {
		if log != "" && log != "-" {
			remove("/v1/callLogs/" + log)
		}
		remove("/api/v2/activities/" + activity)
	})
	id, ok, err := session.(connectors.CallFinder).FindCall(t.Context(), w.Key)
	require.NoError(t, err)
	require.True(t, ok, "a call is found by its mark")
	require.Equal(t, out.RemoteID, id)
	require.NoError(t, session.(connectors.Linker).LinkCall(t.Context(), out.RemoteID, ref))
	_, err = session.WriteCall(t.Context(), connectors.CallWrite{Key: w.Key, RemoteID: out.RemoteID, Fields: map[string]any{"note": "<b>two</b>"}})
	require.NoError(t, err)
	read, err := session.(connectors.CallReader).ReadCall(t.Context(), out.RemoteID, []string{"subject", "note", "outcome", "duration", "start_time", "person_id"})
	require.NoError(t, err)
	t.Logf("read back: %v", read)
	require.True(t, connectors.SameValue("callsync live test", read["subject"]))
	require.True(t, connectors.SameValue(start, read["start_time"]))

	upload := connectors.RecordingUpload{Key: "rec", CallID: out.RemoteID, Party: ref, Name: "call.wav", ContentType: "audio/wav", Size: int64(len(silence)), Open: content(silence)}
	for range 2 {
		_, err = session.(connectors.RecordingUploader).UploadRecording(t.Context(), upload)
		require.NoError(t, err, "a recording that is there is a success")
	}

	task, err := session.(connectors.TaskWriter).WriteTask(t.Context(), connectors.RecordWrite{Key: "live-task-" + run, Links: []connectors.Ref{ref},
		Fields: map[string]any{"subject": "Call back", "due_date": start.Add(24 * time.Hour)}})
	require.NoError(t, err)
	t.Cleanup(func() { remove("/api/v2/activities/" + task.RemoteID) })
	require.NoError(t, session.(connectors.TaskWriter).CompleteTask(t.Context(), task.RemoteID))
	note, err := session.(connectors.NoteWriter).WriteNote(t.Context(), connectors.RecordWrite{Key: "live-note-" + run, Links: []connectors.Ref{ref}, Fields: map[string]any{"content": "<b>note</b>"}})
	require.NoError(t, err)
	t.Cleanup(func() { remove("/v1/notes/" + note.RemoteID) })
	noteID, ok, err := session.(connectors.RecordFinder).FindRecord(t.Context(), connectors.ObjectNote, "live-note-"+run)
	require.NoError(t, err)
	require.True(t, ok && noteID == note.RemoteID, "a note is found by its mark")
}

// silence is the shortest WAV file that players take: 0.1 seconds of 8 kHz, 8 bits.
var silence = "RIFF\x44\x03\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00data\x20\x03\x00\x00" + strings.Repeat("\x80", 800)
