package telephony

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
)

func TestReadBody(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body  string
		where string
		check func(*testing.T, *Fields)
	}{
		"empty":       {" \r\n", "", func(t *testing.T, f *Fields) { require.Zero(t, f.Len()) }},
		"object":      {`{"ID ":1}`, "", func(t *testing.T, f *Fields) { require.Equal(t, "1", f.Text("id")) }},
		"list of one": {`[{"id":1}]`, "", func(t *testing.T, f *Fields) { require.Equal(t, "1", f.Text("id")) }},
		"JSON text":   {`"{\"id\":1}"`, "", func(t *testing.T, f *Fields) { require.Equal(t, "1", f.Text("id")) }},
		"list of two": {`[{},{}]`, "body, byte 0", nil},
		"big id":      {`{"id":98765432109876543210}`, "", func(t *testing.T, f *Fields) { require.Equal(t, "98765432109876543210", f.Text("id")) }},
		"BOM":         {"\xEF\xBB\xBF{\"id\":1}", "", func(t *testing.T, f *Fields) { require.Equal(t, "1", f.Text("id")) }},
		"same key":    {`{"id":1,"id":2}`, "", func(t *testing.T, f *Fields) { require.Equal(t, "2", f.Text("id")) }},
		"two cases":   {`{"ID":1,"id":2,"Id":3}`, "", func(t *testing.T, f *Fields) { require.Equal(t, "2", f.Text("id")) }},
		"NUL":         {`{"a\u0000":"b\u0000c"}`, "", func(t *testing.T, f *Fields) { require.Equal(t, "bc", f.Text("a")) }},
		"huge number": {`{"a":1e999999}`, "", func(t *testing.T, f *Fields) { require.Equal(t, map[string]any{"a": "1e999999"}, f.Rest()) }},
		"form": {"a=1&a=2&b%5B%5D=x&b%5B%5D=y&c+=z", "", func(t *testing.T, f *Fields) {
			require.Equal(t, "2", f.Text("a"))
			require.Equal(t, []string{"x", "y"}, f.Strings("b"))
			require.Equal(t, "z", f.Text("c"))
		}},
		"form with bad UTF-8": {"a=%FF", "", func(t *testing.T, f *Fields) { require.Equal(t, "\uFFFD", f.Text("a")) }},
		"bad form":            {"a=%zz", "body", nil},
		"cut":                 {`{"a":`, "body, byte 5", nil},
		"syntax":              {`{"a" 1}`, "body, byte 6", nil},
		"syntax after BOM":    {"\xEF\xBB\xBF{\"a\" 1}", "body, byte 9", nil},
		"trailing":            {`{} {}`, "body, byte 4", nil},
		"list":                {`[]`, "body, byte 0", nil},
		"null":                {`null`, "body, byte 0", nil},
		"HTML":                {`<a href="x">`, "body, byte 1", nil},
		"bad UTF-8":           {"{\"a\":\"\xff\"}", "body, byte 6", nil},
		"deep":                {strings.Repeat("[", 100000), "body, byte 64", nil},
		"brackets in text":    {`{"a":"` + strings.Repeat(`[\"`, 100) + `"}`, "", func(t *testing.T, f *Fields) { require.True(t, f.Has("a")) }},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := ReadBody(Request{Body: []byte(tc.body)})
			if tc.check != nil {
				require.NoError(t, err)
				tc.check(t, f)
				return
			}
			var u *UnreadableError
			require.ErrorAs(t, err, &u)
			require.Equal(t, tc.where, u.Where)
			require.NotEmpty(t, u.Public)
		})
	}
}

func TestFieldsKeepWhatTheyCannotRead(t *testing.T) {
	t.Parallel()
	f := NewFields(map[string]any{
		"a": map[string]any{"x": json.Number("1")}, "n": "soon", "t": "yesterday", "s": []any{[]any{}, []any{"x"}}, "gone": "", "nil": nil, "null": "null",
	})
	require.Empty(t, f.Text("a"))
	require.Nil(t, f.Int("n"))
	require.Nil(t, f.Bool("n"))
	require.True(t, f.Time(nil, "t").IsZero())
	require.Nil(t, f.Strings("s"))
	require.Equal(t, map[string]any{
		"a": map[string]any{"x": json.Number("1")}, "n": "soon", "t": "yesterday", "s": []any{[]any{}, []any{"x"}},
	}, f.Rest())
	require.Equal(t, json.Number("1"), f.Take("a").(map[string]any)["x"])
	require.NotContains(t, f.Rest(), "a")
	require.Nil(t, NewFields(nil).Rest())
}

func TestRestIsBounded(t *testing.T) {
	t.Parallel()
	m := map[string]any{"long": strings.Repeat("é", 5000), "nested": []any{strings.Repeat("x", 5000)}, strings.Repeat("k", 200): 1}
	for i := range 300 {
		m[fmt.Sprintf("z%03d", i)] = i
	}
	rest := NewFields(m).Rest()
	require.Len(t, rest, 201)
	require.Equal(t, strings.Repeat("é", 2048), rest["long"])
	require.Len(t, rest["nested"], 4096)
	require.Contains(t, rest[RestNote], "103 fields were left out and 2 were cut")
}

func TestStringsIsBounded(t *testing.T) {
	t.Parallel()
	all := make([]any, 200_000)
	for i := range all {
		all[i] = fmt.Sprint(i)
	}
	require.Len(t, NewFields(map[string]any{"tags": all}).Strings("tags"), 1000)
}

func TestTimes(t *testing.T) {
	t.Parallel()
	ist := time.FixedZone("", 19800)
	want := time.Date(2021, 8, 8, 0, 59, 1, 0, ist).UTC()
	for _, s := range []string{
		"2021-08-08T00:59:01+05:30", "2021-08-08T00:59:01.000+0530", "2021-08-08 00:59:01", "2021-08-07T19:29:01Z",
		"2021-08-08 00:59:01 +0530", "2021-08-07 19:29:01 UTC", " 2021-08-08T00:59:01 ", "2021-08-08 00:59:01+05:30",
	} {
		require.Equal(t, want, NewFields(map[string]any{"t": s}).Time(ist, "t"), s)
	}
	require.True(t, NewFields(map[string]any{"t": "2021-08-08 00:59:01 XYZ"}).Time(ist, "t").IsZero(), "a zone nobody can resolve is not UTC")
}

func TestExpectationsOf(t *testing.T) {
	t.Parallel()
	info := Info{Expects: call.Expectations{Recording: true}}
	require.Equal(t, info.Expects, ExpectationsOf(info, map[string]string{"expect_recording": "perhaps", "expect_disposition": ""}))
	require.Equal(t, call.Expectations{Transcription: true, Disposition: true}, ExpectationsOf(info, map[string]string{
		"expect_recording": "false", "expect_transcription": "TRUE", "expect_disposition": "1",
	}))
}

func TestCleanValue(t *testing.T) {
	t.Parallel()
	require.Equal(t, map[string]any{"a": "kept", "b": []any{"x\uFFFD"}}, CleanValue(map[string]any{"a": "kept", "a\x00": "gives way", "b": []any{"x\xff\x00 "}}))
	require.Equal(t, json.Number("1.5e3"), CleanValue(json.Number("1.5e3")))
	require.Equal(t, strings.Repeat("9", 400), CleanValue(json.Number(strings.Repeat("9", 400))))
}
