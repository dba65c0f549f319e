package call

import "time"

// Kind is what an event says happened. It decides the event's authority in Fold.
type Kind string

// The kinds of events.
const (
	CallRinging     Kind = "call.ringing"
	CallRouted      Kind = "call.routed"
	CallAnswered    Kind = "call.answered"
	CallDTMF        Kind = "call.dtmf"
	CallAgentDialed Kind = "call.agent_dialed"
	CallAgentMissed Kind = "call.agent_missed"
	// CallEnded is the only kind that ends a call. Its facts are the provider's final report.
	CallEnded Kind = "call.ended"
	// CallUpdated is a late change of an ended call. Fields named in Asserted are authoritative even when empty; the
	// rest of its facts is a snapshot. It ends a call as well: a provider modifies only what is over.
	CallUpdated      Kind = "call.updated"
	DispositionSet   Kind = "disposition.set"
	MessageReceived  Kind = "message.received"
	MessageSent      Kind = "message.sent"
	FormSubmitted    Kind = "form.submitted"
	RecordingArrived Kind = "recording.available"
	// CallPulled is what the phone system says of a call when it is asked later. Its facts fill what was not reported and
	// give way to every final report: the same thing may be written in another way there.
	CallPulled Kind = "call.pulled"
)

// Terminal tells whether an event of this kind says that the call is over.
func (k Kind) Terminal() bool {
	return k == CallEnded || k == CallUpdated || k == DispositionSet || k == RecordingArrived
}

// Event is what one receipt says about one call, message or form submission.
type Event struct {
	// ReceiptID and Seq name the event and, last of all, order it. Receipt ids are UUIDv7: they sort by arrival.
	ReceiptID  string    `json:"receipt_id"`
	Seq        int       `json:"seq"`
	Kind       Kind      `json:"kind"`
	ReceivedAt time.Time `json:"received_at"`
	// OccurredAt is the source's own time of this statement (not of the call); zero where it gives none.
	OccurredAt time.Time `json:"occurred_at,omitzero"`
	// ProviderID is the provider's id of the call, message or form; empty while only aliases are known.
	ProviderID string `json:"provider_id,omitempty"`
	// Aliases are further names of the same call, such as a connection id.
	Aliases []Alias `json:"aliases,omitempty"`
	Facts   Facts   `json:"facts,omitzero"`
	// Asserted names fields that this event sets with authority, even to nothing.
	Asserted []Field `json:"asserted,omitempty"`
	// Outlook says, per artifact, whether it can still come after this event. Artifacts not named are Possible.
	Outlook map[Artifact]Outlook `json:"outlook,omitempty"`
	Message *Message             `json:"message,omitempty"`
	Form    *Form                `json:"form,omitempty"`
}

// Message is a text message to or from a customer.
type Message struct {
	ID             string    `json:"id"`
	Provider       string    `json:"provider"`
	ProviderID     string    `json:"provider_message_id,omitempty"`
	Direction      Direction `json:"direction"`
	Customer       Party     `json:"customer,omitzero"`
	BusinessNumber string    `json:"business_number,omitempty"`
	Agents         []Agent   `json:"agents,omitempty"`
	Body           string    `json:"body,omitempty"`
	Media          []string  `json:"media,omitempty"`
	ConversationID string    `json:"conversation_id,omitempty"`
	SentAt         time.Time `json:"sent_at,omitzero"`
	LeadStatus     string    `json:"lead_status,omitempty"`
}

// Form is a form that a customer submitted on a web page.
type Form struct {
	ID          string         `json:"id"`
	Provider    string         `json:"provider"`
	ProviderID  string         `json:"provider_form_id,omitempty"`
	Customer    Party          `json:"customer,omitzero"`
	FormURL     string         `json:"form_url,omitempty"`
	LandingPage string         `json:"landing_page,omitempty"`
	SubmittedAt time.Time      `json:"submitted_at,omitzero"`
	Fields      map[string]any `json:"fields,omitempty"`
	Attribution Attribution    `json:"attribution,omitzero"`
}

// Artifact is a part of a call that may come late.
type Artifact string

// The artifacts. Details stands for tags, note, value and score.
const (
	ArtifactRecording     Artifact = "recording"
	ArtifactTranscription Artifact = "transcription"
	ArtifactDisposition   Artifact = "disposition"
	ArtifactDetails       Artifact = "details"
)

// Outlook is what a provider says about an artifact that has not come.
type Outlook string

// The outlooks: it was announced, it may come, it cannot come.
const (
	Announced Outlook = "announced"
	Possible  Outlook = "possible"
	Never     Outlook = "never"
)
