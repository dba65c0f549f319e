package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// act has the connection's actions make of the call what they want: rows only, which are delivered by themselves. The call
// is in the CRM by now.
func (d *attempt) act(ctx context.Context) (warnings []string, err error) {
	if d.lane.Actions == 0 || d.in.Bulk || d.kind() != connectors.ObjectCall {
		return nil, nil
	}
	actions, warnings, err := d.actions(ctx)
	if err != nil || actions == nil {
		return warnings, err
	}
	have, err := d.Store.FollowUpsOfCall(ctx, d.in.WorkspaceID, d.in.ConnectionID, d.in.CallID)
	if err != nil {
		return warnings, fmt.Errorf("%w: read follow-ups: %w", errStore, err)
	}
	in := d.mappingInput("", d.ownerID, nil)
	for i := range actions.Len() {
		f, wanted, warning := d.planned(actions, i, in)
		if warning != "" {
			warnings = append(warnings, warning)
			continue
		}
		id, made := have[actions.At(i).Name]
		switch {
		case wanted && !made:
			err = d.Store.MakeFollowUp(ctx, f)
		case wanted && f.Kind == records.FollowUpTask:
			err = d.Store.RenewFollowUp(ctx, d.in.WorkspaceID, id, d.in.CallID, f.Plan)
		case !wanted && made && actions.At(i).Do == mappings.DoFollowUp:
			err = d.Store.LeaveFollowUp(ctx, d.in.WorkspaceID, id, d.in.CallID)
		}
		if err != nil {
			return warnings, fmt.Errorf("%w: follow a call up: %w", errStore, err)
		}
	}
	return warnings, nil
}

// planned is what the i-th action makes of the call. A warning says why nobody knows.
func (d *attempt) planned(actions *mappings.Actions, i int, in mappings.Input) (f records.FollowUp, wanted bool, warning string) {
	a := actions.At(i)
	wanted, err := actions.Holds(i, in)
	subject, body := "", ""
	if err == nil && wanted {
		subject, body, err = actions.Texts(i, in)
	}
	if err != nil {
		d.Log.Error("an action failed", "workspace", d.in.WorkspaceID, "call", d.in.CallID, "connection", d.in.ConnectionID, "error", err)
		if failed := (*mappings.RuleError)(nil); errors.As(err, &failed) {
			return f, false, failed.Public
		}
		return f, false, fmt.Sprintf("The action “%s” does not work for this call.", a.Name)
	}
	c := d.lane.Call.Call
	f = records.FollowUp{WorkspaceID: d.in.WorkspaceID, ConnectionID: d.in.ConnectionID, CallID: d.in.CallID, Action: a.Name,
		Number: c.Customer.Number, Kind: kindsOfActions[a.Do],
		Plan: records.FollowUpPlan{Subject: subject, Body: body, Priority: a.Priority, Assign: a.Assign, Conversation: a.CloseOn == mappings.CloseOnConversation}}
	if a.Do != mappings.DoFollowUp {
		return f, wanted, ""
	}
	// Without a number there is nobody to call back, and our own numbers are no customers.
	wanted = wanted && f.Number != "" && !d.lane.OwnNumber
	from := c.EndedAt
	if from.IsZero() {
		from = c.StartedAt
	}
	if now := time.Now(); from.IsZero() || from.After(now) {
		from = now
	}
	f.DueAt, f.EscalateAt = actions.Due(i, from, in.Location)
	if e := a.Escalate; e != nil {
		f.Plan.Escalate = &records.FollowUpEscalation{To: e.To, Priority: e.Priority, SecondTask: e.SecondTask}
	}
	return f, wanted, ""
}

var kindsOfActions = map[mappings.ActionKind]string{
	mappings.DoFollowUp: records.FollowUpTask, mappings.DoTicket: records.FollowUpTicket, mappings.DoDeal: records.FollowUpDeal,
}

// actionsKey names compiled actions, as rulesKey names rules.
type actionsKey struct {
	connectionID string
	version      int
	country      string
}

// actions are the connection's, compiled; nil with a warning where they cannot be used.
func (d *attempt) actions(ctx context.Context) (*mappings.Actions, []string, error) {
	o, country := &d.open, d.lane.DefaultCountry
	o.mu.Lock()
	have, ok := o.actions[actionsKey{d.in.ConnectionID, d.lane.Actions, country}]
	o.mu.Unlock()
	if ok {
		return have, nil, nil
	}
	stored, err := d.Store.Actions(ctx, d.in.WorkspaceID, d.in.ConnectionID)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: read the actions: %w", errStore, err)
	}
	compiled, err := mappings.ReadActions([]byte(stored.Document), country)
	if err != nil {
		d.Log.Error("stored actions cannot be used", "workspace", d.in.WorkspaceID, "connection", d.in.ConnectionID, "error", err)
		return nil, []string{"The actions of this connection cannot be used by this version of callsync."}, nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.actions == nil || len(o.actions) >= maxOpenedRules {
		o.actions = map[actionsKey]*mappings.Actions{}
	}
	o.actions[actionsKey{d.in.ConnectionID, stored.Version, country}] = compiled
	return compiled, nil, nil
}

