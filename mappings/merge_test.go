package mappings_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// plainly compares as a CRM that stores what it gets.
func plainly(_ string, ours, read any) bool {
	a, b := fmt.Sprint(ours), fmt.Sprint(read)
	if ours == nil {
		a = ""
	}
	if read == nil {
		b = ""
	}
	return a == b
}

// text is one text field of a merge with this mode.
func text(mode mappings.Mode, wanted any, base records.Base) mappings.Merge {
	return mappings.Merge{Wanted: map[string]any{"f": wanted}, Shapes: map[string]mappings.Shape{"f": {Mode: mode, Type: mappings.Text}},
		Base: base, Same: plainly, At: noon}
}

func written(v any) records.Base { return records.Base{Written: map[string]any{"f": v}} }

// do merges as a delivery does: it reads only if it must.
func do(m mappings.Merge, now any) mappings.Merged {
	read := m.Reads()
	if len(read) == 0 {
		return m.Do(nil, nil)
	}
	return m.Do(read, map[string]any{"f": now})
}

func TestMerge(t *testing.T) {
	t.Parallel()
	const ours, theirs, want = "ours", "theirs", "wanted"
	none := records.Base{}
	for _, c := range []struct {
		name        string
		mode        mappings.Mode
		base        records.Base
		now, wanted any
		// write is what is sent; "-" for nothing. cause is why theirs is kept.
		write any
		cause string
	}{
		{"ours is replaced", mappings.Overwrite, written(ours), ours, want, want, ""},
		{"a human's stays", mappings.Overwrite, written(ours), theirs, want, "-", records.KeptEdited},
		{"a human agrees", mappings.Overwrite, written(ours), want, want, "-", ""},
		{"a human cleared it", mappings.Overwrite, written(ours), nil, want, "-", records.KeptCleared},
		{"nothing changes", mappings.Overwrite, written(want), theirs, want, "-", ""},
		{"never written, empty", mappings.Overwrite, none, nil, want, want, ""},
		{"never written, filled", mappings.Overwrite, none, theirs, want, "-", records.KeptEdited},
		{"cleared by us, filled by a human", mappings.Overwrite, written(nil), theirs, want, "-", records.KeptEdited},
		{"cleared by us, still empty", mappings.Overwrite, written(nil), nil, want, want, ""},
		{"ours is cleared", mappings.Overwrite, written(ours), ours, nil, nil, ""},
		{"a human's is not cleared", mappings.Overwrite, written(ours), theirs, nil, "-", records.KeptEdited},
		{"an answer was lost", mappings.Overwrite, records.Base{Written: map[string]any{"f": ours}, Sent: map[string][]any{"f": {"sent"}}}, "sent", want, want, ""},
		{"an answer was lost and nothing was stored", mappings.Overwrite, records.Base{Written: map[string]any{"f": ours}, Sent: map[string][]any{"f": {"sent"}}}, ours, want, want, ""},
		{"a create's answer was lost", mappings.Overwrite, records.Base{Sent: map[string][]any{"f": {"sent"}}}, "sent", want, want, ""},
		{"the CRM cut it", mappings.Overwrite, records.Base{Written: map[string]any{"f": ours}, Shown: map[string]any{"f": "ou…"}}, "ou…", want, want, ""},
		{"the CRM cut it, then a human wrote", mappings.Overwrite, records.Base{Written: map[string]any{"f": ours}, Shown: map[string]any{"f": "ou…"}}, "ou", want, "-", records.KeptEdited},

		{"always ours", mappings.Always, written(ours), theirs, want, want, ""},
		{"always ours, unchanged", mappings.Always, written(want), theirs, want, "-", ""},

		{"fill an empty one", mappings.FillIfEmpty, none, nil, want, want, ""},
		{"fill one of spaces", mappings.FillIfEmpty, none, "  ", want, want, ""},
		{"do not fill a filled one", mappings.FillIfEmpty, none, theirs, want, "-", records.KeptFilled},
		{"fill once", mappings.FillIfEmpty, written(ours), ours, want, "-", ""},
		{"fill once, though it was cleared", mappings.FillIfEmpty, written(ours), nil, want, "-", ""},
		{"never clear", mappings.FillIfEmpty, written(ours), ours, nil, "-", ""},
		{"a fill whose answer was lost", mappings.FillIfEmpty, records.Base{Sent: map[string][]any{"f": {ours}}}, ours, want, "-", ""},

		{"append to nothing", mappings.Append, none, nil, want, want, ""},
		{"append below theirs", mappings.Append, none, theirs, want, "theirs\n\nwanted", ""},
		{"replace our block", mappings.Append, written(ours), "theirs\n\nours", want, "theirs\n\nwanted", ""},
		{"replace our block in the middle", mappings.Append, written(ours), "a\nours\nb", want, "a\nwanted\nb", ""},
		{"our block was changed", mappings.Append, written(ours), "theirs\n\nours, changed", want, "-", records.KeptEdited},
		{"our block was removed", mappings.Append, written(ours), theirs, want, "-", records.KeptEdited},
		{"all was removed", mappings.Append, written(ours), "", want, "-", records.KeptCleared},
		{"never twice", mappings.Append, written(ours), "theirs\n\nwanted", want, "-", ""},
		{"never twice after a crash", mappings.Append, records.Base{Written: map[string]any{"f": "a"}, Sent: map[string][]any{"f": {"a\nb"}}}, "x\n\na\nb", "a\nb", "-", ""},
		{"the block grew and the answer was lost", mappings.Append, records.Base{Written: map[string]any{"f": "a"}, Sent: map[string][]any{"f": {"a\nb"}}}, "x\n\na\nb", "a\nb\nc", "x\n\na\nb\nc", ""},
		{"the block shrinks", mappings.Append, written("a\nb"), "x\n\na\nb", "a", "x\n\na", ""},
		{"a word is no block", mappings.Append, written("our"), "it is our day", want, "-", records.KeptEdited},
		{"take the block away", mappings.Append, written(ours), "theirs\n\nours\nmore", nil, "theirs\nmore", ""},
		{"take the only block away", mappings.Append, written(ours), ours, nil, nil, ""},
		{"the block in the CRM's spelling", mappings.Append, records.Base{Written: map[string]any{"f": ours}, Shown: map[string]any{"f": "<p>ours</p>"}}, "x\n<p>ours</p>", want, "x\nwanted", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := text(c.mode, c.wanted, c.base)
			out := do(m, c.now)
			if c.write == "-" {
				require.Empty(t, out.Write)
			} else {
				require.Equal(t, map[string]any{"f": c.write}, out.Write)
				require.NotEmpty(t, out.Sent["f"])
			}
			require.Equal(t, c.cause, out.Kept["f"].Cause)
			if c.cause != "" {
				require.NotContains(t, out.Written, "f", "what was not written is not ours")
				again := m
				again.Base.Kept = out.Kept
				again.Base.Sent = nil
				require.Empty(t, again.Reads(), "the same wish is not asked of the CRM twice")
				require.Equal(t, []string{"f"}, again.ReadsKept())
			}
		})
	}
}

