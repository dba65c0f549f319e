// Package grants keeps the access that CRMs grant by OAuth 2.0: it leads people to the vendor's consent page, exchanges
// what they come back with, and refreshes access tokens, once for all workers.
package grants

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/internal/httpx"
	"github.com/callsync/callsync/records"
)

// Store keeps the grants, sealed.
type Store interface {
	// Grant returns records.ErrNotFound where nothing was granted yet.
	Grant(ctx context.Context, workspaceID, connectionID string) (records.Grant, error)
	// LeaseGrant makes the caller the one who refreshes; ok is false while somebody else does.
	LeaseGrant(ctx context.Context, workspaceID, connectionID string, lease time.Duration) (ok bool, err error)
	ReleaseGrant(ctx context.Context, workspaceID, connectionID string) error
	SaveGrant(ctx context.Context, workspaceID, connectionID string, g records.Grant) error
}

const (
	// exchangeTimeout bounds a request to a token endpoint; lease is longer, so that nobody else refreshes meanwhile.
	exchangeTimeout = 10 * time.Second
	lease           = exchangeTimeout + 5*time.Second
	// early is how long before its end an access token is replaced.
	early = time.Minute
	// look is the pause between two looks whether another worker has refreshed.
	look = 150 * time.Millisecond
	// maxKept bounds the cache of tokens; past it the cache starts anew, which costs only time.
	maxKept = 4096
	// maxAnswer bounds what a token endpoint may answer.
	maxAnswer = 1 << 20
)

// Grants is used by all sessions of a process. The zero value with Store and Transport is ready.
type Grants struct {
	Store Store
	// Transport reaches the vendors' authorization servers. It refuses private hosts.
	Transport http.RoundTripper

	mu   sync.Mutex
	kept map[string]*tokens
}

// flowOf is the flow of a connection; ok is false where it is not connected by OAuth.
func flowOf(c connectors.Connector, conn records.Connection) (flow connectors.OAuth, ok bool, err error) {
	a, can := c.(connectors.Authorizer)
	if !can {
		return flow, false, nil
	}
	return a.OAuth(connectors.Settings{ConnectionID: conn.ID, Config: conn.Config, Secrets: conn.Secrets})
}

// Tokens are the access tokens of a connection; nil where it is not connected by OAuth. conn has its secrets.
func (g *Grants) Tokens(c connectors.Connector, conn records.Connection) (connectors.Tokens, error) {
	flow, ok, err := flowOf(c, conn)
	if err != nil || !ok {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if t := g.kept[conn.ID]; t != nil && t.version.Equal(conn.UpdatedAt) {
		return t, nil
	}
	if g.kept == nil || len(g.kept) >= maxKept {
		g.kept = map[string]*tokens{}
	}
	t := &tokens{grants: g, flow: flow, label: c.Info().Label, workspace: conn.WorkspaceID, connection: conn.ID, version: conn.UpdatedAt}
	g.kept[conn.ID] = t
	return t, nil
}

// Begin returns where a person grants access. Errors: *connectors.Error, of class Unsupported where nobody has to.
func (g *Grants) Begin(c connectors.Connector, conn records.Connection, redirectURL, state, verifier string) (string, error) {
	flow, err := g.consent(c, conn)
	if err != nil {
		return "", err
	}
	var options []oauth2.AuthCodeOption
	for k, v := range flow.AuthParams {
		options = append(options, oauth2.SetAuthURLParam(k, v))
	}
	if flow.PKCE {
		options = append(options, oauth2.S256ChallengeOption(verifier))
	}
	return config(flow, redirectURL).AuthCodeURL(state, options...), nil
}

// consent is the flow of a connection that a person has to grant.
func (g *Grants) consent(c connectors.Connector, conn records.Connection) (connectors.OAuth, error) {
	flow, ok, err := flowOf(c, conn)
	if err == nil && (!ok || flow.Grant == connectors.ClientCredentials) {
		err = &connectors.Error{Class: connectors.Unsupported, Public: "This connection has nothing to grant: its settings name no app of " +
			c.Info().Label + " whose consent page could be opened."}
	}
	return flow, err
}

// Verifier makes the secret of PKCE.
func Verifier() string { return oauth2.GenerateVerifier() }

// Finish turns the code of the consent page into a grant, and stores it. learnt are settings of the connection that the
// answer holds. Errors are *connectors.Error or the store's.
func (g *Grants) Finish(ctx context.Context, c connectors.Connector, conn records.Connection, redirectURL, code, verifier string) (learnt map[string]string, err error) {
	flow, err := g.consent(c, conn)
	if err != nil {
		return nil, err
	}
	label := c.Info().Label
	var options []oauth2.AuthCodeOption
	for k, v := range flow.TokenParams {
		options = append(options, oauth2.SetAuthURLParam(k, v))
	}
	if flow.PKCE {
		options = append(options, oauth2.VerifierOption(verifier))
	}
	seen := &answer{base: g.Transport}
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, client(seen)), exchangeTimeout)
	defer cancel()
	token, err := config(flow, redirectURL).Exchange(ctx, code, options...)
	if err != nil {
		return nil, refused(label, err)
	}
	grant := granted(token, "")
	if grant.RefreshToken == "" && !grant.ExpiresAt.IsZero() {
		return nil, &connectors.Error{Class: connectors.Forbidden, Public: label + " granted access for a short time only, without a refresh token. " +
			"Allow offline access in the app's settings there, then connect again."}
	}
	if err := g.Store.SaveGrant(context.WithoutCancel(ctx), conn.WorkspaceID, conn.ID, grant); err != nil {
		return nil, err
	}
	g.forget(conn.ID)
	if flow.Learn == nil {
		return nil, nil
	}
	return flow.Learn(seen.fields()), nil
}

