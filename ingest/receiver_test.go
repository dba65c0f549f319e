package ingest

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
)

func cancelled(t testing.TB) (context.Context, context.CancelFunc) {
	return context.WithCancel(t.Context())
}

func TestReceiverStoresBeforeItAnswers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	url := r.hooks(ReceiverOptions{}, r.batcher(BatcherOptions{}, nil, nil))
	body := "\x00\xff{}"
	status, text := post(t, url+"/post-call?a=%00&b=\xff", body, "Authorization", "Bearer secret", "X-Api-Key", "secret", "X-Signature", "kept", "X-Odd", "a\xff\"b")
	require.Equal(t, 200, status)
	require.Equal(t, "GODBLESSYOU", text)
	var got records.Receipt
	require.NoError(t, r.pool.QueryRow(t.Context(), `select id, method, hook_event, query, headers, body, signature, received_at from receipts`).
		Scan(&got.ID, &got.Method, &got.HookEvent, &got.Query, &got.Headers, &got.Body, &got.Signature, &got.ReceivedAt))
	require.Equal(t, body, string(got.Body))
	require.Equal(t, "post-call", got.HookEvent)
	require.Equal(t, "a=%00&b=\xff", string(got.Query))
	require.Equal(t, "none", got.Signature)
	var h http.Header
	require.NoError(t, json.Unmarshal(got.Headers, &h))
	require.Equal(t, cutMark, h.Get("Authorization"))
	require.Equal(t, cutMark, h.Get("X-Api-Key"))
	require.Equal(t, "kept", h.Get("X-Signature"), "a signature proves, it does not grant, and a replay needs it")
	require.Equal(t, "a\uFFFD\"b", h.Get("X-Odd"))
	require.Equal(t, 1, r.count("select count(*) from inbox"))
	require.Equal(t, 1, r.count("select count(*) from receipts where received_at = $1 and id = $2", got.ReceivedAt, got.ID))
}

func TestNoAnswerBeforeTheCommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{gate: make(chan struct{})}
		sources := &fakeSources{source: records.Source{ID: newUUID(), WorkspaceID: newUUID(), Provider: "testphone"}}
		b := NewBatcher(store, nil, BatcherOptions{}, NewMetrics(nil), quiet(), nil)
		h := NewReceiver(NewDirectory(sources, telephony.NewRegistry(testPhone{})), b, ReceiverOptions{}, NewMetrics(nil), quiet())
		var answered atomic.Bool
		res := httptest.NewRecorder()
		go func() {
			h.ServeHTTP(res, httptest.NewRequest(http.MethodPost, "/hooks/testphone/token", strings.NewReader("{}")))
			answered.Store(true)
		}()
		synctest.Wait()
		require.False(t, answered.Load(), "the commit is under way")
		close(store.gate)
		synctest.Wait()
		require.True(t, answered.Load())
		require.Equal(t, 200, res.Code)
		require.Equal(t, 1, store.len())
		require.NoError(t, b.Close(t.Context()))
	})
}

func TestReceiverRefusesUnknownHooks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	base := r.serve(NewReceiver(r.dir, r.batcher(BatcherOptions{}, nil, nil), ReceiverOptions{}, NewMetrics(nil), quiet()))
	var texts []string
	for _, path := range []string{
		"/hooks/testphone/wrong", "/hooks/other/" + r.source.Token, "/hooks/testphone", "/hooks/testphone/", "/hooks//" + r.source.Token,
		"/hooks/testphone/" + r.source.Token + "/a/b", "/hooks/testphone/" + strings.Repeat("x", 300), "/other",
	} {
		status, text := post(t, base+path, "{}")
		require.Equal(t, 404, status, path)
		texts = append(texts, text)
		require.True(t, json.Valid([]byte(text)))
	}
	for _, text := range texts {
		require.Equal(t, texts[0], text, "a stranger learns nothing from the answer")
	}
	require.Zero(t, r.count("select count(*) from receipts"))
	for method, want := range map[string]int{http.MethodHead: 200, http.MethodOptions: 204} {
		req, err := http.NewRequestWithContext(t.Context(), method, base+"/hooks/testphone/"+r.source.Token, nil)
		require.NoError(t, err)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		res.Body.Close()
		require.Equal(t, want, res.StatusCode, method)
		require.Empty(t, body)
	}
	require.Zero(t, r.count("select count(*) from receipts"))
}

