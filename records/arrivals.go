package records

import "time"

// Arrivals are the newest receipts of one source, one for each kind of request.
type Arrivals struct {
	Latest []Arrival
	// Scanned is how many receipts were looked at, the newest ones, and Since when the oldest of these arrived. Limited
	// tells that there may be older ones, so that what is not in Latest may have arrived before Since.
	Scanned int
	Since   time.Time
	Limited bool
}

// Arrival is the newest receipt of its kind: the same hook event, the same kind of (first) event read from it, and either
// callsync's own test or not.
type Arrival struct {
	ReceiptItem
	// Kind is that of the first event that was read from it; empty if there is none.
	Kind string
	// Test tells that callsync sent the request itself.
	Test bool
}