// client follows no redirect: what it sends is for the configured address only.
func client(rt http.RoundTripper) *http.Client {
	return &http.Client{Transport: rt, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (g *Grants) forget(connectionID string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.kept, connectionID)
}

func config(flow connectors.OAuth, redirectURL string) *oauth2.Config {
	style := oauth2.AuthStyleInParams
	if flow.ClientInHeader {
		style = oauth2.AuthStyleInHeader
	}
	return &oauth2.Config{ClientID: flow.ClientID, ClientSecret: flow.ClientSecret, RedirectURL: redirectURL, Scopes: flow.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: flow.AuthURL, TokenURL: flow.TokenURL, AuthStyle: style}}
}

// granted keeps the refresh token that is there where the vendor sends no new one.
func granted(t *oauth2.Token, refresh string) records.Grant {
	g := records.Grant{AccessToken: t.AccessToken, RefreshToken: t.RefreshToken, ExpiresAt: t.Expiry.UTC()}
	if g.RefreshToken == "" {
		g.RefreshToken = refresh
	}
	if t.Expiry.IsZero() {
		g.ExpiresAt = time.Time{}
	}
	return g
}

// fetch asks the vendor for another access token.
func (g *Grants) fetch(ctx context.Context, flow connectors.OAuth, label string, have records.Grant) (records.Grant, error) {
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, client(&answer{base: g.Transport})), exchangeTimeout)
	defer cancel()
	var token *oauth2.Token
	var err error
	switch {
	case flow.Grant == connectors.ClientCredentials:
		c := config(flow, "")
		params := map[string][]string{}
		for k, v := range flow.TokenParams {
			params[k] = []string{v}
		}
		token, err = (&clientcredentials.Config{ClientID: c.ClientID, ClientSecret: c.ClientSecret, TokenURL: c.Endpoint.TokenURL,
			Scopes: c.Scopes, EndpointParams: params, AuthStyle: c.Endpoint.AuthStyle}).Token(ctx)
	case have.RefreshToken == "":
		return records.Grant{}, &connectors.Error{Class: connectors.Revoked, Public: "The access to " + label + " has ended. Connect again."}
	default:
		token, err = config(flow, "").TokenSource(ctx, &oauth2.Token{RefreshToken: have.RefreshToken}).Token()
	}
	if err != nil {
		return records.Grant{}, refused(label, err)
	}
	return granted(token, have.RefreshToken), nil
}

// refused classifies a token endpoint's refusal (RFC 6749, 5.2). The library's own text quotes the answer, so it is not kept.
func refused(label string, err error) error {
	var r *oauth2.RetrieveError
	if !errors.As(err, &r) {
		wrapped := httpx.Wrap(err)
		e := &connectors.Error{Class: connectors.Unavailable, Err: fmt.Errorf("token request: %w", wrapped), Public: connectors.Sentence(connectors.Unavailable, label)}
		if errors.Is(err, httpx.ErrPrivateAddress) {
			e.Class, e.Public = connectors.Invalid, "The address for tokens leads into a private network, which this callsync does not allow."
		}
		return e
	}
	status := 0
	if r.Response != nil {
		status = r.Response.StatusCode
	}
	e := &connectors.Error{Err: fmt.Errorf("token request: status %d, error %s", status, code(r.ErrorCode))}
	switch {
	case status == http.StatusTooManyRequests || r.ErrorCode == "Access Denied":
		// Zoho answers so after ten tokens in ten minutes.
		e.Class, e.RetryAfter = connectors.RateLimited, time.Minute
		if d, ok := httpx.ParseRetryAfter(r.Response.Header.Get("Retry-After"), time.Now()); ok {
			e.RetryAfter = d
		}
		e.Public = connectors.Sentence(e.Class, label)
	case status >= 500:
		e.Class, e.Public = connectors.Unavailable, connectors.Sentence(connectors.Unavailable, label)
	case r.ErrorCode == "invalid_client" || r.ErrorCode == "unauthorized_client":
		e.Class, e.Public = connectors.Revoked, label+" does not know the app. Check its client id and secret, then connect again."
	case r.ErrorCode == "invalid_scope":
		e.Class, e.Public = connectors.Revoked, "The app at "+label+" may not ask for these rights. Add the scopes in its settings there, then connect again."
	default:
		e.Class, e.Public = connectors.Revoked, label+" no longer grants access. Connect again."
	}
	return e
}

// code keeps an error code that is one: what vendors put there may hold anything.
func code(s string) string {
	if len(s) > 40 || strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz_") != "" {
		return "(unreadable)"
	}
	return s
}
