package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/admin"
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/hubspot"
	"github.com/callsync/callsync/connectors/hubspot/hubspotfake"
	"github.com/callsync/callsync/connectors/webhook"
	"github.com/callsync/callsync/ingest"
	"github.com/callsync/callsync/internal/browsertest"
	"github.com/callsync/callsync/internal/pgtest"
	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/postgres"
	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/callrail"
	"github.com/callsync/callsync/telephony/generic"
)

func TestMain(m *testing.M) {
	os.Exit(browsertest.Main(func() int { return pgtest.Run(m, postgres.Migrate) }))
}

// The credentials of the fixture's people.
const (
	password = "correct horse battery"
	crmToken = "pat-na1-00000000-0000-0000-0000-000000000001"
)

// passwordHash is made once: it is meant to be slow.
var passwordHash = sync.OnceValues(func() (string, error) { return secretbox.HashPassword(password) })

// fixture is callsync's pages and API on a real database, with a fake HubSpot and a relay that only takes notes.
type fixture struct {
	t    *testing.T
	db   *postgres.DB
	sql  *pgxpool.Pool
	http *httptest.Server
	crm  *httptest.Server
	log  *bytes.Buffer
	// token is of workspace ws; boot is the bootstrap token.
	ws, token, boot string
	actions         *actions
	dir             *ingest.Directory
	handler         *admin.Handler
	// at is when the stories that are told happen; zero is now.
	at time.Time
	// boss is signed in as admin@example.com.
	boss *http.Client
}

// actions takes notes of what the relay would be asked for.
type actions struct {
	mu     sync.Mutex
	synced []string
	replay []string
	fail   error
}

func (a *actions) SyncNow(_ context.Context, ws, callID string, connections []string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.synced = append(a.synced, ws+" "+callID+" "+strings.Join(connections, ","))
	return a.fail
}

func (a *actions) Replay(_ context.Context, ws, receiptID string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.replay = append(a.replay, ws+" "+receiptID)
	return a.fail
}

func (a *actions) syncs() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.synced)
}

// untilSyncs waits until n deliveries were asked for: what takes calls off hold goes on after its request was answered.
func (f *fixture) untilSyncs(n int) {
	f.t.Helper()
	require.Eventually(f.t, func() bool { return len(f.actions.syncs()) >= n }, 20*time.Second, 5*time.Millisecond)
	require.Len(f.t, f.actions.syncs(), n)
}

func newFixture(t *testing.T, options ...func(*admin.Deps)) *fixture {
	t.Helper()
	url := pgtest.New(t)
	keys, err := secretbox.Parse(secretbox.Generate("test"))
	require.NoError(t, err)
	db, err := postgres.Open(t.Context(), url, keys, postgres.Options{MaxConns: 6})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	sql, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(sql.Close)

	f := &fixture{t: t, db: db, sql: sql, actions: &actions{}, log: &bytes.Buffer{}, boot: secretbox.NewToken()}
	f.crm = httptest.NewServer(hubspotfake.New(hubspotfake.Options{Tokens: map[string][]string{crmToken: nil}}))
	t.Cleanup(f.crm.Close)
	boot, err := db.EnsureBootstrap(f.asOperator(), postgres.BootstrapInput{WorkspaceName: "Acme", TokenHash: secretbox.HashToken(f.boot)})
	require.NoError(t, err)
	f.ws, f.token = boot.WorkspaceID, f.newToken(boot.WorkspaceID)

	// The server's address must be known before the handler is made.
	f.http = httptest.NewUnstartedServer(nil)
	deps := admin.Deps{Store: db, Providers: telephony.NewRegistry(callrail.New(), generic.New()), Connectors: connectors.NewRegistry(hubspot.New(), webhook.New()),
		Replayer: f.actions, Resyncer: f.actions, PublicURL: "http://" + f.http.Listener.Addr().String(), Version: "1.2.3",
		CheckHost: func(host string) error {
			if strings.HasPrefix(host, "10.") {
				return errors.New("This host is private.")
			}
			return nil
		},
		Log: slog.New(slog.NewTextHandler(&syncWriter{w: f.log}, nil))}
	for _, o := range options {
		o(&deps)
	}
	transport := deps.Transport
	if transport == nil {
		transport = func(records.Connection) http.RoundTripper { return http.DefaultTransport }
	}
	deps.Schemas = &activities.Schemas{Store: db, Connectors: deps.Connectors, Transport: transport, Log: deps.Log}
	quiet := slog.New(slog.DiscardHandler)
	f.dir = ingest.NewDirectory(db, deps.Providers)
	batcher := ingest.NewBatcher(db, nil, ingest.BatcherOptions{}, ingest.NewMetrics(nil), quiet, nil)
	t.Cleanup(func() { require.NoError(t, batcher.Close(context.Background())) })
	deps.Hooks = ingest.NewReceiver(f.dir, batcher, ingest.ReceiverOptions{}, ingest.NewMetrics(nil), quiet).Tests()
	h, err := admin.New(deps)
	require.NoError(t, err)
	t.Cleanup(h.Close)
	f.handler, f.http.Config.Handler = h, h
	f.http.Start()
	t.Cleanup(f.http.Close)
	return f
}

