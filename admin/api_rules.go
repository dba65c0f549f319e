package admin

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// RuleStore keeps the rules of sources and connections.
type RuleStore interface {
	// Rules returns the rules of a source or connection; those of version zero where there are none.
	Rules(ctx context.Context, workspaceID, owner, ownerID string) (records.Rules, error)
	// PutRules replaces them if Version is still the one in force; a negative one does not matter. Errors:
	// records.ErrNotFound, records.ErrConflict.
	PutRules(ctx context.Context, workspaceID string, r records.Rules) (records.Rules, error)
	// LearnedNumbers lists the numbers that calls showed to be the workspace's own.
	LearnedNumbers(ctx context.Context, workspaceID string) ([]records.LearnedNumber, error)
}

// RulesView is the rules of a source or connection.
type RulesView struct {
	Document  string     `json:"document" doc:"YAML or JSON, as it was written; empty where there are no rules, and all calls sync."`
	Version   int        `json:"version" doc:"Rises with every change; 0 where there never were any rules."`
	Author    string     `json:"author,omitempty"`
	UpdatedAt *time.Time `json:"updated_at,omitempty"`
}

// RulesText is a rules document in a request: text in YAML or JSON, or the JSON itself.
type RulesText struct{ MappingText }

// Schema is a string or an object.
func (RulesText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeObject, AdditionalProperties: true}},
		Description: "The rules document: text in YAML or JSON, or the JSON itself. Empty text is no rules."}
}

type rulesPut struct {
	PathID
	Body struct {
		Document RulesText `json:"document"`
		Version  *int      `json:"version,omitempty" minimum:"0" doc:"The version that the change was made from. If somebody else changed the rules meanwhile, the answer is 409. Absent: it does not matter."`
	}
}

type rulesTry struct {
	PathID
	Body struct {
		Document RulesText `json:"document"`
		Last     int       `json:"last,omitempty" minimum:"1" maximum:"500" default:"50" doc:"How many of the last calls are decided about."`
	}
}

// RulesPreview is what a document says of the last calls.
type RulesPreview struct {
	Total   int `json:"total"`
	Sync    int `json:"sync"`
	Skip    int `json:"skip"`
	Failed  int `json:"failed" doc:"Calls about which a rule could not be evaluated; they would be put on hold."`
	Changed int `json:"changed" doc:"Calls about which the rules in force say otherwise."`
	// Items are newest first.
	Items []RuledCall `json:"items"`
}

// RuledCall is what the rules say of one call.
type RuledCall struct {
	CallID    string         `json:"call_id"`
	StartedAt time.Time      `json:"started_at"`
	Direction call.Direction `json:"direction,omitempty"`
	Status    call.Status    `json:"status,omitempty"`
	Customer  string         `json:"customer,omitempty" doc:"The name, else the number."`
	Action    string         `json:"action" enum:"sync,skip,failed"`
	Owner     string         `json:"owner,omitempty" enum:"source,connection" doc:"Whose rules decided."`
	Rule      string         `json:"rule,omitempty" doc:"The name of the rule that decided; empty where none matched."`
	Sentence  string         `json:"sentence,omitempty" doc:"Why it is skipped, or could not be decided about."`
	Changed   bool           `json:"changed,omitempty"`
	InCRM     bool           `json:"in_crm,omitempty" doc:"The call is in a CRM already, and is kept up to date there whatever the rules say."`
	at        *time.Location
}

// previewed is how many calls a preview decides about unless it is asked for another number.
const previewed = 50

func (h *Handler) registerRules() {
	const tag = "Rules"
	for _, owner := range []string{records.RulesOfSource, records.RulesOfConnection} {
		path, what := "/"+owner+"s/{id}/rules", "of a "+owner
		handle(h, viewer, get(path, "Which calls sync: the rules "+what, tag), func(ctx context.Context, p principal, in *PathID) (*answer[RulesView], error) {
			o, err := h.ruled(ctx, p, owner, in.ID)
			if err != nil {
				return nil, err
			}
			return &answer[RulesView]{viewRules(o.present)}, nil
		})
		handle(h, admin, method(http.MethodPut, path, "Replace the rules "+what, tag), func(ctx context.Context, p principal, in *rulesPut) (*answer[RulesView], error) {
			o, err := h.ruled(ctx, p, owner, in.ID)
			if err != nil {
				return nil, err
			}
			version := -1
			if in.Body.Version != nil {
				version = *in.Body.Version
			}
			saved, err := h.saveRules(ctx, p, o, in.Body.Document.Text, version)
			return &answer[RulesView]{viewRules(saved)}, err
		})
		handle(h, viewer, post(path+"/preview", "What other rules "+what+" would do to the last calls", tag), func(ctx context.Context, p principal, in *rulesTry) (*answer[RulesPreview], error) {
			o, err := h.ruled(ctx, p, owner, in.ID)
			if err != nil {
				return nil, err
			}
			doc, err := o.parse(in.Body.Document.Text)
			if err != nil {
				return nil, rulesProblem(err)
			}
			preview, err := h.previewRules(ctx, p, o, doc, in.Body.Last)
			return &answer[RulesPreview]{preview}, err
		})
	}
}

