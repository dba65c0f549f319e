package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// connectionPage is the page of one connection.
type connectionPage struct {
	connectionCard
	// LastChange is the newest change of its settings; nil where none is noted.
	LastChange *lastChange
	// State says in a sentence how the connection is, Tone is its colour.
	State []part
	Tone  string
	// Failing and Passed count the steps of the last test.
	Failing, Passed int
	Forecast        forecast
	Usage           records.ConnectionUsage
	// Drain says how long it takes to send what is on hold.
	Drain string
	// Drained and Of are how far the sending is that a person began with Resume.
	Drained, Of int64
	Recent      []recentRow
	Can         []capabilityRow
	// NotOn counts those of Can that are off or not possible.
	NotOn int
	// Callback is the redirect URL to register at the CRM.
	Callback string
	// Lists tells that the CRM has a list of outcomes, so that dispositions can be assigned.
	Lists bool
	Rules int
	Acts  bool
	// Self is the page's own address while it follows the sending.
	Self string
	Loc  *time.Location
}

// recentRow is the delivery of one of the latest calls.
type recentRow struct {
	records.RecentDelivery
	Who, Label, Tone, Why string
	Loc                   *time.Location
}

// recentDeliveries is how many deliveries the page shows.
const recentDeliveries = 10

func (h *Handler) connectionPage(w http.ResponseWriter, r *http.Request, p principal) error {
	c, err := h.Store.ConnectionByID(r.Context(), p.WorkspaceID, r.PathValue("id"))
	if err != nil {
		return err
	}
	v, err := h.connectionPageOf(r.Context(), p, c, r.URL.Query())
	if err != nil {
		return err
	}
	return h.show(w, r, p, "connection", c.Name, "connections", v)
}

func (h *Handler) connectionPageOf(ctx context.Context, p principal, c records.Connection, q url.Values) (connectionPage, error) {
	v := connectionPage{Callback: h.callbackURL(), Loc: h.Now().Location()}
	state, err := h.health(ctx, p.WorkspaceID)
	if err != nil {
		return v, err
	}
	if v.connectionCard, err = h.connectionCard(ctx, p, c, state); err != nil {
		return v, err
	}
	open, err := h.openAlerts(ctx, p, "")
	if err != nil {
		return v, err
	}
	v.Alerts = alertsAbout(open, c.ID)
	if v.LastChange, err = h.lastChange(ctx, p, c.ID); err != nil {
		return v, err
	}
	for _, check := range v.Report.Checks {
		if check.OK {
			v.Passed++
		} else {
			v.Failing++
		}
	}
	if v.Usage, err = h.Store.ConnectionUsage(ctx, p.WorkspaceID, c.ID); err != nil {
		return v, err
	}
	now := h.Now()
	v.Forecast = forecastOf(h.info(c), c, v.Usage, now)
	v.Drain = v.Forecast.drainWords(v.Usage.Held - v.Usage.Askable)
	if of, err := strconv.ParseInt(q.Get("of"), 10, 64); err == nil && of > 0 && of <= 10_000_000 && c.Status == records.ConnectionActive {
		v.Of, v.Drained = of, min(max(0, of-v.Usage.Held), of)
	}
	v.Self = "/connections/" + c.ID
	if v.Of > 0 {
		v.Self += "?of=" + strconv.FormatInt(v.Of, 10)
	}
	k, err := h.kept(ctx, p.WorkspaceID)
	if err != nil {
		return v, err
	}
	recent, err := h.Store.RecentDeliveries(ctx, p.WorkspaceID, c.ID, recentDeliveries)
	if err != nil {
		return v, err
	}
	for _, d := range recent {
		v.Recent = append(v.Recent, h.recentRow(d, c, k))
	}
	actions, err := h.Store.Actions(ctx, p.WorkspaceID, c.ID)
	if err != nil {
		return v, err
	}
	v.Acts = actions.Document != ""
	v.Can = h.capabilityRows(c, actions)
	for i, one := range v.Can {
		if strings.Contains(one.URL, "/edit") && !p.may(admin) {
			v.Can[i].URL = ""
		}
		if one.State != "on" {
			v.NotOn++
		}
		v.Lists = v.Lists || one.State != "no" && one.URL == "/connections/"+c.ID+"/dispositions"
	}
	v.State, v.Tone = v.sentence()
	return v, nil
}

