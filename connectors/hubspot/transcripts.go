package hubspot

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/callsync/callsync/connectors"
)

// maxUtterances bounds a transcript; what is beyond goes into the last one.
const maxUtterances = 2000

type speaker struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type utterance struct {
	Speaker         speaker `json:"speaker"`
	Text            string  `json:"text"`
	StartTimeMillis int64   `json:"startTimeMillis"`
	EndTimeMillis   int64   `json:"endTimeMillis"`
}

// WriteTranscription implements connectors.TranscriptionWriter. HubSpot opens its place for transcripts to apps that were
// connected by OAuth (developers.hubspot.com/docs/apps/legacy-apps/extensions/calling-extensions/third-party-transcripts);
// for others it is Unsupported, and the mapping of calls has the text. A transcript cannot be changed: an update deletes
// it and makes another.
func (s *session) WriteTranscription(ctx context.Context, w connectors.TranscriptionWrite) (connectors.Written, error) {
	id, err := strconv.ParseInt(w.CallID, 10, 64)
	lines := utterances(w)
	if err != nil || len(lines) == 0 {
		return connectors.Written{}, &connectors.Error{Class: connectors.Invalid, Public: "There is no transcription to write, or no call to write it to."}
	}
	if s.noTranscripts.Load() {
		return connectors.Written{}, withoutTranscripts(nil)
	}
	if w.RemoteID != "" {
		err := s.do(ctx, request{method: http.MethodDelete, name: "deletion of a transcript", path: s.api.transcripts() + "/" + w.RemoteID}, nil)
		if err != nil && !connectors.IsClass(err, connectors.NotFound) {
			return connectors.Written{}, s.onlyOAuth(err)
		}
	} else {
		// After an answer that was lost the transcript is there. That this property tells so is unconfirmed.
		have, err := s.ReadCall(ctx, w.CallID, []string{"hs_call_has_transcript"})
		if err != nil {
			return connectors.Written{}, err
		}
		if have["hs_call_has_transcript"] == "true" {
			return connectors.Written{Warnings: []connectors.Warning{{Field: "transcription", Text: "The call has a transcript in HubSpot already. It was left as it is."}}}, nil
		}
	}
	var out struct {
		ID string `json:"id"`
	}
	q := request{method: http.MethodPost, name: "making of a transcript", path: s.api.transcripts(),
		body: map[string]any{"engagementId": id, "transcriptCreateUtterances": lines}}
	if err := s.do(ctx, q, &out); err != nil {
		return connectors.Written{}, s.onlyOAuth(err)
	}
	if out.ID == "" {
		return connectors.Written{}, connectors.Unreadable(Label, "hubspot "+q.name, q.reads)
	}
	return connectors.Written{RemoteID: out.ID, Created: true}, nil
}

// onlyOAuth remembers that the account takes no transcripts, so that further calls cost no request.
func (s *session) onlyOAuth(err error) error {
	if !connectors.IsClass(err, connectors.Forbidden) {
		return err
	}
	s.noTranscripts.Store(true)
	return withoutTranscripts(err)
}

func withoutTranscripts(err error) error {
	return &connectors.Error{Class: connectors.Unsupported, Err: err,
		Public: "HubSpot takes transcripts only from connections by OAuth with the scope crm.extensions_calling_transcripts.write. The call's text has the transcription all the same."}
}

// utterances splits a text into lines. "Name: text" names the speaker, if the name is one of those of the call or a word
// for one of its sides. Times are spread over the call by the length of the lines, for the text has none.
func utterances(w connectors.TranscriptionWrite) []utterance {
	var out []utterance
	total := 0
	for line := range strings.Lines(w.Text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		who, text := speaking(line, w)
		if len(out) == maxUtterances {
			out[maxUtterances-1].Text += "\n" + line
			continue
		}
		out = append(out, utterance{Speaker: who, Text: text})
		total += utf8.RuneCountInString(text)
	}
	length, passed := w.Duration.Milliseconds(), 0
	for i := range out {
		out[i].StartTimeMillis = length * int64(passed) / int64(max(total, 1))
		passed = min(passed+utf8.RuneCountInString(out[i].Text), total)
		out[i].EndTimeMillis = length * int64(passed) / int64(max(total, 1))
	}
	return out
}

func speaking(line string, w connectors.TranscriptionWrite) (speaker, string) {
	if name, text, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(text) != "" {
		name, text = strings.TrimSpace(name), strings.TrimSpace(text)
		switch strings.ToLower(name) {
		case "agent", "representative", strings.ToLower(w.Agent):
			return speaker{"agent", orElse(w.Agent, "Agent")}, text
		case "customer", "caller", "client", strings.ToLower(w.Customer):
			return speaker{"customer", orElse(w.Customer, "Customer")}, text
		}
	}
	return speaker{"unknown", "Speaker"}, line
}

func orElse(s, other string) string {
	if s != "" {
		return s
	}
	return other
}
