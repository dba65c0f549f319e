package hubspot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/callsync/callsync/connectors"
)

var errQuery = errors.New("it must not hold a query")

// session is one HubSpot account.
type session struct {
	http *resty.Client
	// uploads is http with the time that a recording takes.
	uploads      *resty.Client
	api          version
	now          func() time.Time
	portal       string
	zone         *time.Location
	owners       connectors.Cache[connectors.Owner]
	dispositions connectors.Cache[[]connectors.DispositionOption]
	// plainCompanies is set once the account has shown that its companies lack the properties of searchable numbers.
	plainCompanies atomic.Bool
	// noTranscripts is set once the account has refused a transcript for want of a right.
	noTranscripts atomic.Bool
}

// What a HubSpot session can do.
var (
	_ connectors.Session             = (*session)(nil)
	_ connectors.CallFinder          = (*session)(nil)
	_ connectors.CallReader          = (*session)(nil)
	_ connectors.Comparer            = (*session)(nil)
	_ connectors.Linker              = (*session)(nil)
	_ connectors.ContactMatcher      = (*session)(nil)
	_ connectors.EmailMatcher        = (*session)(nil)
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

// request is one request to HubSpot.
type request struct {
	method, path string
	// name says in errors what was asked, without the ids that the path holds.
	name  string
	query url.Values
	body  any
	// reads marks a request that changes nothing, so that losing its answer loses nothing.
	reads bool
	// class is the limit of HubSpot's that it counts against beside those of all requests.
	class string
}

// do sends a request and decodes a 2xx answer into out, if out is not nil.
func (s *session) do(ctx context.Context, q request, out any) error {
	if q.class != "" {
		ctx = connectors.WithRate(ctx, q.class, 1)
	}
	r := s.http.R().SetContext(ctx)
	if q.query != nil {
		r.SetQueryParamsFromValues(q.query)
	}
	if q.body != nil {
		body, err := json.Marshal(q.body)
		if err != nil {
			return &connectors.Error{Class: connectors.Invalid, Public: connectors.Sentence(connectors.Invalid, Label),
				Err: fmt.Errorf("hubspot %s: encode the request", q.name)}
		}
		r.SetHeader("Content-Type", "application/json").SetBody(body)
	}
	resp, err := r.Execute(q.method, q.path)
	if err != nil {
		return connectors.NoAnswer(Label, "hubspot "+q.name, q.reads, err)
	}
	if status := resp.StatusCode(); status < 200 || status > 299 {
		return s.refusal(q, status, resp.Header(), resp.Body())
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(resp.Body(), out); err != nil {
		return connectors.Unreadable(Label, "hubspot "+q.name, q.reads)
	}
	return nil
}

func get(name, path string, query url.Values) request {
	return request{method: http.MethodGet, name: name, path: path, query: query, reads: true}
}
