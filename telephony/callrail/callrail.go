// Package callrail reads the webhooks of CallRail: calls, text messages and form submissions. It also asks CallRail's API for
// calls, to make good webhooks that were lost.
//
// What it relies on is published at https://apidocs.callrail.com/#webhooks and in CallRail's help centre (articles
// 5711246459149 and 4403032268557). CallRail never sends a webhook twice and disables one that keeps failing.
package callrail

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // CallRail signs with HMAC-SHA1.
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// ID is the provider's id.
const ID = "callrail"

// AliasNumericID is the kind of alias for the numeric call id that CallRail sent before 2021 beside the resource id.
const AliasNumericID = "callrail_id"

// The events, as the last part of their hook URLs. CallRail has one URL field for each and no event name in the body.
const (
	EventPreCall              = "pre-call"
	EventRoutingComplete      = "routing-complete"
	EventPostCall             = "post-call"
	EventOutboundPostCall     = "outbound-post-call"
	EventCallModified         = "call-modified"
	EventOutboundCallModified = "outbound-call-modified"
	EventTextReceived         = "text-received"
	EventTextSent             = "text-sent"
	EventFormSubmission       = "form-submission"
)

// signatureHeader holds Base64(HMAC-SHA1(signing key, raw body)).
const signatureHeader = "Signature"

// secretKey is the name of the secret that holds the company's signing key.
const secretKey = "signing_key"

// Provider reads CallRail's webhooks.
type Provider struct{}

// New returns the provider.
func New() Provider { return Provider{} }

var _ telephony.Provider = Provider{}

// Info describes CallRail.
func (Provider) Info() telephony.Info {
	usual := call.Expectations{Recording: true}
	return telephony.Info{
		ID:    ID,
		Label: "CallRail",
		Hooks: []telephony.Hook{
			{Event: EventPreCall, Label: "Pre-Call"},
			{Event: EventRoutingComplete, Label: "Call Routing Complete"},
			{Event: EventPostCall, Label: "Post-Call"},
			{Event: EventCallModified, Label: "Call Modified"},
			{Event: EventOutboundPostCall, Label: "Outbound Post-Call"},
			{Event: EventOutboundCallModified, Label: "Outbound Call Modified"},
			{Event: EventTextReceived, Label: "Text Message Received"},
			{Event: EventTextSent, Label: "Text Message Sent"},
			{Event: EventFormSubmission, Label: "Form Submission"},
		},
		Fields: append([]telephony.Field{{
			Name: secretKey, Label: "Signing key", Secret: true,
			Help: "The company's Webhook Signature Secret Token: in CallRail under Integrations, Webhooks, Advanced Settings. Without it anybody who knows the URLs can send calls.",
		}}, append(apiSettings(), telephony.ExpectationFields(usual)...)...),
		Expects:  usual,
		Steps:    setupSteps(),
		Triggers: triggers(),
		Setup:    telephony.Setup(setupSteps()),
		Docs:     "https://apidocs.callrail.com/#webhooks",
	}
}

// Signs tells whether a signing key is configured.
func (Provider) Signs(s telephony.Settings) bool { return signingKey(s) != "" }

func signingKey(s telephony.Settings) string { return strings.TrimSpace(s.Secrets[secretKey]) }

// Verify checks the Signature header. A GET or HEAD is a person or a monitor looking at the URL; it says nothing (see
// Decode) and needs no signature.
func (Provider) Verify(r telephony.Request, s telephony.Settings) error {
	key := signingKey(s)
	if key == "" || looksOnly(r) {
		return nil
	}
	given := strings.TrimSpace(r.Header.Get(signatureHeader))
	if given == "" {
		return fmt.Errorf("header %s is missing: %w", signatureHeader, telephony.ErrSignature)
	}
	mac, err := base64.StdEncoding.Strict().DecodeString(given)
	if err != nil {
		return fmt.Errorf("header %s is not base64: %w", signatureHeader, telephony.ErrSignature)
	}
	if !hmac.Equal(mac, macOf(key, r.Body)) {
		return fmt.Errorf("header %s was made with another key or for another body: %w", signatureHeader, telephony.ErrSignature)
	}
	return nil
}

func macOf(key string, body []byte) []byte {
	h := hmac.New(sha1.New, []byte(key))
	h.Write(body)
	return h.Sum(nil)
}

// Reply is success, whatever was sent: CallRail disables webhooks that fail and never repeats one.
func (Provider) Reply(telephony.Request) telephony.Reply {
	return telephony.Reply{Status: http.StatusOK, ContentType: "application/json", Body: `{"status":"ok"}`}
}

func looksOnly(r telephony.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead
}

// Decode reads one request.
func (Provider) Decode(r telephony.Request, s telephony.Settings) (telephony.Decoded, error) {
	if looksOnly(r) {
		return telephony.Decoded{Ignored: "A " + r.Method + " request is a look at the URL: CallRail sends its webhooks with POST."}, nil
	}
	f, err := telephony.ReadBody(r)
	if err != nil {
		return telephony.Decoded{}, err
	}
	fromURL := f.Len() == 0
	if fromURL {
		// The legacy form appends what it has to say to the URL.
		q, err := telephony.ReadQuery(r)
		if err != nil || !q.Has(fieldResourceID, fieldNumericID) {
			return telephony.Decoded{Ignored: "The request is empty."}, nil
		}
		f = q
	}
	id := identify(f)
	if id.value == "" {
		return telephony.Decoded{}, &telephony.UnreadableError{
			Where:  "field " + fieldResourceID,
			Public: "The request names no call, message or form, so it cannot be told what it is about. If it was not sent by CallRail, check who calls this URL.",
			Err:    errors.New("neither resource_id nor id"),
		}
	}
	d := decoder{f: f, id: id, settings: s, body: r.Body, fromURL: fromURL}
	var out telephony.Decoded
	if r.Method == telephony.MethodPull {
		out.Events = d.pulled()
	} else {
		out.Events = []call.Event{d.event(r.Event)}
	}
	if !fromURL {
		out.Unknown = d.f.Unknown(vocabulary)
	}
	return out, nil
}

// The fields that name what a request is about.
const (
	fieldResourceID = "resource_id"
	fieldNumericID  = "id"
)

// identity is what a request calls its subject.
type identity struct {
	// value is the resource id ("CAL…", "FRM…", "SCI…"), or the numeric id where there is no other.
	value string
	// number is the numeric id of older webhooks, empty if none came.
	number string
}

// identify reads both ids. resource_id replaced the numeric id in 2021 (help article 4403032268557); the published
// signature example still has the old one, and the v3 API calls the resource id "id".
func identify(f *telephony.Fields) identity {
	out := identity{value: f.Text(fieldResourceID)}
	id := f.Text(fieldNumericID)
	if out.value == "" {
		out.value = id
	}
	if id != "" && strings.Trim(id, "0123456789") == "" {
		out.number = id
	}
	return out
}
