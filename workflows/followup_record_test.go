package workflows

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/callsync/callsync/activities"
)

const followUpHistories = "testdata/histories/follow_up"

// followUpScenarios are named for what a later version must still be able to replay. Each is a script of what the n-th
// attempt says, and of the signals that come after it.
var followUpScenarios = map[string][]struct {
	out    activities.FollowUpResult
	sleeps time.Duration // until the clock strikes
	err    error
	then   *FollowUpSignal
}{
	"overdue_then_closed": {
		{out: activities.FollowUpResult{Revision: 1}, sleeps: 1500 * time.Millisecond},
		{err: down(200 * time.Millisecond)},
		{out: activities.FollowUpResult{Revision: 2}, sleeps: time.Hour, then: &FollowUpSignal{Revision: 3}},
		{out: activities.FollowUpResult{Revision: 3}},
	},
	"forced_out_of_backoff": {
		{err: down(time.Hour), then: &FollowUpSignal{Revision: 1, Force: 1}},
		{out: activities.FollowUpResult{Revision: 1}},
	},
	"ticket": {{out: activities.FollowUpResult{Revision: 1}}},
}

// Follow-ups wait in production for days: what they have written down must replay.
func TestReplayFollowUp(t *testing.T) {
	t.Parallel()
	for name := range followUpScenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			replayer := worker.NewWorkflowReplayer()
			replayer.RegisterWorkflow(FollowUp)
			require.NoError(t, replayer.ReplayWorkflowHistory(quietLog(), load(t, filepath.Join(followUpHistories, name+".json"))))
		})
	}
}

func TestRecordFollowUp(t *testing.T) {
	if !*record {
		t.Skip("histories are recorded with -record")
	}
	c, err := client.DialContext(t.Context(), client.Options{HostPort: os.Getenv("TEMPORAL_ADDRESS"), Namespace: cmp.Or(os.Getenv("TEMPORAL_NAMESPACE"), "callsync"), Identity: "recorder"})
	require.NoError(t, err)
	defer c.Close()
	host, err := os.Hostname()
	require.NoError(t, err)
	for name, script := range followUpScenarios {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(followUpHistories, name+".json")
			if _, err := os.Stat(file); err == nil {
				t.Skip("recorded before")
			}
			in := FollowUpInput{WorkspaceID: "workspace", ConnectionID: time.Now().UTC().Format("20060102T150405.000"), Connector: "fake", FollowUpID: name}
			var mu sync.Mutex
			n := 0
			flows := worker.New(c, TaskQueue, worker.Options{})
			flows.RegisterWorkflow(FollowUp)
			attempts := worker.New(c, ConnectorQueue(in.Connector), worker.Options{DisableWorkflowWorker: true})
			attempts.RegisterActivityWithOptions(func(ctx context.Context, _ activities.FollowUpInput) (activities.FollowUpResult, error) {
				mu.Lock()
				defer mu.Unlock()
				s := script[min(n, len(script)-1)]
				n++
				if s.then != nil {
					// A moment after the attempt has ended.
					time.AfterFunc(500*time.Millisecond, func() {
						_ = Signaller{Client: c}.SignalFollowUp(context.WithoutCancel(ctx), in, *s.then)
					})
				}
				if s.sleeps > 0 {
					s.out.WakeAt = time.Now().Add(s.sleeps)
				}
				return s.out, s.err
			}, activity.RegisterOptions{Name: "FollowUp"})
			for _, w := range []worker.Worker{flows, attempts} {
				require.NoError(t, w.Start())
				t.Cleanup(w.Stop)
			}
			require.NoError(t, Signaller{Client: c}.SignalFollowUp(t.Context(), in, FollowUpSignal{Revision: 1}))
			require.NoError(t, c.GetWorkflow(t.Context(), FollowUpID(in), "").Get(t.Context(), nil))
			require.Equal(t, len(script), n)
			text, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal((&stage{t: t, client: c}).historyOf(FollowUpID(in)))
			require.NoError(t, err)
			require.NoError(t, os.MkdirAll(followUpHistories, 0o755))
			require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(text), host, "recorder")+"\n"), 0o644))
		})
	}
}
