package telephony

import (
	"net/http"

	"github.com/callsync/callsync/call"
)

// RecordingHolder is a Provider that knows where the recordings of its calls are. From other hosts nothing is fetched,
// unless a source names them: an address in a webhook is a stranger's word.
type RecordingHolder interface {
	// RecordingHosts are the hosts of a source with these settings. It does no I/O.
	RecordingHosts(Settings) RecordingHosts
}

// RecordingHosts are host names, "files.example.com", or "*.example.com" for every one below it.
type RecordingHosts struct {
	// Direct are those that recordings may be asked for from.
	Direct []string
	// Redirects are those that may be led to from there, besides.
	Redirects []string
}

// RecordingFetcher is a Provider whose recordings need more than a request of their address.
type RecordingFetcher interface {
	// RecordingRequest says how a recording is asked for; ok is false where its address is all that is needed. callID is the
	// call's id at the phone system. It does no I/O.
	RecordingRequest(r call.Recording, callID string, s Settings) (req RecordingRequest, ok bool)
}

// RecordingRequest is how a recording is asked for.
type RecordingRequest struct {
	URL string
	// Header goes to the URL's host and to no other.
	Header http.Header
	// Member is set where the answer is a JSON object and not the sound: its member that holds the sound's address.
	Member string
}
