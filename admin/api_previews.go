package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// Previewer gathers what deliveries would give to mappings, and what is in the CRM, without writing anything. It yields the
// records of the query in their order and leaves out those that are not there.
type Previewer interface {
	Preview(ctx context.Context, q records.PreviewQuery, yield func(records.Previewed, mappings.Input, mappings.Update) error) error
}

// Bounds of one preview.
const (
	previewCalls = 20
	previewMost  = 200
	previewReads = 10
	previewTime  = 15 * time.Second
	// liveMost is about how many of the latest calls may be going on still.
	liveMost = 50
	// previewSize is about how many bytes of values are told; calls after that are only counted.
	previewSize = 4 << 20
	// previewsAtOnce bounds the previews of one process: each may keep a processor busy for its whole time.
	previewsAtOnce = 4
)

// MappingPreview is what a mapping makes of calls, beside what the one in force makes of them.
type MappingPreview struct {
	Sentence string `json:"sentence" doc:"This change would alter 3 of 20 calls."`
	Total    int    `json:"total"`
	Altered  int    `json:"altered" doc:"Calls into whose record other fields or values would be written."`
	Rewrites int    `json:"rewrites" doc:"Records that are in the CRM and into which their next delivery would write something else than by the version in force."`
	Failing  int    `json:"failing" doc:"Calls for which the document does not work."`
	Repaired int    `json:"repaired" doc:"Calls for which it works, and the one in force does not."`
	LeftOut  int    `json:"left_out,omitempty" doc:"Calls for which there was no time."`
	// Changes are those from the version in force to the document.
	Changes []mappings.Change `json:"changes"`
	Version int               `json:"version" doc:"The version in force; 0 where there is none."`
	Items   []PreviewedCall   `json:"items"`
}

// PreviewedCall is one call, message or form of a preview.
type PreviewedCall struct {
	ID        string         `json:"id"`
	StartedAt time.Time      `json:"started_at,omitzero"`
	Customer  string         `json:"customer,omitempty"`
	Direction call.Direction `json:"direction,omitempty"`
	Status    call.Status    `json:"status,omitempty"`
	Altered   bool           `json:"altered"`
	Before    PreviewedSide  `json:"before" doc:"By the version in force."`
	After     PreviewedSide  `json:"after" doc:"By the document."`
	// Fields explain the payloads; absent where the preview grew too large.
	Fields []PreviewedField `json:"fields,omitempty"`
	// State, Version and URL are those of what was delivered so far.
	State   string   `json:"state,omitempty"`
	Version int      `json:"delivered_version,omitempty" doc:"The version of the mapping by which the record was written last."`
	URL     string   `json:"remote_url,omitempty"`
	NotRead string   `json:"not_read,omitempty" doc:"Why the fields do not tell what is in the CRM now."`
	Notes   []string `json:"notes,omitempty"`
	Short   bool     `json:"short,omitempty" doc:"True where the values were left out because the preview grew too large."`

	at *time.Location
	// labels are those of the CRM's fields; nil where nobody sees them.
	labels func(name string) string
}

// PreviewedSide is the payload of one of the two documents.
type PreviewedSide struct {
	// Payload is what the record would say if it were made now; null where the mapping does not work for this call, or there is none.
	Payload  map[string]any     `json:"payload"`
	Error    string             `json:"error,omitempty"`
	Warnings []mappings.Warning `json:"warnings,omitempty"`
	Sends    map[string]any     `json:"sends" doc:"What the next delivery would send: into a record that is there what is still callsync's to change, and has changed."`
}

