package callrailfake

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// APIOptions describe a fake account.
type APIOptions struct {
	// Key is the API key, Account the account's id in URLs.
	Key, Account string
	// Zone is the time zone of the key's user, in which dates without time_zone are read; America/New_York by default.
	Zone string
	// PerHour is how many requests an hour are answered; 1,000 by default.
	PerHour int
	// Now is the clock; time.Now by default.
	Now func() time.Time
	// BeforePage, if set, is called before a page is made.
	BeforePage func(*API, int)
}

// API is CallRail's API v3 as far as it lists calls (https://apidocs.callrail.com/#listing-all-calls). It is stricter than
// the vendor: what a client sends by mistake is refused, not ignored.
type API struct {
	opts APIOptions

	mu       sync.Mutex
	calls    map[string]Call
	faults   []fault
	hour     int64
	inHour   int
	requests []string
}

type fault struct {
	status     int
	retryAfter string
}

// NewAPI makes an account without calls.
func NewAPI(o APIOptions) *API {
	o.Zone = or(o.Zone, "America/New_York")
	o.PerHour = or(o.PerHour, 1000)
	if o.Now == nil {
		o.Now = time.Now
	}
	return &API{opts: o, calls: map[string]Call{}}
}

// Put adds calls, or changes those with the same id.
func (a *API) Put(calls ...Call) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range calls {
		a.calls[c.ID] = c
	}
}

// Fail makes the next requests fail with these statuses, one each; retryAfter is sent if it is not empty.
func (a *API) Fail(retryAfter string, statuses ...int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range statuses {
		a.faults = append(a.faults, fault{s, retryAfter})
	}
}

// Requests are the queries of the requests so far, refused ones included.
func (a *API) Requests() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.requests)
}

// The parameters that listing calls knows.
var listParameters = []string{
	"relative_pagination", "per_page", "offset", "page", "start_date", "end_date", "date_range", "time_zone", "sort", "order", "fields",
	"company_id", "tracker_id", "direction", "answer_status", "call_type", "search",
}

// The fields that are always there, and those that must be named.
var (
	defaultFields = []string{
		"answered", "business_phone_number", "customer_city", "customer_country", "customer_name", "customer_phone_number", "customer_state",
		"direction", "duration", "id", "recording", "recording_duration", "recording_player", "start_time", "tracking_phone_number", "voicemail",
	}
	selectableFields = []string{
		"agent_email", "call_highlights", "call_summary", "call_type", "campaign", "company_id", "company_name", "company_time_zone", "created_at",
		"custom", "device_type", "fbclid", "first_call", "formatted_call_type", "formatted_customer_location", "formatted_business_phone_number",
		"formatted_customer_name", "formatted_customer_name_or_phone_number", "formatted_customer_phone_number", "formatted_duration",
		"formatted_tracking_phone_number", "formatted_tracking_source", "formatted_value", "ga", "gclid", "good_lead_call_id", "good_lead_call_time",
		"keypad_entries", "keywords", "keywords_spotted", "landing_page_url", "last_requested_url", "lead_status", "medium", "milestones", "msclkid",
		"note", "person_id", "prior_calls", "referrer_domain", "referring_url", "sentiment", "session_uuid", "source", "source_name", "speaker_percent",
		"tags", "timeline_url", "total_calls", "tracker_id", "transcription", "utm_campaign", "utm_content", "utm_medium", "utm_source", "utm_term",
		"value", "voice_assist_message", "waveforms", "zip_code", "lead_score", "lead_explanation",
	}
)

