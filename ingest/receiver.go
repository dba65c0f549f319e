package ingest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
)

// ReceiverOptions tune the receiver. Zero members mean the defaults.
type ReceiverOptions struct {
	// MaxBody is the largest body taken, in bytes; 2 MiB.
	MaxBody int64
	// BodyTimeout is how long a request may take to send its body; 10 s.
	BodyTimeout time.Duration
	// RefusedPerMinute is how many refused requests of one source are kept in a minute, so that a flood of them cannot
	// fill the disk; the others are answered alike and only counted. 60.
	RefusedPerMinute int
	// ReadingBytes bounds the bodies being read at one moment, all together; 128 MiB.
	ReadingBytes int64
}

// Receiver is the HTTP handler of /hooks/{provider}/{token}[/{event}], for any method. It answers success only once the
// request is durable.
type Receiver struct {
	dir     *Directory
	batcher *Batcher
	opts    ReceiverOptions
	metrics *Metrics
	log     *slog.Logger
	refused *limiter
	reading atomic.Int64
}

// NewReceiver makes the handler. It stores through b, which the caller closes after the server has stopped.
func NewReceiver(dir *Directory, b *Batcher, opts ReceiverOptions, m *Metrics, log *slog.Logger) *Receiver {
	def(&opts.MaxBody, 2<<20)
	def(&opts.BodyTimeout, 10*time.Second)
	def(&opts.RefusedPerMinute, 60)
	def(&opts.ReadingBytes, 128<<20)
	return &Receiver{dir: dir, batcher: b, opts: opts, metrics: m, log: log, refused: newLimiter(opts.RefusedPerMinute)}
}

const (
	// maxToken and maxEvent bound parts of the path.
	maxToken = 256
	maxEvent = 100
)

// The sentences a sender may read. They say the same for a wrong token and for a wrong provider.
var (
	noSuchHook = problem(http.StatusNotFound, "This hook URL is not known. Copy it again from the source's page in callsync; it may have been rotated or its source deleted.")
	notSigned  = problem(http.StatusUnauthorized, "The signature of this request does not match. Check that the signing key of the source in callsync is the one of the phone system.")
	tooSlow    = problem(http.StatusRequestTimeout, "The request's body did not arrive in time.")
	cutShort   = problem(http.StatusBadRequest, "The request's body could not be read to its end.")
	unready    = problem(http.StatusServiceUnavailable, "callsync cannot store this request right now. Send it again in a few seconds.")
	unstorable = problem(http.StatusInternalServerError, "callsync could not store this request. The operator has been told.")
)

// answer is a response that never changes.
type answer struct {
	status int
	body   []byte
}

// problem makes an RFC 9457 problem; detail must be plain text without quotes.
func problem(status int, detail string) answer {
	return answer{status, fmt.Appendf(nil, "{\"type\":\"about:blank\",\"title\":%q,\"status\":%d,\"detail\":%q}\n", http.StatusText(status), status, detail)}
}

func (a answer) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	if a.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "5")
	}
	w.WriteHeader(a.status)
	w.Write(a.body)
}

// splitPath takes /hooks/{provider}/{token}[/{event}] apart.
func splitPath(path string) (provider, token, event string, ok bool) {
	path, ok = strings.CutPrefix(path, "/hooks/")
	provider, path, _ = strings.Cut(path, "/")
	token, event, _ = strings.Cut(path, "/")
	event = strings.TrimSuffix(event, "/")
	ok = ok && provider != "" && token != "" && len(token) <= maxToken && len(event) <= maxEvent && !strings.Contains(event, "/")
	return provider, token, event, ok
}

// ServeHTTP answers a request from outside.
func (rc *Receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Header.Del(telephony.TestHeader)
	rc.serve(w, r)
}

