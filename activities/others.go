package activities

import (
	"context"
	"fmt"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// lease takes the lane of the call, message or form that in names.
func (a *Delivery) lease(ctx context.Context, in DeliverInput) (records.Lane, error) {
	if in.Kind == "" {
		return a.Store.LeaseLane(ctx, in.WorkspaceID, in.CallID, in.ConnectionID, Lease)
	}
	return a.Store.LeaseRecord(ctx, in.WorkspaceID, in.Kind, in.CallID, in.ConnectionID, Lease)
}

// kind is the object that the lane delivers: a call, a message or a form.
func (d *attempt) kind() string { return orElse(d.in.Kind, connectors.ObjectCall) }

// plural names what the lane delivers, for people.
func (d *attempt) plural() string {
	switch d.kind() {
	case connectors.ObjectMessage:
		return "text messages"
	case connectors.ObjectForm:
		return "form submissions"
	case connectors.ObjectTask:
		return "tasks"
	case connectors.ObjectTicket:
		return "tickets"
	}
	return "calls"
}

// accepts tells whether a session takes what the lane delivers.
func (d *attempt) accepts(session connectors.Session) bool {
	switch d.kind() {
	case connectors.ObjectMessage:
		_, ok := session.(connectors.MessageLogger)
		return ok
	case connectors.ObjectForm:
		_, ok := session.(connectors.FormWriter)
		return ok
	case connectors.ObjectTask:
		_, ok := session.(connectors.TaskWriter)
		return ok
	case connectors.ObjectTicket:
		_, ok := session.(connectors.TicketWriter)
		return ok
	}
	return true
}

// refuses tells that the connector takes nothing of this kind, whatever its connection is set to. Where that cannot be
// known without a session, it is found out with one.
func (d *attempt) refuses() bool {
	p, ok := d.Connectors[d.lane.Connection.Connector].(connectors.Prototyper)
	return ok && !d.accepts(p.Prototype())
}

// unsupported is the verdict of a lane whose CRM takes nothing of this kind.
func (d *attempt) unsupported() verdict {
	return verdict{outcome: Skipped, class: string(connectors.Unsupported), reason: d.takesNone()}
}

func (d *attempt) takesNone() string {
	return fmt.Sprintf("%s takes no %s from callsync.", d.label(), d.plural())
}

// send writes the record of the lane.
func (d *attempt) send(ctx context.Context, session connectors.Session, w connectors.CallWrite) (connectors.Written, error) {
	record := connectors.RecordWrite{Key: w.Key, RemoteID: w.RemoteID, Fields: w.Fields, Links: w.Links}
	switch d.kind() {
	case connectors.ObjectMessage:
		if logger, ok := session.(connectors.MessageLogger); ok {
			return logger.LogMessage(ctx, record)
		}
	case connectors.ObjectForm:
		if writer, ok := session.(connectors.FormWriter); ok {
			return writer.WriteForm(ctx, record)
		}
	case connectors.ObjectTask:
		if writer, ok := session.(connectors.TaskWriter); ok {
			return writer.WriteTask(ctx, record)
		}
	case connectors.ObjectTicket:
		if writer, ok := session.(connectors.TicketWriter); ok {
			return writer.WriteTicket(ctx, record)
		}
	default:
		return session.WriteCall(ctx, w)
	}
	return connectors.Written{}, &connectors.Error{Class: connectors.Unsupported, NotSent: true, Public: d.takesNone()}
}

// finder is how the CRM is asked for the record of the lane by our key; ok is false where it cannot be.
func (d *attempt) finder(session connectors.Session) (find func(context.Context, string) (string, bool, error), ok bool) {
	if d.kind() == connectors.ObjectCall {
		if f, ok := session.(connectors.CallFinder); ok {
			return f.FindCall, true
		}
		return nil, false
	}
	f, ok := session.(connectors.RecordFinder)
	if !ok {
		return nil, false
	}
	return func(ctx context.Context, key string) (string, bool, error) { return f.FindRecord(ctx, d.kind(), key) }, true
}

// linker ties the record of the lane to a contact that appears later; ok is false where the CRM does that only when the
// record is made.
func (d *attempt) linker(session connectors.Session) (link func(ctx context.Context, id string, to connectors.Ref) error, ok bool) {
	if d.kind() == connectors.ObjectCall {
		if l, ok := session.(connectors.Linker); ok {
			return l.LinkCall, true
		}
		return nil, false
	}
	l, ok := session.(connectors.RecordLinker)
	if !ok || d.kind() != connectors.ObjectMessage && d.kind() != connectors.ObjectForm {
		return nil, false
	}
	return func(ctx context.Context, id string, to connectors.Ref) error {
		return l.LinkRecord(ctx, d.kind(), id, to)
	}, true
}
