// Package smartflo reads the webhooks of Tata Tele Smartflo (Tata Cloud Telephony), and those of Acefone and Servetel,
// which run on the same platform: the same variables, triggers and quirks under other names.
//
// What it relies on is published at https://docs.smartflo.tatatelebusiness.com/docs/webhook. The vendor's panel has one
// webhook per trigger, whose method, encoding and field names the administrator chooses; the body does not say which
// trigger it is, and nothing signs it.
package smartflo

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// ID is the provider's id.
const ID = "smartflo"

// The kinds of aliases. A call's id is missing in "Call answered by Customer (Click to Call)", which only has the
// connection's id; the reference is the one that the click-to-call API returned when the call was ordered.
const (
	AliasUUID  = "smartflo_uuid"
	AliasRefID = "smartflo_ref_id"
)

// The settings of a source.
const (
	configAliases = "aliases"
	configHeader  = "secret_header"
	secretHeader  = "header_secret"
)

// defaultHeader carries the secret where the administrator names no other header.
const defaultHeader = "X-Callsync-Key"

// zone is the zone of all times; they never carry one.
const zone = "Asia/Kolkata"

// Provider reads Smartflo's webhooks.
type Provider struct{}

// New returns the provider.
func New() Provider { return Provider{} }

var (
	_ telephony.Provider      = Provider{}
	_ telephony.ConfigChecker = Provider{}
)

// Info describes Smartflo.
func (Provider) Info() telephony.Info {
	usual := call.Expectations{Recording: true}
	hooks := make([]telephony.Hook, len(triggers))
	for i, t := range triggers {
		hooks[i] = telephony.Hook{Event: string(t.id), Label: t.label}
	}
	return telephony.Info{
		ID:    ID,
		Label: "Tata Tele Smartflo (Acefone, Servetel)",
		Hooks: hooks,
		Fields: append([]telephony.Field{
			{
				Name: configAliases, Label: "Your own field names", Multiline: true,
				Help: `Only if the webhook's body in the panel does not use Smartflo's own names: a JSON object from Smartflo's variable to your key, for example {"call_id":"CallSid","recording_url":"media.audio"}. A list names several keys; a dot goes into an object. Names left out keep their own.`,
			},
			{
				Name: secretHeader, Label: "Header secret", Secret: true,
				Help: "Only if your panel can send headers with a webhook: a long random text that you put there too. Requests without it are then rejected. Without it, whoever knows the URLs can send calls.",
			},
			{
				Name: configHeader, Label: "Header of the secret", Default: defaultHeader,
				Help: "The name of the header that carries the header secret. In Authorization, a word such as Bearer before it is skipped.",
			},
		}, telephony.ExpectationFields(usual)...),
		Expects:  usual,
		TimeZone: zone,
		Steps:    setupSteps(),
		Triggers: triggerList(),
		Setup:    telephony.Setup(setupSteps()),
		Docs:     "https://docs.smartflo.tatatelebusiness.com/docs/webhook",
	}
}

// CheckConfig tells whether the own field names can be read.
func (Provider) CheckConfig(config map[string]string) error {
	if _, err := readAliases(config[configAliases]); err != nil {
		return telephony.ConfigProblems{{Setting: configAliases, Text: publicAliases}}
	}
	return nil
}

// Signs tells whether requests have to carry a secret in a header.
func (Provider) Signs(s telephony.Settings) bool { return secretOf(s) != "" }

func secretOf(s telephony.Settings) string { return strings.TrimSpace(s.Secrets[secretHeader]) }

// Verify compares the secret header. Smartflo documents no signature.
func (Provider) Verify(r telephony.Request, s telephony.Settings) error {
	secret := secretOf(s)
	if secret == "" {
		return nil
	}
	name := secretName(s)
	given := strings.TrimSpace(r.Header.Get(name))
	if strings.EqualFold(name, "Authorization") {
		if _, credentials, found := strings.Cut(given, " "); found {
			given = strings.TrimSpace(credentials)
		}
	}
	switch {
	case given == "":
		return fmt.Errorf("the secret's header is missing: %w", telephony.ErrSignature)
	case subtle.ConstantTimeCompare([]byte(given), []byte(secret)) != 1:
		return fmt.Errorf("the secret's header holds another text: %w", telephony.ErrSignature)
	}
	return nil
}

// Reply is success, whatever was sent. Whether Smartflo repeats what fails is not documented.
func (Provider) Reply(telephony.Request) telephony.Reply {
	return telephony.Reply{Status: http.StatusOK, ContentType: "application/json", Body: `{"status":"ok"}`}
}

// Decode reads one request.
func (Provider) Decode(r telephony.Request, s telephony.Settings) (telephony.Decoded, error) {
	if r.Method == http.MethodHead {
		return telephony.Decoded{Ignored: "A HEAD request is a look at the URL."}, nil
	}
	in, err := readRequest(r, s)
	if err != nil {
		return telephony.Decoded{}, err
	}
	switch {
	case !in.says():
		return telephony.Decoded{Ignored: "The request holds nothing but its address: somebody looked at the URL."}, nil
	case in.onlyPlaceholders():
		return telephony.Decoded{Ignored: "The request holds Smartflo's variables unfilled, as a test from the panel does."}, nil
	}
	d := newDecoder(in, r, s)
	if d.callID == "" && d.uuid == "" && d.refID == "" {
		return telephony.Decoded{}, &telephony.UnreadableError{
			Where:  "field call_id",
			Public: `The request names no call: it has neither call_id nor uuid. If the webhook's body in Smartflo's panel uses other names, tell them under "Your own field names" and replay the request; if Smartflo did not send it, check who calls this URL.`,
			Err:    errors.New("neither call_id nor uuid nor ref_id"),
		}
	}
	events := []call.Event{d.event()}
	return telephony.Decoded{Events: events, Unknown: d.f.Unknown(vocabulary())}, nil
}