func viewRules(r records.Rules) RulesView {
	v := RulesView{Document: r.Document, Version: r.Version, Author: r.Author}
	if r.Version > 0 {
		v.UpdatedAt = &r.UpdatedAt
	}
	return v
}

// ruledOwner is a source or connection with its rules.
type ruledOwner struct {
	kind, id, name string
	present        records.Rules
	// sources are those whose calls the rules decide about.
	sources []records.Source
}

// place is how sentences name the owner.
func (o ruledOwner) place() string { return "the " + o.kind + " " + o.name }

func (h *Handler) ruled(ctx context.Context, p principal, owner, id string) (ruledOwner, error) {
	o := ruledOwner{kind: owner, id: id}
	if owner == records.RulesOfSource {
		s, err := h.Store.SourceByID(ctx, p.WorkspaceID, id)
		if err != nil {
			return o, err
		}
		o.name, o.sources = s.Name, []records.Source{s}
	} else {
		c, err := h.Store.ConnectionByID(ctx, p.WorkspaceID, id)
		if err != nil {
			return o, err
		}
		all, err := h.Store.Sources(ctx, p.WorkspaceID)
		if err != nil {
			return o, err
		}
		o.name = c.Name
		o.sources = slices.DeleteFunc(all, func(s records.Source) bool {
			return !s.Feeds(c)
		})
	}
	var err error
	o.present, err = h.Store.Rules(ctx, p.WorkspaceID, owner, id)
	return o, err
}

// countries are those in which numbers without a country code are read.
func (o ruledOwner) countries() (out []string) {
	for _, s := range o.sources {
		if !slices.Contains(out, s.DefaultCountry) {
			out = append(out, s.DefaultCountry)
		}
	}
	return out
}

// parse reads a document for the owner; an empty one is one without rules.
func (o ruledOwner) parse(text string) (mappings.RulesDocument, error) {
	if text == "" {
		return mappings.RulesDocument{Otherwise: mappings.RuleSync}, nil
	}
	return mappings.ParseRules([]byte(text), o.countries()...)
}

// rulesProblem shows everything that is wrong with a document.
func rulesProblem(err error) error {
	var all mappings.RuleProblems
	if !errors.As(err, &all) {
		return err
	}
	var out faults
	for _, p := range all {
		out.add("document", p.String())
	}
	return out.problem()
}

func (h *Handler) saveRules(ctx context.Context, p principal, o ruledOwner, text string, version int) (records.Rules, error) {
	if _, err := o.parse(text); err != nil {
		return records.Rules{}, rulesProblem(err)
	}
	saved, err := h.Store.PutRules(ctx, p.WorkspaceID, records.Rules{Owner: o.kind, OwnerID: o.id, Version: version, Document: text, Author: p.Name})
	if errors.Is(err, records.ErrConflict) {
		return saved, problem(http.StatusConflict, "Somebody else changed these rules meanwhile. Load them again, and make your change there.")
	}
	return saved, err
}

// decider decides about calls as deliveries do, with compiled rules for each country.
type decider struct {
	place string
	owner string
	doc   mappings.RulesDocument
	by    map[string]*mappings.Rules
}

func newDecider(owner, place string, doc mappings.RulesDocument) *decider {
	return &decider{owner: owner, place: place, doc: doc, by: map[string]*mappings.Rules{}}
}

func (d *decider) decide(s records.Source, in mappings.Input) (said RuledCall, err error) {
	rules, ok := d.by[s.DefaultCountry]
	if !ok {
		if rules, err = mappings.CompileRules(d.doc, s.DefaultCountry); err != nil {
			return said, err
		}
		d.by[s.DefaultCountry] = rules
	}
	decision, err := rules.Decide(in)
	var failed *mappings.RuleError
	switch {
	case errors.As(err, &failed):
		return RuledCall{Action: "failed", Owner: d.owner, Rule: failed.Name, Sentence: failed.Public}, nil
	case err != nil:
		return said, err
	case decision.Skips():
		return RuledCall{Action: "skip", Owner: d.owner, Rule: decision.Name, Sentence: decision.Sentence(d.place)}, nil
	}
	said = RuledCall{Action: "sync", Owner: d.owner, Rule: decision.Name}
	if decision.Withholds() {
		said.Sentence = decision.Withheld(d.place)
	}
	return said, nil
}

