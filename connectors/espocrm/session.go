package espocrm

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/callsync/callsync/connectors"
)

// session is one EspoCRM with one user.
type session struct {
	http         *resty.Client
	now          func() time.Time
	site         string
	keyField     string
	defaultOwner string

	owners connectors.Cache[connectors.Owner]
	users  connectors.Cache[string]
	meta   connectors.Cache[map[string]fieldDef]
	labels connectors.Cache[map[string]scopeLabels]
}

// What an EspoCRM session can do.
var (
	_ connectors.Session           = (*session)(nil)
	_ connectors.CallFinder        = (*session)(nil)
	_ connectors.CallReader        = (*session)(nil)
	_ connectors.Comparer          = (*session)(nil)
	_ connectors.Linker            = (*session)(nil)
	_ connectors.ContactMatcher    = (*session)(nil)
	_ connectors.EmailMatcher      = (*session)(nil)
	_ connectors.ContactCreator    = (*session)(nil)
	_ connectors.ContactFollower   = (*session)(nil)
	_ connectors.OwnerResolver     = (*session)(nil)
	_ connectors.OwnerLister       = (*session)(nil)
	_ connectors.DispositionLister = (*session)(nil)
	_ connectors.SchemaDescriber   = (*session)(nil)
	_ connectors.Verifier          = (*session)(nil)
	_ connectors.RecordFinder      = (*session)(nil)
	_ connectors.RecordReader      = (*session)(nil)
	_ connectors.TaskWriter        = (*session)(nil)
	_ connectors.NoteWriter        = (*session)(nil)
	_ connectors.TicketWriter      = (*session)(nil)
	_ connectors.MessageLogger     = (*session)(nil)
	_ connectors.FormWriter        = (*session)(nil)
	_ connectors.DealToucher       = (*session)(nil)
	_ connectors.RecordingUploader = (*session)(nil)
)

// entities are EspoCRM's entity types by callsync's names of objects.
var entities = map[string]string{
	connectors.ObjectCall: "Call", connectors.ObjectContact: "Contact", connectors.ObjectLead: "Lead", connectors.ObjectCompany: "Account",
	connectors.ObjectDeal: "Opportunity", connectors.ObjectTask: "Task", connectors.ObjectTicket: "Case", connectors.ObjectNote: "Note",
	connectors.ObjectMessage: "Note", connectors.ObjectForm: "Note",
}

// attributes are a record's values as EspoCRM's JSON has them.
type attributes map[string]any

func (a attributes) text(name string) string {
	s, _ := a[name].(string)
	return s
}

// list is an attribute of several ids.
func (a attributes) list(name string) []string {
	values, _ := a[name].([]any)
	out := make([]string, 0, len(values))
	for _, v := range values {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// request is one request to EspoCRM.
type request struct {
	method, path string
	// name says in errors what was asked, without the ids that the path holds. entity is the entity type it is about.
	name, entity string
	query        url.Values
	body         any
	// text is a body that is no JSON.
	text string
	// header is one further header, as name and value.
	header [2]string
	// reads marks a request that changes nothing, so that losing its answer loses nothing.
	reads bool
}

// skipDuplicates tells EspoCRM that we have looked for ourselves.
var skipDuplicates = [2]string{"X-Skip-Duplicate-Check", "true"}

// do sends a request and decodes a 2xx answer into out, if out is not nil.
func (s *session) do(ctx context.Context, q request, out any) error {
	r := s.http.R().SetContext(ctx)
	if q.query != nil {
		r.SetQueryParamsFromValues(q.query)
	}
	if q.header[0] != "" {
		r.SetHeader(q.header[0], q.header[1])
	}
	switch {
	case q.text != "":
		r.SetHeader("Content-Type", "text/plain").SetBody(q.text)
	case q.body != nil:
		body, err := json.Marshal(q.body)
		if err != nil {
			return &connectors.Error{Class: connectors.Invalid, Public: connectors.Sentence(connectors.Invalid, Label),
				Err: fmt.Errorf("espocrm %s: encode the request", q.name)}
		}
		r.SetHeader("Content-Type", "application/json").SetBody(body)
	}
	resp, err := r.Execute(q.method, q.path)
	if err != nil {
		return connectors.NoAnswer(Label, "espocrm "+q.name, q.reads, err)
	}
	if status := resp.StatusCode(); status < 200 || status > 299 {
		return s.refusal(q, status, resp.Header(), resp.Body())
	}
	if _, may := out.(*optional); out == nil || may && len(resp.Body()) == 0 {
		return nil
	}
	if err := json.Unmarshal(resp.Body(), out); err != nil {
		return connectors.Unreadable(Label, "espocrm "+q.name, q.reads)
	}
	return nil
}

// recordPath is the path of a record. Ids come from EspoCRM, or from phone systems that name records of it.
func recordPath(entity, id string, more ...string) string {
	path := "/" + entity + "/" + url.PathEscape(id)
	for _, m := range more {
		path += "/" + m
	}
	return path
}

// get reads a record. EspoCRM gives all attributes, whatever is selected.
func (s *session) get(ctx context.Context, entity, id string) (attributes, error) {
	if id == "" {
		return nil, &connectors.Error{Class: connectors.NotFound, Public: connectors.Sentence(connectors.NotFound, Label)}
	}
	var out attributes
	q := request{method: http.MethodGet, name: "read of " + entity, entity: entity, path: recordPath(entity, id), reads: true}
	if err := s.do(ctx, q, &out); err != nil {
		return nil, err
	}
	if out.text("id") == "" {
		return nil, connectors.Unreadable(Label, "espocrm "+q.name, q.reads)
	}
	return out, nil
}

// recordURL opens a record in EspoCRM's pages.
func (s *session) recordURL(entity, id string) string {
	return s.site + "/#" + entity + "/view/" + url.PathEscape(id)
}
