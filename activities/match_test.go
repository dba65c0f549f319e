package activities_test

import (
	"context"
	"encoding/json"
	"fmt"
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

// people is a CRM with contacts, leads and companies, which merges and converts them.
type people struct {
	*crm
	// moved are the records that another one stands for by now; an empty one means that it is gone.
	moved map[connectors.Ref]connectors.Ref
	// during runs in the middle of a search.
	during  func()
	follows int
	// instant is a CRM whose search sees at once what was just made.
	instant bool
}

func (p *people) Info() connectors.Info {
	i := p.crm.Info()
	i.Matches = []string{connectors.ObjectContact, connectors.ObjectLead, connectors.ObjectCompany}
	i.Creates = []string{connectors.ObjectContact, connectors.ObjectLead}
	return i
}

func (p *people) Open(connectors.Settings) (connectors.Session, error) { return p, nil }

func (p *people) FindContacts(_ context.Context, q connectors.PhoneQuery) ([]connectors.Contact, error) {
	if p.during != nil {
		during := p.during
		p.during = nil
		during()
	}
	time.Sleep(p.slow)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.searches++
	if len(q.Objects) == 0 || q.E164 == "" || q.National == "" {
		return nil, &connectors.Error{Class: connectors.Invalid, Public: "a search needs a number and objects"}
	}
	var out []connectors.Contact
	for _, c := range p.contacts {
		if _, ours := p.made[c.ID]; ours && !p.instant {
			continue
		}
		if slices.Contains(q.Objects, c.Object) {
			out = append(out, c)
		}
	}
	return out, nil
}

func (p *people) CreateContact(ctx context.Context, w connectors.ContactWrite) (connectors.Written, error) {
	if w.Object != connectors.ObjectContact && w.Object != connectors.ObjectLead {
		return connectors.Written{}, &connectors.Error{Class: connectors.Invalid, Public: "no such object"}
	}
	out, err := p.crm.CreateContact(ctx, w)
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range p.made {
		if c := p.contacts[id]; c.ID == out.RemoteID && out.Created {
			c.Object = w.Object
			p.contacts[id] = c
		}
	}
	return out, err
}

func (p *people) FollowContact(_ context.Context, of connectors.Ref) (connectors.Ref, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.follows++
	if now, ok := p.moved[of]; ok {
		return now, now.ID != "", nil
	}
	c, ok := p.contacts[of.ID]
	return of, ok && c.Object == of.Object, nil
}

// add puts a record into the CRM, changed so many minutes ago.
func (p *people) add(object, id, owner string, ago int, numbers ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.contacts[id] = connectors.Contact{Ref: connectors.Ref{Object: object, ID: id}, Name: "Name of " + id, OwnerID: owner,
		Numbers: numbers, ModifiedAt: time.Now().Add(-time.Duration(ago) * time.Minute)}
}

// merge has another record stand for one.
func (p *people) merge(from, into connectors.Ref) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.contacts, from.ID)
	delete(p.made, from.ID)
	p.moved[from] = into
}

func newPeople(t testing.TB, kind connectors.Idempotency, policy records.Match) (*world, *people) {
	p := &people{crm: newCRM(kind), moved: map[connectors.Ref]connectors.Ref{}}
	w := newWorld(t, p.crm)
	w.delivery.Connectors = connectors.NewRegistry(p)
	w.policy(policy)
	w.exec(`insert into mappings (connection_id, object, version, workspace_id, document) values ($1, 'lead', 1, $2, $3)`, w.conn, w.ws,
		"format: 1\nobject: lead\nfields:\n  - target: phone\n    value: {field: customer.number}\n")
	w.exec(`insert into active_mappings (connection_id, object, version) values ($1, 'lead', 1)`, w.conn)
	return w, p
}

func (w *world) policy(m records.Match) {
	doc, err := json.Marshal(m)
	require.NoError(w.t, err)
	w.exec(`update connections set match_policy = $1, updated_at = now()`, doc)
}

func (w *world) db() *postgres.DB { return w.delivery.Store.(*postgres.DB) }

func (w *world) reviews(state string) []records.Review {
	all, err := w.db().Reviews(w.t.Context(), w.ws, records.ReviewFilter{State: state, Limit: 50})
	require.NoError(w.t, err)
	return all
}

