package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/internal/pgtest"
	"github.com/callsync/callsync/postgres"
	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/workflows"
)

func TestMain(m *testing.M) { pgtest.Main(m, postgres.Migrate) }

// testPhone is a phone system whose webhooks are call events in JSON. A configured key must be in X-Signature.
type testPhone struct{}

func (testPhone) Info() telephony.Info {
	return telephony.Info{ID: "testphone", Label: "Test phone", Expects: call.Expectations{Recording: true}}
}

func (testPhone) Signs(s telephony.Settings) bool { return s.Secrets["key"] != "" }

func (testPhone) Verify(r telephony.Request, s telephony.Settings) error {
	if r.Header.Get("X-Signature-Mood") == "panic" {
		panic("verify")
	}
	if key := s.Secrets["key"]; key != "" && r.Header.Get("X-Signature") != key {
		return fmt.Errorf("test: %w", telephony.ErrSignature)
	}
	return nil
}

func (testPhone) Decode(r telephony.Request, s telephony.Settings) (telephony.Decoded, error) {
	switch string(r.Body) {
	case "ping":
		return telephony.Decoded{Ignored: "A ping."}, nil
	case "panic":
		panic("secret payload")
	case "no id":
		return telephony.Decoded{Events: []call.Event{{Kind: call.CallEnded}}}, nil
	}
	var e []call.Event
	if err := json.Unmarshal(r.Body, &e); err != nil {
		return telephony.Decoded{}, &telephony.UnreadableError{Where: "body", Public: "The body is not JSON.", Err: errors.New("not JSON")}
	}
	out := telephony.Decoded{Events: e}
	for _, path := range r.Header["X-Unknown"] {
		out.Unknown = append(out.Unknown, telephony.Unknown{Path: path, Type: "text"})
	}
	return out, nil
}

func (testPhone) Reply(telephony.Request) telephony.Reply {
	return telephony.Reply{ContentType: "text/plain", Body: "GODBLESSYOU"}
}

type plainSealer struct{}

func (plainSealer) Seal(plain []byte, _ string) ([]byte, error)  { return plain, nil }
func (plainSealer) Open(sealed []byte, _ string) ([]byte, error) { return sealed, nil }

// workflowsFake remembers what it was told, like a Temporal whose store can be wiped.
type workflowsFake struct {
	mu    sync.Mutex
	calls map[string][]workflows.CallSignal
	fail  error
}

func (w *workflowsFake) SignalCall(_ context.Context, in workflows.CallInput, s workflows.CallSignal) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fail != nil {
		return w.fail
	}
	if w.calls == nil {
		w.calls = map[string][]workflows.CallSignal{}
	}
	w.calls[in.CallID] = append(w.calls[in.CallID], s)
	return nil
}

func (w *workflowsFake) of(callID string) []workflows.CallSignal {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]workflows.CallSignal(nil), w.calls[callID]...)
}

func (w *workflowsFake) set(fail error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail = fail
}

// rig is a workspace with one source and one connection on a database of its own.
type rig struct {
	t      testing.TB
	db     *postgres.DB
	pool   *pgxpool.Pool // for looking at rows
	source records.Source
	crm    records.Connection
	to     *workflowsFake
	dir    *Directory
	relay  *Relay
}

func newRig(t testing.TB, change ...func(*records.Source)) *rig {
	t.Helper()
	return newRigOn(t, pgtest.New(t), change...)
}

// newRigOn makes the rig on a migrated database.
func newRigOn(t testing.TB, url string, change ...func(*records.Source)) *rig {
	t.Helper()
	r := (&rig{t: t}).reopen(url)
	ws := newUUID()
	require.NoError(t, r.db.CreateWorkspace(t.Context(), records.Workspace{ID: ws, Name: "Acme"}))
	r.source = records.Source{
		ID: newUUID(), WorkspaceID: ws, Provider: "testphone", Name: "Phone", Token: "tok_" + newUUID(), Policy: "complete",
		Window: 20 * time.Minute, Quiet: 5 * time.Second, Stale: 4 * time.Hour, Secrets: map[string]string{}, Config: map[string]string{},
	}
	for _, f := range change {
		f(&r.source)
	}
	require.NoError(t, r.db.CreateSource(t.Context(), r.source))
	r.crm = records.Connection{ID: newUUID(), WorkspaceID: ws, Connector: "webhook", Name: "CRM"}
	require.NoError(t, r.db.CreateConnection(t.Context(), r.crm))
	return r
}

// reopen is r in a new process, on the database at url.
func (r *rig) reopen(url string) *rig {
	t := r.t
	t.Helper()
	db, err := postgres.Open(t.Context(), url, plainSealer{}, postgres.Options{})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	pool, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	n := *r
	n.db, n.pool, n.to = db, pool, &workflowsFake{}
	n.restart()
	return &n
}

// restart forgets what the process remembered of sources and connections.
func (r *rig) restart() {
	r.dir = NewDirectory(r.db, telephony.NewRegistry(testPhone{}))
	r.relay = r.newRelay(RelayOptions{})
}

