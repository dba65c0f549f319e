package pipedrivefake_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors/pipedrive/pipedrivefake"
)

func send(t *testing.T, f http.Handler, method, path, kind, body string) (int, map[string]any) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("x-api-token", "fake-token")
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	var out map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &out)
	return w.Code, out
}

func quiet() *pipedrivefake.Fake {
	return pipedrivefake.New(pipedrivefake.Options{PerTwoSeconds: -1, SearchPerTwoSeconds: -1, SearchLag: -1})
}

// The fake refuses what the vendor's description refuses, as it was seen on a server that keeps to it.
func TestStrictness(t *testing.T) {
	t.Parallel()
	good := `"to_phone_number":"+13035550100","outcome":"connected","start_time":"2026-06-01T12:00:00Z","end_time":"2026-06-01T12:01:00Z"`
	for name, tc := range map[string]struct {
		method, path, body string
		want               int
	}{
		"a call log":              {"POST", "/v1/callLogs", `{` + good + `}`, 200},
		"the company's address":   {"POST", "/api/v1/callLogs", `{` + good + `}`, 200},
		"wrong outcome":           {"POST", "/v1/callLogs", strings.Replace(`{`+good+`}`, "connected", "answered", 1), 400},
		"missing field":           {"POST", "/v1/callLogs", `{"to_phone_number":"+13035550100","outcome":"connected"}`, 400},
		"times as in the prose":   {"POST", "/v1/callLogs", strings.Replace(`{`+good+`}`, "2026-06-01T12:00:00Z", "2026-06-01 12:00:00", 1), 400},
		"duration as a number":    {"POST", "/v1/callLogs", `{` + good + `,"duration":61}`, 400},
		"undocumented field":      {"POST", "/v1/callLogs", `{` + good + `,"direction":"inbound"}`, 400},
		"another's record":        {"POST", "/v1/callLogs", `{` + good + `,"person_id":99}`, 400},
		"call logs do not change": {"PUT", "/v1/callLogs/CA1", `{` + good + `}`, 404},
		"no such thing in v2":     {"POST", "/api/v2/callLogs", `{` + good + `}`, 404},
		"an activity":             {"POST", "/api/v2/activities", `{"subject":"x","done":true}`, 200},
		"done is a boolean":       {"POST", "/api/v2/activities", `{"subject":"x","done":1}`, 400},
		"null is no value":        {"POST", "/api/v2/activities", `{"subject":null}`, 400},
		"person_id is read-only":  {"POST", "/api/v2/activities", `{"subject":"x","person_id":1}`, 400},
		"not JSON":                {"POST", "/api/v2/activities", `subject=x`, 400},
		"list of enums":           {"GET", "/api/v2/persons/search?term=0199&fields=phone,name", "", 400},
		"short term":              {"GET", "/api/v2/persons/search?term=1&fields=phone", "", 400},
		"fractions in filters":    {"GET", "/api/v2/activities?updated_since=2026-06-01T12:00:00.123Z", "", 400},
		"unknown parameter":       {"GET", "/api/v2/activities?since=2026", "", 400},
		"lead of nobody":          {"POST", "/v1/leads", `{"title":"x"}`, 400},
		"note of nobody":          {"POST", "/v1/notes", `{"content":"x"}`, 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kind := ""
			if tc.body != "" {
				kind = "application/json"
			}
			status, body := send(t, quiet(), tc.method, tc.path, kind, tc.body)
			require.Equal(t, tc.want, status, body)
			require.Equal(t, tc.want == 200, body["success"])
		})
	}
	status, _ := send(t, quiet(), "POST", "/api/v2/activities", "text/plain", `{"subject":"x"}`)
	require.Equal(t, 400, status)
	r := httptest.NewRequest("GET", "/v1/users/me", nil)
	w := httptest.NewRecorder()
	quiet().ServeHTTP(w, r)
	require.Equal(t, 401, w.Code)
}

func TestOneRecordingForACallLog(t *testing.T) {
	t.Parallel()
	f := quiet()
	_, made := send(t, f, "POST", "/v1/callLogs", "application/json", `{"to_phone_number":"1","outcome":"busy","start_time":"2026-06-01T12:00:00Z","end_time":"2026-06-01T12:01:00Z"}`)
	id := made["data"].(map[string]any)["id"].(string)
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	part, err := form.CreateFormFile("file", "a.mp3")
	require.NoError(t, err)
	_, _ = io.WriteString(part, "sound")
	require.NoError(t, form.Close())
	for _, want := range []int{200, 409} {
		status, _ := send(t, f, "POST", "/v1/callLogs/"+id+"/recordings", form.FormDataContentType(), b.String())
		require.Equal(t, want, status)
	}
	status, _ := send(t, f, "POST", "/v1/callLogs/CA0/recordings", form.FormDataContentType(), b.String())
	require.Equal(t, 404, status)
	require.Equal(t, "sound", string(f.State().Recordings[id]))
}

func TestOAuthOfTheFake(t *testing.T) {
	t.Parallel()
	f := quiet()
	r := httptest.NewRequest("GET", "/oauth/authorize?client_id=client&state=s&redirect_uri="+url.QueryEscape("https://callsync.example/oauth/callback"), nil)
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	back, err := url.Parse(w.Header().Get("Location"))
	require.NoError(t, err)
	require.Equal(t, "s", back.Query().Get("state"))
	token := func(secret string, form url.Values) (int, map[string]any) {
		r := httptest.NewRequest("POST", "/oauth/token", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth("client", secret)
		w := httptest.NewRecorder()
		f.ServeHTTP(w, r)
		var out map[string]any
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &out))
		return w.Code, out
	}
	grant := url.Values{"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}}
	status, _ := token("wrong", grant)
	require.Equal(t, 401, status)
	status, answer := token("secret", grant)
	require.Equal(t, 200, status)
	status, _ = token("secret", grant)
	require.Equal(t, 400, status, "a code is good once")
	ask := func(access any) int {
		r := httptest.NewRequest("GET", "/v1/users/me", nil)
		r.Header.Set("Authorization", "Bearer "+fmt.Sprint(access))
		w := httptest.NewRecorder()
		f.ServeHTTP(w, r)
		return w.Code
	}
	require.Equal(t, 200, ask(answer["access_token"]))
	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {fmt.Sprint(answer["refresh_token"])}}
	status, fresh := token("secret", refresh)
	require.Equal(t, 200, status)
	f.Revoke()
	require.Equal(t, 401, ask(fresh["access_token"]))
	status, _ = token("secret", refresh)
	require.Equal(t, 400, status)
}

func TestPageAndFaults(t *testing.T) {
	t.Parallel()
	f := quiet()
	status, _ := send(t, f, "POST", "/_fake/faults", "application/json", `{"script":["blocked_403","rate_429"]}`)
	require.Equal(t, 204, status)
	for _, want := range []int{403, 429, 200} {
		status, _ = send(t, f, "POST", "/api/v2/activities", "application/json", `{"subject":"<b>x"}`)
		require.Equal(t, want, status)
	}
	status, _ = send(t, f, "POST", "/_fake/faults", "application/json", `{"nonsense":1}`)
	require.Equal(t, 400, status)
	status, state := send(t, f, "GET", "/_fake/state", "", "")
	require.Equal(t, 200, status)
	require.Len(t, state["Activities"], 1)
	r := httptest.NewRequest("GET", "/", nil)
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	require.Contains(t, w.Body.String(), "&lt;b&gt;x")
}
