package mappings

import (
	"slices"
	"strings"

	"github.com/expr-lang/expr/types"

	"github.com/callsync/callsync/call"
)

// FieldType is the type of a canonical field in expressions.
type FieldType string

// The types of canonical fields. A list of objects has its members under "name[].member"; a map has whatever the phone
// system sent.
const (
	FieldText     FieldType = "text"
	FieldNumber   FieldType = "number"
	FieldBool     FieldType = "bool"
	FieldDateTime FieldType = "datetime"
	FieldObject   FieldType = "object"
	FieldTexts    FieldType = "list of text"
	FieldObjects  FieldType = "list of objects"
	FieldMap      FieldType = "map"
)

// FieldInfo describes a canonical name to editors and to the reference.
type FieldInfo struct {
	Name        string    `json:"name"`
	Type        FieldType `json:"type"`
	Description string    `json:"description"`
	// Values are all values of a text that has a fixed list.
	Values []string `json:"values,omitempty"`
}

// Fields lists the canonical names that mappings of calls can read, in the order of the reference.
func Fields() []FieldInfo { return infos(callCatalog) }

func infos(entries []entry) []FieldInfo {
	out := make([]FieldInfo, 0, len(entries)+40)
	for _, e := range entries {
		out = append(out, e.info)
		for _, m := range e.items {
			m.Name = e.info.Name + "[]." + m.Name
			out = append(out, m)
		}
	}
	for i := range out {
		out[i].Values = slices.Clone(out[i].Values)
	}
	return out
}

// entry is a canonical name and how to read it. Names of an object's members are entries of their own ("customer.name"),
// so that reading one needs no object.
type entry struct {
	info FieldInfo
	get  func(r *run) any
	// items are the members of the objects in a list.
	items []FieldInfo
}

// object is a value with members: an agent, a recording, the customer.
type object interface {
	// member returns nil for what is absent and for names that do not exist; the compiler has refused the latter.
	member(name string) any
}

