package zoho

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

// vendorError is Zoho's error, of a whole request or of one record in it. Its messages may quote values, so they are read
// but never shown.
type vendorError struct {
	Code    string          `json:"code"`
	Status  string          `json:"status"`
	Message string          `json:"message"`
	Details json.RawMessage `json:"details"`
}

// details are what an error's details may say (crm-oas v8.0/record.json).
type details struct {
	APIName   string          `json:"api_name"`
	ID        string          `json:"id"`
	MaxLength json.RawMessage `json:"maximum_length"`
	// Duplicate is the record that has a unique value already.
	Duplicate struct {
		ID     string `json:"id"`
		Module struct {
			APIName string `json:"api_name"`
		} `json:"module"`
	} `json:"duplicate_record"`
	Errors []vendorError `json:"errors"`
}

// parsed reads the details as far as they can be read.
func (v vendorError) parsed() details {
	var d details
	_ = json.Unmarshal(v.Details, &d)
	return d
}

// maxLength is the length that a field takes, where the error is about that: a number, or text that is one.
func (d details) maxLength() int {
	n, err := strconv.Atoi(strings.Trim(string(d.MaxLength), `"`))
	if err != nil || n < 1 {
		return 0
	}
	return n
}

// Zoho's codes that are dealt with by name.
const (
	codeScope     = "OAUTH_SCOPE_MISMATCH"
	codeDuplicate = "DUPLICATE_DATA"
	codeLocked    = "RECORD_LOCKED"
)

// codes are the classes of Zoho's codes, which say more than the status: most are a 400, and some come in a 200.
var codes = map[string]connectors.Class{
	"INVALID_TOKEN": connectors.Unauthorized, "INVALID_OAUTHTOKEN": connectors.Unauthorized, "AUTHENTICATION_FAILURE": connectors.Unauthorized,
	codeScope: connectors.Forbidden, "NO_PERMISSION": connectors.Forbidden, "AUTHORIZATION_FAILED": connectors.Forbidden, "NOT_ALLOWED": connectors.Forbidden,
	"CRMPLUS_TRIAL_EXPIRED": connectors.Forbidden, "LICENSE_EXPIRED": connectors.Forbidden,
	codeDuplicate: connectors.Conflict,
	codeLocked:    connectors.RateLimited, "NOT_APPROVED": connectors.RateLimited, "TOO_MANY_REQUESTS": connectors.RateLimited,
	"API_LIMIT_EXCEEDED": connectors.QuotaExhausted,
	"INTERNAL_ERROR":     connectors.Unavailable, "INTERNAL_SERVER_ERROR": connectors.Unavailable,
	"NOT_FOUND": connectors.NotFound, "NO_RECORDS_FOUND": connectors.NotFound, "RESOURCE_NOT_FOUND": connectors.NotFound,
	// A lead that was converted stands for nothing any more: what it became is looked for.
	"CONVERTED_RECORD": connectors.NotFound, "ID_ALREADY_CONVERTED": connectors.NotFound,
	"NOT_SUPPORTED": connectors.Unsupported, "FEATURE_NOT_SUPPORTED": connectors.Unsupported, "FEATURE_NOT_ENABLED": connectors.Unsupported,
	"INVALID_DATA": connectors.Invalid, "MANDATORY_NOT_FOUND": connectors.Invalid, "DEPENDENT_FIELD_MISSING": connectors.Invalid,
	"DEPENDENT_MISMATCH": connectors.Invalid, "PATTERN_NOT_MATCHED": connectors.Invalid, "EXPECTED_FIELD_MISSING": connectors.Invalid,
	"MAPPING_MISMATCH": connectors.Invalid, "INVALID_QUERY": connectors.Invalid, "REQUIRED_PARAM_MISSING": connectors.Invalid,
	"EXPECTED_PARAM_MISSING": connectors.Invalid, "RECORD_IN_BLUEPRINT": connectors.Invalid, "INVALID_MODULE": connectors.Invalid,
	"INVALID_REQUEST_METHOD": connectors.Unsupported, "INVALID_REQUEST": connectors.Invalid, "UNABLE_TO_PARSE_DATA_TYPE": connectors.Invalid,
	"LIMIT_EXCEEDED": connectors.Invalid, "FILE_SIZE_MORE_THAN_ALLOWED_SIZE": connectors.Invalid, "STORAGE_SPACE_EXCEEDED": connectors.Forbidden,
}

var (
	fieldName = regexp.MustCompile(`^\$?[A-Za-z][A-Za-z0-9_]{0,99}$`)
	errorCode = regexp.MustCompile(`^[A-Z][A-Z0-9_]{1,59}$`)
	// noRecord is what Zoho says, in several wordings, of an id that no record has.
	noRecord = regexp.MustCompile(`(?i)id given seems to be invalid|given id (is|seems to be) invalid|no record found|record not (found|available)|no data for the id`)
)

// lockedFor is when to look at a locked record again: Zoho does not say how long a lock lasts.
const lockedFor = time.Minute

// refused reads an error that an answer as a whole is. A success may be one.
func (a answer) refused() (vendorError, bool) {
	var v vendorError
	_ = json.Unmarshal(a.body, &v)
	if !errorCode.MatchString(v.Code) {
		v.Code = ""
	}
	return v, !a.ok() || v.Code != "" && v.Status == "error"
}