// wouldAct is what the actions would make of the call, for shadow mode.
func (d *attempt) wouldAct(ctx context.Context) (out []records.ShadowAction, warnings []string, err error) {
	if d.lane.Actions == 0 || d.kind() != connectors.ObjectCall {
		return nil, nil, nil
	}
	actions, warnings, err := d.actions(ctx)
	if err != nil || actions == nil {
		return nil, warnings, err
	}
	in := d.mappingInput("", d.ownerID, nil)
	for i := range actions.Len() {
		f, wanted, warning := d.planned(actions, i, in)
		if warning != "" {
			warnings = append(warnings, warning)
		} else if wanted {
			out = append(out, records.ShadowAction{Action: f.Action, Kind: f.Kind, Subject: f.Plan.Subject, DueAt: f.DueAt})
		}
	}
	return out, warnings, nil
}

// touchDeal changes the open deal of the call's contact. Which one it is, is committed before it is changed: what is written
// may close the deal, and a second attempt must not take the next one for it.
func (d *attempt) touchDeal(ctx context.Context, session connectors.Session) (verdict, error) {
	t := d.todo
	impossible := func(class, format string, args ...any) (verdict, error) {
		return d.cancel(records.ClosedImpossible, class, fmt.Sprintf(format, args...)), nil
	}
	toucher, ok := session.(connectors.DealToucher)
	if !ok {
		return impossible(string(connectors.Unsupported), "callsync changes no deals in %s.", d.label())
	}
	d.lane.Actions = t.ActionsVersion
	actions, _, err := d.actions(ctx)
	if err != nil {
		return verdict{}, err
	}
	i := -1
	if actions != nil {
		i = actions.Named(t.FollowUp.Action)
	}
	if i < 0 || actions.At(i).Do != mappings.DoDeal {
		return d.cancel(records.ClosedNoAction, "action_removed", "The action was removed before it was done."), nil
	}
	owner, _, err := d.owner(ctx, session)
	if err != nil {
		return verdict{}, err
	}
	if d.remoteIDNow() == "" {
		if t.Party.ID == "" {
			return impossible("no_contact", "The call belongs to no contact in %s, so there is no deal to change.", d.label())
		}
		deals, err := toucher.OpenDeals(ctx, connectors.Ref{Object: t.Party.Object, ID: t.Party.ID})
		if err != nil {
			return verdict{}, err
		}
		deal, ok := whichDeal(deals, actions.At(i).Deal, owner)
		switch {
		case len(deals) == 0:
			return impossible("no_deal", "The contact has no open deal in %s.", d.label())
		case !ok:
			return impossible("no_deal", "Of the contact's %d open deals in %s the action names none.", len(deals), d.label())
		}
		d.remoteID = deal.ID
		if err := d.Store.SaveRemote(ctx, d.in.WorkspaceID, d.lane.Delivery.ID, d.lane.Lease, deal.ID, ""); err != nil {
			return verdict{}, fmt.Errorf("%w: save the deal's id: %w", errStore, err)
		}
	}
	contact := ""
	if t.Party.Object == connectors.ObjectContact {
		contact = t.Party.ID
	}
	r, err := actions.DealFields(i, d.mappingInput(contact, owner, nil))
	if err != nil {
		return verdict{}, mappingError(err)
	}
	fields := mappings.Fresh(r.Fields, nil)
	var warnings []string
	for _, w := range r.Warnings {
		warnings = append(warnings, w.Target+": "+w.Text)
	}
	err = toucher.TouchDeal(ctx, d.remoteIDNow(), fields)
	if isClass(err, connectors.NotFound) {
		return d.cancel(records.ClosedDeleted, classDeleted, fmt.Sprintf("Somebody deleted the deal in %s.", d.label())), nil
	}
	if err != nil {
		return verdict{}, err
	}
	d.written = fields
	t.end = records.FollowUpEnd{State: records.FollowUpDone, Closed: records.ClosedMade, Settles: true}
	return verdict{outcome: Done, warnings: warnings}, nil
}

// whichDeal is the one of several open deals that an action means; the most recently changed come first.
func whichDeal(deals []connectors.Deal, which, owner string) (connectors.Deal, bool) {
	switch {
	case len(deals) == 0 || which == mappings.DealOnly && len(deals) > 1:
		return connectors.Deal{}, false
	case which == mappings.DealOwner:
		i := slices.IndexFunc(deals, func(d connectors.Deal) bool { return owner != "" && d.OwnerID == owner })
		if i < 0 {
			return connectors.Deal{}, false
		}
		return deals[i], true
	}
	return deals[0], true
}
