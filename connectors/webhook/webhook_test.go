package webhook_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/connectortest"
	"github.com/callsync/callsync/connectors/webhook"
	"github.com/callsync/callsync/connectors/webhook/webhookfake"
)

const (
	secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	other  = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
)

func settings(url string) connectors.Settings {
	return connectors.Settings{Config: map[string]string{"base_url": url}, Secrets: map[string]string{"signing_secret": secret}}
}

var revision atomic.Int64

// write makes a further revision of a call.
func write(key, remoteID, text string, at time.Time) connectors.CallWrite {
	c := call.Call{ID: key, WorkspaceID: "w", Provider: "callrail", Revision: revision.Add(1), Phase: call.Ended}
	c.Note, c.StartedAt, c.Customer.Number = text, at, "+14155550199"
	return connectors.CallWrite{Key: key, RemoteID: remoteID, Call: c}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, connectortest.Target{
		Connector: webhook.New(),
		Settings:  settings,
		Secrets:   []string{secret, strings.TrimPrefix(secret, "whsec_")},
		New: func(t *testing.T) connectortest.CRM {
			r, err := webhookfake.New(secret, nil)
			require.NoError(t, err)
			read := func(key string) (call.Call, bool) {
				got, ok := r.Call(key)
				var c call.Call
				if ok {
					require.NoError(t, json.Unmarshal(got.Data, &c))
				}
				return c, ok
			}
			return connectortest.CRM{
				Handler: r,
				Count: func(key string) int {
					if _, ok := r.Call(key); ok {
						return 1
					}
					return 0
				},
				Text: func(key string) (string, bool) { c, ok := read(key); return c.Note, ok },
				Time: func(key string) (time.Time, bool) { c, ok := read(key); return c.StartedAt, ok },
			}
		},
		Write:   write,
		Classes: map[int]connectors.Class{404: connectors.Invalid, 410: connectors.Revoked},
	})
}

