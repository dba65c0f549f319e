package postgres

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/internal/pgtest"
	"github.com/callsync/callsync/records"
)

// plainSealer stands for the real one: queries seal nothing.
type plainSealer struct{}

func (plainSealer) Seal(plain []byte, _ string) ([]byte, error)  { return plain, nil }
func (plainSealer) Open(sealed []byte, _ string) ([]byte, error) { return sealed, nil }

// queryFixture is a database with one workspace, one source and two connections.
type queryFixture struct {
	*DB
	t                    *testing.T
	ws, source           string
	connection1, another string
	start                time.Time
}

func newQueryFixture(t *testing.T) *queryFixture {
	db, err := Open(t.Context(), pgtest.New(t), plainSealer{}, Options{MaxConns: 4})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	f := &queryFixture{DB: db, t: t, ws: newID(), source: newID(), connection1: newID(), another: newID(),
		start: time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)}
	f.exec(`insert into workspaces (id, name) values ($1, 'Acme')`, f.ws)
	f.exec(`insert into sources (id, workspace_id, provider, name, token_hash, token_sealed) values ($1, $2, 'callrail', 'Main', $3, '')`, f.source, f.ws, []byte(f.source))
	for _, id := range []string{f.connection1, f.another} {
		f.exec(`insert into connections (id, workspace_id, connector, name) values ($1, $2, 'hubspot', 'HubSpot')`, id, f.ws)
	}
	return f
}

func (f *queryFixture) exec(sql string, args ...any) {
	f.t.Helper()
	_, err := f.pool.Exec(f.t.Context(), sql, args...)
	require.NoError(f.t, err)
}

