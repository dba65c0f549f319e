package postgres

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
)

// Of each kind of request the newest receipt is found: by its hook event, by what was read from it, and tests apart.
func TestArrivals(t *testing.T) {
	t.Parallel()
	f := newQueryFixture(t)
	none, err := f.Arrivals(t.Context(), f.ws, f.source)
	require.NoError(t, err)
	require.Equal(t, records.Arrivals{Latest: []records.Arrival{}}, none)

	at := time.Now().Add(-time.Hour).UTC().Truncate(time.Millisecond)
	receipt := func(event, method, headers string, kinds ...call.Kind) string {
		id := newID()
		at = at.Add(time.Second)
		r := records.Receipt{ID: id, WorkspaceID: f.ws, SourceID: f.source, ReceivedAt: at, Method: method, HookEvent: event, Headers: []byte(headers), Query: []byte{}, Body: []byte("{}"), Signature: "ok"}
		r.Result.State = records.ReceiptApplied
		require.NoError(t, f.InsertReceipts(t.Context(), []records.Receipt{r}))
		for seq, kind := range kinds {
			data, err := json.Marshal(call.Event{Kind: kind, ReceivedAt: at})
			require.NoError(t, err)
			f.exec(`insert into events (receipt_id, seq, workspace_id, source_id, record_kind, record_id, kind, data) values ($1, $2, $3, $4, 'call', $5, $6, $7)`,
				id, seq, f.ws, f.source, newID(), kind, data)
		}
		return id
	}
	first := at.Add(time.Second)
	test := fmt.Sprintf(`{"Content-Type":["application/json"],"%s":["only"]}`, telephony.TestHeader)
	receipt("post-call", "POST", `{}`, call.CallEnded)
	last := receipt("post-call", "POST", `{}`, call.CallEnded, call.CallUpdated)
	live := receipt("", "POST", `{}`, call.CallRinging)
	report := receipt("", "POST", `{"X-Odd":["\"Callsync-Test\":["]}`, call.CallEnded)
	tried := receipt("post-call", "POST", test, call.CallEnded)
	pulled := receipt("post-call", telephony.MethodPull, `{}`, call.CallEnded)
	unread := receipt("post-call", "POST", `{}`)

	got, err := f.Arrivals(t.Context(), f.ws, f.source)
	require.NoError(t, err)
	type one struct {
		id, kind string
		test     bool
	}
	var ids []one
	for _, a := range got.Latest {
		ids = append(ids, one{a.ID, a.Kind, a.Test})
	}
	require.Equal(t, []one{{unread, "", false}, {pulled, "call.ended", false}, {tried, "call.ended", true}, {report, "call.ended", false}, {live, "call.ringing", false}, {last, "call.ended", false}}, ids)
	require.Equal(t, 7, got.Scanned)
	require.Equal(t, first, got.Since)
	require.False(t, got.Limited)
	for _, ws := range []string{newID(), f.ws} {
		source := f.source
		if ws == f.ws {
			source = newID()
		}
		other, err := f.Arrivals(t.Context(), ws, source)
		require.NoError(t, err)
		require.Empty(t, other.Latest)
	}

	events, err := f.EventsOfReceipts(t.Context(), f.ws, []string{last, live, unread})
	require.NoError(t, err)
	require.Len(t, events, 2)
	require.Len(t, events[last], 2)
	require.Equal(t, call.CallRinging, events[live][0].Kind)
	events, err = f.EventsOfReceipts(t.Context(), newID(), []string{last})
	require.NoError(t, err)
	require.Empty(t, events, "another workspace sees nothing")
}