// resolve answers the only open review and has its calls delivered, as the relay would.
func (w *world) resolve(choice, object string) {
	w.t.Helper()
	open := w.reviews("open")
	require.Len(w.t, open, 1)
	held, err := w.db().ResolveReview(w.t.Context(), w.ws, open[0].ID, records.MatchChoice{Choice: choice, Object: object, ChosenBy: "anna"})
	require.NoError(w.t, err)
	for _, h := range held {
		w.force(call.Call{ID: h.CallID, Revision: 1})
	}
}

// sweep has everything looked up that is due at a time when anything is, and returns how many lanes there were.
func (w *world) sweep() int {
	w.t.Helper()
	w.exec(`update match_watch set next_at = now() - interval '1 second' where next_at is not null`)
	lanes, err := w.db().ClaimRematches(w.t.Context(), 50, 10)
	require.NoError(w.t, err)
	for _, l := range lanes {
		w.force(call.Call{ID: l.CallID, Revision: 1})
	}
	return len(lanes)
}

func (w *world) count(sql string, args ...any) (n int) {
	w.t.Helper()
	require.NoError(w.t, w.sql.QueryRow(w.t.Context(), sql, args...).Scan(&n))
	return n
}

func (p *people) linksOf(w *world, c call.Call) []string { return p.links[w.row(c).RemoteID] }

const number = "+14155550101"

// What becomes of a number that nobody, one or several have, by every policy: one record of the call in every case.
func TestEveryPolicy(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		has     int // how many contacts have the number
		policy  records.Match
		owner   string
		links   []string
		made    string
		state   string
		reviews int
		watched int
	}{
		{name: "none: contact", policy: records.Match{}, links: []string{"contact-1"}, made: "contact"},
		{name: "none: lead", policy: records.Match{OnNone: "create_lead"}, links: []string{"contact-1"}, made: "lead"},
		{name: "none: nobody", policy: records.Match{OnNone: "none"}, watched: 1},
		{name: "none: ask", policy: records.Match{OnNone: "ask"}, reviews: 1, watched: 1},
		{name: "none: ask and hold", policy: records.Match{OnNone: "ask", AskHold: true}, reviews: 1, watched: 1, state: "parked"},
		{name: "one", has: 1, policy: records.Match{OnMany: "ask", OnNone: "ask", AskHold: true}, links: []string{"c1"}},
		{name: "many: recent", has: 3, policy: records.Match{}, links: []string{"c1"}},
		{name: "many: owner", has: 3, policy: records.Match{OnMany: "owner"}, owner: "o2", links: []string{"c2"}},
		{name: "many: owner has none", has: 3, policy: records.Match{OnMany: "owner"}, owner: "o9", links: []string{"c1"}},
		{name: "many: owner unknown", has: 3, policy: records.Match{OnMany: "owner"}, links: []string{"c1"}},
		{name: "many: nobody", has: 3, policy: records.Match{OnMany: "none"}, watched: 1},
		{name: "many: ask", has: 3, policy: records.Match{OnMany: "ask"}, reviews: 1, watched: 1},
		{name: "many: ask and hold", has: 3, policy: records.Match{OnMany: "ask", AskHold: true}, reviews: 1, watched: 1, state: "parked"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w, p := newPeople(t, connectors.LookupThenWrite, tc.policy)
			for i := range tc.has {
				p.add("contact", fmt.Sprint("c", i+1), fmt.Sprint("o", i+1), 10*i, "(415) 555-0101")
			}
			one := w.call(number)
			if tc.owner != "" {
				one.Agents = []call.Agent{{ID: "7", Status: call.AgentAnswered}}
				w.save(one)
				w.exec(`insert into connection_owners (connection_id, workspace_id, agent_key, owner_id) values ($1, $2, 'id:7', $3)`, w.conn, w.ws, tc.owner)
			}
			w.settle(one)
			state := tc.state
			if state == "" {
				state = "done"
				require.Len(t, p.calls, 1)
				require.Equal(t, tc.links, p.linksOf(w, one))
			} else {
				require.Empty(t, p.calls)
				require.Equal(t, "ask", w.row(one).Class)
			}
			require.Equal(t, state, w.row(one).State)
			made := ""
			for id := range p.made {
				made = p.contacts[id].Object
			}
			require.Equal(t, tc.made, made)
			require.Len(t, w.reviews("open"), tc.reviews)
			require.Equal(t, tc.watched, w.count(`select count(*) from unmatched`))
			require.Equal(t, tc.watched, w.count(`select count(*) from match_watch`))
		})
	}
}

