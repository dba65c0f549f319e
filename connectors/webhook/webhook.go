// Package webhook sends calls to any address of the customer's, as canonical JSON signed by the Standard Webhooks
// specification (https://www.standardwebhooks.com). The receiver keys on data.id; webhook-id is the same in every
// repetition of the same revision, so that it can drop what it has.
package webhook

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/internal/httpx"
)

// ID is the connector's id, and Label its name for people.
const (
	ID    = "webhook"
	Label = "Webhook"
)

// The types of events that are sent.
const (
	TypeCall = "call.upserted"
	TypePing = "callsync.ping"
)

const (
	requestTimeout = 15 * time.Second
	// receiver is what sentences call the other side.
	receiver = "The receiver of the webhook"
)

// overrides: no receiver says by 404 that a record was deleted; its address is wrong. 410 is the specification's way to
// say: send no more.
var overrides = map[int]connectors.Class{http.StatusNotFound: connectors.Invalid, http.StatusGone: connectors.Revoked}

type connector struct{}

// New makes the connector.
func New() connectors.Connector { return connector{} }

var _ connectors.Prototyper = connector{}

// Prototype implements connectors.Prototyper.
func (connector) Prototype() connectors.Session { return (*session)(nil) }

// Info implements connectors.Connector.
func (connector) Info() connectors.Info {
	return connectors.Info{
		ID: ID, Label: Label,
		Fields: []connectors.Field{
			{Name: "base_url", Label: "Address", Required: true, Help: "Where callsync posts the calls. Use https."},
			{Name: "signing_secret", Label: "Signing secret", Secret: true, Required: true,
				Help: "whsec_ and 24 to 64 random bytes in base64, the same as at the receiver. Two secrets with a space between them sign twice, for the days in which you replace one."},
		},
		Idempotency:    connectors.KeyedUpsert,
		RequestTimeout: requestTimeout,
		Setup: "Make a secret, for example with: echo whsec_$(openssl rand -base64 32). Put it into your receiver and here, with the receiver's address, " +
			"and test the connection: callsync sends a signed event of type callsync.ping, and any 2xx answer is good. " +
			"Calls follow as call.upserted; keep the latest revision of each data.id.",
		Docs: "docs/crms/webhook.md",
	}
}

// Open implements connectors.Connector.
func (connector) Open(set connectors.Settings) (connectors.Session, error) {
	u, err := httpx.ParseBaseURL(set.Config["base_url"])
	if err != nil {
		return nil, &connectors.Error{Class: connectors.Invalid, Field: "base_url", Err: err,
			Public: "The address of the webhook cannot be used: " + err.Error() + "."}
	}
	keys, err := httpx.ParseSigningKeys(set.Secrets["signing_secret"])
	if err != nil {
		return nil, &connectors.Error{Class: connectors.Invalid, Field: "signing_secret", Err: err,
			Public: "The signing secret cannot be used: " + err.Error() + "."}
	}
	s := &session{url: u.String(), plain: u.Scheme == "http", keys: keys, now: set.Now}
	if s.now == nil {
		s.now = time.Now
	}
	s.http = httpx.NewClient(httpx.ClientOptions{Transport: set.Transport, Timeout: requestTimeout, MaxBody: 1 << 20, UserAgent: "callsync-webhook/1"})
	return s, nil
}

type session struct {
	http  *resty.Client
	url   string
	plain bool
	keys  [][]byte
	now   func() time.Time
}

var (
	_ connectors.Session  = (*session)(nil)
	_ connectors.Verifier = (*session)(nil)
)

// event is the body, in the specification's form.
type event struct {
	Type      string          `json:"type"`
	Timestamp time.Time       `json:"timestamp"`
	Data      json.RawMessage `json:"data"`
}

// WriteCall implements connectors.Session. The receiver's record has no id of its own: it is known by the key.
func (s *session) WriteCall(ctx context.Context, w connectors.CallWrite) (connectors.Written, error) {
	data, err := callData(w)
	if err != nil {
		return connectors.Written{}, &connectors.Error{Class: connectors.Invalid, Public: "The call cannot be written as JSON.",
			Err: errors.New("webhook: encode the call")}
	}
	sum := sha256.Sum256([]byte(w.Key + "\x00" + strconv.FormatInt(w.Call.Revision, 10)))
	err = s.send(ctx, "msg_"+base64.RawURLEncoding.EncodeToString(sum[:18]), TypeCall, data)
	var e *connectors.Error
	if errors.As(err, &e) && e.Class == connectors.Conflict {
		e.RemoteID = w.Key
	}
	if err != nil {
		return connectors.Written{}, err
	}
	return connectors.Written{RemoteID: w.Key, Created: w.RemoteID == ""}, nil
}

