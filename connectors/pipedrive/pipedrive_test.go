package pipedrive_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/pipedrive"
	"github.com/callsync/callsync/connectors/pipedrive/pipedrivefake"
)

const token = "pd-secret-0123456789abcdef"

var noon = time.Date(2026, 6, 1, 12, 0, 0, 123e6, time.UTC)

func settings(url string) connectors.Settings {
	return connectors.Settings{ConnectionID: "c1", Config: map[string]string{"base_url": url}, Secrets: map[string]string{"api_token": token}}
}

// company is a fake without limits and lag, unless o says otherwise.
func company(o pipedrivefake.Options) *pipedrivefake.Fake {
	o.Tokens = []string{token}
	if o.SearchLag == 0 {
		o.SearchLag = -1
	}
	if o.PerTwoSeconds == 0 {
		o.PerTwoSeconds, o.SearchPerTwoSeconds = -1, -1
	}
	return pipedrivefake.New(o)
}

func open(t *testing.T, h http.Handler, set func(string) connectors.Settings) connectors.Session {
	t.Helper()
	s := httptest.NewServer(recording(t, h))
	t.Cleanup(s.Close)
	session, err := pipedrive.New().Open(set(s.URL))
	require.NoError(t, err)
	return session
}

// ready is a company after its connect test.
func ready(t *testing.T, o pipedrivefake.Options, set func(string) connectors.Settings) *pipedrivefake.Fake {
	t.Helper()
	f := company(o)
	report, err := open(t, f, set).(connectors.Verifier).Verify(t.Context())
	require.NoError(t, err)
	require.True(t, report.OK(), "%+v", report)
	return f
}

func write(key, remoteID, text string, at time.Time) connectors.CallWrite {
	return connectors.CallWrite{Key: key, RemoteID: remoteID, Fields: map[string]any{
		"subject": "A call", "note": text, "start_time": at, "end_time": at.Add(61 * time.Second), "duration": int64(61), "outcome": "connected",
		"from_phone_number": "+14155550199", "to_phone_number": "+13035550100",
	}}
}
