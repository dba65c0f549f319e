package espocrmfake

// Field is a field of an entity type as an administrator sets it in the Entity Manager.
type Field struct {
	// Type is EspoCRM's ("varchar", "enum", "int"); empty means varchar.
	Type      string
	Required  bool
	ReadOnly  bool
	MaxLength int
	Options   []string
	Default   any
}

// PutField makes a field of an entity type ("Call"), or changes it.
func (f *Fake) PutField(entity, name string, d Field) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if d.Type == "" {
		d.Type = "varchar"
	}
	f.defs[entity][name] = field{Type: d.Type, Required: d.Required, ReadOnly: d.ReadOnly, MaxLength: d.MaxLength, Options: d.Options, Default: d.Default, Custom: true}
}

// RemoveField removes a field. EspoCRM ignores it in writes from then on, without a word.
func (f *Fake) RemoveField(entity, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.defs[entity], name)
}
