package batches_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/callsync/callsync/activities/batches"
	"github.com/callsync/callsync/connectors"
)

// crm answers batches of numbers. What it is sent is kept.
type crm struct {
	mu   sync.Mutex
	sent [][]int
	// took is how long a request takes; fail is asked for each item.
	took time.Duration
	fail func(int) error
	// ends counts the turns that were given back.
	ends int
}

func (c *crm) line() batches.Line[int, int] {
	return batches.Line[int, int]{
		Key: "line", Quiet: 100 * time.Millisecond, Most: time.Second, Max: 10, Timeout: 10 * time.Second,
		Start: func(ctx context.Context) (context.Context, func(), error) {
			return ctx, func() { c.mu.Lock(); c.ends++; c.mu.Unlock() }, nil
		},
		Send: c.send,
	}
}

func (c *crm) send(ctx context.Context, items []int) []batches.Outcome[int] {
	c.mu.Lock()
	c.sent = append(c.sent, slices.Clone(items))
	c.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-time.After(c.took):
	}
	out := make([]batches.Outcome[int], len(items))
	for i, n := range items {
		out[i].Value = 10 * n
		if c.fail != nil {
			out[i].Err = c.fail(n)
		}
		if ctx.Err() != nil {
			out[i].Err = &connectors.Error{Class: connectors.UnknownOutcome, Err: ctx.Err()}
		}
	}
	return out
}

func (c *crm) sizes() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []int
	for _, s := range c.sent {
		out = append(out, len(s))
	}
	return out
}

func item(n int) func(context.Context) (int, error) {
	return func(context.Context) (int, error) { return n, nil }
}

func ids(n int) []string { return []string{fmt.Sprint(n)} }

func class(err error) connectors.Class {
	var e *connectors.Error
	if errors.As(err, &e) {
		return e.Class
	}
	return ""
}

func TestWhatComesTogetherIsSentTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g batches.Gatherer[int, int]
		c := &crm{}
		began := time.Now()
		all := func(n int) {
			var wg sync.WaitGroup
			for i := range n {
				wg.Go(func() {
					out, err := g.Do(t.Context(), c.line(), ids(i), item(i))
					require.NoError(t, err)
					require.Equal(t, 10*i, out, "each its own outcome")
				})
			}
			wg.Wait()
		}
		all(1)
		require.Equal(t, 100*time.Millisecond, time.Since(began), "nobody else came")
		all(30)
		require.Equal(t, []int{1, 8, 8, 8, 6}, c.sizes(), "the first ones are small")
		all(30)
		require.Equal(t, []int{10, 10, 10}, c.sizes()[5:], "then they are as large as the line allows")
		require.Equal(t, len(c.sent), c.ends)
	})
}

func TestABatchLeavesInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g batches.Gatherer[int, int]
		c := &crm{}
		line := c.line()
		line.Most = 250 * time.Millisecond
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 90 * time.Millisecond)
				_, err := g.Do(t.Context(), line, ids(i), item(i))
				require.NoError(t, err)
			})
		}
		wg.Wait()
		require.Equal(t, []int{3, 3}, c.sizes())
	})
}

func TestRefusalsMakeBatchesSmall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g batches.Gatherer[int, int]
		c := &crm{}
		all := func() {
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() { _, _ = g.Do(t.Context(), c.line(), ids(i), item(i)) })
			}
			wg.Wait()
		}
		c.fail = func(int) error { return &connectors.Error{Class: connectors.Invalid} }
		all()
		all()
		all()
		all()
		c.fail = nil
		for range 4 {
			all()
		}
		require.Equal(t, []int{8, 4, 4}, c.sizes()[:3])
		require.Equal(t, []int{8}, c.sizes()[len(c.sent)-1:], "once they go well they grow again")
		require.Equal(t, 1, slices.Min(c.sizes()))
		c.fail = func(int) error { return &connectors.Error{Class: connectors.RateLimited} }
		c.sent = nil
		all()
		all()
		require.LessOrEqual(t, len(c.sent), 3, "a CRM that is busy is no reason")
	})
}

