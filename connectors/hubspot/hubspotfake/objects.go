package hubspotfake

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"
)

// object is one record.
type object struct {
	ID         string            `json:"id"`
	Props      map[string]string `json:"properties"`
	CreatedAt  time.Time         `json:"created_at"`
	UpdatedAt  time.Time         `json:"updated_at"`
	ArchivedAt time.Time         `json:"archived_at,omitzero"`
	// Writes counts the changes through the API.
	Writes int `json:"writes"`
	// indexed is what the search still sees while the last change is younger than the lag; nil for a new record.
	indexed map[string]string
}

func (o *object) archived() bool { return !o.ArchivedAt.IsZero() }

// typeNames are the names in HubSpot's texts.
var typeNames = map[string]struct{ id, legacy, label, group, read, write string }{
	"calls":          {"0-48", "CALL", "Call", "call_information", ScopeContactsRead, ScopeContactsWrite},
	"contacts":       {"0-1", "CONTACT", "Contact", "contactinformation", ScopeContactsRead, ScopeContactsWrite},
	"companies":      {"0-2", "COMPANY", "Company", "companyinformation", ScopeCompaniesRead, ScopeCompaniesRead},
	"0-3":            {"0-3", "DEAL", "Deal", "dealinformation", ScopeDealsRead, ScopeDealsWrite},
	"tickets":        {"0-5", "TICKET", "Ticket", "ticketinformation", ScopeTickets, ScopeTickets},
	"tasks":          {"0-27", "TASK", "Task", "task", ScopeContactsRead, ScopeContactsWrite},
	"notes":          {"0-46", "NOTE", "Note", "notes", ScopeContactsRead, ScopeContactsWrite},
	"communications": {"0-18", "COMMUNICATION", "Communication", "communications", ScopeContactsRead, ScopeContactsWrite},
}

// requiredProps are those without which no record is made.
var requiredProps = map[string][]string{
	"calls": {"hs_timestamp"}, "notes": {"hs_timestamp"}, "tasks": {"hs_timestamp"},
	"communications": {"hs_timestamp", "hs_communication_channel_type", "hs_communication_logged_from"},
	"tickets":        {"subject", "hs_pipeline_stage"}, "0-3": {"dealname", "dealstage"},
}

// checkProps refuses properties that are not there and values that they cannot have.
func (f *Fake) checkProps(kind string, props map[string]string) *apiError {
	_, e := f.checked(kind, props)
	return e
}

func (f *Fake) checked(kind string, props map[string]string) (map[string]string, *apiError) {
	defs := f.data.Properties[kind]
	kept := make(map[string]string, len(props))
	var faults []valueFault
	for _, name := range sortedKeys(props) {
		def, ok := defs[name]
		if !ok {
			faults = append(faults, valueFault{Message: fmt.Sprintf("Property %q does not exist", name), Error: "PROPERTY_DOESNT_EXIST", Name: name})
			continue
		}
		v, fault := f.checkValue(def, props[name])
		if fault != nil {
			faults = append(faults, *fault)
			continue
		}
		kept[name] = v
	}
	if len(faults) > 0 {
		return nil, invalidValue(faults)
	}
	return kept, nil
}

