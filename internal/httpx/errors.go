package httpx

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"syscall"

	"github.com/go-resty/resty/v2"
)

// Error is a request without a usable answer. Its text names the kind of failure and the host, never the rest of the
// URL, a header, or bytes that the server sent: any of these may be a secret.
type Error struct {
	// Sent tells whether the request may have reached the server.
	Sent bool
	// Timeout tells whether time ran out, ours or the caller's.
	Timeout bool
	text    string
	err     error
}

func (e *Error) Error() string { return e.text }

// Is matches what the original error matches. There is no Unwrap on purpose: the original's text holds the URL.
func (e *Error) Is(target error) bool { return errors.Is(e.err, target) }

// As finds what the original error holds, such as an error that the transport itself returned.
func (e *Error) As(target any) bool { return errors.As(e.err, target) }

// Wrap makes the error of a client safe to show. Nil stays nil.
func Wrap(err error) *Error {
	if err == nil {
		return nil
	}
	var have *Error
	if errors.As(err, &have) {
		return have
	}
	out := &Error{Sent: Sent(err), err: err}
	var t interface{ Timeout() bool }
	out.Timeout = errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout()
	out.text = cause(err, out.Timeout)
	if u := (*url.Error)(nil); errors.As(err, &u) {
		if p, perr := url.Parse(u.URL); perr == nil && p.Host != "" {
			out.text = p.Hostname() + ": " + out.text
		}
	}
	return out
}

// Sent tells whether a request that failed with err may have reached the server: false while no connection stood
// (unknown name, refused, unreachable, a private address, TLS not agreed), true otherwise, for after that nobody knows.
func Sent(err error) bool {
	if err == nil {
		return true
	}
	if e := (*Error)(nil); errors.As(err, &e) {
		return e.Sent
	}
	if t := (*trackedError)(nil); errors.As(err, &t) {
		return t.sent
	}
	var op *net.OpError
	var dns *net.DNSError
	switch {
	case errors.As(err, &op) && op.Op == "dial", errors.As(err, &dns), errors.Is(err, ErrPrivateAddress):
		return false
	}
	return true
}

// tracked notes for each request whether it was given a connection. net/http does not tell afterwards: the text of a
// timeout is the same before and after.
type tracked struct{ next http.RoundTripper }

type trackedError struct {
	sent bool
	err  error
}

func (e *trackedError) Error() string { return e.err.Error() }
func (e *trackedError) Unwrap() error { return e.err }

// Timeout keeps net/http's own question answered through the wrapper.
func (e *trackedError) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.err, &t) && t.Timeout()
}

// RoundTrip implements http.RoundTripper.
func (t tracked) RoundTrip(r *http.Request) (*http.Response, error) {
	var sent atomic.Bool
	ctx := httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { sent.Store(true) },
	})
	resp, err := t.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return nil, &trackedError{sent: sent.Load(), err: err}
	}
	return resp, nil
}

// cause says in fixed words what went wrong.
func cause(err error, timeout bool) string {
	var (
		dns      *net.DNSError
		op       *net.OpError
		cert     *tls.CertificateVerificationError
		unknown  x509.UnknownAuthorityError
		host     x509.HostnameError
		invalid  x509.CertificateInvalidError
		notTLS   tls.RecordHeaderError
		tlsAlert tls.AlertError
	)
	switch {
	case errors.Is(err, context.Canceled):
		return "the request was cancelled"
	case errors.Is(err, ErrPrivateAddress):
		return ErrPrivateAddress.Error()
	case errors.As(err, &dns):
		return "the name of the server cannot be resolved"
	case errors.As(err, &cert), errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &invalid):
		return "the server's certificate is not trusted"
	case errors.As(err, &notTLS), errors.As(err, &tlsAlert):
		return "no secure connection could be agreed"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused"
	case timeout:
		return "time ran out"
	case errors.Is(err, resty.ErrResponseBodyTooLarge):
		return "the answer is too large"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection broke"
	case errors.As(err, &op) && op.Op == "dial":
		return "no connection could be made"
	}
	return "the request failed"
}
