package workflows

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
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
