package connectors

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/internal/httpx"
)

func TestNoAnswer(t *testing.T) {
	t.Parallel()
	lost := errors.New("connection reset by peer")
	for name, c := range map[string]struct {
		reads bool
		err   error
		want  Class
	}{
		"a look-up may be repeated":         {reads: true, err: lost, want: Unavailable},
		"a write may have happened":         {err: lost, want: UnknownOutcome},
		"a private address is a setting":    {err: fmt.Errorf("dial: %w", httpx.ErrPrivateAddress), want: Invalid},
		"the transport's own refusal stays": {err: fmt.Errorf("wait: %w", &Error{Class: RateLimited}), want: RateLimited},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := NoAnswer("The CRM", "crm write", c.reads, c.err)
			require.True(t, IsClass(err, c.want), "%v", err)
		})
	}
	require.False(t, IsClass(lost, Unavailable), "an error of somebody else's has no class")
	require.True(t, IsClass(Unreadable("The CRM", "crm write", false), UnknownOutcome))
	require.True(t, IsClass(Unreadable("The CRM", "crm search", true), Unavailable))
}
