package deepcall

import (
	"fmt"
	"regexp"
	"strings"
)

// mend makes JSON of what a template makes when DeepCall puts values into it as they are: variables without quotes that
// were not filled in or are empty (`"callStatus": {{%%callStatus%%}}`, `"callStatus": ,`), JSON inside quotes that is not
// escaped (`"recordings": "[{"nodeid":"#3"}]"`), and line breaks in text. It is tried on what is not JSON; whether it
// helped, a parser has to tell.
func mend(s string) string {
	var out strings.Builder
	out.Grow(len(s) + 16)
	tries, failures, closing := 0, 0, map[int]bool{}
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '"' && closing[i]:
			i++
		case c == '"':
			if tries < mostTries && failures < mostFailures && opensContainer(s, i) {
				tries++
				if end, ok := endOfContainer(s, i+1); ok {
					closing[end] = true
					i++
					continue
				}
				failures++
			}
			end := endOfText(s, i)
			out.WriteString(mendText(s[i:end]))
			i = end
		case strings.HasPrefix(s[i:], "{{") && strings.HasPrefix(strings.TrimLeft(s[i+2:min(len(s), i+16)], space), "%%"):
			at := bare.FindString(s[i:min(len(s), i+256)])
			if at == "" {
				out.WriteByte(c)
				i++
				continue
			}
			out.WriteString("null")
			i += len(at)
		case c == ':':
			out.WriteByte(c)
			i++
			if rest := strings.TrimLeft(s[i:min(len(s), i+64)], space); rest != "" && strings.IndexByte(",}]", rest[0]) >= 0 {
				out.WriteString("null")
			}
		default:
			out.WriteByte(c)
			i++
		}
	}
	return out.String()
}

// mostTries and mostFailures bound the searches for the end of quoted JSON, each of which may look at the whole text.
const (
	mostTries    = 100
	mostFailures = 3
)

// space is JSON's white space.
const space = " \t\r\n"

// bare is a placeholder at the beginning of a text.
var bare = regexp.MustCompile(`^\{\{\s{0,8}%%[^{}]{0,200}%%\s{0,8}\}\}`)

// opensContainer tells whether the quote at i stands before a list or an object that is not escaped. Its sign is a quote
// right after the brackets: in JSON that would end the text.
func opensContainer(s string, i int) bool {
	rest := strings.TrimLeft(s[i+1:min(len(s), i+65)], space)
	inner := strings.TrimLeft(rest, "[{"+space)
	return len(inner) < len(rest) && strings.HasPrefix(inner, `"`)
}

// endOfContainer is the place of the quote behind the list or object that begins at i.
func endOfContainer(s string, i int) (int, bool) {
	depth := 0
	for ; i < len(s); i++ {
		switch s[i] {
		case '"':
			i = endOfText(s, i) - 1
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth > 0 {
				continue
			}
			for i++; i < len(s) && strings.IndexByte(space, s[i]) >= 0; i++ {
			}
			return i, depth == 0 && i < len(s) && s[i] == '"'
		}
	}
	return 0, false
}

// endOfText is the place behind the text that begins with the quote at i.
func endOfText(s string, i int) int {
	for i++; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}

// mendText escapes the control characters of a text.
func mendText(s string) string {
	if !strings.ContainsFunc(s, isControl) {
		return s
	}
	var out strings.Builder
	for _, r := range s {
		if isControl(r) {
			fmt.Fprintf(&out, `\u%04x`, r)
			continue
		}
		out.WriteRune(r)
	}
	return out.String()
}

func isControl(r rune) bool { return r < ' ' }
