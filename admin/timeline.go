package admin

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

// kindNames say what an event's kind means.
var kindNames = map[call.Kind]string{
	call.CallPulled: "Asked of the phone system", call.CallRinging: "Ringing", call.CallRouted: "Routed", call.CallAnswered: "Answered", call.CallDTMF: "Digits pressed",
	call.CallAgentDialed: "Agent dialled", call.CallAgentMissed: "Agent did not answer", call.CallEnded: "Final report",
	call.CallUpdated: "Updated", call.DispositionSet: "Disposition set", call.RecordingArrived: "Recording available",
}

// timeline tells the call's story: what the phone system says happened, what it sent when, what was waited for, and what
// the CRMs were told.
func (h *Handler) timeline(d callDetail) []moment {
	var out []moment
	c, now := d.Call, h.Now()
	add := func(m moment) {
		if !m.At.IsZero() {
			out = append(out, m)
		}
	}
	add(moment{At: c.StartedAt, Tone: "phone", What: "Call began"})
	add(moment{At: c.AnsweredAt, Tone: "phone", What: "Answered", More: agentNames(c)})
	ended := "Call ended"
	if c.Stale {
		ended = "Call closed: the phone system never said that it ended"
	}
	more := ""
	if c.Status != "" && c.Phase == call.Ended {
		more = title(c.Status)
	}
	add(moment{At: c.EndedAt, Tone: "phone", What: ended, More: more})

	of := map[string][]call.Event{}
	for _, e := range d.events {
		of[e.ReceiptID] = append(of[e.ReceiptID], e)
	}
	for _, r := range d.receipts {
		add(receiptMoment(r, of[r.ID]))
	}
	if until := windowUntil(d.CallRow, d.source.Window); !until.IsZero() && !d.Complete {
		m := moment{At: until, Tone: "wait", What: "Window ended", More: "Nothing more is waited for; what still comes is an update."}
		if until.After(now) {
			m.Future, m.What, m.More = true, "Window ends", "Then the CRMs get what has come."
		}
		add(m)
	}
	for _, l := range d.lanes {
		if l.Delivery == nil {
			continue
		}
		first := true
		for _, a := range l.Delivery.Attempts {
			m := attemptMoment(l, a, first)
			first = first && a.Outcome != "done"
			if a.Outcome != "unchanged" {
				add(m)
			}
		}
		for _, m := range keptMoments(l) {
			add(m)
		}
		if l.Delivery.RetryAt.After(now) {
			add(moment{At: l.Delivery.RetryAt, Tone: "wait", Future: true, What: "Next try for " + l.CRM})
		}
	}
	for _, f := range d.followUps {
		what := title(f.Kind) + " “" + visible(cmp.Or(f.Plan.Subject, f.Action)) + "”"
		if f.ClosedBy != c.ID {
			add(moment{At: f.CreatedAt, Tone: "wait", What: what + " follows", More: "By the action “" + visible(f.Action) + "”."})
		}
		if !f.Over() && f.State == records.FollowUpOpen && f.DueAt.After(now) {
			add(moment{At: f.DueAt, Tone: "wait", Future: true, What: what + " is due"})
		}
		if f.Over() {
			add(moment{At: f.ClosedAt, Tone: "done", What: what + " closed"})
		}
	}
	slices.SortStableFunc(out, func(a, b moment) int { return a.At.Compare(b.At) })
	return out
}

func receiptMoment(r records.ReceiptItem, events []call.Event) moment {
	m := moment{At: r.ReceivedAt, URL: "/receipts/" + r.ID}
	var kinds, facts []string
	for _, e := range events {
		if name := cmp.Or(kindNames[e.Kind], title(string(e.Kind))); !slices.Contains(kinds, name) {
			kinds = append(kinds, name)
		}
		facts = append(facts, brought(e)...)
	}
	m.What = "Receipt: " + strings.ToLower(cmp.Or(strings.Join(kinds, ", "), r.HookEvent, "nothing about this call"))
	slices.Sort(facts)
	facts = slices.Compact(facts)
	switch {
	case r.Result.State == records.ReceiptQuarantined || r.Result.State == records.ReceiptRejected:
		m.Tone, m.More = "trouble", full(cmp.Or(r.Result.Reason, title(r.Result.State)))
	case !r.Result.Changed:
		m.More = "Nothing new: the call stayed as it was."
	case len(facts) > 0:
		m.More = "Brought " + strings.Join(facts, ", ") + "."
	}
	return m
}

// brought names what an event has that people wait for.
func brought(e call.Event) []string {
	var out []string
	f := e.Facts
	if slices.ContainsFunc(f.Recordings, func(r call.Recording) bool { return r.URL != "" || r.PlayerURL != "" }) {
		out = append(out, "the recording")
	}
	if f.Transcription.Text != "" || f.Transcription.URL != "" {
		out = append(out, "the transcription")
	}
	if f.Disposition.Value != "" {
		out = append(out, "the disposition")
	}
	if len(f.Tags) > 0 {
		out = append(out, "tags")
	}
	if f.Note != "" {
		out = append(out, "a note")
	}
	if f.Value != nil {
		out = append(out, "the value")
	}
	return out
}

func attemptMoment(l explained, a records.Attempt, first bool) moment {
	m := moment{At: a.At}
	switch a.Outcome {
	case "done":
		m.Tone, m.What = "done", "Updated in "+l.CRM
		if first {
			m.What = "Written to " + l.CRM
		}
		m.More = "Took " + took(a.Duration) + "."
	case "parked":
		m.Tone, m.What, m.More = "trouble", "On hold for "+l.CRM, full(a.Reason)
	case "skipped":
		m.What, m.More = "Skipped for "+l.CRM, full(a.Reason)
	default:
		m.Tone, m.What, m.More = "wait", l.CRM+" did not take it yet", full(a.Reason)
	}
	return m
}

// took is how long something took, as exact as people want it.
func took(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
