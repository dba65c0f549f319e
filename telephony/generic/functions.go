package generic

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/generic/expression"
)

// language is what expressions of mappings can call.
var language = expression.NewLanguage(functions()...)

// costPhone is what reading a phone number costs; it is far more than its length.
const costPhone = 20_000

func of(r *expression.Run) *decoder { return r.Env.(*decoder) }

// onText makes a function of text.
func onText(f func(s string) any) func(*expression.Run, []any) (any, error) {
	return func(_ *expression.Run, a []any) (any, error) {
		s, err := textOf(a[0])
		if err != nil {
			return nil, err
		}
		return f(s), nil
	}
}

func functions() []expression.Function {
	return slices.Concat(factFunctions(), textFunctions(), listFunctions())
}

// factFunctions read what phone systems write in their own ways.
func factFunctions() []expression.Function {
	return []expression.Function{
		{Name: "time", Signature: "(value, layout?, zone?)", Min: 1, Max: 3, Call: timeCall,
			Description: "a time. Without a layout: the usual forms, and seconds or milliseconds since 1970. A zone in the value counts; else the one given, else the source's"},
		{Name: "epoch", Signature: "(number)", Min: 1, Max: 1, Call: epochCall,
			Description: "the time that many seconds, milliseconds or microseconds after 1970"},
		{Name: "duration", Signature: "(value)", Min: 1, Max: 1,
			Call:        func(_ *expression.Run, a []any) (any, error) { return secondsOf(a[0]) },
			Description: "seconds: of a number, 01:23, 1:02:03, 1m 23s or PT1M23S"},
		{Name: "phone", Signature: "(value, country?)", Min: 1, Max: 2, Call: phoneCall,
			Description: "the number as +14155550101, nothing if it is none; the country (two letters) is the source's if not given"},
		{Name: "own", Signature: "(value)", Min: 1, Max: 1, Tests: true, Call: ownCall,
			Description: "whether the number is one of your own numbers"},
		{Name: "direction", Signature: "(value, {word: direction}?)", Min: 1, Max: 2,
			Call:        word(func(s string) string { return string(directionOf(s)) }, "direction"),
			Description: "inbound, outbound or internal; your words count before the usual ones"},
		{Name: "status", Signature: "(value, {word: status}?)", Min: 1, Max: 2,
			Call:        word(func(s string) string { return string(statusOf(s)) }, "status"),
			Description: "how the call went; your words count before the usual ones"},
		{Name: "lookup", Signature: "(value, {word: value}, otherwise?)", Min: 2, Max: 3, Call: lookupCall,
			Description: "what stands beside the word, compared without regard to case and space, else the third value"},
	}
}

func textFunctions() []expression.Function {
	return []expression.Function{
		{Name: "lower", Signature: "(text)", Min: 1, Max: 1, Call: onText(func(s string) any { return strings.ToLower(s) }), Description: "in small letters"},
		{Name: "upper", Signature: "(text)", Min: 1, Max: 1, Call: onText(func(s string) any { return strings.ToUpper(s) }), Description: "in capitals"},
		{Name: "trim", Signature: "(text, characters?)", Min: 1, Max: 2, Call: trimCall, Description: "without space, or the given characters, around it"},
		{Name: "replace", Signature: "(text, old, new)", Min: 3, Max: 3, Call: replaceCall, Description: "with every old replaced by new"},
		{Name: "split", Signature: "(text, separator)", Min: 2, Max: 2, Call: splitCall, Description: "the parts between separators, trimmed, empty ones left out"},
		{Name: "text", Signature: "(value)", Min: 1, Max: 1, Call: onText(func(s string) any { return s }), Description: "the value as text"},
		{Name: "number", Signature: "(value)", Min: 1, Max: 1, Call: numberCall, Description: "the number that a text holds"},
	}
}

func listFunctions() []expression.Function {
	at := func(from func(n int) int) func(*expression.Run, []any) (any, error) {
		return func(r *expression.Run, a []any) (any, error) {
			list, err := r.Items(a[0])
			if err != nil || len(list) == 0 {
				return nil, err
			}
			return list[from(len(list))], nil
		}
	}
	return []expression.Function{
		{Name: "coalesce", Signature: "(value, ...)", Min: 1, Max: -1, Nil: true, Call: coalesceCall, Description: "the first value that is there"},
		{Name: "empty", Signature: "(value)", Min: 1, Max: 1, Nil: true, Tests: true,
			Call:        func(_ *expression.Run, a []any) (any, error) { return a[0] == nil, nil },
			Description: "whether the value is absent or blank"},
		{Name: "first", Signature: "(list)", Min: 1, Max: 1, Call: at(func(int) int { return 0 }), Description: "the first item"},
		{Name: "last", Signature: "(list)", Min: 1, Max: 1, Call: at(func(n int) int { return n - 1 }), Description: "the last item"},
		{Name: "join", Signature: "(list, separator?)", Min: 1, Max: 2, Call: joinCall, Description: "the items as one text, with the separator (a comma if not given) between them"},
		{Name: "len", Signature: "(list or text)", Min: 1, Max: 1, Nil: true, Tests: true, Call: lenCall, Description: "how many items or characters"},
	}
}

