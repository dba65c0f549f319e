package admin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/admin"
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// withPreviews wires previews as the product does.
func withPreviews(d *admin.Deps) {
	store := d.Store.(activities.PreviewStore)
	d.Previewer = &activities.Previews{Store: store, Deliveries: &activities.Delivery{Store: store, Connectors: d.Connectors, PublicURL: d.PublicURL,
		Transport: func(records.Connection) http.RoundTripper { return http.DefaultTransport }, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}}
}

// several stores n calls, the newest last; of every third one the customer has no name.
func (f *fixture) several(n int, source, connection string) (ids []string) {
	f.t.Helper()
	for i := range n {
		at := time.Now().Add(time.Duration(i-n) * time.Minute).UTC().Truncate(time.Second)
		name := fmt.Sprintf("Customer %d", i)
		if i%3 == 0 {
			name = ""
		}
		ids = append(ids, f.tell(f.ws, story{source: source, receipts: []said{{kind: call.CallEnded, at: at, facts: call.Facts{
			Direction: call.Inbound, Status: call.Answered, StartedAt: at.Add(-time.Minute), EndedAt: at, DurationSeconds: num(60),
			Customer: call.Party{Number: fmt.Sprintf("+1415555%04d", i), Name: name}}}}}))
	}
	return ids
}

func mappingOf(rows ...string) string {
	return "format: 1\nobject: call\nfields:\n  - " + strings.Join(rows, "\n  - ")
}

const (
	rowTitle  = `{target: hs_call_title, value: {template: "Call of {{ customer.name }}"}}`
	rowNumber = `{target: hs_call_from_number, value: {field: customer.number}}`
	rowTime   = `{target: hs_timestamp, type: datetime, value: {field: started_at}}`
)

func TestMappingPreview(t *testing.T) {
	t.Parallel()
	f := newFixture(t, withPreviews)
	source, hubspot := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	path := "/connections/" + hubspot + "/mappings/call"
	f.must(200, "PUT", path, `{"document": `+text(mappingOf(rowTime, rowNumber, `{target: hs_call_title, value: {template: "Call of {{ coalesce(customer.name, customer.number) }}"}}`))+`}`)
	ids := f.several(9, source, hubspot)

	ask := func(status int, document, more string) admin.MappingPreview {
		t.Helper()
		r := f.must(status, "POST", path+"/preview", `{"document": `+text(document)+more+`}`)
		var out admin.MappingPreview
		require.NoError(t, json.Unmarshal([]byte(r.Raw), &out))
		return out
	}
	out := ask(200, mappingOf(rowTime, rowNumber, rowTitle), "")
	require.Equal(t, "This change would alter 3 of 9 calls.", out.Sentence)
	require.Equal(t, []int{9, 3, 0}, []int{out.Total, out.Altered, out.Failing})
	require.Len(t, out.Changes, 1)
	require.Equal(t, "value.template", out.Changes[0].Key)
	require.Equal(t, ids[8], out.Items[0].ID, "the newest first")
	altered := out.Items[2]
	require.Equal(t, ids[6], altered.ID)
	require.True(t, altered.Altered)
	require.Equal(t, "Call of +14155550006", altered.Before.Payload["hs_call_title"])
	require.NotContains(t, altered.After.Payload, "hs_call_title")
	title := altered.Fields[2]
	require.Equal(t, "removed", title.Kind)
	require.Equal(t, "there is no value", title.After.Skipped)
	require.Equal(t, []mappings.SourceValue{{Name: "customer.name"}, {Name: "customer.number", Text: "+14155550006"}}, title.Before.Sources)
	require.Equal(t, `coalesce(nothing, "+14155550006")`, title.Before.Steps[0].Text)
	require.Equal(t, "It is not in the CRM yet.", altered.NotRead)

	// Chosen calls, the last few, and what is in force by itself.
	out = ask(200, mappingOf(rowTime), `, "call_ids": ["`+ids[1]+`", "`+id()+`"]`)
	require.Equal(t, 1, out.Total)
	require.Equal(t, ids[1], out.Items[0].ID)
	require.Equal(t, 2, ask(200, mappingOf(rowTime), `, "last": 2`).Total)
	r := f.must(200, "POST", path+"/preview", `{"last": 3}`)
	require.Equal(t, "This changes nothing for 3 calls.", r.JSON["sentence"])

	// A document that does not work for a call.
	out = ask(200, mappingOf(rowTime, `{target: hs_call_duration, type: number, value: {field: customer.name}}`), "")
	require.Equal(t, 6, out.Failing)
	require.Contains(t, out.Sentence, "It does not work for 6 of them.")
	require.Nil(t, out.Items[0].After.Payload)
	require.Contains(t, out.Items[0].After.Error, "The text is not a number.")

	// What is wrong is said with its line; what is not ours is not there.
	r = f.must(422, "POST", path+"/preview", `{"document": `+text("format: 1\nobject: call\nfields:\n  - {target: a, value: {field: nam}}")+`}`)
	require.Contains(t, r.JSON["detail"], "line 4, row 1 (a)")
	f.must(422, "POST", path+"/preview", `{"document": `+text(strings.Replace(mappingOf(rowTime), "object: call", "object: task", 1))+`}`)
	f.must(422, "POST", path+"/preview", `{"last": 500}`)
	f.must(422, "POST", path+"/preview", `{"call_ids": ["x"]}`)
	f.must(404, "POST", "/connections/"+id()+"/mappings/call/preview", `{"document": `+text(mappingOf(rowTime))+`}`)
	other := f.as(f.boot, "POST", "/api/v1/workspaces", `{"name": "Other"}`)
	require.Equal(t, 201, other.Status)
	require.Equal(t, 404, f.as(f.newToken(other.JSON["id"].(string)), "POST", "/api/v1"+path+"/preview", `{"document": `+text(mappingOf(rowTime))+`}`).Status)
}

