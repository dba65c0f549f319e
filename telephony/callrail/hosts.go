package callrail

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/internal/httpx"
	"github.com/callsync/callsync/telephony"
)

var (
	_ telephony.RecordingHolder  = Provider{}
	_ telephony.RecordingFetcher = Provider{}
)

// RecordingHosts are CallRail's own, and the one of the API that the source is configured with. The address in a webhook
// (app.callrail.com/.../recording/redirect?access_key=...) leads to where the file lies (unconfirmed: Amazon S3 or CloudFront).
func (Provider) RecordingHosts(s telephony.Settings) telephony.RecordingHosts {
	out := telephony.RecordingHosts{Direct: []string{"*.callrail.com"}, Redirects: []string{"*.amazonaws.com", "*.cloudfront.net"}}
	if base := apiBase(s); base != nil {
		out.Direct = append(out.Direct, base.Host)
	}
	return out
}

// RecordingRequest asks CallRail's API where the recording is, if the source has a key: companies that have secured their
// recordings hand them out to nobody else (https://apidocs.callrail.com, "Retrieving a Call Recording": GET
// /v3/a/{account_id}/calls/{call_id}/recording.json answers {"url": ...}). Without a key the address of the webhook, which
// holds an access key, has to do.
func (Provider) RecordingRequest(_ call.Recording, callID string, s telephony.Settings) (telephony.RecordingRequest, bool) {
	base, key, account := apiBase(s), apiKey(s), apiAccount(s)
	if base == nil || callID == "" || key == "" || account == "" || strings.ContainsAny(key, "\"\\\r\n") {
		return telephony.RecordingRequest{}, false
	}
	return telephony.RecordingRequest{
		URL:    base.JoinPath("v3/a", url.PathEscape(account), "calls", url.PathEscape(callID), "recording.json").String(),
		Header: http.Header{"Authorization": {`Token token="` + key + `"`}},
		Member: "url",
	}, true
}

func apiBase(s telephony.Settings) *url.URL {
	base, err := httpx.ParseBaseURL(cmp.Or(strings.TrimSpace(s.Config[configAPIURL]), defaultAPIURL))
	if err != nil {
		return nil
	}
	return base
}
