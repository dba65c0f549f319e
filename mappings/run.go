package mappings

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/callsync/callsync/internal/exprkit"
)

// Limits of one evaluation, so that no document and no call can hold a worker up. A row may cost workBudget units: about
// one for each byte read or made, and opCost for each operation; that is some ten milliseconds at most.
const (
	maxList    = 1000
	maxText    = 1 << 20
	workBudget = 16 << 20
	opCost     = 16
	// maxScratch is the most bytes that a run keeps for the next one to write into.
	maxScratch = 64 << 10
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
	// stack has the arguments of the calls under way, variables what let names, item what a walk is at.
	stack     []any
	variables []any
	item      any
	// scratch is where a template is put together.
	scratch []byte
}

var runs = sync.Pool{New: func() any {
	return &run{cache: make([]any, len(catalog)), known: make([]bool, len(catalog))}
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
	clear(r.stack[:cap(r.stack)])
	clear(r.variables[:cap(r.variables)])
	clear(r.scratch[:cap(r.scratch)])
	r.stack, r.variables, r.scratch = r.stack[:0], r.variables[:0], r.scratch[:0]
	if cap(r.scratch) > maxScratch {
		r.scratch = nil
	}
	r.in, r.location, r.warnings, r.trace, r.item = nil, nil, nil, nil, nil
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
	r.stack, r.item = r.stack[:0], nil
	if len(r.variables) < e.variables {
		r.variables = slices.Grow(r.variables[:0], e.variables)[:e.variables]
	}
	out, err = e.code(r)
	if err != nil {
		return nil, err
	}
	return normal(out), nil
}

// public is the sentence that people see for err.
func public(err error) string {
	if ve, ok := errors.AsType[valueError](err); ok {
		return string(ve)
	}
	return "The expression cannot be evaluated for this call."
}
