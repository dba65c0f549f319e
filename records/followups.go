package records

import "time"

// Actions are the document that says what else is made of the calls of a connection.
type Actions struct {
	ConnectionID string
	// Version rises with every change; zero means that there never were any actions.
	Version int
	// Document is as people wrote it; empty for none.
	Document  string
	Author    string
	UpdatedAt time.Time
}

// The kinds of follow-ups. They are the objects of their deliveries.
const (
	FollowUpTask   = "task"
	FollowUpTicket = "ticket"
	FollowUpDeal   = "deal"
)

// The states of a follow-up. Open, overdue and escalated ones are tasks that somebody has to do, or tickets and deals that
// are not in the CRM yet.
const (
	FollowUpOpen      = "open"
	FollowUpOverdue   = "overdue"
	FollowUpEscalated = "escalated"
	FollowUpDone      = "done"
	FollowUpCancelled = "cancelled"
)

// Why a follow-up was closed.
const (
	ClosedByCall     = "call"           // a later call reached the customer, or tried to
	ClosedAnswered   = "answered"       // the call turned out to have been answered after all
	ClosedNoMatch    = "no_match"       // the action does not apply to its calls any more
	ClosedInCRM      = "completed"      // somebody completed the task in the CRM
	ClosedDeleted    = "deleted"        // somebody deleted it in the CRM
	ClosedByPerson   = "person"         // somebody closed it in callsync
	ClosedMade       = "made"           // the ticket is open, the deal is changed
	ClosedImpossible = "impossible"     // there is nothing to change: no contact, no open deal
	ClosedNoAction   = "action_removed" // the action was removed before it was done
)

// FollowUp is what an action made of a call: a task with a clock, a ticket, or a change of a deal. Of several missed calls
// of a number in a row there is one.
type FollowUp struct {
	ID           string
	WorkspaceID  string
	ConnectionID string
	Kind         string
	// Action is the name of the action.
	Action string
	Plan   FollowUpPlan
	// Number is the customer's, E.164; empty where the call has none.
	Number string
	// CallID is the newest of its calls, Calls how many they are, and MissedAt when the newest was.
	CallID   string
	Calls    int
	MissedAt time.Time
	State    string
	// DueAt and EscalateAt are zero where nothing is due.
	DueAt, EscalateAt time.Time
	// ClosedBy is the call that closed it. Closed is one of the constants ClosedByCall to ClosedNoAction.
	ClosedBy string
	Closed   string
	ClosedAt time.Time
	// Revision rises with every change that the CRM must be told of; Settled is the one it has been told.
	Revision  int64
	Settled   int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Over tells whether the follow-up is closed.
func (f FollowUp) Over() bool { return f.State == FollowUpDone || f.State == FollowUpCancelled }

// WakeAt is when its clock strikes next; zero if it does not.
func (f FollowUp) WakeAt() time.Time {
	switch {
	case f.Kind != FollowUpTask || f.Over():
	case f.State == FollowUpOpen:
		return f.DueAt
	case f.State == FollowUpOverdue:
		return f.EscalateAt
	}
	return time.Time{}
}

// FollowUpPlan is what its action said when it was made. Later changes of the action do not change it.
type FollowUpPlan struct {
	Subject  string `json:"subject,omitempty"`
	Body     string `json:"body,omitempty"`
	Priority string `json:"priority,omitempty"`
	Assign   string `json:"assign,omitempty"`
	// Conversation tells that only a call that was answered closes it.
	Conversation bool `json:"conversation,omitempty"`
	// Escalate is set where the task is escalated when it is overdue.
	Escalate *FollowUpEscalation `json:"escalate,omitempty"`
}

// FollowUpEscalation says what escalation does.
type FollowUpEscalation struct {
	To         string `json:"to,omitempty"`
	Priority   string `json:"priority,omitempty"`
	SecondTask bool   `json:"second_task,omitempty"`
}

// FollowUpLane is all that one delivery of a follow-up needs to know.
type FollowUpLane struct {
	FollowUp FollowUp
	// Lane has the newest call, the connection, and the delivery of the follow-up with its lease.
	Lane Lane
	// CallRemoteID is the call's record in the CRM; empty where it has none. Party is the contact that the call belongs to.
	CallRemoteID string
	Party        Step
	// ActionsVersion is that of the actions in force.
	ActionsVersion int
	// Forced tells that somebody asked for another try.
	Forced bool
}

// FollowUpEnd is what an attempt says of a follow-up itself when it records its result.
type FollowUpEnd struct {
	// State and Closed replace those of one that is not closed; empty leaves them.
	State, Closed string
	// Settles tells that the CRM has been told of LaneResult.Revision.
	Settles bool
}

// PendingFollowUp is a follow-up whose workflow is to be told.
type PendingFollowUp struct {
	ID           string
	WorkspaceID  string
	ConnectionID string
	Connector    string
	Revision     int64
	// Force is when somebody asked for another try (unix ms); zero where nobody did.
	Force int64
}

// FollowUpFilter chooses follow-ups. Zero members choose all.
type FollowUpFilter struct {
	ConnectionID string
	CallID       string
	Kind         string
	// States are any of the constants FollowUpOpen to FollowUpCancelled.
	States []string
	// Before is the id of the last one seen: ids sort by time.
	Before string
	Limit  int
}

// FollowUpItem is a follow-up as lists show it, with its delivery.
type FollowUpItem struct {
	FollowUp
	ConnectionName string
	Connector      string
	Customer       string
	Delivery       Delivery
}
