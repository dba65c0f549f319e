package mappings

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ActionKind is what an action makes of a call.
type ActionKind string

// The kinds of actions: a task that somebody has to do until some time, a ticket, a change of an open deal.
const (
	DoFollowUp ActionKind = "follow_up"
	DoTicket   ActionKind = "ticket"
	DoDeal     ActionKind = "deal"
)

// ActionsDocument says what else is made of the calls of a connection. Every action whose condition holds does its part.
type ActionsDocument struct {
	Actions []Action `yaml:"actions" json:"actions"`
}

// Action is done for the calls that its condition matches.
type Action struct {
	// Name is what people see. No two actions have the same; one that is renamed is another one.
	Name string
	Do   ActionKind
	When Condition
	// Subject and Body are templates of the task or ticket.
	Subject, Body Template
	// Priority is low, normal, high or urgent; empty leaves it to the mapping.
	Priority string
	// Assign is AssignOwner, AssignNobody, or a user of the CRM by e-mail or id.
	Assign string
	// DueIn is how long after the call a task is due. With Hours only the time within them counts.
	DueIn time.Duration
	Hours *Hours
	// CloseOn is what ends a follow-up: CloseOnCallBack or CloseOnConversation.
	CloseOn  string
	Escalate *Escalation
	// Deal is which of several open deals is changed: DealRecent, DealOwner or DealOnly. Fields are its new values, as rows
	// of a mapping of the object deal.
	Deal   string
	Fields []Row
}

// Escalation is what happens with a task that is overdue.
type Escalation struct {
	// After is how long after it was due, counted as DueIn.
	After time.Duration
	// To is the user of the CRM, by e-mail or id, who gets it; empty leaves it where it is.
	To       string
	Priority string
	// SecondTask makes a task of their own for To instead of moving the one there is.
	SecondTask bool
}

// The values of Action.Assign that are no users, of CloseOn and of Deal.
const (
	AssignOwner  = "owner"
	AssignNobody = "nobody"

	CloseOnCallBack     = "call_back"    // an outbound call with the number, or one that was answered
	CloseOnConversation = "conversation" // a call with the number that was answered

	DealRecent = "recent" // the most recently changed
	DealOwner  = "owner"  // the most recently changed of the call's owner
	DealOnly   = "only"   // the only one; where there are several, none
)

// MissedInbound is the condition of follow-ups that have none: an inbound call that nobody answered.
func MissedInbound() Condition {
	return Condition{All: []Condition{
		{Field: "direction", Operator: Is, Value: "inbound"},
		{Field: "status", Operator: OneOf, Value: []any{"missed", "voicemail", "abandoned"}},
	}}
}

// Actions is a compiled ActionsDocument. It is safe for concurrent use.
type Actions struct{ all []compiledAction }

type compiledAction struct {
	Action
	test  test
	texts *Program
	deal  *Program
	hours *openHours
}

// Len is how many actions there are.
func (a *Actions) Len() int { return len(a.all) }

// At is the i-th action.
func (a *Actions) At(i int) Action { return a.all[i].Action }

// Named is the place of an action by its name; -1 where there is none.
func (a *Actions) Named(name string) int {
	return slices.IndexFunc(a.all, func(c compiledAction) bool { return c.Name == name })
}

// Holds tells whether the condition of the i-th action matches the call of in. The error is a *RuleError.
func (a *Actions) Holds(i int, in Input) (bool, error) {
	r := startRun(&in)
	defer r.end()
	r.budget = rulesBudget
	c := a.all[i]
	ok, err := compiledRule{test: c.test}.holds(r)
	if err != nil {
		return false, &RuleError{Rule: i + 1, Name: c.Name, Err: err,
			Public: fmt.Sprintf("The action “%s” (%d) does not work for this call: %s", c.Name, i+1, publicOfRule(err))}
	}
	return ok, nil
}

// Texts are the subject and body that the i-th action gives its task or ticket.
func (a *Actions) Texts(i int, in Input) (subject, body string, err error) {
	if a.all[i].texts == nil {
		return "", "", nil
	}
	r, err := a.all[i].texts.Apply(in)
	subject, _ = r.Fields["subject"].(string)
	body, _ = r.Fields["body"].(string)
	return subject, body, err
}

// DealFields are the values that the i-th action gives a deal.
func (a *Actions) DealFields(i int, in Input) (Result, error) {
	if a.all[i].deal == nil {
		return Result{}, errors.New("the action changes no deal")
	}
	return a.all[i].deal.Apply(in)
}

// Due is when a task of the i-th action is due whose call was at from, and when it is escalated; zero where it is not. in is
// the zone for hours without one of their own.
func (a *Actions) Due(i int, from time.Time, in *time.Location) (due, escalate time.Time) {
	c := a.all[i]
	add := func(t time.Time, d time.Duration) time.Time {
		if c.hours == nil {
			return t.Add(d)
		}
		return c.hours.after(t, d, in)
	}
	due = add(from, c.DueIn)
	if c.Escalate != nil {
		escalate = add(due, c.Escalate.After)
	}
	return due, escalate
}

// farthest is how many days ahead hours are looked for that are open.
const farthest = 400

// after is the moment at which d of the hours have passed since t. Of a moment outside the hours it is counted from when they
// open next. Where there are not that many hours in farthest days, all time counts.
func (o *openHours) after(t time.Time, d time.Duration, in *time.Location) time.Time {
	if o.zone != nil {
		in = o.zone
	}
	if in == nil {
		in = time.UTC
	}
	local, left := t.In(in), d
	for n := -1; n < farthest; n++ {
		// The days are named by the calendar and become moments last, so that days of 23 and 25 hours are what they are.
		day := time.Date(local.Year(), local.Month(), local.Day()+n, 12, 0, 0, 0, in)
		if !o.open(day) {
			continue
		}
		from, to := o.span(day)
		if from.Before(t) {
			from = t
		}
		switch open := to.Sub(from); {
		case open <= 0:
		case left <= open:
			return from.Add(left).UTC()
		default:
			left -= open
		}
	}
	return t.Add(d).UTC()
}

// span is when the hours of a day begin and end.
func (o *openHours) span(day time.Time) (from, to time.Time) {
	at := func(minute, days int) time.Time {
		return time.Date(day.Year(), day.Month(), day.Day()+days, minute/60, minute%60, 0, 0, day.Location())
	}
	from, to = at(o.from, 0), at(o.to, 0)
	if o.to <= o.from {
		to = at(o.to, 1)
	}
	return from, to
}
