package mappings

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/callsync/callsync/records"
)

// Shape is how a row writes its field.
type Shape struct {
	Mode Mode
	Type Type
	// MaxLength is the row's own limit; zero means none.
	MaxLength int
}

// Shapes are those of the program's rows by target.
func (p *Program) Shapes() map[string]Shape {
	out := make(map[string]Shape, len(p.rows))
	for i := range p.rows {
		r := p.rows[i]
		out[r.target] = Shape{r.mode, r.typ, r.maxLength}
	}
	return out
}

// Merge compares three versions of a record's fields: what callsync wrote last, what the CRM has now, and what the mapping
// wants. It is pure: the same versions always give the same outcome.
type Merge struct {
	// Wanted are the fields that the mapping made, nil for those to clear.
	Wanted map[string]any
	// Shapes are the rows' by field; a field without one is overwritten.
	Shapes map[string]Shape
	Base   records.Base
	// Same tells whether a value that callsync wrote is the one that was read, however the CRM spells it.
	Same func(field string, ours, read any) bool
	// MaxText is how many characters the CRM takes in a text field; zero means that this is not known.
	MaxText func(field string) int
	// At is the time of the comparison.
	At time.Time
}

// Merged is what a Merge decided.
type Merged struct {
	// Write are the fields to send.
	Write map[string]any
	// Sent is what Base.Sent has to say of them before they are sent.
	Sent map[string][]any
	// Written is what Base.Written says from now on of fields that the CRM has as they are wanted, and, after they were
	// sent, of those in Write.
	Written map[string]any
	// Shown are the entries of Base.Shown of the fields in Written; a field that is in Written and not here has none.
	Shown map[string]any
	// Kept is Base.Kept from now on.
	Kept map[string]records.Kept
	// Settled are the fields of which Base.Sent and Base.Overruled have nothing to say any more, once Write was sent.
	Settled []string
	// Warnings are losses.
	Warnings []Warning
	// around is the text of others before and after ours, of texts that are appended to.
	around map[string][2]string
}

