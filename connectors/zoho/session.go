package zoho

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/go-resty/resty/v2"

	"github.com/callsync/callsync/connectors"
)

// version is the path of the API's version.
const version = "/crm/v8"

// Zoho's names of the modules.
const (
	calls    = "Calls"
	contacts = "Contacts"
	leads    = "Leads"
	accounts = "Accounts"
	deals    = "Deals"
	tasks    = "Tasks"
	cases    = "Cases"
	notes    = "Notes"
)

// modules are Zoho's modules by callsync's names of objects. Zoho has none for text messages and form submissions: they are
// closed tasks, which carry our unique field and need no contact, as notes would.
var modules = map[string]string{
	connectors.ObjectCall: calls, connectors.ObjectContact: contacts, connectors.ObjectLead: leads, connectors.ObjectCompany: accounts,
	connectors.ObjectDeal: deals, connectors.ObjectTask: tasks, connectors.ObjectTicket: cases, connectors.ObjectNote: notes,
	connectors.ObjectMessage: tasks, connectors.ObjectForm: tasks,
}

// session is one Zoho CRM account.
type session struct {
	http *resty.Client
	// uploads is http with the time that a recording takes.
	uploads       *resty.Client
	now           func() time.Time
	org, ui       string
	layout        string
	skipWorkflows bool

	users    connectors.Cache[[]connectors.Owner]
	outcomes connectors.Cache[[]connectors.DispositionOption]
	stages   connectors.Cache[map[string]bool]
	// keys has a warning for each module that lacks our field.
	keys connectors.Cache[connectors.Warning]
}

// What a Zoho session can do.
var (
	_ connectors.Session             = (*session)(nil)
	_ connectors.CallFinder          = (*session)(nil)
	_ connectors.CallReader          = (*session)(nil)
	_ connectors.Linker              = (*session)(nil)
	_ connectors.ContactMatcher      = (*session)(nil)
	_ connectors.ContactCreator      = (*session)(nil)
	_ connectors.ContactFollower     = (*session)(nil)
	_ connectors.OwnerResolver       = (*session)(nil)
	_ connectors.OwnerLister         = (*session)(nil)
	_ connectors.DispositionLister   = (*session)(nil)
	_ connectors.SchemaDescriber     = (*session)(nil)
	_ connectors.Verifier            = (*session)(nil)
	_ connectors.RecordingUploader   = (*session)(nil)
	_ connectors.TranscriptionWriter = (*session)(nil)
	_ connectors.TaskWriter          = (*session)(nil)
	_ connectors.TaskReader          = (*session)(nil)
	_ connectors.NoteWriter          = (*session)(nil)
	_ connectors.TicketWriter        = (*session)(nil)
	_ connectors.DealToucher         = (*session)(nil)
	_ connectors.MessageLogger       = (*session)(nil)
	_ connectors.FormWriter          = (*session)(nil)
	_ connectors.RecordFinder        = (*session)(nil)
	_ connectors.RecordReader        = (*session)(nil)
	_ connectors.RecordLinker        = (*session)(nil)
	_ connectors.BatchReader         = (*session)(nil)
)

// values are a record's fields as Zoho's JSON has them.
type values map[string]any

func (v values) text(name string) string {
	s, _ := v[name].(string)
	return s
}

// ref is the id of a lookup.
func (v values) ref(name string) string {
	m, _ := v[name].(map[string]any)
	s, _ := m["id"].(string)
	return s
}

// request is one request to Zoho.
type request struct {
	method, path string
	// name says in errors what was asked, without the ids that the path holds. module is what it is about.
	name, module string
	query        url.Values
	body         any
	// reads marks a request that changes nothing, so that losing its answer loses nothing.
	reads bool
	// class is the limit that it counts against beside that of all requests, credits its price; zero means 1.
	class   string
	credits int
}

// answer is what Zoho said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ok tells whether the status is a success. Zoho puts errors inside successes, too.
func (a answer) ok() bool { return a.status >= 200 && a.status <= 299 }

func (s *session) send(ctx context.Context, q request) (answer, error) {
	if q.class != "" || q.credits > 1 {
		ctx = connectors.WithRate(ctx, q.class, max(q.credits, 1))
	}
	r := s.http.R().SetContext(ctx)
	if q.query != nil {
		r.SetQueryParamsFromValues(q.query)
	}
	if q.body != nil {
		body, err := json.Marshal(q.body)
		if err != nil {
			return answer{}, &connectors.Error{Class: connectors.Invalid, NotSent: true, Public: connectors.Sentence(connectors.Invalid, Label),
				Err: fmt.Errorf("zoho %s: encode the request", q.name)}
		}
		r.SetHeader("Content-Type", "application/json").SetBody(body)
	}
	resp, err := r.Execute(q.method, version+q.path)
	if err != nil {
		return answer{}, connectors.NoAnswer(Label, "zoho "+q.name, q.reads, err)
	}
	return answer{resp.StatusCode(), resp.Header(), resp.Body()}, nil
}

