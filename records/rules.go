package records

import "time"

// What rules belong to.
const (
	RulesOfSource     = "source"
	RulesOfConnection = "connection"
)

// Rules are the document that says which calls of a source, or to a connection, sync.
type Rules struct {
	// Owner is RulesOfSource or RulesOfConnection, OwnerID its id.
	Owner   string
	OwnerID string
	// Version rises with every change; zero means that there never were any rules.
	Version int
	// Document is as people wrote it; empty for none.
	Document  string
	Author    string
	UpdatedAt time.Time
}
