package admin

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

// LiveStore knows the calls that have not ended.
type LiveStore interface {
	// LiveCalls returns the live calls of a workspace of which something was heard last, up to limit, and how many more
	// there are.
	LiveCalls(ctx context.Context, workspaceID string, limit int) (calls []records.LiveCall, more int64, err error)
	// ListenLive calls changed with the id of each workspace of which live calls changed, in any process, and with "" when
	// it begins. It returns when ctx ends or, with an error, when it hears nothing any more.
	ListenLive(ctx context.Context, changed func(workspaceID string)) error
}

// LiveOptions tune the live view. Zero members mean the defaults.
type LiveOptions struct {
	// Every is the least time between two looks at the calls of a workspace; 250 ms.
	Every time.Duration
	// Poll is how often is looked though nothing was heard, in case that notifications are lost; 5 s.
	Poll time.Duration
	// Beat is how often an idle stream says that it is alive; 15 s. Check is how often is looked whether its reader may
	// still read it; 15 s.
	Beat, Check time.Duration
	// Streams are how many may be open in this process, WorkspaceStreams how many of one workspace; 1000 and 200.
	Streams, WorkspaceStreams int
	// Patience is how long a reader may take to read what is written; 20 s.
	Patience time.Duration
}

func (o LiveOptions) withDefaults() LiveOptions {
	o.Every = cmp.Or(o.Every, 250*time.Millisecond)
	o.Poll = cmp.Or(o.Poll, 5*time.Second)
	o.Beat = cmp.Or(o.Beat, 15*time.Second)
	o.Check = cmp.Or(o.Check, 15*time.Second)
	o.Patience = cmp.Or(o.Patience, 20*time.Second)
	o.Streams = cmp.Or(o.Streams, 1000)
	o.WorkspaceStreams = cmp.Or(o.WorkspaceStreams, 200)
	return o
}

// liveLimit is how many calls a live view shows.
const liveLimit = 500

// LiveItem is one live call.
type LiveItem struct {
	ID             string         `json:"id"`
	SourceID       string         `json:"source_id"`
	Source         string         `json:"source" doc:"The source's name."`
	Provider       string         `json:"provider"`
	Direction      call.Direction `json:"direction" enum:"inbound,outbound,internal,unknown"`
	Customer       call.Party     `json:"customer,omitzero"`
	BusinessNumber string         `json:"business_number,omitempty"`
	State          call.LiveState `json:"state" enum:"ringing,on_ivr,waiting,talking,unknown" doc:"ringing: a telephone rings; on_ivr: the caller is in a menu; waiting: the caller waits for an agent; talking."`
	Since          time.Time      `json:"since" doc:"When this state began."`
	StartedAt      time.Time      `json:"started_at,omitzero"`
	Agents         []call.Agent   `json:"agents,omitempty" doc:"Those whose telephones ring (status dialed) or who are on the line (answered)."`
	Queue          string         `json:"queue,omitempty"`
	Department     string         `json:"department,omitempty"`
}

// LiveSnapshot is all live calls of a workspace: those that wait first, then by how long they are as they are.
type LiveSnapshot struct {
	Items []LiveItem `json:"items"`
	More  int64      `json:"more" doc:"Live calls that are not among the items: those have the 500 of which something was heard last."`
}

// LiveChange is what became different since the snapshot or change before.
type LiveChange struct {
	Changed []LiveItem `json:"changed" doc:"Calls that are new or different."`
	Gone    []string   `json:"gone" doc:"Ids of calls that are not live any more."`
	More    int64      `json:"more"`
}

