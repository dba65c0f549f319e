// Package budget keeps deliveries within the limits of the CRMs: it charges every request to the connection's budgets,
// which all workers share in the database, gives turns where a budget is short, caps how much is under way at once, and
// suspends a connection whose CRM is down.
//
// A budget is a leaky bucket (GCRA): the moment at which it will be empty again. An attempt asks for its turn before it
// sends anything, for as many requests as deliveries of its kind usually take. A turn within a second is waited for; a
// later one is reserved, and the attempt is told when to come back, so that none of them holds a worker's slot and none
// starves. Requests beyond what was asked for are charged without a wait, for half a delivery helps nobody: the next
// turns come later by as much.
package budget

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// Store keeps what all workers share. Its clock is the database's.
type Store interface {
	// ChargeBudgets charges all of charges, or none where one of them would have to wait longer than maxWait. It returns
	// how long to wait before sending, which is over maxWait if nothing was charged.
	ChargeBudgets(ctx context.Context, workspaceID, connectionID string, charges []records.BudgetCharge, maxWait time.Duration) (wait time.Duration, err error)
	// BlockBudget keeps everybody from a class until the CRM wants requests again.
	BlockBudget(ctx context.Context, workspaceID, connectionID, class string, wait time.Duration) error
	// ReserveTurn remembers holder's turn; TakeTurn takes it where it has come (within early), and tells for how long to
	// wait otherwise. ok is false where there is none.
	ReserveTurn(ctx context.Context, workspaceID, connectionID, holder string, in time.Duration) error
	TakeTurn(ctx context.Context, workspaceID, connectionID, holder string, early time.Duration) (wait time.Duration, ok bool, err error)
	// TakeSlot takes one of slots places for at most lease; ok is false where all are taken. FreeSlot gives it back.
	TakeSlot(ctx context.Context, workspaceID, connectionID, holder string, slots int, lease time.Duration) (ok bool, err error)
	FreeSlot(ctx context.Context, workspaceID, connectionID, holder string) error
	// ConnectionFailed counts a failure to reach the CRM and suspends the connection from threshold on; it returns for how
	// long. ConnectionWorks ends that. ProbeConnection is true for the one who may try whether the CRM is back; others are
	// told how long to wait.
	ConnectionFailed(ctx context.Context, workspaceID, connectionID string, threshold int, least, most time.Duration) (suspended time.Duration, err error)
	ConnectionWorks(ctx context.Context, workspaceID, connectionID string) error
	ProbeConnection(ctx context.Context, workspaceID, connectionID string, lease time.Duration) (wait time.Duration, err error)
	// AddUsage adds to what the connection's deliveries have asked of its CRM in the current hour.
	AddUsage(ctx context.Context, workspaceID, connectionID string, u records.Usage) error
}

// The times and numbers of budgets.
const (
	// patience is how long an attempt waits for its turn without giving its place back.
	patience = time.Second
	// farthest is the latest turn that is reserved. Who would have a later one asks again then.
	farthest = 10 * time.Minute
	// usual is how many requests of all classes a delivery is taken to need until it is known better.
	usual = 3
	// smoothing is the weight of the newest delivery in that.
	smoothing = 0.05
	// slotLease is how long the place of a worker that died stays taken.
	slotLease = 2 * time.Minute
	// slotPause is when a place is asked for again.
	slotPause = 500 * time.Millisecond
	// threshold is how many failures in a row to reach a CRM suspend its connection; suspensions double from shortest to
	// longest while probes fail.
	threshold       = 5
	shortest        = 15 * time.Second
	longest         = 5 * time.Minute
	probeLease      = time.Minute
	maxEstimates    = 1024
	maxSuspensions  = 4096
	maxKnownBuckets = 8
	// forever is a wait that no budget asks for.
	forever = 1000 * time.Hour
)

