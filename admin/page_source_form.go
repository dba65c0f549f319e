package admin

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
)

// kindChoice is a phone system to choose from.
type kindChoice struct{ ID, Label, Sends string }

// sourceForm is the form of a source that is added or changed.
type sourceForm struct {
	// ID is empty for a source that is added.
	ID   string
	Kind telephony.Info
	settingsForm
	Feeds     []feedChoice
	FeedAll   bool
	Zones     []string
	Countries []place
}

type feedChoice struct {
	ID, Name string
	On       bool
}

func (h *Handler) sourceNewPage(w http.ResponseWriter, r *http.Request, p principal) error {
	id := r.URL.Query().Get("provider")
	if _, ok := h.Providers[id]; !ok {
		var kinds []kindChoice
		for _, i := range h.Providers.Infos() {
			kinds = append(kinds, kindChoice{i.ID, i.Label, triggerNames(i)})
		}
		// What fits nothing else stands last.
		slices.SortStableFunc(kinds, func(a, b kindChoice) int { return boolOrder(a.Sends == "", b.Sends == "") })
		return h.show(w, r, p, "source_kinds", "Add a source", "sources", kinds)
	}
	f, err := h.sourceForm(r, p, records.Source{Provider: id, Window: defaultWindow, Quiet: defaultQuiet, Stale: defaultStale, Policy: "complete"})
	if err != nil {
		return err
	}
	f.Values["name"] = f.Kind.Label
	f.Values["time_zone"] = f.Kind.TimeZone
	if f.Kind.TimeZone == "Asia/Kolkata" {
		f.Values["default_country"] = "IN"
	}
	return h.showSourceForm(w, r, p, http.StatusOK, f)
}

func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// triggerNames lists what a phone system sends, in a few words.
func triggerNames(i telephony.Info) string {
	var names []string
	for _, t := range i.Triggers {
		if t.VariantOf == "" && t.Story != telephony.NoStory {
			names = append(names, t.Label)
		}
	}
	if len(names) > 4 {
		names = append(names[:3:3], fmt.Sprintf("%d more", len(names)-3))
	}
	return strings.Join(names, " · ")
}

// yesOrNo is an option of a setting as people say it.
func yesOrNo(option string) string {
	switch option {
	case "true":
		return "yes"
	case "false":
		return "no"
	}
	return option
}

func (h *Handler) sourceEditPage(w http.ResponseWriter, r *http.Request, p principal) error {
	s, err := h.Store.SourceByID(r.Context(), p.WorkspaceID, r.PathValue("id"))
	if err != nil {
		return err
	}
	f, err := h.sourceForm(r, p, s)
	if err != nil {
		return err
	}
	return h.showSourceForm(w, r, p, http.StatusOK, f)
}

func (h *Handler) showSourceForm(w http.ResponseWriter, r *http.Request, p principal, status int, f sourceForm) error {
	frame, err := h.newFrame(r, p, f.Title, "sources", f)
	if err != nil {
		return err
	}
	return h.render(w, r, status, "source_form", frame)
}

// sourceForm is the form of s as it is stored, or of a new one of its provider.
func (h *Handler) sourceForm(r *http.Request, p principal, s records.Source) (sourceForm, error) {
	f := sourceForm{ID: s.ID, settingsForm: newSettingsForm("name", "time_zone", "default_country", "window_minutes", "quiet_seconds", "stale_minutes", "recording_hosts", "recording_days"), Zones: zones(), Countries: countries(), FeedAll: s.Connections == nil}
	f.Title, f.Action, f.Submit, f.Cancel = "Add a source", "/sources", "Add the source", "/sources/new"
	if s.ID != "" {
		f.Title, f.Action, f.Submit, f.Cancel = "Change "+s.Name, "/sources/"+s.ID+"/edit", "Save", "/sources/"+s.ID
	}
	if provider, ok := h.Providers[s.Provider]; ok {
		f.Kind = provider.Info()
	}
	f.Values = map[string]string{
		"name": s.Name, "time_zone": s.TimeZone, "default_country": s.DefaultCountry, "policy": s.Policy,
		"window_minutes": number(s.Window, time.Minute), "quiet_seconds": number(s.Quiet, time.Second), "stale_minutes": number(s.Stale, time.Minute),
	}
	recordingValues(f.Values, s.Recordings)
	for _, field := range f.Kind.Fields {
		f.addField(field, s.Config, s.Secrets)
	}
	all, err := h.Store.ConnectionsOf(r.Context(), p.WorkspaceID)
	if err != nil {
		return f, err
	}
	for _, c := range all {
		if mixes(s, c) {
			continue
		}
		f.Feeds = append(f.Feeds, feedChoice{c.ID, c.Name, s.Feeds(c)})
	}
	return f, nil
}

