package ingest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/callsync/callsync/records"
)

// ErrSpoolFull is returned by Append when the spool has reached its size.
var ErrSpoolFull = errors.New("the spool is full")

const (
	segmentSuffix = ".spool"
	// damagedSuffix marks what could not be replayed and is kept for a person to look at.
	damagedSuffix = ".damaged"
	segmentBytes  = 64 << 20
	// maxTorn is more than one Append writes: a longer rest was confirmed once, whatever its first record looks like.
	maxTorn = 32 << 20
)

// Spool keeps receipts in files while the store is away: append-only segments, flushed to disk before a receipt is
// confirmed. Drain brings them to the store, the oldest first, and deletes a segment only when all of it is there. A
// process that dies loses nothing it has confirmed: what it was writing is a torn tail, and what it was draining is
// drained again, which the receipts' ids make harmless.
type Spool struct {
	dir      string
	maxBytes int64
	log      *slog.Logger
	metrics  *Metrics
	lock     *os.File

	mu       sync.Mutex
	active   *os.File
	size     int64 // of the active segment
	total    int64 // of all segments
	next     int
	buffer   []byte
	appended chan struct{}
}

// OpenSpool opens the spool in dir, making it where needed, and finds what an earlier process left there. One process
// has it at a time. maxBytes bounds its size; zero means 1 GiB.
func OpenSpool(dir string, maxBytes int64, m *Metrics, log *slog.Logger) (*Spool, error) {
	def(&maxBytes, 1<<30)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the spool: %w", err)
	}
	lock, err := lockDir(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("open the spool %s: %w", dir, err)
	}
	s := &Spool{dir: dir, maxBytes: maxBytes, log: log, metrics: m, lock: lock, appended: make(chan struct{}, 1)}
	left, err := s.segments()
	if err != nil {
		lock.Close()
		return nil, err
	}
	for _, name := range left {
		if st, err := os.Stat(name); err == nil {
			s.total += st.Size()
		}
		var n int
		if _, err := fmt.Sscanf(filepath.Base(name), "%d", &n); err == nil {
			s.next = max(s.next, n+1)
		}
	}
	m.spoolBytes.Set(float64(s.total))
	if len(left) > 0 {
		log.Info("the spool holds receipts of an earlier process", "segments", len(left), "bytes", s.total)
		s.poke()
	}
	return s, nil
}

// Append writes receipts and returns once they are on disk.
func (s *Spool) Append(rs []records.Receipt) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buffer = s.buffer[:0]
	for i := range rs {
		s.buffer = appendRecord(s.buffer, &rs[i])
	}
	n := int64(len(s.buffer))
	if s.total+n > s.maxBytes {
		return ErrSpoolFull
	}
	if s.active == nil || s.size >= segmentBytes {
		if err := s.rotate(); err != nil {
			return err
		}
	}
	if _, err := s.active.Write(s.buffer); err != nil {
		return s.abandon(err)
	}
	if err := s.active.Sync(); err != nil {
		return s.abandon(err)
	}
	s.size += n
	s.total += n
	s.metrics.spoolBytes.Set(float64(s.total))
	if cap(s.buffer) > 16<<20 {
		s.buffer = nil
	}
	s.poke()
	return nil
}

// abandon gives up the active segment after a failed write or flush: what is behind a torn record cannot be read, and
// after a failed flush the system no longer says what is on disk. What was confirmed before stays in it.
func (s *Spool) abandon(cause error) error {
	if err := s.active.Truncate(s.size); err == nil {
		s.active.Sync()
	}
	s.active.Close()
	s.active = nil
	return fmt.Errorf("write the spool: %w", cause)
}

// rotate starts a new segment.
func (s *Spool) rotate() error {
	if s.active != nil {
		s.active.Close()
		s.active = nil
	}
	name := filepath.Join(s.dir, fmt.Sprintf("%012d%s", s.next, segmentSuffix))
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("start a spool segment: %w", err)
	}
	if err := syncDir(s.dir); err != nil {
		f.Close()
		return fmt.Errorf("start a spool segment: %w", err)
	}
	s.next++
	s.active, s.size = f, 0
	return nil
}

func (s *Spool) poke() {
	select {
	case s.appended <- struct{}{}:
	default:
	}
}