// Budgets gives turns and charges requests. The zero value with a Store is ready; it is used by all workers of a process.
type Budgets struct {
	Store Store
	// Now is the clock of days; nil means time.Now.
	Now func() time.Time

	mu        sync.Mutex
	estimates map[string]map[string]float64 // kind of deliveries -> class -> requests of one
	suspended map[string]time.Time          // connection -> until, as far as this process knows
	failing   map[string]bool               // connections with a failure since their last success
	usage     map[string]*pendingUsage      // connection -> what has not been written down
}

func (b *Budgets) now() time.Time {
	if b.Now != nil {
		return b.Now()
	}
	return time.Now()
}

// Pass is the leave to deliver: it carries what is prepaid. Done must be called at the end.
type Pass struct {
	budgets  *Budgets
	conn     records.Connection
	info     connectors.Info
	limits   limits
	holder   string
	priority Priority
	slot     bool
	// yielded tells that some of the delivery's requests are those of others, too.
	yielded bool

	mu    sync.Mutex
	left  map[string]int // class, or numberOf it -> what is prepaid
	used  map[string]int
	sent  int
	reach reach
}

type passKey struct{}

// With puts p into the context of the delivery's requests, where Transport finds it.
func (p *Pass) With(ctx context.Context) context.Context { return context.WithValue(ctx, passKey{}, p) }

// Admit asks for the turn of an attempt. holder names the delivery, the same in every attempt. Where the turn is later, or
// the connection is suspended, it returns an *connectors.Error that says when to come again; other errors are the
// store's, and wrap err.
func (b *Budgets) Admit(ctx context.Context, info connectors.Info, conn records.Connection, holder string, priority Priority) (*Pass, error) {
	p := &Pass{budgets: b, conn: conn, info: info, limits: limitsOf(info, conn), holder: holder, priority: priority,
		left: map[string]int{}, used: map[string]int{}}
	if err := b.probe(ctx, p); err != nil {
		return nil, err
	}
	if err := b.slot(ctx, p); err != nil {
		return nil, err
	}
	if err := b.turn(ctx, p); err != nil {
		p.freeSlot(ctx)
		return nil, err
	}
	return p, nil
}

// turn waits for the pass's turn, or reserves it.
func (b *Budgets) turn(ctx context.Context, p *Pass) error {
	if len(p.limits.buckets) == 0 {
		return nil
	}
	needs := b.needs(p)
	wait, reserved, err := b.Store.TakeTurn(ctx, p.conn.WorkspaceID, p.conn.ID, p.holder, patience)
	if err != nil {
		return fmt.Errorf("take a turn: %w", err)
	}
	if !reserved {
		most := patience
		if !p.priority.patient() {
			most = farthest
		}
		if wait, err = b.Store.ChargeBudgets(ctx, p.conn.WorkspaceID, p.conn.ID, p.charges(needs, p.priority.share()), most); err != nil {
			return fmt.Errorf("charge the budgets: %w", err)
		}
		if wait > most {
			return p.later(wait)
		}
		if wait > patience {
			if err := b.Store.ReserveTurn(ctx, p.conn.WorkspaceID, p.conn.ID, p.holder, wait); err != nil {
				return fmt.Errorf("reserve a turn: %w", err)
			}
			return p.later(wait)
		}
	} else if wait > patience {
		return p.later(wait)
	}
	p.left = needs
	return sleep(ctx, wait)
}

// needs is how many requests of each class a delivery usually takes, rounded up or down at random so that the mean is right.
func (b *Budgets) needs(p *Pass) map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	have := b.estimates[p.kind()]
	if have == nil {
		if p.limits.requests {
			return map[string]int{"": usual, numberOf(""): usual}
		}
		return map[string]int{"": usual}
	}
	out := map[string]int{}
	for class, mean := range have {
		whole := math.Floor(mean)
		n := int(whole)
		if rand.Float64() < mean-whole {
			n++
		}
		if n > 0 {
			out[class] = n
		}
	}
	if len(out) == 0 {
		out[""] = 1
	}
	return out
}

