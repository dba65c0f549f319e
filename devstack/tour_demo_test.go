//go:build unix

package devstack_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/callsync/callsync/devstack"
	"github.com/callsync/callsync/internal/browsertest"
	"github.com/callsync/callsync/internal/pgtest"
)

// demoTour is the demo data of a running stack, with a real worker.
type demoTour struct {
	*testing.T
	s   *devstack.Stack
	tab *browsertest.Tab
	// source and connection are the demo's, ids all that it has had.
	source, connection string
	ids                []string
}

type demoCall struct {
	ID       string
	State    string
	Customer struct{ Name, Number string }
}

// begin adds the demo data; what becomes of it takes a moment.
func (d *demoTour) begin() {
	d.Helper()
	var made struct {
		SourceID     string `json:"source_id"`
		ConnectionID string `json:"connection_id"`
	}
	require.NoError(d, d.s.API.Do(d.Context(), http.MethodPost, "/demo", nil, &made))
	d.source, d.connection = made.SourceID, made.ConnectionID
	d.ids = append(d.ids, made.SourceID, made.ConnectionID)
}

func (d *demoTour) calls() []demoCall {
	d.Helper()
	all, err := devstack.All[demoCall](d.Context(), d.s.API, "/calls", url.Values{"source": {d.source}})
	require.NoError(d, err)
	return all
}

func (d *demoTour) get(path string) string {
	d.Helper()
	var raw json.RawMessage
	require.NoError(d, d.s.API.Do(d.Context(), http.MethodGet, path, nil, &raw))
	return string(raw)
}

// until waits for so many calls in each state.
func (d *demoTour) until(want map[string]int) {
	d.Helper()
	got := map[string]int{}
	require.Eventually(d, func() bool {
		got = map[string]int{}
		for _, c := range d.calls() {
			got[c.State]++
		}
		return maps.Equal(want, got)
	}, time.Minute, 200*time.Millisecond, "%v is what should become of the calls, and this has: %v", want, &got)
}

// finish looks at what has become of the demo, does what it invites to do, and removes it.
func (d *demoTour) finish(step func(string)) {
	d.Helper()
	d.until(map[string]int{"synced": 18, "on_hold": 2, "waiting": 1, "live": 1})
	step("of the demo's calls 18 are in its CRM, 2 on hold, 1 waits and 1 is live")
	all := d.calls()
	for _, c := range all {
		d.ids = append(d.ids, c.ID)
	}

	// One number is that of two: somebody chooses, and its call is tied to whom they chose.
	type review struct {
		ID, Number string
		Candidates []struct{ ID, Name, Company, Email string }
		CallIDs    []string `json:"call_ids"`
	}
	reviews, err := devstack.All[review](d.Context(), d.s.API, "/reviews", url.Values{"state": {"open"}})
	require.NoError(d, err)
	require.Len(d, reviews, 1)
	r := reviews[0]
	require.Equal(d, "+12025550171", r.Number)
	require.Len(d, r.Candidates, 2)
	require.Equal(d, "Diego Alvarez", r.Candidates[0].Name, "who was changed last is first")
	require.NotEqual(d, r.Candidates[0].Company, r.Candidates[1].Company)
	require.Len(d, r.CallIDs, 1)
	require.NotContains(d, d.get("/calls/"+r.CallIDs[0]), "Lucía Alvarez", "its call has no contact so far")
	require.NoError(d, chromedp.Do(d.tab.Ctx, chromedp.Navigate(d.s.URL+"/reviews"), chromedp.WaitReady(chromedp.CSS(".candidates")),
		chromedp.Click(chromedp.CSS(`.candidates button[value="contact:C-1008"]`)), chromedp.WaitVisible(chromedp.CSS("[role=status]"))))
	require.Eventually(d, func() bool { return strings.Contains(d.get("/calls/"+r.CallIDs[0]), "Lucía Alvarez") }, time.Minute, 200*time.Millisecond)
	step("the review's call belongs to whom was chosen")

	// What is on hold is held for one field: the mapping is corrected, and a retry brings both calls in.
	type hold struct {
		ID, Class, Field string
		Count            int
	}
	holds, err := devstack.All[hold](d.Context(), d.s.API, "/holds", nil)
	require.NoError(d, err)
	require.Len(d, holds, 1)
	require.Equal(d, "outcome", holds[0].Field)
	require.Equal(d, 2, holds[0].Count)
	var mapping struct {
		Document string
		Version  int
	}
	at := "/connections/" + d.connection + "/mappings/call"
	require.NoError(d, d.s.API.Do(d.Context(), http.MethodGet, at, nil, &mapping))
	cured := strings.Replace(mapping.Document, "value: {field: disposition.value}", `value: {expr: 'disposition.value == "Callback requested" ? "Call again" : disposition.value'}`, 1)
	require.NotEqual(d, mapping.Document, cured)
	require.NoError(d, d.s.API.Do(d.Context(), http.MethodPut, at, map[string]any{"document": cured}, nil))
	require.NoError(d, d.s.API.Do(d.Context(), http.MethodPost, "/holds/"+holds[0].ID+"/retry", nil, nil))
	d.until(map[string]int{"synced": 20, "waiting": 1, "live": 1})
	step("both calls that were on hold are in its CRM")

	d.remove()
	step("the demo is gone without a trace")
	// Once more, with the worker in the middle of it.
	d.begin()
	require.Eventually(d, func() bool {
		for _, c := range d.calls() {
			if c.State == "synced" {
				return true
			}
		}
		return false
	}, time.Minute, 10*time.Millisecond)
	d.remove()
	d.quiet()
	step("and again, while it was being delivered")
	// Nothing listens to a stack that is about to end.
	require.NoError(d, chromedp.Do(d.tab.Ctx, chromedp.Navigate("about:blank")))
}

