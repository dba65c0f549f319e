package espocrm

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

// lockout is how long EspoCRM counts failed log-ins of an address (authFailedAttemptsPeriod, 60 seconds).
const lockout = time.Minute

var (
	word       = regexp.MustCompile(`^[A-Za-z]{1,60}$`)
	identifier = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{0,99}$`)
	recordID   = regexp.MustCompile(`^[A-Za-z0-9]{1,36}$`)
	// wherePart is the attribute that a search may not use: it is not there, or the role hides it.
	wherePart = regexp.MustCompile(`^(?:Not existing|Forbidden) attribute '([A-Za-z][A-Za-z0-9]{0,99})' in where`)
	linkName  = regexp.MustCompile(`(?:link: |:)([a-z][A-Za-z0-9]{0,99})\)?\.$`)
)

// reasonHeader is on every refusal that EspoCRM itself made, at times empty. Its texts quote values, so they are read but
// never shown.
const reasonHeader = "X-Status-Reason"

// codes of EspoCRM's refusals (messageTranslation.label).
const (
	codeValidation      = "validationFailure"
	codeMissingRecord   = "cannotRelateNonExisting"
	codeForeignRecord   = "cannotRelateForbidden"
	codeForeignRecord2  = "noAccessToForeignRecord"
	codeAssignment      = "assignment"
	codeScope           = "scope"
	codeTooLarge        = "tooLarge"
	codeSecondStep      = "second-step-required"
	codeMissingInSearch = "where"
)

// refused is what EspoCRM said, in fixed words.
type refused struct {
	code string
	// field is the field or attribute at fault, and rule what it breaks (required, maxLength, pattern, valid).
	field, rule string
	// foreign is the entity type of the other record.
	foreign string
	// own tells that EspoCRM answered, and not something in front of it.
	own bool
	// duplicates are the records that a 409 names.
	duplicates []attributes
}

// validationError is an error with what the repair of a write needs.
type validationError struct {
	err     *connectors.Error
	refused refused
}

func (e *validationError) Error() string { return e.err.Error() }

func (e *validationError) Unwrap() error { return e.err }

func read(header http.Header, body []byte) refused {
	var out refused
	_, out.own = header[reasonHeader]
	reason := header.Get(reasonHeader)
	var v struct {
		Translation struct {
			Label string `json:"label"`
			Data  struct {
				Field   string `json:"field"`
				Type    string `json:"type"`
				Foreign string `json:"foreignEntityType"`
			} `json:"data"`
		} `json:"messageTranslation"`
	}
	if json.Unmarshal(body, &v) == nil && v.Translation.Label != "" {
		t := v.Translation
		out.own = true
		out.code, out.rule = matching(word, t.Label), matching(word, t.Data.Type)
		out.field, out.foreign = matching(identifier, t.Data.Field), matching(identifier, t.Data.Foreign)
	} else if json.Unmarshal(body, &out.duplicates) != nil {
		out.duplicates = nil
	}
	switch {
	case out.code == codeMissingRecord || out.code == codeForeignRecord || out.code == codeForeignRecord2:
		if m := linkName.FindStringSubmatch(reason); m != nil {
			out.field = m[1]
		}
	case out.code != "":
	case strings.HasPrefix(reason, "Assignment failure"):
		out.code = codeAssignment
	case strings.HasPrefix(reason, "Attachment size exceeds"), strings.HasPrefix(reason, "Max attachment size"):
		out.code = codeTooLarge
	case reason == codeSecondStep:
		out.code = codeSecondStep
	case strings.HasPrefix(reason, "No ") && strings.HasSuffix(reason, " access."):
		out.code = codeScope
	default:
		if m := wherePart.FindStringSubmatch(reason); m != nil {
			out.code, out.field = codeMissingInSearch, m[1]
		}
	}
	return out
}

// matching is s where it has the form of what it should be, and nothing of what somebody sent.
func matching(form *regexp.Regexp, s string) string {
	if form.MatchString(s) {
		return s
	}
	return ""
}

// refusal turns an answer outside 2xx into an error.
func (s *session) refusal(q request, status int, header http.Header, body []byte) error {
	v := read(header, body)
	e := &connectors.Error{Class: connectors.Classify(status, nil), Field: v.field}
	e.Public = connectors.Sentence(e.Class, Label)
	switch status {
	case http.StatusForbidden:
		v.forbidden(q, e)
	case http.StatusUnauthorized:
		e.Public = "EspoCRM does not accept the credentials. Copy the API key again, and see that the user is active, then test the connection."
		if v.code == codeSecondStep {
			e.Public = "This user has two-factor authentication, with which no program can log in. Use an API user instead."
		}
	case http.StatusNotFound:
		if !v.own {
			// Not EspoCRM's own 404: a proxy or a wrong address must not be taken for a record that somebody deleted.
			e.Class = connectors.Unavailable
			e.Public = "What answers at the address is not EspoCRM's API. Check the address of the connection."
		}
	case http.StatusConflict:
		if len(v.duplicates) > 0 && recordID.MatchString(v.duplicates[0].text("id")) {
			e.RemoteID = v.duplicates[0].text("id")
		}
	case http.StatusBadRequest:
		v.invalid(q, e)
	case http.StatusRequestEntityTooLarge:
		e.Public = "The web server in front of EspoCRM refuses requests of this size. Raise its limit (nginx: client_max_body_size), then retry."
	}
	if e.Class == connectors.Invalid && status >= 300 && status < 400 {
		e.Public = "The address of EspoCRM has moved. Correct the address of the connection."
	}
	if d, ok := httpx.ParseRetryAfter(header.Get("Retry-After"), s.now()); ok && e.Class.Retryable() && d > 0 {
		e.RetryAfter = d
	}
	e.Err = fmt.Errorf("espocrm %s: status %d%s", q.name, status, v.operator())
	if len(v.duplicates) > 0 || v.code == codeValidation {
		return &validationError{err: e, refused: v}
	}
	return e
}

// forbidden reads a 403: a right that is missing, a record that is gone, or a lock against guessing.
func (v refused) forbidden(q request, e *connectors.Error) {
	switch {
	case !v.own:
		e.Class, e.RetryAfter = connectors.Unavailable, lockout
		e.Public = "EspoCRM, or what stands before it, refuses callsync's address for a while: too many failed log-ins came from it, or a firewall does not know it. callsync tries again."
	case v.code == codeMissingRecord && v.foreign == "User":
		e.Class = connectors.Invalid
		e.Public = "The EspoCRM user who shall own the record does not exist any more. Correct the table of agents and owners or the default owner, then retry."
	case v.code == codeMissingRecord:
		e.Class = connectors.NotFound
		e.Public = "The record it belongs to is gone from EspoCRM."
	case v.code == codeForeignRecord && v.foreign == "User":
		e.Public = "callsync's EspoCRM user may not see the user who shall own the record, or that user is not active. In its role, set User → read to “all”, then retry."
	case v.code == codeForeignRecord || v.code == codeForeignRecord2:
		e.Public = "callsync's EspoCRM user may not see the record this belongs to. In its role, set " + entityLabel(v.foreign, "the entity") + " → read to “all”, then retry."
	case v.code == codeAssignment:
		e.Field = "assignedUser"
		e.Public = "callsync's EspoCRM user may not give records to this owner. In its role, set Assignment Permission to “all”, then retry."
	case v.code == codeTooLarge:
		e.Class = connectors.Invalid
		e.Public = "The recording is larger than EspoCRM takes. Raise Max Attachment Size under Administration → Settings, then retry."
	default:
		if verb := rights[q.method]; verb != "" && q.entity != "" {
			e.Public = "callsync's EspoCRM user may not do this. In its role, set " + q.entity + " → " + verb + ", then retry."
		}
	}
}

// rights are what a role must allow for a method.
var rights = map[string]string{http.MethodGet: "read to “all”", http.MethodPost: "create to “yes”", http.MethodPut: "edit to “all”"}

func entityLabel(entity, otherwise string) string {
	if entity == "" {
		return otherwise
	}
	return entity
}

// invalid reads a 400.
func (v refused) invalid(q request, e *connectors.Error) {
	name := "“" + v.field + "”"
	switch {
	case v.field == "":
	case v.code == codeMissingInSearch:
		e.Public = "EspoCRM has no field " + name + " on " + q.entity + ", or callsync's role may not read it. Test the connection: it says what to add."
	case v.rule == "required":
		e.Public = "EspoCRM demands a value for the field " + name + " of " + q.entity + ". Add a row for it to the mapping, then retry."
	case v.rule == "maxLength":
		e.Public = "The value for EspoCRM's field " + name + " is too long. Shorten it in the mapping, then retry."
	case v.field == "phoneNumber":
		e.Public = "EspoCRM takes only phone numbers with their country code, such as +14155550101. Leave out what is no such number in the mapping, then retry."
	default:
		e.Public = "EspoCRM refused the value of the field " + name + " of " + q.entity + ": it must be one of its options, or of its kind. Correct the mapping or add the option, then retry."
	}
}

// operator is what helps to find the cause, none of which is a payload.
func (v refused) operator() string {
	out := ""
	for _, s := range []string{v.code, v.rule, v.foreign} {
		if s != "" {
			out += " " + s
		}
	}
	return out
}
