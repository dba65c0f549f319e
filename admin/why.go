package admin

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// What a person can do about a delivery.
const (
	actionNone           = "none"
	actionRetry          = "retry"
	actionOpenConnection = "open_connection"
	actionOpenReview     = "open_review"
)

// overdueAfter is how long after its time a delivery is nothing to worry about: queues and one retry of the sweeper.
const overdueAfter = 5 * time.Minute

// lane is what is known of one connection's delivery of a call.
type lane struct {
	Call       call.Call
	Connection records.Connection
	// CRM is the connector's name for people.
	CRM string
	// Delivery is nil while there is none.
	Delivery *records.DeliveryHistory
	// Complete tells that nothing expected is missing; Missing is what else is waited for.
	Complete bool
	Missing  []call.Artifact
	// Policy is the one in force, and WindowUntil when the window ends; zero while the call is live.
	Policy      string
	WindowUntil time.Time
	// RecordingAt is when the recording became known; zero if it is not.
	RecordingAt time.Time
	Now         time.Time
}

// part is a piece of a sentence: words, or a moment, which pages show in the reader's time zone.
type part struct {
	Text string
	At   time.Time
}

// why is the answer to "why is this call (not) in the CRM?".
type why struct {
	Parts  []part
	Action string
	// Tone is done, wait, trouble or idle; pages colour by it.
	Tone string
}

// in writes the sentence with times in a zone, and the day where it is not today's.
func (w why) in(loc *time.Location, now time.Time) string {
	var b strings.Builder
	for _, p := range w.Parts {
		b.WriteString(p.Text)
		if !p.At.IsZero() {
			b.WriteString(clock(p.At, now, loc))
		}
	}
	return b.String()
}

// clock is a moment as people say it: the time, and the day unless it is today.
func clock(at, now time.Time, loc *time.Location) string {
	at, now = at.In(loc), now.In(loc)
	switch {
	case at.Format(time.DateOnly) == now.Format(time.DateOnly):
		return at.Format("15:04")
	case at.Year() == now.Year():
		return at.Format("15:04 on 2 January")
	}
	return at.Format("15:04 on 2 January 2006")
}

func sentence(tone, action string, words ...any) why {
	w := why{Tone: tone, Action: action}
	for _, x := range words {
		switch x := x.(type) {
		case string:
			w.Parts = append(w.Parts, part{Text: x})
		case time.Time:
			w.Parts = append(w.Parts, part{At: x})
		}
	}
	return w
}

// explain says in a sentence where the lane stands and what helps.
func explain(l lane) why {
	d := l.Delivery
	switch {
	case d != nil && d.State == records.DeliveryParked:
		return l.parked()
	case d != nil && d.State == records.DeliverySkipped && d.Revision >= l.Call.Revision:
		return l.skipped()
	case l.Connection.Status == records.ConnectionPaused && !l.settled():
		return sentence("trouble", actionOpenConnection, "Waiting: ", full(cmp.Or(l.Connection.StatusReason, "The connection is paused. Resume it, and this call goes out.")))
	case l.Connection.Status == records.ConnectionRevoked && !l.settled():
		return sentence("trouble", actionOpenConnection, "Waiting: ", full(cmp.Or(l.Connection.StatusReason, l.CRM+" no longer accepts our access. Connect again, and this call goes out.")))
	case d != nil && d.RetryAt.After(l.Now):
		return l.retrying()
	case l.settled():
		return l.inCRM("")
	case d != nil && d.State == records.DeliverySending:
		return sentence("wait", actionNone, "Being written to "+l.CRM+" now.")
	case l.written():
		return l.inCRM(" An update is on its way.")
	case l.Call.Phase == call.Live && l.Connection.Mode == "shadow":
		return sentence("wait", actionNone, "The call is still going on. This connection is in shadow mode, so nothing will be written.")
	case l.Call.Phase == call.Live:
		return sentence("wait", actionNone, "The call is still going on. It goes to "+l.CRM+" after it has ended.")
	}
	return l.waiting()
}

// settled tells whether the CRM has the newest revision of the call.
func (l lane) settled() bool {
	return l.Delivery != nil && l.Delivery.State == records.DeliveryDone && l.Delivery.Revision >= l.Call.Revision
}

// written tells whether the CRM has some revision of the call.
func (l lane) written() bool {
	return l.Delivery != nil && l.Delivery.RemoteID != "" && len(l.doneAttempts()) > 0
}

func (l lane) parked() why {
	d := l.Delivery
	reason := full(d.Reason)
	switch d.Class {
	case "paused":
		if l.Connection.Status == records.ConnectionActive {
			return sentence("trouble", actionRetry, "On hold since the connection was paused. It was resumed: retry, and the call goes out.")
		}
		return sentence("trouble", actionOpenConnection, "On hold: ", cmp.Or(reason, "The connection is paused. Resume it, and this call goes out."))
	case string(connectors.Revoked), string(connectors.Unauthorized):
		if l.Connection.Status == records.ConnectionActive {
			return sentence("trouble", actionRetry, "On hold since "+l.CRM+" refused our access. The connection works again: retry, and the call goes out.")
		}
		return sentence("trouble", actionOpenConnection, "On hold: ", cmp.Or(reason, l.CRM+" no longer accepts our access."), " Connect again, and the call goes out.")
	case "ask":
		return sentence("trouble", actionOpenReview, "On hold: ", reason)
	case string(connectors.Forbidden):
		return sentence("trouble", actionRetry, "On hold: ", cmp.Or(reason, l.CRM+" does not allow this."), " Grant the right in "+l.CRM+", then retry.")
	case string(connectors.Invalid):
		if reason == "" && d.Field != "" {
			reason = l.CRM + " refused the field " + d.Field + "."
		}
		return sentence("trouble", actionRetry, "On hold: ", cmp.Or(reason, l.CRM+" refused what was sent."), " Fix this in the mapping or in "+l.CRM+", then retry.")
	case "rule":
		return sentence("trouble", actionRetry, "On hold: ", reason, " Correct the rules, then retry.")
	case records.DeliveryDrift:
		return sentence("trouble", actionOpenConnection, "On hold: ", reason)
	case string(connectors.UnknownOutcome):
		return sentence("trouble", actionRetry, "On hold: ", cmp.Or(reason, l.CRM+" never said whether it stored the call."), " Look in "+l.CRM+" whether the call is there, then retry.")
	}
	return sentence("trouble", actionRetry, "On hold: ", cmp.Or(reason, l.CRM+" did not take the call."), " Retry when the cause is gone.")
}

