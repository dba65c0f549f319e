package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/callsync/callsync/records"
)

// HealthView is whether a CRM could be reached lately, and what it allows.
type HealthView struct {
	Failures       int         `json:"failures" doc:"How many deliveries in a row it did not answer."`
	Since          time.Time   `json:"since,omitzero" doc:"When they began."`
	SuspendedUntil time.Time   `json:"suspended_until,omitzero" doc:"When the next delivery tries whether it is back. Absent: nothing is held back."`
	Limits         []LimitView `json:"limits,omitempty" doc:"Daily limits with what is used of them, and limits that the CRM keeps closed."`
}

// LimitView is what is used of a limit.
type LimitView struct {
	Class        string    `json:"class,omitempty" doc:"Absent: all requests."`
	BlockedUntil time.Time `json:"blocked_until,omitzero" doc:"When the CRM wants requests again."`
	Day          string    `json:"day,omitempty"`
	Used         int64     `json:"used,omitempty" doc:"What was used on that day."`
}

// health is that of all connections of a workspace.
type health struct {
	of     map[string]records.Health
	limits map[string][]records.LimitUse
}

func (h *Handler) health(ctx context.Context, workspaceID string) (out health, err error) {
	if out.of, err = h.Store.ConnectionHealth(ctx, workspaceID); err != nil {
		return out, err
	}
	out.limits, err = h.Store.ConnectionLimits(ctx, workspaceID)
	return out, err
}

func (all health) view(id string) *HealthView {
	o := all.of[id]
	v := &HealthView{Failures: o.Failures, Since: o.Since, SuspendedUntil: o.SuspendedUntil}
	for _, l := range all.limits[id] {
		v.Limits = append(v.Limits, LimitView{Class: l.Class, BlockedUntil: l.BlockedUntil, Day: l.Day, Used: l.Used})
	}
	return v
}

// line is the health of a connection in a sentence; none where there is nothing to say.
func (all health) line(id string) []part {
	o := all.of[id]
	if !o.SuspendedUntil.IsZero() {
		return sentence("", "", "Suspended after "+inWords(o.Failures, "failure")+" since ", o.Since, "; next try ", o.SuspendedUntil, ".").Parts
	}
	if o.Failures > 0 {
		return sentence("", "", "It did not answer "+inWords(o.Failures, "delivery")+" since ", o.Since, ". callsync tries again.").Parts
	}
	var until time.Time
	for _, l := range all.limits[id] {
		if l.BlockedUntil.After(until) {
			until = l.BlockedUntil
		}
	}
	if until.IsZero() {
		return nil
	}
	return sentence("", "", "The CRM asks to wait until ", until, ": its limit of requests is used up.").Parts
}

// numerals are the small numbers in words.
var numerals = [...]string{"no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"}

// inWords is a number of things in words: "five failures".
func inWords(n int, what string) string {
	number := fmt.Sprint(n)
	if n >= 0 && n < len(numerals) {
		number = numerals[n]
	}
	if n != 1 {
		if what == "delivery" {
			what = "deliveries"
		} else {
			what += "s"
		}
	}
	return number + " " + what
}
