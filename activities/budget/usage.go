package budget

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/callsync/callsync/records"
)

// usageEvery is how often what a connection has asked of its CRM is written down. What a process that ends has not
// written is missing from forecasts, and nowhere else.
const usageEvery = 5 * time.Second

// pendingUsage is what has not been written down yet.
type pendingUsage struct {
	records.Usage
	written time.Time
}

// note counts a delivery that has sent something, and writes down what was counted when it is time.
func (b *Budgets) note(ctx context.Context, p *Pass, used map[string]int, sent int) error {
	if sent == 0 && !p.yielded {
		return nil
	}
	conn, u := p.conn, records.Usage{Deliveries: 1, Requests: int64(sent)}
	if p.priority == Together {
		// The deliveries that it is of count themselves.
		u.Deliveries = 0
	}
	for key, n := range used {
		if !strings.HasSuffix(key, numberOf("")) {
			u.Cost += int64(n)
		}
	}
	b.mu.Lock()
	if b.usage == nil || len(b.usage) >= maxSuspensions {
		b.usage = map[string]*pendingUsage{}
	}
	pending := b.usage[conn.ID]
	if pending == nil {
		pending = &pendingUsage{}
		b.usage[conn.ID] = pending
	}
	pending.Usage = pending.Plus(u)
	if time.Since(pending.written) < usageEvery {
		b.mu.Unlock()
		return nil
	}
	u, pending.Usage, pending.written = pending.Usage, records.Usage{}, time.Now()
	b.mu.Unlock()
	if err := b.Store.AddUsage(ctx, conn.WorkspaceID, conn.ID, u); err != nil {
		return fmt.Errorf("note the use of limits: %w", err)
	}
	return nil
}
