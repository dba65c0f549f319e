package admin

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/callsync/callsync/records"
)

// alertLine is an alert as pages show it.
type alertLine struct {
	records.Alert
	Title, URL, Tone, Label string
	Muted                   bool
	// CanMute is who may; Back is the page that is shown after it.
	CanMute bool
	Back    string
}

const (
	// mostAlertsShown bounds the open alerts of a page.
	mostAlertsShown = 200
	// mostHomeAlerts is how many the home page shows.
	mostHomeAlerts = 5
)

func alertLineOf(a records.Alert, p principal, back string) alertLine {
	l := alertLine{Alert: a, Title: a.Title(), URL: a.Path(), Tone: "wait", Label: "Warning", Muted: !a.MutedUntil.IsZero(), CanMute: p.may(operator), Back: back}
	if a.Severity == records.SeverityCritical {
		l.Tone, l.Label = "trouble", "Critical"
	}
	if a.State == records.AlertResolved {
		l.Tone, l.Label = "done", "Over"
	}
	return l
}

// openAlerts are those of a workspace: the critical ones first, and those that are muted last.
func (h *Handler) openAlerts(ctx context.Context, p principal, back string) ([]alertLine, error) {
	rows, err := h.Store.AlertsPage(ctx, p.WorkspaceID, records.AlertFilter{State: records.AlertOpen, Limit: mostAlertsShown})
	if err != nil {
		return nil, err
	}
	var out []alertLine
	for _, a := range rows {
		out = append(out, alertLineOf(a, p, back))
	}
	slices.SortStableFunc(out, func(a, b alertLine) int {
		return cmp.Or(boolOrder(a.Muted, b.Muted), boolOrder(a.Severity != records.SeverityCritical, b.Severity != records.SeverityCritical))
	})
	return out, nil
}

// alertsAbout are the open alerts of one source or connection, but for those of which its page speaks anyway.
func alertsAbout(all []alertLine, id string) []alertLine {
	said := []records.AlertKind{records.AlertTimeZone, records.AlertRevoked, records.AlertUnreachable, records.AlertSchema}
	return slices.DeleteFunc(slices.Clone(all), func(l alertLine) bool { return l.ObjectID != id || slices.Contains(said, l.Kind) })
}

// homeAlertsView are the alerts at the top of the home page.
type homeAlertsView struct {
	Lines []alertLine
	// More are open and not shown, Muted are muted.
	More, Muted int
}

func (h *Handler) homeAlerts(ctx context.Context, p principal, back string) (homeAlertsView, error) {
	all, err := h.openAlerts(ctx, p, back)
	var v homeAlertsView
	for _, l := range all {
		switch {
		case l.Muted:
			v.Muted++
		case len(v.Lines) == mostHomeAlerts:
			v.More++
		default:
			v.Lines = append(v.Lines, l)
		}
	}
	return v, err
}

// muteChoice is how long an alert may be muted by the page.
type muteChoice struct {
	Hours int
	Label string
}

var muteChoices = []muteChoice{{4, "4 hours"}, {24, "a day"}, {7 * 24, "a week"}, {30 * 24, "30 days"}}

type alertsView struct {
	Open, Over []alertLine
	Choices    []muteChoice
	Next       string
	First      bool
	Self       string
}

func (h *Handler) alertsPage(w http.ResponseWriter, r *http.Request, p principal) error {
	v := alertsView{Choices: muteChoices, Self: "/alerts"}
	before := r.URL.Query().Get("before")
	var err error
	if v.Open, err = h.openAlerts(r.Context(), p, "/alerts"); err != nil {
		return err
	}
	rows, err := h.Store.AlertsPage(r.Context(), p.WorkspaceID, records.AlertFilter{State: records.AlertResolved, Before: known(before), Limit: defaultLimit + 1})
	if err != nil {
		return err
	}
	for _, a := range rows[:min(len(rows), defaultLimit)] {
		v.Over = append(v.Over, alertLineOf(a, p, "/alerts"))
	}
	if len(rows) > defaultLimit {
		v.Next = "/alerts?before=" + rows[defaultLimit-1].ID
	}
	v.First = known(before) != ""
	return h.show(w, r, p, "alerts", "Alerts", "home", v)
}

func (h *Handler) alertMuteForm(w http.ResponseWriter, r *http.Request, p principal) error {
	hours, err := strconv.Atoi(cmp.Or(r.PostForm.Get("hours"), "24"))
	if err != nil {
		return invalid("hours", "Say for how long.")
	}
	if _, err := h.mute(r.Context(), p, r.PathValue("id"), hours); err != nil {
		return err
	}
	done := "muted"
	if hours == 0 {
		done = "unmuted"
	}
	to := "/alerts"
	if r.PostForm.Get("back") == "/" {
		to = "/"
	}
	return back(w, r, to, done)
}

// channelCard is a channel with what is told on it.
type channelCard struct {
	AlertChannelView
	Label, Where, Wants string
}

