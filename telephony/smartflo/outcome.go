package smartflo

import (
	"strconv"
	"strings"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// statusOf reads a word of call_status, squashed. Administrators type words of their own into templates ("queued",
// "contacted"); those say nothing.
func statusOf(word string) call.Status {
	switch {
	case strings.HasPrefix(word, "answered"), word == "answer", word == "connected":
		return call.Answered
	case strings.HasPrefix(word, "missed"), word == "notanswered", word == "unanswered", word == "noanswer":
		return call.Missed
	}
	switch word {
	case "voicemail":
		return call.Voicemail
	case "abandoned":
		return call.Abandoned
	case "busy":
		return call.Busy
	case "failed":
		return call.Failed
	case "cancelled", "canceled", "cancel":
		return call.Cancelled
	}
	return ""
}

// causeStatus is what a cause says of a call that nothing else tells of.
var causeStatus = map[string]call.Status{
	"noanswer": call.Missed, "usernotresponding": call.Missed, "nouserresponse": call.Missed, "originatorcancel": call.Cancelled, "cancel": call.Cancelled,
	"busy": call.Busy, "userbusy": call.Busy, "chanunavail": call.Failed, "congestion": call.Failed, "rejected": call.Missed, "callrejected": call.Missed,
	"destinationnotset": call.Failed, "unallocatednumber": call.Failed, "invalidnumberformat": call.Failed,
}

// outcome reads how the call went and how long. What a call that goes on says of its status is no outcome.
func (d *decoder) outcome(e *call.Event) {
	x := &e.Facts
	x.HangupCause = d.cause()
	x.HangupBy = d.hangupBy()
	if !e.Kind.Terminal() {
		x.Status = call.Ringing
		if e.Kind == call.CallAnswered {
			x.Status = call.InProgress
		}
		return
	}
	talk := d.seconds("outbound_sec")
	for _, name := range []string{"bridged_duration", "answered_seconds"} {
		if talk == nil {
			talk = d.seconds(name)
		}
	}
	x.DurationSeconds = d.seconds("duration")
	if x.DurationSeconds == nil {
		x.DurationSeconds = d.seconds("call_duration")
	}
	x.TalkSeconds = talk
	x.Status = d.status(talk)
	d.ring(x)
	d.answered(x)
}

// status decides how the call ended: by the trigger that means one thing, else by call_status, else by the word beside
// it, else by the trigger, else by what the rest of the report proves. call_connected proves nothing: it is "1" also for
// a click-to-call that the customer missed.
func (d *decoder) status(talk *int64) call.Status {
	talked := talk != nil && *talk > 0
	if d.trigger == customerMissed && !talked {
		return call.Missed
	}
	for _, word := range []string{d.word, d.otherWord} {
		if s := statusOf(word); s != "" {
			if s == call.Missed && d.flow.voicemail {
				return call.Voicemail
			}
			return s
		}
	}
	if s := triggerByID[d.trigger].status; s != "" {
		return s
	}
	answeredBy, missedBy := d.f.Peek("answered_agent", "answered_agent_name") != nil, d.f.Peek("missed_agent") != nil
	switch {
	case talked, answeredBy && talk == nil && !d.clickToCall:
		return call.Answered
	case talk != nil || missedBy:
		return call.Missed
	case !d.flow.talkBegan(d.clickToCall).IsZero():
		return call.Answered
	}
	for _, name := range causes {
		if s := causeStatus[squash(peekText(d.f, name))]; s != "" {
			return s
		}
	}
	if s := causeStatus[squash(d.flow.cause)]; s != "" {
		return s
	}
	return ""
}

// cause is the reason the call ended, in the vendor's words: the oldest variable first, which newer templates lack. The
// others stay.
func (d *decoder) cause() string {
	for _, name := range causes {
		if s := peekText(d.f, name); s != "" {
			if name == causes[0] {
				d.f.Drop(name)
			}
			return s
		}
	}
	return ""
}

// hangupBy reads who ended the call ("Call Disconnected By Callee", "disconnected_by_caller"). Of an inbound call the
// caller is the customer; of the others it is not told who they mean.
func (d *decoder) hangupBy() string {
	for _, name := range []string{"reason_key", "hangup_cause", "hangup_cause_description"} {
		word := squash(peekText(d.f, name))
		_, who, ok := strings.Cut(word, "disconnectedby")
		if !ok {
			_, who, ok = strings.Cut(word, "hangupby")
		}
		switch {
		case !ok:
		case who == "caller" && d.direction == call.Inbound, who == "customer":
			return "customer"
		case who == "callee" && d.direction == call.Inbound, who == "agent":
			return "agent"
		case who == "caller", who == "callee", who == "system":
			return who
		}
	}
	return ""
}

// ring reads how long it rang: the agent's phone for a call that came in, the customer's for one that went out. The other
// one stays an attribute.
func (d *decoder) ring(x *call.Facts) {
	name := "agent_ring_time"
	if x.Direction == call.Outbound {
		name = "customer_ring_time"
	}
	x.RingSeconds = d.seconds(name)
}

// answered works out when somebody was spoken to. answer_stamp is the answer of the server, or of its IVR, and is there
// for missed calls as well; only the dialer's is a person's.
func (d *decoder) answered(x *call.Facts) {
	if x.Status != call.Answered {
		return
	}
	if x.TalkSeconds != nil && *x.TalkSeconds > 0 && !x.EndedAt.IsZero() {
		at := x.EndedAt.Add(-time.Duration(*x.TalkSeconds) * time.Second)
		if *x.TalkSeconds < longestTalk && !at.Before(x.StartedAt) {
			x.AnsweredAt = at
			return
		}
	}
	x.AnsweredAt = d.flow.talkBegan(d.clickToCall)
	if at, ok := moment(d.f.Peek("answer_stamp"), d.loc); x.AnsweredAt.IsZero() && ok && d.dialer {
		x.AnsweredAt = at
	}
}

// longestTalk bounds what is computed with, in seconds.
const longestTalk = 7 * 24 * 3600

// seconds reads a duration and takes the field: "11", 11, "" (which states nothing), "00:01:12". Zero is a value.
func (d *decoder) seconds(name string) *int64 {
	if n := d.f.Int(name); n != nil {
		return n
	}
	s := peekText(d.f, name)
	parts := strings.Split(s, ":")
	if len(parts) != 2 && len(parts) != 3 || len(s) > 12 {
		return nil
	}
	total := int64(0)
	for _, p := range parts {
		n, err := strconv.ParseUint(p, 10, 32)
		if err != nil {
			return nil
		}
		total = total*60 + int64(n)
	}
	d.f.Drop(name)
	return &total
}

// Names of attributes that are ours.
const noteRecording = "callsync_recording_note"

// recording reads the call's one recording, and says why there is none although a URL came. A URL of another call was
// seen in the wild; it would attach a stranger's conversation to this customer.
func (d *decoder) recording(x *call.Facts) string {
	raw := d.f.Text("recording_url")
	if raw == "" {
		return ""
	}
	link, id, ok := recordingURL(raw)
	switch {
	case !ok:
		return "The recording's address is no web address and was left out."
	case !d.ownRecording(id):
		return "The recording's address names another call and was left out."
	}
	r := call.Recording{ID: firstOf(d.callID, id), URL: link, State: call.RecordingAvailable}
	if billed := d.f.Peek("billsec"); x.Status == call.Missed && billed != nil {
		// Nothing answered, not even the server: there is an address but no sound behind it.
		if s, _ := telephony.TextOf(billed); s == "0" {
			r.State = call.RecordingUnavailable
		}
	}
	x.Recordings = []call.Recording{r}
	return ""
}
