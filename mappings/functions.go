package mappings

import (
	"html"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
)

// FunctionInfo describes a function of expressions to editors and to the reference.
type FunctionInfo struct {
	Name        string `json:"name"`
	Signature   string `json:"signature"`
	Description string `json:"description"`
}

// Functions lists the functions of expressions, in the order of the reference.
func Functions() []FunctionInfo {
	out := make([]FunctionInfo, len(functions))
	for i, f := range functions {
		out[i] = FunctionInfo{Name: f.name, Signature: f.name + f.signature, Description: f.description}
	}
	return out
}

// function is a function of expressions. All give nil for an absent first argument unless they say otherwise.
type function struct {
	name, signature, description string
	// types are the forms that the checker allows.
	types []any
	call  func(r *run, a []any) (any, error)
	// takesNil is for functions that have something to say about absent values.
	takesNil bool
}

// onRun is the function as the patched expression calls it.
func (f function) onRun() func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		r := args[0].(*run)
		a := args[1:]
		cost := 0
		for _, v := range a {
			cost += size(v)
		}
		if err := r.charge(cost); err != nil {
			return nil, err
		}
		if !f.takesNil && (len(a) == 0 || a[0] == nil) {
			r.trace.function(f.name, a, nil)
			return nil, nil
		}
		out, err := f.call(r, a)
		if err != nil {
			return nil, err
		}
		out = normal(out)
		r.trace.function(f.name, a, out)
		return out, r.charge(size(out))
	}
}

var functions = buildFunctions()

var functionIndex = func() map[string]int {
	out := map[string]int{}
	for i, f := range functions {
		out[f.name] = i
	}
	return out
}()

func buildFunctions() []function {
	return slices.Concat(valueFunctions(), textFunctions(), listFunctions(), phoneFunctions(), timeFunctions())
}

var wordBreaks = strings.NewReplacer("_", " ", "-", " ")

func valueFunctions() []function {
	return []function{
		{"coalesce", "(value, ...)", "the first value that is not empty", []any{new(func(...any) any)}, coalesce, true},
		{"empty", "(value)", "true for an absent value, blank text or empty list", []any{new(func(any) bool)},
			func(_ *run, a []any) (any, error) { return empty(a[0]), nil }, true},
		{"text", "(value)", "the value as text", []any{new(func(any) string)},
			func(_ *run, a []any) (any, error) { s, _, err := asText(a[0]); return s, err }, false},
		{"number", "(value)", "the number that a text holds", []any{new(func(any) float64)},
			func(_ *run, a []any) (any, error) { return asNumber(a[0]) }, false},
		{"round", "(number, digits?)", "the number rounded, half away from zero; digits after the point, 0 if not given",
			[]any{new(func(float64) float64), new(func(float64, int) float64), new(func(int) float64), new(func(int, int) float64)}, round, false},
		{"lookup", "(key, table, default?)", "the value that a group such as {inbound: \"In\"} has for a key, without regard to case and space around it; else the default",
			[]any{new(func(any, any) any), new(func(any, any, any) any)}, lookUp, true},
		{"label", "(text)", "a word of the phone system for people: no_answer becomes No answer", []any{new(func(string) string)},
			onText(func(s string) any {
				s = strings.TrimSpace(wordBreaks.Replace(s))
				c, n := utf8.DecodeRuneInString(s)
				out := make([]byte, 0, len(s)+utf8.UTFMax)
				return string(append(utf8.AppendRune(out, unicode.ToUpper(c)), s[n:]...))
			}), false},
	}
}

