package connectors

import (
	"errors"
	"fmt"
	"time"
)

// Class is what kind of failure an error is; it decides what happens next and is the only failure label of metrics.
type Class string

// The classes of errors, and what callsync does on each.
const (
	RateLimited    Class = "rate_limited"    // wait RetryAfter, try again
	Unavailable    Class = "unavailable"     // back off, try again
	Unauthorized   Class = "unauthorized"    // refresh the token once, then revoked
	Revoked        Class = "revoked"         // park; a person must connect again
	Forbidden      Class = "forbidden"       // park; a person must grant a right. The connection stays
	Invalid        Class = "invalid"         // park; Field names what the CRM refused
	NotFound       Class = "not_found"       // the record is gone
	Conflict       Class = "conflict"        // the record exists; RemoteID names it where the CRM does: adopt
	QuotaExhausted Class = "quota_exhausted" // wait until the quota is filled again
	UnknownOutcome Class = "unknown_outcome" // sent, no answer: look before sending again
	Unsupported    Class = "unsupported"     // the CRM cannot do this
)

// Retryable tells whether time alone may heal an error of this class.
func (c Class) Retryable() bool {
	switch c {
	case RateLimited, Unavailable, QuotaExhausted, UnknownOutcome:
		return true
	}
	return false
}

// Error is every error a connector returns.
type Error struct {
	Class Class
	// Field is the CRM's field at fault, where the CRM names one.
	Field string
	// RetryAfter is how long the CRM asks to wait; zero where it does not say.
	RetryAfter time.Duration
	// RemoteID is the record that a Conflict names, or with Made the one that is there although the write failed.
	RemoteID string
	// Made tells that the record RemoteID was made or is known, and a later step of the same write failed: the next
	// attempt goes on with that record as an update of all fields.
	Made bool
	// NotSent tells that nothing of the request reached the CRM: even a create may simply be repeated.
	NotSent bool
	// Public is a sentence for the person in the UI: what happened and what to do. It holds no secret and no payload.
	Public string
	// Err is the operator's chain. It must not hold tokens, phone numbers or payloads.
	Err error
}

func (e *Error) Error() string {
	s := string(e.Class)
	if e.Field != "" {
		s += " (field " + e.Field + ")"
	}
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", s, e.Err)
	}
	return s + ": " + e.Public
}

func (e *Error) Unwrap() error { return e.Err }

// AsError finds the *Error in err's chain. An error that has none comes back as Unavailable: what is not understood is
// tried again rather than lost.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Class: Unavailable, Public: "Something unexpected went wrong. callsync will try again.", Err: err}
}
