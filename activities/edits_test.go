package activities_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/postgres"
	"github.com/callsync/callsync/records"
)

// next is the call with another note.
func (w *world) next(c *call.Call, note string) activities.DeliverResult {
	w.t.Helper()
	c.Revision++
	c.Note = note
	w.save(*c)
	return w.settle(*c)
}

// kept are the edits that the call's delivery has met.
func (w *world) kept(c call.Call) map[string]records.Kept {
	var data []byte
	require.NoError(w.t, w.sql.QueryRow(w.t.Context(), `select kept from deliveries where object = 'call' and key = $1`, c.ID).Scan(&data))
	var out map[string]records.Kept
	require.NoError(w.t, json.Unmarshal(data, &out))
	return out
}

func (w *world) remap(document string) {
	w.exec(`update mappings set document = $1 where object = 'call'`, document)
	w.delivery = &activities.Delivery{Store: w.delivery.Store, Connectors: w.delivery.Connectors, PublicURL: w.delivery.PublicURL,
		Transport: w.delivery.Transport, Log: w.delivery.Log}
}

func (w *world) sync(c call.Call) {
	w.t.Helper()
	_, err := w.delivery.Deliver(w.t.Context(), activities.DeliverInput{WorkspaceID: w.ws, CallID: c.ID, ConnectionID: w.conn, Revision: c.Revision, Force: true})
	require.NoError(w.t, err)
}

// A human's edit survives our updates; it is recorded, costs one read for each wish of ours, and is over when both have the
// same again.
func TestHumanEditsSurvive(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.KeyedUpsert)
	w := newWorld(t, c)
	one := w.call("")
	one.Note = "ours"
	w.save(one)
	w.settle(one)
	require.Zero(t, c.reads, "a create reads nothing")

	c.calls["call-1"]["note"] = "a human's"
	require.Equal(t, activities.Done, w.next(&one, "ours, better").Outcome)
	require.Equal(t, "a human's", c.calls["call-1"]["note"])
	require.Len(t, c.writes, 1, "nothing is left to write")
	require.Equal(t, 1, c.reads)
	kept := w.kept(one)["note"]
	require.Equal(t, records.KeptEdited, kept.Cause)
	require.Equal(t, []any{"ours", "a human's", "ours, better"}, []any{kept.Ours, kept.Theirs, kept.Wanted})
	require.True(t, kept.Conflict())

	one.Tags = []string{"not mapped"}
	w.next(&one, "ours, better")
	require.Equal(t, 1, c.reads, "the CRM was asked for this wish before")

	one.Customer.Name = "Grace"
	w.next(&one, "ours, better")
	require.Equal(t, map[string]any{"title": "Grace"}, c.writes[1], "what is ours is updated beside it")
	require.Equal(t, 2, c.reads)

	c.calls["call-1"]["note"] = "ours, better"
	w.sync(one)
	require.Equal(t, records.ResolvedSame, w.kept(one)["note"].Resolution)
	require.False(t, w.kept(one)["note"].Open())
	require.Len(t, c.writes, 2)

	w.next(&one, "ours again")
	require.Equal(t, "ours again", c.calls["call-1"]["note"])

	delete(c.calls["call-1"], "note")
	w.next(&one, "and again")
	require.NotContains(t, c.calls["call-1"], "note")
	require.Equal(t, records.KeptCleared, w.kept(one)["note"].Cause, "clearing a field is an edit, too")

	c.calls["call-1"]["note"] = "ours again"
	w.sync(one)
	require.Equal(t, "and again", c.calls["call-1"]["note"], "they took their edit back")
	require.Equal(t, records.ResolvedReverted, w.kept(one)["note"].Resolution)
}

func TestOursIsTakenOnce(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.KeyedUpsert)
	w := newWorld(t, c)
	one := w.call("")
	one.Note = "ours"
	w.save(one)
	w.settle(one)
	c.calls["call-1"]["note"] = "theirs"
	w.next(&one, "wanted")
	db, err := postgres.Open(t.Context(), w.url, plainSealer{}, postgres.Options{MaxConns: 2})
	require.NoError(t, err)
	defer db.Close()
	take := func(workspace string, fields ...string) int {
		n, err := db.TakeOurs(t.Context(), workspace, one.ID, w.conn, fields)
		require.NoError(t, err)
		return n
	}
	require.Zero(t, take(w.source), "another workspace")
	require.Zero(t, take(w.ws, "title"), "no edit is kept there")
	require.Equal(t, 1, take(w.ws))
	w.sync(one)
	require.Equal(t, "wanted", c.calls["call-1"]["note"])
	require.Equal(t, records.ResolvedOurs, w.kept(one)["note"].Resolution)
	require.Zero(t, take(w.ws, "note"), "it is resolved")

	c.calls["call-1"]["note"] = "theirs again"
	w.next(&one, "wanted more")
	require.Equal(t, "theirs again", c.calls["call-1"]["note"], "once is once")
	require.Equal(t, 1, take(w.ws, "note"))
	c.calls["call-1"]["note"] = "changed after they asked"
	w.sync(one)
	require.Equal(t, "changed after they asked", c.calls["call-1"]["note"])
	require.True(t, w.kept(one)["note"].Conflict())
}

