package telephony

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// deepest is how far a JSON body may be nested. No phone system needs ten.
const deepest = 64

// Sentences for people about bodies that cannot be read.
const (
	publicNotJSON = "The request is not the JSON that this phone system sends. Check which system calls this URL; if it is the right one, replay the request after an update."
	publicNotUTF8 = "The request holds characters that are not UTF-8."
	publicDeep    = "The request is nested deeper than any phone system's."
)

// ReadBody reads a request's body into fields: a JSON object, also as the only one of a list or inside JSON text, or a
// form, urlencoded or multipart, brackets in its names nested (whatever Content-Type says: several phone systems are
// wrong about it). An empty body has no fields. Everything is cleaned (see CleanText) and numbers keep their text. Errors
// are *UnreadableError and hold nothing of the body.
func ReadBody(r Request) (*Fields, error) {
	body := bytes.TrimPrefix(r.Body, []byte("\xEF\xBB\xBF"))
	skipped := len(r.Body) - len(body)
	if len(bytes.TrimSpace(body)) == 0 {
		return NewFields(nil), nil
	}
	r.Body = body
	if values, err := FormValues(r); values != nil || err != nil {
		return formFields(values, err)
	}
	at := func(n int) string { return fmt.Sprintf("body, byte %d", n+skipped) }
	if n := invalidUTF8(body); n >= 0 {
		return nil, &UnreadableError{Where: at(n), Public: publicNotUTF8}
	}
	if n := tooDeep(body); n >= 0 {
		return nil, &UnreadableError{Where: at(n), Public: publicDeep}
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		n := len(body)
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			n = int(syntax.Offset)
		}
		// The decoder's own text quotes the body.
		return nil, &UnreadableError{Where: at(n), Public: publicNotJSON, Err: errors.New("invalid JSON")}
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, &UnreadableError{Where: at(int(d.InputOffset())), Public: publicNotJSON, Err: errors.New("data after the JSON value")}
	}
	v = Embedded(v)
	if list, ok := v.([]any); ok && len(list) == 1 {
		v = list[0]
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, &UnreadableError{Where: at(0), Public: publicNotJSON, Err: errors.New("not a JSON object")}
	}
	return NewFields(cleanObject(object)), nil
}

// ReadQuery reads a request's query string into fields, as ReadBody does a form.
func ReadQuery(r Request) (*Fields, error) { return formFields(QueryValues(r)) }

func formFields(values url.Values, err error) (*Fields, error) {
	if err != nil {
		return nil, err
	}
	return NewFields(cleanObject(Nest(values))), nil
}

// FormValues reads a body that is a form, urlencoded or multipart, as it was sent; nil for one that is not. It serves
// providers that need what ReadBody does not keep: values that come again, dots in names, white space. Errors are
// *UnreadableError.
func FormValues(r Request) (url.Values, error) {
	body := bytes.TrimSpace(r.Body)
	switch boundary := boundaryOf(r, body); {
	case len(body) == 0:
		return nil, nil
	case boundary != "":
		return multipartValues(body, boundary)
	case strings.IndexByte(`{["`, body[0]) < 0 && looksLikeForm(body):
		return parseForm(string(body), "body")
	}
	return nil, nil
}

// QueryValues reads a request's query string as it was sent. A second "?" separates like "&".
func QueryValues(r Request) (url.Values, error) {
	return parseForm(splitAtQuestions(r.RawQuery), "query")
}

// AppendedQuery returns r with only that part of its query which the phone system wrote, where that can be told: if the
// query has a second "?" and one of marks, in lower case, stands only behind it, what is before was in the URL that an
// administrator entered. It is no fact and may be a secret.
func AppendedQuery(r Request, marks ...string) Request {
	before, after, ok := strings.Cut(r.RawQuery, "?")
	has := func(s string) bool {
		s = strings.ToLower(s)
		return slices.ContainsFunc(marks, func(m string) bool { return strings.Contains(s, m) })
	}
	if ok && !has(before) && has(after) {
		r.RawQuery = after
	}
	return r
}

// URLSecrets are what people call a secret that they add to a URL. Where a phone system puts its fields into the same
// query, those of these names are not facts.
var URLSecrets = []string{"key", "token", "secret", "authcode", "auth", "password", "api_key", "apikey", "access_token", "signature"}

// splitAtQuestions separates at a second "?" as at "&": phone systems append "?a=b" to URLs that have a query already.
// One inside a value that is a URL belongs to that URL.
func splitAtQuestions(raw string) string {
	if strings.IndexByte(raw, '?') < 0 {
		return raw
	}
	out, begin := []byte(raw), 0
	for i, c := range out {
		switch c {
		case '&', '=':
			begin = i + 1
		case '?':
			value := strings.ToLower(raw[begin:min(i, begin+len("https%3a"))])
			if !strings.HasPrefix(value, "http:") && !strings.HasPrefix(value, "https:") && !strings.HasPrefix(value, "http%3a") && !strings.HasPrefix(value, "https%3a") {
				out[i], begin = '&', i+1
			}
		}
	}
	return string(out)
}

func parseForm(s, where string) (url.Values, error) {
	// A semicolon separates nothing; package url refuses it.
	values, err := url.ParseQuery(strings.ReplaceAll(s, ";", "%3B"))
	if err != nil {
		return nil, &UnreadableError{Where: where, Public: "The request is neither JSON nor a readable form.", Err: errors.New("invalid form encoding")}
	}
	return values, nil
}

// looksLikeForm tells a form from broken JSON, so that the latter gets the better error.
func looksLikeForm(b []byte) bool {
	i := bytes.IndexByte(b, '=')
	return i > 0 && !bytes.ContainsAny(b[:i], " \t\r\n<>{}\"")
}

func invalidUTF8(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// tooDeep returns where the nesting gets too deep, or -1. It looks before the decoder recurses.
func tooDeep(b []byte) int {
	depth, inText := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
		case inText:
		case c == '{' || c == '[':
			if depth++; depth > deepest {
				return i
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return -1
}
