package admin

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/callsync/callsync/mappings"
)

// ruleForm is a rule in the builder.
type ruleForm struct {
	// Named tells that a link led to this rule.
	Named                bool
	N                    int
	Name, Action, Reason string
	// Match is all or any.
	Match       string
	Conditions  []conditionForm
	Wrong       []string
	First, Last bool
}

// conditionForm is a condition in the builder.
type conditionForm struct {
	Rule, N int
	// Kind is field, expr or group; the builder shows a group inside a group, but leaves it to the text.
	Kind string
	// Text is the expression, or the group as JSON.
	Text string
	// Field is the name in the list of fields; Key follows it where one has to.
	Field, Key string
	Operator   string
	Values     []string
	Hours      mappings.Hours
	Wrong      []string

	// What the page shows.
	Self      string
	Keyed     bool
	Operators []option
	// Input is none, choice, choices, number, text, lines or hours.
	Input   string
	Choices []option
	Hint    string
}

type option struct {
	Value, Label string
	Selected     bool
}

// ID names the condition in the page.
func (c conditionForm) ID() string { return fmt.Sprintf("r%d.c%d", c.Rule, c.N) }

// Value is the first value.
func (c conditionForm) Value() string {
	if len(c.Values) == 0 {
		return ""
	}
	return c.Values[0]
}

// Lines are the values, one a line.
func (c conditionForm) Lines() string { return strings.Join(c.Values, "\n") }

// Days are the days of the week, as choices.
func (c conditionForm) Days() []option {
	var out []option
	for _, d := range []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"} {
		v := strings.ToLower(d)
		out = append(out, option{v, d, len(c.Hours.Days) == 0 || slices.Contains(c.Hours.Days, v)})
	}
	return out
}

// Holidays are the days off, one a line.
func (c conditionForm) Holidays() string { return strings.Join(c.Hours.Holidays, "\n") }

// formOf shows a document in the builder.
func formOf(doc mappings.RulesDocument) []ruleForm {
	out := make([]ruleForm, 0, len(doc.Rules))
	for _, r := range doc.Rules {
		f := ruleForm{Name: r.Name, Action: string(r.Action), Reason: r.Reason, Match: "all"}
		conditions := []mappings.Condition{r.When}
		switch {
		case len(r.When.All) > 0:
			conditions = r.When.All
		case len(r.When.Any) > 0:
			conditions, f.Match = r.When.Any, "any"
		}
		for _, c := range conditions {
			f.Conditions = append(f.Conditions, formOfCondition(c))
		}
		out = append(out, f)
	}
	return out
}

func formOfCondition(c mappings.Condition) conditionForm {
	switch {
	case c.Expr != "":
		return conditionForm{Kind: "expr", Text: c.Expr}
	case len(c.All) > 0 || len(c.Any) > 0:
		text, _ := c.MarshalJSON() // made of texts and numbers only
		return conditionForm{Kind: "group", Text: string(text)}
	}
	f := conditionForm{Kind: "field", Field: c.Field, Operator: string(c.Operator)}
	for _, known := range mappings.RuleFields() {
		if key, ok := strings.CutPrefix(c.Field, known.Name+"."); ok && known.Keyed {
			f.Field, f.Key = known.Name, key
		}
	}
	switch v := c.Value.(type) {
	case nil:
	case mappings.Hours:
		f.Hours = v
	case []any:
		for _, item := range v {
			f.Values = append(f.Values, fmt.Sprint(item))
		}
	default:
		f.Values = []string{fmt.Sprint(v)}
	}
	return f
}

// document is what the builder says.
func document(rules []ruleForm, otherwise string) mappings.RulesDocument {
	doc := mappings.RulesDocument{Otherwise: mappings.RuleAction(otherwise), Rules: []mappings.Rule{}}
	for _, f := range rules {
		r := mappings.Rule{Name: f.Name, Action: mappings.RuleAction(f.Action), Reason: f.Reason}
		var conditions []mappings.Condition
		for _, c := range f.Conditions {
			conditions = append(conditions, c.condition())
		}
		switch {
		case len(conditions) == 1:
			r.When = conditions[0]
		case f.Match == "any":
			r.When.Any = conditions
		default:
			r.When.All = conditions
		}
		doc.Rules = append(doc.Rules, r)
	}
	return doc
}

