package salesforce

import (
	"slices"
	"strings"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/internal/httpx"
)

var _ connectors.Authorizer = connector{}

// scopes of the web server flow: the API, and a refresh token for when nobody is there. The client credentials flow takes the
// app's.
var scopes = []string{"api", "refresh_token"}

// OAuth implements connectors.Authorizer. A connection with a consumer key is one by OAuth. Salesforce says nothing of when
// an access token ends: it is renewed after a 401 INVALID_SESSION_ID.
func (connector) OAuth(set connectors.Settings) (connectors.OAuth, bool, error) {
	id, secret := strings.TrimSpace(set.Config["client_id"]), strings.TrimSpace(set.Secrets["client_secret"])
	if id == "" {
		return connectors.OAuth{}, false, nil
	}
	c, err := configure(set)
	if err != nil {
		return connectors.OAuth{}, true, err
	}
	if !plain(id) {
		return connectors.OAuth{}, true, invalid("client_id", "The consumer key holds characters that none has. Copy it from the app in Salesforce again.")
	}
	if !plain(secret) {
		return connectors.OAuth{}, true, invalid("client_secret", "The consumer secret is missing or holds characters that none has. Copy it from the app in Salesforce again.")
	}
	flow := connectors.OAuth{Grant: connectors.ClientCredentials, TokenURL: c.login + "/services/oauth2/token", ClientID: id, ClientSecret: secret}
	switch strings.TrimSpace(set.Config["oauth_flow"]) {
	case "", flowClient:
		if c.api == "" {
			// Salesforce answers there with: request not supported on this domain.
			return connectors.OAuth{}, true, invalid("base_url", "The client credentials flow needs your My Domain address, such as https://acme.my.salesforce.com.")
		}
	case flowWeb:
		flow.Grant, flow.AuthURL = connectors.AuthorizationCode, c.login+"/services/oauth2/authorize"
		flow.Scopes, flow.PKCE = scopes, true
		login := c.login
		flow.Learn = func(answer map[string]any) map[string]string { return learn(login, answer) }
	default:
		return connectors.OAuth{}, true, invalid("oauth_flow", "Choose "+flowClient+" or "+flowWeb+".")
	}
	return flow, true, nil
}

// learn takes the address of the org's API from the token's answer, where the connection names a page for signing in only.
func learn(login string, answer map[string]any) map[string]string {
	from, err := httpx.ParseBaseURL(login)
	if err != nil || !slices.Contains(loginHosts, from.Hostname()) {
		return nil
	}
	s, _ := answer["instance_url"].(string)
	u, err := httpx.ParseBaseURL(s)
	if s == "" || err != nil || u.Scheme != "https" || !strings.HasSuffix(u.Hostname(), ".salesforce.com") {
		return nil
	}
	return map[string]string{"instance_url": strings.TrimRight(u.String(), "/")}
}
