package activities_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/postgres"
	"github.com/callsync/callsync/records"
)

// fieldedCRM is a crm whose fields people change: it refuses what is not there.
type fieldedCRM struct {
	*crm
	mu       sync.Mutex
	fields   map[string]connectors.SchemaField // by object and name: "call.note"
	away     error
	outcomes []connectors.DispositionOption
}

func (c *fieldedCRM) Open(connectors.Settings) (connectors.Session, error) { return c, nil }
func (c *fieldedCRM) Prototype() connectors.Session                        { return c }

func (c *fieldedCRM) Dispositions(context.Context) ([]connectors.DispositionOption, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.outcomes), nil
}

func (c *fieldedCRM) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

func (c *fieldedCRM) Describe(_ context.Context, object string) (connectors.Schema, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away != nil {
		return connectors.Schema{}, c.away
	}
	out := connectors.Schema{Object: object}
	for _, f := range c.fields {
		if c.fields[object+"."+f.Name].Name == f.Name {
			out.Fields = append(out.Fields, f)
		}
	}
	return out, nil
}

func (c *fieldedCRM) refuse(object string, fields map[string]any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, v := range fields {
		f, ok := c.fields[object+"."+name]
		has := func(o connectors.DispositionOption) bool { return o.ID == v }
		if !ok || len(f.Options) > 0 && !slices.ContainsFunc(f.Options, has) {
			return &connectors.Error{Class: connectors.Invalid, Field: name, Public: "Ledger refused " + name + "."}
		}
	}
	for _, f := range c.fields {
		if _, ok := fields[f.Name]; f.Required && !ok && c.fields[object+"."+f.Name].Required {
			return &connectors.Error{Class: connectors.Invalid, Field: f.Name, Public: "Ledger wants " + f.Name + "."}
		}
	}
	return nil
}

func (c *fieldedCRM) WriteCall(ctx context.Context, w connectors.CallWrite) (connectors.Written, error) {
	fields := w.Fields
	if w.RemoteID != "" {
		fields = map[string]any{}
		for name, v := range w.Fields {
			if v != nil {
				fields[name] = v
			}
		}
	}
	if err := c.refuse("call", fields); err != nil && w.RemoteID == "" {
		return connectors.Written{}, err
	}
	return c.crm.WriteCall(ctx, w)
}

func (c *fieldedCRM) CreateContact(ctx context.Context, w connectors.ContactWrite) (connectors.Written, error) {
	if err := c.refuse("contact", w.Fields); err != nil {
		return connectors.Written{}, err
	}
	return c.crm.CreateContact(ctx, w)
}

// drifting is a world with a CRM whose fields change, and the watch over them.
type drifting struct {
	*world
	crm     *fieldedCRM
	schemas *activities.Schemas
	store   *postgres.DB
}

const driftingCall = `format: 1
object: call
fields:
  - {target: subject, value: {template: "Call of {{ customer.name }}"}}
  - {target: note, value: {field: note}}
  - {target: result, type: picklist, value: {lookup: {key: status, table: {answered: TALKED, missed: MISSED}}}}
`

func newDrifting(t *testing.T) *drifting {
	t.Helper()
	c := &fieldedCRM{crm: newCRM(connectors.KeyedUpsert), fields: map[string]connectors.SchemaField{}}
	add := func(object string, f connectors.SchemaField) { c.fields[object+"."+f.Name] = f }
	add("call", connectors.SchemaField{Name: "subject", Label: "Subject", Type: connectors.TypeText})
	add("call", connectors.SchemaField{Name: "note", Label: "Agent's note", Type: connectors.TypeLongText})
	add("call", connectors.SchemaField{Name: "result", Label: "Result", Type: connectors.TypePicklist,
		Options: []connectors.DispositionOption{{ID: "TALKED", Label: "Talked"}, {ID: "MISSED", Label: "Missed"}}})
	add("contact", connectors.SchemaField{Name: "phone", Label: "Phone", Type: connectors.TypeText})
	add("contact", connectors.SchemaField{Name: "name", Label: "Name", Type: connectors.TypeText})
	c.outcomes = []connectors.DispositionOption{{ID: "o-1", Label: "Sold"}}
	w := newWorld(t, c.crm)
	d := &drifting{world: w, crm: c, store: w.delivery.Store.(*postgres.DB)}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	d.schemas = &activities.Schemas{Store: d.store, Connectors: connectors.NewRegistry(c), Log: log,
		Transport: func(records.Connection) http.RoundTripper { return nil }}
	w.delivery.Connectors, w.delivery.Schemas = d.schemas.Connectors, d.store
	d.mapping("call", driftingCall)
	require.Equal(t, 2, d.look(), "both objects are read the first time")
	require.Empty(t, d.issues())
	return d
}