// PreviewedField is one field of the CRM.
type PreviewedField struct {
	Target string                   `json:"target"`
	Kind   string                   `json:"kind" enum:"same,added,removed,changed"`
	Before *mappings.RowExplanation `json:"before,omitempty"`
	After  *mappings.RowExplanation `json:"after,omitempty"`
	// Written is what the last delivery wrote; Read tells that Now is what the CRM has.
	Written any  `json:"written,omitempty"`
	Now     any  `json:"now,omitempty"`
	Read    bool `json:"read,omitempty" doc:"Whether now is known: null is an empty field then."`
	// Outcome is what the next delivery would do with the field by the document, and Was by the version in force.
	Outcome mappings.Outcome `json:"outcome,omitempty" enum:"written,cleared,filled,appended,kept,left,unchanged,never,skipped,failed" doc:"What the next delivery would do with it. Kept: somebody's edit stays. Left: it is filled, and the row fills empty fields only. Where read is false, for a record that is there, nobody is assumed to have edited it."`
	Was     mappings.Outcome `json:"was,omitempty" enum:"written,cleared,filled,appended,kept,left,unchanged,never,skipped,failed" doc:"The same by the version in force."`
	Cause   string           `json:"cause,omitempty" enum:"edited,cleared,removed,filled,full" doc:"Why somebody's edit is kept."`
}

type previewPost struct {
	PathObject
	Body struct {
		Document MappingText `json:"document,omitzero" required:"false"`
		CallIDs  []string    `json:"call_ids,omitempty" maxItems:"200" doc:"Ids of calls; of messages or forms for their mappings."`
		Last     int         `json:"last,omitempty" minimum:"1" maximum:"200" doc:"As many of the latest calls, without call_ids; 20 unless said otherwise."`
	}
}

func (h *Handler) registerPreviews() {
	op := post("/connections/{id}/mappings/{object}/preview", "What a document would write for calls, beside the one in force", "Mappings")
	op.MaxBodyBytes = 1 << 20
	handle(h, operator, op, h.previewPost)
}

var _ huma.SchemaProvider = MappingText{}

func (h *Handler) previewPost(ctx context.Context, p principal, in *previewPost) (*answer[MappingPreview], error) {
	q := previewAsk{connection: in.ID, object: in.Object, last: in.Body.Last, ids: in.Body.CallIDs, size: previewSize}
	for _, id := range q.ids {
		if !validID(id) {
			return nil, invalid("call_ids", "One of these is no id.")
		}
	}
	if _, err := h.Store.ConnectionByID(ctx, p.WorkspaceID, in.ID); err != nil {
		return nil, err
	}
	active, present, err := h.activeDocument(ctx, p, in.ID, in.Object)
	if err != nil {
		return nil, err
	}
	q.active, q.before = active, present
	q.after = present
	if in.Body.Document.Text != "" {
		if q.after, err = readMapping(in.Body.Document.Text, in.Object); err != nil {
			return nil, mappingProblem(err)
		}
	} else if active.Version == 0 {
		return nil, notFound()
	}
	out, err := h.previewMapping(ctx, p, q)
	return &answer[MappingPreview]{out}, err
}

// previewAsk is what a preview is asked for.
type previewAsk struct {
	connection, object string
	active             records.MappingVersion
	before, after      mappings.Document
	ids                []string
	// find chooses calls as the list of calls does.
	find string
	last int
	size int
}

// previewMapping compares the two documents on real calls.
func (h *Handler) previewMapping(ctx context.Context, p principal, q previewAsk) (MappingPreview, error) {
	out := MappingPreview{Items: []PreviewedCall{}, Changes: mappings.Diff(q.before, q.after), Version: q.active.Version}
	if h.Previewer == nil {
		return out, problem(503, "This process makes no previews.")
	}
	select {
	case h.previews <- struct{}{}:
		defer func() { <-h.previews }()
	default:
		return out, problem(503, "Several previews are being made right now. Please try again in some seconds.")
	}
	var before *mappings.Program
	if q.active.Version > 0 {
		// A version that an older callsync took and this one does not is as good as none.
		before, _ = mappings.Compile(q.before)
	}
	after, err := mappings.Compile(q.after)
	if err != nil {
		return out, mappingProblem(err)
	}
	kind := kindOf(q.object)
	zones, err := h.previewRecords(ctx, p, &q, kind)
	if err != nil {
		return out, err
	}
	ctx, cancel := context.WithTimeout(ctx, previewTime)
	defer cancel()
	targets := after.Targets()
	if before != nil {
		for _, t := range before.Targets() {
			if !slices.Contains(targets, t) {
				targets = append(targets, t)
			}
		}
	}
	asked := records.PreviewQuery{WorkspaceID: p.WorkspaceID, ConnectionID: q.connection, Object: q.object, Kind: kind, IDs: q.ids, Read: targets, Reads: previewReads}
	size := 0
	err = h.Previewer.Preview(ctx, asked, func(facts records.Previewed, in mappings.Input, u mappings.Update) error {
		c := mappings.Compare(before, after, in, u, facts.Now)
		item := previewOf(facts, in, c, zones)
		if size += sizeOf(c); size > q.size {
			item.Short, item.Fields, item.Before.Payload, item.After.Payload = true, nil, nil, nil
			item.Before.Sends, item.After.Sends = nil, nil
		}
		if u.Exists && c.After.Error == "" && !mappings.SameValue(c.Before.Sends, c.After.Sends) {
			out.Rewrites++
		}
		out.add(item)
		return ctx.Err()
	})
	if err != nil && !(errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil) {
		return out, err
	}
	if err != nil {
		out.LeftOut = len(q.ids) - out.Total
	}
	out.Sentence = out.sentence(kind)
	return out, nil
}

