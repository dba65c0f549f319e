package mappings

import (
	"slices"
	"strings"

	"github.com/callsync/callsync/records"
)

// The separators between what others wrote and what callsync appends.
const (
	textBreak = "\n\n"
	htmlBreak = "<br><br>"
)

// appendText puts our block of text below what is there, once. Where the block was written before and is still there as it
// was, it is replaced where it stands; where somebody changed or removed it, it is left alone.
func (m Merge) appendText(out *Merged, f string, now any) {
	want, _ := m.Wanted[f].(string)
	have, isText := now.(string)
	if now != nil && !isText {
		// The CRM has no text there: there is nothing to append to.
		m.overwrite(out, f, now)
		return
	}
	from, to, what := m.block(f, have, want)
	found := what != notThere
	switch {
	case what == wantedBlock:
		m.have(out, f, want, nil)
		m.resolve(out, f, records.ResolvedSame)
	case what == writtenBlock && !m.changed(f):
		m.have(out, f, want, m.Base.Shown[f])
		m.resolve(out, f, records.ResolvedSame)
	case want == "" && !found:
		m.have(out, f, nil, nil)
		m.resolve(out, f, records.ResolvedWithdrawn)
	case found:
		before, after := have[:from], have[to:]
		if want == "" {
			before = strings.TrimSuffix(strings.TrimRight(before, "\r\n"), htmlBreak)
			if before == "" {
				after = strings.TrimPrefix(strings.TrimLeft(after, "\r\n"), htmlBreak)
			}
		}
		m.resolve(out, f, records.ResolvedReverted)
		m.sendBlock(out, f, now, before, want, after)
	case m.Base.Written[f] == nil || m.overruled(f, now) || vacant(now) && slices.Contains(m.Base.Sent[f], nil):
		// Nothing of ours is there, because nothing was written or our own block was taken away.
		m.resolve(out, f, records.ResolvedOurs)
		if strings.TrimSpace(have) == "" {
			have = ""
		} else {
			have = strings.TrimRight(have, " \r\n") + m.separator(f)
		}
		m.sendBlock(out, f, now, have, want, "")
	default:
		m.keep(out, f, now, edited(now))
	}
}

func (m Merge) separator(f string) string {
	if m.Shapes[f].Type == HTML {
		return htmlBreak
	}
	return textBreak
}

// sendBlock writes before + want + after. If that is more than the field takes, our part is cut, never that of others.
func (m Merge) sendBlock(out *Merged, f string, now any, before, want, after string) {
	limit := m.Shapes[f].MaxLength
	if m.MaxText != nil {
		if most := m.MaxText(f); most > 0 && (limit == 0 || most < limit) {
			limit = most
		}
	}
	block := want
	if limit > 0 {
		room := limit - codeUnits(before) - codeUnits(after)
		if room < min(codeUnits(want), minRoom) {
			out.Warnings = append(out.Warnings, Warning{f, "There is no room for what callsync would append to this field."})
			m.keep(out, f, now, records.KeptFull)
			return
		}
		if cut, was := shorten(want, room, m.Shapes[f].Type == HTML); was > room {
			block = cut
			out.Warnings = append(out.Warnings, Warning{f, "The text that callsync appends was cut: the field is full."})
		}
	}
	out.around[f] = [2]string{before, after}
	switch {
	case want == "" && before+after == "":
		m.send(out, f, nil, nil, nil)
	case want == "":
		m.send(out, f, before+after, nil, nil)
	case block != want:
		m.send(out, f, before+block+after, want, block)
	default:
		m.send(out, f, before+want+after, want, nil)
	}
}

// minRoom is the least part of a block that is worth appending, in characters.
const minRoom = 40

// codeUnits counts as CRMs do.
func codeUnits(s string) int {
	n := 0
	for _, c := range s {
		n++
		if c >= 0x10000 {
			n++
		}
	}
	return n
}

// What the text has of our blocks.
const (
	notThere = iota
	writtenBlock
	wantedBlock
	sentBlock
)

// block finds our block in a text: what callsync wrote last, or sent without an answer, or wants. Of several the longest
// one counts, for a shorter one may be its beginning.
func (m Merge) block(f, have, want string) (from, to, what int) {
	look := func(v any, is int) {
		s, isText := v.(string)
		if !isText || s == "" {
			return
		}
		at, end, found := findBlock(have, s)
		if !found && m.Same(f, s, have) {
			at, end, found = 0, len(have), true
		}
		if found && (what == notThere || end-at > to-from) {
			from, to, what = at, end, is
		}
	}
	look(want, wantedBlock)
	look(m.Base.Shown[f], writtenBlock)
	look(m.Base.Written[f], writtenBlock)
	for _, v := range m.Base.Sent[f] {
		look(v, sentBlock)
	}
	return from, to, what
}

