package salesforce

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/internal/httpx"
)

// vendorError is one of Salesforce's errors: the body of a refusal is a list of them with errorCode, a collection has them
// with statusCode. Messages quote values, so they are read but never shown.
type vendorError struct {
	ErrorCode  string   `json:"errorCode"`
	StatusCode string   `json:"statusCode"`
	Message    string   `json:"message"`
	Fields     []string `json:"fields"`
	// Duplicate has the records that a duplicate rule found; Salesforce writes its name in two ways.
	Duplicate  *duplicates `json:"duplicateResult"`
	Duplicate2 *duplicates `json:"duplicateResut"`
}

type duplicates struct {
	AllowSave    bool `json:"allowSave"`
	MatchResults []struct {
		EntityType   string `json:"entityType"`
		MatchRecords []struct {
			Record struct {
				ID string `json:"Id"`
			} `json:"record"`
		} `json:"matchRecords"`
	} `json:"matchResults"`
}

func (v vendorError) code() string {
	if errorCode.MatchString(v.ErrorCode) {
		return v.ErrorCode
	}
	if errorCode.MatchString(v.StatusCode) {
		return v.StatusCode
	}
	return ""
}

// The codes that mean more than their status (SOAP guide, StatusCode; REST guide, Status Codes and Error Responses).
const (
	codeLocked      = "UNABLE_TO_LOCK_ROW"
	codeSession     = "INVALID_SESSION_ID"
	codeRequests    = "REQUEST_LIMIT_EXCEEDED"
	codeDeleted     = "ENTITY_IS_DELETED"
	codeNotFound    = "NOT_FOUND"
	codeReference   = "INVALID_CROSS_REFERENCE_KEY"
	codeMalformedID = "MALFORMED_ID"
	codeDuplicate   = "DUPLICATE_VALUE"
	codeDuplicates  = "DUPLICATES_DETECTED"
	codeField       = "INVALID_FIELD"
	codeFieldWrite  = "INVALID_FIELD_FOR_INSERT_UPDATE"
	codeRequired    = "REQUIRED_FIELD_MISSING"
	codeLong        = "STRING_TOO_LONG"
	codePicklist    = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
	codeValidation  = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
	codeIntegrity   = "FIELD_INTEGRITY_EXCEPTION"
	codeOwner       = "INACTIVE_OWNER_OR_USER"
	codeParse       = "JSON_PARSER_ERROR"
	codeType        = "INVALID_TYPE"
	codeTypeOnField = "INVALID_TYPE_ON_FIELD_IN_RECORD"
	codeStorage     = "STORAGE_LIMIT_EXCEEDED"
	codeTrigger     = "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
	codeFlow        = "CANNOT_EXECUTE_FLOW_TRIGGER"
	codeRights      = "INSUFFICIENT_ACCESS_OR_READONLY"
)

// classes are those of codes whatever status they come with: in a collection they come without one.
var classes = map[string]connectors.Class{
	codeLocked: connectors.RateLimited, codeSession: connectors.Unauthorized, codeDeleted: connectors.NotFound, codeNotFound: connectors.NotFound,
	codeRequests: connectors.QuotaExhausted, "SERVER_UNAVAILABLE": connectors.Unavailable, "UNKNOWN_EXCEPTION": connectors.Unavailable,
	"QUERY_TIMEOUT": connectors.Unavailable, "REQUEST_RUNNING_TOO_LONG": connectors.Unavailable, "INSUFFICIENT_ACCESS": connectors.Forbidden,
	codeRights: connectors.Forbidden, "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": connectors.Forbidden, "API_DISABLED_FOR_ORG": connectors.Forbidden,
	"API_CURRENTLY_DISABLED": connectors.Forbidden, codeStorage: connectors.Forbidden, "FUNCTIONALITY_NOT_ENABLED": connectors.Forbidden,
	// An item of a collection that failed with another one; callsync asks for none, but a trigger may.
	"ALL_OR_NONE_OPERATION_ROLLED_BACK": connectors.Unavailable, "PROCESSING_HALTED": connectors.Unavailable,
}

// overrides: 300 is an external id that several records have, which only a person can mend.
var overrides = map[int]connectors.Class{http.StatusMultipleChoices: connectors.Conflict}

// Where a message names the field at fault. None of these catches a value.
var (
	errorCode  = regexp.MustCompile(`^[A-Z][A-Z0-9_]{1,79}$`)
	namedField = []*regexp.Regexp{
		regexp.MustCompile(`No such column '([A-Za-z][A-Za-z0-9_]{0,79})' on `),
		regexp.MustCompile(`duplicate value found: ([A-Za-z][A-Za-z0-9_]{0,79}) duplicates value on record`),
		regexp.MustCompile(`Required fields are missing: \[([A-Za-z][A-Za-z0-9_]{0,79})`),
		regexp.MustCompile(`Unable to create/update fields: ([A-Za-z][A-Za-z0-9_]{0,79})[.,]`),
	}
	takenBy = regexp.MustCompile(`duplicates value on record with id: ([A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?)\b`)
)