// clock is the time of the stories.
func (f *fixture) clock() time.Time {
	if f.at.IsZero() {
		return time.Now()
	}
	return f.at
}

type syncWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *syncWriter) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}

func id() string { return uuid.Must(uuid.NewV7()).String() }

// idAt is an id as one made at that moment.
func idAt(at time.Time) string {
	u := uuid.Must(uuid.NewV7())
	ms := at.UnixMilli()
	for i := range 6 {
		u[i] = byte(ms >> (8 * (5 - i)))
	}
	return u.String()
}

// asOperator is the context of what a test finds set up.
func (f *fixture) asOperator() context.Context {
	return records.WithActor(f.t.Context(), records.OperatorActor("callsync serve"))
}

func (f *fixture) newToken(ws string) string {
	f.t.Helper()
	token := secretbox.NewToken()
	require.NoError(f.t, f.db.CreateAPIToken(f.asOperator(), records.APIToken{ID: id(), WorkspaceID: ws, Name: "test", Hash: secretbox.HashToken(token)}))
	return token
}

func (f *fixture) user(ws, email, name, role string) {
	f.t.Helper()
	hash, err := passwordHash()
	require.NoError(f.t, err)
	require.NoError(f.t, f.db.CreateUser(f.asOperator(), records.User{ID: id(), WorkspaceID: ws, Email: email, Name: name, PasswordHash: hash, Role: role}))
}

func (f *fixture) exec(sql string, args ...any) {
	f.t.Helper()
	_, err := f.sql.Exec(f.t.Context(), sql, args...)
	require.NoError(f.t, err)
}

// reply is an answer of the API.
type reply struct {
	Status int
	Header http.Header
	Raw    string
	JSON   map[string]any
}

func (r reply) items() []any { return r.JSON["items"].([]any) }

