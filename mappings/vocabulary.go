package mappings

import (
	"slices"
	"strings"
	"sync"

	"github.com/expr-lang/expr"
)

// vocabulary is the names that documents of one object may read. What a task reads of itself means nothing in a mapping of
// calls, so each object has its own names, and a wrong one is a fault that is found before anything is written.
type vocabulary struct {
	object string
	// entries are the places of the names in the catalog, in the order of the reference; index finds them by name.
	entries []int
	index   map[string]int

	// The engine's options are made when the first document of the object comes.
	once      sync.Once
	checking  []expr.Option
	executing []expr.Option
}

// catalog is every name of every object. A name may be there twice: note is a text of a call, and a note of its own.
var catalog, vocabularies = buildVocabularies()

// callWords are the names of calls. Rules have them, and objects that callsync does not know.
var callWords = vocabularies[objectCall]

// The objects of documents that have names of their own.
const (
	objectCall    = "call"
	objectContact = "contact"
	objectLead    = "lead"
	objectCompany = "company"
	objectDeal    = "deal"
	objectTask    = "task"
	objectNote    = "note"
	objectTicket  = "ticket"
	objectMessage = "message"
	objectForm    = "form"
)

// ofEverything are the names of calls that messages and form submissions have as well. A group's members follow it.
var ofEverything = []string{
	"id", "workspace_id", "source_id", "provider", "revision", "direction", "customer", "business_number", "business_raw_number",
	"agents", "agent", "lead_status", "attribution", "own_number", "contact_id", "owner_id",
}

func wordsOf(object string) *vocabulary {
	if v, ok := vocabularies[object]; ok {
		return v
	}
	return callWords
}

// FieldsOf lists the names that mappings of an object ("task", "message") can read, in the order of the reference.
func FieldsOf(object string) []FieldInfo {
	v := wordsOf(object)
	entries := make([]entry, len(v.entries))
	for i, at := range v.entries {
		entries[i] = catalog[at]
	}
	return infos(entries)
}

func buildVocabularies() ([]entry, map[string]*vocabulary) {
	all := slices.Clone(callCatalog)
	add := func(entries []entry) []int {
		out := make([]int, len(entries))
		for i, e := range entries {
			out[i] = len(all)
			all = append(all, e)
		}
		return out
	}
	ofCall := make([]int, len(callCatalog))
	for i := range ofCall {
		ofCall[i] = i
	}
	without := func(drop func(group string) bool) []int {
		return slices.DeleteFunc(slices.Clone(ofCall), func(i int) bool {
			group, _, _ := strings.Cut(all[i].info.Name, ".")
			return drop(group)
		})
	}
	shared := without(func(group string) bool { return !slices.Contains(ofEverything, group) })
	noNote := without(func(group string) bool { return group == "note" })
	message, form := add(messageEntries()), add(formEntries())
	person := slices.Concat(ofCall, message, form)
	parts := map[string][]int{
		objectCall:    ofCall,
		objectContact: person, objectLead: person, objectCompany: person, objectDeal: person,
		objectTask:    slices.Concat(ofCall, add(taskEntries())),
		objectNote:    slices.Concat(noNote, add(noteEntries())),
		objectTicket:  slices.Concat(ofCall, add(ticketEntries())),
		objectMessage: slices.Concat(shared, message),
		objectForm:    slices.Concat(shared, form),
	}
	out := make(map[string]*vocabulary, len(parts))
	for object, entries := range parts {
		v := &vocabulary{object: object, entries: entries, index: make(map[string]int, len(entries))}
		for _, i := range entries {
			v.index[all[i].info.Name] = i
		}
		out[object] = v
	}
	return all, out
}