func TestMergeOfLists(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name              string
		written, shown    []string
		now               any
		wanted            []string
		write, ours, kept any
	}{
		{"add to theirs", nil, nil, []any{"theirs"}, []string{"a", "b"}, []string{"theirs", "a", "b"}, []string(nil), false},
		{"theirs had one of them", nil, nil, "theirs;a", []string{"a", "b"}, []string{"theirs", "a", "b"}, []string{"b"}, false},
		{"take ours away", []string{"a", "b"}, nil, "theirs;a;b", []string{"b"}, []string{"theirs", "b"}, []string(nil), false},
		{"theirs is not taken away", []string{"a", "b"}, []string{"b"}, "a;b", []string{"c"}, []string{"a", "c"}, []string(nil), false},
		{"what they removed stays away", []string{"a", "b"}, nil, "b", []string{"a", "b", "c"}, []string{"b", "c"}, []string{"b", "c", "a"}, true},
		{"the order is theirs", []string{"a", "b"}, nil, "b;a", []string{"a", "b", "c"}, []string{"b", "a", "c"}, []string(nil), false},
		{"all go", []string{"a"}, nil, []any{"a"}, nil, nil, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			base := records.Base{}
			if c.written != nil {
				base.Written = map[string]any{"f": c.written}
			}
			if c.shown != nil {
				base.Shown = map[string]any{"f": c.shown}
			}
			m := text(mappings.Append, nil, base)
			if c.wanted != nil {
				m.Wanted["f"] = c.wanted
			}
			m.Shapes["f"] = mappings.Shape{Mode: mappings.Append, Type: mappings.Multi}
			out := do(m, c.now)
			require.Equal(t, map[string]any{"f": c.write}, out.Write)
			if want, ok := c.ours.([]string); ok && want != nil {
				require.Equal(t, want, out.Shown["f"])
			}
			require.Equal(t, c.kept, out.Kept["f"].Conflict())
		})
	}
}

