package espocrmfake

import (
	"maps"
	"slices"
	"strings"
)

// Record is a living record as EspoCRM would answer it.
type Record = map[string]any

// Records lists the living records of an entity type, the oldest first.
func (f *Fake) Records(entity string) []Record {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []Record
	for _, id := range f.order[entity] {
		if r, ok := f.living(entity, id); ok {
			out = append(out, f.full(entity, r))
		}
	}
	return out
}

// Add makes a record without any of the checks, as data that was there before, and returns its id.
func (f *Fake) Add(entity string, values Record) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := maps.Clone(values)
	id := f.put(entity, r)
	f.follow(entity, r)
	return id
}

// Set changes attributes of a record, as a person would.
func (f *Fake) Set(entity, id string, values Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r, ok := f.living(entity, id); ok {
		maps.Copy(r, values)
	}
}

// Delete deletes a record, as a person would.
func (f *Fake) Delete(entity, id string) {
	f.Set(entity, id, Record{"deleted": true})
}

// Define makes or changes a field; an empty kind takes it away.
func (f *Fake) Define(entity, name, kind string, options ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if kind == "" {
		delete(f.defs[entity], name)
		return
	}
	f.defs[entity][name] = field{Type: kind, Options: options, Custom: true}
}

// AddOwner makes a user and returns the id.
func (f *Fake) AddOwner(email string, active bool) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.addOwner(email, active)
}

func (f *Fake) addOwner(email string, active bool) string {
	name, _, _ := strings.Cut(email, "@")
	return f.put("User", record{"userName": email, "name": name, "lastName": name, "emailAddress": email, "type": "regular", "isActive": active})
}

// Files are the contents of the attachments with these ids.
func (f *Fake) Files(ids any) [][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out [][]byte
	list, _ := ids.([]any)
	for _, id := range list {
		s, _ := id.(string)
		out = append(out, slices.Clone(f.contents[s]))
	}
	return out
}
