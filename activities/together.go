package activities

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/callsync/callsync/activities/batches"
	"github.com/callsync/callsync/activities/budget"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// How long requests of backfill wait for company. New calls and reads come as fast as they are told; changes come together,
// for their reads came back together, and wait less, so that nobody edits a record between its read and its write.
const (
	gatherQuiet  = 300 * time.Millisecond
	gatherMost   = 2 * time.Second
	changesQuiet = 100 * time.Millisecond
	changesMost  = 500 * time.Millisecond
	// turnPatience is how long a shared request waits for a place among the connection's requests.
	turnPatience = 3 * time.Second
)

// readAsk is what a delivery wants to know of a call's record.
type readAsk struct {
	id     string
	fields []string
}

// read reads fields of the lane's record, in backfill together with other deliveries.
func (d *attempt) read(ctx context.Context, session connectors.Session, id string, fields []string) (map[string]any, error) {
	reader, ok := session.(connectors.BatchReader)
	if !ok || !d.shares() {
		return d.reader(session)(ctx, id, fields)
	}
	line := gathering[readAsk, map[string]any](d, "read", reader.MaxBatch())
	line.Quiet, line.Most, line.Reads = gatherQuiet, gatherMost, true
	line.Send = func(ctx context.Context, asks []readAsk) []batches.Outcome[map[string]any] {
		ids := make([]string, len(asks))
		var all []string
		for i, a := range asks {
			ids[i] = a.id
			for _, f := range a.fields {
				if !slices.Contains(all, f) {
					all = append(all, f)
				}
			}
		}
		outs := make([]batches.Outcome[map[string]any], 0, len(asks))
		for _, o := range reader.ReadCalls(ctx, ids, all) {
			outs = append(outs, batches.Outcome[map[string]any]{Value: o.Fields, Err: o.Err})
		}
		return outs
	}
	defer d.waits(ctx)()
	return d.reads.Do(ctx, line, []string{d.in.ConnectionID + "\x00read\x00" + id}, func(context.Context) (readAsk, error) { return readAsk{id, fields}, nil })
}

// sendMarked writes the record of the lane. mark commits what is about to be sent, right before it is.
func (d *attempt) sendMarked(ctx context.Context, session connectors.Session, w connectors.CallWrite, mark func(context.Context) error) (connectors.Written, error) {
	writer, ok := session.(connectors.BatchWriter)
	if !ok || !d.sharesWrite(session, w) {
		if err := mark(ctx); err != nil {
			return connectors.Written{}, err
		}
		return d.send(ctx, session, w)
	}
	what, quiet, most := "create", gatherQuiet, gatherMost
	ids := []string{d.in.ConnectionID + "\x00key\x00" + w.Key}
	if w.RemoteID != "" {
		what, quiet, most = "update", changesQuiet, changesMost
		ids = append(ids, d.in.ConnectionID+"\x00id\x00"+w.RemoteID)
	}
	line := gathering[connectors.CallWrite, connectors.Written](d, what, writer.MaxBatch())
	line.Quiet, line.Most = quiet, most
	line.Send = func(ctx context.Context, ws []connectors.CallWrite) []batches.Outcome[connectors.Written] {
		outs := make([]batches.Outcome[connectors.Written], 0, len(ws))
		for _, o := range writer.WriteCalls(ctx, ws) {
			if o.Err == nil && o.Written.RemoteID == "" {
				o.Err = connectors.Unreadable(d.label(), "a batch of calls", false)
			}
			outs = append(outs, batches.Outcome[connectors.Written]{Value: o.Written, Err: o.Err})
		}
		return outs
	}
	defer d.waits(ctx)()
	return d.writes.Do(ctx, line, ids, func(ctx context.Context) (connectors.CallWrite, error) { return w, mark(ctx) })
}

// shares tells whether the attempt may wait for others: backfill of calls does, live calls never. One that has failed for no
// reason of its own goes by itself, so that a call that upsets the CRM holds no others up for good.
func (d *attempt) shares() bool {
	class := connectors.Class(d.lane.Delivery.Class)
	return d.in.Bulk && d.Batch > 1 && d.todo == nil && d.kind() == connectors.ObjectCall && !d.outcomeOpen() &&
		class != connectors.Unavailable && class != connectors.UnknownOutcome
}

// sharesWrite tells whether a write may be one of a batch. A new record only where the CRM knows our key, for then repeating it
// makes no second one; a change only where the CRM takes several in one request.
func (d *attempt) sharesWrite(session connectors.Session, w connectors.CallWrite) bool {
	if !d.shares() {
		return false
	}
	if w.RemoteID == "" {
		return d.idempotency() == connectors.KeyedUpsert
	}
	_, ok := session.(connectors.BatchReader)
	return ok
}

// waits gives back what other deliveries can use while the attempt waits for company; the result ends that.
func (d *attempt) waits(ctx context.Context) func() {
	d.givePlace()
	if d.Budgets != nil {
		if err := budget.Yield(ctx); err != nil {
			d.Log.Warn("a budget could not be settled", "connection", d.in.ConnectionID, "error", err)
		}
	}
	return func() {
		// What was sent was sent: whose ctx has ended goes on without a place.
		_ = d.takePlace(ctx)
	}
}

// gathering is the line of one kind of request of the attempt's connection.
func gathering[T, R any](d *attempt, what string, most int) batches.Line[T, R] {
	a, conn, info := d.Delivery, d.lane.Connection, d.Connectors[d.lane.Connection.Connector].Info()
	return batches.Line[T, R]{
		Key: d.in.ConnectionID + " " + d.version.Format(time.RFC3339Nano) + " " + what,
		Max: min(most, d.Batch), Timeout: info.RequestTimeout,
		Start: func(ctx context.Context) (context.Context, func(), error) { return a.turn(ctx, info, conn) },
	}
}

// turn waits for the turn of a request that several deliveries share.
func (a *Delivery) turn(ctx context.Context, info connectors.Info, conn records.Connection) (context.Context, func(), error) {
	if a.Budgets == nil {
		return ctx, func() {}, nil
	}
	holder, until := uuid.NewString(), time.Now().Add(turnPatience)
	for {
		pass, err := a.Budgets.Admit(ctx, info, conn, holder, budget.Together)
		if err == nil {
			return pass.With(ctx), func() {
				if err := pass.Done(ctx); err != nil {
					a.Log.Warn("a budget could not be settled", "connection", conn.ID, "error", err)
				}
			}, nil
		}
		e := connectors.AsError(err)
		if e.Class != connectors.RateLimited || time.Now().Add(e.RetryAfter).After(until) {
			if _, ok := err.(*connectors.Error); !ok {
				err = &connectors.Error{Class: connectors.Unavailable, NotSent: true, RetryAfter: time.Second, Err: err, Public: "callsync could not see to the CRM's limits. It tries again."}
			}
			return nil, nil, err
		}
		select {
		case <-time.After(e.RetryAfter):
		case <-ctx.Done():
			return nil, nil, &connectors.Error{Class: connectors.Unavailable, NotSent: true, Err: ctx.Err(), Public: "callsync tries again."}
		}
	}
}