// The first object of the order in which anybody has the number counts, whatever the others have.
func TestTheOrderOfObjects(t *testing.T) {
	t.Parallel()
	for order, want := range map[string][]string{`["contact","lead"]`: {"c1"}, `["lead","contact"]`: {"l1"}, `["company"]`: {"co"}, `["lead","company"]`: {"l1"}, `[]`: {"c1"}} {
		var objects []string
		require.NoError(t, json.Unmarshal([]byte(order), &objects))
		w, p := newPeople(t, connectors.KeyedUpsert, records.Match{Objects: objects, OnNone: "none"})
		p.add("contact", "c1", "", 60, "4155550101")
		p.add("lead", "l1", "", 30, "4155550101")
		p.add("lead", "l2", "", 40, "4155550101")
		p.add("company", "co", "", 1, "+1 415 555 0101")
		p.add("company", "other", "", 0, "+1 415 555 0102")
		one := w.call(number)
		w.settle(one)
		require.Equal(t, want, p.linksOf(w, one), order)
	}
}

// A line that several people share is told apart by the extension.
func TestExtensions(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string][]string{
		"415-555-0101":         {"line"},
		"415-555-0101 ext. 22": {"x22"},
		"415-555-0101 x23":     {"x23"},
		"415-555-0101 x99":     {"line"},
	} {
		w, p := newPeople(t, connectors.KeyedUpsert, records.Match{OnNone: "none"})
		p.add("contact", "line", "", 60, "+1 415 555 0101")
		p.add("contact", "x22", "", 30, "+1 415 555 0101 x22")
		p.add("contact", "x23", "", 1, "(415) 555-0101 ext 23")
		one := w.call(number)
		one.Customer.RawNumber = raw
		w.save(one)
		w.settle(one)
		require.Equal(t, want, p.linksOf(w, one), raw)
	}
	// One whose extension nobody dialled is still found by the number.
	w, p := newPeople(t, connectors.KeyedUpsert, records.Match{OnNone: "none"})
	p.add("contact", "x22", "", 30, "+1 415 555 0101 x22")
	one := w.call(number)
	w.settle(one)
	require.Equal(t, []string{"x22"}, p.linksOf(w, one))
}

// The contact that the phone system names counts among those with the number; an id of another CRM counts for nothing.
func TestTheContactThatThePhoneSystemNames(t *testing.T) {
	t.Parallel()
	named := func(t *testing.T, policy records.Match, hint string, prepare func(*people)) ([]string, *world) {
		w, p := newPeople(t, connectors.KeyedUpsert, policy)
		prepare(p)
		one := w.call(number)
		one.Customer.CRMID = hint
		w.save(one)
		w.settle(one)
		return p.linksOf(w, one), w
	}
	two := func(p *people) {
		p.add("contact", "new", "", 1, "4155550101")
		p.add("contact", "old", "", 60, "4155550101")
		p.add("contact", "stranger", "", 0, "+442079460000")
	}
	for name, tc := range map[string]struct {
		policy records.Match
		hint   string
		want   []string
	}{
		"among several":           {records.Match{}, "old", []string{"old"}},
		"nobody need be asked":    {records.Match{OnMany: "ask"}, "old", []string{"old"}},
		"unknown":                 {records.Match{}, "003xx", []string{"new"}},
		"another number":          {records.Match{}, "stranger", []string{"new"}},
		"another number, trusted": {records.Match{TrustCRMID: true}, "stranger", []string{"stranger"}},
	} {
		got, w := named(t, tc.policy, tc.hint, two)
		require.Equal(t, tc.want, got, name)
		require.Empty(t, w.reviews("open"), name)
	}
	got, _ := named(t, records.Match{}, "merged", func(p *people) {
		two(p)
		p.moved[connectors.Ref{Object: "contact", ID: "merged"}] = connectors.Ref{Object: "contact", ID: "old"}
	})
	require.Equal(t, []string{"old"}, got, "one that was merged into one of them")

	// What holds for the calls of one hint does not hold for others of the number.
	w, p := newPeople(t, connectors.KeyedUpsert, records.Match{OnMany: "ask"})
	two(p)
	for hint, want := range map[string][]string{"old": {"old"}, "new": {"new"}, "": nil} {
		one := w.call(number)
		one.Customer.CRMID = hint
		w.save(one)
		w.settle(one)
		require.Equal(t, want, p.linksOf(w, one), hint)
	}
}

