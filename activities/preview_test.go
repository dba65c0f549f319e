package activities_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

func (w *world) previews() *activities.Previews {
	return &activities.Previews{Store: w.delivery.Store.(activities.PreviewStore), Deliveries: w.delivery}
}

type previewed struct {
	records.Previewed
	in mappings.Input
	u  mappings.Update
}

func (w *world) preview(object string, reads int, calls ...call.Call) []previewed {
	w.t.Helper()
	q := records.PreviewQuery{WorkspaceID: w.ws, ConnectionID: w.conn, Object: object, Kind: connectors.ObjectCall, Reads: reads, Read: []string{"subject"}}
	for _, c := range calls {
		q.IDs = append(q.IDs, c.ID)
	}
	var out []previewed
	require.NoError(w.t, w.previews().Preview(w.t.Context(), q, func(p records.Previewed, in mappings.Input, u mappings.Update) error {
		out = append(out, previewed{p, in, u})
		return nil
	}))
	return out
}

func (w *world) mapping(object, document string, version int) *mappings.Program {
	w.t.Helper()
	w.exec(`insert into mappings (connection_id, object, version, workspace_id, document) values ($1, $2, $3, $4, $5)`, w.conn, object, version, w.ws, document)
	w.exec(`update active_mappings set version = $3 where connection_id = $1 and object = $2`, w.conn, object, version)
	doc, err := mappings.Parse([]byte(document))
	require.NoError(w.t, err)
	p, err := mappings.Compile(doc)
	require.NoError(w.t, err)
	return p
}

// everything reads all that a delivery adds to the call itself.
const everything = `
format: 1
object: call
fields:
  - {target: subject, value: {template: "{{ label(direction) }} {{ customer.name }} {{ owner_id }} {{ disposition_id }}"}}
  - {target: link, value: {field: call_url}}
  - {target: at, value: {expr: 'time_format(started_at, "YYYY-MM-DD HH:mm ZZZ")'}}
  - {target: owner, value: {field: owner_id}}
  - {target: own, type: bool, value: {field: own_number}}
  - {target: outcome, type: picklist, empty: clear, value: {field: disposition_id}}
  - {target: note, type: html, max_length: 20, value: {field: note}}
  - {target: tags, type: multi, when: len(tags) > 0, value: {field: tags}}
  - {target: talk, type: number, mode: fill_if_empty, value: {field: talk_seconds}}
  - {target: off, mode: never, value: {field: note}}
`

// What the preview says is written is what is written: for any call, with all that a delivery looks up on the way.
func TestPreviewIsTheDelivery(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.KeyedUpsert)
	c.owners["ann@acme.example"] = "owner-7"
	w := newWorld(t, c)
	w.exec(`update sources set time_zone = 'Asia/Kolkata'`)
	w.exec(`insert into own_numbers (workspace_id, number) values ($1, '+14155550100')`, w.ws)
	p := w.mapping("call", everything, 2)
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		text := rapid.SampledFrom([]string{"", "Ada", "<b>bold</b> and more than twenty characters", "\x01\u202e", "Won"})
		one := w.call(rapid.SampledFrom([]string{"", "+14155550100", fmt.Sprintf("+1415555%04d", 1000+n)}).Draw(t, "number"))
		one.Direction = call.Direction(rapid.SampledFrom([]string{"inbound", "outbound", ""}).Draw(t, "direction"))
		one.Customer.Name, one.Note, one.Disposition.Value = text.Draw(t, "name"), text.Draw(t, "note"), text.Draw(t, "disposition")
		one.Tags = rapid.SliceOfN(text, 0, 3).Draw(t, "tags")
		one.StartedAt = time.Unix(rapid.Int64Range(0, 1<<31).Draw(t, "at"), 0).UTC()
		if rapid.Bool().Draw(t, "agent") {
			one.Agents = []call.Agent{{Email: rapid.SampledFrom([]string{"ann@acme.example", "bob@acme.example"}).Draw(t, "email"), Status: call.AgentAnswered}}
		}
		w.save(one)
		got := w.preview("call", 0, one)
		require.Len(t, got, 1)
		require.Empty(t, got[0].Delivery.ID, "looking makes no row")
		before := len(c.writes)
		want := mappings.Compare(nil, p, got[0].in, got[0].u, got[0].Now).After
		require.Empty(t, want.Error)
		require.Equal(t, activities.Done, w.settle(one).Outcome)
		require.Len(t, c.writes, before+1)
		require.Equal(t, want.Payload, c.writes[before])
		require.Equal(t, want.Sends, c.writes[before])

		// Of what is there it tells what was written, and by which version.
		got = w.preview("call", 1, one)
		require.Equal(t, 2, got[0].Delivery.MappingVersion)
		require.NotEmpty(t, got[0].Delivery.Written)
		require.Empty(t, got[0].NotRead)
		require.Equal(t, want.Payload["subject"], got[0].Now["subject"])
	})
}

