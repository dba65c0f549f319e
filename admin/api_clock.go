package admin

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
)

// ClockStore knows how the clocks of sources compare with ours.
type ClockStore interface {
	// SourceClocks returns the clock samples of a workspace's sources by the source's id.
	SourceClocks(ctx context.Context, workspaceID string) (map[string]records.ClockSamples, error)
}

// ClockView is how the clock of a source compares with callsync's, by its latest calls.
type ClockView struct {
	Samples       int   `json:"samples" doc:"How many calls were compared, 50 at most."`
	MedianSeconds int64 `json:"median_seconds" doc:"How long before callsync was told calls seem to have ended; negative: after."`
	SpreadSeconds int64 `json:"spread_seconds" doc:"The range of the middle half of the calls."`
	// Warning is a sentence that says what is wrong and what to change.
	Warning           string `json:"warning,omitempty" doc:"What looks wrong with the source's time zone, and what to do."`
	SuggestedTimeZone string `json:"suggested_time_zone,omitempty" doc:"The time zone that would be right, if one is known that fits."`
}

// addClocks tells, of each source that has had calls, how its clock compares.
func (h *Handler) addClocks(ctx context.Context, workspaceID string, sources []records.Source, views []SourceView) error {
	samples, err := h.Store.SourceClocks(ctx, workspaceID)
	if err != nil {
		return err
	}
	for i, s := range sources {
		views[i].Clock = h.clockView(s, samples)
	}
	return nil
}

// clockView is nil for a source of which nothing is known.
func (h *Handler) clockView(s records.Source, samples map[string]records.ClockSamples) *ClockView {
	k, ok := samples[s.ID]
	if !ok || len(k.Seconds) == 0 {
		return nil
	}
	c := telephony.ClockOf(h.Providers, s, k)
	return &ClockView{Samples: c.Samples, MedianSeconds: seconds(c.Median), SpreadSeconds: seconds(c.Spread),
		Warning: clockWarning(c, s, h.zoneOf(s)), SuggestedTimeZone: c.Zone}
}

// zoneOf is the zone in which the times of a source are read.
func (h *Handler) zoneOf(s records.Source) string {
	if p, ok := h.Providers[s.Provider]; ok {
		return telephony.SettingsOf(p.Info(), s, nil).Location.String()
	}
	return cmp.Or(s.TimeZone, "UTC")
}

// clockWarning says what to change, and what happens until then: a window that is counted from an end hours ago is over
// before it begins.
func clockWarning(c telephony.Clock, s records.Source, zone string) string {
	if c.Skew == 0 {
		return ""
	}
	var b strings.Builder
	when := "before"
	if c.Skew < 0 {
		when = "after"
	}
	fmt.Fprintf(&b, "Calls of this source seem to end %s %s they are received: ", telephony.SkewText(c.Skew.Abs()), when)
	is := "it is " + zone
	if s.TimeZone == "" {
		is = "it is not set, which means " + zone
	}
	switch {
	case c.Zone != "":
		fmt.Fprintf(&b, "the time zone should probably be %s, %s.", c.Zone, is)
	case c.Real:
		fmt.Fprintf(&b, "the phone system’s clock is probably at %s, and its time zone should be set here; %s.", telephony.UTCOffset(c.Offset), is)
	default:
		b.WriteString("the phone system’s clock or its time zone is probably wrong.")
	}
	if c.Skew > 0 && c.Skew >= s.Window && s.Window > 0 {
		b.WriteString(" Until this is right, calls do not wait for their recordings, and the CRMs show wrong times.")
	} else {
		b.WriteString(" Until this is right, the CRMs show wrong times.")
	}
	return b.String()
}
