// Package phone is a fake phone system of every kind: it sends callsync the webhooks of calls in the order, the encodings and
// with the signatures of the real ones.
package phone

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	"github.com/callsync/callsync/telephony/callrail"
	"github.com/callsync/callsync/telephony/callrail/callrailfake"
	"github.com/callsync/callsync/telephony/generic"
	"github.com/callsync/callsync/telephony/generic/genericfake"
	"github.com/callsync/callsync/telephony/smartflo"
)

// Line is the way from a phone system to one source of callsync.
type Line struct {
	// Provider is the kind of phone system.
	Provider string
	// URL is the source's hook URL, without an event at its end.
	URL string
	// Secret signs requests, or goes with them, where the phone system has such a thing.
	Secret string
	Client *http.Client
}

// Webhook is one request, before it is signed.
type Webhook struct {
	// Name is the vendor's name for it.
	Name string
	// Method is POST unless set.
	Method string
	// Event is the last part of the hook URL; empty where there is one URL for all.
	Event string
	// Query is that of a GET. ContentType is application/json unless set.
	Query, ContentType string
	Body               []byte
}

// Send sends a webhook as its phone system does, and returns the status and the body of the answer.
func (l Line) Send(ctx context.Context, w Webhook) (status int, answer string, err error) {
	return l.SendSigned(ctx, w, l.Secret)
}

// SendSigned is Send with a secret of the caller's.
func (l Line) SendSigned(ctx context.Context, w Webhook, secret string) (status int, answer string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	address, method := l.URL, w.Method
	if method == "" {
		method = http.MethodPost
	}
	if w.Event != "" {
		address += "/" + w.Event
	}
	if w.Query != "" {
		address += "?" + w.Query
	}
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(w.Body))
	if err != nil {
		return 0, "", err
	}
	if len(w.Body) > 0 {
		req.Header.Set("Content-Type", or(w.ContentType, "application/json"))
	}
	if secret != "" {
		switch l.Provider {
		case callrail.ID:
			req.Header.Set("Signature", callrailfake.Sign(secret, w.Body))
		case generic.ID:
			req.Header.Set("X-Signature", genericfake.Sign(secret, w.Body))
		case smartflo.ID:
			req.Header.Set("X-Callsync-Key", secret)
		}
	}
	client := l.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	return resp.StatusCode, string(text), err
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
