package admin

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/records"
)

// Granter leads people to the consent page of a CRM and back, and has the tokens that come of it.
type Granter interface {
	Begin(c connectors.Connector, conn records.Connection, redirectURL, state, verifier string) (string, error)
	Finish(ctx context.Context, c connectors.Connector, conn records.Connection, redirectURL, code, verifier string) (learnt map[string]string, err error)
	Tokens(c connectors.Connector, conn records.Connection) (connectors.Tokens, error)
}

// GrantStore remembers who is on the way to a consent page.
type GrantStore interface {
	AddGrantRequest(ctx context.Context, r records.GrantRequest) error
	TakeGrantRequest(ctx context.Context, stateHash []byte) (records.GrantRequest, error)
}

// grantTime is how long a person may take at the CRM's consent page.
const grantTime = 15 * time.Minute

// GrantView is where a person grants access to a CRM account.
type GrantView struct {
	URL string `json:"url" doc:"The CRM's consent page. Open it in a browser; it leads back to callsync."`
	// ExpiresAt is until when the person must be back.
	ExpiresAt time.Time `json:"expires_at"`
}

func (h *Handler) registerOAuth() {
	handle(h, admin, get("/connections/{id}/oauth/start", "Where a person grants access to a CRM account", "Connections"), h.oauthStart)
}

func (h *Handler) oauthStart(ctx context.Context, p principal, in *PathID) (*answer[GrantView], error) {
	v, err := h.beginGrant(ctx, p, in.ID)
	return &answer[GrantView]{v}, err
}

// connectPage is the UI's way to the consent page.
func (h *Handler) connectPage(w http.ResponseWriter, r *http.Request, p principal) error {
	v, err := h.beginGrant(r.Context(), p, r.PathValue("id"))
	if err == nil {
		http.Redirect(w, r, v.URL, http.StatusSeeOther)
	}
	return err
}

func (h *Handler) beginGrant(ctx context.Context, p principal, id string) (GrantView, error) {
	if !validID(id) {
		return GrantView{}, notFound()
	}
	c, err := h.Store.ConnectionByID(ctx, p.WorkspaceID, id)
	if err != nil {
		return GrantView{}, err
	}
	connector, ok := h.Connectors[c.Connector]
	if !ok || h.Grants == nil {
		return GrantView{}, problem(http.StatusUnprocessableEntity, "This callsync cannot connect "+c.Connector+" by its consent page. Enter a token in the settings of the connection instead.")
	}
	request := records.GrantRequest{WorkspaceID: p.WorkspaceID, ConnectionID: c.ID, UserID: p.UserID, SessionID: p.SessionID, Verifier: secretbox.NewToken() + secretbox.NewToken(),
		ExpiresAt: h.Now().Add(grantTime).UTC()}
	state := secretbox.NewToken()
	request.StateHash = secretbox.HashToken(state)
	page, err := h.Grants.Begin(connector, c, h.callbackURL(), state, request.Verifier)
	if e := (*connectors.Error)(nil); errors.As(err, &e) {
		return GrantView{}, invalid(settingPath(connector.Info(), e.Field), e.Public)
	}
	if err != nil {
		return GrantView{}, err
	}
	if err := h.Store.AddGrantRequest(ctx, request); err != nil {
		return GrantView{}, err
	}
	return GrantView{URL: page, ExpiresAt: request.ExpiresAt}, nil
}

func (h *Handler) callbackURL() string { return h.public.String() + "/oauth/callback" }

// oauthCallback is where the CRM sends people back to. The state names the connection: it cannot be guessed and counts
// once. A flow that a signed-in user began is ended in the same session only, while they are still an admin there, so
// that nobody can be lured into granting their CRM to another's connection. One begun with an API token has no browser to compare with.
func (h *Handler) oauthCallback(w http.ResponseWriter, r *http.Request) {
	if err := h.finishGrant(w, r); err != nil {
		h.failed(w, r, principal{}, err)
	}
}