// kindOf is what records a mapping of an object is applied to.
func kindOf(object string) string {
	switch object {
	case connectors.ObjectMessage, connectors.ObjectForm, records.FollowUpTask, records.FollowUpTicket, records.FollowUpDeal:
		return object
	}
	return connectors.ObjectCall
}

// previewRecords finds the latest records of the connection's sources where none were chosen, and tells the sources' zones.
func (h *Handler) previewRecords(ctx context.Context, p principal, q *previewAsk, kind string) (map[string]*time.Location, error) {
	o, err := h.ruled(ctx, p, records.RulesOfConnection, q.connection)
	if err != nil {
		return nil, err
	}
	bySource, zones := map[string]records.Source{}, map[string]*time.Location{}
	for _, s := range o.sources {
		bySource[s.ID], zones[s.ID] = s, location(s)
	}
	if len(q.ids) > 0 {
		return zones, nil
	}
	last := min(cmp.Or(q.last, previewCalls), previewMost)
	add := func(sourceID, id string) {
		if _, ours := bySource[sourceID]; ours && len(q.ids) < last {
			q.ids = append(q.ids, id)
		}
	}
	switch kind {
	case connectors.ObjectMessage:
		rows, err := h.Store.MessagesPage(ctx, p.WorkspaceID, records.RecordFilter{Limit: maxLimit})
		for _, r := range rows {
			add(r.SourceID, r.Message.ID)
		}
		return zones, err
	case connectors.ObjectForm:
		rows, err := h.Store.FormsPage(ctx, p.WorkspaceID, records.RecordFilter{Limit: maxLimit})
		for _, r := range rows {
			add(r.SourceID, r.Form.ID)
		}
		return zones, err
	case records.FollowUpTask, records.FollowUpTicket, records.FollowUpDeal:
		rows, err := h.Store.FollowUps(ctx, p.WorkspaceID, records.FollowUpFilter{ConnectionID: q.connection, Kind: kind, Limit: last})
		for _, r := range rows {
			q.ids = append(q.ids, r.ID)
		}
		return zones, err
	}
	if q.find != "" {
		return zones, h.foundCalls(ctx, p, q.find, last, add)
	}
	// Of the latest some may be live.
	rows, err := h.lastCalls(ctx, p.WorkspaceID, o, bySource, last+liveMost)
	for _, r := range rows {
		if r.Call.Phase != call.Live { // it is not written before it ends
			add(r.Call.SourceID, r.Call.ID)
		}
	}
	return zones, err
}

// uuids finds ids in what people paste: ids, or links to calls.
var uuids = regexp.MustCompile(`[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`)

// foundCalls adds the calls that somebody looks for: by ids or links, else as the list of calls finds them.
func (h *Handler) foundCalls(ctx context.Context, p principal, find string, most int, add func(sourceID, id string)) error {
	queries := uuids.FindAllString(find, most)
	limit := 1
	if len(queries) == 0 {
		queries, limit = []string{clip(find, 200)}, min(most, maxLimit)
	}
	for _, query := range queries {
		rows, err := h.Store.CallsPage(ctx, p.WorkspaceID, records.CallFilter{Query: query, Limit: limit})
		if err != nil {
			return err
		}
		for _, r := range rows {
			if r.Call.Phase != call.Live {
				add(r.Call.SourceID, r.Call.ID)
			}
		}
	}
	return nil
}