// read asks and decodes into out. found is false where Zoho has nothing to say: 204, or 304.
func (s *session) read(ctx context.Context, q request, out any) (found bool, err error) {
	a, err := s.send(ctx, q)
	if err != nil {
		return false, err
	}
	if a.status == http.StatusNoContent || a.status == http.StatusNotModified {
		return false, nil
	}
	if v, bad := a.refused(); bad {
		return false, s.refusal(q, a, v)
	}
	if json.Unmarshal(a.body, out) != nil {
		return false, connectors.Unreadable(Label, "zoho "+q.name, q.reads)
	}
	return true, nil
}

// result is what became of one record of a write.
type result struct {
	vendorError
	Action string `json:"action"`
}

// done tells whether the record was written, and its id.
func (r result) done() (string, bool) {
	var d struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(r.Details, &d)
	return d.ID, r.Status == "success" && d.ID != ""
}

// write changes records and returns what became of each, in their order. Zoho says it under data whatever the status is:
// 200 and 201, 202 and 207, and for a single record 400. member is data, or fields for settings.
func (s *session) write(ctx context.Context, q request, member string, n int) ([]result, error) {
	a, err := s.send(ctx, q)
	if err != nil {
		return nil, err
	}
	var wrapped map[string]json.RawMessage
	var list []result
	if json.Unmarshal(a.body, &wrapped) == nil && json.Unmarshal(wrapped[member], &list) == nil && len(list) == n && n > 0 && a.status < 500 {
		return list, nil
	}
	if v, bad := a.refused(); bad {
		return nil, s.refusal(q, a, v)
	}
	return nil, connectors.Unreadable(Label, "zoho "+q.name, q.reads)
}

// one writes a single record and returns its id.
func (s *session) one(ctx context.Context, q request) (string, result, error) {
	list, err := s.write(ctx, q, "data", 1)
	if err != nil {
		return "", result{}, err
	}
	id, ok := list[0].done()
	if !ok {
		return "", list[0], s.itemRefusal(q, list[0])
	}
	return id, list[0], nil
}

func get(name, module, path string, query url.Values) request {
	return request{method: http.MethodGet, name: name, module: module, path: path, query: query, reads: true}
}

// recordPath is the path of a record, whose id is usable.
func recordPath(module, id string, more ...string) string {
	return "/" + module + "/" + url.PathEscape(id) + strings.Join(append([]string{""}, more...), "/")
}

// usable tells whether id can name a record in a path.
func usable(id string) bool {
	return strings.Trim(id, ".") != "" && len(id) <= 100 && !strings.ContainsFunc(id, unicode.IsControl)
}

// isID tells whether s is an id as Zoho makes them: numbers of up to 19 digits.
func isID(s string) bool {
	return s != "" && len(s) <= 30 && strings.Trim(s, "0123456789") == ""
}

// page is a list of records.
type page struct {
	Data []values `json:"data"`
	Info struct {
		More bool `json:"more_records"`
	} `json:"info"`
}

// last tells whether there is nothing behind this page: Zoho says so, or it is the page before once more.
func (p page) last(before string) bool {
	return !p.Info.More || p.start() == "" || p.start() == before
}

// start is the id of the first record.
func (p page) start() string {
	if len(p.Data) == 0 {
		return ""
	}
	return p.Data[0].text("id")
}

// record reads one record; fields may be empty for all of them. NotFound where it is gone.
func (s *session) record(ctx context.Context, module, id string, query url.Values) (values, error) {
	if !usable(id) {
		return nil, gone("read of " + module)
	}
	var p page
	q := get("read of "+module, module, recordPath(module, id), query)
	found, err := s.read(ctx, q, &p)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, gone(q.name)
	case len(p.Data) != 1 || p.Data[0].text("id") == "":
		return nil, connectors.Unreadable(Label, "zoho "+q.name, q.reads)
	}
	return p.Data[0], nil
}

func gone(name string) error {
	return &connectors.Error{Class: connectors.NotFound, Public: connectors.Sentence(connectors.NotFound, Label), Err: fmt.Errorf("zoho %s: no such record", name)}
}

// recordURL opens a record in Zoho's pages.
func (s *session) recordURL(module, id string) string {
	if s.org == "" || module == notes {
		return ""
	}
	return "https://" + s.ui + "/crm/org" + s.org + "/tab/" + module + "/" + url.PathEscape(id)
}

// scopesAreNoTokens makes a 403 of a 401 that asks for a scope: another access token has the same scopes, and Zoho gives
// out ten in ten minutes only.
type scopesAreNoTokens struct{ base http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t scopesAreNoTokens) RoundTrip(r *http.Request) (*http.Response, error) {
	base := t.base
	if base == nil {
		base = http.DefaultTransport
	}
	resp, err := base.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	head, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), resp.Body), resp.Body}
	var v vendorError
	if json.Unmarshal(head, &v) == nil && v.Code == codeScope {
		resp.StatusCode, resp.Status = http.StatusForbidden, "403 Forbidden"
	}
	return resp, nil
}