func (d *drifting) key(object string) records.SchemaKey {
	return records.SchemaKey{WorkspaceID: d.ws, ConnectionID: d.conn, Object: object}
}

// mapping puts a document in force, as the API does it.
func (d *drifting) mapping(object, document string) {
	d.t.Helper()
	_, err := d.store.AddMappingVersion(d.t.Context(), d.ws, records.MappingVersion{ConnectionID: d.conn, Object: object, Document: document})
	require.NoError(d.t, err)
	require.NoError(d.t, d.schemas.Compare(d.t.Context(), d.key(object)))
}

// look reads what is due, as the watch does it, and returns how much that was.
func (d *drifting) look() int {
	d.t.Helper()
	keys, err := d.schemas.Due(d.t.Context(), 10)
	require.NoError(d.t, err)
	for _, k := range keys {
		require.NoError(d.t, d.schemas.Refresh(d.t.Context(), k))
	}
	return len(keys)
}

// read reads an object now.
func (d *drifting) read(object string) {
	d.t.Helper()
	_, err := d.schemas.Read(d.t.Context(), d.key(object))
	require.NoError(d.t, err)
}

func (d *drifting) issues() []records.SchemaIssue {
	d.t.Helper()
	all, err := d.store.SchemaIssues(d.t.Context(), d.ws, d.conn, false)
	require.NoError(d.t, err)
	return all
}

// drain delivers what is given back, in order, and returns the calls.
func (d *drifting) drain() []string {
	d.t.Helper()
	var ids []string
	for {
		lanes, err := d.store.ClaimDrained(d.t.Context(), 2, time.Hour)
		require.NoError(d.t, err)
		if len(lanes) == 0 {
			return ids
		}
		for _, l := range lanes {
			ids = append(ids, l.CallID)
			_, err := d.delivery.Deliver(d.t.Context(), activities.DeliverInput{WorkspaceID: l.WorkspaceID, CallID: l.CallID, ConnectionID: l.ConnectionID, Revision: 1, Force: true})
			require.NoError(d.t, err)
		}
	}
}

// noted is a call with a note.
func (d *drifting) noted() call.Call {
	c := d.call("+14155550101")
	c.Note, c.Status = "call back", call.Answered
	d.save(c)
	return c
}

// held tells that a call is on hold for a field, and that the CRM was not asked for it.
func (d *drifting) held(c call.Call, field string) string {
	d.t.Helper()
	var got string
	row := d.row(c)
	require.Equal(d.t, []string{records.DeliveryParked, records.DeliveryDrift}, []string{row.State, row.Class}, row.Reason)
	require.NoError(d.t, d.sql.QueryRow(d.t.Context(), `select field from deliveries where object = 'call' and key = $1`, c.ID).Scan(&got))
	require.Equal(d.t, field, got)
	return row.Reason
}

func TestARenamedFieldHoldsWhatWritesIt(t *testing.T) {
	t.Parallel()
	d := newDrifting(t)
	before := d.noted()
	require.Equal(t, activities.Done, d.settle(before).Outcome)
	d.crm.change(func() {
		delete(d.crm.fields, "call.note")
		d.crm.fields["call.remarks"] = connectors.SchemaField{Name: "remarks", Label: "Agent's note", Type: connectors.TypeLongText}
	})
	d.read("call")
	issues := d.issues()
	require.Len(t, issues, 1, "the warning comes before anything has failed")
	require.Equal(t, []any{"note", "unknown_field", "remarks", true}, []any{issues[0].Field, issues[0].Code, issues[0].Suggestion, issues[0].Blocking})

	writes, searches := len(d.crm.writes), d.crm.searches
	var waiting []string
	for range 3 {
		c := d.noted()
		require.Equal(t, activities.Parked, d.settle(c).Outcome)
		require.Equal(t, "Ledger has no field note (“Agent's note”) any more, which row 2 of the mapping of call fills. It seems to be remarks now: put that into the row."+
			" Then this goes out by itself.", d.held(c, "note"))
		waiting = append(waiting, c.ID)
	}
	require.Equal(t, []int{writes, searches}, []int{len(d.crm.writes), d.crm.searches}, "nothing was sent, nothing was asked")
	without := d.call("+14155550102")
	require.Equal(t, activities.Done, d.settle(without).Outcome, "what does not write the field goes out")
	before.Revision, before.Tags = 2, []string{"x"}
	d.save(before)
	require.Equal(t, activities.Done, d.settle(before).Outcome, "a change of other fields goes out")
	before.Revision, before.Note = 3, "again"
	d.save(before)
	require.Equal(t, activities.Parked, d.settle(before).Outcome)
	require.EqualValues(t, 4, d.issues()[0].Held)
	require.Empty(t, d.drain(), "nothing goes out before it is corrected")

	d.mapping("call", `{"format": 1, "object": "call", "fields": [{"target": "remarks", "value": {"field": "note"}}]}`)
	require.Empty(t, d.issues())
	require.Equal(t, append([]string{before.ID}, waiting...), d.drain(), "in the order in which they came")
	for _, id := range waiting {
		require.Equal(t, records.DeliveryDone, d.row(call.Call{ID: id}).State)
	}
	require.Empty(t, d.drain())
}

