package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

// aliasID is the kind of the alias that is the provider's own id of a call.
const aliasID = "id"

// aliasKey is one name of one call.
type aliasKey struct{ source, kind, value string }

// hash is the key of the advisory lock under which the name is looked up and given away.
func (k aliasKey) hash() int64 {
	h := fnv.New64a()
	for _, s := range []string{k.source, k.kind, k.value} {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	return int64(h.Sum64())
}

// group is one call as the names in a batch and those already known tell it.
type group struct {
	into  *group // set when it was joined with another one
	calls []string
	// id is the provider's own id, empty while it is not known.
	id     string
	source string
	fresh  []aliasKey // names it did not have
	winner string
}

func (g *group) root() *group {
	for g.into != nil {
		g = g.into
	}
	return g
}

// names are those of the call an event speaks of, the provider's own id first.
func (e *newEvent) names() []aliasKey {
	var out []aliasKey
	if e.ProviderID != "" {
		out = append(out, aliasKey{e.receipt.SourceID, aliasID, e.ProviderID})
	}
	for _, a := range e.Aliases {
		out = append(out, aliasKey{e.receipt.SourceID, a.Kind, a.Value})
	}
	return out
}

// grouping finds out which events speak of the same call. A call has one id of its provider: two calls whose ids differ
// are never joined by a lesser name that both were given, such as a connection id that the phone system used again; the
// name stays with the one that had it first.
type grouping map[aliasKey]*group

func (known grouping) add(e *newEvent) *group {
	names := e.names()
	var to *group
	for _, name := range names {
		g := known[name]
		if g == nil {
			continue
		}
		g = g.root()
		switch {
		case g == to:
		case e.ProviderID != "" && g.id != "" && g.id != e.ProviderID:
			// Another call's name.
		case to == nil:
			to = g
		case to.id != "" && g.id != "" && to.id != g.id:
		default:
			g.into = to
			to.calls = append(to.calls, g.calls...)
			to.fresh = append(to.fresh, g.fresh...)
			to.id = cmp.Or(to.id, g.id)
		}
	}
	if to == nil {
		to = &group{source: e.receipt.SourceID}
	}
	to.id = cmp.Or(to.id, e.ProviderID)
	for _, name := range names {
		if known[name] == nil {
			known[name] = to
			to.fresh = append(to.fresh, name)
		}
	}
	return to
}

// resolveCalls finds the call of each event, or makes a new id for it, and locks the calls. Names are locked before
// calls, both in sorted order, so that two transactions cannot wait for each other.
func (a *application) resolveCalls(ctx context.Context) error {
	a.before = map[string]*callRow{}
	var names []aliasKey
	for _, e := range a.events {
		if e.kind == kindCall {
			names = append(names, e.names()...)
		}
	}
	known, full, replaced, err := a.lockNames(ctx, names)
	if err != nil {
		return err
	}
	a.refuse(full)
	groups := map[*newEvent]*group{}
	for _, e := range a.events {
		if e.kind == kindCall {
			groups[e] = known.add(e)
		}
	}
	touched := map[string]bool{}
	for _, id := range replaced {
		touched[id] = true
	}
	var winners []*group
	for _, e := range a.events {
		if e.kind != kindCall {
			continue
		}
		g := groups[e].root()
		if g.winner == "" {
			slices.Sort(g.calls)
			g.calls = slices.Compact(g.calls)
			if len(g.calls) == 0 {
				g.winner = newID()
			} else {
				// Ids sort by age: the older call takes the others in.
				g.winner = g.calls[0]
			}
			winners = append(winners, g)
			touched[g.winner] = true
			for _, id := range g.calls {
				touched[id] = true
			}
		}
		e.record = g.winner
	}
	if err := a.lockCalls(ctx, slices.Sorted(maps.Keys(touched))); err != nil {
		return err
	}
	for _, g := range winners {
		for _, loser := range g.calls {
			if loser == g.winner {
				continue
			}
			a.merges = append(a.merges, merge{loser: loser, winner: g.winner})
			delete(touched, loser)
			if w, l := a.before[g.winner], a.before[loser]; w != nil && l != nil && w.WindowBase.IsZero() {
				w.WindowBase = l.WindowBase
			}
		}
	}
	a.touched = slices.Sorted(maps.Keys(touched))
	return a.insertNames(ctx, winners)
}

// lockNames takes the locks of all names, then reads which calls have them, which of the names are of calls that have too
// many events already, and which calls the claimed receipts spoke of before (a replay replaces their events).
func (a *application) lockNames(ctx context.Context, names []aliasKey) (known grouping, full map[aliasKey]bool, replaced []string, err error) {
	slices.SortFunc(names, func(x, y aliasKey) int {
		return cmp.Or(cmp.Compare(x.source, y.source), cmp.Compare(x.kind, y.kind), cmp.Compare(x.value, y.value))
	})
	names = slices.Compact(names)
	keys := make([]int64, len(names))
	sources, kinds, values := make([]string, len(names)), make([]string, len(names)), make([]string, len(names))
	for i, n := range names {
		keys[i], sources[i], kinds[i], values[i] = n.hash(), n.source, n.kind, n.value
	}
	slices.Sort(keys)
	batch := &pgx.Batch{}
	batch.Queue(`select pg_advisory_xact_lock(k) from unnest($1::bigint[]) as k`, slices.Compact(keys))
	// In a statement of its own: it sees what the former holders of the locks committed.
	batch.Queue(`
		select a.source_id, a.kind, a.value, a.call_id,
			coalesce((select i.value from call_aliases i where i.call_id = a.call_id and i.kind = 'id' limit 1), ''),
			(select count(*) from (select from events e where e.record_id = a.call_id and e.record_kind = 'call' limit $4) e) >= $4
		from unnest($1::uuid[], $2::text[], $3::text[]) as k (source_id, kind, value)
		join call_aliases a on a.source_id = k.source_id and a.kind = k.kind and a.value = k.value`, sources, kinds, values, maxHistory)
	batch.Queue(`select distinct record_id from events where receipt_id = any($1::uuid[]) and record_kind = 'call'`, a.read())
	results := a.tx.SendBatch(ctx, batch)
	defer results.Close()
	if _, err := results.Exec(); err != nil {
		return nil, nil, nil, err
	}
	known, full = grouping{}, map[aliasKey]bool{}
	byCall := map[string]*group{}
	rows, err := results.Query()
	if err != nil {
		return nil, nil, nil, err
	}
	var (
		name     aliasKey
		callID   string
		provider string
		many     bool
	)
	_, err = pgx.ForEachRow(rows, []any{&name.source, &name.kind, &name.value, &callID, &provider, &many}, func() error {
		full[name] = many
		g := byCall[callID]
		if g == nil {
			g = &group{calls: []string{callID}, id: provider, source: name.source}
			byCall[callID] = g
		}
		known[name] = g
		return nil
	})
	if err != nil {
		return nil, nil, nil, err
	}
	if rows, err = results.Query(); err != nil {
		return nil, nil, nil, err
	}
	if replaced, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		return nil, nil, nil, err
	}
	return known, full, replaced, results.Close()
}