// A contact of the call's owner holds for calls of that owner alone.
func TestTheOwnersContactIsTheOwners(t *testing.T) {
	t.Parallel()
	w, p := newPeople(t, connectors.KeyedUpsert, records.Match{OnMany: "owner"})
	p.add("contact", "a", "o1", 1, "4155550101")
	p.add("contact", "b", "o2", 2, "4155550101")
	for _, agent := range []string{"o1", "o2", "o1", "o2"} {
		w.exec(`insert into connection_owners (connection_id, workspace_id, agent_key, owner_id) values ($1, $2, 'id:' || $3, $3) on conflict do nothing`, w.conn, w.ws, agent)
		one := w.call(number)
		one.Agents = []call.Agent{{ID: agent, Status: call.AgentAnswered}}
		w.save(one)
		w.settle(one)
		require.Equal(t, []string{map[string]string{"o1": "a", "o2": "b"}[agent]}, p.linksOf(w, one))
	}
}

// The cache saves searches, and forgets when the settings change or time passes.
func TestKnownContactsAreNotSearchedAgain(t *testing.T) {
	t.Parallel()
	w, p := newPeople(t, connectors.KeyedUpsert, records.Match{})
	p.add("contact", "a", "", 2, "4155550101")
	for range 3 {
		w.settle(w.call(number))
	}
	require.Equal(t, 1, p.searches)
	p.add("contact", "b", "", 1, "4155550101")
	w.policy(records.Match{OnMany: "none"})
	one := w.call(number)
	w.settle(one)
	require.Empty(t, p.linksOf(w, one), "decided anew under the new policy")
	require.Equal(t, 2, p.searches)
	delete(p.contacts, "b")
	w.settle(w.call(number))
	w.exec(`update deliveries set updated_at = now() - interval '11 minutes' where object = 'contact'`)
	w.settle(w.call(number))
	require.Equal(t, 4, p.searches)
}

func TestAnAnswerIsRememberedForTheNumber(t *testing.T) {
	t.Parallel()
	for _, hold := range []bool{false, true} {
		w, p := newPeople(t, connectors.LookupThenWrite, records.Match{OnMany: "ask", AskHold: hold})
		p.add("contact", "a", "", 1, "4155550101")
		p.add("contact", "b", "o1", 2, "4155550101")
		calls := []call.Call{w.call(number), w.call(number), w.call(number)}
		for _, c := range calls {
			w.settle(c)
		}
		open := w.reviews("open")
		require.Len(t, open, 1, "one question, however many calls")
		require.EqualValues(t, 3, open[0].Calls)
		for i := range open[0].Candidates {
			require.False(t, open[0].Candidates[i].ModifiedAt.IsZero(), "when it changed last tells it from others")
			open[0].Candidates[i].ModifiedAt = time.Time{}
		}
		require.Equal(t, []records.Candidate{{Object: "contact", ID: "a", Name: "Name of a"}, {Object: "contact", ID: "b", Name: "Name of b", Owner: "o1"}}, open[0].Candidates)
		w.resolve("b", "contact")
		for _, c := range calls {
			require.Equal(t, []string{"b"}, p.linksOf(w, c))
		}
		require.Len(t, p.calls, 3)
		require.Empty(t, w.reviews("open"))
		searches := p.searches
		later := w.call(number)
		w.settle(later)
		require.Equal(t, []string{"b"}, p.linksOf(w, later))
		require.Equal(t, searches, p.searches, "nobody is asked again, nor the CRM")
		require.Zero(t, w.count(`select count(*) from unmatched`))
		require.Zero(t, w.sweep())
		require.Zero(t, w.count(`select count(*) from match_watch`))

		// A choice that is forgotten is asked for again.
		choices, err := w.db().Choices(t.Context(), w.ws, "", records.Cursor{}, 10)
		require.NoError(t, err)
		require.Len(t, choices, 1)
		require.NoError(t, w.db().ForgetChoice(t.Context(), w.ws, choices[0].ID))
		w.settle(w.call(number))
		require.Len(t, w.reviews("open"), 1)
	}
}