func TestBadSignatureIsKeptAndCapped(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *records.Source) { s.Secrets["key"] = "right" })
	url := r.hooks(ReceiverOptions{RefusedPerMinute: 1_000_000}, r.batcher(BatcherOptions{}, nil, nil))
	status, text := post(t, url, "{}", "X-Signature", "wrong")
	require.Equal(t, 401, status)
	require.Contains(t, text, "signing key")
	status, _ = post(t, url, "{}", "X-Signature", "right")
	require.Equal(t, 200, status)
	status, _ = post(t, url, "{}", "X-Signature", "right", "X-Signature-Mood", "panic")
	require.Equal(t, 401, status, "a check that panics has not said yes")
	require.Equal(t, 2, r.count("select count(*) from receipts x join receipt_results r on r.receipt_id = x.id where x.signature = 'bad' and r.state = 'rejected' and r.reason <> ''"))
	require.Equal(t, 1, r.count("select count(*) from receipts where signature = 'ok'"))
	require.Equal(t, 1, r.count("select count(*) from inbox"))

	r.source.Secrets = map[string]string{"key": "new"}
	require.NoError(t, r.db.UpdateSource(t.Context(), r.source))
	start := time.Now()
	eventually(t, "a new key counts", func() bool {
		status, _ := post(t, url, "{}", "X-Signature", "new")
		return status == 200
	})
	require.Less(t, time.Since(start), 4*time.Second, "before what is remembered ends")

	capped := r.hooks(ReceiverOptions{RefusedPerMinute: 3}, r.batcher(BatcherOptions{}, nil, nil))
	before := r.count("select count(*) from receipts where signature = 'bad'")
	for range 20 {
		status, _ = post(t, capped, "{}", "X-Signature", "wrong")
		require.Equal(t, 401, status)
	}
	// A minute may turn in between.
	require.LessOrEqual(t, r.count("select count(*) from receipts where signature = 'bad'")-before, 6)
}

// Scripts fire a GET and close the line at once: the request is there in full, so it counts.
func TestSendersThatDoNotWait(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := NewReceiver(r.dir, r.batcher(BatcherOptions{}, nil, nil), ReceiverOptions{}, NewMetrics(nil), quiet())
	gone, leave := context.WithCancel(t.Context())
	leave()
	for range 20 {
		r.dir.Forget()
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(gone, http.MethodGet, "/hooks/testphone/"+r.source.Token+"?a=b", nil))
	}
	eventually(t, "all are stored", func() bool { return r.count("select count(*) from receipts") == 20 })
}

func TestReceiverLimits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	url := r.hooks(ReceiverOptions{MaxBody: 100_000, BodyTimeout: 200 * time.Millisecond}, r.batcher(BatcherOptions{}, nil, nil))
	status, text := post(t, url, strings.Repeat("x", 100_001))
	require.Equal(t, 413, status)
	require.Contains(t, text, "100000 bytes")
	require.Equal(t, 1, r.count("select count(*) from receipts x join receipt_results r on r.receipt_id = x.id where r.state = 'rejected' and length(x.body) = 0 and r.reason like '%larger than the limit%'"),
		"it can be seen that something was refused")
	status, _ = post(t, url, strings.Repeat("x", 100_000))
	require.Equal(t, 200, status)
	// Without a declared length.
	send := func(n int) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, io.LimitReader(zeros{}, int64(n)))
		require.NoError(t, err)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		res.Body.Close()
		return res.StatusCode
	}
	require.Equal(t, 200, send(100_000))
	require.Equal(t, 413, send(100_001))
	require.Equal(t, 2, r.count("select count(*) from receipts where length(body) = 100000"))

	// A body that does not come.
	conn, err := net.Dial("tcp", strings.TrimPrefix(url[:strings.Index(url, "/hooks/")], "http://"))
	require.NoError(t, err)
	defer conn.Close()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc", url[strings.Index(url, "/hooks/"):])
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	res.Body.Close()
	require.Equal(t, 408, res.StatusCode)
	require.True(t, res.Close)
	require.Zero(t, r.count("select count(*) from receipts where body = 'abc'"))

	crowded := r.hooks(ReceiverOptions{ReadingBytes: 10}, r.batcher(BatcherOptions{}, nil, nil))
	status, _ = post(t, crowded, strings.Repeat("x", 100))
	require.Equal(t, 503, status)
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// With the store away a known source is still known, and what can be spooled is answered with success.
func TestReceiverWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	away := &fakeStore{}
	sources := &fakeSources{source: records.Source{ID: newUUID(), WorkspaceID: newUUID(), Provider: "testphone"}}
	dir := NewDirectory(sources, telephony.NewRegistry(testPhone{}))
	now := atomic.Pointer[time.Time]{}
	start := time.Now()
	now.Store(&start)
	dir.byToken.now = func() time.Time { return *now.Load() }
	r := &rig{t: t, dir: dir, source: records.Source{Token: "token"}}
	url := r.hooks(ReceiverOptions{}, r.batcher(BatcherOptions{Hold: 50 * time.Millisecond}, away, nil))
	status, _ := post(t, url, "{}")
	require.Equal(t, 200, status)
	away.set(errors.New("connection refused"))
	sources.set(errors.New("connection refused"))
	later := start.Add(time.Hour)
	now.Store(&later)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("{}"))
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	res.Body.Close()
	require.Equal(t, 503, res.StatusCode, "the source is known, the receipt cannot be stored")
	require.NotEmpty(t, res.Header.Get("Retry-After"))

	spool, err := OpenSpool(t.TempDir(), 0, NewMetrics(nil), quiet())
	require.NoError(t, err)
	defer spool.Close()
	url = r.hooks(ReceiverOptions{}, r.batcher(BatcherOptions{Hold: 50 * time.Millisecond}, away, spool))
	status, _ = post(t, url, "{}")
	require.Equal(t, 200, status)
	require.NotZero(t, spool.Bytes())

	status, _ = post(t, strings.Replace(url, "token", "stranger", 1), "{}")
	require.Equal(t, 503, status, "a hook that may exist is not denied")
}

