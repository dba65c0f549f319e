package workflows

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"github.com/callsync/callsync/activities"
)

// Recording rewrites testdata/histories on the Temporal server that these variables name. Record anew only for a new
// scenario: the files are what runs that are waiting in production look like, and replaying the old ones is the point.
var record = flag.Bool("record", false, "record the histories that are missing, on the Temporal at TEMPORAL_ADDRESS (TEMPORAL_NAMESPACE, default callsync)")

const histories = "testdata/histories"

// try is what the CRM does with one attempt.
type try func(ctx context.Context) error

func succeed(context.Context) error { return nil }

func failFor(delay time.Duration) try { return func(context.Context) error { return down(delay) } }

// until blocks an attempt until c is closed.
func until(c <-chan struct{}) try {
	return func(ctx context.Context) error {
		select {
		case <-c:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// crm is the scripted activity. Calls are told apart by their ids, which are the scenarios' names.
type crm struct {
	mu      sync.Mutex
	tries   map[string][]try
	started map[string]int
	changed chan struct{}
}

func (c *crm) deliver(ctx context.Context, in activities.DeliverInput) (activities.DeliverResult, error) {
	key := in.CallID + "/" + in.ConnectionID
	c.mu.Lock()
	next := succeed
	if len(c.tries[key]) > 0 {
		next, c.tries[key] = c.tries[key][0], c.tries[key][1:]
	}
	c.started[key]++
	close(c.changed)
	c.changed = make(chan struct{})
	c.mu.Unlock()
	if err := next(ctx); err != nil {
		return activities.DeliverResult{}, err
	}
	return activities.DeliverResult{Outcome: activities.Done, Revision: in.Revision}, nil
}

// waitFor waits until n attempts of a lane have begun.
func (c *crm) waitFor(t *testing.T, key string, n int) {
	t.Helper()
	for {
		c.mu.Lock()
		started, changed := c.started[key], c.changed
		c.mu.Unlock()
		if started >= n {
			return
		}
		select {
		case <-changed:
		case <-t.Context().Done():
			t.Fatalf("%s: attempt %d did not begin", key, n)
		}
	}
}

// stage is one scenario being played.
type stage struct {
	t      *testing.T
	client client.Client
	crm    *crm
	in     CallInput
	// work starts the worker; before it, signals gather.
	work func()
}

func (s *stage) id() string { return CallSyncID(s.in.WorkspaceID, s.in.SourceID, s.in.CallID) }

func (s *stage) signal(revision int64, change ...func(*CallSignal)) {
	s.t.Helper()
	out := CallSignal{Revision: revision, WindowBase: time.Now().UTC(), ChangedAt: time.Now().UTC(), Quiet: 300 * time.Millisecond, Lanes: []Lane{short("A")}}
	for _, c := range change {
		c(&out)
	}
	require.NoError(s.t, Signaller{Client: s.client}.SignalCall(s.t.Context(), s.in, out))
}

func (s *stage) tries(connection string, tries ...try) {
	s.crm.tries[s.in.CallID+"/"+connection] = tries
}
func (s *stage) attempt(connection string, n int) { s.crm.waitFor(s.t, s.in.CallID+"/"+connection, n) }

// settled waits until the server has n finished workflow tasks of the run, so that a signal after it comes in a later one.
func (s *stage) settled(n int) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		return count(s.history(), enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED) >= n
	}, 20*time.Second, 20*time.Millisecond)
}

func (s *stage) history() *historypb.History { return s.historyOf(s.id()) }

func (s *stage) historyOf(id string) *historypb.History {
	h := &historypb.History{}
	for events := s.client.GetWorkflowHistory(s.t.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
		e, err := events.Next()
		if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
			return h
		}
		require.NoError(s.t, err)
		h.Events = append(h.Events, e)
	}
	return h
}

func count(h *historypb.History, kind enumspb.EventType) (n int) {
	for _, e := range h.Events {
		if e.EventType == kind {
			n++
		}
	}
	return n
}

// short is a lane whose window ends while one watches, waiting one whose window does not.
func short(id string) Lane {
	return Lane{ConnectionID: id, Connector: "fake", Policy: Complete, Window: time.Second}
}

func waiting(id string) Lane {
	l := short(id)
	l.Window = time.Hour
	return l
}

func patched(id string) Lane {
	l := waiting(id)
	l.Policy = Early
	return l
}

