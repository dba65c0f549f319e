package odoo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/callsync/callsync/connectors"
)

// Odoo's forms of times, always in UTC. ISO 8601 with T and Z is a ValueError.
const (
	timeLayout = "2006-01-02 15:04:05"
	dateLayout = "2006-01-02"
)

// xmlID is a value that names another record by its External ID, such as mail.mt_note.
type xmlID string

// values are a record's fields in Odoo's own kinds: string, bool, int64, float64, []int64 for many2many, int64 or xmlID for
// many2one. False stands for nothing.
type values map[string]any

func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// clean takes out what PostgreSQL (NUL) or XML (other control characters) cannot hold.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if strings.IndexFunc(s, unfit) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unfit(r) {
			return -1
		}
		return r
	}, s)
}

func unfit(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7F || r == 0xFFFE || r == 0xFFFF
}

var errKind = errors.New("odoo: a value of another kind than the field")

// encode makes Odoo's value of one of the mapping's for a field.
func encode(v any, d fieldDef) (any, *connectors.Warning, error) {
	switch v := v.(type) {
	case nil:
		return false, nil, nil
	case time.Time:
		if v.IsZero() {
			return false, nil, nil
		}
		switch d.Type {
		case "date":
			return v.Format(dateLayout), nil, nil
		case "datetime", "char", "text", "html":
			return v.UTC().Format(timeLayout), nil, nil
		}
		return nil, nil, errKind
	case bool:
		if d.Type == "boolean" {
			return v, nil, nil
		}
		return encode(strconv.FormatBool(v), d)
	case int:
		return encodeNumber(float64(v), d)
	case int64:
		return encodeNumber(float64(v), d)
	case float64:
		return encodeNumber(v, d)
	case []string:
		if d.Type != "many2many" && d.Type != "one2many" {
			return encode(strings.Join(v, ", "), d)
		}
		ids := make([]int64, 0, len(v))
		for _, x := range v {
			id, err := strconv.ParseInt(strings.TrimSpace(x), 10, 64)
			if err != nil {
				return nil, nil, errKind
			}
			ids = append(ids, id)
		}
		return ids, nil, nil
	case string:
		return encodeText(v, d)
	}
	return nil, nil, errKind
}

func encodeNumber(v float64, d fieldDef) (any, *connectors.Warning, error) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil, nil, errKind
	}
	switch d.Type {
	case "float", "monetary":
		return v, nil, nil
	case "integer", "many2one", "many2one_reference":
		return int64(math.Round(v)), nil, nil
	case "many2many":
		return []int64{int64(v)}, nil, nil
	case "boolean":
		return v != 0, nil, nil
	}
	return encodeText(strconv.FormatFloat(v, 'f', -1, 64), d)
}

func encodeText(s string, d fieldDef) (any, *connectors.Warning, error) {
	s = clean(s)
	switch d.Type {
	case "html":
		return toOdooHTML(s), nil, nil
	case "text":
		return s, nil, nil
	case "char":
		if cut := cutTo(s, d.Size); cut != s {
			return cut, &connectors.Warning{Text: fmt.Sprintf("The text was longer than Odoo's %d characters and was cut.", d.Size)}, nil
		}
		return s, nil, nil
	}
	s = strings.TrimSpace(s)
	if s == "" {
		return false, nil, nil
	}
	switch d.Type {
	case "selection", "reference":
		return s, nil, nil
	case "integer", "many2one", "many2one_reference":
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return nil, nil, errKind
		}
		return n, nil, nil
	case "many2many":
		return encode(strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ';' }), d)
	case "float", "monetary":
		n, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return nil, nil, errKind
		}
		return n, nil, nil
	case "boolean":
		b, err := strconv.ParseBool(s)
		if err != nil {
			return nil, nil, errKind
		}
		return b, nil, nil
	case "date", "datetime":
		for _, layout := range []string{time.RFC3339Nano, timeLayout, dateLayout} {
			if t, err := time.Parse(layout, s); err == nil {
				return encode(t, d)
			}
		}
	}
	return nil, nil, errKind
}