// refusal turns an error of a whole request into an error.
func (s *session) refusal(q request, a answer, v vendorError) error {
	status := a.status
	if a.ok() {
		status = http.StatusBadRequest
	}
	e := s.classify(q, status, v)
	switch {
	case status == http.StatusTooManyRequests && a.header.Get("X-API-CREDITS-REMAINING") == "0":
		e.Class, e.RetryAfter = connectors.QuotaExhausted, time.Hour
		e.Public = connectors.Sentence(e.Class, Label)
	case status == http.StatusNotFound && v.Code != "" && v.Code != "NOT_FOUND" && v.Code != "RESOURCE_NOT_FOUND":
		// INVALID_URL_PATTERN: ids are numbers, so it is the address that is wrong.
		e.Class, e.Public = connectors.Invalid, "Zoho does not know this address of its API. Check the API address of the connection."
	case status == http.StatusNotFound && v.Code == "":
		// Not Zoho's own 404: a proxy or a wrong address must not be taken for a record that somebody deleted.
		e.Class = connectors.Unavailable
		e.Public = "The address that answers is not Zoho's API. Check the API address of the connection."
	}
	if d, ok := httpx.ParseRetryAfter(a.header.Get("Retry-After"), s.now()); ok && e.Class.Retryable() && d > 0 {
		e.RetryAfter = d
	}
	return e
}

// itemRefusal turns the error of one record into an error.
func (s *session) itemRefusal(q request, r result) error {
	return s.classify(q, http.StatusBadRequest, r.vendorError)
}

func (s *session) classify(q request, status int, v vendorError) *connectors.Error {
	if v.Code == "MULTIPLE_OR_MULTI_ERRORS" {
		v = v.worst()
	}
	d := v.parsed()
	e := &connectors.Error{Class: connectors.Classify(status, nil)}
	if c, ok := codes[v.Code]; ok && (status < 500 || c == connectors.Unavailable) && status != http.StatusTooManyRequests {
		e.Class = c
	}
	if fieldName.MatchString(d.APIName) && d.APIName != "id" {
		e.Field = d.APIName
	}
	switch {
	case v.Code == codeDuplicate:
		if d.Duplicate.ID == "" && d.Duplicate.Module.APIName == "" {
			d.Duplicate.ID = d.ID
		}
		if m := d.Duplicate.Module.APIName; usable(d.Duplicate.ID) && (m == "" || m == q.module) {
			e.RemoteID = d.Duplicate.ID
		}
	case v.Code == codeLocked:
		e.RetryAfter = lockedFor
	case e.Class == connectors.Invalid && (e.Field == "" && noRecord.MatchString(v.Message) || links[e.Field]):
		// The record itself, or the one that it shall belong to, is gone.
		e.Class, e.Field = connectors.NotFound, ""
	}
	if e.Class != connectors.Invalid && e.Class != connectors.Conflict {
		e.Field = ""
	}
	e.Public = sentence(q, e, v, d)
	e.Err = fmt.Errorf("zoho %s: status %d %s", q.name, status, operator(v.Code, e.Field))
	return e
}

// links are the fields that say to which records another one belongs.
var links = map[string]bool{"Who_Id": true, "What_Id": true, "Parent_Id": true, "Related_To": true}

// worst is the one of several errors to go by: that of our key, else the first.
func (v vendorError) worst() vendorError {
	list := v.parsed().Errors
	for _, one := range list {
		if one.Code == codeDuplicate && one.parsed().APIName == KeyField {
			return one
		}
	}
	if len(list) > 0 && list[0].Code != v.Code {
		return list[0]
	}
	return vendorError{}
}

func operator(code, field string) string {
	if !errorCode.MatchString(code) {
		code = "without a code"
	}
	if field != "" {
		code += " for the field " + field
	}
	return code
}

// sentence is what to tell a person.
func sentence(q request, e *connectors.Error, v vendorError, d details) string {
	switch {
	case v.Code == codeScope:
		return "callsync's access to Zoho CRM lacks a scope that it needs for the module " + q.module + ". Connect again and accept all rights that callsync asks for."
	case e.Class == connectors.Forbidden && v.Code == "STORAGE_SPACE_EXCEEDED":
		return "The storage of the Zoho account is full. Make room there or buy storage, then retry."
	case e.Class == connectors.Forbidden:
		return "The Zoho user who connected callsync may not do this in the module " + q.module + ". Allow it in the user's profile, then retry."
	case v.Code == codeLocked:
		return "The record is locked in Zoho CRM. callsync tries again until it is unlocked."
	case v.Code == codeDuplicate && e.RemoteID == "" && d.Duplicate.Module.APIName != "" && d.Duplicate.Module.APIName != q.module && fieldName.MatchString(d.Duplicate.Module.APIName):
		return "Zoho CRM has this value in the module " + d.Duplicate.Module.APIName + ", and its duplicate check forbids a second one. Let callsync look there for numbers too, or change the duplicate check, then retry."
	case v.Code == "RECORD_IN_BLUEPRINT":
		return "A blueprint in Zoho CRM holds this record and does not let anybody else change it. Move it on there, then retry."
	case e.Class == connectors.Invalid && v.Code == "INVALID_MODULE":
		return "The module " + q.module + " is switched off in Zoho CRM, or the user who connected callsync does not see it."
	case e.Class == connectors.Invalid && e.Field != "":
		switch v.Code {
		case "MANDATORY_NOT_FOUND", "EXPECTED_FIELD_MISSING", "DEPENDENT_FIELD_MISSING":
			return "Zoho CRM demands the field “" + e.Field + "”. Fill it in the mapping, or make it optional in Zoho, then retry."
		}
		return "Zoho CRM refused the value of the field “" + e.Field + "”. Correct the mapping, then retry."
	}
	return connectors.Sentence(e.Class, Label)
}