// callRow is a row of calls in the pipeline.
type callRow struct {
	records.CallRow
	workspace, source string
	Revision          int64
	ended             bool
}

// lockCalls locks and reads calls.
func (a *application) lockCalls(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	rows, err := a.tx.Query(ctx, `
		select id, workspace_id, source_id, state, revision, complete, window_base, changed_at, settled_revision, created_at, merged_into is not null
		from calls where id = any($1::uuid[]) order by id for update`, ids)
	if err != nil {
		return err
	}
	var (
		id, workspace, source string
		state                 []byte
		revision, settled     int64
		complete, merged      bool
		base                  *time.Time
		changed, created      time.Time
		moved                 bool
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &workspace, &source, &state, &revision, &complete, &base, &changed, &settled, &created, &merged}, func() error {
		row := &callRow{workspace: workspace, source: source, Revision: revision}
		row.Complete, row.ChangedAt, row.SettledRevision, row.CreatedAt = complete, changed, settled, created
		if base != nil {
			row.WindowBase = base.UTC()
		}
		if err := json.Unmarshal(state, &row.Call); err != nil {
			return fmt.Errorf("%w: read call %s: %w", errFold, id, err)
		}
		moved = moved || merged
		a.before[id] = row
		return nil
	})
	if err == nil && moved {
		// A neighbour folded one of them into another call after its names were read here.
		return errAgain
	}
	return err
}

