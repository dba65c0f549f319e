// Package demo is the phone system of the demo data: it makes up what happened in an office during the last hours, and reads
// it again. Its requests are callsync's own words as JSON, take the same way as any phone system's, and say in each of them
// that nobody has called.
package demo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
)

// ID is the provider's id. Every source of this kind is demo data.
const ID = records.Demo

// Provider makes and reads the demo's requests.
type Provider struct{}

// New returns the provider.
func New() Provider { return Provider{} }

var (
	_ telephony.Provider     = Provider{}
	_ telephony.Demonstrator = Provider{}
)

// Info describes the demo phone system.
func (Provider) Info() telephony.Info {
	usual := call.Expectations{Recording: true}
	return telephony.Info{
		ID: ID, Label: "Demo phone system", Demo: true, Fields: telephony.ExpectationFields(usual), Expects: usual,
		Triggers: []telephony.Trigger{
			{Event: "ringing", Label: "Call rings", Kinds: []call.Kind{call.CallRinging, call.CallAnswered}, Story: telephony.InboundStory},
			{Event: "ended", Label: "Call ended", Kinds: []call.Kind{call.CallEnded}, Story: telephony.InboundStory},
			{Event: "updated", Label: "Call updated", Kinds: []call.Kind{call.CallUpdated}, Story: telephony.InboundStory},
			{Event: "message", Label: "Text message", Kinds: []call.Kind{call.MessageReceived, call.MessageSent}, Story: telephony.MessageStory},
			{Event: "form", Label: "Form", Kinds: []call.Kind{call.FormSubmitted}, Story: telephony.FormStory},
		},
	}
}

// Signs tells that the demo's requests carry no signature.
func (Provider) Signs(telephony.Settings) bool { return false }

// Verify accepts everything: the address of the hook is the secret.
func (Provider) Verify(telephony.Request, telephony.Settings) error { return nil }

// Reply is success.
func (Provider) Reply(telephony.Request) telephony.Reply {
	return telephony.Reply{Status: http.StatusOK, ContentType: "application/json", Body: `{"status":"ok"}`}
}

// request is one request of the demo.
type request struct {
	// About says to whoever reads the raw request what it is.
	About   string                         `json:"about"`
	ID      string                         `json:"id"`
	Kind    call.Kind                      `json:"kind"`
	Call    *call.Facts                    `json:"call,omitempty"`
	Outlook map[call.Artifact]call.Outlook `json:"outlook,omitempty"`
	Message *call.Message                  `json:"message,omitempty"`
	Form    *call.Form                     `json:"form,omitempty"`
}

// kinds are those of which the demo tells.
var kinds = map[call.Kind]bool{
	call.CallRinging: true, call.CallAnswered: true, call.CallEnded: true, call.CallUpdated: true,
	call.MessageReceived: true, call.MessageSent: true, call.FormSubmitted: true,
}

// Decode reads one request.
func (Provider) Decode(r telephony.Request, _ telephony.Settings) (telephony.Decoded, error) {
	var in request
	d := json.NewDecoder(bytes.NewReader(r.Body))
	if err := d.Decode(&in); err != nil {
		return telephony.Decoded{}, &telephony.UnreadableError{Where: "the body", Err: errors.New("no document of the demo"),
			Public: "A time in this request is not a time, or it is no JSON. In the demo that is on purpose: so it looks when a phone system sends something that callsync cannot read. Nothing is lost: a receipt can be replayed."}
	}
	about := map[bool]bool{in.Call != nil: true, in.Message != nil: true, in.Form != nil: true}
	if in.ID == "" || !kinds[in.Kind] || !about[true] {
		return telephony.Decoded{}, &telephony.UnreadableError{Where: "the body", Err: fmt.Errorf("nothing of the demo's kinds"),
			Public: "The request says nothing that the demo knows."}
	}
	e := call.Event{Kind: in.Kind, ReceivedAt: r.ReceivedAt, ProviderID: in.ID, Outlook: in.Outlook, Message: in.Message, Form: in.Form}
	if in.Call != nil {
		e.Facts = *in.Call
	}
	return telephony.Decoded{Events: []call.Event{e}}, nil
}
