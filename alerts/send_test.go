package alerts

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/internal/httpx"
	"github.com/callsync/callsync/internal/mailer"
	"github.com/callsync/callsync/internal/mailer/smtptest"
	"github.com/callsync/callsync/records"
)

// receiver is a web server that takes notes and answers as it is told.
type receiver struct {
	*httptest.Server
	requests []*http.Request
	bodies   []string
}

func newReceiver(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) *receiver {
	t.Helper()
	var rec receiver
	rec.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		rec.requests, rec.bodies = append(rec.requests, r), append(rec.bodies, string(body))
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(rec.Close)
	return &rec
}

func newSender(hosts ...string) *Sender {
	return &Sender{SlackHosts: append(hosts, "hooks.slack.com"), Plain: true, PublicURL: "https://callsync.example.com", Metrics: NewMetrics(nil), Log: slog.New(slog.DiscardHandler),
		Transport: httpx.NewTransport(httpx.TransportOptions{AllowPrivate: true})}
}

const secret = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

func hostile() records.AlertMessage {
	name := `<script>&"x|y` + "\r\nBcc: eve@example.com <!channel>"
	return records.AlertMessage{Event: records.AlertEventOpened, AlertID: "a1", Kind: records.AlertSilent, Severity: records.SeverityCritical, Object: "source", ObjectID: "s1",
		ObjectName: name, Workspace: name, Title: name + " has gone silent", Reason: "Nothing <b>has</b> arrived & so on.", Since: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC),
		Zone: "Asia/Kolkata", Path: "/sources/s1"}
}

func TestSlack(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, nil)
	s := newSender(r.Listener.Addr().String())
	c := records.AlertChannel{Kind: records.ChannelSlack, Secrets: map[string]string{"url": r.URL + "/services/T/B/hunter2"}}
	require.Nil(t, s.Send(t.Context(), c, "m1", hostile()))
	var got struct{ Text string }
	require.NoError(t, json.Unmarshal([]byte(r.bodies[0]), &got))
	require.Equal(t, "*Critical:* *<https://callsync.example.com/sources/s1|&lt;script&gt;&amp;\"x/y  Bcc: eve@example.com &lt;!channel&gt; has gone silent>*\n"+
		"Nothing &lt;b&gt;has&lt;/b&gt; arrived &amp; so on.\nSince Mon 23 Nov 2026, 14:30 IST · Workspace: &lt;script&gt;&amp;\"x|y  Bcc: eve@example.com &lt;!channel&gt;", got.Text)

	for _, bad := range []string{"", "https://hooks.slack.com", "https://hooks.slack.com/", "https://hooks.slack.com.evil.com/x", "https://evil.com/hooks.slack.com/x",
		"https://u@hooks.slack.com/x", "ftp://hooks.slack.com/x", "https://hooks.slack.com:444@evil.com/x"} {
		require.Error(t, CheckSlackURL(bad, []string{"hooks.slack.com"}, true), bad)
	}
	require.NoError(t, CheckSlackURL("https://hooks.slack.com/services/T/B/x", []string{"hooks.slack.com"}, false))
	require.Error(t, CheckSlackURL("http://hooks.slack.com/services/T/B/x", []string{"hooks.slack.com"}, false))
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	status := 200
	after := ""
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", after)
		w.Header().Set("Location", "http://127.0.0.1:1/")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "hunter2")
	})
	s := newSender(r.Listener.Addr().String())
	slack := records.AlertChannel{Kind: records.ChannelSlack, Secrets: map[string]string{"url": r.URL + "/x"}}
	hook := records.AlertChannel{Kind: records.ChannelWebhook, Config: map[string]string{"url": r.URL}, Secrets: map[string]string{"signing_secret": secret}}
	for _, c := range []struct {
		status               int
		after                string
		slackFinal, hookFail bool
		ok                   bool
	}{{200, "", false, false, true}, {204, "", false, false, true}, {307, "", false, false, false}, {400, "", true, false, false}, {401, "", false, false, false}, {403, "", true, false, false},
		{404, "", true, false, false}, {410, "", true, true, false}, {429, "90", false, false, false}, {500, "", false, false, false}, {503, "7", false, false, false}} {
		status, after = c.status, c.after
		f := s.Send(t.Context(), slack, "m", hostile())
		require.Equal(t, c.ok, f == nil, "%d", c.status)
		if f != nil {
			require.Equal(t, c.slackFinal, f.Final, "%d", c.status)
			require.NotContains(t, f.Public, "hunter2")
			require.NotContains(t, f.Public, "127.0.0.1")
		}
		f = s.Send(t.Context(), hook, "m", hostile())
		require.Equal(t, c.ok, f == nil, "%d", c.status)
		if f != nil {
			require.Equal(t, c.hookFail, f.Final, "%d", c.status)
			if c.status == 503 {
				require.Equal(t, 7*time.Second, f.RetryAfter)
			}
		}
	}
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, nil)
	s := newSender()
	c := records.AlertChannel{Kind: records.ChannelWebhook, Config: map[string]string{"url": r.URL + "/alerts"}, Secrets: map[string]string{"signing_secret": secret}}
	require.Nil(t, s.Send(t.Context(), c, "m1", hostile()))
	require.Nil(t, s.Send(t.Context(), c, "m1", hostile()))
	keys, err := httpx.ParseSigningKeys(secret)
	require.NoError(t, err)
	for i, req := range r.requests {
		require.Equal(t, "msg_m1", req.Header.Get("webhook-id"), "the same in every repetition")
		var event struct {
			Type      string
			Timestamp time.Time
			Data      map[string]any
		}
		require.NoError(t, json.Unmarshal([]byte(r.bodies[i]), &event))
		require.Equal(t, httpx.SignWebhook(keys, "msg_m1", event.Timestamp, []byte(r.bodies[i])), req.Header.Get("webhook-signature"))
		require.Equal(t, "alert.opened", event.Type)
		require.Equal(t, "https://callsync.example.com/sources/s1", event.Data["link"])
		require.Equal(t, "source_silent", event.Data["kind"])
		require.Equal(t, "2026-11-23T09:00:00Z", event.Data["since"])
	}
	c.Secrets = nil
	require.True(t, s.Send(t.Context(), c, "m1", hostile()).Final)
	c.Secrets = map[string]string{"signing_secret": secret}

	// A receiver that hangs, one that breaks off, none, and one inside the network.
	hang := make(chan struct{})
	r = newReceiver(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(hang) })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	c.Config = map[string]string{"url": r.URL}
	require.Equal(t, &Failure{Public: "The receiver of the webhook did not answer in time."}, s.Send(ctx, c, "m", hostile()))
	r = newReceiver(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	c.Config = map[string]string{"url": r.URL}
	require.Contains(t, s.Send(t.Context(), c, "m", hostile()).Public, "may arrive twice")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l.Close()
	c.Config = map[string]string{"url": "http://" + l.Addr().String()}
	require.Equal(t, &Failure{Public: "The receiver of the webhook could not be reached."}, s.Send(t.Context(), c, "m", hostile()))
	s.Transport = httpx.NewTransport(httpx.TransportOptions{})
	f := s.Send(t.Context(), c, "m", hostile())
	require.True(t, f.Final)
	require.Contains(t, f.Public, "private network")
}

