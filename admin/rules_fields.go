package admin

import (
	"slices"
	"strings"

	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// fieldGroup is a group of the list of fields.
type fieldGroup struct {
	Label  string
	Fields []fieldOption
}

type fieldOption struct{ Name, Label, Description string }

// common are the fields that most rules ask for.
var common = []string{"direction", "status", "customer.number", "business_number", "own_number", "talk_seconds", "duration_seconds", "started_at", "agents[].name",
	"agents[].email", "queue", "department", "tags", "disposition.value", "recordings", "source_id"}

// groupOf is where a field stands in the list, by the beginning of its name.
var groupOf = []struct{ label, begins string }{
	{"Customer", "customer"}, {"Agents", "agents agent"}, {"Times", "started_at answered_at ended_at duration_seconds ring_seconds talk_seconds hold_seconds"},
	{"Outcome", "recordings transcription disposition tags note value lead_status scores"},
	{"Marketing", "campaign lead_fields reference attribution first_call prior_calls"},
	{"The phone system’s own", "custom_data attributes aliases provider provider_call_id provider_url id workspace_id source_id revision cost operator circle time_zone"},
}

// fieldGroups lists the fields of rules as people look for them.
func fieldGroups() []fieldGroup {
	out := []fieldGroup{{Label: "Often used"}}
	for _, g := range groupOf {
		out = append(out, fieldGroup{Label: g.label})
	}
	out = append(out, fieldGroup{Label: "The call"})
	byName := map[string]fieldOption{}
	for _, f := range mappings.RuleFields() {
		o := fieldOption{f.Name, fieldLabel(f), f.Description}
		byName[f.Name] = o
		if slices.Contains(common, f.Name) {
			continue
		}
		root, _, _ := strings.Cut(strings.ReplaceAll(f.Name, "[]", ""), ".")
		at := slices.IndexFunc(groupOf, func(g struct{ label, begins string }) bool { return slices.Contains(strings.Fields(g.begins), root) })
		if at < 0 {
			at = len(groupOf)
		}
		out[at+1].Fields = append(out[at+1].Fields, o)
	}
	for _, name := range common {
		out[0].Fields = append(out[0].Fields, byName[name])
	}
	return out
}

// fieldLabels are names that their own words would not tell well.
var fieldLabels = map[string]string{
	"source_id": "Source", "own_number": "Is one of our numbers", "business_number": "Our number", "business_raw_number": "Our number as sent",
	"id": "callsync’s id", "ivr_path": "Menu points chosen", "digits": "Keys pressed", "recordings": "Recording", "stale": "Never ended properly", "agent": "Answering agent",
	"custom_data": "Custom data: …", "attributes": "Attributes: …", "lead_fields": "Lead fields: …", "scores": "Scores: …", "attribution.utm": "UTM: …",
}

func fieldLabel(f mappings.RuleField) string {
	if label, ok := fieldLabels[f.Name]; ok {
		return label
	}
	for begins, label := range map[string]string{"agents[].": "Any agent: ", "agent.": "Answering agent: ", "recordings[].": "Any recording: ", "aliases[].": "Any other name: "} {
		if leaf, ok := strings.CutPrefix(f.Name, begins); ok {
			return label + strings.ReplaceAll(leaf, "_", " ")
		}
	}
	root, leaf, nested := strings.Cut(f.Name, ".")
	if nested {
		return title(root) + ": " + strings.ReplaceAll(leaf, "_", " ")
	}
	return title(root)
}

var operatorLabels = map[mappings.Operator]string{
	mappings.Is: "is", mappings.IsNot: "is not", mappings.OneOf: "is one of", mappings.NoneOf: "is none of", mappings.Contains: "contains",
	mappings.ContainsNo: "does not contain", mappings.StartsWith: "begins with", mappings.EndsWith: "ends with", mappings.Matches: "matches the pattern",
	mappings.AllOf: "has all of", mappings.Greater: "is more than", mappings.AtLeast: "is at least", mappings.Less: "is less than", mappings.AtMost: "is at most",
	mappings.Since: "is since", mappings.Before: "is before", mappings.Within: "is within the hours", mappings.Outside: "is outside the hours",
	mappings.IsEmpty: "is missing", mappings.IsNotEmpty: "is there",
}

// manyLabels are those of fields with several values.
var manyLabels = map[mappings.Operator]string{
	mappings.Is: "one is", mappings.IsNot: "none is", mappings.OneOf: "one is among", mappings.NoneOf: "none is among", mappings.Contains: "one contains",
	mappings.ContainsNo: "none contains",
}

func operatorLabel(f mappings.RuleField, o mappings.Operator) string {
	if label, ok := manyLabels[o]; ok && f.Many {
		return label
	}
	return operatorLabels[o]
}

// hints say what to enter.
var hints = map[mappings.RuleKind]string{
	mappings.KindPhone: "One number a line, as you write them; +9198* for all that begin so.", mappings.KindTime: "2026-11-21 or 2026-11-21 18:00",
}

// shown fills in what the page needs of each condition.
func shown(rules []ruleForm, self string, sources []records.Source) []ruleForm {
	for i := range rules {
		r := &rules[i]
		r.N, r.First, r.Last = i, i == 0, i == len(rules)-1
		for j := range r.Conditions {
			c := &r.Conditions[j]
			c.Rule, c.N, c.Self = i, j, self
			if c.Kind == "field" {
				c.show(sources)
			}
		}
	}
	return rules
}

func (c *conditionForm) show(sources []records.Source) {
	f, name := c.field()
	base, known := mappings.FindRuleField(c.Field)
	c.Keyed = known && base.Keyed
	for _, o := range f.Operators() {
		c.Operators = append(c.Operators, option{string(o), operatorLabel(f, o), string(o) == c.Operator})
	}
	c.Input = ruleInput(f, mappings.Operator(c.Operator))
	add := func(value, label string) {
		c.Choices = append(c.Choices, option{value, label, slices.Contains(c.Values, value)})
	}
	switch {
	case c.Input != "choice" && c.Input != "choices":
	case name == "source_id":
		for _, s := range sources {
			add(s.ID, s.Name)
		}
	case f.Kind == mappings.KindBool:
		add("true", "yes")
		add("false", "no")
	default:
		for _, v := range f.Values {
			add(v, strings.ReplaceAll(v, "_", " "))
		}
	}
	c.Hint = hints[f.Kind]
	if c.Input == "lines" && c.Hint == "" {
		c.Hint = "One a line."
	}
	if f.Kind == mappings.KindPhone && c.Input == "text" {
		c.Hint = "As you write it, or +9198* for all that begin so."
	}
	if c.Input == "hours" {
		c.Hint = "Without a time zone, that of the source. An end before the start is on the next day."
	}
}