func TestAHealedSchemaDrains(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		field, code string
		breaks      func(*fieldedCRM)
		status      call.Status
	}{
		"removed":  {"note", "unknown_field", func(c *fieldedCRM) { delete(c.fields, "call.note") }, call.Answered},
		"locked":   {"note", "read_only", change("call.note", func(f *connectors.SchemaField) { f.ReadOnly = true }), call.Answered},
		"retyped":  {"result", "wrong_type", change("call.result", func(f *connectors.SchemaField) { f.Type, f.Options = connectors.TypeNumber, nil }), call.Answered},
		"relisted": {"result", "not_in_list", change("call.result", func(f *connectors.SchemaField) { f.Options = f.Options[1:] }), call.Answered},
		"required": {"branch", "required", func(c *fieldedCRM) {
			c.fields["call.branch"] = connectors.SchemaField{Name: "branch", Label: "Branch", Type: connectors.TypeText, Required: true}
		}, call.Missed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDrifting(t)
			old := d.noted()
			require.Equal(t, activities.Done, d.settle(old).Outcome)
			whole := map[string]connectors.SchemaField{}
			d.crm.change(func() {
				for k, f := range d.crm.fields {
					f.Options = slices.Clone(f.Options)
					whole[k] = f
				}
				c.breaks(d.crm)
			})
			d.read("call")
			issues := d.issues()
			require.NotEmpty(t, issues)
			require.Equal(t, []any{c.field, c.code, true}, []any{issues[0].Field, issues[0].Code, issues[0].Blocking}, issues[0].Text)
			one := d.noted()
			one.Status = c.status
			d.save(one)
			require.Equal(t, activities.Parked, d.settle(one).Outcome)
			d.held(one, c.field)
			if name == "relisted" {
				other := d.noted()
				other.Status = call.Missed
				d.save(other)
				require.Equal(t, activities.Done, d.settle(other).Outcome, "only the value that is gone is held")
			}
			if name == "required" {
				old.Revision, old.Note = 2, "more"
				d.save(old)
				require.Equal(t, activities.Done, d.settle(old).Outcome, "what is there needs it no more")
			}
			d.crm.change(func() { d.crm.fields = whole })
			d.read("call")
			require.Empty(t, d.issues())
			require.Equal(t, []string{one.ID}, d.drain())
			require.Equal(t, records.DeliveryDone, d.row(one).State)
			versions, err := d.store.Schemas(t.Context(), d.key("call"))
			require.NoError(t, err)
			require.Len(t, versions, 3)
			require.NotEmpty(t, versions[1].Changes)
		})
	}
}

func change(field string, f func(*connectors.SchemaField)) func(*fieldedCRM) {
	return func(c *fieldedCRM) {
		x := c.fields[field]
		f(&x)
		c.fields[field] = x
	}
}

// A refusal that names a field has the fields read at once, and what the refusal put on hold goes out with the others.
func TestARefusalHasTheFieldsRead(t *testing.T) {
	t.Parallel()
	d := newDrifting(t)
	d.exec(`update crm_schemas set read_at = now() - interval '1 hour'`)
	require.Zero(t, d.look())
	d.crm.change(func() { delete(d.crm.fields, "call.note") })
	refused := d.noted()
	require.Equal(t, activities.Parked, d.settle(refused).Outcome)
	require.Equal(t, string(connectors.Invalid), d.row(refused).Class)
	require.Equal(t, 1, d.look(), "only the object of the field")
	require.Len(t, d.issues(), 1)
	later := d.noted()
	require.Equal(t, activities.Parked, d.settle(later).Outcome)
	d.held(later, "note")

	d.crm.change(func() {
		d.crm.fields["call.note"] = connectors.SchemaField{Name: "note", Type: connectors.TypeLongText}
	})
	require.Zero(t, d.look())
	d.exec(`update crm_schemas set read_at = now() - interval '1 minute'`)
	_, err := d.delivery.Deliver(t.Context(), activities.DeliverInput{WorkspaceID: d.ws, CallID: later.ID, ConnectionID: d.conn, Revision: 1, Force: true})
	require.NoError(t, err)
	d.held(later, "note")
	require.Equal(t, 1, d.look(), "whoever retries has perhaps corrected it")
	require.Equal(t, []string{refused.ID, later.ID}, d.drain())
}

