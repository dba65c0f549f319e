package telephony

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// sane checks what holds of all fields, whoever sent them: they can be stored, and come out the same each time.
func sane(t *testing.T, f *Fields) {
	t.Helper()
	doc, err := json.Marshal(f.Values())
	require.NoError(t, err)
	require.True(t, utf8.Valid(doc))
	require.NotContains(t, strings.ReplaceAll(string(doc), `\\`, ""), `\u0000`, "PostgreSQL refuses NUL")
	for name, v := range f.Values() {
		require.Equal(t, strings.ToLower(strings.TrimSpace(name)), name)
		at, ok := Moment(v, nil, "1/2/2006, 3:04:05 PM")
		require.True(t, !ok || at.Year() >= firstYear && at.Year() <= lastYear, "%v is %v", v, at)
		list := NewFields(map[string]any{"v": v})
		require.LessOrEqual(t, len(list.Strings("v")), longestList)
		if n := list.Int("v"); n != nil {
			require.GreaterOrEqual(t, *n, int64(0))
		}
	}
	rest, err := json.Marshal(f.Rest())
	require.NoError(t, err)
	require.LessOrEqual(t, len(rest), 8*restKeys*(restValue+restKey), "what is kept has bounds")
	require.LessOrEqual(t, len(f.Unknown(NewVocabulary(nil, "id", "a[].b"))), mostUnknown)
}

// FuzzReadBody feeds bodies of every kind to the readers that all decoders share.
func FuzzReadBody(f *testing.F) {
	for _, body := range []string{
		`{"id":"1","a":[{"b":1e400},{"B":null}],"t":"2026-03-01 15:04:05"}`, `[{"a":"{\"b\":[1]}"}]`, `"{\"a\":1}"`, "\xEF\xBB\xBF{}", `{"a":"\ud800\u0000"}`,
		"a[0][b]=1&a[1][b]=2&c[]=x&c[]=y&d=%7B%22e%22%3A1%7D", "a.b=1;c=2", "{", "a=%zz", "[[[[", `{"a":1}{"b":2}`, `{"t":"9999-12-31 23:59:59","u":"0001-01-01T00:00:00Z"}`,
		"--x\r\nContent-Disposition: form-data; name=\"a[b]\"\r\n\r\n1\r\n--x--\r\n",
	} {
		f.Add([]byte(body), "application/json")
		f.Add([]byte(body), "multipart/form-data; boundary=x")
	}
	f.Fuzz(func(t *testing.T, body []byte, kind string) {
		r := Request{Method: http.MethodPost, Header: http.Header{"Content-Type": {kind}}, Body: body, ReceivedAt: time.Unix(1772366400, 0)}
		one, err := ReadBody(r)
		two, again := ReadBody(r)
		require.Equal(t, err == nil, again == nil)
		if err != nil {
			var u *UnreadableError
			require.ErrorAs(t, err, &u)
			return
		}
		require.Equal(t, one.Values(), two.Values())
		sane(t, one)
	})
}

// FuzzReadQuery feeds queries to the readers of GETs, with a second question mark and brackets.
func FuzzReadQuery(f *testing.F) {
	for _, query := range []string{"a=1&b[c]=2", "key=s?callsid=1&x=http://y?z=1", "a[]=1&a[]=2", "a[b][c][d]=1&a[b]=2", "%", "&&==", "a[0123456789]=x", "a[][b]=1&a[][b]=2"} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		for _, r := range []Request{{RawQuery: query}, AppendedQuery(Request{RawQuery: query}, "callsid=")} {
			fields, err := ReadQuery(r)
			if err != nil {
				continue
			}
			again, err := ReadQuery(r)
			require.NoError(t, err)
			require.Equal(t, fields.Values(), again.Values())
			sane(t, fields)
		}
	})
}
