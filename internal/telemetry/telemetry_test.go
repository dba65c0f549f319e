package telemetry_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/internal/telemetry"
)

func TestLogger(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := telemetry.NewLogger(&out, slog.LevelInfo)
	log.Debug("not shown")
	log.With("hook_token", "s3cret").WithGroup("http").Info("hello",
		"Authorization", "Bearer s3cret", "api_key", "s3cret", "token_id", "t1", "idempotency_key", "k1",
		slog.Group("token", "password", "s3cret", "name", "n1"))
	require.NotContains(t, out.String(), "s3cret")
	require.NotContains(t, out.String(), "not shown")
	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line), "one JSON object a line")
	require.Equal(t, "redacted", line["hook_token"])
	http := line["http"].(map[string]any)
	require.Equal(t, "t1", http["token_id"])
	require.Equal(t, "k1", http["idempotency_key"])
	require.Equal(t, "n1", http["token"].(map[string]any)["name"])
}

func TestMetricsHandler(t *testing.T) {
	t.Parallel()
	reg := telemetry.NewRegistry()
	w := httptest.NewRecorder()
	telemetry.MetricsHandler(reg).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	require.Equal(t, http.StatusOK, w.Code)
	for _, name := range []string{"callsync_build_info{", "go_goroutines", "process_open_fds"} {
		require.Contains(t, w.Body.String(), name)
	}
	require.NotEmpty(t, telemetry.Build().Go)
	require.NotEmpty(t, telemetry.Build().Version)
}

func TestHTTPMetrics(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /hooks/{provider}/{token}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, "data: x\n\n")
	})
	mux.HandleFunc("GET /copy", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, strings.NewReader("x")) })
	mux.HandleFunc("GET /silent", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /hints", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "no")
	})
	mux.HandleFunc("POST /panic", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	srv := httptest.NewServer(telemetry.NewHTTPMetrics(reg).Wrap(mux))
	defer srv.Close()

	send := func(method, path string) {
		req, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, nil)
		require.NoError(t, err)
		if res, err := srv.Client().Do(req); err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
	}
	send("POST", "/hooks/callrail/cs_secret1")
	send("POST", "/hooks/callrail/cs_secret2")
	send("GET", "/events")
	send("GET", "/copy")
	send("GET", "/silent")
	send("GET", "/hints")
	send("BREW", "/nothing/here")
	// A panic is counted and still reaches net/http, which cuts the connection; clients do not repeat a POST.
	send("POST", "/panic")
	srv.Close()

	require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP callsync_http_requests_total HTTP requests answered, by route, method and status.
# TYPE callsync_http_requests_total counter
callsync_http_requests_total{method="GET",route="/copy",status="200"} 1
callsync_http_requests_total{method="GET",route="/events",status="200"} 1
callsync_http_requests_total{method="GET",route="/hints",status="404"} 1
callsync_http_requests_total{method="POST",route="/panic",status="500"} 1
callsync_http_requests_total{method="GET",route="/silent",status="200"} 1
callsync_http_requests_total{method="POST",route="/hooks/{provider}/{token}",status="202"} 2
callsync_http_requests_total{method="other",route="unmatched",status="404"} 1
# HELP callsync_http_requests_in_flight HTTP requests being served.
# TYPE callsync_http_requests_in_flight gauge
callsync_http_requests_in_flight 0
`), "callsync_http_requests_total", "callsync_http_requests_in_flight"))
}
