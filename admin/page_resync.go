package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// resyncPage is the page of one resync.
type resyncPage struct {
	resyncCard
	Places []resyncPlace
	// Uncounted tells that there was no time to count by connection.
	Uncounted bool
	// Pace is how many calls a minute come to an end; zero where nobody can say.
	Pace    float64
	Percent int
	Sample  []resyncSample
	// Samples tells that a sample can be asked for, Asked that it was.
	Samples, Asked bool
	SampleWrong    string
}

// resyncPlace is what a resync means for one connection.
type resyncPlace struct {
	records.ResyncPlace
	Name string
	// Says are sentences: how long it takes, and how much of the CRM's limits.
	Says []string
}

// resyncSample is what the delivery of one of the calls would change in one CRM.
type resyncSample struct {
	CallID, Who, Connection, State string
	At                             time.Time
	Loc                            *time.Location
	Lines                          []sampleLine
	// Same tells that nothing would change; Wrong says why it cannot be told.
	Same  bool
	Wrong string
}

type sampleLine struct{ Field, Was, Becomes string }

// Bounds of a sample: calls in each connection, connections, fields of each call.
const (
	sampleCalls       = 4
	sampleConnections = 3
	sampleFields      = 20
)

func (h *Handler) resyncPage(w http.ResponseWriter, r *http.Request, p principal) error {
	one, err := h.Store.ResyncByID(r.Context(), p.WorkspaceID, r.PathValue("id"))
	if err != nil {
		return err
	}
	k, err := h.kept(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	v := resyncPage{resyncCard: h.resyncCard(one, k)}
	if one.Recent > 0 {
		over := min(recentSpan, max(h.Now().Sub(one.StartedAt), time.Second))
		v.Pace = float64(one.Recent) / over.Minutes()
	}
	v.Percent = percent(v.Settled, v.Total)
	counted := one.DryRun && one.State == records.ResyncDone
	// What only follows the progress is not counted again every few seconds.
	follows := r.Header.Get("HX-Request") != "" && !counted
	if counted || !follows && one.State == records.ResyncRunning || !follows && one.State == records.ResyncPaused {
		if err := h.resyncPlaces(r.Context(), p, one, k, &v); err != nil {
			return err
		}
	}
	v.Samples = counted && one.Total > 0 && p.may(operator) && h.Previewer != nil
	if v.Samples && r.URL.Query().Get("sample") == "1" {
		v.Asked = true
		if err := h.resyncSample(r.Context(), p, one, k, &v); err != nil {
			return err
		}
	}
	return h.show(w, r, p, "resync", "Resync", "calls", v)
}

// resyncPlaces says what the resync means for each connection: how many calls, how long it takes, what it uses up.
func (h *Handler) resyncPlaces(ctx context.Context, p principal, r records.Resync, k kept, v *resyncPage) error {
	places, err := h.Store.ResyncPlaces(ctx, r)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		v.Uncounted = true
		return nil
	}
	if err != nil {
		return err
	}
	for _, place := range places {
		c, ok := k.connection(place.ConnectionID)
		if !ok {
			continue
		}
		u, err := h.Store.ConnectionUsage(ctx, p.WorkspaceID, c.ID)
		if err != nil {
			return err
		}
		calls := place.Calls
		if r.Total > 0 && !r.DryRun {
			calls = calls * r.Left() / r.Total
		}
		says := h.resyncCost(c, forecastOf(h.info(c), c, u, h.Now()), place, calls)
		v.Places = append(v.Places, resyncPlace{place, c.Name, says})
	}
	return nil
}

