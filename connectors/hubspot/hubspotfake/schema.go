package hubspotfake

import "slices"

// PutProperty makes a property of an object ("calls"), or changes it, as an administrator would: its label, type, options.
// A property without a type is a line of text.
func (f *Fake) PutProperty(object string, p Property) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p.Type == "" {
		p.Type, p.FieldType = "string", "text"
	}
	p.Label = orDefault(p.Label, p.Name)
	p.Options = append([]Option{}, p.Options...)
	f.data.Properties[object][p.Name] = &p
}

// PropertyOf is a property as it is; ok is false where there is none.
func (f *Fake) PropertyOf(object, name string) (p Property, ok bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	have, ok := f.data.Properties[object][name]
	if !ok {
		return p, false
	}
	p = *have
	p.Options = slices.Clone(have.Options)
	return p, true
}

// RemoveProperty archives a property: it is listed no more, and writes of it are refused.
func (f *Fake) RemoveProperty(object, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.data.Properties[object], name)
}
