//go:build unix

package devstack_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/telephony/callrail/callrailfake"
)

// TestPull loses most webhooks, gives the source an API key, takes the worker away in the middle, and finds every call in
// the CRM once.
func TestPull(t *testing.T) {
	c := newCity(t)
	api := callrailfake.NewAPI(callrailfake.APIOptions{Key: "key-1", Account: "ACC1"})
	srv := httptest.NewServer(api)
	t.Cleanup(srv.Close)
	const calls = 260 // two pages
	began := time.Now().Add(-3 * time.Hour)
	for i := range calls {
		one := callrailfake.Call{
			ID: fmt.Sprintf("CAL%04d", i), StartedAt: began.Add(time.Duration(i) * time.Second), Duration: 15 * time.Second, Answered: true, Recording: true,
			Customer: "+14155550134", Tags: []string{"b", "a"}, Value: "12.50", Note: "note",
		}
		api.Put(one)
		if i%10 == 0 {
			c.mustSend("post-call", callrailfake.PostCall(one))
		}
	}
	source := "/sources/" + c.stack.SourceID
	require.NoError(t, c.stack.API.Do(t.Context(), http.MethodPatch, source, map[string]any{
		"config":  map[string]string{"api_account_id": "ACC1", "api_base_url": srv.URL},
		"secrets": map[string]string{"api_key": "key-1"},
	}, nil))

	type pull struct {
		ID, Kind, State, Error                         string
		Read, New, Changed, Unchanged, Failed, Waiting int
	}
	pulls := func() (out []pull) {
		var list struct{ Items []pull }
		require.NoError(t, c.stack.API.Do(t.Context(), http.MethodGet, source+"/pulls", nil, &list))
		return list.Items
	}
	c.eventually(time.Minute, func() (bool, string) { return len(api.Requests()) > 0, fmt.Sprint(pulls()) })
	c.stack.KillWorker()
	require.NoError(t, c.stack.StartWorker(t.Context()))
	c.eventually(3*time.Minute, func() (bool, string) {
		all := pulls()
		done := len(all) == 2
		for _, p := range all {
			done = done && p.State == "done" && p.Waiting == 0
		}
		return done, fmt.Sprint(all)
	})
	sum := pull{}
	for _, p := range pulls() {
		sum.Read, sum.New, sum.Changed, sum.Unchanged, sum.Failed = sum.Read+p.Read, sum.New+p.New, sum.Changed+p.Changed, sum.Unchanged+p.Unchanged, sum.Failed+p.Failed
	}
	require.Equal(t, pull{Read: 2 * calls, New: calls - calls/10, Unchanged: calls + calls/10}, sum)

	var made struct{ ID string }
	require.NoError(t, c.stack.API.Do(t.Context(), http.MethodPost, source+"/pull", map[string]any{"from": began.Add(-time.Minute)}, &made))
	c.eventually(time.Minute, func() (bool, string) {
		p := pulls()[0]
		return p.ID == made.ID && p.State == "done", fmt.Sprint(p)
	})
	p := pulls()[0]
	p.ID = ""
	require.Equal(t, pull{Kind: "manual", State: "done", Read: calls, Unchanged: calls}, p)
	c.settle(2 * time.Minute)
	state := c.crm.State(true)
	require.Len(t, state.Calls, calls)
	c.undoubled(state)
}