// Bytes is how much the spool holds.
func (s *Spool) Bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// Drain brings spooled receipts to the store until ctx ends. stored, if not nil, is called after each commit.
func (s *Spool) Drain(ctx context.Context, store ReceiptStore, stored func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.appended:
		}
		for wait := 250 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
			err := s.drainAll(ctx, store, stored)
			if err == nil || ctx.Err() != nil {
				break
			}
			s.log.Warn("the spool waits", "bytes", s.Bytes(), "error", err)
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
		}
	}
}

// drainAll drains segment after segment, the one being written last.
func (s *Spool) drainAll(ctx context.Context, store ReceiptStore, stored func()) error {
	for {
		s.mu.Lock()
		all, err := s.segments()
		if err == nil && len(all) > 0 && s.active != nil && all[0] == s.active.Name() {
			s.active.Close()
			s.active = nil
		}
		s.mu.Unlock()
		if err != nil || len(all) == 0 {
			return err
		}
		if err := s.drain(ctx, all[0], store, stored); err != nil {
			return err
		}
	}
}

// segments lists the files, the oldest first.
func (s *Spool) segments() ([]string, error) {
	found, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("read the spool: %w", err)
	}
	var out []string
	for _, e := range found {
		if strings.HasSuffix(e.Name(), segmentSuffix) {
			out = append(out, filepath.Join(s.dir, e.Name()))
		}
	}
	slices.Sort(out)
	return out, nil
}

// drain stores one segment and deletes it.
func (s *Spool) drain(ctx context.Context, name string, store ReceiptStore, stored func()) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("drain the spool: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("drain the spool: %w", err)
	}
	var (
		in        = bufio.NewReaderSize(f, 1<<20)
		remaining = st.Size()
		batch     []records.Receipt
		size, all int64
		damaged   bool
	)
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		if err := insertEach(ctx, store, batch, func(r records.Receipt, err error) {
			damaged = true
			s.log.Error("a spooled receipt cannot be stored", "receipt", r.ID, "source", r.SourceID, "error", err)
		}); err != nil {
			return fmt.Errorf("drain the spool: %w", err)
		}
		all += int64(len(batch))
		if stored != nil {
			stored()
		}
		batch, size = batch[:0], 0
		return nil
	}
	for {
		r, n, err := readRecord(in, remaining)
		switch {
		case err == nil:
			remaining -= n
			batch, size = append(batch, r), size+n
			if len(batch) < 500 && size < 8<<20 {
				continue
			}
			if err := flush(); err != nil {
				return err
			}
			continue
		case err == io.EOF:
		case errors.Is(err, errTorn) && remaining <= maxTorn:
			s.log.Info("a spool segment ends in a record that was never confirmed", "segment", filepath.Base(name))
		case errors.Is(err, errCorrupt), errors.Is(err, errTorn):
			damaged = true
			s.log.Error("a spool segment is damaged; the rest of it is kept aside", "segment", filepath.Base(name), "bytes", remaining)
		default:
			return fmt.Errorf("drain the spool: %w", err)
		}
		break
	}
	if err := flush(); err != nil {
		return err
	}
	if err := s.remove(name, st.Size(), damaged); err != nil {
		return fmt.Errorf("drain the spool: %w", err)
	}
	s.log.Info("spooled receipts are in the store", "receipts", all)
	return nil
}

// insertEach stores a batch and, if a row is refused, each row alone; refused rows are told.
func insertEach(ctx context.Context, store ReceiptStore, batch []records.Receipt, refused func(records.Receipt, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	err := store.InsertReceipts(ctx, batch)
	if !errors.Is(err, records.ErrRefused) {
		return err
	}
	for i := range batch {
		err := store.InsertReceipts(ctx, batch[i:i+1])
		if errors.Is(err, records.ErrRefused) {
			refused(batch[i], err)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// remove deletes a drained segment, or puts it aside where something in it was lost.
func (s *Spool) remove(name string, size int64, damaged bool) error {
	var err error
	if damaged {
		err = os.Rename(name, name+damagedSuffix)
	} else {
		err = os.Remove(name)
	}
	if err == nil {
		err = syncDir(s.dir)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total = max(0, s.total-size)
	s.metrics.spoolBytes.Set(float64(s.total))
	return err
}

// Close gives the spool to the next process. What it holds stays.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active != nil {
		s.active.Close()
		s.active = nil
	}
	return s.lock.Close()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