func (f *fixture) as(token, method, path, body string) reply {
	f.t.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(f.t.Context(), method, f.http.URL+path, in)
	require.NoError(f.t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	// The live calls come as a stream without this.
	req.Header.Set("Accept", "application/json")
	return f.do(http.DefaultClient, req)
}

func (f *fixture) do(client *http.Client, req *http.Request) reply {
	f.t.Helper()
	resp, err := client.Do(req)
	require.NoError(f.t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(f.t, err)
	r := reply{Status: resp.StatusCode, Header: resp.Header, Raw: string(raw)}
	_ = json.Unmarshal(raw, &r.JSON) // lists of other things stay raw
	return r
}

// api asks as the fixture's own workspace.
func (f *fixture) api(method, path, body string) reply {
	f.t.Helper()
	return f.as(f.token, method, "/api/v1"+path, body)
}

// must asks and wants a status.
func (f *fixture) must(status int, method, path, body string) reply {
	f.t.Helper()
	r := f.api(method, path, body)
	require.Equal(f.t, status, r.Status, "%s %s: %s", method, path, r.Raw)
	return r
}

func (f *fixture) newSource() reply {
	f.t.Helper()
	return f.must(201, "POST", "/sources", `{"provider": "callrail", "name": "Main office", "time_zone": "America/New_York", "default_country": "us", "secrets": {"signing_key": "key-one"}}`)
}

func (f *fixture) newConnection() reply {
	f.t.Helper()
	return f.must(201, "POST", "/connections", `{"connector": "hubspot", "name": "HubSpot", "config": {"base_url": "`+f.crm.URL+`", "portal_id": 4242}, "secrets": {"access_token": "`+crmToken+`"}}`)
}

// story is a call to store: its receipts and what became of its deliveries.
type story struct {
	id       string
	source   string
	receipts []said
	lanes    []told
	live     bool
	revision int64
}

// said is one receipt with one event.
type said struct {
	kind    call.Kind
	at      time.Time
	facts   call.Facts
	outlook map[call.Artifact]call.Outlook
	same    bool // changed nothing
}

// told is one delivery.
type told struct {
	connection                  string
	state, class, field, reason string
	remote, url                 string
	revision                    int64
	retryAt                     time.Time
	attempts                    []records.Attempt
	written                     map[string]any
	steps                       map[string]records.Step
	warnings                    []string
}

// tell stores a call as the pipeline would have.
func (f *fixture) tell(ws string, s story) string {
	f.t.Helper()
	ctx := f.t.Context()
	if s.id == "" {
		s.id = id()
	}
	var events []call.Event
	first := s.receipts[0].at
	for _, r := range s.receipts {
		receipt := records.Receipt{ID: idAt(r.at), WorkspaceID: ws, SourceID: s.source, ReceivedAt: r.at, Method: "POST", Signature: "ok",
			HookEvent: hookOf[r.kind], Headers: []byte(`{"Content-Type": ["application/x-www-form-urlencoded"]}`), Query: []byte{}, Body: []byte("id=CAL1&duration=60")}
		e := call.Event{ReceiptID: receipt.ID, Kind: r.kind, ReceivedAt: r.at, ProviderID: "CAL" + s.id[24:], Facts: r.facts, Outlook: r.outlook}
		events = append(events, e)
		receipt.Result.State = records.ReceiptApplied
		require.NoError(f.t, f.db.InsertReceipts(ctx, []records.Receipt{receipt}))
		f.exec(`update receipt_results set record_kind = 'call', record_id = $2, changed = $3 where receipt_id = $1`, receipt.ID, s.id, !r.same)
		data, err := json.Marshal(e)
		require.NoError(f.t, err)
		f.exec(`insert into events (receipt_id, seq, workspace_id, source_id, record_kind, record_id, kind, data) values ($1, 0, $2, $3, 'call', $4, $5, $6)`,
			receipt.ID, ws, s.source, s.id, r.kind, data)
	}
	c := call.Fold(call.Identity{ID: s.id, WorkspaceID: ws, SourceID: s.source, Provider: "callrail"}, events)
	c.Revision = max(s.revision, 1)
	state, err := json.Marshal(c)
	require.NoError(f.t, err)
	var names []string
	for _, a := range c.Agents {
		names = append(names, a.Name)
	}
	settled := c.Revision
	for _, l := range s.lanes {
		if l.revision < settled {
			settled = l.revision
		}
	}
	if len(s.lanes) == 0 {
		settled = 0
	}
	var base *time.Time
	if b := call.WindowBase(c); !b.IsZero() {
		base = &b
	}
	f.exec(`insert into calls (id, workspace_id, source_id, state, revision, phase, status, direction, started_at, ended_at, customer_number, customer_name, agent_text, complete, window_base, changed_at, settled_revision, created_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
		s.id, ws, s.source, state, c.Revision, c.Phase, c.Status, c.Direction, orNil(c.StartedAt), orNil(c.EndedAt), c.Customer.Number, c.Customer.Name,
		strings.Join(names, " "), call.Complete(c, call.Expectations{Recording: true}), base, first, settled, first)
	for _, l := range s.lanes {
		deliveryID := id()
		written, err := json.Marshal(l.written)
		require.NoError(f.t, err)
		steps, err := json.Marshal(l.steps)
		require.NoError(f.t, err)
		warnings, err := json.Marshal(l.warnings)
		require.NoError(f.t, err)
		f.exec(`insert into deliveries (id, workspace_id, connection_id, object, key, record_id, state, revision, remote_id, remote_url, class, field, reason, retry_at, written, steps, warnings)
			values ($1, $2, $3, 'call', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, coalesce(nullif($14::jsonb, 'null'), '{}'), coalesce(nullif($15::jsonb, 'null'), '{}'), coalesce(nullif($16::jsonb, 'null'), '[]'))`,
			deliveryID, ws, l.connection, s.id, s.id, l.state, l.revision, l.remote, l.url, l.class, l.field, l.reason, orNil(l.retryAt), written, steps, warnings)
		for _, a := range l.attempts {
			f.exec(`insert into delivery_attempts (id, workspace_id, delivery_id, at, revision, outcome, class, reason, duration_ms) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
				id(), ws, deliveryID, a.At, max(a.Revision, 1), a.Outcome, a.Class, a.Reason, a.Duration.Milliseconds())
		}
	}
	return s.id
}

