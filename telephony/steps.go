package telephony

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Step is one thing to do before calls arrive, mostly in the vendor's panel. Steps are shown in their order, numbered.
type Step struct {
	Title string `json:"title"`
	// Text is one paragraph of Markdown: code, bold, italics, links.
	Text string `json:"text"`
	// URLs are the hook URLs to paste in this step, in the order of the panel.
	URLs []StepURL `json:"urls,omitempty"`
}

// StepURL is one hook URL and where it goes.
type StepURL struct {
	// Event is that of Info.Hooks whose URL it is; empty where one URL serves all.
	Event string `json:"event,omitempty"`
	// Field is the name of the place in the panel.
	Field string `json:"field"`
	Need  Need   `json:"need"`
	// Note says what it brings, in a few words.
	Note string `json:"note,omitempty"`
}

// Need tells how much depends on a hook URL being pasted.
type Need string

// The needs.
const (
	// Required: without it calls do not reach the CRM, or not in full.
	Required Need = "required"
	// Live: it feeds the live board only.
	Live Need = "live"
	// IfUsed: it is needed where the feature behind it is in use.
	IfUsed Need = "if_used"
	// Unneeded: callsync accepts it and has no use for it.
	Unneeded Need = "unneeded"
)

// Words are how a need is said to people.
func (n Need) Words() string {
	switch n {
	case Required:
		return "needed"
	case Live:
		return "for the live board"
	case IfUsed:
		return "if you use it"
	}
	return "not needed"
}

// Setup is steps as one Markdown text; the hook URLs are named by their ends. Info.Setup is made of it.
func Setup(steps []Step) string {
	var b strings.Builder
	for i, s := range steps {
		indent := "   "
		b.WriteString(wrapped(fmt.Sprintf("%d. **%s.** %s", i+1, s.Title, s.Text), indent) + "\n")
		if len(s.URLs) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n%s| in the panel | URL | |\n%s|---|---|---|\n", indent, indent)
		for _, u := range s.URLs {
			url := "the source's URL"
			if u.Event != "" {
				url = "ends in `/" + u.Event + "`"
			}
			need := u.Need.Words()
			if u.Note != "" {
				need += ": " + u.Note
			}
			fmt.Fprintf(&b, "%s| %s | %s | %s |\n", indent, u.Field, url, need)
		}
		b.WriteString("\n")
	}
	return strings.TrimSpace(b.String()) + "\n"
}

// wrapped is a paragraph in lines of at most 120 characters, all but the first behind indent.
func wrapped(text, indent string) string {
	const width = 120
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case column+1+n > width:
			b.WriteString("\n" + indent)
			column = len(indent)
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
	}
	return b.String()
}
