package activities

import (
	"context"
	"errors"
	"fmt"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// createdText says of a contact that callsync made it.
const createdText = "Created by callsync"

// created has done and m say that the contact is one that callsync made.
func created(done *records.ContactResult, m match, fields map[string]any) match {
	m.why = createdText
	done.State, done.RemoteID, done.Object, done.Name, done.Text = records.DeliveryDone, m.ID, m.Object, m.name, m.why
	done.Created, done.Written, done.ForAll = true, fields, true
	return m
}

// adoptContact settles an earlier create of the number's contact that has no recorded outcome: it is looked for by its
// key, later than any lag of the CRM's index. A keyed upsert may simply be repeated. It returns ok if the contact is there.
func (d *attempt) adoptContact(ctx context.Context, session connectors.Session, w wanted, row records.Delivery, done *records.ContactResult) (match, bool, error) {
	creator, ok := session.(connectors.ContactCreator)
	if !ok || d.idempotency() == connectors.KeyedUpsert {
		return match{}, false, nil
	}
	// It stays so until something else is known.
	done.State = records.DeliverySending
	if err := d.waitForLookup(row.SendingSince); err != nil {
		return match{}, false, err
	}
	c, ok, err := creator.FindContactByKey(ctx, row.ID)
	if err != nil || !ok {
		return match{}, false, err
	}
	m := match{Ref: connectors.Ref{Object: orElse(c.Object, connectors.ObjectContact), ID: c.ID}, name: clip(c.Name, 200)}
	return created(done, m, map[string]any{"phone": w.who()}), true, nil
}

// stillThere looks what became of a record that callsync made some time ago: a lead may have been converted to a contact.
func (d *attempt) stillThere(ctx context.Context, session connectors.Session, row records.Delivery, done *records.ContactResult) (match, bool, error) {
	follower, ok := session.(connectors.ContactFollower)
	if !ok {
		return match{}, false, nil
	}
	s := row.Steps[stepParty]
	keep(done, row)
	now, ok, err := follower.FollowContact(ctx, connectors.Ref{Object: orElse(s.Object, connectors.ObjectContact), ID: row.RemoteID})
	if err != nil {
		return match{}, false, err
	}
	if !ok {
		*done = records.ContactResult{WorkspaceID: done.WorkspaceID, DeliveryID: done.DeliveryID, Lease: done.Lease, State: records.DeliveryWaiting}
		return match{}, false, nil
	}
	done.RemoteID, done.Object = now.ID, now.Object
	return match{Ref: now, name: s.Name, why: s.Text}, true, nil
}

// create makes the contact of the number. The row's lease is held.
func (d *attempt) create(ctx context.Context, session connectors.Session, object string, row records.Delivery, done *records.ContactResult) (match, error) {
	info := d.Connectors[d.lane.Connection.Connector].Info()
	if !canCreate(session, info, object) {
		done.State = records.DeliveryWaiting
		return match{why: fmt.Sprintf("callsync cannot create a %s in %s", object, info.Label)}, nil
	}
	fields, version, err := d.contactFields(ctx, object)
	if err != nil {
		return match{}, err
	}
	done.MappingVersion = version
	if d.shadow() {
		return d.wouldCreate(object, fields, done), nil
	}
	if err := d.heldFor(ctx, object, fields, true); err != nil {
		return match{}, err
	}
	if err := d.Store.MarkSending(ctx, d.in.WorkspaceID, row.ID, done.Lease); err != nil {
		return match{}, fmt.Errorf("%w: mark the contact: %w", errStore, err)
	}
	done.State = records.DeliverySending
	w, err := session.(connectors.ContactCreator).CreateContact(ctx, connectors.ContactWrite{Key: row.ID, Object: object, Fields: fields})
	if e := (*connectors.Error)(nil); errors.As(err, &e) {
		switch {
		case e.Class == connectors.Conflict && e.RemoteID != "":
			m := match{Ref: connectors.Ref{Object: object, ID: e.RemoteID}, why: "The CRM had this contact already"}
			done.State, done.RemoteID, done.Object, done.Text, done.ForAll = records.DeliveryDone, m.ID, m.Object, m.why, true
			return m, nil
		case e.NotSent, e.Class != connectors.UnknownOutcome && e.Class != connectors.Unavailable:
			// The CRM answered, and the answer was no, or it was never asked: nothing was made.
			done.State = records.DeliveryWaiting
		}
		d.refusedField(ctx, object, e)
	}
	if err != nil {
		return match{}, err
	}
	if len(fields) == 0 {
		// What was written tells the contacts that callsync made from those it found.
		fields = map[string]any{"phone": row.Key}
	}
	return created(done, match{Ref: connectors.Ref{Object: object, ID: w.RemoteID}, name: clip(d.lane.Call.Call.Customer.Name, 200)}, fields), nil
}

// contactFields are the fields of a contact or lead to create, by the mapping of that object, and its version.
func (d *attempt) contactFields(ctx context.Context, object string) (map[string]any, int, error) {
	version := d.lane.ContactMappingVersion
	if object != connectors.ObjectContact {
		m, err := d.Store.ActiveMapping(ctx, d.in.WorkspaceID, d.in.ConnectionID, object)
		if err != nil && !errors.Is(err, records.ErrNotFound) {
			return nil, 0, fmt.Errorf("%w: read the mapping: %w", errStore, err)
		}
		version = m.Version
	}
	p, version, err := d.program(ctx, object, version)
	if err != nil {
		return nil, 0, err
	}
	if p == nil {
		return map[string]any{}, 0, nil
	}
	r, err := p.Apply(d.mappingInput("", d.ownerID, nil))
	if err != nil {
		return nil, 0, mappingError(err)
	}
	return mappings.Fresh(r.Fields, nil), version, nil
}

// follow asks what became of a contact that the CRM does not find, and has the call and its number go on with the record
// that stands for it now. It returns ok false where it is gone for good, or the CRM cannot tell.
func (d *attempt) follow(ctx context.Context, session connectors.Session, party connectors.Ref) (now connectors.Ref, ok bool, err error) {
	follower, can := session.(connectors.ContactFollower)
	if !can {
		return now, false, nil
	}
	now, ok, err = follower.FollowContact(ctx, party)
	if err != nil || !ok || now == party {
		return now, ok, err
	}
	number := d.who
	if err := d.Store.MoveContact(context.WithoutCancel(ctx), d.in.WorkspaceID, d.in.ConnectionID, number, party.ID, now.Object, now.ID); err != nil {
		return now, false, fmt.Errorf("%w: move the contact: %w", errStore, err)
	}
	d.step(stepParty, records.Step{ID: now.ID, Object: now.Object, Key: number, Text: "Merged or converted in the CRM"})
	return now, true, nil
}

// forgetParty drops a contact that the CRM no longer has; the next attempt looks for the number's contact anew. What a
// person chose is forgotten with it.
func (d *attempt) forgetParty(ctx context.Context, party connectors.Ref, cause error) error {
	d.step(stepParty, records.Step{})
	number := d.who
	if d.lane.Choice == party.ID {
		if err := d.Store.DropChoice(ctx, d.in.WorkspaceID, d.in.ConnectionID, number, party.ID); err != nil {
			return fmt.Errorf("%w: forget the choice: %w", errStore, err)
		}
	}
	row, token, err := d.Store.LeaseContact(ctx, d.in.WorkspaceID, d.in.ConnectionID, number, Lease)
	if err == nil {
		done := records.ContactResult{WorkspaceID: d.in.WorkspaceID, DeliveryID: row.ID, Lease: token,
			State: records.DeliveryWaiting, Text: "The contact is gone from the CRM"}
		if row.RemoteID != party.ID {
			// Another call has found that out before, and has looked for the contact again or is about to.
			keep(&done, row)
		}
		err = d.Store.FinishContact(ctx, done)
	}
	if held := (*records.LeasedError)(nil); err != nil && !errors.As(err, &held) {
		return fmt.Errorf("%w: forget the contact: %w", errStore, err)
	}
	return &connectors.Error{Class: connectors.Unavailable, Err: cause,
		Public: "The contact of this number is gone from the CRM. callsync looks for it again."}
}

// contactGone is what to do after the CRM has refused to make the call because something that it names is not there. If
// that is its contact, the next attempt goes on with the one that stands for it now, or looks anew; else the refusal stays.
func (d *attempt) contactGone(ctx context.Context, session connectors.Session, party connectors.Ref, refusal error) error {
	if _, can := session.(connectors.ContactFollower); !can {
		return refusal
	}
	now, ok, err := d.follow(ctx, session, party)
	switch {
	case err != nil:
		return err
	case !ok:
		return d.forgetParty(ctx, party, refusal)
	case now == party:
		return refusal
	}
	return &connectors.Error{Class: connectors.Unavailable, Err: refusal,
		Public: "The contact was merged or converted in the CRM. callsync goes on with the one that stands for it."}
}

// matched takes back what was noted of a call without a contact, once it has one or shall have none.
func (d *attempt) matched(ctx context.Context, party connectors.Ref) error {
	before := d.lane.Delivery.Steps[stepParty]
	if before.Key == "" || before.ID != "" || party.ID == "" && d.lane.Choice != records.ChoiceNone {
		return nil
	}
	if err := d.Store.ForgetUnmatched(ctx, d.in.WorkspaceID, d.lane.Delivery.ID); err != nil {
		return fmt.Errorf("%w: forget that the call had no contact: %w", errStore, err)
	}
	return nil
}