func (l lane) skipped() why {
	d := l.Delivery
	switch d.Class {
	case "rule":
		return sentence("idle", actionNone, full(d.Reason))
	case "deleted":
		return sentence("idle", actionNone, "Skipped: the record was deleted in "+l.CRM+", and callsync does not make it again.")
	case "shadow":
		return sentence("idle", actionNone, "Shadow mode: nothing is written to "+l.CRM+". What would be written is shown.")
	}
	return sentence("idle", actionNone, "Skipped: ", full(cmp.Or(d.Reason, "a rule says that this call does not belong into "+l.CRM)))
}

func (l lane) retrying() why {
	d := l.Delivery
	head := ""
	switch connectors.Class(d.Class) {
	case connectors.RateLimited:
		head = l.CRM + " asks us to wait"
	case connectors.QuotaExhausted:
		head = "The request quota of " + l.CRM + " is used up"
	case connectors.UnknownOutcome:
		head = l.CRM + " did not say whether it stored the call, so callsync looks before it writes again"
	case connectors.Unavailable:
		head = l.CRM + " does not answer as it should"
	default:
		head = strings.TrimSuffix(cmp.Or(d.Reason, l.CRM+" could not take the call"), ".")
	}
	if l.written() {
		head = "In " + l.CRM + ", with an update to come: " + head
	}
	return sentence("wait", actionRetry, head+"; next try ", d.RetryAt, ".")
}

// doneAttempts are the times at which something was written, oldest first.
func (l lane) doneAttempts() []time.Time {
	var out []time.Time
	for _, a := range l.Delivery.Attempts {
		if a.Outcome == "done" {
			out = append(out, a.At)
		}
	}
	return out
}

func (l lane) inCRM(more string) why {
	tone := "done"
	if more != "" {
		tone = "wait"
	}
	done := l.doneAttempts()
	if len(done) == 0 {
		return sentence(tone, actionNone, "In "+l.CRM+" since ", l.Delivery.UpdatedAt, "."+more)
	}
	first, last := done[0], done[len(done)-1]
	if len(done) == 1 {
		return sentence(tone, actionNone, "In "+l.CRM+" since ", first, "."+more)
	}
	with := ""
	if l.RecordingAt.After(first) && !l.RecordingAt.After(last) {
		with = " with the recording"
	}
	return sentence(tone, actionNone, "In "+l.CRM+" since ", first, ", updated ", last, with+"."+more)
}

func (l lane) waiting() why {
	if l.Connection.Mode == "shadow" {
		return sentence("idle", actionNone, "This connection is in shadow mode: nothing is written to "+l.CRM+".")
	}
	due := l.Complete || l.Policy == "early" || !l.Now.Before(l.WindowUntil)
	switch {
	case due && !l.WindowUntil.IsZero() && l.Now.Sub(l.WindowUntil) > overdueAfter:
		return sentence("trouble", actionRetry, "Due since ", l.WindowUntil, " and not written yet. callsync tries again by itself; if this stays, is a worker running?")
	case l.Complete:
		return sentence("wait", actionNone, "Everything has arrived. It goes to "+l.CRM+" now.")
	case due:
		return sentence("wait", actionNone, "It goes to "+l.CRM+" now.")
	}
	what := missing(l.Missing)
	if what == "" {
		return sentence("wait", actionRetry, "Waiting until ", l.WindowUntil, " for what may still come; then it goes to "+l.CRM+".")
	}
	return sentence("wait", actionRetry, "Waiting for "+what+" until ", l.WindowUntil, "; usually it arrives sooner.")
}

// artifactOrder is the order in which artifacts are named.
var artifactOrder = []call.Artifact{call.ArtifactRecording, call.ArtifactTranscription, call.ArtifactDisposition, call.ArtifactDetails}

// missing names artifacts: "the recording, the transcription and the disposition".
func missing(artifacts []call.Artifact) string {
	var names []string
	for _, a := range artifactOrder {
		if slices.Contains(artifacts, a) {
			names = append(names, artifactName(a))
		}
	}
	switch len(names) {
	case 0:
		return ""
	case 1:
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

func artifactName(a call.Artifact) string {
	if a == call.ArtifactDetails {
		return "tags and notes"
	}
	return "the " + string(a)
}

// full ends a sentence of somebody else as sentences end, and makes it safe to stand beside ours.
func full(s string) string {
	s = visible(strings.TrimSpace(s))
	if s == "" || strings.HasSuffix(s, ".") || strings.HasSuffix(s, "!") || strings.HasSuffix(s, "?") {
		return s
	}
	return s + "."
}