func (a *application) insertNames(ctx context.Context, groups []*group) error {
	var sources, kinds, values, workspaces, calls []string
	workspace := map[string]string{}
	for _, e := range a.events {
		workspace[e.receipt.SourceID] = e.receipt.WorkspaceID
	}
	for _, g := range groups {
		for _, n := range g.fresh {
			sources, kinds, values = append(sources, n.source), append(kinds, n.kind), append(values, n.value)
			workspaces, calls = append(workspaces, workspace[n.source]), append(calls, g.winner)
		}
	}
	if len(calls) == 0 {
		return nil
	}
	_, err := a.tx.Exec(ctx, `
		insert into call_aliases (source_id, kind, value, workspace_id, call_id)
		select * from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::uuid[])
		on conflict (source_id, kind, value) do nothing`, sources, kinds, values, workspaces, calls)
	return err
}

// queueMerge moves what belongs to the loser to the winner. Of two deliveries to one connection the winner's stays,
// unless only the loser's reached the CRM, or may have; the other one keeps its remote id and is marked as superseded.
// Workers may hold the leases of both. One that has begun a create has said so in the row, which is locked here; one that
// has not finds its lease gone when it wants to.
func queueMerge(batch *pgx.Batch, m merge) {
	batch.Queue(`update call_aliases set call_id = $2 where call_id = $1`, m.loser, m.winner)
	batch.Queue(`update events set record_id = $2 where record_id = $1 and record_kind = 'call'`, m.loser, m.winner)
	batch.Queue(`update receipt_results set record_id = $2 where record_id = $1 and record_kind = 'call'`, m.loser, m.winner)
	batch.Queue(`
		update recordings r set call_id = $2::uuid where call_id = $1::uuid
			and not exists (select from recordings w where w.call_id = $2::uuid and w.key = r.key)`, m.loser, m.winner)
	batch.Queue(`select 1 from deliveries where record_id in ($1, $2) and object = 'call' order by id for update`, m.loser, m.winner)
	batch.Queue(`
		delete from deliveries w using deliveries l
		where w.record_id = $2::uuid and w.object = 'call' and w.remote_id = '' and w.sending_since is null
			and l.record_id = $1::uuid and l.object = 'call' and l.connection_id = w.connection_id and (l.remote_id <> '' or l.sending_since is not null)`,
		m.loser, m.winner)
	batch.Queue(`
		update deliveries l set key = $2::uuid::text, record_id = $2::uuid, updated_at = now(),
			steps = jsonb_build_object('adopted', jsonb_build_object('at', now(), 'id', $1::uuid::text, 'object', 'call', 'text', 'taken over from a call folded into this one')) || l.steps
		where l.record_id = $1::uuid and l.object = 'call'
			and not exists (select 1 from deliveries w where w.connection_id = l.connection_id and w.object = 'call' and w.key = $2::uuid::text)`,
		m.loser, m.winner)
	batch.Queue(`
		update deliveries set state = 'skipped', class = '', field = '', detail = '', retry_at = null, reason = 'Folded into another call',
			attempt_token = null, lease_until = '-infinity', updated_at = now()
		where record_id = $1 and object = 'call'`, m.loser)
	batch.Queue(`update follow_ups set call_id = $2 where id in (select follow_up_id from follow_up_calls where call_id = $1) and call_id = $1`, m.loser, m.winner)
	batch.Queue(`
		update follow_up_calls l set call_id = $2 where l.call_id = $1
			and not exists (select from follow_up_calls w where w.connection_id = l.connection_id and w.action = l.action and w.call_id = $2)`, m.loser, m.winner)
	batch.Queue(`update calls set merged_into = $2, signalled_revision = revision, check_at = null where id = $1`, m.loser, m.winner)
}

