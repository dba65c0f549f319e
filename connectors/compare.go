package connectors

import (
	"html"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Comparer is a session of a CallReader that knows habits of its CRM which SameField does not: without it they would look
// like people's edits.
type Comparer interface {
	// SameStored tells whether read is what the CRM makes of written in a field of an object, whoever sees to it: cut,
	// cleaned, calculated. It is asked after the rules of SameField have said no.
	SameStored(object, field string, written, read any) bool
	// MaxText is how many characters (UTF-16 units) a text field takes; zero where that is not known.
	MaxText(object, field string) int
}

// SameField tells whether a value that was read from a field is the one that was written to it, however the CRM spells it:
// as SameValue does; lists in any order; texts but for their line ends and the space around them; a date for a time of that
// day (UTC); HTML but for how its tags are written. A session may know more (Comparer).
func SameField(s Session, object, field string, written, read any) bool {
	if SameValue(written, read) || alike(written, read) {
		return true
	}
	c, ok := s.(Comparer)
	return ok && c.SameStored(object, field, written, read)
}

func alike(written, read any) bool {
	if a, ok := list(written); ok {
		b, isList := list(read)
		if s, isText := read.(string); isText && !isList {
			b = strings.Split(s, ";")
		}
		return sameItems(a, b)
	}
	if b, ok := list(read); ok {
		s, isText := written.(string)
		return isText && sameItems(strings.Split(s, ";"), b)
	}
	if at, ok := instant(written, text(written)); ok {
		switch read := read.(type) {
		case string:
			if day, err := time.Parse(time.DateOnly, read); err == nil {
				return day.Equal(time.UnixMilli(at).UTC().Truncate(24 * time.Hour))
			}
			ms, err := strconv.ParseInt(read, 10, 64)
			return err == nil && ms == at
		}
		return false
	}
	x, isText := written.(string)
	y, alsoText := read.(string)
	if read == nil {
		y, alsoText = "", true
	}
	if !isText || !alsoText {
		return false
	}
	x, y = tidy(x), tidy(y)
	return x == y || strings.ContainsAny(x, "<&") && markup(x) == markup(y)
}

func tidy(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u00a0", " ").Replace(s)
	return strings.TrimSpace(s)
}

func list(v any) ([]string, bool) {
	switch v := v.(type) {
	case []string:
		return v, true
	case []any:
		out := make([]string, len(v))
		for i, x := range v {
			out[i] = text(x)
		}
		return out, true
	}
	return nil, false
}

func sameItems(a, b []string) bool {
	sorted := func(in []string) []string {
		out := make([]string, 0, len(in))
		for _, s := range in {
			if s = strings.TrimSpace(s); s != "" {
				out = append(out, s)
			}
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	return slices.Equal(sorted(a), sorted(b))
}

var (
	tags       = regexp.MustCompile(`<(/?)([A-Za-z][A-Za-z0-9]*)((?:[^<>"']|"[^"]*"|'[^']*')*)>`)
	attributes = regexp.MustCompile(`([A-Za-z_:][-A-Za-z0-9_:.]*)\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+)`)
	space      = regexp.MustCompile(`[ \t\n]+`)
	aroundTags = regexp.MustCompile(`\s*(\x00(?:br|/?p|/?div|/?ul|/?ol|/?li)\b[^\x01]*\x01)\s*`)
)

// markup is HTML in one spelling: names in small letters, attributes in order and in double quotes, entities as characters,
// white space as browsers show it. Attributes that CRMs add to links and blocks are left out. Tags stand between control
// characters, so that an escaped one is none.
func markup(s string) string {
	s = tags.ReplaceAllStringFunc(s, func(tag string) string {
		m := tags.FindStringSubmatch(tag)
		name := strings.ToLower(m[2])
		var attrs []string
		for _, a := range attributes.FindAllStringSubmatch(m[3], -1) {
			key := strings.ToLower(a[1])
			if key == "rel" || key == "target" || key == "dir" || strings.HasPrefix(key, "data-") {
				continue
			}
			attrs = append(attrs, key+`="`+html.UnescapeString(strings.Trim(a[2], `"'`))+`"`)
		}
		slices.Sort(attrs)
		return "\x00" + strings.Join(append([]string{m[1] + name}, attrs...), " ") + "\x01"
	})
	s = space.ReplaceAllString(strings.ReplaceAll(html.UnescapeString(s), "\u00a0", " "), " ")
	return strings.TrimSpace(aroundTags.ReplaceAllString(s, "$1"))
}