// ServeHTTP answers GET /v3/a/{account}/calls.json.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.requests = append(a.requests, r.URL.RawQuery)
	a.mu.Unlock()
	status, body, retryAfter := a.answer(r)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if retryAfter != "" {
		w.Header().Set("Retry-After", retryAfter)
	}
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func (a *API) answer(r *http.Request) (status int, body object, retryAfter string) {
	no := func(status int, why string) (int, object, string) { return status, object{"error": why}, "" }
	if r.Header.Get("Authorization") != `Token token="`+a.opts.Key+`"` {
		return no(http.StatusUnauthorized, "HTTP Token: Access denied.")
	}
	a.mu.Lock()
	if hour := a.opts.Now().Unix() / 3600; hour != a.hour {
		a.hour, a.inHour = hour, 0
	}
	a.inHour++
	spent := a.inHour > a.opts.PerHour
	var f fault
	if len(a.faults) > 0 {
		f, a.faults = a.faults[0], a.faults[1:]
	}
	a.mu.Unlock()
	switch {
	case f.status != 0:
		return f.status, object{"error": http.StatusText(f.status)}, f.retryAfter
	case spent:
		return no(http.StatusTooManyRequests, "Rate limit exceeded")
	case r.Method != http.MethodGet:
		return no(http.StatusMethodNotAllowed, "Method not allowed")
	case r.URL.Path != "/v3/a/"+a.opts.Account+"/calls.json":
		return no(http.StatusNotFound, "Not found")
	case r.ContentLength > 0:
		return no(http.StatusNotAcceptable, "For GET requests, verify that parameters are sent as part of the URL.")
	}
	q, err := a.query(r)
	if err != nil {
		return no(http.StatusBadRequest, err.Error())
	}
	if a.opts.BeforePage != nil {
		a.opts.BeforePage(a, q.offset)
	}
	return http.StatusOK, a.page(q), ""
}

// query is a request that has been understood.
type query struct {
	from, to        time.Time
	zone            *time.Location
	company         string
	perPage, offset int
	descending      bool
	fields          []string
}

func (a *API) query(r *http.Request) (q query, err error) {
	values := r.URL.Query()
	for name, list := range values {
		if !slices.Contains(listParameters, name) {
			return q, fmt.Errorf("unknown parameter %s", name)
		}
		if len(list) != 1 {
			return q, fmt.Errorf("%s given %d times", name, len(list))
		}
	}
	if values.Get("relative_pagination") != "true" {
		return q, errors.New("only relative pagination is made here")
	}
	if q.perPage, err = number(values.Get("per_page"), 100, 250); err != nil {
		return q, fmt.Errorf("per_page %w", err)
	}
	if q.offset, err = number(values.Get("offset"), 0, 1<<30); err != nil {
		return q, fmt.Errorf("offset %w", err)
	}
	if s := values.Get("sort"); s != "" && s != "start_time" {
		return q, fmt.Errorf("sort by %s is not made here", s)
	}
	switch order := values.Get("order"); {
	case order != "" && values.Get("sort") == "", order != "" && order != "asc" && order != "desc":
		return q, errors.New("order needs sort, and is asc or desc")
	default:
		q.descending = order != "asc"
	}
	if q.zone, err = time.LoadLocation(or(values.Get("time_zone"), a.opts.Zone)); err != nil {
		return q, errors.New("unknown time zone")
	}
	if q.from, err = date(values.Get("start_date"), q.zone, false); err != nil {
		return q, err
	}
	if q.to, err = date(values.Get("end_date"), q.zone, true); err != nil {
		return q, err
	}
	if oldest := a.opts.Now().AddDate(0, -25, -1); q.from.Before(oldest) {
		return q, errors.New("the requested date range is outside of the data retention period, please revise it")
	}
	q.company = values.Get("company_id")
	q.fields = defaultFields
	if s := values.Get("fields"); s != "" {
		for name := range strings.SplitSeq(s, ",") {
			if !slices.Contains(selectableFields, name) {
				return q, fmt.Errorf("unknown field %s", name)
			}
			q.fields = append(slices.Clip(q.fields), name)
		}
	}
	return q, err
}

func number(s string, otherwise, most int) (int, error) {
	if s == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > most {
		return 0, fmt.Errorf("is no number from 0 to %d", most)
	}
	return n, nil
}

