package mappings

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/callsync/callsync/internal/exprkit"
)

// Rules is a compiled rules document. It is safe for concurrent use.
type Rules struct {
	rules     []compiledRule
	otherwise RuleAction
}

type compiledRule struct {
	Rule
	test test
}

// test tells whether a condition holds for the call of a run.
type test func(r *run) (bool, error)

// CompileRules makes a document ready to decide about calls of sources in a country (ISO 3166), in which phone numbers
// without a country code are read; those that are none there are compared digit by digit. The error is a RuleProblems.
func CompileRules(d RulesDocument, country string) (*Rules, error) {
	rules, problems := compileRules(d, []string{country})
	problems = slices.DeleteFunc(problems, func(p ruleFault) bool { return p.unread })
	if len(problems) > 0 {
		return nil, ruleProblems(plain(problems))
	}
	return rules, nil
}

func (d RulesDocument) problems(countries []string) Problems {
	if len(countries) == 0 {
		countries = []string{""}
	}
	_, problems := compileRules(d, countries)
	return plain(problems)
}

// ruleFault is a Problem; unread marks a phone number that no country could read, which does not stop a call.
type ruleFault struct {
	Problem
	unread bool
}

func plain(faults []ruleFault) Problems {
	out := make(Problems, len(faults))
	for i, f := range faults {
		out[i] = f.Problem
	}
	return out
}

func compileRules(d RulesDocument, countries []string) (*Rules, []ruleFault) {
	c := &rulesCompiler{countries: countries}
	c.shape(d)
	out := &Rules{otherwise: d.Otherwise}
	for i, r := range d.Rules {
		if i == maxRules {
			break
		}
		c.row, c.name = i+1, clip(clean(r.Name), maxRuleName)
		out.rules = append(out.rules, compiledRule{r, c.condition(r.When, "when", 1)})
	}
	return out, c.faults
}

// rulesCompiler compiles one document and collects what is wrong with it.
type rulesCompiler struct {
	countries  []string
	row        int
	name       string
	conditions int
	faults     []ruleFault
}

func (c *rulesCompiler) fail(key, suggestion, format string, args ...any) test {
	c.faults = append(c.faults, ruleFault{Problem: Problem{Row: c.row, Target: c.name, Key: key, Text: fmt.Sprintf(format, args...), Suggestion: suggestion}})
	return nil
}

// shape checks all but the conditions.
func (c *rulesCompiler) shape(d RulesDocument) {
	add := func(key, suggestion, format string, args ...any) { c.fail(key, suggestion, format, args...) }
	if len(d.Rules) > maxRules {
		add("rules", "", "The document has %d rules; %d is the most.", len(d.Rules), maxRules)
	}
	action := func(key string, a RuleAction) {
		if a != RuleSkip && a != RuleSync && a != RuleWithhold {
			add(key, exprkit.Nearest(string(a), []string{string(RuleSkip), string(RuleSync), string(RuleWithhold)}), "Write skip, sync or sync_without_recording here.")
		}
	}
	action("otherwise", d.Otherwise)
	seen := map[string]int{}
	for i, r := range d.Rules {
		if i == maxRules {
			break
		}
		c.row, c.name = i+1, clip(clean(r.Name), maxRuleName)
		switch first, again := seen[foldKey(r.Name)]; {
		case !singleLine(r.Name, maxRuleName) || foldKey(r.Name) == "":
			add("name", "", "Give the rule a name of up to %d characters in one line; it is shown with the calls.", maxRuleName)
		case again:
			add("name", "", "Rule %d has this name already.", first)
		default:
			seen[foldKey(r.Name)] = i + 1
		}
		if !singleLine(r.Reason, maxReason) {
			add("reason", "", "The reason is one line of up to %d characters.", maxReason)
		}
		action("action", r.Action)
	}
	c.row, c.name = 0, ""
}

func singleLine(s string, most int) bool {
	return len([]rune(s)) <= most && !strings.ContainsFunc(s, unicode.IsControl)
}

// condition compiles a condition; nil where there was something wrong, which has been reported.
func (c *rulesCompiler) condition(cond Condition, key string, depth int) test {
	c.conditions++
	forms := 0
	for _, is := range []bool{cond.Expr != "", len(cond.All) > 0, len(cond.Any) > 0, cond.Field != "" || cond.Operator != "" || cond.Value != nil} {
		if is {
			forms++
		}
	}
	switch {
	case c.conditions > maxConditions:
		if c.conditions == maxConditions+1 {
			c.fail(key, "", "The document has more than %d conditions.", maxConditions)
		}
		return nil
	case depth > maxDepth:
		return c.fail(key, "", "Groups are nested more than %d deep here.", maxDepth-1)
	case forms != 1:
		return c.fail(key, "", "A condition is a field with an operator and a value, or a group all, or a group any, or an expression as text; this one has %d of them.", forms)
	case cond.Expr != "":
		return c.expression(cond.Expr, key)
	case len(cond.All) > 0:
		return c.group(cond.All, key+".all", depth, false)
	case len(cond.Any) > 0:
		return c.group(cond.Any, key+".any", depth, true)
	}
	return c.comparison(cond, key)
}

