package recordings

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/callsync/callsync/internal/httpx"
	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
)

// Fetcher asks phone systems for recordings. It goes to hosts that are allowed only, also where it is led on, and to no
// address inside the operator's network.
type Fetcher struct {
	// Providers know the hosts of their recordings, and how they are asked.
	Providers telephony.Registry
	// Transport carries the requests; it must refuse private addresses when it dials.
	Transport http.RoundTripper
	// Stall is how long a phone system may send nothing before the connection is given up; zero means a minute.
	Stall time.Duration
}

// Times and sizes of requests.
const (
	stall       = time.Minute
	answerTime  = 30 * time.Second
	longestHops = 5
	// mostAddress bounds the JSON answer that holds an address.
	mostAddress = 64 << 10
)

// NewTransport makes a transport for a Fetcher: what arrives is what was sent, byte by byte.
func NewTransport(allowPrivate bool) http.RoundTripper {
	t := httpx.NewTransport(httpx.TransportOptions{AllowPrivate: allowPrivate})
	t.DisableCompression = true
	return t
}

// target is where a recording is to be had, and how.
type target struct {
	url *url.URL
	// header goes to home and to no other host; home is the first request's.
	header http.Header
	home   string
	// hosts are allowed at first, onward besides where one is led to.
	hosts, onward []string
	member        string
	// span is a Range header to hand through; empty for none.
	span string
}

// plain tells whether anybody who has the address can listen, so that a browser may be sent there.
func (t target) plain() bool { return len(t.header) == 0 }

// target finds out where a recording is to be had; it sends nothing.
func (f *Fetcher) target(s records.Source, j records.RecordingJob) (target, *fault) {
	var t target
	settings := telephony.Settings{}
	provider, known := f.Providers[s.Provider]
	if known {
		settings = telephony.SettingsOf(provider.Info(), s, nil)
	}
	address := j.Vendor.URL
	if fetcher, ok := provider.(telephony.RecordingFetcher); ok && known {
		if req, ok := fetcher.RecordingRequest(j.Vendor, j.ProviderCallID, settings); ok {
			address, t.header, t.member = req.URL, req.Header.Clone(), req.Member
		}
	}
	if address == "" {
		return t, faultOf(records.RecordingNoAddress, false, "The phone system sent a page that plays the recording, and no address of the recording itself.", nil)
	}
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" {
		return t, faultOf(records.RecordingNoAddress, false, "The phone system sent an address of the recording that is no web address.", errors.New("not a URL"))
	}
	if u.User != nil {
		password, _ := u.User.Password()
		if t.header == nil {
			t.header = http.Header{}
		}
		t.header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)))
		u.User = nil
	}
	u.Fragment = ""
	if holder, ok := provider.(telephony.RecordingHolder); ok && known {
		hosts := holder.RecordingHosts(settings)
		t.hosts, t.onward = append(t.hosts, hosts.Direct...), hosts.Redirects
	}
	t.hosts = append(t.hosts, s.Recordings.Hosts...)
	t.url, t.home = u, u.Host
	if !allowed(u, t.hosts) {
		return t, hostFault(u)
	}
	return t, nil
}

func hostFault(u *url.URL) *fault {
	host := u.Host
	if len(host) > 100 {
		host = host[:100]
	}
	return faultOf(records.RecordingHost, false, fmt.Sprintf("The recording lies on %s, which is not among the hosts from which this source's recordings may come. "+
		"If it belongs to your phone system, add it under “Recording hosts” in the settings of the source.", host), fmt.Errorf("host %s is not allowed", host))
}

// settled finds the address of the sound itself where another address has to be asked for it.
func (f *Fetcher) settled(ctx context.Context, t target) (target, *fault) {
	if t.member == "" {
		return t, nil
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	resp, fault := f.do(ctx, t, 0, "")
	if fault != nil {
		return t, fault
	}
	defer resp.Body.Close()
	host := t.url.Hostname()
	if resp.StatusCode != http.StatusOK {
		return t, statusFault(host, resp.StatusCode, retryAfter(resp))
	}
	var answer map[string]json.RawMessage
	var address string
	data, err := io.ReadAll(io.LimitReader(resp.Body, mostAddress))
	if err != nil {
		return t, networkFault(host, err)
	}
	if json.Unmarshal(data, &answer) != nil || json.Unmarshal(answer[t.member], &address) != nil || address == "" {
		return t, faultOf(records.RecordingNotYet, true, fmt.Sprintf("%s knows no address of the recording yet.", host), fmt.Errorf("the answer of %s has no member %s", host, t.member))
	}
	u, err := t.url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return t, faultOf(records.RecordingWrong, true, fmt.Sprintf("%s sent an address of the recording that is no web address.", host), errors.New("not a URL"))
	}
	next := target{url: u, home: u.Host, hosts: append(t.hosts[:len(t.hosts):len(t.hosts)], t.onward...), onward: t.onward}
	if !allowed(u, next.hosts) {
		return t, hostFault(u)
	}
	return next, nil
}

