package pipedrive_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/pipedrive"
	"github.com/callsync/callsync/connectors/pipedrive/pipedrivefake"
)

// as are settings whose calls become what record says.
func as(record string) func(string) connectors.Settings {
	return func(url string) connectors.Settings {
		s := settings(url)
		s.Config["record"] = record
		return s
	}
}

// changes counts what was asked of a fake beside reads.
func changes(f *pipedrivefake.Fake) map[string]int {
	out := map[string]int{}
	for name, n := range f.State().Requests {
		if !strings.Contains(name, " GET ") {
			out[name] = n
		}
	}
	return out
}

func TestACallIsAnActivityTurnedIntoACallLog(t *testing.T) {
	t.Parallel()
	f := company(pipedrivefake.Options{})
	session := open(t, f, settings)
	person := f.AddPerson("Ada", "+14155550199")
	lead := f.AddLead("A lead", person)
	w := write("key", "", "<b>hello</b>", noon)
	w.Fields["user_id"] = "3"
	w.Links = []connectors.Ref{{Object: "contact", ID: fmt.Sprint(person)}, {Object: "lead", ID: lead}}
	out, err := session.WriteCall(t.Context(), w)
	require.NoError(t, err)
	require.True(t, out.Created)
	require.Equal(t, w.Links, out.Linked)
	require.Empty(t, out.Warnings)
	require.Equal(t, map[string]int{"2 POST /activities": 1, "1 POST /callLogs": 1}, f.State().Requests, "two requests")
	s := f.State()
	require.Len(t, s.Activities, 1)
	a := s.Activities[0]
	require.Equal(t, "call", a["type"])
	require.Equal(t, true, a["done"])
	require.Equal(t, "2026-06-01", a["due_date"])
	require.Equal(t, "12:00:00", a["due_time"])
	require.Equal(t, "00:01:01", a["duration"])
	require.EqualValues(t, 3, number(a["owner_id"]))
	require.Equal(t, "<b>hello</b><br><small>[callsync:key]</small>", a["note"])
	require.Len(t, s.CallLogs, 1)
	l := s.CallLogs[0]
	require.Equal(t, number(a["id"]), number(l["activity_id"]))
	require.Equal(t, "connected", l["outcome"])
	require.Equal(t, "61", l["duration"])
	require.Equal(t, "2026-06-01T12:00:00.123Z", l["start_time"])
	require.Equal(t, "2026-06-01T12:01:01.123Z", l["end_time"])
	require.Equal(t, lead, l["lead_id"])

	got, err := session.(connectors.CallReader).ReadCall(t.Context(), out.RemoteID, []string{"note", "outcome", "user_id", "person_id", "lead_id", "deal_id", "duration", "to_phone_number", "start_time"})
	require.NoError(t, err)
	for name, v := range map[string]any{"note": "<b>hello</b>", "outcome": "connected", "user_id": "3", "person_id": person, "lead_id": lead, "deal_id": nil,
		"duration": 61, "to_phone_number": "+13035550100", "start_time": noon} {
		require.True(t, connectors.SameValue(v, got[name]), "%s: %v", name, got[name])
	}
}

func TestWhatComesLaterGoesIntoTheActivity(t *testing.T) {
	t.Parallel()
	f := company(pipedrivefake.Options{})
	session := open(t, f, settings)
	out, err := session.WriteCall(t.Context(), write("key", "", "early", noon))
	require.NoError(t, err)
	later := connectors.CallWrite{Key: "key", RemoteID: out.RemoteID, Fields: map[string]any{"note": "late", "outcome": "wrong_number"}}
	again, err := session.WriteCall(t.Context(), later)
	require.NoError(t, err)
	require.Equal(t, out.RemoteID, again.RemoteID)
	require.Len(t, again.Warnings, 1)
	require.Equal(t, "outcome", again.Warnings[0].Field)
	require.Equal(t, map[string]int{"2 POST /activities": 1, "1 POST /callLogs": 1, "2 PATCH /activities/{id}": 1}, changes(f))
	require.Equal(t, "late<br><small>[callsync:key]</small>", f.State().Activities[0]["note"])
	require.Equal(t, "connected", f.State().CallLogs[0]["outcome"], "a call log never changes")
	_, err = session.WriteCall(t.Context(), connectors.CallWrite{Key: "key", RemoteID: out.RemoteID, Fields: map[string]any{"outcome": "busy"}})
	require.NoError(t, err)
	require.Equal(t, 1, changes(f)["2 PATCH /activities/{id}"], "nothing to change, nothing sent")
}

