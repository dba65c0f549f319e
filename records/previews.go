package records

// PreviewQuery asks what deliveries to a connection would give the mapping of an object.
type PreviewQuery struct {
	WorkspaceID  string
	ConnectionID string
	// Object is the mapping's ("call", "contact", "message").
	Object string
	// Kind is what the records are: "call", "message" or "form"; IDs are theirs.
	Kind string
	IDs  []string
	// Read are the fields to read in the CRM, of at most Reads records.
	Read  []string
	Reads int
}

// Previewed is one record of a PreviewQuery, and what is known of it in the CRM.
type Previewed struct {
	ID string
	// Delivery is that of the object's record so far; zero where nothing was delivered.
	Delivery Delivery
	// Now are the fields that were read in the CRM; nil where they were not, for the reason NotRead, a sentence.
	Now     map[string]any
	NotRead string
	// Notes are sentences about what a delivery would know and this does not.
	Notes []string
}
