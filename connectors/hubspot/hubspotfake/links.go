package hubspotfake

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Link is an association between two records.
type Link struct {
	FromObject string `json:"from_object"`
	FromID     string `json:"from_id"`
	ToObject   string `json:"to_object"`
	ToID       string `json:"to_id"`
}

func (f *Fake) link(l Link) {
	if !f.links[l] {
		f.links[l] = true
		f.contactsOf[l.FromID] = append(f.contactsOf[l.FromID], l.ToID)
		f.data.Links = append(f.data.Links, l)
	}
}

func (f *Fake) associate(w http.ResponseWriter, r *http.Request) {
	l := Link{r.PathValue("from"), r.PathValue("fromID"), r.PathValue("to"), r.PathValue("toID")}
	if l.FromObject != "calls" || l.ToObject != "contacts" {
		invalid("Unable to infer an association between " + l.FromObject + " and " + l.ToObject).write(w)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, end := range [][2]string{{l.FromObject, l.FromID}, {l.ToObject, l.ToID}} {
		if _, e := f.resolve(end[0], end[1], ""); e != nil {
			e.write(w)
			return
		}
	}
	f.link(l)
	f.answerBatch(w, f.opt.Now(), []any{map[string]any{
		"from": map[string]string{"id": l.FromID}, "to": map[string]string{"id": l.ToID},
		"associationSpec": map[string]any{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 194},
	}}, nil)
}

func (f *Fake) listAssociations(w http.ResponseWriter, r *http.Request) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	results := []any{}
	for _, l := range f.data.Links {
		if l.FromObject != r.PathValue("from") || l.FromID != r.PathValue("fromID") || l.ToObject != r.PathValue("to") {
			continue
		}
		id, _ := strconv.ParseInt(l.ToID, 10, 64)
		results = append(results, map[string]any{"toObjectId": id, "associationTypes": []any{
			map[string]any{"category": "HUBSPOT_DEFINED", "typeId": 194, "label": nil}}})
	}
	answer(w, http.StatusOK, map[string]any{"results": results})
}

func (f *Fake) listOwners(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	limit, err := strconv.Atoi(orDefault(q.Get("limit"), "100"))
	after, aerr := strconv.Atoi(orDefault(q.Get("after"), "0"))
	if err != nil || aerr != nil || limit < 1 || limit > 500 {
		invalid("limit must be between 1 and 500").write(w)
		return
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	list := slices.Clone(f.data.Owners)
	list = slices.DeleteFunc(list, func(o Owner) bool {
		return o.Archived != (q.Get("archived") == "true") || q.Get("email") != "" && !strings.EqualFold(o.Email, q.Get("email"))
	})
	out := map[string]any{}
	page := list[min(after, len(list)):min(after+limit, len(list))]
	if after+len(page) < len(list) {
		out["paging"] = map[string]any{"next": map[string]any{"after": strconv.Itoa(after + len(page))}}
	}
	out["results"] = page
	answer(w, http.StatusOK, out)
}

func (f *Fake) readOwner(w http.ResponseWriter, r *http.Request) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, o := range f.data.Owners {
		if r.URL.Query().Get("idProperty") == "userId" && strconv.FormatInt(o.UserID, 10) == r.PathValue("id") || o.ID == r.PathValue("id") {
			answer(w, http.StatusOK, o)
			return
		}
	}
	notFound("owners", r.PathValue("id")).write(w)
}

func (f *Fake) listDispositions(w http.ResponseWriter, _ *http.Request) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	list := []any{}
	for _, o := range f.data.Properties["calls"]["hs_call_disposition"].Options {
		list = append(list, map[string]any{"id": o.Value, "label": o.Label, "deleted": o.Hidden})
	}
	answer(w, http.StatusOK, list)
}