func TestWhatHasNoCallLogIsAnActivity(t *testing.T) {
	t.Parallel()
	for _, record := range []string{"both", "call_log"} {
		f := company(pipedrivefake.Options{})
		w := write("key", "", "x", noon)
		delete(w.Fields, "to_phone_number")
		session := open(t, f, as(record))
		out, err := session.WriteCall(t.Context(), w)
		require.NoError(t, err)
		require.Equal(t, "to_phone_number", out.Warnings[0].Field)
		require.Len(t, f.State().Activities, 1)
		require.Empty(t, f.State().CallLogs)
		w.RemoteID = out.RemoteID
		w.Fields["to_phone_number"] = "+13035550100"
		_, err = session.WriteCall(t.Context(), w)
		require.NoError(t, err)
		require.Empty(t, f.State().CallLogs, "it stays what it is")
	}
	for _, outcome := range []any{"Connected", "answered", 7} {
		f := company(pipedrivefake.Options{})
		w := write("key", "", "x", noon)
		w.Fields["outcome"] = outcome
		_, err := open(t, f, settings).WriteCall(t.Context(), w)
		require.Equal(t, connectors.Invalid, connectors.AsError(err).Class)
		require.Equal(t, "outcome", connectors.AsError(err).Field)
		require.Empty(t, f.State().Requests, "a wrong outcome is found before anything is made")
	}
}

func TestRightsForCallLogs(t *testing.T) {
	t.Parallel()
	for _, record := range []string{"both", "call_log"} {
		f := company(pipedrivefake.Options{NoAdmin: true})
		w := write("key", "", "x", noon)
		w.Fields["user_id"] = "3"
		out, err := open(t, f, as(record)).WriteCall(t.Context(), w)
		require.NoError(t, err)
		require.Equal(t, "user_id", out.Warnings[0].Field)
		require.Len(t, f.State().CallLogs, 1, "it is the connection's user's")
		require.EqualValues(t, 1, number(f.State().CallLogs[0]["user_id"]))

		f = company(pipedrivefake.Options{})
		noScope := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/callLogs") {
				rw.WriteHeader(http.StatusForbidden)
				fmt.Fprint(rw, `{"success":false,"error":"Scope and URL mismatch"}`)
				return
			}
			f.ServeHTTP(rw, r)
		})
		out, err = open(t, noScope, as(record)).WriteCall(t.Context(), write("key", "", "x", noon))
		require.NoError(t, err)
		require.Contains(t, out.Warnings[0].Text, "as an activity")
		require.Len(t, f.State().Activities, 1)
	}
}

// lossy is a fake that answers the n-th request for a call log badly.
func lossy(f http.Handler, n int, bad func(rw http.ResponseWriter, r *http.Request)) http.Handler {
	var mu sync.Mutex
	seen := 0
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		hit := false
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/callLogs") {
			seen++
			hit = seen == n
		}
		mu.Unlock()
		if hit {
			bad(rw, r)
			return
		}
		f.ServeHTTP(rw, r)
	})
}

