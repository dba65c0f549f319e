package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/call"
)

// otherRecord is a message or a form submission that receipts of this transaction tell of. Its row is locked.
type otherRecord struct {
	id, workspace, kind string
	// before is the stored state, empty for a row that this transaction has made.
	before  []byte
	state   []byte
	changed bool
}

// resolveRecords finds or makes the rows of messages and form submissions, and locks them.
func (a *application) resolveRecords(ctx context.Context) error {
	a.others = map[string]*otherRecord{}
	for _, kind := range []string{kindMessage, kindForm} {
		if err := a.lockRecords(ctx, kind); err != nil {
			return err
		}
	}
	return nil
}

func (a *application) lockRecords(ctx context.Context, kind string) error {
	type name struct{ source, id string }
	byName := map[name][]*newEvent{}
	for _, e := range a.events {
		if e.kind == kind {
			n := name{e.receipt.SourceID, cmp.Or(e.ProviderID, fmt.Sprintf("receipt:%s/%d", e.receipt.ID, e.Seq))}
			byName[n] = append(byName[n], e)
		}
	}
	if len(byName) == 0 {
		return nil
	}
	// In sorted order, because each insert locks its row.
	all := slices.SortedFunc(maps.Keys(byName), func(x, y name) int { return cmp.Or(cmp.Compare(x.source, y.source), cmp.Compare(x.id, y.id)) })
	table := tableOf(kind)
	batch := &pgx.Batch{}
	for _, n := range all {
		// The update changes nothing; it locks the row and has it returned.
		batch.Queue(`
			insert into `+table+` as t (id, workspace_id, source_id, provider_id, state) values ($1, $2, $3, $4, '{}')
			on conflict (source_id, provider_id) do update set provider_id = excluded.provider_id
			returning t.id, t.state, (xmax = 0)`,
			newID(), byName[n][0].receipt.WorkspaceID, n.source, n.id)
	}
	results := a.tx.SendBatch(ctx, batch)
	defer results.Close()
	for _, n := range all {
		r := &otherRecord{workspace: byName[n][0].receipt.WorkspaceID, kind: kind}
		var created bool
		if err := results.QueryRow().Scan(&r.id, &r.before, &created); err != nil {
			return err
		}
		if created {
			r.before = nil
		}
		a.others[r.id] = r
		for _, e := range byName[n] {
			e.record = r.id
		}
	}
	return results.Close()
}

func tableOf(kind string) string {
	if kind == kindMessage {
		return "messages"
	}
	return "forms"
}

// foldOthers folds each message and form submission of all events that tell of it, and tells which receipts changed it.
func (a *application) foldOthers(histories map[string][]call.Event) error {
	fresh := map[string][]string{} // receipts of this batch by record, in order of arrival
	for _, e := range a.events {
		if l := fresh[e.record]; e.kind != kindCall && (len(l) == 0 || l[len(l)-1] != e.receipt.ID) {
			fresh[e.record] = append(l, e.receipt.ID)
		}
	}
	for id, r := range a.others {
		var err error
		if r.kind == kindMessage {
			err = foldOther(a, r, histories[id], fresh[id], call.FoldMessage, func(m *call.Message) { m.ID = id })
		} else {
			err = foldOther(a, r, histories[id], fresh[id], call.FoldForm, func(f *call.Form) { f.ID = id })
		}
		if err != nil {
			return fmt.Errorf("%w: %s %s: %w", errFold, r.kind, id, err)
		}
	}
	return nil
}

func foldOther[T call.Message | call.Form](a *application, r *otherRecord, events []call.Event, receipts []string, fold func([]call.Event) T, name func(*T)) error {
	var last T
	if r.before != nil {
		if err := json.Unmarshal(r.before, &last); err != nil {
			return fmt.Errorf("read it: %w", err)
		}
	}
	// One receipt after the other, to tell which of them changed it.
	for i, receipt := range receipts {
		later := receipts[i+1:]
		next := fold(slices.DeleteFunc(slices.Clone(events), func(e call.Event) bool { return slices.Contains(later, e.ReceiptID) }))
		name(&next)
		differs := !call.Same(last, next)
		a.changed[receipt] = a.changed[receipt] || differs
		r.changed = r.changed || differs
		last = next
	}
	var err error
	r.state, err = json.Marshal(last)
	return err
}

func (a *application) queueOthers(batch *pgx.Batch) {
	for _, id := range slices.Sorted(maps.Keys(a.others)) {
		if r := a.others[id]; r.changed {
			a.done.Unsignalled = true
			batch.Queue(`update `+tableOf(r.kind)+` set state = $3, revision = revision + 1, changed_at = now() where workspace_id = $1 and id = $2`, r.workspace, id, string(r.state))
		}
	}
}
