package mappings

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/records"
)

// account is the fields of a CRM's calls that the tests of validation go by.
func account() *records.Schema {
	option := func(ids ...string) (out []records.SchemaOption) {
		for _, id := range ids {
			out = append(out, records.SchemaOption{ID: id, Label: label(id)})
		}
		return out
	}
	return &records.Schema{Object: "call", Fields: []records.SchemaField{
		{Name: "subject", Label: "Subject", Type: records.SchemaText, Required: true, MaxLength: 20},
		{Name: "body", Label: "Description", Type: records.SchemaHTML, MaxLength: 1000},
		{Name: "comment", Label: "Comment", Type: records.SchemaLongText, MaxLength: 500},
		{Name: "duration", Label: "Duration (minutes)", Type: records.SchemaNumber},
		{Name: "rings", Label: "Rings", Type: records.SchemaNumber, Whole: true},
		{Name: "vip", Label: "VIP", Type: records.SchemaBool},
		{Name: "day", Label: "Day", Type: records.SchemaDate},
		{Name: "strict_day", Label: "Strict day", Type: records.SchemaDate, DateText: true},
		{Name: "start", Label: "Start", Type: records.SchemaDateTime},
		{Name: "outcome", Label: "Call outcome", Type: records.SchemaPicklist, Options: option("CONNECTED", "NO_ANSWER", "BUSY")},
		{Name: "kind", Label: "Kind", Type: records.SchemaPicklist, ByLabel: true, Options: []records.SchemaOption{{ID: "17", Label: "Sales call"}}},
		{Name: "topics", Label: "Topics", Type: records.SchemaMulti, Options: option("vip", "quote")},
		{Name: "owner", Label: "Owner", Type: records.SchemaRef},
		{Name: "created", Label: "Created", Type: records.SchemaDateTime, ReadOnly: true, Required: true},
		{Name: "origin", Label: "Origin", Type: records.SchemaText, NoUpdate: true},
		{Name: "closed", Label: "Closed", Type: records.SchemaText, NoCreate: true},
		{Name: "stage", Label: "Stage", Type: records.SchemaText, Required: true, Filled: true},
	}}
}

