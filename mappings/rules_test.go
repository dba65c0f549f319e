package mappings

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
)

// rulesOf compiles a document for calls of India.
func rulesOf(t testing.TB, text string) *Rules {
	t.Helper()
	doc, err := ParseRules([]byte(text), "IN")
	require.NoError(t, err)
	rules, err := CompileRules(doc, "IN")
	require.NoError(t, err)
	return rules
}

// holds tells whether a condition, in YAML, holds for a call.
func holds(t testing.TB, condition string, in Input) bool {
	t.Helper()
	d, err := rulesOf(t, "rules:\n  - name: Only\n    action: skip\n    when: "+condition).Decide(in)
	require.NoError(t, err)
	return d.Skips()
}

func indianCall() Input {
	in := answeredInbound()
	in.Call.Customer.Number, in.Call.BusinessNumber = "+919876543210", "+912240001000"
	in.Call.Agents[1].Number, in.Call.Agents[0].Extension = "1001", "007"
	in.Call.CustomData = map[string]any{"Plan Name": "Gold", "seats": float64(12), "age": "41", "vip": true, "zones": []any{"north", "south"}, "a.b": "c"}
	in.Location = time.FixedZone("IST", 19800)
	return in
}

func TestRuleConditions(t *testing.T) {
	t.Parallel()
	for condition, want := range map[string]bool{
		// Words, without regard to case and white space.
		`{field: direction, operator: is, value: inbound}`:                        true,
		`{field: direction, operator: is, value: Inbound}`:                        true,
		`{field: direction, operator: is not, value: inbound}`:                    false,
		`{field: status, operator: one of, value: [missed, answered]}`:            true,
		`{field: status, operator: none_of, value: [missed, busy]}`:               true,
		`{field: customer.name, operator: is, value: "mary  ann smith"}`:          true,
		`{field: customer.name, operator: contains, value: ANN}`:                  true,
		`{field: customer.name, operator: not_contains, value: ann}`:              false,
		`{field: customer.name, operator: starts with, value: mary}`:              true,
		`{field: customer.name, operator: ends_with, value: smith}`:               true,
		`{field: customer.name, operator: matches, value: "^Mary .*h$"}`:          true,
		`{field: customer.name, operator: matches, value: "^mary"}`:               false,
		`{field: queue, operator: is, value: Sales}`:                              true,
		`{field: attribution.utm.term, operator: is, value: roof}`:                true,
		`{field: attribution.utm.other, operator: is, value: roof}`:               false,
		`{field: own_number, operator: is, value: false}`:                         true,
		`{field: first_call, operator: is, value: true}`:                          true,
		`{field: first_call, operator: is not, value: true}`:                      false,
		`{field: customer.company, operator: is_empty}`:                           true,
		`{field: customer, operator: is_empty}`:                                   false,
		`{field: campaign, operator: is_empty}`:                                   true,
		`{field: recordings, operator: is_not_empty}`:                             true,
		`{field: "recordings[].state", operator: is, value: available}`:           true,
		`{field: transcription.text, operator: contains, value: "hello. i want"}`: true,
		// Absent values fit nothing, and so fit the opposites.
		`{field: department, operator: is, value: Sales}`:        false,
		`{field: department, operator: is_not, value: Sales}`:    true,
		`{field: department, operator: none_of, value: [Sales]}`: true,
		`{field: department, operator: contains, value: a}`:      false,
		`{field: department, operator: not_contains, value: a}`:  true,
		`{field: department, operator: starts_with, value: a}`:   false,
		`{field: hold_seconds, operator: less, value: 10}`:       false,
		`{field: hold_seconds, operator: at_least, value: 0}`:    false,
		`{field: hold_seconds, operator: is_not, value: 10}`:     true,
		`{field: custom_data.none, operator: is_empty}`:          true,
		`{field: custom_data.none, operator: is_not, value: x}`:  true,
		// Numbers.
		`{field: talk_seconds, operator: greater, value: 212}`:         true,
		`{field: talk_seconds, operator: greater, value: 213}`:         false,
		`{field: talk_seconds, operator: at_least, value: 213}`:        true,
		`{field: talk_seconds, operator: less, value: 213.5}`:          true,
		`{field: talk_seconds, operator: at_most, value: 212}`:         false,
		`{field: talk_seconds, operator: is, value: 213}`:              true,
		`{field: prior_calls, operator: one_of, value: [0, 1]}`:        true,
		`{field: "agents[].talk_seconds", operator: less, value: 300}`: true,
		// Several values: any of them, or none of them.
		`{field: tags, operator: is, value: VIP}`:                            true,
		`{field: tags, operator: is_not, value: vip}`:                        false,
		`{field: tags, operator: one_of, value: [spam, quote]}`:              true,
		`{field: tags, operator: all_of, value: [vip, quote]}`:               true,
		`{field: tags, operator: all_of, value: [vip, spam]}`:                false,
		`{field: tags, operator: none_of, value: [spam, test]}`:              true,
		`{field: "agents[].name", operator: is, value: bob busy}`:            true,
		`{field: "agents[].name", operator: is_not, value: bob busy}`:        false,
		`{field: "agents[].extension", operator: is, value: 007}`:            true,
		`{field: "agents[].email", operator: ends_with, value: example.com}`: true,
		`{field: agent.name, operator: is, value: bob busy}`:                 false,
		`{field: "agents[].status", operator: all_of, value: [answered]}`:    true,
		// Phone numbers, as people write them.
		`{field: customer.number, operator: is, value: 0 98765 43210}`:                 true,
		`{field: customer.number, operator: is, value: +919876543210}`:                 true,
		`{field: customer.number, operator: is, value: "+91 (98765) 43-210"}`:          true,
		`{field: customer.number, operator: is, value: 00919876543210}`:                true,
		`{field: customer.number, operator: is, value: 09876543210}`:                   true,
		`{field: customer.number, operator: is, value: 9876543211}`:                    false,
		`{field: customer.number, operator: is_not, value: 098765 43210}`:              false,
		`{field: customer.number, operator: one_of, value: ["022 4000 1000", +9198*]}`: true,
		`{field: customer.number, operator: one_of, value: 098*}`:                      true,
		`{field: customer.number, operator: none_of, value: ["*3210"]}`:                false,
		`{field: customer.number, operator: starts_with, value: 0987}`:                 true,
		`{field: customer.number, operator: starts_with, value: +9187}`:                false,
		`{field: business_number, operator: is, value: (022) 4000 1000}`:               true,
		`{field: "agents[].number", operator: is, value: "1001"}`:                      true,
		`{field: customer.raw_number, operator: is, value: "(415) 555-0101"}`:          true,
		// What the phone system calls its own may be anything.
		`{field: custom_data.Plan Name, operator: is, value: gold}`:   true,
		`{field: custom_data.seats, operator: greater, value: 11}`:    true,
		`{field: custom_data.age, operator: greater, value: 40}`:      true,
		`{field: custom_data.age, operator: is, value: 41}`:           true,
		`{field: custom_data.seats, operator: is, value: "12"}`:       true,
		`{field: custom_data.vip, operator: is, value: true}`:         true,
		`{field: custom_data.zones, operator: is, value: south}`:      true,
		`{field: custom_data.a.b, operator: is, value: c}`:            true,
		`{field: custom_data.seats, operator: greater, value: 12}`:    false,
		`{field: custom_data.Plan Name, operator: greater, value: 0}`: false,
		`{field: custom_data, operator: is_not_empty}`:                true,
		`{field: attributes.nested, operator: is, value: x}`:          false,
		`{field: attributes.nested, operator: is_not_empty}`:          true,
		// Times. The call began at 10:03:05 UTC on Saturday 21 November 2026, 15:33 in India.
		`{field: started_at, operator: since, value: 2026-11-21}`:                                                 true,
		`{field: started_at, operator: before, value: 2026-11-21 15:33}`:                                          false,
		`{field: started_at, operator: before, value: 2026-11-21 15:34}`:                                          true,
		`{field: started_at, operator: before, value: "2026-11-21T10:03:06Z"}`:                                    true,
		`{field: started_at, operator: within_hours, value: {days: [mon-fri], from: "09:00", to: "18:00"}}`:       false,
		`{field: started_at, operator: within_hours, value: {days: [Monday-Saturday], from: 09:00, to: 18:00}}`:   true,
		`{field: started_at, operator: outside_hours, value: {days: sat, from: 09:00, to: 18:00}}`:                false,
		`{field: started_at, operator: within_hours, value: {from: 09:00, to: 18:00, holidays: [2026-11-21]}}`:    false,
		`{field: started_at, operator: within_hours, value: {from: 9:00, to: "12:00", time_zone: Europe/Berlin}}`: true,
		`{field: disposition.set_at, operator: within_hours, value: {from: 00:00, to: 24:00}}`:                    false,
		`{field: disposition.set_at, operator: outside_hours, value: {from: 00:00, to: 24:00}}`:                   true,
		// Groups and expressions.
		`{all: [{field: direction, operator: is, value: inbound}, {field: talk_seconds, operator: greater, value: 30}]}`: true,
		`{all: [{field: direction, operator: is, value: inbound}, {field: talk_seconds, operator: less, value: 30}]}`:    false,
		`{any: [{field: direction, operator: is, value: outbound}, 'note contains "Monday"']}`:                           true,
		`{any: [{all: [{any: [{field: tags, operator: is, value: vip}]}]}]}`:                                             true,
		`talk_seconds > 30 and direction == "inbound"`:                                                                   true,
		`hold_seconds > 30`:                false,
		`any(agents, .name == "Bob Busy")`: true,
		`stale ?? nil`:                     false,
		`own_number`:                       false,
	} {
		require.Equal(t, want, holds(t, condition, indianCall()), condition)
	}
}

