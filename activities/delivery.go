package activities

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/callsync/callsync/activities/batches"
	"github.com/callsync/callsync/activities/budget"
	"github.com/callsync/callsync/activities/grants"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// Delivery holds the activities that deliver calls, messages and forms. Its fields are set once, before the worker starts.
type Delivery struct {
	Store      Store
	Connectors connectors.Registry
	// Transport carries the requests of a connection.
	Transport func(records.Connection) http.RoundTripper
	// Budgets, if set, keep deliveries within the limits of the CRMs. Transport must charge to the same.
	Budgets *budget.Budgets
	// Grants, if set, has the access tokens of connections that were made by OAuth.
	Grants *grants.Grants
	// Schemas, if set, knows which writes the CRM would refuse because its fields have changed.
	Schemas SchemaHolds
	// PublicURL is where people reach callsync; links to calls begin with it.
	PublicURL string
	Log       *slog.Logger
	// Recordings, if set, has recordings copied that are to be uploaded, and Files reads the copies.
	Recordings RecordingStore
	Files      RecordingFiles
	// Batch is how many calls of backfill share one request to a CRM that takes several; below 2 each is sent by itself.
	Batch int
	// BulkPlaces, if set, is how many deliveries of backfill work at once for each kind of CRM, those that wait for a shared
	// request left out.
	BulkPlaces int
	// Observe, if set, is told of every attempt's connector, outcome, class and duration, for metrics.
	Observe func(connector, outcome, class string, took time.Duration)

	open   opened
	seen   sights
	bulk   places
	reads  batches.Gatherer[readAsk, map[string]any]
	writes batches.Gatherer[connectors.CallWrite, connectors.Written]
}

// Deliver brings one lane of a call up to date: it loads the call, finds the contact and the owner, applies the mapping,
// compares with what was written before, writes the difference and records it. It may run any number of times, and be
// killed anywhere: every step is repeatable or recorded. It returns an error only for what Temporal shall try again.
func (a *Delivery) Deliver(ctx context.Context, in DeliverInput) (DeliverResult, error) {
	began := time.Now()
	lane, err := a.lease(ctx, in)
	if held := (*records.LeasedError)(nil); errors.As(err, &held) {
		return DeliverResult{}, retryError(connectors.Conflict, min(max(time.Until(held.Until), 100*time.Millisecond), Lease))
	}
	if errors.Is(err, records.ErrNotFound) {
		return DeliverResult{Outcome: Skipped, Revision: in.Revision}, nil
	}
	if err != nil {
		return DeliverResult{}, a.storeFailed(ctx, in, "lease", err)
	}
	d := &attempt{Delivery: a, in: in, lane: lane, began: began}
	return d.conclude(ctx)
}

// conclude runs the attempt and records how it ended.
func (d *attempt) conclude(ctx context.Context) (DeliverResult, error) {
	ctx, stop := d.keepAlive(ctx)
	defer stop()
	result, err := d.guarded(ctx)
	if err == nil {
		return d.finish(ctx, result)
	}
	if errors.Is(err, errStore) {
		return DeliverResult{}, d.storeFailed(ctx, d.in, "deliver", err)
	}
	if cause := context.Cause(ctx); errors.Is(cause, records.ErrLeaseLost) || errors.Is(cause, errTooLong) {
		return DeliverResult{}, retryError(connectors.Conflict, Lease)
	} else if ctx.Err() != nil {
		// The worker stops, or Temporal took the attempt away: what was sent is found again by the next one.
		return DeliverResult{}, ctx.Err()
	}
	return d.fail(ctx, err)
}

func (a *Delivery) storeFailed(ctx context.Context, in DeliverInput, doing string, err error) error {
	if errors.Is(err, records.ErrLeaseLost) || errors.Is(err, records.ErrConnectionActive) {
		// Not the store's fault: another attempt has the lane, or the connection was resumed while it was put on hold.
		return retryError(connectors.Conflict, Lease)
	}
	if errors.Is(err, records.ErrNotFound) {
		// Its connection, or the call itself, was removed while it was delivered. The next attempt finds nothing to do.
		a.Log.Info("what is delivered is there no more", "doing", doing, "workspace", in.WorkspaceID, "call", in.CallID, "connection", in.ConnectionID)
		return retryError(connectors.Conflict, firstDelay)
	}
	a.Log.Error("store failed", "doing", doing, "workspace", in.WorkspaceID, "call", in.CallID, "connection", in.ConnectionID, "error", err)
	number, _ := tries(ctx)
	return storeError(number)
}

