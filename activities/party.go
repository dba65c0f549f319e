package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// stepParty records which contact the call belongs to, and how that was decided. One without an id says that it belongs to
// none so far, and that this has been noted.
const stepParty = "party"

// trustMatch is how long a contact that was found by phone is used for further calls of the number without asking the
// CRM again, and a lead without asking whether it was converted. Contacts that callsync made are theirs until the CRM says
// they are gone.
const trustMatch = 10 * time.Minute

// match is what came of the search for a call's contact.
type match struct {
	// Ref is empty where the call belongs to nobody, and that is right by policy.
	connectors.Ref
	name, why string
	// hold keeps the call here until somebody has answered, several tells what is asked.
	hold, several bool
	// what was looked for, in words.
	what string
}

// party is the contact of the call. One call has one, however many contacts share its number.
func (d *attempt) party(ctx context.Context, session connectors.Session, owner string) (match, error) {
	c := &d.lane.Call.Call
	matcher, ok := session.(connectors.ContactMatcher)
	w := d.wanted(session, owner)
	if !ok || w.who() == "" || d.lane.OwnNumber || c.Direction == call.Internal {
		return match{}, nil
	}
	d.who = w.who()
	if s := d.lane.Delivery.Steps[stepParty]; s.Key == d.who && s.ID != "" {
		return match{Ref: connectors.Ref{Object: s.Object, ID: s.ID}, name: s.Name, why: s.Text}, nil
	}
	m, err := d.seek(ctx, session, matcher, w)
	if err != nil {
		return match{}, err
	}
	m.what = w.what()
	d.step(stepParty, records.Step{ID: m.ID, Object: m.Object, Key: d.who, Name: m.name, Text: m.why})
	return m, nil
}

// wanted is whom to look for.
func (d *attempt) wanted(session connectors.Session, owner string) wanted {
	c := d.lane.Call.Call.Customer
	w := wanted{number: c.Number, extension: extension(c.RawNumber, d.lane.DefaultCountry), country: d.lane.DefaultCountry,
		hint: c.CRMID, owner: owner, policy: d.lane.Connection.Match.WithDefaults()}
	if _, ok := session.(connectors.EmailMatcher); ok {
		w.email = address(c.Email)
	}
	info := d.Connectors[d.lane.Connection.Connector].Info()
	if len(w.policy.Objects) == 0 {
		w.policy.Objects = info.Matches
	}
	if len(w.policy.Objects) == 0 {
		w.policy.Objects = []string{connectors.ObjectContact}
	}
	if creates := (map[string]string{records.MatchCreateContact: connectors.ObjectContact, records.MatchCreateLead: connectors.ObjectLead})[w.policy.OnNone]; creates != "" && !canCreate(session, info, creates) {
		w.policy.OnNone = records.MatchNone
	}
	return w
}

// canCreate tells whether the CRM lets callsync create an object for an unknown number.
func canCreate(session connectors.Session, info connectors.Info, object string) bool {
	_, ok := session.(connectors.ContactCreator)
	return ok && (slices.Contains(info.Creates, object) || len(info.Creates) == 0 && object == connectors.ObjectContact)
}

// seek takes what a person chose for the number, else what is known of it, else asks the CRM.
func (d *attempt) seek(ctx context.Context, session connectors.Session, matcher connectors.ContactMatcher, w wanted) (match, error) {
	if m, ok := d.chosen(); ok {
		return m, nil
	}
	row, err := d.Store.Contact(ctx, d.in.WorkspaceID, d.in.ConnectionID, w.who())
	if err != nil && !errors.Is(err, records.ErrNotFound) {
		return match{}, fmt.Errorf("%w: read the contact: %w", errStore, err)
	}
	if m, ok := d.known(session, row, w); ok {
		return m, d.learnMail(ctx, w, m)
	}
	return d.findOrCreate(ctx, session, matcher, w)
}

// chosen is the contact that a person chose for the number, or none if that is what they chose.
func (d *attempt) chosen() (match, bool) {
	switch d.lane.Choice {
	case "", records.ChoiceCreate:
		return match{}, false
	case records.ChoiceNone:
		return match{why: "Left without a contact, as somebody chose for this number"}, true
	}
	return match{Ref: connectors.Ref{Object: orElse(d.lane.ChoiceObject, connectors.ObjectContact), ID: d.lane.Choice}, name: clip(d.lane.ChoiceName, 200), why: "Chosen for this number by a person"}, true
}