// remove takes the demo away by clicks, and sees that nothing is left of it and nothing else is missing.
func (d *demoTour) remove() {
	d.Helper()
	conn, err := pgx.Connect(d.Context(), d.s.DatabaseURL)
	require.NoError(d, err)
	defer conn.Close(d.Context())
	var others, left int
	const ours = `select count(*) from calls where source_id <> $1`
	require.NoError(d, conn.QueryRow(d.Context(), ours, d.source).Scan(&others))
	require.NotZero(d, others)
	before, err := pgtest.Traces(d.Context(), conn, d.ids...)
	require.NoError(d, err)
	require.Greater(d, len(before), 15, "%v", before)
	require.NoError(d, chromedp.Do(d.tab.Ctx, chromedp.Navigate(d.s.URL+"/demo/remove"), chromedp.Click(chromedp.CSS("main button.danger")),
		chromedp.WaitReady(chromedp.CSS(".begin, .tiles, main h1"))))
	require.Eventually(d, func() bool { return !strings.Contains(d.get("/demo"), d.source) }, time.Minute, 50*time.Millisecond)
	require.Eventually(d, func() bool {
		found, err := pgtest.Traces(d.Context(), conn, d.ids...)
		return err == nil && len(found) == 0
	}, 5*time.Second, 50*time.Millisecond)
	require.NoError(d, conn.QueryRow(d.Context(), ours, d.source).Scan(&left))
	require.Equal(d, others, left)
}

// quiet sees that the runs of the demo end, but for those that wait for their window or a clock, and that none of them fails
// or says that something is wrong.
func (d *demoTour) quiet() {
	d.Helper()
	c, err := client.Dial(client.Options{HostPort: d.s.TemporalAddress, Namespace: d.s.TemporalNamespace})
	require.NoError(d, err)
	defer c.Close()
	count := func(query string) int64 {
		out, err := c.CountWorkflow(d.Context(), &workflowservice.CountWorkflowExecutionsRequest{Query: query})
		require.NoError(d, err)
		return out.Count
	}
	require.Eventually(d, func() bool { return count(`WorkflowType = 'CallSync' AND ExecutionStatus = 'Running'`) <= 2 }, time.Minute, 200*time.Millisecond,
		"of each round one call waits for its recording")
	require.Zero(d, count(`ExecutionStatus IN ('Failed', 'Terminated', 'TimedOut')`))
	logs, err := filepath.Glob(filepath.Join(d.s.Logs, "*"))
	require.NoError(d, err)
	require.NotEmpty(d, logs)
	for _, path := range logs {
		text, err := os.ReadFile(path)
		require.NoError(d, err)
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, `"level":"ERROR"`) || strings.Contains(line, `"level":"WARN"`) {
				for _, id := range d.ids {
					require.NotContains(d, line, id, fmt.Sprint(filepath.Base(path), ": the demo makes noise"))
				}
			}
		}
	}
}