// put creates a record (o is nil) or changes one. It checks everything before it changes anything. f.mu is held.
func (f *Fake) put(kind string, o *object, props map[string]string) (*object, *apiError) {
	kept, e := f.checked(kind, props)
	if e != nil {
		return nil, e
	}
	for _, name := range requiredProps[kind] {
		if o == nil && kept[name] == "" {
			return nil, &apiError{status: http.StatusBadRequest, category: "VALIDATION_ERROR", code: "REQUIRED_FIELD", inField: name,
				message: fmt.Sprintf("Error creating %s. Some required properties were not set.", typeNames[kind].legacy)}
		}
	}
	for name, v := range kept {
		holder := f.holder(kind, name, v)
		if holder == nil || holder == o {
			continue
		}
		if name == "email" {
			return nil, &apiError{status: http.StatusConflict, category: "CONFLICT", message: "Contact already exists. Existing ID: " + holder.ID}
		}
		id := "0"
		if o != nil {
			id = o.ID
		}
		return nil, invalid(fmt.Sprintf("Cannot set PropertyValueCoordinates{portalId=%d, objectTypeId=ObjectTypeId{legacyObjectType=%s}, propertyName=%s, value=%s} on %s. %s already has that value.",
			f.opt.PortalID, typeNames[kind].legacy, name, v, id, holder.ID))
	}
	now := f.opt.Now().UTC().Truncate(time.Millisecond)
	if o == nil {
		o = &object{ID: f.nextID(), Props: map[string]string{}, CreatedAt: now}
		f.data.Objects[kind][o.ID] = o
	} else if now.Sub(o.UpdatedAt) >= f.opt.SearchLag {
		o.indexed = o.Props
	}
	f.unindex(kind, o)
	next := maps.Clone(o.Props)
	for name, v := range kept {
		if v == "" {
			delete(next, name)
		} else {
			next[name] = v
		}
	}
	derive(kind, next)
	next["hs_object_id"] = o.ID
	next["hs_createdate"] = stamp(o.CreatedAt)
	next["hs_lastmodifieddate"] = stamp(now)
	if kind == "contacts" {
		next["lastmodifieddate"] = stamp(now)
	}
	o.Props, o.UpdatedAt = next, now
	o.Writes++
	f.index(kind, o)
	return o, nil
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// derive fills the properties that HubSpot calculates from phone numbers: digits without the country code.
func derive(kind string, props map[string]string) {
	switch kind {
	case "0-3":
		closed := props["dealstage"] == "closedwon" || props["dealstage"] == "closedlost"
		props["hs_is_closed"] = strconv.FormatBool(closed)
		return
	case "contacts", "companies":
	default:
		return
	}
	for from, to := range map[string]string{"phone": "phone_number", "mobilephone": "mobile_number"} {
		delete(props, "hs_calculated_"+to)
		delete(props, "hs_searchable_calculated_"+to)
		raw := props[from]
		if raw == "" {
			continue
		}
		national := digitsOf(raw)
		if n, err := phonenumbers.Parse(raw, "US"); err == nil && phonenumbers.IsPossibleNumber(n) {
			national = phonenumbers.GetNationalSignificantNumber(n)
			props["hs_calculated_"+to] = phonenumbers.Format(n, phonenumbers.E164)
		}
		props["hs_searchable_calculated_"+to] = national
	}
}

func digitsOf(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// holder is the living record that has value v of a unique property. f.mu is held.
func (f *Fake) holder(kind, name, v string) *object {
	def := f.data.Properties[kind][name]
	if v == "" || def == nil || !def.HasUniqueValue {
		return nil
	}
	return f.byUnique[kind+"/"+name][v]
}

func (f *Fake) index(kind string, o *object) {
	if o.archived() {
		return
	}
	for name, v := range o.Props {
		if def := f.data.Properties[kind][name]; def != nil && def.HasUniqueValue {
			key := kind + "/" + name
			if f.byUnique[key] == nil {
				f.byUnique[key] = map[string]*object{}
			}
			f.byUnique[key][v] = o
		}
	}
	if kind == "contacts" || kind == "companies" {
		for _, name := range phoneProperties {
			d := kind + "/" + lastDigits(o.Props[name])
			if d != kind+"/" && !slices.Contains(f.byDigits[d], o) {
				f.byDigits[d] = append(f.byDigits[d], o)
			}
		}
	}
}

// unindex frees the unique values of o. The index of digits keeps old numbers: the search checks what it finds there.
func (f *Fake) unindex(kind string, o *object) {
	for name, v := range o.Props {
		if key := kind + "/" + name; f.byUnique[key][v] == o {
			delete(f.byUnique[key], v)
		}
	}
}

func (f *Fake) reindex() {
	f.byUnique = map[string]map[string]*object{}
	f.byDigits = map[string][]*object{}
	for kind, all := range f.data.Objects {
		for _, o := range all {
			f.index(kind, o)
		}
	}
	f.links, f.linksOf = map[Link]bool{}, map[string][]Link{}
	saved := f.data.Links
	f.data.Links = nil
	for _, l := range saved {
		f.link(l)
	}
}

// resolve finds a living record by id or, with idProperty, by a unique value. f.mu is held.
func (f *Fake) resolve(kind, id, idProperty string) (*object, *apiError) {
	if idProperty != "" && idProperty != "hs_object_id" {
		def := f.data.Properties[kind][idProperty]
		if def == nil || !def.HasUniqueValue {
			return nil, invalid(fmt.Sprintf("Unable to perform read/update/upsert by non-unique %s property %s in portal ID %d", typeNames[kind].id, idProperty, f.opt.PortalID))
		}
		if idProperty == "email" {
			id = strings.ToLower(id)
		}
		if o := f.holder(kind, idProperty, id); o != nil {
			return o, nil
		}
		return nil, notFound(kind, id)
	}
	for now, merged := f.data.Merged[kind+"/"+id]; merged; now, merged = f.data.Merged[kind+"/"+id] {
		id = now
	}
	if o := f.data.Objects[kind][id]; o != nil && !o.archived() {
		return o, nil
	}
	return nil, notFound(kind, id)
}

// render shows a record: the properties asked for, null where they are empty, and those that HubSpot always shows.
func render(o *object, wanted []string, all bool) map[string]any {
	props := map[string]any{}
	if all {
		for name, v := range o.Props {
			props[name] = v
		}
	}
	for _, name := range append([]string{"hs_object_id", "hs_createdate", "hs_lastmodifieddate"}, wanted...) {
		if v, ok := o.Props[name]; ok {
			props[name] = v
		} else {
			props[name] = nil
		}
	}
	return map[string]any{"id": o.ID, "properties": props, "createdAt": stamp(o.CreatedAt), "updatedAt": stamp(o.UpdatedAt), "archived": o.archived()}
}

func wantedProperties(r *http.Request) []string {
	var out []string
	for _, v := range r.URL.Query()["properties"] {
		out = append(out, strings.Split(v, ",")...)
	}
	return slices.DeleteFunc(out, func(s string) bool { return s == "" })
}

type associationInput struct {
	To struct {
		ID string `json:"id"`
	} `json:"to"`
	Types []struct {
		Category string `json:"associationCategory"`
		TypeID   int    `json:"associationTypeId"`
	} `json:"types"`
}

func (f *Fake) create(kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Properties         map[string]string   `json:"properties"`
			Associations       *[]associationInput `json:"associations"`
			ObjectWriteTraceID string              `json:"objectWriteTraceId"`
		}
		if !decode(w, r, &in) {
			return
		}
		if in.Properties == nil || in.Associations == nil {
			invalid("Invalid input JSON: some required fields were not set: [properties, associations]").write(w)
			return
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		var ends []Link
		for _, a := range *in.Associations {
			to := ""
			if len(a.Types) == 1 && a.Types[0].Category == "HUBSPOT_DEFINED" {
				to = associationTypes[kind][a.Types[0].TypeID]
			}
			if _, e := f.resolve(to, a.To.ID, ""); to == "" || e != nil {
				invalid("One or more associations are not valid: " + a.To.ID).write(w)
				return
			}
			ends = append(ends, Link{kind, "", to, a.To.ID})
		}
		o, e := f.put(kind, nil, in.Properties)
		if e != nil {
			e.write(w)
			return
		}
		for _, l := range ends {
			l.FromID = o.ID
			f.link(l)
		}
		answer(w, http.StatusCreated, render(o, nil, true))
	}
}

func (f *Fake) read(kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.RLock()
		defer f.mu.RUnlock()
		o, e := f.resolve(kind, r.PathValue("id"), r.URL.Query().Get("idProperty"))
		if e != nil {
			e.write(w)
			return
		}
		answer(w, http.StatusOK, render(o, wantedProperties(r), false))
	}
}

