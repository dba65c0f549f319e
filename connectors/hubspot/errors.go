package hubspot

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/internal/httpx"
)

// vendorError is HubSpot's error body. Its messages quote the values that were sent, so they are read but never shown.
type vendorError struct {
	Status        string          `json:"status"`
	Message       string          `json:"message"`
	Category      string          `json:"category"`
	CorrelationID string          `json:"correlationId"`
	PolicyName    string          `json:"policyName"`
	ErrorType     string          `json:"errorType"`
	SubCategory   json.RawMessage `json:"subCategory"`
	Context       json.RawMessage `json:"context"`
	Errors        []struct {
		Message string          `json:"message"`
		Code    string          `json:"code"`
		In      string          `json:"in"`
		Context json.RawMessage `json:"context"`
	} `json:"errors"`
	ValidationResults []fieldError `json:"validationResults"`
}

// fieldError is one property that HubSpot refused; newer answers hold a list of them as JSON inside the message.
type fieldError struct {
	Name  string `json:"name"`
	Error string `json:"error"`
}

// itemStatus gives the status that a batch's error for one item would have had by itself.
var itemStatus = map[string]int{
	"VALIDATION_ERROR": 400, "INVALID_AUTHENTICATION": 401, "EXPIRED_AUTHENTICATION": 401, "MISSING_SCOPES": 403,
	"BANNED": 403, "OBJECT_NOT_FOUND": 404, "CONFLICT": 409, "OBJECT_ALREADY_EXISTS": 409, "RATE_LIMITS": 429, "RATE_LIMIT": 429,
}

// Where HubSpot's statuses differ from the shared table: 423 is a record that is locked for a moment, 477 an account
// that is being moved to another data centre and says for how long.
var overrides = map[int]connectors.Class{423: connectors.RateLimited, 477: connectors.Unavailable}

var (
	existingID  = regexp.MustCompile(`Existing ID: (\d{1,20})`)
	takenBy     = regexp.MustCompile(`(?:^|[^\d])(\d{1,20}) already has that value`)
	identifier  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.]{0,99}$`)
	errorCode   = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,59}$`)
	correlation = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)
	scopeName   = regexp.MustCompile(`[a-z][a-z-]*(?:[._][a-z0-9-]+)+`)
)

// refusal turns an answer outside 2xx into an error.
func (s *session) refusal(q request, status int, header http.Header, body []byte) error {
	var v vendorError
	known := json.Unmarshal(body, &v) == nil && (v.Message != "" || v.Category != "" || v.Status != "")
	e := s.classify(q, status, v)
	if status == http.StatusNotFound && !known {
		// Not HubSpot's own 404: a proxy or a wrong address must not be taken for a record that somebody deleted.
		e.Class = connectors.Unavailable
		e.Public = "The address that answers is not HubSpot's API. Check the API address of the connection."
	}
	if d, ok := httpx.ParseRetryAfter(header.Get("Retry-After"), s.now()); ok && e.Class.Retryable() && d > 0 {
		e.RetryAfter = d
	}
	if status == http.StatusLocked {
		e.RetryAfter = max(e.RetryAfter, 2*time.Second)
	}
	return e
}

// itemRefusal turns the error of one item of a batch into an error.
func (s *session) itemRefusal(q request, v vendorError) error {
	status, ok := itemStatus[v.Category]
	if !ok {
		status = http.StatusInternalServerError
	}
	return s.classify(q, status, v)
}

func (s *session) classify(q request, status int, v vendorError) *connectors.Error {
	e := &connectors.Error{Class: connectors.Classify(status, overrides)}
	code := ""
	switch {
	case e.Class == connectors.RateLimited:
		s.limit(e, status, v.PolicyName)
	case e.Class == connectors.Conflict:
		e.RemoteID = submatch(existingID, v.Message)
	case e.Class == connectors.Invalid:
		if id := submatch(takenBy, v.Message); id != "" {
			e.Class, e.RemoteID = connectors.Conflict, id
		} else {
			e.Field, code = v.field()
		}
	}
	e.Public = s.sentence(e, status, code, v)
	e.Err = fmt.Errorf("hubspot %s: status %d%s", q.name, status, v.operator(code))
	return e
}

