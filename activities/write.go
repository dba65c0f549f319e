package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// fields applies the mapping. A connector without fields of its own gets the revision, so that a change is a change.
func (d *attempt) fields(ctx context.Context, session connectors.Session, contactID, ownerID string) (map[string]any, []string, error) {
	p, version, err := d.program(ctx, d.kind(), d.lane.MappingVersion)
	if err != nil {
		return nil, nil, err
	}
	if p == nil && d.kind() != connectors.ObjectCall {
		return nil, nil, &connectors.Error{Class: connectors.Invalid,
			Public: fmt.Sprintf("This connection has no mapping for %s. Add one for the object %q, then retry.", d.plural(), d.kind())}
	}
	if p == nil {
		return map[string]any{"revision": d.lane.Call.Call.Revision}, nil, nil
	}
	d.lane.MappingVersion, d.applied = version, p
	options, warning, err := d.dispositions(ctx, session)
	if err != nil {
		return nil, nil, err
	}
	r, err := p.Apply(d.mappingInput(contactID, ownerID, options))
	if err != nil {
		return nil, nil, mappingError(err)
	}
	var warnings []string
	if warning != "" {
		warnings = append(warnings, warning)
	}
	for _, w := range r.Warnings {
		warnings = append(warnings, w.Target+": "+w.Text)
	}
	return r.Fields, warnings, nil
}

func (d *attempt) mappingInput(contactID, ownerID string, options []mappings.Option) mappings.Input {
	loc, err := time.LoadLocation(d.lane.TimeZone)
	if err != nil {
		loc = time.UTC
	}
	callURL := ""
	if d.kind() == connectors.ObjectCall {
		callURL = d.PublicURL + "/calls/" + d.in.CallID
	}
	in := mappings.Input{
		Message: d.lane.Message, Form: d.lane.Form,
		Call: d.sharedCall(), RecordingURL: d.recordingURL(), OwnNumber: d.lane.OwnNumber, ContactID: contactID, OwnerID: ownerID, Dispositions: options,
		CallURL: callURL, Location: loc, Country: d.lane.DefaultCountry,
	}
	if d.todo != nil {
		in = d.followUpInput(in)
	}
	return in
}

func mappingError(err error) error {
	return &connectors.Error{Class: connectors.Invalid, Err: err,
		Public: "The mapping cannot be applied to this call. Correct the row it names, then retry: " + err.Error()}
}

