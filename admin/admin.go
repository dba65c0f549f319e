// Package admin is what people and scripts see: the web UI and the JSON API under /api/v1 that both share. It reaches the
// data through interfaces declared here.
package admin

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
)

// Deps is what a Handler needs. Store, Providers, Connectors, Replayer, Resyncer, Hooks, Schemas and PublicURL are required.
type Deps struct {
	Store      Store
	Providers  telephony.Registry
	Connectors connectors.Registry
	Replayer   Replayer
	Resyncer   Resyncer
	// Hooks answers the hook URLs of sources as it does from outside, but keeps the mark of test calls
	// (telephony.TestHeader). Only this package may reach it.
	Hooks http.Handler
	// Schemas has the fields of the CRMs.
	Schemas Schemas
	// Grants, if set, connects CRMs by their consent pages.
	Grants Granter
	// Transport carries the requests of connect tests and schema look-ups; it guards against private hosts when it
	// dials. Nil means http.DefaultTransport.
	Transport func(records.Connection) http.RoundTripper
	// CheckHost refuses a host that connections must not be pointed at (a private address, unless the operator allows
	// it) when a connection is saved. Its error is a sentence for people. Nil means RefusePrivateHost.
	CheckHost func(host string) error
	// PublicURL is where phone systems and people reach callsync ("https://callsync.example.com"). Hook URLs begin with
	// it, and cookies are Secure if it is https.
	PublicURL string
	// TrustedProxies are the networks of the proxies before callsync: what they say of where a request comes from counts
	// for the limit of sign-ins.
	TrustedProxies []netip.Prefix
	Version        string
	// Live tunes the live view of calls.
	Live LiveOptions
	// Previewer, if set, makes previews of mappings.
	Previewer Previewer
	// Alerter, if set, tests the channels of alerts.
	Alerter Alerter
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log is for operators; nil means slog.Default().
	Log *slog.Logger
}

// Handler serves the API and the pages.
type Handler struct {
	Deps
	public  *url.URL
	http    http.Handler
	huma    huma.API
	pages   *renderer
	origins *http.CrossOriginProtection
	drains  drains
	live    *liveBoards
	// patterns are those of the pages, in the order of their registration.
	patterns []string
	// previews has a place for each preview under way.
	previews chan struct{}
	// exports has a place for each export of calls under way.
	exports chan struct{}
	usual   usualArrivals
}

var _ http.Handler = (*Handler)(nil)

// New makes the handler of everything but /hooks/, /healthz, /readyz and /metrics. Call Close before the process ends.
func New(d Deps) (*Handler, error) {
	public, err := url.Parse(strings.TrimSuffix(d.PublicURL, "/"))
	if err != nil || public.Host == "" || (public.Scheme != "http" && public.Scheme != "https") {
		return nil, errors.New("admin: PublicURL must be an absolute http or https URL")
	}
	if d.Store == nil || d.Replayer == nil || d.Resyncer == nil || d.Hooks == nil || d.Schemas == nil {
		return nil, errors.New("admin: Store, Replayer, Resyncer, Hooks and Schemas are required")
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	if d.Transport == nil {
		d.Transport = func(records.Connection) http.RoundTripper { return http.DefaultTransport }
	}
	if d.CheckHost == nil {
		d.CheckHost = RefusePrivateHost
	}
	d.Version = cmp.Or(d.Version, "dev")
	h := &Handler{Deps: d, public: public, origins: http.NewCrossOriginProtection()}
	if err := h.origins.AddTrustedOrigin(public.Scheme + "://" + public.Host); err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	if h.pages, err = parsedPages(); err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	h.previews = make(chan struct{}, previewsAtOnce)
	h.exports = make(chan struct{}, exportsAtOnce)
	h.live = newLiveBoards(d.Live, d.Store, d.Log)
	mux := http.NewServeMux()
	h.registerAPI(mux)
	h.registerPages(mux)
	h.http = h.secure(compressed(mux))
	return h, nil
}

// ServeHTTP answers a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.http.ServeHTTP(w, r) }

// Close waits for what still goes on after its request was answered.
func (h *Handler) Close() {
	h.live.close()
	h.drains.close()
}

const pagePolicy = "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action 'self'"

// secure sets the headers that every answer has. The policy allows nothing but our own files: no inline script or style,
// so that text of strangers cannot become code even if it were shown unescaped.
func (h *Handler) secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Security-Policy", pagePolicy)
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("X-Frame-Options", "DENY")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("Cross-Origin-Opener-Policy", "same-origin")
		head.Set("Cross-Origin-Resource-Policy", "same-origin")
		head.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		head.Set("Cache-Control", "no-store")
		if h.public.Scheme == "https" {
			head.Set("Strict-Transport-Security", "max-age=31536000")
		}
		defer h.recovered(w, r)
		next.ServeHTTP(w, r)
	})
}

// recovered answers for a handler that panicked. It says nothing of the panic, whose text may hold anything.
func (h *Handler) recovered(w http.ResponseWriter, r *http.Request) {
	fault := recover()
	if fault == nil {
		return
	}
	if fault == http.ErrAbortHandler {
		panic(fault) // how a handler asks net/http to drop the connection
	}
	h.Log.ErrorContext(r.Context(), "handler panicked", "method", r.Method, "panic", fmt.Sprint(fault), "stack", string(debug.Stack()))
	writeProblem(w, problem(http.StatusInternalServerError, "Something went wrong here. It was logged; please try again."))
}
