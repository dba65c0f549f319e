package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/htmlindex"
)

// maxShown bounds how much of a body a page shows; the rest is in the API.
const maxShown = 256 << 10

// validText is b as text; bytes that are none are replaced.
func validText(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }

// shownBody is a body made safe to look at.
type shownBody struct {
	// Pretty is the body in a form people can read, where it has one: indented JSON or the fields of a form.
	Pretty string
	Fields []shownField
	// Raw is the body as it came, with what cannot be seen made visible.
	Raw string
	// Notes tell what is unusual about it.
	Notes []string
}

type shownField struct{ Name, Value string }

// showBody makes a body safe to look at: its charset is decoded, and NUL bytes, control characters and the marks that
// turn the direction of text are made visible.
func showBody(body []byte, contentType string) shownBody {
	var out shownBody
	media, params, _ := mime.ParseMediaType(contentType)
	if len(body) > maxShown {
		body = body[:maxShown]
		out.Notes = append(out.Notes, "Only the first 256 KiB are shown. The API has all of it.")
	}
	if bytes.IndexByte(body, 0) >= 0 {
		out.Notes = append(out.Notes, `It has NUL bytes, shown as \x00.`)
	}
	text := string(body)
	if name := params["charset"]; name != "" && !strings.EqualFold(name, "utf-8") {
		if enc, err := htmlindex.Get(name); err == nil {
			if decoded, err := enc.NewDecoder().String(text); err == nil {
				text = decoded
				out.Notes = append(out.Notes, "It was decoded from "+clip(name, 40)+".")
			}
		}
	}
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
		out.Notes = append(out.Notes, "Some bytes are not valid UTF-8, shown as \uFFFD.")
	}
	out.Raw = visible(text)
	var b bytes.Buffer
	switch {
	case json.Valid([]byte(text)) && json.Indent(&b, []byte(text), "", "  ") == nil:
		out.Pretty = visible(b.String())
	case media == "application/x-www-form-urlencoded":
		out.Fields = showForm(text)
	}
	return out
}

// maxFields bounds the rows of a form that a page shows.
const maxFields = 500

// showForm lists the fields of a form in their order.
func showForm(text string) []shownField {
	var out []shownField
	for pair := range strings.SplitSeq(strings.TrimSpace(text), "&") {
		if pair == "" || len(out) == maxFields {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		out = append(out, shownField{unescape(name), unescape(value)})
	}
	return out
}

func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		s = u
	}
	return visible(strings.ToValidUTF8(s, "\uFFFD"))
}

// visible shows what would otherwise be invisible or turn the text around it.
func visible(s string) string {
	odd := func(r rune) bool {
		return (r < 0x20 && r != '\n' && r != '\t') || (r >= 0x7f && r < 0xa0) || unicode.Is(unicode.Bidi_Control, r)
	}
	if !strings.ContainsFunc(s, odd) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\r': // half of a line's end
		case !odd(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