// call stores an ended call that began the given time after the fixture's start.
func (f *queryFixture) call(after time.Duration, change func(*call.Call)) string {
	f.t.Helper()
	c := call.Call{ID: newID(), WorkspaceID: f.ws, SourceID: f.source, Provider: "callrail", Phase: call.Ended, Revision: 1}
	c.Status, c.Direction, c.StartedAt, c.EndedAt = call.Answered, call.Inbound, f.start.Add(after), f.start.Add(after+time.Minute)
	if change != nil {
		change(&c)
	}
	state, err := json.Marshal(c)
	require.NoError(f.t, err)
	agents := ""
	for _, a := range c.Agents {
		agents += a.Name + " "
	}
	f.exec(`insert into calls (id, workspace_id, source_id, state, revision, phase, status, direction, started_at, ended_at, customer_number, customer_name, agent_text, search_text)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		c.ID, c.WorkspaceID, c.SourceID, state, c.Revision, c.Phase, c.Status, c.Direction, c.StartedAt, c.EndedAt, c.Customer.Number, c.Customer.Name, agents, searchText(&c))
	return c.ID
}

func (f *queryFixture) delivery(callID, connection, state string, revision int64) string {
	f.t.Helper()
	id := newID()
	f.exec(`insert into deliveries (id, workspace_id, connection_id, object, key, record_id, state, revision) values ($1, $2, $3, 'call', $4, $5, $6, $7)`,
		id, f.ws, connection, callID, callID, state, revision)
	f.exec(`update calls set settled_revision = $2 where id = $1 and $3 in ('done', 'parked', 'skipped')`, callID, revision, state)
	return id
}

func (f *queryFixture) ids(filter records.CallFilter) []string {
	f.t.Helper()
	if filter.Limit == 0 {
		filter.Limit = 100
	}
	items, err := f.CallsPage(f.t.Context(), f.ws, filter)
	require.NoError(f.t, err)
	out := []string{}
	for _, i := range items {
		out = append(out, i.Call.ID)
	}
	return out
}

func TestCallsPageSearch(t *testing.T) {
	t.Parallel()
	f := newQueryFixture(t)
	us := f.call(0, func(c *call.Call) {
		c.Customer = call.Party{Number: "+14155550101", Name: "Jane 100% Doe"}
		c.Agents = []call.Agent{{Name: "Anna Smith"}}
		c.ProviderID = "CAL8154"
	})
	india := f.call(time.Minute, func(c *call.Call) {
		c.Customer = call.Party{Number: "+919876543210", Name: "राम"}
		c.Aliases = []call.Alias{{Kind: "uuid", Value: "alias-7"}}
	})
	london := f.call(2*time.Minute, func(c *call.Call) {
		c.Customer = call.Party{Number: "+442079460018", Name: "Jürgen Müller", Company: "Müller GmbH"}
		c.Agents = []call.Agent{{Name: "王小明", Email: "zoe@example.com"}}
	})
	moscow := f.call(3*time.Minute, func(c *call.Call) { c.Customer = call.Party{Number: "+74951234567"} })
	f.exec(`update sources set default_country = 'RU'`)
	us2 := f.call(4*time.Minute, func(c *call.Call) {
		c.Customer = call.Party{RawNumber: "anonymous"}
		c.BusinessNumber = "+49301234"
	})
	for q, want := range map[string][]string{
		"":                    {us2, moscow, london, india, us},
		"+14155550101":        {us},
		"(415) 555-0101":      {us},
		"415.555.0101":        {us},
		"001 415 555 0101":    {us},
		"0 98765 43210":       {india},
		"+91 98765-43210":     {india},
		"43210":               {india},
		"98765":               {india},
		"jane":                {us},
		"100%":                {us},
		"doe jane":            {us},
		"Jané DOÉ":            {us},
		"ane":                 {},
		"+44 (0)20 7946 0018": {london},
		"020 7946 0018":       {london},
		"00442079460018 x42":  {london},
		"+4420":               {london},
		"２０７９４６００１８":          {london},
		"müller":              {london},
		"MULLER gmbh":         {london},
		"王小明":                 {london},
		"小明":                  {london},
		"zoe@example.com":     {london},
		"8 495 123-45-67":     {moscow},
		"zoe@exam":            {london},
		"@example.com":        {london},
		"example.com":         {london},
		"030 1234":            {us2},
		"%":                   {},
		"_":                   {},
		"smith":               {us},
		"राम":                 {india},
		"CAL8154":             {us},
		"alias-7":             {india},
		us:                    {us},
		uuid.NewString():      {},
		"5550102":             {},
		"'; drop table calls": {},
		"a\x00b\xff":          {},
	} {
		require.Equal(t, want, f.ids(records.CallFilter{Query: q}), "search for %q", q)
	}
}

func TestCallsPageStates(t *testing.T) {
	t.Parallel()
	f := newQueryFixture(t)
	live := f.call(0, func(c *call.Call) { c.Phase, c.Status = call.Live, call.Ringing })
	fresh := f.call(time.Minute, nil)
	waiting := f.call(2*time.Minute, nil)
	f.delivery(waiting, f.connection1, "done", 1)
	f.delivery(waiting, f.another, "waiting", 0)
	synced := f.call(3*time.Minute, nil)
	f.delivery(synced, f.connection1, "done", 1)
	f.delivery(synced, f.another, "skipped", 1)
	held := f.call(4*time.Minute, nil)
	f.delivery(held, f.connection1, "done", 1)
	f.delivery(held, f.another, "parked", 1)
	skipped := f.call(5*time.Minute, nil)
	f.delivery(skipped, f.connection1, "skipped", 1)
	behind := f.call(6*time.Minute, func(c *call.Call) { c.Revision = 2 })
	f.delivery(behind, f.connection1, "done", 1)
	merged := f.call(7*time.Minute, nil)
	f.exec(`update calls set merged_into = $2 where id = $1`, merged, synced)

	require.Equal(t, []string{live}, f.ids(records.CallFilter{State: records.CallLive}))
	require.Equal(t, []string{behind, waiting, fresh}, f.ids(records.CallFilter{State: records.CallWaiting}))
	require.Equal(t, []string{synced}, f.ids(records.CallFilter{State: records.CallSynced}))
	require.Equal(t, []string{held}, f.ids(records.CallFilter{State: records.CallOnHold}))
	require.Equal(t, []string{skipped}, f.ids(records.CallFilter{State: records.CallSkipped}))
	require.Len(t, f.ids(records.CallFilter{}), 7, "a call that was folded into another one is not listed")

	require.Equal(t, []string{held, synced, waiting}, f.ids(records.CallFilter{ConnectionID: f.another}))
	require.Equal(t, []string{}, f.ids(records.CallFilter{SourceID: newID()}))
	require.Equal(t, []string{waiting, fresh}, f.ids(records.CallFilter{From: f.start.Add(time.Minute), To: f.start.Add(3 * time.Minute)}))

	item, err := f.CallDetail(t.Context(), f.ws, merged)
	require.NoError(t, err)
	require.Equal(t, synced, item.Call.ID, "a link to the folded call leads to the one it was folded into")
	require.Len(t, item.Deliveries, 2)
	_, err = f.CallDetail(t.Context(), newID(), synced)
	require.ErrorIs(t, err, records.ErrNotFound)

	f.exec(`update connections set deleted_at = now() where id = $1`, f.another)
	require.Equal(t, []string{}, f.ids(records.CallFilter{State: records.CallOnHold}), "a deleted connection holds nothing up")

	s, err := f.Stats(t.Context(), f.ws, f.start, f.start.Add(time.Hour))
	require.NoError(t, err)
	require.EqualValues(t, 7, s.Calls)
	require.EqualValues(t, 3, s.ByState[records.CallSynced])
	require.Zero(t, s.OnHold)
	s, err = f.Stats(t.Context(), newID(), f.start, f.start.Add(time.Hour))
	require.NoError(t, err)
	require.Zero(t, s.Calls)
}

func TestCallsPageKeyset(t *testing.T) {
	t.Parallel()
	f := newQueryFixture(t)
	want := []string{}
	for i := range 25 {
		// Several calls begin at the same moment: the id must break the tie.
		want = append([]string{f.call(time.Duration(i/5)*time.Minute, nil)}, want...)
	}
	var got []string
	var before records.Cursor
	for {
		items, err := f.CallsPage(t.Context(), f.ws, records.CallFilter{Before: before, Limit: 4})
		require.NoError(t, err)
		if len(items) == 0 {
			break
		}
		for _, i := range items {
			got = append(got, i.Call.ID)
		}
		last := items[len(items)-1]
		before = records.Cursor{At: last.ListedAt, ID: last.Call.ID}
		// What comes in meanwhile belongs to an earlier page.
		f.call(time.Hour, nil)
	}
	require.Equal(t, want, got)
}

func TestHolds(t *testing.T) {
	t.Parallel()
	f := newQueryFixture(t)
	var calls []string
	for i := range 3 {
		id := f.call(time.Duration(i)*time.Minute, nil)
		d := f.delivery(id, f.connection1, "parked", 1)
		f.exec(`update deliveries set class = 'invalid', field = 'hs_call_disposition', reason = 'HubSpot refused it.' where id = $1`, d)
		calls = append(calls, id)
	}
	other := f.call(time.Hour, nil)
	d := f.delivery(other, f.another, "parked", 1)
	f.exec(`update deliveries set class = 'paused' where id = $1`, d)

	holds, err := f.Holds(t.Context(), f.ws)
	require.NoError(t, err)
	require.Len(t, holds, 2)
	require.EqualValues(t, 3, holds[0].Count)
	require.Equal(t, "hs_call_disposition", holds[0].Field)
	require.Equal(t, []string{calls[2], calls[1], calls[0]}, holds[0].SampleCallIDs)

	held, err := f.HeldCalls(t.Context(), f.ws, holds[0].ID, "")
	require.NoError(t, err)
	require.Len(t, held, 3)
	require.Equal(t, calls[0], held[0].CallID)
	f.exec(`update deliveries set class = 'unknown_outcome' where id = $1`, f.delivery(f.call(2*time.Hour, nil), f.another, "parked", 1))
	held, err = f.HeldCalls(t.Context(), f.ws, "", f.another)
	require.NoError(t, err, "a resume does not send what may have been written already")
	require.Equal(t, []records.HeldCall{{DeliveryID: d, CallID: other, ConnectionID: f.another}}, held)
	held, err = f.HeldCalls(t.Context(), newID(), holds[0].ID, "")
	require.NoError(t, err)
	require.Empty(t, held)
}

func TestReceiptQueries(t *testing.T) {
	t.Parallel()
	f := newQueryFixture(t)
	callID := f.call(0, nil)
	receipt := func(state string) string {
		id := newID()
		r := records.Receipt{ID: id, WorkspaceID: f.ws, SourceID: f.source, ReceivedAt: time.Now(), Method: "POST", HookEvent: "post-call",
			Headers: []byte(`{}`), Body: []byte("a\x00b\xff"), Signature: "ok"}
		r.Result.State, r.Result.Reason = state, "why"
		require.NoError(t, f.InsertReceipts(t.Context(), []records.Receipt{r}))
		return id
	}
	pending, quarantined, applied := receipt(""), receipt("quarantined"), receipt("applied")
	f.exec(`update receipt_results set record_kind = 'call', record_id = $2, changed = true where receipt_id = $1`, applied, callID)
	event, err := json.Marshal(call.Event{Kind: call.CallEnded, ReceivedAt: f.start, Facts: call.Facts{Note: "hi"}})
	require.NoError(t, err)
	f.exec(`insert into events (receipt_id, seq, workspace_id, source_id, record_kind, record_id, kind, data) values ($1, 0, $2, $3, 'call', $4, 'call.ended', $5)`,
		applied, f.ws, f.source, callID, event)

	list := func(filter records.ReceiptFilter) []string {
		filter.Limit = 10
		items, err := f.ReceiptsPage(t.Context(), f.ws, filter)
		require.NoError(t, err)
		out := []string{}
		for _, i := range items {
			out = append(out, i.ID)
			require.Equal(t, 4, i.BodyBytes)
		}
		return out
	}
	require.Equal(t, []string{applied, quarantined, pending}, list(records.ReceiptFilter{}))
	require.Equal(t, []string{quarantined, pending}, list(records.ReceiptFilter{Before: applied}))
	require.Equal(t, []string{pending}, list(records.ReceiptFilter{State: "pending"}))
	require.Equal(t, []string{quarantined}, list(records.ReceiptFilter{State: "quarantined"}))
	require.Equal(t, []string{applied}, list(records.ReceiptFilter{State: "applied", SourceID: f.source}))
	require.Equal(t, []string{}, list(records.ReceiptFilter{SourceID: newID()}))
	require.Equal(t, []string{}, list(records.ReceiptFilter{From: time.Now().Add(time.Hour)}))
	require.Len(t, list(records.ReceiptFilter{From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Minute)}), 3)

	of, err := f.ReceiptsOfCall(t.Context(), f.ws, callID)
	require.NoError(t, err)
	require.Len(t, of, 1)
	require.True(t, of[0].Result.Changed)
	events, err := f.EventsOfCall(t.Context(), f.ws, callID)
	require.NoError(t, err)
	require.Len(t, events, 1)
	require.Equal(t, "hi", events[0].Facts.Note)
	require.Equal(t, applied, events[0].ReceiptID)
	events, err = f.EventsOfReceipt(t.Context(), newID(), applied)
	require.NoError(t, err)
	require.Empty(t, events, "another workspace sees nothing")

	r, err := f.ReceiptByID(t.Context(), f.ws, quarantined)
	require.NoError(t, err)
	require.Equal(t, []byte("a\x00b\xff"), r.Body)
	require.Equal(t, "why", r.Result.Reason)
	_, err = f.ReceiptByID(t.Context(), newID(), quarantined)
	require.ErrorIs(t, err, records.ErrNotFound)

	s, err := f.Stats(t.Context(), f.ws, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"applied": 1, "quarantined": 1, "pending": 1}, s.ByReceipt)
}

func TestDeliveriesOfCall(t *testing.T) {
	t.Parallel()
	f := newQueryFixture(t)
	id := f.call(0, nil)
	d := f.delivery(id, f.connection1, "done", 1)
	f.exec(`update deliveries set written = '{"hs_call_title": "x"}', steps = '{"call": {"at": "2026-11-20T14:03:00Z", "id": "7"}}', warnings = '["cut"]' where id = $1`, d)
	for i, outcome := range []string{"retry", "done"} {
		f.exec(`insert into delivery_attempts (id, workspace_id, delivery_id, revision, outcome, duration_ms) values ($1, $2, $3, 1, $4, $5)`, newID(), f.ws, d, outcome, 100*(i+1))
	}
	all, err := f.DeliveriesOfCall(t.Context(), f.ws, id)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, map[string]any{"hs_call_title": "x"}, all[0].Written)
	require.Equal(t, "7", all[0].Steps["call"].ID)
	require.Equal(t, []string{"cut"}, all[0].Warnings)
	require.Len(t, all[0].Attempts, 2)
	require.Equal(t, "retry", all[0].Attempts[0].Outcome)
	require.Equal(t, 200*time.Millisecond, all[0].Attempts[1].Duration)
	all, err = f.DeliveriesOfCall(t.Context(), newID(), id)
	require.NoError(t, err)
	require.Empty(t, all)
}

func TestMessagesAndForms(t *testing.T) {
	t.Parallel()
	f := newQueryFixture(t)
	var ids []string
	for i := range 3 {
		id := newID()
		f.exec(`insert into messages (id, workspace_id, source_id, provider_id, state) values ($1, $2, $3, $4, $5)`, id, f.ws, f.source, fmt.Sprint(i), `{"body": "hello", "provider": "callrail", "direction": "inbound"}`)
		f.exec(`insert into forms (id, workspace_id, source_id, provider_id, state) values ($1, $2, $3, $4, $5)`, id, f.ws, f.source, fmt.Sprint(i), `{"form_url": "https://example.com", "provider": "callrail"}`)
		ids = append(ids, id)
	}
	messages, err := f.MessagesPage(t.Context(), f.ws, records.RecordFilter{Before: ids[2], Limit: 1})
	require.NoError(t, err)
	require.Len(t, messages, 1)
	require.Equal(t, ids[1], messages[0].Message.ID)
	require.Equal(t, "hello", messages[0].Message.Body)
	forms, err := f.FormsPage(t.Context(), f.ws, records.RecordFilter{SourceID: f.source, Limit: 10})
	require.NoError(t, err)
	require.Len(t, forms, 3)
	_, err = f.MessageByID(t.Context(), f.ws, ids[0])
	require.NoError(t, err)
	_, err = f.MessageByID(t.Context(), newID(), ids[0])
	require.ErrorIs(t, err, records.ErrNotFound)
	form, err := f.FormByID(t.Context(), f.ws, ids[0])
	require.NoError(t, err)
	require.Equal(t, "0", form.Form.ProviderID)
}

func TestFlows(t *testing.T) {
	t.Parallel()
	f := newQueryFixture(t)
	first := f.call(0, nil)
	f.delivery(first, f.connection1, "done", 1)
	held := f.call(7*time.Minute, nil)
	f.delivery(held, f.connection1, "parked", 1)
	f.delivery(held, f.another, "done", 1)
	f.call(2*time.Hour, nil)

	s, err := f.Stats(t.Context(), f.ws, f.start, f.start.Add(time.Hour))
	require.NoError(t, err)
	require.EqualValues(t, 300, s.StepSeconds)
	sums := map[string]int64{}
	for i, step := range s.Trend {
		require.Zero(t, step.At.Unix()%300, "steps begin at round times")
		if i > 0 {
			require.Equal(t, 5*time.Minute, step.At.Sub(s.Trend[i-1].At))
		}
		for state, n := range step.ByState {
			sums[state] += n
		}
	}
	require.Equal(t, map[string]int64{records.CallSynced: 1, records.CallOnHold: 1}, sums)
	flows := map[string]map[string]int64{}
	for _, c := range s.ByConnection {
		flows[c.ConnectionID] = c.ByState
	}
	require.Equal(t, map[string]int64{"done": 1, "parked": 1}, flows[f.connection1])
	require.Equal(t, map[string]int64{"done": 1}, flows[f.another])
	var calls int64
	for _, one := range s.BySource {
		calls += one.Calls
	}
	require.EqualValues(t, 2, calls)

	for _, span := range []time.Duration{time.Second, 24 * time.Hour, 60 * 24 * time.Hour, 50 * 365 * 24 * time.Hour} {
		s, err := f.Stats(t.Context(), f.ws, f.start.Add(-span/2), f.start.Add(span/2))
		require.NoError(t, err)
		require.LessOrEqual(t, len(s.Trend), 402, span)
		require.NotEmpty(t, s.Trend)
	}
	s, err = f.Stats(t.Context(), newID(), f.start, f.start.Add(time.Hour))
	require.NoError(t, err)
	require.Empty(t, s.BySource)
	require.Empty(t, s.ByConnection)
}

// A refused request is not one that could not be read: each is counted where its list shows it.
func TestFlowsCountTrouble(t *testing.T) {
	t.Parallel()
	f := newQueryFixture(t)
	now := time.Now().UTC()
	for state, n := range map[string]int{records.ReceiptQuarantined: 2, records.ReceiptRejected: 1, records.ReceiptApplied: 3} {
		for range n {
			require.NoError(t, f.InsertReceipts(t.Context(), []records.Receipt{{ID: newID(), WorkspaceID: f.ws, SourceID: f.source, ReceivedAt: now, Method: "POST", Signature: "ok",
				Query: []byte{}, Headers: []byte("{}"), Body: []byte("{}"), Result: records.ReceiptResult{State: state}}}))
		}
	}
	s, err := f.Stats(t.Context(), f.ws, now.Add(-time.Hour), now.Add(time.Hour))
	require.NoError(t, err)
	for _, one := range s.BySource {
		if one.SourceID == f.source {
			require.EqualValues(t, 2, one.Quarantined)
			require.EqualValues(t, 1, one.Rejected)
			require.False(t, one.LastReceipt.IsZero())
			return
		}
	}
	t.Fatal("the source is missing")
}