// What the CRM has now is read and shown beside what would be written, of a few records.
func TestMappingPreviewReadsTheCRM(t *testing.T) {
	t.Parallel()
	f := newFixture(t, withPreviews)
	source, hubspot := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	resp, err := http.NewRequestWithContext(t.Context(), "POST", f.crm.URL+"/crm/v3/objects/calls", strings.NewReader(
		`{"properties": {"hs_timestamp": "2026-11-22T10:00:00Z", "hs_call_title": "Edited by a person"}, "associations": []}`))
	require.NoError(t, err)
	resp.Header.Set("Authorization", "Bearer "+crmToken)
	resp.Header.Set("Content-Type", "application/json")
	made := f.do(http.DefaultClient, resp)
	require.Equal(t, 201, made.Status, made.Raw)
	one := f.simpleCall(f.ws, source, hubspot)
	f.exec(`update deliveries set remote_id = $1, written = '{"hs_call_title": "What callsync wrote"}' where key = $2`, made.JSON["id"], one)

	ask := func() admin.PreviewedCall {
		r := f.must(200, "POST", "/connections/"+hubspot+"/mappings/call/preview", `{"document": `+text(mappingOf(rowTime, rowTitle))+`}`)
		var out admin.MappingPreview
		require.NoError(t, json.Unmarshal([]byte(r.Raw), &out))
		return out.Items[0]
	}
	got := ask()
	require.Empty(t, got.NotRead)
	title := got.Fields[1]
	require.Equal(t, []any{"hs_call_title", true, "Edited by a person", "What callsync wrote", "Call of Jane Doe"}, []any{title.Target, title.Read, title.Now, title.Written, title.After.Result})

	f.crm.Close()
	got = ask()
	require.NotEmpty(t, got.NotRead)
	require.False(t, got.Fields[1].Read)
	require.Equal(t, "Call of Jane Doe", got.After.Payload["hs_call_title"], "a CRM that is away keeps nobody from a preview")
}

