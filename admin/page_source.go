package admin

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
)

// sourceView is the page of one source. Blocks of its Health section find what they need here.
type sourceView struct {
	// LastChange is the newest change of its settings; nil where none is noted.
	LastChange *lastChange
	sourceCard
	Loc       *time.Location
	Steps     []stepView
	Clock     *ClockView
	Signature signatureState
	// Triggers say what arrived last of each kind of request, Others what came besides.
	Triggers []triggerRow
	Others   []triggerRow
	Arrived  bool // something came from the phone system itself
	Missing  int  // needed triggers that have not come
	// Since is set where triggers that are not here may have arrived before.
	Since time.Time
	// Sends tells that callsync can make up requests, Stories of which whole calls.
	Sends   bool
	Stories []storyButton
	ByHand  SampleView
	Tests   testsView
	Drift   driftView
	Alerts  []alertLine
	// Troubled are the requests that came to nothing.
	Troubled []troubledRow
	// Awaits shows how the first request is waited for; First is the newest that came.
	Awaits bool
	First  *arrival
	// Self is the page's own address, with the tests that it shows.
	Self string
}

// stepView is one step of the setup with the URLs to paste.
type stepView struct {
	telephony.Step
	URLs []stepURL
}

type stepURL struct {
	telephony.StepURL
	URL string
}

// signatureState says whether requests are known to come from the phone system.
type signatureState struct {
	Tone, Label, Text string
}

// triggerRow is one kind of request and its newest receipt.
type triggerRow struct {
	Event, Label string
	Need         telephony.Need
	Last         *arrival
	// Tested is set where only tests have come.
	Tested *arrival
	Sample bool
}

// arrival is a receipt with what was understood of it.
type arrival struct {
	receiptRow
	Readings []string
}

// storyButton sends the requests of a whole call.
type storyButton struct {
	Story telephony.Story
	Label string
}

// storyLabels are the stories that pages offer to play as a whole.
var storyLabels = map[telephony.Story]string{telephony.InboundStory: "A whole inbound call", telephony.OutboundStory: "A whole outbound call"}

// maxTests bounds the receipts whose fate a page follows.
const maxTests = 30

// testsView is what became of the test requests just sent.
type testsView struct {
	Rows []testRow
	// Busy tells that some have not been read yet.
	Busy bool
	// Calls are the records that came of them.
	Calls []string
}

type testRow struct {
	Label string
	arrival
}

func (h *Handler) sourcePage(w http.ResponseWriter, r *http.Request, p principal) error {
	s, err := h.Store.SourceByID(r.Context(), p.WorkspaceID, r.PathValue("id"))
	if err != nil {
		return err
	}
	v, err := h.sourceView(r.Context(), p, s, r.URL.Query()["test"])
	if err != nil {
		return err
	}
	// A page that has waited for the first request shows it; later ones have nothing to say of that.
	v.Awaits = !v.Arrived || r.URL.Query().Get("awaits") == "1"
	return h.show(w, r, p, "source", s.Name, "sources", v)
}

func (h *Handler) sourceView(ctx context.Context, p principal, s records.Source, tests []string) (sourceView, error) {
	k, err := h.kept(ctx, p.WorkspaceID)
	if err != nil {
		return sourceView{}, err
	}
	v := sourceView{sourceCard: h.sourceCard(s, k, p.may(operator)), Loc: location(s), Self: sourceURL(s.ID, tests)}
	arrivals, err := h.Store.Arrivals(ctx, p.WorkspaceID, s.ID)
	if err != nil {
		return v, err
	}
	clocks, err := h.Store.SourceClocks(ctx, p.WorkspaceID)
	if err != nil {
		return v, err
	}
	v.Clock = h.clockView(s, clocks)
	var info telephony.Info
	if provider, ok := h.Providers[s.Provider]; ok {
		info = provider.Info()
		v.Steps = stepsOf(info, v.Hooks)
		v.Signature = signatureOf(provider, telephony.SettingsOf(info, s, nil), arrivals.Latest)
		_, v.Sends = provider.(telephony.Sampler)
	}
	if err := h.fillTriggers(ctx, p, &v, info, arrivals, k); err != nil {
		return v, err
	}
	if p.may(operator) {
		if v.ByHand, err = h.sample(s, ""); err != nil {
			v.ByHand = byHand(v.Hooks[0])
		}
	}
	for _, story := range []telephony.Story{telephony.InboundStory, telephony.OutboundStory} {
		if v.Sends && len(info.StoryOf(story)) > 1 {
			v.Stories = append(v.Stories, storyButton{story, storyLabels[story]})
		}
	}
	alerts, err := h.openAlerts(ctx, p, "")
	if err != nil {
		return v, err
	}
	v.Alerts = alertsAbout(alerts, s.ID)
	if v.LastChange, err = h.lastChange(ctx, p, s.ID); err != nil {
		return v, err
	}
	if v.Drift, err = h.driftView(ctx, p, s); err != nil {
		return v, err
	}
	if v.Troubled, err = h.troubledRows(ctx, p, s); err != nil {
		return v, err
	}
	for _, row := range append(slices.Clone(v.Triggers), v.Others...) {
		if row.Last != nil && (v.First == nil || row.Last.ReceivedAt.After(v.First.ReceivedAt)) {
			v.First = row.Last
		}
	}
	v.Tests, err = h.testsView(ctx, p, s, info, tests, k)
	return v, err
}

