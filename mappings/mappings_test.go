package mappings

import (
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
)

func ptr[T any](v T) *T { return &v }

// answeredInbound is a call with everything a phone system can say.
func answeredInbound() Input {
	at := time.Date(2026, 11, 21, 10, 3, 5, 0, time.UTC)
	return Input{
		Call: call.Call{
			ID: "0190-call", WorkspaceID: "w1", SourceID: "s1", Provider: "callrail", ProviderID: "CAL1", Revision: 3, Phase: call.Ended,
			Facts: call.Facts{
				Direction: call.Inbound, Status: call.Answered,
				Customer:       call.Party{Number: "+14155550101", RawNumber: "(415) 555-0101", Name: "Mary Ann Smith", City: "Denver", State: "CO", Country: "US"},
				BusinessNumber: "+13035550100",
				Agents: []call.Agent{
					{Name: "Bob Busy", Status: call.AgentMissed, RingSeconds: ptr(int64(12))},
					{Name: "Ann Agent", Email: "ann@example.com", Status: call.AgentAnswered, TalkSeconds: ptr(int64(213)), AnsweredAt: at.Add(12 * time.Second)},
				},
				StartedAt: at, AnsweredAt: at.Add(12 * time.Second), EndedAt: at.Add(225 * time.Second),
				DurationSeconds: ptr(int64(225)), TalkSeconds: ptr(int64(213)), Queue: "Sales",
				Recordings:    []call.Recording{{ID: "REC1", URL: "https://phone.example/rec/1", State: call.RecordingAvailable}},
				Transcription: call.Transcription{Text: "Hello.\nI want a quote."},
				Disposition:   call.Disposition{Value: "Connected", SubValue: "Quote"},
				Tags:          []string{"vip", "quote"}, Note: "Call back on Monday", FirstCall: ptr(true), PriorCalls: ptr(int64(0)),
				Value:       &call.Money{Amount: "120.50", Currency: "USD"},
				Attribution: call.Attribution{Source: "Google", Medium: "cpc", Campaign: "Autumn", UTM: map[string]string{"term": "roof"}},
				Attributes:  map[string]any{"plan": "gold", "score": 7.5, "list": []any{"a", float64(2), nil}, "nested": map[string]any{"deep": true}},
				TimeZone:    "America/Denver",
			},
		},
		OwnerID: "owner-7", Dispositions: []Option{{"guid-conn", "Connected"}, {"guid-busy", "Busy"}},
		CallURL: "https://sync.example/calls/0190-call", RecordingURL: "https://sync.example/recordings/abc", Location: time.FixedZone("CET", 3600),
	}
}

// evaluate runs one expression the way a text row does not: without conversion.
func evaluate(t testing.TB, source string, in Input) (any, error) {
	t.Helper()
	e, problems := callWords.compileExpr(source, false)
	require.Empty(t, problems, source)
	r := startRun(&in)
	defer r.end()
	r.budget = workBudget
	return r.eval(e)
}

