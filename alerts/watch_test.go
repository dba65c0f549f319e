package alerts_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/alerts"
	"github.com/callsync/callsync/internal/httpx"
	"github.com/callsync/callsync/internal/pgtest"
	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/postgres"
	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/callrail"
)

func TestMain(m *testing.M) { pgtest.Main(m, postgres.Migrate) }

// rig is a database with a workspace, a source and a connection, a channel that ends in a receiver, and a second database
// handle for what stands for another process.
type rig struct {
	t                      *testing.T
	db, other              *postgres.DB
	sql                    *pgxpool.Pool
	ws, source, connection string
	channel                records.AlertChannel
	hook                   *httptest.Server

	mu     sync.Mutex
	got    []string // webhook-ids, in the order of arrival
	answer int
}

func id() string { return uuid.Must(uuid.NewV7()).String() }

func newRig(t *testing.T) *rig {
	t.Helper()
	url := pgtest.New(t)
	r := &rig{t: t, ws: id(), source: id(), connection: id(), answer: 204}
	keys, err := secretbox.Parse(secretbox.Generate("k"))
	require.NoError(t, err)
	for _, db := range []**postgres.DB{&r.db, &r.other} {
		*db, err = postgres.Open(t.Context(), url, keys, postgres.Options{MaxConns: 4})
		require.NoError(t, err)
		t.Cleanup((*db).Close)
	}
	r.sql, err = pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(r.sql.Close)
	ctx := t.Context()
	require.NoError(t, r.db.CreateWorkspace(ctx, records.Workspace{ID: r.ws, Name: "Acme"}))
	require.NoError(t, r.db.CreateSource(ctx, records.Source{ID: r.source, WorkspaceID: r.ws, Provider: "callrail", Name: "Main line", TimeZone: "UTC", Window: time.Minute, Quiet: time.Second,
		Stale: time.Hour, Policy: "complete", Token: secretbox.NewToken(), Recordings: records.SourceRecordings{Policy: records.RecordingsLink}}))
	require.NoError(t, r.db.CreateConnection(ctx, records.Connection{ID: r.connection, WorkspaceID: r.ws, Connector: "hubspot", Name: "HubSpot"}))
	r.hook = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, req.Header.Get("webhook-id"))
		w.WriteHeader(r.answer)
	}))
	t.Cleanup(r.hook.Close)
	r.channel = records.AlertChannel{ID: id(), WorkspaceID: r.ws, Kind: records.ChannelWebhook, Name: "Ops", MinSeverity: records.SeverityWarning, Enabled: true,
		Config: map[string]string{"url": r.hook.URL}, Secrets: map[string]string{"signing_secret": "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}
	require.NoError(t, r.db.CreateAlertChannel(ctx, r.channel, 20))
	return r
}

func (r *rig) exec(sql string, args ...any) {
	r.t.Helper()
	_, err := r.sql.Exec(r.t.Context(), sql, args...)
	require.NoError(r.t, err)
}

func (r *rig) received() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.got...)
}

func (r *rig) watch(db *postgres.DB) *alerts.Watch {
	return &alerts.Watch{Store: db, Providers: telephony.NewRegistry(callrail.New()), Metrics: alerts.NewMetrics(nil), Log: slog.New(slog.DiscardHandler)}
}

func (r *rig) sender(db *postgres.DB) *alerts.Sender {
	return &alerts.Sender{Store: db, Transport: httpx.NewTransport(httpx.TransportOptions{AllowPrivate: true}), SlackHosts: []string{"hooks.slack.com"}, Plain: true,
		PublicURL: "https://callsync.example.com", Metrics: alerts.NewMetrics(nil), Log: slog.New(slog.DiscardHandler)}
}

// later makes the next look due, and lets what is there have been there for some time.
func (r *rig) later(d time.Duration) {
	r.exec(`update alert_watch set due_at = '-infinity'`)
	r.exec(`update alerts set created_at = created_at - $1::interval, opened_at = opened_at - $1::interval, clear_since = clear_since - $1::interval, told_at = told_at - $1::interval, reminded_at = reminded_at - $1::interval`, d)
}

