package admin_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDispositions(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	cid := f.newConnection().JSON["id"].(string)
	path := "/connections/" + cid + "/dispositions"
	r := f.must(200, "GET", path, "")
	require.Empty(t, r.items())
	options := map[string]string{}
	for _, o := range r.JSON["options"].([]any) {
		options[o.(map[string]any)["label"].(string)] = o.(map[string]any)["id"].(string)
	}
	busy, connected := options["Busy"], options["Connected"]
	require.NotEmpty(t, busy, r.Raw)
	require.NotEmpty(t, connected)

	r = f.must(200, "PUT", path, `{"items": [{"value": " Line  engaged ", "option_id": "`+busy+`"}, {"value": "Sold", "option_id": "`+connected+`"}]}`)
	require.Equal(t, []any{
		map[string]any{"value": "Line  engaged", "option_id": busy}, map[string]any{"value": "Sold", "option_id": connected},
	}, r.items())
	require.Len(t, r.JSON["options"], len(options))
	require.NotContains(t, r.JSON, "warnings")

	r = f.must(422, "PUT", path, `{"items": [{"value": "Sold", "option_id": "`+connected+`"}, {"value": "Lost", "option_id": "nothing"}]}`)
	require.Equal(t, "items[1].option_id", r.JSON["field"])
	require.Contains(t, r.JSON["detail"], "Row 2: HubSpot has no such outcome. It has: ")
	require.Contains(t, r.JSON["detail"], "Busy ("+busy+")")
	r = f.must(422, "PUT", path, `{"items": [{"value": "Sold", "option_id": "`+busy+`"}, {"value": "sOLD ", "option_id": "`+busy+`"}]}`)
	require.Equal(t, "items[1].value", r.JSON["field"])
	require.Contains(t, r.JSON["detail"], "Row 2 has the same disposition as row 1.")
	for _, value := range []string{"", "   ", `a\u0000b`, `a\nb`} {
		f.must(422, "PUT", path, `{"items": [{"value": "`+value+`", "option_id": "`+busy+`"}]}`)
	}
	require.Len(t, f.must(200, "GET", path, "").items(), 2, "a table with a fault changes nothing")

	// A CRM that does not answer must not keep anybody from saving.
	f.crm.Close()
	r = f.must(200, "PUT", path, `{"items": [{"value": "Sold", "option_id": "anything"}]}`)
	require.Contains(t, r.JSON["warnings"].([]any)[0], "could not be asked")
	require.Empty(t, r.JSON["options"])

	hook := f.must(201, "POST", "/connections", `{"connector": "webhook", "name": "Hook", "config": {"base_url": "https://hooks.example.com/x"}, "secrets": {"signing_secret": "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"}}`).JSON["id"].(string)
	r = f.must(422, "GET", "/connections/"+hook+"/dispositions", "")
	require.Contains(t, r.JSON["detail"], "has no list of outcomes")
	f.must(404, "GET", "/connections/"+id()+"/dispositions", "")
}