func textFunctions() []function {
	stringToString := []any{new(func(string) string)}
	return []function{
		{"upper", "(text)", "in capitals", stringToString, onText(func(s string) any { return strings.ToUpper(s) }), false},
		{"lower", "(text)", "in small letters", stringToString, onText(func(s string) any { return strings.ToLower(s) }), false},
		{"trim", "(text)", "without space around it", stringToString, onText(func(s string) any { return strings.TrimSpace(s) }), false},
		{"truncate", "(text, n)", "at most n characters, with … where it was cut", []any{new(func(string, int) string)}, truncate, false},
		{"replace", "(text, old, new)", "with every old replaced by new", []any{new(func(string, string, string) string)}, replace, false},
		{"split", "(text, separator)", "the parts between separators, trimmed", []any{new(func(string, string) []any)}, split, false},
		{"first_name", "(name)", "all but the last word of a name of several words, else the name", stringToString,
			onText(func(s string) any { first, _ := splitName(s); return first }), false},
		{"last_name", "(name)", "the last word of a name of several words, else nothing", stringToString,
			onText(func(s string) any { _, last := splitName(s); return last }), false},
		{"person_name", "(name)", "the name, or nothing if it names nobody: WIRELESS CALLER and other words of the telephone network, numbers", stringToString,
			onText(func(s string) any {
				if namesNobody(s) {
					return nil
				}
				return strings.TrimSpace(s)
			}), false},
		{"web_link", "(text)", "the text if it is a link that starts with https:// or http://, else nothing", stringToString,
			onText(func(s string) any {
				if !isWebLink(s) {
					return nil
				}
				return strings.TrimSpace(s)
			}), false},
		{"escape_html", "(text)", "with < > & and quotes escaped; rows of type html do that by themselves", stringToString,
			onText(func(s string) any { return markup(html.EscapeString(clean(s))) }), false},
	}
}

func listFunctions() []function {
	return []function{
		{"join", "(list, separator?)", "the values with the separator between them (a comma if not given), empty ones left out",
			[]any{new(func([]any) string), new(func([]any, string) string)}, join, false},
		{"lines", "(list)", "each value on a line of its own, empty ones left out", []any{new(func([]any) string)}, lines, false},
		{"pairs", "(group)", "each name of a group with its value, as name: value, in the order of the names; empty ones left out", []any{new(func(any) []any)}, pairs, false},
		{"first", "(list)", "the first item", []any{new(func([]any) any)}, at(0), false},
		{"last", "(list)", "the last item", []any{new(func([]any) any)}, at(-1), false},
		{"sum", "(list)", "the numbers of a list together, absent ones left out; nothing if there are none", []any{new(func([]any) float64)}, sum, false},
		{"unique", "(list)", "each value once", []any{new(func([]any) []any)}, unique, false},
		{"len", "(list or text)", "how many items or characters; 0 for an absent one", []any{new(func(any) int)}, length, true},
	}
}

func phoneFunctions() []function {
	forms := []any{new(func(string) string), new(func(string, string) string)}
	format := func(f phonenumbers.PhoneNumberFormat) func(*run, []any) (any, error) {
		return func(r *run, a []any) (any, error) {
			// Reading a number costs far more than its length.
			if err := r.charge(20_000); err != nil {
				return nil, err
			}
			country := r.in.Country
			if len(a) > 1 && a[1] != nil {
				country, _ = a[1].(string)
				if phonenumbers.GetCountryCodeForRegion(strings.ToUpper(country)) == 0 {
					r.warn("A country is two letters, such as US; this one is not known.")
				}
			}
			return phone(a[0], strings.ToUpper(country), f)
		}
	}
	return []function{
		{"phone_e164", "(number, country?)", "as +14155550101; a number without + is read as one of the country (US), the source's default country if not given; what is no number there stays as it is", forms, format(phonenumbers.E164), false},
		{"phone_national", "(number, country?)", "as (415) 555-0101", forms, format(phonenumbers.NATIONAL), false},
		{"phone_international", "(number, country?)", "as +1 415-555-0101", forms, format(phonenumbers.INTERNATIONAL), false},
	}
}

func timeFunctions() []function {
	seconds := []any{new(func(int) string), new(func(float64) string)}
	return []function{
		{"time_format", "(time, pattern, zone?)", "the time as text; the zone is the source's if not given",
			[]any{new(func(time.Time, string) string), new(func(time.Time, string, string) string)}, timeFormat, false},
		{"seconds_between", "(from, to)", "the seconds from one time to another",
			[]any{new(func(time.Time, time.Time) int)}, secondsBetween, false},
		{"duration_text", "(seconds)", "as 3 min 5 s", seconds, onSeconds(durationText), false},
		{"hms", "(seconds)", "as 0:03:05", seconds, onSeconds(hms), false},
		{"millis", "(seconds)", "in milliseconds", []any{new(func(int) int), new(func(float64) int)},
			func(_ *run, a []any) (any, error) {
				f, ok := asFloat(a[0])
				if !ok || math.Abs(f) > 1e12 {
					return nil, valueError("millis takes seconds.")
				}
				return int(math.Round(f * 1000)), nil
			}, false},
	}
}

