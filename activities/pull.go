package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
)

// PullInput names a pull. What it asks for and how far it is stands in its row.
type PullInput struct {
	WorkspaceID string `json:"workspace_id"`
	PullID      string `json:"pull_id"`
}

// PullResult is how far the pull is after a page.
type PullResult struct {
	// Done tells that there is nothing more to ask for, for whatever reason.
	Done bool `json:"done"`
	// Pause is how long to wait before the next page.
	Pause time.Duration `json:"pause,omitempty"`
}

// Times that bound pulls. PullTimeout is the StartToClose of one page; PullGiveUp is how long one page is
// tried before the pull is ended, which is longer than a daily quota lasts; PullDeadline leaves room for the attempt that ends it.
const (
	PullTimeout  = 5 * time.Minute
	PullGiveUp   = 36 * time.Hour
	PullDeadline = PullGiveUp + 2*time.Hour
)

// PullStore is what pulls need of Postgres. Every method is scoped by workspace.
type PullStore interface {
	// PullByID returns a pull; records.ErrNotFound.
	PullByID(ctx context.Context, workspaceID, id string) (records.Pull, error)
	// SourceByID returns a source with its secrets; records.ErrNotFound for one that is deleted.
	SourceByID(ctx context.Context, workspaceID, id string) (records.Source, error)
	// SavePullPage stores a page as receipts and moves the pull on, once: a page that was saved before is left alone.
	SavePullPage(ctx context.Context, workspaceID, id string, page records.PulledPage) (records.Pull, error)
	// NotePull records a failure that is tried again; FailPull ends an open pull.
	NotePull(ctx context.Context, workspaceID, id, reason, detail string, retryAt time.Time) error
	FailPull(ctx context.Context, workspaceID, id, reason, detail string) error
}

