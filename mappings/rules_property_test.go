package mappings

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/callsync/callsync/call"
)

var (
	ruleWords   = []string{"sales", "support", "north sales", "vip", "spam"}
	ruleNumbers = []string{"+919876543210", "+919876543211", "+912240001000", "+13105552671"}
)

// drawSparseCall makes a call in which much is absent.
func drawSparseCall(t *rapid.T) Input {
	word := func(label string) string {
		s := rapid.SampledFrom(append([]string{""}, ruleWords...)).Draw(t, label)
		if rapid.Bool().Draw(t, "capitals") {
			return strings.ToUpper(s)
		}
		return s
	}
	var in Input
	f := &in.Call.Facts
	f.Direction = rapid.SampledFrom([]call.Direction{"", call.Inbound, call.Outbound, call.Internal}).Draw(t, "direction")
	f.Status = rapid.SampledFrom([]call.Status{"", call.Answered, call.Missed, call.Voicemail}).Draw(t, "status")
	f.Queue, f.Department, f.Customer.Name = word("queue"), word("department"), word("name")
	f.Customer.Number = rapid.SampledFrom(append([]string{""}, ruleNumbers...)).Draw(t, "number")
	if rapid.Bool().Draw(t, "talked") {
		f.TalkSeconds = ptr(rapid.Int64Range(0, 4).Draw(t, "talk"))
	}
	if rapid.Bool().Draw(t, "known") {
		f.FirstCall = ptr(rapid.Bool().Draw(t, "first"))
	}
	for range rapid.IntRange(0, 3).Draw(t, "tags") {
		if w := word("tag"); w != "" {
			f.Tags = append(f.Tags, w)
		}
	}
	for range rapid.IntRange(0, 2).Draw(t, "agents") {
		f.Agents = append(f.Agents, call.Agent{Name: word("agent")})
	}
	return in
}

// drawCondition makes a condition and an expression that says the same.
func drawCondition(t *rapid.T, depth int) (Condition, string) {
	if depth > 0 && rapid.IntRange(0, 2).Draw(t, "group") == 0 {
		var c Condition
		var parts []string
		for range rapid.IntRange(1, 3).Draw(t, "size") {
			inner, e := drawCondition(t, depth-1)
			c.All, parts = append(c.All, inner), append(parts, "("+e+")")
		}
		if rapid.Bool().Draw(t, "any") {
			c.All, c.Any = nil, c.All
			return c, strings.Join(parts, " or ")
		}
		return c, strings.Join(parts, " and ")
	}
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0:
		f := rapid.SampledFrom([]string{"queue", "department", "customer.name"}).Draw(t, "field")
		return drawText(t, f, "lower("+f+")", func(e string) string { return e }, append([]Operator{Contains, ContainsNo, StartsWith, EndsWith}, Is, IsNot, OneOf, NoneOf, IsEmpty, IsNotEmpty))
	case 1:
		return drawText(t, "tags", "lower(#)", func(e string) string { return "any(tags, " + e + ")" }, []Operator{Is, IsNot, OneOf, NoneOf, Contains, ContainsNo})
	case 2:
		return drawText(t, "agents[].name", "lower(.name)", func(e string) string { return "any(agents, " + e + ")" }, []Operator{Is, IsNot, OneOf, NoneOf, Contains})
	case 3:
		n := rapid.Int64Range(0, 4).Draw(t, "n")
		signs := map[Operator]string{Greater: ">", AtLeast: ">=", Less: "<", AtMost: "<=", Is: "==", IsNot: "!="}
		o := rapid.SampledFrom([]Operator{Greater, AtLeast, Less, AtMost, Is, IsNot}).Draw(t, "operator")
		return Condition{Field: "talk_seconds", Operator: o, Value: n}, fmt.Sprintf("talk_seconds %s %d", signs[o], n)
	case 4:
		want := rapid.Bool().Draw(t, "want")
		o := rapid.SampledFrom([]Operator{Is, IsNot}).Draw(t, "operator")
		return Condition{Field: "first_call", Operator: o, Value: want}, fmt.Sprintf("first_call %s %v", map[Operator]string{Is: "==", IsNot: "!="}[o], want)
	}
	n := rapid.SampledFrom(ruleNumbers).Draw(t, "number")
	switch o := rapid.SampledFrom([]Operator{Is, IsNot, StartsWith}).Draw(t, "operator"); o {
	case StartsWith:
		return Condition{Field: "customer.number", Operator: o, Value: n[:6]}, fmt.Sprintf("customer.number startsWith %q", n[:6])
	case Is:
		return Condition{Field: "customer.number", Operator: o, Value: n}, fmt.Sprintf("customer.number == %q", n)
	default:
		return Condition{Field: "customer.number", Operator: o, Value: n}, fmt.Sprintf("customer.number != %q", n)
	}
}

