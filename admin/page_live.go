package admin

import (
	"bytes"
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/callsync/callsync/call"
)

// liveView is the live board.
type liveView struct {
	Rows   []liveRow
	Counts []liveCount
	More   int64
	At     time.Time
	// Sources tells whether there is a phone system at all.
	Sources bool
}

type liveCount struct {
	Tone, Text string
}

// liveRow is one call on the board.
type liveRow struct {
	ID, Title, Sub   string
	Direction        call.Direction
	Business         string
	With, Where      string
	Source           string
	Label, Tone      string
	Since, StartedAt time.Time
	// Elapsed is how long it is as it is, for browsers without scripts.
	Elapsed string
}

// liveStates are the words and colours of live states, in the order of attention.
var liveStates = []struct {
	state             call.LiveState
	label, tone, many string
}{
	{call.LiveWaiting, "Waiting", "live", "waiting"}, {call.LiveRinging, "Ringing", "wait", "ringing"}, {call.LiveOnIVR, "In the menu", "idle", "in the menu"},
	{call.LiveTalking, "Talking", "done", "talking"}, {call.LiveUnknown, "Under way", "idle", "under way"},
}

func (h *Handler) liveBoardView(r *http.Request, p principal) (liveView, error) {
	s, err := liveSnapshot(r.Context(), h.Store, p.WorkspaceID)
	if err != nil {
		return liveView{}, err
	}
	v := liveView{More: s.More, At: h.Now()}
	counts := map[call.LiveState]int{}
	for _, item := range s.Items {
		counts[item.State]++
		v.Rows = append(v.Rows, newLiveRow(item, v.At))
	}
	for _, one := range liveStates {
		if n := counts[one.state]; n > 0 {
			v.Counts = append(v.Counts, liveCount{one.tone, fmt.Sprintf("%d %s", n, one.many)})
		}
	}
	if len(v.Rows) == 0 {
		sources, err := h.Store.Sources(r.Context(), p.WorkspaceID)
		if err != nil {
			return v, err
		}
		v.Sources = len(sources) > 0
	}
	return v, nil
}

func newLiveRow(item LiveItem, now time.Time) liveRow {
	row := liveRow{ID: item.ID, Direction: item.Direction, Business: visible(clip(readable(item.BusinessNumber), 60)), With: liveAgents(item),
		Where: visible(clip(strings.Join(distinct(item.Department, item.Queue), " · "), 120)), Source: item.Source,
		Since: item.Since, StartedAt: item.StartedAt, Elapsed: elapsed(now.Sub(item.Since))}
	row.Title, row.Sub = whoIs(item.Customer)
	for _, one := range liveStates {
		if one.state == item.State {
			row.Label, row.Tone = one.label, one.tone
		}
	}
	return row
}

// liveAgents says with whom: who is on the line, and whose telephone rings.
func liveAgents(item LiveItem) string {
	names := map[call.AgentStatus][]string{}
	for _, a := range item.Agents {
		names[a.Status] = append(names[a.Status], visible(clip(cmp.Or(a.Name, a.Email, readable(a.Number), a.Extension, a.ID), 80)))
	}
	list := func(status call.AgentStatus) string {
		all := names[status]
		if n := len(all) - 3; n > 0 {
			return strings.Join(all[:3], ", ") + fmt.Sprintf(" and %d more", n)
		}
		return strings.Join(all, ", ")
	}
	on, rung := list(call.AgentAnswered), list(call.AgentDialed)
	switch {
	case on != "" && rung != "":
		return on + "; rings at " + rung
	case rung != "" && item.Direction != call.Outbound:
		return "rings at " + rung
	}
	return on + rung
}

// distinct are the texts that say something, each once.
func distinct(texts ...string) []string {
	var out []string
	for _, s := range texts {
		if s != "" && (len(out) == 0 || !strings.EqualFold(out[len(out)-1], s)) {
			out = append(out, s)
		}
	}
	return out
}

// elapsed is a time that ticks: "0:07", "12:40", "1:02:03". The page's script writes it the same way.
func elapsed(d time.Duration) string {
	s := max(0, int64(d/time.Second))
	if s < 3600 {
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

func (h *Handler) livePage(w http.ResponseWriter, r *http.Request, p principal) error {
	v, err := h.liveBoardView(r, p)
	if err != nil {
		return err
	}
	return h.show(w, r, p, "live", "Live", "live", v)
}

// liveRows is the board alone, which the page fetches whenever the stream says that something changed.
func (h *Handler) liveRows(w http.ResponseWriter, r *http.Request, p principal) error {
	v, err := h.liveBoardView(r, p)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := h.pages.pages["live"].ExecuteTemplate(&b, "live_board", v); err != nil {
		return fmt.Errorf("page live: %w", err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes()) // the reader is gone if this fails
	return nil
}
