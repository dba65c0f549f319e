package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

// Lists are read from call_list, newest first. What no index finds is looked for by walking the list, so many rows at a
// time that a step stays well below a tenth of a second.
const (
	// shortWalk is how much of the list is walked before anything else: what many calls have is found there.
	shortWalk = 8000
	// maxFound bounds what an index finds and is sorted afterwards; what more calls have is found by walking.
	maxFound = 2000
	// longWalk is a step of the walk.
	longWalk = 20_000
)

// listQuery is a filter, ready to be asked for.
type listQuery struct {
	workspace string
	// lead are conditions that one index of the list answers in its order; rest are the others.
	lead, rest []condition
	// searches are what somebody typed, as the database searches: meanings of it, the likeliest first. Of them counts the
	// first that any call of the workspace has.
	searches []string
	// impossible tells that no call passes.
	impossible bool
}

// laneLetter are the letters of call_list.lanes, by what a lane's state is in lists.
var laneLetter = map[string]string{records.DeliveryWaiting: "w", records.DeliveryDone: "d", records.DeliveryParked: "p", records.DeliverySkipped: "s"}

// condition writes one for a query.
type condition func(*queryBuilder) string

// CallsPage lists calls, newest first, with their deliveries, f.Limit of them unless there are fewer. A search that takes
// too long ends with context.DeadlineExceeded.
func (db *DB) CallsPage(ctx context.Context, workspaceID string, f records.CallFilter) ([]records.CallItem, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	var items []records.CallItem
	for limit := f.Limit; ; {
		f.Limit = limit - len(items)
		page, err := db.SearchCalls(ctx, workspaceID, f)
		if err != nil {
			return nil, err
		}
		items = append(items, page.Items...)
		if len(items) >= limit || page.Next.Start() {
			return items, nil
		}
		f.Before = page.Next
	}
}

// SearchCalls lists calls, newest first, with their deliveries. It looks through a part of the list at most; see
// records.CallPage.
func (db *DB) SearchCalls(ctx context.Context, workspaceID string, f records.CallFilter) (records.CallPage, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	page, err := db.searchCalls(ctx, workspaceID, f)
	if err != nil {
		return page, fmt.Errorf("list calls: %w", timedOut(ctx, err))
	}
	return page, db.addDeliveries(ctx, workspaceID, page.Items)
}

func (db *DB) searchCalls(ctx context.Context, workspaceID string, f records.CallFilter) (page records.CallPage, err error) {
	q, err := db.listQuery(ctx, workspaceID, f)
	if err != nil || q.impossible {
		return page, err
	}
	if len(q.searches) == 0 {
		return db.listed(ctx, q, f, longWalk)
	}
	// What was typed may mean several things: the first that there is at all.
	for _, text := range q.searches {
		s := q
		s.rest = append(q.rest[:len(q.rest):len(q.rest)], matches(text))
		// What many calls have is among the newest ones; what few have, an index finds; what lies between is walked for.
		if page, err = db.listed(ctx, s, f, shortWalk); err != nil || len(page.Items) == f.Limit || page.Next.Start() && len(page.Items) > 0 {
			return page, err
		}
		var ids []string
		if err := db.lookRow(ctx, `select array(select s.call_id from call_list s where s.workspace_id = $1 and s.search @@ $2::tsquery limit $3)`,
			workspaceID, text, maxFound+1).Scan(&ids); err != nil {
			return page, err
		}
		switch {
		case len(ids) == 0:
			page = records.CallPage{}
			continue
		case len(ids) > maxFound:
			return db.listed(ctx, s, f, longWalk)
		}
		q.lead = append(q.lead[:len(q.lead):len(q.lead)], among(ids))
		return db.listed(ctx, q, f, 0)
	}
	return page, nil
}

// matches is the condition of a search.
func matches(tsquery string) condition {
	return func(b *queryBuilder) string { return "l.search @@ " + b.arg(tsquery) + "::tsquery" }
}

// among is the condition of being one of some calls.
func among(ids []string) condition {
	return func(b *queryBuilder) string { return "l.call_id = any(" + b.arg(ids) + "::uuid[])" }
}