func drawText(t *rapid.T, field, value string, wrap func(string) string, operators []Operator) (Condition, string) {
	o := rapid.SampledFrom(operators).Draw(t, "operator")
	words := rapid.SliceOfN(rapid.SampledFrom(ruleWords), 1, 3).Draw(t, "words")
	w := strconv.Quote(words[0])
	c := Condition{Field: field, Operator: o, Value: words[0]}
	list := make([]any, len(words))
	quoted := make([]string, len(words))
	for i := range words {
		list[i], quoted[i] = words[i], strconv.Quote(words[i])
	}
	in := wrap(value + " in [" + strings.Join(quoted, ", ") + "]")
	switch o {
	case Is:
		return c, wrap(value + " == " + w)
	case IsNot:
		return c, "not " + wrap("("+value+" == "+w+")")
	case Contains:
		return c, wrap(value + " contains " + w)
	case ContainsNo:
		return c, "not " + wrap("("+value+" contains "+w+")")
	case StartsWith:
		return c, wrap(value + " startsWith " + w)
	case EndsWith:
		return c, wrap(value + " endsWith " + w)
	case OneOf:
		c.Value = list
		return c, in
	case NoneOf:
		c.Value = list
		return c, "not (" + in + ")"
	case IsEmpty:
		return Condition{Field: field, Operator: o}, "empty(" + field + ")"
	}
	return Condition{Field: field, Operator: IsNotEmpty}, "not empty(" + field + ")"
}

// The builder's form and the expression that says the same decide alike, whatever is absent.
func TestBuilderAgreesWithExpressions(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c, source := drawCondition(t, 2)
		decide := func(when Condition, in Input) RuleAction {
			rules, err := CompileRules(RulesDocument{Rules: []Rule{{Name: "A", When: when, Action: RuleSkip}}, Otherwise: RuleSync}, "IN")
			require.NoError(t, err, source)
			d, err := rules.Decide(in)
			require.NoError(t, err, source)
			return d.Action
		}
		for range 8 {
			in := drawSparseCall(t)
			require.Equal(t, decide(Condition{Expr: source}, in), decide(c, in), "%s on %+v", source, in.Call.Facts)
		}
	})
}

// An operator and its opposite never agree, not even about what is absent.
func TestOppositesDisagree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.SampledFrom(RuleFields()).Draw(t, "field")
		in := drawSparseCall(t)
		for negative, positive := range opposite {
			found := f.Operators()
			if !contains(found, negative) || !contains(found, positive) {
				continue
			}
			var got []bool
			for _, o := range []Operator{negative, positive} {
				rules, err := CompileRules(RulesDocument{Rules: []Rule{{Name: "A", When: Condition{Field: f.Name, Operator: o, Value: sampleValue(f, o)}, Action: RuleSkip}}, Otherwise: RuleSync}, "")
				require.NoError(t, err)
				d, err := rules.Decide(in)
				require.NoError(t, err)
				got = append(got, d.Skips())
			}
			require.NotEqual(t, got[0], got[1], "%s %s", f.Name, negative)
		}
	})
}

func contains(list []Operator, o Operator) bool {
	for _, x := range list {
		if x == o {
			return true
		}
	}
	return false
}

// drawRules makes a valid document with every form that conditions have.
func drawRules(t *rapid.T) RulesDocument {
	doc := RulesDocument{Otherwise: rapid.SampledFrom([]RuleAction{RuleSync, RuleSkip}).Draw(t, "otherwise")}
	text := rapid.StringMatching(`[a-zA-Z0-9 :#'"{}\[\],&*!|>%@é😀.-]{0,20}x`)
	for i := range rapid.IntRange(1, 4).Draw(t, "rules") {
		when, source := drawCondition(t, 2)
		switch rapid.IntRange(0, 3).Draw(t, "form") {
		case 0:
			when = Condition{Expr: source}
		case 1:
			when = Condition{Any: []Condition{when, {Expr: source}, {Field: "queue", Operator: Is, Value: text.Draw(t, "value")}}}
		case 2:
			h := Hours{From: "09:00", To: rapid.SampledFrom([]string{"17:30", "24:00", "06:00"}).Draw(t, "to"), Days: []string{"mon", "sun"}, TimeZone: "Asia/Kolkata", Holidays: []string{"2026-01-26"}}
			when = Condition{All: []Condition{when, {Field: "started_at", Operator: Outside, Value: h}, {Field: "custom_data.a key", Operator: OneOf,
				Value: []any{"1", int64(1), 1.5, true, false, "007", "", "2026-01-26"}[:rapid.IntRange(1, 6).Draw(t, "values")]}}}
		}
		doc.Rules = append(doc.Rules, Rule{Name: fmt.Sprintf("%d %s", i, text.Draw(t, "name")), When: when, Reason: text.Draw(t, "reason"),
			Action: rapid.SampledFrom([]RuleAction{RuleSync, RuleSkip}).Draw(t, "action")})
	}
	return doc
}