func TestAnswersThatNameNobody(t *testing.T) {
	t.Parallel()
	for _, hold := range []bool{false, true} {
		w, p := newPeople(t, connectors.KeyedUpsert, records.Match{OnMany: "ask", OnNone: "ask", AskHold: hold})
		p.add("contact", "a", "", 1, "4155550101")
		p.add("contact", "b", "", 2, "4155550101")
		one := w.call(number)
		w.settle(one)
		w.resolve(records.ChoiceNone, "")
		require.Equal(t, "done", w.row(one).State)
		require.Empty(t, p.linksOf(w, one))
		two := w.call(number)
		w.settle(two)
		require.Empty(t, p.linksOf(w, two))
		require.Empty(t, w.reviews("open"))
		require.Zero(t, w.count(`select count(*) from unmatched`))

		// Or have one created, once, for all calls of the number.
		const unknown = "+14155550102"
		calls := []call.Call{w.call(unknown), w.call(unknown)}
		for _, c := range calls {
			w.settle(c)
		}
		w.resolve(records.ChoiceCreate, "lead")
		calls = append(calls, w.call(unknown))
		w.settle(calls[2])
		require.Len(t, p.made, 1)
		for _, c := range calls {
			require.Len(t, p.linksOf(w, c), 1)
			require.Equal(t, "lead", p.contacts[p.linksOf(w, c)[0]].Object)
		}
	}
}

// An answer that comes while a call of the number is being delivered counts for it, too.
func TestAnAnswerWhileADeliveryRuns(t *testing.T) {
	t.Parallel()
	w, p := newPeople(t, connectors.KeyedUpsert, records.Match{OnMany: "ask"})
	p.add("contact", "a", "", 1, "4155550101")
	p.add("contact", "b", "", 2, "4155550101")
	first, second := w.call(number), w.call(number)
	w.settle(first)
	p.during = func() { w.resolve("b", "contact") }
	w.settle(second)
	require.Equal(t, []string{"b"}, p.linksOf(w, first))
	require.Equal(t, []string{"b"}, p.linksOf(w, second))
	require.Empty(t, w.reviews("open"))
	_, err := w.db().ResolveReview(t.Context(), w.ws, w.reviews("resolved")[0].ID, records.MatchChoice{Choice: "a"})
	require.ErrorIs(t, err, records.ErrConflict, "the second answer comes too late")
}

// A call that nobody could be found for is tied to the contact that appears later, and so are the older ones.
func TestAContactThatAppearsLater(t *testing.T) {
	t.Parallel()
	for _, policy := range []records.Match{{OnNone: "none"}, {OnNone: "ask"}, {OnNone: "ask", AskHold: true}} {
		w, p := newPeople(t, connectors.LookupThenWrite, policy)
		calls := []call.Call{w.call(number), w.call(number), w.call(number)}
		for _, c := range calls {
			w.settle(c)
		}
		require.Equal(t, 1, w.sweep(), "one call of the number looks")
		require.Equal(t, 3, w.count(`select count(*) from unmatched`))
		p.add("contact", "late", "", 0, "4155550101")
		require.Equal(t, 1, w.sweep())
		require.Equal(t, 2, w.sweep(), "then the others follow")
		for _, c := range calls {
			require.Equal(t, []string{"late"}, p.linksOf(w, c))
		}
		require.Len(t, p.calls, 3)
		require.Empty(t, w.reviews("open"), "the question has gone away")
		require.Zero(t, w.sweep())
		require.Zero(t, w.count(`select count(*) from match_watch`))
	}
	// A newer call that finds the contact does the same.
	w, p := newPeople(t, connectors.KeyedUpsert, records.Match{OnNone: "none"})
	old := w.call(number)
	w.settle(old)
	p.add("contact", "late", "", 0, "4155550101")
	w.settle(w.call(number))
	require.Equal(t, 1, w.sweep())
	require.Equal(t, []string{"late"}, p.linksOf(w, old))
}

// Looking again ends: after an hour, a day, a week, 30 days. A question to people stays.
func TestLookingAgainEnds(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"none", "ask"} {
		w, _ := newPeople(t, connectors.KeyedUpsert, records.Match{OnNone: policy})
		w.settle(w.call(number))
		var waits []string
		for range 4 {
			var wait time.Duration
			require.NoError(t, w.sql.QueryRow(t.Context(), `select next_at - created_at from match_watch`).Scan(&wait))
			waits = append(waits, wait.Round(time.Hour).String())
			require.Equal(t, 1, w.sweep())
		}
		require.Equal(t, []string{"1h0m0s", "24h0m0s", "168h0m0s", "720h0m0s"}, waits)
		w.sweep()
		require.Equal(t, map[string]int{"none": 0, "ask": 1}[policy], w.count(`select count(*) from match_watch`))
		require.Len(t, w.reviews("open"), map[string]int{"none": 0, "ask": 1}[policy])
	}
}

