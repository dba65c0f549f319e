// Package call is the domain of callsync: the canonical call, the events it is folded from, and what a call still waits for.
// It imports nothing of ours, reads no clock and does no I/O, so that the same events always give the same call.
package call

import "time"

// Direction tells who called whom, seen from the customer of callsync.
type Direction string

// The directions of a call. A provider that cannot tell leaves it empty; the API shows an empty direction as "unknown".
const (
	Inbound          Direction = "inbound"
	Outbound         Direction = "outbound"
	Internal         Direction = "internal"
	DirectionUnknown Direction = "unknown"
)

// Status is how far a call got, or how it ended.
type Status string

// The statuses of a call. Ringing and InProgress are live; the others end it.
const (
	Ringing       Status = "ringing"
	InProgress    Status = "in_progress"
	Answered      Status = "answered"
	Missed        Status = "missed"
	Voicemail     Status = "voicemail"
	Abandoned     Status = "abandoned"
	Busy          Status = "busy"
	Failed        Status = "failed"
	Cancelled     Status = "cancelled"
	StatusUnknown Status = "unknown"
)

// Terminal tells whether s can only be said of a call that has ended.
func (s Status) Terminal() bool {
	switch s {
	case Answered, Missed, Voicemail, Abandoned, Busy, Failed, Cancelled:
		return true
	}
	return false
}

// Talked tells whether somebody or a voicemail box listened, so that there is something to record and to transcribe.
func (s Status) Talked() bool { return s == Answered || s == Voicemail }

// Phase is where a call stands in its life.
type Phase string

// The phases of a call.
const (
	Live  Phase = "live"
	Ended Phase = "ended"
)

// Alias is one of the names under which a provider speaks of a call. (source, kind, value) is unique.
type Alias struct {
	Kind  string `json:"kind"`
	Value string `json:"value"`
}

// Call is the canonical record of one call, folded from its events. Its JSON form is the one of the API, of mapping
// expressions and of the webhook connector: absent is absent, times are RFC 3339 in UTC, durations are whole seconds.
type Call struct {
	ID          string  `json:"id"`
	WorkspaceID string  `json:"workspace_id"`
	SourceID    string  `json:"source_id"`
	Provider    string  `json:"provider"`
	ProviderID  string  `json:"provider_call_id,omitempty"`
	Aliases     []Alias `json:"aliases,omitempty"`
	Revision    int64   `json:"revision"`
	Phase       Phase   `json:"phase"`
	// Stale marks a live call that never ended and was closed by the stale limit.
	Stale bool `json:"stale,omitempty"`
	Facts
	// Live is how the call stands while it is live; zero once it has ended.
	Live LivePicture `json:"live,omitzero"`
	// Outlook is what the provider last said about artifacts that are not here yet.
	Outlook map[Artifact]Outlook `json:"outlook,omitempty"`
	// TerminalReceivedAt is when the first receipt that ended the call arrived; zero while it is live.
	TerminalReceivedAt time.Time `json:"terminal_received_at,omitzero"`
}

// Facts is what events state about a call and, folded, what is known of it. A zero member states nothing.
type Facts struct {
	Direction         Direction      `json:"direction,omitempty"`
	Status            Status         `json:"status,omitempty"`
	Customer          Party          `json:"customer,omitzero"`
	BusinessNumber    string         `json:"business_number,omitempty"`
	BusinessRawNumber string         `json:"business_raw_number,omitempty"`
	Agents            []Agent        `json:"agents,omitempty"`
	StartedAt         time.Time      `json:"started_at,omitzero"`
	AnsweredAt        time.Time      `json:"answered_at,omitzero"`
	EndedAt           time.Time      `json:"ended_at,omitzero"`
	DurationSeconds   *int64         `json:"duration_seconds,omitempty"`
	RingSeconds       *int64         `json:"ring_seconds,omitempty"`
	TalkSeconds       *int64         `json:"talk_seconds,omitempty"`
	HoldSeconds       *int64         `json:"hold_seconds,omitempty"`
	HangupCause       string         `json:"hangup_cause,omitempty"`
	HangupBy          string         `json:"hangup_by,omitempty"`
	Queue             string         `json:"queue,omitempty"`
	Department        string         `json:"department,omitempty"`
	IVRPath           []string       `json:"ivr_path,omitempty"`
	Digits            []string       `json:"digits,omitempty"`
	Campaign          Campaign       `json:"campaign,omitzero"`
	LeadFields        map[string]any `json:"lead_fields,omitempty"`
	Reference         Reference      `json:"reference,omitzero"`
	Recordings        []Recording    `json:"recordings,omitempty"`
	Transcription     Transcription  `json:"transcription,omitzero"`
	Disposition       Disposition    `json:"disposition,omitzero"`
	Tags              []string       `json:"tags,omitempty"`
	Note              string         `json:"note,omitempty"`
	Value             *Money         `json:"value,omitempty"`
	LeadStatus        string         `json:"lead_status,omitempty"`
	Scores            map[string]any `json:"scores,omitempty"`
	FirstCall         *bool          `json:"first_call,omitempty"`
	PriorCalls        *int64         `json:"prior_calls,omitempty"`
	Attribution       Attribution    `json:"attribution,omitzero"`
	Cost              *Cost          `json:"cost,omitempty"`
	Operator          string         `json:"operator,omitempty"`
	Circle            string         `json:"circle,omitempty"`
	TimeZone          string         `json:"time_zone,omitempty"`
	ProviderURL       string         `json:"provider_url,omitempty"`
	CustomData        map[string]any `json:"custom_data,omitempty"`
	Attributes        map[string]any `json:"attributes,omitempty"`
}

