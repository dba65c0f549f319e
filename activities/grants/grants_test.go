package grants

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/internal/pgtest"
	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/postgres"
	"github.com/callsync/callsync/records"
)

func TestMain(m *testing.M) { pgtest.Main(m, postgres.Migrate) }

// vendor is a strict authorization server: codes and refresh tokens are good for one use.
type vendor struct {
	*httptest.Server
	mu       sync.Mutex
	code     string
	refresh  string
	expires  int
	requests int
	status   int
	failure  string
	hold     chan struct{}
	last     url.Values
}

func newVendor(t *testing.T) *vendor {
	v := &vendor{code: "code-1", expires: 3600}
	v.Server = httptest.NewServer(http.HandlerFunc(v.token))
	t.Cleanup(v.Close)
	return v
}

func (v *vendor) token(w http.ResponseWriter, r *http.Request) {
	if v.hold != nil {
		<-v.hold
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	refuse := func(status int, code string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":%q,"error_description":"client_secret hunter2 is not liked"}`, code)
	}
	_ = r.ParseForm()
	v.last = r.PostForm
	if v.status != 0 {
		refuse(v.status, v.failure)
		return
	}
	if r.Method != http.MethodPost || r.PostForm.Get("client_id") != "app" || r.PostForm.Get("client_secret") != "hunter2" {
		refuse(401, "invalid_client")
		return
	}
	switch r.PostForm.Get("grant_type") {
	case "authorization_code":
		if v.code == "" || r.PostForm.Get("code") != v.code || r.PostForm.Get("code_verifier") == "" {
			refuse(400, "invalid_grant")
			return
		}
		v.code = ""
	case "refresh_token":
		if r.PostForm.Get("refresh_token") != v.refresh {
			refuse(400, "invalid_grant")
			return
		}
	case "client_credentials":
	default:
		refuse(400, "unsupported_grant_type")
		return
	}
	v.requests++
	v.refresh = fmt.Sprintf("refresh-%d", v.requests)
	out := map[string]any{"access_token": fmt.Sprintf("access-%d", v.requests), "token_type": "bearer", "expires_in": v.expires, "api_domain": "https://acme.crm.example"}
	if r.PostForm.Get("grant_type") != "client_credentials" {
		out["refresh_token"] = v.refresh
	}
	_ = json.NewEncoder(w).Encode(out)
}

type kind struct {
	connectors.Connector
	flow connectors.OAuth
}

func (k kind) Info() connectors.Info { return connectors.Info{ID: "crm", Label: "CRM"} }
func (k kind) OAuth(connectors.Settings) (connectors.OAuth, bool, error) {
	return k.flow, true, nil
}

type rig struct {
	t    *testing.T
	db   *postgres.DB
	conn records.Connection
	v    *vendor
	kind kind
	sql  *pgx.Conn
}

func newRig(t *testing.T) *rig {
	url := pgtest.New(t)
	keys, err := secretbox.Parse(secretbox.Generate("k1"))
	require.NoError(t, err)
	db, err := postgres.Open(t.Context(), url, keys, postgres.Options{MaxConns: 8})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	sql, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = sql.Close(context.Background()) })
	r := &rig{t: t, db: db, sql: sql, v: newVendor(t), conn: records.Connection{ID: uuid.NewString(), WorkspaceID: uuid.NewString(), Connector: "crm", Name: "c"}}
	require.NoError(t, db.CreateWorkspace(t.Context(), records.Workspace{ID: r.conn.WorkspaceID, Name: "w"}))
	require.NoError(t, db.CreateConnection(t.Context(), r.conn))
	r.kind = kind{flow: connectors.OAuth{Grant: connectors.AuthorizationCode, AuthURL: "https://crm.example/authorize", TokenURL: r.v.URL, ClientID: "app",
		ClientSecret: "hunter2", Scopes: []string{"a", "b"}, AuthParams: map[string]string{"access_type": "offline"}, PKCE: true,
		Learn: func(answer map[string]any) map[string]string {
			domain, _ := answer["api_domain"].(string)
			return map[string]string{"base_url": domain}
		}}}
	return r
}

// process is one process's view of the connection.
func (r *rig) process() (*Grants, connectors.Tokens) {
	g := &Grants{Store: r.db}
	tokens, err := g.Tokens(r.kind, r.conn)
	require.NoError(r.t, err)
	return g, tokens
}

func (r *rig) connect() {
	g, _ := r.process()
	learnt, err := g.Finish(r.t.Context(), r.kind, r.conn, "https://callsync.example/oauth/callback", "code-1", Verifier())
	require.NoError(r.t, err)
	require.Equal(r.t, map[string]string{"base_url": "https://acme.crm.example"}, learnt)
}

func class(err error) connectors.Class {
	var e *connectors.Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Class
}