func (r *rig) newRelay(opts RelayOptions) *Relay {
	return NewRelay(r.db, r.dir, r.to, opts, NewMetrics(nil), quiet())
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func newUUID() string { return uuid.Must(uuid.NewV7()).String() }

// receipt makes a receipt of events, or of a raw body.
func (r *rig) receipt(body any) records.Receipt {
	r.t.Helper()
	var data []byte
	switch b := body.(type) {
	case string:
		data = []byte(b)
	default:
		var err error
		data, err = json.Marshal(b)
		require.NoError(r.t, err)
	}
	id, at := newReceiptID()
	return records.Receipt{ID: id, WorkspaceID: r.source.WorkspaceID, SourceID: r.source.ID, ReceivedAt: at, Method: "POST",
		Headers: []byte(`{}`), Body: data, Signature: "none"}
}

func (r *rig) insert(rs ...records.Receipt) {
	r.t.Helper()
	require.NoError(r.t, r.db.InsertReceipts(r.t.Context(), rs))
}

// apply empties the inbox.
func (r *rig) apply() {
	r.t.Helper()
	for {
		more, err := r.relay.applyRound(r.t.Context())
		require.NoError(r.t, err)
		if !more {
			return
		}
	}
}

func (r *rig) signal() {
	r.t.Helper()
	_, err := r.relay.signalRound(r.t.Context())
	require.NoError(r.t, err)
}

// callBy reads the call with a provider id or another alias.
func (r *rig) callBy(kind, value string) storedCall {
	r.t.Helper()
	var c storedCall
	var state []byte
	require.NoError(r.t, r.pool.QueryRow(r.t.Context(), `
		select c.id, c.state, c.revision, c.signalled_revision, c.settled_revision, c.phase, c.complete, c.check_at, c.check_count, c.window_base, c.provisional
		from calls c join call_aliases a on a.call_id = c.id where a.source_id = $1 and a.kind = $2 and a.value = $3`, r.source.ID, kind, value).
		Scan(&c.id, &state, &c.revision, &c.signalled, &c.settled, &c.phase, &c.complete, &c.checkAt, &c.checkCount, &c.base, &c.provisional), "%s %s", kind, value)
	require.NoError(r.t, json.Unmarshal(state, &c.Call))
	return c
}

type storedCall struct {
	call.Call
	id                           string
	revision, signalled, settled int64
	phase                        string
	complete, provisional        bool
	checkAt, base                *time.Time
	checkCount                   int
}

type result struct {
	State, Reason, Detail string
	Changed               bool
}

func (r *rig) result(receiptID string) result {
	r.t.Helper()
	var out result
	require.NoError(r.t, r.pool.QueryRow(r.t.Context(), `select state, reason, detail, changed from receipt_results where receipt_id = $1`, receiptID).
		Scan(&out.State, &out.Reason, &out.Detail, &out.Changed))
	return out
}

func (r *rig) count(sql string, args ...any) int {
	r.t.Helper()
	var n int
	require.NoError(r.t, r.pool.QueryRow(r.t.Context(), sql, args...).Scan(&n))
	return n
}

func (r *rig) exec(sql string, args ...any) {
	r.t.Helper()
	_, err := r.pool.Exec(r.t.Context(), sql, args...)
	require.NoError(r.t, err)
}

// hooks serves the receiver and returns the source's hook URL.
func (r *rig) hooks(opts ReceiverOptions, b *Batcher) string {
	return r.serve(NewReceiver(r.dir, b, opts, NewMetrics(nil), quiet())) + "/hooks/testphone/" + r.source.Token
}

func (r *rig) serve(h http.Handler) string {
	srv := httptest.NewUnstartedServer(h)
	srv.Config = NewServer("", h)
	srv.Start()
	r.t.Cleanup(srv.Close)
	return srv.URL
}

func (r *rig) batcher(opts BatcherOptions, store ReceiptStore, spool *Spool) *Batcher {
	if store == nil {
		store = r.db
	}
	b := NewBatcher(store, spool, opts, NewMetrics(nil), quiet(), nil)
	r.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(r.t, b.Close(ctx))
	})
	return b
}

func post(t testing.TB, url, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(text)
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, 20*time.Second, 5*time.Millisecond, what)
}

func seconds(n int64) *int64 { return &n }

// ended is a final report.
func ended(id string, aliases ...call.Alias) call.Event {
	return call.Event{Kind: call.CallEnded, ProviderID: id, Aliases: aliases, Facts: call.Facts{
		Status: call.Answered, Direction: call.Inbound, DurationSeconds: seconds(60), Customer: call.Party{Number: "+14155550101", Name: "Ann"},
	}}
}

func ringing(id string, aliases ...call.Alias) call.Event {
	return call.Event{Kind: call.CallRinging, ProviderID: id, Aliases: aliases, Facts: call.Facts{Direction: call.Inbound}}
}

func updated(id, note string) call.Event {
	return call.Event{Kind: call.CallUpdated, ProviderID: id, Facts: call.Facts{Note: note}}
}

func recorded(id string) call.Event {
	return call.Event{Kind: call.RecordingArrived, ProviderID: id, Facts: call.Facts{Recordings: []call.Recording{{ID: "r1", URL: "https://example.test/r1.mp3", State: call.RecordingAvailable}}}}
}

func conn(value string) call.Alias { return call.Alias{Kind: "connection", Value: value} }

func events(e ...call.Event) []call.Event { return e }

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return data
}
