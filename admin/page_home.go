package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/callsync/callsync/records"
)

// homeSpan is a span of time that the home page can tell of.
type homeSpan struct {
	ID, Label string
	Current   bool
	length    time.Duration
}

var homeSpans = []homeSpan{
	{ID: "1h", Label: "Last hour", length: time.Hour}, {ID: "24h", Label: "24 hours", length: 24 * time.Hour},
	{ID: "7d", Label: "7 days", length: 7 * 24 * time.Hour}, {ID: "30d", Label: "30 days", length: 30 * 24 * time.Hour},
}

// homeView is the home page: what came, what became of it, and what waits for a person.
type homeView struct {
	Self    string
	Spans   []homeSpan
	Tiles   []tile
	Chart   chart
	Sources []sourceHealth
	CRMs    []crmHealth
	Holds   []holdCard
	// Alerts are what is wrong.
	Alerts homeAlertsView
	// More are the holds that are not shown.
	More int
	// Steps are the way to the first call, until it is in a CRM or they were put away; Alone tells that there is nothing else
	// to show. Demo tells that there is demo data, Offer that there could be.
	Steps *stepsView
	Alone bool
	Demo  bool
	Offer bool
	// Slow tells that there was too much to count in time.
	Slow bool
}

// tile is one figure. URL leads to what it counts; empty where nothing lists it.
type tile struct{ Label, Value, Note, Tone, URL string }

// sourceHealth is a source on the home page.
type sourceHealth struct {
	ID, Name string
	Calls    int64
	// Unread are requests that were not understood, Refused those that did not carry the source's key.
	Unread, Refused int64
	Last            time.Time
	Loc             *time.Location
}

// crmHealth is a connection on the home page.
type crmHealth struct {
	ID, Name, CRM, Status, Tone    string
	Shadow                         bool
	Synced, Waiting, Held, Skipped int64
}

// homeHolds is how many causes the home page shows.
const homeHolds = 3

