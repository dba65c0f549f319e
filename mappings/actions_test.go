package mappings

import (
	"encoding/json"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
)

func TestBusinessTime(t *testing.T) {
	t.Parallel()
	week := Hours{Days: []string{"mon", "tue", "wed", "thu", "fri"}, From: "09:00", To: "18:00"}
	night := Hours{Days: []string{"fri"}, From: "22:00", To: "06:00"}
	always := Hours{From: "00:00", To: "24:00"}
	holiday := week
	holiday.Holidays = []string{"2026-12-25", "2026-12-28"}
	tokyo := week
	tokyo.TimeZone = "Asia/Tokyo"
	never := week
	for d := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC); d.Year() < 2029; d = d.AddDate(0, 0, 1) {
		never.Holidays = append(never.Holidays, d.Format(time.DateOnly))
	}
	for name, c := range map[string]struct {
		hours      Hours
		from, want string
		d          time.Duration
	}{
		"within the hours":               {week, "2026-11-23T10:00:00+01:00", "2026-11-23T10:30:00+01:00", 30 * time.Minute},
		"at once, within":                {week, "2026-11-23T10:00:00+01:00", "2026-11-23T10:00:00+01:00", 0},
		"at once, outside":               {week, "2026-11-22T10:00:00+01:00", "2026-11-23T09:00:00+01:00", 0},
		"over night":                     {week, "2026-11-23T17:50:00+01:00", "2026-11-24T09:20:00+01:00", 30 * time.Minute},
		"to the end of the day":          {week, "2026-11-23T17:30:00+01:00", "2026-11-23T18:00:00+01:00", 30 * time.Minute},
		"before they open":               {week, "2026-11-23T07:00:00+01:00", "2026-11-23T09:30:00+01:00", 30 * time.Minute},
		"after they close":               {week, "2026-11-23T20:00:00+01:00", "2026-11-24T09:30:00+01:00", 30 * time.Minute},
		"over the weekend":               {week, "2026-11-20T17:50:00+01:00", "2026-11-23T09:20:00+01:00", 30 * time.Minute},
		"on a Sunday":                    {week, "2026-11-22T12:00:00+01:00", "2026-11-23T10:00:00+01:00", time.Hour},
		"two days of nine hours":         {week, "2026-11-20T09:00:00+01:00", "2026-11-23T18:00:00+01:00", 18 * time.Hour},
		"over Christmas":                 {holiday, "2026-12-24T17:30:00+01:00", "2026-12-29T09:30:00+01:00", time.Hour},
		"summer time begins on a Sunday": {week, "2026-03-27T17:30:00+01:00", "2026-03-30T09:30:00+02:00", time.Hour},
		"summer time ends on a Sunday":   {week, "2026-10-23T17:30:00+02:00", "2026-10-26T09:30:00+01:00", time.Hour},
		"a day of 23 hours":              {always, "2026-03-28T12:00:00+01:00", "2026-03-29T13:00:00+02:00", 24 * time.Hour},
		"a day of 25 hours":              {always, "2026-10-24T12:00:00+02:00", "2026-10-25T11:00:00+01:00", 24 * time.Hour},
		"the night of a Friday":          {night, "2026-11-20T23:00:00+01:00", "2026-11-21T02:00:00+01:00", 3 * time.Hour},
		"early on the Saturday":          {night, "2026-11-21T05:00:00+01:00", "2026-11-27T23:00:00+01:00", 2 * time.Hour},
		"a night with 25 hours":          {Hours{Days: []string{"sat"}, From: "22:00", To: "06:00"}, "2026-10-24T22:00:00+02:00", "2026-10-25T06:00:00+01:00", 9 * time.Hour},
		"in another zone":                {tokyo, "2026-11-23T08:50:00+01:00", "2026-11-23T09:00:00+01:00", 10 * time.Minute},
		"closed for good":                {never, "2026-11-23T10:00:00+01:00", "2026-11-23T10:30:00+01:00", 30 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			open, faults := c.hours.compile()
			require.Empty(t, faults)
			from, err := time.Parse(time.RFC3339, c.from)
			require.NoError(t, err)
			want, err := time.Parse(time.RFC3339, c.want)
			require.NoError(t, err)
			require.Equal(t, want.UTC(), open.after(from, c.d, zone("Europe/Berlin")))
		})
	}
}