// callData is the canonical call with the delivery's key in front.
func callData(w connectors.CallWrite) (json.RawMessage, error) {
	body, err := encode(w.Call)
	if err != nil {
		return nil, err
	}
	key, err := encode(w.Key)
	if err != nil {
		return nil, err
	}
	out := append([]byte(`{"delivery_key":`), key...)
	if rest := bytes.TrimPrefix(body, []byte("{")); len(rest) > 1 {
		return append(append(out, ','), rest...), nil
	}
	return append(out, '}'), nil
}

// encode writes JSON without HTML escapes: the payload is read by people who debug their receivers.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

func (s *session) send(ctx context.Context, id, kind string, data json.RawMessage) error {
	now := s.now()
	body, err := encode(event{Type: kind, Timestamp: now.UTC(), Data: data})
	if err != nil {
		return &connectors.Error{Class: connectors.Invalid, Public: "The event cannot be written as JSON.", Err: errors.New("webhook: encode the event")}
	}
	resp, err := s.http.R().SetContext(ctx).
		SetHeader("Content-Type", "application/json").
		SetHeader("webhook-id", id).
		SetHeader("webhook-timestamp", strconv.FormatInt(now.Unix(), 10)).
		SetHeader("webhook-signature", httpx.SignWebhook(s.keys, id, now, body)).
		SetBody(body).Post(s.url)
	if err != nil {
		return connectors.NoAnswer(receiver, "webhook", false, err)
	}
	return refusal(resp.StatusCode(), resp.Header(), now)
}

// refusal classifies an answer by its status alone: the body is the receiver's business, and may hold anything.
func refusal(status int, header http.Header, now time.Time) error {
	class := connectors.Classify(status, overrides)
	if class == "" {
		return nil
	}
	e := &connectors.Error{Class: class, Public: connectors.Sentence(class, receiver), Err: fmt.Errorf("webhook: status %d", status)}
	switch {
	case class == connectors.Revoked:
		e.Public = "The receiver of the webhook answered 410 Gone: it wants no more calls. Connect again when it does."
	case status == http.StatusNotFound:
		e.Public = "The receiver of the webhook has nothing at this address (404). Correct the address, then retry."
		e.Field = "base_url"
	case class == connectors.Unauthorized || class == connectors.Forbidden:
		e.Public = fmt.Sprintf("The receiver of the webhook refused the call (%d). Compare the signing secret on both sides, then retry.", status)
	case class == connectors.Invalid:
		e.Public = fmt.Sprintf("The receiver of the webhook refused the call (%d). Look at its log, correct it, then retry.", status)
	}
	if d, ok := httpx.ParseRetryAfter(header.Get("Retry-After"), now); ok && class.Retryable() {
		e.RetryAfter = d
	}
	return e
}

// Verify implements connectors.Verifier: it sends a callsync.ping, which receivers acknowledge and forget.
func (s *session) Verify(ctx context.Context) (connectors.Report, error) {
	id := "ping_" + rand.Text()
	err := s.send(ctx, id, TypePing, json.RawMessage(`{"text":"This is a test of the connection from callsync."}`))
	check := connectors.Check{Name: "Test event", OK: err == nil, Text: "The receiver acknowledged a signed test event."}
	if err != nil {
		e := connectors.AsError(err)
		if e.Class.Retryable() && ctx.Err() != nil {
			return connectors.Report{}, err
		}
		check.Text = e.Public
		if e.Class.Retryable() {
			check.Text = "The receiver did not acknowledge the test event: it cannot be reached, is too slow, or has a fault. Correct that, then test again."
		}
	}
	report := connectors.Report{Checks: []connectors.Check{check}, Idempotency: connectors.KeyedUpsert}
	if s.plain {
		report.Checks = append(report.Checks, connectors.Check{Name: "Encryption", OK: true,
			Text: "The address is not https: calls travel readable for everybody on the way. Use that only inside your own network."})
	}
	return report, nil
}
