package pipedrivefake

import "slices"

// RemovePersonField removes a field of persons.
func (f *Fake) RemovePersonField(code string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.data.personFields = slices.DeleteFunc(f.data.personFields, func(o object) bool { return o.text("field_code") == code })
}
