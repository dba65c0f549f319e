// Package generic reads the webhooks of any phone system, by a mapping that an administrator writes: rules that say, in
// expressions, which requests mean which events and where in them the facts stand. See docs/phones/generic.md.
package generic

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// ID is the provider's id.
const ID = "generic"

// The names of the settings.
const (
	settingMapping            = "mapping"
	settingSignatureHeader    = "signature_header"
	settingSignatureAlgorithm = "signature_algorithm"
	settingSignatureEncoding  = "signature_encoding"
	settingSignaturePrefix    = "signature_prefix"
	settingSignatureContent   = "signature_content"
	settingSignatureTimestamp = "signature_timestamp_header"
	settingReplyStatus        = "reply_status"
	settingReplyContentType   = "reply_content_type"
	settingReplyBody          = "reply_body"
	secretKey                 = "signing_key"
)

// Provider reads webhooks by mappings. It keeps what it has compiled.
type Provider struct {
	programs  *cache[*program]
	templates *cache[*template]
}

// New returns the provider.
func New() Provider {
	return Provider{programs: newCache(compile), templates: newCache(compileTemplate)}
}

var (
	_ telephony.Provider        = Provider{}
	_ telephony.ConfigChecker   = Provider{}
	_ telephony.SettingsReplier = Provider{}
)

// Info describes the provider.
func (Provider) Info() telephony.Info {
	usual := call.Expectations{}
	return telephony.Info{
		ID:    ID,
		Label: "Any other phone system",
		Fields: append([]telephony.Field{
			{Name: settingMapping, Label: "Mapping", Required: true, Multiline: true,
				Help: "A YAML or JSON document that says which requests mean what, and where in them the facts stand. The guide of this kind of source has two that are ready to be changed."},
			{Name: secretKey, Label: "Signing key", Secret: true,
				Help: "The key with which the phone system signs its requests (HMAC). Without it anybody who knows the URL can send calls."},
			{Name: secretRecordings, Label: "Authorization for recordings", Secret: true,
				Help: "What recordings are asked for with, as the Authorization header has it: Bearer … or Basic …. It goes to the recording hosts of this source and nowhere else. Empty where the address of a recording is enough."},
			{Name: settingSignatureHeader, Label: "Signature header", Default: "X-Signature",
				Help: "The header that holds the signature. This and the following settings count only with a signing key."},
			{Name: settingSignatureAlgorithm, Label: "Signature algorithm", Default: "sha256", Options: []string{"sha256", "sha1", "sha512"},
				Help: "The hash of the HMAC."},
			{Name: settingSignatureEncoding, Label: "Signature encoding", Default: "hex", Options: []string{"hex", "base64"},
				Help: "How the signature is written."},
			{Name: settingSignaturePrefix, Label: "Signature prefix",
				Help: "What stands before the signature in its header, such as sha256= where the header is sha256=5d41…"},
			{Name: settingSignatureContent, Label: "Signed content", Default: partBody,
				Help: "What is signed: {body} is the raw body, {timestamp} the timestamp header, {query} the raw query; for example {timestamp}.{body}."},
			{Name: settingSignatureTimestamp, Label: "Timestamp header",
				Help: "The header with the timestamp, if it is part of the signed content."},
			{Name: settingReplyStatus, Label: "Status of the answer", Default: "200",
				Help: "What the phone system is answered once its request is stored; some want 201 or 204."},
			{Name: settingReplyContentType, Label: "Content type of the answer",
				Help: "Such as application/json or text/xml; plain text if not given."},
			{Name: settingReplyBody, Label: "Body of the answer", Multiline: true,
				Help: "The text that the phone system expects, if any. {{ expression }} puts in what the request says, such as {{ challenge }}."},
		}, telephony.ExpectationFields(usual)...),
		Expects:  usual,
		Steps:    setupSteps(),
		Triggers: []telephony.Trigger{},
		Setup:    telephony.Setup(setupSteps()),
	}
}

// Check finds what is wrong with the settings of a source. The error is a telephony.ConfigProblems.
func Check(config map[string]string) error {
	problems := compile(config[settingMapping]).problems
	problems = append(problems, signatureOf(config).check()...)
	_, _, body, reply := replySettings(config)
	problems = append(append(problems, reply...), compileTemplate(body).problems...)
	if len(problems) == 0 {
		return nil
	}
	return problems
}

// CheckConfig is Check.
func (Provider) CheckConfig(config map[string]string) error { return Check(config) }

// Signs tells whether a signing key is configured.
func (Provider) Signs(s telephony.Settings) bool { return signingKey(s) != "" }

func signingKey(s telephony.Settings) string { return strings.TrimSpace(s.Secrets[secretKey]) }

// Verify checks the signature of any request, whatever its method: a GET can bring calls as well.
func (Provider) Verify(r telephony.Request, s telephony.Settings) error {
	key := signingKey(s)
	if key == "" {
		return nil
	}
	return signatureOf(s.Config).verify(r, key)
}

// Reply is success.
func (Provider) Reply(telephony.Request) telephony.Reply {
	return telephony.Reply{Status: http.StatusOK}
}

// ReplyWith is what the settings say, success if they make no sense.
func (p Provider) ReplyWith(r telephony.Request, s telephony.Settings) telephony.Reply {
	status, contentType, body, _ := replySettings(s.Config)
	out := telephony.Reply{Status: status, ContentType: contentType}
	if t := p.templates.get(body); len(t.problems) == 0 {
		out.Body = t.render(r, s, contentType)
	}
	return out
}

// Decode reads one request.
func (p Provider) Decode(r telephony.Request, s telephony.Settings) (telephony.Decoded, error) {
	text := s.Config[settingMapping]
	if strings.TrimSpace(text) == "" {
		return telephony.Decoded{}, &telephony.UnreadableError{
			Where: "mapping", Public: "The source has no mapping yet, so callsync cannot tell what its requests mean. Write one and replay this request.",
			Err: errors.New("no mapping"),
		}
	}
	prog := p.programs.get(text)
	if len(prog.problems) > 0 {
		where := strings.TrimSuffix("mapping, "+prog.first, ", ")
		return telephony.Decoded{}, &telephony.UnreadableError{
			Where:  where,
			Public: "The source's mapping has a fault (" + where + "), so callsync cannot tell what its requests mean. Correct it and replay this request.",
			Err:    fmt.Errorf("%d problems in the mapping", len(prog.problems)),
		}
	}
	d, err := newDecoder(r, s)
	if err != nil {
		return telephony.Decoded{}, err
	}
	return d.decode(prog)
}
