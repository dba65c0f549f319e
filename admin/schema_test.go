package admin_test

import (
	"encoding/json"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors/hubspot/hubspotfake"
)

func TestSchemaDrift(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	fake := hubspotfake.New(hubspotfake.Options{Tokens: map[string][]string{crmToken: nil}, PerTenSeconds: -1, SearchPerSecond: -1})
	fake.PutProperty("calls", hubspotfake.Property{Name: "branch", Label: "Branch <b>office</b>"})
	f.crm.Close()
	f.crm = httptest.NewServer(fake)
	t.Cleanup(f.crm.Close)
	cid := f.newConnection().JSON["id"].(string)
	base := "/connections/" + cid
	const at = `{"target": "hs_timestamp", "type": "datetime", "value": {"field": "started_at"}}`
	document := func(target string) string {
		return `{"document": {"format": 1, "object": "call", "fields": [` + at + `, {"target": "` + target + `", "value": {"const": "Berlin"}}]}}`
	}

	schema := f.must(200, "GET", base+"/schema/call", "")
	require.EqualValues(t, 1, schema.JSON["version"])
	require.NotEmpty(t, schema.JSON["outcomes"])
	first := schema.JSON["read_at"]
	require.Equal(t, first, f.must(200, "GET", base+"/schema/call", "").JSON["read_at"], "it is not asked each time")
	require.NotEqual(t, first, f.must(200, "POST", base+"/schema/call/refresh", "").JSON["read_at"])
	require.Less(t, f.must(404, "GET", "/connections/"+id()+"/schema/call", "").Status, 500)
	f.must(422, "GET", base+"/schema/planet", "")

	check := f.must(200, "POST", base+"/mappings/call/check", document("brunch"))
	require.Equal(t, false, check.JSON["ok"])
	finding := check.JSON["findings"].([]any)[0].(map[string]any)
	require.Equal(t, "branch", finding["suggestion"])
	require.Equal(t, "unknown_field", finding["code"])
	require.EqualValues(t, 2, finding["row"])
	require.Len(t, f.must(200, "GET", base+"/mappings/call/versions", "").items(), 1, "nothing was saved")
	require.Equal(t, true, f.must(200, "POST", base+"/mappings/call/check", document("branch")).JSON["ok"])

	f.must(200, "PUT", base+"/mappings/call", document("branch"))
	drift := func() []any { return f.must(200, "GET", base+"/schema-drift", "").JSON["issues"].([]any) }
	require.Empty(t, drift())
	fake.RemoveProperty("calls", "branch")
	fake.PutProperty("calls", hubspotfake.Property{Name: "office", Label: "Branch <b>office</b>"})
	f.must(200, "POST", base+"/schema/call/refresh", "")
	issues := drift()
	require.Len(t, issues, 1)
	issue := issues[0].(map[string]any)
	require.Equal(t, []any{"branch", "unknown_field", "office", true}, []any{issue["field"], issue["code"], issue["suggestion"], issue["holds"]})
	changes := f.must(200, "GET", base+"/schema/call/changes", "").items()
	require.Equal(t, "renamed", changes[0].(map[string]any)["changes"].([]any)[0].(map[string]any)["kind"])

	f.user(f.ws, "ann@example.com", "Ann", "admin")
	client := f.signIn("ann@example.com")
	page := f.get(client, "/connections")
	require.Equal(t, 200, page.Status)
	require.Contains(t, page.Raw, "It seems to be office now")
	require.NotContains(t, page.Raw, "<b>office</b>", "labels are strangers' texts")
	require.Contains(t, page.Raw, `action="`+base+`/schema"`)

	// An older version that writes what is gone is told of, too; a new one that fits ends it.
	f.must(422, "PUT", base+"/mappings/call", document("branch"))
	f.must(200, "PUT", base+"/mappings/call", document("office"))
	require.Empty(t, drift())
	f.must(200, "POST", base+"/mappings/call/versions/2/activate", "")
	require.Len(t, drift(), 1)
	fake.PutProperty("calls", hubspotfake.Property{Name: "branch"})
	// What was made in the CRM a moment ago is seen when a mapping is saved.
	f.must(200, "PUT", base+"/mappings/call", document("branch"))
	require.Empty(t, drift())
	healed := f.must(200, "GET", base+"/schema-drift?healed=true", "")
	require.GreaterOrEqual(t, len(healed.JSON["issues"].([]any)), 2)
	require.NotContains(t, f.get(client, "/connections").Raw, "It seems to be")

	// The table of dispositions is part of it.
	outcome := schema.JSON["outcomes"].([]any)[0].(map[string]any)["id"].(string)
	body, err := json.Marshal(map[string]any{"items": []any{map[string]string{"value": "Sold", "option_id": outcome}}})
	require.NoError(t, err)
	f.must(200, "PUT", base+"/dispositions", string(body))
	p, ok := fake.PropertyOf("calls", "hs_call_disposition")
	require.True(t, ok)
	var kept []hubspotfake.Option
	for _, o := range p.Options {
		if o.Value != outcome {
			kept = append(kept, o)
		}
	}
	p.Options = kept
	fake.PutProperty("calls", p)
	f.must(200, "POST", base+"/schema/call/refresh", "")
	var told []string
	for _, i := range drift() {
		told = append(told, i.(map[string]any)["code"].(string))
	}
	require.Equal(t, []string{"disposition"}, told)

	// A webhook has no fields.
	hook := f.must(201, "POST", "/connections", `{"connector": "webhook", "name": "Hook", "config": {"base_url": "https://hooks.example.com/x"}, "secrets": {"signing_secret": "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"}}`).JSON["id"].(string)
	f.must(404, "GET", "/connections/"+hook+"/schema/call", "")
	require.Empty(t, f.must(200, "GET", "/connections/"+hook+"/schema-drift", "").JSON["issues"])
}