func timeCall(r *expression.Run, a []any) (any, error) {
	loc := of(r).settings.Location
	if len(a) > 2 && a[2] != nil {
		name, _ := expression.Text(a[2])
		if loc = telephony.Zone(name); loc == nil {
			return nil, expression.ValueError("The third value of time is no time zone such as Europe/Berlin.")
		}
	}
	if len(a) < 2 || a[1] == nil {
		return momentOf(a[0], loc)
	}
	layout, ok := a[1].(string)
	if layout = goLayout(layout); !ok || layout == "" {
		return nil, expression.ValueError(`The second value of time is a layout such as "DD/MM/YYYY HH:mm:ss".`)
	}
	s, err := textOf(a[0])
	if err != nil {
		return nil, err
	}
	if loc == nil {
		loc = time.UTC
	}
	t, err := time.ParseInLocation(layout, strings.Join(strings.Fields(s), " "), loc)
	if err != nil || len(s) > 100 {
		return nil, expression.ValueError("The value is no time in the given layout.")
	}
	return t.UTC(), nil
}

func epochCall(_ *expression.Run, a []any) (any, error) {
	if t, ok := a[0].(time.Time); ok {
		return t, nil
	}
	f, ok := expression.Number(a[0])
	if ok && f > 0 && f < 1e9 {
		// Fewer digits than telephony.Moment takes for a time by themselves.
		return time.Unix(int64(f), 0).UTC(), nil
	}
	s, err := textOf(a[0])
	if t, isTime := telephony.Moment(s, time.UTC); err == nil && ok && isTime {
		return t, nil
	}
	return nil, expression.ValueError("The value is no number of seconds, milliseconds or microseconds since 1970.")
}

func phoneCall(r *expression.Run, a []any) (any, error) {
	s, err := textOf(a[0])
	if err != nil {
		return nil, err
	}
	country := ""
	if len(a) > 1 {
		country, _ = expression.Text(a[1])
	}
	p, err := of(r).phone(s, country)
	if err != nil || p.Number == "" {
		return nil, err
	}
	return p.Number, nil
}

func ownCall(r *expression.Run, a []any) (any, error) {
	s, err := textOf(a[0])
	if err != nil {
		return nil, err
	}
	return of(r).own(s)
}

// word makes direction and status: the words of the document, then the usual ones. The document's own values are words,
// too: {"INT": "internal"}.
func word(usual func(string) string, what string) func(*expression.Run, []any) (any, error) {
	return func(r *expression.Run, a []any) (any, error) {
		s, err := textOf(a[0])
		if err != nil {
			return nil, err
		}
		if len(a) > 1 {
			found, err := find(r, s, a[1])
			if err != nil {
				return nil, err
			}
			if found != nil {
				s, _ = expression.Text(found)
			}
		}
		if known := usual(s); known != "" {
			return known, nil
		}
		return nil, expression.ValueError("The word is no " + what + " that is known; say what it means with " + what + "(value, {…}).")
	}
}

func lookupCall(r *expression.Run, a []any) (any, error) {
	s, err := textOf(a[0])
	if err != nil {
		return nil, err
	}
	found, err := find(r, s, a[1])
	if err != nil || found != nil || len(a) < 3 {
		return found, err
	}
	return a[2], nil
}

// find looks a word up in a table.
func find(r *expression.Run, word string, table any) (any, error) {
	m, ok := table.(map[string]any)
	if !ok {
		return nil, expression.ValueError(`A table is needed here, such as {"OK": "answered"}.`)
	}
	if v, ok := m[word]; ok {
		return v, nil
	}
	folded, at := fold(word), ""
	for k := range m {
		if fold(k) == folded && (at == "" || k < at) {
			at = k
		}
	}
	return m[at], r.Charge(64 * len(m))
}