// What holds contacts holds the calls that would make one, and no others.
func TestContactsAreHeldApart(t *testing.T) {
	t.Parallel()
	d := newDrifting(t)
	known := d.noted()
	require.Equal(t, activities.Done, d.settle(known).Outcome)
	d.crm.change(func() { delete(d.crm.fields, "contact.phone") })
	d.read("contact")
	require.Len(t, d.issues(), 1)
	again := d.noted()
	require.Equal(t, activities.Done, d.settle(again).Outcome, "its contact is there")
	unknown := d.call("+14155550199")
	d.crm.crm.contacts = map[string]connectors.Contact{}
	require.Equal(t, activities.Parked, d.settle(unknown).Outcome)
	d.held(unknown, "phone")
	d.crm.change(func() {
		d.crm.fields["contact.phone"] = connectors.SchemaField{Name: "phone", Type: connectors.TypeText}
	})
	d.read("contact")
	require.Equal(t, []string{unknown.ID}, d.drain())
}

// What never fitted holds nothing, nor does a CRM that does not answer, shows nothing, or answers too much.
func TestWhatIsNotKnownHoldsNothing(t *testing.T) {
	t.Parallel()
	d := newDrifting(t)
	d.mapping("call", `{"format": 1, "object": "call", "fields": [{"target": "secret", "value": {"field": "note"}}]}`)
	issues := d.issues()
	require.Len(t, issues, 1)
	require.False(t, issues[0].Blocking, "perhaps the CRM knows better")
	d.crm.change(func() {
		d.crm.fields["call.secret"] = connectors.SchemaField{Name: "secret", Type: connectors.TypeText}
		d.crm.away = &connectors.Error{Class: connectors.Unavailable, Public: "Ledger is away."}
	})
	require.Equal(t, activities.Done, d.settle(d.noted()).Outcome)
	require.NoError(t, d.schemas.Refresh(t.Context(), d.key("call")))
	states, err := d.store.SchemaStates(t.Context(), d.ws, d.conn)
	require.NoError(t, err)
	require.Equal(t, "Ledger is away.", states[0].Failure)
	d.crm.change(func() { d.crm.away = nil; d.crm.fields = nil })
	require.NoError(t, d.schemas.Refresh(t.Context(), d.key("call")))
	states, err = d.store.SchemaStates(t.Context(), d.ws, d.conn)
	require.NoError(t, err)
	require.Contains(t, states[0].Failure, "shows callsync no fields of call")
	have, err := d.store.Schema(t.Context(), d.key("call"))
	require.NoError(t, err)
	require.NotEmpty(t, have.Schema.Fields)

	many := map[string]connectors.SchemaField{}
	for i := range 3000 {
		f := connectors.SchemaField{Name: fmt.Sprintf("f%04d", i), Type: connectors.TypePicklist}
		for o := range 20 {
			f.Options = append(f.Options, connectors.DispositionOption{ID: fmt.Sprint(o)})
		}
		many["call."+f.Name] = f
	}
	d.crm.change(func() { d.crm.fields = many })
	d.read("call")
	have, err = d.store.Schema(t.Context(), d.key("call"))
	require.NoError(t, err)
	require.Len(t, have.Schema.Fields, 2000)
	require.True(t, have.Schema.Partial)
	require.True(t, have.Schema.Fields[1999].MoreOptions)
	for _, i := range d.issues() {
		require.False(t, i.Blocking, "what may only be cut off is not missing")
	}
}

// An outcome that is gone is told of with the table that leads to it.
func TestAGoneOutcomeIsTold(t *testing.T) {
	t.Parallel()
	d := newDrifting(t)
	require.NoError(t, d.store.PutDispositions(t.Context(), d.ws, d.conn, []records.Disposition{{Value: "Sold", OptionID: "o-1"}}))
	d.crm.change(func() { d.crm.outcomes = []connectors.DispositionOption{{ID: "o-2", Label: "Sold"}} })
	d.read("call")
	issues := d.issues()
	require.Len(t, issues, 1)
	require.Equal(t, []any{"disposition", "Sold", "o-2", false}, []any{issues[0].Code, issues[0].Value, issues[0].Suggestion, issues[0].Blocking})
	require.NoError(t, d.store.PutDispositions(t.Context(), d.ws, d.conn, []records.Disposition{{Value: "Sold", OptionID: "o-2"}}))
	require.NoError(t, d.schemas.Compare(t.Context(), d.key("call")))
	require.Empty(t, d.issues())
}
