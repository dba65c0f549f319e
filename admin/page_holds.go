package admin

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// holdCard is a cause on the holds page.
type holdCard struct {
	records.Hold
	Connection, CRM string
	Action          string
	// Fix leads to where the cause is cured, FixLabel says what that is; empty where there is nothing to set.
	Fix, FixLabel string
	Samples       []string
	// Mixed tells that text messages or forms may be among what is held.
	Mixed bool
}

// holdsView is the page of what is on hold.
type holdsView struct {
	Cards []holdCard
	// Only is the connection whose holds are shown; empty for all.
	Only, OnlyName string
	Total          int64
}

func (h *Handler) holdsPage(w http.ResponseWriter, r *http.Request, p principal) error {
	k, err := h.kept(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	cards, err := h.holdCards(r.Context(), p, k)
	if err != nil {
		return err
	}
	v := holdsView{}
	if c, ok := k.connection(r.URL.Query().Get("connection")); ok {
		v.Only, v.OnlyName = c.ID, c.Name
		cards = slices.DeleteFunc(cards, func(card holdCard) bool { return card.ConnectionID != c.ID })
	}
	v.Cards = cards
	for _, card := range cards {
		v.Total += card.Count
	}
	return h.show(w, r, p, "holds", "On hold", "holds", v)
}

// holdCards are the causes for which calls are on hold, the oldest first.
func (h *Handler) holdCards(ctx context.Context, p principal, k kept) ([]holdCard, error) {
	holds, err := h.Store.Holds(ctx, p.WorkspaceID)
	if err != nil {
		return nil, err
	}
	var cards []holdCard
	documents := map[string]mappings.Document{}
	for _, o := range holds {
		c, ok := k.connection(o.ConnectionID)
		if !ok {
			continue
		}
		doc, ok := documents[c.ID]
		if !ok && o.Field != "" {
			if _, doc, err = h.activeDocument(ctx, p, c.ID, connectors.ObjectCall); err != nil {
				return nil, err
			}
			documents[c.ID] = doc
		}
		cards = append(cards, h.holdCard(o, c, doc))
	}
	slices.SortStableFunc(cards, func(a, b holdCard) int { return a.Since.Compare(b.Since) })
	return cards, nil
}

func (h *Handler) holdCard(o records.Hold, c records.Connection, doc mappings.Document) holdCard {
	l := lane{Connection: c, CRM: h.crm(c), Now: h.Now(), Delivery: &records.DeliveryHistory{Delivery: records.Delivery{
		State: records.DeliveryParked, Class: o.Class, Field: o.Field, Reason: o.Reason}}}
	said := explain(l)
	card := holdCard{Hold: o, Connection: c.Name, CRM: l.CRM, Action: said.Action}
	card.Reason = strings.TrimPrefix(said.in(time.UTC, l.Now), "On hold: ")
	card.Fix, card.FixLabel = cureOf(o, c, card.CRM, said.Action, doc, connectors.ObjectCall)
	return card
}

// cureOf is the place where the cause of a hold is cured: the row of the mapping, the table of dispositions or owners, the
// rules, the connection or the question to answer. doc is the mapping of the object.
func cureOf(o records.Hold, c records.Connection, crm, action string, doc mappings.Document, object string) (to, label string) {
	at := "/connections/" + c.ID
	switch {
	case action == actionOpenReview:
		return "/reviews", "Answer"
	case o.Class == records.DeliveryDrift:
		return mappingRowURL(at, object, o.Field), "Open the mapping"
	case action == actionOpenConnection:
		return at, "Open the connection"
	case o.Class == "rule":
		return at + "/rules", "Open the rules"
	case o.Class == string(connectors.Forbidden), o.Class == string(connectors.Unauthorized), o.Class == string(connectors.Revoked):
		return at + "#test", "Test the connection"
	case o.Field == "":
		return "", ""
	}
	switch asks := rowAsks(doc, o.Field); {
	case strings.Contains(asks, "disposition"):
		return at + "/dispositions", "Open the dispositions"
	case strings.Contains(asks, "owner"):
		return at + "/owners", "Open agents and owners"
	}
	return mappingRowURL(at, object, o.Field), "Open the mapping"
}

// rowAsks is what the mapping's row of a field reads, in the words of the document.
func rowAsks(doc mappings.Document, field string) string {
	for _, row := range doc.Fields {
		if row.Target != field {
			continue
		}
		v := row.Value
		parts := []string{v.Field, v.Expr}
		parts = append(parts, v.Template...)
		if v.Lookup != nil {
			parts = append(parts, v.Lookup.Key)
		}
		return strings.Join(parts, " ")
	}
	return ""
}

// holdPage is the page of one hold: what it holds up, and how far a retry is.
type holdPage struct {
	holdCard
	Items []heldRow
	Next  string
	// Began is when the retry that the page follows was asked for, Of how many it is about.
	Began time.Time
	Of    int64
	// Sent are those of Of that are off hold, Left have not been tried yet, Again are on hold for the same cause.
	Sent, Left, Again int64
	Self              string
	// Over tells that nothing is held for this cause any more.
	Over bool
}

type heldRow struct {
	records.HeldItem
	Who, Kind, URL string
}

// heldPage is how many held calls a page lists.
const heldPage = 50

func (h *Handler) holdPage(w http.ResponseWriter, r *http.Request, p principal) error {
	id, q := r.PathValue("id"), r.URL.Query()
	k, err := h.kept(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	cards, err := h.holdCards(r.Context(), p, k)
	if err != nil {
		return err
	}
	v := holdPage{Self: "/holds/" + id}
	if began, err := time.Parse(time.RFC3339Nano, q.Get("began")); err == nil {
		v.Began = began
		if v.Of, err = strconv.ParseInt(q.Get("of"), 10, 64); err != nil || v.Of < 0 || v.Of > 10_000_000 {
			v.Of = 0
		}
		v.Self += "?" + url.Values{"began": {q.Get("began")}, "of": {strconv.FormatInt(v.Of, 10)}}.Encode()
	}
	i := slices.IndexFunc(cards, func(c holdCard) bool { return c.ID == id })
	if i < 0 {
		// Whoever follows a retry sees its end; a cause that nobody heard of is not there.
		if v.Of == 0 {
			return notFound()
		}
		v.Over, v.Sent = true, v.Of
		return h.show(w, r, p, "hold", "On hold", "holds", v)
	}
	v.holdCard = cards[i]
	if v.Of > 0 {
		progress, err := h.Store.HoldProgress(r.Context(), p.WorkspaceID, id, v.Began)
		if err != nil {
			return err
		}
		v.Left = min(progress.Left, v.Of)
		v.Again = min(progress.Again, v.Of-v.Left) // others may have come since
		v.Sent = max(0, v.Of-v.Left-v.Again)
	}
	after := q.Get("after")
	if after != "" && !validID(after) {
		after = ""
	}
	items, err := h.Store.HeldItems(r.Context(), p.WorkspaceID, id, after, heldPage+1)
	if err != nil {
		return err
	}
	if len(items) > heldPage {
		items = items[:heldPage]
		v.Next = "/holds/" + id + "?after=" + items[heldPage-1].DeliveryID
	}
	for _, item := range items {
		row := heldRow{HeldItem: item, Who: visible(clip(cmp.Or(item.Name, readable(item.Number), unknownCaller), 80)), Kind: item.Object, URL: "/calls/" + item.RecordID}
		switch item.Object {
		case "message", "form":
			row.Who, row.URL = title(item.Object), "/"+item.Object+"s/"+item.RecordID
		}
		v.Items = append(v.Items, row)
	}
	return h.show(w, r, p, "hold", "On hold", "holds", v)
}

// holdRetryForm has all that a cause holds up delivered again, or the one delivery that is named, and leads to the page that
// follows it.
func (h *Handler) holdRetryForm(w http.ResponseWriter, r *http.Request, p principal) error {
	id, began := r.PathValue("id"), h.Now().UTC()
	if one := r.PostFormValue("delivery"); one != "" {
		return h.holdRetryOne(w, r, p, id, one)
	}
	n, err := h.retryHeld(r.Context(), p, id)
	if err != nil {
		return err
	}
	if n == 0 {
		return back(w, r, "/holds", "unheld")
	}
	to := url.Values{"began": {began.Format(time.RFC3339Nano)}, "of": {strconv.Itoa(n)}}
	http.Redirect(w, r, "/holds/"+id+"?"+to.Encode(), http.StatusSeeOther)
	return nil
}

func (h *Handler) holdRetryOne(w http.ResponseWriter, r *http.Request, p principal, id, delivery string) error {
	held, err := h.Store.HeldCalls(r.Context(), p.WorkspaceID, id, "")
	if err != nil {
		return err
	}
	i := slices.IndexFunc(held, func(c records.HeldCall) bool { return c.DeliveryID == delivery })
	if i < 0 {
		return back(w, r, "/holds", "unheld")
	}
	if err := h.drainHeld(r.Context(), p.WorkspaceID, held[i:i+1]); err != nil {
		return err
	}
	if err := h.noteRetry(r.Context(), p, id, 1); err != nil {
		return err
	}
	return back(w, r, "/holds/"+id, "retried-one")
}
