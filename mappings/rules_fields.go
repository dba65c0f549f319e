package mappings

import (
	"slices"
	"strings"

	"github.com/callsync/callsync/internal/exprkit"
)

// RuleKind is how rules compare a field.
type RuleKind string

// The kinds of fields. A KindPresence can only be empty or not; a KindOpen has whatever the phone system sent.
const (
	KindText     RuleKind = "text"
	KindChoice   RuleKind = "choice"
	KindNumber   RuleKind = "number"
	KindBool     RuleKind = "bool"
	KindTime     RuleKind = "time"
	KindPhone    RuleKind = "phone number"
	KindPresence RuleKind = "presence"
	KindOpen     RuleKind = "open"
)

// RuleField is a field that rules can compare.
type RuleField struct {
	Name        string   `json:"name"`
	Kind        RuleKind `json:"kind"`
	Description string   `json:"description"`
	// Values are all values of a KindChoice.
	Values []string `json:"values,omitempty"`
	// Many tells that a call may have several values: operators ask whether any of them fits, their opposites whether none
	// does.
	Many bool `json:"many,omitempty"`
	// Keyed tells that the name of a key has to follow: custom_data.plan.
	Keyed bool `json:"keyed,omitempty"`

	entry int
	// key is the member of a list's objects, or the key of a map.
	key string
}

// Operators are those that the field can be compared with.
func (f RuleField) Operators() []Operator {
	out := slices.Clone(operatorsOf[f.Kind])
	if f.Many && (f.Kind == KindText || f.Kind == KindChoice) {
		out = slices.Insert(out, slices.Index(out, NoneOf)+1, AllOf)
	}
	return append(out, IsEmpty, IsNotEmpty)
}

var operatorsOf = map[RuleKind][]Operator{
	KindText:   {Is, IsNot, OneOf, NoneOf, Contains, ContainsNo, StartsWith, EndsWith, Matches},
	KindChoice: {Is, IsNot, OneOf, NoneOf},
	KindNumber: {Is, IsNot, OneOf, NoneOf, Greater, AtLeast, Less, AtMost},
	KindBool:   {Is, IsNot},
	KindTime:   {Within, Outside, Since, Before},
	KindPhone:  {Is, IsNot, OneOf, NoneOf, StartsWith},
	KindOpen:   {Is, IsNot, OneOf, NoneOf, Contains, ContainsNo, StartsWith, EndsWith, Matches, Greater, AtLeast, Less, AtMost},
}

// takesList and takesNone tell what stands beside an operator.
func takesList(o Operator) bool { return o == OneOf || o == NoneOf || o == AllOf }
func takesNone(o Operator) bool { return o == IsEmpty || o == IsNotEmpty }

// phoneFields hold telephone numbers.
var phoneFields = []string{"customer.number", "business_number", "agent.number", "agents[].number"}

// ofCRM are names of the mapping language that are not known yet when rules decide: the CRM has not been asked.
var ofCRM = []string{"contact_id", "owner_id", "disposition_id", "call_url", "recording_url"}

var (
	ruleFields     = buildRuleFields()
	ruleFieldIndex = func() map[string]int {
		out := make(map[string]int, len(ruleFields))
		for i, f := range ruleFields {
			out[f.Name] = i
		}
		return out
	}()
)

// RuleFields lists the fields of rules, in the order of the reference.
func RuleFields() []RuleField {
	out := slices.Clone(ruleFields)
	for i := range out {
		out[i].Values = slices.Clone(out[i].Values)
	}
	return out
}

// FindRuleField finds a field by the name that documents use.
func FindRuleField(name string) (RuleField, bool) {
	if i, ok := ruleFieldIndex[name]; ok {
		return ruleFields[i], true
	}
	// A key may hold dots itself, so it is all that follows the longest name of a group.
	for at := len(name) - 2; at > 0; at-- {
		if name[at] != '.' {
			continue
		}
		if i, ok := ruleFieldIndex[name[:at]]; ok && ruleFields[i].Keyed {
			f := ruleFields[i]
			f.Name, f.Kind, f.Keyed, f.key = name, KindOpen, false, name[at+1:]
			return f, len(f.key) <= 200
		}
	}
	return RuleField{}, false
}

func nearestRuleField(name string) string {
	names := make([]string, len(ruleFields))
	for i, f := range ruleFields {
		names[i] = f.Name
	}
	if near := exprkit.Nearest(name, names); near != "" {
		return near
	}
	// "number" and "agent_name" mean a member.
	_, leaf, nested := strings.Cut(name, ".")
	if !nested {
		leaf = name
	}
	for _, n := range names {
		if strings.HasSuffix(n, "."+leaf) || strings.ReplaceAll(n, ".", "_") == name {
			return n
		}
	}
	return ""
}

func buildRuleFields() []RuleField {
	var out []RuleField
	for _, i := range callWords.entries {
		e := catalog[i]
		if slices.Contains(ofCRM, e.info.Name) {
			continue
		}
		f := RuleField{Name: e.info.Name, Kind: kindOf(e.info), Description: e.info.Description, Values: e.info.Values, entry: i}
		f.Many, f.Keyed = e.info.Type == FieldTexts, e.info.Type == FieldMap
		out = append(out, f)
		for _, m := range e.items {
			m.Name = e.info.Name + "[]." + m.Name
			out = append(out, RuleField{Name: m.Name, Kind: kindOf(m), Description: m.Description, Values: m.Values, Many: true,
				entry: i, key: strings.TrimPrefix(m.Name, e.info.Name+"[].")})
		}
	}
	return out
}

func kindOf(f FieldInfo) RuleKind {
	switch {
	case slices.Contains(phoneFields, f.Name):
		return KindPhone
	case len(f.Values) > 0:
		return KindChoice
	}
	switch f.Type {
	case FieldText, FieldTexts:
		return KindText
	case FieldNumber:
		return KindNumber
	case FieldBool:
		return KindBool
	case FieldDateTime:
		return KindTime
	}
	return KindPresence
}

// each gives the values of the field until visit returns true, and tells whether it did. Absent ones are left out.
func (f RuleField) each(r *run, visit func(v any) (bool, error)) (bool, error) {
	v := r.load(f.entry)
	if err := r.charge(0); err != nil || v == nil {
		return false, err
	}
	list, isList := v.([]any)
	if !isList && f.key != "" {
		v = member(v, f.key)
		list, isList = v.([]any)
	}
	if !isList {
		if v == nil {
			return false, nil
		}
		return visit(v)
	}
	for _, item := range list[:min(len(list), maxList)] {
		if o, ok := item.(object); ok && f.key != "" {
			item = o.member(f.key)
		}
		if item = normal(item); item == nil {
			continue
		}
		if err := r.charge(0); err != nil {
			return false, err
		}
		if ok, err := visit(item); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}
