package salesforce

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/callsync/callsync/connectors"
)

// session is one org with one user.
type session struct {
	settings
	http *resty.Client
	// uploads is http with the time that a recording takes.
	uploads *resty.Client
	now     func() time.Time
	usage   usage
	parents *locks

	owners    connectors.Cache[connectors.Owner]
	described connectors.Cache[objectInfo]
	outcomes  connectors.Cache[[]connectors.DispositionOption]
	// accounts has the account of a contact that was found, for the locks.
	accounts connectors.Cache[string]
	// missing has those of our own optional fields that the org lacks.
	missing connectors.Cache[bool]
	// widely is set once the wide form of a phone search has found something here.
	widely atomic.Bool
}

// What a Salesforce session can do.
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
	_ connectors.RecordFinder        = (*session)(nil)
	_ connectors.RecordReader        = (*session)(nil)
	_ connectors.TaskWriter          = (*session)(nil)
	_ connectors.TaskReader          = (*session)(nil)
	_ connectors.NoteWriter          = (*session)(nil)
	_ connectors.TicketWriter        = (*session)(nil)
	_ connectors.MessageLogger       = (*session)(nil)
	_ connectors.FormWriter          = (*session)(nil)
	_ connectors.DealToucher         = (*session)(nil)
	_ connectors.RecordingUploader   = (*session)(nil)
	_ connectors.TranscriptionWriter = (*session)(nil)
	_ connectors.BatchReader         = (*session)(nil)
)

// The objects of Salesforce that callsync touches.
const (
	objTask        = "Task"
	objContact     = "Contact"
	objLead        = "Lead"
	objAccount     = "Account"
	objOpportunity = "Opportunity"
	objCase        = "Case"
	objUser        = "User"
	objVersion     = "ContentVersion"
)

// objects are Salesforce's by callsync's names.
var objects = map[string]string{
	connectors.ObjectCall: objTask, connectors.ObjectContact: objContact, connectors.ObjectLead: objLead, connectors.ObjectCompany: objAccount,
	connectors.ObjectDeal: objOpportunity, connectors.ObjectTask: objTask, connectors.ObjectNote: objTask, connectors.ObjectTicket: objCase,
	connectors.ObjectMessage: objTask, connectors.ObjectForm: objTask,
}

// values are a record's fields in JSON.
type values map[string]any

func (v values) text(name string) string {
	s, _ := v[name].(string)
	return s
}

// request is one request to Salesforce.
type request struct {
	method, path string
	// name says in errors what was asked, without the ids that the path holds. object is the object it is about.
	name, object string
	query        url.Values
	body         any
	// header are further headers.
	header map[string]string
	// reads marks a request that changes nothing, so that losing its answer loses nothing.
	reads bool
	// byKey marks a request that names a record by our key, byID one that names it by Salesforce's.
	byKey, byID bool
}

func get(name, object, path string, query url.Values) request {
	return request{method: http.MethodGet, name: name, object: object, path: path, query: query, reads: true}
}

// do sends a request and decodes a 2xx answer into out, if out is not nil and there is a body. It returns the status.
func (s *session) do(ctx context.Context, q request, out any) (int, error) {
	if err := s.usage.spent(s.now(), s.reserve); err != nil {
		return 0, err
	}
	r := s.http.R().SetContext(ctx)
	if q.query != nil {
		r.SetQueryParamsFromValues(q.query)
	}
	r.SetHeaders(q.header)
	if q.body != nil {
		body, err := json.Marshal(q.body)
		if err != nil {
			return 0, &connectors.Error{Class: connectors.Invalid, Public: connectors.Sentence(connectors.Invalid, Label),
				Err: fmt.Errorf("salesforce %s: encode the request", q.name)}
		}
		r.SetHeader("Content-Type", "application/json").SetBody(body)
	}
	resp, err := r.Execute(q.method, q.path)
	if err != nil {
		return 0, connectors.NoAnswer(Label, "salesforce "+q.name, q.reads, err)
	}
	s.usage.read(s.now(), resp.Header())
	status := resp.StatusCode()
	if status < 200 || status > 299 {
		return status, s.refusal(q, status, resp.Header(), resp.Body())
	}
	if out == nil || status == http.StatusNoContent {
		return status, nil
	}
	if err := json.Unmarshal(resp.Body(), out); err != nil {
		return status, connectors.Unreadable(Label, "salesforce "+q.name, q.reads)
	}
	return status, nil
}

// recordURL opens a record in Salesforce: My Domain leads to the right page of whichever interface a person uses.
func (s *session) recordURL(id string) string {
	if id == "" {
		return ""
	}
	return s.api + "/" + url.PathEscape(id)
}
