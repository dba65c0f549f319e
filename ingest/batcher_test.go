package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/callsync/callsync/records"
)

// fakeStore keeps receipts in memory, or fails.
type fakeStore struct {
	mu      sync.Mutex
	err     error
	poison  string // id it refuses
	rows    map[string]records.Receipt
	order   []string
	batches []int
	gate    chan struct{} // nil: open
}

func (f *fakeStore) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *fakeStore) InsertReceipts(ctx context.Context, rs []records.Receipt) error {
	if f.gate != nil {
		select {
		case <-f.gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	for _, r := range rs {
		if f.poison != "" && r.ID == f.poison {
			return fmt.Errorf("%w: poison", records.ErrRefused)
		}
	}
	if f.rows == nil {
		f.rows = map[string]records.Receipt{}
	}
	f.batches = append(f.batches, len(rs))
	for _, r := range rs {
		if _, ok := f.rows[r.ID]; !ok {
			f.order = append(f.order, r.ID)
		}
		f.rows[r.ID] = r
	}
	return nil
}

func (f *fakeStore) len() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.rows)
}

func someReceipt(body string) records.Receipt {
	id, at := newReceiptID()
	return records.Receipt{ID: id, WorkspaceID: newUUID(), SourceID: newUUID(), ReceivedAt: at, Method: "POST", Headers: []byte("{}"),
		Query: []byte{}, Body: []byte(body), Signature: "none"}
}

func TestBatcherSharesCommits(t *testing.T) {
	t.Parallel()
	store := &fakeStore{gate: make(chan struct{}, 1000)}
	b := (&rig{t: t}).batcher(BatcherOptions{MaxRows: 50}, store, nil)
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if err := b.Submit(t.Context(), someReceipt("x")); err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, "all are waiting", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.pending) >= 90
	})
	require.True(t, b.Busy())
	close(store.gate)
	wg.Wait()
	require.Equal(t, 200, store.len())
	require.LessOrEqual(t, slices.Max(store.batches), 50)
	require.Less(t, len(store.batches), 100)
}

// What has been taken must not stay in memory behind what still waits.
func TestTakenReceiptsAreLetGo(t *testing.T) {
	t.Parallel()
	b := &Batcher{opts: BatcherOptions{MaxRows: 2, MaxBytes: 1 << 20}}
	for range 5 {
		b.pending = append(b.pending, &ticket{Receipt: someReceipt("x"), size: 1})
	}
	queue := b.pending
	require.Len(t, b.take(0), 2)
	require.Nil(t, queue[0])
	require.Nil(t, queue[1])
	require.NotNil(t, queue[2])
}

func TestPoisonRowFailsAlone(t *testing.T) {
	t.Parallel()
	bad := someReceipt("bad")
	store := &fakeStore{poison: bad.ID, gate: make(chan struct{})}
	b := (&rig{t: t}).batcher(BatcherOptions{Committers: 1}, store, nil)
	var wg sync.WaitGroup
	results := make([]error, 20)
	for i := range results {
		r := someReceipt("good")
		if i == 7 {
			r = bad
		}
		wg.Go(func() { results[i] = b.Submit(t.Context(), r) })
	}
	eventually(t, "they wait", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return len(b.pending) >= 10 })
	close(store.gate)
	wg.Wait()
	for i, err := range results {
		if i == 7 {
			require.ErrorIs(t, err, records.ErrRefused)
		} else {
			require.NoError(t, err)
		}
	}
	require.Equal(t, 19, store.len())
}

