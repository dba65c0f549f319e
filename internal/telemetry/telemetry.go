// Package telemetry is what operators see of a process: JSON logs, Prometheus metrics, and which build it is.
package telemetry

import (
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Version is the release, set by the linker (-X github.com/callsync/callsync/internal/telemetry.Version=v1.2.3); empty in
// builds that are no release.
var Version string

// BuildInfo names a build.
type BuildInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision"`
	Go       string `json:"go"`
}

// Build is the running build. What is not known (a build outside of a checkout) is "unknown".
func Build() BuildInfo {
	out := BuildInfo{Version: Version, Revision: "unknown", Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if ok && out.Version == "" && info.Main.Version != "" && info.Main.Version != "(devel)" {
		out.Version = info.Main.Version
	}
	if ok {
		dirty := ""
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision" && s.Value != "":
				out.Revision = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				dirty = "+dirty"
			}
		}
		out.Revision += dirty
	}
	if out.Version == "" {
		out.Version = "unknown"
	}
	return out
}

// NewLogger writes one JSON object a line to w. As a second line of defence, values whose name says that they are secret
// are cut, wherever they stand.
func NewLogger(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: cutSecrets}))
}

func cutSecrets(_ []string, a slog.Attr) slog.Attr {
	if secretName(a.Key) && a.Value.Kind() != slog.KindGroup {
		return slog.String(a.Key, "redacted")
	}
	return a
}

// secretName tells whether an attribute's last word is that of a secret: "token", "api_key", "Authorization"; but not
// "token_id", "secret_count" or "idempotency_key".
func secretName(key string) bool {
	key = strings.ToLower(key)
	switch key {
	case "authorization", "cookie", "set-cookie", "api_key", "apikey", "signing_key":
		return true
	}
	last := key[strings.LastIndexAny(key, "_-. ")+1:]
	switch last {
	case "password", "passwd", "secret", "secrets", "token":
		return true
	}
	return false
}

// NewRegistry is the registry that all metrics of a process go into, with those of the Go runtime, the process and the
// build.
func NewRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	b := Build()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "callsync_build_info",
		Help:        "Always 1; its labels name the running build.",
		ConstLabels: prometheus.Labels{"version": b.Version, "revision": b.Revision, "go": b.Go},
	})
	info.Set(1)
	reg.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}

// MetricsHandler serves reg to Prometheus. A collector that fails costs its own metrics, not the whole answer.
func MetricsHandler(reg *prometheus.Registry) http.Handler {
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{Registry: reg, ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4})
}
