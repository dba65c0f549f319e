package zoho_test

import (
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/zoho"
	"github.com/callsync/callsync/connectors/zoho/zohofake"
)

// TestConnectTest finds accounts whose field is missing, not unique, or cannot be added, and rights that are missing.
func TestConnectTest(t *testing.T) {
	t.Parallel()
	verify := func(f *zohofake.Fake, change func(*connectors.Settings)) connectors.Report {
		server := httptest.NewServer(f)
		t.Cleanup(server.Close)
		set := settings(server.URL)
		if change != nil {
			change(&set)
		}
		s, err := zoho.New().Open(set)
		require.NoError(t, err)
		report, err := s.(connectors.Verifier).Verify(t.Context())
		require.NoError(t, err)
		return report
	}
	line := func(r connectors.Report, name string) connectors.Check {
		at := slices.IndexFunc(r.Checks, func(c connectors.Check) bool { return strings.Contains(c.Name, name) })
		require.GreaterOrEqual(t, at, 0, "%s: %+v", name, r.Checks)
		return r.Checks[at]
	}
	good := verify(zohofake.New(zohofake.Options{}), nil)
	require.True(t, good.OK(), "%+v", good.Checks)
	require.Contains(t, good.Account, "Zylker")

	plain := zohofake.New(zohofake.Options{})
	plain.Fields("Calls", func(list []*zohofake.Field) []*zohofake.Field {
		return append(list, &zohofake.Field{ID: "1", APIName: zoho.KeyField, Label: "callsync key", Type: "text", Length: 100})
	})
	r := verify(plain, nil)
	require.False(t, r.OK())
	require.Equal(t, connectors.LookupThenWrite, r.Idempotency)
	require.Contains(t, line(r, "of Calls").Text, "Do not allow duplicate values")

	full := zohofake.New(zohofake.Options{})
	full.Fields("Calls", func(list []*zohofake.Field) []*zohofake.Field {
		return append(list, &zohofake.Field{ID: "1", APIName: "A", Label: "A", Type: "text", Unique: true}, &zohofake.Field{ID: "2", APIName: "B", Label: "B", Type: "text", Unique: true})
	})
	r = verify(full, nil)
	require.False(t, r.OK())
	require.Equal(t, connectors.CreateOnly, r.Idempotency)
	require.Contains(t, line(r, "of Calls").Text, "two unique fields")

	small := func(scopes ...string) *zohofake.Fake {
		return zohofake.New(zohofake.Options{Tokens: map[string][]string{token: scopes}})
	}
	r = verify(small("ZohoCRM.modules.ALL", "ZohoCRM.users.READ", "ZohoCRM.settings.fields.ALL"), nil)
	require.False(t, line(r, "Find contacts").OK, "searching has a scope of its own")
	r = verify(small("ZohoCRM.modules.calls.READ", "ZohoCRM.modules.contacts.ALL", "ZohoSearch.securesearch.READ", "ZohoCRM.users.READ", "ZohoCRM.settings.fields.READ"), nil)
	require.False(t, r.OK())
	require.False(t, line(r, "Write calls").OK)
	require.True(t, line(r, "Find leads").OK)
	require.Contains(t, line(r, "Find leads").Text, "does not see leads")
	require.False(t, line(r, "of Contacts").OK)
	r = verify(zohofake.New(zohofake.Options{}), func(s *connectors.Settings) { s.Config["org_id"] = "1" })
	require.False(t, r.OK(), "another organization")
}

// TestPlaces reads where an account is, and where its tokens come from.
func TestPlaces(t *testing.T) {
	t.Parallel()
	c := zoho.New()
	flow := func(config map[string]string) (connectors.OAuth, error) {
		config["client_id"] = "1000.A"
		f, ok, err := c.(connectors.Authorizer).OAuth(connectors.Settings{Config: config, Secrets: map[string]string{"client_secret": "s"}})
		require.True(t, ok)
		return f, err
	}
	for _, tc := range []struct {
		center, base, tokens, field string
	}{
		{"", "", "https://accounts.zoho.com/oauth/v2/token", ""}, {"auto", "", "https://accounts.zoho.com/oauth/v2/token", ""},
		{"eu", "", "https://accounts.zoho.eu/oauth/v2/token", ""}, {"ca", "", "https://accounts.zohocloud.ca/oauth/v2/token", ""},
		{"auto", "https://www.zohoapis.in", "https://accounts.zoho.in/oauth/v2/token", ""}, {"", "https://sandbox.zohoapis.com.au/crm/v8", "https://accounts.zoho.com.au/oauth/v2/token", ""},
		{"", "https://zohoapis.eu.example", "https://zohoapis.eu.example/oauth/v2/token", ""}, {"eu", "https://www.zohoapis.in", "", "data_center"}, {"mars", "", "", "data_center"},
	} {
		f, err := flow(map[string]string{"data_center": tc.center, "base_url": tc.base})
		if tc.field != "" {
			require.Equal(t, tc.field, classed(t, err, connectors.Invalid).Field)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, tc.tokens, f.TokenURL)
		require.Equal(t, strings.TrimSuffix(tc.tokens, "token")+"auth", f.AuthURL)
		require.Len(t, f.Scopes, 1, "separated by commas")
		require.NotContains(t, f.Scopes[0], " ")
	}
	f, err := flow(map[string]string{"grant": "self_client", "org_id": "600", "data_center": "in"})
	require.NoError(t, err)
	require.Equal(t, connectors.ClientCredentials, f.Grant)
	require.Equal(t, map[string]string{"soid": "ZohoCRM.600"}, f.TokenParams)
	_, err = flow(map[string]string{"grant": "self_client"})
	require.Equal(t, "org_id", classed(t, err, connectors.Invalid).Field)

	// The way back says where the code counts; the client's secret goes to Zoho's hosts only.
	told := func(config map[string]string, query string) (map[string]string, error) {
		q, err := url.ParseQuery(query)
		require.NoError(t, err)
		return c.(connectors.ConsentReader).ReadConsent(connectors.Settings{Config: config}, q)
	}
	got, err := told(map[string]string{"data_center": "auto"}, "code=x&location=eu&accounts-server=https://evil.example")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"base_url": "https://www.zohoapis.eu"}, got)
	f, err = flow(map[string]string{"data_center": "auto", "base_url": got["base_url"]})
	require.NoError(t, err)
	require.Equal(t, "https://accounts.zoho.eu/oauth/v2/token", f.TokenURL)
	for _, same := range []map[string]string{{}, {"data_center": "us"}, {"base_url": "https://sandbox.zohoapis.com"}, {"base_url": "http://127.0.0.1:1"}} {
		got, err = told(same, "code=x&location=us")
		require.NoError(t, err)
		require.Empty(t, got)
	}
	_, err = told(map[string]string{"data_center": "us"}, "location=eu")
	require.Equal(t, "data_center", classed(t, err, connectors.Invalid).Field)
	_, err = told(map[string]string{}, "location=mars")
	classed(t, err, connectors.Invalid)

	for domain, want := range map[string]string{"https://www.zohoapis.eu": "https://www.zohoapis.eu", "https://sandbox.zohoapis.com": "https://sandbox.zohoapis.com",
		"https://zohoapis.com.evil.example": "", "http://www.zohoapis.com": "", "https://evilzohoapis.com": "", "https://u@www.zohoapis.com": "", "": ""} {
		require.Equal(t, want, f.Learn(map[string]any{"api_domain": domain})["base_url"], domain)
	}
}
