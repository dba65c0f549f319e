package activities

import (
	"context"
	"sync"
)

// places bounds how many deliveries of backfill work at once for each kind of CRM. Those that wait for a request that they
// share with others need none, so that many can wait while live calls find the database and the processor free.
type places struct {
	mu sync.Mutex
	of map[string]chan struct{}
}

func (p *places) named(connector string, n int) chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of == nil {
		p.of = map[string]chan struct{}{}
	}
	if p.of[connector] == nil {
		p.of[connector] = make(chan struct{}, n)
	}
	return p.of[connector]
}

// takePlace waits for a place of backfill. Its error is that of ctx.
func (d *attempt) takePlace(ctx context.Context) error {
	if !d.in.Bulk || d.BulkPlaces <= 0 || d.place != nil {
		return nil
	}
	place := d.bulk.named(d.lane.Connection.Connector, d.BulkPlaces)
	select {
	case place <- struct{}{}:
		d.place = place
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *attempt) givePlace() {
	if d.place != nil {
		<-d.place
		d.place = nil
	}
}