func (r *rig) look(ws ...*alerts.Watch) {
	r.t.Helper()
	var wg sync.WaitGroup
	for _, w := range ws {
		wg.Go(func() { require.NoError(r.t, w.Look(r.t.Context())) })
	}
	wg.Wait()
}

func (r *rig) list(state string) []records.Alert {
	r.t.Helper()
	all, err := r.db.AlertsPage(r.t.Context(), r.ws, records.AlertFilter{State: state, Limit: 100})
	require.NoError(r.t, err)
	return all
}

// One connection is revoked and connected again, while two processes watch and send.
func TestWatchTellsOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	one, two := r.watch(r.db), r.watch(r.other)
	r.look(one, two)
	require.Empty(t, r.list(""))
	r.exec(`update connections set status = 'revoked', status_reason = 'HubSpot says no.' where id = $1`, r.connection)
	for range 4 {
		r.later(3 * time.Minute)
		r.look(one, two)
		// Both step at the same moment, as when a look takes longer than a minute.
		r.later(0)
		go func() { _ = one.Look(context.WithoutCancel(t.Context())) }()
		r.look(two)
	}
	open := r.list(records.AlertOpen)
	require.Len(t, open, 1)
	require.Equal(t, records.AlertRevoked, open[0].Kind)
	require.Contains(t, open[0].Reason, "HubSpot says no.")

	var wg sync.WaitGroup
	for _, db := range []*postgres.DB{r.db, r.other, r.db, r.other} {
		wg.Go(func() {
			_, err := r.sender(db).SendDue(t.Context())
			require.NoError(t, err)
		})
	}
	wg.Wait()
	require.Len(t, r.received(), 1)
	channels, err := r.db.AlertChannels(t.Context(), r.ws)
	require.NoError(t, err)
	require.False(t, channels[0].SentAt.IsZero())
	require.Nil(t, channels[0].Secrets)

	r.exec(`update connections set status = 'active' where id = $1`, r.connection)
	r.later(0)
	r.look(one, two)
	require.Len(t, r.list(records.AlertOpen), 1, "it must look right for some minutes")
	r.later(15 * time.Minute)
	r.look(one, two)
	require.Empty(t, r.list(records.AlertOpen))
	_, err = r.sender(r.db).SendDue(t.Context())
	require.NoError(t, err)
	require.Len(t, r.received(), 2)
	sent, err := r.db.AlertMessages(t.Context(), r.ws, 10)
	require.NoError(t, err)
	require.Equal(t, []string{"resolved", "opened"}, []string{sent[0].Said.Event, sent[1].Said.Event})
	require.Equal(t, "Acme", sent[0].Said.Workspace)
}

// Nobody is told of what is made up.
func TestDemoDataIsNoTrouble(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w := r.watch(r.db)
	for _, demo := range []bool{false, true} {
		if demo {
			r.exec(`update connections set connector = 'demo', status = 'revoked' where id = $1`, r.connection)
			r.exec(`update sources set provider = 'demo' where id = $1`, r.source)
		} else {
			r.exec(`update connections set status = 'revoked' where id = $1`, r.connection)
		}
		for range 10 {
			rec := records.Receipt{ID: id(), WorkspaceID: r.ws, SourceID: r.source, ReceivedAt: time.Now(), Method: "POST", Headers: []byte("{}"), Query: []byte{}, Body: []byte("{}"), Signature: "ok"}
			rec.Result.State = records.ReceiptQuarantined
			require.NoError(t, r.db.InsertReceipts(t.Context(), []records.Receipt{rec}))
		}
		for range 2 {
			r.later(3 * time.Minute)
			r.look(w)
		}
		want := 2
		if demo {
			want = 0
		}
		require.Len(t, r.list(records.AlertOpen), want)
	}
}