// get asks for the sound from a byte on. The caller closes the body. The status is 200, 206 or 416; others are faults.
func (f *Fetcher) get(ctx context.Context, t target, from int64, validator string) (*http.Response, *fault) {
	resp, fault := f.do(ctx, t, from, validator)
	if fault != nil {
		return nil, fault
	}
	switch resp.StatusCode {
	case http.StatusOK, http.StatusPartialContent, http.StatusRequestedRangeNotSatisfiable:
		if enc := resp.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
			resp.Body.Close()
			return nil, faultOf(records.RecordingWrong, false, t.url.Hostname()+" sends the recording packed, although it was asked not to.", errors.New("content encoding"))
		}
		return resp, nil
	}
	resp.Body.Close()
	return nil, statusFault(t.url.Hostname(), resp.StatusCode, retryAfter(resp))
}

// do sends the request, and again where it is led, as long as the hosts are allowed. What proves who asks stays with the
// first host.
func (f *Fetcher) do(ctx context.Context, t target, from int64, validator string) (*http.Response, *fault) {
	ctx, cancel := context.WithCancelCause(ctx)
	patience := f.Stall
	if patience <= 0 {
		patience = stall
	}
	watch := newWatchdog(patience, cancel)
	client := &http.Client{Transport: f.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	give := func(fault *fault) (*http.Response, *fault) {
		watch.stop()
		cancel(nil)
		return nil, fault
	}
	at := t.url
	for hop := 0; ; hop++ {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
		if err != nil {
			return give(faultOf(records.RecordingNoAddress, false, "The address of the recording cannot be used.", errors.New("not a URL")))
		}
		r.Header.Set("User-Agent", "callsync")
		r.Header.Set("Accept", "*/*")
		r.Header.Set("Accept-Encoding", "identity")
		if at.Host == t.home && at.Scheme == t.url.Scheme {
			for name, values := range t.header {
				r.Header[name] = values
			}
		}
		if t.span != "" {
			r.Header.Set("Range", t.span)
		}
		if from > 0 {
			r.Header.Set("Range", "bytes="+strconv.FormatInt(from, 10)+"-")
			if validator != "" {
				r.Header.Set("If-Range", validator)
			}
		}
		resp, err := client.Do(r)
		if err != nil {
			if cause := context.Cause(ctx); errors.Is(cause, errStalled) {
				err = cause
			}
			return give(networkFault(at.Hostname(), err))
		}
		where := resp.Header.Get("Location")
		if resp.StatusCode < 300 || resp.StatusCode > 399 || resp.StatusCode == http.StatusNotModified || where == "" {
			resp.Body = &watched{body: resp.Body, ctx: ctx, watch: watch, cancel: cancel}
			return resp, nil
		}
		resp.Body.Close()
		next, err := at.Parse(where)
		switch {
		case err != nil || next.Hostname() == "":
			return give(faultOf(records.RecordingWrong, true, at.Hostname()+" leads to an address that is no web address.", errors.New("redirect to no URL")))
		case hop >= longestHops:
			return give(faultOf(records.RecordingWrong, true, at.Hostname()+" leads on and on.", errors.New("too many redirects")))
		case next.Scheme == "http" && at.Scheme == "https":
			return give(faultOf(records.RecordingHost, false, at.Hostname()+" leads to an address without encryption, which callsync does not follow.", errors.New("redirect from https to http")))
		case next.User != nil || !allowed(next, t.hosts) && !allowed(next, t.onward):
			return give(hostFault(next))
		}
		next.Fragment = ""
		at = next
	}
}

func networkFault(host string, err error) *fault {
	if errors.Is(err, errStalled) {
		return faultOf(records.RecordingUnreachable, true, host+" stopped sending the recording.", fmt.Errorf("%s: %w", host, errStalled))
	}
	e := httpx.Wrap(err)
	if errors.Is(err, httpx.ErrPrivateAddress) {
		return faultOf(records.RecordingHost, false, host+" has a private or local address, which callsync does not connect to.", fmt.Errorf("%s: %w", host, e))
	}
	return faultOf(records.RecordingUnreachable, true, host+" could not be reached, or the connection broke.", fmt.Errorf("%s: %w", host, e))
}

// errStalled ends a connection on which nothing arrives any more.
var errStalled = errors.New("nothing was sent for too long")

// watchdog cancels a request on which nothing has happened for some time.
type watchdog struct {
	timer    *time.Timer
	patience time.Duration
	stopped  atomic.Bool
}

func newWatchdog(patience time.Duration, cancel context.CancelCauseFunc) *watchdog {
	return &watchdog{patience: patience, timer: time.AfterFunc(patience, func() { cancel(errStalled) })}
}

func (w *watchdog) alive() {
	if !w.stopped.Load() {
		w.timer.Reset(w.patience)
	}
}

// rest stops the clock while the reader is busy elsewhere.
func (w *watchdog) rest() { w.timer.Stop() }

func (w *watchdog) stop() {
	w.stopped.Store(true)
	w.timer.Stop()
}

// watched is a body whose reads are watched over.
type watched struct {
	body   io.ReadCloser
	ctx    context.Context
	watch  *watchdog
	cancel context.CancelCauseFunc
}

func (b *watched) Read(p []byte) (int, error) {
	b.watch.alive()
	n, err := b.body.Read(p)
	b.watch.rest()
	if err != nil && err != io.EOF {
		if cause := context.Cause(b.ctx); errors.Is(cause, errStalled) {
			err = cause
		}
	}
	return n, err
}

func (b *watched) Close() error {
	b.watch.stop()
	err := b.body.Close()
	b.cancel(nil)
	return err
}

func retryAfter(resp *http.Response) time.Duration {
	after, _ := httpx.ParseRetryAfter(resp.Header.Get("Retry-After"), time.Now())
	return after
}
