package hubspot

import (
	"fmt"
	"strings"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/internal/httpx"
)

var _ connectors.Authorizer = connector{}

// The scopes without which no call can be written, and those that further features need. Calls, notes, tasks and
// communications have no scopes of their own: those of contacts cover them.
var (
	requiredScopes = []string{"oauth", "crm.objects.contacts.read", "crm.objects.contacts.write", "crm.objects.owners.read",
		"crm.schemas.contacts.read", "crm.schemas.contacts.write"}
	optionalScopes = []string{"crm.objects.companies.read", "crm.objects.companies.write", "crm.objects.deals.read", "crm.objects.deals.write",
		"tickets", "files", "crm.extensions_calling_transcripts.read", "crm.extensions_calling_transcripts.write"}
)

// OAuth implements connectors.Authorizer. A connection with a client id is one by OAuth; without, it has a static token.
// HubSpot answers a refresh with a new access token for 30 minutes and keeps the refresh token until the app is removed
// from the account (developers.hubspot.com/docs/api-reference/auth-oauth-v3/guide).
func (connector) OAuth(set connectors.Settings) (connectors.OAuth, bool, error) {
	id := strings.TrimSpace(set.Config["client_id"])
	if id == "" {
		return connectors.OAuth{}, false, nil
	}
	secret := strings.TrimSpace(set.Secrets["client_secret"])
	if secret == "" {
		return connectors.OAuth{}, false, &connectors.Error{Class: connectors.Invalid, Field: "client_secret",
			Public: "The client secret of the HubSpot app is missing. Copy it from the app's page in HubSpot."}
	}
	base, v, err := endpoint(set)
	if err != nil {
		return connectors.OAuth{}, false, err
	}
	optional := optionalScopes
	if s, ok := set.Config["optional_scopes"]; ok && strings.TrimSpace(s) != "" {
		optional = strings.Fields(s)
	}
	flow := connectors.OAuth{
		Grant: connectors.AuthorizationCode, AuthURL: authorizeURL, TokenURL: base + v.token(),
		ClientID: id, ClientSecret: secret, Scopes: requiredScopes,
		AuthParams: map[string]string{"optional_scope": strings.Join(optional, " ")},
		Learn:      learn,
	}
	if base != defaultBaseURL {
		// A test account or a proxy has the page of consent, too.
		flow.AuthURL = base + "/oauth/authorize"
	}
	return flow, true, nil
}

// learn takes the account's number from the answer of the token endpoint.
func learn(answer map[string]any) map[string]string {
	id, ok := answer["hub_id"].(float64)
	if !ok || id < 1 || id > 1e15 {
		return nil
	}
	return map[string]string{"portal_id": fmt.Sprintf("%.0f", id)}
}

// endpoint reads the address and the version of the API.
func endpoint(set connectors.Settings) (string, version, error) {
	base := set.Config["base_url"]
	if strings.TrimSpace(base) == "" {
		base = defaultBaseURL
	}
	u, err := httpx.ParseBaseURL(base)
	if err == nil && u.RawQuery != "" {
		err = errQuery
	}
	if err != nil {
		return "", "", &connectors.Error{Class: connectors.Invalid, Field: "base_url", Err: err,
			Public: "The API address of HubSpot cannot be used: " + err.Error() + "."}
	}
	v := v3
	if s := strings.TrimSpace(set.Config["api_version"]); s != "" {
		v = version(s)
	}
	for _, known := range versions {
		if string(v) == known {
			return strings.TrimRight(u.String(), "/"), v, nil
		}
	}
	return "", "", &connectors.Error{Class: connectors.Invalid, Field: "api_version",
		Public: "callsync does not speak this version of HubSpot's API. Choose one of " + strings.Join(versions, ", ") + "."}
}