// Who stops waiting is taken out alone, before it is sent; afterwards its outcome is unknown and the others have theirs.
func TestOneLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, after := range []time.Duration{50 * time.Millisecond, 150 * time.Millisecond} {
			var g batches.Gatherer[int, int]
			c := &crm{took: 100 * time.Millisecond}
			ctx, cancel := context.WithTimeout(t.Context(), after)
			defer cancel()
			var wg sync.WaitGroup
			for i := range 3 {
				wg.Go(func() {
					out, err := g.Do(t.Context(), c.line(), ids(i), item(i))
					require.NoError(t, err)
					require.Equal(t, 10*i, out)
				})
			}
			began := time.Now()
			_, err := g.Do(ctx, c.line(), ids(9), item(9))
			require.Equal(t, after, time.Since(began), "at once")
			require.ErrorIs(t, err, context.DeadlineExceeded)
			wg.Wait()
			sent := slices.Contains(c.sent[0], 9)
			require.Equal(t, after > 100*time.Millisecond, sent)
			require.Equal(t, !sent, connectors.AsError(err).NotSent)
			require.Equal(t, sent, class(err) == connectors.UnknownOutcome)
			_, err = g.Do(t.Context(), c.line(), ids(9), item(9))
			require.NoError(t, err, "its id is free again")
		}
	})
}

type counting struct{ n int }

func (c *counting) RoundTrip(*http.Request) (*http.Response, error) {
	c.n++
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(""))}, nil
}

// After one of them has ended nothing more is sent for a batch that writes, and when all have, the request ends.
func TestABatchIsCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, reads := range []bool{false, true} {
			var g batches.Gatherer[int, int]
			c := &crm{}
			line, base := c.line(), &counting{}
			transport := batches.Transport(base)
			var second error
			line.Reads = reads
			line.Send = func(ctx context.Context, items []int) []batches.Outcome[int] {
				for wait := range 2 {
					time.Sleep(time.Duration(wait) * 100 * time.Millisecond)
					req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://crm.example", http.NoBody)
					require.NoError(t, err)
					var resp *http.Response
					if resp, second = transport.RoundTrip(req); second == nil {
						require.NoError(t, resp.Body.Close())
					}
				}
				return make([]batches.Outcome[int], len(items))
			}
			ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
			defer cancel()
			var wg sync.WaitGroup
			wg.Go(func() { _, _ = g.Do(ctx, line, ids(1), item(1)) })
			wg.Go(func() { _, _ = g.Do(t.Context(), line, ids(2), item(2)) })
			wg.Wait()
			if reads {
				require.NoError(t, second)
				require.Equal(t, 2, base.n)
			} else {
				require.Equal(t, connectors.UnknownOutcome, class(second))
				require.Equal(t, 1, base.n)
			}

			c.took = time.Hour
			c.sent = nil
			alone, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
			defer cancel()
			_, err := g.Do(alone, c.line(), ids(1), item(1))
			require.Equal(t, connectors.UnknownOutcome, class(err))
			synctest.Wait()
		}
	})
}

// A record is in one request at a time, however many ask.
func TestARecordIsUnderWayOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g batches.Gatherer[int, int]
		c := &crm{took: 10 * time.Millisecond}
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				_, err := g.Do(t.Context(), c.line(), []string{"key", "id"}, item(1))
				require.NoError(t, err)
			})
			wg.Go(func() {
				other := c.line()
				other.Key = "another line"
				_, err := g.Do(t.Context(), other, []string{"id"}, item(1))
				require.NoError(t, err)
			})
		}
		wg.Wait()
		require.Equal(t, []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, c.sizes())
	})
}