// resyncCost says how long so many calls take in a connection, and how much of the CRM's daily limit.
func (h *Handler) resyncCost(c records.Connection, f forecast, place records.ResyncPlace, calls int64) []string {
	var out []string
	switch {
	case c.Status == records.ConnectionPaused:
		out = append(out, "This connection is paused: the calls are kept on hold until it is resumed.")
	case c.Status == records.ConnectionRevoked:
		out = append(out, "This connection has lost its access: the calls are kept on hold until it is connected again.")
	case c.Mode == "shadow":
		out = append(out, "This connection is in shadow mode: nothing is written.")
	}
	if calls == 0 {
		return out
	}
	measured := f.CostPerCall
	if measured <= 0 {
		measured = usualRequests
	}
	before := measured
	if before < 1 {
		// It was measured while calls shared requests.
		before = usualRequests
	}
	creates, changes := h.shares(c.Connector)
	each := resyncEach(place, before, creates, changes)
	if words := sharedWords(calls, each, before); words != "" {
		out = append(out, words)
	}
	f.PerMinute *= measured / each
	if takes := f.Takes(calls); takes > 0 {
		out = append(out, fmt.Sprintf("The limits allow about %s calls a minute: at least %s.", decimal(f.PerMinute), roughly(takes)))
	}
	if f.DayLeft < 0 {
		return out
	}
	need := int64(each * float64(calls))
	may := max(0, int64(float64(f.DayMost)*connectors.BackfillShare)-(f.DayMost-f.DayLeft))
	part := fmt.Sprintf("%d %%", percent(need, f.DayMost))
	if percent(need, f.DayMost) == 0 {
		part = "less than 1 %"
	}
	text := fmt.Sprintf("At most about %s, %s of the daily limit.", numbered(need, f.DayUnit), part)
	if need > may {
		days := 1 + (need-may+int64(float64(f.DayMost)*connectors.BackfillShare)-1)/max(1, int64(float64(f.DayMost)*connectors.BackfillShare))
		text += fmt.Sprintf(" Backfill may use half of it a day, of which %s are left today: if every call has to be written, it takes %s.", grouped(may), plural(int(days), "day"))
	}
	return append(out, text)
}

// resyncSample makes of some of the calls what their delivery would write, and compares it with what is there.
func (h *Handler) resyncSample(ctx context.Context, p principal, r records.Resync, k kept, v *resyncPage) error {
	ids, err := h.Store.ResyncSample(ctx, p.WorkspaceID, r.ID, sampleCalls)
	if err != nil {
		return err
	}
	asked := 0
	for _, place := range v.Places {
		c, ok := k.connection(place.ConnectionID)
		if !ok || place.Calls == 0 || asked == sampleConnections {
			continue
		}
		asked++
		active, doc, err := h.activeDocument(ctx, p, c.ID, connectors.ObjectCall)
		if err != nil || active.Version == 0 {
			if err != nil {
				return err
			}
			continue // it gets each call as it is
		}
		out, err := h.previewMapping(ctx, p, previewAsk{connection: c.ID, object: connectors.ObjectCall, active: active, before: doc, after: doc, ids: ids, size: previewSize})
		if wrong := (*Problem)(nil); errors.As(err, &wrong) {
			v.SampleWrong = wrong.Detail
			continue
		}
		if err != nil {
			return err
		}
		for _, item := range out.Items {
			v.Sample = append(v.Sample, sampleOf(item, c))
		}
	}
	return nil
}

// sampleValue is a value of a CRM's field for people, a moment as what was written is kept.
func sampleValue(v any) string {
	if at, ok := v.(time.Time); ok {
		return at.UTC().Format(time.RFC3339Nano)
	}
	return plainValue(v)
}

func sampleOf(item PreviewedCall, c records.Connection) resyncSample {
	s := resyncSample{CallID: item.ID, Who: visible(clip(cmp.Or(item.Customer, unknownCaller), 80)), Connection: c.Name, At: item.StartedAt, Loc: item.at,
		Wrong: visible(clip(item.After.Error, 300))}
	s.State = "New in the CRM"
	present := item.URL != "" || item.State == records.DeliveryDone
	if present {
		s.State = "In the CRM"
	}
	for _, f := range item.Fields {
		if f.After == nil || f.After.Skipped != "" || f.After.Result == nil && !(f.After.Clears && present) {
			continue
		}
		was := f.Written
		if f.Read {
			was = f.Now
		}
		line := sampleLine{Field: visible(clip(f.Target, 100)), Was: sampleValue(was), Becomes: sampleValue(f.After.Result)}
		if present && line.Was == line.Becomes || len(s.Lines) == sampleFields {
			continue
		}
		if was == nil {
			line.Was = ""
		}
		s.Lines = append(s.Lines, line)
	}
	s.Same = len(s.Lines) == 0 && s.Wrong == "" && !item.Short
	return s
}
