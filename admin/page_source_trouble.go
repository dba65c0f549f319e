package admin

import (
	"context"
	"net/http"

	"github.com/callsync/callsync/records"
)

// troubledMost is how many requests are counted, and replayed at once.
const troubledMost = 1000

// troubledRow counts the requests of a source that came to nothing for one of two reasons.
type troubledRow struct {
	State string
	Count int
	// More tells that there are others.
	More bool
	// Replay is where a form has them read again; empty for whoever may not.
	Replay string
}

// troubledRows are those of a source; none where all is well.
func (h *Handler) troubledRows(ctx context.Context, p principal, s records.Source) ([]troubledRow, error) {
	var out []troubledRow
	for _, state := range []string{records.ReceiptQuarantined, records.ReceiptRejected} {
		ids, err := h.Store.TroubledReceipts(ctx, p.WorkspaceID, s.ID, state, troubledMost+1)
		if err != nil {
			return nil, err
		}
		if len(ids) == 0 {
			continue
		}
		row := troubledRow{State: state, Count: min(len(ids), troubledMost), More: len(ids) > troubledMost}
		if p.may(operator) {
			row.Replay = "/sources/" + s.ID + "/replay"
		}
		out = append(out, row)
	}
	return out, nil
}

// sourceReplayForm has the requests of a source that are quarantined, or rejected, read again with today's settings: the
// oldest at once, the others after the answer.
func (h *Handler) sourceReplayForm(w http.ResponseWriter, r *http.Request, p principal) error {
	s, err := h.Store.SourceByID(r.Context(), p.WorkspaceID, r.PathValue("id"))
	if err != nil {
		return err
	}
	ids, err := h.Store.TroubledReceipts(r.Context(), p.WorkspaceID, s.ID, r.PostFormValue("state"), troubledMost)
	if err != nil {
		return err
	}
	now := min(len(ids), drainedBeforeAnswer)
	for _, id := range ids[:now] {
		if err := h.Replayer.Replay(r.Context(), p.WorkspaceID, id); err != nil {
			return err
		}
	}
	if rest := ids[now:]; len(rest) > 0 {
		h.later(context.WithoutCancel(r.Context()), func(ctx context.Context) {
			for i, id := range rest {
				if err := h.Replayer.Replay(ctx, p.WorkspaceID, id); err != nil {
					h.Log.WarnContext(ctx, "replay of receipts ended early", "workspace", p.WorkspaceID, "source", s.ID, "left", len(rest)-i, "err", err)
					return
				}
			}
		})
	}
	if len(ids) > 0 {
		c := records.Change{Action: "source.replay", ObjectKind: "source", ObjectID: s.ID, After: map[string]any{"receipts": len(ids)}}
		if err := h.Store.Audit(r.Context(), p.WorkspaceID, c); err != nil {
			return err
		}
	}
	return back(w, r, "/sources/"+s.ID, "replaying")
}
