package activities

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
)

// pullPhone is a phone system that answers as it is told.
type pullPhone struct {
	telephony.Provider
	pull func(ctx context.Context, s telephony.Settings, r telephony.PullRange, cursor string) (telephony.PullPage, error)
}

func (pullPhone) Info() telephony.Info {
	return telephony.Info{ID: "phone", TimeZone: "Asia/Kolkata"}
}
func (pullPhone) PullInfo() telephony.PullInfo {
	return telephony.PullInfo{Settle: time.Hour, Pause: 3 * time.Second}
}
func (pullPhone) PullSetup(telephony.Settings) telephony.PullSetup { return telephony.PullSetup{} }
func (p pullPhone) Pull(ctx context.Context, _ http.RoundTripper, s telephony.Settings, r telephony.PullRange, cursor string) (telephony.PullPage, error) {
	return p.pull(ctx, s, r, cursor)
}

// pullStore is one pull in memory.
type pullStore struct {
	pull    records.Pull
	source  records.Source
	page    records.PulledPage
	fail    error // of every method
	refused error // of SavePullPage
}

func (s *pullStore) PullByID(context.Context, string, string) (records.Pull, error) {
	return s.pull, s.fail
}
func (s *pullStore) SourceByID(context.Context, string, string) (records.Source, error) {
	return s.source, s.fail
}
func (s *pullStore) SavePullPage(_ context.Context, _, _ string, page records.PulledPage) (records.Pull, error) {
	if s.refused != nil {
		return s.pull, s.refused
	}
	s.page, s.pull.Cursor = page, page.Next
	if page.Next == "" {
		s.pull.State = records.PullDone
	}
	return s.pull, nil
}
func (s *pullStore) NotePull(_ context.Context, _, _, reason, detail string, at time.Time) error {
	s.pull.Reason, s.pull.Detail, s.pull.RetryAt = reason, detail, at
	return nil
}
func (s *pullStore) FailPull(_ context.Context, _, _, reason, detail string) error {
	s.pull.State, s.pull.Reason, s.pull.Detail = records.PullFailed, reason, detail
	return nil
}

var pullNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newPull(answer func(ctx context.Context, s telephony.Settings, r telephony.PullRange, cursor string) (telephony.PullPage, error)) (*Pull, *pullStore) {
	store := &pullStore{
		pull:   records.Pull{ID: "p", WorkspaceID: "w", SourceID: "s", State: records.PullRunning, From: pullNow.Add(-6 * time.Hour), To: pullNow},
		source: records.Source{ID: "s", Provider: "phone"},
	}
	return &Pull{Store: store, Providers: telephony.Registry{"phone": pullPhone{pull: answer}}, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return pullNow }}, store
}

func TestPullPage(t *testing.T) {
	t.Parallel()
	a, store := newPull(func(_ context.Context, s telephony.Settings, r telephony.PullRange, cursor string) (telephony.PullPage, error) {
		require.Equal(t, "Asia/Kolkata", s.Location.String(), "the zone of the kind, where the source has none")
		require.Equal(t, telephony.PullRange{From: pullNow.Add(-6 * time.Hour), To: pullNow, EndedBy: pullNow.Add(-time.Hour)}, r)
		if cursor == "2" {
			return telephony.PullPage{LeftOut: 1}, nil
		}
		return telephony.PullPage{Items: []telephony.Pulled{{ID: "a", Event: "call", Body: []byte("1")}, {ID: "b", Event: "call", Body: []byte("2")}}, Next: "2"}, nil
	})
	out, err := a.PullPage(t.Context(), PullInput{"w", "p"})
	require.NoError(t, err)
	require.Equal(t, PullResult{Pause: 3 * time.Second}, out)
	first, second := store.page.Items[0].Receipt, store.page.Items[1].Receipt
	require.Equal(t, "PULL", first.Method)
	require.Equal(t, "call", first.HookEvent)
	require.Equal(t, "1", string(first.Body))
	require.Less(t, first.ID, second.ID, "ids sort as the calls came")
	require.WithinDuration(t, time.Now(), first.ReceivedAt, time.Minute)
	require.Equal(t, "", store.page.Cursor)

	out, err = a.PullPage(t.Context(), PullInput{"w", "p"})
	require.NoError(t, err)
	require.True(t, out.Done)
	require.Equal(t, records.PulledPage{Cursor: "2", LeftOut: 1}, store.page)
	out, err = a.PullPage(t.Context(), PullInput{"w", "p"})
	require.NoError(t, err)
	require.True(t, out.Done, "nothing is asked after the end")
}

