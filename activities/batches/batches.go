// Package batches has what several deliveries want of one CRM at the same time asked for in one request. Each delivery
// stays what it is: it waits for its own outcome, leaves by itself, and commits what it is about to write itself, right
// before the request is sent.
package batches

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/callsync/callsync/connectors"
)

// Times and sizes of batches.
const (
	// boardMost is how long a request waits for an item whose delivery has not committed what it is about to write.
	boardMost = 3 * time.Second
	// startSize is how many items the first batch of a line takes. It doubles with every one that goes well, up to what the
	// line takes, and is halved when items are refused: a batch that is refused costs more than its items by themselves.
	startSize = 8
	// sourPart of a batch may fail without making the next one smaller.
	sourPart = 8
	maxLines = 4096
)

// Line is where items of one kind gather that may share a request: those with one Key.
type Line[T, R any] struct {
	// Key names the connection, the version of its settings, and what is asked.
	Key string
	// Quiet is how long after its newest item a batch leaves, Most how long after its first one at the latest.
	Quiet, Most time.Duration
	// Max is how many items a batch takes.
	Max int
	// Timeout bounds everything that is sent for a batch, counted from before the first item is committed. Who looks
	// later than that what became of an item sees what was sent.
	Timeout time.Duration
	// Start waits for the batch's turn. What it returns is used for the request, and end is called after it. With an
	// error nothing is sent, and it is the outcome of every item.
	Start func(context.Context) (ctx context.Context, end func(), err error)
	// Reads tells that nothing is changed: what is under way goes on, whichever delivery ends.
	Reads bool
	// Send sends the items, no two of which share an id, and returns an outcome for each, in their order.
	Send func(context.Context, []T) []Outcome[R]
}

// Outcome is what became of one item. Err is nil or a *connectors.Error.
type Outcome[R any] struct {
	Value R
	Err   error
}

// Gatherer makes batches. The zero value is ready; it is used by all deliveries of a process.
type Gatherer[T, R any] struct {
	mu      sync.Mutex
	filling map[string]*batch[T, R]
	// busy are the ids that are under way; the channel is closed when one is free again.
	busy map[string]chan struct{}
	size map[string]int
}

// batch is one request in the making. Its fields are guarded by its gatherer's mutex.
type batch[T, R any] struct {
	line    Line[T, R]
	members []*member[T, R]
	// joined wakes the batch for a new member.
	joined chan struct{}
	limit  int
	// boarding is closed when the members commit, started when the request is sent or nothing will be.
	boarding chan struct{}
	started  bool
	// arrived wakes the batch while it waits for members to commit.
	arrived chan struct{}
	cut     *cut
	cancel  context.CancelFunc
}

type member[T, R any] struct {
	item  T
	ids   []string
	ready bool
	gone  bool
	out   chan Outcome[R]
}

func (m *member[T, R]) stays() bool { return !m.gone }

// Do has an item sent together with others. ids name what it changes, whatever its line: no two items with an id in common
// are under way at once. board is called when the batch is about to be sent; it commits what is to be remembered of that and returns the
// item. With an error of board, which Do returns, the item is not sent.
//
// When ctx ends, Do returns at once. An item that is still waiting is taken out, and nothing was sent. One that is under way
// has an unknown outcome: the request that is on the wire ends for the sake of the others, and none follows it.
func (g *Gatherer[T, R]) Do(ctx context.Context, line Line[T, R], ids []string, board func(context.Context) (T, error)) (R, error) {
	var none R
	m := &member[T, R]{ids: slices.Clone(ids), out: make(chan Outcome[R], 1)}
	if err := g.claim(ctx, m); err != nil {
		return none, err
	}
	b := g.join(ctx, line, m)
	select {
	case <-ctx.Done():
		return g.abandon(ctx, b, m)
	case o := <-m.out:
		return o.Value, o.Err
	case <-b.boarding:
	}
	item, err := board(ctx)
	if err != nil {
		g.leave(b, m)
		return none, err
	}
	if !g.arrive(b, m, item) {
		return none, &connectors.Error{Class: connectors.Unavailable, NotSent: true, RetryAfter: time.Second, Err: errors.New("the batch had left"),
			Public: "Other calls were sent before this one was ready. This one follows."}
	}
	select {
	case <-ctx.Done():
		return g.abandon(ctx, b, m)
	case o := <-m.out:
		return o.Value, o.Err
	}
}

