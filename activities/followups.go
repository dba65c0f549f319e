package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// FollowUpStore keeps what actions make of calls, and is part of the Store.
type FollowUpStore interface {
	// Actions returns what is made of the calls of a connection.
	Actions(ctx context.Context, workspaceID, connectionID string) (records.Actions, error)
	// FollowUpsOfCall returns the follow-ups that a connection's actions have made of a call, by the actions' names.
	FollowUpsOfCall(ctx context.Context, workspaceID, connectionID, callID string) (map[string]string, error)
	// MakeFollowUp makes what an action wants of a call, or adds the call to the open task of its number. Calls of the past
	// are left alone, and so are those that a later call has answered. It may be repeated.
	MakeFollowUp(ctx context.Context, f records.FollowUp) error
	// RenewFollowUp gives an open task what its newest call makes of its texts.
	RenewFollowUp(ctx context.Context, workspaceID, id, callID string, plan records.FollowUpPlan) error
	// LeaveFollowUp takes a call away from an open task whose action does not apply to it any more.
	LeaveFollowUp(ctx context.Context, workspaceID, id, callID string) error
	// LeaseFollowUp reads all that one delivery of a follow-up needs and takes its lease; strikes tells that its clock has come
	// to what is due. A task that a call has answered is closed first. Errors: records.ErrNotFound, *records.LeasedError.
	LeaseFollowUp(ctx context.Context, workspaceID, id string, lease time.Duration) (lane records.FollowUpLane, strikes bool, err error)
	// StrikeFollowUp moves a task on whose clock has come to what is due, and returns it as it is then.
	StrikeFollowUp(ctx context.Context, workspaceID, id string) (records.FollowUp, error)
}

// FollowUpInput asks for one follow-up to be brought up to date.
type FollowUpInput struct {
	WorkspaceID string `json:"workspace_id"`
	FollowUpID  string `json:"follow_up_id"`
}

// FollowUpResult is what came of it.
type FollowUpResult struct {
	// Revision is that which the CRM has been told.
	Revision int64 `json:"revision"`
	// WakeAt is when the clock strikes next; zero if the follow-up is over, or waits for a person.
	WakeAt time.Time `json:"wake_at,omitzero"`
}

// followUp is the follow-up that an attempt delivers.
type followUp struct {
	records.FollowUpLane
	strikes bool
	end     records.FollowUpEnd
}

// FollowUp brings one follow-up up to date: it makes its task or ticket, or changes its deal; closes the task of a customer
// who was reached, and escalates one that is overdue. It may run any number of times, and be killed anywhere, as Deliver.
func (a *Delivery) FollowUp(ctx context.Context, in FollowUpInput) (FollowUpResult, error) {
	began := time.Now()
	lane, strikes, err := a.Store.LeaseFollowUp(ctx, in.WorkspaceID, in.FollowUpID, Lease)
	if held := (*records.LeasedError)(nil); errors.As(err, &held) {
		return FollowUpResult{}, retryError(connectors.Conflict, min(max(time.Until(held.Until), 100*time.Millisecond), Lease))
	}
	if errors.Is(err, records.ErrNotFound) {
		return FollowUpResult{}, nil
	}
	f := lane.FollowUp
	deliver := DeliverInput{Kind: f.Kind, WorkspaceID: in.WorkspaceID, CallID: in.FollowUpID, ConnectionID: f.ConnectionID, Revision: f.Revision, Force: lane.Forced}
	if err != nil {
		return FollowUpResult{}, a.storeFailed(ctx, deliver, "lease a follow-up", err)
	}
	d := &attempt{Delivery: a, in: deliver, lane: lane.Lane, began: began, todo: &followUp{FollowUpLane: lane, strikes: strikes}}
	out, err := d.conclude(ctx)
	if err != nil {
		return FollowUpResult{}, err
	}
	f = d.todo.FollowUp
	result := FollowUpResult{Revision: out.Revision}
	if out.Outcome != Parked && d.todo.end.State == "" {
		result.WakeAt = f.WakeAt()
	}
	return result, nil
}

// revision is that of what the attempt delivers.
func (d *attempt) revision() int64 {
	if d.todo != nil {
		return d.todo.FollowUp.Revision
	}
	return d.lane.Call.Call.Revision
}

// followUpEnd is what the attempt says of its follow-up; nil for calls, messages and forms.
func (d *attempt) followUpEnd() *records.FollowUpEnd {
	if d.todo == nil {
		return nil
	}
	return &d.todo.end
}

// links are the records that a new one belongs to.
func (d *attempt) links(party connectors.Ref) (out []connectors.Ref) {
	if party.ID != "" {
		out = append(out, party)
	}
	if d.todo != nil && d.todo.CallRemoteID != "" {
		out = append(out, connectors.Ref{Object: connectors.ObjectCall, ID: d.todo.CallRemoteID})
	}
	return out
}

