package salesforce

import (
	"context"
	"maps"
	"slices"

	"github.com/callsync/callsync/connectors"
)

// maxBatch is how many records a collection takes (REST guide, sObject Collections).
const maxBatch = 200

// item is one call of a batch with what is to be sent for it.
type item struct {
	at     int // its place among the outcomes
	w      connectors.CallWrite
	v      values
	linked []connectors.Ref
	warns  []connectors.Warning
}

// MaxBatch implements connectors.BatchWriter.
func (s *session) MaxBatch() int { return maxBatch }

// WriteCalls implements connectors.BatchWriter: creates as one collection that upserts by our key, with their links, updates
// as one that goes by ids. Each row has its own outcome. A request that Salesforce refuses as a whole is halved until only
// the bad rows are left; a row that needs more than one request is written by itself.
func (s *session) WriteCalls(ctx context.Context, ws []connectors.CallWrite) []connectors.BatchOutcome {
	out := make([]connectors.BatchOutcome, len(ws))
	var creates, updates []item
	for i, w := range ws {
		v, warnings, err := s.encode(objTask, w.Fields)
		it := item{at: i, w: w, v: v, warns: warnings}
		switch {
		case err != nil:
			out[i].Err = err
		case w.RemoteID == "":
			it.linked = s.completeCall(v, w)
			creates = append(creates, it)
		default:
			it.v = kept(objTask, v)
			maps.DeleteFunc(it.v, func(name string, _ any) bool { return name == s.keyField || isCreateOnly(name) })
			if len(it.v) == 0 {
				out[i].Written = connectors.Written{RemoteID: w.RemoteID, URL: s.recordURL(w.RemoteID), Warnings: warnings}
				continue
			}
			updates = append(updates, it)
		}
	}
	s.writeBatch(ctx, objTask, creates, out)
	s.writeBatch(ctx, "", updates, out)
	return out
}

// writeBatch upserts items of object by our key, or updates them by id where object is empty.
func (s *session) writeBatch(ctx context.Context, object string, items []item, out []connectors.BatchOutcome) {
	switch {
	case len(items) == 0:
		return
	case len(items) == 1:
		s.single(ctx, items[0], out)
		return
	case len(items) > maxBatch:
		s.writeBatch(ctx, object, items[:maxBatch], out)
		s.writeBatch(ctx, object, items[maxBatch:], out)
		return
	}
	records, absent := make([]values, len(items)), make([][]connectors.Warning, len(items))
	var parents []string
	for i, it := range items {
		v := maps.Clone(it.v)
		absent[i] = s.leaveOut(v)
		v["attributes"] = map[string]string{"type": objTask}
		if object != "" {
			v[s.keyField] = cutKey(it.w.Key)
		} else {
			v["id"] = it.w.RemoteID
		}
		records[i] = v
		parents = append(parents, s.parentsOf(it.v)...)
	}
	var rows []batchRow
	var q request
	err := s.alone(ctx, parents, func() (err error) {
		rows, q, err = s.collection(ctx, object, records)
		return err
	})
	if err != nil {
		e := connectors.AsError(err)
		if hasCode(err, codeField) && slices.Contains(ownOptional, e.Field) && !s.lacks(e.Field) {
			s.remember(ctx, e.Field)
			s.writeBatch(ctx, object, items, out)
			return
		}
		switch e.Class {
		case connectors.Invalid, connectors.Conflict, connectors.NotFound:
			s.writeBatch(ctx, object, items[:len(items)/2], out)
			s.writeBatch(ctx, object, items[len(items)/2:], out)
		default:
			for _, it := range items {
				out[it.at].Err = err
			}
		}
		return
	}
	for i, row := range rows {
		it := items[i]
		if row.Success && recordID.MatchString(row.ID) {
			out[it.at].Written = connectors.Written{RemoteID: row.ID, URL: s.recordURL(row.ID), Created: object != "" && row.Created, Linked: it.linked, Warnings: append(it.warns, absent[i]...)}
			continue
		}
		err := s.itemRefusal(q, row.Errors)
		switch {
		case mendable(err):
			s.single(ctx, it, out)
		default:
			out[it.at].Err = err
		}
	}
}

// mendable tells whether a row that was refused may pass by itself, made to fit: it is too long, it has been made before, or
// somebody else has its parent locked.
func mendable(err error) bool {
	for _, code := range []string{codeLocked, codeFieldWrite, codeDuplicate, codeField, codeLong, codeParse, codeType, codeTypeOnField} {
		if hasCode(err, code) {
			return true
		}
	}
	return false
}

func (s *session) single(ctx context.Context, it item, out []connectors.BatchOutcome) {
	o := &out[it.at]
	o.Written, o.Err = s.write(ctx, objTask, it.w.Key, it.w.RemoteID, it.v, nil)
	if o.Err != nil {
		o.Written = connectors.Written{}
		return
	}
	o.Written.Warnings = append(it.warns, o.Written.Warnings...)
	if it.w.RemoteID == "" {
		o.Written.Linked = it.linked
	}
}