func (h *Handler) finishGrant(w http.ResponseWriter, r *http.Request) error {
	ctx, q := r.Context(), r.URL.Query()
	request, err := h.Store.TakeGrantRequest(ctx, secretbox.HashToken(q.Get("state")))
	if errors.Is(err, records.ErrNotFound) {
		return problem(http.StatusBadRequest, "This way back from the CRM is not known, was used before, or took too long. Open the connection in callsync and choose Connect again.")
	}
	if err != nil {
		return err
	}
	who := principal{WorkspaceID: request.WorkspaceID, Name: "an API token", Role: records.RoleAdmin}
	if request.UserID != "" {
		if who, err = h.authenticate(r); errors.Is(err, errNoAccess) ||
			err == nil && (who.UserID != request.UserID || who.SessionID != request.SessionID || who.WorkspaceID != request.WorkspaceID || !who.may(admin)) {
			return problem(http.StatusForbidden, "Somebody else has begun this connection, or you are not signed in any more. Sign in, open the connection and choose Connect again.")
		}
		if err != nil {
			return err
		}
	}
	ctx = acting(w, r, who, r.Pattern).Context()
	c, err := h.Store.ConnectionByID(ctx, request.WorkspaceID, request.ConnectionID)
	if err != nil {
		return err
	}
	connector, ok := h.Connectors[c.Connector]
	if !ok || h.Grants == nil {
		return notFound()
	}
	if q.Get("error") != "" || q.Get("code") == "" {
		return h.refused(w, r, who, c, http.StatusBadRequest, refusalWords(connector.Info().Label, q.Get("error")), q)
	}
	told, c2, err := readConsent(connector, c, q)
	var learnt map[string]string
	if err == nil {
		learnt, err = h.Grants.Finish(ctx, connector, c2, h.callbackURL(), q.Get("code"), request.Verifier)
	}
	if e := (*connectors.Error)(nil); errors.As(err, &e) {
		h.Log.WarnContext(ctx, "a grant failed", "connection", c.ID, "class", e.Class, "err", err)
		return h.refused(w, r, who, c, http.StatusBadGateway, e.Public, nil)
	}
	if err != nil {
		return err
	}
	maps.Copy(told, learnt)
	if err := h.connected(context.WithoutCancel(ctx), who, c, told); err != nil {
		return err
	}
	http.Redirect(w, r, "/connections/"+c.ID+"?done=connected", http.StatusSeeOther)
	return nil
}

// readConsent is what the consent page has said of the account beside the code, and the connection as it is with that.
func readConsent(connector connectors.Connector, c records.Connection, q url.Values) (map[string]string, records.Connection, error) {
	told := map[string]string{}
	reader, ok := connector.(connectors.ConsentReader)
	if !ok {
		return told, c, nil
	}
	settings, err := reader.ReadConsent(connectors.Settings{ConnectionID: c.ID, Config: c.Config, Secrets: c.Secrets}, q)
	if err != nil || len(settings) == 0 {
		return told, c, err
	}
	maps.Copy(told, settings)
	config := maps.Clone(c.Config)
	if config == nil {
		config = map[string]string{}
	}
	maps.Copy(config, settings)
	c.Config = config
	return told, c, nil
}

// connected stores what the CRM said of the account and lets a revoked connection go on. What it names must be allowed
// like what an admin types: the answer is the CRM's, but the CRM is whoever the settings named.
func (h *Handler) connected(ctx context.Context, p principal, c records.Connection, learnt map[string]string) error {
	config := maps.Clone(c.Config)
	if config == nil {
		config = map[string]string{}
	}
	for name, value := range learnt {
		// An address that an admin has typed (a proxy, a test account) stays.
		if value != "" && config[name] == "" {
			config[name] = value
		}
	}
	c.Config = config
	c.UpdatedAt = h.Now().UTC()
	if err := h.checkConnection(&c); err != nil {
		return err
	}
	if err := h.Store.UpdateConnection(ctx, c); err != nil {
		return err
	}
	if c.Status == records.ConnectionRevoked {
		return h.resume(ctx, p, c.ID)
	}
	return nil
}
