package admin_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/records"
)

func TestResyncAPI(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	source := f.newSource().JSON["id"].(string)
	connection := f.newConnection().JSON["id"].(string)
	f.simpleCall(f.ws, source, connection)

	require.Contains(t, f.must(422, "POST", "/resyncs", `{"filter":{"source":"x"}}`).Raw, "filter.source")
	require.Contains(t, f.must(422, "POST", "/resyncs", `{"filter":{},"connections":["0192f0c1-7d2a-7c3e-9b1f-2a4c6e8f0a1b"]}`).Raw, "connections[0]")
	require.Contains(t, f.must(422, "POST", "/resyncs", `{"filter":{"from":"2026-01-02T00:00:00Z","to":"2026-01-01T00:00:00Z"}}`).Raw, "filter.to")
	made := f.must(202, "POST", "/resyncs", `{"filter":{"source":"`+source+`"},"connections":["`+connection+`"]}`)
	id := made.JSON["id"].(string)
	require.Equal(t, "listing", made.JSON["state"])

	job, err := f.db.ResyncByID(t.Context(), f.ws, id)
	require.NoError(t, err)
	_, err = f.db.ListResyncCalls(t.Context(), job, 100)
	require.NoError(t, err)
	r := f.must(200, "GET", "/resyncs/"+id, "")
	require.Equal(t, "running", r.JSON["state"])
	require.EqualValues(t, 1, r.JSON["total"])
	require.Equal(t, "paused", f.must(200, "POST", "/resyncs/"+id+"/pause", "").JSON["state"])
	require.Equal(t, "running", f.must(200, "POST", "/resyncs/"+id+"/resume", "").JSON["state"])
	require.Equal(t, "cancelled", f.must(200, "POST", "/resyncs/"+id+"/cancel", "").JSON["state"])
	f.must(409, "POST", "/resyncs/"+id+"/resume", "")
	require.Len(t, f.must(200, "GET", "/resyncs", "").items(), 1)

	require.Equal(t, 404, f.as(f.otherToken(t), "GET", "/api/v1/resyncs/"+id, "").Status)
	require.Equal(t, 404, f.as(f.otherToken(t), "POST", "/api/v1/resyncs/"+id+"/cancel", "").Status)
	require.Equal(t, 422, f.as(f.otherToken(t), "POST", "/api/v1/resyncs", `{"filter":{},"connections":["`+connection+`"]}`).Status)

	// The time that is left is told by the pace.
	f.exec(`update resyncs set state = 'running', total = 101, started_at = now() - interval '100 seconds'`)
	f.exec(`update resync_calls set outcome = 'done', ended_at = now()`)
	eta, err := time.Parse(time.RFC3339, f.must(200, "GET", "/resyncs/"+id, "").JSON["eta"].(string))
	require.NoError(t, err)
	require.InDelta(t, 100*100, time.Until(eta).Seconds(), 600)
	require.Equal(t, records.ResyncRunning, f.must(200, "GET", "/resyncs/"+id, "").JSON["state"])
}
