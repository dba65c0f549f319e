package callrail

import (
	"slices"
	"strings"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// change is what one entry of "changes" means: the field of the call and where its new value stands in the body. The
// names of changes are not those of the body: "transcription_text" is about "transcription".
type change struct {
	field call.Field
	keys  []string
}

// changeable are the names that "changes" uses. The first seven are those of CallRail's help (article 5711246459149);
// the rest are the fields of the body themselves, in case it names them. How an entry looks is not published.
var changeable = map[string]change{
	"tags":               {call.FieldTags, []string{"tags", "tag"}},
	"note":               {call.FieldNote, []string{"note"}},
	"value":              {call.FieldValue, []string{"value"}},
	"transcription_text": {call.FieldTranscription, transcriptionKeys},
	"recording_duration": {call.FieldRecordings, recordingKeys},
	"auto_score":         {call.FieldScores, scoreFields},
	"manual_score":       {call.FieldScores, scoreFields},

	"score":            {call.FieldScores, scoreFields},
	"transcription":    {call.FieldTranscription, transcriptionKeys},
	"recording":        {call.FieldRecordings, recordingKeys},
	"recording_player": {call.FieldRecordings, recordingKeys},
	"lead_status":      {call.FieldLeadStatus, []string{"lead_status"}},
	"customer_name":    {call.FieldCustomerName, []string{"customer_name"}},
	"agent_email":      {call.FieldAgents, []string{"agent_email", "agent", "agent_name"}},
	"agent":            {call.FieldAgents, []string{"agent_email", "agent", "agent_name"}},
	"duration":         {call.FieldDurationSeconds, []string{"duration"}},
}

var transcriptionKeys = []string{"transcription", "transcription_text", "conversational_transcript"}

var recordingKeys = []string{"recording", "recording_redirect", "recording_duration"}

// changes reads the names of what changed. An entry is a name, or an object that has the name as a value ("field") or
// as a key; the whole may be one object or one text.
func (d *decoder) changes() []string {
	var out []string
	add := func(s string) {
		s = strings.ToLower(strings.TrimSpace(s))
		if _, ok := changeable[s]; ok && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			for s := range strings.FieldsFuncSeq(v, func(r rune) bool { return strings.ContainsRune(`,;[]" `, r) }) {
				add(s)
			}
		case []any:
			for _, item := range v {
				walk(item)
			}
		case map[string]any:
			if name, ok := telephony.TextOf(telephony.NewFields(v).Peek("field", "name", "attribute", "key", "change")); ok {
				add(name)
				return
			}
			for k := range v {
				add(k)
			}
		}
	}
	walk(d.f.Peek("changes"))
	slices.Sort(out)
	return out
}

// asserted turns changes into fields that this event sets even to nothing. A change whose new value is not in the body,
// or not readable, asserts nothing: it must not clear what is known.
func (d *decoder) asserted(changes []string) []call.Field {
	var out []call.Field
	for _, name := range changes {
		c := changeable[name]
		if slices.Contains(out, c.field) || !d.f.Has(c.keys...) {
			continue
		}
		if c.field == call.FieldValue {
			if v := d.f.Peek("value"); v != nil && readMoney(v) == nil && !dash(v) {
				continue
			}
		}
		out = append(out, c.field)
	}
	slices.Sort(out)
	return out
}
