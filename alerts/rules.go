package alerts

import (
	"fmt"
	"strings"
	"time"

	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
)

// Evaluate returns what is wrong. open tells which alerts are open: what is over must be better than what is not yet wrong,
// so that nothing opens and closes with every request.
func Evaluate(f Facts, open func(kind records.AlertKind, id string) bool) []Finding {
	var out []Finding
	for _, s := range f.Sources {
		for _, rule := range sourceRules {
			if found, ok := rule.judge(f, s, open(rule.kind, s.ID)); ok {
				found.Kind, found.Object, found.ObjectID, found.Name, found.Zone = rule.kind, records.AlertOfSource, s.ID, s.Name, s.Zone.String()
				out = append(out, found)
			}
		}
	}
	for _, c := range f.Connections {
		for _, rule := range connectionRules {
			if found, ok := rule.judge(f, c, open(rule.kind, c.ID)); ok {
				found.Kind, found.Object, found.ObjectID, found.Name = rule.kind, records.AlertOfConnection, c.ID, c.Name
				out = append(out, found)
			}
		}
	}
	return out
}

var sourceRules = []struct {
	kind  records.AlertKind
	judge func(f Facts, s SourceFacts, open bool) (Finding, bool)
}{
	{records.AlertSilent, silent}, {records.AlertNotUnderstood, notUnderstood}, {records.AlertRefused, refused}, {records.AlertTimeZone, timeZone},
}

var connectionRules = []struct {
	kind  records.AlertKind
	judge func(f Facts, c ConnectionFacts, open bool) (Finding, bool)
}{
	{records.AlertRevoked, revoked}, {records.AlertUnreachable, unreachable}, {records.AlertHeldMany, heldMany},
	{records.AlertHeldLong, heldLong}, {records.AlertSchema, drifted}, {records.AlertQuota, nearQuota},
}

// growing judges failing requests: so many within an hour, or, of a source with few requests, a good part of the newest.
func growing(f Facts, hour, day, newest, looked int64, open bool) bool {
	limit := int64(f.Settings.TroubleCount)
	if open {
		return hour*2 >= limit || day > 0 && newest*4 >= looked
	}
	return hour >= limit || day >= 3 && newest*2 >= looked
}

func notUnderstood(f Facts, s SourceFacts, open bool) (Finding, bool) {
	t := s.Trouble
	if !growing(f, t.NotUnderstood, t.NotUnderstoodDay, t.NewestNotUnderstood, t.Looked, open) {
		return Finding{}, false
	}
	return Finding{Severity: records.SeverityCritical, Since: t.NotUnderstoodSince,
		Reason: fmt.Sprintf("%s of the last 24 hours could not be read. Perhaps the phone system sends something new, or somebody has changed what it sends. They are kept: put the source’s settings right, then replay them.",
			requests(t.NotUnderstoodDay))}, true
}

func refused(f Facts, s SourceFacts, open bool) (Finding, bool) {
	t := s.Trouble
	if !growing(f, t.Refused, t.RefusedDay, t.NewestRefused, t.Looked, open) {
		return Finding{}, false
	}
	return Finding{Severity: records.SeverityCritical, Since: t.RefusedSince,
		Reason: fmt.Sprintf("%s of the last 24 hours did not carry the key or token of this source. If it was changed in the phone system, enter the new one; what was refused is kept and can be replayed.",
			requests(t.RefusedDay))}, true
}

func requests(n int64) string {
	if n == 1 {
		return "1 request"
	}
	return fmt.Sprintf("%d requests", n)
}

func timeZone(f Facts, s SourceFacts, _ bool) (Finding, bool) {
	if s.Skew == 0 {
		return Finding{}, false
	}
	text := "Its calls seem to end " + telephony.SkewText(s.Skew.Abs()) + " before they are received."
	if s.Skew < 0 {
		text = "Its calls seem to end " + telephony.SkewText(s.Skew.Abs()) + " after they are received."
	}
	if s.BetterZone != "" {
		text += fmt.Sprintf(" The time zone should probably be %s; it is %s.", s.BetterZone, s.Zone)
	} else {
		text += " The phone system’s clock, or the time zone of the source, is probably wrong."
	}
	return Finding{Severity: records.SeverityWarning, Since: f.At, Reason: text + " Until this is right, the CRMs show wrong times."}, true
}

