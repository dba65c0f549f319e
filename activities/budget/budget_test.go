package budget

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/internal/pgtest"
	"github.com/callsync/callsync/postgres"
	"github.com/callsync/callsync/records"
)

func TestMain(m *testing.M) { pgtest.Main(m, postgres.Migrate) }

type plain struct{}

func (plain) Seal(b []byte, _ string) ([]byte, error) { return b, nil }
func (plain) Open(b []byte, _ string) ([]byte, error) { return b, nil }

type rig struct {
	t      *testing.T
	conn   records.Connection
	sql    *pgx.Conn
	db     *postgres.DB
	server *httptest.Server
	status atomic.Int32
	seen   atomic.Int32
}

func newRig(t *testing.T) *rig {
	url := pgtest.New(t)
	db, err := postgres.Open(t.Context(), url, plain{}, postgres.Options{MaxConns: 8})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	sql, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = sql.Close(context.Background()) })
	r := &rig{t: t, db: db, sql: sql, conn: records.Connection{ID: uuid.NewString(), WorkspaceID: uuid.NewString(), Connector: "crm"}}
	r.exec(`insert into workspaces (id, name) values ($1, 'w')`, r.conn.WorkspaceID)
	r.exec(`insert into connections (id, workspace_id, connector, name) values ($1, $2, 'crm', 'c')`, r.conn.ID, r.conn.WorkspaceID)
	r.status.Store(200)
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		r.seen.Add(1)
		w.WriteHeader(int(r.status.Load()))
	}))
	t.Cleanup(r.server.Close)
	return r
}

func (r *rig) exec(sql string, args ...any) {
	r.t.Helper()
	_, err := r.sql.Exec(r.t.Context(), sql, args...)
	require.NoError(r.t, err)
}

// attempt asks for a turn, sends n requests of class search, and ends.
func (r *rig) attempt(b *Budgets, info connectors.Info, holder string, priority Priority, n int) error {
	p, err := b.Admit(r.t.Context(), info, r.conn, holder, priority)
	if err != nil {
		return err
	}
	for range n {
		if err := r.send(p.With(r.t.Context()), b, info); err != nil {
			return err
		}
	}
	require.NoError(r.t, p.Done(r.t.Context()))
	return nil
}

func (r *rig) send(ctx context.Context, b *Budgets, info connectors.Info) error {
	req, err := http.NewRequestWithContext(connectors.WithRate(ctx, connectors.RateSearch, 1), http.MethodGet, r.server.URL, nil)
	require.NoError(r.t, err)
	resp, err := b.Transport(info, r.conn, http.DefaultTransport).RoundTrip(req)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.Body.Close()
}

func class(err error) connectors.Class {
	var e *connectors.Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Class
}

func wait(err error) time.Duration {
	var e *connectors.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.RetryAfter
}

// Two processes share a budget of which a burst of 10 may be used at once; an hour per request keeps time out of it.
var slow = connectors.Info{ID: "crm", Label: "CRM", Limits: []connectors.RateLimit{{Budget: 40, Per: 30 * time.Hour, Burst: 10}}}

func TestTurnsAreGivenInOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	one, two := &Budgets{Store: r.db}, &Budgets{Store: r.db}
	one.estimates, two.estimates = map[string]map[string]float64{"crm": {"search": 2}}, map[string]map[string]float64{"crm": {"search": 2}}
	for i := range 5 {
		require.NoError(t, r.attempt([]*Budgets{one, two}[i%2], slow, fmt.Sprint(i), Live, 2))
	}
	require.EqualValues(t, 10, r.seen.Load())
	err := r.attempt(one, slow, "late", Live, 2)
	require.Equal(t, connectors.QuotaExhausted, class(err), "hours away")
	require.InDelta(t, 2*time.Hour.Hours(), wait(err).Hours(), 0.1, "%v", err)
	require.EqualValues(t, 10, r.seen.Load(), "nothing is sent before its turn")

	// A minute per request: turns are near enough to be reserved, and each is later than the one before.
	r.exec(`delete from rate_budgets`)
	quick := connectors.Info{ID: "crm", Label: "CRM", Limits: []connectors.RateLimit{{Budget: 40, Per: 30 * time.Minute, Burst: 10}}}
	for i := range 5 {
		require.NoError(t, r.attempt(one, quick, fmt.Sprint(i), Live, 2))
	}
	var turns []time.Duration
	for _, holder := range []string{"a", "b", "c"} {
		err := r.attempt(two, quick, holder, Live, 2)
		require.Equal(t, connectors.RateLimited, class(err))
		turns = append(turns, wait(err))
	}
	require.InDelta(t, 2, turns[0].Minutes(), 0.2)
	require.InDelta(t, 4, turns[1].Minutes(), 0.2)
	require.InDelta(t, 6, turns[2].Minutes(), 0.2)
	require.InDelta(t, 6, wait(r.attempt(one, quick, "c", Live, 2)).Minutes(), 0.2, "who comes too early keeps the turn")
	r.exec(`update rate_turns set at = now() where holder = 'c'`)
	seen := r.seen.Load()
	require.NoError(t, r.attempt(one, quick, "c", Live, 2), "the turn is paid for")
	require.Equal(t, seen+2, r.seen.Load())
	require.InDelta(t, 8, wait(r.attempt(one, quick, "d", Live, 2)).Minutes(), 0.2)
}

func TestUrgentCallsGoFirst(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := &Budgets{Store: r.db, estimates: map[string]map[string]float64{"crm": {"search": 1}}}
	send := func(p Priority) int {
		for n := 0; ; n++ {
			if r.attempt(b, slow, uuid.NewString(), p, 1) != nil {
				return n
			}
		}
	}
	require.Equal(t, 5, send(Backfill), "half of the burst")
	require.Equal(t, 2, send(Update))
	require.Equal(t, 3, send(Live))
}

func TestWhatIsNotUsedIsGivenBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := &Budgets{Store: r.db, estimates: map[string]map[string]float64{"crm": {"search": 10}}}
	require.NoError(t, r.attempt(b, slow, "a", Live, 1))
	b.estimates["crm"]["search"] = 9
	require.NoError(t, r.attempt(b, slow, "b", Live, 12), "more than was prepaid is charged without a wait")
	b.estimates["crm"]["search"] = 1
	require.InDelta(t, 4, wait(r.attempt(b, slow, "c", Live, 1)).Hours(), 0.1, "1 + 12 of 10 are used")
}

// A delivery that waits for a shared request gives back what it has prepaid, once; the request pays for itself.
func TestSharedRequestsPayForThemselves(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := &Budgets{Store: r.db, estimates: map[string]map[string]float64{"crm": {"search": 1}, "crm backfill": {"search": 5}, "crm together": {"search": 1}}}
	waiting, err := b.Admit(t.Context(), slow, r.conn, "a", Backfill)
	require.NoError(t, err)
	require.NotEmpty(t, class(r.attempt(b, slow, "shared", Together, 1)), "backfill's half of the burst is prepaid")
	require.NoError(t, Yield(waiting.With(t.Context())))
	require.NoError(t, r.attempt(b, slow, "shared", Together, 1))
	require.NoError(t, Yield(waiting.With(t.Context())))
	require.NoError(t, waiting.Done(t.Context()))
	for i := range 9 {
		require.NoError(t, r.attempt(b, slow, fmt.Sprint(i), Live, 1), "call %d of the nine that are left", i)
	}
	require.NotEmpty(t, class(r.attempt(b, slow, "late", Live, 1)), "nothing was given back twice")
	require.EqualValues(t, 10, r.seen.Load())
}