type fakeSources struct {
	mu     sync.Mutex
	source records.Source
	err    error
	loads  int
}

func (f *fakeSources) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *fakeSources) SourceByToken(_ context.Context, hash []byte) (records.Source, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.loads++
	if f.err != nil {
		return records.Source{}, f.err
	}
	if want := sha256.Sum256([]byte("token")); string(hash) != string(want[:]) {
		return records.Source{}, records.ErrNotFound
	}
	return f.source, nil
}

func (f *fakeSources) SourceByID(context.Context, string, string) (records.Source, error) {
	return f.source, f.err
}
func (f *fakeSources) ConnectionsOf(context.Context, string) ([]records.Connection, error) {
	return nil, f.err
}
func (f *fakeSources) OwnNumbers(context.Context, string) ([]records.OwnNumber, error) {
	return nil, nil
}

func TestReceiptIDsAndTimesSortAlike(t *testing.T) {
	t.Parallel()
	lastID, lastAt := newReceiptID()
	require.WithinDuration(t, time.Now(), lastAt, time.Second)
	for range 100_000 {
		id, at := newReceiptID()
		require.Less(t, lastID, id)
		require.False(t, at.Before(lastAt))
		lastID, lastAt = id, at
	}
}

func TestCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var loads int
		var answer error
		c := newCache(func(context.Context, string) (int, error) {
			loads++
			time.Sleep(time.Millisecond)
			return loads, answer
		})
		c.limit = 10
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				v, err := c.get(t.Context(), "a")
				if v != 1 || err != nil {
					t.Error(v, err)
				}
			})
		}
		wg.Wait()
		require.Equal(t, 1, loads, "one loads, the others wait")
		time.Sleep(6 * time.Second)
		answer = errors.New("away")
		v, err := c.get(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, 1, v, "what was said last counts while the store is away")
		require.Equal(t, 2, loads)
		_, err = c.get(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, 2, loads, "the store is not asked by everybody")
		_, err = c.get(t.Context(), "b")
		require.ErrorContains(t, err, "away")
		time.Sleep(2 * time.Second)
		answer = records.ErrNotFound
		_, err = c.get(t.Context(), "a")
		require.ErrorIs(t, err, records.ErrNotFound, "deleted")
		answer = nil
		time.Sleep(2 * time.Second)
		_, err = c.get(t.Context(), "a")
		require.NoError(t, err)
		answer = records.ErrNotFound
		for i := range 100 {
			_, err = c.get(t.Context(), fmt.Sprint("stranger", i))
			require.ErrorIs(t, err, records.ErrNotFound)
		}
		require.LessOrEqual(t, len(c.entries), 10)
		require.Contains(t, c.entries, "a", "strangers push out strangers")
	})
}
