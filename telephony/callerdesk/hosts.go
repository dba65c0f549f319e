package callerdesk

import "github.com/callsync/callsync/telephony"

var _ telephony.RecordingHolder = Provider{}

// RecordingHosts are those of CallerDesk (callrecords and newcallrecords.callerdesk.io) and of its white label Digidonar.
// Recordings there need no login.
func (Provider) RecordingHosts(telephony.Settings) telephony.RecordingHosts {
	return telephony.RecordingHosts{
		Direct: []string{"*.callerdesk.io", "*.digidonar.io", "*.digidonar.com"},
		// Where the file itself lies is not documented (unconfirmed: object storage).
		Redirects: []string{"*.amazonaws.com"},
	}
}
