package connectors_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
)

type bare struct{}

func (bare) WriteCall(context.Context, connectors.CallWrite) (connectors.Written, error) {
	return connectors.Written{}, nil
}

type linking struct{ bare }

func (linking) LinkCall(context.Context, string, connectors.Ref) error { return nil }

type kind struct {
	id      string
	session connectors.Session
}

func (k kind) Info() connectors.Info                                { return connectors.Info{ID: k.id} }
func (k kind) Open(connectors.Settings) (connectors.Session, error) { return k.session, nil }
func (k kind) Prototype() connectors.Session                        { return k.session }

func TestCapabilities(t *testing.T) {
	t.Parallel()
	require.Empty(t, connectors.Capabilities(bare{}))
	require.Equal(t, []string{"link"}, connectors.Capabilities(linking{}))
	infos := connectors.NewRegistry(kind{"b", linking{}}, kind{"a", bare{}}).Infos()
	require.Equal(t, "a", infos[0].ID)
	require.Equal(t, []string{"link"}, infos[1].Capabilities)
	require.Panics(t, func() { connectors.NewRegistry(kind{"a", bare{}}, kind{"a", bare{}}) })
}

func TestClassify(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]connectors.Class{
		200: "", 201: "", 207: "", 301: connectors.Invalid, 302: connectors.Unavailable, 308: connectors.Invalid,
		400: connectors.Invalid, 401: connectors.Unauthorized, 403: connectors.Forbidden, 404: connectors.NotFound,
		408: connectors.Unavailable, 409: connectors.Conflict, 413: connectors.Invalid, 422: connectors.Invalid,
		423: connectors.Unavailable, 429: connectors.RateLimited, 460: connectors.Invalid, 500: connectors.Unavailable,
		503: connectors.Unavailable, 524: connectors.Unavailable, 599: connectors.Unavailable, 0: connectors.Unavailable,
	} {
		require.Equal(t, want, connectors.Classify(status, nil), status)
	}
	require.Equal(t, connectors.Revoked, connectors.Classify(410, map[int]connectors.Class{410: connectors.Revoked}))
}

func TestSameValue(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 10, 25, 1, 30, 0, 123e6, time.UTC)
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	for _, tc := range []struct {
		a, b any
		want bool
	}{
		{nil, "", true}, {nil, nil, true}, {"", nil, true}, {nil, "x", false}, {"x", "", false}, {"x", "X", false},
		{int64(3000), "3000", true}, {int64(3000), "3000.0", true}, {int64(3000), "3001", false}, {1.5, "1.50", true},
		{json.Number("7"), int64(7), true}, {true, "true", true}, {false, "", false},
		{at, "2026-10-25T01:30:00.123Z", true}, {at.In(berlin), "1792891800123", true}, {at, "2026-10-25T01:30:00Z", true}, {at, "2026-10-25T01:30:01Z", false}, {at, "2026-10-25T01:30:00.1Z", false}, {at, "2026-10-25T02:30:00.123Z", false},
		{"2026-10-25T01:30:00.123Z", "2026-10-25T01:30:00.123Z", true}, {"2026-10-25T03:30:00.123+02:00", "2026-10-25T01:30:00.123Z", true},
		{[]string{"a", "b"}, "a;b", true}, {[]any{"a", "b"}, "a;b", true}, {"1e999999999", "2", false}, {"+1", "1", false}, {"007", "7", false},
		{"<b>", "&lt;b&gt;", false},
	} {
		require.Equal(t, tc.want, connectors.SameValue(tc.a, tc.b), "%v %v", tc.a, tc.b)
	}
}
