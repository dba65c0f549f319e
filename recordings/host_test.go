package recordings

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// host is a phone system's server of recordings, as strict and as moody as they are.
type host struct {
	http *httptest.Server
	mu   sync.Mutex
	// asked are the requests: path and range.
	asked []string
	// headers are the Authorization of each.
	keys  []string
	files map[string]*file
}

// file is one recording there.
type file struct {
	data []byte
	// size, if set, is that of a file that is made up while it is read; data then repeats.
	size        int64
	contentType string
	// absent answers with this status for the first so many requests.
	absent     int
	absentFor  int
	retryAfter string
	key        string
	redirect   string
	noRange    bool
	noLength   bool
	closing    bool // neither length nor chunks: the end of the connection is the end of the file
	cutAt      int64
	cuts       int
	etag       string
	pause      chan struct{} // waits here in the middle
	reached    chan struct{}
	total      int64 // what it lies about its size
	json       string
	packed     bool
}

func newHost(t *testing.T) *host {
	h := &host{files: map[string]*file{}}
	h.http = httptest.NewServer(h)
	t.Cleanup(h.http.Close)
	return h
}

func (h *host) name() string { u, _ := url.Parse(h.http.URL); return u.Host }

func (h *host) put(path string, f *file) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.files[path] = f
	return h.http.URL + path
}

func (h *host) requests(path string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.asked {
		if a == path || strings.HasPrefix(a, path+" ") {
			n++
		}
	}
	return n
}

func (h *host) log() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.asked, ", ")
}

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	h.asked = append(h.asked, strings.TrimSpace(r.URL.Path+" "+r.Header.Get("Range")))
	h.keys = append(h.keys, r.Header.Get("Authorization"))
	f := h.files[r.URL.Path]
	var absent bool
	var cut int64
	if f != nil {
		if absent = f.absentFor > 0; absent {
			f.absentFor--
		} else if f.cuts > 0 {
			f.cuts--
			cut = f.cutAt
		}
	}
	h.mu.Unlock()
	if f == nil {
		http.NotFound(w, r)
		return
	}
	switch {
	case f.key != "" && r.Header.Get("Authorization") != f.key:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, "<html>log in</html>")
		return
	case absent:
		if f.retryAfter != "" {
			w.Header().Set("Retry-After", f.retryAfter)
		}
		w.WriteHeader(f.absent)
		return
	case f.json != "":
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, f.json)
		return
	case f.redirect != "":
		http.Redirect(w, r, f.redirect, http.StatusFound)
		return
	}
	h.send(w, r, f, cut)
}

func (h *host) send(w http.ResponseWriter, r *http.Request, f *file, cut int64) {
	size := f.size
	if size == 0 {
		size = int64(len(f.data))
	}
	if f.contentType != "" {
		w.Header().Set("Content-Type", f.contentType)
	}
	if f.packed {
		w.Header().Set("Content-Encoding", "gzip")
	}
	if f.etag != "" {
		w.Header().Set("ETag", f.etag)
	}
	from, to := int64(0), size
	status := http.StatusOK
	if span, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok && !f.noRange && (r.Header.Get("If-Range") == "" || r.Header.Get("If-Range") == f.etag) {
		first, last, _ := strings.Cut(span, "-")
		from, _ = strconv.ParseInt(first, 10, 64)
		if last != "" {
			to, _ = strconv.ParseInt(last, 10, 64)
			to++
		}
		if from >= size {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", size))
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, size))
		status = http.StatusPartialContent
	}
	var out io.Writer = w
	if f.closing {
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprintf(buf, "HTTP/1.0 %d X\r\n", status)
		_ = w.Header().Write(buf)
		fmt.Fprint(buf, "\r\n")
		defer buf.Flush()
		out = buf
	} else {
		if !f.noLength {
			w.Header().Set("Content-Length", strconv.FormatInt(to-from+f.total, 10))
		}
		w.WriteHeader(status)
	}
	flush := func() {
		if fl, ok := w.(http.Flusher); ok && !f.closing {
			fl.Flush()
		}
	}
	block := int64(64 << 10)
	for at := from; at < to; {
		n := min(block, to-at)
		if cut > 0 {
			n = min(n, cut-(at-from))
		}
		if n <= 0 {
			flush()
			if f.closing {
				return
			}
			panic(http.ErrAbortHandler)
		}
		if f.pause != nil && at-from >= (to-from)/2 {
			flush()
			select {
			case f.reached <- struct{}{}:
			default:
			}
			select {
			case <-f.pause:
			case <-r.Context().Done():
				return
			}
		}
		if _, err := out.Write(f.at(at, n)); err != nil {
			return
		}
		at += n
	}
}

