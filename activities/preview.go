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

// Bounds of what one preview may ask of a CRM. Its requests are charged to the connection's budgets as all are.
const (
	previewAsking = 6 * time.Second
	previewAgents = 20
)

// Previews tells what deliveries give to mappings, by the code that deliveries run. It writes nothing: neither here nor in
// the CRM, and it looks for no contact there.
type Previews struct {
	Store PreviewStore
	// Deliveries has what deliveries need. No delivery is made with it.
	Deliveries *Delivery
}

// PreviewStore is what previews need of Postgres.
type PreviewStore interface {
	Store
	// PeekLane reads what LeaseLane and LeaseRecord read, takes no lease and makes no row: where nothing was delivered yet
	// the lane's Delivery is zero. Errors: records.ErrNotFound.
	PeekLane(ctx context.Context, workspaceID, kind, id, connectionID string) (records.Lane, error)
}

// Preview yields each record of q with what a delivery would give the mapping for it. A record that is not there is left
// out. Errors: those of the store, of yield and of ctx; a CRM that does not answer is told in the records' notes.
func (p *Previews) Preview(ctx context.Context, q records.PreviewQuery, yield func(records.Previewed, mappings.Input) error) error {
	asking, cancel := context.WithTimeout(ctx, previewAsking)
	defer cancel()
	v := &preview{Previews: p, q: q, asking: asking, agents: map[string]bool{}}
	for _, id := range q.IDs {
		if err := ctx.Err(); err != nil {
			return err
		}
		lane, err := p.Store.PeekLane(ctx, q.WorkspaceID, q.Kind, id, q.ConnectionID)
		if errors.Is(err, records.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		facts, in, err := v.one(ctx, id, lane)
		if err != nil {
			return err
		}
		if err := yield(facts, in); err != nil {
			return err
		}
	}
	return nil
}

// preview is one run.
type preview struct {
	*Previews
	q records.PreviewQuery
	// asking is the context of requests to the CRM.
	asking context.Context
	// session is nil until the CRM is first asked; silent says in a sentence why it is not asked any more.
	session connectors.Session
	silent  string
	reads   int
	agents  map[string]bool
}

// one gathers what a delivery of the lane would know.
func (v *preview) one(ctx context.Context, id string, lane records.Lane) (records.Previewed, mappings.Input, error) {
	out := records.Previewed{ID: id, Delivery: lane.Delivery}
	kind := v.q.Kind
	if kind == connectors.ObjectCall {
		kind = ""
	}
	d := &attempt{Delivery: v.Deliveries, lane: lane,
		in: DeliverInput{Kind: kind, WorkspaceID: v.q.WorkspaceID, CallID: id, ConnectionID: v.q.ConnectionID}}
	note := func(text string) {
		if text != "" {
			out.Notes = append(out.Notes, text)
		}
	}
	if _, _, err := d.byRules(ctx); err != nil {
		return out, mappings.Input{}, err
	}
	note(d.steps[stepWithheld].Text)
	owner, err := v.owner(ctx, d, note)
	if err != nil {
		return out, mappings.Input{}, err
	}
	d.ownerID = owner
	session := v.open(d)
	if v.q.Object != v.q.Kind {
		// The mapping of a contact is applied when the contact is made.
		row, err := v.contactRow(ctx, d)
		out.Delivery = row
		out.NotRead = "This mapping is applied when the record is made, and not later."
		return out, d.mappingInput("", owner, nil), err
	}
	contact, err := v.contact(ctx, d, session, owner)
	if err != nil {
		return out, mappings.Input{}, err
	}
	var options []mappings.Option
	if err := v.ask(func() (err error) {
		var warning string
		options, warning, err = d.dispositions(v.asking, session)
		note(warning)
		return err
	}); err != nil {
		return out, mappings.Input{}, err
	}
	if v.silent != "" {
		note("What only the CRM knows is missing here: " + v.silent)
	}
	out.Now, out.NotRead, err = v.now(lane.Delivery.RemoteID, session)
	return out, d.mappingInput(contact, owner, options), err
}

// open is the connection's session, or one that knows nothing where the CRM cannot be asked.
func (v *preview) open(d *attempt) connectors.Session {
	if v.silent != "" {
		return offline{}
	}
	if v.session != nil {
		return v.session
	}
	if d.lane.Connection.Status != records.ConnectionActive {
		v.silent = "The connection is not active."
		return offline{}
	}
	session, err := d.session(v.asking, d.lane.Connection)
	if err != nil {
		v.silent = v.sentence(err)
		return offline{}
	}
	v.session = session
	return session
}

// ask runs f, which asks the CRM. A CRM that does not answer is not asked again; the store's errors are returned.
func (v *preview) ask(f func() error) error {
	err := f()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errStore):
		return err
	}
	v.silent = v.sentence(err)
	return nil
}

