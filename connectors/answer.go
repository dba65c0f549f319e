package connectors

import (
	"errors"
	"fmt"

	"github.com/callsync/callsync/internal/httpx"
)

// NoAnswer is the error of a request to the CRM called label that got no answer. what names the request for operators
// ("hubspot search contacts"); reads tells that it changes nothing, so that it may simply be repeated. An error of the
// transport's own that is an *Error already, such as a rate budget that is spent, comes back as it is.
func NoAnswer(label, what string, reads bool, err error) error {
	if mine, ok := errors.AsType[*Error](err); ok {
		return mine
	}
	wrapped := httpx.Wrap(err)
	e := &Error{Class: Unavailable, NotSent: !wrapped.Sent, Err: fmt.Errorf("%s: %w", what, wrapped)}
	if wrapped.Sent && !reads {
		e.Class = UnknownOutcome
	}
	e.Public = Sentence(e.Class, label)
	if errors.Is(err, httpx.ErrPrivateAddress) {
		e.Class = Invalid
		e.Public = label + " is at an address in a private network, which this callsync does not allow. Correct the address, or ask the operator to allow it."
	}
	return e
}

// Unreadable is the error of a success whose body is not what the API of the CRM called label answers: something
// between answered, or it was cut off. what and reads are as in NoAnswer.
func Unreadable(label, what string, reads bool) error {
	class := UnknownOutcome
	if reads {
		class = Unavailable
	}
	return &Error{Class: class, Public: "What answers at the address is not the API of " + label + ", or was cut off. callsync tries again; check the address if this stays.",
		Err: fmt.Errorf("%s: a success with a body that cannot be read", what)}
}

// IsClass tells whether err is an *Error of class c.
func IsClass(err error, c Class) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Class == c
}