func TestAuthURL(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	g, _ := r.process()
	page, err := g.Begin(r.kind, r.conn, "https://callsync.example/oauth/callback", "state", "verifier-verifier-verifier-verifier-verifier")
	require.NoError(t, err)
	u, err := url.Parse(page)
	require.NoError(t, err)
	q := u.Query()
	require.Equal(t, "crm.example", u.Host)
	require.Equal(t, "code", q.Get("response_type"))
	require.Equal(t, "a b", q.Get("scope"))
	require.Equal(t, "offline", q.Get("access_type"))
	require.Equal(t, "S256", q.Get("code_challenge_method"))
	require.NotContains(t, u.RawQuery, "hunter2")
	require.NotContains(t, u.RawQuery, "verifier-verifier")
}

func TestConnectRefreshRevoke(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, tokens := r.process()
	_, err := tokens.Token(t.Context())
	require.Equal(t, connectors.Revoked, class(err), "nobody has connected yet")
	r.connect()
	for range 2 {
		token, err := tokens.Token(t.Context())
		require.NoError(t, err)
		require.Equal(t, "access-1", token)
	}
	_, other := r.process()
	token, err := other.Refresh(t.Context(), "access-1")
	require.NoError(t, err)
	require.Equal(t, "access-2", token)
	token, err = tokens.Refresh(t.Context(), "access-1")
	require.NoError(t, err)
	require.Equal(t, "access-2", token, "the other process has refreshed")
	require.Equal(t, 2, r.v.requests)

	r.v.mu.Lock()
	r.v.refresh = "revoked by the vendor"
	r.v.mu.Unlock()
	_, err = tokens.Refresh(t.Context(), "access-2")
	require.Equal(t, connectors.Revoked, class(err))
	require.NotContains(t, err.Error(), "hunter2")
	r.v.code = "code-1"
	r.connect()
	token, err = tokens.Refresh(t.Context(), "access-2")
	require.NoError(t, err)
	require.Equal(t, "access-3", token, "connected again")

	var stored string
	require.NoError(t, r.sql.QueryRow(t.Context(), `select g::text from connection_grants g`).Scan(&stored))
	require.NotContains(t, stored, "access-")
}

func TestManyWorkersRefreshOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connect()
	var wg sync.WaitGroup
	for range 4 {
		_, tokens := r.process()
		for range 5 {
			wg.Go(func() {
				token, err := tokens.Refresh(t.Context(), "access-1")
				if err != nil || token != "access-2" {
					t.Errorf("%s %v", token, err)
				}
			})
		}
	}
	wg.Wait()
	require.Equal(t, 2, r.v.requests, "one for the connection, one for all twenty")
}

func TestATokenIsReplacedBeforeItEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.v.expires = 30
	r.connect()
	r.v.mu.Lock()
	r.v.expires = 3600
	r.v.mu.Unlock()
	_, tokens := r.process()
	token, err := tokens.Token(t.Context())
	require.NoError(t, err)
	require.Equal(t, "access-2", token)
}

func TestClientCredentials(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.kind.flow.Grant = connectors.ClientCredentials
	r.kind.flow.TokenParams = map[string]string{"audience": "crm"}
	_, tokens := r.process()
	token, err := tokens.Token(t.Context())
	require.NoError(t, err)
	require.Equal(t, "access-1", token)
	require.Equal(t, "crm", r.v.last.Get("audience"))
	token, err = tokens.Refresh(t.Context(), "access-1")
	require.NoError(t, err)
	require.Equal(t, "access-2", token)
}

func TestTheVendorRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status int
		code   string
		want   connectors.Class
	}{
		{400, "invalid_grant", connectors.Revoked}, {401, "invalid_client", connectors.Revoked}, {400, "BAD REQUEST", connectors.Revoked},
		{429, "", connectors.RateLimited}, {400, "Access Denied", connectors.RateLimited}, {503, "", connectors.Unavailable}, {302, "", connectors.Revoked},
	} {
		r := newRig(t)
		r.connect()
		r.v.mu.Lock()
		r.v.status, r.v.failure = tc.status, tc.code
		r.v.mu.Unlock()
		_, tokens := r.process()
		_, err := tokens.Refresh(t.Context(), "access-1")
		require.Equal(t, tc.want, class(err), "%v", tc)
		require.NotContains(t, err.Error(), "hunter2")
		r.v.mu.Lock()
		r.v.status = 0
		r.v.mu.Unlock()
		token, err := tokens.Refresh(t.Context(), "access-1")
		require.NoError(t, err, "the lease was given back")
		require.Equal(t, "access-2", token)
	}
	r := newRig(t)
	r.connect()
	r.v.Close()
	_, tokens := r.process()
	_, err := tokens.Refresh(t.Context(), "access-1")
	require.Equal(t, connectors.Unavailable, class(err))
}

func TestWhoLeavesMidwayLosesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connect()
	r.v.hold = make(chan struct{})
	_, tokens := r.process()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _, _ = tokens.Refresh(ctx, "access-1") }()
	require.Eventually(t, func() bool {
		var leased bool
		err := r.sql.QueryRow(t.Context(), `select lease_until > now() from connection_grants`).Scan(&leased)
		return err == nil && leased
	}, 5*time.Second, 5*time.Millisecond)
	cancel()
	close(r.v.hold)
	<-done
	_, other := r.process()
	token, err := other.Refresh(t.Context(), "access-1")
	require.NoError(t, err)
	require.Equal(t, "access-2", token, "what the vendor handed out was stored")
}
