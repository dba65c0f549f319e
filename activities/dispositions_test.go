package activities_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// outcomeCRM is a crm with a list of outcomes.
type outcomeCRM struct {
	*crm
	list []connectors.DispositionOption
}

func (c *outcomeCRM) Open(connectors.Settings) (connectors.Session, error) { return c, nil }

func (c *outcomeCRM) Dispositions(context.Context) ([]connectors.DispositionOption, error) {
	return c.list, nil
}

func TestAnAdminsDispositionCountsMoreThanTheName(t *testing.T) {
	t.Parallel()
	c := &outcomeCRM{newCRM(connectors.KeyedUpsert), []connectors.DispositionOption{{ID: "o-1", Label: "Sold"}, {ID: "o-2", Label: "Won"}}}
	w := newWorld(t, c.crm)
	w.delivery.Connectors = connectors.NewRegistry(c)
	w.exec(`update mappings set document = $1 where connection_id = $2 and object = 'call'`,
		"format: 1\nobject: call\nfields:\n  - target: outcome\n    value: {field: disposition_id}\n", w.conn)
	other := "00000000-0000-4000-8000-000000000001"
	store := w.delivery.Store.(interface {
		PutDispositions(context.Context, string, string, []records.Disposition) error
	})
	write := func(disposition string) (any, []string) {
		t.Helper()
		one := w.call("+14155550101")
		one.Disposition = call.Disposition{Value: disposition}
		w.save(one)
		require.Equal(t, activities.Done, w.settle(one).Outcome)
		var warnings []string
		require.NoError(t, w.sql.QueryRow(t.Context(), `select coalesce(array(select jsonb_array_elements_text(warnings)), '{}') from deliveries where object = 'call' and key = $1`, one.ID).Scan(&warnings))
		return c.calls[w.row(one).RemoteID]["outcome"], warnings
	}
	outcome, warnings := write("SOLD")
	require.Equal(t, "o-1", outcome, "by its name")
	require.Empty(t, warnings)
	_, warnings = write("Closed")
	require.Len(t, warnings, 1, "nothing has this name")

	require.NoError(t, store.PutDispositions(t.Context(), w.ws, w.conn, []records.Disposition{
		{Value: "Sold", OptionID: "o-2"}, {Value: "closed", OptionID: "o-1"}, {Value: "Won", OptionID: "gone"},
	}))
	require.ErrorIs(t, store.PutDispositions(t.Context(), other, w.conn, nil), records.ErrNotFound)
	outcome, warnings = write(" sold")
	require.Equal(t, "o-2", outcome, "the table counts more than the name")
	require.Empty(t, warnings)
	outcome, warnings = write("Closed")
	require.Equal(t, "o-1", outcome)
	require.Empty(t, warnings)
	outcome, warnings = write("won")
	require.Equal(t, "o-2", outcome, "the name, where the CRM no longer has what the table says")
	require.Equal(t, []string{"The connection's table of dispositions leads to an outcome that Ledger no longer has. Correct the table."}, warnings)
}