// liveSnapshot asks for the calls of a workspace.
func liveSnapshot(ctx context.Context, store LiveStore, workspaceID string) (LiveSnapshot, error) {
	calls, more, err := store.LiveCalls(ctx, workspaceID, liveLimit)
	if err != nil {
		return LiveSnapshot{}, err
	}
	s := LiveSnapshot{Items: make([]LiveItem, 0, len(calls)), More: more}
	for _, c := range calls {
		s.Items = append(s.Items, LiveItem{ID: c.ID, SourceID: c.SourceID, Source: c.SourceName, Provider: c.Provider, Direction: orUnknown(c.Direction),
			Customer: c.Customer, BusinessNumber: c.BusinessNumber, State: c.Live.State, Since: c.Live.Since, StartedAt: c.StartedAt,
			Agents: c.Live.Agents, Queue: c.Queue, Department: c.Department})
	}
	slices.SortFunc(s.Items, func(a, b LiveItem) int {
		return cmp.Or(slices.Index(liveOrder, a.State)-slices.Index(liveOrder, b.State), a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID))
	})
	return s, nil
}

// liveOrder is the order of attention: who waits comes first.
var liveOrder = []call.LiveState{call.LiveWaiting, call.LiveRinging, call.LiveOnIVR, call.LiveTalking, call.LiveUnknown}

// liveFrame is one state of a board, encoded once for all its readers. It is never changed.
type liveFrame struct {
	number   int64
	snapshot LiveSnapshot
	// whole is the snapshot as an event; step is what changed since the frame before.
	whole, step []byte
}

// liveBoard is the live view of one workspace while somebody looks at it.
type liveBoard struct {
	workspace string
	streams   int
	wake      chan struct{}
	stop      context.CancelFunc

	mu    sync.Mutex
	frame *liveFrame
	// next is closed when there is a newer frame.
	next chan struct{}
}

// now is the newest frame, nil before the first, and what is closed when there is another.
func (b *liveBoard) now() (*liveFrame, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.frame, b.next
}

// liveBoards are the boards that somebody looks at. A reader holds no queue: whoever is slow misses frames and then gets
// the newest as a whole.
type liveBoards struct {
	LiveOptions
	store LiveStore
	fail  func(string, error)
	// epoch tells the frames of this process from those of others.
	epoch int64

	ctx  context.Context
	end  context.CancelFunc
	work sync.WaitGroup

	mu        sync.Mutex
	boards    map[string]*liveBoard
	streams   int
	listening bool
}

func newLiveBoards(o LiveOptions, store LiveStore, log *slog.Logger) *liveBoards {
	l := &liveBoards{LiveOptions: o.withDefaults(), store: store, epoch: time.Now().UnixMilli(), boards: map[string]*liveBoard{}}
	l.fail = func(what string, err error) { log.Warn(what, "error", err) }
	l.ctx, l.end = context.WithCancel(context.Background())
	return l
}

var errLiveFull = problem(http.StatusServiceUnavailable, "Too many live views are open. Close some of them and try again.")

// join looks at a workspace's board until leave.
func (l *liveBoards) join(workspaceID string) (b *liveBoard, leave func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		return nil, nil, problem(http.StatusServiceUnavailable, "callsync is just being restarted. Try again in a moment.")
	}
	b = l.boards[workspaceID]
	if l.streams >= l.Streams || b != nil && b.streams >= l.WorkspaceStreams {
		return nil, nil, errLiveFull
	}
	if !l.listening {
		l.listening = true
		l.work.Go(l.listen)
	}
	if b == nil {
		ctx, stop := context.WithCancel(l.ctx)
		b = &liveBoard{workspace: workspaceID, wake: make(chan struct{}, 1), next: make(chan struct{}), stop: stop}
		l.boards[workspaceID] = b
		l.work.Go(func() { l.keep(ctx, b) })
	}
	b.streams++
	l.streams++
	return b, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		b.streams--
		l.streams--
		if b.streams == 0 {
			b.stop()
			delete(l.boards, workspaceID)
		}
	}, nil
}

// close ends all streams and waits for what stands behind them.
func (l *liveBoards) close() {
	l.mu.Lock()
	l.end()
	l.mu.Unlock()
	l.work.Wait()
}