func TestEmail(t *testing.T) {
	t.Parallel()
	server := smtptest.New(t, smtptest.Options{})
	s := newSender()
	c := records.AlertChannel{Kind: records.ChannelEmail, Config: map[string]string{"to": "anna@example.com, ben@example.com"}}
	f := s.Send(t.Context(), c, "m1", hostile())
	require.True(t, f.Final)
	require.Contains(t, f.Public, "CALLSYNC_SMTP_URL")
	mail, err := mailer.Parse("smtp://"+server.Addr, "alerts@example.org")
	require.NoError(t, err)
	mail.TLS = &tls.Config{RootCAs: server.Roots} //nolint:gosec // only the authorities are taken from it
	s.Mail = mail
	require.Nil(t, s.Send(t.Context(), c, "m1", hostile()))
	require.Empty(t, server.Complaints())
	got := server.Mails()[0]
	require.Equal(t, []string{"anna@example.com", "ben@example.com"}, got.To)
	head, body, _ := strings.Cut(got.Data, "\r\n\r\n")
	require.NotContains(t, head, "\nBcc:")
	body = strings.ReplaceAll(body, "=\r\n", "")
	require.Contains(t, body, "&lt;script&gt;")
	require.Contains(t, body, "Nothing <b>has</b> arrived", "plain text is as it is")
	require.Contains(t, body, "Nothing &lt;b&gt;has&lt;/b&gt; arrived", "HTML is escaped")
	require.Contains(t, body, "https://callsync.example.com/sources/s1")
	require.Equal(t, records.SendResult{Failure: "Ben’s was refused.", Partly: true}, s.result(&Failure{Public: "Ben’s was refused.", Final: true, Partly: true}, records.QueuedMessage{}))
	require.Empty(t, s.TestChannel(t.Context(), c))
	require.Contains(t, server.Mails()[1].Data, "This is a test of callsync")
}

// Failures are tried again after longer and longer pauses, and given up at last.
func TestBackOff(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	s := newSender()
	s.Now = func() time.Time { return at }
	m := records.QueuedMessage{Attempts: 1, Expires: at.Add(24 * time.Hour)}
	require.Equal(t, records.SendResult{}, s.result(nil, m))
	last := time.Duration(0)
	for m.Attempts = 1; m.Attempts < 12; m.Attempts++ {
		wait := s.result(&Failure{Public: "No."}, m).RetryAt.Sub(at)
		require.GreaterOrEqual(t, wait, pauses[min(m.Attempts, len(pauses))-1])
		require.LessOrEqual(t, wait, 72*time.Minute)
		require.Greater(t, wait*2, last)
		last = wait
	}
	require.GreaterOrEqual(t, s.result(&Failure{Public: "No.", RetryAfter: 40 * time.Minute}, records.QueuedMessage{Attempts: 1, Expires: m.Expires}).RetryAt.Sub(at), 40*time.Minute)
	require.LessOrEqual(t, s.result(&Failure{Public: "No.", RetryAfter: 25 * time.Hour}, records.QueuedMessage{Attempts: 1, Expires: m.Expires}).RetryAt.Sub(at), 72*time.Minute)
	m.Expires = at.Add(time.Minute)
	r := s.result(&Failure{Public: "No."}, m)
	require.True(t, r.Final)
	require.Equal(t, "No. It was given up after a day.", r.Failure)
}
