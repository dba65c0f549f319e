package xarios

import (
	"net/url"

	"github.com/callsync/callsync/telephony"
)

var _ telephony.RecordingHolder = Provider{}

// RecordingHosts is the host of the link that the admin has configured: Xarios itself sends ids only.
func (Provider) RecordingHosts(s telephony.Settings) telephony.RecordingHosts {
	link := setting(s, configLink, "")
	if link == "" || !usableLink(link) {
		return telephony.RecordingHosts{}
	}
	u, err := url.Parse(placeholder.ReplaceAllString(link, "x"))
	if err != nil {
		return telephony.RecordingHosts{}
	}
	return telephony.RecordingHosts{Direct: []string{u.Host}}
}
