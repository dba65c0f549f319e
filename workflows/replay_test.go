package workflows

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
)

// Every recorded history must replay: runs like these wait in production while a new version is deployed. A failure
// means that the change needs workflow.GetVersion, not a new recording.
func TestReplay(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(histories, "*.json"))
	require.NoError(t, err)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			t.Parallel()
			replayer := worker.NewWorkflowReplayer()
			replayer.RegisterWorkflow(CallSync)
			require.NoError(t, replayer.ReplayWorkflowHistory(quietLog(), load(t, file)))
		})
	}
}

func TestEveryScenarioIsRecorded(t *testing.T) {
	t.Parallel()
	for name := range scenarios {
		require.FileExists(t, filepath.Join(histories, name+".json"), "record it with -record")
	}
}

// What a call costs the server, by the histories it wrote. The figures are the design's: calls per second follow from
// them.
func TestEventEconomy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		scenario                   string
		signals, tasks, activities int
		timers, events             int
	}{
		{scenario: "complete_at_once", signals: 1, tasks: 2, activities: 2, timers: 0, events: 15},
		{scenario: "window_ends", signals: 1, tasks: 3, activities: 1, timers: 1, events: 17},
		{scenario: "completed_while_waiting", signals: 2, tasks: 3, activities: 1, timers: 1, events: 17},
		{scenario: "signals_in_one_task", signals: 3, tasks: 2, activities: 2, timers: 0, events: 17},
	} {
		t.Run(c.scenario, func(t *testing.T) {
			t.Parallel()
			h := load(t, filepath.Join(histories, c.scenario+".json"))
			require.Equal(t, c.signals, count(h, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED), "signals")
			require.Equal(t, c.activities, count(h, enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED), "activities")
			require.Equal(t, c.timers, count(h, enumspb.EVENT_TYPE_TIMER_STARTED), "timers")
			// Two lanes that end at different moments may take a task each.
			require.LessOrEqual(t, count(h, enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED), c.tasks+c.activities-1, "tasks")
			require.LessOrEqual(t, len(h.Events), c.events+3*(c.activities-1), "events")
		})
	}
}

func load(t *testing.T, file string) *historypb.History {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	h, err := client.HistoryFromJSON(f, client.HistoryJSONOptions{})
	require.NoError(t, err)
	return h
}
