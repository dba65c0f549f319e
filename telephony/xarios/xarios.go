// Package xarios reads the post-call webhooks of Xarios Dimensions (and of its white labels): one final report of every
// call session.
//
// What it relies on is published at https://docs.uk.xarios.cloud/en-gb/config/integration/webhooks and, word for word,
// https://docs.oeintegrations.com/en-us/config/integration/webhooks. Those pages describe JSON; how the same data looks as
// a form or in the query of a GET they do not say, so that every usual flattening is read. What is taken to be so without
// being written there is marked "unconfirmed".
package xarios

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// ID is the provider's id.
const ID = "xarios"

// Provider reads Xarios' webhooks.
type Provider struct{}

// New returns the provider.
func New() Provider { return Provider{} }

var (
	_ telephony.Provider      = Provider{}
	_ telephony.ConfigChecker = Provider{}
)

// Info describes Xarios Dimensions. It has one kind of event and so one URL. Times carry their offset.
func (Provider) Info() telephony.Info {
	usual := call.Expectations{Recording: true}
	return telephony.Info{
		ID: ID, Label: "Xarios Dimensions",
		Fields:   append(settingFields(), telephony.ExpectationFields(usual)...),
		Expects:  usual,
		Steps:    setupSteps(),
		Triggers: triggers(),
		Setup:    telephony.Setup(setupSteps()),
		Docs:     "https://docs.uk.xarios.cloud/en-gb/config/integration/webhooks",
	}
}

// Signs tells whether a static token is configured. It is no signature, but only who knows it can send it.
func (Provider) Signs(s telephony.Settings) bool { return staticToken(s) != "" }

// Verify compares the static token of the request's additional payload data with the configured one.
func (Provider) Verify(r telephony.Request, s telephony.Settings) error {
	want := staticToken(s)
	if want == "" || r.RawQuery == "" && len(r.Body) == 0 {
		return nil
	}
	p, err := read(r)
	if err != nil {
		return fmt.Errorf("the request that should hold the static token is unreadable: %w", telephony.ErrSignature)
	}
	given := p.static(tokenKey(s))
	if given == "" {
		return fmt.Errorf("the static token is missing: %w", telephony.ErrSignature)
	}
	if !sameSecret(given, want) {
		return fmt.Errorf("the static token is another one: %w", telephony.ErrSignature)
	}
	return nil
}

// Reply is success. Xarios repeats what fails up to ten times.
func (Provider) Reply(telephony.Request) telephony.Reply {
	return telephony.Reply{Status: http.StatusOK, ContentType: "application/json", Body: `{"status":"ok"}`}
}

// Decode reads one request: a JSON or form body, or the query where there is no body.
func (Provider) Decode(r telephony.Request, s telephony.Settings) (telephony.Decoded, error) {
	p, err := read(r)
	switch {
	case err != nil:
		return telephony.Decoded{}, err
	case p.empty:
		return telephony.Decoded{Ignored: "The request is empty."}, nil
	case p.cdr == nil:
		return telephony.Decoded{}, &telephony.UnreadableError{
			Where:  "field cdr",
			Public: "The request has no call data. If it was not sent by Xarios Dimensions, check who calls this URL.",
			Err:    errors.New("neither a cdr nor fields of one"),
		}
	case p.id == "":
		return telephony.Decoded{}, &telephony.UnreadableError{
			Where:  "field cdr.id",
			Public: "The request does not say which call session it is about, so it cannot be told apart from others. If it was not sent by Xarios Dimensions, check who calls this URL.",
			Err:    errors.New("no session id"),
		}
	}
	d := decoder{p: p, f: p.cdr, settings: s}
	e, skipped := d.event()
	if skipped != "" {
		return telephony.Decoded{Ignored: skipped}, nil
	}
	return telephony.Decoded{Events: []call.Event{e}, Unknown: d.unknown()}, nil
}
