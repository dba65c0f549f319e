package admin

import (
	"slices"
	"strings"

	"github.com/callsync/callsync/mappings"
)

// rowChange is what changes of one row from one version to another.
type rowChange struct {
	Target, Label string
	// Kind is added, removed, changed or moved.
	Kind    string
	Members []changeLine
	// Both tells that two people changed the row.
	Both bool
}

// rowChanges are changes by row, in the order in which they come.
func rowChanges(changes []mappings.Change, fields editorFields, both []string) []rowChange {
	var out []rowChange
	for i, line := range changeLines(changes) {
		at := slices.IndexFunc(out, func(r rowChange) bool { return r.Target == line.Target })
		if at < 0 {
			at = len(out)
			out = append(out, rowChange{Target: line.Target, Label: fields.label(line.Target), Kind: mappings.ChangeEdited, Both: slices.Contains(both, line.Target)})
		}
		switch {
		case changes[i].Key == "" && line.Target != "":
			if changes[i].Kind != mappings.ChangeMoved || len(out[at].Members) == 0 {
				out[at].Kind = changes[i].Kind
			}
			if changes[i].Kind == mappings.ChangeMoved {
				continue
			}
		case out[at].Kind == mappings.ChangeMoved:
			out[at].Kind = mappings.ChangeEdited
		}
		out[at].Members = append(out[at].Members, line)
	}
	return out
}

// mostDiff bounds the lines of a difference of texts: their product.
const mostDiff = 4 << 20

// textLine is a line of a difference of two texts: same, gone or new; a gap stands for same ones that are left out.
type textLine struct{ Kind, Text string }

// sameEnds are how many lines two texts share at their beginnings and, after those, at their ends.
func sameEnds(a, b []string) (head, tail int) {
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	return head, tail
}

// diffTexts compares two texts line by line, and leaves out what is far from every difference. Of texts that are too
// different it returns nothing.
func diffTexts(before, after string) []textLine {
	a, b := strings.Split(strings.TrimRight(before, "\n"), "\n"), strings.Split(strings.TrimRight(after, "\n"), "\n")
	head, tail := sameEnds(a, b)
	x, y := a[head:len(a)-tail], b[head:len(b)-tail]
	if len(x)*len(y) > mostDiff {
		return nil
	}
	// most[i][j] is how many lines x[i:] and y[j:] have in common, in order.
	width := len(y) + 1
	most := make([]int32, (len(x)+1)*width)
	for i := len(x) - 1; i >= 0; i-- {
		for j := len(y) - 1; j >= 0; j-- {
			if x[i] == y[j] {
				most[i*width+j] = most[(i+1)*width+j+1] + 1
			} else {
				most[i*width+j] = max(most[(i+1)*width+j], most[i*width+j+1])
			}
		}
	}
	var out []textLine
	add := func(kind string, lines ...string) {
		for _, l := range lines {
			out = append(out, textLine{kind, l})
		}
	}
	add("same", a[:head]...)
	for i, j := 0, 0; i < len(x) || j < len(y); {
		switch {
		case i < len(x) && j < len(y) && x[i] == y[j]:
			add("same", x[i])
			i++
			j++
		case j == len(y) || i < len(x) && most[(i+1)*width+j] >= most[i*width+j+1]:
			add("gone", x[i])
			i++
		default:
			add("new", y[j])
			j++
		}
	}
	add("same", a[len(a)-tail:]...)
	return around(out, 2)
}

// around leaves out the same lines that are more than n lines away from others.
func around(lines []textLine, n int) []textLine {
	near := make([]bool, len(lines))
	for i, l := range lines {
		if l.Kind != "same" {
			for j := max(0, i-n); j <= min(len(lines)-1, i+n); j++ {
				near[j] = true
			}
		}
	}
	var out []textLine
	for i, l := range lines {
		switch {
		case near[i]:
			out = append(out, l)
		case len(out) == 0 || out[len(out)-1].Kind != "gap":
			out = append(out, textLine{"gap", ""})
		}
	}
	return out
}

// memberLabels are the members of a row in the words of the editor.
var memberLabels = map[string]string{
	"": "row", "mode": "Writing", "type": "Written as", "empty": "Without a value", "when": "Only if", "max_length": "Cut at so many characters", "note": "Note",
	"value.field": "Field of the call", "value.const": "Always the same", "value.expr": "Expression", "value.template": "Text with fields", "value.lookup": "Look-up table",
}

func memberLabel(key string) string {
	if label, ok := memberLabels[key]; ok {
		return label
	}
	return strings.ReplaceAll(strings.TrimPrefix(key, "value."), "_", " ")
}

// memberWords is a member's value in the words of the editor. What is not said stands for the first choice.
func memberWords(key string, v any) string {
	choices := map[string][]mappingChoice{"mode": mappingModes, "type": mappingTypes, "empty": mappingEmpties}[key]
	said := shownMember(v)
	if choices == nil {
		return said
	}
	if said == "" {
		return choices[0].Label
	}
	if i := slices.IndexFunc(choices, func(c mappingChoice) bool { return c.Value == said }); i >= 0 {
		return choices[i].Label
	}
	return said
}
