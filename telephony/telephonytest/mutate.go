package telephonytest

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/telephony"
)

// said is an outcome with all that is single as text, for comparing.
func said(t testing.TB, p telephony.Provider, r telephony.Request, s telephony.Settings) any {
	t.Helper()
	doc, err := json.Marshal(decode(t, p, r, s))
	require.NoError(t, err)
	var v any
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	require.NoError(t, d.Decode(&v))
	return plain(v)
}

// object is the body of a JSON request.
func object(r telephony.Request) map[string]any {
	d := json.NewDecoder(bytes.NewReader(r.Body))
	d.UseNumber()
	var v map[string]any
	// More than one value, and bytes that are not UTF-8, would not come back.
	if !utf8.Valid(r.Body) || d.Decode(&v) != nil || d.More() {
		return nil
	}
	return v
}

func withBody(r telephony.Request, v any) telephony.Request {
	r.Body = mustJSON(v)
	return r
}

// checkContentTypes sends the body under every Content-Type: several phone systems are wrong about theirs. Only a
// boundary in it may count.
func checkContentTypes(t *testing.T, p telephony.Provider, r telephony.Request, s telephony.Settings) {
	t.Helper()
	if strings.Contains(r.Header.Get("Content-Type"), "boundary") || len(r.Body) == 0 {
		return
	}
	want := said(t, p, r, s)
	for _, kind := range []string{
		"", "application/json", "application/json; charset=latin1", "text/plain", "text/html; charset=utf-8", "application/x-www-form-urlencoded",
		"multipart/form-data", "multipart/form-data; boundary=nowhere", "application/octet-stream", ";;;", "\x00",
	} {
		r.Header = http.Header{"Content-Type": {kind}}
		require.Equal(t, want, said(t, p, r, s), "Content-Type %q", kind)
	}
}

// whole is a number without leading zeros, which JSON can have without quotes.
var whole = regexp.MustCompile(`^(0|[1-9]\d{0,17})$`)

// retype writes numbers and flags as text, or texts that are whole numbers as numbers.
func retype(v any, toText bool) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = retype(v[k], toText)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = retype(v[i], toText)
		}
		return out
	case json.Number:
		if toText {
			return v.String()
		}
	case bool:
		if toText && v {
			return "true"
		} else if toText {
			return "false"
		}
	case string:
		if !toText && whole.MatchString(v) {
			return json.Number(v)
		}
	}
	return v
}

// checkTypes sends numbers as text and text as numbers.
func checkTypes(t *testing.T, p telephony.Provider, r telephony.Request, s telephony.Settings) {
	t.Helper()
	body := object(r)
	if body == nil {
		return
	}
	// Of a name that comes twice only one comes back.
	want := said(t, p, withBody(r, body), s)
	require.Equal(t, want, said(t, p, withBody(r, retype(body, true)), s), "numbers and flags as text")
	require.Equal(t, want, said(t, p, withBody(r, retype(body, false)), s), "text as numbers")
}

// checkBlank leaves each field out, and sends it without a value in every way there is: they mean the same.
func checkBlank(t *testing.T, p telephony.Provider, r telephony.Request, s telephony.Settings, unfilled []string) {
	t.Helper()
	body := object(r)
	if body == nil {
		return
	}
	blanks := []any{"", " ", "null"}
	for _, text := range unfilled {
		blanks = append(blanks, text)
	}
	odds := []any{
		[]any{}, map[string]any{}, []any{nil, []any{map[string]any{"a": nil}}}, map[string]any{"0": "x", "a": []any{1}}, true, -1, 1e300, "\u0000", strings.Repeat("9", 400),
	}
	// Of the ways each field gets two, and another two in the next case.
	for i, name := range slices.Sorted(maps.Keys(body)) {
		i += len(r.Body)
		with := maps.Clone(body)
		with[name] = nil
		want := said(t, p, withBody(r, with), s)
		for n := range min(2, len(blanks)) {
			blank := blanks[(i+n)%len(blanks)]
			if text, ok := blank.(string); ok {
				blank = strings.ReplaceAll(text, "{name}", strings.TrimSpace(name))
			}
			with[name] = blank
			require.Equal(t, want, said(t, p, withBody(r, with), s), "%s is %q", name, blank)
		}
		delete(with, name)
		decode(t, p, withBody(r, with), s)
		// Something of another kind is kept or left, but harms nobody.
		for n := range 2 {
			with[name] = odds[(i+n*len(odds)/2)%len(odds)]
			decode(t, p, withBody(r, with), s)
		}
	}
}

// checkHuge puts what is too long, too deep, too much and no text at all into an otherwise good request.
func checkHuge(t *testing.T, p telephony.Provider, r telephony.Request, s telephony.Settings) {
	t.Helper()
	body := object(r)
	if body == nil || len(decode(t, p, r, s).Events) == 0 {
		return
	}
	nested := func(n int) any {
		var v any = "x"
		for range n {
			v = map[string]any{"a": v}
		}
		return v
	}
	with := maps.Clone(body)
	with["callsync_probe"] = strings.Repeat("é", 1<<17)
	out := decode(t, p, withBody(r, with), s)
	require.NotEmpty(t, out.Events, "one long field harms nobody")
	require.Less(t, len(mustJSON(out)), 1<<17, "it is cut")
	with["callsync_probe"] = nested(30)
	require.NotEmpty(t, decode(t, p, withBody(r, with), s).Events)
	with["callsync_probe"] = nested(10_000)
	require.NotEmpty(t, decode(t, p, withBody(r, with), s).Where, "nested too deeply")
	with["callsync_probe"] = "x"
	for i := range 1500 {
		with["callsync_probe_"+strings.Repeat("y", i%50)+string(rune('a'+i%26))+strings.Repeat("z", i/300)] = i
	}
	out = decode(t, p, withBody(r, with), s)
	require.NotEmpty(t, out.Events, "many fields harm nobody")
	require.LessOrEqual(t, len(out.unknown), 100)

	for i := 0; i < len(r.Body); i += max(1, len(r.Body)/15) {
		bad := r
		bad.Body = slices.Concat(r.Body[:i], []byte{0xff, 0xc0}, r.Body[i:])
		decode(t, p, bad, s)
	}
}
