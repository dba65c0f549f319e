package mappings

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOpeningHours(t *testing.T) {
	t.Parallel()
	london, err := time.LoadLocation("Europe/London")
	require.NoError(t, err)
	at := func(s string) time.Time {
		moment, err := time.ParseInLocation("2006-01-02 15:04", s, london)
		require.NoError(t, err)
		return moment
	}
	h := OpeningHoursOf(`
rules:
  - name: closed
    when:
      any:
        - {field: started_at, operator: outside_hours, value: {days: [mon-fri], from: "09:00", to: "18:00", holidays: ["2026-12-25"]}}
        - {field: direction, operator: is, value: internal}
    action: skip
  - name: saturday
    when: {field: started_at, operator: within_hours, value: {days: [sat], from: "10:00", to: "12:00", time_zone: Europe/Paris}}
    action: sync
otherwise: sync
`)
	require.True(t, h.Named())
	for moment, open := range map[string]bool{
		"2026-11-23 09:00": true, "2026-11-23 08:59": false, "2026-11-27 17:59": true, "2026-11-27 18:00": false,
		"2026-11-28 09:30": true /* 10:30 in Paris */, "2026-11-28 11:30": false, "2026-11-29 12:00": false, "2026-12-25 12:00": false,
		"2026-07-01 09:30": true, // in summer time, too
	} {
		require.Equal(t, open, h.Open(at(moment), london), moment)
	}
	for _, document := range []string{"", "otherwise: sync\nrules: []", "{{{"} {
		none := OpeningHoursOf(document)
		require.False(t, none.Named())
		require.True(t, none.Open(at("2026-11-29 03:00"), london))
	}
}
