package telephonytest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// covered is what the cases show of a trigger.
type covered struct {
	kinds, files []string
	// late says of each artifact what requests of the trigger bring or say of it.
	late map[call.Artifact][]string
}

// checkPage checks that a case shows every trigger, and writes down what the cases and the dictionary say.
func (k Kit) checkPage(t *testing.T) {
	info := k.Provider.Info()
	triggers := info.Triggers
	if len(triggers) == 0 {
		triggers = []telephony.Trigger{{Label: "any request"}}
	}
	shown := k.coverage(t, triggers)
	var b strings.Builder
	fmt.Fprintf(&b, "# %s: triggers and variables\n\nMade by `go test ./telephony/%s -update` from what the tests check. What it means for you is in [%s.md](%s.md).\n", info.Label, info.ID, info.ID, info.ID)
	b.WriteString("\n## Triggers\n\n| trigger | read as | golden files | recording | transcription | disposition | details |\n|---|---|---|---|---|---|---|\n")
	for _, trigger := range triggers {
		c := shown[trigger.Event]
		if len(trigger.Kinds) > 0 || len(info.Triggers) == 0 {
			require.NotEmpty(t, c.files, "no case shows the trigger %s", trigger.Event)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |", trigger.Label, or(code(c.kinds), "nothing"), or(strings.Join(c.files, ", "), "none"))
		for _, a := range []call.Artifact{call.ArtifactRecording, call.ArtifactTranscription, call.ArtifactDisposition, call.ArtifactDetails} {
			fmt.Fprintf(&b, " %s |", strings.Join(c.late[a], ", "))
		}
		b.WriteByte('\n')
	}
	b.WriteString(`
The last four columns say what a request of the trigger brings of an artifact (*here*), or what it says of one that it does not
bring: it was announced, it can still come, or it cannot (*never*). Details are tags, note, value and scores. Every golden
file is a seed of the fuzz test, too.
`)
	if len(k.Dictionary.Variables) > 0 {
		k.variables(&b, info)
	}
	compare(t, page(info.ID+"-fields.md"), b.String())
}

func (k Kit) variables(b *strings.Builder, info telephony.Info) {
	var names, extra []string
	for _, v := range k.Dictionary.Variables {
		list := &names
		if v.Extra {
			list = &extra
		}
		if name := listed(v.Name); !slices.Contains(*list, name) {
			*list = append(*list, name)
		}
	}
	extra = slices.DeleteFunc(extra, func(name string) bool { return slices.Contains(names, name) })
	fmt.Fprintf(b, "\n## Variables\n\nAll %d variables of the vendor's page and %d that are sent besides, each sent in every encoding and found in its place.\n", len(names), len(extra))
	b.WriteString("\n| variable | triggers | in callsync | |\n|---|---|---|---|\n")
	for _, v := range k.Dictionary.Variables {
		note := v.Note
		if v.Extra {
			note = strings.TrimSuffix("not on the vendor's page; "+note, "; ")
		}
		place := "nowhere"
		if v.Field != "" {
			place = "`" + listed(v.Field) + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", listed(v.Name), sentWith(info, v.Triggers), place, note)
	}
}

// listed is a path without the first place of a list: it stands for all of them.
func listed(path string) string { return strings.ReplaceAll(path, "[0]", "[]") }

// sentWith names triggers, or those that are missing where that is shorter.
func sentWith(info telephony.Info, triggers []string) string {
	var without []string
	for _, t := range info.Triggers {
		if t.VariantOf == "" && len(t.Kinds) > 0 && !slices.Contains(triggers, t.Event) {
			without = append(without, t.Event)
		}
	}
	switch {
	case len(without) == 0:
		return "all"
	case len(without) < len(triggers)/2:
		return "all but " + code(without)
	}
	return code(triggers)
}

func code(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = "`" + w + "`"
	}
	return strings.Join(out, ", ")
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// coverage finds the trigger of each case: the one it names, else the one of its URL that is read as its events are.
func (k Kit) coverage(t *testing.T, triggers []telephony.Trigger) map[string]covered {
	out := map[string]covered{}
	for _, c := range k.Cases {
		events := decode(t, k.Provider, c.Request, k.settings(c)).Events
		name, ok := c.Trigger, c.Trigger != ""
		for _, trigger := range triggers {
			if !ok && len(events) > 0 && trigger.VariantOf == "" && trigger.Hook == c.Request.Event &&
				(trigger.Event == "" || slices.Contains(trigger.Kinds, events[0].Kind)) {
				name, ok = trigger.Event, true
			}
		}
		if !ok {
			continue
		}
		require.True(t, slices.ContainsFunc(triggers, func(x telephony.Trigger) bool { return x.Event == name }), "%s: no trigger %s", c.Name, name)
		shown := out[name]
		if shown.late == nil {
			shown.late = map[call.Artifact][]string{}
		}
		shown.files = append(shown.files, c.Name)
		for _, e := range events {
			shown.kinds = add(shown.kinds, string(e.Kind))
			if e.Message != nil || e.Form != nil {
				continue
			}
			for a, word := range outlooks(e) {
				shown.late[a] = add(shown.late[a], word)
			}
		}
		out[name] = shown
	}
	for _, shown := range out {
		slices.Sort(shown.kinds)
		for a := range maps.Keys(shown.late) {
			slices.Sort(shown.late[a])
		}
	}
	return out
}

func add(list []string, word string) []string {
	if slices.Contains(list, word) {
		return list
	}
	return append(list, word)
}

// outlooks says of each artifact what an event brings or says of it.
func outlooks(e call.Event) map[call.Artifact]string {
	words := map[call.Outlook]string{call.Announced: "announced", call.Possible: "can come", call.Never: "never", "": "can come"}
	out := map[call.Artifact]string{}
	here := artifacts(e.Facts)
	for _, a := range []call.Artifact{call.ArtifactRecording, call.ArtifactTranscription, call.ArtifactDisposition, call.ArtifactDetails} {
		out[a] = words[e.Outlook[a]]
		if slices.Contains(here, a) {
			out[a] = "here"
		}
	}
	return out
}
