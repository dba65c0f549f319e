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
	// PeekFollowUp reads what LeaseFollowUp reads, takes no lease and closes nothing. Errors: records.ErrNotFound.
	PeekFollowUp(ctx context.Context, workspaceID, id string) (records.FollowUpLane, error)
}

// Preview yields each record of q with what a delivery would give the mapping for it, and what it would know of the record for
// its decision what to send; the update has neither what is wanted nor the rows' shapes, which are the mapping's. Where Now is
// nil the record was not read. A record that is not there is left out. Errors: those of the store, of yield and of ctx; a CRM
// that does not answer is told in the records' notes.
func (p *Previews) Preview(ctx context.Context, q records.PreviewQuery, yield func(records.Previewed, mappings.Input, mappings.Update) error) error {
	asking, cancel := context.WithTimeout(ctx, previewAsking)
	defer cancel()
	v := &preview{Previews: p, q: q, asking: asking, agents: map[string]bool{}}
	for _, id := range q.IDs {
		if err := ctx.Err(); err != nil {
			return err
		}
		d, err := v.peek(ctx, id)
		if errors.Is(err, records.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		facts, in, u, err := v.one(ctx, d)
		if err != nil {
			return err
		}
		if err := yield(facts, in, u); err != nil {
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

// peek is a delivery of the record that is not made. It looks at everything again, as one does that somebody asks for.
func (v *preview) peek(ctx context.Context, id string) (*attempt, error) {
	d := &attempt{Delivery: v.Deliveries,
		in: DeliverInput{Kind: v.q.Kind, WorkspaceID: v.q.WorkspaceID, CallID: id, ConnectionID: v.q.ConnectionID, Force: true}}
	switch v.q.Kind {
	case records.FollowUpTask, records.FollowUpTicket, records.FollowUpDeal:
		lane, err := v.Store.PeekFollowUp(ctx, v.q.WorkspaceID, id)
		if err == nil && (lane.FollowUp.ConnectionID != v.q.ConnectionID || lane.FollowUp.Kind != v.q.Kind) {
			err = records.ErrNotFound
		}
		d.lane, d.todo = lane.Lane, &followUp{FollowUpLane: lane}
		return d, err
	case connectors.ObjectCall:
		d.in.Kind = ""
	}
	lane, err := v.Store.PeekLane(ctx, v.q.WorkspaceID, v.q.Kind, id, v.q.ConnectionID)
	d.lane = lane
	return d, err
}

// one gathers what a delivery of the lane would know.
func (v *preview) one(ctx context.Context, d *attempt) (records.Previewed, mappings.Input, mappings.Update, error) {
	lane := d.lane
	out := records.Previewed{ID: d.in.CallID, Delivery: lane.Delivery}
	made := mappings.Update{Base: records.Base{}}
	note := func(text string) {
		if text != "" {
			out.Notes = append(out.Notes, text)
		}
	}
	if d.todo == nil {
		said, decided, err := d.byRules(ctx)
		if err != nil {
			return out, mappings.Input{}, made, err
		}
		note(d.steps[stepWithheld].Text)
		if decided {
			note("It is not written: " + said.reason)
		}
	}
	owner, err := v.owner(ctx, d, note)
	if err != nil {
		return out, mappings.Input{}, made, err
	}
	d.ownerID = owner
	session := v.open(d)
	if v.q.Object != v.q.Kind {
		// The mapping of a contact is applied when the contact is made.
		row, err := v.contactRow(ctx, d)
		out.Delivery = row
		out.NotRead = "This mapping is applied when the record is made, and not later."
		return out, d.mappingInput("", owner, nil), made, err
	}
	contact, err := v.contact(ctx, d, session, owner)
	if err != nil {
		return out, mappings.Input{}, made, err
	}
	var options []mappings.Option
	if err := v.ask(func() (err error) {
		var warning string
		options, warning, err = d.dispositions(v.asking, session)
		note(warning)
		return err
	}); err != nil {
		return out, mappings.Input{}, made, err
	}
	if v.silent != "" {
		note("What only the CRM knows is missing here: " + v.silent)
	}
	u := d.update(session, lane.Delivery.RemoteID)
	out.Now, out.NotRead, u.Readable, err = v.now(d, session)
	return out, d.mappingInput(contact, owner, options), u, err
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
	find := d.owner
	if d.todo != nil {
		find = d.assignee
	}
	err = v.ask(func() (err error) {
		var warning string
		id, warning, err = find(v.asking, session)
		note(warning)
		return err
	})
	if err == nil && v.silent != "" && session != (offline{}) {
		// The CRM fell silent just now: the tables made by hand still say something.
		id, _, err = find(ctx, offline{})
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
	if d.todo != nil {
		return of(connectors.Ref{Object: d.todo.Party.Object, ID: d.todo.Party.ID}), nil
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

// now reads the record in the CRM. readable tells whether a delivery would read it, too.
func (v *preview) now(d *attempt, session connectors.Session) (now map[string]any, why string, readable bool, err error) {
	id, read := d.lane.Delivery.RemoteID, d.reader(session)
	// A delivery will ask a CRM that is silent now.
	readable = read != nil
	if p, ok := d.Connectors[d.lane.Connection.Connector].(connectors.Prototyper); ok && v.silent != "" {
		readable = d.reader(p.Prototype()) != nil
	}
	switch {
	case d.kind() == records.FollowUpDeal:
		return nil, "A deal is changed once, by what its action says.", false, nil
	case id == "":
		return nil, "It is not in the CRM yet.", readable, nil
	case v.silent != "":
		return nil, v.silent, readable, nil
	case read == nil:
		return nil, "This CRM cannot be asked for what is there.", false, nil
	case v.reads >= v.q.Reads:
		return nil, fmt.Sprintf("A preview reads %d records of the CRM at most.", v.q.Reads), true, nil
	}
	v.reads++
	err = v.ask(func() (err error) {
		now, err = read(v.asking, id, v.q.Read)
		switch {
		case isClass(err, connectors.NotFound):
			why, err = "Somebody deleted it in the CRM.", nil
		case isClass(err, connectors.Unsupported):
			why, readable, err = "This CRM cannot be asked for what is there.", false, nil
		}
		return err
	})
	if err != nil || why != "" || v.silent != "" {
		now, why = nil, orElse(why, v.silent)
	}
	return now, why, readable, err
}

// offline is a session of a CRM that is not asked: it knows no agent by e-mail, and has no lists.
type offline struct{}

func (offline) WriteCall(context.Context, connectors.CallWrite) (connectors.Written, error) {
	return connectors.Written{}, &connectors.Error{Class: connectors.Unsupported, NotSent: true, Public: "A preview writes nothing."}
}

func (offline) FindOwner(context.Context, string) (connectors.Owner, bool, error) {
	return connectors.Owner{}, false, nil
}