// An address that a mail server refuses is shown at the channel; the message was sent, and is not sent again.
func TestSentInPart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w := r.watch(r.db)
	r.exec(`update connections set status = 'revoked' where id = $1`, r.connection)
	r.look(w)
	r.later(3 * time.Minute)
	r.look(w)
	due, err := r.db.ClaimMessages(t.Context(), 8, time.Minute)
	require.NoError(t, err)
	require.Len(t, due, 1)
	require.NoError(t, r.db.MessageSent(t.Context(), r.ws, due[0].ID, records.SendResult{Failure: "The mail server refused ben@example.com (550). The others got the message.", Partly: true}))
	sent, err := r.db.AlertMessages(t.Context(), r.ws, 10)
	require.NoError(t, err)
	require.Equal(t, records.MessageSent, sent[0].State)
	require.Contains(t, sent[0].Failure, "ben@example.com")
	channels, err := r.db.AlertChannels(t.Context(), r.ws)
	require.NoError(t, err)
	require.Contains(t, channels[0].Failure, "ben@example.com")
	require.Equal(t, channels[0].SentAt, channels[0].FailedAt)
	due, err = r.db.ClaimMessages(t.Context(), 8, time.Minute)
	require.NoError(t, err)
	require.Empty(t, due)
}

// A process that dies after it has sent and before it has recorded that: the message comes again, under the same id, when
// the lease has ended.
func TestKilledBetweenSendAndRecord(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.exec(`update connections set status = 'revoked' where id = $1`, r.connection)
	w := r.watch(r.db)
	r.look(w)
	r.later(3 * time.Minute)
	r.look(w)
	dying := r.sender(r.db)
	dying.Store = unrecorded{r.db}
	_, err := dying.SendDue(t.Context())
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, r.received(), 1)
	n, err := r.sender(r.other).SendDue(t.Context())
	require.NoError(t, err)
	require.Zero(t, n, "somebody may still be at it")
	r.exec(`update alert_messages set lease_until = now()`)
	_, err = r.sender(r.other).SendDue(t.Context())
	require.NoError(t, err)
	got := r.received()
	require.Len(t, got, 2)
	require.Equal(t, got[0], got[1])
	_, err = r.sender(r.other).SendDue(t.Context())
	require.NoError(t, err)
	require.Len(t, r.received(), 2)
}

type unrecorded struct{ *postgres.DB }

func (unrecorded) MessageSent(context.Context, string, string, records.SendResult) error {
	return context.Canceled
}

// A channel that fails is tried again in order, shown, and given up after a day; the others do not wait for it.
func TestFailingChannel(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	healthy := r.channel
	healthy.ID, healthy.Name = id(), "Healthy"
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) }))
	t.Cleanup(other.Close)
	healthy.Config = map[string]string{"url": other.URL}
	require.NoError(t, r.db.CreateAlertChannel(t.Context(), healthy, 20))
	r.answer = 500
	r.exec(`update connections set status = 'revoked' where id = $1`, r.connection)
	w, s := r.watch(r.db), r.sender(r.db)
	r.look(w)
	r.later(3 * time.Minute)
	r.look(w)
	send := func() {
		r.exec(`update alert_messages set due_at = now()`)
		_, err := s.SendDue(t.Context())
		require.NoError(t, err)
	}
	send()
	channels, err := r.db.AlertChannels(t.Context(), r.ws)
	require.NoError(t, err)
	require.Equal(t, "The receiver of the webhook did not take the message (500).", channels[0].Failure)
	require.Empty(t, channels[1].Failure)

	// It is over meanwhile: that waits for the first message.
	r.exec(`update connections set status = 'active' where id = $1`, r.connection)
	r.later(0)
	r.look(w)
	r.later(15 * time.Minute)
	r.look(w)
	send()
	require.Len(t, r.received(), 2, "the first one twice, the second not yet")
	r.answer = 200
	send()
	send()
	require.Len(t, r.received(), 4)
	channels, err = r.db.AlertChannels(t.Context(), r.ws)
	require.NoError(t, err)
	require.Empty(t, channels[0].Failure)
	require.False(t, channels[0].SentAt.IsZero())

	r.exec(`update alert_messages set state = 'queued', created_at = now() - interval '25 hours', failure = 'No.' where channel_id = $1`, r.channel.ID)
	send()
	require.Len(t, r.received(), 4)
	sent, err := r.db.AlertMessages(t.Context(), r.ws, 10)
	require.NoError(t, err)
	for _, m := range sent {
		if m.ChannelID == r.channel.ID {
			require.Equal(t, records.MessageFailed, m.State)
			require.Equal(t, "No. It was given up after a day.", m.Failure)
		}
	}
}

