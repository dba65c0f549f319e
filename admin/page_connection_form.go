package admin

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
)

// connectionForm is the form of a connection that is added or changed.
type connectionForm struct {
	// ID is empty for a connection that is added.
	ID string
	// Kind is the CRM's, with the capabilities that the registry knows of.
	Kind connectors.Info
	// Can are the capabilities in words.
	Can []string
	// OAuth tells that access may be granted at the CRM's consent page instead of by a token.
	OAuth bool
	// Callback is the redirect URL to register for that.
	Callback string
	// Guarded tells that there are secrets that a new address asks for again.
	Guarded bool
	settingsForm
}

// addressField is the setting that every connector takes, also where it does not list it.
var addressField = telephony.Field{Name: "base_url", Label: "Address", Help: "Only for sandboxes, servers of your own and proxies; leave it empty otherwise."}

func (h *Handler) connectionNewPage(w http.ResponseWriter, r *http.Request, p principal) error {
	id := r.URL.Query().Get("connector")
	if _, ok := h.Connectors[id]; !ok {
		var kinds []kindChoice
		for _, i := range h.Connectors.Infos() {
			words := ""
			if slices.Contains(i.Capabilities, "contact_match") {
				words = strings.Join(capabilityWords(i.Capabilities, 4), " · ")
			}
			kinds = append(kinds, kindChoice{i.ID, i.Label, words})
		}
		// What is for everything else stands last.
		slices.SortStableFunc(kinds, func(a, b kindChoice) int { return boolOrder(a.Sends == "", b.Sends == "") })
		return h.show(w, r, p, "connection_kinds", "Add a connection", "connections", kinds)
	}
	f := h.formOfConnection(records.Connection{Connector: id, Mode: "live"})
	f.Values["name"] = f.Kind.Label
	return h.showConnectionForm(w, r, p, http.StatusOK, f)
}

// capabilityWords are capabilities in words, most of them counted only.
func capabilityWords(names []string, most int) []string {
	var out []string
	for _, c := range connectors.AllCapabilities() {
		if slices.Contains(names, c.Name) {
			out = append(out, c.Label)
		}
	}
	if more := len(out) - most; more > 0 {
		out = append(out[:most:most], fmt.Sprintf("%d more", more))
	}
	return out
}

func (h *Handler) connectionEditPage(w http.ResponseWriter, r *http.Request, p principal) error {
	c, err := h.Store.ConnectionByID(r.Context(), p.WorkspaceID, r.PathValue("id"))
	if err != nil {
		return err
	}
	return h.showConnectionForm(w, r, p, http.StatusOK, h.formOfConnection(c))
}

func (h *Handler) showConnectionForm(w http.ResponseWriter, r *http.Request, p principal, status int, f connectionForm) error {
	frame, err := h.newFrame(r, p, f.Title, "connections", f)
	if err != nil {
		return err
	}
	return h.render(w, r, status, "connection_form", frame)
}

// formOfConnection is the form of c as it is stored, or of a new one of its connector.
func (h *Handler) formOfConnection(c records.Connection) connectionForm {
	f := connectionForm{ID: c.ID, settingsForm: newSettingsForm("name", "window_minutes")}
	f.Title, f.Action, f.Submit, f.Cancel = "Add a connection", "/connections", "Add the connection", "/connections/new"
	if c.ID != "" {
		f.Title, f.Action, f.Submit, f.Cancel = "Change "+c.Name, "/connections/"+c.ID+"/edit", "Save", "/connections/"+c.ID
	}
	f.Kind = connectors.Info{ID: c.Connector, Label: c.Connector}
	for _, i := range h.Connectors.Infos() {
		if i.ID == c.Connector {
			f.Kind = i
		}
	}
	f.Can = capabilityWords(f.Kind.Capabilities, len(f.Kind.Capabilities))
	f.OAuth = h.Grants != nil && slices.Contains(f.Kind.Capabilities, connectors.CapabilityOAuth)
	f.Callback = h.callbackURL()
	for _, value := range c.Secrets {
		f.Guarded = f.Guarded || c.ID != "" && value != ""
	}
	f.Values = map[string]string{"name": c.Name, "mode": c.Mode, "policy": c.Policy, "window_minutes": "", "recordings": cmp.Or(c.Recordings, records.ShareLink)}
	if c.Window != nil {
		f.Values["window_minutes"] = number(*c.Window, time.Minute)
	}
	listed := false
	for _, one := range f.Kind.Fields {
		listed = listed || one.Name == addressField.Name
		f.addField(telephony.Field{Name: one.Name, Label: one.Label, Help: one.Help, Secret: one.Secret, Required: one.Required,
			Default: one.Default, Options: one.Options}, c.Config, c.Secrets)
	}
	if !listed {
		f.addField(addressField, c.Config, c.Secrets)
	}
	return f
}

// connectionInput is what a form says, in the terms of the API.
type connectionInput struct {
	name, mode, policy, recordings string
	window                         *int64
	config, secrets                Settings
}

