package telephony

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// Unknown is a field of a request that its provider does not know: the phone system has changed, or somebody has added the
// field in its panel. It holds the field's name and nothing of its value.
type Unknown struct {
	// Path is where the field is, list places left out: "mood", "legs[].codec". What is at the top of a request and has no
	// place in the call is kept as an attribute of the same name. Digits that may be a number of somebody are masked.
	Path string `json:"path"`
	// Type is what its value is: text, number, flag, list or object.
	Type string `json:"type"`
}

// Vocabulary is the names of the fields that a provider knows, be it only to keep them.
type Vocabulary struct {
	root vocable
	key  func(string) string
}

// vocable is one name. What is inside of one without inner names is not looked at: people name it, or nobody has
// documented it.
type vocable struct {
	inner map[string]*vocable
}

// NewVocabulary makes a vocabulary of paths such as "call_id", "agents[].name" and "circle.operator". key turns names as
// they are sent into those of paths; nil means lower case without white space around it.
func NewVocabulary(key func(string) string, paths ...string) *Vocabulary {
	if key == nil {
		key = func(s string) string { return strings.ToLower(strings.TrimSpace(s)) }
	}
	v := &Vocabulary{key: key}
	for _, path := range paths {
		at := &v.root
		for name := range strings.SplitSeq(strings.ReplaceAll(path, "[]", ""), ".") {
			if at.inner == nil {
				at.inner = map[string]*vocable{}
			}
			if at.inner[name] == nil {
				at.inner[name] = &vocable{}
			}
			at = at.inner[name]
		}
	}
	return v
}

// The bounds of a search for unknown fields.
const (
	mostUnknown  = 100
	mostSearched = 5000
	longestName  = 100
)

// Unknown returns the fields of f that are not blank, have not been read and are not in v, in order of their paths; of
// those whose members v has, the members that it does not have.
func (f *Fields) Unknown(v *Vocabulary) []Unknown { return f.UnknownBelow(v, "") }

// UnknownBelow is Unknown for the members of the field name: an object in the request that was read as fields of its own.
func (f *Fields) UnknownBelow(v *Vocabulary, name string) []Unknown {
	at, prefix := &v.root, ""
	if name != "" {
		if at = v.root.inner[name]; at == nil {
			return nil
		}
		prefix = name + "."
	}
	return v.search(at, f.values, f.taken, prefix)
}

// Unknown is Fields.Unknown for an object of which nothing has been read.
func (v *Vocabulary) Unknown(m map[string]any) []Unknown { return v.search(&v.root, m, nil, "") }

func (v *Vocabulary) search(at *vocable, m map[string]any, taken map[string]bool, prefix string) []Unknown {
	s := search{v: v, taken: taken, left: mostSearched}
	s.object(at, m, prefix, true)
	slices.SortFunc(s.out, func(a, b Unknown) int { return strings.Compare(a.Path, b.Path) })
	return slices.CompactFunc(s.out, func(a, b Unknown) bool { return a.Path == b.Path })
}

// search looks for unknown fields in one request.
type search struct {
	v     *Vocabulary
	taken map[string]bool
	left  int
	out   []Unknown
}

func (s *search) object(at *vocable, m map[string]any, prefix string, top bool) {
	// In order, so that the same request says the same where there is too much.
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if s.left--; s.left < 0 || len(s.out) >= mostUnknown {
			return
		}
		value := m[name]
		known := at.inner[s.v.key(name)]
		switch {
		case known != nil && known.inner != nil:
			s.inside(known, value, prefix+name)
		case known != nil, top && s.taken[name], Blank(value):
		default:
			// Of what comes more than once the path counts once; the type is that of any.
			if path := prefix + showName(name); !slices.ContainsFunc(s.out, func(u Unknown) bool { return u.Path == path }) {
				s.out = append(s.out, Unknown{Path: path, Type: typeName(value)})
			}
		}
	}
}

// inside looks into an object or a list of objects, be it JSON in a text. PHP makes an object of some lists.
func (s *search) inside(at *vocable, value any, path string) {
	switch value := Embedded(value).(type) {
	case map[string]any:
		if isPlaces(value) {
			for _, k := range slices.Sorted(maps.Keys(value)) {
				s.item(at, value[k], path)
			}
			return
		}
		s.object(at, value, path+".", false)
	case []any:
		for _, item := range value {
			s.item(at, item, path)
		}
	}
}

func (s *search) item(at *vocable, item any, path string) {
	if s.left <= 0 {
		return
	}
	if m, ok := Embedded(item).(map[string]any); ok {
		s.object(at, m, path+"[].", false)
	}
}

func isPlaces(m map[string]any) bool {
	for k := range m {
		if k == "" || strings.Trim(k, "0123456789") != "" {
			return false
		}
	}
	return len(m) > 0
}

// masked is how many digits in a row may be a telephone number or an id of somebody.
const masked = 5

// showName makes a name fit to be shown and stored. Names are chosen by whoever sends: they may be numbers, addresses, or
// a body that is no form at all.
func showName(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, CleanText(name))
	if strings.Contains(name, "@") {
		return "(an address)"
	}
	var b strings.Builder
	for i := 0; i < len(name); {
		n := i
		for n < len(name) && name[n] >= '0' && name[n] <= '9' {
			n++
		}
		switch {
		case n-i >= masked:
			b.WriteByte('#')
			i = n
		case n > i:
			b.WriteString(name[i:n])
			i = n
		default:
			b.WriteByte(name[i])
			i++
		}
	}
	if s := cut(b.String(), longestName); s != "" {
		return s
	}
	return "(no name)"
}

func typeName(v any) string {
	switch v.(type) {
	case bool:
		return "flag"
	case json.Number, float64, int64, int:
		return "number"
	case []any:
		return "list"
	case map[string]any:
		return "object"
	}
	return "text"
}