// When is the call's time in the zone of its source.
func (c PreviewedCall) When() string {
	if c.StartedAt.IsZero() {
		return "at an unknown time"
	}
	at := c.StartedAt
	if c.at != nil {
		at = at.In(c.at)
	}
	return at.Format("2 Jan 15:04")
}

// Label is a field's name for people.
func (c PreviewedCall) Label(target string) string {
	if c.labels == nil {
		return target
	}
	return c.labels(target)
}

func previewOf(facts records.Previewed, in mappings.Input, c mappings.Comparison, zones map[string]*time.Location) PreviewedCall {
	d := facts.Delivery
	out := PreviewedCall{ID: facts.ID, StartedAt: in.Call.StartedAt, Direction: in.Call.Direction, Status: in.Call.Status, Altered: c.Altered,
		Customer: cmp.Or(in.Call.Customer.Name, in.Call.Customer.Number, in.Call.Customer.RawNumber),
		Before:   PreviewedSide(c.Before), After: PreviewedSide(c.After),
		State: d.State, Version: d.MappingVersion, URL: d.RemoteURL, NotRead: facts.NotRead, Notes: facts.Notes, at: zones[in.Call.SourceID]}
	for _, r := range c.Rows {
		f := PreviewedField{Target: r.Target, Kind: r.Kind, Before: r.Before, After: r.After, Written: d.Written[r.Target], Read: facts.Now != nil,
			Outcome: r.Outcome, Was: r.Was, Cause: r.Cause}
		if f.Read {
			f.Now = facts.Now[r.Target]
		}
		out.Fields = append(out.Fields, f)
	}
	return out
}

// sizeOf is about how many bytes a comparison takes.
func sizeOf(c mappings.Comparison) int {
	size := 0
	for _, r := range c.Rows {
		for _, e := range []*mappings.RowExplanation{r.Before, r.After} {
			if e == nil {
				continue
			}
			size += 200
			if s, ok := e.Result.(string); ok {
				size += 2 * len(s)
			}
			for _, s := range e.Sources {
				size += len(s.Text)
			}
			for _, s := range e.Steps {
				size += len(s.Text) + len(s.Result)
			}
		}
	}
	return size
}

func (m *MappingPreview) add(c PreviewedCall) {
	m.Total++
	if c.Altered {
		m.Altered++
	}
	if c.After.Error != "" {
		m.Failing++
	} else if c.Before.Error != "" {
		m.Repaired++
	}
	m.Items = append(m.Items, c)
}

// sentence says in one what the change would do.
func (m *MappingPreview) sentence(kind string) string {
	one, many := "call", "calls"
	switch kind {
	case connectors.ObjectMessage:
		one, many = "text message", "text messages"
	case connectors.ObjectForm:
		one, many = "form submission", "form submissions"
	case records.FollowUpTask:
		one, many = "task", "tasks"
	case records.FollowUpTicket:
		one, many = "ticket", "tickets"
	case records.FollowUpDeal:
		one, many = "deal", "deals"
	}
	if m.Total == 0 {
		return "There are no " + many + " to try this on yet."
	}
	var b strings.Builder
	if m.Altered == 0 {
		fmt.Fprintf(&b, "This changes nothing for %s.", counted(m.Total, one, many))
	} else {
		fmt.Fprintf(&b, "This change would alter %d of %s.", m.Altered, counted(m.Total, one, many))
	}
	if m.Failing > 0 {
		fmt.Fprintf(&b, " It does not work for %d of them.", m.Failing)
	}
	if m.Repaired > 0 {
		fmt.Fprintf(&b, " It works for %d for which the version in force does not.", m.Repaired)
	}
	if m.Rewrites > 0 {
		fmt.Fprintf(&b, " In the CRM already: the next delivery would write something else into %d.", m.Rewrites)
	}
	if m.LeftOut > 0 {
		fmt.Fprintf(&b, " There was no time for %d more.", m.LeftOut)
	}
	return b.String()
}