func revoked(f Facts, c ConnectionFacts, _ bool) (Finding, bool) {
	if c.Status != records.ConnectionRevoked {
		return Finding{}, false
	}
	reason := strings.TrimSpace(c.StatusReason)
	if reason == "" {
		reason = "The CRM does not accept callsync’s access any more."
	}
	return Finding{Severity: records.SeverityCritical, Since: f.At, Reason: reason + " Connect it again; its calls are kept until then."}, true
}

// unreachableFor is how long a CRM may fail to answer without being left alone.
const unreachableFor = 30 * time.Minute

func unreachable(f Facts, c ConnectionFacts, open bool) (Finding, bool) {
	h := c.Health
	if c.Status != records.ConnectionActive || h.Failures == 0 || !open && !h.SuspendedUntil.After(f.At) && f.At.Sub(h.Since) < unreachableFor {
		return Finding{}, false
	}
	return Finding{Severity: records.SeverityCritical, Since: h.Since,
		Reason: "Deliveries are not answered since then. callsync goes on trying, and delivers what waits as soon as the CRM is back. If it lasts, look at the CRM’s status page, or at the address of the connection."}, true
}

func heldMany(f Facts, c ConnectionFacts, open bool) (Finding, bool) {
	limit := int64(f.Settings.HeldCount)
	if open {
		limit = limit * 3 / 4
	}
	if c.Held.Count <= limit {
		return Finding{}, false
	}
	return Finding{Severity: records.SeverityCritical, Since: f.At,
		Reason: fmt.Sprintf("%d deliveries wait for a person; more than %d is too many by your settings. They are grouped by cause, each with what to do.", c.Held.Count, f.Settings.HeldCount)}, true
}

func heldLong(f Facts, c ConnectionFacts, _ bool) (Finding, bool) {
	if c.Held.Count == 0 || c.Held.Oldest.IsZero() || f.At.Sub(c.Held.Oldest) <= time.Duration(f.Settings.HeldHours)*time.Hour {
		return Finding{}, false
	}
	return Finding{Severity: records.SeverityWarning, Since: c.Held.Oldest,
		Reason: fmt.Sprintf("The oldest has waited for a person for more than %s. Correct what it says there, then retry.", about(time.Duration(f.Settings.HeldHours)*time.Hour))}, true
}

func drifted(_ Facts, c ConnectionFacts, _ bool) (Finding, bool) {
	d := c.Drift
	if d.Blocking+d.Others == 0 {
		return Finding{}, false
	}
	places := func(n int64) string {
		if n == 1 {
			return "1 place"
		}
		return fmt.Sprintf("%d places", n)
	}
	if d.Blocking == 0 {
		return Finding{Severity: records.SeverityWarning, Since: d.Since,
			Reason: fmt.Sprintf("The mapping does not fit the CRM’s fields any more in %s. Calls are still delivered; look at it before they are not.", places(d.Others))}, true
	}
	return Finding{Severity: records.SeverityCritical, Since: d.Since,
		Reason: fmt.Sprintf("The mapping does not fit the CRM’s fields any more in %s, and calls are put on hold for it. Correct the mapping, or the field in the CRM; what is on hold goes out by itself then.", places(d.Blocking))}, true
}

func nearQuota(f Facts, c ConnectionFacts, open bool) (Finding, bool) {
	percent := int64(f.Settings.QuotaPercent)
	if open {
		percent = percent * 9 / 10
	}
	for _, q := range c.Quotas {
		if q.Budget <= 0 || q.Used*100 < q.Budget*percent {
			continue
		}
		severity := records.SeverityWarning
		if q.Used >= q.Budget {
			severity = records.SeverityCritical
		}
		of := "its requests"
		if q.Class != "" {
			of = "its " + q.Class + " requests"
		}
		// Rounded, so that the text does not change with each request.
		return Finding{Severity: severity, Since: f.At, Reason: fmt.Sprintf("About %d%% of %s of the day are used. When they are all used, calls wait until %s; live calls go before backfill.",
			min(q.Used*20/q.Budget*5, 100), of, q.Ends.UTC().Format("15:04 UTC"))}, true
	}
	return Finding{}, false
}
