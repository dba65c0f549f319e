package ingest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

func TestOnlyCallsyncMarksTests(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	rc := NewReceiver(r.dir, r.batcher(BatcherOptions{}, nil, nil), ReceiverOptions{}, NewMetrics(nil), quiet())
	send := func(h http.Handler, id, mark string, e call.Event) storedCall {
		t.Helper()
		e.ProviderID = id
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks/testphone/"+r.source.Token, strings.NewReader(string(mustJSON(t, events(e)))))
		req.Header.Set("callsync-test", mark)
		res := httptest.NewRecorder()
		h.ServeHTTP(res, req)
		require.Equal(t, 200, res.Code, res.Body.String())
		r.apply()
		return r.callBy("id", id)
	}
	nameless := ended("")
	nameless.Facts.Customer.Name = ""

	c := send(rc.Tests(), "delivered", telephony.TestDeliver, nameless)
	require.Equal(t, map[string]any{"test": true}, c.Attributes)
	require.Equal(t, telephony.TestName, c.Customer.Name)
	require.False(t, c.TestOnly())

	named := ended("")
	named.Facts.Attributes = map[string]any{"colour": "blue"}
	c = send(rc.Tests(), "kept", telephony.TestOnly, named)
	require.Equal(t, map[string]any{"test": true, "test_only": true, "colour": "blue"}, c.Attributes)
	require.Equal(t, "Ann", c.Customer.Name, "a name that the request has stays")
	require.True(t, c.TestOnly())

	// Who knows a hook URL cannot keep calls from the CRMs, neither by our header nor by a field of that name.
	forged := ended("")
	forged.Facts.Attributes = map[string]any{"test_only": true, "test": "theirs"}
	c = send(rc, "forged", telephony.TestOnly, forged)
	require.Equal(t, map[string]any{"test": "theirs"}, c.Attributes)
	require.False(t, c.TestOnly())
	require.Zero(t, r.count(`select count(*) from receipts where convert_from(headers, 'UTF8') like '%Callsync-Test%' and convert_from(body, 'UTF8') like '%forged%'`))
}
