package admin

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/callsync/callsync/records"
)

// HoldView is a cause for which deliveries are on hold.
type HoldView struct {
	ID           string    `json:"id"`
	ConnectionID string    `json:"connection_id"`
	Class        string    `json:"class"`
	Field        string    `json:"field,omitempty"`
	Reason       string    `json:"reason"`
	Count        int64     `json:"count" doc:"How many calls this holds up."`
	Since        time.Time `json:"since"`
	Last         time.Time `json:"last"`
	CallIDs      []string  `json:"call_ids" doc:"Some of the calls, newest first."`
}

func (h *Handler) registerHolds() {
	const tag = "Operations"
	handle(h, viewer, get("/holds", "Deliveries on hold, grouped by cause", tag), h.listHolds)
	op := post("/holds/{id}/retry", "Deliver everything that this cause holds up", tag)
	op.DefaultStatus = 202
	handle(h, operator, op, h.retryHold)
}

func (h *Handler) listHolds(ctx context.Context, p principal, _ *none) (*answer[List[HoldView]], error) {
	all, err := h.Store.Holds(ctx, p.WorkspaceID)
	items := make([]HoldView, 0, len(all))
	for _, o := range all {
		ids := o.SampleCallIDs
		if ids == nil {
			ids = []string{}
		}
		items = append(items, HoldView{o.ID, o.ConnectionID, o.Class, o.Field, o.Reason, o.Count, o.Since, o.Last, ids})
	}
	return &answer[List[HoldView]]{List[HoldView]{Items: items}}, err
}

func (h *Handler) retryHold(ctx context.Context, p principal, in *PathID) (*answer[SyncView], error) {
	n, err := h.retryHeld(ctx, p, in.ID)
	if err == nil && n == 0 {
		err = notFound()
	}
	return &answer[SyncView]{SyncView{Queued: n}}, err
}

// retryHeld has everything delivered that one cause holds up, and returns how many calls that is.
func (h *Handler) retryHeld(ctx context.Context, p principal, id string) (int, error) {
	n, err := h.drain(ctx, p.WorkspaceID, id, "")
	if err != nil || n == 0 {
		return n, err
	}
	return n, h.noteRetry(ctx, p, id, n)
}

// noteRetry notes that calls of a hold were retried. The hold is still there: what was asked for takes its time.
func (h *Handler) noteRetry(ctx context.Context, p principal, id string, calls int) error {
	holds, err := h.Store.Holds(ctx, p.WorkspaceID)
	if err != nil {
		return err
	}
	c := records.Change{Action: "hold.retry", ObjectKind: "hold", ObjectID: id, After: map[string]any{"calls": calls}}
	if i := slices.IndexFunc(holds, func(o records.Hold) bool { return o.ID == id }); i >= 0 {
		c.ObjectName = holds[i].Reason
	}
	return h.Store.Audit(ctx, p.WorkspaceID, c)
}

const (
	// drainedBeforeAnswer is how many calls are signalled before the answer; the others follow.
	drainedBeforeAnswer = 50
	// drainTimeout bounds what follows. What it leaves stays on hold, where a person sees it and can retry.
	drainTimeout = 15 * time.Minute
)

// drains are the retries of many calls that go on after their request was answered.
type drains struct {
	mu     sync.Mutex
	closed bool
	stop   []context.CancelFunc
	wg     sync.WaitGroup
}

func (d *drains) close() {
	d.mu.Lock()
	d.closed = true
	for _, stop := range d.stop {
		stop()
	}
	d.mu.Unlock()
	d.wg.Wait()
}

// drain has the calls of one hold, or of one connection, delivered in the order in which they were held, and returns how
// many they are. A process that ends meanwhile leaves the rest on hold.
func (h *Handler) drain(ctx context.Context, workspaceID, holdID, connectionID string) (int, error) {
	held, err := h.Store.HeldCalls(ctx, workspaceID, holdID, connectionID)
	if err != nil {
		return 0, err
	}
	return len(held), h.drainHeld(ctx, workspaceID, held)
}

// drainHeld signals the first of held at once and the others after the answer, in their order.
func (h *Handler) drainHeld(ctx context.Context, workspaceID string, held []records.HeldCall) error {
	now := min(len(held), drainedBeforeAnswer)
	for _, c := range held[:now] {
		if err := h.Resyncer.SyncNow(ctx, workspaceID, c.CallID, []string{c.ConnectionID}); err != nil {
			return err
		}
	}
	if rest := held[now:]; len(rest) > 0 {
		h.later(context.WithoutCancel(ctx), func(ctx context.Context) {
			for i, c := range rest {
				if err := h.Resyncer.SyncNow(ctx, workspaceID, c.CallID, []string{c.ConnectionID}); err != nil {
					h.Log.WarnContext(ctx, "retry of held calls ended early", "workspace", workspaceID, "connection", c.ConnectionID, "left", len(rest)-i, "err", err)
					return
				}
			}
		})
	}
	return nil
}

// later does something after the answer, for drainTimeout at most. A process that is about to end does not begin it.
func (h *Handler) later(ctx context.Context, do func(context.Context)) {
	d := &h.drains
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	ctx, stop := context.WithTimeout(ctx, drainTimeout)
	d.stop = append(d.stop, stop)
	d.wg.Go(func() {
		defer stop()
		do(ctx)
	})
}
