package budget

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
)

// A vendor that prices requests by the day counts them, whatever they cost, by the second.
func TestPricesByTheDayAndNumbersByTheSecond(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	priced := connectors.Info{ID: "crm", Label: "CRM", Limits: []connectors.RateLimit{
		{Budget: 8, Per: 30 * time.Hour, Burst: 4, Requests: true}, {Budget: 1000, Daily: true}}}
	b := &Budgets{Store: r.db}
	send := func(cost int) error {
		req, err := http.NewRequestWithContext(connectors.WithRate(t.Context(), connectors.RateSearch, cost), http.MethodGet, r.server.URL, nil)
		require.NoError(t, err)
		resp, err := b.Transport(priced, r.conn, http.DefaultTransport).RoundTrip(req)
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			err = resp.Body.Close()
		}
		return err
	}
	for range 4 {
		require.NoError(t, send(20))
	}
	require.Error(t, send(1), "the fifth at once, and never mind what they cost")
	var used int
	require.NoError(t, r.sql.QueryRow(t.Context(), `select used from rate_budgets where class = 'day:'`).Scan(&used))
	require.Equal(t, 80, used, "the day is charged what they cost")

	// A pass prepays both, and gives back what it did not use.
	r.exec(`delete from rate_budgets`)
	p, err := b.Admit(t.Context(), priced, r.conn, "a", Live)
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(connectors.WithRate(p.With(t.Context()), "", 35), http.MethodGet, r.server.URL, nil)
	require.NoError(t, err)
	resp, err := b.Transport(priced, r.conn, http.DefaultTransport).RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.NoError(t, p.Done(t.Context()))
	require.NoError(t, r.sql.QueryRow(t.Context(), `select used from rate_budgets where class = 'day:'`).Scan(&used))
	require.Equal(t, 35, used)
	for range 3 {
		require.NoError(t, send(1))
	}
	require.Error(t, send(1), "one request of the pass and three more")
	require.Equal(t, map[string]int{"": 35, "#": 1}, map[string]int{"": int(b.estimates["crm"][""]), "#": int(b.estimates["crm"]["#"])})
}
