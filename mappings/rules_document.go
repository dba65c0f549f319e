package mappings

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// Limits of a rules document. They are far above what people write and bound what a hostile document can cost.
const (
	maxRulesDocument = 1 << 20
	maxRules         = 100
	maxConditions    = 1000
	maxDepth         = 5
	maxValues        = 10_000
	maxValue         = 1000
	maxRuleName      = 100
	maxReason        = 300
)

// RuleAction is what becomes of a call.
type RuleAction string

// The actions of rules. RuleSkip keeps the call out of the CRM, RuleSync lets it through, RuleWithhold lets it through
// without its recordings and transcription.
const (
	RuleSync     RuleAction = "sync"
	RuleSkip     RuleAction = "skip"
	RuleWithhold RuleAction = "sync_without_recording"
)

// RulesDocument says which calls sync: the first rule that matches a call decides.
type RulesDocument struct {
	Rules []Rule `yaml:"rules" json:"rules"`
	// Otherwise is for the calls that no rule matches.
	Otherwise RuleAction `yaml:"otherwise" json:"otherwise"`
}

// Rule decides about the calls that its condition matches.
type Rule struct {
	// Name is what people see where the rule decided. No two rules have the same.
	Name   string     `yaml:"name" json:"name"`
	When   Condition  `yaml:"when" json:"when"`
	Action RuleAction `yaml:"action" json:"action"`
	// Reason is shown beside the name: why there is such a rule.
	Reason string `yaml:"reason,omitempty" json:"reason,omitempty"`
}

// Condition is one of four things: All or Any of a group of conditions, an expression of the mapping language, or a field
// with an operator and, for most operators, a value.
type Condition struct {
	All, Any []Condition
	Expr     string
	Field    string
	Operator Operator
	// Value is a string, int64, float64 or bool, an []any of them for operators that take a list, or an Hours.
	Value any
}

// Operator compares a field with a value.
type Operator string

// The operators. Those of one line are each other's opposites, for absent values as well: what is absent is not anything.
const (
	Is, IsNot            Operator = "is", "is_not"
	OneOf, NoneOf        Operator = "one_of", "none_of"
	Contains, ContainsNo Operator = "contains", "not_contains"
	StartsWith           Operator = "starts_with"
	EndsWith             Operator = "ends_with"
	Matches              Operator = "matches"
	AllOf                Operator = "all_of"
	Greater, Less        Operator = "greater", "less"
	AtLeast, AtMost      Operator = "at_least", "at_most"
	Since, Before        Operator = "since", "before"
	Within, Outside      Operator = "within_hours", "outside_hours"
	IsEmpty, IsNotEmpty  Operator = "is_empty", "is_not_empty"
)

// Hours are business hours: a span of the day on some days of the week. A span whose end is before its start goes past
// midnight and belongs to the day on which it starts.
type Hours struct {
	// Days are mon, tue, wed, thu, fri, sat, sun; none means every day.
	Days []string `yaml:"days,omitempty,flow" json:"days,omitempty"`
	// From and To are HH:MM; To is not part of the span and may be 24:00.
	From string `yaml:"from" json:"from"`
	To   string `yaml:"to" json:"to"`
	// TimeZone is an IANA name; empty means the source's zone.
	TimeZone string `yaml:"time_zone,omitempty" json:"time_zone,omitempty"`
	// Holidays are days without business hours, YYYY-MM-DD.
	Holidays []string `yaml:"holidays,omitempty,flow" json:"holidays,omitempty"`
}

// The forms in which a condition is written.
type (
	groupForm struct {
		All []Condition `yaml:"all,omitempty" json:"all,omitempty"`
		Any []Condition `yaml:"any,omitempty" json:"any,omitempty"`
	}
	bareForm struct {
		Field    string   `yaml:"field" json:"field"`
		Operator Operator `yaml:"operator" json:"operator"`
	}
	fieldForm struct {
		Field    string   `yaml:"field" json:"field"`
		Operator Operator `yaml:"operator" json:"operator"`
		Value    any      `yaml:"value" json:"value"`
	}
)

