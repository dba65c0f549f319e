package temporalx

import (
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// stopTimeout is how long a worker that is told to stop lets activities finish. What is not finished by then is retried
// by another worker after its StartToClose.
const stopTimeout = 30 * time.Second

// WorkerOptions are the settings of one worker.
type WorkerOptions struct {
	// Activities bounds the activities under way at once; 0 means the SDK's 1,000.
	Activities int
	// ActivitiesOnly is for queues that have no workflows.
	ActivitiesOnly bool
	// Deployment names the worker deployment and BuildID this binary's version in it. With a deployment, workflows stay
	// on the version that started them, and nothing runs until an operator has made a version the current one.
	Deployment, BuildID string
	// OnFatal is told of an error after which the worker has stopped by itself, such as a namespace that is gone.
	OnFatal func(error)
}

// NewWorker makes a worker of a queue. Its pollers follow the load, because the SDK's fixed two are the first bottleneck
// of a burst and most queues are idle most of the time.
func NewWorker(c client.Client, queue string, o WorkerOptions) worker.Worker {
	pollers := func() worker.PollerBehavior {
		return worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{})
	}
	out := worker.Options{
		MaxConcurrentActivityExecutionSize: o.Activities,
		WorkflowTaskPollerBehavior:         pollers(),
		ActivityTaskPollerBehavior:         pollers(),
		DisableWorkflowWorker:              o.ActivitiesOnly,
		WorkerStopTimeout:                  stopTimeout,
		OnFatalError:                       o.OnFatal,
	}
	if o.Deployment != "" {
		out.DeploymentOptions = worker.DeploymentOptions{
			UseVersioning:             true,
			Version:                   worker.WorkerDeploymentVersion{DeploymentName: o.Deployment, BuildID: o.BuildID},
			DefaultVersioningBehavior: workflow.VersioningBehaviorPinned,
		}
	}
	return worker.New(c, queue, out)
}

// SetWorkflowCache bounds the workflows that all workers of the process keep in memory, together; a workflow that was
// evicted is replayed from its history when it wakes. Call it once, before the first worker.
func SetWorkflowCache(runs int) { worker.SetStickyWorkflowCacheSize(runs) }
