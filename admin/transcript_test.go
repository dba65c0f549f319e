package admin

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReadTranscript(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		who  []string
		said []string
	}{
		"two people":       {"Anna: Hello.\nJane: Hi, a pipe: it burst.\nAnna: Oh.", []string{"Anna", "Jane", "Anna"}, []string{"Hello.", "Hi, a pipe: it burst.", "Oh."}},
		"one line each":    {"Agent: Hello.\nCaller: Bye.", []string{"Agent", "Caller"}, []string{"Hello.", "Bye."}},
		"lines of one":     {"Anna: Hello.\nStill me.\nJane: Hi.\n\nJane: And I.\nAnna: Yes.", []string{"Anna", "Jane", "Anna"}, []string{"Hello.\nStill me.", "Hi.\nAnd I.", "Yes."}},
		"with moments":     {"[00:01] Speaker 1: Hello.\r\n[00:04] Speaker 2: Hi.\r\n(01:00:09) Speaker 1: So.", []string{"Speaker 1", "Speaker 2", "Speaker 1"}, []string{"Hello.", "Hi.", "So."}},
		"numbers as names": {"+14155550101: Hello\n+13105550100: Hi\n+14155550101: Bye", []string{"+14155550101", "+13105550100", "+14155550101"}, []string{"Hello", "Hi", "Bye"}},
		"a head":           {"Call of Monday\nAnna: Hello.\nJane: Hi.\nAnna: Bye.", []string{"", "Anna", "Jane", "Anna"}, []string{"Call of Monday", "Hello.", "Hi.", "Bye."}},
		"a text":           {"Hello, this is Anna. Note: nothing.", nil, nil},
		"a list":           {"Name: Jane\nTown: Fresno\nWants: a plumber", nil, nil},
		"times":            {"10:30 we begin\n11:15 we end\n12:00 lunch", nil, nil},
		"addresses":        {"https://a.example\nhttps://b.example\nhttps://c.example", nil, nil},
		"nothing":          {"  \n ", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := readTranscript(c.text)
			var who, said []string
			for _, one := range got.Turns {
				who, said = append(who, one.Who), append(said, one.Said)
			}
			require.Equal(t, c.who, who)
			require.Equal(t, c.said, said)
			require.Equal(t, c.who == nil && strings.TrimSpace(c.text) != "", got.Text != "")
		})
	}
}

// However long a text is, nothing of it is lost, and its beginning is short.
func TestLongTranscript(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("Wörter ohne Ende ", 40_000)
	got := readTranscript(text)
	require.Less(t, len(got.Text), 3000)
	require.Equal(t, strings.Join(strings.Fields(text), ""), strings.Join(strings.Fields(got.Text+got.More), ""))
	require.Empty(t, readTranscript(strings.Repeat("x", 1500)).More)

	got = readTranscript(strings.Repeat("Anna: Yes.\nJane: No.\n", 20_000))
	require.Len(t, got.Turns, shownTurns)
	require.Equal(t, maxTurns-shownTurns, got.Rest())
	require.Greater(t, strings.Count(got.Later[len(got.Later)-1].Said, "\n"), 30_000)
	require.Empty(t, readTranscript(strings.Repeat("Anna: Yes.\nJane: No.\n", 9)).Later, "a fold for a few turns helps nobody")
}