// field is the field at fault, where Salesforce names one.
func (v vendorError) field() string {
	for _, f := range v.Fields {
		if identifier.MatchString(f) {
			return f
		}
	}
	for _, re := range namedField {
		if m := re.FindStringSubmatch(v.Message); m != nil {
			return m[1]
		}
	}
	return ""
}

// refused is an error with what mending a write needs.
type refused struct {
	err        *connectors.Error
	status     int
	code       string
	fields     []string
	duplicates []string
	allowSave  bool
	noKeyField bool
}

func (r *refused) Error() string { return r.err.Error() }

func (r *refused) Unwrap() error { return r.err }

// hasCode tells whether err is Salesforce's refusal with this code.
func hasCode(err error, code string) bool {
	r, ok := errors.AsType[*refused](err)
	return ok && r.code == code
}

// refusal turns an answer outside 2xx into an error.
func (s *session) refusal(q request, status int, header http.Header, body []byte) error {
	var list []vendorError
	own := json.Unmarshal(body, &list) == nil && len(list) > 0 && list[0].code() != ""
	var v vendorError
	if own {
		v = list[0]
	}
	r := s.classify(q, status, v)
	switch {
	case status == http.StatusMultipleChoices:
		r.err.Field = s.keyField
		r.err.Public = "Several records in Salesforce have callsync's key of this record: the field “" + s.keyField + "” does not demand unique values. Delete all but one of them, make the field unique, then retry."
	case status == http.StatusNotFound && !own:
		// Not Salesforce's own 404: a wrong address must not be taken for a record that somebody deleted.
		r.err.Class = connectors.Unavailable
		r.err.Public = "The address that answers is not Salesforce's API. Check the My Domain address and the API version of the connection."
	case r.err.Class == connectors.Invalid && status >= 300 && status < 400:
		r.err.Public = "The address of Salesforce has moved. Correct the My Domain address of the connection."
	}
	if d, ok := httpx.ParseRetryAfter(header.Get("Retry-After"), s.now()); ok && r.err.Class.Retryable() && d > 0 {
		r.err.RetryAfter = d
	}
	return r
}

// itemRefusal turns the errors of one item of a collection into an error.
func (s *session) itemRefusal(q request, list []vendorError) error {
	var v vendorError
	if len(list) > 0 {
		v = list[0]
	}
	return s.classify(q, http.StatusBadRequest, v)
}

func (s *session) classify(q request, status int, v vendorError) *refused {
	code := v.code()
	e := &connectors.Error{Class: connectors.Classify(status, overrides)}
	if c, ok := classes[code]; ok {
		e.Class = c
	}
	r := &refused{err: e, status: status, code: code}
	e.Err = fmt.Errorf("salesforce %s: status %d%s", q.name, status, spaced(code))
	e.Public = connectors.Sentence(e.Class, Label)
	switch {
	case code == codeNotFound && strings.Contains(v.Message, "external ID field") && q.byKey:
		// The field is not there, or field-level security hides it.
		e.Class, e.Field, r.noKeyField = connectors.Invalid, s.keyField, true
		e.Public = "Salesforce has no field “" + s.keyField + "” on " + label(q.object) + " that is an external ID and that callsync's user may see. Test the connection: it says what to do."
	case code == codeMalformedID && q.byID && len(v.Fields) == 0:
		e.Class, e.Public = connectors.NotFound, connectors.Sentence(connectors.NotFound, Label)
	case code == codeRequests:
		s.limit(e, v)
	case code == codeLocked, strings.Contains(v.Message, codeLocked) && (code == codeTrigger || code == codeFlow):
		r.code, e.Class, e.RetryAfter = codeLocked, connectors.RateLimited, 2*time.Second
		e.Public = "Somebody else is changing the same contact or account in Salesforce at this moment. callsync tries again."
	case code == codeDuplicate:
		r.duplicate(s, v)
	case code == codeDuplicates:
		r.rule(v)
	case code == codeReference:
		r.reference(v)
	case e.Class == connectors.Invalid || e.Class == connectors.Forbidden:
		e.Field = v.field()
		r.fields = v.Fields
		if e.Field != "" && !slices.Contains(r.fields, e.Field) {
			r.fields = append(r.fields[:len(r.fields):len(r.fields)], e.Field)
		}
		if text := s.sentence(q, code, e.Field); text != "" {
			e.Public = text
		}
	}
	return r
}

func spaced(code string) string {
	if code == "" {
		return ""
	}
	return " " + code
}

// limit tells the day's limit from that of requests at once, which have one code.
func (s *session) limit(e *connectors.Error, v vendorError) {
	if strings.Contains(v.Message, "Concurrent") {
		e.Class, e.RetryAfter = connectors.RateLimited, 10*time.Second
		e.Public = connectors.Sentence(e.Class, Label)
		return
	}
	e.RetryAfter = lookAgain
	e.Public = "Your Salesforce org has used all API requests of its last 24 hours. callsync goes on by itself when there are some again."
}

