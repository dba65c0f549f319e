package admin

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/espocrm"
	"github.com/callsync/callsync/connectors/hubspot"
	"github.com/callsync/callsync/connectors/odoo"
	"github.com/callsync/callsync/records"
)

// A resync's forecast knows which requests calls share.
func TestResyncsShareRequests(t *testing.T) {
	t.Parallel()
	h := &Handler{Deps: Deps{Connectors: connectors.NewRegistry(hubspot.New(), odoo.New(), espocrm.New())}}
	for _, c := range []struct {
		connector      string
		calls, present int64
		each           float64
		want           float64
		words          string
	}{
		{"hubspot", 1000, 0, 3, 1.2, "Many calls share a request: about 1,200 requests instead of 3,000."},
		{"hubspot", 1000, 1000, 2, 0.2, "Many calls share a request: about 200 requests instead of 2,000."},
		{"hubspot", 1000, 500, 3, 0.7, "Many calls share a request: about 700 requests instead of 3,000."},
		{"hubspot", 0, 0, 3, 1.2, ""},
		{"odoo", 1000, 1000, 3, 3, ""},
		{"odoo", 1000, 0, 1, 1, ""},
		{"espocrm", 1000, 0, 3, 3, ""},
		{"nobody", 1000, 0, 3, 3, ""},
	} {
		creates, changes := h.shares(c.connector)
		each := resyncEach(records.ResyncPlace{Calls: c.calls, Present: c.present}, c.each, creates, changes)
		require.InDelta(t, c.want, each, 0.001, "%+v", c)
		require.Equal(t, c.words, sharedWords(c.calls, each, c.each))
	}
}