// known is the contact that a number's row names, if it can still be relied upon for this call.
func (d *attempt) known(session connectors.Session, row records.Delivery, w wanted) (match, bool) {
	s := row.Steps[stepParty]
	if row.State != records.DeliveryDone || row.RemoteID == "" {
		return match{}, false
	}
	m := match{Ref: connectors.Ref{Object: orElse(s.Object, connectors.ObjectContact), ID: row.RemoteID}, name: s.Name, why: s.Text}
	fresh := time.Since(row.UpdatedAt) < trustMatch
	if made(row) {
		_, follows := session.(connectors.ContactFollower)
		return m, fresh || !follows || m.Object != connectors.ObjectLead
	}
	// What was decided under other settings is decided again.
	fresh = fresh && row.UpdatedAt.After(d.lane.Connection.UpdatedAt)
	return m, fresh && d.lane.Choice == "" && (s.Key == "" || s.Key == w.key())
}

// made tells whether callsync made the contact of a number's row.
func made(row records.Delivery) bool { return len(row.Written) > 0 }

// findOrCreate looks the number up and makes a contact where the policy says so. It holds the number's lease, so that
// two calls of one new number, at the same moment and in two workers, make one contact.
func (d *attempt) findOrCreate(ctx context.Context, session connectors.Session, matcher connectors.ContactMatcher, w wanted) (match, error) {
	row, token, err := d.Store.LeaseContact(ctx, d.in.WorkspaceID, d.in.ConnectionID, w.who(), Lease)
	if err != nil {
		return match{}, leased(err)
	}
	done := records.ContactResult{WorkspaceID: d.in.WorkspaceID, DeliveryID: row.ID, Lease: token}
	m, ok := d.known(session, row, w)
	if ok {
		keep(&done, row)
	} else {
		m, err = d.decideBoth(ctx, session, matcher, w, row, &done)
	}
	if ferr := d.Store.FinishContact(context.WithoutCancel(ctx), done); ferr != nil && !errors.Is(ferr, records.ErrLeaseLost) {
		return match{}, fmt.Errorf("%w: record the contact: %w", errStore, ferr)
	}
	return m, err
}

// keep has done say what the row says.
func keep(done *records.ContactResult, row records.Delivery) {
	s := row.Steps[stepParty]
	done.State, done.RemoteID, done.Created = row.State, row.RemoteID, made(row)
	done.Object, done.Key, done.Name, done.Text = s.Object, s.Key, s.Name, s.Text
}

// decide asks the CRM and applies the policies; it fills done with what is to be recorded, whether it fails or not.
func (d *attempt) decide(ctx context.Context, session connectors.Session, matcher connectors.ContactMatcher, w wanted, row records.Delivery, done *records.ContactResult) (match, error) {
	done.State = records.DeliveryWaiting
	if row.State == records.DeliverySending {
		m, ok, err := d.adoptContact(ctx, session, w, row, done)
		if ok || err != nil {
			return m, err
		}
	}
	if row.State == records.DeliveryDone && row.RemoteID != "" && made(row) {
		m, ok, err := d.stillThere(ctx, session, row, done)
		if ok || err != nil {
			return m, err
		}
	}
	var all []connectors.Contact
	if d.lane.Choice != records.ChoiceCreate {
		m, several, ok, err := d.find(ctx, session, matcher, w, done)
		if ok || err != nil {
			return m, err
		}
		all = several
	}
	if len(all) == 0 {
		m, ok, err := d.byNumber(ctx, session, w, row, done)
		if ok || err != nil {
			return m, err
		}
	}
	create := d.lane.ChoiceObject
	if d.lane.Choice == "" {
		ask := w.policy.OnMany == records.MatchAsk
		if len(all) == 0 {
			create = createsOnNone[w.policy.OnNone]
			ask = w.policy.OnNone == records.MatchAsk
		}
		if create == "" {
			m, ok, err := d.unmatched(ctx, session, w, all, ask, done)
			if ok || err != nil {
				return m, err
			}
			// Somebody has chosen meanwhile to have one created.
			create = d.lane.ChoiceObject
		}
	}
	return d.create(ctx, session, orElse(create, connectors.ObjectContact), row, done)
}

// createsOnNone are the objects that the policies for an unknown number create.
var createsOnNone = map[string]string{
	records.MatchCreateContact: connectors.ObjectContact, records.MatchCreateLead: connectors.ObjectLead,
}