// What channels want, and mutes, decide who is told.
func TestWhoIsTold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	add := func(name string, change func(*records.AlertChannel)) {
		c := r.channel
		c.ID, c.Name = id(), name
		change(&c)
		require.NoError(t, r.db.CreateAlertChannel(ctx, c, 20))
	}
	add("other kinds", func(c *records.AlertChannel) { c.Kinds = []records.AlertKind{records.AlertSilent} })
	add("this kind", func(c *records.AlertChannel) { c.Kinds = []records.AlertKind{records.AlertHeldLong} })
	add("critical only", func(c *records.AlertChannel) { c.MinSeverity = records.SeverityCritical })
	add("off", func(c *records.AlertChannel) { c.Enabled = false })
	r.exec(`insert into deliveries (id, workspace_id, connection_id, object, key, record_id, state, updated_at) values ($1, $2, $3, 'call', 'k', $1, 'parked', now() - interval '2 days')`, id(), r.ws, r.connection)
	w := r.watch(r.db)
	r.look(w)
	r.later(3 * time.Minute)
	r.look(w)
	told := func() []string {
		all, err := r.db.AlertMessages(ctx, r.ws, 100)
		require.NoError(t, err)
		var names []string
		for _, m := range all {
			names = append(names, m.ChannelName+" "+m.Said.Event)
		}
		return names
	}
	require.ElementsMatch(t, []string{"Ops opened", "this kind opened"}, told())

	a := r.list(records.AlertOpen)[0]
	muted, err := r.db.MuteAlert(ctx, r.ws, a.ID, time.Now().Add(time.Hour), "Anna")
	require.NoError(t, err)
	require.Equal(t, "Anna", muted.MutedBy)
	r.exec(`update alert_messages set state = 'sent'`)
	r.later(25 * time.Hour)
	r.look(w)
	require.Len(t, told(), 2)
	muted, err = r.db.MuteAlert(ctx, r.ws, a.ID, time.Time{}, "Anna")
	require.NoError(t, err)
	require.True(t, muted.MutedUntil.IsZero())
	r.later(time.Minute)
	r.look(w)
	require.Contains(t, told(), "Ops reminded")
	_, err = r.db.MuteAlert(ctx, id(), a.ID, time.Now().Add(time.Hour), "Eve")
	require.ErrorIs(t, err, records.ErrNotFound)
	require.True(t, r.list(records.AlertOpen)[0].MutedUntil.IsZero())

	// Another workspace is told nothing.
	other, err := r.db.AlertsPage(ctx, id(), records.AlertFilter{Limit: 10})
	require.NoError(t, err)
	require.Empty(t, other)
}

