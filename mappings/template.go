package mappings

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// template is a compiled line: text and expressions in turn.
type template struct {
	parts []templatePart
	exprs int
	line  string
}

type templatePart struct {
	literal string
	expr    *expression
	// url marks an expression in an attribute that browsers follow: only web, mail and phone links pass.
	url bool
}

const maxTemplateLines = 200

// compileTemplate parses one line. Offsets of its problems are runes of the line.
func (v *vocabulary) compileTemplate(line string, isHTML bool) (template, []exprProblem) {
	t := template{line: line}
	var problems []exprProblem
	if len(line) > 4*maxSource {
		return t, []exprProblem{{text: fmt.Sprintf("The line has %d characters; %d is the most.", len(line), 4*maxSource)}}
	}
	if !utf8.ValidString(line) {
		return t, []exprProblem{{text: "The template is not valid UTF-8."}}
	}
	where := htmlState{}
	offset := func(at int) int { return utf8.RuneCountInString(line[:at]) }
	for at := 0; at < len(line); {
		open := strings.Index(line[at:], "{{")
		if open < 0 {
			open = len(line) - at
		}
		if open > 0 {
			literal := line[at : at+open]
			t.parts = append(t.parts, templatePart{literal: clean(literal)})
			where.read(literal)
			at += open
			continue
		}
		start := at + 2
		end := endOfExpr(line, start)
		if end < 0 {
			return t, append(problems, exprProblem{offset: offset(at), text: "{{ has no }}."})
		}
		e, bad := v.compileExpr(line[start:end], false)
		for _, p := range bad {
			p.offset += offset(start)
			problems = append(problems, p)
		}
		part := templatePart{expr: e}
		if isHTML {
			if text := where.refuses(); text != "" {
				problems = append(problems, exprProblem{offset: offset(at), text: text})
			}
			part.url = where.quote != 0 && linkAttributes[where.attribute]
		}
		t.parts = append(t.parts, part)
		t.exprs++
		at = end + 2
	}
	if isHTML && scripts.MatchString(line) {
		problems = append(problems, exprProblem{text: "Scripts, styles, frames and event attributes do not belong into a template."})
	}
	return t, problems
}

var scripts = regexp.MustCompile(`(?i)<\s*/?\s*(script|style|iframe|object|embed)\b|<[^>]*\son[a-z]+\s*=`)

// endOfExpr finds the }} that ends the expression at start, past texts and braces of its own; -1 if there is none.
func endOfExpr(s string, start int) int {
	depth := 0
	for i := start; i < len(s); i++ {
		switch c := s[i]; c {
		case '\'', '"', '`':
			for i++; i < len(s) && s[i] != c; i++ {
				if s[i] == '\\' && c != '`' {
					i++
				}
			}
		case '{':
			depth++
		case '}':
			if depth > 0 {
				depth--
			} else if strings.HasPrefix(s[i:], "}}") {
				return i
			}
		}
	}
	return -1
}

// render adds the line to the run's scratch; filled tells whether any expression gave something.
func (t *template) render(r *run) (filled bool, err error) {
	for i := range t.parts {
		p := &t.parts[i]
		if p.expr == nil {
			r.scratch = append(r.scratch, p.literal...)
			continue
		}
		v, err := r.eval(p.expr)
		if err != nil {
			return false, err
		}
		if empty(v) {
			continue
		}
		from := len(r.scratch)
		if r.html {
			if p.url && !followable(v) {
				r.warn("A link was left out because it is no web address.")
				continue
			}
			r.scratch, err = appendHTML(r.scratch, v)
		} else {
			r.scratch, err = appendText(r.scratch, v)
		}
		if err != nil {
			return false, err
		}
		if err := r.charge(len(r.scratch) - from); err != nil {
			return false, err
		}
		filled = true
	}
	return filled, nil
}

// linkAttributes are the attributes whose value browsers follow.
var linkAttributes = map[string]bool{"href": true, "src": true, "action": true, "formaction": true, "cite": true, "poster": true}

// followable tells whether v may stand in an attribute that browsers follow: a stranger's "javascript:" may not.
func followable(v any) bool {
	s, _, err := asText(v)
	return err == nil && (isWebLink(s) || hasScheme(s, "mailto:", "tel:"))
}

func isWebLink(s string) bool { return hasScheme(s, "https://", "http://") }

func hasScheme(s string, schemes ...string) bool {
	s = strings.TrimSpace(s)
	return slices.ContainsFunc(schemes, func(scheme string) bool {
		return len(s) > len(scheme) && strings.EqualFold(s[:len(scheme)], scheme)
	})
}

// htmlState follows a template's own text to know where an expression stands.
type htmlState struct {
	inTag     bool
	quote     byte
	attribute string
	word      strings.Builder
}

func (h *htmlState) read(text string) {
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case !h.inTag:
			h.inTag = c == '<'
			h.word.Reset()
		case h.quote != 0:
			if c == h.quote {
				h.quote = 0
				h.word.Reset()
			}
		case c == '"' || c == '\'':
			h.quote = c
		case c == '>':
			h.inTag = false
		case c == '=':
			h.attribute = strings.ToLower(h.word.String())
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '/':
			// "href = x" keeps its name: a space ends a word only when the next one begins.
			if i+1 < len(text) && text[i+1] != '=' && text[i+1] != ' ' {
				h.word.Reset()
			}
		default:
			h.word.WriteByte(c)
		}
	}
}

// refuses says why no expression may stand here; empty if one may.
func (h *htmlState) refuses() string {
	if h.inTag && h.quote == 0 {
		return "Inside a tag an expression must stand in the quotes of an attribute."
	}
	if h.inTag && (h.attribute == "style" || h.attribute == "srcset" || strings.HasPrefix(h.attribute, "on")) {
		return "No expression may stand in this attribute."
	}
	return ""
}