func (c conditionForm) condition() mappings.Condition {
	switch c.Kind {
	case "expr":
		return mappings.Condition{Expr: c.Text}
	case "group":
		// What is wrong with it is complained of with the whole document.
		doc, _ := mappings.ReadRules([]byte(`{"rules": [{"name": "group", "action": "sync", "when": ` + c.Text + `}]}`))
		if len(doc.Rules) != 1 {
			return mappings.Condition{}
		}
		return doc.Rules[0].When
	}
	f, name := c.field()
	out := mappings.Condition{Field: name, Operator: mappings.Operator(c.Operator)}
	switch input := ruleInput(f, out.Operator); input {
	case "none":
	case "hours":
		out.Value = c.Hours
	case "choices", "lines":
		list := make([]any, 0, len(c.Values))
		for _, v := range c.Values {
			list = append(list, typed(f, out.Operator, v))
		}
		if len(list) > 0 {
			out.Value = list
		}
	default:
		if v := c.Value(); v != "" {
			out.Value = typed(f, out.Operator, v)
		}
	}
	return out
}

// field is the field that is meant, with the name that documents use.
func (c conditionForm) field() (mappings.RuleField, string) {
	name := c.Field
	f, ok := mappings.FindRuleField(name)
	if ok && f.Keyed && strings.TrimSpace(c.Key) != "" {
		name += "." + strings.TrimSpace(c.Key)
		f, _ = mappings.FindRuleField(name)
	}
	return f, name
}

// typed makes of a text what the field is compared with; what cannot be made so stays a text, and is complained of.
func typed(f mappings.RuleField, o mappings.Operator, s string) any {
	compares := o == mappings.Greater || o == mappings.AtLeast || o == mappings.Less || o == mappings.AtMost
	switch {
	case f.Kind == mappings.KindNumber || f.Kind == mappings.KindOpen && compares:
		if n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64); err == nil {
			return n
		}
		var n float64
		if json.Unmarshal([]byte(strings.TrimSpace(s)), &n) == nil {
			return n
		}
	case f.Kind == mappings.KindBool:
		if b, err := strconv.ParseBool(s); err == nil {
			return b
		}
	}
	return s
}

// ruleInput is how the value of a condition is entered.
func ruleInput(f mappings.RuleField, o mappings.Operator) string {
	list := o == mappings.OneOf || o == mappings.NoneOf || o == mappings.AllOf
	switch {
	case o == mappings.IsEmpty || o == mappings.IsNotEmpty:
		return "none"
	case o == mappings.Within || o == mappings.Outside:
		return "hours"
	case (f.Kind == mappings.KindChoice || f.Name == "source_id") && list:
		return "choices"
	case f.Kind == mappings.KindChoice || f.Kind == mappings.KindBool || f.Name == "source_id" && (o == mappings.Is || o == mappings.IsNot):
		return "choice"
	case list:
		return "lines"
	case f.Kind == mappings.KindNumber || f.Kind == mappings.KindOpen && slices.Contains([]mappings.Operator{mappings.Greater, mappings.AtLeast, mappings.Less, mappings.AtMost}, o):
		return "number"
	}
	return "text"
}

// mostForms bounds what a form may have; the document's own limits are lower.
const mostForms = 1100

// readRules reads the builder's fields: r0.name, r0.c0.field and so on.
func readRules(form url.Values) (rules []ruleForm) {
	conditions := 0
	for i := 0; i < mostForms && form.Has(fmt.Sprintf("r%d.name", i)); i++ {
		at := func(name string) string { return strings.TrimSpace(form.Get(fmt.Sprintf("r%d.%s", i, name))) }
		f := ruleForm{Name: at("name"), Action: at("action"), Reason: at("reason"), Match: at("match")}
		for j := 0; conditions < mostForms && form.Has(fmt.Sprintf("r%d.c%d.kind", i, j)); j++ {
			conditions++
			f.Conditions = append(f.Conditions, readCondition(form, fmt.Sprintf("r%d.c%d.", i, j)))
		}
		rules = append(rules, f)
	}
	return rules
}

func readCondition(form url.Values, at string) conditionForm {
	c := conditionForm{Kind: form.Get(at + "kind"), Text: form.Get(at + "text"), Field: form.Get(at + "field"), Key: form.Get(at + "key"), Operator: form.Get(at + "operator")}
	if c.Kind != "field" {
		return c
	}
	f, _ := c.field()
	if operators := f.Operators(); !slices.Contains(operators, mappings.Operator(c.Operator)) && len(operators) > 0 {
		c.Operator = string(operators[0]) // the field was changed to one with others
	}
	c.Hours = mappings.Hours{Days: form[at+"days"], From: form.Get(at + "from"), To: form.Get(at + "to"), TimeZone: strings.TrimSpace(form.Get(at + "zone")), Holidays: splitLines(form.Get(at+"holidays"), ",")}
	if len(c.Hours.Days) == len(c.Days()) {
		c.Hours.Days = nil
	}
	c.Values = form[at+"value"]
	if ruleInput(f, mappings.Operator(c.Operator)) == "lines" {
		separators := ""
		if f.Kind == mappings.KindPhone {
			separators = ",;" // no number has one
		}
		c.Values = splitLines(strings.Join(c.Values, "\n"), separators)
	}
	return c
}