// The same business hours on both sides of their edges, past midnight, and where clocks change.
func TestHours(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	at := func(s string) time.Time {
		m, err := time.ParseInLocation("2006-01-02 15:04:05", s, berlin)
		require.NoError(t, err)
		return m
	}
	day := Hours{Days: []string{"mon", "tue", "wed", "thu", "fri"}, From: "09:00", To: "17:30", Holidays: []string{"2026-12-25"}}
	night := Hours{Days: []string{"fri"}, From: "22:00", To: "06:00", Holidays: []string{"2026-12-25"}}
	for moment, want := range map[string][2]bool{
		"2026-11-20 08:59:59": {false, false}, // a Friday
		"2026-11-20 09:00:00": {true, false},
		"2026-11-20 17:29:59": {true, false},
		"2026-11-20 17:30:00": {false, false},
		"2026-11-20 22:00:00": {false, true},
		"2026-11-21 05:59:59": {false, true}, // still Friday's night
		"2026-11-21 06:00:00": {false, false},
		"2026-11-21 22:30:00": {false, false},
		"2026-11-20 05:00:00": {false, false}, // Thursday's night
		"2026-12-25 10:00:00": {false, false},
		"2026-12-26 01:00:00": {false, false}, // the holiday's night
		"2026-10-23 09:00:00": {true, false},  // summer time
		"2026-10-26 09:00:00": {true, false},  // winter time
	} {
		for i, h := range []Hours{day, night} {
			o, faults := h.compile()
			require.Empty(t, faults)
			require.Equal(t, want[i], o.holds(at(moment).UTC(), berlin), "%s %v", moment, h)
		}
	}
}