// TestSpecificationVector signs the example of the Standard Webhooks specification.
func TestSpecificationVector(t *testing.T) {
	t.Parallel()
	got := webhook.Sign(t, secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	require.Equal(t, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", got)
}

func TestPayload(t *testing.T) {
	t.Parallel()
	var id []string
	var body map[string]json.RawMessage
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id = append(id, r.Header.Get("webhook-id"))
		body = nil
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(s.Close)
	session, err := webhook.New().Open(settings(s.URL + "/in?tenant=7"))
	require.NoError(t, err)
	at := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	w := write("key", "", "<b>", at)
	for range 2 {
		out, err := session.WriteCall(t.Context(), w)
		require.NoError(t, err)
		require.Equal(t, connectors.Written{RemoteID: "key", Created: true}, out)
	}
	w.Call.Revision++
	_, err = session.WriteCall(t.Context(), w)
	require.NoError(t, err)
	require.Equal(t, id[0], id[1], "a repetition has the same id")
	require.NotEqual(t, id[1], id[2], "another revision has another")
	require.NotContains(t, id[0], ".")
	same := w
	same.Key = "another"
	_, err = session.WriteCall(t.Context(), same)
	require.NoError(t, err)
	require.NotEqual(t, id[2], id[3], "so has another call of the same revision")
	_, err = session.WriteCall(t.Context(), w)
	require.NoError(t, err)
	require.JSONEq(t, `"call.upserted"`, string(body["type"]))
	require.True(t, strings.HasPrefix(string(body["data"]), `{"delivery_key":"key","id":"key",`), string(body["data"]))
	require.Contains(t, string(body["data"]), `"note":"<b>"`)
}

func TestSecretsInTurn(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	for _, theirs := range []string{secret, other} {
		r, err := webhookfake.New(theirs, nil)
		require.NoError(t, err)
		s := httptest.NewServer(r)
		t.Cleanup(s.Close)
		set := settings(s.URL)
		set.Secrets["signing_secret"] = other + " " + secret
		session, err := webhook.New().Open(set)
		require.NoError(t, err)
		_, err = session.WriteCall(t.Context(), write("key", "", "x", at))
		require.NoError(t, err, "two secrets fit receivers with either")
	}
	r, err := webhookfake.New(other, nil)
	require.NoError(t, err)
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	session, err := webhook.New().Open(settings(s.URL))
	require.NoError(t, err)
	_, err = session.WriteCall(t.Context(), write("key", "", "x", at))
	require.Equal(t, connectors.Unauthorized, connectors.AsError(err).Class)
	require.Contains(t, connectors.AsError(err).Public, "signing secret")
	require.Equal(t, webhookfake.Counts{Refused: 1}, r.Counts())
	for _, bad := range []string{"", "x", "whsec_", "whsec_!!", "whsec_c2hvcnQ="} {
		set := settings(s.URL)
		set.Secrets["signing_secret"] = bad
		_, err := webhook.New().Open(set)
		require.Equal(t, "signing_secret", connectors.AsError(err).Field, bad)
	}
}

func TestReceiverRefuses(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	good := `{"type":"call.upserted","timestamp":"2026-06-01T12:00:00Z","data":{"id":"1","delivery_key":"1","revision":3}}`
	r, err := webhookfake.New(secret, func() time.Time { return now })
	require.NoError(t, err)
	send := func(id string, at time.Time, body, signed string) int {
		q := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		q.Header.Set("Content-Type", "application/json")
		q.Header.Set("webhook-id", id)
		q.Header.Set("webhook-timestamp", fmt.Sprint(at.Unix()))
		q.Header.Set("webhook-signature", webhook.Sign(t, secret, id, at, []byte(signed)))
		w := httptest.NewRecorder()
		r.ServeHTTP(w, q)
		return w.Code
	}
	require.Equal(t, 204, send("m1", now, good, good))
	require.Equal(t, 204, send("m1", now, good, good), "again")
	older := strings.Replace(good, `"revision":3`, `"revision":2`, 1)
	require.Equal(t, 204, send("m2", now, older, older))
	require.Equal(t, 401, send("m3", now, good, good+" "), "another body")
	require.Equal(t, 401, send("m3", now.Add(-6*time.Minute), good, good), "too old")
	require.Equal(t, 401, send("m3", now.Add(6*time.Minute), good, good), "from the future")
	require.Equal(t, 401, send("", now, good, good))
	require.Equal(t, 400, send("m4", now, `{}`, `{}`))
	require.Equal(t, webhookfake.Counts{Stored: 1, Repeated: 1, Older: 1, Refused: 5}, r.Counts())
	c, ok := r.Call("1")
	require.True(t, ok)
	require.EqualValues(t, 3, c.Revision)
}

func TestVerify(t *testing.T) {
	t.Parallel()
	r, err := webhookfake.New(secret, nil)
	require.NoError(t, err)
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	open := func(url string) connectors.Verifier {
		session, err := webhook.New().Open(settings(url))
		require.NoError(t, err)
		return session.(connectors.Verifier)
	}
	report, err := open(s.URL).Verify(t.Context())
	require.NoError(t, err)
	require.True(t, report.OK())
	require.Equal(t, connectors.KeyedUpsert, report.Idempotency)
	require.Contains(t, report.Checks[1].Text, "not https")
	require.Equal(t, webhookfake.Counts{Pings: 1}, r.Counts())
	for status, text := range map[int]string{410: "410 Gone", 404: "Correct the address", 401: "signing secret", 500: "did not acknowledge"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(s.Close)
		report, err := open(s.URL).Verify(t.Context())
		require.NoError(t, err)
		require.False(t, report.OK())
		require.Contains(t, report.Checks[0].Text, text)
	}
	require.Equal(t, []string{"verify"}, connectors.NewRegistry(webhook.New()).Infos()[0].Capabilities)
}
