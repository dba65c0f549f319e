package admin

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/callsync/callsync/records"
)

// KeptView is a value that somebody put into a field of the CRM, and that callsync left there although it wants another one.
type KeptView struct {
	Field  string    `json:"field" doc:"The CRM's name of the field."`
	Cause  string    `json:"cause" enum:"edited,cleared,removed,filled,full" doc:"filled: the field is only filled while it is empty, and it was not. full: there is no room for what callsync would append."`
	Ours   any       `json:"ours,omitempty" doc:"What callsync wrote last; absent where it wrote nothing. Long texts are cut."`
	Theirs any       `json:"theirs,omitempty" doc:"What is there; absent for nothing."`
	Wanted any       `json:"wanted,omitempty" doc:"What callsync would write; absent where it would clear the field."`
	Open   bool      `json:"open" doc:"Whether the two still differ, as far as callsync has looked."`
	At     time.Time `json:"at"`
	// ResolvedAt and Resolution are absent while it is open.
	ResolvedAt time.Time `json:"resolved_at,omitzero"`
	Resolution string    `json:"resolution,omitempty" enum:"same,reverted,ours,withdrawn" doc:"same: both have the same now. reverted: the edit was taken back. ours: somebody took callsync's value. withdrawn: callsync wants nothing else there any more."`
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// viewKept lists the edits of a delivery by field.
func viewKept(all map[string]records.Kept) []KeptView {
	var out []KeptView
	for _, f := range sortedNames(all) {
		k := all[f]
		out = append(out, KeptView{Field: f, Cause: k.Cause, Ours: k.Ours, Theirs: k.Theirs, Wanted: k.Wanted, Open: k.Open(), At: k.At,
			ResolvedAt: k.ResolvedAt, Resolution: k.Resolution})
	}
	return out
}

type takeOursIn struct {
	PathID
	Body struct {
		ConnectionID string   `json:"connection_id" minLength:"1"`
		Fields       []string `json:"fields,omitempty" doc:"The CRM's names of the fields; default: all in which an edit is kept."`
	}
}

// TakeOursView says what was asked for.
type TakeOursView struct {
	Fields int `json:"fields" doc:"In how many fields callsync's value will be written."`
}

func (h *Handler) registerKept() {
	op := post("/calls/{id}/take-ours", "Write callsync's values once where an edit of the CRM's users was kept", "Calls")
	op.DefaultStatus = 202
	handle(h, operator, op, func(ctx context.Context, p principal, in *takeOursIn) (*answer[TakeOursView], error) {
		n, err := h.takeOurs(ctx, p, in.ID, in.Body.ConnectionID, in.Body.Fields)
		return &answer[TakeOursView]{TakeOursView{n}}, err
	})
}

// takeOurs has callsync's values written in place of edits, unless they are edited again before.
func (h *Handler) takeOurs(ctx context.Context, p principal, id, connectionID string, fields []string) (int, error) {
	item, err := h.Store.CallDetail(ctx, p.WorkspaceID, id)
	if err != nil {
		return 0, err
	}
	if !validID(connectionID) {
		return 0, invalid("connection_id", "This is no id.")
	}
	n, err := h.Store.TakeOurs(ctx, p.WorkspaceID, item.Call.ID, connectionID, fields)
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, problem(http.StatusConflict, "No edit is kept there any more. Look at the call again.")
	}
	return n, h.Resyncer.SyncNow(ctx, p.WorkspaceID, item.Call.ID, []string{connectionID})
}

func (h *Handler) takeOursForm(w http.ResponseWriter, r *http.Request, p principal) error {
	if _, err := h.takeOurs(r.Context(), p, r.PathValue("id"), r.PostForm.Get("connection"), r.PostForm["field"]); err != nil {
		return err
	}
	return back(w, r, "/calls/"+r.PathValue("id"), "queued")
}

// keptLine is an edit on a call's page.
type keptLine struct {
	// Field is the CRM's name, Label the one that people know.
	Field, Label, Cause, Theirs, Wanted string
	At                                  time.Time
}

// labelKept looks the labels of fields up in which edits were kept.
func (h *Handler) labelKept(ctx context.Context, workspaceID, object string, lanes []explained) {
	for i, l := range lanes {
		if l.Delivery != nil && len(l.Delivery.Kept) > 0 {
			lanes[i].labels = h.fieldLabels(ctx, workspaceID, l.Connection.ID, object)
		}
	}
}

// keptWords say what somebody did.
var keptWords = map[string]string{records.KeptEdited: "changed", records.KeptCleared: "emptied", records.KeptRemoved: "took values away", records.KeptFull: "no room left"}

// keptLines are the open edits that people should know of.
func keptLines(all map[string]records.Kept, labels map[string]string) []keptLine {
	var out []keptLine
	for _, f := range sortedNames(all) {
		if k := all[f]; k.Conflict() {
			line := keptLine{Field: visible(clip(f, 200)), Label: visible(clip(cmp.Or(labels[f], f), 200)), Cause: keptWords[k.Cause], Theirs: "(empty)", Wanted: plainValue(k.Wanted), At: k.At}
			if k.Theirs != nil && k.Theirs != "" {
				line.Theirs = plainValue(k.Theirs)
			}
			out = append(out, line)
		}
	}
	return out
}

// resolvedWords say how an edit ended.
var resolvedWords = map[string]string{records.ResolvedSame: "the CRM has callsync's value now", records.ResolvedReverted: "it was taken back in the CRM",
	records.ResolvedOurs: "callsync's value was taken", records.ResolvedWithdrawn: "callsync wants nothing else there any more"}

// keptMoments are the edits of a lane on the timeline.
func keptMoments(l explained) []moment {
	var out []moment
	for _, f := range sortedNames(l.Delivery.Kept) {
		k := l.Delivery.Kept[f]
		if k.Cause == records.KeptFilled {
			continue
		}
		field := visible(clip(cmp.Or(l.labels[f], f), 100))
		out = append(out, moment{At: k.At, Tone: "wait", What: "Kept what somebody did in " + l.CRM, More: field + ": " + keptWords[k.Cause] + "."})
		if !k.Open() {
			out = append(out, moment{At: k.ResolvedAt, Tone: "done", What: "No longer different from " + l.CRM, More: field + ": " + resolvedWords[k.Resolution] + "."})
		}
	}
	return out
}
