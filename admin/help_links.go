package admin

import (
	"net/http"
	"strings"

	"github.com/callsync/callsync/records"
)

// helpTopic is where the help of a page begins, and the words that it uses.
type helpTopic struct {
	section string
	words   []string
}

// helpTopics are the help of each page, by its template. Words are those of docs/glossary.md, sections of docs/guide.md.
var helpTopics = map[string]helpTopic{
	"home":             {"home", []string{"synced", "on-hold", "skipped", "source", "connection", "shadow-mode", "demo-data"}},
	"calls":            {"calls", []string{"call", "artifact", "window", "synced", "on-hold", "skipped"}},
	"calls_retry":      {"calls", []string{"on-hold", "delivery", "lane"}},
	"call":             {"one-call", []string{"receipt", "event", "artifact", "window", "quiet-period", "lane", "delivery", "contact-match", "owner"}},
	"live":             {"live", []string{"call", "source"}},
	"records":          {"messages-and-forms", []string{"receipt", "delivery", "on-hold"}},
	"record":           {"messages-and-forms", []string{"receipt", "delivery", "on-hold"}},
	"receipts":         {"receipts", []string{"receipt", "event", "not-understood", "replay"}},
	"receipt":          {"receipts", []string{"receipt", "event", "not-understood", "replay"}},
	"holds":            {"on-hold", []string{"on-hold", "delivery", "connection"}},
	"reviews":          {"reviews", []string{"match-review", "contact-match", "on-hold"}},
	"followups":        {"follow-ups", []string{"follow-up", "action"}},
	"sources":          {"sources", []string{"source", "receipt", "window"}},
	"source":           {"sources", []string{"source", "receipt", "not-understood", "window", "quiet-period", "connection"}},
	"source_form":      {"sources", []string{"source", "window", "quiet-period", "artifact", "recording-archive"}},
	"source_kinds":     {"sources", []string{"source"}},
	"connections":      {"connections", []string{"connection", "mapping", "rule", "action", "shadow-mode", "on-hold"}},
	"connection_form":  {"connections", []string{"connection", "shadow-mode", "window"}},
	"connection_kinds": {"connections", []string{"connection"}},
	"mapping":          {"mapping", []string{"mapping", "outcome", "owner", "artifact"}},
	"rules":            {"rules", []string{"rule", "skipped", "recording-archive"}},
	"actions":          {"actions", []string{"action", "follow-up"}},
	"match":            {"contacts-and-owners", []string{"contact-match", "match-review", "owner"}},
	"owners":           {"contacts-and-owners", []string{"owner", "connection"}},
	"numbers":          {"your-own-numbers", []string{"contact-match"}},
	"resyncs":          {"resyncs", []string{"resync", "delivery", "mapping"}},
	"confirm":          {"deleting", nil},
	"connection":       {"connections", []string{"connection", "mapping", "rule", "action", "shadow-mode", "outcome", "owner"}},
	"dispositions":     {"contacts-and-owners", []string{"outcome", "mapping"}},
	"hold":             {"on-hold", []string{"on-hold", "delivery", "connection"}},
	"resync":           {"resyncs", []string{"resync", "delivery", "skipped"}},
	"refusal":          {"", nil},
	"account":          {"settings", []string{"workspace"}},
	"users":            {"settings", []string{"workspace"}},
	"user":             {"settings", []string{"workspace"}},
	"tokens":           {"settings", []string{"workspace"}},
	"workspaces":       {"settings", []string{"workspace"}},
	"join":             {"", nil},
	"password":         {"", nil},
	"alerts":           {"alerts", []string{"on-hold", "not-understood"}},
	"alert_settings":   {"alerts", []string{"on-hold", "not-understood"}},
	"channel_form":     {"alerts", []string{"on-hold", "not-understood"}},
	"audit":            {"settings", nil},
	"help":             {"", nil},
	"help_page":        {"", nil},
	"problem":          {"", nil},
}

// frameHelp is the help of one page.
type frameHelp struct {
	// URL leads to the section about the page.
	URL    string
	Words  []word
	Guides []helpLink
}

// helpLink leads to a document.
type helpLink struct{ Label, URL string }

// helpFor is the help of the page that template name makes. Settings have a section of their own.
func helpFor(name string, f frame) frameHelp {
	out := frameHelp{URL: "/help", Guides: f.Guides}
	topic, ok := helpTopics[name]
	if !ok && len(f.Settings) > 0 {
		topic.section = "settings"
	}
	if topic.section != "" {
		out.URL = "/help/guide#" + topic.section
	}
	l, err := readLibrary()
	if err != nil {
		return out // the documents are tested; without them the pages still work
	}
	for _, id := range topic.words {
		if w, ok := l.words[id]; ok {
			out.Words = append(out.Words, w)
		}
	}
	return out
}

// guides are the vendor's guides for the page of a source or connection.
func (h *Handler) guides(r *http.Request, p principal) []helpLink {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) < 2 {
		return nil
	}
	id, kind, folder := parts[1], "", ""
	switch parts[0] {
	case "sources":
		folder, kind = "phones/", r.URL.Query().Get("provider")
		if s, err := h.Store.SourceByID(r.Context(), p.WorkspaceID, id); validID(id) && err == nil {
			kind = s.Provider
		}
	case "connections":
		folder, kind = "crms/", r.URL.Query().Get("connector")
		if validID(id) {
			all, err := h.Store.ConnectionsOf(r.Context(), p.WorkspaceID)
			if err != nil {
				return nil
			}
			for _, c := range all {
				if c.ID == id {
					kind = c.Connector
				}
			}
		}
	}
	l, err := readLibrary()
	if err != nil || kind == "" || kind == records.Demo {
		return nil
	}
	var out []helpLink
	for _, at := range []string{folder + kind, folder + kind + "-fields"} {
		if page, ok := l.pages[at]; ok {
			out = append(out, helpLink{page.Title, "/help/" + at})
		}
	}
	return out
}