// What is appended is cut where the field is full; what others wrote never is.
func TestMergeKeepsToTheFieldsLength(t *testing.T) {
	t.Parallel()
	theirs := strings.Repeat("t", 300)
	m := text(mappings.Append, strings.Repeat("w", 100), records.Base{})
	m.MaxText = func(string) int { return 350 }
	out := do(m, theirs)
	sent := out.Write["f"].(string)
	require.True(t, strings.HasPrefix(sent, theirs+"\n\nwww"))
	require.Len(t, []rune(sent), 350)
	require.NotEmpty(t, out.Warnings)
	require.Equal(t, strings.Repeat("w", 100), out.Written["f"])
	require.Equal(t, strings.TrimPrefix(sent, theirs+"\n\n"), out.Shown["f"], "the part that is there is found again")

	m.MaxText = func(string) int { return 310 }
	out = do(m, theirs)
	require.Empty(t, out.Write)
	require.Equal(t, records.KeptFull, out.Kept["f"].Cause)
	require.True(t, out.Kept["f"].Conflict())
}

func TestMergeTakesOursOnce(t *testing.T) {
	t.Parallel()
	first := do(text(mappings.Overwrite, "wanted", written("ours")), "theirs")
	base := written("ours")
	base.Kept = first.Kept
	base.Overruled = map[string]string{"f": first.Kept["f"].TheirsHash}
	m := text(mappings.Overwrite, "wanted", base)
	require.Equal(t, []string{"f"}, m.Reads())
	out := do(m, "theirs")
	require.Equal(t, map[string]any{"f": "wanted"}, out.Write)
	require.Equal(t, records.ResolvedOurs, out.Kept["f"].Resolution)
	require.Equal(t, []string{"f"}, out.Settled, "once")

	out = do(m, "another edit, made after they looked")
	require.Empty(t, out.Write)
	require.True(t, out.Kept["f"].Conflict())
	require.Equal(t, "another edit, made after they looked", out.Kept["f"].Theirs)
	require.Equal(t, []string{"f"}, out.Settled)
}

func TestMergeResolves(t *testing.T) {
	t.Parallel()
	kept := do(text(mappings.Overwrite, "wanted", written("ours")), "theirs").Kept
	for _, c := range []struct{ wanted, now, how string }{
		{"wanted", "wanted", records.ResolvedSame}, {"wanted", "ours", records.ResolvedReverted}, {"ours", "theirs", records.ResolvedWithdrawn},
	} {
		base := written("ours")
		base.Kept = kept
		m := text(mappings.Overwrite, c.wanted, base)
		var out mappings.Merged
		if c.how == records.ResolvedWithdrawn {
			require.Empty(t, m.Reads())
			out = m.Do(nil, nil)
		} else {
			out = m.Do(m.ReadsKept(), map[string]any{"f": c.now})
		}
		require.Equal(t, c.how, out.Kept["f"].Resolution)
		require.False(t, out.Kept["f"].Open())
	}
	gone := text(mappings.Overwrite, nil, records.Base{Kept: kept})
	delete(gone.Wanted, "f")
	require.Equal(t, records.ResolvedWithdrawn, gone.Do(nil, nil).Kept["f"].Resolution)
}

// field is a field of a CRM, with the truth that the merge does not know: what of it people wrote.
type field struct {
	value any
	// human is what a person put there last, and it still stands.
	human string
}

// life is one field between callsync and people, through crashes, lost answers and a CRM that spells things its own way.
type life struct {
	t     *rapid.T
	mode  mappings.Mode
	shape mappings.Shape
	crm   field
	base  records.Base
	// edits counts people's edits, so that each is another text.
	edits  int
	wanted any
	spells bool
}

// stored is what the CRM makes of a text.
func (l *life) stored(v any) any {
	s, ok := v.(string)
	if !ok || s == "" {
		return nil
	}
	if l.spells {
		s = strings.ReplaceAll(s, "our", "OUR")
	}
	return s
}

func throughJSON[T any](v T) (out T) {
	data, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(data, &out)
	}
	if err != nil {
		panic(err)
	}
	return out
}

