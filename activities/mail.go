package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// A customer who is known by a number and an e-mail address has a row for each. The number's leads; the other one is told of
// the contact, so that a form without a number does not make a second one.

// sameText says of the contact of an e-mail address that it is that of the number which came with it.
const sameText = "The contact of the number that came with this e-mail address"

// leased is what follows where a customer's row is another delivery's for now, or cannot be had.
func leased(err error) error {
	if held := (*records.LeasedError)(nil); errors.As(err, &held) {
		return &connectors.Error{Class: connectors.RateLimited, RetryAfter: min(time.Second, max(time.Until(held.Until), 100*time.Millisecond)),
			Public: "Another call of the same number is looking for the contact. This call follows at once.", Err: err}
	}
	return fmt.Errorf("%w: lease the contact: %w", errStore, err)
}

// learnMail has the row of the customer's e-mail address name the contact of the number, unless it names one already.
func (d *attempt) learnMail(ctx context.Context, w wanted, m match) error {
	if w.number == "" || w.email == "" || m.ID == "" {
		return nil
	}
	row, err := d.Store.Contact(ctx, d.in.WorkspaceID, d.in.ConnectionID, w.email)
	if err == nil && row.RemoteID != "" {
		return nil
	}
	if err != nil && !errors.Is(err, records.ErrNotFound) {
		return fmt.Errorf("%w: read the contact: %w", errStore, err)
	}
	row, token, err := d.Store.LeaseContact(ctx, d.in.WorkspaceID, d.in.ConnectionID, w.email, Lease)
	if held := (*records.LeasedError)(nil); errors.As(err, &held) {
		return nil // whoever has it finds the contact by itself, or asks again
	}
	if err != nil {
		return leased(err)
	}
	return d.finishMail(ctx, row, token, m)
}

// finishMail gives the row of an e-mail address back, with the contact of the number if it names none.
func (d *attempt) finishMail(ctx context.Context, row records.Delivery, token string, m match) error {
	done := records.ContactResult{WorkspaceID: d.in.WorkspaceID, DeliveryID: row.ID, Lease: token}
	keep(&done, row)
	if row.RemoteID == "" && m.ID != "" {
		done.State, done.RemoteID, done.Object, done.Name, done.Text, done.ForAll = records.DeliveryDone, m.ID, m.Object, m.name, sameText, true
	}
	err := d.Store.FinishContact(context.WithoutCancel(ctx), done)
	if err != nil && !errors.Is(err, records.ErrLeaseLost) {
		return fmt.Errorf("%w: record the contact: %w", errStore, err)
	}
	return nil
}

// decideBoth is decide for a customer with a number and an e-mail address: it holds the row of the address, too, so that two
// forms of one person, one of them without the number, make one contact. A create by the address that has no recorded
// outcome is looked for first.
func (d *attempt) decideBoth(ctx context.Context, session connectors.Session, matcher connectors.ContactMatcher, w wanted, row records.Delivery, done *records.ContactResult) (match, error) {
	if w.number == "" || w.email == "" {
		return d.decide(ctx, session, matcher, w, row, done)
	}
	mail, token, err := d.Store.LeaseContact(ctx, d.in.WorkspaceID, d.in.ConnectionID, w.email, Lease)
	if err != nil {
		keep(done, row)
		return match{}, leased(err)
	}
	m, err := d.knownByMail(ctx, session, w, mail)
	switch {
	case err != nil:
		keep(done, row)
	case m.ID != "" && row.State != records.DeliverySending:
		done.State, done.RemoteID, done.Object, done.Name, done.Text, done.ForAll = records.DeliveryDone, m.ID, m.Object, m.name, m.why, true
	default:
		m, err = d.decide(ctx, session, matcher, w, row, done)
	}
	return m, errors.Join(err, d.finishMail(ctx, mail, token, m))
}

// knownByMail is the contact that callsync made for the e-mail address, or may have made.
func (d *attempt) knownByMail(ctx context.Context, session connectors.Session, w wanted, mail records.Delivery) (match, error) {
	s := mail.Steps[stepParty]
	switch {
	case mail.State == records.DeliverySending:
		creator, ok := session.(connectors.ContactCreator)
		if !ok {
			return match{}, nil
		}
		if err := d.waitForLookup(mail.SendingSince); err != nil {
			return match{}, err
		}
		c, ok, err := creator.FindContactByKey(ctx, mail.ID)
		if err != nil || !ok {
			return match{}, err
		}
		return match{Ref: connectors.Ref{Object: orElse(c.Object, connectors.ObjectContact), ID: c.ID}, name: clip(c.Name, 200), why: createdText}, nil
	case mail.State == records.DeliveryDone && mail.RemoteID != "" && (made(mail) || s.Text == sameText) && d.lane.Choice == "":
		now, ok, err := d.stillOurs(ctx, session, mail)
		if err != nil || !ok {
			return match{}, err
		}
		return match{Ref: now, name: s.Name, why: "Matched by e-mail address"}, nil
	}
	return match{}, nil
}

// stillOurs is the record that stands for a row's contact by now; not ok where it is gone, or the CRM cannot tell.
func (d *attempt) stillOurs(ctx context.Context, session connectors.Session, row records.Delivery) (now connectors.Ref, ok bool, err error) {
	follower, can := session.(connectors.ContactFollower)
	if !can {
		return now, false, nil
	}
	return follower.FollowContact(ctx, connectors.Ref{Object: orElse(row.Steps[stepParty].Object, connectors.ObjectContact), ID: row.RemoteID})
}

// byNumber is the contact of the number that once came with the e-mail address, where nobody in the CRM has the address.
func (d *attempt) byNumber(ctx context.Context, session connectors.Session, w wanted, row records.Delivery, done *records.ContactResult) (match, bool, error) {
	s := row.Steps[stepParty]
	if w.number != "" || row.RemoteID == "" || s.Text != sameText || d.lane.Choice != "" {
		return match{}, false, nil
	}
	now, ok, err := d.stillOurs(ctx, session, row)
	if err != nil || !ok {
		return match{}, false, err
	}
	keep(done, row)
	done.State, done.RemoteID, done.Object = records.DeliveryDone, now.ID, now.Object
	return match{Ref: now, name: s.Name, why: s.Text}, true, nil
}