// at are n bytes of the file from an offset on.
func (f *file) at(offset, n int64) []byte {
	if f.size == 0 {
		return f.data[offset : offset+n]
	}
	if from := offset % int64(len(f.data)); from+n <= int64(len(f.data)) {
		return f.data[from : from+n]
	}
	out := make([]byte, 0, n)
	for int64(len(out)) < n {
		from := (offset + int64(len(out))) % int64(len(f.data))
		out = append(out, f.data[from:min(int64(len(f.data)), from+n-int64(len(out)))]...)
	}
	return out
}

// wav is a sound of so many bytes.
func wav(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{3}).Read(b)
	copy(b, "RIFF\x00\x00\x00\x00WAVEfmt ")
	return b
}

func sumOf(b []byte) []byte {
	s := sha256.Sum256(b)
	return s[:]
}

func TestAllowed(t *testing.T) {
	t.Parallel()
	hosts := []string{"files.example.com", "*.callrail.com", "pbx.example:8443"}
	for raw, want := range map[string]bool{
		"https://files.example.com/x": true, "http://FILES.example.com./x": true, "https://files.example.com:443/x": true, "https://files.example.com:8080/x": false,
		"https://app.callrail.com/x": true, "https://a.b.callrail.com/x": true, "https://callrail.com/x": false, "https://evilcallrail.com/x": false,
		"https://app.callrail.com.evil.example/x": false, "https://files.example.com@evil.example/x": false, "https://pbx.example:8443/x": true, "https://pbx.example/x": false,
		"ftp://files.example.com/x": false, "https://evil.example/files.example.com": false, "https:///x": false, "https://evil.example#files.example.com": false,
		"https://files.example.com%00.evil.example/": false, "https://169.254.169.254/latest": false,
	} {
		u, err := url.Parse(raw)
		if err != nil {
			require.False(t, want, raw)
			continue
		}
		require.Equal(t, want, allowed(u, hosts), raw)
	}
	require.False(t, allowed(&url.URL{Scheme: "https", Host: "x"}, nil))
}

func TestParseHost(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{" Files.Example.COM ": "files.example.com", "*.example.com": "*.example.com", "pbx.example:8443": "pbx.example:8443", "10.0.0.5:8080": "10.0.0.5:8080", "[::1]:80": "[::1]:80"} {
		got, err := ParseHost(in)
		require.NoError(t, err, in)
		require.Equal(t, want, got)
	}
	for _, in := range []string{"", "*", "*.com", "*.", "https://x.example", "x.example/path", "x.example:port", "x example", "müller.example", "a@b.example", strings.Repeat("a", 300)} {
		_, err := ParseHost(in)
		require.Error(t, err, in)
	}
}

func TestTypeOf(t *testing.T) {
	t.Parallel()
	html := []byte("\n<!DOCTYPE html><html><body>Please log in")
	for _, tc := range []struct {
		head      []byte
		sent, say string
		want      string
	}{
		{wav(600), "application/octet-stream", "", "audio/wav"},
		{[]byte("ID3\x04rest"), "text/html", "", "audio/mpeg"},
		{[]byte{0xff, 0xfb, 0x90, 0x64}, "", "", "audio/mpeg"},
		{[]byte{0xff, 0xf1, 0x50, 0x80}, "", "", "audio/aac"},
		{[]byte("OggS\x00"), "", "", "audio/ogg"},
		{[]byte("\x00\x00\x00\x20ftypM4A "), "", "", "audio/mp4"},
		{bytes.Repeat([]byte{0x12, 0x99, 0x03}, 200), "audio/x-wav; codec=1", "", "audio/wav"},
		{bytes.Repeat([]byte{0x12, 0x99, 0x03}, 200), "", "audio/mpeg", "audio/mpeg"},
		{bytes.Repeat([]byte{0x12, 0x99, 0x03}, 200), "application/x-evil", "", octets},
		{html, "audio/mpeg", "", ""}, {html, "text/html; charset=utf-8", "", ""},
		{[]byte(`{"error": "not found"}`), "audio/mpeg", "", ""},
		{bytes.Repeat([]byte{0x12, 0x99, 0x03}, 200), "application/problem+json", "", ""},
		{bytes.Repeat([]byte{0x12, 0x99, 0x03}, 200), "image/svg+xml", "", ""},
	} {
		got, ok := typeOf(tc.head, tc.sent, tc.say)
		require.Equal(t, tc.want, got, "%q %s", tc.head[:min(len(tc.head), 20)], tc.sent)
		require.Equal(t, tc.want != "", ok)
	}
}
