package exprkit_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/internal/exprkit"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	names := []string{"customer", "direction", "note", "name", "phone_e164"}
	for name, want := range map[string]string{
		"custmer": "customer", "Diretcion": "direction", "nmae": "name", "nope": "note", "phone": "phone_e164",
		"": "", "zzz": "", strings.Repeat("n", 1000): "",
	} {
		require.Equal(t, want, exprkit.Nearest(name, names), name)
	}
	require.Empty(t, exprkit.Nearest("note", []string{strings.Repeat("note", 1000)}))
}

func TestPattern(t *testing.T) {
	t.Parallel()
	re, n, err := exprkit.Pattern("^a+b$")
	require.NoError(t, err)
	require.True(t, re.MatchString("aab"))
	require.Positive(t, n)
	_, _, err = exprkit.Pattern("((a{100}){100})")
	require.Error(t, err)
	_, _, err = exprkit.Pattern("(abcdefghij){250}")
	require.ErrorIs(t, err, exprkit.ErrPatternTooLarge)
	_, _, err = exprkit.Pattern("(")
	require.Error(t, err)
}

// A panic's own text may quote a customer.
func TestFault(t *testing.T) {
	t.Parallel()
	require.NotContains(t, exprkit.Fault(errors.New("+14155550101")), "+1415")
	var list []int
	defer func() { require.Contains(t, exprkit.Fault(recover()), "index out of range") }()
	_ = list[3]
}
