package records

import "slices"

// Demo is the kind of the phone system and of the CRM that the demo data is made of. Whatever is of this kind was made up,
// and goes when the demo data is removed; people cannot choose it.
const Demo = "demo"

// Feeds tells whether calls of s go to c. A source that feeds all connections of its workspace does not feed the demo's:
// real calls and made-up ones stay apart.
func (s Source) Feeds(c Connection) bool {
	if s.Connections == nil {
		return c.Connector != Demo
	}
	return slices.Contains(s.Connections, c.ID)
}
