package call

// Field names one member of Facts by its JSON name ("tags", "note", "customer.name").
type Field string

// Identity is what Fold cannot know from events.
type Identity struct {
	ID, WorkspaceID, SourceID, Provider string
}

// Fold makes the call that events tell of. The result depends only on the set of events: neither on their order in the
// slice nor on repetitions of the same (ReceiptID, Seq).
func Fold(who Identity, events []Event) Call {
	panic("being written")
}

// SameState tells whether a and b say the same, revision aside: if they do, nothing has to be delivered.
func SameState(a, b Call) bool {
	panic("being written")
}