func TestExpressions(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 10, 3, 5, 0, time.UTC)
	for source, want := range map[string]any{
		`direction`:                                       "inbound",
		`customer.number`:                                 "+14155550101",
		`agents[0].name`:                                  "Bob Busy",
		`agents[-1].name`:                                 "Ann Agent",
		`agents[7].name`:                                  nil,
		`agent.name`:                                      "Ann Agent",
		`agent.extension ?? "none"`:                       "none",
		`started_at`:                                      at,
		`customer.company`:                                nil,
		`customer.company ?? "private"`:                   "private",
		`upper(customer.company)`:                         nil,
		`"x" + customer.company`:                          nil,
		`talk_seconds * 2 + 1`:                            427,
		`hold_seconds * 2`:                                nil,
		`hold_seconds > 1`:                                false,
		`hold_seconds == nil`:                             true,
		`hold_seconds != nil`:                             false,
		`talk_seconds / 60`:                               3.55,
		`talk_seconds / 0`:                                nil,
		`talk_seconds % 60`:                               33,
		`-talk_seconds`:                                   -213,
		`first_call and talk_seconds > 30`:                true,
		`not first_call`:                                  false,
		`not stale`:                                       true,
		`"vip" in tags`:                                   true,
		`"nope" in tags`:                                  false,
		`tags[0]`:                                         "vip",
		`tags[0:1]`:                                       []any{"vip"},
		`note[0:4]`:                                       "Call",
		`note matches "(?i)monday"`:                       true,
		`note contains "Monday"`:                          true,
		`customer.email contains "@"`:                     false,
		`customer.name startsWith "Mary"`:                 true,
		`attributes.plan`:                                 "gold",
		`attributes.score + 0.5`:                          8,
		`attributes.missing.deep`:                         nil,
		`attributes["nested"].deep`:                       true,
		`join(attributes.list, "-")`:                      "a-2",
		`attribution.utm.term`:                            "roof",
		`attribution.utm.nothing`:                         nil,
		`value.amount`:                                    "120.50",
		`number(value.amount) > 100`:                      true,
		`round(number(value.amount) / 3, 2)`:              40.17,
		`coalesce(customer.email, "", note)`:              "Call back on Monday",
		`coalesce(customer.email)`:                        nil,
		`empty(customer.email)`:                           true,
		`join(tags)`:                                      "vip, quote",
		`join(map(agents, .name), " & ")`:                 "Bob Busy & Ann Agent",
		`join([customer.email, "a", nil])`:                "a",
		`lines(tags)`:                                     "vip\nquote",
		`first(tags)`:                                     "vip",
		`last(tags)`:                                      "quote",
		`first(digits)`:                                   nil,
		`len(agents)`:                                     2,
		`len(digits)`:                                     0,
		`len("zażółć")`:                                   6,
		`unique(["a", "b", "a"])`:                         []any{"a", "b"},
		`split(" a ; b ;", ";")`:                          []any{"a", "b"},
		`find(agents, .status == "answered").name`:        "Ann Agent",
		`find(agents, .name == "Nobody").name`:            nil,
		`filter(agents, .talk_seconds > 0)[0].name`:       "Ann Agent",
		`count(agents, .status == "missed")`:              1,
		`any(digits, # == "1")`:                           false,
		`all(digits, # == "1")`:                           true,
		`label(status)`:                                   "Answered",
		`label("no_answer")`:                              "No answer",
		`phone_national(customer.number)`:                 "(415) 555-0101",
		`phone_international(customer.number)`:            "+1 415-555-0101",
		`phone_e164("+1 (415) 555-0101")`:                 "+14155550101",
		`phone_e164("anonymous")`:                         "anonymous",
		`first_name(customer.name)`:                       "Mary Ann",
		`last_name(customer.name)`:                        "Smith",
		`last_name("Cher")`:                               nil,
		`last_name("Smith, Mary")`:                        "Smith",
		`time_format(started_at, "YYYY-MM-DD HH:mm ZZZ")`: "2026-11-21 11:03 CET",
		`time_format(started_at, "DD.MM.YY h:mm a Z", "America/Denver")`: "21.11.26 3:03 am -07:00",
		`time_format(started_at, "dddd, D MMMM [at] H", "UTC")`:          "Saturday, 21 November at 10",
		`time_format(started_at, "HH", time_zone)`:                       "03",
		`seconds_between(started_at, answered_at)`:                       12,
		`started_at < answered_at`:                                       true,
		`duration_text(talk_seconds)`:                                    "3 min 33 s",
		`duration_text(3600)`:                                            "1 h",
		`duration_text(0)`:                                               "0 s",
		`hms(3725)`:                                                      "1:02:05",
		`millis(talk_seconds)`:                                           213000,
		`truncate(note, 6)`:                                              "Call …",
		`replace(note, "Monday", "Friday")`:                              "Call back on Friday",
		`web_link(" HTTPS://a.example/x ")`:                              "HTTPS://a.example/x",
		`web_link("javascript:x")`:                                       nil,
		`disposition_id`:                                                 "guid-conn",
		`owner_id`:                                                       "owner-7",
		`contact_id`:                                                     nil,
		`let n = len(tags); n > 1 ? "many" : "few"`:                      "many",
		`{a: 1, "b": 2}["b"]`:                                            2,
		`status in ["missed", "voicemail"]`:                              false,
		`tags | join("+")`:                                               "vip+quote",
		`9223372036854775807 + 1 > 0`:                                    true,
	} {
		got, err := evaluate(t, source, answeredInbound())
		require.NoError(t, err, source)
		require.Equal(t, want, got, source)
	}
}

