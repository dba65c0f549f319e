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
	Counts       Counts   `json:"counts"`
	Doubled      Doubled  `json:"doubled"`
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
			s.Calls = append(s.Calls, show(o, f.contactsOf[o.ID]))
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
	s.Counts.Associations = len(f.data.Links)
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
	return show(o, f.contactsOf[o.ID]), true
}

// AddContact puts a contact into the account, past the search's lag, and returns its id.
func (f *Fake) AddContact(props map[string]string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o, e := f.put("contacts", nil, props)
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
	if err != nil {
		return fmt.Errorf("hubspotfake: load %s: %w", path, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.data = d
	f.reindex()
	return nil
}