// abandon is what Do returns of an item whose delivery has ended.
func (g *Gatherer[T, R]) abandon(ctx context.Context, b *batch[T, R], m *member[T, R]) (R, error) {
	var none R
	if g.leave(b, m) {
		return none, notSent(ctx.Err())
	}
	select {
	case o := <-m.out:
		return o.Value, o.Err
	default:
		return none, unknown(ctx.Err())
	}
}

// claim takes the ids of m, all at once, when nobody has any of them.
func (g *Gatherer[T, R]) claim(ctx context.Context, m *member[T, R]) error {
	for {
		g.mu.Lock()
		var wait chan struct{}
		for _, id := range m.ids {
			if wait = g.busy[id]; wait != nil {
				break
			}
		}
		if wait == nil {
			if g.busy == nil {
				g.busy = map[string]chan struct{}{}
			}
			free := make(chan struct{})
			for _, id := range m.ids {
				g.busy[id] = free
			}
			g.mu.Unlock()
			return nil
		}
		g.mu.Unlock()
		select {
		case <-ctx.Done():
			return notSent(ctx.Err())
		case <-wait:
		}
	}
}

// free gives the ids of m back; the mutex is held.
func (g *Gatherer[T, R]) free(m *member[T, R]) {
	for i, id := range m.ids {
		if i == 0 {
			close(g.busy[id])
		}
		delete(g.busy, id)
	}
	m.ids = nil
}

func (g *Gatherer[T, R]) join(ctx context.Context, line Line[T, R], m *member[T, R]) *batch[T, R] {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.filling[line.Key]
	if b == nil {
		limit, known := g.size[line.Key]
		if !known {
			limit = startSize
		}
		b = &batch[T, R]{line: line, limit: max(1, min(limit, line.Max)), joined: make(chan struct{}, 1), boarding: make(chan struct{}),
			arrived: make(chan struct{}, 1), cut: &cut{}}
		if g.filling == nil {
			g.filling = map[string]*batch[T, R]{}
		}
		g.filling[line.Key] = b
		// What others wait for does not end with the delivery that came first.
		go g.run(context.WithoutCancel(ctx), b)
	}
	b.members = append(b.members, m)
	if len(b.members) >= b.limit {
		delete(g.filling, line.Key)
	}
	wake(b.joined)
	return b
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// leave takes m out; false if it was sent already.
func (g *Gatherer[T, R]) leave(b *batch[T, R], m *member[T, R]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	m.gone = true
	wake(b.joined)
	wake(b.arrived)
	if !b.started || !m.ready {
		g.free(m)
		return true
	}
	if !b.line.Reads {
		b.cut.set()
	}
	if !slices.ContainsFunc(b.members, func(m *member[T, R]) bool { return m.ready && !m.gone }) {
		b.cancel()
	}
	return false
}

// arrive has m's item sent with the batch; false if the batch has left.
func (g *Gatherer[T, R]) arrive(b *batch[T, R], m *member[T, R], item T) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if b.started {
		g.free(m)
		return false
	}
	m.item, m.ready = item, true
	wake(b.arrived)
	return true
}

// run is the life of a batch.
func (g *Gatherer[T, R]) run(ctx context.Context, b *batch[T, R]) {
	if !g.fill(b) {
		return
	}
	ctx, cancel := context.WithCancel(context.WithValue(ctx, cutKey{}, b.cut))
	defer cancel()
	ctx, end, err := b.line.Start(ctx)
	if err != nil {
		g.refuse(b, err)
		return
	}
	defer end()
	ctx, stop := context.WithTimeout(ctx, b.line.Timeout)
	defer stop()
	going := g.board(b, cancel)
	if len(going) == 0 {
		return
	}
	items := make([]T, len(going))
	for i, m := range going {
		items[i] = m.item
	}
	outs := send(ctx, b.line.Send, items)
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, m := range going {
		g.free(m)
		m.out <- outs[i]
	}
	g.adapt(b, outs)
}