// posted takes over what somebody typed, secrets excepted: what is wrong is shown with it.
func (f *sourceForm) posted(r *http.Request) {
	f.settingsForm.posted(r)
	f.FeedAll = r.PostForm.Get("feeds") != "some"
	for i := range f.Feeds {
		f.Feeds[i].On = slices.Contains(r.PostForm["connection"], f.Feeds[i].ID)
	}
}

// sourceInput is what a form says, in the terms of the API.
type sourceInput struct {
	name, zone, country, policy string
	window, quiet, stale        *int64
	config, secrets             Settings
	connections                 Optional[[]string]
	recordings                  *RecordingSettingsPatch
}

// read reads a posted form. before are the settings of the source that is changed; blank ones are taken away from it, while
// secrets that are left blank stay.
func (f *sourceForm) read(r *http.Request, before records.Source) (in sourceInput, err error) {
	var out faults
	text := func(name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }
	in = sourceInput{name: text("name"), zone: text("time_zone"), country: text("default_country"), policy: text("policy")}
	in.window = span(&out, "window_seconds", text("window_minutes"), 60, 0, 604_800)
	in.quiet = span(&out, "quiet_seconds", text("quiet_seconds"), 1, 0, 3600)
	in.stale = span(&out, "stale_seconds", text("stale_minutes"), 60, 60, 604_800)
	in.recordings = readRecordings(&out, r)
	if in.policy != "early" && in.policy != "complete" {
		out.add("policy", "Choose when calls are written.")
	}
	in.config, in.secrets = f.settings(r, before.Config)
	in.connections = Optional[[]string]{Set: true, Null: true}
	if r.PostForm.Get("feeds") == "some" {
		in.connections = Optional[[]string]{Set: true, Value: append([]string{}, r.PostForm["connection"]...)}
	}
	return in, out.problem()
}

// checkForm finds all that is wrong with a form at once: what cannot be read, and what the rest would be refused for.
func (h *Handler) checkForm(r *http.Request, p principal, in sourceInput, unread error, before records.Source) error {
	if unread == nil {
		return nil
	}
	var first, more *Problem
	if !errors.As(unread, &first) {
		return unread
	}
	s := before
	s.Name, s.TimeZone, s.DefaultCountry, s.Config, s.Secrets = in.name, in.zone, in.country, in.config.over(before.Config), in.secrets.over(before.Secrets)
	s.Connections = in.connections.Value
	all := faults(first.Errors)
	if err := h.checkSource(r.Context(), p, &s); errors.As(err, &more) {
		all = append(all, more.Errors...)
	} else if err != nil {
		return err
	}
	return all.problem()
}

// sourceCreateForm adds a source and leads to its page, which tells what to do with its URLs.
func (h *Handler) sourceCreateForm(w http.ResponseWriter, r *http.Request, p principal) error {
	kind := r.PostForm.Get("provider")
	if _, ok := h.Providers[kind]; !ok {
		return problem(http.StatusUnprocessableEntity, "callsync knows no such phone system.")
	}
	f, err := h.sourceForm(r, p, records.Source{Provider: kind})
	if err != nil {
		return err
	}
	f.posted(r)
	in, err := f.read(r, records.Source{})
	if err = h.checkForm(r, p, in, err, records.Source{Provider: kind}); err == nil {
		var body sourceCreate
		b := &body.Body
		b.Provider, b.Name, b.TimeZone, b.DefaultCountry, b.Policy = kind, in.name, in.zone, in.country, in.policy
		b.WindowSeconds, b.QuietSeconds, b.StaleSeconds = in.window, in.quiet, in.stale
		b.Config, b.Secrets, b.Connections, b.Recordings = in.config, in.secrets, in.connections, in.recordings
		var made *answer[SourceView]
		if made, err = h.createSource(r.Context(), p, &body); err == nil {
			return back(w, r, "/sources/"+made.Body.ID, "created")
		}
	}
	if err := f.fails(err); err != nil {
		return err
	}
	return h.showSourceForm(w, r, p, http.StatusUnprocessableEntity, f)
}

