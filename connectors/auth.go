package connectors

import (
	"context"
	"errors"
	"net/http"
	"net/url"
)

// Tokens are the access tokens of a connection that was connected by OAuth. Several sessions and workers share them.
type Tokens interface {
	// Token returns the access token in force. Errors are *Error: Revoked where the grant is gone.
	Token(ctx context.Context) (string, error)
	// Refresh returns another token than stale, which the CRM has refused. However many ask, the vendor is asked once.
	Refresh(ctx context.Context, stale string) (string, error)
}

// Authorizer is implemented by connectors whose accounts are connected by OAuth 2.0.
type Authorizer interface {
	// OAuth returns the flow of a connection with these settings; an *Error of class Invalid where a setting is missing.
	// ok is false where these settings use another kind of credential.
	OAuth(Settings) (flow OAuth, ok bool, err error)
}

// ConsentReader is implemented by Authorizers whose vendor sends more back from its consent page than a code: where the
// account is, which the token's endpoint depends on.
type ConsentReader interface {
	// ReadConsent returns settings of the connection that the query of the redirect holds. They count for the exchange of the
	// code and are kept like those of Learn. Errors are *Error.
	ReadConsent(set Settings, query url.Values) (map[string]string, error)
}

// Grant is how an access token is had (RFC 6749).
type Grant string

// The grants.
const (
	AuthorizationCode Grant = "authorization_code"
	ClientCredentials Grant = "client_credentials"
)

// OAuth describes a vendor's OAuth 2.0 flow for one connection.
type OAuth struct {
	Grant    Grant
	AuthURL  string
	TokenURL string
	ClientID string
	// ClientSecret goes in the body, or with ClientInHeader by Basic authentication.
	ClientSecret   string
	ClientInHeader bool
	Scopes         []string
	// AuthParams and TokenParams are further parameters of the two requests, such as access_type=offline.
	AuthParams  map[string]string
	TokenParams map[string]string
	// PKCE adds a code challenge (RFC 7636, S256).
	PKCE bool
	// Learn returns settings of the connection that the token's answer holds, such as the address of the account's API.
	// answer is the vendor's JSON. May be nil.
	Learn func(answer map[string]any) map[string]string
}

// Bearer is a transport that authorises requests: with static, or where the connection has Tokens with the one in force,
// which it refreshes once when the CRM answers 401. scheme is the word before the token ("Bearer"). A 401 means that
// nothing was done, so the request is sent again as it was; its body must be replayable (http.Request.GetBody), or the
// 401 is returned.
func Bearer(set Settings, scheme, static string) http.RoundTripper {
	base := set.Transport
	if base == nil {
		base = http.DefaultTransport
	}
	return &bearer{base: base, tokens: set.Tokens, scheme: scheme, static: static}
}

type bearer struct {
	base   http.RoundTripper
	tokens Tokens
	scheme string
	static string
}

func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.tokens == nil {
		return b.base.RoundTrip(b.with(r, b.static))
	}
	token, err := b.tokens.Token(r.Context())
	if err != nil {
		closeBody(r)
		return nil, NotSent(err)
	}
	resp, err := b.base.RoundTrip(b.with(r, token))
	if err != nil || resp.StatusCode != http.StatusUnauthorized || r.Body != nil && r.Body != http.NoBody && r.GetBody == nil {
		return resp, err
	}
	again := r.Clone(r.Context())
	if r.GetBody != nil {
		if again.Body, err = r.GetBody(); err != nil {
			return resp, nil
		}
	}
	fresh, err := b.tokens.Refresh(r.Context(), token)
	if err != nil {
		closeBody(again)
		resp.Body.Close()
		return nil, NotSent(err)
	}
	resp.Body.Close()
	return b.base.RoundTrip(b.with(again, fresh))
}

func (b *bearer) with(r *http.Request, token string) *http.Request {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", b.scheme+" "+token)
	return r
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		r.Body.Close()
	}
}

// NotSent marks err as one before which nothing reached the CRM, so that even a create may be repeated.
func NotSent(err error) error {
	var e *Error
	if !errors.As(err, &e) {
		e = AsError(err)
	}
	marked := *e
	marked.NotSent = true
	return &marked
}