func TestModesOfUpdates(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.KeyedUpsert)
	w := newWorld(t, c)
	w.remap(`
format: 1
object: call
fields:
  - {target: over, value: {field: note}}
  - {target: always, mode: always, value: {field: note}}
  - {target: fill, mode: fill_if_empty, value: {field: note}}
  - {target: late, mode: fill_if_empty, value: {field: queue}}
  - {target: append, mode: append, value: {field: note}}
  - {target: tags, mode: append, type: multi, value: {field: tags}}
`)
	one := w.call("")
	one.Note, one.Tags = "one", []string{"a"}
	w.save(one)
	w.settle(one)
	record := c.calls["call-1"]
	for f, v := range map[string]any{"over": "human", "always": "human", "fill": "human", "late": "human", "append": "human\none\nhuman", "tags": []string{"a", "human"}} {
		record[f] = v
	}
	one.Queue, one.Tags = "sales", []string{"b"}
	w.next(&one, "two")
	require.Equal(t, map[string]any{"over": "human", "always": "two", "fill": "human", "late": "human", "append": "human\ntwo\nhuman", "tags": []string{"human", "b"}}, record)
	kept := w.kept(one)
	require.True(t, kept["over"].Conflict())
	require.False(t, kept["late"].Conflict(), "to leave a filled field alone is what the mode says")
	require.NotContains(t, kept, "fill", "what was filled once is not even looked at")

	reads := c.reads
	one.Revision, one.Campaign.Name = one.Revision+1, "not mapped"
	w.save(one)
	w.settle(one)
	require.Equal(t, reads, c.reads)
}

// A worker that is killed at any step of an update, and a human who edits before the next one takes over: the edit
// survives, and without an edit none is made up.
func TestAnUpdateKilledAnywhere(t *testing.T) {
	t.Parallel()
	for _, kind := range []connectors.Idempotency{connectors.KeyedUpsert, connectors.LookupThenWrite, connectors.CreateOnly} {
		for _, human := range []bool{false, true} {
			t.Run(fmt.Sprint(kind, " human ", human), func(t *testing.T) {
				t.Parallel()
				c := newCRM(kind)
				w := newWorld(t, c)
				healthy := w.delivery.Store
				for at := 0; ; at++ {
					one := w.call("")
					one.Note = "created"
					w.save(one)
					w.settle(one)
					id := w.row(one).RemoteID
					one.Revision, one.Note = 2, "sent, perhaps"
					w.save(one)
					d := &dying{Store: healthy, left: at}
					w.delivery.Store = d
					c.fault = func(string, string) error {
						if d.dead || d.step() != nil {
							return &connectors.Error{Class: connectors.UnknownOutcome, Public: "killed"}
						}
						return nil
					}
					_, _ = w.deliver(one)
					w.delivery.Store, c.fault = healthy, nil
					w.exec(`update deliveries set lease_until = '-infinity'`)
					if human {
						c.calls[id]["note"] = "a human's"
					}
					// The next worker finds the call changed once more.
					one.Revision, one.Note = 3, "the last word"
					w.save(one)
					require.Equal(t, activities.Done, w.settle(one).Outcome)
					if human {
						require.Equal(t, "a human's", c.calls[id]["note"], "killed at %d", at)
						require.True(t, w.kept(one)["note"].Conflict())
					} else {
						require.Equal(t, "the last word", c.calls[id]["note"], "killed at %d", at)
						require.Empty(t, w.kept(one))
					}
					var sent string
					require.NoError(t, w.sql.QueryRow(t.Context(), `select sent::text from deliveries where object = 'call' and key = $1`, one.ID).Scan(&sent))
					require.Equal(t, "{}", sent)
					if !d.dead {
						require.Greater(t, at, 5, "the steps were counted")
						return
					}
				}
			})
		}
	}
}

// A create whose answer was lost: when the record is found, what a human has changed in it meanwhile stays, and what we
// sent is known for ours.
func TestACreateThatWasLostAndEdited(t *testing.T) {
	t.Parallel()
	for _, human := range []bool{false, true} {
		c := newCRM(connectors.LookupThenWrite)
		c.fault = once("call", "committed", &connectors.Error{Class: connectors.UnknownOutcome, Public: "no answer"})
		w := newWorld(t, c)
		one := w.call("")
		one.Note = "sent"
		w.save(one)
		_, err := w.deliver(one)
		require.Error(t, err)
		if human {
			c.calls["call-1"]["note"] = "a human's"
		}
		w.next(&one, "the last word")
		require.Len(t, c.calls, 1)
		want := "the last word"
		if human {
			want = "a human's"
		}
		require.Equal(t, want, c.calls["call-1"]["note"])
		require.Equal(t, human, w.kept(one)["note"].Conflict())
	}
}

// blind is a CRM that cannot be read.
type blind struct{ connectors.Session }

type blindCRM struct{ *crm }

func (c blindCRM) Open(connectors.Settings) (connectors.Session, error) { return blind{c.crm}, nil }

func TestACRMThatCannotBeRead(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.KeyedUpsert)
	w := newWorld(t, c)
	w.delivery.Connectors = connectors.NewRegistry(blindCRM{c})
	one := w.call("")
	one.Note = "ours"
	w.save(one)
	w.settle(one)
	c.calls["call-1"]["note"] = "theirs"
	w.next(&one, "changed here")
	require.Equal(t, "changed here", c.calls["call-1"]["note"])
	require.Zero(t, c.reads)
	require.Empty(t, w.kept(one))
}