// splitLines are the lines of a text that say something, and what stands between separators.
func splitLines(s, separators string) (out []string) {
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' || strings.ContainsRune(separators, r) }) {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// change does to the builder what a button asks for: "up:2", "remove-condition:0:1".
func change(rules []ruleForm, do string) []ruleForm {
	parts := strings.Split(do, ":")
	at := func(i, most int) (int, bool) {
		if i >= len(parts) {
			return 0, false
		}
		n, err := strconv.Atoi(parts[i])
		return n, err == nil && n >= 0 && n < most
	}
	i, ok := at(1, len(rules))
	switch parts[0] {
	case "add-rule":
		return append(rules, ruleForm{Action: "skip", Match: "all", Conditions: []conditionForm{{Kind: "field", Field: "direction", Operator: "is"}}})
	case "preset":
		if len(parts) > 1 {
			for _, p := range presets {
				if p.Name == parts[1] {
					return append(rules, formOf(mappings.RulesDocument{Rules: []mappings.Rule{p.Rule}})...)
				}
			}
		}
	}
	if !ok {
		return rules
	}
	switch parts[0] {
	case "remove-rule":
		return slices.Delete(rules, i, i+1)
	case "up":
		if i > 0 {
			rules[i-1], rules[i] = rules[i], rules[i-1]
		}
	case "down":
		if i+1 < len(rules) {
			rules[i+1], rules[i] = rules[i], rules[i+1]
		}
	case "add-condition":
		rules[i].Conditions = append(rules[i].Conditions, conditionForm{Kind: "field", Field: "direction", Operator: "is"})
	case "add-expression":
		rules[i].Conditions = append(rules[i].Conditions, conditionForm{Kind: "expr"})
	case "remove-condition":
		if j, ok := at(2, len(rules[i].Conditions)); ok {
			rules[i].Conditions = slices.Delete(rules[i].Conditions, j, j+1)
		}
	}
	return rules
}

// preset is a rule that many people want, to start from.
type preset struct {
	Name, Label string
	Rule        mappings.Rule
}

var presets = []preset{
	{"internal", "Skip internal calls", mappings.Rule{Name: "Internal calls", Action: mappings.RuleSkip, When: mappings.Condition{Any: []mappings.Condition{
		{Field: "direction", Operator: mappings.Is, Value: "internal"}, {Field: "own_number", Operator: mappings.Is, Value: true}}}}},
	{"short", "Skip short calls", mappings.Rule{Name: "Too short", Action: mappings.RuleSkip, When: mappings.Condition{All: []mappings.Condition{
		{Field: "status", Operator: mappings.Is, Value: "answered"}, {Field: "talk_seconds", Operator: mappings.Less, Value: int64(10)}}}}},
	{"blocked", "Skip some numbers", mappings.Rule{Name: "Blocked numbers", Action: mappings.RuleSkip, When: mappings.Condition{
		Field: "customer.number", Operator: mappings.OneOf}}},
	{"hours", "Only within business hours", mappings.Rule{Name: "Outside business hours", Action: mappings.RuleSkip, When: mappings.Condition{
		Field: "started_at", Operator: mappings.Outside, Value: mappings.Hours{Days: []string{"mon", "tue", "wed", "thu", "fri"}, From: "09:00", To: "18:00"}}}},
	{"consent", "Skip calls without consent", mappings.Rule{Name: "No consent", Action: mappings.RuleSkip, When: mappings.Condition{
		Field: "tags", Operator: mappings.OneOf, Value: []any{"no consent"}}}},
	{"recording", "Sync some calls without their recording", mappings.Rule{Name: "Recording refused", Action: mappings.RuleWithhold, When: mappings.Condition{
		Field: "tags", Operator: mappings.OneOf, Value: []any{"do not record"}}}},
}

var atCondition = regexp.MustCompile(`^when(?:\.(?:all|any)\[(\d+)\])?(?:\.|$)`)

// complain puts the problems of a document beside what they are about, and returns those that belong to nothing shown.
func complain(rules []ruleForm, problems mappings.RuleProblems) (rest []string) {
	for _, p := range problems {
		text := p.Text
		if p.Suggestion != "" {
			text += " Did you mean " + p.Suggestion + "?"
		}
		if p.Rule == 0 || p.Rule > len(rules) {
			rest = append(rest, text)
			continue
		}
		r := &rules[p.Rule-1]
		found := atCondition.FindStringSubmatch(p.Key)
		if found == nil || len(r.Conditions) == 0 {
			r.Wrong = append(r.Wrong, text)
			continue
		}
		i, _ := strconv.Atoi(found[1])
		if p.Column > 0 {
			text = fmt.Sprintf("Character %d: %s", p.Column, text)
		}
		if i < len(r.Conditions) {
			r.Conditions[i].Wrong = append(r.Conditions[i].Wrong, text)
		}
	}
	return rest
}
