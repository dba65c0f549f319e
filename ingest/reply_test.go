package ingest

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/generic"
)

// A provider whose answer depends on the source's settings is asked with them.
func TestTheReplyIsTheSources(t *testing.T) {
	t.Parallel()
	p := generic.New()
	f := &feed{Source: records.Source{Provider: "generic"}, provider: p, settings: telephony.Settings{
		Config: map[string]string{"reply_status": "202", "reply_body": "thanks", "reply_content_type": "text/plain"},
	}}
	w := httptest.NewRecorder()
	writeReply(w, f, telephony.Request{Method: http.MethodPost})
	require.Equal(t, 202, w.Code)
	require.Equal(t, "thanks", w.Body.String())
}
