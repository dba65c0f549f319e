package admin

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

type receiptsView struct {
	State, Source string
	States        []stateTab
	Sources       []records.Source
	Rows          []receiptRow
	Self          string
	Next, First   string
	Filtered      bool
}

type receiptRow struct {
	records.ReceiptItem
	Source    string
	Loc       *time.Location
	Chip      string
	RecordURL string
}

// receiptWord is a receipt's state in the words of the pages.
func receiptWord(state string) string {
	switch state {
	case records.ReceiptApplied:
		return "Understood"
	case records.ReceiptQuarantined:
		return "Not understood"
	case records.ReceiptRejected:
		return "Refused"
	case records.ReceiptPending:
		return "Waiting"
	}
	return title(state)
}

// receiptTone is the colour of a receipt's state.
func receiptTone(state string) string {
	switch state {
	case records.ReceiptApplied:
		return "done"
	case records.ReceiptQuarantined, records.ReceiptRejected:
		return "trouble"
	case records.ReceiptIgnored:
		return "idle"
	}
	return "wait"
}

func (h *Handler) receiptRow(item records.ReceiptItem, k kept) receiptRow {
	s := k.sources[item.SourceID]
	if item.Result.State == "" {
		item.Result.State = records.ReceiptPending
	}
	row := receiptRow{ReceiptItem: item, Source: s.Name, Loc: location(s), Chip: receiptTone(item.Result.State)}
	if item.Result.RecordKind == "call" && item.Result.RecordID != "" {
		row.RecordURL = "/calls/" + item.Result.RecordID
	}
	return row
}

func (h *Handler) receiptsPage(w http.ResponseWriter, r *http.Request, p principal) error {
	q := r.URL.Query()
	v := receiptsView{State: q.Get("state"), Source: q.Get("source")}
	v.Filtered = v.State != "" || v.Source != ""
	k, err := h.kept(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	v.Sources = slices.SortedFunc(maps.Values(k.sources), func(a, b records.Source) int { return strings.Compare(a.ID, b.ID) })
	address := func(state, cursor string) string {
		u := url.Values{}
		for name, value := range map[string]string{"state": state, "source": v.Source, "cursor": cursor} {
			if value != "" {
				u.Set(name, value)
			}
		}
		if len(u) == 0 {
			return "/receipts"
		}
		return "/receipts?" + u.Encode()
	}
	for _, state := range []string{"", records.ReceiptPending, records.ReceiptApplied, records.ReceiptIgnored, records.ReceiptQuarantined, records.ReceiptRejected} {
		label := receiptWord(state)
		if state == "" {
			label = "All"
		}
		v.States = append(v.States, stateTab{label, address(state, ""), state == v.State})
	}
	before, err := decodeCursor(q.Get("cursor"))
	if err != nil {
		return err
	}
	items, err := h.Store.ReceiptsPage(r.Context(), p.WorkspaceID, records.ReceiptFilter{State: v.State, SourceID: known(v.Source), Before: before.ID, Limit: defaultLimit + 1})
	if err != nil {
		return err
	}
	items, next := page(items, defaultLimit, receiptCursor)
	v.Self = address(v.State, q.Get("cursor"))
	if next != "" {
		v.Next = address(v.State, next)
	}
	if !before.Start() {
		v.First = address(v.State, "")
	}
	for _, item := range items {
		v.Rows = append(v.Rows, h.receiptRow(item, k))
	}
	return h.show(w, r, p, "receipts", "Receipts", "receipts", v)
}

type receiptPageView struct {
	receiptRow
	Body    shownBody
	Query   []shownField
	Headers []shownField
	Events  []eventView
	Detail  string
}

// eventView is what callsync understood, flat.
type eventView struct {
	Kind   string
	At     time.Time
	Fields []shownField
}

func (h *Handler) receiptPage(w http.ResponseWriter, r *http.Request, p principal) error {
	receipt, err := h.Store.ReceiptByID(r.Context(), p.WorkspaceID, r.PathValue("id"))
	if err != nil {
		return err
	}
	events, err := h.Store.EventsOfReceipt(r.Context(), p.WorkspaceID, receipt.ID)
	if err != nil {
		return err
	}
	k, err := h.kept(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	v := receiptPageView{receiptRow: h.receiptRow(records.ReceiptItem{Receipt: receipt, BodyBytes: len(receipt.Body)}, k),
		Query: showForm(validText(receipt.Query)), Detail: visible(clip(receipt.Result.Detail, 4000))}
	headers, contentType := headersOf(receipt), ""
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		value := strings.Join(headers[name], ", ")
		if strings.EqualFold(name, "Content-Type") {
			contentType = value
		}
		v.Headers = append(v.Headers, shownField{visible(name), visible(clip(value, 1000))})
	}
	v.Body = showBody(receipt.Body, contentType)
	for _, e := range events {
		v.Events = append(v.Events, eventViewOf(e))
	}
	return h.show(w, r, p, "receipt", "Receipt", "receipts", v)
}

// eventViewOf flattens an event into the canonical names that mappings use.
func eventViewOf(e call.Event) eventView {
	v := eventView{Kind: string(e.Kind), At: e.OccurredAt}
	var said any = e.Facts
	switch {
	case e.Message != nil:
		said = e.Message
	case e.Form != nil:
		said = e.Form
	}
	raw, err := json.Marshal(said)
	if err != nil {
		return v
	}
	var tree any
	if json.Unmarshal(raw, &tree) == nil {
		flatten(&v.Fields, "", tree)
	}
	if e.ProviderID != "" {
		v.Fields = append([]shownField{{"provider_call_id", visible(clip(e.ProviderID, 200))}}, v.Fields...)
	}
	if len(e.Asserted) > 0 {
		var names []string
		for _, f := range e.Asserted {
			names = append(names, string(f))
		}
		v.Fields = append(v.Fields, shownField{"(set on purpose)", visible(strings.Join(names, ", "))})
	}
	return v
}

func flatten(out *[]shownField, name string, v any) {
	if len(*out) >= maxFields {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			at := key
			if name != "" {
				at = name + "." + key
			}
			flatten(out, at, v[key])
		}
	case []any:
		for i, item := range v {
			flatten(out, name+"["+strconv.Itoa(i)+"]", item)
		}
	default:
		*out = append(*out, shownField{visible(name), plainValue(v)})
	}
}

func (h *Handler) receiptReplayForm(w http.ResponseWriter, r *http.Request, p principal) error {
	if err := h.replay(r.Context(), p, r.PathValue("id")); err != nil {
		return err
	}
	return back(w, r, "/receipts/"+r.PathValue("id"), "replayed")
}
