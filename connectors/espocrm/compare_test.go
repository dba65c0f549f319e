package espocrm_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/espocrm"
)

// What EspoCRM 9.1 was seen to make of values is no edit; what a person makes of them is.
func TestEspoCRMsHabitsAreNoEdits(t *testing.T) {
	t.Parallel()
	session := espocrm.New().(connectors.Prototyper).Prototype()
	at := time.Date(2026, 11, 22, 10, 0, 5, 0, time.UTC)
	for _, c := range []struct {
		field         string
		written, read any
		want          bool
	}{
		{"dateStart", at, "2026-11-22T10:00:05Z", true}, {"dateStart", "2026-11-22T10:00:05.4Z", "2026-11-22T10:00:05Z", true},
		{"dateStart", at, "2026-11-22T10:00:06Z", false},
		{"duration", 205.0, 25.0, true}, {"duration", 205.0, 300.0, true}, // calculated: 25 on PostgreSQL, 300 in the answer to a write
		{"cCallsyncDuration", 205.0, 300.0, false},
		{"name", "Call <from> a=b", "Call from a b", true}, {"name", "Call <from> a=b", "Call from b", false},
		{"cCallsyncDisposition", "a rather long disposition", "a rather long d…", false}, {"cCallsyncDisposition", "a rather long disposition", "a rather long dis…", true},
		{"cCallsyncDisposition", "a rather long disposition", "an edited, long dis…", false},
		{"description", "a\nb", "a\r\nb", true}, {"description", "a", nil, false},
		{"assignedUserId", "u1", "u2", false},
	} {
		require.Equal(t, c.want, connectors.SameField(session, connectors.ObjectCall, c.field, c.written, c.read), "%s: %v %v", c.field, c.written, c.read)
	}
}