func (v *preview) sentence(err error) string {
	if v.asking.Err() != nil {
		return "The CRM takes too long to answer."
	}
	return orElse(connectors.AsError(err).Public, "The CRM does not answer.")
}

// owner is the CRM user who would own the record.
func (v *preview) owner(ctx context.Context, d *attempt, note func(string)) (id string, err error) {
	session := v.open(d)
	if agent, ok := owningAgent(d.lane.Call.Call.Agents, d.lane.Connection.Match.WithDefaults().Owner); ok && agent.Email != "" && !v.agents[agent.Email] {
		if len(v.agents) >= previewAgents {
			session = offline{}
			note("The CRM was not asked who this agent is: a preview asks for a few only.")
		} else {
			v.agents[agent.Email] = true
		}
	}
	err = v.ask(func() (err error) {
		var warning string
		id, warning, err = d.owner(v.asking, session)
		note(warning)
		return err
	})
	if err == nil && v.silent != "" && session != (offline{}) {
		// The CRM fell silent just now: the tables made by hand still say something.
		id, _, err = d.owner(ctx, offline{})
	}
	return id, err
}

// contactRow is the row of the customer's number; zero where there is none.
func (v *preview) contactRow(ctx context.Context, d *attempt) (records.Delivery, error) {
	number := d.lane.Call.Call.Customer.Number
	if number == "" {
		return records.Delivery{}, nil
	}
	row, err := v.Store.Contact(ctx, v.q.WorkspaceID, v.q.ConnectionID, number)
	if errors.Is(err, records.ErrNotFound) {
		return records.Delivery{}, nil
	}
	return row, err
}

// contact is the contact that the call is known to belong to; empty where the CRM would have to be searched.
func (v *preview) contact(ctx context.Context, d *attempt, session connectors.Session, owner string) (string, error) {
	of := func(ref connectors.Ref) string {
		if ref.Object == connectors.ObjectContact {
			return ref.ID
		}
		return ""
	}
	number := d.lane.Call.Call.Customer.Number
	if number == "" || d.lane.OwnNumber {
		return "", nil
	}
	if s := d.lane.Delivery.Steps[stepParty]; s.Key == number && s.ID != "" {
		return of(connectors.Ref{Object: s.Object, ID: s.ID}), nil
	}
	if m, ok := d.chosen(); ok {
		return of(m.Ref), nil
	}
	row, err := v.contactRow(ctx, d)
	if err != nil || row.ID == "" {
		return "", err
	}
	if m, ok := d.known(session, row, d.wanted(session, owner)); ok {
		return of(m.Ref), nil
	}
	return "", nil
}

// now reads the record in the CRM.
func (v *preview) now(remoteID string, session connectors.Session) (map[string]any, string, error) {
	reader, ok := session.(connectors.CallReader)
	switch {
	case remoteID == "":
		return nil, "It is not in the CRM yet.", nil
	case v.silent != "":
		return nil, v.silent, nil
	case !ok || v.q.Kind != connectors.ObjectCall:
		return nil, "This CRM cannot be asked for what is there.", nil
	case v.reads >= v.q.Reads:
		return nil, fmt.Sprintf("A preview reads %d records of the CRM at most.", v.q.Reads), nil
	}
	v.reads++
	var now map[string]any
	gone := false
	err := v.ask(func() (err error) {
		now, err = reader.ReadCall(v.asking, remoteID, v.q.Read)
		gone = isClass(err, connectors.NotFound)
		if gone {
			return nil
		}
		return err
	})
	switch {
	case err != nil:
		return nil, "", err
	case gone:
		return nil, "Somebody deleted it in the CRM.", nil
	case v.silent != "":
		return nil, v.silent, nil
	}
	return now, "", nil
}

// offline is a session of a CRM that is not asked: it knows no agent by e-mail, and has no lists.
type offline struct{}

func (offline) WriteCall(context.Context, connectors.CallWrite) (connectors.Written, error) {
	return connectors.Written{}, &connectors.Error{Class: connectors.Unsupported, NotSent: true, Public: "A preview writes nothing."}
}

func (offline) FindOwner(context.Context, string) (connectors.Owner, bool, error) {
	return connectors.Owner{}, false, nil
}
