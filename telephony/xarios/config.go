package xarios

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/url"
	"regexp"
	"strings"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// The settings of a source.
const (
	configInternal = "internal_calls"
	configBoth     = "both_calls"
	configLink     = "recording_link"
	configTokenKey = "static_token_key"
	secretToken    = "static_token"
)

const (
	keep            = "keep"
	skip            = "skip"
	defaultTokenKey = "token"
)

func settingFields() []telephony.Field {
	return []telephony.Field{
		{
			Name: secretToken, Label: "Static token", Secret: true,
			Help: "A long random text that you also enter as Additional payload data of the webhook in Xarios. Without it anybody who knows the URL can send calls.",
		},
		{
			Name: configTokenKey, Label: "Key of the static token", Default: defaultTokenKey,
			Help: "The key beside which you entered the static token in Xarios. What stands there is compared and never stored with a call.",
		},
		{
			Name: configInternal, Label: "Internal calls", Default: skip, Options: []string{skip, keep},
			Help: "Calls between your own people. Choose keep to have them in callsync and in the CRM, without a customer.",
		},
		{
			Name: configBoth, Label: "Calls that came in and went out", Default: string(call.Inbound), Options: []string{string(call.Inbound), string(call.Outbound), skip},
			Help: "The direction of a call that Xarios reports as both, such as one that was forwarded to a mobile.",
		},
		{
			Name: configLink, Label: "Link to recordings",
			Help: "Xarios sends ids of recordings and no links. If your system has pages for recordings, enter their address with {recording_id} in it, for example https://portal.example.com/recordings/{recording_id}. {call_id}, {tenant_id} and {pbx_id} may stand in it as well.",
		},
	}
}

func setting(s telephony.Settings, name, otherwise string) string {
	if v := strings.TrimSpace(s.Config[name]); v != "" {
		return v
	}
	return otherwise
}

func staticToken(s telephony.Settings) string { return strings.TrimSpace(s.Secrets[secretToken]) }

func tokenKey(s telephony.Settings) string {
	return strings.ToLower(setting(s, configTokenKey, defaultTokenKey))
}

// sameSecret compares without telling by its time how much is equal, lengths included.
func sameSecret(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// linkNames are what may stand in a link to recordings.
var linkNames = []string{"{recording_id}", "{call_id}", "{tenant_id}", "{pbx_id}"}

// CheckConfig checks the link to recordings.
func (Provider) CheckConfig(config map[string]string) error {
	link := strings.TrimSpace(config[configLink])
	if link == "" {
		return nil
	}
	var out telephony.ConfigProblems
	problem := func(text string) { out = append(out, telephony.ConfigProblem{Setting: configLink, Text: text}) }
	for _, p := range placeholder.FindAllString(link, -1) {
		if !isLinkName(p) {
			problem("There is no " + p + "; use " + strings.Join(linkNames, ", ") + ".")
		}
	}
	if !strings.Contains(link, linkNames[0]) {
		problem("The link must have {recording_id} in it, or every recording has the same one.")
	}
	if !usableLink(link) {
		problem("The link must be a whole address that begins with https:// or http://, without a placeholder in the name of the host.")
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func isLinkName(s string) bool {
	for _, n := range linkNames {
		if s == n {
			return true
		}
	}
	return false
}

// usableLink tells whether link leads to a host that an administrator chose and not the request.
func usableLink(link string) bool {
	u, err := url.Parse(placeholder.ReplaceAllString(link, "x"))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return false
	}
	_, rest, _ := strings.Cut(link, "://")
	i := strings.IndexAny(rest, "/?#")
	return i > 0 && !strings.ContainsAny(rest[:i], "{}")
}

// link makes the address of a recording, empty where none is configured or it is not usable.
func link(s telephony.Settings, recording, session, tenant, pbx string) string {
	l := setting(s, configLink, "")
	if l == "" || !strings.Contains(l, linkNames[0]) || !usableLink(l) {
		return ""
	}
	e := url.QueryEscape
	return strings.NewReplacer(linkNames[0], e(recording), linkNames[1], e(session), linkNames[2], e(tenant), linkNames[3], e(pbx)).Replace(l)
}