// sourceURL is the page of a source that follows tests.
func sourceURL(id string, tests []string) string {
	out := "/sources/" + id
	if len(tests) > 0 {
		out += "?" + url.Values{"test": tests}.Encode()
	}
	return out
}

// fillTriggers says of each kind of request when it came last and what was understood of it.
func (h *Handler) fillTriggers(ctx context.Context, p principal, v *sourceView, info telephony.Info, all records.Arrivals, k kept) error {
	ids := make([]string, len(all.Latest))
	for i, a := range all.Latest {
		ids[i] = a.ID
	}
	events, err := h.Store.EventsOfReceipts(ctx, p.WorkspaceID, ids)
	if err != nil {
		return err
	}
	needs := map[string]telephony.Need{}
	for _, step := range info.Steps {
		for _, u := range step.URLs {
			if needs[u.Event] != telephony.Required {
				needs[u.Event] = u.Need
			}
		}
	}
	taken := map[string]bool{}
	for _, t := range info.Triggers {
		if t.VariantOf != "" || t.Story == telephony.NoStory {
			continue
		}
		row := triggerRow{Event: t.Event, Label: t.Label, Sample: t.Sample, Need: needs[t.Hook]}
		if t.Hook == "" && !slices.ContainsFunc(t.Kinds, call.Kind.Terminal) {
			row.Need = telephony.Live // it shares its URL with the report, which is what is needed
		}
		for _, a := range all.Latest {
			if !isOf(info, t, a) {
				continue
			}
			taken[a.ID] = true
			one := arrival{h.receiptRow(a.ReceiptItem, k), readings(events[a.ID])}
			switch {
			case a.Test && row.Tested == nil:
				row.Tested = &one
			case !a.Test && row.Last == nil:
				row.Last = &one
			}
		}
		if row.Need == telephony.Required && row.Last == nil {
			v.Missing++
		}
		v.Triggers = append(v.Triggers, row)
	}
	for _, a := range all.Latest {
		v.Arrived = v.Arrived || !a.Test
		if taken[a.ID] || (a.Test && a.Kind == "") {
			continue
		}
		one := arrival{h.receiptRow(a.ReceiptItem, k), readings(events[a.ID])}
		row := triggerRow{Label: otherLabel(a), Last: &one}
		if a.Test {
			row.Last, row.Tested = nil, &one
		}
		v.Others = append(v.Others, row)
	}
	if all.Limited {
		v.Since = all.Since
	}
	return nil
}

// isOf tells whether a receipt is one of a trigger: by its hook URL where the trigger has one of its own, else by what was
// read from it.
func isOf(info telephony.Info, t telephony.Trigger, a records.Arrival) bool {
	if a.HookEvent != t.Hook || a.Method == telephony.MethodPull {
		return false
	}
	shared := slices.ContainsFunc(info.Triggers, func(o telephony.Trigger) bool {
		return o.Hook == t.Hook && o.Event != t.Event && o.VariantOf == "" && o.Story != telephony.NoStory
	})
	return !shared && (t.Hook != "" || a.Kind != "") || slices.Contains(t.Kinds, call.Kind(a.Kind))
}

// otherLabel names a request that is of no trigger.
func otherLabel(a records.Arrival) string {
	switch {
	case a.Method == telephony.MethodPull:
		return "Asked of the phone system"
	case a.HookEvent != "":
		return visible(clip(a.HookEvent, 60))
	case a.Kind != "":
		return cmp.Or(kindNames[call.Kind(a.Kind)], title(a.Kind))
	}
	return "Other requests"
}

