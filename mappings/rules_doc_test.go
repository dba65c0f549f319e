package mappings

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const rulesReference = "../docs/rules.md"

// TestRulesReference runs the examples of the reference and of the pages that show rules: each yaml document decides, line by
// line of the block after it, about the example call with some members changed. The table is made from the code; go test
// -update rewrites it.
func TestRulesReference(t *testing.T) {
	data, err := os.ReadFile(rulesReference)
	require.NoError(t, err)
	doc := section(string(data), "operators", operatorTable())
	if *update {
		require.NoError(t, os.WriteFile(rulesReference, []byte(doc), 0o644))
	} else {
		require.Equal(t, doc, string(data), "run go test ./mappings -update")
	}
	var example string
	for _, b := range fence.FindAllStringSubmatch(doc, -1) {
		if b[1] == "json call" {
			example = b[2]
		}
	}
	require.NotEmpty(t, example)
	decisions := 0
	for _, path := range []string{rulesReference, "../docs/phones/xarios.md"} {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		var rules *Rules
		for _, b := range fence.FindAllStringSubmatch(string(data), -1) {
			switch b[1] {
			case "yaml":
				rules = rulesOf(t, b[2])
			case "expect":
				for line := range strings.Lines(b[2]) {
					changes, want, ok := strings.Cut(strings.TrimSpace(line), " => ")
					require.True(t, ok, line)
					require.Equal(t, want, said(t, rules, example, changes), "%s: %s", path, line)
					decisions++
				}
			}
		}
	}
	require.Greater(t, decisions, 25)
}

// said is what rules say of the example call with some members changed.
func said(t *testing.T, rules *Rules, example, changes string) string {
	t.Helper()
	var call, change map[string]any
	require.NoError(t, json.Unmarshal([]byte(example), &call))
	require.NoError(t, json.Unmarshal([]byte(changes), &change), changes)
	maps.Copy(call, change)
	merged, err := json.Marshal(call)
	require.NoError(t, err)
	in := Input{Location: zone("Asia/Kolkata")}
	require.NoError(t, json.Unmarshal(merged, &in.Call))
	d, err := rules.Decide(in)
	require.NoError(t, err)
	return strings.TrimSpace(string(d.Action) + " " + d.Name)
}

func operatorTable() string {
	var b strings.Builder
	b.WriteString("\n| kind of field | operators | value |\n|---|---|---|\n")
	for _, k := range []struct {
		kind        RuleKind
		what, value string
	}{
		{KindText, "text", "a text; a list of texts for `one_of`, `none_of`"},
		{KindChoice, "one of a list of words: `direction`, `status`, `phase`, `agents[].status`, `recordings[].state`", "one of the words, or a list of them"},
		{KindNumber, "number: `talk_seconds`, `duration_seconds`, `prior_calls` …", "a number without quotes; durations are seconds"},
		{KindBool, "true or false: `first_call`, `own_number`, `stale`", "`true` or `false`"},
		{KindPhone, "phone number", "a [number](#phone-numbers), or a list of them"},
		{KindTime, "time", "[hours](#business-hours), or a moment"},
		{KindOpen, "the phone system’s own", "a text or a number"},
		{KindPresence, "group: `customer`, `agents`, `recordings`, `transcription` …", ""},
	} {
		f := RuleField{Kind: k.kind}
		names := make([]string, 0, 16)
		for _, o := range f.Operators() {
			names = append(names, "`"+string(o)+"`")
		}
		if many := (RuleField{Kind: k.kind, Many: true}); len(many.Operators()) > len(names) {
			names = slices.Insert(names, 4, "`all_of`")
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", k.what, strings.Join(names, " "), k.value)
	}
	return b.String() + "\n"
}
