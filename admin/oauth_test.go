package admin_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/activities/grants"
	"github.com/callsync/callsync/admin"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/postgres"
	"github.com/callsync/callsync/records"
)

// consentCRM is a CRM that is connected by its consent page.
type consentCRM struct{ tokenURL string }

func (c consentCRM) Info() connectors.Info {
	return connectors.Info{ID: "consent", Label: "Consent CRM", Idempotency: connectors.KeyedUpsert, Fields: []connectors.Field{
		{Name: "base_url", Label: "API address"}, {Name: "region", Label: "Region"}, {Name: "client_id", Label: "Client id"}, {Name: "client_secret", Label: "Client secret", Secret: true}}}
}

func (c consentCRM) OAuth(s connectors.Settings) (connectors.OAuth, bool, error) {
	return connectors.OAuth{Grant: connectors.AuthorizationCode, AuthURL: "https://crm.example/consent", TokenURL: c.tokenURL + "/" + s.Config["region"], PKCE: true,
		ClientID: s.Config["client_id"], ClientSecret: s.Secrets["client_secret"],
		Learn: func(answer map[string]any) map[string]string {
			domain, _ := answer["api_domain"].(string)
			return map[string]string{"base_url": domain}
		}}, s.Config["client_id"] != "", nil
}

// ReadConsent lets the way back say where the account is, once an admin has switched that on.
func (c consentCRM) ReadConsent(s connectors.Settings, q url.Values) (map[string]string, error) {
	switch q.Get("location") {
	case "":
		return nil, nil
	case "mars":
		return nil, &connectors.Error{Class: connectors.Invalid, Public: "There is no data centre on Mars."}
	}
	return map[string]string{"region": q.Get("location")}, nil
}

func (c consentCRM) Open(s connectors.Settings) (connectors.Session, error) {
	if s.Tokens == nil {
		return nil, &connectors.Error{Class: connectors.Invalid, Field: "client_id", Public: "Give the client id."}
	}
	return consentSession{}, nil
}

type consentSession struct{}

func (consentSession) WriteCall(context.Context, connectors.CallWrite) (connectors.Written, error) {
	return connectors.Written{}, nil
}

type consentFixture struct {
	*fixture
	conn   string
	domain string
	// path is where a token was asked for last.
	path string
}

func newConsentFixture(t *testing.T) *consentFixture {
	c := &consentFixture{domain: "https://acme.crm.example"}
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		c.path = strings.TrimSuffix(r.URL.Path, "/")
		if r.FormValue("code") != "good" || r.FormValue("code_verifier") == "" || r.FormValue("client_secret") != "hunter2" {
			w.WriteHeader(400)
			_, _ = w.Write([]byte(`{"error":"invalid_grant","error_description":"hunter2"}`))
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "access", "refresh_token": "refresh", "expires_in": 3600, "api_domain": c.domain})
	}))
	t.Cleanup(vendor.Close)
	c.fixture = newFixture(t, func(d *admin.Deps) {
		d.Connectors = connectors.NewRegistry(consentCRM{vendor.URL})
		d.Grants = &grants.Grants{Store: d.Store.(*postgres.DB)}
	})
	made := c.must(201, "POST", "/connections", `{"connector":"consent","config":{"client_id":"app"},"secrets":{"client_secret":"hunter2"}}`)
	c.conn = made.JSON["id"].(string)
	return c
}

// start begins a flow and returns the state.
func (c *consentFixture) start() string {
	u, err := url.Parse(c.must(200, "GET", "/connections/"+c.conn+"/oauth/start", "").JSON["url"].(string))
	require.NoError(c.t, err)
	require.Equal(c.t, "crm.example", u.Host)
	require.Equal(c.t, c.http.URL+"/oauth/callback", u.Query().Get("redirect_uri"))
	return u.Query().Get("state")
}

func (c *consentFixture) callback(client *http.Client, query string) reply {
	return c.get(client, "/oauth/callback?"+query)
}