func (rc *Receiver) serve(w http.ResponseWriter, r *http.Request) {
	provider, token, event, ok := splitPath(r.URL.Path)
	if !ok {
		rc.unknown(w)
		return
	}
	hash := sha256.Sum256([]byte(token))
	// A sender that does not wait for the answer has sent its request all the same. The look-up's own time limit bounds it.
	f, err := rc.dir.byToken.get(context.WithoutCancel(r.Context()), hash)
	switch {
	case errors.Is(err, records.ErrNotFound):
		rc.unknown(w)
		return
	case err != nil:
		rc.metrics.receipts.WithLabelValues("", "unavailable").Inc()
		unready.write(w)
		return
	case f.Provider != provider || f.provider == nil:
		rc.unknown(w)
		return
	}
	// Panels probe a URL these ways; they say nothing of a call. A HEAD is answered as a GET would be: some panels activate
	// only what answers them as they want.
	switch r.Method {
	case http.MethodHead:
		writeReply(w, f, telephony.Request{Method: r.Method, Event: event, RawQuery: r.URL.RawQuery, Header: r.Header})
		return
	case http.MethodOptions:
		w.WriteHeader(http.StatusNoContent)
		return
	}
	event = strings.ReplaceAll(strings.ToValidUTF8(event, "\uFFFD"), "\x00", "\uFFFD")
	rc.receive(w, r, f, hash, event)
}

func (rc *Receiver) unknown(w http.ResponseWriter) {
	rc.metrics.receipts.WithLabelValues("", "unknown").Inc()
	noSuchHook.write(w)
}

func (rc *Receiver) receive(w http.ResponseWriter, r *http.Request, f *feed, token [sha256.Size]byte, event string) {
	count := func(outcome string) { rc.metrics.receipts.WithLabelValues(f.Provider, outcome).Inc() }
	body, err := rc.readBody(w, r)
	switch {
	case errors.Is(err, errTooLarge):
		count("too_large")
		id, at := newReceiptID()
		rc.keepRefused(r, f, id, at, event, nil, "none", fmt.Sprintf(
			"The request's body is larger than the limit of %d bytes. It was refused with status 413, and its body was not kept.", rc.opts.MaxBody))
		problem(http.StatusRequestEntityTooLarge, fmt.Sprintf("The request's body is larger than the limit of %d bytes.", rc.opts.MaxBody)).write(w)
		return
	case errors.Is(err, errCrowded):
		count("unavailable")
		unready.write(w)
		return
	case errors.Is(err, context.DeadlineExceeded):
		count("slow")
		w.Header().Set("Connection", "close")
		tooSlow.write(w)
		return
	case err != nil:
		count("refused")
		cutShort.write(w)
		return
	}
	id, at := newReceiptID()
	if r.Header.Get(telephony.TestHeader) != "" {
		w.Header().Set(telephony.TestReceiptHeader, id)
	}
	req := telephony.Request{Method: r.Method, Event: event, RawQuery: r.URL.RawQuery, Header: r.Header, Body: body, ReceivedAt: at}
	err = verify(f, req)
	if err != nil {
		if now, lookUp := rc.dir.again(context.WithoutCancel(r.Context()), token); lookUp == nil && now != f && now.provider != nil {
			f, err = now, verify(now, req)
		}
	}
	if err != nil {
		if rc.keepRefused(r, f, id, at, event, body, "bad", reasonBadSignature) {
			count("bad_signature")
		} else {
			count("bad_signature_dropped")
		}
		notSigned.write(w)
		return
	}
	signature := "none"
	if f.signs {
		signature = "ok"
	}
	start := time.Now()
	err = rc.batcher.Submit(r.Context(), records.Receipt{
		ID: id, WorkspaceID: f.WorkspaceID, SourceID: f.ID, ReceivedAt: at, Method: r.Method, HookEvent: event,
		Query: []byte(r.URL.RawQuery), Headers: appendHeaders(make([]byte, 0, 512), r.Header), Body: body, Signature: signature,
	})
	switch {
	case errors.Is(err, records.ErrRefused):
		count("refused")
		unstorable.write(w)
	case err != nil:
		count("unavailable")
		unready.write(w)
	default:
		rc.metrics.storeSeconds.Observe(time.Since(start).Seconds())
		count("stored")
		writeReply(w, f, req)
	}
}

const reasonBadSignature = "The signature does not match the signing key of the source. If the key was wrong, put it right and replay this request."

// keepRefused stores a refused request with the reason, unless its source has had enough of them this minute.
func (rc *Receiver) keepRefused(r *http.Request, f *feed, id string, at time.Time, event string, body []byte, signature, reason string) bool {
	if !rc.refused.allow(f.ID) {
		return false
	}
	err := rc.batcher.Submit(r.Context(), records.Receipt{
		ID: id, WorkspaceID: f.WorkspaceID, SourceID: f.ID, ReceivedAt: at, Method: r.Method, HookEvent: event,
		Query: []byte(r.URL.RawQuery), Headers: appendHeaders(nil, r.Header), Body: body, Signature: signature,
		Result: records.ReceiptResult{State: records.ReceiptRejected, Reason: reason},
	})
	if err != nil {
		rc.log.Warn("a refused request could not be kept", "source", f.ID, "error", err)
	}
	rc.log.Warn("a request was refused", "source", f.ID, "provider", f.Provider, "receipt", id, "reason", reason)
	return err == nil
}

