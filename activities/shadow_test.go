package activities_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/connectors"
)

// A connection in shadow mode computes everything and writes nothing; gone live, it writes what it has shown.
func TestShadowWritesNothingAndShowsAll(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.LookupThenWrite)
	c.contacts["7"] = connectors.Contact{Ref: connectors.Ref{Object: "contact", ID: "7"}, Name: "Ada Lovelace", Numbers: []string{"(415) 555-0101"}}
	w := newWorld(t, c)
	w.exec(`update connections set mode = 'shadow', updated_at = now()`)
	known, unknown := w.call("+14155550101"), w.call("+14155550199")
	for range 2 {
		require.Equal(t, activities.Skipped, w.settle(known).Outcome)
		w.settle(unknown)
		known.Revision, known.Note = known.Revision+1, "later"
		w.save(known)
	}
	require.Empty(t, c.calls)
	require.Len(t, c.contacts, 1)
	require.Empty(t, c.links)

	history, err := w.db().DeliveriesOfCall(t.Context(), w.ws, known.ID)
	require.NoError(t, err)
	shadow := history[0].Shadow
	require.NotNil(t, shadow)
	require.Equal(t, "7", shadow.ContactID)
	require.Equal(t, "Ada Lovelace", shadow.Contact)
	require.Empty(t, shadow.Creates)
	would := shadow.Fields
	history, err = w.db().DeliveriesOfCall(t.Context(), w.ws, unknown.ID)
	require.NoError(t, err)
	require.Empty(t, history[0].Shadow.ContactID)
	require.Equal(t, "+14155550199", history[0].Shadow.Creates["phone"])

	w.exec(`update connections set mode = 'live', updated_at = now()`)
	require.Equal(t, activities.Done, w.force(known).Outcome)
	require.Equal(t, activities.Done, w.force(unknown).Outcome)
	require.Len(t, c.calls, 2)
	require.Len(t, c.contacts, 2)
	for field, value := range would {
		require.EqualValues(t, value, c.writes[0][field], field)
	}
	history, err = w.db().DeliveriesOfCall(t.Context(), w.ws, known.ID)
	require.NoError(t, err)
	require.Nil(t, history[0].Shadow)
}
