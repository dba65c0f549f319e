package generic

import (
	"encoding/json"
	"fmt"
	"html"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode"

	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/generic/expression"
)

// Limits of an answer.
const (
	maxReply = 4 << 10
	maxValue = 1 << 10
)

// template is the text of an answer with expressions in it.
type template struct {
	parts    []part
	problems telephony.ConfigProblems
}

type part struct {
	text string
	expr *expression.Program
}

// compileTemplate reads "…{{ expression }}…".
func compileTemplate(text string) *template {
	t := &template{}
	fail := func(format string, args ...any) {
		t.problems = append(t.problems, telephony.ConfigProblem{Setting: settingReplyBody, Text: fmt.Sprintf(format, args...)})
	}
	if len(text) > maxReply {
		fail("The answer has %d bytes; %d is the most.", len(text), maxReply)
		return t
	}
	for text != "" {
		before, rest, found := strings.Cut(text, "{{")
		t.parts = append(t.parts, part{text: before})
		if !found {
			break
		}
		source, after, found := strings.Cut(rest, "}}")
		if !found {
			fail("{{ has no }}.")
			return t
		}
		p, problems := language.Compile(source)
		for _, problem := range problems {
			fail("%s", problem.Text)
		}
		t.parts = append(t.parts, part{expr: p})
		text = after
	}
	return t
}

// dynamic tells whether the answer depends on the request.
func (t *template) dynamic() bool {
	for _, p := range t.parts {
		if p.expr != nil {
			return true
		}
	}
	return false
}

// render fills the answer. What cannot be read is left out: the request is stored, and that is what the answer says.
func (t *template) render(r telephony.Request, s telephony.Settings, contentType string) string {
	var b strings.Builder
	var run *expression.Run
	if t.dynamic() {
		if d, err := newDecoder(r, s); err == nil {
			run = d.run
		}
	}
	for _, p := range t.parts {
		if p.expr == nil {
			b.WriteString(p.text)
			continue
		}
		if run == nil {
			continue
		}
		v, err := run.Eval(p.expr)
		if err != nil {
			continue
		}
		if text, ok := expression.Text(v); ok && len(text) <= maxValue {
			b.WriteString(escape(text, contentType))
		}
	}
	return b.String()
}

// escape makes a stranger's text harmless in an answer of a content type: it may stand in JSON's quotes, and is no markup.
func escape(s, contentType string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, telephony.CleanText(s))
	switch kind, _, _ := mime.ParseMediaType(contentType); {
	case kind == "application/json" || strings.HasSuffix(kind, "+json"):
		quoted, err := json.Marshal(s)
		if err != nil || len(quoted) < 2 {
			return ""
		}
		return string(quoted[1 : len(quoted)-1])
	case kind == "text/plain":
		return s
	}
	return html.EscapeString(s)
}

// replySettings are the settings of the answer.
func replySettings(config map[string]string) (status int, contentType, body string, problems telephony.ConfigProblems) {
	fail := func(setting, text string) {
		problems = append(problems, telephony.ConfigProblem{Setting: setting, Text: text})
	}
	status = http.StatusOK
	if s := strings.TrimSpace(config[settingReplyStatus]); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 200 || n > 299 {
			fail(settingReplyStatus, "The status is one of success, 200 to 299: the request has been stored.")
		} else {
			status = n
		}
	}
	body = config[settingReplyBody]
	contentType = strings.TrimSpace(config[settingReplyContentType])
	switch _, _, err := mime.ParseMediaType(contentType); {
	case contentType == "" && body != "":
		contentType = "text/plain; charset=utf-8"
	case contentType != "" && (err != nil || !strings.Contains(contentType, "/") || strings.ContainsFunc(contentType, unicode.IsControl)):
		fail(settingReplyContentType, "This is no content type such as application/json.")
		contentType = "text/plain; charset=utf-8"
	}
	if body != "" && (status == http.StatusNoContent || status == http.StatusResetContent) {
		fail(settingReplyBody, "An answer with this status has no body.")
		body = ""
	}
	return status, contentType, body, problems
}