// kind names the deliveries that take about as many requests as this one: those of backfill share some.
func (p *Pass) kind() string {
	switch p.priority {
	case Backfill:
		return p.conn.Connector + " backfill"
	case Together:
		return p.conn.Connector + " together"
	}
	return p.conn.Connector
}

// learn adds what a delivery has used to what is known of its kind.
func (b *Budgets) learn(kind string, used map[string]int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.estimates == nil {
		b.estimates = map[string]map[string]float64{}
	}
	have := b.estimates[kind]
	if have == nil {
		if len(b.estimates) >= maxEstimates {
			return
		}
		have = map[string]float64{}
		b.estimates[kind] = have
		for class, n := range used {
			have[class] = float64(n)
		}
		return
	}
	for class := range used {
		if _, ok := have[class]; !ok && len(have) < maxKnownBuckets {
			have[class] = 0
		}
	}
	for class, mean := range have {
		have[class] = mean + smoothing*(float64(used[class])-mean)
	}
}

// charges are what requests of the classes cost in the buckets that count them.
func (p *Pass) charges(needs map[string]int, share float64) []records.BudgetCharge {
	day, ends := p.limits.day(p.budgets.now())
	var out []records.BudgetCharge
	for _, k := range p.limits.buckets {
		cost := 0
		for key, n := range needs {
			if k.counts(key) {
				cost += n
			}
		}
		if cost == 0 {
			continue
		}
		c := records.BudgetCharge{Class: k.key()}
		if k.daily > 0 {
			c.Day, c.DayEnds, c.Cost, c.Daily = day, ends, cost, int(float64(k.daily)*share)
		} else {
			c.Emission = time.Duration(cost) * k.emission
			c.Tolerance = time.Duration(max(float64(cost), float64(k.burst)*share) * float64(k.emission))
		}
		out = append(out, c)
	}
	return out
}

// later is the error for a turn that has not come.
func (p *Pass) later(wait time.Duration) error {
	e := &connectors.Error{Class: connectors.RateLimited, RetryAfter: wait, NotSent: true,
		Public: fmt.Sprintf("Other calls go to %s before this one: its limits allow only so many at a time. This one follows.", p.info.Label)}
	if wait > time.Hour {
		e.Class = connectors.QuotaExhausted
		e.Public = fmt.Sprintf("The daily quota of the %s account is used up. callsync goes on when it is filled again.", p.info.Label)
	}
	return e
}

// Done ends the attempt: what was prepaid and not used is given back, and whether the CRM could be reached is recorded.
func (p *Pass) Done(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	p.freeSlot(ctx)
	p.mu.Lock()
	used, sent := p.used, p.sent
	p.mu.Unlock()
	if len(used) > 0 || p.yielded {
		p.budgets.learn(p.kind(), used)
	}
	noted := p.budgets.note(ctx, p, used, sent)
	if err := p.refund(ctx); err != nil {
		return err
	}
	return errors.Join(noted, p.budgets.outcome(ctx, p))
}

// refund gives back what is prepaid and was not used.
func (p *Pass) refund(ctx context.Context) error {
	p.mu.Lock()
	left := p.left
	p.left = map[string]int{}
	p.mu.Unlock()
	refund := map[string]int{}
	for class, n := range left {
		if n > 0 {
			refund[class] = -n
		}
	}
	if charges := p.charges(refund, 1); len(charges) > 0 {
		if _, err := p.budgets.Store.ChargeBudgets(ctx, p.conn.WorkspaceID, p.conn.ID, charges, forever); err != nil {
			return fmt.Errorf("give prepaid requests back: %w", err)
		}
	}
	return nil
}

// Yield gives the place of the attempt whose pass ctx carries back, and what it has prepaid: it waits for a request that it
// shares with others, which has a turn of its own (Together). What the attempt sends afterwards is charged without a wait.
// That it fails costs only time.
func Yield(ctx context.Context) error {
	p, ok := ctx.Value(passKey{}).(*Pass)
	if !ok || p.yielded {
		return nil
	}
	p.yielded = true
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	p.freeSlot(ctx)
	return p.refund(ctx)
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