// runFollowUp is run for follow-ups.
func (d *attempt) runFollowUp(ctx context.Context) (verdict, error) {
	conn, t := d.lane.Connection, d.todo
	if s, moved := d.lane.Delivery.Steps[stepParty]; moved {
		// The contact was merged, or is gone, since the call was delivered.
		t.Party = s
	}
	over := t.FollowUp.Over() && d.lane.Delivery.RemoteID == "" && !d.outcomeOpen()
	switch {
	case d.lane.Deleted:
		return d.cancel(records.ClosedImpossible, "connection_deleted", "The connection was deleted."), nil
	case over:
		// It was over before anything was made.
		t.end.Settles = true
		return verdict{outcome: Skipped, class: t.FollowUp.Closed, reason: "It was over before anything was made in " + d.label() + "."}, nil
	case conn.Status == records.ConnectionPaused:
		return verdict{outcome: Parked, class: classPaused, reason: orElse(conn.StatusReason, "The connection is paused. Resume it, and this follow-up goes on.")}, nil
	case conn.Status == records.ConnectionRevoked:
		return verdict{outcome: Parked, class: string(connectors.Revoked), reason: orElse(conn.StatusReason, "The CRM no longer accepts our access. Connect again, and this follow-up goes on.")}, nil
	case d.shadow():
		return d.cancel(records.ClosedImpossible, classShadow, fmt.Sprintf("The connection is in shadow mode: nothing is written to %s.", d.label())), nil
	}
	return d.admitted(ctx)
}

// cancel ends a follow-up that comes to nothing.
func (d *attempt) cancel(closed, class, reason string) verdict {
	d.todo.end = records.FollowUpEnd{State: records.FollowUpCancelled, Closed: closed, Settles: true}
	return verdict{outcome: Skipped, class: class, reason: reason}
}

// deliverFollowUp brings the follow-up up to date: the attempt has had its turn.
func (d *attempt) deliverFollowUp(ctx context.Context) (verdict, error) {
	session, err := d.session(ctx, d.lane.Connection)
	if err != nil {
		return verdict{}, err
	}
	t := d.todo
	if t.FollowUp.Kind == records.FollowUpDeal {
		return d.touchDeal(ctx, session)
	}
	if !d.accepts(session) {
		return d.cancel(records.ClosedImpossible, string(connectors.Unsupported), d.takesNone()), nil
	}
	if t.strikes {
		if v, decided, err := d.strike(ctx, session); err != nil || decided {
			return v, err
		}
	}
	if t.FollowUp.Over() {
		return d.completed(ctx, session)
	}
	warnings, deleted, err := d.record(ctx, session)
	if err != nil {
		return verdict{}, err
	}
	if deleted {
		return d.cancel(records.ClosedDeleted, classDeleted, fmt.Sprintf("Somebody deleted the record in %s. callsync does not make it again.", d.label())), nil
	}
	t.end.Settles = true
	if t.FollowUp.Kind == records.FollowUpTicket {
		t.end.State, t.end.Closed = records.FollowUpDone, records.ClosedMade
	}
	return verdict{outcome: Done, warnings: warnings}, nil
}

// strike moves a task on whose clock has come to what is due, unless somebody has dealt with it in the CRM.
func (d *attempt) strike(ctx context.Context, session connectors.Session) (v verdict, decided bool, err error) {
	t := d.todo
	if reader, ok := session.(connectors.TaskReader); ok && d.remoteIDNow() != "" {
		open, err := reader.TaskOpen(ctx, d.remoteIDNow())
		switch {
		case isClass(err, connectors.NotFound):
			return d.cancel(records.ClosedDeleted, classDeleted, fmt.Sprintf("Somebody deleted the task in %s.", d.label())), true, nil
		case err != nil:
			return verdict{}, false, err
		case !open:
			t.end = records.FollowUpEnd{State: records.FollowUpDone, Closed: records.ClosedInCRM, Settles: true}
			return verdict{outcome: Done}, true, nil
		}
	}
	f, err := d.Store.StrikeFollowUp(ctx, d.in.WorkspaceID, t.FollowUp.ID)
	if err != nil {
		return verdict{}, false, fmt.Errorf("%w: move a follow-up on: %w", errStore, err)
	}
	t.FollowUp = f
	return verdict{}, false, nil
}

// record writes the task or ticket.
func (d *attempt) record(ctx context.Context, session connectors.Session) (warnings []string, deleted bool, err error) {
	t := d.todo
	owner, warning, err := d.assignee(ctx, session)
	if err != nil {
		return nil, false, err
	}
	if warning != "" {
		warnings = append(warnings, warning)
	}
	contact := ""
	if t.Party.Object == connectors.ObjectContact {
		contact = t.Party.ID
	}
	fields, more, err := d.fields(ctx, session, contact, owner)
	if err != nil {
		return nil, false, err
	}
	deleted, last, err := d.write(ctx, session, fields, connectors.Ref{Object: t.Party.Object, ID: t.Party.ID})
	return append(append(warnings, more...), last...), deleted, err
}

