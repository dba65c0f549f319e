package admin

import (
	"compress/gzip"
	"mime"
	"net/http"
	"strings"
	"sync"
)

// compressible are the kinds of answers that become much smaller. Streams of events are not among them: what is held back
// to be compressed is not there when it happens.
var compressible = map[string]bool{
	"text/html": true, "text/css": true, "text/javascript": true, "application/javascript": true, "application/json": true,
	"application/problem+json": true, "image/svg+xml": true, "text/csv": true, "application/yaml": true, "application/openapi+json": true,
}

// uncompressed are pages that show secrets, such as hook URLs. Whoever can have a browser ask for a page with a text of
// theirs in it, and sees how long the answer is, could guess a secret of that page letter by letter if it were compressed
// (BREACH).
var uncompressed = []string{"/sources", "/connections", "/settings", "/login", "/oauth", "/users", "/invitations", "/password", "/account", "/tokens", "/sessions", "/first", "/setup", "/start", "/alerts", "/recordings"}

// compressed answers with gzip those who take it.
func compressed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Accept-Encoding")
		if !takesGzip(r) || r.Method == http.MethodHead || r.Header.Get("Range") != "" || showsSecrets(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		z := &gzipWriter{ResponseWriter: w}
		next.ServeHTTP(z, r)
		// Not deferred: an answer that a panic has cut off must not look whole.
		z.close()
	})
}

func takesGzip(r *http.Request) bool {
	for _, one := range strings.Split(r.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(one), ";")
		if name == "gzip" && strings.ReplaceAll(weight, " ", "") != "q=0" {
			return true
		}
	}
	return false
}

func showsSecrets(path string) bool {
	path = strings.TrimPrefix(path, apiPrefix)
	for _, p := range uncompressed {
		if path == p || strings.HasPrefix(path, p+"/") {
			return true
		}
	}
	return false
}

var gzipWriters = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is one
	return z
}}

// gzipWriter compresses an answer if its kind is worth it, which its header tells when the first of it is written.
type gzipWriter struct {
	http.ResponseWriter
	zip     *gzip.Writer
	decided bool
}

// Unwrap is for http.ResponseController.
func (g *gzipWriter) Unwrap() http.ResponseWriter { return g.ResponseWriter }

func (g *gzipWriter) WriteHeader(status int) {
	if !g.decided && status >= 200 {
		g.decided = true
		head := g.Header()
		kind, _, _ := mime.ParseMediaType(head.Get("Content-Type"))
		if compressible[kind] && head.Get("Content-Encoding") == "" && status != http.StatusNoContent && status != http.StatusNotModified && status != http.StatusPartialContent {
			head.Del("Content-Length")
			head.Set("Content-Encoding", "gzip")
			g.zip = gzipWriters.Get().(*gzip.Writer)
			g.zip.Reset(g.ResponseWriter)
		}
	}
	g.ResponseWriter.WriteHeader(status)
}

func (g *gzipWriter) Write(b []byte) (int, error) {
	if !g.decided {
		g.WriteHeader(http.StatusOK)
	}
	if g.zip != nil {
		return g.zip.Write(b)
	}
	return g.ResponseWriter.Write(b)
}

// Flush sends what there is so far.
func (g *gzipWriter) Flush() { _ = g.FlushError() }

// FlushError is Flush for http.ResponseController.
func (g *gzipWriter) FlushError() error {
	if g.zip != nil {
		if err := g.zip.Flush(); err != nil {
			return err
		}
	}
	return http.NewResponseController(g.ResponseWriter).Flush()
}

func (g *gzipWriter) close() {
	if g.zip == nil {
		return
	}
	_ = g.zip.Close() // the reader is gone if this fails
	gzipWriters.Put(g.zip)
	g.zip = nil
}
