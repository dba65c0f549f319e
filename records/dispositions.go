package records

import "strings"

// Disposition says which of the CRM's outcomes a disposition of the phone system is, by an admin's decision.
type Disposition struct {
	// Value is the phone system's word. Two that have the same DispositionKey are one.
	Value string
	// OptionID is the outcome's id in the CRM.
	OptionID string
}

// DispositionKey makes equal what differs by case and white space only.
func DispositionKey(value string) string {
	return strings.ToLower(strings.Join(strings.Fields(value), " "))
}
