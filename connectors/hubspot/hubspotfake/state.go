package hubspotfake

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"
)

// Record is a record as State shows it.
type Record struct {
	ID         string            `json:"id"`
	Properties map[string]string `json:"properties"`
	CreatedAt  time.Time         `json:"created_at"`
	UpdatedAt  time.Time         `json:"updated_at"`
	Archived   bool              `json:"archived,omitempty"`
	Writes     int               `json:"writes"`
	// Contacts are the ids of the contacts of a call.
	Contacts []string `json:"contacts,omitempty"`
}

// State is what the account holds.
type State struct {
	Calls        []Record `json:"calls,omitempty"`
	Contacts     []Record `json:"contacts,omitempty"`
	Associations []Link   `json:"associations,omitempty"`
	// Records are the other records by HubSpot's name of their object: companies, 0-3 (deals), tickets, tasks, notes and
	// communications.
	Records map[string][]Record `json:"records,omitempty"`
	Counts  Counts              `json:"counts"`
	Doubled Doubled             `json:"doubled"`
	// Requests are counted by route and status; status 0 is an answer that was never sent.
	Requests map[string]map[string]int `json:"requests"`
	Faults   map[Fault]int             `json:"faults"`
}

// Counts are numbers of living records, and of archived ones.
type Counts struct {
	Calls            int `json:"calls"`
	Contacts         int `json:"contacts"`
	Associations     int `json:"associations"`
	ArchivedCalls    int `json:"archived_calls"`
	ArchivedContacts int `json:"archived_contacts"`
	CallsWithoutKey  int `json:"calls_without_key"`
	// Records counts the living records of the other objects, Files those of the file manager.
	Records map[string]int `json:"records,omitempty"`
	Files   int            `json:"files,omitempty"`
}

// Doubled has what is there more than once, and how often.
type Doubled struct {
	// CallsByKey counts by callsync_call_id, CallsByTime by start, numbers and direction.
	CallsByKey      map[string]int `json:"calls_by_key"`
	CallsByTime     map[string]int `json:"calls_by_time"`
	ContactsByKey   map[string]int `json:"contacts_by_key"`
	ContactsByPhone map[string]int `json:"contacts_by_phone"`
	ContactsByEmail map[string]int `json:"contacts_by_email"`
}

// The properties by which the state tells doubles.
const (
	callKey    = "callsync_call_id"
	contactKey = "callsync_contact_key"
	recordKey  = "callsync_record_key"
)

// State shows what is in the account; with records false only the figures.
func (f *Fake) State(records bool) State {
	f.mu.RLock()
	defer f.mu.RUnlock()
	s := State{Requests: map[string]map[string]int{}, Faults: f.FaultCounts()}
	byKey, byTime, cKey, cPhone, cEmail := map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}
	for _, o := range f.sorted("calls") {
		if o.archived() {
			s.Counts.ArchivedCalls++
		} else {
			s.Counts.Calls++
			p := o.Props
			if p[callKey] == "" {
				s.Counts.CallsWithoutKey++
			}
			byKey[p[callKey]]++
			byTime[p["hs_timestamp"]+" "+p["hs_call_direction"]+" "+p["hs_call_from_number"]+" "+p["hs_call_to_number"]]++
		}
		if records {
			s.Calls = append(s.Calls, show(o, f.linked("calls", o.ID, "contacts")))
		}
	}
	for _, o := range f.sorted("contacts") {
		if o.archived() {
			s.Counts.ArchivedContacts++
		} else {
			s.Counts.Contacts++
			cKey[o.Props[contactKey]]++
			cPhone[orDefault(o.Props["hs_calculated_phone_number"], o.Props["phone"])]++
			cEmail[o.Props["email"]]++
		}
		if records {
			s.Contacts = append(s.Contacts, show(o, nil))
		}
	}
	s.Counts.Associations, s.Counts.Files = len(f.data.Links), len(f.data.Files)
	s.Records, s.Counts.Records = map[string][]Record{}, map[string]int{}
	for kind := range typeNames {
		if kind == "calls" || kind == "contacts" {
			continue
		}
		for _, o := range f.sorted(kind) {
			if !o.archived() {
				s.Counts.Records[kind]++
			}
			if records {
				s.Records[kind] = append(s.Records[kind], show(o, f.linked(kind, o.ID, "contacts")))
			}
		}
	}
	if records {
		s.Associations = append(s.Associations, f.data.Links...)
	}
	s.Doubled = Doubled{doubled(byKey), doubled(byTime), doubled(cKey), doubled(cPhone), doubled(cEmail)}
	f.meter.mu.Lock()
	defer f.meter.mu.Unlock()
	for route, statuses := range f.meter.requests {
		s.Requests[route] = map[string]int{}
		for status, n := range statuses {
			s.Requests[route][strconv.Itoa(status)] = n
		}
	}
	return s
}

func doubled(counts map[string]int) map[string]int {
	delete(counts, "")
	maps.DeleteFunc(counts, func(_ string, n int) bool { return n < 2 })
	return counts
}

func show(o *object, contacts []string) Record {
	return Record{ID: o.ID, Properties: maps.Clone(o.Props), CreatedAt: o.CreatedAt, UpdatedAt: o.UpdatedAt, Archived: o.archived(), Writes: o.Writes, Contacts: slices.Clone(contacts)}
}

func (f *Fake) sorted(kind string) []*object {
	list := make([]*object, 0, len(f.data.Objects[kind]))
	for _, o := range f.data.Objects[kind] {
		list = append(list, o)
	}
	byAge(list)
	return list
}

