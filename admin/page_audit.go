package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/callsync/callsync/records"
)

type auditPage struct {
	Actor, Action, Object string
	From, To              string
	Wrong                 map[string]string
	Actors                []auditChoice
	Actions               []auditChoice
	// About names the object that the list is of, if it is one.
	About       string
	Rows        []auditRow
	Next, First string
	CSV         string
	Filtered    bool
}

type auditChoice struct {
	Value, Label string
	Chosen       bool
}

type auditRow struct {
	records.AuditEntry
	Who, Did, Link string
	// Whose is the address of the list of this actor's changes, whom By names; History is that of this object's.
	Whose, By, History string
	Fields             []auditRowField
}

// auditRowField is a field before and after; empty where it was not set.
type auditRowField struct {
	Name, Before, After string
	// Long are the lines that changed of a long text, in place of both.
	Long []auditLine
}

type auditLine struct{ Mark, Text string }

func (h *Handler) auditPage(w http.ResponseWriter, r *http.Request, p principal) error {
	q := r.URL.Query()
	v := auditPage{Actor: clip(q.Get("actor"), 80), Action: clip(q.Get("action"), 80), Object: clip(q.Get("object"), 200), From: q.Get("from"), To: q.Get("to"), Wrong: map[string]string{}}
	var out faults
	// A day is the reader's day. Without a script it is a day in UTC.
	zone, err := time.LoadLocation(q.Get("zone"))
	if err != nil || q.Get("zone") == "Local" {
		zone = time.UTC
	}
	filter := AuditQuery{Actor: v.Actor, Action: v.Action, Object: v.Object,
		From: dayOf(&out, "from", v.From, zone, 0), To: dayOf(&out, "to", v.To, zone, 1)}
	for _, f := range out {
		v.Wrong[f.Field] = f.Message
	}
	v.Filtered = v.Actor+v.Action+v.Object+v.From+v.To != ""
	before, err := decodeCursor(q.Get("cursor"))
	if err != nil {
		return err
	}
	f := filter.filter()
	f.Before, f.Limit = before, defaultLimit+1
	all, err := h.Store.AuditPage(r.Context(), p.WorkspaceID, f)
	if err != nil {
		return err
	}
	all, next := page(all, defaultLimit, auditCursor)
	address := func(path string, change map[string]string) string {
		u := url.Values{}
		for name, value := range map[string]string{"actor": v.Actor, "action": v.Action, "object": v.Object, "from": v.From, "to": v.To, "zone": q.Get("zone")} {
			if value != "" {
				u.Set(name, value)
			}
		}
		for name, value := range change {
			u.Set(name, value)
		}
		if len(u) == 0 {
			return path
		}
		return path + "?" + u.Encode()
	}
	if next != "" {
		v.Next = address("/settings/audit", map[string]string{"cursor": next})
	}
	if !before.Start() {
		v.First = address("/settings/audit", nil)
	}
	days := map[string]string{}
	for name, at := range map[string]time.Time{"from": filter.From, "to": filter.To} {
		if !at.IsZero() {
			days[name] = at.UTC().Format(time.RFC3339)
		}
	}
	v.CSV = address(apiPrefix+"/audit.csv", days)
	if err := h.auditChoices(r, p, &v); err != nil {
		return err
	}
	names, err := h.auditNames(r, p)
	if err != nil {
		return err
	}
	for _, e := range all {
		v.Rows = append(v.Rows, auditRowOf(e, names))
	}
	if v.Object != "" {
		v.About = auditAbout(v.Object, all)
	}
	return h.show(w, r, p, "audit", "Audit log", settingsNav+"audit", v)
}