// attempt is one try of one lane.
type attempt struct {
	*Delivery
	in    DeliverInput
	lane  records.Lane
	began time.Time
	// todo is the follow-up that is delivered; nil for calls, messages and forms.
	todo *followUp

	// steps are those that this attempt has added.
	steps map[string]records.Step
	// remoteID and remoteURL are set as soon as the record is known, so that a failure after the write keeps them.
	remoteID, remoteURL string
	// sending tells that a create is on its way whose outcome is not recorded, sent that one was sent at all.
	sending, sent bool
	// written is what was written where that is not the outcome of a merge.
	written map[string]any
	// applied is the mapping that made the fields, merged what was written and kept of them.
	applied *mappings.Program
	merged  mappings.Merged
	// version is that of the connection's settings with which the session was opened.
	version time.Time
	// would is the contact that shadow mode has not made, shadowed what it has to show.
	would    *creation
	shadowed *records.Shadow
	// who is the number, else the e-mail address, by which the contact was looked for.
	who string
	// ownerID is the CRM user who shall own what is made.
	ownerID string
	// limit ends an attempt that takes longer than WriteTimeout.
	limit *time.Timer
	// place is that among the deliveries of backfill, where it has one.
	place chan struct{}
}

// keepAlive heartbeats and renews the lease while the attempt lasts, and cancels it when the lease is lost.
func (d *attempt) keepAlive(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	d.limit = time.AfterFunc(WriteTimeout, func() { cancel(errTooLong) })
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer d.limit.Stop()
		tick := time.NewTicker(HeartbeatEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if activity.IsActivity(parent) {
				activity.RecordHeartbeat(parent)
			}
			// A store that hangs must not keep the heartbeats back.
			renewing, done := context.WithTimeout(ctx, HeartbeatEvery)
			err := d.Store.RenewLease(renewing, d.in.WorkspaceID, d.lane.Delivery.ID, d.lane.Lease, Lease)
			done()
			if errors.Is(err, records.ErrLeaseLost) {
				cancel(records.ErrLeaseLost)
				return
			}
		}
	}()
	return ctx, func() { cancel(nil); <-done }
}

// verdict is how an attempt that did not fail ended.
type verdict struct {
	outcome  Outcome
	class    string
	reason   string
	warnings []string
}

// guarded is run; a panic of a connector or a mapping becomes a failure like others. Its text may quote the payload, so it
// is not kept, and must not reach Temporal.
func (d *attempt) guarded(ctx context.Context) (v verdict, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &connectors.Error{Class: connectors.Unavailable, Err: fmt.Errorf("the delivery panicked with a %T\n%s", p, debug.Stack()),
				Public: "callsync failed while it delivered this call. It tries again; if this stays, tell the operator."}
		}
	}()
	return d.run(ctx)
}

// run decides and does what the lane needs. An error is a *connectors.Error or wraps errStore.
func (d *attempt) run(ctx context.Context) (verdict, error) {
	if d.todo != nil {
		return d.runFollowUp(ctx)
	}
	row, conn, revision := d.lane.Delivery, d.lane.Connection, d.revision()
	if row.Revision < revision || d.in.Force {
		d.sight(ctx)
	}
	switch {
	case d.lane.Deleted:
		return verdict{outcome: Skipped, class: "connection_deleted", reason: "The connection was deleted."}, nil
	case row.Revision >= revision && !d.in.Force && (row.State == records.DeliveryDone || row.State == records.DeliveryParked || row.State == records.DeliverySkipped):
		return verdict{outcome: Unchanged}, nil
	case d.lane.Call.Call.TestOnly():
		return verdict{outcome: Skipped, class: classTest, reason: "Test call: not delivered"}, nil
	case d.refuses():
		return d.unsupported(), nil
	}
	if v, decided, err := d.byRules(ctx); decided || err != nil {
		return v, err
	}
	switch {
	case conn.Status == records.ConnectionPaused:
		return verdict{outcome: Parked, class: classPaused, reason: orElse(conn.StatusReason, "The connection is paused. Resume it, and this call goes out.")}, nil
	case conn.Status == records.ConnectionRevoked:
		return verdict{outcome: Parked, class: string(connectors.Revoked), reason: orElse(conn.StatusReason, "The CRM no longer accepts our access. Connect again, and this call goes out.")}, nil
	case row.State == records.DeliverySkipped && row.Class == classDeleted:
		return verdict{outcome: Skipped, class: row.Class, reason: row.Reason}, nil
	}
	if err := d.heldEarly(ctx); err != nil {
		return verdict{}, err
	}
	return d.admitted(ctx)
}