// limit reads which of HubSpot's limits was hit. Policy names: TEN_SECONDLY_ROLLING, SECONDLY (search), DAILY.
func (s *session) limit(e *connectors.Error, status int, policy string) {
	switch {
	case status != http.StatusTooManyRequests:
		e.RetryAfter = 2 * time.Second
	case policy == "DAILY":
		e.Class = connectors.QuotaExhausted
		now := s.now().In(s.zone)
		e.RetryAfter = time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, s.zone).Sub(now)
	case policy == "SECONDLY":
		e.RetryAfter = time.Second
	default:
		e.RetryAfter = 10 * time.Second
	}
}

// sentence is what to tell a person.
func (s *session) sentence(e *connectors.Error, status int, code string, v vendorError) string {
	switch {
	case e.Class == connectors.Forbidden:
		if scopes := v.scopes(); scopes != "" {
			return "The HubSpot token lacks a permission. Add one of these scopes to its app, then retry: " + scopes + "."
		}
	case e.Class == connectors.Invalid && status >= 300 && status < 400:
		return "The API address of HubSpot has moved. Correct the address of the connection."
	case e.Class == connectors.Invalid && e.Field != "":
		switch code {
		case "PROPERTY_DOESNT_EXIST":
			return "HubSpot has no property “" + e.Field + "”. Make it in HubSpot, or take it out of the mapping, then retry."
		case "INVALID_OPTION":
			return "HubSpot's property “" + e.Field + "” does not have this value among its options. Add the option in HubSpot or change the mapping, then retry."
		case "READ_ONLY_VALUE":
			return "HubSpot does not let anybody write the property “" + e.Field + "”. Take it out of the mapping, then retry."
		}
		return "HubSpot refused the value of the property “" + e.Field + "”. Correct the mapping, then retry."
	}
	return connectors.Sentence(e.Class, Label)
}

// field finds the property at fault and why. Only names and codes leave this function.
func (v vendorError) field() (name, code string) {
	faults := v.ValidationResults
	if at := strings.Index(v.Message, "["); at >= 0 {
		var list []fieldError
		if json.NewDecoder(strings.NewReader(v.Message[at:])).Decode(&list) == nil {
			faults = append(faults, list...)
		}
	}
	for _, d := range v.Errors {
		var context map[string]json.RawMessage
		_ = json.Unmarshal(d.Context, &context)
		for _, key := range []string{"propertyName", "properties", "name"} {
			faults = append(faults, fieldError{Name: first(context[key]), Error: d.Code})
		}
		faults = append(faults, fieldError{Name: d.In, Error: d.Code})
	}
	for _, f := range faults {
		if identifier.MatchString(f.Name) {
			if !errorCode.MatchString(f.Error) {
				f.Error = ""
			}
			return f.Name, f.Error
		}
	}
	return "", ""
}

// first is a JSON text, or the first of a list of them.
func first(raw json.RawMessage) string {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return one
	}
	var list []string
	if json.Unmarshal(raw, &list) == nil && len(list) > 0 {
		return list[0]
	}
	return ""
}

// scopes lists the scopes that a 403 asks for.
func (v vendorError) scopes() string {
	var out []string
	for _, d := range v.Errors {
		for _, s := range scopeName.FindAllString(string(d.Context), -1) {
			if strings.Contains(s, ".") && len(out) < 6 {
				out = append(out, s)
			}
		}
	}
	return strings.Join(out, ", ")
}

// operator is what HubSpot's support wants to know, none of which is a payload.
func (v vendorError) operator(code string) string {
	out := ""
	for _, s := range []string{v.Category, v.ErrorType, v.PolicyName, code} {
		if errorCode.MatchString(s) {
			out += " " + s
		}
	}
	if correlation.MatchString(v.CorrelationID) {
		out += ", correlation " + v.CorrelationID
	}
	return out
}

func submatch(re *regexp.Regexp, s string) string {
	if m := re.FindStringSubmatch(s); m != nil {
		return m[1]
	}
	return ""
}
