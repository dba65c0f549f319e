package recordings

import (
	"fmt"
	"net/http"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

// fault is why a recording could not be had. Public is a sentence for people; the chain in err is for operators. Neither
// holds more of an address than its host.
type fault struct {
	class  string
	public string
	err    error
	// retry tells that trying again can help; after is when, zero where nobody said.
	retry bool
	after time.Duration
}

func (f *fault) Error() string {
	if f.err != nil {
		return f.err.Error()
	}
	return f.public
}

func (f *fault) Unwrap() error { return f.err }

func faultOf(class string, retry bool, public string, err error) *fault {
	return &fault{class: class, public: public, retry: retry, err: err}
}

// statusFault is what an answer with this status means.
func statusFault(host string, status int, after time.Duration) *fault {
	err := fmt.Errorf("%s answered %d %s", host, status, http.StatusText(status))
	f := &fault{err: err, after: after}
	switch {
	case status == http.StatusUnauthorized:
		f.class, f.public = records.RecordingAccess, fmt.Sprintf("%s refuses callsync (401): it wants a login or a key. Enter one in the settings of the source, or let it hand out recordings by their address.", host)
	case status == http.StatusGone:
		f.class, f.public = records.RecordingGone, fmt.Sprintf("%s has deleted the recording.", host)
	case status == http.StatusForbidden, status == http.StatusNotFound, status == http.StatusAccepted, status == http.StatusNoContent,
		status == http.StatusConflict, status == http.StatusTooEarly:
		f.class, f.retry, f.public = records.RecordingNotYet, true, fmt.Sprintf("%s does not have the recording yet (%d).", host, status)
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= 500:
		f.class, f.retry, f.public = records.RecordingUnreachable, true, fmt.Sprintf("%s cannot hand out the recording at present (%d).", host, status)
	default:
		f.class, f.public = records.RecordingAccess, fmt.Sprintf("%s does not hand out the recording: it answered %d %s.", host, status, http.StatusText(status))
	}
	return f
}

// GiveUp is for how long a recording is tried to be fetched whose phone system, or whose archive, does not answer.
const GiveUp = 72 * time.Hour

// The waits between attempts.
const (
	firstWait    = 10 * time.Second
	longestWait  = 30 * time.Minute
	longestAfter = 6 * time.Hour
)

// outcome is what a fault means for a recording: to be tried again, a person's to cure, or the end.
func (f *fault) outcome(j records.RecordingJob, now time.Time) records.RecordingResult {
	r := records.RecordingResult{Class: f.class, Reason: f.public, Detail: f.Error()}
	wait := firstWait << min(max(j.Attempts-1, 0), 12)
	wait = min(max(wait, f.after), longestWait)
	if f.after > wait {
		wait = min(f.after, longestAfter)
	}
	// Nobody who failed with others comes back with them.
	wait += time.Duration(int64(wait) * int64(j.ID[len(j.ID)-1]%16) / 64)
	limit := j.AvailableAt.Add(GiveUp)
	if f.class == records.RecordingNotYet || f.class == records.RecordingWrong {
		limit = j.Deadline
	}
	if f.retry && now.Before(limit) {
		r.State, r.RetryIn = call.RecordingAvailable, wait
		if f.class == records.RecordingNotYet {
			r.State = call.RecordingExpected
		}
		r.Reason += " callsync tries again."
		return r
	}
	switch f.class {
	case records.RecordingGone:
		r.State = call.RecordingUnavailable
	case records.RecordingNotYet:
		r.State, r.Class = call.RecordingUnavailable, records.RecordingNever
		r.Reason = "The recording never came. The last answer: " + f.public
	default:
		r.State = call.RecordingFailed
		if f.retry && f.class != records.RecordingWrong {
			r.Reason = "callsync tried for three days, then stopped. The last answer: " + f.public
		}
	}
	return r
}
