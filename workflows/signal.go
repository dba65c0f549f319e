package workflows

import (
	"cmp"
	"context"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
)

// Signaller tells the runs of calls, messages and forms how far those are.
type Signaller struct {
	Client client.Client
}

// SignalCall sends s to the run of the call that in names, and starts one if none is open. It returns once Temporal has
// stored the signal; whether a worker is there does not matter. It may be repeated: a run ignores what it knows.
func (s Signaller) SignalCall(ctx context.Context, in CallInput, signal CallSignal) error {
	_, err := s.Client.SignalWithStartWorkflow(ctx, SyncID(in), SignalCall, signal, client.StartWorkflowOptions{
		TaskQueue: TaskQueue,
		// A change after the run has closed starts a new one.
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
	}, CallSyncName, in)
	if err != nil {
		return fmt.Errorf("signal %s %s: %w", cmp.Or(in.Kind, "call"), in.CallID, err)
	}
	return nil
}