func (h *Handler) homePage(w http.ResponseWriter, r *http.Request, p principal) error {
	span := homeSpans[1]
	for _, s := range homeSpans {
		if s.ID == r.URL.Query().Get("span") {
			span = s
		}
	}
	v := homeView{Self: "/?span=" + span.ID}
	for _, s := range homeSpans {
		s.Current = s.ID == span.ID
		v.Spans = append(v.Spans, s)
	}
	k, err := h.kept(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	if v.Alerts, err = h.homeAlerts(r.Context(), p, "/"); err != nil {
		return err
	}
	to := h.Now().UTC()
	stats, err := h.Store.Stats(r.Context(), p.WorkspaceID, to.Add(-span.length), to)
	switch {
	case errors.Is(err, context.DeadlineExceeded) && r.Context().Err() == nil:
		v.Slow = true
	case err != nil:
		return err
	default:
		v.Tiles, v.Chart = tiles(stats), newChart(stats)
	}
	for _, f := range stats.BySource {
		if s, ok := k.sources[f.SourceID]; ok {
			v.Sources = append(v.Sources, sourceHealth{ID: s.ID, Name: s.Name, Calls: f.Calls, Unread: f.Quarantined, Refused: f.Rejected, Last: f.LastReceipt, Loc: location(s)})
		}
	}
	for _, f := range stats.ByConnection {
		if c, ok := k.connection(f.ConnectionID); ok {
			v.CRMs = append(v.CRMs, h.crmHealth(c, f))
		}
	}
	if v.Holds, err = h.holdCards(r.Context(), p, k); err != nil {
		return err
	}
	if len(v.Holds) > homeHolds {
		v.More, v.Holds = len(v.Holds)-homeHolds, v.Holds[:homeHolds]
	}
	if err := h.firstRun(r, p, k, stats, &v); err != nil {
		return err
	}
	return h.show(w, r, p, "home", "Home", "home", v)
}

func tiles(s records.Stats) []tile {
	retrying := ""
	if s.Retrying > 0 {
		retrying = fmt.Sprintf("%d tried again", s.Retrying)
	}
	out := []tile{
		{"Calls", count(s.Calls), others(s), "", "/calls"},
		{"Synced", count(s.ByState[records.CallSynced]), share(s.ByState[records.CallSynced], s.Calls), "done", "/calls?state=" + records.CallSynced},
		{"Waiting", count(s.ByState[records.CallWaiting]), retrying, "wait", "/calls?state=" + records.CallWaiting},
		{"On hold", count(s.ByState[records.CallOnHold]), "", "trouble", "/calls?state=" + records.CallOnHold},
		{"Skipped", count(s.ByState[records.CallSkipped]), "", "idle", "/calls?state=" + records.CallSkipped},
	}
	if n := s.ByState[records.CallLive]; n > 0 {
		out = append(out, tile{"Live", count(n), "", "live", "/live"})
	}
	if s.SecondsToCRM.P50 != nil && s.SecondsToCRM.P95 != nil {
		out = append(out, tile{"Time to CRM", wait(*s.SecondsToCRM.P50), "median; 95% within " + wait(*s.SecondsToCRM.P95), "", ""})
	}
	for _, bad := range []struct{ state, label string }{{records.ReceiptQuarantined, "Not understood"}, {records.ReceiptRejected, "Refused"}} {
		if n := s.ByReceipt[bad.state]; n > 0 {
			out = append(out, tile{bad.label, count(n), "requests of phone systems", "trouble", "/receipts?state=" + bad.state})
		}
	}
	return out
}

// others says what came besides calls.
func others(s records.Stats) string {
	switch {
	case s.Messages > 0 && s.Forms > 0:
		return fmt.Sprintf("and %s, %s", plural(int(s.Messages), "text message"), plural(int(s.Forms), "form"))
	case s.Messages > 0:
		return "and " + plural(int(s.Messages), "text message")
	case s.Forms > 0:
		return "and " + plural(int(s.Forms), "form")
	}
	return ""
}

// count groups the digits of large numbers, with a space that does not break.
func count(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

func share(part, of int64) string {
	if of == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f%%", 100*float64(part)/float64(of))
}

// wait is a time in a word or two: nobody reads seconds of hours.
func wait(seconds float64) string {
	d := time.Duration(max(seconds, 0) * float64(time.Second))
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0f h", d.Hours())
	}
	return fmt.Sprintf("%.0f days", d.Hours()/24)
}

func (h *Handler) crmHealth(c records.Connection, f records.ConnectionFlow) crmHealth {
	v := crmHealth{ID: c.ID, Name: c.Name, CRM: h.crm(c), Status: title(c.Status), Tone: statusTone(c.Status), Shadow: c.Mode == "shadow",
		Synced: f.ByState[records.DeliveryDone], Held: f.ByState[records.DeliveryParked], Skipped: f.ByState[records.DeliverySkipped]}
	for state, n := range f.ByState {
		if state != records.DeliveryDone && state != records.DeliveryParked && state != records.DeliverySkipped {
			v.Waiting += n
		}
	}
	return v
}

// chart is the trend as stacked bars, in units of its own.
type chart struct {
	Bars          []bar
	Width, Height int
	Step          string
	Most          int64
	Legend        []stackPart
	Ticks         []tick
}

// tick is a moment below the chart, which stands for it and the bars that follow.
type tick struct {
	At   time.Time
	Bars int
}

// bar is one step of the trend.
type bar struct {
	At    time.Time
	X     int
	Parts []stackPart
	// Title is what it says in words.
	Title string
	Total int64
}

// stackPart is one state of a bar, from the top of the chart down.
type stackPart struct {
	Label, Tone string
	Count       int64
	Y, Height   float64
}

const (
	barWidth    = 10
	chartHeight = 100
)

// newChart stacks what was synced lowest, and trouble on top, where it is seen.
func newChart(s records.Stats) chart {
	stack := []string{records.CallSynced, records.CallSkipped, records.CallLive, records.CallWaiting, records.CallOnHold}
	c := chart{Width: barWidth * len(s.Trend), Height: chartHeight, Step: everyStep(s.StepSeconds)}
	sums := map[string]int64{}
	for _, step := range s.Trend {
		var sum int64
		for state, n := range step.ByState {
			sum += n
			sums[state] += n
		}
		c.Most = max(c.Most, sum)
	}
	for _, state := range stack {
		if sums[state] > 0 {
			label, tone := stateChip(state)
			c.Legend = append(c.Legend, stackPart{Label: label, Tone: tone, Count: sums[state]})
		}
	}
	// Some five moments, or each of a few bars. The last one is left without if too little follows it.
	every := 1
	if len(s.Trend) > 8 {
		every = (len(s.Trend) + 4) / 5
	}
	for i, step := range s.Trend {
		b := bar{At: step.At, X: i * barWidth}
		top := float64(chartHeight)
		for _, state := range stack {
			n := step.ByState[state]
			if n == 0 {
				continue
			}
			label, tone := stateChip(state)
			height := float64(n) * chartHeight / float64(c.Most)
			top -= height
			b.Total += n
			b.Parts = append(b.Parts, stackPart{Label: label, Tone: tone, Count: n, Y: top, Height: height})
			b.Title += fmt.Sprintf(", %s %s", count(n), label)
		}
		b.Title = plural(int(b.Total), "call") + b.Title
		if i%every == 0 {
			c.Ticks = append(c.Ticks, tick{At: step.At})
		}
		c.Ticks[len(c.Ticks)-1].Bars++
		c.Bars = append(c.Bars, b)
	}
	if last := len(c.Ticks) - 1; last > 0 && c.Ticks[last].Bars < every {
		c.Ticks[last].At = time.Time{}
	}
	return c
}

func everyStep(seconds int64) string {
	switch seconds {
	case 300:
		return "5 minutes"
	case 3600:
		return "hour"
	case 86_400:
		return "day (UTC)"
	}
	return cmp.Or(wait(float64(seconds)), "step")
}
