package ingest

import (
	"net/http"
	"time"
)

// NewServer makes an HTTP server that slow or greedy clients cannot hold up: limits on the time to send headers, on
// their size and on idle connections. Bodies have the limit of the receiver; the time to write an answer is left to the
// handlers, because the live board's stream never ends.
func NewServer(addr string, handler http.Handler) *http.Server {
	return &http.Server{
		Addr:              addr,
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
}
