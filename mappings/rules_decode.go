package mappings

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/callsync/callsync/internal/doctree"
)

// ParseRules reads a rules document in YAML or JSON and checks it wholly. Countries are those of the sources whose calls it
// is for: a phone number without a country code must be one in any of them. The error is a RuleProblems with everything that
// is wrong; the document is then as much as could be read.
func ParseRules(data []byte, countries ...string) (RulesDocument, error) {
	doc, d := decodeRules(data)
	problems := slices.Clone(d.problems)
	for _, p := range doc.problems(countries) {
		// What could not be read is absent; saying so again would only distract.
		if !slices.Contains(d.unread, p.Row) && !slices.ContainsFunc(d.problems, func(u Problem) bool {
			return u.Row == p.Row && u.Key != "" && (u.Key == p.Key || strings.HasPrefix(u.Key, p.Key+"."))
		}) {
			p.Line = d.at.of(p.Row, p.Key)
			problems = append(problems, p)
		}
	}
	if len(problems) == 0 {
		return doc, nil
	}
	return doc, ruleProblems(problems)
}

// Problems checks the whole document, expressions included, as ParseRules does; nil means that it compiles.
func (d RulesDocument) Problems(countries ...string) RuleProblems {
	return ruleProblems(d.problems(countries))
}

// ReadRules reads a document that was stored. What ParseRules had refused is refused here as well, but for phone numbers:
// their countries may have changed since, and that must not stop a call. An empty text is a document without rules.
func ReadRules(data []byte) (RulesDocument, error) {
	if len(data) == 0 {
		return RulesDocument{Otherwise: RuleSync}, nil
	}
	doc, d := decodeRules(data)
	if len(d.problems) > 0 {
		return doc, ruleProblems(d.problems)
	}
	_, err := CompileRules(doc, "")
	return doc, err
}

// maxProblems is how many problems are shown; whoever has more will look again.
const maxProblems = 50

func ruleProblems(problems Problems) RuleProblems {
	if len(problems) == 0 {
		return nil
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return cmp.Or(a.Row-b.Row, a.Line-b.Line) })
	out := make(RuleProblems, 0, min(len(problems), maxProblems))
	for _, p := range problems[:cap(out)] {
		out = append(out, RuleProblem{Rule: p.Row, Name: p.Target, Key: p.Key, Line: p.Line, Column: p.Column, Text: p.Text, Suggestion: p.Suggestion})
	}
	return out
}

// ruleLines are the lines of the members of rules, by the rule's number and the member's key.
type ruleLines map[string]int

func lineKey(rule int, key string) string { return fmt.Sprintf("%d %s", rule, key) }

// of is the line of a member, or of the nearest one around it that has a line.
func (l ruleLines) of(rule int, key string) int {
	for {
		if line, ok := l[lineKey(rule, key)]; ok {
			return line
		}
		at := strings.LastIndexAny(key, ".[")
		if at < 0 {
			return l[lineKey(rule, "")]
		}
		key = key[:at]
	}
}

func decodeRules(data []byte) (RulesDocument, *ruleDecoder) {
	doc, d := RulesDocument{Otherwise: RuleSync}, &ruleDecoder{at: ruleLines{}}
	if len(data) > maxRulesDocument {
		d.problems = Problems{{Text: fmt.Sprintf("The document has %d bytes; %d is the most.", len(data), maxRulesDocument)}}
		return doc, d
	}
	root, err := doctree.Parse(data)
	if err != nil {
		d.problems = Problems{{Text: "This is neither YAML nor JSON: " + err.Error() + "."}}
		return doc, d
	}
	d.document(root, &doc)
	return doc, d
}

// ruleDecoder turns the tree into a RulesDocument.
type ruleDecoder struct {
	decoder
	at         ruleLines
	conditions int
	// unread are the rules that are no groups of names and values.
	unread []int
}

func (d *ruleDecoder) seen(n *yaml.Node, key string) { d.at[lineKey(d.row, key)] = n.Line }

func (d *ruleDecoder) document(n *yaml.Node, doc *RulesDocument) {
	d.members(n, "", map[string]func(*yaml.Node, string){
		"otherwise": func(v *yaml.Node, key string) {
			d.seen(v, key)
			d.text((*string)(&doc.Otherwise))(v, key)
		},
		"rules": func(v *yaml.Node, key string) {
			if v.Kind != yaml.SequenceNode {
				d.fail(v, key, "", "rules is a list. To let every call sync, write rules: [].")
				return
			}
			if len(v.Content) > maxRules {
				d.fail(v, key, "", "The document has %d rules; %d is the most.", len(v.Content), maxRules)
				return
			}
			for i, item := range v.Content {
				d.row, d.target = i+1, ""
				d.seen(item, "")
				doc.Rules = append(doc.Rules, d.rule(item))
			}
			d.row, d.target = 0, ""
		},
	})
}