var (
	errTooLarge = errors.New("the body is too large")
	errCrowded  = errors.New("too many bodies are being read")
)

// readBody reads the body once, in full, within the limits of size and time. It does not trust a declared length with
// memory before the bytes are there.
func (rc *Receiver) readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	limit := rc.opts.MaxBody
	if r.ContentLength > limit {
		return nil, errTooLarge
	}
	ctl := http.NewResponseController(w)
	deadline := time.Now().Add(rc.opts.BodyTimeout)
	// A writer that cannot set deadlines has the server's.
	limited := ctl.SetReadDeadline(deadline) == nil
	if limited {
		defer ctl.SetReadDeadline(time.Time{})
	}
	const step = 64 << 10
	size := int64(step)
	if r.ContentLength > 0 {
		size = min(r.ContentLength, step)
	}
	held := size
	if rc.reading.Add(held) > rc.opts.ReadingBytes {
		rc.reading.Add(-held)
		return nil, errCrowded
	}
	defer func() { rc.reading.Add(-held) }()
	body := make([]byte, 0, size)
	for {
		if int64(len(body)) == r.ContentLength {
			// The reader says EOF only when asked once more; net/http knows that the declared length is there.
			return body, nil
		}
		if len(body) == cap(body) {
			more := min(int64(cap(body)), limit+1-int64(cap(body)))
			if held += more; rc.reading.Add(more) > rc.opts.ReadingBytes {
				return nil, errCrowded
			}
			body = append(make([]byte, 0, int64(cap(body))+more), body...)
		}
		n, err := r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > limit:
			return nil, errTooLarge
		case err == io.EOF:
			return body, nil
		case err != nil && limited && !time.Now().Before(deadline):
			return nil, context.DeadlineExceeded
		case err != nil:
			return nil, err
		}
	}
}

// verify asks the provider whether the request is the phone system's. A provider that panics has not said yes.
func verify(f *feed, req telephony.Request) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: the check panicked", telephony.ErrSignature)
		}
	}()
	return f.provider.Verify(req, f.settings)
}

// writeReply answers what the phone system wants to hear.
func writeReply(w http.ResponseWriter, f *feed, req telephony.Request) {
	reply := replyOf(f, req)
	if reply.ContentType != "" {
		w.Header().Set("Content-Type", reply.ContentType)
	}
	if reply.Status == 0 {
		reply.Status = http.StatusOK
	}
	w.WriteHeader(reply.Status)
	if reply.Body != "" {
		io.WriteString(w, reply.Body)
	}
}

func replyOf(f *feed, req telephony.Request) (reply telephony.Reply) {
	defer func() {
		if p := recover(); p != nil {
			// The request is stored: success is the truth.
			reply = telephony.Reply{}
		}
	}()
	return telephony.ReplyTo(f.provider, req, f.settings)
}

// newReceiptID makes the id of a receipt, a UUIDv7 greater than all that this process made before, and the moment it
// holds, so that both sort receipts alike.
func newReceiptID() (string, time.Time) {
	id := uuid.Must(uuid.NewV7())
	var ms int64
	for _, b := range id[:6] {
		ms = ms<<8 | int64(b)
	}
	// NewV7 keeps the fraction of the millisecond, in units of 256 ns, in the 12 bits behind the version.
	fraction := (int64(id[6]&0x0f)<<8 | int64(id[7])) << 8
	return id.String(), time.Unix(0, ms*int64(time.Millisecond)+fraction).UTC().Truncate(time.Microsecond)
}

// limiter allows so many a minute for each key.
type limiter struct {
	perMinute int
	mu        sync.Mutex
	minute    int64
	used      map[string]int
}

func newLimiter(perMinute int) *limiter {
	return &limiter{perMinute: perMinute, used: map[string]int{}}
}

func (l *limiter) allow(key string) bool {
	now := time.Now().Unix() / 60
	l.mu.Lock()
	defer l.mu.Unlock()
	if now != l.minute {
		l.minute = now
		clear(l.used)
	}
	l.used[key]++
	return l.used[key] <= l.perMinute
}
