package admin

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestShowBody(t *testing.T) {
	t.Parallel()
	json := showBody([]byte(`{"a":"x\u0000","b":"<script>"}`), "application/json")
	require.Equal(t, "{\n  \"a\": \"x\\u0000\",\n  \"b\": \"<script>\"\n}", json.Pretty)
	require.Empty(t, json.Notes)

	form := showBody([]byte("a=1+2&b=%00%E2%80%AE&c=%zz&&d"), "application/x-www-form-urlencoded")
	require.Equal(t, []shownField{{"a", "1 2"}, {"b", `\x00\u202e`}, {"c", "%zz"}, {"d", ""}}, form.Fields)

	raw := showBody([]byte("a\x00b\xff\x1b[31m\r\n"), "")
	require.Equal(t, "a\\x00b\uFFFD\\x1b[31m\n", raw.Raw)
	require.Len(t, raw.Notes, 2)

	latin := showBody([]byte("caf\xe9"), "text/plain; charset=iso-8859-1")
	require.Equal(t, "café", latin.Raw)

	huge := showBody([]byte(strings.Repeat("é", maxShown)), "text/plain; charset=nonsense")
	require.Less(t, len(huge.Raw), maxShown+10)
	require.NotEmpty(t, huge.Notes)
}

func TestMarkdown(t *testing.T) {
	t.Parallel()
	got := string(markdown("# Do <this>\n\n1. Open **Settings**\n   and wait\n2. Enter `a<b`\n\nSee [docs](https://example.com/?a=1&b=2) or [x](javascript:alert(1))\n- one\n"))
	require.Equal(t, `<h3>Do &lt;this&gt;</h3>
<ol>
<li>Open <b>Settings</b> and wait</li>
<li>Enter <code>a&lt;b</code></li></ol>
<p>See <a href="https://example.com/?a=1&amp;b=2" rel="noreferrer">docs</a> or [x](javascript:alert(1))</p>
<ul>
<li>one</li></ul>
`, got)
}

func FuzzMarkdown(f *testing.F) {
	f.Add("# a\n- b\n1. c `d` **e** [f](https://g)")
	f.Add("<script>alert(1)</script>")
	f.Fuzz(func(t *testing.T, text string) {
		html := string(markdown(text))
		for _, allowed := range []string{"<p>", "</p>", "<h3>", "</h3>", "<ol>", "</ol>", "<ul>", "</ul>", "<li>", "</li>", "<code>", "</code>", "<b>", "</b>", "</a>", `" rel="noreferrer">`, `<a href="https://`} {
			html = strings.ReplaceAll(html, allowed, "")
		}
		require.NotContains(t, html, "<")
	})
}

func TestRefusePrivateHost(t *testing.T) {
	t.Parallel()
	for host, ok := range map[string]bool{
		"api.hubapi.com": true, "8.8.8.8": true, "crm.example.co.in.": true,
		"localhost": false, "127.0.0.1": false, "10.1.2.3": false, "169.254.169.254": false, "::1": false, "fd00::1": false,
		"::ffff:10.0.0.1": false, "127.1": false, "0x7f.1": false, "2130706433": false, "crm.local": false, "a.localhost": false,
		"metadata.google.internal": false, "intranet": false,
	} {
		require.Equal(t, ok, RefusePrivateHost(host) == nil, host)
	}
}

func TestOwnPath(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]string{
		"/calls/1?a=b": "/calls/1?a=b", "": "/", "//evil.example": "/", "https://evil.example": "/", `/\evil.example`: "/", "/a\nb": "/",
	} {
		require.Equal(t, want, ownPath(next), next)
	}
}
