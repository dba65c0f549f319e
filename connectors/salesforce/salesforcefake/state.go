package salesforcefake

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Record is a living record.
type Record = map[string]any

// Records lists the living records of an object, the oldest first.
func (f *Fake) Records(object string) []Record {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []Record
	for _, id := range f.order[object] {
		if r := f.records[object][id]; r.row["IsDeleted"] == false {
			out = append(out, maps.Clone(r.row))
		}
	}
	return out
}

// ByKey lists the living records of an object that have callsync's key.
func (f *Fake) ByKey(object, key string) []Record {
	return slices.DeleteFunc(f.Records(object), func(r Record) bool { return r["Callsync_Key__c"] != key })
}

// Calls counts the living Tasks of the subtype Call by callsync's key.
func (f *Fake) Calls() map[string]int {
	out := map[string]int{}
	for _, r := range f.Records("Task") {
		if key, _ := r["Callsync_Key__c"].(string); key != "" && r["TaskSubtype"] == "Call" {
			out[key]++
		}
	}
	return out
}

// Add makes a record without any of the checks, as data that was there before: the search knows it. It returns its id.
func (f *Fake) Add(object string, values Record) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	lag := f.lag
	f.lag = 0
	id := f.put(object, values)
	f.lag = lag
	return id
}

// Set changes fields of a record, as a person would.
func (f *Fake) Set(object, id string, values Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r := f.records[object][id]; r != nil {
		maps.Copy(r.row, values)
		f.touch(object, r)
	}
}

// Delete deletes a record, as a person would: it goes to the recycle bin.
func (f *Fake) Delete(object, id string) { f.Set(object, id, Record{"IsDeleted": true}) }

// Merge merges loser into winner, as a person would.
func (f *Fake) Merge(object, loser, winner string) {
	f.Set(object, loser, Record{"IsDeleted": true, "MasterRecordId": winner})
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, t := range f.records["Task"] {
		if t.row["WhoId"] == loser {
			t.row["WhoId"] = winner
		}
	}
}

// Convert turns a lead into a contact with an account, as a person would, and returns the contact's id.
func (f *Fake) Convert(lead string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.records["Lead"][lead]
	account := f.put("Account", row{"Name": l.row["Company"], "Phone": l.row["Phone"]})
	contact := f.put("Contact", row{"FirstName": l.row["FirstName"], "LastName": l.row["LastName"], "Phone": l.row["Phone"], "AccountId": account})
	maps.Copy(l.row, row{"IsConverted": true, "ConvertedContactId": contact, "ConvertedAccountId": account, "Status": "Closed - Converted"})
	for _, t := range f.records["Task"] {
		if t.row["WhoId"] == lead {
			t.row["WhoId"] = contact
		}
	}
	return contact
}

// AddOwner makes a user and returns the id.
func (f *Fake) AddOwner(email string, active bool) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.addOwner(email, active)
}

func (f *Fake) addOwner(email string, active bool) string {
	name, _, _ := strings.Cut(email, "@")
	return f.put("User", row{"Name": name, "LastName": name, "Email": email, "Username": email, "IsActive": active, "UserType": "Standard"})
}

// SetLag changes how long the search does not see changes.
func (f *Fake) SetLag(lag time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lag = max(lag, 0)
	if f.lag == 0 {
		for _, records := range f.records {
			for _, r := range records {
				r.indexed = nil
			}
		}
	}
}

// SetUsed says how many requests the org has sent in its last 24 hours.
func (f *Fake) SetUsed(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.used = n
}

// Define adds or changes a field; options make it a picklist.
func (f *Fake) Define(object, name, kind string, options ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.defs[object].add(name, d(kind, 255, "", options...))
}

// Undefine takes a field away, as an admin would.
func (f *Fake) Undefine(object, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	def := f.defs[object]
	delete(def.fields, name)
	def.order = slices.DeleteFunc(def.order, func(n string) bool { return n == name })
}

// Requests counts the requests so far, by method and kind of resource.
func (f *Fake) Requests() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.requests)
}

// serveState shows what people would see, as JSON.
func (f *Fake) serveState(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		http.Error(w, "GET", http.StatusMethodNotAllowed)
		return
	}
	out := map[string]any{"requests": f.Requests()}
	for _, object := range []string{"Task", "Contact", "Lead", "Account", "Case", "Opportunity", "ContentDocument"} {
		out[object] = f.Records(object)
	}
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(out); err != nil {
		fmt.Fprintln(w, err)
	}
}
