package grants

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// tokens are the access tokens of one connection.
type tokens struct {
	grants                       *Grants
	flow                         connectors.OAuth
	label, workspace, connection string
	version                      time.Time

	mu   sync.Mutex
	have records.Grant
}

var _ connectors.Tokens = (*tokens)(nil)

// Token implements connectors.Tokens.
func (t *tokens) Token(ctx context.Context) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if usable(t.have) {
		return t.have.AccessToken, nil
	}
	return t.another(ctx, "")
}

// Refresh implements connectors.Tokens.
func (t *tokens) Refresh(ctx context.Context, stale string) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.have.AccessToken != stale && usable(t.have) {
		return t.have.AccessToken, nil
	}
	return t.another(ctx, stale)
}

func usable(g records.Grant) bool {
	return g.AccessToken != "" && (g.ExpiresAt.IsZero() || time.Until(g.ExpiresAt) > early)
}

// another returns a usable token other than stale: the stored one, else one that it, or another worker, has refreshed.
func (t *tokens) another(ctx context.Context, stale string) (string, error) {
	deadline := time.Now().Add(2 * lease)
	for {
		stored, err := t.stored(ctx)
		if err != nil {
			return "", err
		}
		if stored.AccessToken != stale && usable(stored) {
			t.have = stored
			return stored.AccessToken, nil
		}
		mine, err := t.grants.Store.LeaseGrant(ctx, t.workspace, t.connection, lease)
		if err != nil {
			return "", failed(err)
		}
		if mine {
			return t.refresh(ctx, stale)
		}
		if time.Now().After(deadline) {
			return "", &connectors.Error{Class: connectors.Unavailable, Public: "The access to " + t.label + " is being renewed. callsync tries again."}
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(look):
		}
	}
}

func (t *tokens) stored(ctx context.Context) (records.Grant, error) {
	stored, err := t.grants.Store.Grant(ctx, t.workspace, t.connection)
	switch {
	case errors.Is(err, records.ErrNotFound) && t.flow.Grant == connectors.ClientCredentials:
		return records.Grant{}, nil
	case errors.Is(err, records.ErrNotFound):
		return stored, &connectors.Error{Class: connectors.Revoked, Public: "Nobody has connected " + t.label + " yet. Open the connection and choose Connect."}
	case err != nil:
		return stored, failed(err)
	}
	return stored, nil
}

// refresh asks the vendor, holding the lease.
func (t *tokens) refresh(ctx context.Context, stale string) (string, error) {
	// Another worker may have refreshed between the look and the lease. A refresh token that is used twice may end the grant.
	stored, err := t.stored(ctx)
	if err == nil && stored.AccessToken != stale && usable(stored) {
		t.have = stored
		return stored.AccessToken, t.release(ctx, nil)
	}
	if err != nil {
		return "", t.release(ctx, err)
	}
	// What the vendor has handed out is stored, even if the caller has gone meanwhile.
	fresh, err := t.grants.fetch(context.WithoutCancel(ctx), t.flow, t.label, stored)
	if err != nil {
		return "", t.release(ctx, err)
	}
	if err := t.save(context.WithoutCancel(ctx), fresh); err != nil {
		return "", failed(err)
	}
	t.have = fresh
	return fresh.AccessToken, nil
}

// save tries for some seconds: a refresh token that replaces another one is the only way back.
func (t *tokens) save(ctx context.Context, g records.Grant) error {
	for wait := 100 * time.Millisecond; ; wait *= 2 {
		err := t.grants.Store.SaveGrant(ctx, t.workspace, t.connection, g)
		if err == nil || errors.Is(err, records.ErrNotFound) || wait > 2*time.Second {
			return err
		}
		time.Sleep(wait)
	}
}

func (t *tokens) release(ctx context.Context, err error) error {
	if rerr := t.grants.Store.ReleaseGrant(context.WithoutCancel(ctx), t.workspace, t.connection); rerr != nil && err == nil {
		return failed(rerr)
	}
	return err
}

func failed(err error) error {
	return &connectors.Error{Class: connectors.Unavailable, Err: fmt.Errorf("tokens: %w", err), Public: "callsync could not read its access. It tries again."}
}
