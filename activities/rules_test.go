package activities_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// rules puts a document in force for the source or the connection.
func (w *world) rules(owner, document string) {
	w.t.Helper()
	id := map[string]string{records.RulesOfSource: w.source, records.RulesOfConnection: w.conn}[owner]
	w.exec(`insert into rules (owner_id, workspace_id, owner, version, document) values ($1, $2, $3, 1, $4)
		on conflict (owner_id) do update set version = rules.version + 1, document = excluded.document`, id, w.ws, owner, document)
}

func (w *world) again(c call.Call) activities.DeliverResult {
	w.t.Helper()
	r, err := w.delivery.Deliver(w.t.Context(), activities.DeliverInput{WorkspaceID: w.ws, CallID: c.ID, ConnectionID: w.conn, Revision: c.Revision, Force: true})
	require.NoError(w.t, err)
	return r
}

const skipInternal = `
rules:
  - name: Internal calls
    when: {field: direction, operator: is, value: internal}
    action: skip
`

const skipOneNumber = `
rules:
  - name: Blocked numbers
    when: {field: customer.number, operator: one_of, value: ["(415) 555-0101"]}
    action: skip
    reason: They asked us to.
`

func TestRulesOfTheSourceThenOfTheConnection(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.KeyedUpsert)
	w := newWorld(t, c)
	w.exec(`update sources set name = 'Front desk'`)
	w.rules(records.RulesOfSource, skipInternal)
	w.rules(records.RulesOfConnection, skipOneNumber)

	internal := w.call("+14155550101")
	internal.Direction = call.Internal
	w.save(internal)
	require.Equal(t, activities.Skipped, w.settle(internal).Outcome)
	row := w.row(internal)
	require.Equal(t, "skipped", row.State)
	require.Equal(t, "rule", row.Class)
	require.Equal(t, "Skipped by the rule “Internal calls” of the source Front desk.", row.Reason)
	require.Equal(t, int64(1), w.settled(internal))

	// The number is written as people of the source's country write it.
	blocked := w.call("+14155550101")
	require.Equal(t, activities.Skipped, w.settle(blocked).Outcome)
	require.Equal(t, "Skipped by the rule “Blocked numbers” of the connection c: They asked us to.", w.row(blocked).Reason)

	other := w.call("+14155550102")
	require.Equal(t, activities.Done, w.settle(other).Outcome)
	require.Len(t, c.calls, 1)
	require.Len(t, c.contacts, 1, "no contact is made for a call that is skipped")
}

// Rules say which calls come into the CRM, not which stay: half a call in the CRM would mislead people for good.
func TestACallThatIsInTheCRMIsKeptUpToDate(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.KeyedUpsert)
	w := newWorld(t, c)
	one := w.call("+14155550102")
	require.Equal(t, activities.Done, w.settle(one).Outcome)
	w.rules(records.RulesOfSource, skipInternal)
	one.Direction, one.Note, one.Revision = call.Internal, "was internal after all", 2
	w.save(one)
	require.Equal(t, activities.Done, w.settle(one).Outcome)
	require.Equal(t, "was internal after all", c.calls[w.row(one).RemoteID]["note"])
}

// A create whose outcome nobody knows is cleared up, whatever the rules say by now.
func TestAnOpenOutcomeIsClearedUpWhateverTheRulesSay(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.KeyedUpsert)
	w := newWorld(t, c)
	c.fault = once("call", "committed", &connectors.Error{Class: connectors.UnknownOutcome, Public: "no answer"})
	one := w.call("+14155550102")
	one.Direction = call.Internal
	w.save(one)
	_, err := w.deliver(one)
	require.Error(t, err)
	require.Len(t, c.calls, 1)
	w.rules(records.RulesOfSource, skipInternal)
	require.Equal(t, activities.Done, w.settle(one).Outcome)
	require.Len(t, c.calls, 1)
}