func TestFirstRuleDecides(t *testing.T) {
	t.Parallel()
	rules := rulesOf(t, `
rules:
  - {name: Keep VIPs, action: sync, when: {field: tags, operator: is, value: vip}}
  - {name: Short calls, action: skip, reason: Nobody talked., when: {field: talk_seconds, operator: less, value: 500}}
  - {name: Never asked, action: sync, when: direction == "inbound"}
otherwise: skip
`)
	in := indianCall()
	d, err := rules.Decide(in)
	require.NoError(t, err)
	require.Equal(t, RuleDecision{Action: RuleSync, Rule: 1, Name: "Keep VIPs"}, d)

	in.Call.Tags = nil
	d, err = rules.Decide(in)
	require.NoError(t, err)
	require.Equal(t, RuleDecision{Action: RuleSkip, Rule: 2, Name: "Short calls", Reason: "Nobody talked."}, d)
	require.Equal(t, "Skipped by the rule “Short calls” of the source Front desk: Nobody talked.", d.Sentence("the source Front desk"))

	in.Call.TalkSeconds, in.Call.Direction = ptr(int64(900)), call.Outbound
	d, err = rules.Decide(in)
	require.NoError(t, err)
	require.Equal(t, RuleDecision{Action: RuleSkip}, d)
	require.Equal(t, "Skipped: none of the rules of the source Front desk lets this call through.", d.Sentence("the source Front desk"))
}

