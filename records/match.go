package records

import "time"

// Match is how a connection's calls find their contact and their owner. The zero value means the defaults.
type Match struct {
	// Objects are the objects that are searched, in the order of preference; none means the connector's own.
	Objects []string `json:"objects,omitempty"`
	// OnNone is what to do with a number that nobody in the CRM has, OnMany with one that several have.
	OnNone string `json:"on_none,omitempty"`
	OnMany string `json:"on_many,omitempty"`
	// AskHold keeps a call here while somebody is asked whose number it is; else it is delivered without a contact, and
	// tied to it later.
	AskHold bool `json:"ask_hold,omitempty"`
	// TrustCRMID takes the contact that the phone system names even if it has not the number: the phone system knows
	// contacts from this very CRM.
	TrustCRMID bool `json:"trust_crm_id,omitempty"`
	// Owner is which of the agents who answered owns the call.
	Owner string `json:"owner,omitempty"`
	// UnknownAgent is what to do where that agent is no user of the CRM; DefaultOwner is the user's id for OwnerDefault.
	UnknownAgent string `json:"unknown_agent,omitempty"`
	DefaultOwner string `json:"default_owner,omitempty"`
}

// The policies of a Match.
const (
	MatchCreateContact = "create_contact"
	MatchCreateLead    = "create_lead"
	MatchNone          = "none"
	MatchAsk           = "ask"
	MatchRecent        = "recent" // the contact that was changed last
	MatchOwner         = "owner"  // a contact of the call's owner, else as MatchRecent

	OwnerLast    = "last"
	OwnerFirst   = "first"
	OwnerLongest = "longest"

	AgentNone    = "none"
	AgentDefault = "default"
)

// WithDefaults fills what is not set.
func (m Match) WithDefaults() Match {
	for _, f := range []struct {
		at    *string
		value string
	}{{&m.OnNone, MatchCreateContact}, {&m.OnMany, MatchRecent}, {&m.Owner, OwnerLast}, {&m.UnknownAgent, AgentNone}} {
		if *f.at == "" {
			*f.at = f.value
		}
	}
	return m
}

// The choices of people that are no contact's id.
const (
	ChoiceNone   = "none"
	ChoiceCreate = "create"
)

// MatchChoice is what a person chose for a number, for good.
type MatchChoice struct {
	ID           string
	WorkspaceID  string
	ConnectionID string
	// Number is E.164.
	Number string
	// Choice is the contact's id in the CRM, ChoiceNone or ChoiceCreate; Object is the contact's, or what to create.
	Choice    string
	Object    string
	Name      string
	ChosenBy  string
	CreatedAt time.Time
}

// Candidate is a contact that may be meant.
type Candidate struct {
	Object string `json:"object"`
	ID     string `json:"id"`
	Name   string `json:"name,omitempty"`
	URL    string `json:"url,omitempty"`
	// Owner is the id of its owner in the CRM.
	Owner string `json:"owner,omitempty"`
	// Email and Company tell it from others of its name, ModifiedAt is when it changed last; empty where the CRM did not say.
	Email      string    `json:"email,omitempty"`
	Company    string    `json:"company,omitempty"`
	ModifiedAt time.Time `json:"modified_at,omitzero"`
}

// The kinds and states of a review.
const (
	ReviewMany = "many"
	ReviewNone = "none"

	ReviewOpen      = "open"
	ReviewResolved  = "resolved"
	ReviewDismissed = "dismissed"
)

// MaxCandidates is how many candidates a review keeps.
const MaxCandidates = 20

// Review is the question whose number this is.
type Review struct {
	ID           string
	WorkspaceID  string
	ConnectionID string
	Number       string
	Kind         string
	Candidates   []Candidate
	// Total is how many contacts share the number, also those that are not among Candidates.
	Total int
	State string
	// Choice and Object are what was chosen, as in a MatchChoice. A dismissed review was closed by callsync, because the
	// question had gone away.
	Choice     string
	Object     string
	ResolvedBy string
	CreatedAt  time.Time
	ResolvedAt time.Time
	// Calls is how many calls wait for the answer, CallIDs some of them, the newest first.
	Calls   int64
	CallIDs []string
}

// ReviewFilter is what a list of reviews shows; empty members do not filter.
type ReviewFilter struct {
	State        string
	ConnectionID string
	Before       Cursor
	Limit        int
}

// Unmatched is a call without a contact that is to be noted, and what people are asked about it.
type Unmatched struct {
	WorkspaceID  string
	ConnectionID string
	DeliveryID   string
	Number       string
	// Ask opens a review of Kind with Candidates, or brings the open one up to date.
	Ask        bool
	Kind       string
	Candidates []Candidate
	Total      int
}

// LearnedNumber is a number that calls showed to be the workspace's own.
type LearnedNumber struct {
	Number   string
	Kind     string
	SourceID string
	// OwnSeen is how often it was seen as ours, CustomerSeen how often as that of a customer whose call was answered.
	OwnSeen      int
	CustomerSeen int
	Rejected     bool
	// Counts tells whether calls from it have no customer.
	Counts      bool
	FirstSeenAt time.Time
	SeenAt      time.Time
}

// The kinds of learned numbers: a line of the workspace, an agent's telephone.
const (
	NumberLine  = "line"
	NumberAgent = "agent"
)

// SeenAgent is an agent that calls have named. Key is as in an Owner.
type SeenAgent struct {
	SourceID  string
	Key       string
	Name      string
	Email     string
	Number    string
	Extension string
	SeenAt    time.Time
}

// Sighting is what one call shows of the workspace: its lines, its agents and their numbers.
type Sighting struct {
	WorkspaceID string
	SourceID    string
	Lines       []string
	Agents      []SeenAgent
	// Customer is the number of a customer whose call was answered: if it was learned as ours, that speaks against it.
	Customer string
}

// CRMUser is a user of a CRM who can own records.
type CRMUser struct {
	ID     string `json:"id"`
	Name   string `json:"name,omitempty"`
	Email  string `json:"email,omitempty"`
	Active bool   `json:"active"`
}
