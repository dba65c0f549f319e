package connectors

import (
	"fmt"
	"net/http"
)

// Classify gives the class of an HTTP status; empty for success. overrides, which may be nil, win: they are where a
// vendor differs. Statuses that nobody defined go with their hundred.
//
// Gateway errors (502, 504, 524) count as Unavailable, for a keyed write may simply be repeated. A connector that can
// only create overrides them with UnknownOutcome.
func Classify(status int, overrides map[int]Class) Class {
	if c, ok := overrides[status]; ok {
		return c
	}
	switch status {
	case http.StatusMovedPermanently, http.StatusPermanentRedirect:
		// The address is wrong for good; following it would carry credentials elsewhere.
		return Invalid
	case http.StatusUnauthorized:
		return Unauthorized
	case http.StatusPaymentRequired, http.StatusForbidden, http.StatusUnavailableForLegalReasons:
		return Forbidden
	case http.StatusNotFound, http.StatusGone:
		return NotFound
	case http.StatusMethodNotAllowed, http.StatusUpgradeRequired:
		return Unsupported
	case http.StatusConflict:
		return Conflict
	case http.StatusProxyAuthRequired, http.StatusRequestTimeout, http.StatusMisdirectedRequest, http.StatusLocked,
		http.StatusFailedDependency, http.StatusTooEarly:
		return Unavailable
	case http.StatusTooManyRequests:
		return RateLimited
	}
	switch {
	case status >= 200 && status < 300:
		return ""
	case status >= 400 && status < 500:
		return Invalid
	}
	return Unavailable
}

// Sentence is what to tell a person about an error of class c of the CRM called label, where nothing better is known.
func Sentence(c Class, label string) string {
	switch c {
	case RateLimited:
		return label + " asks callsync to slow down. It will go on by itself."
	case Unavailable:
		return label + " cannot be reached or has a fault of its own. callsync tries again."
	case Unauthorized, Revoked:
		return label + " no longer accepts the access. Connect again with new credentials."
	case Forbidden:
		return label + " does not allow this with the permissions that were given. Grant what is missing, then retry."
	case Invalid:
		return label + " refused what was sent. Correct the mapping or the settings, then retry."
	case NotFound:
		return "The record is gone from " + label + "."
	case Conflict:
		return label + " has this record already."
	case QuotaExhausted:
		return "The quota of the " + label + " account is used up. callsync goes on when it is filled again."
	case UnknownOutcome:
		return label + " gave no answer. callsync looks whether the record was written before it writes again."
	case Unsupported:
		return label + " cannot do this."
	}
	return fmt.Sprintf("Something went wrong with %s.", label)
}
