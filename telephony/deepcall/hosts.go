package deepcall

import (
	"net/url"
	"strings"

	"github.com/callsync/callsync/telephony"
)

var _ telephony.RecordingHolder = Provider{}

// RecordingHosts are the clusters of DeepCall and of Sarv, whose telephony it is, and the one that the source's settings
// name.
func (Provider) RecordingHosts(s telephony.Settings) telephony.RecordingHosts {
	out := telephony.RecordingHosts{
		Direct: []string{"*.sarv.com", "*.deepcall.com"},
		// Where the file itself lies is not documented (unconfirmed: object storage).
		Redirects: []string{"*.amazonaws.com"},
	}
	base := strings.NewReplacer("{userId}", "x", "{path}", "/x", "{path*}", "*x").Replace(strings.TrimSpace(s.Config[ConfigRecordingBase]))
	if u, err := url.Parse(base); err == nil && u.Host != "" {
		out.Direct = append(out.Direct, u.Host)
	}
	return out
}