// slowPreviews takes its time for each call.
type slowPreviews struct {
	n    int
	each time.Duration
}

func (s slowPreviews) Preview(ctx context.Context, q records.PreviewQuery, yield func(records.Previewed, mappings.Input, mappings.Update) error) error {
	for range s.n {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(s.each):
		}
		in := mappings.Input{Call: call.Call{ID: id(), Facts: call.Facts{Note: strings.Repeat("x", 100_000)}}}
		if err := yield(records.Previewed{ID: in.Call.ID}, in, mappings.Update{}); err != nil {
			return err
		}
	}
	return nil
}

func TestMappingPreviewIsBounded(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(d *admin.Deps) { d.Previewer = slowPreviews{n: 200} })
	hubspot := f.newConnection().JSON["id"].(string)
	r := f.must(200, "POST", "/connections/"+hubspot+"/mappings/call/preview", `{"document": `+text(mappingOf(`{target: hs_call_body, value: {field: note}}`))+`, "last": 200}`)
	require.Less(t, len(r.Raw), 10<<20)
	var out admin.MappingPreview
	require.NoError(t, json.Unmarshal([]byte(r.Raw), &out))
	require.Equal(t, 200, out.Total)
	require.Equal(t, 200, out.Altered)
	require.False(t, out.Items[0].Short)
	require.True(t, out.Items[199].Short)
}

// Numbers and texts of customers are for those who work with calls.
func TestMappingPreviewNeedsRights(t *testing.T) {
	t.Parallel()
	f := newFixture(t, withPreviews)
	hubspot := f.newConnection().JSON["id"].(string)
	for role, want := range map[string]int{"viewer": 403, "operator": 200, "admin": 200} {
		f.user(f.ws, role+"@example.com", role, role)
		req, err := http.NewRequestWithContext(t.Context(), "POST", f.http.URL+"/api/v1/connections/"+hubspot+"/mappings/call/preview",
			strings.NewReader(`{"document": `+text(mappingOf(rowTime))+`}`))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		require.Equal(t, want, f.do(f.signIn(role+"@example.com"), req).Status, role)
	}
}

func TestMappingVersionsAndDiff(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	hubspot := f.newConnection().JSON["id"].(string)
	path := "/connections/" + hubspot + "/mappings/call"
	first := int(f.must(200, "GET", path, "").JSON["version"].(float64))
	put := f.must(200, "PUT", path, `{"note": "Shorter", "document": `+text("# mine\n"+mappingOf(rowTime, rowTitle))+`}`)
	require.EqualValues(t, first+1, put.JSON["version"])
	f.must(200, "PUT", path, `{"document": `+text(mappingOf(rowTime, rowTitle, rowNumber))+`}`)
	d := f.must(200, "GET", fmt.Sprintf("%s/versions/%d/diff/%d", path, first+1, first+2), "")
	changes := d.JSON["changes"].([]any)
	require.Len(t, changes, 1)
	require.Equal(t, []any{"added", "hs_call_from_number"}, []any{changes[0].(map[string]any)["kind"], changes[0].(map[string]any)["target"]})
	f.must(404, "GET", fmt.Sprintf("%s/versions/%d/diff/99", path, first), "")

	// One click back, and nothing of it is lost.
	f.must(200, "POST", fmt.Sprintf("%s/versions/%d/activate", path, first+1), "")
	now := f.must(200, "GET", path, "")
	require.EqualValues(t, first+1, now.JSON["version"])
	require.Contains(t, now.JSON["document"], "# mine")
	require.Len(t, f.must(200, "GET", path+"/versions", "").items(), first+2)

	schema := f.as("", "GET", "/api/v1/mapping-schema.json", "")
	require.Equal(t, 200, schema.Status)
	require.Equal(t, "application/schema+json", schema.Header.Get("Content-Type"))
	require.Equal(t, string(mappings.JSONSchema()), schema.Raw)
}