// str, num, truth and moment make absent out of zero values.
func str(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func num(n *int64) any {
	if n == nil {
		return nil
	}
	return int(*n)
}

func truth(b *bool) any {
	if b == nil {
		return nil
	}
	return *b
}

func strs(list []string) any {
	if len(list) == 0 {
		return nil
	}
	out := make([]any, min(len(list), maxList))
	for i := range out {
		out[i] = list[i]
	}
	return out
}

func strMap(m map[string]any) any {
	if len(m) == 0 {
		return nil
	}
	return m
}

var (
	directions = []string{string(call.Inbound), string(call.Outbound), string(call.Internal), string(call.DirectionUnknown)}
	statuses   = []string{
		string(call.Ringing), string(call.InProgress), string(call.Answered), string(call.Missed), string(call.Voicemail),
		string(call.Abandoned), string(call.Busy), string(call.Failed), string(call.Cancelled), string(call.StatusUnknown),
	}
	agentStatuses = []string{
		string(call.AgentDialed), string(call.AgentAnswered), string(call.AgentMissed), string(call.AgentTransferred),
	}
	recordingStates = []string{
		string(call.RecordingExpected), string(call.RecordingAvailable), string(call.RecordingArchived),
		string(call.RecordingFailed), string(call.RecordingUnavailable),
	}
)

func text(name, description string, get func(r *run) any, values ...string) entry {
	return entry{info: FieldInfo{Name: name, Type: FieldText, Description: description, Values: values}, get: get}
}

func field(name string, t FieldType, description string, get func(r *run) any) entry {
	return entry{info: FieldInfo{Name: name, Type: t, Description: description}, get: get}
}

// group makes the entries of an object: itself and its members.
func group(name, description string, present func(r *run) object, members []FieldInfo) []entry {
	whole := func(r *run) any {
		o := present(r)
		if o == nil || !slices.ContainsFunc(members, func(m FieldInfo) bool { return o.member(m.Name) != nil }) {
			return nil
		}
		return o
	}
	out := []entry{field(name, FieldObject, description, whole)}
	for _, m := range members {
		member := m.Name
		m.Name = name + "." + member
		out = append(out, entry{info: m, get: func(r *run) any {
			o := present(r)
			if o == nil {
				return nil
			}
			return o.member(member)
		}})
	}
	return out
}

func list(name, description string, get func(r *run) any, items []FieldInfo) entry {
	return entry{info: FieldInfo{Name: name, Type: FieldObjects, Description: description}, get: get, items: items}
}

// callCatalog is every canonical name of calls.
var callCatalog = buildCatalog()

func buildCatalog() []entry {
	return slices.Concat(
		[]entry{
			text("id", "callsync's id of the call", func(r *run) any { return str(r.in.Call.ID) }),
			text("workspace_id", "the workspace", func(r *run) any { return str(r.in.Call.WorkspaceID) }),
			text("source_id", "the source the call came from", func(r *run) any { return str(r.in.Call.SourceID) }),
			text("provider", "the kind of phone system, such as callrail", func(r *run) any { return str(r.in.Call.Provider) }),
			text("provider_call_id", "the phone system's id of the call", func(r *run) any { return str(r.in.Call.ProviderID) }),
			list("aliases", "further names of the call at the phone system", aliases, aliasMembers),
			field("revision", FieldNumber, "how often the call has changed", func(r *run) any { return int(r.in.Call.Revision) }),
			text("phase", "whether the call is still live", func(r *run) any { return str(string(r.in.Call.Phase)) },
				string(call.Live), string(call.Ended)),
			field("stale", FieldBool, "true for a live call that never ended and was closed by the stale limit",
				func(r *run) any { return r.in.Call.Stale }),
			text("direction", "who called whom, seen from your company",
				func(r *run) any { return orUnknown(string(r.in.Call.Direction)) }, directions...),
			text("status", "how far the call got, or how it ended",
				func(r *run) any { return orUnknown(string(r.in.Call.Status)) }, statuses...),
		},
		group("customer", "the person or company outside", func(r *run) object { return (*party)(&r.in.Call.Customer) }, partyMembers),
		[]entry{
			text("business_number", "your number that was called or shown, E.164", func(r *run) any { return str(r.in.Call.BusinessNumber) }),
			text("business_raw_number", "the same as the phone system wrote it", func(r *run) any { return str(r.in.Call.BusinessRawNumber) }),
			list("agents", "the legs to your people, in order", agents, agentMembers),
		},
		group("agent", "the agent who answered; if nobody did, the first one", answering, agentMembers),
		[]entry{
			field("started_at", FieldDateTime, "when the call started", func(r *run) any { return moment(r.in.Call.StartedAt) }),
			field("answered_at", FieldDateTime, "when it was answered", func(r *run) any { return moment(r.in.Call.AnsweredAt) }),
			field("ended_at", FieldDateTime, "when it ended", func(r *run) any { return moment(r.in.Call.EndedAt) }),
			field("duration_seconds", FieldNumber, "from start to end", func(r *run) any { return num(r.in.Call.DurationSeconds) }),
			field("ring_seconds", FieldNumber, "how long it rang", func(r *run) any { return num(r.in.Call.RingSeconds) }),
			field("talk_seconds", FieldNumber, "how long people talked", func(r *run) any { return num(r.in.Call.TalkSeconds) }),
			field("hold_seconds", FieldNumber, "how long it was on hold", func(r *run) any { return num(r.in.Call.HoldSeconds) }),
			text("hangup_cause", "why it ended, in the phone system's words", func(r *run) any { return str(r.in.Call.HangupCause) }),
			text("hangup_by", "who hung up", func(r *run) any { return str(r.in.Call.HangupBy) }),
			text("queue", "the queue", func(r *run) any { return str(r.in.Call.Queue) }),
			text("department", "the department", func(r *run) any { return str(r.in.Call.Department) }),
			field("ivr_path", FieldTexts, "the menu points the caller chose", func(r *run) any { return strs(r.in.Call.IVRPath) }),
			field("digits", FieldTexts, "the keys the caller pressed", func(r *run) any { return strs(r.in.Call.Digits) }),
		},
		group("campaign", "the dialer's campaign", func(r *run) object { return (*campaign)(&r.in.Call.Campaign) }, campaignMembers),
		[]entry{field("lead_fields", FieldMap, "the lead's fields at the dialer", func(r *run) any { return strMap(r.in.Call.LeadFields) })},
		group("reference", "the request that started the call", func(r *run) object { return (*reference)(&r.in.Call.Reference) }, referenceMembers),
		[]entry{list("recordings", "the recordings, as the phone system names them", recordings, recordingMembers)},
		group("transcription", "the text of what was said", func(r *run) object { return (*transcription)(&r.in.Call.Transcription) }, transcriptionMembers),
		group("disposition", "the outcome an agent or a rule gave the call", func(r *run) object { return (*disposition)(&r.in.Call.Disposition) }, dispositionMembers),
		[]entry{
			field("tags", FieldTexts, "the tags", func(r *run) any { return strs(r.in.Call.Tags) }),
			text("note", "the note", func(r *run) any { return str(r.in.Call.Note) }),
		},
		group("value", "what the call is worth", func(r *run) object {
			if r.in.Call.Value == nil {
				return nil
			}
			return (*money)(r.in.Call.Value)
		}, moneyMembers),
		[]entry{
			text("lead_status", "what the phone system says of the lead", func(r *run) any { return str(r.in.Call.LeadStatus) }),
			field("scores", FieldMap, "scores the phone system gave", func(r *run) any { return strMap(r.in.Call.Scores) }),
			field("first_call", FieldBool, "whether the customer never called before", func(r *run) any { return truth(r.in.Call.FirstCall) }),
			field("prior_calls", FieldNumber, "how often the customer called before", func(r *run) any { return num(r.in.Call.PriorCalls) }),
		},
		group("attribution", "the marketing that brought the caller", func(r *run) object { return (*attribution)(&r.in.Call.Attribution) }, attributionMembers),
		group("cost", "what the phone system charged", func(r *run) object {
			if r.in.Call.Cost == nil {
				return nil
			}
			return (*cost)(r.in.Call.Cost)
		}, costMembers),
		[]entry{
			text("operator", "the caller's network operator", func(r *run) any { return str(r.in.Call.Operator) }),
			text("circle", "the caller's telecom circle", func(r *run) any { return str(r.in.Call.Circle) }),
			text("time_zone", "the zone the phone system names, such as Europe/Berlin", func(r *run) any { return str(r.in.Call.TimeZone) }),
			text("provider_url", "the call in the phone system's own pages", func(r *run) any { return str(r.in.Call.ProviderURL) }),
			field("custom_data", FieldMap, "custom fields of the phone system", func(r *run) any { return strMap(r.in.Call.CustomData) }),
			field("attributes", FieldMap, "everything else the phone system sent", func(r *run) any { return strMap(r.in.Call.Attributes) }),
			field("own_number", FieldBool, "whether the customer's number is one of your own", func(r *run) any {
				if r.in.Call.Customer.Number == "" {
					return nil
				}
				return r.in.OwnNumber
			}),
			text("contact_id", "the CRM's id of the contact the call belongs to", func(r *run) any { return str(r.in.ContactID) }),
			text("owner_id", "the CRM's id of the agent's user", func(r *run) any { return str(r.in.OwnerID) }),
			text("disposition_id", "the CRM's id of the outcome with the disposition's label or id", dispositionID),
			text("call_title", "what the call was, in a few words: Missed call from Ada Lovelace", callTitle),
			text("call_url", "the call's page in callsync", func(r *run) any { return str(r.in.CallURL) }),
			text("recording_url", "the permanent link to the recording", func(r *run) any { return str(r.in.RecordingURL) }),
		},
	)
}

func orUnknown(s string) any {
	if s == "" {
		return "unknown"
	}
	return s
}

func dispositionID(r *run) any {
	d := r.in.Call.Disposition
	want := foldKey(d.Value)
	if want == "" {
		return nil
	}
	for _, o := range r.in.Dispositions {
		if foldKey(o.Label) == want || foldKey(o.ID) == want {
			return str(o.ID)
		}
	}
	r.warn("The CRM has no outcome with the name of the call's disposition.")
	return nil
}

// foldKey makes equal what differs by case and space only.
func foldKey(s string) string {
	if folded(s) {
		return s
	}
	return strings.ToLower(strings.Join(strings.Fields(s), " "))
}

// folded tells whether s is a word in small letters already: most keys.
func folded(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || 'A' <= c && c <= 'Z' || c >= 0x7f {
			return false
		}
	}
	return true
}

// typedEnv is what the checker knows of the vocabulary's names.
func (v *vocabulary) typedEnv() types.Map {
	env := types.Map{}
	for _, i := range v.entries {
		e := catalog[i]
		parent, leaf, nested := strings.Cut(e.info.Name, ".")
		if nested {
			// "attribution.utm" is a member; members come after their object.
			env[parent].(types.Map)[leaf] = typeOf(e.info, e.items)
		} else {
			env[parent] = typeOf(e.info, e.items)
		}
	}
	return env
}

func typeOf(f FieldInfo, items []FieldInfo) types.Type {
	switch f.Type {
	case FieldText:
		return types.String
	case FieldNumber:
		return types.Int
	case FieldBool:
		return types.Bool
	case FieldDateTime:
		return timeType
	case FieldTexts:
		return types.Array(types.String)
	case FieldObjects:
		members := types.Map{}
		for _, m := range items {
			members[m.Name] = typeOf(m, nil)
		}
		return types.Array(members)
	case FieldMap:
		return types.Map{types.Extra: types.Any}
	default:
		return types.Map{}
	}
}
