package pipedrive_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/pipedrive"
)

// What Pipedrive makes of values is no edit; what a person makes of them is.
func TestPipedrivesHabitsAreNoEdits(t *testing.T) {
	t.Parallel()
	session := pipedrive.New().(connectors.Prototyper).Prototype()
	at := time.Date(2026, 11, 22, 10, 0, 5, 4e8, time.UTC)
	long := strings.Repeat("a b", 100)
	for _, c := range []struct {
		field         string
		written, read any
		want          bool
	}{
		{"start_time", at, at.Truncate(time.Second), true}, {"start_time", at, at.Add(time.Minute), false},
		{"duration", 205.9, int64(205), true}, {"duration", 1e9, int64(359999), true}, {"duration", 205.0, int64(206), false},
		{"subject", "a\n b", "a b", true}, {"subject", long, long[:253] + " …", true}, {"subject", "a b", "a c", false},
		{"note", "<b>x</b><br>y", "<b>x</b><br />y", true}, {"note", "<b>x</b>", "<b>z</b>", false}, {"note", "x", nil, false},
		{"duration", int64(0), nil, true}, {"duration", int64(5), nil, false}, {"content", "<b>x</b><br>y", "<b>x</b><br />y", true}, {"content", "x", "y", false},
		{"add_time", at, at.Truncate(time.Second), true}, {"add_time", at, at.Add(time.Hour), false},
		{"user_id", "7", int64(7), true}, {"user_id", "7", int64(8), false},
	} {
		require.Equal(t, c.want, connectors.SameField(session, connectors.ObjectCall, c.field, c.written, c.read), "%s: %v %v", c.field, c.written, c.read)
	}
}