// group is true if one of its conditions is (decisive true) or if all are (decisive false).
func (c *rulesCompiler) group(conditions []Condition, key string, depth int, decisive bool) test {
	tests := make([]test, len(conditions))
	for i, inner := range conditions {
		tests[i] = c.condition(inner, fmt.Sprintf("%s[%d]", key, i), depth+1)
	}
	return func(r *run) (bool, error) {
		for _, t := range tests {
			if ok, err := t(r); err != nil || ok == decisive {
				return decisive && err == nil, err
			}
		}
		return !decisive, nil
	}
}

func (c *rulesCompiler) expression(source, key string) test {
	e, problems := callWords.compileExpr(source, true)
	for _, p := range problems {
		c.fail(key, p.suggestion, "%s", p.text)
		c.faults[len(c.faults)-1].Column = p.offset + 1
	}
	if e == nil {
		return nil
	}
	for _, p := range e.reads {
		if name := catalog[p.entry].info.Name; slices.Contains(ofCRM, name) {
			c.fail(key, "", "%s is not known yet when rules decide.", name)
		}
	}
	return func(r *run) (bool, error) {
		v, err := r.eval(e)
		if err != nil || v == nil {
			return false, err
		}
		ok, is := v.(bool)
		if !is {
			return false, valueError("The condition is neither true nor false.")
		}
		return ok, nil
	}
}

// opposite says what an operator is the opposite of.
var opposite = map[Operator]Operator{IsNot: Is, NoneOf: OneOf, ContainsNo: Contains, Outside: Within, IsEmpty: IsNotEmpty}

// comparison compiles a field with an operator and a value. A call for which the field is absent fits no operator, and so
// fits their opposites.
func (c *rulesCompiler) comparison(cond Condition, key string) test {
	f, ok := FindRuleField(cond.Field)
	switch {
	case cond.Field == "":
		return c.fail(key, "", "The condition names no field.")
	case slices.Contains(ofCRM, cond.Field):
		return c.fail(key+".field", "", "%s is not known yet when rules decide.", cond.Field)
	case !ok:
		return c.fail(key+".field", nearestRuleField(cond.Field), "There is no field %q.", clip(clean(cond.Field), 80))
	}
	allowed := f.Operators()
	if !slices.Contains(allowed, cond.Operator) {
		names := make([]string, len(allowed))
		for i, o := range allowed {
			names[i] = string(o)
		}
		what := "This operator does not go with " + f.Name
		if cond.Operator == "" {
			what = "The condition has no operator"
		}
		return c.fail(key+".operator", exprkit.Nearest(string(cond.Operator), names), "%s, %s; there are %s.", what, kindWords[f.Kind], strings.Join(names, ", "))
	}
	op, negated := cond.Operator, false
	if positive, ok := opposite[op]; ok {
		op, negated = positive, true
	}
	if takesNone(cond.Operator) && cond.Value != nil {
		return c.fail(key+".value", "", "%s takes no value.", cond.Operator)
	}
	if !takesNone(cond.Operator) && cond.Value == nil {
		return c.fail(key+".value", "", "The condition has no value. Whether the field is there at all asks is_not_empty.")
	}
	if op == AllOf {
		return c.allOf(f, cond.Value, key)
	}
	fits := c.predicate(f, op, cond.Value, key+".value")
	if fits == nil {
		return nil
	}
	return func(r *run) (bool, error) {
		ok, err := f.each(r, func(v any) (bool, error) { return fits(r, v) })
		return ok != negated && err == nil, err
	}
}

var kindWords = map[RuleKind]string{
	KindText: "a text", KindChoice: "one of a list of words", KindNumber: "a number", KindBool: "true or false", KindTime: "a time",
	KindPhone: "a phone number", KindPresence: "a group of fields", KindOpen: "a field of the phone system's own",
}

// predicate is what an operator asks of one value that is there.
type predicate func(r *run, v any) (bool, error)

