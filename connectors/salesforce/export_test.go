package salesforce

// For the tests of this package.
var (
	Find  = find
	Quote = quote
	Terms = terms
	Learn = learn
)
