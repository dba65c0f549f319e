package workflows

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/callsync/callsync/activities"
)

// turnPages runs Reconcile in time-skipping time against scripted pages.
func turnPages(t *testing.T, page func(n int) (activities.PullResult, error)) (*testsuite.TestWorkflowEnvironment, *int) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quietLog())
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartTime(epoch)
	env.SetTestTimeout(10 * time.Second)
	env.RegisterActivityWithOptions(func(context.Context, activities.PullInput) (activities.PullResult, error) { panic("scripted") },
		activity.RegisterOptions{Name: "PullPage"})
	n := new(int)
	env.OnActivity("PullPage", mock.Anything, activities.PullInput{WorkspaceID: "w", PullID: "p"}).
		Return(func(context.Context, activities.PullInput) (activities.PullResult, error) {
			*n++
			return page(*n)
		})
	env.ExecuteWorkflow(Reconcile, ReconcileInput{WorkspaceID: "w", SourceID: "s", PullID: "p"})
	require.True(t, env.IsWorkflowCompleted())
	return env, n
}

func TestReconcileTurnsPages(t *testing.T) {
	t.Parallel()
	env, n := turnPages(t, func(n int) (activities.PullResult, error) {
		return activities.PullResult{Done: n == 3, Pause: 8 * time.Second}, nil
	})
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, 3, *n)
	require.Equal(t, 16*time.Second, env.Now().Sub(epoch), "a pause between pages, none after the last")
}

func TestReconcileIsPatient(t *testing.T) {
	t.Parallel()
	env, n := turnPages(t, func(n int) (activities.PullResult, error) {
		if n < 4 {
			return activities.PullResult{}, temporal.NewApplicationErrorWithOptions("again", "unavailable", temporal.ApplicationErrorOptions{NextRetryDelay: time.Hour})
		}
		return activities.PullResult{Done: true}, nil
	})
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, 4, *n)
	require.Equal(t, 3*time.Hour, env.Now().Sub(epoch), "as long as the phone system asks for")
}

func TestReconcileLeavesTroubleToTheRow(t *testing.T) {
	t.Parallel()
	env, n := turnPages(t, func(int) (activities.PullResult, error) { return activities.PullResult{}, refused() })
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, 1, *n)
}

func TestReconcileContinuesAsNew(t *testing.T) {
	t.Parallel()
	env, n := turnPages(t, func(int) (activities.PullResult, error) { return activities.PullResult{}, nil })
	require.Equal(t, pagesPerRun, *n)
	require.True(t, workflow.IsContinueAsNewError(env.GetWorkflowError()))
}

func TestReconcileID(t *testing.T) {
	t.Parallel()
	require.Equal(t, "pull/w/s/p", ReconcileID("w", "s", "p"))
}

const reconcileHistory = "testdata/histories/reconcile/pages_and_a_refusal.json"

// Pulls wait in production for hours, too: what they have written down must replay.
func TestReplayReconcile(t *testing.T) {
	t.Parallel()
	replayer := worker.NewWorkflowReplayer()
	replayer.RegisterWorkflow(Reconcile)
	require.NoError(t, replayer.ReplayWorkflowHistory(quietLog(), load(t, reconcileHistory)))
}

func TestRecordReconcile(t *testing.T) {
	if !*record {
		t.Skip("histories are recorded with -record")
	}
	if _, err := os.Stat(reconcileHistory); err == nil {
		t.Skip("recorded before")
	}
	c, err := client.DialContext(t.Context(), client.Options{HostPort: os.Getenv("TEMPORAL_ADDRESS"), Namespace: cmp.Or(os.Getenv("TEMPORAL_NAMESPACE"), "callsync"), Identity: "recorder"})
	require.NoError(t, err)
	defer c.Close()
	flows := worker.New(c, TaskQueue, worker.Options{})
	flows.RegisterWorkflow(Reconcile)
	pages := worker.New(c, PullQueue, worker.Options{DisableWorkflowWorker: true})
	n := 0
	pages.RegisterActivityWithOptions(func(context.Context, activities.PullInput) (activities.PullResult, error) {
		if n++; n == 2 {
			return activities.PullResult{}, down(300 * time.Millisecond)
		}
		return activities.PullResult{Done: n == 4, Pause: 200 * time.Millisecond}, nil
	}, activity.RegisterOptions{Name: "PullPage"})
	for _, w := range []worker.Worker{flows, pages} {
		require.NoError(t, w.Start())
		t.Cleanup(w.Stop)
	}
	in := ReconcileInput{WorkspaceID: "workspace", SourceID: time.Now().UTC().Format("20060102T150405.000"), PullID: "pages_and_a_refusal"}
	for range 2 { // The second start finds the first.
		require.NoError(t, Signaller{Client: c}.StartPull(t.Context(), in))
	}
	id := ReconcileID(in.WorkspaceID, in.SourceID, in.PullID)
	require.NoError(t, c.GetWorkflow(t.Context(), id, "").Get(t.Context(), nil))
	text, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal((&stage{t: t, client: c}).historyOf(id))
	require.NoError(t, err)
	host, err := os.Hostname()
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(reconcileHistory), 0o755))
	require.NoError(t, os.WriteFile(reconcileHistory, []byte(strings.ReplaceAll(string(text), host, "recorder")+"\n"), 0o644))
}
