package workflows

import (
	"context"
	"fmt"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/callsync/callsync/activities"
)

// PullQueue is the queue of the activities that ask phone systems for their calls.
const PullQueue = "phone-pull"

// ReconcileName is the registered name of the workflow.
const ReconcileName = "Reconcile"

// ReconcileID is the id of the workflow of one pull.
func ReconcileID(workspaceID, sourceID, pullID string) string {
	return strings.Join([]string{"pull", workspaceID, sourceID, pullID}, "/")
}

// ReconcileInput names a pull: the calls of one range of one source. All else stands in its row.
type ReconcileInput struct {
	WorkspaceID string `json:"workspace_id"`
	SourceID    string `json:"source_id"`
	PullID      string `json:"pull_id"`
}

// pagesPerRun is how many pages are asked for before the run continues itself, so that its history stays short.
const pagesPerRun = 200

// Reconcile asks a phone system for the calls of a range, page by page, so that calls whose webhooks were lost are made
// good. Which page is next stands in the pull's row, so that a run that starts anew goes on where another one was. It ends
// without an error unless it is cancelled: what could not be done is recorded in the row.
func Reconcile(ctx workflow.Context, in ReconcileInput) error {
	options := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              PullQueue,
		StartToCloseTimeout:    activities.PullTimeout,
		HeartbeatTimeout:       2 * activities.HeartbeatTimeout,
		ScheduleToCloseTimeout: activities.PullDeadline,
		// Two attempts at once would ask twice for what only one may store.
		WaitForCancellation: true,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    retryInitial,
			BackoffCoefficient: 2,
			MaximumInterval:    retryMax,
		},
		// One source's long backfill must not delay the others on the queue they share.
		Priority: temporal.Priority{FairnessKey: in.SourceID},
	})
	var a *activities.Pull
	for range pagesPerRun {
		var out activities.PullResult
		err := workflow.ExecuteActivity(options, a.PullPage, activities.PullInput{WorkspaceID: in.WorkspaceID, PullID: in.PullID}).Get(ctx, &out)
		if temporal.IsCanceledError(err) {
			return err
		}
		if err != nil {
			// The row is still open; whoever starts pulls will find it.
			workflow.GetLogger(ctx).Error("Pull broken off", "workspace_id", in.WorkspaceID, "source_id", in.SourceID, "pull_id", in.PullID, "reason", errorType(err))
			return nil
		}
		if out.Done {
			return nil
		}
		if err := workflow.Sleep(ctx, out.Pause); err != nil {
			return err
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			break
		}
	}
	return workflow.NewContinueAsNewError(ctx, Reconcile, in)
}

// StartPull starts the workflow of a pull, unless it runs already.
func (s Signaller) StartPull(ctx context.Context, in ReconcileInput) error {
	_, err := s.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:        ReconcileID(in.WorkspaceID, in.SourceID, in.PullID),
		TaskQueue: TaskQueue,
		// A pull whose workflow was lost or broke off goes on in a new run.
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	}, ReconcileName, in)
	if err != nil {
		return fmt.Errorf("start pull %s: %w", in.PullID, err)
	}
	return nil
}