func (c *rulesCompiler) predicate(f RuleField, op Operator, value any, key string) predicate {
	switch {
	case op == IsNotEmpty:
		return func(_ *run, v any) (bool, error) { return !empty(v), nil }
	case op == Within:
		return c.within(value, key)
	case op == Since || op == Before:
		return c.moment(op, value, key)
	case f.Kind == KindPhone:
		return c.phones(op, value, key)
	case f.Kind == KindBool:
		want, ok := value.(bool)
		if !ok {
			c.fail(key, "", "%s is true or false; write true or false here, without quotes.", f.Name)
			return nil
		}
		return func(_ *run, v any) (bool, error) { return v == want, nil }
	case op == Greater || op == AtLeast || op == Less || op == AtMost:
		return c.order(f, op, value, key)
	case f.Kind == KindNumber:
		return c.numbers(f, value, key)
	case op == Matches:
		return c.matches(value, key)
	}
	return c.texts(f, op, value, key)
}

// values are the values of a list operator, or the one value.
func values(op Operator, value any) []any {
	if list, ok := value.([]any); ok {
		return list
	}
	return []any{value}
}

func (c *rulesCompiler) listed(op Operator, value any, key string) ([]any, bool) {
	_, isList := value.([]any)
	list := values(op, value)
	switch {
	case isList && !takesList(op):
		c.fail(key, "", "%s takes one value; for several there is one_of.", op)
	case len(list) == 0:
		c.fail(key, "", "The list is empty.")
	case len(list) > maxValues:
		c.fail(key, "", "The list has %d values; %d is the most.", len(list), maxValues)
	default:
		return list, true
	}
	return nil, false
}

func place(key string, list []any, i int) string {
	if len(list) == 1 {
		return key
	}
	return fmt.Sprintf("%s[%d]", key, i)
}

func (c *rulesCompiler) within(value any, key string) predicate {
	h, ok := value.(Hours)
	if !ok {
		c.fail(key, "", "Business hours have from and to, and may have days, time_zone and holidays.")
		return nil
	}
	hours, faults := h.compile()
	for _, member := range sortedKeys(faults) {
		c.fail(key+"."+member, "", "%s", faults[member])
	}
	if len(faults) > 0 {
		return nil
	}
	return func(r *run, v any) (bool, error) {
		t, ok := v.(time.Time)
		return ok && hours.holds(t, r.location), nil
	}
}

func (c *rulesCompiler) moment(op Operator, value any, key string) predicate {
	s, _ := value.(string)
	want, fixed, ok := parseMoment(s)
	if !ok {
		c.fail(key, "", "Write the time as 2026-11-21, 2026-11-21 18:00 or 2026-11-21T18:00:00+05:30.")
		return nil
	}
	return func(r *run, v any) (bool, error) {
		limit := want
		if !fixed {
			limit = inZone(want, r.location)
		}
		t, ok := v.(time.Time)
		return ok && t.Before(limit) == (op == Before), nil
	}
}

func (c *rulesCompiler) phones(op Operator, value any, key string) predicate {
	list, ok := c.listed(op, value, key)
	if !ok {
		return nil
	}
	set := newNumberSet(c.countries[0])
	for i, item := range list {
		s, isText := item.(string)
		if op == StartsWith && isText && !strings.HasSuffix(s, "*") {
			s += "*"
		}
		fault := numberNone
		if isText {
			fault = set.add(s)
		}
		for _, country := range c.countries[1:] {
			if fault == numberUnread {
				fault = newNumberSet(country).add(s)
			}
		}
		switch {
		case fault == numberNone:
			c.fail(place(key, list, i), "", "This is no phone number. Write one such as +919876543210, or its beginning as +9198*, or its end as *3210.")
		case fault == numberUnread && strings.Join(c.countries, "") == "":
			c.fail(place(key, list, i), "", "Write the number with its country code, such as +919876543210: the source has no country.")
			c.faults[len(c.faults)-1].unread = true
		case fault == numberUnread:
			c.fail(place(key, list, i), "", "This is no number of %s. Write it with its country code, such as +919876543210.", strings.Join(c.countries, ", "))
			c.faults[len(c.faults)-1].unread = true
		}
		if len(c.faults) > maxProblems {
			return nil
		}
	}
	return func(r *run, v any) (bool, error) {
		s, _ := v.(string)
		// Reading a number costs far more than its length.
		return set.holds(s), r.charge(2000)
	}
}