// A second request that failed leaves the activity known; the next attempt goes on with it and makes one call log.
func TestACallLogThatFailedIsMadeUpFor(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		bad   func(f http.Handler) func(http.ResponseWriter, *http.Request)
		class connectors.Class
		state string
		user  bool
		logs  int
	}{
		"too fast": {func(http.Handler) func(http.ResponseWriter, *http.Request) {
			return func(rw http.ResponseWriter, _ *http.Request) {
				rw.WriteHeader(http.StatusTooManyRequests)
				fmt.Fprint(rw, `{"success":false,"error":"Rate limit exceeded"}`)
			}
		}, connectors.RateLimited, "", true, 1},
		"blocked": {func(http.Handler) func(http.ResponseWriter, *http.Request) {
			return func(rw http.ResponseWriter, _ *http.Request) {
				rw.WriteHeader(http.StatusForbidden)
				fmt.Fprint(rw, "<html>blocked</html>")
			}
		}, connectors.Unavailable, "", true, 1},
		"lost before": {func(http.Handler) func(http.ResponseWriter, *http.Request) {
			return func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
		}, connectors.UnknownOutcome, ":?", false, 1},
		"lost after": {func(f http.Handler) func(http.ResponseWriter, *http.Request) {
			return func(_ http.ResponseWriter, r *http.Request) {
				f.ServeHTTP(httptest.NewRecorder(), r)
				panic(http.ErrAbortHandler)
			}
		}, connectors.UnknownOutcome, ":?", false, 1},
		"bad gateway after": {func(f http.Handler) func(http.ResponseWriter, *http.Request) {
			return func(rw http.ResponseWriter, r *http.Request) {
				f.ServeHTTP(httptest.NewRecorder(), r)
				rw.WriteHeader(http.StatusBadGateway)
			}
		}, connectors.Unavailable, ":?", false, 1},
		// Pipedrive does not show other users' call logs: the activity has to do.
		"lost, another user's": {func(f http.Handler) func(http.ResponseWriter, *http.Request) {
			return func(_ http.ResponseWriter, r *http.Request) {
				f.ServeHTTP(httptest.NewRecorder(), r)
				panic(http.ErrAbortHandler)
			}
		}, connectors.UnknownOutcome, ":?", true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := company(pipedrivefake.Options{})
			session := open(t, lossy(f, 1, tc.bad(f)), settings)
			w := write("key", "", "x", noon)
			if tc.user {
				w.Fields["user_id"] = "3"
			}
			_, err := session.WriteCall(t.Context(), w)
			e := connectors.AsError(err)
			require.Equal(t, tc.class, e.Class)
			require.True(t, e.Made, "the activity is there")
			id := fmt.Sprint(number(f.State().Activities[0]["id"]))
			require.Equal(t, id+tc.state, e.RemoteID)
			w.RemoteID = e.RemoteID
			out, err := session.WriteCall(t.Context(), w)
			require.NoError(t, err)
			require.Len(t, f.State().Activities, 1)
			require.Len(t, f.State().CallLogs, tc.logs)
			if name == "lost, another user's" {
				require.Equal(t, id+":-", out.RemoteID)
				require.NotEmpty(t, out.Warnings)
				return
			}
			require.Equal(t, id+":"+f.State().CallLogs[0]["id"].(string), out.RemoteID)
			// The worker died before it could say so: the attempt is made once more.
			_, err = session.WriteCall(t.Context(), w)
			require.NoError(t, err)
			require.Len(t, f.State().CallLogs, 1)
			w.RemoteID = out.RemoteID
			again, err := session.WriteCall(t.Context(), w)
			require.NoError(t, err)
			require.Equal(t, out.RemoteID, again.RemoteID)
			require.Len(t, f.State().CallLogs, 1)
		})
	}
}

func TestCallLogAlone(t *testing.T) {
	t.Parallel()
	f := company(pipedrivefake.Options{})
	session := open(t, f, as("call_log"))
	person := f.AddPerson("Ada", "+14155550199")
	w := write("key", "", "x", noon)
	w.Links = []connectors.Ref{{Object: "contact", ID: fmt.Sprint(person)}}
	out, err := session.WriteCall(t.Context(), w)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"1 POST /callLogs": 1}, f.State().Requests, "one request")
	require.EqualValues(t, person, number(f.State().CallLogs[0]["person_id"]))
	id, ok, err := session.(connectors.CallFinder).FindCall(t.Context(), "key")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, out.RemoteID, id)
	_, ok, err = session.(connectors.CallFinder).FindCall(t.Context(), "other")
	require.NoError(t, err)
	require.False(t, ok)
	require.False(t, session.(connectors.SureFinder).FindsSurely(), "other users' call logs are not listed")
	_, err = session.WriteCall(t.Context(), connectors.CallWrite{Key: "key", RemoteID: out.RemoteID, Fields: map[string]any{"note": "late"}})
	require.NoError(t, err)
	require.Contains(t, f.State().Activities[0]["note"], "late", "the activity that Pipedrive has made")

	// Without a word about the activity, nothing can be changed.
	alone, err := session.WriteCall(t.Context(), connectors.CallWrite{Key: "key", RemoteID: ":CA1", Fields: map[string]any{"note": "late"}})
	require.NoError(t, err)
	require.NotEmpty(t, alone.Warnings)
	require.True(t, open(t, f, settings).(connectors.SureFinder).FindsSurely())
}