// scenarios are named for what a later version must still be able to replay.
var scenarios = map[string]func(*stage){
	"complete_at_once": func(s *stage) {
		s.work()
		s.signal(1, complete, lanes(waiting("A"), waiting("B")))
	},
	"window_ends": func(s *stage) {
		s.work()
		s.signal(1)
	},
	"completed_while_waiting": func(s *stage) {
		s.work()
		s.signal(1, lanes(waiting("A")))
		s.settled(1)
		s.signal(2, complete, lanes(waiting("A")))
	},
	"signals_in_one_task": func(s *stage) {
		s.signal(2)
		s.signal(1)
		s.signal(3, complete, lanes(waiting("A"), waiting("B")))
		s.work()
	},
	"update_during_delivery": func(s *stage) {
		release := make(chan struct{})
		s.tries("A", until(release))
		s.work()
		s.signal(1, complete)
		s.attempt("A", 1)
		s.signal(2, complete)
		s.settled(2)
		close(release)
	},
	"one_lane_down": func(s *stage) {
		s.tries("A", failFor(400*time.Millisecond), failFor(400*time.Millisecond))
		s.work()
		s.signal(1, complete, lanes(waiting("A"), waiting("B")))
	},
	"given_up": func(s *stage) {
		s.tries("A", func(context.Context) error { return refused() })
		s.work()
		s.signal(1, complete, lanes(waiting("A"), waiting("B")))
	},
	"early_then_complete": func(s *stage) {
		s.work()
		s.signal(1, lanes(patched("A"), waiting("B")))
		s.attempt("A", 1)
		s.settled(3)
		s.signal(2, complete, lanes(patched("A"), waiting("B")))
	},
	"forced_out_of_backoff": func(s *stage) {
		s.tries("A", failFor(time.Hour))
		s.work()
		s.signal(1, complete)
		s.attempt("A", 1)
		require.Eventually(s.t, func() bool {
			d, err := s.client.DescribeWorkflowExecution(s.t.Context(), s.id(), "")
			return err == nil && len(d.PendingActivities) == 1 && d.PendingActivities[0].State == enumspb.PENDING_ACTIVITY_STATE_SCHEDULED &&
				d.PendingActivities[0].LastFailure != nil
		}, 20*time.Second, 20*time.Millisecond)
		s.signal(1, complete, force(1))
	},
	// The attempt hears of its recall by its heartbeat and reports it as a failure, as activities.Delivery does.
	"forced_attempt_breaks_off": func(s *stage) {
		s.tries("A", func(ctx context.Context) error {
			for ctx.Err() == nil {
				activity.RecordHeartbeat(ctx)
				select {
				case <-ctx.Done():
				case <-time.After(100 * time.Millisecond):
				}
			}
			return down(time.Second)
		})
		s.work()
		s.signal(1, complete)
		s.attempt("A", 1)
		s.signal(1, complete, force(1))
	},
	"forced_during_an_attempt": func(s *stage) {
		release := make(chan struct{})
		s.tries("A", until(release))
		s.work()
		s.signal(1, complete)
		s.attempt("A", 1)
		s.signal(1, complete, force(1))
		s.settled(2)
		close(release)
	},
	"lanes_change": func(s *stage) {
		s.work()
		s.signal(1, lanes(waiting("A"), waiting("B")))
		s.settled(1)
		s.signal(2, lanes(waiting("B"), short("C")))
		s.attempt("C", 1)
		s.signal(3, complete, lanes(waiting("B"), short("C")))
	},
	"stale": func(s *stage) {
		s.work()
		s.signal(1, stale)
	},
	"cancelled_while_delivering": func(s *stage) {
		release := make(chan struct{})
		s.tries("A", until(release))
		s.work()
		s.signal(1, complete, lanes(waiting("A"), waiting("B")))
		s.attempt("A", 1)
		s.settled(2) // The second one is B's landing.
		require.NoError(s.t, s.client.CancelWorkflow(s.t.Context(), s.id(), ""))
		s.settled(3)
		close(release)
	},
	"continued_run": func(s *stage) {
		s.in.Progress = &Progress{
			Signal: CallSignal{Revision: 4, WindowBase: time.Now().UTC(), ChangedAt: time.Now().UTC(), Quiet: time.Second, Lanes: []Lane{short("A"), short("B")}},
			Lanes:  []LaneProgress{{ConnectionID: "A", Settled: 4}, {ConnectionID: "B", Settled: unsettled}},
		}
		s.work()
		_, err := s.client.ExecuteWorkflow(s.t.Context(), client.StartWorkflowOptions{ID: s.id(), TaskQueue: TaskQueue}, CallSyncName, s.in)
		require.NoError(s.t, err)
	},
}

func TestRecord(t *testing.T) {
	if !*record {
		t.Skip("histories are recorded with -record")
	}
	namespace := os.Getenv("TEMPORAL_NAMESPACE")
	if namespace == "" {
		namespace = "callsync"
	}
	c, err := client.DialContext(t.Context(), client.Options{HostPort: os.Getenv("TEMPORAL_ADDRESS"), Namespace: namespace, Identity: "recorder"})
	require.NoError(t, err)
	defer c.Close()
	host, err := os.Hostname()
	require.NoError(t, err)
	for name, play := range scenarios {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(histories, name+".json")
			if _, err := os.Stat(file); err == nil {
				t.Skip("recorded before")
			}
			s := &stage{
				t: t, client: c,
				crm: &crm{tries: map[string][]try{}, started: map[string]int{}, changed: make(chan struct{})},
				in:  CallInput{WorkspaceID: "workspace", SourceID: time.Now().UTC().Format("20060102T150405.000"), CallID: name},
			}
			s.work = func() {
				flows := worker.New(c, TaskQueue, worker.Options{})
				flows.RegisterWorkflow(CallSync)
				deliveries := worker.New(c, ConnectorQueue("fake"), worker.Options{DisableWorkflowWorker: true})
				deliveries.RegisterActivityWithOptions(s.crm.deliver, activity.RegisterOptions{Name: "Deliver"})
				require.NoError(t, flows.Start())
				t.Cleanup(flows.Stop)
				require.NoError(t, deliveries.Start())
				t.Cleanup(deliveries.Stop)
			}
			play(s)
			if err := c.GetWorkflow(t.Context(), s.id(), "").Get(t.Context(), nil); err != nil {
				require.True(t, temporal.IsCanceledError(err), "%v", err)
			}
			text, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal(s.history())
			require.NoError(t, err)
			// The sticky queue is named after the machine.
			require.NoError(t, os.MkdirAll(histories, 0o755))
			require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(text), host, "recorder")+"\n"), 0o644))
		})
	}
}