func (c Condition) form(short func(list []any) any) any {
	switch {
	case c.Expr != "":
		return c.Expr
	case len(c.All) > 0 || len(c.Any) > 0:
		return groupForm{c.All, c.Any}
	case c.Value == nil:
		return bareForm{c.Field, c.Operator}
	}
	value := c.Value
	if list, ok := value.([]any); ok {
		value = short(list)
	}
	return fieldForm{c.Field, c.Operator, value}
}

// MarshalJSON writes the condition as documents have it.
func (c Condition) MarshalJSON() ([]byte, error) {
	return encodeJSON(c.form(func(list []any) any { return list }), "")
}

// MarshalYAML writes the condition as documents have it, short lists in one line.
func (c Condition) MarshalYAML() (any, error) {
	return c.form(func(list []any) any {
		const inOneLine = 8
		if len(list) > inOneLine {
			return list
		}
		return flowList{list}
	}), nil
}

// flowList is a list that YAML writes in one line.
type flowList struct{ list []any }

func (f flowList) MarshalYAML() (any, error) {
	var n yaml.Node
	if err := n.Encode(f.list); err != nil {
		return nil, err
	}
	n.Style = yaml.FlowStyle
	return &n, nil
}

// YAML writes the document in the form that people edit.
func (d RulesDocument) YAML() ([]byte, error) {
	if d.Rules == nil {
		d.Rules = []Rule{}
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(d); err != nil {
		return nil, fmt.Errorf("write rules as YAML: %w", err)
	}
	return b.Bytes(), nil
}

// JSON writes the document, indented.
func (d RulesDocument) JSON() ([]byte, error) {
	if d.Rules == nil {
		d.Rules = []Rule{}
	}
	b, err := encodeJSON(d, "  ")
	if err != nil {
		return nil, fmt.Errorf("write rules as JSON: %w", err)
	}
	return b, nil
}

// RuleProblem is one thing wrong with a rules document.
type RuleProblem struct {
	// Rule is the rule's number from 1; 0 stands for the document itself.
	Rule int    `json:"rule,omitempty"`
	Name string `json:"name,omitempty"`
	// Key is the member at fault: "when.all[1].value".
	Key string `json:"key,omitempty"`
	// Line is the line in the text, where the document came from one.
	Line int `json:"line,omitempty"`
	// Column is the position in an expression from 1; 0 where there is none.
	Column int `json:"column,omitempty"`
	// Text is a sentence for the person who edits the rules.
	Text string `json:"text"`
	// Suggestion is the nearest name that exists.
	Suggestion string `json:"suggestion,omitempty"`
	// noun is what the document is a list of; empty means rules.
	noun string
}

func (p RuleProblem) String() string {
	var at []string
	if p.Line > 0 {
		at = append(at, fmt.Sprintf("line %d", p.Line))
	}
	switch {
	case p.Rule > 0 && p.Name != "":
		at = append(at, fmt.Sprintf("%s %d (%s)", cmp.Or(p.noun, "rule"), p.Rule, p.Name))
	case p.Rule > 0:
		at = append(at, fmt.Sprintf("%s %d", cmp.Or(p.noun, "rule"), p.Rule))
	default:
		at = append(at, "document")
	}
	if p.Key != "" {
		at = append(at, p.Key)
	}
	if p.Column > 0 {
		at = append(at, fmt.Sprintf("character %d", p.Column))
	}
	text := strings.Join(at, ", ") + ": " + p.Text
	if p.Suggestion != "" {
		text += fmt.Sprintf(" Did you mean %s?", p.Suggestion)
	}
	return text
}

// RuleProblems is what is wrong with a rules document. As an error it can be shown to the person who edits it.
type RuleProblems []RuleProblem

func (p RuleProblems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}