// cell is a value as a cell of load(), and the column's name: imports are text, and relations have columns for ids.
func cell(name string, v any) (column, text string, err error) {
	switch v := v.(type) {
	case bool:
		if v {
			return name, "true", nil
		}
		// An empty cell clears a field of any kind.
		return name, "", nil
	case string:
		return name, v, nil
	case xmlID:
		return name + "/id", string(v), nil
	case float64:
		return name, strconv.FormatFloat(v, 'f', -1, 64), nil
	case int64:
		return name, strconv.FormatInt(v, 10), nil
	case dbID:
		return name + "/.id", strconv.FormatInt(int64(v), 10), nil
	case []int64:
		parts := make([]string, len(v))
		for i, id := range v {
			parts[i] = strconv.FormatInt(id, 10)
		}
		return name + "/.id", strings.Join(parts, ","), nil
	}
	return "", "", errKind
}

// dbID is the id of a many2one, which is a column of its own in load().
type dbID int64

// plain is a value for write() and create().
func plain(v any) any {
	switch v := v.(type) {
	case dbID:
		return int64(v)
	case []int64:
		return []any{[]any{6, 0, v}}
	}
	return v
}

// decode gives a value as callsync compares it.
func decode(v any, d fieldDef) any {
	switch d.Type {
	case "datetime":
		if t, err := time.Parse(timeLayout, fmt.Sprint(v)); err == nil {
			return t.Format(time.RFC3339)
		}
	case "html":
		if s, ok := v.(string); ok {
			return fromOdooHTML(s)
		}
	case "many2one":
		if id := number(v); id != 0 {
			return idText(id)
		}
		return nil
	case "many2many", "one2many":
		list, _ := v.([]any)
		out := make([]string, 0, len(list))
		for _, x := range list {
			out = append(out, idText(number(x)))
		}
		return out
	case "boolean":
		return v
	}
	if v == false {
		return nil
	}
	return v
}

// Odoo's sanitizer puts text without an element around it into <p> or <span>, differently from version to version. Text that
// is in a <p> already stays as it is on all of them, so that is what is sent, and fromOdooHTML takes it off again.
var (
	block = regexp.MustCompile(`(?i)^\s*<(p|div|ul|ol|table|h[1-6]|blockquote|pre|section)[\s>/]`)
	// wrap is what the sanitizer or toOdooHTML has put around a text.
	wrap = regexp.MustCompile(`(?s)^<(p|span)>(.*)</(?:p|span)>$`)
	tag  = regexp.MustCompile(`(?s)<[a-zA-Z/!][^>]*>`)
)

func toOdooHTML(s string) string {
	if strings.TrimSpace(s) == "" {
		// Odoo 14 makes the text False of an empty one in load().
		return "<p></p>"
	}
	if block.MatchString(s) {
		return s
	}
	return "<p>" + s + "</p>"
}

func fromOdooHTML(s string) string {
	if m := wrap.FindStringSubmatch(s); m != nil && !strings.Contains(m[2], "</"+m[1]+">") {
		return m[2]
	}
	return s
}

var lineEnd = regexp.MustCompile(`(?i)\s*(<br\s*/?>|</p>\s*<p[^>]*>|</div>\s*<div[^>]*>|</li>)\s*`)

// link is an anchor, of which plain text keeps the address.
var link = regexp.MustCompile(`(?is)<a\s[^>]*href="([^"]*)"[^>]*>(.*?)</a>`)

// htmlToText is for fields that are HTML in one version of Odoo and plain text in another.
func htmlToText(s string) string {
	s = lineEnd.ReplaceAllString(s, "\n")
	s = link.ReplaceAllStringFunc(s, func(a string) string {
		m := link.FindStringSubmatch(a)
		if m[2] == m[1] {
			return m[1]
		}
		return m[2] + ": " + m[1]
	})
	return strings.TrimRightFunc(html.UnescapeString(tag.ReplaceAllString(s, "")), unicode.IsSpace)
}

// textToHTML is the other way, for what was read.
func textToHTML(s string) string {
	return strings.ReplaceAll(html.EscapeString(s), "\n", "<br>\n")
}

// cutTo shortens s to at most limit characters; zero is no limit, which most of Odoo's fields have.
func cutTo(s string, limit int) string {
	if limit < 1 || utf8.RuneCountInString(s) <= limit {
		return s
	}
	n := limit - 1
	for i := range s {
		if n == 0 {
			return s[:i] + "…"
		}
		n--
	}
	return s
}