func (f *Fake) update(kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Properties         map[string]string `json:"properties"`
			ObjectWriteTraceID string            `json:"objectWriteTraceId"`
		}
		if !decode(w, r, &in) {
			return
		}
		if len(in.Properties) == 0 {
			invalid("No properties found to update, please provide at least one.").write(w)
			return
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		o, e := f.resolve(kind, r.PathValue("id"), r.URL.Query().Get("idProperty"))
		if e == nil {
			o, e = f.put(kind, o, in.Properties)
		}
		if e != nil {
			e.write(w)
			return
		}
		answer(w, http.StatusOK, render(o, sortedKeys(in.Properties), false))
	}
}

func (f *Fake) archive(kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.Archive(kind, r.PathValue("id"))
		w.WriteHeader(http.StatusNoContent)
	}
}

func (f *Fake) list(kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		limit := 10
		if s := q.Get("limit"); s != "" {
			n, err := strconv.Atoi(s)
			if err != nil || n < 1 || n > 100 {
				invalid("limit must be between 1 and 100").write(w)
				return
			}
			limit = n
		}
		after, _ := strconv.ParseInt(q.Get("after"), 10, 64)
		f.mu.RLock()
		defer f.mu.RUnlock()
		var found []*object
		for _, o := range f.data.Objects[kind] {
			if id, _ := strconv.ParseInt(o.ID, 10, 64); id >= after && o.archived() == (q.Get("archived") == "true") {
				found = append(found, o)
			}
		}
		byAge(found)
		out := map[string]any{}
		if len(found) > limit {
			out["paging"] = map[string]any{"next": map[string]any{"after": found[limit].ID}}
			found = found[:limit]
		}
		results := []any{}
		for _, o := range found {
			results = append(results, render(o, wantedProperties(r), false))
		}
		out["results"] = results
		answer(w, http.StatusOK, out)
	}
}

func byAge(list []*object) {
	slices.SortFunc(list, func(a, b *object) int {
		x, _ := strconv.ParseInt(a.ID, 10, 64)
		y, _ := strconv.ParseInt(b.ID, 10, 64)
		return int(x - y)
	})
}
