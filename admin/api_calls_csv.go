package admin

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/internal/csvsafe"
	"github.com/callsync/callsync/records"
)

const (
	// exportPage is how many calls an export reads at once; it holds no more than these.
	exportPage = 500
	// exportsAtOnce bounds the exports of a process, exportTime one of them.
	exportsAtOnce = 4
	exportTime    = 30 * time.Minute
)

// exportIn is what an export of calls is asked for.
type exportIn struct {
	CallQuery
	Zone string `query:"zone" maxLength:"64" default:"UTC" doc:"The time zone in which times are written, an IANA name such as Europe/Berlin."`
}

// exportURL is the export of what a list shows.
func exportURL(f callsFilter, k kept) string {
	v := url.Values{}
	q := f.query()
	for name, value := range map[string]string{"q": q.Query, "state": q.State, "source": known(q.Source), "connection": known(q.Connection), "lane": q.Lane, "direction": q.Direction,
		"status": q.Status, "recording": q.Recording, "transcription": q.Transcription, "disposition": q.Disposition} {
		if value != "" {
			v.Set(name, value)
		}
	}
	for name, at := range map[string]time.Time{"from": q.From, "to": q.To} {
		if !at.IsZero() {
			v.Set(name, at.UTC().Format(time.RFC3339))
		}
	}
	// Times as the phone system has them, if there is one zone: the reader's is not known here.
	zones := map[string]bool{}
	for _, s := range k.sources {
		zones[location(s).String()] = true
	}
	for zone := range zones {
		if len(zones) == 1 {
			v.Set("zone", zone)
		}
	}
	if len(v) == 0 {
		return apiPrefix + "/calls.csv"
	}
	return apiPrefix + "/calls.csv?" + v.Encode()
}

func (h *Handler) registerCallExport() {
	op := get("/calls.csv", "All calls that a filter chooses, newest first, for a spreadsheet", "Calls")
	op.Responses = map[string]*huma.Response{"200": {Description: "Comma-separated values with a line of names. What would be a formula is text.",
		Content: map[string]*huma.MediaType{"text/csv": {Schema: &huma.Schema{Type: huma.TypeString}}}}}
	handle(h, viewer, op, h.exportCalls)
}

func (h *Handler) exportCalls(_ context.Context, p principal, in *exportIn) (*huma.StreamResponse, error) {
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(in.Zone)
	if err != nil || in.Zone == "Local" {
		return nil, invalid("zone", "This is no time zone. Give one such as Europe/Berlin.")
	}
	select {
	case h.exports <- struct{}{}:
	default:
		return nil, problem(http.StatusTooManyRequests, "Other exports are under way. Please try again in a minute.")
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		defer func() { <-h.exports }()
		c.SetHeader("Content-Type", "text/csv; charset=utf-8")
		c.SetHeader("Content-Disposition", `attachment; filename="callsync-calls-`+h.Now().In(zone).Format(time.DateOnly)+`.csv"`)
		if err := h.writeCalls(c, p, f, zone); err != nil {
			// The answer has begun: all that is left is to break it off, so that nobody takes a part for the whole.
			h.Log.WarnContext(c.Context(), "an export of calls broke off", "workspace", p.WorkspaceID, "err", err)
			panic(http.ErrAbortHandler)
		}
	}}, nil
}

var exportColumns = []string{"id", "started_at", "ended_at", "time_zone", "direction", "status", "customer_name", "customer_company", "customer_number", "customer_email",
	"business_number", "agents", "duration_seconds", "ring_seconds", "talk_seconds", "hold_seconds", "source", "phone_system", "phone_system_call_id", "queue", "department",
	"campaign", "recording", "transcription", "disposition", "disposition_value", "tags", "note", "state"}

// writeCalls writes the calls that f chooses, page by page, so that it holds few of them however many they are.
func (h *Handler) writeCalls(c huma.Context, p principal, f records.CallFilter, zone *time.Location) error {
	ctx := c.Context()
	k, err := h.kept(ctx, p.WorkspaceID)
	if err != nil {
		return err
	}
	w, err := csvsafe.NewWriter(c.BodyWriter())
	if err != nil {
		return err
	}
	head := exportColumns
	for _, conn := range k.connections {
		head = append(head[:len(head):len(head)], conn.Name+": state", conn.Name+": link", conn.Name+": reason")
	}
	if err := w.Write(head...); err != nil {
		return err
	}
	f.Limit = exportPage
	for end := h.Now().Add(exportTime); ; {
		page, err := h.Store.SearchCalls(ctx, p.WorkspaceID, f)
		if err != nil {
			return err
		}
		for _, item := range page.Items {
			if err := w.Write(h.exportRow(item, k, zone)...); err != nil {
				return err
			}
		}
		if err := w.Flush(); err != nil {
			return err
		}
		if page.Next.Start() {
			return nil
		}
		if h.Now().After(end) {
			return fmt.Errorf("it took longer than %s", exportTime)
		}
		f.Before = page.Next
	}
}

func (h *Handler) exportRow(item records.CallItem, k kept, zone *time.Location) []string {
	c := item.Call
	source := k.sources[c.SourceID]
	at := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.In(zone).Format("2006-01-02 15:04:05")
	}
	seconds := func(n *int64) string {
		if n == nil {
			return ""
		}
		return strconv.FormatInt(*n, 10)
	}
	artifacts := h.artifacts(item.CallRow, source)
	var agents []string
	for _, a := range c.Agents {
		agents = append(agents, cmp.Or(a.Name, a.Email, a.Number, a.Extension, a.ID))
	}
	row := []string{c.ID, at(item.ListedAt), at(c.EndedAt), zone.String(), string(orUnknown(c.Direction)), string(orUnknown(c.Status)), c.Customer.Name, c.Customer.Company,
		cmp.Or(c.Customer.Number, c.Customer.RawNumber), c.Customer.Email, cmp.Or(c.BusinessNumber, c.BusinessRawNumber), strings.Join(agents, ", "),
		seconds(cmp.Or(c.DurationSeconds, c.TalkSeconds)), seconds(c.RingSeconds), seconds(c.TalkSeconds), seconds(c.HoldSeconds), cmp.Or(source.Name, c.Provider), c.Provider,
		c.ProviderID, c.Queue, c.Department, cmp.Or(c.Campaign.Name, c.Campaign.ID), string(artifacts[call.ArtifactRecording].State), string(artifacts[call.ArtifactTranscription].State),
		string(artifacts[call.ArtifactDisposition].State), strings.Trim(c.Disposition.Value+" / "+c.Disposition.SubValue, " /"), strings.Join(c.Tags, ", "), c.Note, item.State}
	for _, conn := range k.connections {
		state, link, reason := "", "", ""
		for _, d := range item.Deliveries {
			if d.ConnectionID == conn.ID {
				state, link, reason = uiState(d.State), webURL(d.RemoteURL), d.Reason
			}
		}
		row = append(row, state, link, reason)
	}
	return row
}
