package callrail

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/callsync/callsync/internal/httpx"
	"github.com/callsync/callsync/telephony"
)

// EventPulledCall is the hook event of receipts that hold a call of the API.
const EventPulledCall = "pulled-call"

// The settings of the API.
const (
	secretAPIKey     = "api_key"
	configAPIAccount = "api_account_id"
	configAPICompany = "api_company_id"
	configAPIURL     = "api_base_url"
	defaultAPIURL    = "https://api.callrail.com"
)

// What the API allows and how it is asked. CallRail keeps calls for 25 months, pages hold 250 calls, and an account has
// 1,000 requests an hour and 10,000 a day (https://apidocs.callrail.com, Pagination, Rate Limiting). The pause leaves
// more than half of an hour's to others.
const (
	apiPage    = 250
	apiOldest  = 25 * 30 * 24 * time.Hour
	apiPause   = 8 * time.Second
	apiTimeout = 90 * time.Second
	// A page of long transcriptions takes some megabytes.
	apiMaxBody = 48 << 20
	// Post-Call waits for the recording for up to 20 minutes.
	apiSettle = 30 * time.Minute
)

// apiFields are the fields that the API returns only when they are named: all that webhooks carry. Left out are those
// that the webhooks do not have (summaries, sentiment, lead scores), because a call that came complete by webhook must
// not change when it is pulled, and those that change by themselves (total_calls, waveforms, whose links expire).
var apiFields = strings.Join([]string{
	"agent_email", "call_highlights", "call_type", "campaign", "company_id", "company_name", "company_time_zone", "created_at",
	"custom", "device_type", "fbclid", "first_call", "formatted_tracking_source", "formatted_value", "ga", "gclid",
	"keypad_entries", "keywords", "keywords_spotted", "landing_page_url", "last_requested_url", "lead_status", "medium",
	"milestones", "msclkid", "note", "person_id", "prior_calls", "referrer_domain", "referring_url", "source", "source_name",
	"speaker_percent", "tags", "timeline_url", "tracker_id", "transcription", "utm_campaign", "utm_content", "utm_medium",
	"utm_source", "utm_term", "value",
}, ",")

var _ telephony.Puller = Provider{}

func apiSettings() []telephony.Field {
	return []telephony.Field{
		{Name: secretAPIKey, Label: "API key", Secret: true,
			Help: "With it callsync asks CallRail for calls whose webhooks were lost, because CallRail never sends one twice. In CallRail under Settings, API. It sees what its user sees."},
		{Name: configAPIAccount, Label: "Account id for the API",
			Help: "Needed with an API key: the number behind /a/ in the address of CallRail's dashboard, or ACC…."},
		{Name: configAPICompany, Label: "Company id for the API",
			Help: "The company of this source, COM…. Leave it empty only if the account has one company."},
		telephony.PullEveryField(),
		{Name: configAPIURL, Label: "API address", Default: defaultAPIURL,
			Help: "Change it only if requests must go through a proxy of yours. Changing it needs the API key again."},
	}
}

// PullInfo describes CallRail's API.
func (Provider) PullInfo() telephony.PullInfo {
	return telephony.PullInfo{
		Oldest: apiOldest, Settle: apiSettle, Recent: 6 * time.Hour, Daily: 72 * time.Hour, Pause: apiPause,
		Address: configAPIURL, Key: secretAPIKey,
	}
}

// PullSetup tells whether the API can be asked.
func (Provider) PullSetup(s telephony.Settings) telephony.PullSetup {
	out := telephony.PullSetup{Every: telephony.PullEvery(s.Config)}
	switch {
	case apiKey(s) == "":
		out.Missing = "Enter the API key of CallRail in the settings of the source first."
	case apiAccount(s) == "":
		out.Missing = "Enter the account id for CallRail's API in the settings of the source first."
	}
	return out
}

