package admin

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/callsync/callsync/records"
)

// channelForm is the form of a channel that is added or changed.
type channelForm struct {
	// ID is empty for a channel that is added.
	ID, Kind, Label, Title, Action string
	Name                           string
	Fields                         []channelInput
	Kinds                          []kindBox
	Critical, Enabled              bool
	HasMail                        bool
	// Wrong holds what is wrong by input, Problems what is wrong besides.
	Wrong    map[string]string
	Problems []string
}

// channelInput is one of the settings of a kind of channel.
type channelInput struct {
	Input, Label, Hint, Value, Wrong string
	// Secret ones are never shown; Set tells that there is one.
	Secret, Set, Required bool
}

type kindBox struct {
	Value, Label string
	On           bool
}

// channelHints say how to fill in the settings.
var channelHints = map[string]string{
	"email.to":               "Up to ten, with commas between them.",
	"slack.url":              "In Slack: Apps → Incoming Webhooks → Add to Slack, choose a channel, and copy the address that begins with https://hooks.slack.com/. Whoever knows it can write there, so it is kept as a secret.",
	"webhook.url":            "callsync posts JSON there. Use https. Whoever changes it enters the signing secret again.",
	"webhook.signing_secret": "whsec_ and 24 to 64 random bytes in base64, the same as at the receiver; for example from: echo whsec_$(openssl rand -base64 32)",
}

func (h *Handler) channelForm(c records.AlertChannel) channelForm {
	f := channelForm{ID: c.ID, Kind: c.Kind, Label: channelNames[c.Kind], Name: c.Name, Critical: c.MinSeverity == records.SeverityCritical, Enabled: c.Enabled,
		HasMail: h.Alerter != nil && h.Alerter.HasMail(), Wrong: map[string]string{}}
	f.Title, f.Action = "Change "+c.Name, "/settings/alerts/channels/"+c.ID
	if c.ID == "" {
		f.Title, f.Action = "Add a channel: "+f.Label, "/settings/alerts/channels"
	}
	for _, field := range channelFields[c.Kind] {
		in := channelInput{Input: "config." + field.name, Label: field.label, Hint: channelHints[c.Kind+"."+field.name], Value: c.Config[field.name], Required: field.required}
		if field.secret {
			in.Input, in.Value, in.Secret, in.Set = "secrets."+field.name, "", true, c.Secrets[field.name] != ""
			in.Required = !in.Set
		}
		f.Fields = append(f.Fields, in)
	}
	for _, kind := range records.AlertKinds {
		f.Kinds = append(f.Kinds, kindBox{string(kind), kind.Label(), c.Kinds == nil || slices.Contains(c.Kinds, kind)})
	}
	return f
}

func (h *Handler) channelNewPage(w http.ResponseWriter, r *http.Request, p principal) error {
	kind := cmp.Or(r.URL.Query().Get("kind"), records.ChannelEmail)
	if _, ok := channelFields[kind]; !ok {
		return notFound()
	}
	c := records.AlertChannel{Kind: kind, Enabled: true}
	switch kind {
	case records.ChannelEmail:
		c.Name = "E-mail"
	case records.ChannelSlack:
		c.Name = "Slack"
	case records.ChannelWebhook:
		c.Name = "Webhook"
	}
	return h.showChannelForm(w, r, p, http.StatusOK, h.channelForm(c))
}

func (h *Handler) showChannelForm(w http.ResponseWriter, r *http.Request, p principal, status int, f channelForm) error {
	page, err := h.newFrame(r, p, f.Title, settingsNav+"alerts", f)
	if err != nil {
		return err
	}
	return h.render(w, r, status, "channel_form", page)
}

// channelPosted reads the form. Secrets that are left blank stay.
func channelPosted(r *http.Request, kind string) AlertChannelPatch {
	name, severity, enabled := r.PostForm.Get("name"), records.SeverityWarning, r.PostForm.Get("enabled") == "true"
	if r.PostForm.Get("critical") == "true" {
		severity = records.SeverityCritical
	}
	b := AlertChannelPatch{Name: &name, MinSeverity: &severity, Enabled: &enabled, Config: Settings{}, Secrets: Settings{}}
	b.Kinds.Set = true
	b.Kinds.Value = []records.AlertKind{} // none is a fault, not all
	for _, k := range r.PostForm["kinds"] {
		b.Kinds.Value = append(b.Kinds.Value, records.AlertKind(k))
	}
	for _, field := range channelFields[kind] {
		if value := strings.TrimSpace(r.PostForm.Get("config." + field.name)); !field.secret {
			b.Config[field.name] = quotedJSON(value)
		}
		if value := strings.TrimSpace(r.PostForm.Get("secrets." + field.name)); field.secret && value != "" {
			b.Secrets[field.name] = quotedJSON(value)
		}
	}
	return b
}