// findBlock looks for a block in a text, the last one. A block begins and ends at the text's ends, line breaks or tags: what
// somebody wrote into its first or last line makes it another one.
func findBlock(have, block string) (from, to int, ok bool) {
	if block == "" {
		return 0, 0, false
	}
	for end := len(have); ; {
		from = strings.LastIndex(have[:end], block)
		if from < 0 {
			return 0, 0, false
		}
		to = from + len(block)
		if (from == 0 || strings.ContainsRune("\n\r>", rune(have[from-1]))) && (to == len(have) || strings.ContainsRune("\n\r<", rune(have[to]))) {
			return from, to, true
		}
		end = to - 1
	}
}

// appendItems adds our values to a list, and takes away those that we added and no longer want. What others added stays,
// and what they took away is not added again.
func (m Merge) appendItems(out *Merged, f string, now any) {
	want, there := itemsOf(m.Wanted[f]), itemsOf(now)
	ours := itemsOf(m.Base.Written[f])
	if shown, ok := m.Base.Shown[f]; ok {
		ours = itemsOf(shown)
	}
	var sent []string
	for _, v := range m.Base.Sent[f] {
		sent = append(sent, itemsOf(v)...)
	}
	var next, mine []string
	changes := false
	for _, v := range there {
		isOurs := slices.Contains(ours, v) || slices.Contains(sent, v)
		if isOurs && !slices.Contains(want, v) {
			changes = true
			continue
		}
		next = append(next, v)
		if isOurs {
			mine = append(mine, v)
		}
	}
	overruled, removed := m.overruled(f, now), false
	for _, v := range want {
		switch {
		case slices.Contains(there, v):
		case slices.Contains(ours, v) && !overruled:
			removed = true
		default:
			next, mine, changes = append(next, v), append(mine, v), true
		}
	}
	var shown any
	if !sameSet(mine, want) || len(mine) == 0 {
		shown = append([]string{}, mine...)
	}
	if removed {
		// What was removed stays ours to leave out, not to add again.
		shown = append(append([]string{}, mine...), slices.DeleteFunc(slices.Clone(want), func(v string) bool {
			return slices.Contains(there, v) || !slices.Contains(ours, v)
		})...)
	}
	var wanted any
	if len(want) > 0 {
		wanted = want
	}
	switch {
	case !changes:
		m.have(out, f, wanted, shown)
	case len(next) == 0:
		m.send(out, f, nil, wanted, shown)
	default:
		m.send(out, f, next, wanted, shown)
	}
	if removed {
		m.keep(out, f, now, records.KeptRemoved)
	} else if overruled {
		m.resolve(out, f, records.ResolvedOurs)
	} else {
		m.resolve(out, f, records.ResolvedSame)
	}
}

// itemsOf reads a list as CRMs give it: a list, or a text with semicolons.
func itemsOf(v any) []string {
	var out []string
	add := func(s string) {
		if s = strings.TrimSpace(s); s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	switch v := v.(type) {
	case string:
		for s := range strings.SplitSeq(v, ";") {
			add(s)
		}
	case []string:
		for _, s := range v {
			add(s)
		}
	case []any:
		for _, x := range v {
			if s, ok := x.(string); ok {
				add(s)
			}
		}
	}
	return out
}

func sameSet(a, b []string) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(b, s) })
}

// Answered takes in what the CRM's answer to the write shows: fields that it spells otherwise than they were sent are
// remembered in its spelling. same tells values apart as Merge.Same does.
func (o *Merged) Answered(stored map[string]any, same func(field string, ours, read any) bool) {
	for f, sent := range o.Write {
		shown, ok := stored[f]
		if !ok {
			continue
		}
		around, appended := o.around[f]
		switch text, isText := shown.(string); {
		case appended && isText && len(text) >= len(around[0])+len(around[1]) && strings.HasPrefix(text, around[0]) && strings.HasSuffix(text, around[1]):
			if block := text[len(around[0]) : len(text)-len(around[1])]; block != "" && o.Written[f] != nil && block != o.Written[f] {
				o.Shown[f] = block
			}
		case appended:
		case itemsOnly(sent) && itemsOnly(o.Written[f]):
			// Lists are compared by their items.
		case !same(f, sent, shown):
			o.Shown[f] = shown
		}
	}
}

func itemsOnly(v any) bool {
	switch v.(type) {
	case []string, []any:
		return true
	}
	return false
}
