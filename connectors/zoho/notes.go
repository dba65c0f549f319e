package zoho

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/callsync/callsync/connectors"
)

// Notes take no fields of an admin's, so callsync's key is at the end of the title. Zoho gives only the beginning of long
// contents in lists, so the content is no place for it.

// mark is how a title ends that has our key.
func mark(key string) string { return " [" + cutKey(key) + "]" }

// marked makes the title of our note.
func marked(title, key string) string {
	end, limit := mark(key), maxText(notes, "Note_Title")
	if title == "" {
		title = "Note"
	}
	if length(title)+length(end) > limit {
		title = cut(title, max(limit-length(end), 0))
	}
	return title + end
}

var markForm = regexp.MustCompile(` \[[^\[\]]+\]$`)

// unmarked takes our key off a title.
func unmarked(title string) string { return markForm.ReplaceAllString(title, "") }

// WriteNote implements connectors.NoteWriter.
func (s *session) WriteNote(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	return s.writeNote(ctx, w)
}

// writeNote creates or updates a note. Nothing is unique there: a create looks through the notes of the record first, a list
// that shows what was written a moment ago (unconfirmed).
func (s *session) writeNote(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	fields, warnings, err := encode(notes, w.Fields)
	if err != nil {
		return connectors.Written{}, err
	}
	required(fields, "Note_Content", "Owner")
	if _, ok := fields["Note_Title"]; ok || w.RemoteID == "" {
		fields["Note_Title"] = marked(fields.text("Note_Title"), w.Key)
	}
	id := w.RemoteID
	parent, hasParent := noteParent(w.Links)
	if id == "" && !hasParent {
		return connectors.Written{}, &connectors.Error{Class: connectors.Invalid, NotSent: true,
			Public: "A note in Zoho CRM belongs to a record, and this one has none: its number has no contact there, and its call was not written yet."}
	}
	if id == "" {
		if id, err = s.noteOf(ctx, parent, w.Key); err != nil {
			return connectors.Written{}, err
		}
	}
	if id != "" {
		return s.update(ctx, notes, id, fields, warnings)
	}
	if fields.text("Note_Content") == "" {
		fields["Note_Content"] = "-"
	}
	fields["Parent_Id"] = map[string]any{"id": parent.ID, "module": map[string]any{"api_name": modules[parent.Object]}}
	q := request{method: http.MethodPost, name: "insert into Notes", module: notes, path: "/" + notes, body: map[string]any{"data": []values{fields}}}
	id, _, err = s.one(ctx, q)
	if err != nil {
		return connectors.Written{}, err
	}
	return connectors.Written{RemoteID: id, Created: true, Linked: []connectors.Ref{parent}, Warnings: warnings}, nil
}

// noteParent is the record that a note belongs to: the first that can have notes.
func noteParent(list []connectors.Ref) (connectors.Ref, bool) {
	at := slices.IndexFunc(list, func(l connectors.Ref) bool {
		m := modules[l.Object]
		return usable(l.ID) && m != "" && m != notes
	})
	if at < 0 {
		return connectors.Ref{}, false
	}
	return list[at], true
}

// noteOf looks for our note among those of a record; empty where it has none.
func (s *session) noteOf(ctx context.Context, parent connectors.Ref, key string) (string, error) {
	id := ""
	err := s.related(ctx, modules[parent.Object], parent.ID, notes, []string{"id", "Note_Title"}, func(r values) bool {
		if strings.HasSuffix(r.text("Note_Title"), mark(key)) && usable(r.text("id")) {
			id = r.text("id")
		}
		return id == ""
	})
	return id, err
}

// searchNote looks for our note wherever it is. That Zoho searches notes is documented, that the search sees titles is not.
func (s *session) searchNote(ctx context.Context, key string) (string, bool, error) {
	var p page
	q := get("search of Notes", notes, "/"+notes+"/search", url.Values{"word": {cutKey(key)}, "fields": {"id,Note_Title"}})
	q.class = connectors.RateSearch
	if found, err := s.read(ctx, q, &p); !found || err != nil {
		return "", false, err
	}
	for _, r := range p.Data {
		if strings.HasSuffix(r.text("Note_Title"), mark(key)) && usable(r.text("id")) {
			return r.text("id"), true, nil
		}
	}
	return "", false, nil
}
