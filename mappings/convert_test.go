package mappings

import (
	"html"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// What is escaped byte by byte is what the standard library and plain replacements make.
func TestEscapingIsTheLibrarys(t *testing.T) {
	t.Parallel()
	breaks := strings.NewReplacer("\r\n", "<br>", "\n", "<br>", "\r", "<br>")
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{"<", ">", "&", "'", `"`, "\r", "\n", "\r\n", "a", "é", "\U0001F600", "\xff", "&amp;"})).Draw(t, "s"), "")
		if got, want := string(appendEscaped(nil, s)), breaks.Replace(html.EscapeString(s)); got != want {
			t.Fatalf("%q became %q, not %q", s, got, want)
		}
		got, _, err := asHTML(s)
		require.NoError(t, err)
		added, err := appendHTML([]byte("x"), s)
		require.NoError(t, err)
		if "x"+got != string(added) {
			t.Fatalf("%q reads %q and %q", s, got, added)
		}
	})
}

// Each part of a pattern is what its layout gives by itself.
func TestPartsOfTimesAreTheLibrarys(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(-1<<36, 1<<36).Draw(t, "at"), 0).In(time.FixedZone("X", rapid.IntRange(-50_000, 50_000).Draw(t, "zone")))
		for _, tok := range tokens {
			if tok.layout == hour24 || tok.layout == millisecond {
				continue
			}
			if got, want := formatTime(at, tok.token), at.Format(tok.layout); got != want {
				t.Fatalf("%s of %v is %q, not %q", tok.token, at, got, want)
			}
		}
	})
}

func TestFoldedKeys(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{"a", "B", " ", "\t", "_", "É", "é", "\u00a0", "1"})).Draw(t, "s"), "")
		if want := strings.ToLower(strings.Join(strings.Fields(s), " ")); foldKey(s) != want {
			t.Fatalf("%q is folded to %q, not %q", s, foldKey(s), want)
		}
	})
}