func (f *connectionForm) read(r *http.Request, before map[string]string) (in connectionInput, err error) {
	var out faults
	text := func(name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }
	in = connectionInput{name: text("name"), mode: text("mode"), policy: text("policy"), recordings: cmp.Or(text("recordings"), records.ShareLink)}
	if in.mode != "live" && in.mode != "shadow" {
		out.add("mode", "Choose whether calls are written.")
	}
	if minutes := text("window_minutes"); minutes != "" {
		in.window = span(&out, "window_seconds", minutes, 60, 0, 604_800)
	}
	in.config, in.secrets = f.settings(r, before)
	return in, out.problem()
}

// connectionCreateForm adds a connection and leads to its card, where it is tested.
func (h *Handler) connectionCreateForm(w http.ResponseWriter, r *http.Request, p principal) error {
	kind := r.PostForm.Get("connector")
	if _, ok := h.Connectors[kind]; !ok {
		return problem(http.StatusUnprocessableEntity, "callsync knows no such CRM.")
	}
	f := h.formOfConnection(records.Connection{Connector: kind})
	f.posted(r)
	in, err := f.read(r, nil)
	if err == nil {
		var body connectionCreate
		b := &body.Body
		b.Connector, b.Name, b.Config, b.Secrets, b.Mode, b.Policy, b.WindowSeconds, b.Recordings = kind, in.name, in.config, in.secrets, in.mode, in.policy, in.window, in.recordings
		var made *answer[ConnectionView]
		if made, err = h.createConnection(r.Context(), p, &body); err == nil {
			return back(w, r, "/connections/"+made.Body.ID, "joined")
		}
	}
	return h.connectionRefused(w, r, p, f, in, err, records.Connection{Connector: kind})
}

func (h *Handler) connectionEditForm(w http.ResponseWriter, r *http.Request, p principal) error {
	c, err := h.Store.ConnectionByID(r.Context(), p.WorkspaceID, r.PathValue("id"))
	if err != nil {
		return err
	}
	f := h.formOfConnection(c)
	f.posted(r)
	in, err := f.read(r, c.Config)
	if err == nil {
		patch := connectionPatch{PathID: PathID{ID: c.ID}}
		b := &patch.Body
		b.Name, b.Mode, b.Recordings, b.Config, b.Secrets = &in.name, &in.mode, &in.recordings, in.config, in.secrets
		b.Policy = Optional[string]{Set: true, Value: in.policy, Null: in.policy == ""}
		b.WindowSeconds = Optional[int64]{Set: true, Null: in.window == nil}
		if in.window != nil {
			b.WindowSeconds.Value = *in.window
		}
		if _, err = h.patchConnection(r.Context(), p, &patch); err == nil {
			return back(w, r, "/connections/"+c.ID, "kept")
		}
	}
	return h.connectionRefused(w, r, p, f, in, err, c)
}

// connectionRefused shows the form again with all that is wrong with it: what cannot be read, and what the rest would be
// refused for.
func (h *Handler) connectionRefused(w http.ResponseWriter, r *http.Request, p principal, f connectionForm, in connectionInput, err error, before records.Connection) error {
	var unread, more *Problem
	if errors.As(err, &unread) && len(unread.Errors) > 0 {
		c := before
		c.Name, c.Policy, c.Recordings = in.name, in.policy, in.recordings
		c.Config, c.Secrets = in.config.over(before.Config), in.secrets.over(before.Secrets)
		if errors.As(h.checkConnection(&c), &more) {
			all := append(faults{}, unread.Errors...)
			for _, e := range more.Errors {
				if !slices.ContainsFunc(all, func(had FieldError) bool { return had.Field == e.Field }) {
					all = append(all, e)
				}
			}
			err = all.problem()
		}
	}
	if err := f.fails(err); err != nil {
		return err
	}
	return h.showConnectionForm(w, r, p, http.StatusUnprocessableEntity, f)
}

func (h *Handler) connectionDeletePage(w http.ResponseWriter, r *http.Request, p principal) error {
	c, err := h.Store.ConnectionByID(r.Context(), p.WorkspaceID, r.PathValue("id"))
	if err != nil {
		return err
	}
	return h.show(w, r, p, "confirm", "Remove this connection", "connections", confirmation{
		List: "/connections", ListName: "Connections", Name: c.Name, Back: "/connections/" + c.ID,
		Title: "Remove this connection", Action: "/connections/" + c.ID + "/delete", Submit: "Remove it for good", Text: []string{
			"callsync stops writing to this account at once, and forgets its secrets. What is in the CRM stays.",
			"If the account is added again later, callsync starts anew with it: to stop for a while, pause it instead.",
		}})
}

func (h *Handler) connectionDeleteForm(w http.ResponseWriter, r *http.Request, p principal) error {
	if _, err := h.deleteConnection(r.Context(), p, &PathID{ID: r.PathValue("id")}); err != nil {
		return err
	}
	return back(w, r, "/connections", "parted")
}