func TestNoRulesSyncAll(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"rules: []", `{"rules": []}`, "otherwise: sync", "rules: []\notherwise: sync\n"} {
		d, err := rulesOf(t, text).Decide(indianCall())
		require.NoError(t, err)
		require.Equal(t, RuleSync, d.Action, text)
	}
}

// Every complaint names the rule and the place and says what to do.
func TestRuleProblems(t *testing.T) {
	t.Parallel()
	_, err := ParseRules([]byte(`rules:
  - name: Internal
    action: skip
    when:
      all:
        - {field: direktion, operator: is, value: internal}
        - {field: talk_seconds, operator: greater, value: "thirty"}
        - {field: direction, operator: is, value: incoming}
        - {field: talk_seconds, operator: contains, value: 3}
        - {field: customer.number, operator: one_of, value: [+919876543210, call me, 12345678901234]}
        - {field: first_call, operator: is, value: 1}
        - {field: started_at, operator: within_hours, value: {days: [mon, fryday], from: 25:00, to: 18:00, time_zone: Asia/Bombai}}
        - {field: customer.name, operator: matches, value: "("}
        - {field: queue, operator: is}
        - {field: queue, operator: is_empty, value: x}
        - {field: owner_id, operator: is, value: x}
        - {field: started_at, operator: before, value: tomorrow}
        - {field: recordings, operator: is, value: x}
        - {any: []}
        - {field: queue, operator: is, value: [a, b]}
  - name: internal
    action: drop
    when: talk_secnds > "x"
    why: x
  - name: Bad
    when: owner_id == "1"
    action: skip
  - {name: Two, action: sync, when: {all: ["true"], field: queue}}
  - {name: "", action: sync, when: {expr: x}}
otherwise: no
`), "IN")
	var problems RuleProblems
	require.ErrorAs(t, err, &problems)
	var got []string
	for _, p := range problems {
		got = append(got, p.String())
	}
	require.Equal(t, []string{
		`line 30, document, otherwise: Write skip, sync or sync_without_recording here.`,
		`line 6, rule 1 (Internal), when.all[0].field: There is no field "direktion". Did you mean direction?`,
		`line 7, rule 1 (Internal), when.all[1].value: greater compares numbers: write one such as 30, without quotes.`,
		`line 8, rule 1 (Internal), when.all[2].value: "incoming" is not among the values of direction: inbound, outbound, internal, unknown.`,
		`line 9, rule 1 (Internal), when.all[3].operator: This operator does not go with talk_seconds, a number; there are is, is_not, one_of, none_of, greater, at_least, less, at_most, is_empty, is_not_empty.`,
		`line 10, rule 1 (Internal), when.all[4].value[1]: This is no phone number. Write one such as +919876543210, or its beginning as +9198*, or its end as *3210.`,
		`line 10, rule 1 (Internal), when.all[4].value[2]: This is no number of IN. Write it with its country code, such as +919876543210.`,
		`line 11, rule 1 (Internal), when.all[5].value: first_call is true or false; write true or false here, without quotes.`,
		`line 12, rule 1 (Internal), when.all[6].value.days: "fryday" is no day; write mon, tue, wed, thu, fri, sat, sun.`,
		`line 12, rule 1 (Internal), when.all[6].value.from: Write the time of day as 09:00.`,
		`line 12, rule 1 (Internal), when.all[6].value.time_zone: There is no time zone "Asia/Bombai"; write one such as Asia/Kolkata.`,
		`line 13, rule 1 (Internal), when.all[7].value: This is no regular expression, or one that is too large.`,
		`line 14, rule 1 (Internal), when.all[8].value: The condition has no value. Whether the field is there at all asks is_not_empty.`,
		`line 15, rule 1 (Internal), when.all[9].value: is_empty takes no value.`,
		`line 16, rule 1 (Internal), when.all[10].field: owner_id is not known yet when rules decide.`,
		`line 17, rule 1 (Internal), when.all[11].value: Write the time as 2026-11-21, 2026-11-21 18:00 or 2026-11-21T18:00:00+05:30.`,
		`line 18, rule 1 (Internal), when.all[12].operator: This operator does not go with recordings, a group of fields; there are is_empty, is_not_empty.`,
		`line 19, rule 1 (Internal), when.all[13].any: Here must be a list of conditions, one at least.`,
		`line 20, rule 1 (Internal), when.all[14].value: is takes one value; for several there is one_of.`,
		`line 21, rule 2 (internal), name: Rule 1 has this name already.`,
		`line 22, rule 2 (internal), action: Write skip, sync or sync_without_recording here.`,
		`line 23, rule 2 (internal), when, character 1: There is no field or function talk_secnds. Did you mean talk_seconds?`,
		`line 24, rule 2 (internal): "why" is not known here; there are action, name, reason, when.`,
		`line 26, rule 3 (Bad), when: owner_id is not known yet when rules decide.`,
		`line 28, rule 4 (Two), when: A condition is a field with an operator and a value, or a group all, or a group any, or an expression as text; this one has 2 of them.`,
		`line 29, rule 5, when: "expr" is not known here; there are all, any, field, operator, value.`,
		`line 29, rule 5, name: Give the rule a name of up to 100 characters in one line; it is shown with the calls.`,
	}, got)
}

