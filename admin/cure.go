package admin

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// cure is what a person can do about a lane: the place that cures it, the button that has it delivered, and what to look at
// before.
type cure struct {
	// URL is the page that helps, Label what is done there; empty where no page does.
	URL, Label string
	// Retry is the button's label, empty where a delivery would change nothing or the reader may not ask for one. The form
	// goes to Post with Name set to Value.
	Retry, Post, Name, Value string
	// Strong tells that the first of them is what is to be done; else it is only possible.
	Strong bool
	Hint   []part
	// Hold is the page of all that is held for the same cause.
	Hold string
}

// Any tells whether there is something to press or to follow.
func (c cure) Any() bool { return c.URL != "" || c.Retry != "" || c.Hold != "" }

// cures are what helps each of the lanes.
func (h *Handler) cures(ctx context.Context, p principal, source records.Source, lanes []explained) ([]cure, error) {
	out := make([]cure, len(lanes))
	for i, l := range lanes {
		var doc mappings.Document
		var err error
		review := ""
		if d := l.Delivery; d != nil && d.State == records.DeliveryParked {
			if d.Field != "" {
				if _, doc, err = h.activeDocument(ctx, p, l.Connection.ID, objectOf(d)); err != nil {
					return nil, err
				}
			}
			if l.Action == actionOpenReview {
				if review, err = h.openReview(ctx, p, l); err != nil {
					return nil, err
				}
			}
		}
		out[i] = h.cure(l, p, source, doc, review)
	}
	return out, nil
}

func objectOf(d *records.DeliveryHistory) string { return cmp.Or(d.Object, connectors.ObjectCall) }

// openReview is the question for whose answer a lane waits; empty if it cannot be told from others.
func (h *Handler) openReview(ctx context.Context, p principal, l explained) (string, error) {
	all, err := h.Store.Reviews(ctx, p.WorkspaceID, records.ReviewFilter{State: records.ReviewOpen, ConnectionID: l.Connection.ID, Limit: maxReviewsSearched})
	i := slices.IndexFunc(all, func(r records.Review) bool {
		return slices.Contains(r.CallIDs, l.Delivery.RecordID) || r.Number != "" && r.Number == l.Call.Customer.Number
	})
	if err != nil || i < 0 {
		return "", err
	}
	return all[i].ID, nil
}

// maxReviewsSearched bounds in how many open questions that of a call is looked for.
const maxReviewsSearched = 500

// cure is what helps a lane. doc is the mapping in force of a lane that is held for a field, review the question that one
// waits for.
func (h *Handler) cure(l explained, p principal, source records.Source, doc mappings.Document, review string) cure {
	var out cure
	at := "/connections/" + l.Connection.ID
	d := l.Delivery
	parked := d != nil && d.State == records.DeliveryParked
	switch {
	case parked && l.Action == actionOpenReview:
		out.URL, out.Label, out.Strong = "/reviews", "See the question", true
		if review != "" {
			out.URL = "/reviews?id=" + review
		}
		if p.may(operator) {
			out.Label = "Say whose number this is"
		}
	case l.Action == actionOpenConnection && l.Connection.Status != records.ConnectionActive:
		out = h.cureOfConnection(l, p)
	case parked:
		out = h.cureOfParked(l, p, source, doc)
	case d != nil && d.State == records.DeliverySkipped && d.Revision >= l.Call.Revision:
		out = h.cureOfSkipped(l, p, source)
	case l.Action == actionRetry:
		out.Retry, out.Strong = "Deliver now", l.Tone == "trouble"
		if out.Strong {
			out.Retry = "Retry"
		}
	case l.Action == actionOpenConnection:
		out.URL, out.Label, out.Strong = at, "Open the connection", true
	case l.Connection.Mode == "shadow" && !l.settled():
		out = cureOfShadow(l, p)
	}
	if parked {
		out.Hold = "/holds/" + records.HoldID(l.Connection.ID, d.Class, d.Field, d.Reason)
	}
	switch {
	case out.Retry == "":
	case !p.may(operator):
		out.Retry = ""
	case d == nil || objectOf(d) == connectors.ObjectCall:
		out.Post, out.Name, out.Value = "/calls/"+l.Call.ID+"/sync", "connection", l.Connection.ID
	case out.Hold != "":
		out.Post, out.Name, out.Value = out.Hold+"/retry", "delivery", d.ID
	default:
		// Messages and forms go out by themselves; only what is on hold is asked for.
		out.Retry = ""
	}
	return out
}

// cureOfConnection leads to where a connection that is stopped is set going.
func (h *Handler) cureOfConnection(l explained, p principal) cure {
	at := "/connections/" + l.Connection.ID
	out := cure{URL: at + "#state", Label: "Open the connection", Strong: true}
	switch {
	case l.Connection.Status == records.ConnectionPaused && p.may(operator):
		out.Label = "Resume the connection …"
	case l.Connection.Status == records.ConnectionPaused:
		out.Hint = []part{{Text: "An operator or admin of your workspace can resume it."}}
	case !p.may(admin):
		out.Hint = []part{{Text: "An admin of your workspace can connect it again."}}
	default:
		out.URL, out.Label = at+"/edit", "Enter new access …"
		if connector, ok := h.Connectors[l.Connection.Connector]; ok && h.Grants != nil {
			if _, err := h.Grants.Begin(connector, l.Connection, h.callbackURL(), "", ""); err == nil {
				out.URL, out.Label = at+"#access", "Connect again …"
			}
		}
	}
	return out
}