func TestAbsentFactsNeverFail(t *testing.T) {
	t.Parallel()
	for _, f := range Fields() {
		name := f.Name
		if before, after, ok := strings.Cut(name, "[]"); ok {
			name = before + "[3]" + after
		}
		v, err := evaluate(t, name, Input{})
		require.NoError(t, err, name)
		switch name {
		case "direction", "status":
			require.Equal(t, "unknown", v)
		case "revision":
			require.Equal(t, 0, v)
		case "stale":
			require.Equal(t, false, v)
		default:
			require.Nil(t, v, name)
		}
	}
}

func TestNamesDoNotCollide(t *testing.T) {
	t.Parallel()
	for _, f := range functionNames() {
		_, taken := callWords.index[f]
		require.False(t, taken, f)
	}
}

func TestTargetsAndObject(t *testing.T) {
	t.Parallel()
	p := program(t, `{target: a, value: {const: x}}`, `{target: b, mode: never, value: {const: x}}`)
	require.Equal(t, "call", p.Object())
	require.Equal(t, []string{"a"}, p.Targets())
}

// program compiles a document of rows in flow style.
func program(t testing.TB, rows ...string) *Program {
	t.Helper()
	doc, err := Parse([]byte("format: 1\nobject: call\nfields:\n  - " + strings.Join(rows, "\n  - ") + "\n"))
	require.NoError(t, err)
	p, err := Compile(doc)
	require.NoError(t, err)
	return p
}