// A document that is none at all, or that is made to be expensive, is refused at once.
func TestHostileRules(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"all": [`, 12) + `"true"` + strings.Repeat(`]}`, 12)
	many := strings.TrimSuffix(strings.Repeat(`"true",`, maxConditions+1), ",")
	values := strings.TrimSuffix(strings.Repeat(`"+919876543210",`, maxValues+1), ",")
	one := func(when string) string {
		return `{"rules": [{"name": "A", "action": "skip", "when": ` + when + `}]}`
	}
	for text, says := range map[string]string{
		"":                             "This is neither YAML nor JSON: it is empty.",
		"- a":                          "Here must be a group of names and values.",
		"rules: {}":                    "rules is a list.",
		"ruls: []":                     "Did you mean rules?",
		"rules: [a]":                   "Here must be a group of names and values.",
		"a: &a [*a,*a]":                `"a" is not known here`,
		one(deep):                      "nested more than 4 deep",
		one(`{"all": [` + many + `]}`): "more than 1000 conditions",
		one(`{"field": "customer.number", "operator": "one_of", "value": [` + values + `]}`):            "The list has 10001 values",
		one(`{"field": "queue", "operator": "matches", "value": "(a{500}){500}"}`):                      "too large",
		one(`{"field": "queue", "operator": "is", "value": "` + strings.Repeat("x", maxValue+1) + `"}`): "1000 is the most",
		`{"rules": [` + strings.TrimSuffix(strings.Repeat(`{},`, maxRules+1), ",") + `]}`:               "The document has 101 rules",
		strings.Repeat(" ", maxRulesDocument+1):                                                         "is the most",
	} {
		began := time.Now()
		_, err := ParseRules([]byte(text), "IN")
		require.ErrorContains(t, err, says, clip(text, 80))
		require.Less(t, time.Since(began), tooLong)
	}
}

// A number must be one in any of the countries whose calls come along; a later country does not stop a call.
func TestNumbersOfSeveralCountries(t *testing.T) {
	t.Parallel()
	text := []byte(`{"rules": [{"name": "A", "action": "skip", "when": {"field": "customer.number", "operator": "is", "value": "(310) 555-2671"}}]}`)
	doc, err := ParseRules(text, "IN", "US")
	require.NoError(t, err)
	for _, countries := range [][]string{{"IN"}, {""}, nil, {"IN", "DE"}} {
		_, err = ParseRules(text, countries...)
		require.ErrorContains(t, err, "with its country code", countries)
	}
	in := indianCall()
	in.Call.Customer.Number = "+13105552671"
	for country, want := range map[string]bool{"US": true, "IN": false, "": false} {
		rules, err := CompileRules(doc, country)
		require.NoError(t, err)
		d, err := rules.Decide(in)
		require.NoError(t, err)
		require.Equal(t, want, d.Skips(), country)
	}
}

// Ten thousand blocked numbers cost as little as one.
func TestManyBlockedNumbers(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("rules:\n  - name: Blocked numbers\n    action: skip\n    when:\n      field: customer.number\n      operator: one_of\n      value:\n")
	for i := range maxValues {
		fmt.Fprintf(&b, "        - 0%d %05d\n", 98765, i)
	}
	rules := rulesOf(t, b.String())
	in := indianCall()
	for number, want := range map[string]bool{"+919876500000": true, "+919876509999": true, "+919876510000": false, "": false} {
		in.Call.Customer.Number = number
		d, err := rules.Decide(in)
		require.NoError(t, err)
		require.Equal(t, want, d.Skips(), number)
	}
}

// A rule that does too much is an error, and says so without quoting the call.
func TestRulesThatDoTooMuch(t *testing.T) {
	t.Parallel()
	rules := rulesOf(t, `