// duplicate is a value that another record has already in a unique field: our key, or one of the customer's.
func (r *refused) duplicate(s *session, v vendorError) {
	r.err.Class, r.err.Field = connectors.Conflict, v.field()
	if m := takenBy.FindStringSubmatch(v.Message); m != nil {
		r.err.RemoteID = m[1]
	}
	r.err.Public = connectors.Sentence(connectors.Conflict, Label)
	if r.err.Field != "" && r.err.Field != s.keyField {
		r.err.Public = "Another record in Salesforce has this value of “" + r.err.Field + "”, which only one may have. Look at it, or take the field out of the mapping, then retry."
	}
}

// rule is what a duplicate rule found.
func (r *refused) rule(v vendorError) {
	r.err.Class = connectors.Conflict
	r.err.Public = "A duplicate rule of your Salesforce says that this person is there already. Choose the contact under Reviews, or let the rule allow it, then retry."
	for _, d := range []*duplicates{v.Duplicate, v.Duplicate2} {
		if d == nil {
			continue
		}
		r.allowSave = r.allowSave || d.AllowSave
		for _, result := range d.MatchResults {
			for _, m := range result.MatchRecords {
				if recordID.MatchString(m.Record.ID) && len(r.duplicates) < 20 {
					r.duplicates = append(r.duplicates, m.Record.ID)
				}
			}
		}
	}
}

// reference is an id that leads nowhere: the contact is gone, or the owner.
func (r *refused) reference(v vendorError) {
	r.err.Field = v.field()
	r.err.Class, r.err.Public = connectors.NotFound, "The record it belongs to is gone from Salesforce."
	if r.err.Field != "" && !slices.Contains([]string{"WhoId", "WhatId", "ContactId", "AccountId", "FirstPublishLocationId", "ContentDocumentId", "Id"}, r.err.Field) {
		r.err.Class = connectors.Invalid
		r.err.Public = "The record that “" + r.err.Field + "” names is not in Salesforce. Correct the mapping or the table of agents and owners, then retry."
	}
}

// sentence is what to tell a person of a refusal that only a person can mend; empty where the class says enough.
func (s *session) sentence(q request, code, field string) string {
	name, on := "“"+field+"”", label(q.object)
	switch code {
	case codeField, codeFieldWrite:
		if field == "" {
			break
		}
		if code == codeField {
			return "Salesforce has no field " + name + " on " + on + ", or callsync's user may not see it. Add it, or give the user's permission set access to it, or take it out of the mapping, then retry."
		}
		return "callsync's Salesforce user may not write the field " + name + " of " + on + ". Give its permission set edit access to the field, or take it out of the mapping, then retry."
	case codeRequired:
		return "Salesforce demands a value for the field " + orElse(name, field, "that it names") + " of " + on + ". Add a row for it to the mapping, then retry."
	case codePicklist:
		return "The picklist " + orElse(name, field, "of a field") + " of " + on + " does not have this value, or not for this record type. Add the value in Salesforce or change the mapping, then retry."
	case codeLong:
		return "The value for the field " + orElse(name, field, "it names") + " of " + on + " is too long. Shorten it in the mapping, then retry."
	case codeValidation:
		return "A validation rule of your Salesforce refuses this record. Fill what the rule demands in the mapping, or leave callsync's user out of the rule, then retry."
	case codeTrigger, codeFlow:
		return "An automation of your Salesforce (a flow or an Apex trigger) failed when callsync saved this record. Its owner has an e-mail about it; correct it, then retry."
	case codeIntegrity:
		return "Salesforce does not allow this combination of fields of " + on + ". A call on a lead cannot be related to another record. Correct the mapping, then retry."
	case codeOwner:
		return "The Salesforce user who shall own the record is not active any more. Correct the table of agents and owners, then retry."
	case codeStorage:
		return "Your Salesforce org has no storage left. Free some or buy more, then retry."
	case "API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED":
		return "Your Salesforce edition or callsync's user has no access to the API. Give the user the permission “API Enabled”, then retry."
	case codeRights, "INSUFFICIENT_ACCESS":
		return "callsync's Salesforce user may not do this with " + on + ". Give its permission set the object's rights, then retry."
	case "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY":
		return "callsync's Salesforce user may not see or edit the record this belongs to. Let its permission set view and edit all of them, then retry."
	case codeParse, codeType, codeTypeOnField:
		return "A value is not of the kind that its Salesforce field takes. Correct the mapping, then retry."
	}
	return ""
}

func orElse(quoted, field, otherwise string) string {
	if field == "" {
		return otherwise
	}
	return quoted
}

// label is an object's name for people.
func label(object string) string {
	switch object {
	case "":
		return "records"
	case objVersion:
		return "files"
	}
	return object
}