// Of two moments and two lengths of time, the later and the longer never come first, and the result is within the hours.
func TestBusinessTimeIsMonotonic(t *testing.T) {
	t.Parallel()
	open, faults := Hours{Days: []string{"mon", "wed", "sat"}, From: "20:30", To: "02:15", Holidays: []string{"2026-10-24"}}.compile()
	require.Empty(t, faults)
	berlin := zone("Europe/Berlin")
	at := time.Date(2026, 10, 20, 0, 0, 0, 0, time.UTC)
	last := time.Time{}
	for range 24 * 14 * 4 {
		at = at.Add(15 * time.Minute)
		due := open.after(at, 40*time.Minute, berlin)
		require.False(t, due.Before(last), at)
		require.False(t, due.Before(at.Add(40*time.Minute)))
		require.True(t, open.holds(due.Add(-time.Second), berlin), "%s", due)
		require.False(t, open.after(at, 50*time.Minute, berlin).Before(due))
		last = due
	}
}

func TestActionsDocument(t *testing.T) {
	t.Parallel()
	doc, err := ParseActions([]byte("actions:\n  - {name: Call back, do: follow_up}\n"))
	require.NoError(t, err)
	require.Equal(t, MissedInbound(), doc.Actions[0].When, "turned on without a condition it is for missed calls")
	a, err := ReadActions([]byte("actions:\n  - {name: Call back, do: follow_up}\n"), "US")
	require.NoError(t, err)
	for status, want := range map[call.Status]bool{call.Missed: true, call.Voicemail: true, call.Abandoned: true, call.Answered: false, call.Busy: false} {
		for direction, inbound := range map[call.Direction]bool{call.Inbound: true, call.Outbound: false} {
			ok, err := a.Holds(0, Input{Call: call.Call{Facts: call.Facts{Direction: direction, Status: status}}})
			require.NoError(t, err)
			require.Equal(t, want && inbound, ok, "%s %s", direction, status)
		}
	}
	empty, err := ReadActions(nil, "")
	require.NoError(t, err)
	require.Zero(t, empty.Len())
}

// What is wrong is said with the action and the place, all of it at once.
func TestActionsThatAreWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ doc, want string }{
		"no list":        {"actions: 3", "document, actions: actions is a list"},
		"unknown member": {"actions:\n  - {name: A, do: follow_up, due: 30m}", `action 1 (A): "due" is not known here`},
		"kind":           {"actions:\n  - {name: A, do: followup}", "action 1 (A), do: Say what is to be done: follow_up, ticket, deal. Did you mean follow_up?"},
		"no condition":   {"actions:\n  - {name: A, do: ticket}", "action 1 (A), when: A condition is"},
		"no name":        {"actions:\n  - {do: follow_up}", "action 1, name: Give the action a name"},
		"name twice":     {"actions:\n  - {name: A, do: follow_up}\n  - {name: a, do: follow_up}", "action 2 (a), name: Action 1 has this name already"},
		"length":         {"actions:\n  - {name: A, do: follow_up, due_in: soon}", "due_in: Write a length of time such as 30m"},
		"too long":       {"actions:\n  - {name: A, do: follow_up, due_in: 1000h}", "due_in: The longest time is 744 hours"},
		"hours":          {"actions:\n  - {name: A, do: follow_up, hours: {from: 9, to: '18:00'}}", "hours.from: Write the time of day"},
		"few hours":      {"actions:\n  - {name: A, do: follow_up, due_in: 700h, hours: {days: [mon], from: '09:00', to: '10:00'}}", "more than a year"},
		"zone":           {"actions:\n  - {name: A, do: follow_up, hours: {from: '09:00', to: '18:00', time_zone: Berlin}}", `hours.time_zone: There is no time zone "Berlin"`},
		"priority":       {"actions:\n  - {name: A, do: follow_up, priority: hi}", "priority: Write low, normal, high, urgent here"},
		"escalation":     {"actions:\n  - {name: A, do: follow_up, escalate: {after: 1h}}", "escalate: Say what escalation does"},
		"second task":    {"actions:\n  - {name: A, do: follow_up, escalate: {priority: high, second_task: true}}", "escalate.second_task: A second task needs somebody"},
		"flag":           {"actions:\n  - {name: A, do: follow_up, escalate: {to: x, second_task: maybe}}", "escalate.second_task: Write true or false"},
		"foreign":        {"actions:\n  - {name: A, do: ticket, when: first_call, due_in: 3h}", "due_in: An action with do: ticket has no due_in"},
		"template":       {"actions:\n  - {name: A, do: follow_up, subject: 'Call {{ custmer.name }}'}", "action 1 (A), subject"},
		"condition":      {"actions:\n  - {name: A, do: ticket, when: {field: tagz, operator: is, value: x}}", "when.field: There is no field \"tagz\". Did you mean tags?"},
		"deal":           {"actions:\n  - {name: A, do: deal, when: first_call}", "fields: Say what the deal gets"},
		"row":            {"actions:\n  - name: A\n    do: deal\n    when: first_call\n    fields:\n      - {target: stage, value: {const: x}}\n      - {target: amount, value: {field: valu.amount}}\n", "line 7, action 1 (A), fields[1].value.field"},
		"row member":     {"actions:\n  - name: A\n    do: deal\n    when: first_call\n    fields:\n      - {target: stage, vale: {const: x}}\n", "fields[0]"},
		"which deal":     {"actions:\n  - {name: A, do: deal, which_deal: all, when: first_call, fields: [{target: a, value: {const: 1}}]}", "which_deal: Write recent, owner, only here"},
		"no yaml":        {"actions: [", "neither YAML nor JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseActions([]byte(c.doc))
			var problems RuleProblems
			require.ErrorAs(t, err, &problems)
			require.Contains(t, err.Error(), c.want)
			_, err = ReadActions([]byte(c.doc), "")
			require.Error(t, err, "what is refused when it is saved is refused when it is read")
		})
	}
}