// write brings the call's record up to date. It reports deleted when the record was deleted by a human.
func (d *attempt) write(ctx context.Context, session connectors.Session, fields map[string]any, party connectors.Ref) (deleted bool, warnings []string, err error) {
	row := d.lane.Delivery
	if d.outcomeOpen() {
		if err := d.adopt(ctx, session); err != nil {
			return false, nil, err
		}
	}
	w := connectors.CallWrite{Key: d.key(), RemoteID: orElse(d.remoteID, row.RemoteID), Call: d.sharedCall()}
	u := d.update(session, w.RemoteID)
	u.Wanted = fields
	if d.applied != nil {
		u.Shapes = d.applied.Shapes()
	}
	decision, deleted, err := d.settle(ctx, session, u, w.RemoteID)
	if err != nil || deleted {
		return deleted, nil, err
	}
	merged := decision.Merged
	w.Fields = decision.Write
	if merged != nil {
		for _, warn := range merged.Warnings {
			warnings = append(warnings, warn.Target+": "+warn.Text)
		}
	}
	// Who asks for a delivery of what has no fields to compare wants it sent again.
	again := d.in.Force && d.lane.MappingVersion == 0
	if w.RemoteID != "" && len(w.Fields) == 0 && !again {
		if merged != nil {
			d.merged = *merged
		}
		return false, warnings, nil
	}
	if again {
		w.Fields = mappings.Fresh(fields, row.Written)
	}
	if err := d.heldFor(ctx, d.kind(), w.Fields, w.RemoteID == ""); err != nil {
		return false, nil, err
	}
	if w.RemoteID == "" {
		w.Links = d.links(party)
	}
	out, err := d.sendMarked(ctx, session, w, func(ctx context.Context) error {
		if err := d.sends(ctx, session, w.Fields, merged, w.RemoteID == ""); err != nil {
			return fmt.Errorf("%w: mark the call: %w", errStore, err)
		}
		if w.RemoteID == "" {
			d.sending, d.sent = true, true
		}
		return nil
	})
	if e := (*connectors.Error)(nil); errors.As(err, &e) {
		switch {
		case e.Made && d.kind() != connectors.ObjectCall && d.idempotency() == connectors.KeyedUpsert:
			// It is there but not tied to its contact yet, which only a create does: the next attempt repeats it.
		case e.Made && e.RemoteID != "":
			d.remoteID, d.sending = e.RemoteID, false
		case e.Class == connectors.NotFound && w.RemoteID != "":
			return true, nil, nil
		case e.Class == connectors.NotFound && party.ID != "":
			d.sending = false
			return false, nil, d.contactGone(ctx, session, party, e)
		case e.Class == connectors.Conflict && e.RemoteID != "" && w.RemoteID == "":
			return false, nil, d.conflict(ctx, session, e)
		case e.NotSent, e.Class != connectors.UnknownOutcome && e.Class != connectors.Unavailable:
			// The CRM answered, and the answer was no, or it was never asked: nothing was made.
			d.sending = false
		}
	}
	if err != nil {
		return false, nil, err
	}
	d.sending = false
	d.remoteID, d.remoteURL = orElse(out.RemoteID, w.RemoteID), out.URL
	d.wrote(session, w.Fields, merged, out)
	for _, ref := range out.Linked {
		d.step(linkStep(ref), records.Step{ID: ref.ID, Object: ref.Object})
	}
	if w.RemoteID == "" && d.idempotency() != connectors.KeyedUpsert {
		// Without a key in the CRM our row is the only one that knows the record: it is committed before anything else.
		if err := d.saveRemote(context.WithoutCancel(ctx)); err != nil {
			return false, nil, fmt.Errorf("%w: save the record's id: %w", errStore, err)
		}
	}
	if len(out.Warnings) > 0 {
		d.askSchema(ctx, d.kind(), readAfterWarning)
	}
	for _, warn := range out.Warnings {
		warnings = append(warnings, warn.Field+": "+warn.Text)
	}
	return false, warnings, nil
}

// saveRemote tries for some seconds: without the id nobody may ever know of the record again.
func (d *attempt) saveRemote(ctx context.Context) error {
	for wait := 200 * time.Millisecond; ; wait *= 2 {
		err := d.Store.SaveRemote(ctx, d.in.WorkspaceID, d.lane.Delivery.ID, d.lane.Lease, d.remoteID, d.remoteURL)
		if err == nil || errors.Is(err, records.ErrLeaseLost) || wait > 5*time.Second {
			return err
		}
		time.Sleep(wait)
	}
}

// conflict is what to do after the CRM has refused a create because it has such a record: go on with it if it is ours,
// made by an earlier attempt. It need not be: any value may have to be unique, and another record may have it.
func (d *attempt) conflict(ctx context.Context, session connectors.Session, e *connectors.Error) error {
	id := e.RemoteID
	if find, ok := d.finder(session); ok {
		ours, found, err := find(ctx, d.key())
		if err != nil {
			return err
		}
		if !found {
			d.sending = false
			return &connectors.Error{Class: connectors.Conflict, Field: e.Field, Err: e,
				Public: fmt.Sprintf("Another record in %s has a value of this call that only one may have there. Look at it, or take the field out of the mapping, then retry.", d.label())}
		}
		id = ours
	}
	d.remoteID, d.sending = id, false
	return &connectors.Error{Class: connectors.Unavailable, RetryAfter: 100 * time.Millisecond, Err: e,
		Public: "The CRM has this record from an earlier attempt. callsync goes on with it."}
}

// adopt settles an earlier create that has no recorded outcome. A keyed upsert may simply be repeated. Where the CRM
// has no key, our record is looked for, later than the CRM's lag; a CRM that cannot even look parks the delivery, for
// nothing is ever sent again blindly, except when a person who was told so asks for it.
func (d *attempt) adopt(ctx context.Context, session connectors.Session) error {
	if d.idempotency() == connectors.KeyedUpsert {
		return d.lookFirst(ctx, session)
	}
	if err := d.waitForLookup(d.lane.Delivery.SendingSince); err != nil {
		return err
	}
	find, ok := d.finder(session)
	if ok {
		id, found, err := find(ctx, d.key())
		if err != nil {
			return err
		}
		if found {
			d.remoteID = id
			return nil
		}
	}
	row := d.lane.Delivery
	told := row.State == records.DeliveryParked && row.Class == string(connectors.UnknownOutcome)
	if sure, can := session.(connectors.SureFinder); can && d.kind() == connectors.ObjectCall && sure.FindsSurely() {
		return nil
	}
	if (!ok || d.idempotency() == connectors.CreateOnly) && !(told && d.in.Force) {
		return &connectors.Error{Class: connectors.UnknownOutcome, Err: errNoLookup,
			Public: fmt.Sprintf("A request to %s got no answer, and %s cannot say whether it made the record.", d.label(), d.label())}
	}
	return nil
}

