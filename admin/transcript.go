package admin

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// transcript is what was said on a call, as the page shows it: turns where the text tells who speaks, else the text. What is
// long is folded away behind its beginning.
type transcript struct {
	// Turns and Later are set where the text names its speakers, Text and More where it does not.
	Turns, Later []turn
	Text, More   string
}

// turn is what one person said before another did.
type turn struct {
	// Who is empty for what stands before the first name.
	Who, At, Said string
	// Voice tells the speakers apart, from 1; those after the last one share it.
	Voice int
}

// Any tells whether there is a text.
func (t transcript) Any() bool { return t.Text != "" || len(t.Turns) > 0 }

// Rest is how many turns are folded away.
func (t transcript) Rest() int { return len(t.Later) }

const (
	// shownTurns and shownSpeech are how much of a transcription stands in sight; a little more does, too, rather than a fold
	// with nothing in it.
	shownTurns  = 12
	shownSpeech = 1200
	// maxTurns bounds the turns of a page, and maxSpeakers how many people one may tell apart: a text with more "names" has
	// lines that only look like it.
	maxTurns    = 3000
	maxSpeakers = 12
	// voices is how many speakers have a mark of their own.
	voices = 3
)

// spokenLine is "Anna Smith: Hello", with the moment before it where there is one: "[00:12] Anna Smith: Hello".
var spokenLine = regexp.MustCompile(`^(?:[\[(]?(\d{1,2}(?::\d{2}){1,2})(?:\.\d+)?[\])]?\s*[-–]?\s*)?([\p{L}\p{N}+][^:\n]{0,39}):(?:\s+(.*))?$`)

// readTranscript finds the turns of a text. Most lines have to be somebody's, and somebody has to speak twice: a note with a
// colon in it is a text.
func readTranscript(text string) transcript {
	text = strings.TrimSpace(strings.ReplaceAll(visible(text), "\r\n", "\n"))
	turns, ok := readTurns(text)
	if !ok {
		head, more := cutText(text)
		return transcript{Text: head, More: more}
	}
	t := transcript{Turns: turns}
	if len(turns) > shownTurns+shownTurns/2 {
		t.Turns, t.Later = turns[:shownTurns], turns[shownTurns:]
	}
	return t
}

func readTurns(text string) ([]turn, bool) {
	var turns []turn
	var said [][]string // the lines of each turn
	speakers := map[string]int{}
	lines, named := 0, 0
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		lines++
		m := spokenLine.FindStringSubmatch(line)
		if m != nil && isClock(m[2]) {
			m = nil
		}
		if m != nil {
			named++
			if m[2] = strings.TrimSpace(m[2]); speakers[m[2]] == 0 && len(speakers) <= maxSpeakers {
				speakers[m[2]] = len(speakers) + 1
			}
		}
		last := len(turns) - 1
		switch {
		case m != nil && last >= 0 && turns[last].Who == m[2] && m[1] == "":
			said[last] = append(said[last], m[3])
		case last+1 >= maxTurns, m == nil && last >= 0:
			// What follows the last turn that is told apart stays as it is.
			said[last] = append(said[last], line)
		case m == nil:
			turns, said = append(turns, turn{}), append(said, []string{line})
		default:
			turns, said = append(turns, turn{Who: m[2], At: m[1], Voice: min(speakers[m[2]], voices)}), append(said, []string{m[3]})
		}
	}
	for i := range turns {
		turns[i].Said = strings.Trim(strings.Join(said[i], "\n"), "\n")
	}
	return turns, named >= 2 && named*2 >= lines && len(speakers) <= maxSpeakers && (named > len(speakers) || named == 2)
}

// isClock tells a moment from a name: "10" of "10:30".
func isClock(name string) bool {
	return len(name) <= 2 && strings.Trim(name, "0123456789") == ""
}

// cutText cuts a long text where a line or a word ends.
func cutText(text string) (head, more string) {
	if utf8.RuneCountInString(text) <= shownSpeech+shownSpeech/2 {
		return text, ""
	}
	end, runes := 0, 0
	for i := range text {
		if runes == shownSpeech {
			end = i
			break
		}
		runes++
	}
	if i := strings.LastIndexAny(text[:end], "\n "); i > end/2 {
		end = i
	}
	return text[:end], strings.TrimSpace(text[end:])
}