func TestHoldThenSpoolThenDrain(t *testing.T) {
	t.Parallel()
	store := &fakeStore{}
	store.set(errors.New("connection refused"))
	dir := t.TempDir()
	spool, err := OpenSpool(dir, 0, NewMetrics(nil), quiet())
	require.NoError(t, err)
	b := (&rig{t: t}).batcher(BatcherOptions{Hold: 300 * time.Millisecond}, store, spool)

	// Away for a moment: held.
	go func() { time.Sleep(100 * time.Millisecond); store.set(nil) }()
	require.NoError(t, b.Submit(t.Context(), someReceipt("held")))
	require.Equal(t, 1, store.len())
	require.Zero(t, spool.Bytes())

	// Away for longer: spooled, and after that at once.
	store.set(errors.New("connection refused"))
	var all []records.Receipt
	for i := range 30 {
		all = append(all, someReceipt(fmt.Sprint(i)))
	}
	start := time.Now()
	require.NoError(t, b.Submit(t.Context(), all[0]))
	require.Greater(t, time.Since(start), 100*time.Millisecond)
	for _, r := range all[1:] {
		require.NoError(t, b.Submit(t.Context(), r))
	}
	require.Less(t, time.Since(start), 5*time.Second, "the hold is not waited by each")
	require.Equal(t, 1, store.len())

	// The process is killed: the spool stays as it is on disk. Another one drains it.
	require.NoError(t, spool.Close())
	spool, err = OpenSpool(dir, 0, NewMetrics(nil), quiet())
	require.NoError(t, err)
	defer spool.Close()
	store.set(nil)
	require.NoError(t, spool.drainAll(t.Context(), store, nil))
	require.Equal(t, 31, store.len())
	require.Zero(t, spool.Bytes())
}

func TestSpoolSurvivesTheProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	spool, err := OpenSpool(dir, 0, NewMetrics(nil), quiet())
	require.NoError(t, err)
	_, err = OpenSpool(dir, 0, NewMetrics(nil), quiet())
	require.ErrorContains(t, err, "another process")
	var all []records.Receipt
	for i := range 1200 {
		all = append(all, someReceipt(fmt.Sprint(i)))
	}
	all[3].Result = records.ReceiptResult{State: "rejected", Reason: "why"}
	require.NoError(t, spool.Append(all[:700]))
	require.NoError(t, spool.Append(all[700:]))
	require.NoError(t, spool.Close())

	// A torn tail: the process died while it wrote a record that it never confirmed.
	files, err := filepath.Glob(filepath.Join(dir, "*.spool"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	last := someReceipt("never confirmed")
	torn := appendRecord(nil, &last)
	f, err := os.OpenFile(files[0], os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.Write(torn[:len(torn)-3])
	require.NoError(t, err)
	require.NoError(t, f.Close())

	spool, err = OpenSpool(dir, 0, NewMetrics(nil), quiet())
	require.NoError(t, err)
	defer spool.Close()
	store := &fakeStore{poison: all[5].ID}
	store.set(errors.New("still away"))
	ctx, stop := cancelled(t)
	done := make(chan struct{})
	go func() { defer close(done); spool.Drain(ctx, store, nil) }()
	more := someReceipt("while draining")
	require.NoError(t, spool.Append([]records.Receipt{more}))
	store.set(nil)
	eventually(t, "it is drained", func() bool { return spool.Bytes() == 0 })
	stop()
	<-done
	require.Equal(t, 1200, store.len(), "all but the poison, and the one added later")
	require.Equal(t, all[4], store.rows[all[4].ID])
	require.Equal(t, all[3], store.rows[all[3].ID])
	require.Equal(t, all[0].ID, store.order[0])
	require.True(t, slices.IsSorted(store.order), "in order")
	left, err := filepath.Glob(filepath.Join(dir, "*.damaged"))
	require.NoError(t, err)
	require.Len(t, left, 1, "what holds a receipt that cannot be stored is kept")
	left, err = filepath.Glob(filepath.Join(dir, "*.spool"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestCorruptSegmentIsKeptAside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	spool, err := OpenSpool(dir, 0, NewMetrics(nil), quiet())
	require.NoError(t, err)
	defer spool.Close()
	require.NoError(t, spool.Append([]records.Receipt{someReceipt("a"), someReceipt("b"), someReceipt("c")}))
	files, err := filepath.Glob(filepath.Join(dir, "*.spool"))
	require.NoError(t, err)
	data, err := os.ReadFile(files[0])
	require.NoError(t, err)
	data[len(data)/2] ^= 1
	require.NoError(t, os.WriteFile(files[0], data, 0o600))
	store := &fakeStore{}
	require.NoError(t, spool.drainAll(t.Context(), store, nil))
	require.Equal(t, 1, store.len(), "what is before the damage is stored")
	left, err := filepath.Glob(filepath.Join(dir, "*.damaged"))
	require.NoError(t, err)
	require.Len(t, left, 1)
}

func TestSpoolHasASize(t *testing.T) {
	t.Parallel()
	spool, err := OpenSpool(t.TempDir(), 1000, NewMetrics(nil), quiet())
	require.NoError(t, err)
	defer spool.Close()
	require.NoError(t, spool.Append([]records.Receipt{someReceipt("a")}))
	require.ErrorIs(t, spool.Append([]records.Receipt{someReceipt(string(make([]byte, 2000)))}), ErrSpoolFull)
	require.NoError(t, spool.Append([]records.Receipt{someReceipt("a")}))
}

func TestWithoutSpoolItIsRefusedInTime(t *testing.T) {
	t.Parallel()
	store := &fakeStore{gate: make(chan struct{})} // hangs
	b := (&rig{t: t}).batcher(BatcherOptions{Hold: 200 * time.Millisecond, QueueBytes: 2000}, store, nil)
	start := time.Now()
	require.ErrorIs(t, b.Submit(t.Context(), someReceipt("x")), ErrUnavailable)
	require.Less(t, time.Since(start), 3*time.Second)
	require.ErrorIs(t, b.Submit(t.Context(), someReceipt(string(make([]byte, 3000)))), ErrUnavailable, "memory is bounded")
}

func TestCloseStoresWhatWasSubmitted(t *testing.T) {
	t.Parallel()
	store := &fakeStore{}
	b := NewBatcher(store, nil, BatcherOptions{}, NewMetrics(nil), quiet(), nil)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() { b.Submit(t.Context(), someReceipt("x")) })
	}
	wg.Wait()
	require.NoError(t, b.Close(t.Context()))
	require.Equal(t, 100, store.len())
	require.ErrorIs(t, b.Submit(t.Context(), someReceipt("x")), ErrUnavailable)
}

func TestRecordsReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SliceOfN(rapid.Byte(), 0, 300)
		text := rapid.String()
		r := someReceipt("")
		r.ReceivedAt = time.UnixMicro(rapid.Int64Range(0, 1<<52).Draw(t, "at")).UTC()
		r.Method, r.HookEvent, r.Signature = text.Draw(t, "method"), text.Draw(t, "event"), text.Draw(t, "signature")
		r.Result = records.ReceiptResult{State: text.Draw(t, "state"), Reason: text.Draw(t, "reason"), Detail: text.Draw(t, "detail")}
		r.Query, r.Headers, r.Body = raw.Draw(t, "query"), raw.Draw(t, "headers"), raw.Draw(t, "body")
		data := appendRecord(nil, &r)
		got, n, err := readRecord(bytes.NewReader(data), int64(len(data)))
		if err != nil || n != int64(len(data)) {
			t.Fatal(n, err)
		}
		require.Equal(t, r, got)
		cut := rapid.IntRange(1, len(data)-1).Draw(t, "cut")
		if _, _, err := readRecord(bytes.NewReader(data[:cut]), int64(cut)); !errors.Is(err, errTorn) {
			t.Fatal(err)
		}
	})
}

func FuzzReadRecord(f *testing.F) {
	r := someReceipt("body")
	f.Add(appendRecord(nil, &r))
	f.Fuzz(func(t *testing.T, data []byte) {
		readRecord(bytes.NewReader(data), int64(len(data)))
		decodeRecord(data)
	})
}
