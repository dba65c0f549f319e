package activities_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/espocrm"
	"github.com/callsync/callsync/connectors/espocrm/espocrmfake"
	"github.com/callsync/callsync/connectors/hubspot"
	"github.com/callsync/callsync/connectors/hubspot/hubspotfake"
	"github.com/callsync/callsync/connectors/pipedrive"
	"github.com/callsync/callsync/connectors/pipedrive/pipedrivefake"
	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// What people change in real CRMs is seen through their connectors, and told of the default mappings, or of one with a
// row more.
func TestChangesOfCRMsAreSeen(t *testing.T) {
	t.Parallel()
	hub := hubspotfake.New(hubspotfake.Options{Tokens: map[string][]string{"fake-token": nil}, PerTenSeconds: -1, SearchPerSecond: -1})
	hub.PutProperty("calls", hubspotfake.Property{Name: "branch", Label: "Branch office"})
	espo := espocrmfake.New(espocrmfake.Options{})
	espo.PutField("Call", "cBranch", espocrmfake.Field{MaxLength: 100})
	pipe := pipedrivefake.New(pipedrivefake.Options{PerTwoSeconds: -1, SearchPerTwoSeconds: -1})
	rating := pipe.AddField("Rating", "enum", "Hot", "Cold")
	for name, c := range map[string]struct {
		connector  connectors.Connector
		fake       http.Handler
		secrets    map[string]string
		object     string
		row        string
		change     func()
		kind       string
		code       mappings.Code
		suggestion string
		blocking   bool
	}{
		"HubSpot renames": {hubspot.New(), hub, map[string]string{"access_token": "fake-token"}, "call",
			"\n  - target: branch\n    value: {const: Berlin}\n", func() {
				hub.RemoveProperty("calls", "branch")
				hub.PutProperty("calls", hubspotfake.Property{Name: "office", Label: "Branch office"})
				hub.PutProperty("calls", hubspotfake.Property{Name: "branches", Label: "Something else", Hidden: true})
			}, records.ChangeRenamed, mappings.CodeUnknownField, "office", true},
		"EspoCRM relists": {espocrm.New(), espo, map[string]string{"api_key": espocrmfake.APIKey}, "call", "", func() {
			espo.PutField("Call", "status", espocrmfake.Field{Type: "enum", Options: []string{"Planned", "Held", "No Answer"}, Default: "Planned"})
		}, records.ChangeOptionRemoved, mappings.CodeNotInList, "", true},
		"EspoCRM requires": {espocrm.New(), espo, map[string]string{"api_key": espocrmfake.APIKey}, "contact", "", func() {
			espo.PutField("Contact", "cSegment", espocrmfake.Field{Required: true})
		}, records.ChangeAdded, mappings.CodeRequired, "", true},
		"Pipedrive relists": {pipedrive.New(), pipe, map[string]string{"api_token": "fake-token"}, "contact",
			"\n  - target: " + rating + "\n    type: picklist\n    value: {const: hot}\n", func() { pipe.RemovePersonField(rating) },
			records.ChangeRemoved, mappings.CodeUnknownField, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(c.fake)
			defer server.Close()
			describe := func() records.Schema {
				t.Helper()
				session, err := c.connector.Open(connectors.Settings{ConnectionID: "c", Config: map[string]string{"base_url": server.URL}, Secrets: c.secrets})
				require.NoError(t, err)
				s, err := session.(connectors.SchemaDescriber).Describe(t.Context(), c.object)
				require.NoError(t, err)
				return s
			}
			text := append(append([]byte{}, c.connector.Info().Mappings[c.object]...), c.row...)
			before := describe()
			doc, found := mappings.Lint(text, &before)
			require.Empty(t, found, "it fits")
			c.change()
			after := describe()
			changes := mappings.DiffSchemas(before, after)
			require.NotEmpty(t, changes)
			require.Equal(t, c.kind, changes[0].Kind)
			require.Empty(t, mappings.DiffSchemas(after, after))
			issues := mappings.Drift(mappings.Watched{CRM: c.connector.Info().Label, Document: &doc}, after, []records.Schema{before})
			require.NotEmpty(t, issues)
			require.Equal(t, []any{string(c.code), c.suggestion, c.blocking}, []any{issues[0].Code, issues[0].Suggestion, issues[0].Blocking}, issues[0].Text)
			require.Contains(t, issues[0].Text, c.connector.Info().Label)
			require.Empty(t, mappings.Drift(mappings.Watched{Document: &doc}, before, []records.Schema{after}), "what is whole again is no issue")
		})
	}
}