// asRuleNumber is a number of the document.
func asRuleNumber(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// valueNumber is a number of a call; those of the phone system's own fields may come as text.
func valueNumber(v any) (float64, bool) {
	if s, ok := v.(string); ok {
		n, err := parseNumber(s)
		if err != nil {
			return 0, false
		}
		return asRuleNumber(n)
	}
	return asFloat(v)
}

func (c *rulesCompiler) order(f RuleField, op Operator, value any, key string) predicate {
	want, ok := asRuleNumber(value)
	if !ok {
		c.fail(key, "", "%s compares numbers: write one such as 30, without quotes.", op)
		return nil
	}
	return func(_ *run, v any) (bool, error) {
		n, ok := valueNumber(v)
		if !ok {
			return false, nil
		}
		switch op {
		case Greater:
			return n > want, nil
		case AtLeast:
			return n >= want, nil
		case Less:
			return n < want, nil
		}
		return n <= want, nil
	}
}

func (c *rulesCompiler) numbers(f RuleField, value any, key string) predicate {
	op := Is
	if _, isList := value.([]any); isList {
		op = OneOf
	}
	list, ok := c.listed(op, value, key)
	if !ok {
		return nil
	}
	set := make(map[float64]bool, len(list))
	for i, item := range list {
		n, ok := asRuleNumber(item)
		if !ok {
			c.fail(place(key, list, i), "", "%s is a number: write one such as 30, without quotes.", f.Name)
			return nil
		}
		set[n] = true
	}
	return func(_ *run, v any) (bool, error) {
		n, ok := valueNumber(v)
		return ok && set[n], nil
	}
}

func (c *rulesCompiler) matches(value any, key string) predicate {
	s, ok := value.(string)
	if !ok || s == "" {
		c.fail(key, "", "matches takes a regular expression as text.")
		return nil
	}
	re, instructions, err := exprkit.Pattern(s)
	if err != nil || len(s) > maxValue {
		c.fail(key, "", "This is no regular expression, or one that is too large.")
		return nil
	}
	cost := max(8, instructions/4)
	return onRuleText(cost, func(s string) bool { return re.MatchString(s) })
}

// onRuleText is a predicate on the text of a value; lists and groups inside the phone system's own fields have none.
func onRuleText(cost int, fits func(s string) bool) predicate {
	return func(r *run, v any) (bool, error) {
		s, ok, err := asText(v)
		if err != nil || !ok {
			return false, nil //nolint:nilerr // what has no text fits nothing
		}
		if err := r.charge(len(s) * cost); err != nil {
			return false, err
		}
		return fits(s), nil
	}
}

// wanted are the texts of a condition, without regard to case and white space.
func (c *rulesCompiler) wanted(f RuleField, op Operator, value any, key string) ([]string, bool) {
	list, ok := c.listed(op, value, key)
	if !ok {
		return nil, false
	}
	out := make([]string, 0, len(list))
	for i, item := range list {
		s, _, err := asText(item)
		switch {
		case err != nil || foldKey(s) == "":
			c.fail(place(key, list, i), "", "Write a text here. Whether the field is there at all asks is_empty.")
			return nil, false
		case len(s) > maxValue:
			c.fail(place(key, list, i), "", "The text has %d characters; %d is the most.", len(s), maxValue)
			return nil, false
		case f.Kind == KindChoice && !slices.Contains(f.Values, foldKey(s)):
			c.fail(place(key, list, i), exprkit.Nearest(s, f.Values), "%q is not among the values of %s: %s.", clip(clean(s), 60), f.Name, strings.Join(f.Values, ", "))
			return nil, false
		}
		out = append(out, foldKey(s))
	}
	return out, true
}

func (c *rulesCompiler) texts(f RuleField, op Operator, value any, key string) predicate {
	list, ok := c.wanted(f, op, value, key)
	if !ok {
		return nil
	}
	want := list[0]
	switch op {
	case Contains:
		return onRuleText(4, func(s string) bool { return strings.Contains(foldKey(s), want) })
	case StartsWith:
		return onRuleText(4, func(s string) bool { return strings.HasPrefix(foldKey(s), want) })
	case EndsWith:
		return onRuleText(4, func(s string) bool { return strings.HasSuffix(foldKey(s), want) })
	case Is:
		return onRuleText(4, func(s string) bool { return s == want || foldKey(s) == want })
	}
	set := make(map[string]struct{}, len(list))
	for _, s := range list {
		set[s] = struct{}{}
	}
	return onRuleText(4, func(s string) bool { _, ok := set[foldKey(s)]; return ok })
}

func (c *rulesCompiler) allOf(f RuleField, value any, key string) test {
	list, ok := c.wanted(f, AllOf, value, key+".value")
	if !ok {
		return nil
	}
	return func(r *run) (bool, error) {
		have := map[string]bool{}
		_, err := f.each(r, func(v any) (bool, error) {
			_, err := onRuleText(4, func(s string) bool { have[foldKey(s)] = true; return true })(r, v)
			return false, err
		})
		if err != nil {
			return false, err
		}
		return !slices.ContainsFunc(list, func(s string) bool { return !have[s] }), nil
	}
}