// A source that sent something every few minutes for weeks, and then nothing more; what callsync asks for and sends itself
// is no sign of life.
func TestSilentSource(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	last := time.Now().UTC().Add(-3 * time.Hour)
	var batch []records.Receipt
	add := func(at time.Time, method, headers string) {
		u := uuid.Must(uuid.NewV7())
		for i := range 6 {
			u[i] = byte(at.UnixMilli() >> (8 * (5 - i)))
		}
		rec := records.Receipt{ID: u.String(), WorkspaceID: r.ws, SourceID: r.source, ReceivedAt: at, Method: method, Headers: []byte(headers), Query: []byte{}, Body: []byte("{}"), Signature: "ok"}
		rec.Result.State = records.ReceiptIgnored
		batch = append(batch, rec)
	}
	for at := last; at.After(last.AddDate(0, 0, -21)); at = at.Add(-7 * time.Minute) {
		add(at, "POST", "{}")
	}
	add(last.Add(time.Hour), telephony.MethodPull, "{}")
	add(last.Add(2*time.Hour), "POST", `{"Callsync-Test":["x"]}`)
	require.NoError(t, r.db.InsertReceipts(ctx, batch))
	r.exec(`update alert_watch set looked_at = now(), watched_from = now() - interval '30 days'`)
	w := r.watch(r.db)
	r.look(w)
	r.later(3 * time.Minute)
	r.look(w)
	open := r.list(records.AlertOpen)
	require.Len(t, open, 1)
	require.Equal(t, records.AlertSilent, open[0].Kind)
	require.WithinDuration(t, last, open[0].Since, time.Second)
	require.Regexp(t, "every [78] minutes", open[0].Reason)

	hours, err := r.db.BusyHours(ctx, r.ws, r.source, last.AddDate(0, 0, -30))
	require.NoError(t, err)
	require.InDelta(t, 21*24, len(hours), 3)
	full := hours[len(hours)/2]
	require.Contains(t, []int64{8, 9}, full.Received)
	require.Equal(t, 7*time.Minute, full.Gap)
	require.Equal(t, full.LastAt.Sub(full.FirstAt), 7*time.Minute*time.Duration(full.Received-1))

	// It speaks again. A restart of the watch after a break forgets the silence as well: nobody was there to listen.
	batch = nil
	add(time.Now().UTC(), "POST", "{}")
	require.NoError(t, r.db.InsertReceipts(ctx, batch))
	r.later(0)
	r.look(w)
	r.later(15 * time.Minute)
	r.look(w)
	require.Empty(t, r.list(records.AlertOpen))
	require.Equal(t, "Requests arrive again.", r.list(records.AlertResolved)[0].Reason)
}

// Requests that fail are counted by the hour, the day and among the newest.
func TestTroubles(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	at := time.Now().UTC().Add(-2 * time.Hour)
	for i := range 6 {
		u := uuid.Must(uuid.NewV7())
		if i < 4 {
			for b := range 6 {
				u[b] = byte(at.UnixMilli() >> (8 * (5 - b)))
			}
		}
		rec := records.Receipt{ID: u.String(), WorkspaceID: r.ws, SourceID: r.source, ReceivedAt: at, Method: "POST", Headers: []byte("{}"), Query: []byte{}, Body: []byte("{}"), Signature: "ok"}
		rec.Result.State = []string{records.ReceiptQuarantined, records.ReceiptRejected, records.ReceiptQuarantined}[i%3]
		require.NoError(t, r.db.InsertReceipts(t.Context(), []records.Receipt{rec}))
	}
	got, err := r.db.SourceTroubles(t.Context(), r.ws, time.Now())
	require.NoError(t, err)
	s := got[r.source]
	require.WithinDuration(t, at, s.NotUnderstoodSince, time.Second)
	require.WithinDuration(t, time.Now(), s.RefusedSince, 2*time.Hour+time.Minute)
	s.NotUnderstoodSince, s.RefusedSince = time.Time{}, time.Time{}
	require.Equal(t, records.SourceTrouble{NotUnderstood: 1, Refused: 1, NotUnderstoodDay: 4, RefusedDay: 2, Looked: 6, NewestNotUnderstood: 4, NewestRefused: 2}, s)
	none, err := r.db.SourceTroubles(t.Context(), id(), time.Now())
	require.NoError(t, err)
	require.Empty(t, none)
}
