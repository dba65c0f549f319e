package telephony_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/telephony"
)

// around are samples at a skew, with the delays that reports have.
func around(skew time.Duration, delays ...int64) []int64 {
	if delays == nil {
		delays = []int64{1, 2, 2, 3, 3, 4, 5, 9, 12, 40, 300, 7200}
	}
	var out []int64
	for _, d := range delays {
		out = append(out, int64(skew/time.Second)+d)
	}
	return out
}

func TestCompareClocks(t *testing.T) {
	t.Parallel()
	winter, summer := time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC), time.Date(2026, 7, 15, 0, 0, 0, 0, time.UTC)
	india := []string{"Asia/Kolkata", "UTC"}
	uk := []string{"Europe/London", "UTC"}
	us := []string{"America/New_York", "America/Chicago", "America/Los_Angeles", "America/Denver", "UTC"}
	const h, m = time.Hour, time.Minute
	for name, tc := range map[string]struct {
		samples    []int64
		zone       string
		at         time.Time
		candidates []string
		skew       time.Duration
		suggests   string
	}{
		"right":                            {around(0), "Asia/Kolkata", winter, india, 0, ""},
		"no samples":                       {nil, "UTC", winter, india, 0, ""},
		"too few samples":                  {around(-330*m, 1, 2, 3, 4, 5, 6, 7), "UTC", winter, india, 0, ""},
		"Indian times read as UTC":         {around(-330 * m), "UTC", winter, india, -330 * m, "Asia/Kolkata"},
		"no zone is UTC":                   {around(-330 * m), "", winter, india, -330 * m, "Asia/Kolkata"},
		"UTC read as Indian":               {around(330 * m), "Asia/Kolkata", winter, india, 330 * m, "UTC"},
		"Nepal read as India":              {around(-15 * m), "Asia/Kolkata", winter, []string{"Asia/Kathmandu"}, -15 * m, "Asia/Kathmandu"},
		"Nepal read as UTC, unknown":       {around(-345 * m), "UTC", winter, india, -345 * m, ""},
		"British summer read as UTC":       {around(-h), "UTC", summer, uk, -h, "Europe/London"},
		"UTC read as British summer":       {around(h), "Europe/London", summer, []string{"UTC"}, h, "UTC"},
		"Chicago read as New York":         {around(h), "America/New_York", winter, us, h, "America/Chicago"},
		"Los Angeles read as New York":     {around(3 * h), "America/New_York", summer, us, 3 * h, "America/Los_Angeles"},
		"morning for afternoon":            {around(12 * h), "Asia/Kolkata", winter, india, 12 * h, ""},
		"a clock that is a minute ahead":   {around(-h - m), "UTC", summer, uk, -h, "Europe/London"},
		"reports come three minutes later": {around(-h+3*m, 0, 5, 10, 15, 20, 25, 30, 35), "UTC", summer, uk, -h, "Europe/London"},
		"an hour late, more or less":       {around(h, 0, 200, 400, 600, 800, 1000, 1200, 1400), "UTC", winter, us, 0, ""},
		"hours late":                       {around(0, 60, 3600, 7200, 7300, 9000, 12000, 20000, 40000), "UTC", winter, us, 0, ""},
		"half an hour late from London":    {around(30 * m), "Europe/London", winter, uk, 0, ""},
		"a quarter late from New York":     {around(15 * m), "America/New_York", winter, us, 0, ""},
		"CallRail's twenty minutes":        {around(20 * m), "", winter, us, 0, ""},
		"forty minutes":                    {around(40 * m), "Asia/Kolkata", winter, india, 0, ""},
		"a clock that is five minutes off": {around(-5 * m), "UTC", winter, us, 0, ""},
		"a calendar that is wrong":         {around(72 * h), "UTC", winter, us, 0, ""},
		"a zone nobody knows":              {around(h), "Mars/Olympus", winter, us, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := telephony.CompareClocks(tc.samples, tc.zone, tc.at, tc.candidates)
			require.Equal(t, len(tc.samples), c.Samples)
			require.Equal(t, tc.skew, c.Skew)
			require.Equal(t, tc.suggests, c.Zone)
		})
	}
	c := telephony.CompareClocks([]int64{4, 1, 3, 2, 5}, "UTC", winter, nil)
	require.Equal(t, 3*time.Second, c.Median)
	require.Equal(t, 2*time.Second, c.Spread)
	require.Equal(t, "UTC+05:45", telephony.UTCOffset(telephony.CompareClocks(around(-345*m), "UTC", winter, india).Offset))
	require.Equal(t, "UTC-03:30", telephony.UTCOffset(-210*m))
	require.False(t, telephony.CompareClocks(around(12*h), "Asia/Kolkata", winter, india).Real)
}

func TestTypicalZones(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"Asia/Kolkata", "UTC"}, telephony.TypicalZones(telephony.Info{TimeZone: "Asia/Kolkata"}, "IN"))
	require.Equal(t, []string{"Europe/London", "UTC"}, telephony.TypicalZones(telephony.Info{}, "GB"))
	for _, country := range []string{"", "US", "IN", "NP", "AU", "CA"} {
		for _, zone := range telephony.TypicalZones(telephony.Info{}, country) {
			_, err := time.LoadLocation(zone)
			require.NoError(t, err)
		}
	}
}