// Party is the other end of the line: the person or company outside.
type Party struct {
	// Number is E.164 where the raw number could be read as one; RawNumber is what the provider sent.
	Number    string `json:"number,omitempty"`
	RawNumber string `json:"raw_number,omitempty"`
	Name      string `json:"name,omitempty"`
	Email     string `json:"email,omitempty"`
	Company   string `json:"company,omitempty"`
	City      string `json:"city,omitempty"`
	State     string `json:"state,omitempty"`
	Country   string `json:"country,omitempty"`
	// CRMID is the contact's id in the CRM, where the phone system knew it.
	CRMID string `json:"crm_id,omitempty"`
}

// AgentStatus is what happened on one agent's leg.
type AgentStatus string

// The statuses of an agent's leg.
const (
	AgentDialed      AgentStatus = "dialed"
	AgentAnswered    AgentStatus = "answered"
	AgentMissed      AgentStatus = "missed"
	AgentTransferred AgentStatus = "transferred"
)

// Agent is one leg of the call to one of our people. Legs of the same agent are recognised by ID, else e-mail, else
// number, else extension, else name.
type Agent struct {
	ID          string      `json:"id,omitempty"`
	Name        string      `json:"name,omitempty"`
	Email       string      `json:"email,omitempty"`
	Number      string      `json:"number,omitempty"`
	Extension   string      `json:"extension,omitempty"`
	Status      AgentStatus `json:"status,omitempty"`
	RingSeconds *int64      `json:"ring_seconds,omitempty"`
	TalkSeconds *int64      `json:"talk_seconds,omitempty"`
	HoldSeconds *int64      `json:"hold_seconds,omitempty"`
	AnsweredAt  time.Time   `json:"answered_at,omitzero"`
	EndedAt     time.Time   `json:"ended_at,omitzero"`
}

// RecordingState tells whether a recording can be listened to.
type RecordingState string

// The states of a recording.
const (
	RecordingExpected    RecordingState = "expected"
	RecordingAvailable   RecordingState = "available"
	RecordingArchived    RecordingState = "archived"
	RecordingFailed      RecordingState = "failed"
	RecordingUnavailable RecordingState = "unavailable"
)

// Recording is one sound file of the call. Recordings are told apart by ID, else by URL.
type Recording struct {
	ID              string         `json:"id,omitempty"`
	URL             string         `json:"url,omitempty"`
	PlayerURL       string         `json:"player_url,omitempty"`
	State           RecordingState `json:"state,omitempty"`
	DurationSeconds *int64         `json:"duration_seconds,omitempty"`
	ContentType     string         `json:"content_type,omitempty"`
}

// Transcription is the text of what was said.
type Transcription struct {
	Text  string `json:"text,omitempty"`
	URL   string `json:"url,omitempty"`
	State string `json:"state,omitempty"`
}

// Disposition is the outcome an agent or a rule gave the call.
type Disposition struct {
	Value    string    `json:"value,omitempty"`
	SubValue string    `json:"sub_value,omitempty"`
	SetBy    string    `json:"set_by,omitempty"`
	SetAt    time.Time `json:"set_at,omitzero"`
}

// Money is an amount with its currency; Amount is decimal text, so that no cent is lost to binary fractions.
type Money struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency,omitempty"`
}

// Cost is what the phone system charged; Unit is its own word (a currency, "coins", "pulses").
type Cost struct {
	Amount string `json:"amount"`
	Unit   string `json:"unit,omitempty"`
}

// Campaign is the dialer campaign a call belongs to.
type Campaign struct {
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

// Reference ties a call to the request that started it.
type Reference struct {
	CRM         string `json:"crm,omitempty"`
	ClickToCall string `json:"click_to_call,omitempty"`
}

// Attribution is the marketing that brought the caller.
type Attribution struct {
	Source      string            `json:"source,omitempty"`
	Medium      string            `json:"medium,omitempty"`
	Campaign    string            `json:"campaign,omitempty"`
	Keywords    string            `json:"keywords,omitempty"`
	LandingPage string            `json:"landing_page,omitempty"`
	Referrer    string            `json:"referrer,omitempty"`
	UTM         map[string]string `json:"utm,omitempty"`
}
