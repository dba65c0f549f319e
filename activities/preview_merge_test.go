package activities_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// drawMapping is a document of rows in all modes.
func drawMapping(t *rapid.T) string {
	var b strings.Builder
	b.WriteString("format: 1\nobject: call\nfields:\n")
	for _, r := range [][2]string{
		{"note", "value: {field: note}"}, {"title", `value: {template: "Call of {{ customer.name }}"}`},
		{"body", `type: html, value: {template: ["<b>{{ customer.name }}</b>", "{{ note }}"]}`}, {"tags", "type: multi, value: {field: tags}"},
		{"talk", "type: number, value: {field: talk_seconds}"}, {"at", "type: datetime, value: {field: started_at}"},
	} {
		target, row := r[0], r[1]
		if !rapid.Bool().Draw(t, "has "+target) {
			continue
		}
		modes := []string{"overwrite", "always", "fill_if_empty", "never"}
		if target == "note" || target == "body" || target == "tags" {
			modes = append(modes, "append")
		}
		fmt.Fprintf(&b, "  - {target: %s, mode: %s, empty: %s, %s}\n", target, rapid.SampledFrom(modes).Draw(t, "mode of "+target),
			rapid.SampledFrom([]string{"skip", "clear"}).Draw(t, "empty "+target), row)
	}
	return b.String() + "  - {target: subject, value: {field: customer.name}}\n"
}

// Into a record that is there, and in which people have worked, a delivery sends what the preview has said before: whatever the
// documents, the calls, the modes and the edits. The outcomes of the fields are those of the delivery, too.
func TestPreviewIsTheDeliveryIntoWhatIsThere(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.KeyedUpsert)
	w := newWorld(t, c)
	w.exec(`update sources set time_zone = 'Asia/Kolkata'`)
	version := 1
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{"", "Ada", "Grace\nHopper", "<i>x</i>", "ours"})
		one := w.call("")
		one.Customer.Name = "Nobody"
		for range rapid.IntRange(2, 4).Draw(t, "writes") {
			if one.Revision == 1 || rapid.Bool().Draw(t, "the call changes") {
				one.Revision++
				one.Customer.Name, one.Note = text.Draw(t, "name"), text.Draw(t, "note")
				one.Tags = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 2, rapid.ID[string]).Draw(t, "tags")
				one.TalkSeconds = nil
				if rapid.Bool().Draw(t, "talked") {
					one.TalkSeconds = new(rapid.Int64Range(0, 3).Draw(t, "talk"))
				}
				w.save(one)
			}
			version++
			p := w.mapping("call", drawMapping(t), version)
			for id, fields := range c.calls {
				if c.keys[one.ID] != id {
					continue
				}
				for _, f := range []string{"note", "title", "body", "talk", "subject"} {
					switch rapid.IntRange(0, 5).Draw(t, "edit of "+f) {
					case 0:
						fields[f] = "a human's"
					case 1:
						delete(fields, f)
					case 2:
						if s, ok := fields[f].(string); ok {
							fields[f] = "before\n" + s
						}
					}
				}
				if rapid.Bool().Draw(t, "edit of tags") {
					fields["tags"] = []string{"b", "z"}
				}
			}
			got := w.preview("call", 1, one)
			require.Len(t, got, 1)
			told := mappings.Compare(nil, p, got[0].in, got[0].u, got[0].Now)
			require.Empty(t, told.After.Error)
			before := len(c.writes)
			r, err := w.delivery.Deliver(w.t.Context(), activities.DeliverInput{WorkspaceID: w.ws, CallID: one.ID, ConnectionID: w.conn, Revision: one.Revision, Force: true})
			require.NoError(t, err)
			require.Equal(t, activities.Done, r.Outcome)
			if got[0].u.Exists && len(told.After.Sends) == 0 {
				require.Len(t, c.writes, before, "nothing is sent")
			} else {
				require.Len(t, c.writes, before+1)
				require.Equal(t, told.After.Sends, c.writes[before])
			}
			kept := w.kept(one)
			for _, row := range told.Rows {
				_, sent := told.After.Sends[row.Target]
				switch row.Outcome {
				case mappings.OutcomeWritten, mappings.OutcomeCleared, mappings.OutcomeFilled, mappings.OutcomeAppended:
					require.True(t, sent, row.Target)
				case mappings.OutcomeKept, mappings.OutcomeLeft:
					require.True(t, kept[row.Target].Open(), row.Target)
					require.Equal(t, kept[row.Target].Cause, row.Cause)
					fallthrough
				default:
					require.False(t, sent, row.Target)
				}
			}
		}
	})
}