func label(id string) string { return strings.ToLower(strings.ReplaceAll(id, "_", " ")) }

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		// row follows a row that fills subject; it begins on line 6.
		row  string
		want []string
	}{
		"fits":        {"target: start\n    type: datetime\n    value: {field: started_at}", nil},
		"never":       {"target: nowhere\n    mode: never\n    value: {field: note}", nil},
		"unknown":     {"target: outcom\n    value: {field: note}", []string{"error unknown_field 6 outcom: The CRM has no field outcom in call. -> outcome"}},
		"by label":    {"target: Call Outcome\n    value: {field: note}", []string{"error unknown_field 6 Call Outcome: The CRM has no field Call Outcome in call. -> outcome"}},
		"read-only":   {"target: created\n    type: datetime\n    value: {field: started_at}", []string{"error read_only 6 created: The CRM lets nobody write created (“Created”). Take the row out, or set its mode to never."}},
		"no update":   {"target: origin\n    value: {const: x}", []string{"warning no_update 6"}},
		"once":        {"target: origin\n    mode: fill_if_empty\n    value: {const: x}", nil},
		"no create":   {"target: closed\n    value: {const: x}", []string{"error no_create 6"}},
		"minutes":     {"target: duration\n    type: number\n    value: {field: talk_seconds}", []string{"warning precision 8 duration: duration (“Duration (minutes)”) seems to be in minutes, and the value is in seconds. Use round(talk_seconds / 60, 1)."}},
		"in minutes":  {"target: duration\n    type: number\n    value: {expr: 'round(talk_seconds / 60, 1)'}", nil},
		"millis":      {"target: duration\n    type: number\n    value: {expr: millis(talk_seconds)}", []string{"warning precision 8"}},
		"fraction":    {"target: rings\n    type: number\n    value: {expr: ring_seconds / 6}", []string{"warning precision 8 rings: rings (“Rings”) holds whole numbers in the CRM: fractions are lost, or refused. Use round."}},
		"rounded":     {"target: rings\n    type: number\n    value: {expr: round(ring_seconds / 6)}", nil},
		"time number": {"target: duration\n    type: datetime\n    value: {field: started_at}", []string{"error wrong_type 7 duration: duration (“Duration (minutes)”) holds numbers in the CRM, and this row makes times."}},
		"text number": {"target: duration\n    value: {field: note}", []string{"warning wrong_type 6"}},
		"const number": {"target: duration\n    value: {const: many}",
			[]string{"error wrong_type 7 duration: duration (“Duration (minutes)”) holds numbers in the CRM, and “many” is none."}},
		"const number ok": {"target: duration\n    value: {const: \"17\"}", nil},
		"number as text":  {"target: duration\n    value: {field: prior_calls}", []string{"warning wrong_type 6 duration: duration (“Duration (minutes)”) holds numbers in the CRM: set the type of the row to number."}},
		"number bool":     {"target: vip\n    type: number\n    value: {field: prior_calls}", []string{"error wrong_type 7"}},
		"row type":        {"target: duration\n    type: number\n    value: {field: started_at}", []string{"error wrong_type 7 duration: The value is a time, which a row of type number cannot make anything of; seconds_between counts the seconds between two times."}},
		"row enum":        {"target: duration\n    type: number\n    value: {field: direction}", []string{"error wrong_type 7"}},
		"row bool":        {"target: vip\n    type: bool\n    value: {field: talk_seconds}", []string{"error wrong_type 7"}},
		"row group":       {"target: comment\n    value: {field: customer}", []string{"error wrong_type 6"}},
		"row const":       {"target: rings\n    type: number\n    value: {const: many}", []string{"error wrong_type 8 rings: The constant is not what a row of type number needs. The text is not a number."}},
		"row table": {"target: rings\n    type: number\n    value: {lookup: {key: direction, table: {inbound: 1, outbound: two}}}",
			[]string{"error wrong_type 8 rings: The constant of \"outbound\" is not what a row of type number needs. The text is not a number."}},
		"date":            {"target: day\n    type: datetime\n    value: {field: started_at}", []string{"warning precision 7"}},
		"date as text":    {"target: day\n    value: {expr: 'time_format(started_at, \"YYYY-MM-DD\")'}", nil},
		"strict date":     {"target: strict_day\n    type: datetime\n    value: {field: ended_at}", []string{`error wrong_type 7 strict_day: strict_day (“Strict day”) holds dates in the CRM, and this row makes times. Use type text with {expr: 'time_format(ended_at, "YYYY-MM-DD")'}.`}},
		"strict text":     {"target: strict_day\n    value: {expr: 'time_format(started_at, \"YYYY-MM-DD\")'}", nil},
		"too long":        {"target: subject2\n    value: {const: x}", []string{"error unknown_field 6"}},
		"list":            {"target: outcome\n    type: picklist\n    value: {const: CONECTED}", []string{"error not_in_list 8 outcome: The list of outcome (“Call outcome”) has no value “CONECTED” in the CRM. It has: CONNECTED, NO_ANSWER, BUSY. -> CONNECTED"}},
		"list label":      {"target: outcome\n    type: picklist\n    value: {const: No answer}", []string{"error not_in_list 8 outcome: The list of outcome (“Call outcome”) has no value “No answer” in the CRM. It has: CONNECTED, NO_ANSWER, BUSY. -> NO_ANSWER"}},
		"list table":      {"target: outcome\n    type: picklist\n    value: {lookup: {key: status, table: {answered: CONNECTED, busy: ENGAGED}, default: NO_ANSWER}}", []string{"error not_in_list 8"}},
		"list expression": {"target: outcome\n    type: picklist\n    value: {expr: 'disposition_id ?? (talk_seconds > 0 ? \"CONNECTED\" : \"NOANSWER\")'}", []string{"error not_in_list 8 outcome: The list of outcome (“Call outcome”) has no value “NOANSWER” in the CRM. It has: CONNECTED, NO_ANSWER, BUSY. -> NO_ANSWER"}},
		"list field":      {"target: outcome\n    type: picklist\n    value: {expr: upper(status)}", []string{"warning not_in_list 8"}},
		"list by label":   {"target: kind\n    type: picklist\n    value: {const: sales call}", nil},
		"list unknown":    {"target: outcome\n    type: picklist\n    value: {field: disposition.value}", nil},
		"multi":           {"target: topics\n    type: multi\n    value: {const: [vip, gold]}", []string{"error not_in_list 8"}},
		"multi to one":    {"target: outcome\n    type: multi\n    value: {field: tags}", []string{"warning precision 7"}},
		"list in text":    {"target: comment\n    type: html\n    value: {const: <b>x</b>}", []string{"warning markup 7"}},
		"text in html":    {"target: body\n    value: {field: note}", []string{"warning markup 6", "warning too_long 7"}},
		"long":            {"target: comment\n    value: {field: note}", []string{"warning too_long 7 comment: comment (“Comment”) takes 500 characters in the CRM, and the value may be longer: the rest is lost. Set max_length to 500."}},
		"cut":             {"target: comment\n    value: {expr: 'truncate(note, 500)'}", nil},
		"cut too late":    {"target: comment\n    max_length: 600\n    value: {field: note}", []string{"warning too_long 7 comment: comment (“Comment”) takes 500 characters in the CRM: what is longer is lost, although max_length is 600."}},
		"cut late":        {"target: comment\n    value: {expr: 'truncate(note, 501)'}", []string{"warning too_long 7"}},
		"long template":   {"target: comment\n    value: {template: [\"Note: {{ note }}\"]}", []string{"warning too_long 7"}},
		"short template":  {"target: comment\n    max_length: 500\n    value: {template: [\"Note: {{ note }}\"]}", nil},
		"reference":       {"target: owner\n    type: picklist\n    value: {field: owner_id}", nil},
		"wrong reference": {"target: owner\n    type: datetime\n    value: {field: started_at}", []string{"error wrong_type 7"}},
		"language":        {"target: comment\n    value: {field: nots}", []string{"error language 7 comment: There is no field or function nots. -> note"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := "format: 1\nobject: call\nfields:\n  - target: subject\n    value: {const: Call}\n  - " + c.row + "\n"
			doc, found := Lint([]byte(text), account())
			require.Equal(t, "call", doc.Object)
			require.Len(t, found, len(c.want), "%v", found)
			for i, want := range c.want {
				got := fmt.Sprintf("%s %s %d %s: %s", found[i].Severity, found[i].Code, found[i].Line, found[i].Target, found[i].Text)
				if found[i].Suggestion != "" {
					got += " -> " + found[i].Suggestion
				}
				if strings.Contains(want, ":") {
					require.Equal(t, want, got)
				} else {
					require.True(t, strings.HasPrefix(got, want), "%s\n%s", want, got)
				}
			}
		})
	}
}