// Reads lists the fields that have to be read from the CRM before Do; none where nothing of ours changes in a field that
// somebody may have edited.
func (m Merge) Reads() []string {
	var out []string
	for _, f := range sortedKeys(m.Wanted) {
		if m.undecided(f) {
			out = append(out, f)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return m.withKept(out)
}

// ReadsKept lists the fields to read when somebody asks for another look: those of Reads, and those with an open edit.
func (m Merge) ReadsKept() []string {
	return m.withKept(m.Reads())
}

func (m Merge) withKept(out []string) []string {
	for f, k := range m.Base.Kept {
		if _, wanted := m.Wanted[f]; wanted && k.Open() && m.mode(f) != Always && !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	slices.Sort(out)
	return out
}

func (m Merge) mode(f string) Mode { return orDefault(m.Shapes[f].Mode, Overwrite) }

// undecided tells whether what is to be done with f depends on what the CRM has.
func (m Merge) undecided(f string) bool {
	switch m.mode(f) {
	case Always, NeverWrite:
		return false
	case FillIfEmpty:
		if m.Wanted[f] == nil || m.Base.Written[f] != nil {
			return false
		}
	default:
		if !m.changed(f) && len(m.Base.Sent[f]) == 0 {
			return false
		}
	}
	k, ok := m.Base.Kept[f]
	_, overruled := m.Base.Overruled[f]
	return !ok || !k.Open() || overruled || len(m.Base.Sent[f]) > 0 || k.WantedHash != hash(m.Wanted[f])
}

// changed tells whether the mapping wants something else than what was written. A field to clear counts only if it was
// written.
func (m Merge) changed(f string) bool {
	v, old := m.Wanted[f], m.Base.Written[f]
	if v == nil {
		return old != nil
	}
	return hash(v) != hash(old)
}

// Do decides. now has the fields that Reads or ReadsKept listed, as the CRM has them; what it lacks is empty there.
func (m Merge) Do(read []string, now map[string]any) Merged {
	out := Merged{Write: map[string]any{}, Sent: map[string][]any{}, Written: map[string]any{}, Shown: map[string]any{},
		Kept: maps.Clone(m.Base.Kept), around: map[string][2]string{}}
	if out.Kept == nil {
		out.Kept = map[string]records.Kept{}
	}
	for _, f := range sortedKeys(m.Wanted) {
		switch {
		case slices.Contains(read, f):
			m.decide(&out, f, now[f])
		case m.mode(f) == Always && m.changed(f):
			m.send(&out, f, m.Wanted[f], m.Wanted[f], nil)
			m.resolve(&out, f, records.ResolvedOurs)
		case m.mode(f) == Always, m.mode(f) != FillIfEmpty && !m.changed(f) && out.Kept[f].Cause != records.KeptRemoved:
			m.resolve(&out, f, records.ResolvedWithdrawn)
		}
	}
	for f := range out.Kept {
		if _, wanted := m.Wanted[f]; !wanted {
			m.resolve(&out, f, records.ResolvedWithdrawn)
		}
	}
	return out
}

func (m Merge) decide(out *Merged, f string, now any) {
	switch shape := m.Shapes[f]; {
	case m.mode(f) == FillIfEmpty:
		m.fill(out, f, now)
	case m.mode(f) == Append && shape.Type == Multi:
		m.appendItems(out, f, now)
	case m.mode(f) == Append:
		m.appendText(out, f, now)
	default:
		m.overwrite(out, f, now)
	}
}

// overwrite replaces what is still ours.
func (m Merge) overwrite(out *Merged, f string, now any) {
	want := m.Wanted[f]
	switch {
	case m.Same(f, want, now):
		m.have(out, f, want, nil)
		m.resolve(out, f, records.ResolvedSame)
	case !m.changed(f) && m.shown(f, now):
		m.have(out, f, want, m.Base.Shown[f])
		m.resolve(out, f, records.ResolvedSame)
	case m.ours(f, now):
		m.send(out, f, want, want, nil)
		m.resolve(out, f, records.ResolvedReverted)
	case m.overruled(f, now):
		m.send(out, f, want, want, nil)
		m.resolve(out, f, records.ResolvedOurs)
	default:
		m.keep(out, f, now, edited(now))
	}
}

// ours tells whether what the CRM has is what callsync put there, or nothing where callsync put nothing.
func (m Merge) ours(f string, now any) bool {
	written, had := m.Base.Written[f]
	if m.shown(f, now) {
		return true
	}
	if had && m.Same(f, written, now) || !had && vacant(now) {
		return true
	}
	return slices.ContainsFunc(m.Base.Sent[f], func(v any) bool { return m.Same(f, v, now) })
}

// shown tells whether the CRM has what it made of our last value.
func (m Merge) shown(f string, now any) bool {
	shown, ok := m.Base.Shown[f]
	return ok && m.Same(f, shown, now)
}

// fill writes where nothing is. What was filled once is not touched again, whoever changes or clears it.
func (m Merge) fill(out *Merged, f string, now any) {
	want := m.Wanted[f]
	sent := slices.IndexFunc(m.Base.Sent[f], func(v any) bool { return !vacant(v) && m.Same(f, v, now) })
	switch {
	case sent >= 0:
		m.have(out, f, m.Base.Sent[f][sent], nil)
		m.resolve(out, f, records.ResolvedSame)
	case m.Same(f, want, now):
		m.have(out, f, want, nil)
		m.resolve(out, f, records.ResolvedSame)
	case vacant(now) || m.overruled(f, now):
		m.send(out, f, want, want, nil)
		m.resolve(out, f, records.ResolvedReverted)
	default:
		m.keep(out, f, now, records.KeptFilled)
	}
}

// have notes that the CRM has what is wanted.
func (m Merge) have(out *Merged, f string, want, shown any) {
	out.Written[f] = want
	if shown != nil {
		out.Shown[f] = shown
	}
	out.Settled = append(out.Settled, f)
}

// send notes what is written: value goes to the CRM, want is what the mapping made, sent is what of it is ours.
func (m Merge) send(out *Merged, f string, value, want, shown any) {
	out.Write[f] = value
	ours := want
	if shown != nil {
		ours = shown
	}
	before := slices.DeleteFunc(slices.Clone(m.Base.Sent[f]), func(v any) bool { return hash(v) == hash(ours) })
	if len(before) >= maxSent {
		before = before[len(before)-maxSent+1:]
	}
	out.Sent[f] = append(before, ours)
	m.have(out, f, want, shown)
}

// maxSent is how many values of writes without an answer are remembered of a field.
const maxSent = 8

// keep leaves what somebody else put there.
func (m Merge) keep(out *Merged, f string, now any, cause string) {
	k := records.Kept{Cause: cause, Ours: brief(m.Base.Written[f]), Theirs: brief(now), Wanted: brief(m.Wanted[f]),
		TheirsHash: hash(now), WantedHash: hash(m.Wanted[f]), At: m.At}
	if before, ok := m.Base.Kept[f]; ok && before.Open() {
		k.At = before.At
	}
	out.Kept[f] = k
	out.Settled = append(out.Settled, f)
}

func (m Merge) resolve(out *Merged, f, how string) {
	if k, ok := out.Kept[f]; ok && k.Open() {
		k.ResolvedAt, k.Resolution = m.At, how
		out.Kept[f] = k
	}
}

// overruled tells whether somebody asked for callsync's value in place of this very one. An edit that came after they
// asked is another one.
func (m Merge) overruled(f string, now any) bool {
	seen, ok := m.Base.Overruled[f]
	return ok && seen == hash(now)
}

func edited(now any) string {
	if vacant(now) {
		return records.KeptCleared
	}
	return records.KeptEdited
}

// vacant tells whether a value is nothing: an absent one, empty text, an empty list.
func vacant(v any) bool {
	if list, ok := v.([]string); ok {
		return len(list) == 0
	}
	return empty(v)
}

// hash tells values apart, also after they went through the database. It is no secret and keeps none.
func hash(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}

// maxBrief is how much of a text is kept to be shown.
const maxBrief = 4000

func brief(v any) any {
	switch v := v.(type) {
	case string:
		return clip(v, maxBrief)
	case []string, []any, map[string]any:
		data, err := json.Marshal(v)
		if err != nil || len(data) > maxBrief {
			return clip(string(data), maxBrief)
		}
	}
	return v
}
