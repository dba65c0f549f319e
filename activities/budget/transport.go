package budget

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/internal/httpx"
	"github.com/callsync/callsync/records"
)

// Transport charges every request over base to the budgets of conn: to the prepaid part of the Pass in its context, or
// with a wait of up to a second. A CRM that answers 429 is left alone by everybody until it wants requests again.
func (b *Budgets) Transport(info connectors.Info, conn records.Connection, base http.RoundTripper) http.RoundTripper {
	l := limitsOf(info, conn)
	return &transport{budgets: b, info: info, conn: conn, limits: l, base: base}
}

type transport struct {
	budgets *Budgets
	info    connectors.Info
	conn    records.Connection
	limits  limits
	base    http.RoundTripper
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	class, cost := connectors.RateOf(r.Context())
	if err := t.charge(r.Context(), class, cost); err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, connectors.NotSent(err)
	}
	resp, err := t.base.RoundTrip(r)
	if p, ok := t.pass(r.Context()); ok {
		p.mu.Lock()
		p.reach = reachOf(resp, err)
		p.mu.Unlock()
	}
	if err == nil && resp.StatusCode == http.StatusTooManyRequests {
		t.blocked(r.Context(), class, resp)
	}
	return resp, err
}

// pass is the leave of the attempt that sends a request.
func (t *transport) pass(ctx context.Context) (*Pass, bool) {
	p, ok := ctx.Value(passKey{}).(*Pass)
	return p, ok && p.conn.ID == t.conn.ID
}

// charge pays for a request. A request of an attempt that has had its turn is not kept waiting.
func (t *transport) charge(ctx context.Context, class string, cost int) error {
	p, passing := t.pass(ctx)
	owed, most := t.limits.bill(class, cost), patience
	if passing {
		owed, most = p.spend(owed), forever
	}
	if len(t.limits.buckets) == 0 || len(owed) == 0 {
		return nil
	}
	bill := &Pass{budgets: t.budgets, conn: t.conn, info: t.info, limits: t.limits}
	wait, err := t.budgets.Store.ChargeBudgets(ctx, t.conn.WorkspaceID, t.conn.ID, bill.charges(owed, 1), most)
	switch {
	case err != nil:
		return &connectors.Error{Class: connectors.Unavailable, Err: fmt.Errorf("charge the budgets: %w", err),
			Public: "callsync could not see to the CRM's limits. It tries again."}
	case passing:
		return nil
	case wait > patience:
		return bill.later(wait)
	}
	return sleep(ctx, wait)
}

// spend takes what a request costs from what is prepaid and returns what is not.
func (p *Pass) spend(costs map[string]int) (owed map[string]int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	owed = map[string]int{}
	p.sent++
	for key, cost := range costs {
		p.used[key] += cost
		paid := min(cost, p.left[key])
		p.left[key] -= paid
		if cost > paid {
			owed[key] = cost - paid
		}
	}
	return owed
}

// blockMost bounds for how long a 429 stops a connection: a quota may be raised before it is over.
const (
	blockMost  = 10 * time.Minute
	blockLeast = time.Second
)

func (t *transport) blocked(ctx context.Context, class string, resp *http.Response) {
	if len(t.limits.buckets) == 0 {
		return
	}
	wait, ok := httpx.ParseRetryAfter(resp.Header.Get("Retry-After"), t.budgets.now())
	if !ok || wait < blockLeast {
		wait = blockLeast
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	// Best effort: who comes too early is told so by the CRM.
	_ = t.budgets.Store.BlockBudget(ctx, t.conn.WorkspaceID, t.conn.ID, t.bucketOf(class), min(wait, blockMost))
}

// bucketOf is the narrowest bucket that counts class.
func (t *transport) bucketOf(class string) string {
	for _, b := range t.limits.buckets {
		if b.daily == 0 && b.class == class {
			return b.key()
		}
	}
	return ""
}