func TestRows(t *testing.T) {
	t.Parallel()
	hostile := answeredInbound()
	hostile.Call.Note = "<script>alert(1)</script>\n\x00\"quoted\" & 'more'\x1b[31m"
	hostile.Call.Customer.Name = `"><img src=x onerror=alert(1)>`
	hostile.RecordingURL = "javascript:alert(1)"
	for _, tt := range []struct {
		name, row string
		in        Input
		want      any
		absent    bool
		warning   string
		fails     string
	}{
		{name: "field", row: `{target: x, value: {field: customer.number}}`, want: "+14155550101"},
		{name: "field of a list", row: `{target: x, value: {field: "agents[1].name"}}`, want: "Ann Agent"},
		{name: "const", row: `{target: x, type: number, value: {const: 5}}`, want: int64(5)},
		{name: "const false", row: `{target: x, type: bool, value: {const: false}}`, want: false},
		{name: "const list", row: `{target: x, type: multi, value: {const: [a, b]}}`, want: []string{"a", "b"}},
		{name: "number", row: `{target: x, type: number, value: {expr: talk_seconds}}`, want: int64(213)},
		{name: "fraction", row: `{target: x, type: number, value: {expr: talk_seconds / 60}}`, want: 3.55},
		{name: "number of text", row: `{target: x, type: number, value: {field: value.amount}}`, want: 120.5},
		{name: "no number", row: `{target: x, type: number, value: {field: note}}`, fails: "is not a number"},
		{name: "bool", row: `{target: x, type: bool, value: {field: first_call}}`, want: true},
		{name: "no bool", row: `{target: x, type: bool, value: {field: note}}`, fails: "neither true nor false"},
		{name: "datetime", row: `{target: x, type: datetime, value: {field: started_at}}`, want: time.Date(2026, 11, 21, 10, 3, 5, 0, time.UTC)},
		{name: "no datetime", row: `{target: x, type: datetime, value: {field: note}}`, fails: "is not a time"},
		{name: "time as text", row: `{target: x, value: {field: started_at}}`, want: "2026-11-21T10:03:05Z"},
		{name: "list as text", row: `{target: x, value: {field: tags}}`, want: "vip, quote"},
		{name: "group as text", row: `{target: x, value: {field: customer}}`, fails: "group of several values"},
		{name: "multi", row: `{target: x, type: multi, value: {field: tags}}`, want: []string{"vip", "quote"}},
		{name: "skip is the default", row: `{target: x, value: {field: customer.email}}`, absent: true},
		{name: "clear", row: `{target: x, empty: clear, value: {field: customer.email}}`, want: nil},
		{name: "blank is empty", row: `{target: x, value: {const: "  "}}`, absent: true},
		{name: "when", row: `{target: x, when: status == "missed", value: {const: x}}`, absent: true},
		{name: "when clears nothing", row: `{target: x, when: status == "missed", empty: clear, value: {const: x}}`, absent: true},
		{name: "when of an absent fact", row: `{target: x, when: hold_seconds > 3, value: {const: x}}`, absent: true},
		{name: "never", row: `{target: x, mode: never, value: {const: x}}`, absent: true},
		{name: "lookup", row: `{target: x, value: {lookup: {key: direction, table: {INBOUND: in}}}}`, want: "in"},
		{name: "lookup default", row: `{target: x, value: {lookup: {key: direction, table: {outbound: out}, default: other}}}`, want: "other"},
		{name: "lookup without", row: `{target: x, value: {lookup: {key: direction, table: {outbound: out}}}}`, absent: true, warning: "no entry"},
		{name: "lookup of absent", row: `{target: x, value: {lookup: {key: customer.email, table: {a: b}}}}`, absent: true},
		{name: "template", row: `{target: x, value: {template: "Call with {{ customer.name }}"}}`, want: "Call with Mary Ann Smith"},
		{name: "template of nothing", row: `{target: x, value: {template: "Call with {{ customer.email }}"}}`, absent: true},
		{name: "template lines", row: `{target: x, value: {template: ["A", "B {{ customer.email }}", "C {{ note }}"]}}`, want: "A\nC Call back on Monday"},
		{name: "braces in a template", row: `{target: x, value: {template: '{{ {a: {b: "}}"}}["a"].b }} {{ "{{" }}'}}`, want: "}} {{"},
		{name: "cut", row: `{target: x, max_length: 5, value: {field: note}}`, want: "Call…", warning: "cut from 19 to 5"},
		{name: "text keeps tags", row: `{target: x, value: {template: "<b>{{ customer.name }}"}}`, want: "<b>Mary Ann Smith"},
		{name: "html field", row: `{target: x, type: html, value: {field: note}}`, in: hostile,
			want: "&lt;script&gt;alert(1)&lt;/script&gt;<br>&#34;quoted&#34; &amp; &#39;more&#39;[31m"},
		{name: "html const", row: `{target: x, type: html, value: {const: "<b>"}}`, want: "&lt;b&gt;"},
		{name: "html expr", row: `{target: x, type: html, value: {expr: '"<b>" + note'}}`, want: "&lt;b&gt;Call back on Monday"},
		{name: "html template", row: `{target: x, type: html, value: {template: ["<b>{{ customer.name }}</b>", "{{ lines(tags) }}"]}}`, in: hostile,
			want: "<b>&#34;&gt;&lt;img src=x onerror=alert(1)&gt;</b><br>\nvip<br>quote"},
		{name: "html link", row: `{target: x, type: html, value: {template: '<a href="{{ call_url }}">call</a>'}}`,
			want: `<a href="https://sync.example/calls/0190-call">call</a>`},
		{name: "html script link", row: `{target: x, type: html, value: {template: '<a href="{{ recording_url }}">listen</a>'}}`, in: hostile,
			absent: true, warning: "no web address"},
		{name: "escape_html once", row: `{target: x, type: html, value: {template: '{{ escape_html("<") }}'}}`, want: "&lt;"},
		{name: "control characters", row: `{target: x, value: {field: note}}`, in: hostile, want: "<script>alert(1)</script>\n\"quoted\" & 'more'[31m"},
		{name: "unknown zone", row: `{target: x, value: {expr: 'time_format(started_at, "HH", "Mars/Base")'}}`, want: "11", warning: "time zone"},
		{name: "disposition not in the list", row: `{target: x, value: {field: disposition_id}}`,
			in: with(func(in *Input) { in.Call.Disposition.Value = "Sold" }), absent: true, warning: "no outcome"},
		{name: "disposition by id and case", row: `{target: x, value: {field: disposition_id}}`,
			in: with(func(in *Input) { in.Call.Disposition.Value = " GUID-busy" }), want: "guid-busy"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := tt.in
			if in.Call.ID == "" {
				in = answeredInbound()
			}
			p := program(t, tt.row)
			res, err := p.Apply(in)
			if tt.fails != "" {
				rowErr, ok := errors.AsType[*Error](err)
				require.True(t, ok, "%v", err)
				require.Equal(t, "x", rowErr.Target)
				require.Contains(t, rowErr.Public, tt.fails)
				require.NotContains(t, err.Error(), in.Call.Note, "an error must not hold the call's values")
				return
			}
			require.NoError(t, err)
			if tt.warning != "" {
				require.Len(t, res.Warnings, 1)
				require.Contains(t, res.Warnings[0].Text, tt.warning)
			} else {
				require.Empty(t, res.Warnings)
			}
			got, ok := res.Fields["x"]
			require.Equal(t, !tt.absent, ok)
			require.Equal(t, tt.want, got)
			require.Len(t, res.Modes, len(res.Fields))
		})
	}
}

