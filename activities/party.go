package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// stepParty records which contact the call belongs to, and how that was decided.
const stepParty = "party"

// trustMatch is how long a contact that was found by phone is used for further calls of the number without asking the
// CRM again. Contacts that callsync made are theirs until the CRM says they are gone.
const trustMatch = 10 * time.Minute

// party is the contact of the call; an empty Ref where there is none, and that is right by policy.
func (d *attempt) party(ctx context.Context, session connectors.Session) (connectors.Ref, error) {
	number := d.lane.Call.Call.Customer.Number
	matcher, ok := session.(connectors.ContactMatcher)
	if !ok || number == "" || d.lane.OwnNumber {
		return connectors.Ref{}, nil
	}
	if s, ok := d.lane.Delivery.Steps[stepParty]; ok && s.Key == number && s.ID != "" {
		return connectors.Ref{Object: s.Object, ID: s.ID}, nil
	}
	row, err := d.Store.Contact(ctx, d.in.WorkspaceID, d.in.ConnectionID, number)
	if err != nil && !errors.Is(err, records.ErrNotFound) {
		return connectors.Ref{}, fmt.Errorf("%w: read the contact: %w", errStore, err)
	}
	if ref, ok := known(row); ok {
		d.step(stepParty, records.Step{ID: ref.ID, Object: ref.Object, Key: number, Text: row.Steps[stepParty].Text})
		return ref, nil
	}
	return d.findOrCreate(ctx, session, matcher, number)
}

// known is the contact that a number's row names, if it can still be relied upon.
func known(row records.Delivery) (connectors.Ref, bool) {
	s := row.Steps[stepParty]
	if row.State != records.DeliveryDone || row.RemoteID == "" {
		return connectors.Ref{}, false
	}
	return connectors.Ref{Object: s.Object, ID: row.RemoteID}, len(row.Written) > 0 || time.Since(row.UpdatedAt) < trustMatch
}

// findOrCreate looks the number up and makes a contact where the policy says so. It holds the number's lease, so that
// two calls of one new number, at the same moment and in two workers, make one contact.
func (d *attempt) findOrCreate(ctx context.Context, session connectors.Session, matcher connectors.ContactMatcher, number string) (connectors.Ref, error) {
	row, token, err := d.Store.LeaseContact(ctx, d.in.WorkspaceID, d.in.ConnectionID, number, Lease)
	if held := (*records.LeasedError)(nil); errors.As(err, &held) {
		return connectors.Ref{}, &connectors.Error{Class: connectors.RateLimited, RetryAfter: min(time.Second, max(time.Until(held.Until), 100*time.Millisecond)),
			Public: "Another call of the same number is making the contact. This call follows at once.", Err: err}
	}
	if err != nil {
		return connectors.Ref{}, fmt.Errorf("%w: lease the contact: %w", errStore, err)
	}
	done := records.ContactResult{WorkspaceID: d.in.WorkspaceID, DeliveryID: row.ID, Lease: token}
	ref, ok := known(row)
	if ok {
		done.State, done.RemoteID, done.Created, done.Text = records.DeliveryDone, ref.ID, len(row.Written) > 0, row.Steps[stepParty].Text
	} else {
		ref, err = d.decide(ctx, session, matcher, number, row, &done)
	}
	if ferr := d.Store.FinishContact(context.WithoutCancel(ctx), done); ferr != nil && !errors.Is(ferr, records.ErrLeaseLost) {
		return connectors.Ref{}, fmt.Errorf("%w: record the contact: %w", errStore, ferr)
	}
	if err != nil {
		return connectors.Ref{}, err
	}
	if ref.ID != "" {
		d.step(stepParty, records.Step{ID: ref.ID, Object: ref.Object, Key: number, Text: done.Text})
	}
	return ref, nil
}