var noFollow = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func TestConnectByConsent(t *testing.T) {
	t.Parallel()
	c := newConsentFixture(t)
	require.NoError(t, c.db.SetConnectionStatus(t.Context(), c.ws, c.conn, records.ConnectionRevoked, "gone"))
	state := c.start()
	r := c.callback(noFollow, "code=bad&state="+state)
	require.Equal(t, 502, r.Status, r.Raw)
	require.NotContains(t, r.Raw, "hunter2")
	require.Equal(t, 400, c.callback(noFollow, "code=good&state="+state).Status, "a state counts once")
	require.Equal(t, 400, c.callback(noFollow, "error=access_denied&state="+c.start()).Status)
	require.Equal(t, 400, c.callback(noFollow, "code=good&state=").Status)

	r = c.callback(noFollow, "code=good&state="+c.start())
	require.Equal(t, 303, r.Status, r.Raw)
	now := c.must(200, "GET", "/connections/"+c.conn, "")
	require.Equal(t, "active", now.JSON["status"])
	require.Equal(t, "https://acme.crm.example", now.JSON["config"].(map[string]any)["base_url"])
	require.NotContains(t, now.Raw, "hunter2")

	// What comes back beside the code counts for its exchange, and is kept.
	require.Equal(t, 502, c.callback(noFollow, "code=good&location=mars&state="+c.start()).Status)
	require.Empty(t, c.path)
	require.Equal(t, 303, c.callback(noFollow, "code=good&location=eu&state="+c.start()).Status)
	require.Equal(t, "/eu", c.path)
	require.Equal(t, "eu", c.must(200, "GET", "/connections/"+c.conn, "").JSON["config"].(map[string]any)["region"])

	// What the answer names is checked like what an admin types; and what an admin has typed stays.
	c.domain = "https://10.0.0.1"
	require.Equal(t, 303, c.callback(noFollow, "code=good&state="+c.start()).Status)
	c.exec(`update connections set config = config - 'base_url'`)
	require.Equal(t, 422, c.callback(noFollow, "code=good&state="+c.start()).Status)
}

func TestWhoBeginsAConsentEndsIt(t *testing.T) {
	t.Parallel()
	c := newConsentFixture(t)
	c.user(c.ws, "ada@example.com", "Ada", "admin")
	c.user(c.ws, "bob@example.com", "Bob", "admin")
	c.user(c.ws, "vic@example.com", "Vic", "viewer")
	ada, bob, vic := c.signIn("ada@example.com"), c.signIn("bob@example.com"), c.signIn("vic@example.com")
	for _, client := range []*http.Client{ada, bob, vic} {
		client.CheckRedirect = noFollow.CheckRedirect
	}
	begin := func() string {
		r := c.get(ada, "/connections/"+c.conn+"/connect")
		require.Equal(t, 303, r.Status, r.Raw)
		u, err := url.Parse(r.Header.Get("Location"))
		require.NoError(t, err)
		return u.Query().Get("state")
	}
	require.Equal(t, 403, c.callback(noFollow, "code=good&state="+begin()).Status)
	require.Equal(t, 403, c.callback(bob, "code=good&state="+begin()).Status)
	require.Equal(t, 403, c.get(vic, "/connections/"+c.conn+"/connect").Status)
	require.Equal(t, 303, c.callback(ada, "code=good&state="+begin()).Status)
	require.Contains(t, c.get(ada, "/connections/"+c.conn).Raw, "/connections/"+c.conn+"/connect")
	require.Equal(t, 404, c.as(c.otherToken(t), "GET", "/api/v1/connections/"+c.conn+"/oauth/start", "").Status)

	// A refusal is explained where it can be mended, with the CRM's words as text.
	r := c.callback(ada, "error=redirect_uri_mismatch&error_description="+url.QueryEscape("<b>unknown</b> address")+"&state="+begin())
	require.Equal(t, 400, r.Status)
	require.Contains(t, r.Raw, "exactly as it stands")
	require.Contains(t, r.Raw, "&lt;b&gt;unknown")
	require.Contains(t, r.Raw, c.http.URL+"/oauth/callback")
	require.Contains(t, r.Raw, "/connections/"+c.conn+"/connect")
	require.NotContains(t, c.callback(noFollow, "error=access_denied&state="+c.start()).Raw, "/connect\"", "who is not signed in is not led on")
}