func with(change func(*Input)) Input {
	in := answeredInbound()
	change(&in)
	return in
}

func TestOneFailingRowLeavesTheOthers(t *testing.T) {
	t.Parallel()
	p := program(t, `{target: a, type: number, value: {field: note}}`, `{target: b, value: {field: note}}`, `{target: c, type: bool, value: {field: note}}`)
	res, err := p.Apply(answeredInbound())
	require.Equal(t, map[string]any{"b": "Call back on Monday"}, res.Fields)
	require.ErrorContains(t, err, "row 1 (a)")
	require.ErrorContains(t, err, "row 3 (c)")
}

func TestExplainSaysWhatApplyDoes(t *testing.T) {
	t.Parallel()
	p := program(t,
		`{target: a, value: {template: "{{ customer.name }} {{ agents[0].name }}"}}`,
		`{target: b, when: status == "missed", value: {const: x}}`,
		`{target: c, empty: clear, value: {field: customer.email}}`,
		`{target: d, type: number, mode: fill_if_empty, value: {field: note}}`,
		`{target: e, mode: never, value: {field: note}}`,
		`{target: f, max_length: 4, value: {expr: attributes.plan + note}}`,
	)
	got, res, err := p.Explain(answeredInbound())
	require.ErrorContains(t, err, "row 4 (d)")
	require.Equal(t, map[string]any{"a": "Mary Ann Smith Bob Busy", "c": nil, "f": "gol…"}, res.Fields)
	require.Equal(t, []RowExplanation{
		{Row: 1, Target: "a", Type: Text, Mode: Overwrite, Result: "Mary Ann Smith Bob Busy",
			Sources: []SourceValue{{"customer.name", "Mary Ann Smith"}, {"agents[0].name", "Bob Busy"}}},
		{Row: 2, Target: "b", Type: Text, Mode: Overwrite, Skipped: skippedWhen, Sources: []SourceValue{{"status", "answered"}},
			Steps: []Step{{"condition", `status == "missed"`, "false"}}},
		{Row: 3, Target: "c", Type: Text, Mode: Overwrite, Clears: true, Sources: []SourceValue{{"customer.email", ""}}},
		{Row: 4, Target: "d", Type: Number, Mode: FillIfEmpty, Sources: []SourceValue{{"note", "Call back on Monday"}},
			Error: "The mapping of d (row 4) does not work for this call: The text is not a number."},
		{Row: 5, Target: "e", Type: Text, Mode: NeverWrite, Result: "Call back on Monday", Skipped: skippedNever, Sources: []SourceValue{{"note", "Call back on Monday"}}},
		{Row: 6, Target: "f", Type: Text, Mode: Overwrite, Result: "gol…", Warnings: []string{"The text was cut from 23 to 4 characters."},
			Sources: []SourceValue{{"attributes.plan", "gold"}, {"note", "Call back on Monday"}},
			Steps:   []Step{{"cut", `text of "goldCall back on Monday"`, `"gol…"`}}},
	}, got)
}

