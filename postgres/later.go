package postgres

import (
	"context"
	"sync"
	"time"
)

// later runs a piece of work a moment after it was first asked for, once for all that asked until then: news of many
// transactions becomes one statement, and no transaction waits for it.
type later struct {
	delay time.Duration
	work  func(context.Context)

	mu     sync.Mutex
	timer  *time.Timer
	closed bool
	under  sync.WaitGroup
}

// patience bounds one run: what is lost is looked up again by those who need it.
const patience = 5 * time.Second

// soon asks for a run. It never blocks.
func (l *later) soon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil || l.closed {
		return
	}
	l.under.Add(1)
	l.timer = time.AfterFunc(l.delay, func() {
		defer l.under.Done()
		l.mu.Lock()
		l.timer = nil
		l.mu.Unlock()
		l.run()
	})
}

func (l *later) run() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	l.work(ctx)
}

// close runs at once what is still to be done, and then nothing more.
func (l *later) close() {
	l.mu.Lock()
	l.closed = true
	pending := l.timer != nil && l.timer.Stop()
	l.mu.Unlock()
	if pending {
		l.run()
		l.under.Done()
	}
	l.under.Wait()
}