// What is on hold for another cause is not delivered again for a contact's sake.
func TestLookingAgainLeavesHoldsAlone(t *testing.T) {
	t.Parallel()
	w, p := newPeople(t, connectors.KeyedUpsert, records.Match{OnNone: "none"})
	one := w.call(number)
	w.settle(one)
	w.exec(`update deliveries set state = 'parked', class = 'unknown_outcome' where object = 'call'`)
	p.add("contact", "late", "", 0, "4155550101")
	require.Zero(t, w.sweep())
	w.exec(`update deliveries set state = 'done', class = '', lease_until = now() + interval '1 minute' where object = 'call'`)
	require.Zero(t, w.sweep(), "nor what is under way")
	w.exec(`update connections set status = 'paused'`)
	w.exec(`update deliveries set lease_until = now()`)
	require.Zero(t, w.sweep(), "nor to a connection that is paused")
}

// The contact of a number was merged: the call goes to the one that stands for it, and so do the next ones.
func TestMergedContactsAreFollowed(t *testing.T) {
	t.Parallel()
	w, p := newPeople(t, connectors.KeyedUpsert, records.Match{})
	w.settle(w.call(number)) // makes contact-1
	p.add("contact", "winner", "", 0, "+442079460000")
	p.merge(connectors.Ref{Object: "contact", ID: "contact-1"}, connectors.Ref{Object: "contact", ID: "winner"})
	searches := p.searches
	for range 2 {
		one := w.call(number)
		w.settle(one)
		require.Equal(t, []string{"winner"}, p.linksOf(w, one))
	}
	require.Equal(t, searches, p.searches)
	require.Equal(t, 1, p.follows, "the number's row knows by now")
	require.Empty(t, p.made, "and no second contact is made")
}

// So is the contact that a person chose; if it is gone for good, the choice goes with it.
func TestAChosenContactThatIsMergedOrGone(t *testing.T) {
	t.Parallel()
	w, p := newPeople(t, connectors.KeyedUpsert, records.Match{OnMany: "ask"})
	for _, id := range []string{"a", "b", "c"} {
		p.add("contact", id, "", 0, "4155550101")
	}
	w.settle(w.call(number))
	w.resolve("a", "contact")
	p.merge(connectors.Ref{Object: "contact", ID: "a"}, connectors.Ref{Object: "contact", ID: "b"})
	one := w.call(number)
	w.settle(one)
	require.Equal(t, []string{"b"}, p.linksOf(w, one))
	choices, err := w.db().Choices(t.Context(), w.ws, w.conn, records.Cursor{}, 10)
	require.NoError(t, err)
	require.Equal(t, "b", choices[0].Choice)
	p.merge(connectors.Ref{Object: "contact", ID: "b"}, connectors.Ref{})
	two := w.call(number)
	w.settle(two)
	require.Equal(t, []string{"c"}, p.linksOf(w, two), "matched anew")
	choices, err = w.db().Choices(t.Context(), w.ws, w.conn, records.Cursor{}, 10)
	require.NoError(t, err)
	require.Empty(t, choices)
}

// A lead that callsync made is converted: its further calls belong to the contact.
func TestConvertedLeadsAreFollowed(t *testing.T) {
	t.Parallel()
	w, p := newPeople(t, connectors.LookupThenWrite, records.Match{OnNone: "create_lead"})
	w.settle(w.call(number))
	p.add("contact", "person", "", 0, "4155550101")
	p.moved[connectors.Ref{Object: "lead", ID: "contact-1"}] = connectors.Ref{Object: "contact", ID: "person"}
	soon := w.call(number)
	w.settle(soon)
	require.Equal(t, []string{"contact-1"}, p.linksOf(w, soon), "the lead is still there, and asked about now and then only")
	w.exec(`update deliveries set updated_at = now() - interval '11 minutes' where object = 'contact'`)
	for range 2 {
		later := w.call(number)
		w.settle(later)
		require.Equal(t, []string{"person"}, p.linksOf(w, later))
	}
	require.Len(t, p.made, 1)
	require.Equal(t, 1, p.follows)
	// And one that was deleted is looked for by its number.
	w.exec(`update deliveries set updated_at = now() - interval '11 minutes' where object = 'contact'`)
	w.exec(`update deliveries set remote_id = 'lead-x', steps = jsonb_set(steps, '{party,object}', '"lead"') where object = 'contact'`)
	p.merge(connectors.Ref{Object: "lead", ID: "lead-x"}, connectors.Ref{})
	gone := w.call(number)
	w.settle(gone)
	require.Equal(t, []string{"person"}, p.linksOf(w, gone))
}