// CallByKey is the living call with callsync's key.
func (f *Fake) CallByKey(key string) (Record, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	o := f.byUnique["calls/"+callKey][key]
	if o == nil {
		return Record{}, false
	}
	return show(o, f.linked("calls", o.ID, "contacts")), true
}

// RecordsByKey are the living tasks, notes, tickets or communications with callsync's key.
func (f *Fake) RecordsByKey(kind, key string) []Record {
	f.mu.RLock()
	defer f.mu.RUnlock()
	var out []Record
	for _, o := range f.sorted(kind) {
		if !o.archived() && o.Props[recordKey] == key {
			out = append(out, show(o, f.linked(kind, o.ID, "contacts")))
		}
	}
	return out
}

// Linked are the ids of the records of an object to that a record is tied to.
func (f *Fake) Linked(kind, id, to string) []string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.linked(kind, id, to)
}

// Record is a living record.
func (f *Fake) Record(kind, id string) (Record, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	o, e := f.resolve(kind, id, "")
	if e != nil {
		return Record{}, false
	}
	return show(o, f.linked(kind, o.ID, "contacts")), true
}

// Link ties two records, as a person would.
func (f *Fake) Link(l Link) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.link(l)
}

// Unlink takes a record away from all others of an object.
func (f *Fake) Unlink(kind, id, to string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.data.Links = slices.DeleteFunc(f.data.Links, func(l Link) bool {
		return l.FromObject == kind && l.FromID == id && l.ToObject == to || l.ToObject == kind && l.ToID == id && l.FromObject == to
	})
	f.reindex()
}

// Merge makes one record of two, as a person would: a new one, to which the ids of both lead. It has the properties of
// winner, and of loser what winner lacks.
func (f *Fake) Merge(kind, loser, winner string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o, e := f.mergeRecords(kind, loser, winner)
	if e != nil {
		return "", errors.New(e.message)
	}
	return o.ID, nil
}

func (f *Fake) mergeRecords(kind, loser, winner string) (*object, *apiError) {
	a, e := f.resolve(kind, winner, "")
	if e != nil {
		return nil, e
	}
	b, e := f.resolve(kind, loser, "")
	if e != nil {
		return nil, e
	}
	props := map[string]string{}
	for _, from := range []*object{b, a} {
		for name, v := range from.Props {
			if def := f.data.Properties[kind][name]; def != nil && !def.ModificationMetadata.ReadOnlyValue && !def.Calculated {
				props[name] = v
			}
		}
		f.unindex(kind, from)
		from.ArchivedAt = f.opt.Now().UTC()
	}
	o, e := f.put(kind, nil, props)
	if e != nil {
		return nil, e
	}
	for _, from := range []*object{a, b} {
		for _, l := range slices.Clone(f.linksOf[kind+"/"+from.ID]) {
			f.link(Link{kind, o.ID, l.ToObject, l.ToID})
		}
		f.data.Merged[kind+"/"+from.ID] = o.ID
	}
	return o, nil
}

func (f *Fake) merge(kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			PrimaryObjectID string `json:"primaryObjectId"`
			ObjectIDToMerge string `json:"objectIdToMerge"`
		}
		if !decode(w, r, &in) {
			return
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		o, e := f.mergeRecords(kind, in.ObjectIDToMerge, in.PrimaryObjectID)
		if e != nil {
			e.write(w)
			return
		}
		answer(w, http.StatusOK, render(o, nil, true))
	}
}

// SetLag changes how long a change stays invisible to the search; zero or less means that it does not.
func (f *Fake) SetLag(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opt.SearchLag = max(d, 0)
}

// AddContact puts a contact into the account, past the search's lag, and returns its id.
func (f *Fake) AddContact(props map[string]string) (string, error) { return f.Add("contacts", props) }

// Add is AddContact for any object, by HubSpot's name for it (deals are 0-3).
func (f *Fake) Add(kind string, props map[string]string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o, e := f.put(kind, nil, props)
	if e != nil {
		return "", errors.New(e.message)
	}
	o.indexed = o.Props
	return o.ID, nil
}

// Edit changes a record as a person in HubSpot would.
func (f *Fake) Edit(kind, id string, props map[string]string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	o, e := f.resolve(kind, id, "")
	if e == nil {
		_, e = f.put(kind, o, props)
	}
	if e != nil {
		return errors.New(e.message)
	}
	o.Writes--
	return nil
}

// Archive deletes a record, as a person would: it goes to the recycling bin and frees its unique values (that it does
// is unconfirmed).
func (f *Fake) Archive(kind, id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if o := f.data.Objects[kind][id]; o != nil && !o.archived() {
		f.unindex(kind, o)
		o.ArchivedAt = f.opt.Now().UTC()
	}
}

func (f *Fake) serveState(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(f.State(r.URL.Query().Get("summary") == ""))
}

// Save writes the account to a file, whole or not at all.
func (f *Fake) Save(path string) error {
	f.mu.RLock()
	b, err := json.Marshal(f.data)
	f.mu.RUnlock()
	if err != nil {
		return fmt.Errorf("hubspotfake: %w", err)
	}
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return fmt.Errorf("hubspotfake: %w", err)
	}
	return os.Rename(tmp, path)
}

// Load reads what Save wrote; a file that is not there leaves the account as it is.
func (f *Fake) Load(path string) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var d data
	if err == nil {
		err = json.Unmarshal(b, &d)
	}
	if err == nil && (d.Objects["calls"] == nil || d.Objects["contacts"] == nil || d.Properties["calls"] == nil || d.Groups["calls"] == nil) {
		err = errors.New("not an account that was saved")
	}
	if err == nil {
		d.complete()
	}
	if err != nil {
		return fmt.Errorf("hubspotfake: load %s: %w", path, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.data = d
	f.reindex()
	return nil
}
