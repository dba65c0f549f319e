package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

// The kinds of records an event can belong to.
const (
	kindCall    = "call"
	kindMessage = "message"
	kindForm    = "form"
)

// ApplyInbox claims up to limit receipts and applies them in one transaction: decode, find or make the calls, keep the
// events, fold each touched call once and record what became of each receipt. If what one receipt says cannot be
// stored, the others are applied without it and it is quarantined. Several processes may call it at once.
func (db *DB) ApplyInbox(ctx context.Context, limit int, how records.Applier) (records.Applied, error) {
	done, ids, err := db.applyOnce(ctx, limit, "", how)
	if err == nil || len(ids) == 0 || !isolate(err) {
		return done, err
	}
	var all records.Applied
	all.Claimed = len(ids)
	for _, id := range ids {
		one, err := db.ApplyReceipt(ctx, id, how)
		all.Receipts = append(all.Receipts, one.Receipts...)
		all.Deferred += one.Deferred
		all.Unsignalled = all.Unsignalled || one.Unsignalled
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// ApplyReceipt applies one receipt of the inbox, due or not. It does nothing if the receipt is not there.
func (db *DB) ApplyReceipt(ctx context.Context, id string, how records.Applier) (records.Applied, error) {
	done, ids, err := db.applyOnce(ctx, 1, id, how)
	switch {
	case err == nil || !isolate(err):
		return done, err
	case errors.Is(err, records.ErrRefused) || errors.Is(err, errFold):
		return db.quarantine(ctx, id, err)
	case len(ids) == 0:
		return done, err
	}
	return db.postpone(ctx, id)
}

// isolate tells whether the failure of a batch may be the fault of one of its receipts, not of the server or the line.
func isolate(err error) bool {
	if errors.Is(err, records.ErrRefused) || errors.Is(err, errFold) {
		return true
	}
	var pg *pgconn.PgError
	// 53200: what one transaction needs exhausts the server's memory or its table of locks.
	return errors.As(err, &pg) && (strings.HasPrefix(pg.Code, "42") || pg.Code == "53200")
}

// errFold marks an error of Applier.Fold.
var errFold = errors.New("fold")

// quarantine takes a receipt that cannot be applied out of the inbox, with the cause.
func (db *DB) quarantine(ctx context.Context, id string, cause error) (records.Applied, error) {
	done := records.Applied{Claimed: 1}
	row := db.pool.QueryRow(ctx, `
		with gone as (delete from inbox where receipt_id = $1 returning receipt_id, workspace_id, source_id)
		insert into receipt_results as r (receipt_id, workspace_id, source_id, state, reason, detail)
		select receipt_id, workspace_id, source_id, 'quarantined', $2, $3 from gone
		on conflict (receipt_id) do update set state = excluded.state, reason = excluded.reason, detail = excluded.detail,
			record_kind = null, record_id = null, changed = false, applied_at = now()
		returning source_id`, id,
		"callsync could read this request but could not store what it says. The request is kept; replay it after an update of callsync.",
		strings.ToValidUTF8(strings.ReplaceAll(cause.Error(), "\x00", ""), "?"))
	var source string
	if err := row.Scan(&source); errors.Is(err, pgx.ErrNoRows) {
		return done, nil
	} else if err != nil {
		return done, fmt.Errorf("quarantine a receipt: %w", storeError(err))
	}
	done.Receipts = []records.AppliedReceipt{{ID: id, SourceID: source, State: records.ReceiptQuarantined}}
	return done, nil
}

// postpone leaves a receipt for later and longer with each attempt, so that it cannot hold up the ones behind it.
func (db *DB) postpone(ctx context.Context, id string) (records.Applied, error) {
	_, err := db.pool.Exec(ctx, `update inbox set attempts = attempts + 1,
		not_before = now() + least(interval '1 second' * 2 ^ least(attempts, 9), interval '5 minutes') where receipt_id = $1`, id)
	if err != nil {
		return records.Applied{}, fmt.Errorf("postpone a receipt: %w", storeError(err))
	}
	return records.Applied{Claimed: 1, Deferred: 1}, nil
}

// applyOnce is one transaction. It returns the claimed ids also with an error.
func (db *DB) applyOnce(ctx context.Context, limit int, receipt string, how records.Applier) (done records.Applied, ids []string, err error) {
	var a *application
	err = db.inTx(ctx, func(tx pgx.Tx) error {
		var err error
		done, a = records.Applied{}, nil
		if ids, err = claim(ctx, tx, limit, receipt); err != nil || len(ids) == 0 {
			return err
		}
		receipts, err := loadReceipts(ctx, tx, ids)
		if err != nil {
			return err
		}
		a = &application{tx: tx, sealer: db.sealer, how: how, claimed: ids, receipts: receipts}
		if err := a.run(ctx); err != nil {
			return err
		}
		done = a.done
		done.Claimed = len(ids)
		if len(a.claimed) < len(ids) {
			// Some were left for the next round.
			done.Claimed = limit
		}
		return nil
	})
	if err != nil {
		return records.Applied{}, ids, fmt.Errorf("apply receipts: %w", storeError(err))
	}
	if a != nil {
		db.news.tell(a.live)
		db.clocks.add(a.clock)
	}
	return done, ids, nil
}

// application is the work of one transaction.
type application struct {
	tx       pgx.Tx
	sealer   Sealer
	how      records.Applier
	claimed  []string
	receipts []records.Receipt
	verdicts []records.Verdict

	events  []*newEvent
	before  map[string]*callRow     // by id, locked
	others  map[string]*otherRecord // messages and forms by id, locked
	merges  []merge
	touched []string // ids of calls to fold, sorted

	changed map[string]bool // by receipt
	rows    []callRow       // calls to write
	live    map[string]bool // workspaces of which live calls change
	clock   []clockSample
	done    records.Applied
}

// newEvent is an event of a claimed receipt on its way to its record.
type newEvent struct {
	call.Event
	receipt *records.Receipt
	data    []byte
	kind    string
	record  string
}

// merge folds the call loser into winner.
type merge struct{ loser, winner string }

func (a *application) run(ctx context.Context) error {
	a.verdicts = a.how.Decode(ctx, a.receipts)
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(a.verdicts) != len(a.receipts) {
		return fmt.Errorf("decode: %d verdicts for %d receipts", len(a.verdicts), len(a.receipts))
	}
	a.cut()
	if err := a.collect(); err != nil {
		return err
	}
	a.changed, a.live = map[string]bool{}, map[string]bool{}
	if err := a.resolveRecords(ctx); err != nil {
		return err
	}
	if err := a.resolveCalls(ctx); err != nil {
		return err
	}
	histories, err := a.store(ctx)
	if err != nil {
		return err
	}
	if err := a.fold(histories); err != nil {
		return err
	}
	if err := a.foldOthers(histories); err != nil {
		return err
	}
	return a.write(ctx)
}

// maxNames is how many names of calls one transaction locks, for the server's table of locks is small: 6,400 of all
// transactions by default. One receipt may exceed it alone.
const maxNames = 2000

// cut leaves the last of the claimed receipts in the inbox for the next round if together they name too many calls.
func (a *application) cut() {
	names := 0
	for i := range a.receipts {
		for _, e := range a.verdicts[i].Events {
			names += 1 + len(e.Aliases)
		}
		if names > maxNames && i > 0 {
			for _, r := range a.receipts[i:] {
				a.claimed = slices.DeleteFunc(a.claimed, func(id string) bool { return id == r.ID })
			}
			a.receipts, a.verdicts = a.receipts[:i], a.verdicts[:i]
			return
		}
	}
}

// maxHistory is how many events a call may have. Each of its receipts folds them all; a call with more is two systems
// that update each other without end.
const maxHistory = 5000

// refuse quarantines the claimed receipts that tell of calls with too many events already.
func (a *application) refuse(full map[aliasKey]bool) {
	refused := map[string]bool{}
	for _, e := range a.events {
		if e.kind == kindCall && slices.ContainsFunc(e.names(), func(n aliasKey) bool { return full[n] }) {
			refused[e.receipt.ID] = true
		}
	}
	if len(refused) == 0 {
		return
	}
	a.events = slices.DeleteFunc(a.events, func(e *newEvent) bool { return refused[e.receipt.ID] })
	for i := range a.receipts {
		if refused[a.receipts[i].ID] {
			a.verdicts[i] = records.Verdict{State: records.ReceiptQuarantined, Detail: fmt.Sprintf("the call has %d events", maxHistory),
				Reason: "Too many requests have told of this call already. Look whether two systems update each other without end."}
		}
	}
}

// read are the claimed receipts that could be read: what they say replaces what they said before. Of the others nothing
// new is known, so what they said stays.
func (a *application) read() []string {
	var ids []string
	for i, v := range a.verdicts {
		if v.State == records.ReceiptApplied || v.State == records.ReceiptIgnored {
			ids = append(ids, a.receipts[i].ID)
		}
	}
	return ids
}

// collect numbers and encodes the events of applied receipts.
func (a *application) collect() error {
	for i := range a.receipts {
		r := &a.receipts[i]
		if a.verdicts[i].State != records.ReceiptApplied {
			continue
		}
		for seq, e := range a.verdicts[i].Events {
			e.ReceiptID, e.ReceivedAt, e.Seq = r.ID, r.ReceivedAt, seq
			n := &newEvent{Event: e, receipt: r, kind: kindCall}
			switch {
			case e.Message != nil:
				n.kind = kindMessage
			case e.Form != nil:
				n.kind = kindForm
			}
			var err error
			if n.data, err = json.Marshal(e); err != nil {
				return fmt.Errorf("%w: encode an event: %w", errFold, err)
			}
			a.events = append(a.events, n)
		}
	}
	return nil
}

// store moves the aliases, events and deliveries of merged calls, keeps the new events in place of what the receipts
// said before, and loads all events of the touched calls, messages and forms.
func (a *application) store(ctx context.Context) (map[string][]call.Event, error) {
	batch := &pgx.Batch{}
	for _, m := range a.merges {
		queueMerge(batch, m)
	}
	batch.Queue(`delete from events where receipt_id = any($1::uuid[])`, a.read())
	if len(a.events) > 0 {
		n := len(a.events)
		receipts, workspaces, sources := make([]string, n), make([]string, n), make([]string, n)
		seqs := make([]int32, n)
		kinds, ids, events, data := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
		for i, e := range a.events {
			receipts[i], workspaces[i], sources[i] = e.receipt.ID, e.receipt.WorkspaceID, e.receipt.SourceID
			seqs[i], kinds[i], ids[i], events[i], data[i] = int32(e.Seq), e.kind, e.record, string(e.Kind), string(e.data)
		}
		batch.Queue(`
			insert into events (receipt_id, seq, workspace_id, source_id, record_kind, record_id, kind, data)
			select r, s, w, src, rk, rid, k, d::jsonb
			from unnest($1::uuid[], $2::int[], $3::uuid[], $4::uuid[], $5::text[], $6::uuid[], $7::text[], $8::text[]) as e (r, s, w, src, rk, rid, k, d)`,
			receipts, seqs, workspaces, sources, kinds, ids, events, data)
	}
	batch.Queue(`select record_id, data from events where record_id = any($1::uuid[])`, slices.AppendSeq(slices.Clone(a.touched), maps.Keys(a.others)))
	results := a.tx.SendBatch(ctx, batch)
	defer results.Close()
	for range batch.Len() - 1 {
		if _, err := results.Exec(); err != nil {
			return nil, err
		}
	}
	rows, err := results.Query()
	if err != nil {
		return nil, err
	}
	histories := make(map[string][]call.Event, len(a.touched)+len(a.others))
	var (
		id   string
		data []byte
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &data}, func() error {
		var e call.Event
		if err := json.Unmarshal(data, &e); err != nil {
			return fmt.Errorf("%w: read an event of record %s: %w", errFold, id, err)
		}
		histories[id] = append(histories[id], e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return histories, results.Close()
}

// steps is up to how many receipts of one call in one batch are folded one after the other, to tell which of them
// changed the call; the ones beyond count together.
const steps = 16

// fold folds each touched call and decides whether it changed.
func (a *application) fold(histories map[string][]call.Event) error {
	fresh := map[string][]string{} // receipts of this batch by call, in order of arrival
	for _, e := range a.events {
		if e.kind == kindCall {
			if l := fresh[e.record]; len(l) == 0 || l[len(l)-1] != e.receipt.ID {
				fresh[e.record] = append(l, e.receipt.ID)
			}
		}
	}
	merged := map[string]int64{}
	for _, m := range a.merges {
		merged[m.winner] = max(merged[m.winner], a.before[m.loser].Revision)
	}
	for _, id := range a.touched {
		events := histories[id]
		if len(events) == 0 {
			// A replay took its only event away. What has been delivered stays as it was said.
			continue
		}
		if err := a.foldCall(id, events, fresh[id], merged[id]); err != nil {
			return err
		}
	}
	return nil
}

func (a *application) foldCall(id string, events []call.Event, receipts []string, mergedRevision int64) error {
	h := records.History{CallID: id}
	old := a.before[id]
	if old != nil {
		h.WorkspaceID, h.SourceID, h.Before = old.workspace, old.source, old.CallRow
	} else {
		for _, e := range a.events {
			if e.record == id {
				h.WorkspaceID, h.SourceID = e.receipt.WorkspaceID, e.receipt.SourceID
				break
			}
		}
	}
	late := map[string]int{} // position of the receipts that are folded one after the other
	for i, r := range receipts {
		late[r] = min(i, steps)
	}
	slices.SortStableFunc(events, func(x, y call.Event) int {
		px, okx := late[x.ReceiptID]
		py, oky := late[y.ReceiptID]
		switch {
		case okx && oky:
			return px - py
		case okx:
			return 1
		case oky:
			return -1
		}
		return 0
	})
	last := h.Before
	for i := 0; i < len(receipts) || i == 0; i++ {
		upTo := len(events)
		if i < min(len(receipts), steps+1)-1 {
			upTo = slices.IndexFunc(events, func(e call.Event) bool { p, ok := late[e.ReceiptID]; return ok && p > i })
		}
		h.Events = events[:upTo:upTo]
		row, err := a.how.Fold(h)
		if err != nil {
			return fmt.Errorf("%w: %w", errFold, err)
		}
		differs := !sameRow(last, row)
		last = row
		if upTo == len(events) {
			for _, r := range receipts[min(i, len(receipts)):] {
				a.changed[r] = a.changed[r] || differs
			}
			break
		}
		a.changed[receipts[i]] = a.changed[receipts[i]] || differs
	}
	quiet := old != nil && mergedRevision == 0 && sameRow(h.Before, last)
	if quiet && call.SameState(h.Before.Call, last.Call) {
		return nil
	}
	next := callRow{CallRow: last, workspace: h.WorkspaceID, source: h.SourceID}
	next.Revision = mergedRevision + 1
	next.ended = next.Call.Phase == call.Ended
	switch {
	case quiet:
		// Nothing that anybody must be told.
		next.Revision = old.Revision
	case old != nil:
		next.Revision = max(old.Revision, mergedRevision) + 1
	default:
		next.CreatedAt = slices.MinFunc(events, func(x, y call.Event) int { return x.ReceivedAt.Compare(y.ReceivedAt) }).ReceivedAt
	}
	next.Call.Revision = next.Revision
	if !next.ended || old != nil && old.Call.Phase == call.Live || mergedRevision > 0 {
		a.live[h.WorkspaceID] = true
	}
	a.sampleClock(&h.Before, &last, h.WorkspaceID, h.SourceID)
	a.rows = append(a.rows, next)
	a.done.Unsignalled = a.done.Unsignalled || next.ended && !quiet
	return nil
}

// sameRow tells whether nothing has to be delivered after the change from a to b. What the provider thinks may still
// come counts only by what it makes of Complete.
func sameRow(a, b records.CallRow) bool {
	a.Call.Outlook, b.Call.Outlook = nil, nil
	a.Call.TerminalReceivedAt, b.Call.TerminalReceivedAt = time.Time{}, time.Time{}
	return a.Complete == b.Complete && call.SameState(a.Call, b.Call)
}

// write stores the changed calls, messages and forms, records what became of each receipt and takes the receipts out of the inbox.
func (a *application) write(ctx context.Context) error {
	batch := &pgx.Batch{}
	if err := queueCalls(batch, a.rows); err != nil {
		return fmt.Errorf("%w: %w", errFold, err)
	}
	heard := slices.DeleteFunc(slices.Clone(a.rows), func(r callRow) bool {
		old := a.before[r.Call.ID]
		return old != nil && sameRecordings(old.Call.Recordings, r.Call.Recordings)
	})
	if err := queueRecordings(batch, a.sealer, heard); err != nil {
		return err
	}
	a.queueOthers(batch)
	a.queueResults(batch)
	return a.tx.SendBatch(ctx, batch).Close()
}

func (a *application) queueResults(batch *pgx.Batch) {
	var (
		ids, workspaces, sources, states, reasons, details []string
		kinds, recordIDs                                   []*string
		changed                                            []bool
		later                                              []string
		waits                                              []float64
	)
	first := map[string]*newEvent{}
	for _, e := range a.events {
		if _, ok := first[e.receipt.ID]; !ok {
			first[e.receipt.ID] = e
		}
	}
	for i := range a.receipts {
		r, v := &a.receipts[i], &a.verdicts[i]
		if v.RetryIn > 0 {
			later, waits = append(later, r.ID), append(waits, v.RetryIn.Seconds())
			a.done.Deferred++
			continue
		}
		ids, workspaces, sources = append(ids, r.ID), append(workspaces, r.WorkspaceID), append(sources, r.SourceID)
		states, reasons, details = append(states, v.State), append(reasons, v.Reason), append(details, v.Detail)
		var kind, record *string
		if e := first[r.ID]; e != nil {
			kind, record = &e.kind, &e.record
		}
		kinds, recordIDs, changed = append(kinds, kind), append(recordIDs, record), append(changed, a.changed[r.ID])
		a.done.Receipts = append(a.done.Receipts, records.AppliedReceipt{ID: r.ID, SourceID: r.SourceID, State: v.State, Changed: a.changed[r.ID]})
	}
	batch.Queue(`
		insert into receipt_results as r (receipt_id, workspace_id, source_id, state, reason, detail, record_kind, record_id, changed)
		select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::uuid[], $9::bool[])
		on conflict (receipt_id) do update set state = excluded.state, reason = excluded.reason, detail = excluded.detail,
			record_kind = excluded.record_kind, record_id = excluded.record_id, changed = excluded.changed, applied_at = now()`,
		ids, workspaces, sources, states, reasons, details, kinds, recordIDs, changed)
	if len(later) > 0 {
		batch.Queue(`
			update inbox i set attempts = i.attempts + 1, not_before = now() + make_interval(secs => l.wait)
			from unnest($1::uuid[], $2::float8[]) as l (id, wait) where i.receipt_id = l.id`, later, waits)
	}
	// An inbox row whose receipt is gone goes as well: there is nothing left to apply.
	gone := slices.DeleteFunc(slices.Clone(a.claimed), func(id string) bool { return slices.Contains(later, id) })
	batch.Queue(`delete from inbox where receipt_id = any($1::uuid[])`, gone)
}
