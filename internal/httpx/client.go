package httpx

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-resty/resty/v2"
)

// ClientOptions make a client for one server.
type ClientOptions struct {
	// BaseURL is put before the paths of requests.
	BaseURL string
	// Transport carries the requests; nil means a plain one without the guard against private addresses.
	Transport http.RoundTripper
	// Timeout bounds one request with its answer; zero means 15 seconds.
	Timeout time.Duration
	// MaxBody bounds an answer, unpacked; zero means 8 MiB.
	MaxBody int
	// UserAgent names the caller; empty means "callsync".
	UserAgent string
}

// plain is shared, so that clients without a transport of their own reuse connections too.
var plain = sync.OnceValue(func() *http.Transport { return NewTransport(TransportOptions{AllowPrivate: true}) })

// NewClient makes a client that sends a request once: no retries, no redirects to other hosts and, for anything but
// GET, none at all. A refused redirect comes back as the answer it is. Errors must go through Wrap before they are
// shown or logged, for net/http puts whole URLs into its own.
func NewClient(o ClientOptions) *resty.Client {
	rt := o.Transport
	if rt == nil {
		rt = plain()
	}
	if o.Timeout <= 0 {
		o.Timeout = 15 * time.Second
	}
	if o.MaxBody <= 0 {
		o.MaxBody = 8 << 20
	}
	if o.UserAgent == "" {
		o.UserAgent = "callsync"
	}
	c := resty.NewWithClient(&http.Client{Transport: tracked{rt}, Timeout: o.Timeout})
	c.SetBaseURL(strings.TrimRight(o.BaseURL, "/"))
	c.SetRetryCount(0)
	c.SetResponseBodyLimit(o.MaxBody)
	c.SetHeader("User-Agent", o.UserAgent)
	c.SetRedirectPolicy(resty.RedirectPolicyFunc(sameHostOnly))
	c.SetLogger(silent{})
	c.SetDisableWarn(true)
	return c
}

// sameHostOnly lets a GET follow a few redirects on the same origin. Anything else could carry the credentials or the
// body to a place nobody configured, or turn a POST into a GET.
func sameHostOnly(req *http.Request, via []*http.Request) error {
	first := via[0]
	if first.Method != http.MethodGet || len(via) > 3 || req.URL.Scheme != first.URL.Scheme || req.URL.Host != first.URL.Host {
		return http.ErrUseLastResponse
	}
	return nil
}

// silent drops resty's own log lines: they hold URLs.
type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Debugf(string, ...any) {}
