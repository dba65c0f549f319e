package workflows

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/callsync/callsync/activities"
)

// followUpRig is what a scripted store makes of a follow-up in time-skipping time: its revision, and when its clock strikes.
type followUpRig struct {
	env      *testsuite.TestWorkflowEnvironment
	revision int64
	strikes  []time.Duration // from the start, in order
	closed   bool
	fails    []time.Duration // delays of the attempts that fail first
	calls    []time.Duration
}

func newFollowUpRig(t *testing.T) *followUpRig {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quietLog())
	r := &followUpRig{env: suite.NewTestWorkflowEnvironment(), revision: 1}
	r.env.SetStartTime(epoch)
	r.env.SetTestTimeout(10 * time.Second)
	r.env.RegisterWorkflow(FollowUp)
	r.env.RegisterActivityWithOptions(func(context.Context, activities.FollowUpInput) (activities.FollowUpResult, error) {
		now := r.env.Now().Sub(epoch)
		r.calls = append(r.calls, now)
		if len(r.fails) > 0 {
			delay := r.fails[0]
			r.fails = r.fails[1:]
			return activities.FollowUpResult{}, down(delay)
		}
		out := activities.FollowUpResult{Revision: r.revision}
		if !r.closed {
			for _, at := range r.strikes {
				if at > now {
					out.WakeAt = epoch.Add(at)
					break
				}
			}
		}
		return out, nil
	}, activity.RegisterOptions{Name: "FollowUp"})
	return r
}

// at does something at a time and tells the run.
func (r *followUpRig) at(at time.Duration, do func(), s FollowUpSignal) {
	r.env.RegisterDelayedCallback(func() {
		do()
		r.env.SignalWorkflow(SignalFollowUp, s)
	}, at)
}

func (r *followUpRig) run(t *testing.T) {
	r.env.ExecuteWorkflow(FollowUp, FollowUpInput{WorkspaceID: "w", ConnectionID: "k", Connector: "crm", FollowUpID: "f"})
	require.True(t, r.env.IsWorkflowCompleted())
	require.NoError(t, r.env.GetWorkflowError())
}

func TestAFollowUpWaitsForItsClock(t *testing.T) {
	t.Parallel()
	r := newFollowUpRig(t)
	r.strikes = []time.Duration{30 * time.Minute, 90 * time.Minute}
	r.run(t)
	require.Equal(t, []time.Duration{0, 30 * time.Minute, 90 * time.Minute}, r.calls)
}

func TestAFollowUpThatIsClosed(t *testing.T) {
	t.Parallel()
	r := newFollowUpRig(t)
	r.strikes = []time.Duration{time.Hour}
	r.at(10*time.Minute, func() { r.revision, r.closed = 2, true }, FollowUpSignal{Revision: 2})
	r.run(t)
	require.Equal(t, []time.Duration{0, 10 * time.Minute}, r.calls)
	require.Equal(t, 10*time.Minute, r.env.Now().Sub(epoch), "and no longer")
}

func TestAFollowUpThatIsToldAgain(t *testing.T) {
	t.Parallel()
	r := newFollowUpRig(t)
	r.strikes = []time.Duration{time.Hour}
	r.at(10*time.Minute, func() {}, FollowUpSignal{Revision: 1})
	r.run(t)
	require.Equal(t, []time.Duration{0, time.Hour}, r.calls)
}

// A ticket has no clock.
func TestAFollowUpWithoutAClock(t *testing.T) {
	t.Parallel()
	r := newFollowUpRig(t)
	r.run(t)
	require.Equal(t, []time.Duration{0}, r.calls)
}

func TestAFollowUpIsRetried(t *testing.T) {
	t.Parallel()
	r := newFollowUpRig(t)
	r.fails = []time.Duration{time.Minute, 2 * time.Minute}
	r.run(t)
	require.Equal(t, []time.Duration{0, time.Minute, 3 * time.Minute}, r.calls)
}

func TestAFollowUpThatIsGivenUp(t *testing.T) {
	t.Parallel()
	r := newFollowUpRig(t)
	r.env.OnActivity("FollowUp", mock.Anything, mock.Anything).Return(activities.FollowUpResult{}, temporal.NewNonRetryableApplicationError("no", "invalid", nil))
	r.run(t)
}

// A clock of the server that is ahead of the store's leads to a few looks, not to a run that never rests.
func TestAFollowUpWhoseStoreIsLate(t *testing.T) {
	t.Parallel()
	r := newFollowUpRig(t)
	looks := 0
	r.env.OnActivity("FollowUp", mock.Anything, mock.Anything).Return(func(context.Context, activities.FollowUpInput) (activities.FollowUpResult, error) {
		if looks++; looks <= 4 {
			return activities.FollowUpResult{Revision: 1, WakeAt: epoch}, nil
		}
		return activities.FollowUpResult{Revision: 1}, nil
	})
	r.run(t)
	require.Equal(t, 5, looks)
	require.Equal(t, 4*time.Second, r.env.Now().Sub(epoch))
}

// Nothing personal reaches Temporal: ids, revisions and times.
func TestFollowUpsTellTemporalNothing(t *testing.T) {
	t.Parallel()
	for _, v := range []any{FollowUpInput{}, FollowUpSignal{Force: 1}, activities.FollowUpInput{}, activities.FollowUpResult{WakeAt: epoch}} {
		data, err := json.Marshal(v)
		require.NoError(t, err)
		var members map[string]any
		require.NoError(t, json.Unmarshal(data, &members))
		for name := range members {
			require.Contains(t, []string{"workspace_id", "connection_id", "connector", "follow_up_id", "revision", "force", "wake_at"}, name)
		}
	}
}
