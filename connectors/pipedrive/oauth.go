package pipedrive

import (
	"errors"
	"net/url"
	"strings"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/internal/httpx"
)

var errQuery = errors.New("it must not hold a query")

// address parses a base URL. What is behind the host may name the API's version, as people copy it; it is taken off.
func address(s, otherwise string) (*url.URL, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		s = otherwise
	}
	u, err := httpx.ParseBaseURL(s)
	if err == nil && u.RawQuery != "" {
		err = errQuery
	}
	if err != nil {
		return nil, err
	}
	u.Path = strings.TrimRight(u.Path, "/")
	for _, version := range []string{"/api/v1", "/api/v2", "/v1"} {
		u.Path = strings.TrimSuffix(u.Path, version)
	}
	return u, nil
}

// OAuth implements connectors.Authorizer. Pipedrive's access tokens live for an hour; a refresh token that was not used
// for 60 days is gone. The scopes are those of the app in Pipedrive's Developer Hub: the request names none.
func (connector) OAuth(set connectors.Settings) (connectors.OAuth, bool, error) {
	id, secret := strings.TrimSpace(set.Config["client_id"]), strings.TrimSpace(set.Secrets["client_secret"])
	if id == "" {
		return connectors.OAuth{}, false, nil
	}
	if !plain(id) {
		return connectors.OAuth{}, true, invalid("client_id", "The client ID holds characters that none has. Copy it from the Developer Hub again.")
	}
	if !plain(secret) {
		return connectors.OAuth{}, true, invalid("client_secret", "The client secret is missing or holds characters that none has. Copy it from the Developer Hub again.")
	}
	auth, err := address(set.Config["auth_url"], defaultAuthURL)
	if err != nil {
		return connectors.OAuth{}, true, invalid("auth_url", "The OAuth address of Pipedrive cannot be used: "+err.Error()+".")
	}
	configured := set.Config["base_url"]
	return connectors.OAuth{
		Grant: connectors.AuthorizationCode, AuthURL: auth.String() + "/oauth/authorize", TokenURL: auth.String() + "/oauth/token",
		ClientID: id, ClientSecret: secret, ClientInHeader: true,
		Learn: func(answer map[string]any) map[string]string { return learn(configured, answer) },
	}, true, nil
}

// learn takes the address of the account's API from the token's answer, unless an admin has set a proxy's.
func learn(configured string, answer map[string]any) map[string]string {
	domain, _ := answer["api_domain"].(string)
	u, err := httpx.ParseBaseURL(domain)
	if domain == "" || err != nil || u.RawQuery != "" {
		return nil
	}
	have, err := address(configured, defaultBaseURL)
	if err != nil || !strings.HasSuffix(have.Hostname(), ".pipedrive.com") {
		return nil
	}
	return map[string]string{"base_url": strings.TrimRight(u.String(), "/")}
}
