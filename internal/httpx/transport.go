// Package httpx makes the HTTP clients that talk to CRMs and phone systems: they refuse addresses inside the operator's
// network, have time and size limits, never retry by themselves, never follow a redirect to another host, and report
// errors whose texts hold no secret.
package httpx

import (
	"net"
	"net/http"
	"time"
)

// TransportOptions are what an operator may allow.
type TransportOptions struct {
	// AllowPrivate lets connections go to private and local addresses: self-hosted CRMs, demos, tests.
	AllowPrivate bool
	// ProxyFromEnv sends requests through HTTPS_PROXY and its kin. The proxy then decides which addresses are reachable;
	// this package sees only the proxy's own.
	ProxyFromEnv bool
	// MaxConnsPerHost bounds the connections to one host; zero means 64.
	MaxConnsPerHost int
}

// Times that bound the parts of a request. The whole is bounded by the client's timeout.
const (
	dialTimeout   = 10 * time.Second
	tlsTimeout    = 10 * time.Second
	headerTimeout = 60 * time.Second
	idleTimeout   = 90 * time.Second
)

// NewTransport makes a transport that is meant to be shared by all clients of a process, so that connections are reused.
func NewTransport(o TransportOptions) *http.Transport {
	d := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	if !o.AllowPrivate {
		d.Control = guard
	}
	perHost := o.MaxConnsPerHost
	if perHost <= 0 {
		perHost = 64
	}
	t := &http.Transport{
		DialContext:            d.DialContext,
		TLSHandshakeTimeout:    tlsTimeout,
		ResponseHeaderTimeout:  headerTimeout,
		ExpectContinueTimeout:  time.Second,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConns:           512,
		MaxIdleConnsPerHost:    perHost,
		MaxConnsPerHost:        perHost,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true,
		// A connection that died silently is noticed by pings instead of by every request that is put on it.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second},
	}
	if o.ProxyFromEnv {
		t.Proxy = http.ProxyFromEnvironment
	}
	return t
}