func (h *Handler) cureOfParked(l explained, p principal, source records.Source, doc mappings.Document) cure {
	d := l.Delivery
	out := cure{Retry: "Retry", Strong: true}
	hold := records.Hold{ConnectionID: l.Connection.ID, Class: d.Class, Field: d.Field, Reason: d.Reason}
	if l.Connection.Status == records.ConnectionActive && (d.Class == "paused" || d.Class == string(connectors.Revoked) || d.Class == string(connectors.Unauthorized)) {
		return out // what was in the way is over
	}
	switch out.URL, out.Label = cureOf(hold, l.Connection, l.CRM, l.Action, doc, objectOf(d)); d.Class {
	case "rule":
		out.URL, out.Label = rulesOf(d.Reason, l.Connection, source)
	case string(connectors.UnknownOutcome):
		out.Hint = h.whatToLookFor(l)
	}
	return out
}

// whatToLookFor tells how a person finds out whether the CRM has the record, and what a retry does then.
func (h *Handler) whatToLookFor(l explained) []part {
	c := l.Call
	hint := []part{{Text: "What to look for: "}}
	if c.Phase != call.Ended || objectOf(l.Delivery) != connectors.ObjectCall {
		hint = append(hint, part{Text: "the record"})
	} else {
		what := "the call"
		if c.Direction == call.Inbound || c.Direction == call.Outbound {
			what = "the " + string(c.Direction) + " call"
		}
		if number := cmp.Or(readable(c.Customer.Number), visible(clip(c.Customer.RawNumber, 60))); number != "" {
			what += " with " + number
		}
		if hint = append(hint, part{Text: what}); !c.StartedAt.IsZero() {
			hint = append(hint, part{Text: " of "}, part{At: c.StartedAt})
		}
	}
	way := cmp.Or(connectors.Idempotency(l.Connection.Idempotency), h.info(l.Connection).Idempotency)
	if way == connectors.CreateOnly {
		return append(hint, part{Text: ". Not there: retry, and it is written. There: leave it on hold, because " + l.CRM + " cannot say so and a retry would write it a second time."})
	}
	return append(hint, part{Text: ". A retry does no harm: callsync looks for its own record before it writes."})
}

func (h *Handler) cureOfSkipped(l explained, p principal, source records.Source) cure {
	switch l.Delivery.Class {
	case "rule":
		out := cure{Retry: "Ask the rules again"}
		if out.URL, out.Label = rulesOf(l.Delivery.Reason, l.Connection, source); p.may(operator) {
			out.Hint = []part{{Text: "If the rules are different now, ask them again for this call."}}
		}
		return out
	case "deleted":
		return cure{Hint: []part{{Text: "What people delete stays deleted: there is no way to write this call to " + l.CRM + " again from here, and a resync leaves it out, too. If it was a mistake, restore the record in " + l.CRM + ", if that keeps what is deleted."}}}
	case "shadow":
		if l.Connection.Mode != "shadow" {
			return cure{Retry: "Deliver now", Hint: []part{{Text: "The connection was in shadow mode when the call came, and is not any more."}}}
		}
		return cureOfShadow(l, p)
	}
	return cure{}
}

// cureOfShadow leads to where a connection begins to write.
func cureOfShadow(l explained, p principal) cure {
	at := "/connections/" + l.Connection.ID
	if p.may(admin) {
		return cure{URL: at + "/mode", Label: "Begin to write to " + l.CRM + " …"}
	}
	return cure{URL: at + "#mode", Label: "What shadow mode is"}
}

// rulesOf is the page of the rules that a reason speaks of: those of the source or of the connection. Names may be anything,
// so the one that is spoken of first counts.
func rulesOf(reason string, c records.Connection, s records.Source) (to, label string) {
	// The rule itself, where the reason names it; see mappings.RuleDecision.Sentence.
	named := ""
	if rest, ok := strings.CutPrefix(reason, "Skipped by the rule “"); ok {
		end := len(rest)
		for _, place := range []string{"” of the source ", "” of the connection "} {
			if i := strings.Index(rest, place); i >= 0 {
				end = min(end, i)
			}
		}
		if end < len(rest) {
			named = "?rule=" + url.QueryEscape(rest[:end]) + "#rule"
		}
	}
	first := func(place string) int {
		found := len(reason) + 1
		for _, before := range []string{"” of ", "rules of "} {
			if i := strings.Index(reason, before+place); i >= 0 {
				found = min(found, i)
			}
		}
		return found
	}
	if first("the source ") < first("the connection ") && s.ID != "" {
		return "/sources/" + s.ID + "/rules" + named, "Open the source’s rules"
	}
	return "/connections/" + c.ID + "/rules" + named, "Open the connection’s rules"
}

// mappingRowURL is the row of the mapping of an object that fills a field.
func mappingRowURL(at, object, field string) string {
	to := at + "/mappings/" + url.PathEscape(object)
	if field != "" {
		to += "?field=" + url.QueryEscape(clip(field, 200))
	}
	return to
}