const followUpsReference = "../docs/follow-ups.md"

// TestFollowUpsReference runs the examples of the documentation: each yaml document makes, line by line of the block after it,
// what is said there of the example call with some members changed.
func TestFollowUpsReference(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(followUpsReference)
	require.NoError(t, err)
	var actions *Actions
	example, lines := "", 0
	blocks := fence.FindAllStringSubmatch(string(data), -1)
	for _, b := range blocks {
		if b[1] == "json call" {
			example = b[2]
		}
	}
	for _, b := range blocks {
		switch b[1] {
		case "yaml":
			_, err := ParseActions([]byte(b[2]))
			require.NoError(t, err, b[2])
			actions, err = ReadActions([]byte(b[2]), "IN")
			require.NoError(t, err)
		case "expect":
			for line := range strings.Lines(b[2]) {
				changes, want, ok := strings.Cut(strings.TrimSpace(line), " => ")
				require.True(t, ok, line)
				require.Equal(t, want, made(t, actions, example, changes), line)
				lines++
			}
		}
	}
	require.Greater(t, lines, 8)
}

// made is what actions make of the example call with some members changed.
func made(t *testing.T, actions *Actions, example, changes string) string {
	t.Helper()
	var c, change map[string]any
	require.NoError(t, json.Unmarshal([]byte(example), &c))
	require.NoError(t, json.Unmarshal([]byte(changes), &change), changes)
	maps.Copy(c, change)
	merged, err := json.Marshal(c)
	require.NoError(t, err)
	in := Input{Location: zone("Asia/Kolkata")}
	require.NoError(t, json.Unmarshal(merged, &in.Call))
	var out []string
	for i := range actions.Len() {
		ok, err := actions.Holds(i, in)
		require.NoError(t, err)
		if !ok {
			continue
		}
		a := actions.At(i)
		switch a.Do {
		case DoDeal:
			r, err := actions.DealFields(i, in)
			require.NoError(t, err)
			text, err := json.Marshal(r.Fields)
			require.NoError(t, err)
			out = append(out, "deal "+string(text))
		case DoTicket:
			subject, _, err := actions.Texts(i, in)
			require.NoError(t, err)
			out = append(out, "ticket “"+subject+"”")
		default:
			subject, _, err := actions.Texts(i, in)
			require.NoError(t, err)
			due, escalate := actions.Due(i, in.Call.EndedAt, in.Location)
			text := "task “" + subject + "” due " + due.In(in.Location).Format("Mon 15:04")
			if !escalate.IsZero() {
				text += ", escalated " + escalate.In(in.Location).Format("Mon 15:04")
			}
			out = append(out, text)
		}
	}
	if len(out) == 0 {
		return "nothing"
	}
	return strings.Join(out, "; ")
}