// A call that was skipped comes in when the rules or the call have changed: with its next revision, or when asked for.
func TestASkippedCallComesInLater(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.KeyedUpsert)
	w := newWorld(t, c)
	w.rules(records.RulesOfConnection, skipInternal)
	changed, asked := w.call("+14155550102"), w.call("+14155550103")
	changed.Direction, asked.Direction = call.Internal, call.Internal
	w.save(changed)
	w.save(asked)
	require.Equal(t, activities.Skipped, w.settle(changed).Outcome)
	require.Equal(t, activities.Skipped, w.settle(asked).Outcome)

	changed.Direction, changed.Revision = call.Inbound, 2
	w.save(changed)
	require.Equal(t, activities.Done, w.settle(changed).Outcome)

	require.Equal(t, activities.Skipped, w.again(asked).Outcome, "asking does not overrule the rule")
	w.rules(records.RulesOfConnection, "rules: []")
	require.Equal(t, activities.Unchanged, w.settle(asked).Outcome)
	require.Equal(t, activities.Done, w.again(asked).Outcome)
	require.Equal(t, "done", w.row(asked).State)
	w.rules(records.RulesOfConnection, "")
	require.Equal(t, activities.Done, w.settle(w.call("+14155550104")).Outcome)
}

// A rule that cannot be evaluated keeps the call for a person, who reads which one it was.
func TestARuleThatFailsLosesNoCall(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.KeyedUpsert)
	w := newWorld(t, c)
	w.rules(records.RulesOfSource, `
rules:
  - name: Greedy
    when: 'customer.name < 3'
    action: skip
`)
	one := w.call("+14155550102")
	require.Equal(t, activities.Parked, w.settle(one).Outcome)
	require.Equal(t, "rule", w.row(one).Class)
	require.Contains(t, w.row(one).Reason, "The rules of the source s cannot be used")

	w.rules(records.RulesOfSource, `
rules:
  - name: Greedy
    when: 'attributes.plan < 3'
    action: skip
`)
	one.Attributes = map[string]any{"plan": "gold"}
	w.save(one)
	require.Equal(t, activities.Parked, w.again(one).Outcome)
	require.Equal(t, "In the rules of the source s: The rule “Greedy” (1) does not work for this call: Two values of different kinds cannot be compared; number() makes a number of a text.", w.row(one).Reason)
	require.Empty(t, c.calls)
	w.rules(records.RulesOfSource, "rules: []")
	require.Equal(t, activities.Done, w.again(one).Outcome)
}

// A call whose recording was refused goes, and nothing of the recording does: not with the first write, and not when it comes
// later.
func TestACallGoesWithoutItsRecording(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.KeyedUpsert)
	w := newWorld(t, c)
	w.exec(`update connections set recordings = 'vendor_link'`)
	w.exec(`update mappings set document = $1 where object = 'call'`, `{"format": 1, "object": "call", "fields": [
		{"target": "note", "value": {"field": "note"}}, {"target": "link", "value": {"expr": "recordings[0].url"}}, {"target": "text", "value": {"field": "transcription.text"}}]}`)
	w.rules(records.RulesOfSource, "rules:\n  - name: Recording refused\n    when: {field: tags, operator: one_of, value: [do not record]}\n    action: sync_without_recording\n")
	recorded := func(number string, tags ...string) call.Call {
		one := w.call(number)
		one.Note, one.Tags = "hello", tags
		one.Recordings = []call.Recording{{ID: "r1", URL: "https://phone.example/r1.mp3", State: call.RecordingAvailable}}
		one.Transcription.Text = "What was said."
		w.save(one)
		return one
	}
	open := recorded("+14155550101")
	require.Equal(t, activities.Done, w.settle(open).Outcome)
	require.Equal(t, "https://phone.example/r1.mp3", c.calls[w.row(open).RemoteID]["link"])
	refused := recorded("+14155550102", "Do not record")
	require.Equal(t, activities.Done, w.settle(refused).Outcome)
	require.Equal(t, map[string]any{"note": "hello"}, c.calls[w.row(refused).RemoteID])
	var why string
	require.NoError(t, w.sql.QueryRow(t.Context(), `select steps->'withheld'->>'text' from deliveries where object = 'call' and key = $1`, refused.ID).Scan(&why))
	require.Equal(t, "Without its recording by the rule “Recording refused” of the source s.", why)

	refused.Revision, refused.Note = 2, "and a late recording"
	w.save(refused)
	require.Equal(t, activities.Done, w.settle(refused).Outcome)
	require.Equal(t, map[string]any{"note": "and a late recording"}, c.calls[w.row(refused).RemoteID], "it is asked of calls that are in the CRM, too")
}