// connectionCard is what lists and pages show of a connection.
func (h *Handler) connectionCard(ctx context.Context, p principal, c records.Connection, state health) (connectionCard, error) {
	var fields []field
	card := connectionCard{ConnectionView: h.viewConnection(c), Label: c.Connector, Chip: statusTone(c.Status), Idempotency: idempotencyWords[c.Idempotency]}
	if len(c.Report) > 0 && json.Unmarshal(c.Report, &card.Report) == nil {
		card.Tested, card.OK = true, card.Report.OK()
	}
	if connector, ok := h.Connectors[c.Connector]; ok {
		i := connector.Info()
		card.Setup, card.Docs, fields = i.Setup, webURL(i.Docs), connectorFields(i)
		card.Label, card.Mappings = i.Label, mappingLinks(c.ID, "", i.Mappings)
		if h.Grants != nil {
			_, err := h.Grants.Begin(connector, c, h.callbackURL(), "", "")
			card.Connect = err == nil
		}
	}
	if card.Trouble = state.line(c.ID); len(card.Trouble) > 0 && card.Chip == "done" {
		card.Chip = "wait"
	}
	infos := h.Connectors.Infos()
	i := slices.IndexFunc(infos, func(i connectors.Info) bool { return i.ID == c.Connector })
	card.Contacts = i >= 0 && slices.Contains(infos[i].Capabilities, "contact_match")
	card.OAuth = i >= 0 && h.Grants != nil && slices.Contains(infos[i].Capabilities, connectors.CapabilityOAuth)
	card.OnNone, card.OnMany, card.Owned = matchWords(card.Match)
	card.Settings = shownSettings(fields, c.Config, present(c.Secrets))
	var err error
	card.Schema, err = h.schemaCard(ctx, p, c.ID, "")
	return card, err
}

// sentence says how the connection is: the most important first.
func (v connectionPage) sentence() ([]part, string) {
	held := numbered(v.Usage.Held, "call")
	are := " are"
	if v.Usage.Held == 1 {
		are = " is"
	}
	say := func(tone string, words ...any) ([]part, string) { return sentence(tone, "", words...).Parts, tone }
	switch {
	case v.Status == records.ConnectionRevoked:
		if v.Usage.Held > 0 {
			return say("trouble", full(visible(cmp.Or(v.StatusReason, v.Label+" no longer accepts callsync’s access."))), " "+title(held)+are+" kept here. Connect again or put the settings right, then test: they go out by themselves.")
		}
		return say("trouble", full(visible(cmp.Or(v.StatusReason, v.Label+" no longer accepts callsync’s access."))), " Connect again or put the settings right, then test.")
	case v.Status == records.ConnectionPaused:
		if v.Usage.Held > 0 {
			return say("wait", "Paused: nothing is sent, and "+held+are+" kept here. When you resume, "+v.Drain+".")
		}
		return say("wait", "Paused: nothing is sent. Calls that end now are kept here until you resume.")
	case len(v.Trouble) > 0:
		return v.Trouble, "wait"
	case v.Of > 0 && v.Drained < v.Of && v.Mode != "shadow":
		return say("wait", "It goes on. What was kept is being sent.")
	case v.Tested && !v.OK:
		return say("trouble", "The last test found "+numbered(int64(v.Failing), "step")+" that did not pass. What to do stands beside each.")
	case v.Mode == "shadow" && v.Usage.Shown > 0:
		return say("idle", "Shadow mode: nothing is written. What would be written is shown on "+numbered(v.Usage.Shown, "call")+" so far.")
	case v.Mode == "shadow":
		return say("idle", "Shadow mode: nothing is written. What would be written is shown on each call.")
	case v.Usage.Held > 0:
		return say("trouble", "It works, but "+held+are+" on hold. The reasons and what to do stand under On hold.")
	case !v.Tested:
		return say("wait", "Not tested yet. The test checks the access and what callsync may do, and makes its id field in the CRM where that is possible.")
	}
	for _, d := range v.Recent {
		if d.State == records.DeliveryDone {
			return say("done", "It works. The latest call went there at ", d.UpdatedAt, ".")
		}
	}
	return say("done", "It works. No call has gone there yet.")
}

func (h *Handler) recentRow(d records.RecentDelivery, c records.Connection, k kept) recentRow {
	row := recentRow{RecentDelivery: d, Who: visible(clip(cmp.Or(d.Name, readable(d.Number), unknownCaller), 80)), Loc: location(k.sources[d.SourceID])}
	row.RemoteURL = webURL(d.RemoteURL)
	row.Label, row.Tone = deliveryChip(&records.Delivery{State: d.State}, 0)
	switch {
	case d.State == records.DeliveryParked || d.State == records.DeliverySkipped && d.Class != "shadow":
		row.Why = visible(clip(d.Reason, 300))
	case d.State == records.DeliverySkipped:
		row.Label, row.Why = "Only shown", "Shadow mode: the call shows what would be written."
	case d.RetryAt.After(h.Now()):
		row.Label, row.Why = "Tried again", visible(clip(d.Reason, 300))
	}
	return row
}