func (h *Handler) sourceEditForm(w http.ResponseWriter, r *http.Request, p principal) error {
	s, err := h.Store.SourceByID(r.Context(), p.WorkspaceID, r.PathValue("id"))
	if err != nil {
		return err
	}
	f, err := h.sourceForm(r, p, s)
	if err != nil {
		return err
	}
	f.posted(r)
	in, err := f.read(r, s)
	if err = h.checkForm(r, p, in, err, s); err == nil {
		patch := sourcePatch{PathID: PathID{ID: s.ID}}
		b := &patch.Body
		b.Name, b.TimeZone, b.DefaultCountry, b.Policy = &in.name, &in.zone, &in.country, &in.policy
		b.WindowSeconds, b.QuietSeconds, b.StaleSeconds = in.window, in.quiet, in.stale
		b.Config, b.Secrets, b.Connections, b.Recordings = in.config, in.secrets, in.connections, in.recordings
		if _, err = h.patchSource(r.Context(), p, &patch); err == nil {
			return back(w, r, "/sources/"+s.ID, "saved")
		}
	}
	if err := f.fails(err); err != nil {
		return err
	}
	return h.showSourceForm(w, r, p, http.StatusUnprocessableEntity, f)
}

// confirmation asks once more before something that cannot be taken back.
type confirmation struct {
	// List is the page of all its kind, called ListName.
	List, ListName                    string
	Name, Back, Title, Action, Submit string
	Text                              []string
	// Calm tells that nothing is lost by it.
	Calm bool
}

func (h *Handler) sourceRotatePage(w http.ResponseWriter, r *http.Request, p principal) error {
	return h.confirmSource(w, r, p, confirmation{Title: "Make new hook URLs", Action: "rotate-token", Submit: "Make new hook URLs", Text: []string{
		"The addresses of this source get a new token. The old ones go on working for 24 hours: in that time, paste the new ones in your phone system.",
		"Nothing is lost if you do. After 24 hours, requests to the old addresses are refused.",
	}})
}

func (h *Handler) sourceDeletePage(w http.ResponseWriter, r *http.Request, p principal) error {
	return h.confirmSource(w, r, p, confirmation{Title: "Remove this source", Action: "delete", Submit: "Remove it for good", Text: []string{
		"Its hook URLs stop working at once: what the phone system sends from then on is refused and lost.",
		"Its calls stay, here and in your CRMs. Take its URLs out of the phone system first.",
	}})
}

func (h *Handler) confirmSource(w http.ResponseWriter, r *http.Request, p principal, c confirmation) error {
	s, err := h.Store.SourceByID(r.Context(), p.WorkspaceID, r.PathValue("id"))
	if err != nil {
		return err
	}
	c.List, c.ListName, c.Name, c.Back = "/sources", "Sources", s.Name, "/sources/"+s.ID
	c.Action = c.Back + "/" + c.Action
	return h.show(w, r, p, "confirm", c.Title, "sources", c)
}

func (h *Handler) sourceRotateForm(w http.ResponseWriter, r *http.Request, p principal) error {
	if _, err := h.rotateSource(r.Context(), p, &PathID{ID: r.PathValue("id")}); err != nil {
		return err
	}
	return back(w, r, "/sources/"+r.PathValue("id"), "rotated")
}

func (h *Handler) sourceDeleteForm(w http.ResponseWriter, r *http.Request, p principal) error {
	if _, err := h.deleteSource(r.Context(), p, &PathID{ID: r.PathValue("id")}); err != nil {
		return err
	}
	return back(w, r, "/sources", "removed")
}

// FieldsOf splits the settings of a form: those that everybody sees, and those that few need.
func (f sourceForm) FieldsOf(rare bool) []formField {
	return slices.Collect(func(yield func(formField) bool) {
		for _, one := range f.Fields {
			if strings.HasPrefix(one.Name, "expect_") == rare && !yield(one) {
				return
			}
		}
	})
}
