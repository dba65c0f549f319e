package pipedrive

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/internal/httpx"
)

// vendorError is Pipedrive's error body. Its texts quote what was sent, so they are read but never shown.
type vendorError struct {
	Success   *bool           `json:"success"`
	Error     string          `json:"error"`
	Code      json.RawMessage `json:"code"`
	FieldCode json.RawMessage `json:"field_code"`
}

// Where Pipedrive's statuses differ from the shared table: 415 says that a feature is not enabled in the account.
var overrides = map[int]connectors.Class{http.StatusUnsupportedMediaType: connectors.Forbidden}

// How long to wait where Pipedrive does not say: its burst limit counts two seconds. blockedFor is how long callsync leaves
// a protection alone that has blocked it.
const (
	burstWindow = 2 * time.Second
	blockedFor  = 2 * time.Minute
)

var (
	word        = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)
	customField = regexp.MustCompile(`^[0-9a-f]{40}$`)
	capping     = regexp.MustCompile(`^[a-z]+(?:_[a-z]+){1,8}$`)
)

// knownFields are the names that an error's text may be searched for. Its other words may be somebody's.
var knownFields = map[string]bool{
	"activity_id": true, "content": true, "custom_fields": true, "deal_id": true, "due_date": true, "due_time": true, "duration": true,
	"emails": true, "end_time": true, "expected_close_date": true, "from_phone_number": true, "label_ids": true, "lead_id": true,
	"name": true, "note": true, "org_id": true, "organization_id": true, "outcome": true, "owner_id": true, "participants": true,
	"person_id": true, "phones": true, "pipeline_id": true, "priority": true, "probability": true, "project_id": true,
	"public_description": true, "stage_id": true, "start_time": true, "status": true, "subject": true, "title": true,
	"to_phone_number": true, "type": true, "user_id": true, "value": true, "visible_to": true,
}

// refusal turns an answer outside 2xx into an error.
func (s *session) refusal(q request, status int, header http.Header, body []byte) error {
	var v vendorError
	theirs := json.Unmarshal(body, &v) == nil && (v.Success != nil || v.Error != "")
	e := &connectors.Error{Class: connectors.Classify(status, overrides)}
	code := ""
	switch {
	case status == http.StatusForbidden && !theirs:
		// Cloudflare, in front of Pipedrive, answers with a page of HTML when a client goes on after many a 429. Nothing has
		// reached Pipedrive, and no right is missing.
		e.Class, e.NotSent, e.RetryAfter = connectors.Unavailable, true, blockedFor
		e.Public = "Pipedrive's protection against too many requests has blocked callsync for a while. It will go on by itself; if this stays, lower the connection's limits."
	case status == http.StatusNotFound && !theirs:
		// Not Pipedrive's own 404: a proxy or a wrong address must not be taken for a record that somebody deleted.
		e.Class = connectors.Unavailable
		e.Public = "The address that answers is not Pipedrive's API. Check the API address of the connection."
	case e.Class == connectors.RateLimited:
		s.limit(e, header, v)
	case e.Class == connectors.Invalid:
		e.Field = v.field()
	case e.Class == connectors.Forbidden:
		if code = text(v.Code); !capping.MatchString(code) {
			code = ""
		}
	}
	if d, ok := httpx.ParseRetryAfter(header.Get("Retry-After"), s.now()); ok && e.Class.Retryable() && d > 0 {
		e.RetryAfter = d
	}
	if e.Public == "" {
		e.Public = sentence(e, status, code)
	}
	detail := ""
	if code != "" {
		detail = " " + code
	}
	e.Err = fmt.Errorf("pipedrive %s: status %d%s", q.name, status, detail)
	return e
}

// limit reads which of Pipedrive's limits was hit: the daily budget of tokens, which is filled at midnight, or the burst of
// two seconds. That the headers are there is not certain; Pipedrive's words are not documented.
func (s *session) limit(e *connectors.Error, header http.Header, v vendorError) {
	spent := strings.Contains(strings.ToLower(v.Error), "daily")
	for _, name := range []string{"x-daily-ratelimit-token-remaining", "x-daily-requests-left"} {
		if n, err := strconv.Atoi(strings.TrimSpace(header.Get(name))); err == nil && n <= 0 {
			spent = true
		}
	}
	if spent {
		e.Class = connectors.QuotaExhausted
		now := s.now().In(s.zone)
		e.RetryAfter = time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, s.zone).Sub(now)
		return
	}
	e.RetryAfter = burstWindow
	if n, err := strconv.Atoi(strings.TrimSpace(header.Get("x-ratelimit-reset"))); err == nil && n > 0 && n <= 60 {
		e.RetryAfter = time.Duration(n) * time.Second
	}
}

// sentence is what to tell a person.
func sentence(e *connectors.Error, status int, code string) string {
	switch {
	case status == http.StatusPaymentRequired:
		return "The Pipedrive account is not open: its subscription has ended or was not paid. Renew it in Pipedrive, then retry."
	case status == http.StatusUnsupportedMediaType:
		return "The Pipedrive account does not have the feature that this needs. Enable it in Pipedrive, then retry."
	case strings.HasPrefix(code, "feature_capping"):
		return "The Pipedrive plan allows no more records of this kind. Delete some or upgrade the plan, then retry."
	case e.Class == connectors.Forbidden:
		return "The Pipedrive user, or the app's scopes, do not allow this. Grant what is missing, then retry."
	case e.Class == connectors.QuotaExhausted:
		return "The company's daily token budget at Pipedrive is used up. callsync goes on after midnight; more can be bought in Pipedrive's API usage dashboard."
	case e.Class == connectors.Invalid && status >= 300 && status < 400:
		return "The API address of Pipedrive has moved. Correct the address of the connection."
	case e.Class == connectors.Invalid && e.Field != "":
		return "Pipedrive refused the value of the field “" + e.Field + "”. Correct the mapping, then retry."
	}
	return connectors.Sentence(e.Class, Label)
}

// field finds the field at fault: the one that is named as such, else the first word of the text that is a field's name.
func (v vendorError) field() string {
	for _, f := range append([]string{text(v.FieldCode)}, word.FindAllString(v.Error, 100)...) {
		if knownFields[f] || customField.MatchString(f) {
			return f
		}
	}
	return ""
}

// text is a JSON text; empty for anything else.
func text(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s)
	return s
}