// listed reads a page of the list; walk bounds how many rows that pass q.lead are looked at, if it is not zero.
func (db *DB) listed(ctx context.Context, q listQuery, f records.CallFilter, walk int) (page records.CallPage, err error) {
	var b queryBuilder
	b.where("l.workspace_id = " + b.arg(q.workspace))
	if !f.Before.Start() {
		b.where("(l.listed_at, l.call_id) < (" + b.arg(f.Before.At) + ", " + b.arg(f.Before.ID) + "::uuid)")
	}
	if !f.From.IsZero() {
		b.where("l.listed_at >= " + b.arg(f.From))
	}
	if !f.To.IsZero() {
		b.where("l.listed_at < " + b.arg(f.To))
	}
	for _, c := range q.lead {
		b.where(c(&b))
	}
	const order = " order by l.listed_at desc, l.call_id desc "
	from := "call_list l where " + strings.Join(b.conditions, " and ")
	walked, args := from, slices.Clone(b.args)
	if len(q.rest) > 0 {
		b.conditions = nil
		for _, c := range q.rest {
			b.where(c(&b))
		}
		rest := strings.Join(b.conditions, " and ")
		if walk > 0 {
			from = "(select * from " + from + order + "limit " + b.arg(walk) + ") l where " + rest
		} else {
			from += " and " + rest
		}
	}
	rows, err := db.look(ctx, `with page as (select l.call_id, l.listed_at, l.state from `+from+order+`limit `+b.arg(f.Limit)+`)
		select `+callColumns+` from page l join calls c on c.id = l.call_id`+order, b.args...)
	if err != nil {
		return page, err
	}
	if page.Items, err = pgx.CollectRows(rows, scanCallItem); err != nil {
		return page, err
	}
	switch n := len(page.Items); {
	case n > 0 && n == f.Limit:
		page.Next = records.Cursor{At: page.Items[n-1].ListedAt, ID: page.Items[n-1].Call.ID}
	case walk > 0 && len(q.rest) > 0:
		last := queryBuilder{args: args}
		err = db.lookRow(ctx, "select l.listed_at, l.call_id from "+walked+order+"offset "+last.arg(walk-1)+" limit 1", last.args...).Scan(&page.Next.At, &page.Next.ID)
		if errors.Is(err, pgx.ErrNoRows) {
			return page, nil
		}
		page.Searched = page.Next.At.UTC()
	}
	return page, err
}

// listQuery makes the conditions of f.
func (db *DB) listQuery(ctx context.Context, workspaceID string, f records.CallFilter) (q listQuery, err error) {
	q = listQuery{workspace: workspaceID}
	// The index of the first one is walked, so the one that leaves the fewest comes first.
	add := func(indexed bool, c condition) {
		if indexed && len(q.lead) == 0 {
			q.lead = append(q.lead, c)
		} else {
			q.rest = append(q.rest, c)
		}
	}
	text := func(sql string) condition { return func(*queryBuilder) string { return sql } }
	equal := func(column, value string) condition {
		return func(b *queryBuilder) string { return column + " = " + b.arg(value) }
	}
	if f.IDs != nil {
		add(true, func(b *queryBuilder) string { return "l.call_id = any(" + b.arg(f.IDs) + "::uuid[])" })
	}
	switch f.State {
	case "":
	case records.CallLive, records.CallWaiting, records.CallOnHold, records.CallSkipped:
		// Written out, because the index is of what is not synced, which the planner must see.
		add(true, text("l.state = '"+f.State+"'"))
	default:
		add(false, equal("l.state", f.State))
	}
	for _, a := range []struct {
		column string
		state  call.ArtifactState
	}{{"recording", f.Recording}, {"transcription", f.Transcription}, {"disposition", f.Disposition}} {
		over := " = any(array(select s.id from sources s where s.workspace_id = l.workspace_id and l.window_base + make_interval(secs => s.window_seconds) <= now()))"
		const awaited = "'e' in (l.recording, l.transcription, l.disposition)"
		switch a.state {
		case call.Arrived:
			add(false, text("l."+a.column+" = 'a'"))
		case call.NotExpected:
			add(false, text("l."+a.column+" = 'n'"))
		case call.Expected:
			add(true, text(awaited))
			add(false, text("l."+a.column+" = 'e' and not coalesce(l.source_id"+over+", false)"))
		case call.Overdue:
			add(true, text(awaited))
			add(false, text("l."+a.column+" = 'e' and l.source_id"+over))
		}
	}
	if f.SourceID != "" {
		add(true, func(b *queryBuilder) string { return "l.source_id = " + b.arg(f.SourceID) + "::uuid" })
	}
	if f.Direction != "" {
		add(false, equal("coalesce(nullif(l.direction, ''), 'unknown')", string(f.Direction)))
	}
	if f.Status != "" {
		add(false, equal("coalesce(nullif(l.status, ''), 'unknown')", string(f.Status)))
	}
	if f.ConnectionID != "" {
		lane := f.ConnectionID[max(len(f.ConnectionID)-8, 0):]
		if f.LaneState != "" {
			lane += laneLetter[f.LaneState]
		}
		add(false, func(b *queryBuilder) string { return "position(" + b.arg(lane) + " in l.lanes) > 0" })
	}
	return q, db.callSearch(ctx, &q, f.Query)
}