// Where the record was not read, the preview takes it to be as callsync left it.
func TestPreviewOfWhatWasNotRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newCRM(connectors.KeyedUpsert))
	p := w.mapping("call", "format: 1\nobject: call\nfields: [{target: note, value: {field: note}}, {target: subject, value: {const: a}}]", 2)
	one := w.call("")
	one.Note = "ours"
	w.save(one)
	require.Equal(t, activities.Done, w.settle(one).Outcome)
	one.Revision, one.Note = one.Revision+1, "ours, better"
	w.save(one)
	w.crm.calls["call-1"]["note"] = "a human's"
	look := func(reads int) mappings.Comparison {
		got := w.preview("call", reads, one)[0]
		return mappings.Compare(p, p, got.in, got.u, got.Now)
	}
	require.Equal(t, map[string]any{"note": "ours, better"}, look(0).After.Sends)
	told := look(1)
	require.Empty(t, told.After.Sends)
	require.Equal(t, []any{mappings.OutcomeKept, records.KeptEdited, mappings.OutcomeUnchanged}, []any{told.Rows[0].Outcome, told.Rows[0].Cause, told.Rows[1].Outcome})
}

// readingTaskCRM can be asked for what is in its tasks and messages.
type readingTaskCRM struct{ findingTaskCRM }

func (c readingTaskCRM) Open(connectors.Settings) (connectors.Session, error) { return c, nil }

func (c readingTaskCRM) ReadRecord(_ context.Context, _, id string, _ []string) (map[string]any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.records[id]
	if !ok {
		return nil, &connectors.Error{Class: connectors.NotFound, Public: "gone"}
	}
	return maps.Clone(r.Fields), nil
}

// What people write into a task survives the clock, and the preview of the mapping of tasks says so before.
func TestHumanEditsOfTasksSurvive(t *testing.T) {
	t.Parallel()
	w := newTaskWorld(t, connectors.KeyedUpsert, missedActions)
	w.delivery.Connectors = connectors.NewRegistry(readingTaskCRM{findingTaskCRM{w.crm}})
	w.missed("+14155550101", time.Minute)
	id := w.only().ID
	doc, err := mappings.Parse([]byte(taskMapping))
	require.NoError(t, err)
	p, err := mappings.Compile(doc)
	require.NoError(t, err)
	look := func(kind string) (out []mappings.Comparison) {
		q := records.PreviewQuery{WorkspaceID: w.ws, ConnectionID: w.conn, Object: kind, Kind: kind, IDs: []string{id}, Reads: 1, Read: p.Targets()}
		require.NoError(t, w.previews().Preview(t.Context(), q, func(facts records.Previewed, in mappings.Input, u mappings.Update) error {
			out = append(out, mappings.Compare(nil, p, in, u, facts.Now))
			return nil
		}))
		return out
	}
	told := look("task")[0].After.Sends
	require.NotEmpty(t, told["title"])
	w.run(id)
	require.Equal(t, told, w.crm.records["task-1"].Fields, "a preview of a task is what is made")
	require.Empty(t, look("task")[0].After.Sends)
	require.Empty(t, look("ticket"), "it is no ticket")

	w.crm.records["task-1"].Fields["title"] = "Call Ada, she is angry"
	w.exec(`update follow_ups set due_at = now() - interval '1 minute'`)
	w.run(id)
	require.Equal(t, "Call Ada, she is angry", w.crm.records["task-1"].Fields["title"])
	rows := look("task")[0].Rows
	require.Equal(t, []any{mappings.OutcomeKept, records.KeptEdited}, []any{rows[0].Outcome, rows[0].Cause})
	require.Equal(t, w.crm.records["task-1"].Fields["priority"], "normal")
	w.exec(`update follow_ups set escalate_at = now() - interval '1 minute'`)
	w.run(id)
	require.Equal(t, "urgent", w.crm.records["task-1"].Fields["priority"], "what is ours is escalated")
}
