package ingest

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/callsync/callsync/records"
)

// ReceiptStore keeps receipts.
type ReceiptStore interface {
	// InsertReceipts stores all or none and answers once they are durable; repeating it is harmless. An error wrapping
	// records.ErrRefused is about one of the rows, any other about the store.
	InsertReceipts(ctx context.Context, rs []records.Receipt) error
}

// ErrUnavailable is returned for a receipt that could not be made durable in time: the sender should send it again.
var ErrUnavailable = errors.New("the receipt could not be stored in time")

// BatcherOptions tune the batcher. Zero members mean the defaults.
type BatcherOptions struct {
	// Committers is how many transactions store receipts side by side; 2.
	Committers int
	// MaxRows and MaxBytes bound one transaction; 500 and 8 MiB.
	MaxRows  int
	MaxBytes int
	// Linger is how long a committer waits for more when receipts come in numbers; 3 ms.
	Linger time.Duration
	// Hold is how long a receipt waits for a store that is away before it goes to the spool or is refused; 4 s.
	Hold time.Duration
	// QueueBytes bounds what waits in memory; 128 MiB.
	QueueBytes int64
}

func (o *BatcherOptions) setDefaults() {
	def(&o.Committers, 2)
	def(&o.MaxRows, 500)
	def(&o.MaxBytes, 8<<20)
	def(&o.Linger, 3*time.Millisecond)
	def(&o.Hold, 4*time.Second)
	def(&o.QueueBytes, 128<<20)
}

// def sets a number that was left zero.
func def[N ~int | ~int64](to *N, n N) {
	if *to == 0 {
		*to = n
	}
}

// Batcher makes receipts durable, many in one commit. While the store is away it holds them, then it spools them.
type Batcher struct {
	store   ReceiptStore
	spool   *Spool // nil: none
	opts    BatcherOptions
	metrics *Metrics
	log     *slog.Logger
	// stored is called after each commit.
	stored func()

	mu      sync.Mutex
	more    sync.Cond
	pending []*ticket
	bytes   int64
	closed  bool

	// downSince is when the store was first found away (unix ns), zero while it answers; failedAt when it last was.
	downSince, failedAt atomic.Int64
	running             sync.WaitGroup
}

// ticket is a receipt on its way.
type ticket struct {
	records.Receipt
	size int
	at   time.Time
	done chan error
}

// NewBatcher starts the committers. stored, if not nil, is called after each commit and must not block. spool may be nil.
func NewBatcher(store ReceiptStore, spool *Spool, opts BatcherOptions, m *Metrics, log *slog.Logger, stored func()) *Batcher {
	opts.setDefaults()
	if stored == nil {
		stored = func() {}
	}
	b := &Batcher{store: store, spool: spool, opts: opts, metrics: m, log: log, stored: stored}
	b.more.L = &b.mu
	for range opts.Committers {
		b.running.Go(b.commit)
	}
	return b
}

// Submit returns nil once r is durable. It returns ErrUnavailable if that could not be done in time, and an error
// wrapping records.ErrRefused if r can never be stored. A receipt whose ctx ends meanwhile may still be stored.
func (b *Batcher) Submit(ctx context.Context, r records.Receipt) error {
	t := &ticket{Receipt: r, size: len(r.Body) + len(r.Headers) + len(r.Query) + 256, at: time.Now(), done: make(chan error, 1)}
	b.mu.Lock()
	if b.closed || b.bytes+int64(t.size) > b.opts.QueueBytes {
		b.mu.Unlock()
		return ErrUnavailable
	}
	b.bytes += int64(t.size)
	b.pending = append(b.pending, t)
	b.mu.Unlock()
	b.more.Signal()
	select {
	case err := <-t.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Busy tells whether receipts come faster than one by one: work that can wait should leave them room.
func (b *Batcher) Busy() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.pending) >= 16
}

// Close stores what was submitted and stops the committers; it gives up when ctx ends. Submit refuses from then on.
func (b *Batcher) Close(ctx context.Context) error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.more.Broadcast()
	done := make(chan struct{})
	go func() { b.running.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *Batcher) commit() {
	rows := make([]records.Receipt, 0, b.opts.MaxRows)
	lastRows := 0
	for {
		batch := b.take(lastRows)
		if batch == nil {
			return
		}
		lastRows = len(batch)
		b.storeBatch(batch, rows)
		clear(rows[:cap(rows)])
	}
}