func TestPullFailures(t *testing.T) {
	t.Parallel()
	var answer error
	a, store := newPull(func(ctx context.Context, _ telephony.Settings, _ telephony.PullRange, _ string) (telephony.PullPage, error) {
		return telephony.PullPage{}, answer
	})
	retried := func() *temporal.ApplicationError {
		t.Helper()
		_, err := a.PullPage(t.Context(), PullInput{"w", "p"})
		var e *temporal.ApplicationError
		require.ErrorAs(t, err, &e)
		require.False(t, e.NonRetryable())
		require.NotContains(t, e.Error(), "secret", "nothing of the cause reaches Temporal")
		return e
	}
	answer = &telephony.PullError{Retry: true, RetryAfter: 10 * time.Minute, Public: "Wait.", Err: errors.New("secret chain")}
	require.InDelta(t, 11, retried().NextRetryDelay().Minutes(), 1)
	require.Equal(t, "Wait.", store.pull.Reason)
	require.Equal(t, "secret chain", store.pull.Detail)
	require.True(t, store.pull.RetryAt.After(pullNow.Add(10*time.Minute-1)))

	answer = errors.New("secret: a provider that breaks the contract")
	retried()
	require.NotContains(t, store.pull.Reason, "secret")

	store.fail = errors.New("secret: Postgres is away")
	retried()
	store.fail = nil

	answer = nil
	store.refused = records.ErrRefused
	out, err := a.PullPage(t.Context(), PullInput{"w", "p"})
	require.NoError(t, err)
	require.True(t, out.Done)
	require.Equal(t, records.PullFailed, store.pull.State)

	store.pull.State, store.refused = records.PullRunning, nil
	answer = &telephony.PullError{Public: "Enter a key.", Err: errors.New("x")}
	out, err = a.PullPage(t.Context(), PullInput{"w", "p"})
	require.NoError(t, err)
	require.True(t, out.Done)
	require.Equal(t, "Enter a key.", store.pull.Reason)

	store.pull.State, store.source.Provider = records.PullRunning, "another"
	_, err = a.PullPage(t.Context(), PullInput{"w", "p"})
	require.NoError(t, err)
	require.Contains(t, store.pull.Reason, "cannot ask this kind")

	// A worker that stops says nothing of the pull.
	store.pull, store.source.Provider = records.Pull{State: records.PullRunning}, "phone"
	ctx, cancel := context.WithCancel(t.Context())
	a.Providers["phone"] = pullPhone{pull: func(context.Context, telephony.Settings, telephony.PullRange, string) (telephony.PullPage, error) {
		cancel()
		return telephony.PullPage{}, &telephony.PullError{Public: "x"}
	}}
	_, err = a.PullPage(ctx, PullInput{"w", "p"})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, records.Pull{State: records.PullRunning}, store.pull)
}

func TestPullDelay(t *testing.T) {
	t.Parallel()
	for attempt, want := range map[int32]time.Duration{0: 10 * time.Second, 1: 10 * time.Second, 2: 20 * time.Second, 7: 640 * time.Second, 8: maxBackoff, 1000: maxBackoff} {
		got := pullDelay(&telephony.PullError{}, attempt)
		require.GreaterOrEqual(t, got, want, attempt)
		require.LessOrEqual(t, got, want+want/5, attempt)
	}
}