// auditChoices fills the lists of the filter: who is in the log, and what can have been done.
func (h *Handler) auditChoices(r *http.Request, p principal, v *auditPage) error {
	actors, err := h.Store.AuditActors(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	for _, a := range actors {
		value := a.ID
		if value == "" {
			value = a.Kind
		}
		v.Actors = append(v.Actors, auditChoice{value, auditWho(a), value == v.Actor})
	}
	if v.Actor != "" && !slices.ContainsFunc(v.Actors, func(c auditChoice) bool { return c.Chosen }) {
		v.Actors = append(v.Actors, auditChoice{v.Actor, visible(v.Actor), true})
	}
	for _, a := range auditActions {
		v.Actions = append(v.Actions, auditChoice{a.Name, auditLabel(a.Name), a.Name == v.Action})
	}
	if v.Action != "" && !slices.ContainsFunc(v.Actions, func(c auditChoice) bool { return c.Chosen }) {
		v.Actions = append(v.Actions, auditChoice{v.Action, visible(v.Action), true})
	}
	return nil
}

// auditNames are the names of what fields name by ids.
func (h *Handler) auditNames(r *http.Request, p principal) (map[string]string, error) {
	all, err := h.Store.ConnectionsOf(r.Context(), p.WorkspaceID)
	names := map[string]string{}
	for _, c := range all {
		names[c.ID] = c.Name
	}
	return names, err
}

// auditWho is an actor as people know it.
func auditWho(a records.Actor) string {
	switch a.Kind {
	case records.ActorSystem:
		return "callsync"
	case records.ActorOperator:
		return "The operator"
	case records.ActorToken:
		if a.ID == "" {
			return "An API token"
		}
		return "API token " + visible(clip(a.Name, 80))
	}
	return visible(clip(a.Name, 80))
}

// auditAbout names the object of a list: by its newest entry, else by what was asked for.
func auditAbout(object string, all []records.AuditEntry) string {
	if len(all) > 0 && strings.Contains(object, all[0].ObjectID) && all[0].ObjectID != "" {
		if all[0].ObjectName != "" {
			return visible(all[0].ObjectName)
		}
	}
	kind, _, _ := strings.Cut(object, ":")
	if validID(kind) {
		return "one object"
	}
	return visible(strings.ReplaceAll(kind, "_", " "))
}

// lastChange is what a page of an object says of its newest change.
type lastChange struct {
	Who string
	At  time.Time
	// History is the list of its changes, for who may read it.
	History string
}

// lastChange is the newest change of an object, or of what belongs to it; nil where none is noted.
func (h *Handler) lastChange(ctx context.Context, p principal, objectID string) (*lastChange, error) {
	all, err := h.Store.AuditPage(ctx, p.WorkspaceID, records.AuditFilter{ObjectID: objectID, Limit: 1})
	if err != nil || len(all) == 0 {
		return nil, err
	}
	c := &lastChange{Who: auditWho(all[0].Actor), At: all[0].At}
	if p.may(admin) {
		c.History = "/settings/audit?" + url.Values{"object": {objectID}}.Encode()
	}
	return c, nil
}

func auditRowOf(e records.AuditEntry, names map[string]string) auditRow {
	row := auditRow{AuditEntry: e, Who: auditWho(e.Actor), Did: auditSentence(e), Link: auditLink(e)}
	row.By = row.Who
	if e.Actor.Kind == records.ActorOperator || e.Actor.Kind == records.ActorToken && e.Actor.ID == "" {
		row.By = strings.ToLower(row.Who[:1]) + row.Who[1:]
	}
	if e.Actor.ID != "" {
		row.Whose = "/settings/audit?" + url.Values{"actor": {e.Actor.ID}}.Encode()
	} else {
		row.Whose = "/settings/audit?" + url.Values{"actor": {e.Actor.Kind}}.Encode()
	}
	if validID(e.ObjectID) {
		row.History = "/settings/audit?" + url.Values{"object": {e.ObjectID}}.Encode()
	}
	for _, name := range auditFields(e) {
		f := auditRowField{Name: visible(auditField(e.ObjectKind, name)), Before: auditValue(e.Before[name], names), After: auditValue(e.After[name], names)}
		if strings.Contains(f.Before, "\n") || strings.Contains(f.After, "\n") {
			f.Long = lineChanges(f.Before, f.After)
		}
		row.Fields = append(row.Fields, f)
	}
	return row
}

// maxAuditValue bounds what the page shows of a value that is one line.
const maxAuditValue = 2000

// auditValue is a value as people read it.
func auditValue(v any, names map[string]string) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		if name, ok := names[v]; ok {
			return visible(name)
		}
		if strings.Contains(v, "\n") {
			return visible(v)
		}
		return visible(clip(v, maxAuditValue))
	case bool:
		return yesOrNo(strconv.FormatBool(v))
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		var parts []string
		for _, e := range v {
			parts = append(parts, auditValue(e, names))
		}
		return strings.Join(parts, ", ")
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return visible(clip(string(raw), maxAuditValue))
}

// Bounds of a shown difference of texts.
const (
	aroundChange   = 2
	maxChangeLines = 400
)

// lineChanges are the lines between the first and the last that differ, with some around them. It does not look for lines
// that stayed between changes: the log answers what a document was, the editor compares versions.
func lineChanges(before, after string) []auditLine {
	a, b := lines(before), lines(after)
	head, tail := sameEnds(a, b)
	var out []auditLine
	add := func(mark string, all []string) {
		for i, text := range all {
			if i == maxChangeLines {
				out = append(out, auditLine{" ", fmt.Sprintf("… and %d more lines", len(all)-i)})
				return
			}
			out = append(out, auditLine{mark, clip(text, maxAuditValue)})
		}
	}
	add(" ", a[max(0, head-aroundChange):head])
	add("−", a[head:len(a)-tail])
	add("+", b[head:len(b)-tail])
	add(" ", a[len(a)-tail:min(len(a), len(a)-tail+aroundChange)])
	return out
}

func lines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}