func TestValidateRequired(t *testing.T) {
	t.Parallel()
	_, found := Lint([]byte("format: 1\nobject: call\nfields:\n  - target: comment\n    value: {const: x}\n"), account())
	require.Len(t, found, 1)
	require.Equal(t, CodeRequired, found[0].Code)
	require.Equal(t, "subject", found[0].Target)
	require.Equal(t, 1, found[0].Line)
	_, found = Lint([]byte("format: 1\nobject: call\nfields:\n  - target: subject\n    when: talk_seconds > 0\n    value: {const: x}\n"), account())
	require.Len(t, found, 1)
	require.Equal(t, SeverityWarning, found[0].Severity)
	require.Equal(t, 5, found[0].Line)
	_, found = Lint([]byte("format: 1\nobject: call\nfields:\n  - target: subject\n    value: {const: this subject is longer than it may be}\n"), account())
	require.Len(t, found, 1)
	require.Equal(t, CodeTooLong, found[0].Code)
	require.Equal(t, SeverityError, found[0].Severity)
	_, found = Lint([]byte("format: 1\nobject: call\nfields:\n  - target: subject\n    max_length: 20\n    value: {const: this subject is longer than it may be}\n"), account())
	require.Empty(t, found, "the author has it cut")
}

// What is not known must not be refused.
func TestValidateWithoutSchema(t *testing.T) {
	t.Parallel()
	_, found := Lint([]byte("format: 1\nobject: call\nfields:\n  - target: anything\n    value: {field: note}\n  - target: other\n    type: bool\n    value: {field: talk_seconds}\n"), nil)
	require.Len(t, found, 1)
	require.Equal(t, CodeWrongType, found[0].Code)
	partial := account()
	partial.Partial = true
	_, found = Lint([]byte("format: 1\nobject: call\nfields:\n  - target: subject\n    value: {const: x}\n  - target: anything\n    value: {field: note}\n"), partial)
	require.Len(t, found, 1)
	require.Equal(t, SeverityWarning, found[0].Severity)
	require.Equal(t, CodeNotChecked, found[0].Code)
}

// Whatever can be said of a value before the call holds for the values of real calls.
func TestStaticHolds(t *testing.T) {
	t.Parallel()
	for _, source := range []string{
		"direction", "status", "talk_seconds", "talk_seconds / 60", "round(talk_seconds / 60)", "millis(talk_seconds)", "customer.name",
		`coalesce(customer.name, "unknown")`, `status == "answered" ? "yes" : "no"`, "truncate(note, 10)", "upper(direction)", "tags",
		"seconds_between(started_at, ended_at)", "started_at", `time_format(started_at, "YYYY")`, "agent.status", "agents[0].status",
		`let x = talk_seconds; x + 1`, "count(agents, .status == \"answered\")", "duration_text(talk_seconds)", `"a" + status`, "text(talk_seconds)",
		"number(value.amount)", "customer.name ?? direction", "first_call", "len(note)", "empty(note)",
	} {
		s := callWords.staticOf(source)
		p, err := Compile(Document{Format: 1, Object: "call", Fields: []Row{{Target: "x", Value: Value{Expr: source}}}})
		require.NoError(t, err, source)
		for name, in := range realisticCalls() {
			r := startRun(&in)
			r.budget = workBudget
			v, err := p.rows[0].value(r)
			r.end()
			if err != nil || v == nil {
				continue
			}
			text, isText := v.(string)
			if s.kind == FieldText {
				require.True(t, isText, "%s of %s is %T", source, name, v)
			}
			if s.kind == FieldNumber {
				require.Contains(t, []string{"int", "int64", "float64"}, fmt.Sprintf("%T", v), source)
			}
			if s.kind == FieldNumber && !s.fraction {
				n, err := asNumber(v)
				require.NoError(t, err)
				if f, ok := n.(float64); ok {
					require.Equal(t, float64(int64(f)), f, source)
				}
			}
			if isText && s.closed {
				require.True(t, v == "" || containsText(s.texts, text), "%s of %s gives %q, which is not in %v", source, name, text, s.texts)
			}
			if isText && s.most > 0 {
				require.LessOrEqual(t, textLength(text), s.most, "%s of %s", source, name)
			}
		}
	}
}

func containsText(all []staticText, s string) bool {
	for _, t := range all {
		if t.value == s {
			return true
		}
	}
	return false
}
