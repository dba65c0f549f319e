package alerts

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/callsync/callsync/internal/httpx"
	"github.com/callsync/callsync/internal/mailer"
	"github.com/callsync/callsync/records"
)

// Outbox is what the sender needs of the store.
type Outbox interface {
	// ClaimMessages returns messages that are due, each to one process until its lease ends, and of one alert on one channel
	// only the oldest.
	ClaimMessages(ctx context.Context, limit int, lease time.Duration) ([]records.QueuedMessage, error)
	// MessageSent records what became of an attempt, in the message and in its channel.
	MessageSent(ctx context.Context, workspaceID, id string, r records.SendResult) error
}

// Sender brings messages to their channels. Any number of processes may run one: a message is sent once, unless a process
// dies, or a connection breaks, between sending it and recording that.
type Sender struct {
	Store Outbox
	// Mail is the operator's mail server; nil where there is none.
	Mail *mailer.Server
	// Transport reaches Slack and webhooks; it guards against private addresses.
	Transport http.RoundTripper
	// SlackHosts are the hosts of incoming webhooks of Slack.
	SlackHosts []string
	// Plain allows http for them, too.
	Plain bool
	// PublicURL is where people reach callsync.
	PublicURL string
	Metrics   *Metrics
	Log       *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

const (
	sendEvery   = 5 * time.Second
	sendAtOnce  = 8
	sendTimeout = 20 * time.Second
	// sendLease is how long after a process has died its messages are sent by another one.
	sendLease = 2 * time.Minute
)

// pauses are how long is waited after each failure; the last one counts for all that follow.
var pauses = []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute, time.Hour}

// Run sends until ctx ends.
func (s *Sender) Run(ctx context.Context) {
	for {
		n, err := s.SendDue(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.Warn("messages of alerts could not be sent", "error", err)
		}
		if n == sendAtOnce && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(sendEvery):
		}
	}
}

// SendDue sends some of the messages that are due, side by side, and returns how many it tried.
func (s *Sender) SendDue(ctx context.Context) (int, error) {
	due, err := s.Store.ClaimMessages(ctx, sendAtOnce, sendLease)
	if err != nil {
		return 0, err
	}
	errs := make([]error, len(due))
	var wg sync.WaitGroup
	for i, m := range due {
		wg.Go(func() {
			r := s.result(s.Send(ctx, m.Channel, m.ID, m.Said), m)
			if ctx.Err() != nil && r.Failure != "" && !r.Partly {
				return // It was not the channel that failed; the lease ends by itself.
			}
			s.Metrics.attempt(m.Channel.Kind, r)
			// What was sent is recorded even when the process is being stopped.
			record, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			errs[i] = s.Store.MessageSent(record, m.Channel.WorkspaceID, m.ID, r)
			switch {
			case r.Partly:
				// The sentence names addresses.
				s.Log.Warn("a message of an alert was not sent to all addresses of its channel", "channel", m.Channel.ID, "kind", m.Channel.Kind)
			case r.Failure != "":
				s.Log.Warn("a message of an alert was not sent", "channel", m.Channel.ID, "kind", m.Channel.Kind, "attempts", m.Attempts, "final", r.Final, "why", r.Failure)
			}
		})
	}
	wg.Wait()
	return len(due), errors.Join(errs...)
}

func (s *Sender) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func (s *Sender) result(f *Failure, m records.QueuedMessage) records.SendResult {
	if f == nil {
		return records.SendResult{}
	}
	if f.Partly {
		return records.SendResult{Failure: f.Public, Partly: true}
	}
	wait := pauses[min(max(m.Attempts-1, 0), len(pauses)-1)]
	wait = max(wait, min(f.RetryAfter, time.Hour))
	wait += time.Duration(rand.Int64N(int64(wait / 5)))
	r := records.SendResult{Failure: f.Public, Final: f.Final, RetryAt: s.now().Add(wait)}
	if r.RetryAt.After(m.Expires) {
		r.Final, r.Failure = true, f.Public+" It was given up after a day."
	}
	return r
}

// Failure is why a message was not sent.
type Failure struct {
	// Public is a sentence for people.
	Public string
	// Final tells that trying again is of no use; else it is not tried before RetryAfter. Partly tells that some of those
	// whom the channel reaches have it.
	Final      bool
	Partly     bool
	RetryAfter time.Duration
}

// Send sends what is said on a channel. id is the message's: it is the same in every repetition.
func (s *Sender) Send(ctx context.Context, c records.AlertChannel, id string, m records.AlertMessage) *Failure {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	switch c.Kind {
	case records.ChannelEmail:
		return s.email(ctx, c, id, m)
	case records.ChannelSlack:
		return s.slack(ctx, c, m)
	case records.ChannelWebhook:
		return s.webhook(ctx, c, id, m)
	}
	return &Failure{Final: true, Public: "This callsync does not know this kind of channel."}
}

// TestChannel sends a test and returns why it failed, as a sentence; empty where it did not.
func (s *Sender) TestChannel(ctx context.Context, c records.AlertChannel) string {
	m := records.AlertMessage{Event: records.AlertEventTest, Severity: records.SeverityWarning, Title: "This is a test of callsync",
		Reason: "Alerts of your sources and connections come here. There is nothing to do.", Path: "/settings/alerts", At: s.now()}
	if f := s.Send(ctx, c, uuid.Must(uuid.NewV7()).String(), m); f != nil {
		return f.Public
	}
	return ""
}

// CheckSlack tells whether an address is an incoming webhook of Slack. Its error is the end of a sentence.
func (s *Sender) CheckSlack(address string) error {
	return CheckSlackURL(address, s.SlackHosts, s.Plain)
}

// HasMail tells whether there is a mail server.
func (s *Sender) HasMail() bool { return s.Mail != nil }

// link is where a message leads.
func (s *Sender) link(m records.AlertMessage) string { return s.PublicURL + m.Path }

// since writes a moment in the zone of what the message is about.
func since(m records.AlertMessage) string {
	if m.Since.IsZero() {
		return ""
	}
	zone, err := time.LoadLocation(m.Zone)
	if err != nil {
		zone = time.UTC
	}
	return m.Since.In(zone).Format("Mon 2 Jan 2006, 15:04 MST")
}

// noAnswer is the failure of a request without an answer. What failed is named by its kind alone.
func noAnswer(err error, what string) *Failure {
	e := httpx.Wrap(err)
	switch {
	case errors.Is(e, httpx.ErrPrivateAddress):
		return &Failure{Final: true, Public: "The address leads into a private network, which this callsync does not allow."}
	case e.Timeout:
		return &Failure{Public: what + " did not answer in time."}
	case !e.Sent:
		return &Failure{Public: what + " could not be reached."}
	}
	return &Failure{Public: "The connection to " + lowerFirst(what) + " broke off. callsync tries again; the message may arrive twice."}
}

func lowerFirst(s string) string {
	if len(s) > 4 && s[:4] == "The " {
		return "the " + s[4:]
	}
	return s
}