// A document written in either form and read again is the same document.
func TestRulesRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		doc := drawRules(t)
		for _, write := range []func() ([]byte, error){doc.YAML, doc.JSON} {
			out, err := write()
			require.NoError(t, err)
			again, err := ParseRules(out, "IN")
			require.NoError(t, err, "%s", out)
			require.Equal(t, doc, again, "%s", out)
		}
	})
}

func FuzzRules(f *testing.F) {
	f.Add([]byte(`{"rules": [{"name": "A", "action": "skip", "when": {"all": ["true", {"field": "tags", "operator": "is", "value": "\ud83d\ude00"}]}}], "otherwise": "sync"}`))
	f.Add([]byte("rules:\n- {name: A, action: skip, when: {field: started_at, operator: outside hours, value: {days: [fri-mon], from: 9:00, to: 1:00}}}\n- name: B\n  action: sync\n  when: talk_seconds > 3\n"))
	f.Add([]byte("rules: [{name: A, action: skip, when: {any: [{field: customer.number, operator: one_of, value: [+1*, 0 98765 43210, '*1']}]}}]"))
	f.Add([]byte("rules: [{name: A, action: skip, when: {field: custom_data.a.b, operator: matches, value: '^a+$'}}]\notherwise: skip"))
	for _, doc := range hostileDocuments() {
		f.Add([]byte(doc))
	}
	for _, text := range hostileTexts {
		f.Add([]byte("rules: [{name: \"" + text + "\", action: skip, when: {field: customer.name, operator: matches, value: '" + text + "'}}]"))
		f.Add([]byte("rules: [{name: A, action: skip, when: {field: tags, operator: one_of, value: [" + text + ", " + text + "]}}]"))
		f.Add([]byte("rules: [{name: A, action: skip, when: {field: customer.number, operator: starts_with, value: \"" + text + "\"}}, {name: B, action: sync, when: '" + text + "'}]"))
	}
	reference, err := os.ReadFile(rulesReference)
	require.NoError(f, err)
	for _, b := range fence.FindAllStringSubmatch(string(reference), -1) {
		if b[1] == "yaml" {
			f.Add([]byte(b[2]))
		}
	}
	in := indianCall()
	f.Fuzz(func(t *testing.T, data []byte) {
		start := time.Now()
		doc, err := ParseRules(data, "IN", "US")
		if err == nil {
			for _, write := range []func() ([]byte, error){doc.YAML, doc.JSON} {
				out, err := write()
				require.NoError(t, err)
				again, err := ParseRules(out, "IN", "US")
				require.NoError(t, err, "%s", out)
				if len(doc.Rules) > 0 {
					require.Equal(t, doc, again)
				}
			}
			rules, err := CompileRules(doc, "IN")
			require.NoError(t, err)
			_, _ = rules.Decide(in)
		}
		require.Less(t, time.Since(start), tooLong)
	})
}

// BenchmarkRules decides about a call that none of twenty rules of usual kinds matches.
func BenchmarkRules(b *testing.B) {
	var text strings.Builder
	text.WriteString("rules:\n")
	for i, when := range []string{
		`{field: direction, operator: is, value: internal}`, `{field: talk_seconds, operator: less, value: 10}`,
		`{field: customer.number, operator: one_of, value: [+919876500000, +919876500001, 022 4000 1001]}`,
		`{all: [{field: direction, operator: is, value: inbound}, {field: started_at, operator: outside_hours, value: {from: 00:00, to: 23:59}}]}`,
		`{field: tags, operator: one_of, value: [spam, test]}`, `{field: "agents[].email", operator: ends_with, value: "@test.example"}`,
		`{field: customer.name, operator: matches, value: "(?i)^test"}`, `{field: queue, operator: is, value: Internal}`,
		`{field: custom_data.consent, operator: is, value: "no"}`, `status == "missed" and ring_seconds < 5`,
	} {
		fmt.Fprintf(&text, "  - {name: \"%d a\", action: skip, when: %s}\n  - {name: \"%d b\", action: skip, when: %s}\n", i, yamlText(when), i, yamlText(when))
	}
	rules := rulesOf(b, text.String())
	in := indianCall()
	d, err := rules.Decide(in)
	require.NoError(b, err)
	require.Zero(b, d.Rule)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = rules.Decide(in)
	}
}

// yamlText quotes an expression, and leaves a group as it is.
func yamlText(when string) string {
	if strings.HasPrefix(when, "{") {
		return when
	}
	return "'" + when + "'"
}