// decide asks the CRM and applies the policies; it fills done with what is to be recorded, whether it fails or not.
func (d *attempt) decide(ctx context.Context, session connectors.Session, matcher connectors.ContactMatcher, number string, row records.Delivery, done *records.ContactResult) (connectors.Ref, error) {
	done.State = records.DeliveryWaiting
	creator, canCreate := session.(connectors.ContactCreator)
	if row.State == records.DeliverySending && canCreate && d.idempotency() != connectors.KeyedUpsert {
		// An earlier create has no recorded outcome. It is looked for by its key, later than any lag of the CRM's index.
		done.State = records.DeliverySending
		if err := d.waitForLookup(row.SendingSince); err != nil {
			return connectors.Ref{}, err
		}
		c, ok, err := creator.FindContactByKey(ctx, row.ID)
		if err != nil {
			return connectors.Ref{}, err
		}
		if ok {
			done.State, done.RemoteID, done.Created, done.Text = records.DeliveryDone, c.ID, true, "Created by callsync"
			done.Written = map[string]any{"phone": number}
			return c.Ref, nil
		}
	}
	found, err := matcher.FindContacts(ctx, d.phoneQuery(number))
	if err != nil {
		return connectors.Ref{}, err
	}
	matches := sameNumber(found, number, d.lane.DefaultCountry)
	switch {
	case len(matches) == 1 || len(matches) > 1 && d.lane.Connection.ManyPolicy == "recent":
		m := matches[0]
		done.State, done.RemoteID, done.Text = records.DeliveryDone, m.ID, "Matched by phone number"
		if len(matches) > 1 {
			done.Text = fmt.Sprintf("Most recently changed of %d contacts with this number", len(matches))
		}
		return m.Ref, nil
	case len(matches) > 1:
		return connectors.Ref{}, nil
	case d.lane.Connection.ContactPolicy != "create" || !canCreate:
		return connectors.Ref{}, nil
	}
	fields, err := d.contactFields(ctx)
	if err != nil {
		return connectors.Ref{}, err
	}
	if err := d.Store.MarkSending(ctx, d.in.WorkspaceID, row.ID, done.Lease); err != nil {
		return connectors.Ref{}, fmt.Errorf("%w: mark the contact: %w", errStore, err)
	}
	done.State = records.DeliverySending
	w, err := creator.CreateContact(ctx, connectors.ContactWrite{Key: row.ID, Fields: fields})
	if e := (*connectors.Error)(nil); errors.As(err, &e) {
		switch {
		case e.Class == connectors.Conflict && e.RemoteID != "":
			done.State, done.RemoteID, done.Text = records.DeliveryDone, e.RemoteID, "The CRM had this contact already"
			return connectors.Ref{Object: "contact", ID: e.RemoteID}, nil
		case e.NotSent, e.Class != connectors.UnknownOutcome && e.Class != connectors.Unavailable:
			// The CRM answered, and the answer was no, or it was never asked: nothing was made.
			done.State = records.DeliveryWaiting
		}
	}
	if err != nil {
		return connectors.Ref{}, err
	}
	done.State, done.RemoteID, done.Created, done.Written, done.Text = records.DeliveryDone, w.RemoteID, true, fields, "Created by callsync"
	return connectors.Ref{Object: "contact", ID: w.RemoteID}, nil
}

// phoneQuery gives a number in the forms CRMs store it.
func (d *attempt) phoneQuery(number string) connectors.PhoneQuery {
	q := connectors.PhoneQuery{E164: number, National: strings.TrimPrefix(number, "+")}
	if n, err := phonenumbers.Parse(number, ""); err == nil {
		q.National = phonenumbers.GetNationalSignificantNumber(n)
		q.Country = phonenumbers.GetRegionCodeForNumber(n)
	}
	return q
}

// sameNumber keeps those of found that really have the number, the most recently changed first. CRMs store numbers as
// people typed them, so each is read in the source's country and compared as E.164.
func sameNumber(found []connectors.Contact, number, country string) []connectors.Contact {
	var out []connectors.Contact
	for _, c := range found {
		for _, raw := range c.Numbers {
			if n, err := phonenumbers.Parse(raw, country); err == nil && phonenumbers.Format(n, phonenumbers.E164) == number {
				out = append(out, c)
				break
			}
		}
	}
	for i := 1; i < len(out); i++ {
		if out[i].ModifiedAt.After(out[0].ModifiedAt) {
			out[0], out[i] = out[i], out[0]
		}
	}
	return out
}

// contactFields are the fields of a contact to create.
func (d *attempt) contactFields(ctx context.Context) (map[string]any, error) {
	p, _, err := d.program(ctx, "contact", d.lane.ContactMappingVersion)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return map[string]any{}, nil
	}
	r, err := p.Apply(d.mappingInput("", "", nil))
	if err != nil {
		return nil, mappingError(err)
	}
	for k, v := range r.Fields {
		if v == nil {
			delete(r.Fields, k)
		}
	}
	return r.Fields, nil
}

// owner is the CRM user who shall own the record: the one an admin assigned to the last agent who answered, else the
// one with that agent's e-mail; empty where there is none.
func (d *attempt) owner(ctx context.Context, session connectors.Session) (string, error) {
	agent, ok := lastAnswering(d.lane.Call.Call.Agents)
	resolver, can := session.(connectors.OwnerResolver)
	if !ok || !can {
		return "", nil
	}
	id, ok, err := d.Store.OwnerFor(ctx, d.in.WorkspaceID, d.in.ConnectionID, AgentKey(agent))
	if err != nil {
		return "", fmt.Errorf("%w: read the owners: %w", errStore, err)
	}
	if ok || agent.Email == "" {
		return id, nil
	}
	owner, ok, err := resolver.FindOwner(ctx, agent.Email)
	if err != nil || !ok || !owner.Active {
		return "", err
	}
	return owner.ID, nil
}

func lastAnswering(agents []call.Agent) (call.Agent, bool) {
	for i := len(agents) - 1; i >= 0; i-- {
		if s := agents[i].Status; s == call.AgentAnswered || s == call.AgentTransferred {
			return agents[i], true
		}
	}
	return call.Agent{}, false
}

// AgentKey is how the table of owners names an agent: the e-mail in lower case, else "id:", "number:" or "name:" and
// what the phone system calls them.
func AgentKey(a call.Agent) string {
	switch {
	case a.Email != "":
		return strings.ToLower(strings.TrimSpace(a.Email))
	case a.ID != "":
		return "id:" + a.ID
	case a.Number != "":
		return "number:" + a.Number
	}
	return "name:" + strings.ToLower(strings.TrimSpace(a.Name))
}
