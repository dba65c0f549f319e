package mappings

import (
	"errors"
	"fmt"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"github.com/callsync/callsync/internal/exprkit"
)

// Limits of one evaluation, so that no document and no call can hold a worker up. A row may cost workBudget units: about
// one for each byte read or made, and opCost for each operation; that is some ten milliseconds at most.
const (
	maxList    = 1000
	maxText    = 1 << 20
	workBudget = 16 << 20
	opCost     = 16
	// memoryBudget bounds the items of lists that the engine itself makes.
	memoryBudget = 100_000
)

// valueError is a fault of an expression on this call's values. Its text is for people and holds none of the values.
type valueError string

func (e valueError) Error() string { return string(e) }

const errTooMuch = valueError("The row does too much work; shorten its texts with truncate, or its lists.")

// run is the state of one Apply. It is reused, one Apply at a time.
type run struct {
	in       *Input
	location *time.Location
	cache    []any
	known    []bool
	budget   int
	warnings []string
	// html is whether the row makes HTML: then lines gives markup.
	html bool
	// trace is set where the steps are to be told.
	trace *trace
	vm    vm.VM
	env   map[string]any
}

var runs = sync.Pool{New: func() any {
	r := &run{cache: make([]any, len(catalog)), known: make([]bool, len(catalog))}
	r.vm.MemoryBudget = memoryBudget
	r.env = map[string]any{runVar: r}
	return r
}}

func startRun(in *Input) *run {
	r := runs.Get().(*run)
	r.in, r.location, r.html = in, in.Location, false
	if r.location == nil {
		r.location = time.UTC
	}
	return r
}

// end forgets the call before the run is reused, so that one customer's data cannot stay or show up elsewhere.
func (r *run) end() {
	clear(r.cache)
	clear(r.known)
	clear(r.vm.Stack[:cap(r.vm.Stack)])
	clear(r.vm.Variables)
	r.in, r.location, r.warnings, r.trace = nil, nil, nil, nil
	runs.Put(r)
}

// charge counts work of n bytes, and reports whether the row has done too much.
func (r *run) charge(n int) error {
	r.budget -= n + opCost
	if r.budget < 0 {
		return errTooMuch
	}
	return nil
}

func (r *run) warn(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for _, have := range r.warnings {
		if have == text {
			return
		}
	}
	r.warnings = append(r.warnings, text)
}

// load reads a canonical field, once for each Apply.
func (r *run) load(i int) any {
	if r.known[i] {
		return r.cache[i]
	}
	v := limited(catalog[i].get(r))
	// Warnings of reading belong to every row that reads, so what warned is read again.
	if len(r.warnings) == 0 {
		r.cache[i], r.known[i] = v, true
	}
	return v
}

// limited cuts a text that is longer than any CRM takes. The rows' own limits warn of losses; this one is far above them.
func limited(v any) any {
	if s, ok := v.(string); ok && len(s) > maxText {
		end := maxText
		for end > 0 && !utf8.RuneStart(s[end]) {
			end--
		}
		return s[:end]
	}
	return v
}

// read evaluates a path.
func (r *run) read(p path) any {
	v := r.load(p.entry)
	for _, k := range p.keys {
		v = member(v, k)
	}
	return v
}

// eval evaluates an expression. No panic and no text of a value leaves it.
func (r *run) eval(e *expression) (out any, err error) {
	if e.path != nil {
		return r.read(*e.path), nil
	}
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, fmt.Errorf("expression panicked: %s", exprkit.Fault(p))
		}
	}()
	out, err = r.vm.Run(e.prog, r.env)
	if err == nil {
		return normal(out), nil
	}
	if ve, ok := errors.AsType[valueError](err); ok {
		return nil, ve
	}
	if fe, ok := errors.AsType[*file.Error](err); ok {
		if fe.Message == "memory budget exceeded" {
			return nil, errTooMuch
		}
		return nil, fmt.Errorf("expression failed at column %d: %s", fe.Column+1, exprkit.Fault(fe.Prev))
	}
	return nil, fmt.Errorf("expression failed: %s", exprkit.Fault(err))
}

// public is the sentence that people see for err.
func public(err error) string {
	if ve, ok := errors.AsType[valueError](err); ok {
		return string(ve)
	}
	return "The expression cannot be evaluated for this call."
}