// A CRM that takes the contact with the call refuses one that is gone: the next attempt goes on with its successor.
func TestACreateThatNamesAMergedContact(t *testing.T) {
	t.Parallel()
	w, p := newPeople(t, connectors.KeyedUpsert, records.Match{})
	p.add("contact", "old", "", 0, "4155550101")
	w.settle(w.call(number))
	p.add("contact", "new", "", 0, "4155550101")
	p.merge(connectors.Ref{Object: "contact", ID: "old"}, connectors.Ref{Object: "contact", ID: "new"})
	p.fault = once("call", "before", &connectors.Error{Class: connectors.NotFound, Public: "the contact is not there"})
	one := w.call(number)
	require.Equal(t, activities.Done, w.settle(one).Outcome)
	require.Equal(t, []string{"new"}, p.linksOf(w, one))
	// A refusal that is not about the contact is one of the call's.
	p.fault = once("call", "before", &connectors.Error{Class: connectors.NotFound, Public: "no such owner"})
	two := w.call(number)
	require.Equal(t, activities.Parked, w.settle(two).Outcome)
	require.Equal(t, "no such owner", w.row(two).Reason)
}

// A CRM that cannot tie a call to a contact later keeps the call until somebody has answered.
func TestACallThatCannotBeTiedLaterWaits(t *testing.T) {
	t.Parallel()
	w, p := newPeople(t, connectors.CreateOnly, records.Match{OnMany: "ask"})
	w.delivery.Connectors = connectors.NewRegistry(unlinked{p})
	p.add("contact", "a", "", 1, "4155550101")
	p.add("contact", "b", "", 2, "4155550101")
	one := w.call(number)
	w.settle(one)
	require.Equal(t, "parked", w.row(one).State)
	require.Empty(t, p.calls)
	w.resolve("b", "contact")
	require.Equal(t, "done", w.row(one).State)
	require.Len(t, p.calls, 1)
}

// unlinked is a CRM without links.
type unlinked struct{ *people }

func (u unlinked) Open(connectors.Settings) (connectors.Session, error) { return bare{u.people}, nil }

type bare struct {
	p interface {
		connectors.Session
		connectors.ContactMatcher
		connectors.ContactCreator
	}
}

func (b bare) WriteCall(ctx context.Context, w connectors.CallWrite) (connectors.Written, error) {
	return b.p.WriteCall(ctx, w)
}

func (b bare) FindContacts(ctx context.Context, q connectors.PhoneQuery) ([]connectors.Contact, error) {
	return b.p.FindContacts(ctx, q)
}

// Two workers meet at a number that nobody has: one contact, by whatever policy makes one.
func TestTwoWorkersAtOneNumber(t *testing.T) {
	t.Parallel()
	for _, policy := range []records.Match{{}, {OnNone: "create_lead"}, {OnNone: "ask"}, {OnNone: "none"}} {
		w, p := newPeople(t, connectors.CreateOnly, policy)
		p.slow = 10 * time.Millisecond
		other := &activities.Delivery{Store: w.delivery.Store, Connectors: w.delivery.Connectors, Transport: w.delivery.Transport, Log: w.delivery.Log}
		var wg sync.WaitGroup
		for i := range 4 {
			one := w.call(number)
			by := *w
			if i%2 == 0 {
				by.delivery = other
			}
			wg.Go(func() { by.settle(one) })
		}
		wg.Wait()
		require.Len(t, p.calls, 4)
		if policy.OnNone == "ask" || policy.OnNone == "none" {
			require.Empty(t, p.made)
			require.Equal(t, 4, w.count(`select count(*) from unmatched`))
			continue
		}
		require.Len(t, p.made, 1)
		for id := range p.calls {
			require.Equal(t, []string{"contact-1"}, p.links[id])
		}
	}
}
