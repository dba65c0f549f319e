package call

// Attributes of calls that nobody made: callsync sent them itself, to show the way of a call.
const (
	// AttributeTest is true for every such call. A phone system may have a field of that name, too; nothing depends on it.
	AttributeTest = "test"
	// AttributeTestOnly is true for one that no CRM shall get. Only callsync can set it.
	AttributeTestOnly = "test_only"
)

// TestOnly tells whether c is a test call that no CRM shall get.
func (c *Call) TestOnly() bool { return c.Attributes[AttributeTestOnly] == true }
