package generic

import (
	"net/http"
	"strings"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// secretRecordings is the setting that holds what recordings are asked for with.
const secretRecordings = "recording_authorization"

var _ telephony.RecordingFetcher = Provider{}

// RecordingRequest asks with the Authorization that the source has for recordings, if any. It goes to the host of the
// recording's address, which must be one that the source allows.
func (Provider) RecordingRequest(r call.Recording, _ string, s telephony.Settings) (telephony.RecordingRequest, bool) {
	value := strings.TrimSpace(s.Secrets[secretRecordings])
	if value == "" || strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c > '~' }) {
		return telephony.RecordingRequest{}, false
	}
	return telephony.RecordingRequest{URL: r.URL, Header: http.Header{"Authorization": {value}}}, true
}