// Pull holds the activity that asks phone systems for their calls. Its fields are set once, before the worker starts.
type Pull struct {
	Store     PullStore
	Providers telephony.Registry
	// Transport carries the requests; it guards against private addresses.
	Transport http.RoundTripper
	Log       *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// PullPage asks for the next page of a pull and stores its calls as receipts, from where they go the way of webhooks. It
// may run any number of times and be killed anywhere: a page is stored once. It returns an error only for what Temporal
// shall try again.
func (a *Pull) PullPage(ctx context.Context, in PullInput) (PullResult, error) {
	pull, err := a.Store.PullByID(ctx, in.WorkspaceID, in.PullID)
	if errors.Is(err, records.ErrNotFound) || err == nil && !pull.Open() {
		return PullResult{Done: true}, nil
	}
	if err != nil {
		return PullResult{}, a.storeFailed(ctx, in, err)
	}
	ctx, stop := heartbeats(ctx)
	defer stop()
	source, err := a.Store.SourceByID(ctx, in.WorkspaceID, pull.SourceID)
	if errors.Is(err, records.ErrNotFound) {
		return a.fail(ctx, pull, &telephony.PullError{Public: "The source has been deleted.", Err: err})
	}
	if err != nil {
		return PullResult{}, a.storeFailed(ctx, in, err)
	}
	puller, ok := a.Providers[source.Provider].(telephony.Puller)
	if !ok {
		return a.fail(ctx, pull, &telephony.PullError{Public: "This version of callsync cannot ask this kind of phone system for its calls.",
			Err: fmt.Errorf("provider %q pulls nothing", source.Provider)})
	}
	info := puller.PullInfo()
	page, err := puller.Pull(ctx, a.Transport, pullSettings(source, puller.Info()), telephony.PullRange{
		From: pull.From, To: pull.To, EndedBy: a.now().Add(-info.Settle),
	}, pull.Cursor)
	if err != nil {
		if ctx.Err() != nil {
			// The worker stops, or Temporal took the attempt away. Nothing was stored.
			return PullResult{}, ctx.Err()
		}
		return a.fail(ctx, pull, err)
	}
	pull, err = a.Store.SavePullPage(ctx, in.WorkspaceID, in.PullID, pulledPage(pull.Cursor, page))
	switch {
	case errors.Is(err, records.ErrRefused):
		return a.fail(ctx, pull, &telephony.PullError{Public: "callsync could not store what the phone system answered. The operator has been told.", Err: err})
	case err != nil:
		return PullResult{}, a.storeFailed(ctx, in, err)
	}
	return PullResult{Done: !pull.Open(), Pause: info.Pause}, nil
}

// pulledPage makes receipts of a page's calls.
func pulledPage(cursor string, page telephony.PullPage) records.PulledPage {
	out := records.PulledPage{Cursor: cursor, Next: page.Next, LeftOut: page.LeftOut}
	for _, item := range page.Items {
		id := uuid.Must(uuid.NewV7())
		seconds, nanos := id.Time().UnixTime()
		out.Items = append(out.Items, records.PulledItem{ID: item.ID, Receipt: records.Receipt{
			ID: id.String(), ReceivedAt: time.Unix(seconds, nanos).UTC().Truncate(time.Microsecond), Method: telephony.MethodPull,
			HookEvent: item.Event, Headers: json.RawMessage(`{"Content-Type":["application/json"]}`), Body: item.Body, Signature: "none",
		}})
	}
	return out
}

// pullSettings are the settings of a source that pulling depends on.
func pullSettings(s records.Source, info telephony.Info) telephony.Settings {
	out := telephony.Settings{Location: time.UTC, DefaultCountry: s.DefaultCountry, Config: s.Config, Secrets: s.Secrets}
	for _, name := range []string{s.TimeZone, info.TimeZone} {
		if loc := telephony.Zone(name); loc != nil {
			out.Location = loc
			break
		}
	}
	return out
}

// fail records a failure: one that time can cure is tried again until the pull is given up, any other ends it.
func (a *Pull) fail(ctx context.Context, pull records.Pull, cause error) (PullResult, error) {
	in := PullInput{WorkspaceID: pull.WorkspaceID, PullID: pull.ID}
	e := (*telephony.PullError)(nil)
	if !errors.As(cause, &e) {
		e = &telephony.PullError{Retry: true, Public: "The calls could not be fetched. callsync asks again.", Err: cause}
	}
	a.Log.Warn("a page of calls could not be had", "workspace", pull.WorkspaceID, "source", pull.SourceID, "pull", pull.ID, "retry", e.Retry, "error", e)
	number, since := tries(ctx)
	if !e.Retry || since > PullGiveUp {
		if err := a.Store.FailPull(ctx, pull.WorkspaceID, pull.ID, e.Public, e.Error()); err != nil {
			return PullResult{}, a.storeFailed(ctx, in, err)
		}
		return PullResult{Done: true}, nil
	}
	delay := pullDelay(e, number)
	if err := a.Store.NotePull(ctx, pull.WorkspaceID, pull.ID, e.Public, e.Error(), a.now().Add(delay)); err != nil {
		return PullResult{}, a.storeFailed(ctx, in, err)
	}
	return PullResult{}, temporal.NewApplicationErrorWithOptions("the phone system will be asked again", "unavailable", temporal.ApplicationErrorOptions{
		NextRetryDelay: delay, Category: temporal.ApplicationErrorCategoryBenign,
	})
}

// pullFirstDelay is short enough for a hiccup; by doubling to maxBackoff an hourly quota is asked for some ten times.
const pullFirstDelay = 10 * time.Second

// pullDelay is how long to wait after the attempt-th failure (from 1): what the phone system asks for, else doubling.
func pullDelay(e *telephony.PullError, attempt int32) time.Duration {
	d := e.RetryAfter
	if d <= 0 {
		d = maxBackoff
		if attempt < 8 {
			d = min(maxBackoff, pullFirstDelay<<(max(attempt, 1)-1))
		}
	}
	return d + rand.N(d/5+1)
}

func (a *Pull) storeFailed(ctx context.Context, in PullInput, err error) error {
	a.Log.Error("store failed", "doing", "pull", "workspace", in.WorkspaceID, "pull", in.PullID, "error", err)
	number, _ := tries(ctx)
	return storeError(number)
}

func (a *Pull) now() time.Time {
	if a.Now != nil {
		return a.Now()
	}
	return time.Now()
}

// heartbeats shows life while the activity lasts. The returned function ends it.
func heartbeats(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(parent)
	if !activity.IsActivity(parent) {
		return ctx, cancel
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(HeartbeatEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				activity.RecordHeartbeat(parent)
			}
		}
	}()
	return ctx, func() { cancel(); <-done }
}