// stepsOf joins the steps of a provider with the hook URLs of a source.
func stepsOf(info telephony.Info, hooks []HookURL) []stepView {
	out := make([]stepView, 0, len(info.Steps))
	for _, step := range info.Steps {
		view := stepView{Step: step}
		for _, u := range step.URLs {
			if i := slices.IndexFunc(hooks, func(h HookURL) bool { return h.Event == u.Event }); i >= 0 {
				view.URLs = append(view.URLs, stepURL{u, hooks[i].URL})
			}
		}
		out = append(out, view)
	}
	return out
}

// signatureOf says whether requests are checked, and how the newest one from outside fared.
func signatureOf(p telephony.Provider, s telephony.Settings, latest []records.Arrival) signatureState {
	if !p.Signs(s) {
		if slices.ContainsFunc(p.Info().Fields, func(f telephony.Field) bool { return f.Secret }) {
			return signatureState{"wait", "Not checked", "No key or token is set, so nothing is checked: whoever knows the URLs can send calls."}
		}
		return signatureState{"idle", "Not signed", "This phone system signs nothing. The token in the URL is the only secret: whoever knows the URL can send calls."}
	}
	for _, a := range latest {
		switch {
		case a.Test || a.Method == telephony.MethodPull:
		case a.Signature == "bad":
			return signatureState{"trouble", "Does not match", "The newest request was refused, because it does not carry the key or token that is set here. Put it right, then replay what was rejected."}
		case a.Signature == "ok":
			return signatureState{"done", "Valid", "The newest request carried the right key or token. Others are refused and kept."}
		}
	}
	return signatureState{"idle", "Set", "Only requests that carry the key or token of this source are accepted. None has arrived yet."}
}

// testsView reads how far the test requests are.
func (h *Handler) testsView(ctx context.Context, p principal, s records.Source, info telephony.Info, ids []string, k kept) (testsView, error) {
	var v testsView
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !validID(id) })
	ids = ids[:min(len(ids), maxTests)]
	var receipts []records.Receipt
	for _, id := range ids {
		receipt, err := h.Store.ReceiptByID(ctx, p.WorkspaceID, id)
		if errors.Is(err, records.ErrNotFound) {
			continue
		}
		if err != nil {
			return v, err
		}
		if receipt.SourceID == s.ID {
			receipts = append(receipts, receipt)
		}
	}
	// After the receipts: what has been applied has its events, and the page asks no more once all have been.
	events, err := h.Store.EventsOfReceipts(ctx, p.WorkspaceID, ids)
	if err != nil {
		return v, err
	}
	for _, receipt := range receipts {
		id := receipt.ID
		row := testRow{Label: labelOf(info, receipt, events[id]), arrival: arrival{
			h.receiptRow(records.ReceiptItem{Receipt: receipt, BodyBytes: len(receipt.Body)}, k), readings(events[id])}}
		if row.Result.State == records.ReceiptPending {
			v.Busy = true
		}
		if row.RecordURL != "" && !slices.Contains(v.Calls, row.RecordURL) {
			v.Calls = append(v.Calls, row.RecordURL)
		}
		v.Rows = append(v.Rows, row)
	}
	return v, nil
}

// labelOf names the trigger that a receipt is of.
func labelOf(info telephony.Info, r records.Receipt, events []call.Event) string {
	a := records.Arrival{ReceiptItem: records.ReceiptItem{Receipt: r}}
	if len(events) > 0 {
		a.Kind = string(events[0].Kind)
	}
	for _, t := range info.Triggers {
		if t.VariantOf == "" && isOf(info, t, a) {
			return t.Label
		}
	}
	return otherLabel(a)
}

// sourceTestForm sends what was asked for and leads to what becomes of it.
func (h *Handler) sourceTestForm(w http.ResponseWriter, r *http.Request, p principal) error {
	id, deliver := r.PathValue("id"), r.PostForm.Get("deliver") == "true"
	what := testCallBody{Event: r.PostForm.Get("event"), Story: telephony.Story(r.PostForm.Get("story")), Deliver: &deliver}
	sent, err := h.sendTest(r.Context(), p, id, what)
	if err != nil {
		return err
	}
	var tests []string
	for _, one := range sent.Requests {
		if one.ReceiptID != "" {
			tests = append(tests, one.ReceiptID)
		}
	}
	if len(tests) == 0 {
		return problem(http.StatusUnprocessableEntity, sent.Sentence)
	}
	to := sourceURL(id, tests)
	if !strings.Contains(r.Header.Get("HX-Request"), "true") {
		to += "#tests"
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}