// deliver brings the record up to date: the attempt has had its turn.
func (d *attempt) deliver(ctx context.Context) (verdict, error) {
	if d.todo != nil {
		return d.deliverFollowUp(ctx)
	}
	session, err := d.session(ctx, d.lane.Connection)
	if err != nil {
		return verdict{}, err
	}
	if !d.accepts(session) {
		return d.unsupported(), nil
	}
	owner, warning, err := d.owner(ctx, session)
	if err != nil {
		return verdict{}, err
	}
	d.ownerID = owner
	party, err := d.party(ctx, session, owner)
	if err != nil {
		return verdict{}, err
	}
	if party.hold && !d.shadow() {
		return asked(party), nil
	}
	contactID := ""
	if party.Object == connectors.ObjectContact {
		contactID = party.ID
	}
	fields, warnings, err := d.fields(ctx, session, contactID, owner)
	if err != nil {
		return verdict{}, err
	}
	if warning != "" {
		warnings = append(warnings, warning)
	}
	if d.shadow() {
		return d.shown(ctx, fields, party, warnings)
	}
	deleted, more, err := d.write(ctx, session, fields, party.Ref)
	if err == nil && !deleted {
		deleted, err = d.link(ctx, session, party.Ref)
	}
	if err == nil {
		err = d.matched(ctx, party.Ref)
	}
	var said, acted []string
	if err == nil && !deleted {
		deleted, said, err = d.transcribe(ctx, session)
		more = append(more, said...)
	}
	if err == nil && !deleted {
		acted, err = d.act(ctx)
	}
	if err == nil && !deleted {
		uploaded, uerr := d.uploadRecordings(ctx, session, party.Ref)
		acted, err = append(acted, uploaded...), uerr
	}
	if err != nil {
		return verdict{}, err
	}
	if deleted {
		return verdict{outcome: Skipped, class: classDeleted,
			reason: fmt.Sprintf("Somebody deleted the record in %s. callsync does not make it again.", d.label())}, nil
	}
	return verdict{outcome: Done, warnings: append(append(warnings, more...), acted...)}, nil
}

// Classes of lanes beside those of errors: their record was deleted in the CRM by a human; their connection is paused;
// their call is a test that no CRM shall get.
const (
	classDeleted = "deleted"
	classPaused  = "paused"
	classTest    = "test"
)

// outcomeOpen tells that a create was sent whose outcome is not known: by this attempt, or by an earlier one that this one has
// not repeated.
func (d *attempt) outcomeOpen() bool {
	return d.sending || !d.sent && d.remoteIDNow() == "" && !d.lane.Delivery.SendingSince.IsZero()
}

// key is the record's key: that of the call, or of the one from which its delivery was taken over.
func (d *attempt) key() string {
	return orElse(d.lane.Delivery.Steps[records.StepAdopted].ID, d.in.CallID)
}

func (d *attempt) label() string {
	if c, ok := d.Connectors[d.lane.Connection.Connector]; ok {
		return c.Info().Label
	}
	return d.lane.Connection.Connector
}

// finish records a verdict and gives the lease back.
func (d *attempt) finish(ctx context.Context, v verdict) (DeliverResult, error) {
	r := d.result()
	r.Revision = d.revision()
	r.Class, r.Reason, r.Outcome = v.class, v.reason, string(v.outcome)
	r.Warnings = v.warnings
	switch v.outcome {
	case Done:
		r.State = records.DeliveryDone
		r.MappingVersion = d.lane.MappingVersion
	case Unchanged:
		// The row says it already, parked and skipped included.
		row := d.lane.Delivery
		r.State, r.Class, r.Reason, r.Field, r.Detail, r.Warnings = row.State, row.Class, row.Reason, row.Field, row.Detail, row.Warnings
		r.MappingVersion, r.Revision = row.MappingVersion, row.Revision
	case Skipped:
		r.State = records.DeliverySkipped
	case Parked:
		r.State = records.DeliveryParked
	}
	if err := d.Store.FinishLane(ctx, r); err != nil {
		return DeliverResult{}, d.storeFailed(ctx, d.in, "finish", err)
	}
	d.observe(string(v.outcome), v.class)
	return DeliverResult{Outcome: v.outcome, Revision: r.Revision}, nil
}

