package workflows

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/mocks"
)

func TestSignallerStartsOrWakesTheRunOfTheCall(t *testing.T) {
	t.Parallel()
	in := CallInput{WorkspaceID: "w", SourceID: "s", CallID: "c"}
	c := &mocks.Client{}
	c.On("SignalWithStartWorkflow", mock.Anything, "call/w/s/c", SignalCall, sig(1),
		mock.MatchedBy(func(o client.StartWorkflowOptions) bool {
			return o.TaskQueue == TaskQueue && o.WorkflowExecutionTimeout == 0 && o.TypedSearchAttributes.Size() == 0
		}), CallSyncName, in).Return(nil, nil).Once()
	require.NoError(t, Signaller{Client: c}.SignalCall(t.Context(), in, sig(1)))
	c.AssertExpectations(t)

	away := errors.New("away")
	c.On("SignalWithStartWorkflow", mock.Anything, mock.Anything, mock.Anything, mock.Anything, mock.Anything, mock.Anything, mock.Anything).Return(nil, away)
	require.ErrorIs(t, Signaller{Client: c}.SignalCall(t.Context(), in, sig(1)), away)
}
