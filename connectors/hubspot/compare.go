package hubspot

// SameStored implements connectors.Comparer: what was longer than HubSpot takes was cut.
func (s *session) SameStored(_, _ string, written, read any) bool {
	w, isText := written.(string)
	r, alsoText := read.(string)
	return isText && alsoText && length(w) > maxText && cut(w, maxText) == r
}

// MaxText implements connectors.Comparer.
func (s *session) MaxText(string, string) int { return maxText }
