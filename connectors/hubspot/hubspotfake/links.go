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

// associationTypes are the numbers of the unlabelled associations, by the object they begin at.
// 194, 182, 206 and 220 are documented for calls; those of other activities are in the vendor's pages on each.
var associationTypes = map[string]map[int]string{
	"calls":          {194: "contacts", 182: "companies", 206: "0-3", 220: "tickets"},
	"notes":          {202: "contacts", 190: "companies", 214: "0-3", 228: "tickets"},
	"tasks":          {204: "contacts", 192: "companies", 216: "0-3", 230: "tickets"},
	"communications": {81: "contacts", 87: "companies", 85: "0-3", 84: "tickets"},
	"tickets":        {16: "contacts", 339: "companies", 28: "0-3"},
	"0-3":            {3: "contacts", 341: "companies"},
}

func typeNumber(from, to string) (int, bool) {
	for n, object := range associationTypes[from] {
		if object == to {
			return n, true
		}
	}
	for n, object := range associationTypes[to] {
		if object == from {
			return n - 1, true
		}
	}
	return 0, false
}

func (f *Fake) link(l Link) {
	back := Link{l.ToObject, l.ToID, l.FromObject, l.FromID}
	if !f.links[l] && !f.links[back] {
		f.links[l] = true
		from, to := l.FromObject+"/"+l.FromID, l.ToObject+"/"+l.ToID
		f.linksOf[from] = append(f.linksOf[from], l)
		f.linksOf[to] = append(f.linksOf[to], back)
		f.data.Links = append(f.data.Links, l)
	}
}

// linked are the ids of the records of one object that a record is tied to, in the order in which they were.
func (f *Fake) linked(object, id, to string) []string {
	var out []string
	for _, l := range f.linksOf[object+"/"+id] {
		if l.ToObject == to {
			out = append(out, l.ToID)
		}
	}
	return out
}

// checkLink makes the ends of l those of living records.
func (f *Fake) checkLink(l *Link) *apiError {
	if _, ok := typeNumber(l.FromObject, l.ToObject); !ok {
		return invalid("Unable to infer an association between " + l.FromObject + " and " + l.ToObject)
	}
	for _, end := range []struct {
		object string
		id     *string
	}{{l.FromObject, &l.FromID}, {l.ToObject, &l.ToID}} {
		o, e := f.resolve(end.object, *end.id, "")
		if e != nil {
			return e
		}
		*end.id = o.ID
	}
	return nil
}

func (l Link) render() map[string]any {
	n, _ := typeNumber(l.FromObject, l.ToObject)
	return map[string]any{"from": map[string]string{"id": l.FromID}, "to": map[string]string{"id": l.ToID},
		"associationSpec": map[string]any{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": n}}
}

func (f *Fake) associate(w http.ResponseWriter, r *http.Request) {
	l := Link{r.PathValue("from"), r.PathValue("fromID"), r.PathValue("to"), r.PathValue("toID")}
	f.mu.Lock()
	defer f.mu.Unlock()
	if e := f.checkLink(&l); e != nil {
		e.write(w)
		return
	}
	f.link(l)
	f.answerBatch(w, f.opt.Now(), []any{l.render()}, nil)
}

type idOnly struct {
	ID string `json:"id"`
}

func (f *Fake) batchAssociate(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Inputs []struct {
			From idOnly `json:"from"`
			To   idOnly `json:"to"`
		} `json:"inputs"`
	}
	if !decode(w, r, &in) {
		return
	}
	if n := len(in.Inputs); n == 0 || n > 2000 {
		invalid("The number of inputs must be between 1 and 2000").write(w)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	results, errs := []any{}, []any{}
	for _, i := range in.Inputs {
		l := Link{r.PathValue("from"), i.From.ID, r.PathValue("to"), i.To.ID}
		if e := f.checkLink(&l); e != nil {
			errs = append(errs, e.body())
			continue
		}
		f.link(l)
		results = append(results, l.render())
	}
	f.answerBatch(w, f.opt.Now(), results, errs)
}

// batchAssociations reads links from several records. The vendor's description calls the ids of the other ends texts;
// its servers have been seen to send numbers, and the fake does as they do.
func (f *Fake) batchAssociations(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Inputs []struct {
			ID    string `json:"id"`
			After string `json:"after"`
		} `json:"inputs"`
	}
	if !decode(w, r, &in) {
		return
	}
	if n := len(in.Inputs); n == 0 || n > 1000 {
		invalid("The number of inputs must be between 1 and 1000").write(w)
		return
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	results, errs := []any{}, []any{}
	for _, i := range in.Inputs {
		from := r.PathValue("from")
		o, e := f.resolve(from, i.ID, "")
		if e != nil {
			errs = append(errs, e.body())
			continue
		}
		to := []any{}
		for _, id := range f.linked(from, o.ID, r.PathValue("to")) {
			n, _ := typeNumber(from, r.PathValue("to"))
			number, _ := strconv.ParseInt(id, 10, 64)
			to = append(to, map[string]any{"toObjectId": number, "associationTypes": []any{map[string]any{"category": "HUBSPOT_DEFINED", "typeId": n, "label": nil}}})
		}
		if len(to) > 0 {
			results = append(results, map[string]any{"from": map[string]string{"id": i.ID}, "to": to})
		}
	}
	f.answerBatch(w, f.opt.Now(), results, errs)
}

func (f *Fake) listAssociations(w http.ResponseWriter, r *http.Request) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	results := []any{}
	n, _ := typeNumber(r.PathValue("from"), r.PathValue("to"))
	for _, to := range f.linked(r.PathValue("from"), r.PathValue("fromID"), r.PathValue("to")) {
		id, _ := strconv.ParseInt(to, 10, 64)
		results = append(results, map[string]any{"toObjectId": id, "associationTypes": []any{
			map[string]any{"category": "HUBSPOT_DEFINED", "typeId": n, "label": nil}}})
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
