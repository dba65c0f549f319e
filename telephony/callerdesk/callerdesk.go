// Package callerdesk reads the webhooks of CallerDesk (and of its white labels, which send the same): the report of a call
// that has ended, and what happens while it is live.
//
// What it relies on is published at https://docs.callerdesk.io/sample-payload and https://api.callerdesk.io (the "Post
// Webhook payload" and the "Get Webhook payload"). CallerDesk signs nothing: the token in the URL is all that proves a
// request.
package callerdesk

import (
	"errors"
	"net/http"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// ID is the provider's id.
const ID = "callerdesk"

// AliasUniqueID is the kind of alias for Uniqueid, which reports carry beside the CallSid.
const AliasUniqueID = "callerdesk_uniqueid"

// Provider reads CallerDesk's webhooks.
type Provider struct{}

// New returns the provider.
func New() Provider { return Provider{} }

var _ telephony.Provider = Provider{}

// Info describes CallerDesk. One URL serves every event: reports and live calls are told apart by what they say, because
// the GET form of a report has no type.
func (Provider) Info() telephony.Info {
	usual := call.Expectations{Recording: true}
	return telephony.Info{
		ID: ID, Label: "CallerDesk",
		Fields:   telephony.ExpectationFields(usual),
		Expects:  usual,
		TimeZone: "Asia/Kolkata",
		Steps:    setupSteps(),
		Triggers: triggers(),
		Setup:    telephony.Setup(setupSteps()),
		Docs:     "https://docs.callerdesk.io/sample-payload",
	}
}

// Signs is false: CallerDesk publishes no signature, secret or header.
func (Provider) Signs(telephony.Settings) bool { return false }

// Verify has nothing to check.
func (Provider) Verify(telephony.Request, telephony.Settings) error { return nil }

// Reply is what CallerDesk's own example of a receiver answers.
func (Provider) Reply(telephony.Request) telephony.Reply {
	return telephony.Reply{Status: http.StatusOK, ContentType: "text/plain; charset=utf-8", Body: "success"}
}

// Decode reads one request: the body, or the query where the body is empty (CallerDesk sends GET or POST, as the panel
// says).
func (Provider) Decode(r telephony.Request, s telephony.Settings) (telephony.Decoded, error) {
	f, err := telephony.ReadBody(r)
	if err != nil {
		return telephony.Decoded{}, err
	}
	if f.Len() == 0 {
		if f, err = readURL(r); err != nil {
			return telephony.Decoded{}, err
		}
	}
	d := decoder{f: f, settings: s}
	d.sid = d.id("callsid")
	d.unique = d.id("uniqueid")
	if d.sid == "" {
		d.sid = d.unique
	}
	if d.sid != "" {
		events := []call.Event{d.event()}
		return telephony.Decoded{Events: events, Unknown: f.Unknown(vocabulary)}, nil
	}
	switch {
	case f.Len() == 0:
		return telephony.Decoded{Ignored: "The request is empty."}, nil
	case f.Has(callFields...):
		return telephony.Decoded{}, &telephony.UnreadableError{
			Where:  "field CallSid",
			Public: "The request speaks of a call but does not say which: it has neither CallSid nor Uniqueid. If it was not sent by CallerDesk, check who calls this URL.",
			Err:    errors.New("neither CallSid nor Uniqueid"),
		}
	}
	return telephony.Decoded{Ignored: "The request is about no call. CallerDesk sends changes of members and of call groups to the same URL; callsync has no use for them."}, nil
}

// callFields are those that only a call has. Changes of members and call groups have none of them.
var callFields = []string{
	"sourcenumber", "destinationnumber", "dialwhomnumber", "callduration", "talkduration", "callrecordingurl",
	"lega_picked_time", "legb_start_time", "legb_picked_time", "starttime", "endtime",
}

// readURL reads the query of a GET. CallerDesk appends its part with a "?" of its own to URLs that have a query already.
func readURL(r telephony.Request) (*telephony.Fields, error) {
	f, err := telephony.ReadQuery(telephony.AppendedQuery(r, "callsid="))
	if err != nil {
		return nil, err
	}
	f.Drop(telephony.URLSecrets...)
	return f, nil
}