// previewRules decides about the last calls of the owner's sources by doc and by the rules in force. Rules of a connection
// decide about what the rules of the source let through.
func (h *Handler) previewRules(ctx context.Context, p principal, o ruledOwner, doc mappings.RulesDocument, last int) (RulesPreview, error) {
	out := RulesPreview{Items: []RuledCall{}}
	if last == 0 {
		last = previewed
	}
	present, err := mappings.ReadRules([]byte(o.present.Document))
	if err != nil {
		present = mappings.RulesDocument{Otherwise: mappings.RuleSync} // rules that cannot be used decide nothing
	}
	now, then := newDecider(o.kind, o.place(), doc), newDecider(o.kind, o.place(), present)
	first := map[string]*decider{}
	bySource := map[string]records.Source{}
	for _, s := range o.sources {
		bySource[s.ID] = s
		if o.kind == records.RulesOfSource {
			continue
		}
		own := ruledOwner{kind: records.RulesOfSource, id: s.ID, name: s.Name, sources: []records.Source{s}}
		if own.present, err = h.Store.Rules(ctx, p.WorkspaceID, own.kind, own.id); err != nil {
			return out, err
		}
		if doc, err := mappings.ReadRules([]byte(own.present.Document)); err == nil {
			first[s.ID] = newDecider(own.kind, own.place(), doc)
		}
	}
	ours, err := h.ownNumbers(ctx, p.WorkspaceID)
	if err != nil {
		return out, err
	}
	calls, err := h.lastCalls(ctx, p.WorkspaceID, o, bySource, last)
	if err != nil {
		return out, err
	}
	for _, row := range calls {
		s := bySource[row.Call.SourceID]
		in := mappings.Input{Call: row.Call, OwnNumber: ours[row.Call.Customer.Number], Location: location(s), Country: s.DefaultCountry}
		said, err := decideInTurn(s, in, first[s.ID], now)
		if err != nil {
			return out, err
		}
		before, err := decideInTurn(s, in, first[s.ID], then)
		if err != nil {
			return out, err
		}
		said.Changed = said.Action != before.Action
		said.CallID, said.StartedAt, said.Direction, said.Status, said.at = row.Call.ID, row.ListedAt, row.Call.Direction, row.Call.Status, location(s)
		said.Customer = cmp.Or(row.Call.Customer.Name, row.Call.Customer.Number, row.Call.Customer.RawNumber)
		said.InCRM = slices.ContainsFunc(row.Deliveries, func(d records.Delivery) bool {
			return d.State == records.DeliveryDone && (o.kind == records.RulesOfSource || d.ConnectionID == o.id)
		})
		out.add(said)
	}
	return out, nil
}

// decideInTurn asks one set of rules after the other until one does not let the call through.
func decideInTurn(s records.Source, in mappings.Input, all ...*decider) (said RuledCall, err error) {
	for _, d := range all {
		if d == nil {
			continue
		}
		if said, err = d.decide(s, in); err != nil || said.Action != "sync" {
			return said, err
		}
	}
	return said, nil
}

func (p *RulesPreview) add(c RuledCall) {
	p.Total++
	switch c.Action {
	case "skip":
		p.Skip++
	case "failed":
		p.Failed++
	default:
		p.Sync++
	}
	if c.Changed {
		p.Changed++
	}
	p.Items = append(p.Items, c)
}

func (h *Handler) ownNumbers(ctx context.Context, workspaceID string) (map[string]bool, error) {
	listed, err := h.Store.OwnNumbers(ctx, workspaceID)
	if err != nil {
		return nil, err
	}
	learned, err := h.Store.LearnedNumbers(ctx, workspaceID)
	if err != nil {
		return nil, err
	}
	out := make(map[string]bool, len(listed)+len(learned))
	for _, n := range learned {
		out[n.Number] = n.Counts
	}
	for _, n := range listed {
		out[n.Number] = true
	}
	return out, nil
}

// mostPages bounds how far back the last calls of a connection's sources are looked for among those of others.
const mostPages = 10

// lastCalls are the newest calls of the owner's sources, newest first, without test calls.
func (h *Handler) lastCalls(ctx context.Context, workspaceID string, o ruledOwner, sources map[string]records.Source, last int) (out []records.CallItem, err error) {
	f := records.CallFilter{Limit: maxLimit}
	if o.kind == records.RulesOfSource {
		f.SourceID = o.id
	}
	for range mostPages {
		page, err := h.Store.CallsPage(ctx, workspaceID, f)
		if err != nil {
			return nil, err
		}
		for _, row := range page {
			if _, ours := sources[row.Call.SourceID]; ours && !row.Call.TestOnly() {
				if out = append(out, row); len(out) == last {
					return out, nil
				}
			}
			f.Before = records.Cursor{At: row.ListedAt, ID: row.Call.ID}
		}
		if len(page) < f.Limit {
			break
		}
	}
	return out, nil
}
