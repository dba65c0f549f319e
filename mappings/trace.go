package mappings

import (
	"strconv"
	"strings"
	"time"
)

// Step is one thing that a row did on the way from the call to its result.
type Step struct {
	// Do is what was done: condition, function, look-up, line, type or cut.
	Do string `json:"do"`
	// Text is what it was done with, as people read it: coalesce(nothing, "Mary").
	Text string `json:"text"`
	// Result is what came of it, in the same form.
	Result string `json:"result"`
}

// What a Step does.
const (
	didCondition = "condition"
	didFunction  = "function"
	didLookup    = "look-up"
	didLine      = "line"
	didConvert   = "type"
	didCut       = "cut"
)

// Limits of what an explanation shows, so that a hostile call cannot fill a page.
const (
	maxSteps     = 40
	maxStepText  = 160
	maxStepValue = 80
	maxStepItems = 5
)

// trace gathers the steps of one row. A nil one gathers nothing and costs nothing.
type trace struct {
	steps []Step
	more  int
}

// enough tells that there is no room for a further step, which is counted instead.
func (t *trace) enough() bool {
	if len(t.steps) >= maxSteps {
		t.more++
		return true
	}
	return false
}

func (t *trace) add(do, text, result string) {
	if t == nil || t.enough() {
		return
	}
	t.steps = append(t.steps, Step{Do: do, Text: clip(clean(text), maxStepText), Result: clip(clean(result), maxStepText)})
}

func (t *trace) function(name string, args []any, out any) {
	if t == nil || t.enough() {
		return
	}
	var b strings.Builder
	b.WriteString(name + "(")
	for i, a := range args {
		if i > 0 {
			b.WriteString(", ")
		}
		if i == maxStepItems {
			b.WriteString("…")
			break
		}
		b.WriteString(shown(a))
	}
	b.WriteString(")")
	t.steps = append(t.steps, Step{Do: didFunction, Text: clean(b.String()), Result: clean(shown(out))})
}

func (t *trace) done() []Step {
	if t.more > 0 {
		t.steps = append(t.steps, Step{Do: didFunction, Text: "…", Result: strconv.Itoa(t.more) + " more"})
	}
	return t.steps
}

// shown is a value as explanations show it: texts in quotes, so that "60" and 60 look different.
func shown(v any) string {
	switch v := v.(type) {
	case nil:
		return "nothing"
	case string:
		return strconv.Quote(clip(v, maxStepValue))
	case markup:
		return strconv.Quote(clip(string(v), maxStepValue))
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	case []any:
		var b strings.Builder
		for i, item := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			if i == maxStepItems {
				b.WriteString("… " + strconv.Itoa(len(v)-i) + " more")
				break
			}
			if _, nested := item.([]any); nested {
				b.WriteString("[…]")
				continue
			}
			b.WriteString(shown(normal(item)))
		}
		return "[" + b.String() + "]"
	case []string:
		list := make([]any, min(len(v), maxStepItems+1))
		for i := range list {
			list[i] = v[i]
		}
		return shown(list)
	case object, map[string]any, map[string]string:
		return "{…}"
	}
	s, _, err := asText(v)
	if err != nil {
		return "…"
	}
	return s
}

// conversion tells what the row's type and length made of the value, where that is not what everybody expects.
func (t *trace) conversion(made, value any, w *row) {
	before, after := shown(made), shown(value)
	if before == after || value == nil {
		return
	}
	do := didConvert
	if s, ok := value.(string); ok && w.maxLength > 0 && strings.HasSuffix(s, "…") {
		do = didCut
	}
	t.add(do, string(w.typ)+" of "+before, after)
}