// find looks the number up. It returns ok with the contact of this call, else those that share the number, if any.
func (d *attempt) find(ctx context.Context, session connectors.Session, matcher connectors.ContactMatcher, w wanted, done *records.ContactResult) (m match, all []connectors.Contact, ok bool, err error) {
	by := "phone number"
	if w.number != "" {
		found, err := matcher.FindContacts(ctx, phoneQuery(w))
		if err != nil {
			return m, nil, false, err
		}
		all = w.matches(found)
	}
	if mails, ok := session.(connectors.EmailMatcher); ok && len(all) == 0 && w.email != "" {
		found, err := mails.FindContactsByEmail(ctx, connectors.EmailQuery{Email: w.email, Objects: w.policy.Objects})
		if err != nil {
			return m, nil, false, err
		}
		all, by = w.mailMatches(found), "e-mail address"
	}
	var c connectors.Contact
	named, err := d.named(ctx, session, w, all)
	switch {
	case err != nil:
		return m, nil, false, err
	case len(all) == 1 && (named.ID == "" || named.Ref == all[0].Ref):
		c, m.why = all[0], "Matched by "+by
		done.ForAll = true
	case named.ID != "":
		// It holds for the calls of which the phone system says so.
		c, m.why, done.Key = named, "Named by the phone system", w.key()
	case len(all) > 1:
		c, m.why, ok = w.choose(all)
		if !ok {
			return m, all, false, nil
		}
		m.why = fmt.Sprintf("%s of %d with this %s", m.why, len(all), w.what())
		done.Key, done.ForAll = w.key(), true
	default:
		return m, nil, false, nil
	}
	m.Ref, m.name = c.Ref, clip(c.Name, 200)
	done.State, done.RemoteID, done.Object, done.Name, done.Text = records.DeliveryDone, m.ID, m.Object, m.name, m.why
	return m, all, true, nil
}

// named is the contact that the phone system names, if it is one of those with the number, or if the phone system is known
// to name contacts of this very CRM and the CRM has it. Else the id may be another CRM's and mean somebody else here.
func (d *attempt) named(ctx context.Context, session connectors.Session, w wanted, all []connectors.Contact) (connectors.Contact, error) {
	if w.hint == "" {
		return connectors.Contact{}, nil
	}
	if i := slices.IndexFunc(all, func(c connectors.Contact) bool { return c.ID == w.hint }); i >= 0 {
		return all[i], nil
	}
	follower, ok := session.(connectors.ContactFollower)
	if !ok || len(all) < 2 && !w.policy.TrustCRMID {
		return connectors.Contact{}, nil
	}
	for _, object := range w.policy.Objects {
		now, ok, err := follower.FollowContact(ctx, connectors.Ref{Object: object, ID: w.hint})
		if err != nil {
			return connectors.Contact{}, err
		}
		if !ok {
			continue
		}
		if i := slices.IndexFunc(all, func(c connectors.Contact) bool { return c.Ref == now }); i >= 0 {
			return all[i], nil
		}
		if w.policy.TrustCRMID {
			return connectors.Contact{Ref: now}, nil
		}
	}
	return connectors.Contact{}, nil
}

// unmatched notes that the call has no contact, and asks people where ask says so. It returns ok with what follows for the
// call; not ok means that somebody has chosen meanwhile to have a contact created.
func (d *attempt) unmatched(ctx context.Context, session connectors.Session, w wanted, all []connectors.Contact, ask bool, done *records.ContactResult) (m match, ok bool, err error) {
	u := records.Unmatched{WorkspaceID: d.in.WorkspaceID, ConnectionID: d.in.ConnectionID, DeliveryID: d.lane.Delivery.ID, Number: w.who(),
		Ask: ask, Kind: records.ReviewNone, Candidates: candidates(all), Total: len(all)}
	m.why = "No contact has this " + w.what()
	done.State = records.DeliveryWaiting
	if len(all) > 0 {
		m.several = true
		u.Kind, m.why = records.ReviewMany, fmt.Sprintf("%d contacts share this %s", len(all), w.what())
	}
	choice, was, err := d.Store.NoteUnmatched(ctx, u)
	if err != nil {
		return m, false, fmt.Errorf("%w: note a call without a contact: %w", errStore, err)
	}
	if was {
		d.lane.Choice, d.lane.ChoiceObject, d.lane.ChoiceName = choice.Choice, choice.Object, choice.Name
		m, ok = d.chosen()
		return m, ok, nil
	}
	if ask {
		_, links := d.linker(session)
		// A record that is in the CRM already stays there; one that could not be tied to its contact later waits.
		m.hold = (w.policy.AskHold || !links) && d.remoteIDNow() == "" && !d.outcomeOpen()
		m.why += "; somebody is asked"
	}
	return m, true, nil
}

// classAsk is the class of lanes that are on hold until somebody has answered whose number it is.
const classAsk = "ask"

// asked is the verdict of a call that waits for an answer.
func asked(m match) verdict {
	reason := "No contact has this " + m.what + ". Say under Reviews what to do, and this call goes out."
	if m.several {
		reason = "Several contacts share this " + m.what + ". Choose one under Reviews, and this call goes out."
	}
	return verdict{outcome: Parked, class: classAsk, reason: reason}
}
