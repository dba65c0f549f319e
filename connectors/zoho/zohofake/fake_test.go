package zohofake_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors/zoho/zohofake"
)

type client struct {
	t     *testing.T
	h     http.Handler
	token string
}

func (c client) do(method, path, body string) (int, string) {
	c.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if c.token != "" {
		r.Header.Set("Authorization", "Zoho-oauthtoken "+c.token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	c.h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

const newKey = `{"fields":[{"field_label":"callsync key","data_type":"text","length":100,"unique":{"case_sensitive":false}}]}`

func fields(extra string) string {
	return `{"data":[{"Subject":"A call","Call_Type":"Inbound","Call_Start_Time":"2026-06-01T12:00:00+00:00","Call_Duration":"03:25"` + extra + `}]}`
}

func TestStrictness(t *testing.T) {
	t.Parallel()
	f := zohofake.New(zohofake.Options{SearchLag: -1})
	c := client{t, f, zohofake.Token}
	code, _ := c.do("POST", "/crm/v8/settings/fields?module=Calls", newKey)
	require.Equal(t, 201, code)
	code, body := c.do("POST", "/crm/v8/Calls", fields(`,"callsync_key":"k"`))
	require.Equal(t, 201, code)
	var made struct {
		Data []struct{ Details struct{ ID string } }
	}
	require.NoError(t, json.Unmarshal([]byte(body), &made))
	id := made.Data[0].Details.ID
	gone := f.Add("Contacts", map[string]any{"Last_Name": "x"})
	f.Delete("Contacts", gone)
	for name, tc := range map[string]struct {
		method, path, body string
		status             int
		contains           string
	}{
		"good":                     {"POST", "/crm/v8/Calls", fields(``), 201, "record added"},
		"same key":                 {"POST", "/crm/v8/Calls", fields(`,"callsync_key":"K"`), 400, `"duplicate_record":{"Owner"`},
		"unknown field":            {"POST", "/crm/v8/Calls", fields(`,"nope":1`), 201, "SUCCESS"},
		"number for text":          {"POST", "/crm/v8/Calls", fields(`,"Description":3`), 400, "INVALID_DATA"},
		"time without an offset":   {"POST", "/crm/v8/Calls", strings.Replace(fields(``), "+00:00", "", 1), 400, "INVALID_DATA"},
		"time with Z":              {"POST", "/crm/v8/Calls", strings.Replace(fields(``), "+00:00", "Z", 1), 400, "INVALID_DATA"},
		"no time at all":           {"POST", "/crm/v8/Calls", strings.Replace(fields(``), "03:25", "00:00", 1), 400, "Call Duration can not be zero"},
		"missed without a length":  {"POST", "/crm/v8/Calls", `{"data":[{"Subject":"x","Call_Type":"Missed","Call_Start_Time":"2026-06-01T12:00:00+05:30"}]}`, 201, "SUCCESS"},
		"seconds":                  {"POST", "/crm/v8/Calls", strings.Replace(fields(``), "03:25", "205", 1), 400, "INVALID_DATA"},
		"unknown type":             {"POST", "/crm/v8/Calls", strings.Replace(fields(``), "Inbound", "inbound", 1), 400, "INVALID_DATA"},
		"new value of a list":      {"POST", "/crm/v8/Calls", fields(`,"Call_Result":"Brand new"`), 201, "SUCCESS"},
		"no subject":               {"POST", "/crm/v8/Calls", strings.Replace(fields(``), "A call", "", 1), 400, "MANDATORY_NOT_FOUND"},
		"long subject":             {"POST", "/crm/v8/Calls", strings.Replace(fields(``), "A call", strings.Repeat("x", 256), 1), 400, `"maximum_length":255`},
		"lookup as text":           {"POST", "/crm/v8/Calls", fields(`,"Who_Id":"1"`), 400, "jsonobject"},
		"deleted contact":          {"POST", "/crm/v8/Calls", fields(`,"Who_Id":{"id":"` + gone + `"}`), 400, "id given seems to be invalid"},
		"what without its module":  {"POST", "/crm/v8/Calls", fields(`,"What_Id":{"id":"1"}`), 400, "DEPENDENT_FIELD_MISSING"},
		"unknown owner":            {"POST", "/crm/v8/Calls", fields(`,"Owner":{"id":"1"}`), 400, "Owner"},
		"no envelope":              {"POST", "/crm/v8/Calls", `{"Subject":"x"}`, 400, "jsonarray"},
		"no JSON":                  {"POST", "/crm/v8/Calls", `{`, 400, "INVALID_DATA"},
		"unknown module":           {"POST", "/crm/v8/Phonecalls", fields(``), 400, "INVALID_MODULE"},
		"wrong verb":               {"PATCH", "/crm/v8/Calls/" + id, fields(``), 400, "INVALID_REQUEST_METHOD"},
		"wrong path":               {"GET", "/crm/v7/Calls", "", 404, "INVALID_URL_PATTERN"},
		"update of nothing":        {"PUT", "/crm/v8/Calls/1", `{"data":[{"Subject":"x"}]}`, 400, "id given seems to be invalid"},
		"update without an id":     {"PUT", "/crm/v8/Calls", `{"data":[{"Subject":"x"}]}`, 400, `"api_name":"id"`},
		"some of them":             {"POST", "/crm/v8/Calls", strings.TrimSuffix(fields(``), "]}") + `,{"Subject":"x"}]}`, 207, "MANDATORY_NOT_FOUND"},
		"read":                     {"GET", "/crm/v8/Calls/" + id + "?fields=Subject,Call_Duration_in_seconds", "", 200, `"Call_Duration_in_seconds":205`},
		"read of a deleted one":    {"GET", "/crm/v8/Contacts/" + gone, "", 204, ""},
		"list without fields":      {"GET", "/crm/v8/Calls", "", 400, "REQUIRED_PARAM_MISSING"},
		"search for nothing":       {"GET", "/crm/v8/Calls/search", "", 400, "EXPECTED_PARAM_MISSING"},
		"search that finds none":   {"GET", "/crm/v8/Contacts/search?phone=4155550199", "", 204, ""},
		"search with a letter":     {"GET", "/crm/v8/Contacts/search?phone=abc", "", 400, "special characters"},
		"equals finds more":        {"GET", "/crm/v8/Calls/search?criteria=(Subject:equals:a)", "", 200, "A call"},
		"attachments without form": {"POST", "/crm/v8/Calls/" + id + "/Attachments", `{}`, 400, "multipart"},
		"field twice":              {"POST", "/crm/v8/settings/fields?module=Calls", newKey, 400, "DUPLICATE_DATA"},
		"external field of calls":  {"POST", "/crm/v8/settings/fields?module=Calls", `{"fields":[{"field_label":"x","data_type":"text","length":10,"external":{"type":"org"}}]}`, 400, "NOT_SUPPORTED"},
	} {
		code, body := c.do(tc.method, strings.ReplaceAll(tc.path, " ", "%20"), tc.body)
		require.Equal(t, tc.status, code, "%s: %s", name, body)
		require.Contains(t, body, tc.contains, name)
	}
	always := client{t, zohofake.New(zohofake.Options{Always200: true}), zohofake.Token}
	code, body = always.do("POST", "/crm/v8/Calls", `{"data":[{}]}`)
	require.Equal(t, 200, code)
	require.Contains(t, body, `"status":"error"`)
	code, body = client{t, f, ""}.do("GET", "/crm/v8/org", "")
	require.Equal(t, 401, code)
	require.Contains(t, body, "AUTHENTICATION_FAILURE")
	code, body = client{t, f, "x"}.do("GET", "/crm/v8/org", "")
	require.Equal(t, 401, code)
	require.Contains(t, body, "INVALID_TOKEN")
	code, body = client{t, f, ""}.do("GET", "/", "")
	require.Equal(t, 200, code)
	require.Contains(t, body, "A call")
}

func TestUniqueFields(t *testing.T) {
	t.Parallel()
	c := client{t, zohofake.New(zohofake.Options{}), zohofake.Token}
	for i := range 3 {
		code, body := c.do("POST", "/crm/v8/settings/fields?module=Contacts", strings.Replace(newKey, "callsync key", fmt.Sprint("key ", i), 1))
		require.Equal(t, i < 2, code == 201, body)
	}
}

// TestTokens walks through the consent page and asks for more access tokens than Zoho gives.
func TestTokens(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	f := zohofake.New(zohofake.Options{DataCenter: "eu", Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }})
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	hop := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	q := url.Values{"client_id": {"1000.FAKE"}, "response_type": {"code"}, "scope": {"ZohoCRM.org.READ,ZohoCRM.users.READ"}, "redirect_uri": {"https://callsync.example/oauth/callback"}, "state": {"st"}, "yes": {"1"}}
	resp, err := hop.Get(s.URL + "/oauth/v2/auth?" + q.Encode())
	require.NoError(t, err)
	resp.Body.Close()
	back, err := resp.Location()
	require.NoError(t, err)
	require.Equal(t, "eu", back.Query().Get("location"))
	require.Equal(t, "st", back.Query().Get("state"))
	ask := func(more url.Values) (int, map[string]any) {
		form := url.Values{"client_id": {"1000.FAKE"}, "client_secret": {"fake-secret"}}
		for k, v := range more {
			form[k] = v
		}
		resp, err := http.PostForm(s.URL+"/oauth/v2/token", form)
		require.NoError(t, err)
		defer resp.Body.Close()
		var out map[string]any
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&out))
		return resp.StatusCode, out
	}
	code := url.Values{"grant_type": {"authorization_code"}, "code": back.Query()["code"], "redirect_uri": {"https://callsync.example/oauth/callback"}}
	status, first := ask(code)
	require.Equal(t, 200, status)
	require.NotEmpty(t, first["refresh_token"])
	status, again := ask(code)
	require.Equal(t, 200, status, "an error comes with 200")
	require.Equal(t, "invalid_code", again["error"])
	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first["refresh_token"].(string)}}
	var last string
	for range 9 {
		status, out := ask(refresh)
		require.Equal(t, 200, status)
		last = out["access_token"].(string)
	}
	status, out := ask(refresh)
	require.Equal(t, 400, status)
	require.Equal(t, "Access Denied", out["error"])
	mu.Lock()
	now = now.Add(11 * time.Minute)
	mu.Unlock()
	status, _ = ask(refresh)
	require.Equal(t, 200, status)
	c := client{t, f, last}
	got, _ := c.do("GET", "/crm/v8/org", "")
	require.Equal(t, 200, got)
	got, body := c.do("GET", "/crm/v8/Calls?fields=id", "")
	require.Equal(t, 401, got)
	require.Contains(t, body, "OAUTH_SCOPE_MISMATCH")
	mu.Lock()
	now = now.Add(time.Hour)
	mu.Unlock()
	got, _ = c.do("GET", "/crm/v8/org", "")
	require.Equal(t, 401, got)
	f.Revoke()
	_, out = ask(refresh)
	require.Equal(t, "invalid_code", out["error"])
	_, out = ask(url.Values{"grant_type": {"client_credentials"}, "soid": {"ZohoCRM.60012345678"}, "scope": {"ZohoCRM.org.READ"}})
	require.NotEmpty(t, out["access_token"])
	_, out = ask(url.Values{"grant_type": {"client_credentials"}})
	require.Equal(t, "missing_org_info", out["error"])
}
