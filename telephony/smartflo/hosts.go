package smartflo

import "github.com/callsync/callsync/telephony"

var _ telephony.RecordingHolder = Provider{}

// RecordingHosts are Smartflo's: recordings lie on cloudphone.tatateleservices.com, and their address holds a token, so that
// they can be had without a login.
func (Provider) RecordingHosts(telephony.Settings) telephony.RecordingHosts {
	return telephony.RecordingHosts{
		Direct: []string{"cloudphone.tatateleservices.com", "*.tatateleservices.com", "*.smartflo.tatatelebusiness.com"},
		// Where the file itself lies is not documented (unconfirmed: object storage).
		Redirects: []string{"*.amazonaws.com"},
	}
}
