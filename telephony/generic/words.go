package generic

import (
	"strings"
	"unicode"

	"github.com/callsync/callsync/call"
)

// squeeze leaves of a word what phone systems agree on: "No-Answer", "NO_ANSWER" and "no answer" are noanswer.
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
}

// statuses are the words that phone systems commonly use for how a call went, squeezed. Words that mean different things
// in different systems, such as rejected, are not among them: administrators say what theirs mean.
var statuses = map[string]call.Status{
	"ringing": call.Ringing, "queued": call.Ringing, "initiated": call.Ringing, "dialing": call.Ringing, "trying": call.Ringing, "alerting": call.Ringing,
	"inprogress": call.InProgress, "ongoing": call.InProgress, "talking": call.InProgress, "active": call.InProgress, "bridged": call.InProgress,
	"answer": call.Answered, "answered": call.Answered, "completed": call.Answered, "complete": call.Answered, "connected": call.Answered, "successful": call.Answered,
	"missed": call.Missed, "missedcall": call.Missed, "noanswer": call.Missed, "unanswered": call.Missed, "notanswered": call.Missed, "noresponse": call.Missed,
	"voicemail": call.Voicemail, "leftvoicemail": call.Voicemail,
	"abandoned": call.Abandoned, "abandon": call.Abandoned,
	"busy": call.Busy, "userbusy": call.Busy, "engaged": call.Busy,
	"failed": call.Failed, "failure": call.Failed, "error": call.Failed, "congestion": call.Failed, "chanunavail": call.Failed,
	"cancelled": call.Cancelled, "canceled": call.Cancelled, "cancel": call.Cancelled, "originatorcancel": call.Cancelled,
	"unknown": call.StatusUnknown,
}

// statusOf reads a word for how a call went; empty for one that is not known.
func statusOf(s string) call.Status { return statuses[squeeze(s)] }

// directionOf reads a word for who called whom; empty for one that is not known. Some systems say more in the same word,
// such as outbound-api.
func directionOf(s string) call.Direction {
	switch w := squeeze(s); {
	case w == "in" || w == "i" || strings.HasPrefix(w, "inbound") || strings.HasPrefix(w, "incoming"):
		return call.Inbound
	case w == "out" || w == "o" || strings.HasPrefix(w, "outbound") || strings.HasPrefix(w, "outgoing"):
		return call.Outbound
	case w == "internal" || w == "local":
		return call.Internal
	case w == "unknown":
		return call.DirectionUnknown
	}
	return ""
}

// agentStatusOf reads a word for what happened on one agent's leg.
func agentStatusOf(s string) call.AgentStatus {
	switch w := squeeze(s); w {
	case "dialed", "dialled":
		return call.AgentDialed
	case "transferred", "transfer":
		return call.AgentTransferred
	case "rejected", "declined":
		return call.AgentMissed
	}
	switch statusOf(s) {
	case call.Ringing:
		return call.AgentDialed
	case call.Answered, call.InProgress:
		return call.AgentAnswered
	case call.Missed, call.Busy, call.Failed, call.Cancelled, call.Abandoned, call.Voicemail:
		return call.AgentMissed
	}
	return ""
}

// recordingStateOf reads a word for what has become of a recording.
func recordingStateOf(s string) call.RecordingState {
	switch squeeze(s) {
	case "available", "completed", "complete", "ready", "done":
		return call.RecordingAvailable
	case "expected", "inprogress", "processing", "pending", "paused":
		return call.RecordingExpected
	case "archived":
		return call.RecordingArchived
	case "failed", "error":
		return call.RecordingFailed
	case "unavailable", "absent", "deleted", "none":
		return call.RecordingUnavailable
	}
	return ""
}
