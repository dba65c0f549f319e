package expression

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/callsync/callsync/internal/exprkit"
)

// Limits of evaluation, so that no document and no request can hold a process up. A run may cost Budget units: about one
// for each byte read or made, and opCost for each operation; that is some ten milliseconds at most.
const (
	Budget  = 16 << 20
	opCost  = 16
	maxList = 1000
)

// ValueError is a fault of an expression on the values of one request. Its text is a sentence for people and holds none of
// them.
type ValueError string

func (e ValueError) Error() string { return string(e) }

// ErrTooMuch is the error of a run that has spent its budget.
var ErrTooMuch = errors.New("the mapping does too much work for this request")

// Run is the evaluation of several expressions on the fields of one request. It serves one goroutine.
type Run struct {
	// Env is for the functions of the language.
	Env any

	field  func(name string) any
	unpack func(text string) any
	budget int
	items  []any
	vars   []any
	// unpacked keeps what texts hold, so that each is read once.
	unpacked map[string]any
}

// NewRun starts a run. field gives the value of a field, nil if it is absent. unpack gives the object or the list that a
// text holds, else the text.
func NewRun(field func(name string) any, unpack func(text string) any) *Run {
	return &Run{field: field, unpack: unpack, budget: Budget, unpacked: map[string]any{}}
}

// Charge counts work of n bytes.
func (r *Run) Charge(n int) error {
	r.budget -= n + opCost
	if r.budget < 0 {
		return ErrTooMuch
	}
	return nil
}

// Eval evaluates p. No panic and no text of a value leaves it: errors are ErrTooMuch, a ValueError, or name a Go type.
func (r *Run) Eval(p *Program) (out any, err error) {
	defer func() {
		r.items, r.vars = r.items[:0], r.vars[:0]
		if p := recover(); p != nil {
			out, err = nil, fmt.Errorf("expression panicked: %s", exprkit.Fault(p))
		}
	}()
	return p.eval(r)
}

func (r *Run) read(p Path) (any, error) {
	name, _ := p[0].(string)
	v := normal(r.field(name))
	for _, key := range p[1:] {
		var err error
		if v, err = r.member(v, key); err != nil {
			return nil, err
		}
	}
	return v, r.Charge(0)
}

// member is v.key or v[key], nil for what is absent. In a text that holds JSON it looks inside.
func (r *Run) member(v, key any) (any, error) {
	if err := r.Charge(0); err != nil {
		return nil, err
	}
	v, err := r.Open(v)
	if err != nil {
		return nil, err
	}
	if m, ok := v.(map[string]any); ok {
		if err := r.Charge(len(m) / 8); err != nil {
			return nil, err
		}
	}
	_, inner, _ := Member(v, key)
	return normal(inner), nil
}

// Open returns what a text holds as JSON, and any other value as it is.
func (r *Run) Open(v any) (any, error) {
	s, ok := v.(string)
	if !ok || s == "" || !strings.Contains("{[\"&", s[:1]) {
		return v, nil
	}
	if inner, ok := r.unpacked[s]; ok {
		return inner, r.Charge(len(s) / 8)
	}
	if err := r.Charge(8 * len(s)); err != nil {
		return nil, err
	}
	inner := r.unpack(s)
	r.unpacked[s] = inner
	return inner, nil
}

// Member finds a member of an object by its name, as it is or else without regard to case and space around it, or an item
// of a list by its place; places from the end are negative. It returns the key under which the value really stands.
func Member(v, key any) (at, value any, ok bool) {
	switch v := v.(type) {
	case map[string]any:
		name, isName := Text(key)
		if !isName {
			return nil, nil, false
		}
		if value, ok := v[name]; ok {
			return name, value, true
		}
		found := ""
		for k := range v {
			if len(k) >= len(name) && strings.EqualFold(strings.TrimSpace(k), name) && (!ok || k < found) {
				found, ok = k, true
			}
		}
		return found, v[found], ok
	case []any:
		n, whole, isNumber := number(key)
		if !isNumber || !whole.ok {
			return nil, nil, false
		}
		i := int(whole.n)
		if n < 0 {
			i += len(v)
		}
		if i < 0 || i >= len(v) {
			return nil, nil, false
		}
		return i, v[i], true
	}
	return nil, nil, false
}

// normal makes everything that says nothing nil.
func normal(v any) any {
	switch v := v.(type) {
	case string:
		if s := strings.TrimSpace(v); s == "" || s == "null" {
			return nil
		}
	case []any:
		if len(v) == 0 {
			return nil
		}
	case map[string]any:
		if len(v) == 0 {
			return nil
		}
	case []string:
		out := make([]any, len(v))
		for i := range v {
			out[i] = v[i]
		}
		return normal(out)
	case int:
		return int64(v)
	case json.Number:
		if v == "" {
			return nil
		}
	}
	return v
}

// Items is v as a list of at most a thousand: nothing for absent, the items of a text that holds a JSON list, one item for
// any other single value.
func (r *Run) Items(v any) ([]any, error) {
	v, err := r.Open(v)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case []any:
		return v[:min(len(v), maxList)], r.Charge(min(len(v), maxList))
	}
	return []any{v}, nil
}
