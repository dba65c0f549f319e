// Package webhookfake is a receiver of callsync's webhooks, as the Standard Webhooks specification asks for one: it
// checks the signature over the raw body, refuses old and future timestamps, drops what it has seen, and keeps the
// latest revision of every call.
package webhookfake

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// tolerance is how far a timestamp may be from now.
const tolerance = 5 * time.Minute

// Receiver is the receiver; it is an http.Handler.
type Receiver struct {
	key []byte
	now func() time.Time

	mu    sync.Mutex
	seen  map[string]bool
	calls map[string]Call
	count Counts
}

// Call is what is kept of a call.
type Call struct {
	Revision int64
	// Data is the payload's data, as it was sent.
	Data json.RawMessage
}

// Counts are figures of what came.
type Counts struct {
	// Stored and Pings were accepted; Repeated had a webhook-id that was there before; Older had a revision behind the
	// one that is kept; Refused were answered 4xx.
	Stored, Pings, Repeated, Older, Refused int
}

// New makes a receiver with a secret (whsec_...). A nil now means time.Now.
func New(secret string, now func() time.Time) (*Receiver, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(key) == 0 {
		return nil, errors.New("webhookfake: not a signing secret")
	}
	if now == nil {
		now = time.Now
	}
	return &Receiver{key: key, now: now, seen: map[string]bool{}, calls: map[string]Call{}}, nil
}

// Call is the latest revision of the call with this id.
func (v *Receiver) Call(id string) (Call, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	c, ok := v.calls[id]
	return c, ok
}

// Counts gives the figures.
func (v *Receiver) Counts() Counts {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.count
}

// Calls is how many calls are kept.
func (v *Receiver) Calls() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.calls)
}

// Keys counts the calls by callsync's id of them.
func (v *Receiver) Keys() map[string]int {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := make(map[string]int, len(v.calls))
	for id := range v.calls {
		out[id] = 1
	}
	return out
}

// ServeHTTP implements http.Handler.
func (v *Receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, text := v.accept(w, r)
	if status >= 400 {
		v.mu.Lock()
		v.count.Refused++
		v.mu.Unlock()
		http.Error(w, text, status)
		return
	}
	w.WriteHeader(status)
}

func (v *Receiver) accept(w http.ResponseWriter, r *http.Request) (int, string) {
	if r.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, "only POST"
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return http.StatusUnsupportedMediaType, "only application/json"
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4<<20))
	if err != nil {
		return http.StatusRequestEntityTooLarge, "the body cannot be read"
	}
	id := r.Header.Get("webhook-id")
	if err := v.verify(id, r.Header.Get("webhook-timestamp"), r.Header.Get("webhook-signature"), body); err != nil {
		return http.StatusUnauthorized, err.Error()
	}
	var e struct {
		Type      string          `json:"type"`
		Timestamp time.Time       `json:"timestamp"`
		Data      json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(body, &e); err != nil || e.Type == "" || e.Timestamp.IsZero() || len(e.Data) == 0 {
		return http.StatusBadRequest, "not an event with type, timestamp and data"
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.seen[id] {
		v.count.Repeated++
		return http.StatusNoContent, ""
	}
	switch e.Type {
	case "callsync.ping":
		v.count.Pings++
	case "call.upserted":
		var data struct {
			ID          string `json:"id"`
			DeliveryKey string `json:"delivery_key"`
			Revision    int64  `json:"revision"`
		}
		if err := json.Unmarshal(e.Data, &data); err != nil || data.ID == "" || data.DeliveryKey == "" {
			return http.StatusUnprocessableEntity, "a call needs id and delivery_key"
		}
		if have, ok := v.calls[data.ID]; ok && have.Revision > data.Revision {
			v.count.Older++
		} else {
			v.count.Stored++
			v.calls[data.ID] = Call{data.Revision, e.Data}
		}
	default:
		return http.StatusUnprocessableEntity, "an unknown type of event"
	}
	v.seen[id] = true
	return http.StatusNoContent, ""
}

// verify checks one of the signatures in constant time, and the age.
func (v *Receiver) verify(id, timestamp, signatures string, body []byte) error {
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || id == "" || strings.Contains(id, ".") || signatures == "" {
		return errors.New("webhook-id, webhook-timestamp and webhook-signature are required")
	}
	if age := v.now().Sub(time.Unix(seconds, 0)); age > tolerance || age < -tolerance {
		return errors.New("the timestamp is too far from now")
	}
	m := hmac.New(sha256.New, v.key)
	m.Write([]byte(id + "." + timestamp + "."))
	m.Write(body)
	want := m.Sum(nil)
	for _, s := range strings.Fields(signatures) {
		version, text, _ := strings.Cut(s, ",")
		if got, err := base64.StdEncoding.DecodeString(text); version == "v1" && err == nil && hmac.Equal(got, want) {
			return nil
		}
	}
	return errors.New("no signature fits")
}
