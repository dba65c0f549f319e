package mappings

import (
	"slices"
)

// Rebase puts what somebody changed from base to mine onto theirs, row by row; rows count as the same by their target. Where
// both changed a row, mine counts, and its target is in both. The order of the rows, and the comments outside of changed ones, are
// theirs. The error is a sentence.
func Rebase(base, mine, theirs string) (text string, both []string, err error) {
	var drafts [3]*Draft
	for i, t := range []string{base, mine, theirs} {
		if drafts[i], err = NewDraft(t); err != nil {
			return "", nil, err
		}
	}
	b, m, t := drafts[0], drafts[1], drafts[2]
	if outside(b) != outside(m) {
		return "", nil, draftError("Something outside of the rows was changed, too.")
	}
	edits := make([]RowEdit, 0, len(t.Rows)+8)
	for i, r := range t.Rows {
		edits = append(edits, r.edit(i))
	}
	at := func(target string) int {
		return slices.IndexFunc(edits, func(e RowEdit) bool { return e.Row.Target == target })
	}
	theirsChanged := func(target string) bool {
		was, is := b.find(target), t.find(target)
		return was == nil || is == nil || !was.same(*is)
	}
	before := "" // the row before, of those that stand in the result
	for _, r := range m.Rows {
		was := b.find(r.Target)
		if r.Locked != "" || was != nil && was.Locked != "" {
			if was == nil || was.Text != r.Text {
				return "", nil, draftError("A row was changed that can be changed in the text only.")
			}
		} else if was == nil || !was.same(r) {
			e := r.edit(-1)
			switch i := at(r.Target); {
			case i >= 0:
				if is := t.find(r.Target); theirsChanged(r.Target) && !is.same(r) {
					both = append(both, r.Target)
				}
				e.From = edits[i].From
				edits[i] = e
			default:
				if was != nil {
					both = append(both, r.Target) // they took out what I changed
				}
				edits = slices.Insert(edits, at(before)+1, e)
			}
		}
		if at(r.Target) >= 0 {
			before = r.Target
		}
	}
	for _, r := range b.Rows {
		i := at(r.Target)
		if m.find(r.Target) != nil || i < 0 {
			continue
		}
		if theirsChanged(r.Target) {
			both = append(both, r.Target)
		}
		edits = slices.Delete(edits, i, i+1)
	}
	text, err = t.Edit(edits)
	return text, both, err
}

// outside is what a document says besides its rows.
func outside(d *Draft) string {
	doc, _ := decode([]byte(d.text))
	doc.Fields = nil
	text, err := doc.JSON()
	if err != nil {
		return d.text
	}
	return string(text)
}

func (d *Draft) find(target string) *DraftRow {
	i := slices.IndexFunc(d.Rows, func(r DraftRow) bool { return r.Target == target })
	if i < 0 {
		return nil
	}
	return &d.Rows[i]
}

// edit is the row as it is.
func (r DraftRow) edit(from int) RowEdit {
	return RowEdit{From: from, Row: r.Row, Form: r.Form, Table: r.Table}
}

// same tells whether two rows say the same.
func (r DraftRow) same(o DraftRow) bool {
	return !slices.ContainsFunc(rowMembers, func(m string) bool { return r.differs(o.edit(0), m) })
}