// refusal is the page for somebody who comes back from a CRM that did not grant access.
type refusal struct {
	ID, Name, CRM, Callback string
	// What says in a sentence what happened, Said is the CRM's own words.
	What, Said string
	Again      bool
}

// refused tells on a page of its own why a CRM did not grant access, and what helps.
func (h *Handler) refused(w http.ResponseWriter, r *http.Request, p principal, c records.Connection, status int, what string, q url.Values) error {
	v := refusal{ID: c.ID, Name: c.Name, CRM: h.crm(c), Callback: h.callbackURL(), What: what, Again: p.UserID != ""}
	if q.Get("error") != "" {
		v.Said = visible(clip(q.Get("error"), 100))
		if more := q.Get("error_description"); more != "" {
			v.Said += ": " + visible(clip(more, 400))
		}
	}
	f := frame{Title: "Not connected", Page: v}
	if p.UserID != "" {
		var err error
		if f, err = h.newFrame(r, p, "Not connected", "connections", v); err != nil {
			return err
		}
	}
	return h.render(w, r, status, "refusal", f)
}

// refusalWords explain the errors that a consent page sends back (RFC 6749, 4.1.2.1).
func refusalWords(crm, code string) string {
	switch code {
	case "access_denied":
		return "You, or somebody at " + crm + ", declined. Nothing was changed. If you did not decline yourself, your user may not be allowed to install apps: ask an administrator of " + crm + "."
	case "redirect_uri_mismatch", "invalid_redirect_uri":
		return crm + " does not know the address it was to send you back to. Add the redirect URL below to the app in " + crm + ", exactly as it stands."
	case "invalid_client", "unauthorized_client", "invalid_client_id":
		return crm + " does not know the app. Compare the client id and the secret in the settings with those of the app."
	case "invalid_scope", "scope_mismatch":
		return "The app in " + crm + " does not have the rights that callsync asks for. Add them to the app, as the setup says, and connect again."
	case "server_error", "temporarily_unavailable":
		return crm + " had a fault of its own. Connect again in some minutes."
	}
	return crm + " did not grant access: somebody declined, or its app is not set up for the redirect URL below. Nothing was changed."
}

// shadowPage and livePage ask before what is written changes.
func (h *Handler) modePage(w http.ResponseWriter, r *http.Request, p principal) error {
	c, err := h.Store.ConnectionByID(r.Context(), p.WorkspaceID, r.PathValue("id"))
	if err != nil {
		return err
	}
	v := confirmation{List: "/connections", ListName: "Connections", Name: c.Name, Back: "/connections/" + c.ID, Action: "/connections/" + c.ID + "/mode"}
	crm := h.crm(c)
	if c.Mode == "shadow" {
		u, err := h.Store.ConnectionUsage(r.Context(), p.WorkspaceID, c.ID)
		if err != nil {
			return err
		}
		v.Title, v.Submit, v.Calm = "Write to "+crm+" from now on", "Write from now on", true
		v.Text = []string{"Shadow mode ends. Calls that are delivered from now on are written to " + crm + ", as the calls before have shown."}
		if u.Shown > 0 {
			v.Text = append(v.Text, title(numbered(u.Shown, "call"))+" that shadow mode has only shown stay as they are. The next page offers to deliver them, too.")
		}
	} else {
		v.Title, v.Submit, v.Calm = "Stop writing to "+crm, "Switch to shadow mode", true
		v.Text = []string{"In shadow mode callsync does everything but the writing: it looks for the contact and the owner, applies the rules and the mapping, and shows on each call what it would write.",
			"Nothing is written to " + crm + ", also no changes to calls that are there already, and no follow-ups. What is there stays.",
			"Calls do not wait for the end of shadow mode. When you switch back, you can have those delivered that were only shown."}
	}
	return h.show(w, r, p, "confirm", v.Title, "connections", v)
}

func (h *Handler) modeForm(w http.ResponseWriter, r *http.Request, p principal) error {
	c, err := h.Store.ConnectionByID(r.Context(), p.WorkspaceID, r.PathValue("id"))
	if err != nil {
		return err
	}
	patch, mode, done := connectionPatch{PathID: PathID{ID: c.ID}}, "shadow", "shadow"
	if c.Mode == "shadow" {
		mode, done = "live", "live"
	}
	patch.Body.Mode = &mode
	if _, err := h.patchConnection(r.Context(), p, &patch); err != nil {
		var wrong *Problem
		if errors.As(err, &wrong) && wrong.Status == http.StatusUnprocessableEntity {
			return problem(wrong.Status, "The settings of this connection are not complete: open Change and put them right first. "+wrong.Detail)
		}
		return err
	}
	return back(w, r, "/connections/"+c.ID, done)
}
