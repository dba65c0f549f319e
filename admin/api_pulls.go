package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/callsync/callsync/internal/httpx"
	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
)

// PullStore keeps pulls: rounds of asking a phone system for the calls of a range.
type PullStore interface {
	// CreatePull queues a pull; records.ErrConflict where too many of the source are open.
	CreatePull(ctx context.Context, p records.Pull) error
	// PullsPage lists the pulls of a source, newest first, from the one after before.
	PullsPage(ctx context.Context, workspaceID, sourceID, before string, limit int) ([]records.Pull, error)
}

// PullView is a pull as the API shows it.
type PullView struct {
	ID    string    `json:"id"`
	Kind  string    `json:"kind" enum:"manual,recent,daily" doc:"manual: somebody asked. recent and daily: by the settings of the source."`
	State string    `json:"state" enum:"queued,running,done,failed"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	Read  int64     `json:"read" doc:"Calls that the phone system listed so far."`
	// LeftOut were live or had just ended.
	LeftOut   int64      `json:"left_out" doc:"Of these, calls that had not ended or ended a moment ago: their webhooks are on their way."`
	New       int64      `json:"new" doc:"Calls that callsync did not know."`
	Changed   int64      `json:"changed" doc:"Calls of which something was not known."`
	Unchanged int64      `json:"unchanged" doc:"Calls that callsync knew as they are."`
	Failed    int64      `json:"failed" doc:"Calls that could not be read; their receipts say why."`
	Waiting   int64      `json:"waiting" doc:"Calls that are stored and about to be applied."`
	Error     string     `json:"error,omitempty" doc:"Why it does not go on, or not for now."`
	RetryAt   *time.Time `json:"retry_at,omitempty"`
	CreatedAt time.Time  `json:"created_at"`
	StartedAt *time.Time `json:"started_at,omitempty"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
}

// PullCreated names a new pull.
type PullCreated struct {
	ID string `json:"id"`
}

type pullCreate struct {
	PathID
	Body struct {
		From time.Time `json:"from" doc:"Calls that began from this moment on."`
		To   time.Time `json:"to,omitzero" doc:"Calls that began until this moment; absent: now."`
	}
}

type pullsIn struct {
	PathID
	PageQuery
}

func (h *Handler) registerPulls() {
	const tag = "Sources"
	op := post("/sources/{id}/pull", "Ask the phone system for the calls of a range, to make good what webhooks missed", tag)
	op.DefaultStatus = http.StatusAccepted
	handle(h, operator, op, h.createPull)
	handle(h, viewer, get("/sources/{id}/pulls", "List what was asked of the phone system, and what came of it", tag), h.listPulls)
}

func (h *Handler) createPull(ctx context.Context, p principal, in *pullCreate) (*answer[PullCreated], error) {
	s, err := h.Store.SourceByID(ctx, p.WorkspaceID, in.ID)
	if err != nil {
		return nil, err
	}
	puller, ok := h.Providers[s.Provider].(telephony.Puller)
	if !ok {
		return nil, problem(http.StatusUnprocessableEntity, "This kind of phone system cannot be asked for its calls; it only sends them.")
	}
	if missing := puller.PullSetup(telephony.Settings{Location: time.UTC, Config: s.Config, Secrets: s.Secrets}).Missing; missing != "" {
		return nil, problem(http.StatusUnprocessableEntity, missing)
	}
	now := h.Now().UTC()
	pull := records.Pull{WorkspaceID: p.WorkspaceID, SourceID: s.ID, Kind: records.PullManual, From: in.Body.From.UTC(), To: in.Body.To.UTC()}
	if in.Body.To.IsZero() || pull.To.After(now) {
		pull.To = now
	}
	switch oldest := now.Add(-puller.PullInfo().Oldest); {
	case !pull.From.Before(pull.To):
		return nil, invalid("from", "The range must begin before it ends, and not in the future.")
	case pull.From.Before(oldest):
		return nil, invalid("from", "The phone system does not keep calls for so long. Its oldest are of "+oldest.Format(time.DateOnly)+".")
	}
	if pull.ID, err = newID(); err != nil {
		return nil, err
	}
	switch err := h.Store.CreatePull(ctx, pull); {
	case errors.Is(err, records.ErrConflict):
		return nil, problem(http.StatusConflict, "Many pulls of this source are waiting already. Wait until some of them have ended.")
	case err != nil:
		return nil, err
	}
	return &answer[PullCreated]{PullCreated{pull.ID}}, nil
}

func (h *Handler) listPulls(ctx context.Context, p principal, in *pullsIn) (*answer[List[PullView]], error) {
	before, err := decodeCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	if _, err := h.Store.SourceByID(ctx, p.WorkspaceID, in.ID); err != nil {
		return nil, err
	}
	rows, err := h.Store.PullsPage(ctx, p.WorkspaceID, in.ID, before.ID, in.Limit+1)
	if err != nil {
		return nil, err
	}
	rows, next := page(rows, in.Limit, func(r records.Pull) records.Cursor { return records.Cursor{At: r.CreatedAt, ID: r.ID} })
	items := make([]PullView, 0, len(rows))
	for _, r := range rows {
		items = append(items, viewPull(r))
	}
	return &answer[List[PullView]]{List[PullView]{Items: items, NextCursor: next}}, nil
}

// checkPullAddress refuses an address that must not be asked.
func (h *Handler) checkPullAddress(s records.Source) faults {
	puller, ok := h.Providers[s.Provider].(telephony.Puller)
	if !ok || s.Config[puller.PullInfo().Address] == "" {
		return nil
	}
	name := puller.PullInfo().Address
	out := h.checkHosts(map[string]string{name: s.Config[name]})
	if _, err := httpx.ParseBaseURL(s.Config[name]); err != nil && len(out) == 0 {
		out.add("config."+name, "This cannot be the address of an API: "+err.Error()+".")
	}
	return out
}

// pullKeyAgain demands the key when it would go to another host: else whoever may edit a source could have it sent to a
// server of their own.
func (h *Handler) pullKeyAgain(old, now records.Source, given Settings) error {
	puller, ok := h.Providers[now.Provider].(telephony.Puller)
	if !ok {
		return nil
	}
	info := puller.PullInfo()
	_, again := given[info.Key]
	if old.Config[info.Address] == now.Config[info.Address] || old.Secrets[info.Key] == "" || again {
		return nil
	}
	return invalid("secrets."+info.Key, fmt.Sprintf("%s changes where the key is sent to, so enter it again: %s is missing.", info.Address, info.Key))
}

func viewPull(r records.Pull) PullView {
	return PullView{ID: r.ID, Kind: r.Kind, State: r.State, From: r.From, To: r.To, Read: r.Listed, LeftOut: r.LeftOut,
		New: r.Created, Changed: r.Changed, Unchanged: r.Repeated + r.Unchanged, Failed: r.Troubled,
		Waiting: r.Stored - r.Created - r.Changed - r.Unchanged - r.Troubled, Error: r.Reason,
		RetryAt: orNil(r.RetryAt), CreatedAt: r.CreatedAt, StartedAt: orNil(r.StartedAt), EndedAt: orNil(r.FinishedAt)}
}

func orNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