// queueCalls writes folded calls. What is told of a live call stays here: its workflow need not know.
func queueCalls(batch *pgx.Batch, rows []callRow) error {
	if len(rows) == 0 {
		return nil
	}
	n := len(rows)
	ids, workspaces, sources := make([]string, n), make([]string, n), make([]string, n)
	states, phases, statuses, directions := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	started, ended, bases := make([]*time.Time, n), make([]*time.Time, n), make([]*time.Time, n)
	numbers, people, agents := make([]string, n), make([]string, n), make([]string, n)
	artifacts, terms := make([]string, n), make([]string, n)
	revisions := make([]int64, n)
	complete, provisional := make([]bool, n), make([]bool, n)
	created := make([]time.Time, n)
	for i := range rows {
		r := &rows[i]
		c := &r.Call
		state, err := json.Marshal(c)
		if err != nil {
			return fmt.Errorf("encode a call: %w", err)
		}
		ids[i], workspaces[i], sources[i], states[i] = c.ID, r.workspace, r.source, string(state)
		revisions[i], phases[i], statuses[i], directions[i] = r.Revision, string(c.Phase), string(c.Status), string(c.Direction)
		started[i], ended[i], bases[i] = orNull(c.StartedAt), orNull(c.EndedAt), orNull(r.WindowBase)
		numbers[i], people[i], agents[i] = cmp.Or(c.Customer.Number, c.Customer.RawNumber), c.Customer.Name, agentText(c.Agents)
		artifacts[i], terms[i] = artifactLetters(r.Artifacts), searchText(c)
		complete[i], provisional[i], created[i] = r.Complete, c.ProviderID == "", r.CreatedAt
	}
	batch.Queue(`
		insert into calls as c (id, workspace_id, source_id, state, revision, phase, status, direction, started_at, ended_at, customer_number,
			customer_name, agent_text, complete, window_base, provisional, created_at, signalled_revision, artifacts, search_text)
		select id, w, s, st::jsonb, rev, ph, stat, dir, sta, en, num, nam, ag, com, base, prov, cre, case when ph = 'live' then rev else 0 end, arts, terms
		from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::timestamptz[],
			$10::timestamptz[], $11::text[], $12::text[], $13::text[], $14::bool[], $15::timestamptz[], $16::bool[], $17::timestamptz[], $18::text[], $19::text[])
			as r (id, w, s, st, rev, ph, stat, dir, sta, en, num, nam, ag, com, base, prov, cre, arts, terms)
		on conflict (id) do update set state = excluded.state, revision = excluded.revision, phase = excluded.phase, status = excluded.status,
			direction = excluded.direction, started_at = excluded.started_at, ended_at = excluded.ended_at,
			customer_number = excluded.customer_number, customer_name = excluded.customer_name, agent_text = excluded.agent_text,
			artifacts = excluded.artifacts, search_text = excluded.search_text, complete = excluded.complete, window_base = excluded.window_base, provisional = excluded.provisional,
			changed_at = case when excluded.revision > c.revision then now() else c.changed_at end,
			signalled_revision = greatest(c.signalled_revision, excluded.signalled_revision)`,
		ids, workspaces, sources, states, revisions, phases, statuses, directions, started, ended, numbers, people, agents, complete, bases, provisional, created, artifacts, terms)
	return nil
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// agentText names the agents of a call, for people.
func agentText(agents []call.Agent) string {
	const enough = 500
	var b strings.Builder
	for _, a := range agents {
		for _, s := range []string{a.Name, a.Email, a.Number, a.Extension} {
			if s == "" || b.Len()+len(s) > enough {
				continue
			}
			if b.Len() > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(s)
		}
	}
	return b.String()
}