func apiKey(s telephony.Settings) string     { return strings.TrimSpace(s.Secrets[secretAPIKey]) }
func apiAccount(s telephony.Settings) string { return strings.TrimSpace(s.Config[configAPIAccount]) }
func apiCompany(s telephony.Settings) string { return strings.TrimSpace(s.Config[configAPICompany]) }

// Pull asks for 250 calls, the oldest first, so that calls that begin meanwhile come at the end and move no page. The
// cursor is the number of the page: CallRail counts them in offset with relative pagination.
func (p Provider) Pull(ctx context.Context, rt http.RoundTripper, s telephony.Settings, r telephony.PullRange, cursor string) (telephony.PullPage, error) {
	none := telephony.PullPage{}
	if missing := p.PullSetup(s).Missing; missing != "" {
		return none, refusedPull(missing, errors.New("the source is not set up for it"))
	}
	base, err := httpx.ParseBaseURL(cmp.Or(strings.TrimSpace(s.Config[configAPIURL]), defaultAPIURL))
	if err != nil {
		return none, refusedPull("The API address in the settings of the source cannot be used. Correct it.", fmt.Errorf("%s: %w", configAPIURL, err))
	}
	if strings.ContainsAny(apiKey(s), "\"\\\r\n") {
		return none, refusedPull(publicBadKey, errors.New("the API key has characters that no key has"))
	}
	page := 0
	if cursor != "" {
		if page, err = strconv.Atoi(cursor); err != nil || page < 0 {
			return none, refusedPull("callsync lost its place in CallRail's list. Start the pull again.", errors.New("a cursor that is no page"))
		}
	}
	resp, err := httpx.NewClient(httpx.ClientOptions{BaseURL: base.String(), Transport: rt, Timeout: apiTimeout, MaxBody: apiMaxBody}).R().
		SetContext(ctx).
		SetHeader("Authorization", `Token token="`+apiKey(s)+`"`).
		SetHeader("Accept", "application/json").
		// CallRail asks integrations to name themselves so.
		SetHeader("Request-From", "callsync").
		SetQueryParamsFromValues(apiQuery(s, r, page)).
		Get("/v3/a/" + url.PathEscape(apiAccount(s)) + "/calls.json")
	if err != nil {
		return none, noAnswer(err)
	}
	if resp.StatusCode() != http.StatusOK {
		return none, refusal(resp.StatusCode(), resp.Header())
	}
	return readPage(resp.Body(), s, r, page)
}

// apiQuery asks in UTC: without time_zone CallRail reads dates in the zone of the key's user. The examples of times have
// minutes and no seconds, so the range is widened to whole minutes.
func apiQuery(s telephony.Settings, r telephony.PullRange, page int) url.Values {
	const minutes = "2006-01-02T15:04"
	q := url.Values{
		"relative_pagination": {"true"}, "per_page": {strconv.Itoa(apiPage)}, "offset": {strconv.Itoa(page)},
		"sort": {"start_time"}, "order": {"asc"}, "time_zone": {"Etc/UTC"},
		"start_date": {r.From.UTC().Truncate(time.Minute).Format(minutes)},
		"end_date":   {r.To.UTC().Add(time.Minute - time.Nanosecond).Truncate(time.Minute).Format(minutes)},
		"fields":     {apiFields},
	}
	if id := apiCompany(s); id != "" {
		q.Set("company_id", id)
	}
	return q
}

