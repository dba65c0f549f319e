package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/callsync/callsync/activities/budget"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/internal/config"
	"github.com/callsync/callsync/internal/httpx"
	"github.com/callsync/callsync/internal/telemetry"
	"github.com/callsync/callsync/internal/temporalx"
	"github.com/callsync/callsync/postgres"
	"github.com/callsync/callsync/records"
)

// process is what serve and worker share.
type process struct {
	cfg     config.Config
	log     *slog.Logger
	metrics *prometheus.Registry
	db      *postgres.DB
}

// start reads the configuration, and opens the database, which must have the schema of this binary.
func start(ctx context.Context, role config.Role) (*process, error) {
	cfg, err := config.Load(role)
	if err != nil {
		return nil, err
	}
	p := &process{cfg: cfg, log: telemetry.NewLogger(os.Stderr, cfg.Process.LogLevel), metrics: telemetry.NewRegistry()}
	build := telemetry.Build()
	p.log.Info("starting", "role", string(role), "version", build.Version, "revision", build.Revision, "configuration", cfg)
	for _, w := range cfg.Warnings() {
		p.log.Warn(w)
	}
	keys, err := cfg.Secrets.Keyset()
	if err != nil {
		return nil, err
	}
	p.db, err = postgres.Open(ctx, cfg.Database.URL.Reveal(), keys,
		postgres.Options{MaxConns: cfg.Database.MaxConns, ApplicationName: "callsync " + string(role)})
	if err != nil {
		return nil, err
	}
	if err := p.db.CheckSchema(ctx); err != nil {
		p.db.Close()
		return nil, err
	}
	return p, nil
}

// temporal is how to connect to Temporal.
func (p *process) temporal() (temporalx.Options, error) {
	tls, err := p.cfg.Temporal.TLSConfig()
	if err != nil {
		return temporalx.Options{}, err
	}
	return temporalx.Options{
		Address: p.cfg.Temporal.Address, Namespace: p.cfg.Temporal.Namespace, APIKey: p.cfg.Temporal.APIKey.Reveal(),
		TLS: tls, Logger: p.log, Metrics: temporalx.NewMetricsHandler(p.metrics),
	}, nil
}

// transport carries the requests to CRMs, within the budgets of their connections.
func (p *process) transport(kinds connectors.Registry, budgets *budget.Budgets) func(records.Connection) http.RoundTripper {
	shared := p.network()
	return func(c records.Connection) http.RoundTripper {
		kind, ok := kinds[c.Connector]
		if !ok {
			return shared
		}
		return budgets.Transport(kind.Info(), c, shared)
	}
}

// network reaches the servers outside.
func (p *process) network() http.RoundTripper {
	return httpx.NewTransport(httpx.TransportOptions{AllowPrivate: p.cfg.HTTP.AllowPrivateHosts})
}

// operations adds what operators ask for: liveness, readiness and metrics.
func (p *process) operations(mux *http.ServeMux, ready func(context.Context) error) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if err := ready(ctx); err != nil {
			p.log.Warn("not ready", "error", err)
			http.Error(w, "not ready: "+publicReason(err), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	mux.Handle("GET /metrics", telemetry.MetricsHandler(p.metrics))
}

// Why a process is not ready, other than for want of PostgreSQL.
var (
	errStarting = errors.New("waiting for Temporal")
	errStopping = errors.New("stopping")
)

func publicReason(err error) string {
	if errors.Is(err, errStarting) || errors.Is(err, errStopping) {
		return err.Error()
	}
	return "PostgreSQL does not answer"
}

// listen serves h on addr until the context of the returned stop ends what is under way.
func (p *process) listen(addr string, server *http.Server, failed chan<- error) (stop func(context.Context) error, err error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	p.log.Info("listening", "addr", l.Addr().String())
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("serve %s: %w", addr, err)
		}
	}()
	return server.Shutdown, nil
}

// stopSoon ends a server whose answers nobody depends on, however slowly they are read.
func stopSoon(stop func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = stop(ctx)
}