// take waits for receipts and takes as many as one commit may have; nil once closed and empty. Where the last commit had
// several, the next few milliseconds will bring more: they share a commit rather than each wait for one.
func (b *Batcher) take(lastRows int) []*ticket {
	b.mu.Lock()
	defer b.mu.Unlock()
	lingered := lastRows < 4
	for {
		switch {
		case len(b.pending) == 0 && b.closed:
			return nil
		case len(b.pending) == 0:
			b.more.Wait()
			continue
		case !lingered && !b.closed && len(b.pending) < b.opts.MaxRows/2:
			lingered = true
			b.mu.Unlock()
			time.Sleep(b.opts.Linger)
			b.mu.Lock()
			continue
		}
		n, size := 0, 0
		for n < len(b.pending) && n < b.opts.MaxRows && (n == 0 || size+b.pending[n].size <= b.opts.MaxBytes) {
			size += b.pending[n].size
			n++
		}
		batch := slices.Clone(b.pending[:n])
		// The queue keeps its array for as long as something waits.
		clear(b.pending[:n])
		b.pending = b.pending[n:]
		if len(b.pending) == 0 {
			b.pending = nil
		}
		b.bytes -= int64(size)
		return batch
	}
}

// storeBatch brings a batch to an end: durable in the store or in the spool, or refused.
func (b *Batcher) storeBatch(batch []*ticket, rows []records.Receipt) {
	rows = rows[:0]
	for _, t := range batch {
		rows = append(rows, t.Receipt)
	}
	giveUp := batch[0].at.Add(b.opts.Hold)
	wait := 25 * time.Millisecond
	for {
		if b.away() && b.spool != nil {
			break
		}
		err := b.try(rows, giveUp)
		switch {
		case err == nil:
			b.metrics.batchRows.Observe(float64(len(batch)))
			finish(batch, nil)
			b.stored()
			return
		case errors.Is(err, records.ErrRefused) && len(batch) == 1:
			b.log.Error("a receipt cannot be stored", "receipt", batch[0].ID, "source", batch[0].SourceID, "error", err)
			finish(batch, err)
			return
		case errors.Is(err, records.ErrRefused):
			// Row by row, so that only the row at fault fails.
			for i := range batch {
				b.storeBatch(batch[i:i+1], make([]records.Receipt, 0, 1))
			}
			return
		}
		if b.closing() || !time.Now().Add(wait).Before(giveUp) {
			break
		}
		time.Sleep(wait)
		wait = min(2*wait, 500*time.Millisecond)
	}
	if b.spool == nil {
		finish(batch, ErrUnavailable)
		return
	}
	if err := b.spool.Append(rows); err != nil {
		b.log.Error("the spool takes no receipts", "receipts", len(rows), "error", err)
		finish(batch, ErrUnavailable)
		return
	}
	finish(batch, nil)
}

func finish(batch []*ticket, err error) {
	for _, t := range batch {
		t.done <- err
	}
}

// try asks the store once and remembers whether it answers.
func (b *Batcher) try(rows []records.Receipt, giveUp time.Time) error {
	// A store that hangs must not keep the receipt longer than its hold; one that is merely slow gets half a second.
	ctx, cancel := context.WithTimeout(context.Background(), max(time.Until(giveUp), 500*time.Millisecond))
	defer cancel()
	err := b.store.InsertReceipts(ctx, rows)
	if err == nil || errors.Is(err, records.ErrRefused) {
		if b.downSince.Swap(0) != 0 {
			b.log.Info("the store takes receipts again")
		}
		return err
	}
	now := time.Now().UnixNano()
	b.failedAt.Store(now)
	if b.downSince.CompareAndSwap(0, now) {
		b.log.Warn("the store takes no receipts; holding them", "error", err)
	}
	return err
}

// away tells that the store has been away for longer than a receipt is held, so that holding another one is in vain. It
// is asked again every second.
func (b *Batcher) away() bool {
	since := b.downSince.Load()
	if since == 0 {
		return false
	}
	now := time.Now()
	return now.Sub(time.Unix(0, since)) > b.opts.Hold && now.Sub(time.Unix(0, b.failedAt.Load())) < time.Second
}

func (b *Batcher) closing() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}