// A preview waits for no attempt, disturbs none, and says what it could not find out.
func TestPreviewLeavesEverythingAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newCRM(connectors.KeyedUpsert))
	one, two := w.call("+14155550101"), w.call("+14155550102")
	require.Equal(t, activities.Done, w.settle(one).Outcome)
	w.exec(`update deliveries set attempt_token = gen_random_uuid(), lease_until = now() + interval '1 hour' where key = $1`, one.ID)
	state := func() (s string) {
		require.NoError(t, w.sql.QueryRow(t.Context(), `select json_agg(d order by d.id)::text || (select json_agg(c order by c.id)::text from calls c) from deliveries d`).Scan(&s))
		return s
	}
	before := state()
	searches := w.crm.searches
	got := w.preview("call", 1, one, two)
	require.Len(t, got, 2)
	require.Equal(t, "call-1", got[0].Delivery.RemoteID)
	require.Equal(t, "contact-1", got[0].in.ContactID)
	require.NotNil(t, got[0].Now)
	require.Equal(t, "It is not in the CRM yet.", got[1].NotRead)
	require.Equal(t, before, state())
	require.Equal(t, searches, w.crm.searches)
	require.Len(t, w.crm.calls, 1)

	got = w.preview("contact", 1, one)
	require.Equal(t, "contact-1", got[0].Delivery.RemoteID)
	require.Equal(t, 1, got[0].Delivery.MappingVersion, "contacts record their version, too")

	require.Equal(t, "A preview reads 0 records of the CRM at most.", w.preview("call", 0, one)[0].NotRead)
	delete(w.crm.calls, "call-1")
	require.Equal(t, "Somebody deleted it in the CRM.", w.preview("call", 1, one)[0].NotRead)
	w.exec(`update connections set status = 'revoked'`)
	require.Equal(t, "The connection is not active.", w.preview("call", 1, one)[0].NotRead)

	// Others see nothing of it.
	other := records.PreviewQuery{WorkspaceID: w.source, ConnectionID: w.conn, Object: "call", Kind: "call", IDs: []string{one.ID}}
	require.NoError(t, w.previews().Preview(t.Context(), other, func(records.Previewed, mappings.Input, mappings.Update) error { t.Error("seen"); return nil }))
}

// silentCRM does not answer, and can be asked for owners and outcomes.
type silentCRM struct {
	*crm
	asked *int
}

func (c silentCRM) Open(connectors.Settings) (connectors.Session, error) { return c, nil }

func (c silentCRM) FindOwner(context.Context, string) (connectors.Owner, bool, error) {
	*c.asked++
	return connectors.Owner{}, false, &connectors.Error{Class: connectors.Unavailable, Public: "Ledger is down."}
}

// A CRM that does not answer is asked once, and the preview goes on with what is known here.
func TestPreviewWithoutTheCRM(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newCRM(connectors.KeyedUpsert))
	asked := 0
	w.delivery.Connectors = connectors.NewRegistry(silentCRM{w.crm, &asked})
	w.exec(`insert into connection_owners (workspace_id, connection_id, agent_key, owner_id) values ($1, $2, 'bob@acme.example', 'owner-1')`, w.ws, w.conn)
	var calls []call.Call
	for _, email := range []string{"ann@acme.example", "bob@acme.example", "cid@acme.example"} {
		one := w.call("+14155550101")
		one.Agents = []call.Agent{{Email: email, Status: call.AgentAnswered}}
		w.save(one)
		calls = append(calls, one)
	}
	got := w.preview("call", 10, calls...)
	require.Len(t, got, 3)
	require.Equal(t, 1, asked)
	require.Equal(t, []string{"", "owner-1", ""}, []string{got[0].in.OwnerID, got[1].in.OwnerID, got[2].in.OwnerID})
	require.Contains(t, got[2].Notes, "What only the CRM knows is missing here: Ledger is down.")
}

// An edit of the mapping applies to the next write, and a resync writes no more than what it changed.
func TestAResyncAfterAnEditWritesWhatTheEditChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newCRM(connectors.KeyedUpsert))
	w.mapping("call", `{"format": 1, "object": "call", "fields": [{"target": "subject", "value": {"const": "a"}}, {"target": "other", "value": {"const": "b"}}, {"target": "gone", "value": {"const": "c"}}]}`, 2)
	one := w.call("+14155550101")
	require.Equal(t, activities.Done, w.settle(one).Outcome)
	w.mapping("call", `{"format": 1, "object": "call", "fields": [{"target": "subject", "value": {"const": "new"}}, {"target": "other", "value": {"const": "b"}}]}`, 3)
	again := func(in activities.DeliverInput) {
		in.WorkspaceID, in.CallID, in.ConnectionID, in.Revision = w.ws, one.ID, w.conn, one.Revision
		_, err := w.delivery.Deliver(t.Context(), in)
		require.NoError(t, err)
	}
	again(activities.DeliverInput{})
	require.Len(t, w.crm.writes, 1, "a call that is delivered is not written again for an edit alone")
	again(activities.DeliverInput{Force: true, Bulk: true})
	require.Equal(t, map[string]any{"subject": "new"}, w.crm.writes[1])
	again(activities.DeliverInput{Force: true, Bulk: true})
	require.Len(t, w.crm.writes, 2, "nothing is left to write")
	var version int
	require.NoError(t, w.sql.QueryRow(t.Context(), `select mapping_version from deliveries where key = $1 and object = 'call'`, one.ID).Scan(&version))
	require.Equal(t, 3, version)
}