var hookOf = map[call.Kind]string{call.CallRinging: "pre-call", call.CallRouted: "routing-complete", call.CallEnded: "post-call", call.CallUpdated: "call-modified"}

func orNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func num(n int64) *int64 { return &n }

// simpleCall stores a synced call.
func (f *fixture) simpleCall(ws, source, connection string) string {
	f.t.Helper()
	at := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	return f.tell(ws, story{source: source, receipts: []said{{kind: call.CallEnded, at: at.Add(time.Minute), facts: call.Facts{
		Direction: call.Inbound, Status: call.Answered, StartedAt: at, EndedAt: at.Add(time.Minute), DurationSeconds: num(60),
		Customer: call.Party{Number: "+14155550101", Name: "Jane Doe"}, Recordings: []call.Recording{{ID: "1", URL: "https://app.callrail.com/r/1", State: call.RecordingAvailable}},
	}}}, lanes: []told{{connection: connection, state: "done", revision: 1, remote: "7", url: "https://app.hubspot.com/contacts/1/record/0-48/7",
		attempts: []records.Attempt{{At: at.Add(2 * time.Minute), Outcome: "done", Duration: 412 * time.Millisecond}}}}})
}

// hostileCall stores a call whose every text wants to be code.
func (f *fixture) hostileCall(source, connection string) string {
	f.t.Helper()
	const evil = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>` + "\u202e"
	at := time.Now().Add(-time.Hour).UTC()
	return f.tell(f.ws, story{source: source, receipts: []said{{kind: call.CallEnded, at: at, facts: call.Facts{
		Direction: call.Inbound, Status: call.Answered, StartedAt: at, EndedAt: at, Customer: call.Party{Name: evil, RawNumber: evil, Email: evil, City: evil},
		Agents: []call.Agent{{Name: evil, Email: evil}}, Recordings: []call.Recording{{ID: "1", URL: "javascript:alert(1)"}},
		Transcription: call.Transcription{Text: evil, URL: "javascript:alert(1)"}, Tags: []string{evil}, Note: evil, Queue: evil,
		Disposition: call.Disposition{Value: evil}, Attributes: map[string]any{evil: evil},
	}}}, lanes: []told{{connection: connection, state: "parked", revision: 1, class: "invalid", field: evil, reason: evil, remote: evil, url: "javascript:alert(1)",
		written: map[string]any{evil: evil}, steps: map[string]records.Step{"party": {At: at, Text: evil}}, warnings: []string{evil},
		attempts: []records.Attempt{{At: at, Outcome: "parked", Reason: evil}}}}})
}