// fill waits until the batch leaves; false if nobody is left.
func (g *Gatherer[T, R]) fill(b *batch[T, R]) bool {
	latest := time.NewTimer(b.line.Most)
	defer latest.Stop()
	quiet := time.NewTimer(b.line.Quiet)
	defer quiet.Stop()
	for waiting := true; waiting; {
		select {
		case <-latest.C:
			waiting = false
		case <-quiet.C:
			waiting = false
		case <-b.joined:
			quiet.Reset(b.line.Quiet)
			g.mu.Lock()
			waiting = len(b.members) < b.limit && slices.ContainsFunc(b.members, (*member[T, R]).stays)
			g.mu.Unlock()
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.filling[b.line.Key] == b {
		delete(g.filling, b.line.Key)
	}
	return slices.ContainsFunc(b.members, (*member[T, R]).stays)
}

// refuse gives every item err: nothing was sent.
func (g *Gatherer[T, R]) refuse(b *batch[T, R], err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	b.started = true
	for _, m := range b.members {
		if !m.gone {
			g.free(m)
			m.out <- Outcome[R]{Err: err}
		}
	}
}

// board has the members commit and returns those that are sent.
func (g *Gatherer[T, R]) board(b *batch[T, R], cancel context.CancelFunc) []*member[T, R] {
	close(b.boarding)
	late := time.NewTimer(boardMost)
	defer late.Stop()
	for all := false; !all; {
		g.mu.Lock()
		all = !slices.ContainsFunc(b.members, func(m *member[T, R]) bool { return !m.ready && !m.gone })
		g.mu.Unlock()
		if all {
			break
		}
		select {
		case <-b.arrived:
		case <-late.C:
			all = true
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	b.started, b.cancel = true, cancel
	b.members = slices.DeleteFunc(b.members, func(m *member[T, R]) bool { return m.gone || !m.ready })
	return slices.Clone(b.members)
}

// send sends; a panic of a connector is an outcome like others.
func send[T, R any](ctx context.Context, do func(context.Context, []T) []Outcome[R], items []T) (outs []Outcome[R]) {
	defer func() {
		var err error
		if p := recover(); p != nil {
			// Its text may quote the payload.
			err = fmt.Errorf("a batch panicked with a %T\n%s", p, debug.Stack())
		} else if len(outs) != len(items) {
			err = fmt.Errorf("a batch of %d has %d outcomes", len(items), len(outs))
		} else {
			return
		}
		outs = make([]Outcome[R], len(items))
		for i := range outs {
			outs[i].Err = unknown(err)
		}
	}()
	return do(ctx, items)
}

// adapt makes the next batch of the line larger or smaller; the mutex is held.
func (g *Gatherer[T, R]) adapt(b *batch[T, R], outs []Outcome[R]) {
	if g.size == nil || len(g.size) >= maxLines {
		g.size = map[string]int{}
	}
	sour := 0
	for _, o := range outs {
		if o.Err != nil && souring(connectors.AsError(o.Err)) {
			sour++
		}
	}
	switch {
	case sour*sourPart > len(outs):
		g.size[b.line.Key] = max(1, len(outs)/2)
	case len(outs) >= b.limit:
		g.size[b.line.Key] = min(2*b.limit, b.line.Max)
	}
}

// souring tells whether an error speaks against large batches. That the CRM is busy, or a record gone, does not.
func souring(e *connectors.Error) bool {
	switch e.Class {
	case connectors.RateLimited, connectors.QuotaExhausted, connectors.NotFound, connectors.Unauthorized, connectors.Revoked:
		return false
	}
	return !e.NotSent
}

func notSent(err error) error {
	return &connectors.Error{Class: connectors.Unavailable, NotSent: true, Err: err, Public: "The delivery was stopped before it was sent. callsync tries again."}
}

func unknown(err error) error {
	return &connectors.Error{Class: connectors.UnknownOutcome, Err: err,
		Public: "A request for several calls was cut off. callsync looks whether this one was written before it writes again."}
}
