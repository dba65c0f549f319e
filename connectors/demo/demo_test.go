package demo

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
)

// callsync compares the numbers of what a search returns, so a contact without numbers is nobody: of one number the demo has
// two contacts, and of the others one each.
func TestPeopleAreFoundByTheirNumbers(t *testing.T) {
	t.Parallel()
	matcher := Connector{}.Prototype().(connectors.ContactMatcher)
	for number, names := range map[string][]string{
		"+12025550143": {"Jane Doe"}, "+12025550171": {"Diego Alvarez", "Lucía Alvarez"}, "+12025550189": nil, "": nil,
	} {
		found, err := matcher.FindContacts(t.Context(), connectors.PhoneQuery{E164: number, Objects: []string{connectors.ObjectContact}})
		require.NoError(t, err)
		var got []string
		for _, c := range found {
			require.True(t, slices.ContainsFunc(c.Numbers, func(n string) bool { return digits.Replace(n) == number }), "%s is found by a number that it has not", c.Name)
			require.NotEmpty(t, c.Company, "people tell candidates apart by it")
			require.NotEmpty(t, c.Emails)
			require.False(t, c.ModifiedAt.IsZero())
			got = append(got, c.Name)
		}
		require.Equal(t, names, got, number)
	}
}