func (h *Handler) channelCreateForm(w http.ResponseWriter, r *http.Request, p principal) error {
	var in channelIn
	in.Body.Kind = r.PostForm.Get("kind")
	b := channelPosted(r, in.Body.Kind)
	in.Body.Name, in.Body.Config, in.Body.Secrets, in.Body.Kinds, in.Body.MinSeverity, in.Body.Enabled = *b.Name, b.Config, b.Secrets, b.Kinds.Value, *b.MinSeverity, b.Enabled
	out, err := h.createChannel(r.Context(), p, &in)
	if err != nil {
		return h.channelFailed(w, r, p, records.AlertChannel{Kind: in.Body.Kind}, b, err)
	}
	return back(w, r, "/settings/alerts#"+out.Body.ID, "channel")
}

func (h *Handler) channelEditPage(w http.ResponseWriter, r *http.Request, p principal) error {
	c, err := h.Store.AlertChannelByID(r.Context(), p.WorkspaceID, r.PathValue("id"))
	if err != nil {
		return err
	}
	return h.showChannelForm(w, r, p, http.StatusOK, h.channelForm(c))
}

func (h *Handler) channelEditForm(w http.ResponseWriter, r *http.Request, p principal) error {
	c, err := h.Store.AlertChannelByID(r.Context(), p.WorkspaceID, r.PathValue("id"))
	if err != nil {
		return err
	}
	in := channelPatch{PathID: PathID{ID: c.ID}, Body: channelPosted(r, c.Kind)}
	if _, err := h.patchChannel(r.Context(), p, &in); err != nil {
		return h.channelFailed(w, r, p, c, in.Body, err)
	}
	return back(w, r, "/settings/alerts#"+c.ID, "channel")
}

// channelFailed shows the form again with what is wrong at its inputs.
func (h *Handler) channelFailed(w http.ResponseWriter, r *http.Request, p principal, c records.AlertChannel, b AlertChannelPatch, err error) error {
	var wrong *Problem
	if !errors.As(err, &wrong) || (wrong.Status != http.StatusUnprocessableEntity && wrong.Status != http.StatusConflict) || channelFields[c.Kind] == nil {
		return err
	}
	c.Name, c.Config, c.MinSeverity, c.Enabled, c.Kinds = *b.Name, b.Config.over(nil), *b.MinSeverity, *b.Enabled, b.Kinds.Value
	f := h.channelForm(c)
	if len(wrong.Errors) == 0 {
		f.Problems = append(f.Problems, wrong.Detail)
	}
	for _, e := range wrong.Errors {
		at := slices.IndexFunc(f.Fields, func(in channelInput) bool { return in.Input == e.Field })
		switch {
		case at >= 0:
			f.Fields[at].Wrong = e.Message
		case e.Field == "name" || e.Field == "kinds":
			f.Wrong[e.Field] = e.Message
		default:
			f.Problems = append(f.Problems, e.Message)
		}
	}
	return h.showChannelForm(w, r, p, wrong.Status, f)
}

func (h *Handler) channelTestForm(w http.ResponseWriter, r *http.Request, p principal) error {
	id := r.PathValue("id")
	t, err := h.testChannel(r.Context(), p, id)
	if err != nil {
		return err
	}
	done := "tested"
	if !t.OK {
		done = "failed"
	}
	http.Redirect(w, r, "/settings/alerts?"+url.Values{"done": {done}}.Encode()+"#"+id, http.StatusSeeOther)
	return nil
}

func (h *Handler) channelDeletePage(w http.ResponseWriter, r *http.Request, p principal) error {
	c, err := h.Store.AlertChannelByID(r.Context(), p.WorkspaceID, r.PathValue("id"))
	if err != nil {
		return err
	}
	at := "/settings/alerts/channels/" + c.ID
	return h.show(w, r, p, "confirm", "Remove the channel", settingsNav+"alerts", confirmation{List: "/settings/alerts", ListName: "Alerts", Back: at, Name: c.Name, Title: "Remove this channel",
		Text: []string{"Alerts are not told there any more, and what is on its way there is dropped."}, Action: at + "/delete", Submit: "Remove the channel"})
}

func (h *Handler) channelDeleteForm(w http.ResponseWriter, r *http.Request, p principal) error {
	if err := h.Store.DeleteAlertChannel(r.Context(), p.WorkspaceID, r.PathValue("id")); err != nil {
		return err
	}
	return back(w, r, "/settings/alerts", "unchannelled")
}
