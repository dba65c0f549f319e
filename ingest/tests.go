package ingest

import (
	"net/http"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// Tests is the receiver as callsync itself sends test calls to it: with the mark that tells them from a phone system's
// (telephony.TestHeader), which the receiver takes away from every other request.
func (rc *Receiver) Tests() http.Handler { return http.HandlerFunc(rc.serve) }

// mark makes events those of a test if their request was marked as one: they say so, and if nobody is named as the
// customer, the name does. Of other requests' events it takes the attribute that would keep a call from the CRMs; what
// the phone system calls so stays in the receipt.
func mark(h http.Header, events []call.Event) {
	test := h.Get(telephony.TestHeader)
	for i := range events {
		x := &events[i].Facts
		if test == "" {
			delete(x.Attributes, call.AttributeTestOnly)
			continue
		}
		if x.Attributes == nil {
			x.Attributes = map[string]any{}
		}
		x.Attributes[call.AttributeTest] = true
		if test == telephony.TestOnly {
			x.Attributes[call.AttributeTestOnly] = true
		}
		if x.Customer.Name == "" && events[i].Message == nil && events[i].Form == nil {
			x.Customer.Name = telephony.TestName
		}
	}
}