// readPage reads a page of the API. The calls stay as CallRail wrote them.
func readPage(body []byte, s telephony.Settings, r telephony.PullRange, page int) (telephony.PullPage, error) {
	out := telephony.PullPage{}
	var list struct {
		Calls   []json.RawMessage `json:"calls"`
		HasNext *bool             `json:"has_next_page"`
	}
	if err := json.Unmarshal(body, &list); err != nil || list.Calls == nil {
		return out, &telephony.PullError{Retry: true, Err: errors.New("callrail: list calls: an answer that is no list of calls"),
			Public: "CallRail's answer could not be read. callsync asks again."}
	}
	companies := map[string]bool{}
	for _, raw := range list.Calls {
		f, err := telephony.ReadBody(telephony.Request{Body: raw})
		id := ""
		if err == nil {
			id = f.Text(fieldNumericID)
		}
		if id == "" || !ended(f, s, r.EndedBy) {
			out.LeftOut++
			continue
		}
		companies[f.Text("company_id")] = true
		out.Items = append(out.Items, telephony.Pulled{ID: id, Event: EventPulledCall, Body: raw})
	}
	if len(companies) > 1 && apiCompany(s) == "" {
		return telephony.PullPage{}, refusedPull("The API key sees calls of several companies. Enter the company id of this source in its settings, so that callsync does not mix them.",
			fmt.Errorf("callrail: list calls: %d companies in one page", len(companies)))
	}
	// Without the word of CallRail a full page may have a successor.
	if more := list.HasNext; len(list.Calls) > 0 && (more != nil && *more || more == nil && len(list.Calls) >= apiPage) {
		out.Next = strconv.Itoa(page + 1)
	}
	return out, nil
}

// ended tells whether a call of the API was over at that time.
func ended(f *telephony.Fields, s telephony.Settings, by time.Time) bool {
	if f.Text("call_type") == callInProgress {
		return false
	}
	start := f.Time(s.Location, "start_time")
	if seconds := f.Int("duration"); seconds != nil && *seconds > 0 && *seconds < int64(7*24*time.Hour/time.Second) {
		start = start.Add(time.Duration(*seconds) * time.Second)
	}
	return by.IsZero() || !start.After(by)
}

const publicBadKey = "CallRail refused the API key. Make a key in CallRail under Settings, API, and enter it in the settings of the source."

func refusedPull(public string, err error) *telephony.PullError {
	return &telephony.PullError{Public: public, Err: err}
}

// noAnswer is a request without a usable answer. httpx.Wrap keeps the URL and the key out of the text.
func noAnswer(err error) *telephony.PullError {
	e := &telephony.PullError{Retry: true, Err: fmt.Errorf("callrail: list calls: %w", httpx.Wrap(err)), Public: "CallRail did not answer. callsync asks again."}
	if errors.Is(err, httpx.ErrPrivateAddress) {
		e.Retry, e.Public = false, "The API address in the settings of the source leads into a private network, which this callsync does not allow. Correct it."
	}
	return e
}

// refusal turns a status of https://apidocs.callrail.com/#http-response-codes into an error. What the answer says besides
// is not shown: it is not specified and may quote the request.
func refusal(status int, h http.Header) *telephony.PullError {
	e := &telephony.PullError{Err: fmt.Errorf("callrail: list calls: status %d", status)}
	switch {
	case status == http.StatusUnauthorized:
		e.Public = publicBadKey
	case status == http.StatusForbidden:
		e.Public = "The user of CallRail's API key may not see the calls. Give that user access, or enter another key."
	case status == http.StatusNotFound:
		e.Public = "CallRail does not know the account id, or the API key may not see it. Correct it in the settings of the source."
	case status == http.StatusTooManyRequests:
		e.Retry, e.Public = true, "CallRail's limit of requests is reached (1,000 an hour and 10,000 a day for the whole account). callsync goes on when it is over."
	case status >= 500 || status == http.StatusRequestTimeout:
		e.Retry, e.Public = true, "CallRail has a problem of its own. callsync asks again."
	case status >= 300 && status < 400:
		e.Public = "The API address in the settings of the source has moved. Correct it."
	default:
		e.Public = "CallRail refused the request. It keeps calls for 25 months: choose a later beginning. If that is not the cause, check the account and company ids."
	}
	if d, ok := httpx.ParseRetryAfter(h.Get("Retry-After"), time.Now()); ok && e.Retry {
		e.RetryAfter = d
	}
	return e
}
