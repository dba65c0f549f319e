package generic

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/generic/expression"
	"github.com/callsync/callsync/telephony/generic/genericfake"
	"github.com/callsync/callsync/telephony/telephonytest"
)

const guide = "../../docs/phones/generic.md"

var fence = regexp.MustCompile("(?ms)^```(\\w+(?: \\w+)?)\n(.*?)^```$")

// The guide shows what is true: its mappings are those that the tests run, its tables are made from the code, and its
// expressions give what it says. go test -update writes what is made.
func TestGuide(t *testing.T) {
	data, err := os.ReadFile(guide)
	require.NoError(t, err)
	made := string(data)
	for name, body := range map[string]string{
		"functions": functionTable(), "words": wordList(), "events": fieldList(events), "messages": fieldList(messages), "forms": fieldList(forms),
	} {
		made = between(t, made, "<!-- "+name+" -->", "<!-- /"+name+" -->", body)
	}
	made = between(t, made, "```yaml form\n", "```", genericfake.FormMapping)
	made = between(t, made, "```yaml json\n", "```", genericfake.JSONMapping)
	if flag.Lookup("update").Value.String() == "true" {
		require.NoError(t, os.WriteFile(guide, []byte(made), 0o644))
	} else {
		require.Equal(t, made, string(data), "run go test with -update")
	}

	var d *decoder
	mappings, expressions := 0, 0
	for _, b := range fence.FindAllStringSubmatch(made, -1) {
		switch b[1] {
		case "yaml", "yaml form", "yaml json":
			require.NoError(t, Check(map[string]string{settingMapping: b[2]}), b[2])
			mappings++
		case "json request":
			r := telephonytest.Post(t, "call", b[2])
			r.RawQuery = "branch=north"
			d, err = newDecoder(r, telephony.Settings{DefaultCountry: "US", OwnNumbers: []string{"(415) 555-0186"}, Location: time.UTC})
			require.NoError(t, err)
		case "expr":
			for line := range strings.Lines(b[2]) {
				source, want, ok := strings.Cut(strings.TrimSpace(line), " => ")
				require.True(t, ok, line)
				p, problems := language.Compile(source)
				require.Empty(t, problems, source)
				got, err := d.run.Eval(p)
				require.NoError(t, err, source)
				doc, err := json.Marshal(got)
				require.NoError(t, err)
				require.JSONEq(t, want, string(doc), source)
				expressions++
			}
		}
	}
	require.Equal(t, 3, mappings)
	require.Greater(t, expressions, 25)
	for _, f := range functions() {
		require.Contains(t, made[strings.Index(made, "```expr"):], f.Name+"(", "the guide shows %s", f.Name)
	}
	for _, f := range New().Info().Fields {
		require.Contains(t, made, "`"+f.Name+"`", "the guide names the setting")
	}
	for _, kind := range slices.Concat(events.kinds, messages.kinds) {
		require.Contains(t, made, "`"+kind+"`")
	}
}

func between(t *testing.T, doc, begin, end, body string) string {
	t.Helper()
	before, rest, ok := strings.Cut(doc, begin)
	require.True(t, ok, "the guide lacks %s", begin)
	_, after, ok := strings.Cut(rest, end)
	require.True(t, ok, "the guide lacks %s", end)
	return before + begin + body + end + after
}

func functionTable() string {
	var b strings.Builder
	b.WriteString("\n| function | gives |\n|---|---|\n")
	for _, f := range functions() {
		fmt.Fprintf(&b, "| `%s%s` | %s |\n", f.Name, f.Signature, f.Description)
	}
	return b.String()
}

func wordList() string {
	words := make([]string, 0, len(statuses))
	for w, s := range statuses {
		words = append(words, fmt.Sprintf("%s: `%s`", s, w))
	}
	slices.Sort(words)
	var b strings.Builder
	last := ""
	for _, w := range words {
		status, word, _ := strings.Cut(w, ": ")
		switch {
		case status != last && last != "":
			b.WriteString("; *" + status + "* " + word)
		case status != last:
			b.WriteString("*" + status + "* " + word)
		default:
			b.WriteString(" " + word)
		}
		last = status
	}
	return b.String()
}

func fieldList(s *subject) string {
	var b strings.Builder
	b.WriteByte('\n')
	line := ""
	for i, name := range s.names() {
		word := "`" + name + "`"
		if i > 0 {
			word = " " + word
		}
		if len(line)+len(word) > 116 {
			b.WriteString(line + "\n")
			line, word = "", strings.TrimSpace(word)
		}
		line += word
	}
	b.WriteString(line + "\n")
	return b.String()
}

func TestEveryFieldCanBeFilled(t *testing.T) {
	t.Parallel()
	// A value for each kind of field; the fields that take another are below.
	value := map[string]any{
		"direction": "in", "status": "busy", "first_call": "yes", "media": []any{"u"}, "lead_fields": map[string]any{"a": "b"}, "scores": map[string]any{"a": "b"},
		"custom_data": map[string]any{"a": "b"}, "attributes": map[string]any{"a": "b"}, "fields": map[string]any{"a": "b"}, "attribution.utm": map[string]any{"utm_source": "b"},
		"agents": []any{map[string]any{"name": "a"}}, "recordings": map[string]any{"url": "a"}, "agents[0].status": "missed", "recordings[0].state": "done",
	}
	for _, s := range []*subject{events, messages, forms} {
		for _, name := range s.names() {
			name = strings.Replace(name, "…", "x", 1)
			v, ok := value[name]
			if !ok {
				v = "7"
				if strings.HasSuffix(name, "_at") {
					v = "2026-03-01T10:00:00Z"
				}
			}
			set, ok := s.setter(name)
			require.True(t, ok, name)
			kind := s.kinds[len(s.kinds)-1]
			d, err := newDecoder(telephonytest.Post(t, "", `{"id":"1"}`), telephony.Settings{})
			require.NoError(t, err)
			r := rule{subject: s, kind: choice{word: kind}, id: expression.At(expression.Path{"id"}), rows: []row{{name, set, expression.Constant(v)}}}
			e, err := d.event(&r)
			require.NoError(t, err)
			require.NotContains(t, e.Facts.Attributes, NoteAttribute, name)
			if name == "value.currency" || name == "cost.unit" || name == "agents[0].status" {
				continue // Without an amount or a name they say nothing.
			}
			bare, err := d.event(&rule{subject: s, kind: choice{word: kind}, id: r.id})
			require.NoError(t, err)
			require.NotEqual(t, bare, e, "%s changes nothing", name)
		}
	}
}
