package deepcall

import (
	"strings"

	"github.com/callsync/callsync/telephony"
)

// inner are the published members of known fields, and some that are only sent. Contact lists, parameters of requests and
// the like have members that people name.
var inner = map[string]string{
	"ahdetail":         legMembers + " agentid groupid agentnumber",
	"nhdetail":         legMembers + " number agentid",
	"recordings":       "nodeid visitid file time recordingurl recordingduration duration recordingfilesize",
	"totalcreditsused": "freehit paidhit amount",
}

const legMembers = `ctc status recording recordingurl ping visitid nodeid totalringduration totalholdduration talkduration talkstime talketime
	answerstime answeretime answerduration cli retry`

// vocabulary are the fields that DeepCall has, in the form of squash.
var vocabulary = func() *telephony.Vocabulary {
	paths := []string{squash(pushReport)}
	for name := range known {
		if inner[name] == "" {
			paths = append(paths, name)
		}
		for member := range strings.FieldsSeq(inner[name]) {
			paths = append(paths, name+"."+member)
		}
	}
	return telephony.NewVocabulary(squash, paths...)
}()