// fail records a failed attempt: parked where only a person can help or time is up, else to be tried again.
func (d *attempt) fail(ctx context.Context, err error) (DeliverResult, error) {
	e := connectors.AsError(err)
	d.refusedField(ctx, d.kind(), e)
	r := d.result()
	r.Class, r.Field, r.Reason, r.Detail = string(e.Class), e.Field, e.Public, err.Error()
	if e.Class == connectors.Unauthorized || e.Class == connectors.Revoked {
		// A static token has nothing to refresh: nobody's call gets through until a person connects again.
		reason := orElse(e.Public, d.label()+" no longer accepts our access token. Enter a new one and resume the connection.")
		revoked, rerr := d.Store.RevokeConnection(ctx, d.in.WorkspaceID, d.in.ConnectionID, d.version, reason)
		if rerr != nil {
			return DeliverResult{}, d.storeFailed(ctx, d.in, "revoke", rerr)
		}
		if revoked {
			e = &connectors.Error{Class: connectors.Revoked, Public: e.Public}
		} else {
			// The settings were changed meanwhile, or another call has found out already: the next attempt sees.
			e = &connectors.Error{Class: connectors.Unavailable, RetryAfter: time.Second, Public: e.Public}
		}
		r.Class = string(e.Class)
	}
	number, since := tries(ctx)
	retryable := e.Class.Retryable() && !errors.Is(err, errNoLookup)
	if retryable && since < DeliverGiveUp {
		delay := retryDelay(e, number)
		r.Outcome, r.RetryAt = "retry", time.Now().Add(delay)
		r.State = records.DeliveryWaiting
		if r.Open {
			r.State = records.DeliverySending
		}
		if err := d.Store.FinishLane(ctx, r); err != nil {
			return DeliverResult{}, d.storeFailed(ctx, d.in, "record a failure", err)
		}
		d.observe("retry", r.Class)
		return DeliverResult{}, retryError(e.Class, delay)
	}
	if retryable {
		r.Reason = fmt.Sprintf("callsync tried for three days, then stopped. The last answer: %s", orElse(e.Public, "none"))
	}
	r.State, r.Outcome, r.Revision = records.DeliveryParked, string(Parked), d.revision()
	if err := d.Store.FinishLane(ctx, r); err != nil {
		return DeliverResult{}, d.storeFailed(ctx, d.in, "park", err)
	}
	d.observe(string(Parked), r.Class)
	return DeliverResult{Outcome: Parked, Revision: r.Revision}, nil
}

// result is what every end of the attempt records.
func (d *attempt) result() records.LaneResult {
	r := records.LaneResult{
		Kind: d.in.Kind, WorkspaceID: d.in.WorkspaceID, DeliveryID: d.lane.Delivery.ID, CallID: d.in.CallID, Lease: d.lane.Lease,
		RemoteID: orElse(d.remoteID, d.lane.Delivery.RemoteID), RemoteURL: orElse(d.remoteURL, d.lane.Delivery.RemoteURL),
		MappingVersion: d.lane.Delivery.MappingVersion, Open: d.outcomeOpen(),
		Shadow: d.shadowed, Steps: d.steps, Duration: time.Since(d.began), FollowUp: d.followUpEnd(),
	}
	d.keepFields(&r)
	return r
}

// tries is which attempt of Temporal's this is, and for how long it has been going on.
func tries(ctx context.Context) (int32, time.Duration) {
	if !activity.IsActivity(ctx) {
		return 1, 0
	}
	info := activity.GetInfo(ctx)
	return info.Attempt, time.Since(info.ScheduledTime)
}

func (d *attempt) step(name string, s records.Step) {
	if d.steps == nil {
		d.steps = map[string]records.Step{}
	}
	s.At = time.Now().UTC()
	d.steps[name] = s
}

func (d *attempt) observe(outcome, class string) {
	if d.Observe != nil {
		d.Observe(d.lane.Connection.Connector, outcome, class, time.Since(d.began))
	}
}

func orElse(s, other string) string {
	if s != "" {
		return s
	}
	return other
}
