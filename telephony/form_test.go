package telephony

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNest(t *testing.T) {
	t.Parallel()
	type m = map[string]any
	deep := "a" + strings.Repeat("[x]", deepestBracket+1)
	for form, want := range map[string]m{
		"a=1&a=2":                            {"a": "2"},
		"a[]=x&a[]=y&a[]=x":                  {"a": []any{"x", "y", "x"}},
		"a[b]=1&a[c][d]=2":                   {"a": m{"b": "1", "c": m{"d": "2"}}},
		"a[1][n]=B&a[0][n]=A&a[10][n]=C":     {"a": []any{m{"n": "A"}, m{"n": "B"}, m{"n": "C"}}},
		"a[][n]=A&a[][k]=1&a[][n]=B&a[][k]=": {"a": []any{m{"n": "A", "k": "1"}, m{"n": "B", "k": ""}}},
		"a[b][]=1&a[b][]=2":                  {"a": m{"b": []any{"1", "2"}}},
		"a=&a[b]=1":                          {"a": m{"b": "1"}},
		"a[b]=1&a[b][c]=2":                   {"a": m{"b": m{"c": "2"}}},
		"a [ b ] =1":                         {"a": m{"b": "1"}},
		"a[0]=x&a[k]=y":                      {"a": m{"0": "x", "k": "y"}},
		"a[0123456789]=x":                    {"a": m{"0123456789": "x"}},
		"[a]=1&a[=2&b]=3&c[d]e=4&[]=5&f[[]=6": {
			"[a]": "1", "a[": "2", "b]": "3", "c[d]e": "4", "[]": "5", "f[[]": "6",
		},
		"a[][][]=1": {"a[][][]": "1"},
		deep + "=1": {deep: "1"},
	} {
		values, err := url.ParseQuery(form)
		require.NoError(t, err)
		require.Equal(t, want, Nest(values), form)
	}
}

func TestMultipart(t *testing.T) {
	t.Parallel()
	body := strings.ReplaceAll(`--xYz
Content-Disposition: form-data; name="call_id "

 1628512094.7228905
--xYz
Content-Disposition: form-data; name="missed_agent[0][name]"
Content-Type: text/plain; charset=utf-8

Nisha
--xYz
Content-Disposition: form-data; name="file"; filename="a.wav"

RIFF
--xYz--
`, "\n", "\r\n")
	for _, kind := range []string{"multipart/form-data; boundary=xYz", "multipart/form-data; boundary=other", "application/json", ""} {
		f, err := ReadBody(Request{Header: http.Header{"Content-Type": {kind}}, Body: []byte(body)})
		require.NoError(t, err, kind)
		require.Equal(t, "1628512094.7228905", f.Text("call_id"))
		require.Equal(t, map[string]any{"missed_agent": []any{map[string]any{"name": "Nisha"}}}, f.Rest())
	}
	var u *UnreadableError
	_, err := ReadBody(Request{Body: []byte(body[:len(body)-30])})
	require.ErrorAs(t, err, &u)
	require.Equal(t, "body, part 3", u.Where)
	_, err = ReadBody(Request{Body: []byte(strings.Repeat("--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n", mostParts+1) + "--x--")})
	require.ErrorAs(t, err, &u)
}

func TestQueryWithSecondQuestionMark(t *testing.T) {
	t.Parallel()
	f, err := ReadQuery(Request{RawQuery: "key=1?a=2&url=https://x.test/r?id=3&note=who?&c=a;b"})
	require.NoError(t, err)
	require.Equal(t, map[string]any{"key": "1", "a": "2", "url": "https://x.test/r?id=3", "note": "who", "c": "a;b"}, f.Rest())
}

func TestFormValues(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]url.Values{
		"a=1&a=2&b.c=+4": {"a": {"1", "2"}, "b.c": {" 4"}},
		"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--\r\n": {"a": {"1"}},
		`{"a":1}`: nil, "": nil, "<html a=1>": nil,
	} {
		values, err := FormValues(Request{Body: []byte(body)})
		require.NoError(t, err, body)
		require.Equal(t, want, values, body)
	}
	var u *UnreadableError
	_, err := FormValues(Request{Body: []byte("a=%zz")})
	require.ErrorAs(t, err, &u)
	values, err := QueryValues(Request{RawQuery: "a=1?a=2"})
	require.NoError(t, err)
	require.Equal(t, url.Values{"a": {"1", "2"}}, values)
}

func TestAppendedQuery(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"key=s?CallSid=1&b=2": "CallSid=1&b=2", "key=s&CallSid=1": "key=s&CallSid=1", "CallSid=1&url=http://x?callsid=2": "CallSid=1&url=http://x?callsid=2",
		"key=s?b=2": "key=s?b=2", "": "", "a=1?b=2?callsid=3": "b=2?callsid=3",
	} {
		require.Equal(t, want, AppendedQuery(Request{RawQuery: raw}, "callsid=").RawQuery, raw)
	}
}