// date reads "2016-10-17", which as an end means the whole day, and "2015-09-05T14:00".
func date(s string, zone *time.Location, end bool) (time.Time, error) {
	if t, err := time.ParseInLocation("2006-01-02T15:04", s, zone); err == nil {
		return t, nil
	}
	t, err := time.ParseInLocation("2006-01-02", s, zone)
	if err != nil {
		return t, errors.New("start_date and end_date are dates of ISO 8601")
	}
	if end {
		t = t.AddDate(0, 0, 1).Add(-time.Second)
	}
	return t, nil
}

func (a *API) page(q query) object {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []Call
	for _, c := range a.calls {
		if c.StartedAt.Before(q.from) || c.StartedAt.After(q.to) || q.company != "" && c.companyID() != q.company {
			continue
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(x, y Call) int { return cmp.Or(x.StartedAt.Compare(y.StartedAt), cmp.Compare(x.ID, y.ID)) })
	if q.descending {
		slices.Reverse(all)
	}
	begin := min(q.offset*q.perPage, len(all))
	end := min(begin+q.perPage, len(all))
	calls := []object{}
	for _, c := range all[begin:end] {
		full, out := a.describe(c, q.zone), object{}
		for _, name := range q.fields {
			out[name] = full[name]
		}
		calls = append(calls, out)
	}
	out := object{"calls": calls, "per_page": q.perPage, "has_next_page": end < len(all), "next_page": nil}
	if end < len(all) {
		out["next_page"] = fmt.Sprintf("https://api.callrail.com/v3/a/%s/calls?action=index&controller=api%%2Fv3%%2Fcalls&format=json&offset=%d&per_page=%d&relative_pagination=true", a.opts.Account, q.offset+1, q.perPage)
	}
	return out
}

func (c Call) companyID() string { return CompanyID(or(c.Company, "Example Roofing LLC")) }

// CompanyID is the id of the company with this name.
func CompanyID(name string) string { return hexOf("COM", name) }

// describe is a call as the API writes it: numbers and null where webhooks have text, times in the asked zone, tags in an
// order of their own, and the recording as an address of the API.
func (a *API) describe(c Call, zone *time.Location) object {
	hook := c.postCall()
	null := func(v any) any {
		switch v := v.(type) {
		case string:
			if v == "" {
				return nil
			}
		case []any:
			if len(v) == 0 {
				return nil
			}
		}
		return v
	}
	o := object{}
	for k, v := range hook {
		o[k] = null(v)
	}
	stamp := func(t time.Time) string { return t.In(zone).Format(timeLayout) }
	tags := slices.Clone(c.Tags)
	slices.Reverse(tags)
	merge(o, object{
		"id": c.ID, "company_id": c.companyID(), "person_id": hook["person_resource_id"], "tracker_id": hook["tracker_resource_id"],
		"start_time": stamp(c.StartedAt), "created_at": stamp(c.StartedAt.Add(300 * time.Millisecond)),
		"duration": int64(c.Duration / time.Second), "tags": append([]string{}, tags...), "value": 0, "keypad_entries": nil, "waveforms": nil,
		"milestones":         object{"first_touch": object{"event_date": stamp(c.StartedAt), "source": or(c.Source, "Google Organic"), "medium": nil}},
		"recording_duration": nil, "total_calls": c.PriorCalls + 2,
	})
	if c.Value != "" {
		n, err := strconv.ParseFloat(c.Value, 64)
		if err != nil {
			panic("callrailfake: the value of a call is no number")
		}
		o["value"] = int64(n)
	}
	if c.InProgress {
		o["call_type"], o["answered"], o["voicemail"], o["duration"] = "in_progress", false, false, nil
	}
	if c.Recording {
		o["recording"] = "https://api.callrail.com/v3/a/" + a.opts.Account + "/calls/" + c.ID + "/recording.json"
		o["recording_duration"] = strconv.FormatInt(int64(c.Duration/time.Second), 10)
	}
	return o
}