func TestWhatKeepsABatchFromLeaving(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g batches.Gatherer[int, int]
		c := &crm{}
		line := c.line()
		refusal := &connectors.Error{Class: connectors.RateLimited, NotSent: true}
		line.Start = func(context.Context) (context.Context, func(), error) { return nil, nil, refusal }
		committed := 0
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() {
				_, err := g.Do(t.Context(), line, ids(i), func(context.Context) (int, error) { committed++; return i, nil })
				require.ErrorIs(t, err, refusal)
			})
		}
		wg.Wait()
		require.Zero(t, committed, "nothing is committed that is not sent")
		require.Empty(t, c.sent)

		broken := errors.New("the database is away")
		for i := range 3 {
			wg.Go(func() {
				out, err := g.Do(t.Context(), c.line(), ids(i), func(context.Context) (int, error) {
					switch i {
					case 0:
						return 0, broken
					case 1:
						time.Sleep(time.Minute)
					}
					return i, nil
				})
				switch i {
				case 0:
					require.ErrorIs(t, err, broken)
				case 1:
					require.True(t, connectors.AsError(err).NotSent, "the others did not wait for it")
				default:
					require.NoError(t, err)
					require.Equal(t, 20, out)
				}
			})
		}
		wg.Wait()
		require.Equal(t, [][]int{{2}}, c.sent)

		line = c.line()
		line.Send = func(context.Context, []int) []batches.Outcome[int] { panic("no") }
		_, err := g.Do(t.Context(), line, ids(1), item(1))
		require.Equal(t, connectors.UnknownOutcome, class(err))
		line.Send = func(context.Context, []int) []batches.Outcome[int] { return nil }
		_, err = g.Do(t.Context(), line, ids(1), item(1))
		require.Equal(t, connectors.UnknownOutcome, class(err))
	})
}

// Whatever comes, leaves and fails, whenever: who has an outcome was sent once and committed before, who was not sent is told so,
// no record is under way twice, and nothing stays behind.
func TestAnything(t *testing.T) {
	t.Parallel()
	type visit struct {
		At, Board, Stays int
		Record           int
		Fails            bool
	}
	rapid.Check(t, func(rt *rapid.T) {
		visits := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) visit {
			return visit{At: rapid.IntRange(0, 400).Draw(rt, "at"), Board: rapid.SampledFrom([]int{0, 1, 20, 4000}).Draw(rt, "board"),
				Stays: rapid.SampledFrom([]int{50, 110, 150, 100_000}).Draw(rt, "stays"), Record: rapid.IntRange(0, 8).Draw(rt, "record"),
				Fails: rapid.IntRange(0, 4).Draw(rt, "fails") == 0}
		}), 1, 25).Draw(rt, "visits")
		took := rapid.IntRange(0, 200).Draw(rt, "took")
		synctest.Test(t, func(*testing.T) {
			var g batches.Gatherer[int, int]
			var mu sync.Mutex
			sent, committed, under := map[int]int{}, map[int]bool{}, map[int]bool{}
			c := &crm{}
			line := c.line()
			line.Send = func(ctx context.Context, items []int) []batches.Outcome[int] {
				mu.Lock()
				for _, i := range items {
					sent[i]++
					if !committed[i] {
						rt.Errorf("%d was sent before it was committed", i)
					}
					if under[visits[i].Record] {
						rt.Errorf("record %d is under way twice", visits[i].Record)
					}
					under[visits[i].Record] = true
				}
				mu.Unlock()
				select {
				case <-time.After(time.Duration(took) * time.Millisecond):
				case <-ctx.Done():
				}
				mu.Lock()
				defer mu.Unlock()
				out := make([]batches.Outcome[int], len(items))
				for at, i := range items {
					delete(under, visits[i].Record)
					out[at].Value = i
					if visits[i].Fails {
						out[at].Err = &connectors.Error{Class: connectors.Invalid}
					}
				}
				return out
			}
			var wg sync.WaitGroup
			for i, v := range visits {
				wg.Go(func() {
					time.Sleep(time.Duration(v.At) * time.Millisecond)
					ctx, cancel := context.WithTimeout(context.Background(), time.Duration(v.Stays)*time.Millisecond)
					defer cancel()
					out, err := g.Do(ctx, line, ids(v.Record), func(context.Context) (int, error) {
						time.Sleep(time.Duration(v.Board) * time.Millisecond)
						mu.Lock()
						defer mu.Unlock()
						committed[i] = true
						return i, nil
					})
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err == nil && (sent[i] != 1 || out != i || v.Fails):
						rt.Errorf("%d: %d, sent %d times", i, out, sent[i])
					case err != nil && connectors.AsError(err).NotSent && sent[i] != 0:
						rt.Errorf("%d was sent and is told otherwise", i)
					case err != nil && !connectors.AsError(err).NotSent && sent[i] != 1:
						rt.Errorf("%d was sent %d times: %v", i, sent[i], err)
					}
				})
			}
			wg.Wait()
			// One that nobody waits for any more may still be asking for its turn.
			time.Sleep(time.Minute)
		})
	})
}
