package callerdesk

import (
	"regexp"
	"strings"

	"github.com/callsync/callsync/call"
)

// status is what a word of CallerDesk's means.
type status struct {
	// key is the word in lower case without spaces, punctuation and the cause in brackets.
	key string
	// result is how a call ended, empty for a word that does not say so.
	result call.Status
	// agentOnly: somebody of ours is on the line, which of an outgoing call says nothing of the customer.
	agentOnly bool
	// onlyLive: a call that has ended is never described so.
	onlyLive bool
	// leg is whose leg of an outgoing call failed.
	leg   string
	known bool
}

const (
	wordTransfer = "transfertoagent"
	legAgent     = "agent"
	legCustomer  = "customer"
)

// words are CallerDesk's, from https://docs.callerdesk.io/incoming-call-reports-status and
// .../outgoing-call-reports-status, and those seen beside them.
var words = map[string]status{
	"answer":       {result: call.Answered},
	"answered":     {result: call.Answered},
	"connected":    {result: call.Answered},
	"completed":    {result: call.Answered},
	"legbanswer":   {result: call.Answered},
	"legbanswered": {result: call.Answered},
	"legaanswer":   {agentOnly: true},
	"legaanswered": {agentOnly: true},
	"picked":       {agentOnly: true, onlyLive: true},
	wordTransfer:   {onlyLive: true},
	"ringing":      {onlyLive: true},
	"initiated":    {onlyLive: true},
	"voicemail":    {result: call.Voicemail},

	"noanswer":      {result: call.Missed},
	"notanswered":   {result: call.Missed},
	"unanswered":    {result: call.Missed},
	"missed":        {result: call.Missed},
	"missedcall":    {result: call.Missed},
	"notconnected":  {result: call.Missed}, // The caller reached the IVR and no agent was rung.
	"cancel":        {result: call.Cancelled},
	"cancelled":     {result: call.Cancelled},
	"canceled":      {result: call.Cancelled},
	"abandonedcall": {result: call.Abandoned},
	"abandoned":     {result: call.Abandoned},
	"abandonment":   {result: call.Abandoned},
	"busy":          {result: call.Busy},
	"agentengaged":  {result: call.Busy}, // The agent was on another call.
	"agentonring":   {result: call.Busy}, // The agent's telephone rang for another call.
	"congestion":    {result: call.Failed},
	"chanunavail":   {result: call.Failed},
	"unavailable":   {result: call.Failed},
	"failed":        {result: call.Failed},
}

// readStatus reads a word in any spelling: "NO ANSWER", "NoAnswer(19-agent)", "Leg B Cancel - Customer Busy (17 Customer)".
func readStatus(word string) status {
	key := normal(word)
	if s, ok := words[key]; ok {
		s.key, s.known = key, true
		return s
	}
	// "Leg A Cancel - Agent No Answer" and "Cancel-Agent": whose leg, and why.
	rest, leg := strings.TrimPrefix(key, "lega"), ""
	switch {
	case rest != key:
		leg = legAgent
	case strings.HasPrefix(key, "legb"):
		rest, leg = strings.TrimPrefix(key, "legb"), legCustomer
	}
	why, ok := strings.CutPrefix(rest, "cancel")
	if !ok {
		return status{key: key}
	}
	for _, who := range []string{legAgent, legCustomer} {
		if after, ok := strings.CutPrefix(why, who); ok {
			why, leg = after, who
		}
	}
	switch s, ok := words[why]; {
	case leg == "":
		return status{key: key}
	case why == "" && causes[causeOf(word)] != "":
		return status{key: key, result: causes[causeOf(word)], leg: leg, known: true}
	case ok && s.result != "":
		return status{key: key, result: s.result, leg: leg, known: true}
	case why != "":
		return status{key: key, leg: leg}
	case leg == legAgent:
		// The customer was never called.
		return status{key: key, result: call.Cancelled, leg: leg, known: true}
	}
	return status{key: key, result: call.Missed, leg: leg, known: true}
}

// normalClearing is the cause of a call that somebody hung up; the others tell why a leg failed.
const normalClearing = "16"

// causes are Asterisk's (ITU-T Q.850) where they say more than the word before them.
var causes = map[string]call.Status{
	"17": call.Busy, "18": call.Missed, "19": call.Missed, "1": call.Failed, "3": call.Failed, "20": call.Failed, "27": call.Failed, "34": call.Failed, "38": call.Failed,
}

// bracket finds the cause that follows a word: "(16)", "(17-agent)", "(0 Customer)".
var bracket = regexp.MustCompile(`(?i)\(\s*(\d{1,3})?[\s-]*(agent|customer|member|caller)?[^()]*\)\s*$`)

func causeOf(word string) string {
	if m := bracket.FindStringSubmatch(word); m != nil {
		return m[1]
	}
	return ""
}

// longestWord bounds what is looked at.
const longestWord = 200

// normal leaves lower-case letters and digits of what stands before the cause in brackets.
func normal(word string) string {
	if len(word) > longestWord {
		return ""
	}
	if i := strings.IndexByte(word, '('); i > 0 {
		word = word[:i]
	}
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(word))
}
