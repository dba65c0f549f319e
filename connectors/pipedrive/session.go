package pipedrive

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

// session is one Pipedrive company, seen by one user.
type session struct {
	http    *resty.Client
	uploads *http.Client
	// token is the API token; empty with OAuth, where the transport authorises.
	token string
	base  string
	// v1 is the path of version 1, web the address of the company's pages, empty where it is not known.
	v1, web string
	record  string
	now     func() time.Time
	zone    *time.Location
	users   connectors.Cache[[]connectors.Owner]
	fields  connectors.Cache[[]field]
}

// What a Pipedrive session can do.
var (
	_ connectors.Session           = (*session)(nil)
	_ connectors.SureFinder        = (*session)(nil)
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
	_ connectors.RecordingUploader = (*session)(nil)
	_ connectors.TaskWriter        = (*session)(nil)
	_ connectors.NoteWriter        = (*session)(nil)
	_ connectors.MessageLogger     = (*session)(nil)
	_ connectors.FormWriter        = (*session)(nil)
	_ connectors.DealToucher       = (*session)(nil)
	_ connectors.RecordFinder      = (*session)(nil)
	_ connectors.RecordReader      = (*session)(nil)
)

// request is one request to Pipedrive.
type request struct {
	endpoint
	// name says in errors what was asked, without the ids that the path holds.
	name  string
	id    string
	query url.Values
	body  any
	// search marks requests that count against the limit of searches.
	search bool
}

func (q request) reads() bool { return q.method == http.MethodGet }

// charged marks the context of a request with its price.
func (q request) charged(ctx context.Context) context.Context {
	class := ""
	if q.search {
		class = connectors.RateSearch
	}
	return connectors.WithRate(ctx, class, q.cost)
}

// page is the part of an answer beside its data that says where the next page is: a cursor in version 2, an offset in 1.
type page struct {
	NextCursor string `json:"next_cursor"`
	Pagination struct {
		More bool  `json:"more_items_in_collection"`
		Next int64 `json:"next_start"`
	} `json:"pagination"`
}

// do sends a request and decodes the data of a 2xx answer into out, if out is not nil.
func (s *session) do(ctx context.Context, q request, out any) error {
	_, err := s.ask(ctx, q, out)
	return err
}

// ask is do that also says where the next page is.
func (s *session) ask(ctx context.Context, q request, out any) (page, error) {
	r := s.http.R().SetContext(q.charged(ctx))
	if q.query != nil {
		r.SetQueryParamsFromValues(q.query)
	}
	if q.body != nil {
		body, err := json.Marshal(q.body)
		if err != nil {
			return page{}, &connectors.Error{Class: connectors.Invalid, NotSent: true, Public: connectors.Sentence(connectors.Invalid, Label),
				Err: fmt.Errorf("pipedrive %s: encode the request", q.name)}
		}
		r.SetHeader("Content-Type", "application/json").SetBody(body)
	}
	resp, err := r.Execute(q.method, q.url(s.v1, q.id))
	if err != nil {
		return page{}, connectors.NoAnswer(Label, "pipedrive "+q.name, q.reads(), err)
	}
	return s.read(q, resp.StatusCode(), resp.Header(), resp.Body(), out)
}

// read takes an answer apart: {"success": true, "data": ..., "additional_data": {...}}.
func (s *session) read(q request, status int, header http.Header, body []byte, out any) (page, error) {
	if status < 200 || status > 299 {
		return page{}, s.refusal(q, status, header, body)
	}
	var answer struct {
		Success *bool           `json:"success"`
		Data    json.RawMessage `json:"data"`
		More    json.RawMessage `json:"additional_data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Success == nil {
		return page{}, connectors.Unreadable(Label, "pipedrive "+q.name, q.reads())
	}
	if !*answer.Success {
		// Some answers of version 1 say in the body alone that they are none.
		return page{}, s.refusal(q, http.StatusBadRequest, header, body)
	}
	if out != nil && len(answer.Data) > 0 && string(answer.Data) != "null" {
		if err := json.Unmarshal(answer.Data, out); err != nil {
			return page{}, connectors.Unreadable(Label, "pipedrive "+q.name, q.reads())
		}
	}
	var next page
	if len(answer.More) > 0 {
		// Some lists answer with an empty list here.
		_ = json.Unmarshal(answer.More, &next)
	}
	return next, nil
}

// unsupported is the error for what Pipedrive has no place for.
func unsupported(public string) error {
	return &connectors.Error{Class: connectors.Unsupported, Public: public}
}
