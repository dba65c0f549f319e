package budget

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/callsync/callsync/connectors"
)

// probe refuses deliveries of a connection that is suspended, but for the one that tries whether its CRM is back.
func (b *Budgets) probe(ctx context.Context, p *Pass) error {
	b.mu.Lock()
	until, ok := b.suspended[p.conn.ID]
	b.mu.Unlock()
	if !ok {
		return nil
	}
	wait := time.Until(until)
	if wait <= 0 {
		var err error
		if wait, err = b.Store.ProbeConnection(ctx, p.conn.WorkspaceID, p.conn.ID, probeLease); err != nil {
			return fmt.Errorf("probe a suspended connection: %w", err)
		}
		if wait <= 0 {
			return nil
		}
		b.suspend(p.conn.ID, wait)
	}
	return &connectors.Error{Class: connectors.Unavailable, NotSent: true,
		// Spread, so that what has waited does not come back all at once.
		RetryAfter: wait + rand.N(wait/2+time.Second),
		Public:     fmt.Sprintf("%s does not answer. callsync tries it now and then with one call; the others, such as this one, follow as soon as it is back.", p.info.Label)}
}

func (b *Budgets) suspend(connectionID string, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.suspended == nil || len(b.suspended) >= maxSuspensions {
		b.suspended = map[string]time.Time{}
	}
	b.suspended[connectionID] = time.Now().Add(wait)
}

// outcome records whether the CRM could be reached in an attempt.
func (b *Budgets) outcome(ctx context.Context, p *Pass) error {
	p.mu.Lock()
	reach := p.reach
	p.mu.Unlock()
	b.mu.Lock()
	_, suspended := b.suspended[p.conn.ID]
	failing := b.failing[p.conn.ID] || suspended
	b.mu.Unlock()
	switch {
	case reach == unreached:
		wait, err := b.Store.ConnectionFailed(ctx, p.conn.WorkspaceID, p.conn.ID, threshold, shortest, longest)
		if err != nil {
			return fmt.Errorf("record a failure of a connection: %w", err)
		}
		if wait > 0 {
			b.suspend(p.conn.ID, wait)
		}
		b.setFailing(p.conn.ID, true)
	case reach == reached && failing:
		if err := b.Store.ConnectionWorks(ctx, p.conn.WorkspaceID, p.conn.ID); err != nil {
			return fmt.Errorf("record that a connection works: %w", err)
		}
		b.setFailing(p.conn.ID, false)
		b.mu.Lock()
		delete(b.suspended, p.conn.ID)
		b.mu.Unlock()
	}
	return nil
}

// reach is what the last request of an attempt has shown of the CRM.
type reach int

const (
	untried reach = iota
	reached
	unreached
)

// reachOf reads an answer: a server that cannot be reached or has a fault of its own is down for every call, a refusal
// is an answer.
func reachOf(resp *http.Response, err error) reach {
	switch {
	case errors.Is(err, context.Canceled):
		return untried
	case err != nil:
		return unreached
	case resp.StatusCode >= 500 && resp.StatusCode != http.StatusNotImplemented:
		return unreached
	}
	return reached
}

func (b *Budgets) setFailing(connectionID string, failing bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !failing {
		delete(b.failing, connectionID)
		return
	}
	if b.failing == nil || len(b.failing) >= maxSuspensions {
		b.failing = map[string]bool{}
	}
	b.failing[connectionID] = true
}

// slot takes a place among the deliveries of a connection that may be under way at once.
func (b *Budgets) slot(ctx context.Context, p *Pass) error {
	if p.info.Concurrency <= 0 {
		return nil
	}
	ok, err := b.Store.TakeSlot(ctx, p.conn.WorkspaceID, p.conn.ID, p.holder, p.info.Concurrency, slotLease)
	if err != nil {
		return fmt.Errorf("take a place: %w", err)
	}
	if !ok {
		return p.later(slotPause + rand.N(slotPause))
	}
	p.slot = true
	return nil
}

// freeSlot gives the place back; one that cannot be is free again after slotLease.
func (p *Pass) freeSlot(ctx context.Context) {
	if p.slot {
		_ = p.budgets.Store.FreeSlot(context.WithoutCancel(ctx), p.conn.WorkspaceID, p.conn.ID, p.holder)
		p.slot = false
	}
}