func TestDailyQuota(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	info := connectors.Info{ID: "crm", Label: "CRM", Limits: []connectors.RateLimit{{Budget: 1000, Daily: true, Setting: "daily"}}}
	r.conn.Config = map[string]string{"daily": "4", "time_zone": "Asia/Kolkata"}
	at := time.Now()
	b := &Budgets{Store: r.db, Now: func() time.Time { return at }, estimates: map[string]map[string]float64{"crm": {"search": 1}}}
	for i := range 4 {
		require.NoError(t, r.attempt(b, info, fmt.Sprint(i), Live, 1))
	}
	require.NotEmpty(t, class(r.attempt(b, info, "x", Live, 1)))
	at = at.Add(24 * time.Hour)
	require.NoError(t, r.attempt(b, info, "x", Live, 1))
}

func TestA429StopsEverybody(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.status.Store(429)
	require.NoError(t, r.attempt(&Budgets{Store: r.db}, slow, "a", Live, 1))
	r.exec(`update rate_budgets set blocked_until = now() + interval '5 minutes' where blocked_until > now()`)
	err := r.attempt(&Budgets{Store: r.db}, slow, "b", Live, 1)
	require.InDelta(t, 5, wait(err).Minutes(), 0.2)
	require.EqualValues(t, 1, r.seen.Load())
}

func TestADeadCRMIsLeftAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	info := connectors.Info{ID: "crm", Label: "CRM"}
	b := &Budgets{Store: r.db}
	r.status.Store(503)
	for i := range threshold {
		require.NoError(t, r.attempt(b, info, fmt.Sprint(i), Live, 1))
	}
	require.EqualValues(t, threshold, r.seen.Load())
	err := r.attempt(b, info, "x", Live, 1)
	require.Equal(t, connectors.Unavailable, class(err))
	require.GreaterOrEqual(t, wait(err), shortest-time.Second)
	require.EqualValues(t, threshold, r.seen.Load(), "nothing is sent to it")

	over := func() {
		r.exec(`update connection_health set suspended_until = now() - interval '1 second', probe_until = '-infinity'`)
		b.suspended[r.conn.ID] = time.Now()
	}
	over()
	require.NoError(t, r.attempt(b, info, "probe", Live, 1))
	require.EqualValues(t, threshold+1, r.seen.Load())
	require.Greater(t, wait(r.attempt(b, info, "x", Live, 1)), shortest, "still down: left alone for longer")

	r.status.Store(400)
	over()
	require.NoError(t, r.attempt(b, info, "probe", Live, 1))
	require.NoError(t, r.attempt(b, info, "x", Live, 1), "a refusal is an answer: the CRM is back")
	health, err := r.db.ConnectionHealth(t.Context(), r.conn.WorkspaceID)
	require.NoError(t, err)
	require.Empty(t, health)
}

func TestConcurrencyIsCapped(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := &Budgets{Store: r.db}
	info := connectors.Info{ID: "crm", Label: "CRM", Concurrency: 2}
	var passes []*Pass
	require.Eventually(t, func() bool {
		p, err := b.Admit(t.Context(), info, r.conn, uuid.NewString(), Live)
		if err == nil {
			passes = append(passes, p)
		}
		return len(passes) == 2
	}, 5*time.Second, time.Millisecond)
	_, err := b.Admit(t.Context(), info, r.conn, "third", Live)
	require.Equal(t, connectors.RateLimited, class(err))
	require.NoError(t, passes[0].Done(t.Context()))
	_, err = b.Admit(t.Context(), info, r.conn, "third", Live)
	require.NoError(t, err)
}

func TestLearning(t *testing.T) {
	t.Parallel()
	b := &Budgets{}
	b.learn("crm", map[string]int{"": 4, "search": 1})
	for range 200 {
		b.learn("crm", map[string]int{"": 1})
	}
	require.InDelta(t, 1, b.estimates["crm"][""], 0.01)
	require.InDelta(t, 0, b.estimates["crm"]["search"], 0.01)
}