// lookFirst looks whether an upsert without an answer has made the call's record: then it is updated as any other, which
// keeps what somebody has changed there meanwhile. Where it cannot be looked for, the upsert is repeated.
func (d *attempt) lookFirst(ctx context.Context, session connectors.Session) error {
	find, ok := d.finder(session)
	if _, reads := session.(connectors.CallReader); !ok || !reads || d.kind() != connectors.ObjectCall {
		return nil
	}
	id, found, err := find(ctx, d.key())
	if err == nil && found {
		d.remoteID = id
	}
	return err
}

// idempotency is what the connect test decided, or what this kind of CRM usually can where nobody has tested yet.
func (d *attempt) idempotency() connectors.Idempotency {
	if i := connectors.Idempotency(d.lane.Connection.Idempotency); i != "" {
		return i
	}
	return d.Connectors[d.lane.Connection.Connector].Info().Idempotency
}

// waitForLookup refuses to look for a record before the request that may have made it is over and the CRM's index shows it.
func (d *attempt) waitForLookup(since time.Time) error {
	info := d.Connectors[d.lane.Connection.Connector].Info()
	wait := time.Until(since.Add(info.RequestTimeout + info.LookupLag))
	if wait <= 0 {
		return nil
	}
	return &connectors.Error{Class: connectors.UnknownOutcome, RetryAfter: wait,
		Public: "A request got no answer. callsync looks whether the CRM has the record before it writes again."}
}

func isClass(err error, class connectors.Class) bool {
	e, ok := errors.AsType[*connectors.Error](err)
	return ok && e.Class == class
}

func linkStep(ref connectors.Ref) string { return "link:" + ref.Object + ":" + ref.ID }

// link ties the record to its contact, once: a human who moves it is not overruled. It reports deleted when the record
// was deleted by a human meanwhile.
func (d *attempt) link(ctx context.Context, session connectors.Session, party connectors.Ref) (deleted bool, err error) {
	tie, ok := d.linker(session)
	if !ok || party.ID == "" {
		return false, nil
	}
	for range 3 {
		name := linkStep(party)
		if _, linked := d.lane.Delivery.Steps[name]; linked || d.steps[name].ID != "" {
			return false, nil
		}
		err = tie(ctx, d.remoteIDNow(), party)
		if e := connectors.AsError(err); err != nil && d.kind() != connectors.ObjectCall && (e.Class == connectors.Forbidden || e.Class == connectors.Invalid || e.Class == connectors.Unsupported) {
			// The message or form is there, and somebody who cannot be tied to it is no reason to hold it.
			d.step(name, records.Step{ID: party.ID, Object: party.Object, Text: "Could not be tied to its contact"})
			return false, nil
		}
		if !isClass(err, connectors.NotFound) {
			if err == nil {
				d.step(name, records.Step{ID: party.ID, Object: party.Object})
			}
			return false, err
		}
		// One of the two is gone, and the CRM does not say which.
		if reader, ok := session.(connectors.CallReader); ok && d.kind() == connectors.ObjectCall {
			if _, rerr := reader.ReadCall(ctx, d.remoteIDNow(), nil); isClass(rerr, connectors.NotFound) {
				return true, nil
			}
		}
		now, ok, ferr := d.follow(ctx, session, party)
		switch {
		case ferr != nil:
			return false, ferr
		case !ok:
			return false, d.forgetParty(ctx, party, err)
		case now == party && d.kind() != connectors.ObjectCall:
			return true, nil
		case now == party:
			return false, &connectors.Error{Class: connectors.Unavailable, Err: err,
				Public: "The CRM did not find the call or its contact, though both are there. callsync tries again."}
		}
		party = now
	}
	return false, err
}

func (d *attempt) remoteIDNow() string { return orElse(d.remoteID, d.lane.Delivery.RemoteID) }
