package connectors_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
)

func TestCache(t *testing.T) {
	t.Parallel()
	var clock atomic.Int64
	c := connectors.Cache[string]{Now: func() time.Time { return time.Unix(clock.Load(), 0) }}
	var loads atomic.Int32
	load := func(value string, ok bool, err error) func() (string, bool, error) {
		return func() (string, bool, error) { loads.Add(1); return value, ok, err }
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			v, ok, err := c.Get(t.Context(), "a", time.Minute, time.Second, func() (string, bool, error) {
				loads.Add(1)
				time.Sleep(10 * time.Millisecond)
				return "x", true, nil
			})
			if v != "x" || !ok || err != nil {
				t.Error("the waiting get the one answer")
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, loads.Load())
	clock.Add(61)
	_, _, err := c.Get(t.Context(), "a", time.Minute, time.Second, load("", false, errors.New("no")))
	require.Error(t, err, "errors are not remembered, nor is what was before")
	_, ok, err := c.Get(t.Context(), "a", time.Minute, 2*time.Second, load("", false, nil))
	require.NoError(t, err)
	require.False(t, ok)
	clock.Add(1)
	_, ok, _ = c.Get(t.Context(), "a", time.Minute, time.Second, load("y", true, nil))
	require.False(t, ok, "that there is none is remembered")
	c.Forget("a")
	v, ok, _ := c.Get(t.Context(), "a", time.Minute, time.Second, load("y", true, nil))
	require.True(t, ok)
	require.Equal(t, "y", v)

	began := make(chan struct{})
	release := make(chan struct{})
	wg.Go(func() {
		_, _, _ = c.Get(context.Background(), "slow", time.Minute, time.Second, func() (string, bool, error) {
			close(began)
			<-release
			return "z", true, nil
		})
	})
	<-began
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = c.Get(ctx, "slow", time.Minute, time.Second, load("", false, nil))
	var e *connectors.Error
	require.ErrorAs(t, err, &e)
	require.ErrorIs(t, err, context.Canceled)
	close(release)
	wg.Wait()
	require.Panics(t, func() {
		_, _, _ = c.Get(t.Context(), "panics", time.Minute, time.Second, func() (string, bool, error) { panic("x") })
	})
	_, ok, err = c.Get(t.Context(), "panics", time.Minute, time.Second, load("after", true, nil))
	require.NoError(t, err, "a panic leaves nobody waiting")
	require.True(t, ok)
}
