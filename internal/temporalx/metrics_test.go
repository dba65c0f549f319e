package temporalx

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

func TestMetrics(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewPedanticRegistry()
	root := NewMetricsHandler(reg).WithTags(map[string]string{"namespace": "n", "client_name": "temporal_go", "task_queue": "none"})
	request := root.WithTags(map[string]string{"operation": "PollWorkflowTaskQueue"})
	request.Counter("temporal_request").Inc(2)
	request.Counter("temporal_request").Inc(-1)
	root.WithTags(map[string]string{"operation": "other\xff"}).Counter("temporal_request").Inc(1)
	root.Counter("temporal_local_activity_total").Inc(1)
	root.WithTags(map[string]string{"worker_type": "ActivityWorker"}).Gauge("temporal_worker_task_slots_available").Update(7.5)
	root.Timer("temporal_request_latency").Record(1500 * time.Millisecond)

	require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP temporal_local_activity_total Of the Temporal SDK: temporal local activity total.
# TYPE temporal_local_activity_total counter
temporal_local_activity_total{activity_type="",cause="",failure_reason="",namespace="n",operation="",poller_type="",status_code="",task_queue="",worker_type="",workflow_type=""} 1
# HELP temporal_request_total Of the Temporal SDK: temporal request total.
# TYPE temporal_request_total counter
temporal_request_total{activity_type="",cause="",failure_reason="",namespace="n",operation="PollWorkflowTaskQueue",poller_type="",status_code="",task_queue="",worker_type="",workflow_type=""} 2
temporal_request_total{activity_type="",cause="",failure_reason="",namespace="n",operation="other",poller_type="",status_code="",task_queue="",worker_type="",workflow_type=""} 1
# HELP temporal_worker_task_slots_available Of the Temporal SDK: temporal worker task slots available.
# TYPE temporal_worker_task_slots_available gauge
temporal_worker_task_slots_available{activity_type="",cause="",failure_reason="",namespace="n",operation="",poller_type="",status_code="",task_queue="",worker_type="ActivityWorker",workflow_type=""} 7.5
`), "temporal_local_activity_total", "temporal_request_total", "temporal_worker_task_slots_available"))
	n, err := testutil.GatherAndCount(reg, "temporal_request_latency_seconds")
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

func TestMetricsAreBounded(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	h := NewMetricsHandler(reg)
	for i := range 10 * maxLabelValues {
		h.WithTags(map[string]string{"task_queue": fmt.Sprint(i), "workflow_id": fmt.Sprint(i)}).Counter("c").Inc(1)
	}
	n, err := testutil.GatherAndCount(reg, "c_total")
	require.NoError(t, err)
	require.Equal(t, maxLabelValues+1, n)
}

func TestMetricsOfTwoHandlers(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	for range 2 {
		NewMetricsHandler(reg).Gauge("g").Update(1)
		NewMetricsHandler(reg).Counter("c").Inc(1)
	}
	require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP c_total Of the Temporal SDK: c total.
# TYPE c_total counter
c_total{activity_type="",cause="",failure_reason="",namespace="",operation="",poller_type="",status_code="",task_queue="",worker_type="",workflow_type=""} 2
`), "c_total"))
}

// A name that something else has taken is not worth a panic.
func TestMetricsOfATakenName(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	reg.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "c_total", Help: "x"}))
	h := NewMetricsHandler(reg)
	require.NotPanics(t, func() {
		h.Counter("c").Inc(1)
		h.Gauge("c_total").Update(1)
		h.Timer("c").Record(time.Second)
	})
}