// fold makes equal what differs by case and space only.
func fold(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

func trimCall(_ *expression.Run, a []any) (any, error) {
	s, err := textOf(a[0])
	if err != nil || len(a) < 2 {
		return s, err
	}
	cutset, ok := a[1].(string)
	if !ok || len(cutset) > 100 {
		return nil, expression.ValueError("The second value of trim is the characters to take away.")
	}
	return strings.TrimSpace(strings.Trim(s, cutset)), nil
}

func replaceCall(r *expression.Run, a []any) (any, error) {
	s, err := textOf(a[0])
	if err != nil {
		return nil, err
	}
	old, ok := a[1].(string)
	with, ok2 := a[2].(string)
	if !ok || !ok2 && a[2] != nil || old == "" {
		return nil, expression.ValueError("replace takes three texts, of which the second is not empty.")
	}
	if err := r.Charge(strings.Count(s, old) * len(with)); err != nil {
		return nil, err
	}
	return strings.ReplaceAll(s, old, with), nil
}

func splitCall(r *expression.Run, a []any) (any, error) {
	s, err := textOf(a[0])
	sep, ok := a[1].(string)
	if err != nil || !ok || sep == "" {
		return nil, expression.ValueError("split takes a text and a separator.")
	}
	var out []any
	for _, part := range strings.SplitN(s, sep, mostItems) {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out, r.Charge(16 * len(out))
}

func numberCall(_ *expression.Run, a []any) (any, error) {
	f, ok := expression.Number(a[0])
	if !ok {
		return nil, expression.ValueError("The text is not a number.")
	}
	if n := int64(f); float64(n) == f && n > -1<<53 && n < 1<<53 {
		return n, nil
	}
	return f, nil
}

func coalesceCall(_ *expression.Run, a []any) (any, error) {
	for _, v := range a {
		if v != nil {
			return v, nil
		}
	}
	return nil, nil
}

func joinCall(r *expression.Run, a []any) (any, error) {
	list, err := r.Items(a[0])
	if err != nil {
		return nil, err
	}
	sep := ", "
	if len(a) > 1 && a[1] != nil {
		sep, _ = a[1].(string)
	}
	var parts []string
	for _, item := range list {
		if telephony.Blank(item) {
			continue
		}
		s, err := textOf(item)
		if err != nil {
			return nil, err
		}
		if err := r.Charge(len(s) + len(sep)); err != nil {
			return nil, err
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, sep), nil
}

func lenCall(r *expression.Run, a []any) (any, error) {
	v, err := r.Open(a[0])
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil:
		return int64(0), nil
	case []any:
		return int64(len(v)), nil
	case map[string]any:
		return int64(len(v)), nil
	}
	s, err := textOf(v)
	return int64(utf8.RuneCountInString(s)), err
}

// tokens are the parts of a layout, longer ones first: those of the mapping language.
var tokens = []struct{ token, layout string }{
	{"YYYY", "2006"}, {"YY", "06"}, {"MMMM", "January"}, {"MMM", "Jan"}, {"MM", "01"}, {"M", "1"}, {"DD", "02"}, {"D", "2"},
	{"dddd", "Monday"}, {"ddd", "Mon"}, {"HH", "15"}, {"H", "15"}, {"hh", "03"}, {"h", "3"}, {"mm", "04"}, {"m", "4"},
	{"ss", "05"}, {"s", "5"}, {"A", "PM"}, {"a", "pm"}, {"ZZZ", "MST"}, {"Z", "Z07:00"},
}

// goLayout makes a layout of package time; empty for one that names no part of a time or would be misread.
func goLayout(s string) string {
	if len(s) > 100 || strings.ContainsAny(s, "0123456789_") {
		return ""
	}
	// Package time reads a fraction behind the seconds by itself.
	s = strings.NewReplacer(".SSSSSS", "", ".SSS", "", ",SSS", "").Replace(strings.Join(strings.Fields(s), " "))
	var b strings.Builder
	named := false
next:
	for i := 0; i < len(s); {
		if s[i] == '[' {
			if end := strings.IndexByte(s[i:], ']'); end > 0 {
				b.WriteString(s[i+1 : i+end])
				i += end + 1
				continue
			}
		}
		for _, t := range tokens {
			if strings.HasPrefix(s[i:], t.token) {
				b.WriteString(t.layout)
				i += len(t.token)
				named = true
				continue next
			}
		}
		b.WriteByte(s[i])
		i++
	}
	if !named {
		return ""
	}
	return b.String()
}

// phone reads a number in a country, else in the source's.
func (d *decoder) phone(s, country string) (telephony.Phone, error) {
	if err := d.run.Charge(costPhone); err != nil {
		return telephony.Phone{}, err
	}
	return telephony.ParsePhone(s, country, d.settings.DefaultCountry), nil
}

// own tells whether a number is one of the workspace's own.
func (d *decoder) own(s string) (bool, error) {
	p, err := d.phone(s, "")
	if err != nil || p.Raw == "" {
		return false, err
	}
	if d.ownNumbers == nil {
		d.ownNumbers = map[string]bool{}
		for _, n := range d.settings.OwnNumbers {
			q, err := d.phone(n, "")
			if err != nil {
				return false, err
			}
			d.ownNumbers[n] = true
			d.ownNumbers[q.Number] = true
		}
		delete(d.ownNumbers, "")
	}
	return d.ownNumbers[p.Number] || d.ownNumbers[p.Raw], nil
}