func (d *ruleDecoder) rule(n *yaml.Node) Rule {
	var r Rule
	if n.Kind != yaml.MappingNode {
		d.unread = append(d.unread, d.row)
	}
	// The name is read first so that problems of the other members can tell it.
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "name" && n.Content[i+1].Kind == yaml.ScalarNode {
			d.target = clip(clean(n.Content[i+1].Value), maxRuleName)
		}
	}
	member := func(read func(*yaml.Node, string)) func(*yaml.Node, string) {
		return func(v *yaml.Node, key string) { d.seen(v, key); read(v, key) }
	}
	d.members(n, "", map[string]func(*yaml.Node, string){
		"name":   member(d.text(&r.Name)),
		"action": member(d.text((*string)(&r.Action))),
		"reason": member(d.text(&r.Reason)),
		"when":   func(v *yaml.Node, key string) { r.When = d.condition(v, key, 1) },
	})
	return r
}

func (d *ruleDecoder) condition(n *yaml.Node, key string, depth int) (c Condition) {
	d.seen(n, key)
	d.conditions++
	switch {
	case d.conditions == maxConditions+1:
		d.fail(n, key, "", "The document has more than %d conditions.", maxConditions)
	case d.conditions > maxConditions:
	case depth > maxDepth:
		d.fail(n, key, "", "Groups are nested more than %d deep here.", maxDepth-1)
	case n.Kind == yaml.ScalarNode:
		d.text(&c.Expr)(n, key)
	case n.Kind != yaml.MappingNode:
		d.fail(n, key, "", "Here must be a condition: a field with an operator and a value, a group all or any, or an expression as text.")
	default:
		var value *yaml.Node
		d.members(n, key, map[string]func(*yaml.Node, string){
			"all":      func(v *yaml.Node, key string) { c.All = d.group(v, key, depth) },
			"any":      func(v *yaml.Node, key string) { c.Any = d.group(v, key, depth) },
			"field":    func(v *yaml.Node, key string) { d.seen(v, key); d.text(&c.Field)(v, key) },
			"operator": func(v *yaml.Node, key string) { d.seen(v, key); c.Operator = d.operator(v, key) },
			"value":    func(v *yaml.Node, key string) { d.seen(v, key); value = v },
		})
		if value != nil {
			f, _ := FindRuleField(c.Field)
			c.Value = d.value(value, key+".value", f, c.Operator)
		}
	}
	return c
}

func (d *ruleDecoder) group(n *yaml.Node, key string, depth int) (out []Condition) {
	d.seen(n, key)
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		d.fail(n, key, "", "Here must be a list of conditions, one at least.")
		return nil
	}
	for i, item := range n.Content {
		out = append(out, d.condition(item, fmt.Sprintf("%s[%d]", key, i), depth+1))
	}
	return out
}

// operator reads an operator; people may write spaces and capitals.
func (d *ruleDecoder) operator(n *yaml.Node, key string) Operator {
	var s string
	d.text(&s)(n, key)
	return Operator(strings.ReplaceAll(foldKey(s), " ", "_"))
}

// value reads what a field is compared with. Fields of text take what is written, digit for digit: +919876543210, 007 and
// 2026-01-26 are texts there, whatever YAML makes of them.
func (d *ruleDecoder) value(n *yaml.Node, key string, f RuleField, o Operator) any {
	switch {
	case o == Within || o == Outside:
		return d.hours(n, key)
	case n.Kind == yaml.SequenceNode:
		if len(n.Content) > maxValues {
			d.fail(n, key, "", "The list has %d values; %d is the most.", len(n.Content), maxValues)
			return nil
		}
		list := make([]any, 0, len(n.Content))
		for i, item := range n.Content {
			v, ok := ruleScalar(item, f)
			if !ok {
				d.fail(item, fmt.Sprintf("%s[%d]", key, i), "", "Here must be a plain value.")
				return list
			}
			list = append(list, v)
		}
		return list
	}
	v, ok := ruleScalar(n, f)
	if !ok {
		d.fail(n, key, "", "Here must be a plain value%s.", map[bool]string{true: ", or a list of them"}[takesList(o)])
		return nil
	}
	if takesList(o) {
		return []any{v}
	}
	return v
}

func ruleScalar(n *yaml.Node, f RuleField) (any, bool) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return nil, false
	}
	switch f.Kind {
	case KindText, KindChoice, KindPhone, KindTime:
		return n.Value, true
	}
	return scalar(n)
}

func (d *ruleDecoder) hours(n *yaml.Node, key string) any {
	var h Hours
	before := len(d.problems)
	d.members(n, key, map[string]func(*yaml.Node, string){
		"days":      d.texts(&h.Days),
		"from":      d.text(&h.From),
		"to":        d.text(&h.To),
		"time_zone": d.text(&h.TimeZone),
		"holidays":  d.texts(&h.Holidays),
	})
	if len(d.problems) > before {
		return nil
	}
	return h.normal()
}

// texts reads a list of texts, or one text.
func (d *ruleDecoder) texts(to *[]string) func(*yaml.Node, string) {
	return func(n *yaml.Node, key string) {
		items := []*yaml.Node{n}
		if n.Kind == yaml.SequenceNode {
			items = n.Content
		}
		if len(items) > maxValues {
			d.fail(n, key, "", "The list has %d values; %d is the most.", len(items), maxValues)
			return
		}
		for _, item := range items {
			var s string
			d.text(&s)(item, key)
			*to = append(*to, s)
		}
	}
}
