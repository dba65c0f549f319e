package admin

import (
	"html/template"
	"regexp"
	"strings"
)

var (
	mdCode  = regexp.MustCompile("`([^`]+)`")
	mdBold  = regexp.MustCompile(`\*\*([^*]+)\*\*`)
	mdWord  = regexp.MustCompile(`\*([^*\s][^*]*)\*`)
	mdLink  = regexp.MustCompile(`\[([^\]]+)\]\((https://[^\s)]+)\)`)
	mdItem  = regexp.MustCompile(`^(?:[-*]|\d+\.)\s+`)
	mdOrder = regexp.MustCompile(`^\d+\.\s+`)
)

// markdown renders the setup texts of our own packages: headings, paragraphs, lists, code, bold, italics and https links. Whatever
// it does not know stays text; everything is escaped first.
func markdown(text string) template.HTML {
	var b strings.Builder
	list := "" // the open list's tag
	var paragraph []string
	flush := func() {
		if len(paragraph) > 0 {
			b.WriteString("<p>" + mdInline(strings.Join(paragraph, " ")) + "</p>\n")
			paragraph = nil
		}
	}
	closeList := func() {
		if list != "" {
			b.WriteString("</li></" + list + ">\n")
			list = ""
		}
	}
	for line := range strings.Lines(text) {
		indented := strings.HasPrefix(line, "  ")
		line = strings.TrimSpace(line)
		switch {
		case line == "":
			flush()
		case strings.HasPrefix(line, "#"):
			flush()
			closeList()
			b.WriteString("<h3>" + mdInline(strings.TrimLeft(line, "# ")) + "</h3>\n")
		case mdItem.MatchString(line):
			flush()
			tag := "ul"
			if mdOrder.MatchString(line) {
				tag = "ol"
			}
			if list == tag {
				b.WriteString("</li>\n<li>")
			} else {
				closeList()
				list = tag
				b.WriteString("<" + tag + ">\n<li>")
			}
			b.WriteString(mdInline(mdItem.ReplaceAllString(line, "")))
		case list != "" && indented:
			b.WriteString(" " + mdInline(line))
		default:
			closeList()
			paragraph = append(paragraph, line)
		}
	}
	flush()
	closeList()
	return template.HTML(b.String()) //nolint:gosec // every piece of text went through HTMLEscapeString in mdInline
}

func mdInline(s string) string {
	s = template.HTMLEscapeString(s)
	s = mdCode.ReplaceAllString(s, "<code>$1</code>")
	s = mdBold.ReplaceAllString(s, "<b>$1</b>")
	s = mdWord.ReplaceAllString(s, "<i>$1</i>")
	return mdLink.ReplaceAllString(s, `<a href="$2" rel="noreferrer">$1</a>`)
}