rules:
  - {name: Fine, action: skip, when: direction == "outbound"}
  - name: Greedy
    action: skip
    when: 'len(join(map(tags, # + note + note + note))) < 0'
`)
	in := indianCall()
	in.Call.Note = strings.Repeat("secret", 60_000)
	in.Call.Tags = slicesOf("x", 500)
	_, err := rules.Decide(in)
	var failed *RuleError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, 2, failed.Rule)
	require.Equal(t, "The rule “Greedy” (2) does not work for this call: the rules do too much work. Shorten the expressions, or look at less text.", failed.Public)
	require.NotContains(t, err.Error(), "secret")
	require.True(t, errors.Is(err, errTooMuch))
}

func slicesOf(s string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = s
	}
	return out
}

// Every field can be compared with every operator it offers, whatever stands in it: nothing fails but wrong values.
func TestEveryFieldAndOperator(t *testing.T) {
	t.Parallel()
	in := indianCall()
	empty := Input{}
	for _, f := range RuleFields() {
		name := f.Name
		if f.Keyed {
			name += ".key"
		}
		found, ok := FindRuleField(name)
		require.True(t, ok, name)
		for _, o := range found.Operators() {
			c := Condition{Field: name, Operator: o, Value: sampleValue(found, o)}
			doc := RulesDocument{Rules: []Rule{{Name: "A", Action: RuleSkip, When: c}}, Otherwise: RuleSync}
			require.Empty(t, doc.Problems("IN"), "%s %s", name, o)
			rules, err := CompileRules(doc, "IN")
			require.NoError(t, err)
			for _, in := range []Input{in, empty} {
				_, err := rules.Decide(in)
				require.NoError(t, err)
			}
		}
	}
}

// sampleValue is a value that goes with a field and an operator.
func sampleValue(f RuleField, o Operator) any {
	var v any = "x"
	switch {
	case takesNone(o):
		return nil
	case o == Within || o == Outside:
		return Hours{From: "09:00", To: "18:00"}
	case f.Kind == KindTime:
		v = "2026-11-21"
	case f.Kind == KindBool:
		v = true
	case f.Kind == KindChoice:
		v = f.Values[0]
	case f.Kind == KindPhone:
		v = "+919876543210"
	case f.Kind == KindNumber || o == Greater || o == AtLeast || o == Less || o == AtMost:
		v = int64(30)
	}
	if takesList(o) {
		return []any{v}
	}
	return v
}