// listen wakes the boards of which calls have changed, and all when something may have been missed.
func (l *liveBoards) listen() {
	for l.ctx.Err() == nil {
		err := l.store.ListenLive(l.ctx, func(workspaceID string) {
			l.mu.Lock()
			defer l.mu.Unlock()
			for _, b := range l.boards {
				if workspaceID == "" || workspaceID == b.workspace {
					poke(b.wake)
				}
			}
		})
		if l.ctx.Err() != nil {
			return
		}
		// Boards go on to look by themselves.
		l.fail("live calls are not heard of at once", err)
		pause(l.ctx, l.Poll)
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// keep makes frames of a board until nobody looks any more.
func (l *liveBoards) keep(ctx context.Context, b *liveBoard) {
	for ctx.Err() == nil {
		start := time.Now()
		if err := l.look(ctx, b); err != nil && ctx.Err() == nil {
			l.fail("live calls could not be read", err)
		}
		// A board that costs much is looked at less often.
		pause(ctx, max(l.Every, 4*time.Since(start)))
		select {
		case <-ctx.Done():
		case <-b.wake:
		case <-time.After(l.Poll):
		}
	}
}

func (l *liveBoards) look(ctx context.Context, b *liveBoard) error {
	s, err := liveSnapshot(ctx, l.store, b.workspace)
	if err != nil {
		return err
	}
	old, _ := b.now()
	f := &liveFrame{number: 1, snapshot: s}
	var change LiveChange
	if old != nil {
		if change = liveDifference(old.snapshot, s); len(change.Changed) == 0 && len(change.Gone) == 0 && s.More == old.snapshot.More {
			return nil
		}
		f.number = old.number + 1
	}
	id := fmt.Sprintf("%d-%d", l.epoch, f.number)
	if f.whole, err = liveEvent("snapshot", id, s); err != nil {
		return err
	}
	if f.step, err = liveEvent("change", id, change); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.frame = f
	close(b.next)
	b.next = make(chan struct{})
	return nil
}

func liveDifference(old, now LiveSnapshot) LiveChange {
	c := LiveChange{Changed: []LiveItem{}, Gone: []string{}, More: now.More}
	before := make(map[string]*LiveItem, len(old.Items))
	for i := range old.Items {
		before[old.Items[i].ID] = &old.Items[i]
	}
	for _, item := range now.Items {
		if was := before[item.ID]; was == nil || !reflect.DeepEqual(*was, item) {
			c.Changed = append(c.Changed, item)
		}
		delete(before, item.ID)
	}
	for _, item := range old.Items {
		if before[item.ID] != nil {
			c.Gone = append(c.Gone, item.ID)
		}
	}
	return c
}

// liveEvent encodes a server-sent event. JSON has no line breaks of its own.
func liveEvent(name, id string, data any) ([]byte, error) {
	body, err := json.Marshal(data)
	if err != nil {
		return nil, fmt.Errorf("encode live calls: %w", err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "event: %s\nid: %s\ndata: %s\n\n", name, id, body)
	return b.Bytes(), nil
}

// stream writes a board to one reader until they go, may not read it any more, do not read, or the process stops.
// may tells whether the reader may go on; an error that is no answer is not held against them.
func (l *liveBoards) stream(ctx context.Context, w http.ResponseWriter, b *liveBoard, may func() error) {
	out := http.NewResponseController(w)
	write := func(data []byte) bool {
		// A server without deadlines has other means against readers who do not read.
		_ = out.SetWriteDeadline(time.Now().Add(l.Patience))
		if _, err := w.Write(data); err != nil {
			return false
		}
		return out.Flush() == nil
	}
	head := w.Header()
	head.Set("Content-Type", "text/event-stream; charset=utf-8")
	// Proxies must pass on each event at once.
	head.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	if !write([]byte("retry: 3000\n\n")) {
		return
	}
	beat, check := time.NewTicker(l.Beat), time.NewTicker(l.Check)
	defer beat.Stop()
	defer check.Stop()
	sent := int64(0)
	for {
		frame, next := b.now()
		if frame != nil && frame.number != sent {
			data := frame.whole
			if sent > 0 && frame.number == sent+1 {
				data = frame.step
			}
			if !write(data) {
				return
			}
			sent = frame.number
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-l.ctx.Done():
			return
		case <-next:
		case <-beat.C:
			if !write([]byte(": still here\n\n")) {
				return
			}
		case <-check.C:
			if err := may(); errors.Is(err, errNoAccess) {
				return
			}
		}
	}
}
