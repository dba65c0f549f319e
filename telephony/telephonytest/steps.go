package telephonytest

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/telephony"
)

// checkSteps checks that who follows the steps pastes every hook URL, and does not have calls twice in the end.
func checkSteps(t *testing.T, p telephony.Provider) {
	info := p.Info()
	require.NotEmpty(t, info.Steps)
	require.Equal(t, telephony.Setup(info.Steps), info.Setup)
	hooks := map[string]bool{}
	for _, h := range info.Hooks {
		hooks[h.Event] = true
	}
	if len(hooks) == 0 {
		hooks[""] = true
	}
	pasted, required := map[string]bool{}, false
	for _, s := range info.Steps {
		require.NotEmpty(t, s.Title)
		require.NotEmpty(t, s.Text, s.Title)
		require.NotRegexp(t, `[.!]$`, s.Title, "it is a title")
		for _, u := range s.URLs {
			require.True(t, hooks[u.Event], "%s: no hook %q", s.Title, u.Event)
			require.NotEmpty(t, u.Field, u.Event)
			require.NotEqual(t, telephony.Need(""), u.Need, u.Event)
			pasted[u.Event], required = true, required || u.Need == telephony.Required
		}
	}
	require.Equal(t, hooks, pasted, "every hook URL has its place")
	require.True(t, required, "at least one URL is needed")
	require.Regexp(t, regexp.MustCompile(`(?i)switch off .* own CRM logging`), info.Setup, "else calls are there twice")

	events := map[string]bool{}
	for i, tr := range info.Triggers {
		require.Regexp(t, `^[a-z][a-z0-9-]*$`, tr.Event)
		require.False(t, events[tr.Event], "trigger %s twice", tr.Event)
		events[tr.Event] = true
		require.NotEmpty(t, tr.Label)
		require.NotEmpty(t, tr.Story, tr.Event)
		require.True(t, hooks[tr.Hook], "%s: no hook %q", tr.Event, tr.Hook)
		require.NotNil(t, tr.Kinds, "an empty list is one")
		if tr.VariantOf != "" {
			of, ok := info.Trigger(tr.VariantOf)
			require.True(t, ok && of.VariantOf == "" && of.Hook == tr.Hook, "%s is a variant of %q", tr.Event, tr.VariantOf)
			continue
		}
		for _, other := range info.Triggers[:i] {
			if other.Hook != tr.Hook || other.VariantOf != "" {
				continue
			}
			for _, k := range tr.Kinds {
				require.NotContains(t, other.Kinds, k, "%s and %s share a URL and look alike", tr.Event, other.Event)
			}
		}
	}
	for hook := range hooks {
		if len(info.Triggers) > 0 {
			found := false
			for _, tr := range info.Triggers {
				found = found || tr.Hook == hook
			}
			require.True(t, found, "nothing is sent to %q", hook)
		}
	}
}