// messageRow is a message that was told, or not.
type messageRow struct {
	records.SentMessage
	Chip, State string
}

// alertSettingsView is the page of channels and thresholds.
type alertSettingsView struct {
	Channels   []channelCard
	Thresholds []threshold
	Messages   []messageRow
	HasMail    bool
}

// threshold is one input of the form.
type threshold struct {
	Name, Label, Unit, Hint, Value, Wrong string
	Min, Max                              int
}

const shownMessages = 15

func (h *Handler) alertSettingsView(ctx context.Context, p principal) (alertSettingsView, error) {
	var v alertSettingsView
	v.HasMail = h.Alerter != nil && h.Alerter.HasMail()
	channels, err := h.Store.AlertChannels(ctx, p.WorkspaceID)
	if err != nil {
		return v, err
	}
	for _, c := range channels {
		v.Channels = append(v.Channels, cardOf(c))
	}
	s, err := h.Store.AlertSettings(ctx, p.WorkspaceID)
	if err != nil {
		return v, err
	}
	v.Thresholds = thresholds(s)
	messages, err := h.Store.AlertMessages(ctx, p.WorkspaceID, shownMessages)
	for _, m := range messages {
		row := messageRow{SentMessage: m, Chip: "done", State: "Sent"}
		switch {
		case m.State == records.MessageFailed:
			row.Chip, row.State = "trouble", "Not sent"
		case m.State == records.MessageQueued && m.Failure != "":
			row.Chip, row.State = "wait", "Tried again"
		case m.State == records.MessageQueued:
			row.Chip, row.State = "wait", "On its way"
		}
		v.Messages = append(v.Messages, row)
	}
	return v, err
}

func cardOf(c records.AlertChannel) channelCard {
	card := channelCard{AlertChannelView: viewChannel(c), Label: channelNames[c.Kind], Wants: "Everything"}
	switch c.Kind {
	case records.ChannelEmail:
		card.Where = c.Config["to"]
	case records.ChannelWebhook:
		card.Where = c.Config["url"]
	}
	if c.Kinds != nil {
		card.Wants = plural(len(c.Kinds), "kind") + " of " + strconv.Itoa(len(records.AlertKinds))
	}
	if c.MinSeverity == records.SeverityCritical {
		card.Wants += ", only what is critical"
	}
	return card
}

func thresholds(s records.AlertSettings) []threshold {
	return []threshold{
		{Name: "held_count", Label: "On hold for a connection: more than", Unit: "deliveries", Value: strconv.Itoa(s.HeldCount), Min: 1, Max: 1_000_000},
		{Name: "held_hours", Label: "The oldest on hold: longer than", Unit: "hours", Value: strconv.Itoa(s.HeldHours), Min: 1, Max: 720},
		{Name: "trouble_count", Label: "Requests not understood or refused: at least", Unit: "in an hour", Value: strconv.Itoa(s.TroubleCount), Min: 1, Max: 1_000_000,
			Hint: "Of a source with few requests it is told earlier: when half of the newest fail."},
		{Name: "silent_minutes", Label: "A source is silent: at least", Unit: "minutes", Value: strconv.Itoa(s.SilentMinutes), Min: 10, Max: 1440,
			Hint: "That is the least. How long is too long, each source’s own weeks say: a quiet one has hours or days."},
		{Name: "quota_percent", Label: "A CRM’s daily quota is used: from", Unit: "percent", Value: strconv.Itoa(s.QuotaPercent), Min: 10, Max: 100},
	}
}

func (h *Handler) alertSettingsPage(w http.ResponseWriter, r *http.Request, p principal) error {
	v, err := h.alertSettingsView(r.Context(), p)
	if err != nil {
		return err
	}
	return h.show(w, r, p, "alert_settings", "Alerts", settingsNav+"alerts", v)
}

func (h *Handler) alertSettingsForm(w http.ResponseWriter, r *http.Request, p principal) error {
	v, err := h.alertSettingsView(r.Context(), p)
	if err != nil {
		return err
	}
	var values [5]int
	wrong := false
	for i := range v.Thresholds {
		t := &v.Thresholds[i]
		t.Value = r.PostForm.Get(t.Name)
		n, err := strconv.Atoi(t.Value)
		if err != nil || n < t.Min || n > t.Max {
			t.Wrong, wrong = "Give a whole number from "+strconv.Itoa(t.Min)+" to "+strconv.Itoa(t.Max)+".", true
		}
		values[i] = n
	}
	if wrong {
		f, err := h.newFrame(r, p, "Alerts", settingsNav+"alerts", v)
		if err != nil {
			return err
		}
		return h.render(w, r, http.StatusUnprocessableEntity, "alert_settings", f)
	}
	err = h.Store.PutAlertSettings(r.Context(), p.WorkspaceID, records.AlertSettings{HeldCount: values[0], HeldHours: values[1], TroubleCount: values[2], SilentMinutes: values[3], QuotaPercent: values[4]})
	if err != nil {
		return err
	}
	return back(w, r, "/settings/alerts", "thresholds")
}
