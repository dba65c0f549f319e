package admin_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A source in a wrong time zone is recognised by its calls, and the warning says what to change.
func TestSourceClocks(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna", "admin")
	client := f.signIn("anna@example.com")
	made := func(zone, country string) string {
		return f.must(201, "POST", "/sources", fmt.Sprintf(`{"provider": "callrail", "name": "Office", "time_zone": %q, "default_country": %q}`, zone, country)).JSON["id"].(string)
	}
	clock := func(id string, skew, samples int) map[string]any {
		t.Helper()
		f.exec(`insert into source_clocks (source_id, workspace_id, samples) select $1, $2, array_agg($3::bigint + n % 5) from generate_series(1, $4) n
			on conflict (source_id) do update set samples = excluded.samples`, id, f.ws, skew, samples)
		c, _ := f.must(200, "GET", "/sources/"+id, "").JSON["clock"].(map[string]any)
		return c
	}
	utc := made("UTC", "IN")
	require.NotContains(t, f.must(200, "GET", "/sources/"+utc, "").JSON, "clock", "nothing is known yet")
	c := clock(utc, 3, 30)
	require.EqualValues(t, 30, c["samples"])
	require.EqualValues(t, 5, c["median_seconds"])
	require.EqualValues(t, 2, c["spread_seconds"])
	require.NotContains(t, c, "warning")
	require.NotContains(t, f.get(client, "/sources/"+utc).Raw, "seem to end")

	c = clock(utc, -19800, 30)
	require.Equal(t, "Asia/Kolkata", c["suggested_time_zone"])
	const says = "Calls of this source seem to end 5 h 30 min after they are received: the time zone should probably be Asia/Kolkata, it is UTC."
	require.Equal(t, says+" Until this is right, the CRMs show wrong times.", c["warning"])
	require.Contains(t, f.get(client, "/sources/"+utc).Raw, says)
	require.Contains(t, f.get(client, "/sources").Raw, says)
	items := f.must(200, "GET", "/sources", "").items()
	require.Equal(t, c, items[0].(map[string]any)["clock"])
	require.NotContains(t, clock(utc, -19800, 7), "warning", "a few calls tell nothing")

	// The window that is over before it begins.
	require.Contains(t, clock(made("Asia/Kolkata", "IN"), 19800, 30)["warning"],
		"5 h 30 min before they are received: the time zone should probably be UTC, it is Asia/Kolkata. Until this is right, calls do not wait for their recordings")
	require.Contains(t, clock(made("", ""), -20700, 30)["warning"],
		"5 h 45 min after they are received: the phone system’s clock is probably at UTC+05:45, and its time zone should be set here; it is not set, which means UTC.")
	require.Contains(t, clock(made("Asia/Kolkata", "IN"), 12*3600, 30)["warning"], "the phone system’s clock or its time zone is probably wrong")
	require.Contains(t, clock(made("Asia/Kolkata", "NP"), -900, 30)["warning"], "15 min after they are received: the time zone should probably be Asia/Kathmandu")

	// A new time zone begins anew.
	clock(utc, -19800, 30)
	r := f.must(200, "PATCH", "/sources/"+utc, `{"time_zone": "Asia/Kolkata"}`)
	require.False(t, strings.Contains(r.Raw, "warning"))
	require.NotContains(t, f.must(200, "GET", "/sources/"+utc, "").JSON, "clock")

	other := id()
	f.exec(`insert into workspaces (id, name) values ($1, 'Beta')`, other)
	require.Equal(t, 404, f.as(f.newToken(other), "GET", "/api/v1/sources/"+utc, "").Status)
}
