package mappings

import (
	"cmp"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"github.com/callsync/callsync/call"
)

// titles begin the title of a call by what became of it. A call in no known direction is told of as one that came in.
var titles = map[call.Direction]map[call.Status]string{
	call.Inbound: {
		call.Missed: "Missed call from", call.Abandoned: "Abandoned call from", call.Voicemail: "Voicemail from",
		call.Busy: "Missed call (busy) from", call.Failed: "Failed call from", call.Cancelled: "Cancelled call from",
	},
	call.Outbound: {
		call.Missed: "Unanswered call to", call.Abandoned: "Unanswered call to", call.Voicemail: "Voicemail left for",
		call.Busy: "Unanswered call (busy) to", call.Failed: "Failed call to", call.Cancelled: "Cancelled call to",
	},
	call.Internal: {
		call.Missed: "Missed internal call from", call.Abandoned: "Missed internal call from", call.Voicemail: "Internal voicemail from",
		call.Busy: "Missed internal call (busy) from", call.Failed: "Failed internal call from", call.Cancelled: "Cancelled internal call from",
	},
}

// plainTitles are for calls that were answered, or of which nothing else is known.
var plainTitles = map[call.Direction]string{call.Inbound: "Inbound call from", call.Outbound: "Outbound call to", call.Internal: "Internal call with"}

// callTitle says in a few words what the call was and with whom; nothing where there is no call.
func callTitle(r *run) any {
	c := &r.in.Call
	if c.ID == "" {
		return nil
	}
	words, known := titles[c.Direction]
	if !known {
		words = titles[call.Inbound]
	}
	what := cmp.Or(words[c.Status], plainTitles[c.Direction], "Call with")
	return what + " " + callPartner(r)
}

// callPartner is the customer for people: the name, else the company, else the number.
func callPartner(r *run) string {
	c := &r.in.Call
	if name := strings.TrimSpace(c.Customer.Name); name != "" && !namesNobody(c.Customer.Name) {
		return name
	}
	if c.Customer.Company != "" {
		return c.Customer.Company
	}
	if c.Customer.Number != "" {
		if number, err := phone(c.Customer.Number, strings.ToUpper(r.in.Country), phonenumbers.INTERNATIONAL); err == nil && number != nil {
			return number.(string)
		}
	}
	switch {
	case c.Customer.RawNumber != "":
		return c.Customer.RawNumber
	case c.Direction == call.Internal:
		return "a colleague"
	}
	return "an unknown number"
}