// completed closes the task of a follow-up that is over, with a word of why. One that somebody deleted is none to close.
func (d *attempt) completed(ctx context.Context, session connectors.Session) (verdict, error) {
	if d.outcomeOpen() {
		if err := d.found(ctx, session); err != nil {
			return verdict{}, err
		}
	}
	d.todo.end.Settles = true
	closer, ok := session.(connectors.TaskWriter)
	if d.remoteIDNow() == "" || !ok || d.kind() != records.FollowUpTask {
		return verdict{outcome: Skipped, class: d.todo.FollowUp.Closed, reason: "It was over before anything was made in " + d.label() + "."}, nil
	}
	d.sending = false
	d.remoteID = d.remoteIDNow()
	warnings, deleted, err := d.record(ctx, session)
	if err != nil && !errors.Is(err, errStore) && !connectors.AsError(err).Class.Retryable() {
		// What it says matters less than that nobody goes on to work at it.
		warnings, err = []string{"The task was completed as it was: " + connectors.AsError(err).Public}, nil
	}
	if err == nil && !deleted {
		if err = closer.CompleteTask(ctx, d.remoteIDNow()); isClass(err, connectors.NotFound) {
			deleted, err = true, nil
		}
	}
	switch {
	case err != nil:
		d.todo.end.Settles = false
		return verdict{}, err
	case deleted:
		return verdict{outcome: Skipped, class: classDeleted, reason: fmt.Sprintf("Somebody deleted the task in %s.", d.label())}, nil
	}
	return verdict{outcome: Done, warnings: warnings}, nil
}

// found looks for the task of a create without an answer. A task that is not there is not made: there is nothing to do.
func (d *attempt) found(ctx context.Context, session connectors.Session) error {
	find, ok := d.finder(session)
	if d.idempotency() != connectors.KeyedUpsert || !ok {
		if err := d.adopt(ctx, session); err != nil {
			return err
		}
	} else if err := d.waitForLookup(d.lane.Delivery.SendingSince); err != nil {
		return err
	} else if id, there, err := find(ctx, d.key()); err != nil {
		return err
	} else if there {
		d.remoteID = id
	}
	d.lane.Delivery.SendingSince = time.Time{}
	return nil
}

// assignee is the CRM user whose the task or ticket is.
func (d *attempt) assignee(ctx context.Context, session connectors.Session) (id, warning string, err error) {
	plan := d.todo.FollowUp.Plan
	who := orElse(plan.Assign, mappings.AssignOwner)
	if e := plan.Escalate; e != nil && d.todo.FollowUp.State == records.FollowUpEscalated && e.To != "" && !e.SecondTask {
		who = e.To
	}
	switch who {
	case mappings.AssignNobody:
		return "", "", nil
	case mappings.AssignOwner:
		id, warning, err := d.owner(ctx, session)
		if id == "" && err == nil {
			id = d.lane.Connection.Match.DefaultOwner
		}
		return id, warning, err
	}
	resolver, ok := session.(connectors.OwnerResolver)
	if !strings.Contains(who, "@") || !ok {
		return who, "", nil
	}
	owner, found, err := resolver.FindOwner(ctx, who)
	if err != nil {
		return "", "", err
	}
	if !found || !owner.Active {
		id, _, err := d.owner(ctx, session)
		return id, fmt.Sprintf("%s is no active user of %s.", who, d.label()), err
	}
	return owner.ID, "", nil
}

// followUpInput adds what mappings of tasks and tickets read.
func (d *attempt) followUpInput(in mappings.Input) mappings.Input {
	f := d.todo.FollowUp
	in.CallURL = d.PublicURL + "/calls/" + f.CallID
	subject, priority := f.Plan.Subject, f.Plan.Priority
	if f.Kind == records.FollowUpTicket {
		in.Ticket = &mappings.Ticket{Subject: subject, Body: f.Plan.Body, Priority: priority}
		return in
	}
	if f.State == records.FollowUpOverdue || f.State == records.FollowUpEscalated {
		subject = "Overdue: " + subject
	}
	if e := f.Plan.Escalate; e != nil && f.State == records.FollowUpEscalated && e.Priority != "" && !e.SecondTask {
		priority = e.Priority
	}
	in.Task = &mappings.Task{Subject: subject, Body: taskBody(f, in.Location), DueAt: f.DueAt, Priority: priority}
	return in
}

// taskBody is what the action says, and what has become of the task since.
func taskBody(f records.FollowUp, loc *time.Location) string {
	lines := []string{}
	if f.Plan.Body != "" {
		lines = append(lines, f.Plan.Body)
	}
	at := func(t time.Time) string { return t.In(loc).Format("2 Jan 2006 15:04 MST") }
	if f.Calls == 1 {
		lines = append(lines, "Called on "+at(f.MissedAt)+".")
	} else {
		lines = append(lines, fmt.Sprintf("Called %d times, the last time on %s.", f.Calls, at(f.MissedAt)))
	}
	if text := closedTexts[f.Closed]; text != "" {
		lines = append(lines, text+" ("+at(f.ClosedAt)+")")
	}
	return strings.Join(lines, "\n")
}

// closedTexts say in the task why callsync closed it.
var closedTexts = map[string]string{
	records.ClosedByCall:   "Closed by callsync: there was a later call with this number.",
	records.ClosedAnswered: "Closed by callsync: the call was answered after all.",
	records.ClosedNoMatch:  "Closed by callsync: the call turned out to need no follow-up.",
	records.ClosedByPerson: "Closed in callsync.",
}
