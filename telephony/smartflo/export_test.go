package smartflo

// Variables are all that have a place, for the test that shows it.
func Variables() []string { return append(append([]string{}, documented...), undocumented...) }