func TestExplainTellsTheSteps(t *testing.T) {
	t.Parallel()
	in := answeredInbound()
	for row, want := range map[string][]Step{
		`{target: x, value: {expr: "coalesce(customer.email, phone_national(customer.number))"}}`: {
			{"function", `phone_national("+14155550101")`, `"(415) 555-0101"`}, {"function", `coalesce(nothing, "(415) 555-0101")`, `"(415) 555-0101"`}},
		`{target: x, value: {lookup: {key: lower(direction), table: {inbound: In}}}}`: {
			{"function", `lower("inbound")`, `"inbound"`}, {"look-up", `"inbound"`, `"In"`}},
		`{target: x, value: {lookup: {key: status, table: {inbound: In}, default: Other}}}`: {{"look-up", `"answered" is not in the table`, `default: "Other"`}},
		`{target: x, value: {template: ["Name: {{ customer.name }}", "Mail: {{ customer.email }}"]}}`: {
			{"line", "Name: {{ customer.name }}", `"Name: Mary Ann Smith"`}, {"line", "Mail: {{ customer.email }}", "left out: nothing in it has a value"}},
		`{target: x, type: number, value: {const: "12"}}`:             {{"type", `number of "12"`, "12"}},
		`{target: x, when: talk_seconds > 1000, value: {const: "a"}}`: {{"condition", "talk_seconds > 1000", "false"}},
	} {
		got, _, err := program(t, row).Explain(in)
		require.NoError(t, err)
		require.Equal(t, want, got[0].Steps, row)
	}
	// However much a row does, what is told of it is short.
	in = huge()
	got, _, _ := program(t, `{target: x, value: {expr: "join(map(agents, upper(.status)))"}}`, `{target: y, value: {expr: "upper(truncate(note, 100000))"}}`).Explain(in)
	require.Len(t, got[0].Steps, maxSteps+1)
	require.Regexp(t, `^\d+ more$`, got[0].Steps[maxSteps].Result)
	for _, e := range got {
		for _, s := range e.Steps {
			require.Less(t, len(s.Text), 2000)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../connectors/hubspot/mapping_call.yaml")
	require.NoError(t, err)
	doc, err := Parse(data)
	require.NoError(t, err)
	p, err := Compile(doc)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			in := answeredInbound()
			in.Call.Customer.Name = strings.Repeat("x", i+1)
			want, _ := p.Apply(in)
			for range 50 {
				got, err := p.Apply(in)
				if err != nil || got.Fields["hs_call_title"] != want.Fields["hs_call_title"] ||
					!strings.HasSuffix(got.Fields["hs_call_title"].(string), " "+in.Call.Customer.Name) {
					t.Errorf("got %v, want %v", got.Fields["hs_call_title"], want.Fields["hs_call_title"])
					return
				}
			}
		})
	}
	wg.Wait()
}

// A run that made HTML before leaves nothing of that to the next one.
func TestRunsAreCleanAgain(t *testing.T) {
	t.Parallel()
	in := answeredInbound()
	for range 100 {
		r := startRun(&in)
		require.False(t, r.html)
		r.html = true
		r.end()
	}
}
