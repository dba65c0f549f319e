package admin

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

func TestForecast(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 15, 30, 0, 0, time.UTC)
	hour := func(ago int, deliveries, requests int64) records.HourlyUsage {
		return records.HourlyUsage{Hour: now.Truncate(time.Hour).Add(-time.Duration(ago) * time.Hour), Usage: records.Usage{Deliveries: deliveries, Requests: requests, Cost: requests}}
	}
	daily := connectors.Info{Limits: []connectors.RateLimit{{Budget: 10_000, Daily: true}}}
	flowing := connectors.Info{Limits: []connectors.RateLimit{{Budget: 24_000, Per: 24 * time.Hour}}}
	burst := connectors.Info{Limits: []connectors.RateLimit{{Budget: 100, Per: 10 * time.Second}, {Class: connectors.RateSearch, Budget: 5, Per: time.Second}}}
	busy := []records.HourlyUsage{hour(1, 200, 600), hour(0, 100, 300)} // 600 in the last hour
	text := func(f forecast) string {
		out := ""
		for _, line := range f.Lines {
			out += why{Parts: line}.in(time.UTC, now) + "\n"
		}
		return out
	}
	for name, c := range map[string]struct {
		info  connectors.Info
		conf  map[string]string
		usage records.ConnectionUsage
		says  string
	}{
		"nothing yet":       {daily, nil, records.ConnectionUsage{}, "Nothing was delivered in the last 24 hours.\n"},
		"quiet":             {daily, nil, records.ConnectionUsage{Hours: []records.HourlyUsage{hour(5, 10, 30)}}, "Nothing was delivered in the last hour; in the last 24 hours 30 requests for 10 deliveries.\n"},
		"lasts":             {daily, nil, records.ConnectionUsage{Hours: busy, Levels: []records.BudgetLevel{{Class: "day:", Day: "2026-03-02", Used: 1000}}}, "61 % of the daily limit will be used when it is filled again, at 00:00 on 3 March"},
		"is reached":        {daily, nil, records.ConnectionUsage{Hours: busy, Levels: []records.BudgetLevel{{Class: "day:", Day: "2026-03-02", Used: 9400}}}, "the daily limit is reached at 16:30. From then on calls wait here until it is filled again at 00:00 on 3 March"},
		"used up":           {daily, nil, records.ConnectionUsage{Hours: busy, Levels: []records.BudgetLevel{{Class: "day:", Day: "2026-03-02", Used: 10_200}}}, "The daily limit is used up."},
		"yesterday's":       {daily, nil, records.ConnectionUsage{Hours: busy, Levels: []records.BudgetLevel{{Class: "day:", Day: "2026-03-01", Used: 10_000}}}, "51 % of the daily limit"},
		"its own zone":      {daily, map[string]string{"time_zone": "Asia/Kolkata"}, records.ConnectionUsage{Hours: busy, Levels: []records.BudgetLevel{{Class: "day:", Day: "2026-03-02", Used: 9400}}}, "is reached at 16:30"},
		"flows":             {flowing, nil, records.ConnectionUsage{Hours: busy}, "The rate of the last hour is 80 % of what the limit lets flow for good"},
		"flows over":        {flowing, nil, records.ConnectionUsage{Hours: []records.HourlyUsage{hour(1, 1000, 3000), hour(0, 500, 1500)}, Levels: []records.BudgetLevel{{Ahead: 2000 * 4800 * time.Millisecond}}}, "gone at 17:16"},
		"seconds say least": {burst, nil, records.ConnectionUsage{Hours: busy}, "In the last hour 600 requests for 200 deliveries: 3 for each.\n"},
	} {
		f := forecastOf(c.info, records.Connection{Config: c.conf}, c.usage, now)
		require.Contains(t, text(f), c.says, name)
	}
	f := forecastOf(burst, records.Connection{}, records.ConnectionUsage{Hours: busy}, now)
	require.InDelta(t, 150, f.PerMinute, 1, "75 in 10 seconds flow, 3 for each call")
	require.Equal(t, "at the pace that the CRM’s limits allow that takes about 4 minutes", f.drainWords(500))
	require.Len(t, f.Bars, 24)
	f = forecastOf(connectors.Info{}, records.Connection{}, records.ConnectionUsage{}, now)
	require.Contains(t, f.drainWords(500), "as fast as the CRM answers")
	f = forecastOf(daily, records.Connection{}, records.ConnectionUsage{Levels: []records.BudgetLevel{{Class: "day:", Day: "2026-03-02", Used: 400}}}, now)
	require.EqualValues(t, 9600, f.DayLeft)
}

func TestNumbersInWords(t *testing.T) {
	t.Parallel()
	require.Equal(t, "1,234,567", grouped(1_234_567))
	require.Equal(t, "-1,000", grouped(-1000))
	require.Equal(t, "999", grouped(999))
	require.Equal(t, "a minute", roughly(3*time.Second))
	require.Equal(t, "2 hours", roughly(110*time.Minute))
	require.Equal(t, "3 days", roughly(70*time.Hour))
	require.Equal(t, "7.5", decimal(7.5))
	require.Equal(t, "any 24 hours", windowWords(24*time.Hour))
	require.Equal(t, "12 tokens a minute", flowWords(5*time.Second, "token"))
}