// onText makes a function of a plain one from text to a value.
func onText(f func(string) any) func(*run, []any) (any, error) {
	return func(_ *run, a []any) (any, error) {
		s, ok, err := asText(a[0])
		if err != nil || !ok {
			return nil, err
		}
		return f(s), nil
	}
}

func onSeconds(f func(int) string) func(*run, []any) (any, error) {
	return func(_ *run, a []any) (any, error) {
		s, ok := asFloat(a[0])
		if !ok || math.Abs(s) > 1e12 {
			return nil, valueError("A duration is a number of seconds.")
		}
		return f(int(math.Round(s))), nil
	}
}

func coalesce(_ *run, a []any) (any, error) {
	for _, v := range a {
		if !empty(v) {
			return v, nil
		}
	}
	return nil, nil
}

// lookUp reads a table that is written into the expression, as look-ups of rows read theirs.
func lookUp(r *run, a []any) (any, error) {
	table, ok := a[1].(map[string]any)
	if !ok {
		return nil, valueError("lookup takes a key and a group of names and values.")
	}
	var otherwise any
	if len(a) > 2 {
		otherwise = a[2]
	}
	key, ok, err := asText(a[0])
	if err != nil || !ok || empty(key) {
		return otherwise, err
	}
	if v, ok := table[key]; ok {
		return v, nil
	}
	want := foldKey(key)
	for _, name := range sortedKeys(table) {
		if err := r.charge(len(name)); err != nil {
			return nil, err
		}
		if foldKey(name) == want {
			return table[name], nil
		}
	}
	return otherwise, nil
}

func sum(r *run, a []any) (any, error) {
	list, err := items(a[0])
	if err != nil {
		return nil, err
	}
	if err := r.chargeList(list, 0); err != nil {
		return nil, err
	}
	total, any := 0.0, false
	for _, item := range list {
		v := normal(item)
		if v == nil {
			continue
		}
		f, ok := asFloat(v)
		if !ok {
			return nil, valueError("sum takes a list of numbers.")
		}
		total, any = total+f, true
	}
	if !any || math.IsInf(total, 0) || math.IsNaN(total) {
		return nil, nil
	}
	return total, nil
}

func round(_ *run, a []any) (any, error) {
	f, ok := asFloat(a[0])
	digits := 0
	if len(a) > 1 {
		digits, _ = a[1].(int)
	}
	if !ok || digits < 0 || digits > 9 {
		return nil, valueError("round takes a number, and 0 to 9 digits.")
	}
	scale := math.Pow10(digits)
	scaled := math.Round(f * scale)
	if math.IsInf(scaled, 0) {
		return f, nil
	}
	return scaled / scale, nil
}

func truncate(r *run, a []any) (any, error) {
	n, ok := a[1].(int)
	if !ok || n < 1 {
		return nil, valueError("truncate takes a text and a number of characters.")
	}
	s, ok, err := asText(a[0])
	if err != nil || !ok {
		return nil, err
	}
	out, _ := shorten(s, n, false)
	return out, nil
}

func replace(r *run, a []any) (any, error) {
	s, _, err := asText(a[0])
	old, ok1 := a[1].(string)
	with, _, err2 := asText(a[2])
	if err != nil || err2 != nil || !ok1 || old == "" {
		return nil, valueError("replace takes three texts, of which the second is not empty.")
	}
	if err := r.charge(strings.Count(s, old) * len(with)); err != nil {
		return nil, err
	}
	return strings.ReplaceAll(s, old, with), nil
}