// callSearch adds what a person typed.
func (db *DB) callSearch(ctx context.Context, q *listQuery, query string) error {
	text := strings.TrimSpace(strings.ToValidUTF8(strings.ReplaceAll(query, "\x00", ""), ""))
	if text == "" {
		return nil
	}
	if _, ok := parseUUID(text); ok {
		var ours bool
		if err := db.lookRow(ctx, `select exists (select from call_list where workspace_id = $1 and call_id = $2)`, q.workspace, text).Scan(&ours); err != nil {
			return err
		}
		if ours {
			q.lead = append(q.lead, among([]string{text}))
			return nil
		}
	}
	countries, err := db.searchCountries(ctx, q.workspace)
	if err != nil {
		return err
	}
	for _, t := range searchTerms(text, countries) {
		q.searches = append(q.searches, t.tsquery(q.workspace))
	}
	q.impossible = len(q.searches) == 0
	return nil
}

// search makes of the meanings of a search the condition of the first that there is.
func (db *DB) search(ctx context.Context, q *listQuery) error {
	for i, text := range q.searches {
		some := i+1 == len(q.searches)
		if !some {
			if err := db.lookRow(ctx, `select exists (select from (select 1 from call_list l where l.workspace_id = $1 and l.search @@ $2::tsquery limit 1) x)`, q.workspace, text).Scan(&some); err != nil {
				return err
			}
		}
		if some {
			q.rest, q.searches = append(q.rest, matches(text)), nil
			return nil
		}
	}
	return nil
}

// CountCalls counts the calls that f chooses, the newest ones up to limit, and their deliveries.
func (db *DB) CountCalls(ctx context.Context, workspaceID string, f records.CallFilter, limit int) (n records.CallCount, err error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	n.Lanes = map[string]map[string]int64{}
	var b queryBuilder
	some, err := db.allListed(ctx, &b, workspaceID, f)
	if err != nil || !some {
		return n, timedOut(ctx, err)
	}
	rows, err := db.look(ctx, `
		with chosen as materialized (select l.call_id from call_list l where `+strings.Join(b.conditions, " and ")+` order by l.listed_at desc, l.call_id desc limit `+b.arg(limit+1)+`)
		select '', '', count(*) from chosen
		union all
		select d.connection_id::text, d.state, count(*) from chosen h join deliveries d on d.record_id = h.call_id and d.object = 'call' and d.workspace_id = $1
			join connections k on k.id = d.connection_id and k.deleted_at is null group by 1, 2`, b.args...)
	if err != nil {
		return n, fmt.Errorf("count calls: %w", timedOut(ctx, err))
	}
	var (
		connection, state string
		count             int64
	)
	_, err = pgx.ForEachRow(rows, []any{&connection, &state, &count}, func() error {
		if connection == "" {
			n.Calls, n.More = min(count, int64(limit)), count > int64(limit)
			return nil
		}
		if n.Lanes[connection] == nil {
			n.Lanes[connection] = map[string]int64{}
		}
		n.Lanes[connection][state] = count
		return nil
	})
	if err != nil {
		return n, fmt.Errorf("count calls: %w", timedOut(ctx, err))
	}
	return n, nil
}

// allListed adds all conditions of f to a query of call_list (l), whose $1 is the workspace then; it has no bound.
func (db *DB) allListed(ctx context.Context, b *queryBuilder, workspaceID string, f records.CallFilter) (some bool, err error) {
	q, err := db.listQuery(ctx, workspaceID, f)
	if err == nil {
		err = db.search(ctx, &q)
	}
	if err != nil || q.impossible {
		return false, err
	}
	b.where("l.workspace_id = " + b.arg(workspaceID))
	if !f.Before.Start() {
		b.where("(l.listed_at, l.call_id) < (" + b.arg(f.Before.At) + ", " + b.arg(f.Before.ID) + "::uuid)")
	}
	if !f.From.IsZero() {
		b.where("l.listed_at >= " + b.arg(f.From))
	}
	if !f.To.IsZero() {
		b.where("l.listed_at < " + b.arg(f.To))
	}
	for _, c := range append(q.lead[:len(q.lead):len(q.lead)], q.rest...) {
		b.where(c(b))
	}
	return true, nil
}