func TestRecordingsOfCallsWithoutACallLog(t *testing.T) {
	t.Parallel()
	f := company(pipedrivefake.Options{})
	session := open(t, f, settings)
	uploader := session.(connectors.RecordingUploader)
	_, err := uploader.UploadRecording(t.Context(), connectors.RecordingUpload{Key: "r", CallID: "77:CA1", Name: "a.mp3", Size: 3, Open: content("abc")})
	require.Equal(t, connectors.NotFound, connectors.AsError(err).Class)
	_, err = uploader.UploadRecording(t.Context(), connectors.RecordingUpload{Key: "r", CallID: ":?", Name: "a.mp3", Size: 3, Open: content("abc")})
	require.Equal(t, connectors.NotFound, connectors.AsError(err).Class)
	away := errors.New("the archive is away")
	_, err = uploader.UploadRecording(t.Context(), connectors.RecordingUpload{Key: "r", CallID: "77:CA1", Name: "a.mp3", Size: 3, Open: failing(away)})
	require.ErrorIs(t, err, away)
	require.True(t, connectors.AsError(err).NotSent)

	w := write("key", "", "x", noon)
	delete(w.Fields, "to_phone_number")
	out, err := session.WriteCall(t.Context(), w)
	require.NoError(t, err)
	for range 2 {
		for _, key := range []string{"r-1", "r-2"} {
			_, err = uploader.UploadRecording(t.Context(), connectors.RecordingUpload{Key: key, CallID: out.RemoteID, Name: `a "call"/x.mp3`, ContentType: "audio/mpeg", Size: 3, Open: content("abc")})
			require.NoError(t, err)
		}
	}
	require.Len(t, f.State().Files, 2, "each recording once")
}

// Many calls, several at once, through faults of every kind and by the protocol of deliveries: one activity and one call
// log each.
func TestRoughNetwork(t *testing.T) {
	t.Parallel()
	f := company(pipedrivefake.Options{})
	session := open(t, f, settings)
	f.SetFaults(pipedrivefake.Faults{Seed: 7, Rates: map[pipedrivefake.Fault]float64{pipedrivefake.FaultRateLimit: .05, pipedrivefake.FaultUnavailable: .05,
		pipedrivefake.FaultBlocked: .03, pipedrivefake.FaultDrop: .05, pipedrivefake.FaultCommitDrop: .1, pipedrivefake.FaultCommitHang: .03, pipedrivefake.FaultCommitUnavailable: .05}})
	const calls = 120
	var wg sync.WaitGroup
	for worker := range 6 {
		wg.Go(func() {
			for i := worker; i < calls; i += 6 {
				if !deliver(t, session, fmt.Sprintf("key-%d", i)) {
					t.Errorf("call %d was never done", i)
				}
			}
		})
	}
	wg.Wait()
	f.SetFaults(pipedrivefake.Faults{})
	s := f.State()
	require.Len(t, s.Activities, calls)
	logs := map[int64]int{}
	for _, l := range s.CallLogs {
		logs[number(l["activity_id"])]++
	}
	require.Len(t, s.CallLogs, calls)
	for id, n := range logs {
		require.Equal(t, 1, n, id)
	}
	require.Empty(t, s.Refused, "not one request asked for something twice")
}

// deliver writes a call as deliveries do: what is known to be made is gone on with, what may have been made is looked for.
func deliver(t *testing.T, session connectors.Session, key string) bool {
	remote, open := "", false
	for range 60 {
		if remote == "" && open {
			id, ok, err := session.(connectors.CallFinder).FindCall(t.Context(), key)
			if err != nil {
				continue
			}
			if open = false; ok {
				remote = id
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		out, err := session.WriteCall(ctx, write(key, remote, "text", noon))
		cancel()
		if err == nil {
			return out.RemoteID != ""
		}
		e := connectors.AsError(err)
		switch {
		case e.Made:
			remote = e.RemoteID
		case remote == "" && !e.NotSent && (e.Class == connectors.UnknownOutcome || e.Class == connectors.Unavailable):
			open = true
		}
	}
	return false
}

var _ = pipedrive.ID