func split(_ *run, a []any) (any, error) {
	s, _, err := asText(a[0])
	sep, ok := a[1].(string)
	if err != nil || !ok || sep == "" {
		return nil, valueError("split takes a text and a separator.")
	}
	var out []any
	for _, part := range strings.SplitN(s, sep, maxList) {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out, nil
}

// splitName parts a name as phone systems write it: "Mary Ann Smith" or "Smith, Mary Ann".
func splitName(name string) (first, last any) {
	if family, given, ok := strings.Cut(name, ","); ok {
		return str(strings.TrimSpace(given)), str(strings.TrimSpace(family))
	}
	words := strings.Fields(name)
	if len(words) < 2 {
		return str(strings.Join(words, " ")), nil
	}
	return strings.Join(words[:len(words)-1], " "), words[len(words)-1]
}

// networkNames are what telephone networks show in place of a name.
var networkNames = regexp.MustCompile(`(?i)^(wireless caller|unknown.*|anonymous|unavailable|not available|restricted|blocked|private( caller| number)?|withheld|no caller ?id|toll ?free.*|caller|customer|n/?a)$`)

// namesNobody tells whether what a phone system shows as a name is none.
func namesNobody(s string) bool {
	s = strings.TrimSpace(s)
	return strings.IndexFunc(s, unicode.IsLetter) < 0 || networkNames.MatchString(s)
}

func join(r *run, a []any) (any, error) {
	list, err := items(a[0])
	if err != nil {
		return nil, err
	}
	sep := ", "
	if len(a) > 1 {
		sep, _, err = asText(a[1])
		if err != nil {
			return nil, err
		}
	}
	if err := r.chargeList(list, len(sep)); err != nil {
		return nil, err
	}
	return joined(list, sep)
}

func lines(r *run, a []any) (any, error) {
	list, err := items(a[0])
	if err != nil {
		return nil, err
	}
	if err := r.chargeList(list, 4); err != nil {
		return nil, err
	}
	if !r.html {
		return joined(list, "\n")
	}
	parts := make([]any, 0, len(list))
	for _, item := range list {
		s, _, err := asHTML(normal(item))
		if err != nil {
			return nil, err
		}
		parts = append(parts, s)
	}
	s, err := joined(parts, "<br>")
	return markup(s), err
}

// chargeList counts the work of putting a list together, before it is done.
func (r *run) chargeList(list []any, each int) error {
	cost := 0
	for _, item := range list {
		cost += size(item) + each + opCost
	}
	return r.charge(cost)
}

func at(i int) func(*run, []any) (any, error) {
	return func(_ *run, a []any) (any, error) {
		list, err := items(a[0])
		if err != nil {
			return nil, err
		}
		return member(list, i), nil
	}
}

func unique(r *run, a []any) (any, error) {
	list, err := items(a[0])
	if err != nil {
		return nil, err
	}
	var out []any
	seen := map[string]bool{}
	for _, item := range list {
		s, ok, err := asText(normal(item))
		if err != nil {
			return nil, err
		}
		if err := r.charge(len(s)); err != nil {
			return nil, err
		}
		if ok && !seen[s] {
			seen[s] = true
			out = append(out, item)
		}
	}
	return out, nil
}

func length(_ *run, a []any) (any, error) {
	switch v := a[0].(type) {
	case nil:
		return 0, nil
	case []any:
		return len(v), nil
	case map[string]any:
		return len(v), nil
	case map[string]string:
		return len(v), nil
	}
	s, _, err := asText(a[0])
	return utf8.RuneCountInString(s), err
}

// pairs makes a list of a group, for fields whose names nobody knows beforehand.
func pairs(r *run, a []any) (any, error) {
	group, ok := a[0].(map[string]any)
	if texts, plain := a[0].(map[string]string); plain {
		ok, group = true, make(map[string]any, len(texts))
		for name, v := range texts {
			group[name] = v
		}
	}
	if !ok && a[0] != nil {
		return nil, valueError("pairs takes a group of values, such as lead_fields.")
	}
	out := []any{}
	for _, name := range slices.Sorted(maps.Keys(group)) {
		v := group[name]
		if list, many := v.([]any); many {
			text, err := joined(list, ", ")
			if err != nil {
				continue
			}
			v = text
		}
		// A value that is a group itself has no text of its own.
		if s, ok, err := asText(v); err == nil && ok && strings.TrimSpace(s) != "" {
			out = append(out, name+": "+s)
		}
	}
	return out, r.chargeList(out, 4)
}

// phone formats a number: an international one, or one as it is dialled in the country. Others stay as they are, such as
// extensions, short codes and, without a country, all that do not begin with +: their digits mean nothing by themselves.
func phone(v any, country string, f phonenumbers.PhoneNumberFormat) (any, error) {
	s, ok, err := asText(v)
	if err != nil || !ok {
		return nil, err
	}
	trimmed := strings.TrimSpace(s)
	international := strings.HasPrefix(trimmed, "+")
	if len(trimmed) > 40 || !international && country == "" {
		return s, nil
	}
	if international {
		country = "ZZ"
	}
	n, err := phonenumbers.Parse(trimmed, country)
	if err != nil || !international && !phonenumbers.IsValidNumber(n) {
		return s, nil
	}
	return phonenumbers.Format(n, f), nil
}