// deliver is one delivery that may die before its write, lose the write's answer, or not be recorded.
func (l *life) deliver(dies string) {
	m := mappings.Merge{Wanted: map[string]any{"f": l.wanted}, Shapes: map[string]mappings.Shape{"f": l.shape}, Base: l.base, Same: plainly, At: noon}
	read := m.Reads()
	out := m.Do(read, map[string]any{"f": l.crm.value})
	require.Equal(l.t, out, m.Do(read, map[string]any{"f": l.crm.value}), "the same versions give the same outcome")
	if l.base.Sent == nil {
		l.base.Sent = map[string][]any{}
	}
	for f, v := range out.Sent {
		l.base.Sent[f] = throughJSON(v)
	}
	if dies == "before" {
		return
	}
	if v, ok := out.Write["f"]; ok {
		l.checkWrite(v)
		l.crm.value = l.stored(v)
		if l.mode != mappings.Append {
			l.crm.human = ""
		}
	}
	if dies == "after" {
		return
	}
	if l.spells {
		out.Answered(map[string]any{"f": l.crm.value}, plainly)
	}
	for f, v := range out.Written {
		if l.base.Written == nil {
			l.base.Written = map[string]any{}
		}
		l.base.Written[f] = throughJSON[any](v)
		delete(l.base.Shown, f)
	}
	for f, v := range out.Shown {
		if l.base.Shown == nil {
			l.base.Shown = map[string]any{}
		}
		l.base.Shown[f] = throughJSON[any](v)
	}
	if l.mode == mappings.Overwrite && plainly("f", l.wanted, l.crm.value) {
		l.crm.human = "" // the two agree
	}
	l.base.Kept = throughJSON(out.Kept)
	for _, f := range out.Settled {
		delete(l.base.Sent, f)
		delete(l.base.Overruled, f)
	}
	again := m
	again.Base = l.base
	if reads := again.Reads(); len(reads) > 0 {
		l.t.Fatalf("a delivery that was recorded leaves nothing to read: %+v", l.base)
	}
	require.Empty(l.t, again.Do(nil, nil).Write, "a second delivery writes nothing")
}

// checkWrite fails if a write takes away what a person wrote.
func (l *life) checkWrite(v any) {
	switch {
	case l.crm.human == "" && l.mode != mappings.FillIfEmpty:
	case l.mode == mappings.Append:
		s, _ := v.(string)
		require.Contains(l.t, s, l.crm.human, "what a person wrote is gone")
	case l.mode == mappings.FillIfEmpty:
		require.Nil(l.t, l.crm.value, "something was there")
	default:
		l.t.Fatalf("a person's %q was overwritten with %v; base %+v", l.crm.human, v, l.base)
	}
	if s, ok := v.(string); ok && l.wanted != nil && l.mode == mappings.Append {
		require.Equal(l.t, 1, strings.Count(s, l.wanted.(string)), "our block is there once: %q", s)
	}
}

// human is what a person does in the CRM.
func (l *life) person(what string) {
	l.edits++
	have, _ := l.crm.value.(string)
	switch what {
	case "replaces":
		l.crm.human = fmt.Sprintf("human%d.", l.edits)
		l.crm.value = l.crm.human
	case "clears":
		cleared := l.mode == mappings.Overwrite && have != "" && l.crm.human == "" && l.base.Written["f"] != nil &&
			!slices.Contains(l.base.Sent["f"], nil) // which callsync wanted, too
		l.crm.value, l.crm.human = nil, ""
		if cleared {
			l.crm.human = "(cleared)"
		}
	case "adds below", "adds above":
		l.crm.human = fmt.Sprintf("human%d.", l.edits)
		if what == "adds below" {
			l.crm.value = strings.TrimLeft(have+"\n"+l.crm.human, "\n")
		} else {
			l.crm.value = strings.TrimRight(l.crm.human+"\n"+have, "\n")
		}
	}
}

// Whatever people and crashes do between our writes: no edit is lost, nothing is appended twice, what changes nothing
// writes nothing, and where nobody interferes the CRM has in the end what the mapping wants.
func TestMergeUnderAnyInterleaving(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := &life{t: t, mode: rapid.SampledFrom([]mappings.Mode{mappings.Overwrite, mappings.Append, mappings.FillIfEmpty}).Draw(t, "mode"), spells: rapid.Bool().Draw(t, "spells")}
		l.shape = mappings.Shape{Mode: l.mode, Type: mappings.Text}
		disturbed := false
		for i := range rapid.IntRange(1, 14).Draw(t, "steps") {
			switch step := rapid.SampledFrom([]string{"update", "update", "crash before", "crash after", "replaces", "clears", "adds below", "adds above"}).Draw(t, "step"); step {
			case "update", "crash before", "crash after":
				l.wanted = fmt.Sprintf("our%d;", i)
				if rapid.IntRange(0, 5).Draw(t, "clear") == 0 {
					l.wanted = nil
				}
				dies := strings.TrimPrefix(step, "crash ")
				// A CRM that spells otherwise and whose answer is lost cannot be told from a person: the edit is kept then,
				// which loses nothing.
				disturbed = disturbed || l.spells && dies == "after"
				l.deliver(dies)
			default:
				disturbed = true
				l.person(step)
			}
		}
		l.deliver("")
		if !disturbed && l.mode == mappings.Overwrite {
			require.Equal(t, l.stored(l.wanted), l.crm.value)
			require.False(t, l.base.Kept["f"].Open())
		}
		if !disturbed && l.mode == mappings.Append {
			require.True(t, slices.Contains([]any{l.stored(l.wanted)}, l.crm.value), "%v %v", l.wanted, l.crm.value)
		}
	})
}
