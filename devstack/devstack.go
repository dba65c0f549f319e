//go:build unix

// Package devstack runs the whole of callsync on one machine for newcomers, demos, benches and end-to-end tests: a
// private PostgreSQL, the embedded Temporal server, callsync serve and callsync worker as processes that may be killed
// and started again, and a fake CRM beside them. Everything is real but the phone system and the CRM.
package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors/hubspot"
	"github.com/callsync/callsync/connectors/hubspot/hubspotfake"
	"github.com/callsync/callsync/connectors/webhook"
	"github.com/callsync/callsync/devstack/phone"
	"github.com/callsync/callsync/internal/pglocal"
)

// Options say what stack to run. The zero value is a stack in a temporary folder on free ports that leaves nothing.
type Options struct {
	// Dir keeps what the stack knows over restarts. Empty means a temporary folder that Close removes.
	Dir string
	// HTTPAddr is where callsync serves; empty means a free port of 127.0.0.1.
	HTTPAddr string
	// AdminToken is the API token; empty means a random one, kept in Dir.
	AdminToken string
	// DatabaseURL is the database to use; empty means a private server in Dir.
	DatabaseURL string
	// Window is how long the demo source waits for what comes late, and Quiet how long a burst of changes is gathered.
	// Stale is when a call that never ended is given up. Zero means 20 minutes, 5 seconds and 4 hours, the product's own.
	Window, Quiet, Stale time.Duration
	// NoFsync trades the durability of the private server for speed. Never for what is measured, nor for what is kept.
	NoFsync bool
	// Env is added to the environment of callsync serve and worker, as NAME=value.
	Env []string
	// CRM is the fake CRM; the zero value is none. Also is another one beside it.
	CRM, Also CRM
	// More are further ones, one of each connector at most.
	More []CRM
	// Phones are the kinds of phone systems that get a source beside the demo's CallRail.
	Phones []string
	// Out receives a line for each step; nil means none.
	Out io.Writer
	// Echo receives what the processes log, beside their files; nil means none.
	Echo io.Writer
}

// CRM is a fake CRM that a stack serves and connects callsync to.
type CRM struct {
	// Connector is the id of the connector that writes to it.
	Connector string
	Handler   http.Handler
	// Config and Secrets are the connection's settings beside base_url.
	Config, Secrets map[string]string
}

// Webhook is a receiver of signed webhooks as a stack's CRM. It must check signatures with secret.
func Webhook(receiver http.Handler, secret string) CRM {
	return CRM{Connector: webhook.ID, Handler: receiver, Secrets: map[string]string{"signing_secret": secret}}
}

// unlimited is a setting for budgets that nothing here can use up.
const unlimited = "100000000"

// HubSpot is a fake HubSpot account as a stack's CRM. The fake must accept its default token.
func HubSpot(fake *hubspotfake.Fake) CRM {
	return CRM{Connector: hubspot.ID, Handler: fake, Secrets: map[string]string{"access_token": "pat-fake"},
		// As much as it likes: a fake that limits says so by itself, and a demo should not wait for an account's budget.
		Config: map[string]string{"requests_per_10s": unlimited, "searches_per_second": unlimited, "requests_per_day": unlimited}}
}

// Stack is a running stack.
type Stack struct {
	// URL is where callsync serves hooks, API and UI.
	URL string
	// HookURL is the demo source's, without an event at its end; SigningKey signs its requests.
	HookURL    string
	SigningKey string
	// SourceID and ConnectionID are the demo's; AlsoID is the connection to the other CRM.
	SourceID, ConnectionID, AlsoID string
	// CRMURL is where the fake CRM serves, AlsoURL where the other one does, MoreURLs where the further ones do, by connector.
	CRMURL, AlsoURL string
	MoreURLs        map[string]string
	// Lines lead from the demo phone to its sources: CallRail's, and those of Options.Phones, in this order.
	Lines []phone.Line
	// DatabaseURL is callsync's database, TemporalAddress and TemporalNamespace its Temporal.
	DatabaseURL       string
	TemporalAddress   string
	TemporalNamespace string
	// AdminToken is the API's; AdminEmail and AdminPassword open the UI.
	AdminToken, AdminEmail, AdminPassword string
	// API speaks to callsync with AdminToken.
	API *Client
	// Dir holds everything, Logs the log files.
	Dir, Logs string

	opts      Options
	state     *state
	temporary bool
	postgres  *pglocal.Server
	temporal  *program
	serve     *program
	worker    *program
	crms      []*http.Server
	died      chan error
}

// AdminEmail is the login of a stack's UI.
const AdminEmail = "demo@callsync.example"

const temporalNamespace = "callsync"

// Start builds what is to be built, starts all parts and connects them. On an error nothing of it is left running.
func Start(ctx context.Context, o Options) (*Stack, error) {
	s := &Stack{opts: o, died: make(chan error, 8), TemporalNamespace: temporalNamespace, AdminEmail: AdminEmail}
	if err := s.start(ctx); err != nil {
		// What failed is more telling than what then cannot be closed.
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Stack) start(ctx context.Context) error {
	if err := s.prepareDir(); err != nil {
		return err
	}
	temporal, err := BuildTemporal(ctx, s.say)
	if err != nil {
		return err
	}
	callsync, err := BuildCallsync(ctx, s.say)
	if err != nil {
		return err
	}
	if err := s.startPostgres(ctx); err != nil {
		return err
	}
	if err := s.startTemporal(ctx, temporal); err != nil {
		return err
	}
	if err := s.startCRM(); err != nil {
		return err
	}
	if err := s.startCallsync(ctx, callsync); err != nil {
		return err
	}
	if err := s.setUp(ctx); err != nil {
		return fmt.Errorf("devstack: set up the demo: %w; the logs are in %s", err, s.Logs)
	}
	return s.state.save(s.Dir)
}

func (s *Stack) say(format string, args ...any) {
	if s.opts.Out != nil {
		fmt.Fprintf(s.opts.Out, format+"\n", args...)
	}
}

// prepareDir makes the stack's folder and reads what it remembers.
func (s *Stack) prepareDir() error {
	s.Dir = s.opts.Dir
	if s.Dir == "" {
		// Stacks that were killed could not clean up. Their logs stay for whoever wants to know why.
		pglocal.RemoveAbandoned(filepath.Join(os.TempDir(), "callsync-devstack-*", "postgres"))
		dir, err := os.MkdirTemp("", "callsync-devstack-")
		if err != nil {
			return err
		}
		// The database's user must be able to pass.
		if err := os.Chmod(dir, 0o755); err != nil {
			return err
		}
		s.Dir, s.temporary = dir, true
	}
	var err error
	if s.Dir, err = filepath.Abs(s.Dir); err != nil {
		return err
	}
	s.Logs = filepath.Join(s.Dir, "logs")
	for _, dir := range []string{s.Dir, s.Logs} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if s.state, err = loadState(s.Dir); err != nil {
		return err
	}
	if s.opts.AdminToken != "" {
		s.state.AdminToken = s.opts.AdminToken
	}
	s.AdminToken, s.AdminPassword, s.SigningKey = s.state.AdminToken, s.state.AdminPassword, s.state.SigningKey
	return nil
}

// startPostgres starts the private server, unless another one is given.
func (s *Stack) startPostgres(ctx context.Context) error {
	if s.opts.DatabaseURL != "" {
		s.say("using the PostgreSQL of DATABASE_URL")
		s.DatabaseURL = s.opts.DatabaseURL
		return nil
	}
	s.say("starting a private PostgreSQL in %s", filepath.Join(s.Dir, "postgres"))
	var err error
	s.postgres, err = pglocal.Start(ctx, pglocal.Options{
		Dir: filepath.Join(s.Dir, "postgres"), Fsync: !s.opts.NoFsync, MaxConnections: 400, SharedBuffers: "256MB",
	})
	if err != nil {
		return err
	}
	const database = "callsync"
	if err := s.postgres.CreateDatabase(ctx, database); err != nil {
		return err
	}
	s.DatabaseURL = s.postgres.URL(database)
	return nil
}

// startTemporal starts the embedded Temporal server, which keeps its state in the same PostgreSQL.
func (s *Stack) startTemporal(ctx context.Context, path string) error {
	s.say("starting the embedded Temporal server")
	database := "temporal"
	if u, err := url.Parse(s.DatabaseURL); err == nil && strings.Trim(u.Path, "/") != "" {
		database = strings.Trim(u.Path, "/") + "_temporal"
	}
	for attempt := 1; ; attempt++ {
		port, err := freePort()
		if err != nil {
			return err
		}
		s.TemporalAddress = net.JoinHostPort("127.0.0.1", fmt.Sprint(port))
		s.temporal = s.program("temporal", path, "-port", fmt.Sprint(port), "-namespace", temporalNamespace, "-database", database)
		s.temporal.env = lazily(append(os.Environ(), "DATABASE_URL="+s.DatabaseURL))
		err = s.temporal.start(ctx)
		// Another process may take one of its ports between the look and the bind.
		if err == nil || attempt == 3 || ctx.Err() != nil {
			return err
		}
	}
}

// startCRM serves the fake CRMs, at the addresses of the last time where they are free.
func (s *Stack) startCRM() (err error) {
	if s.CRMURL, err = s.serveCRM(s.opts.CRM, &s.state.CRMAddr); err != nil {
		return err
	}
	if s.AlsoURL, err = s.serveCRM(s.opts.Also, &s.state.AlsoAddr); err != nil {
		return err
	}
	s.MoreURLs = map[string]string{}
	for _, crm := range s.opts.More {
		known := s.state.more(crm.Connector)
		if s.MoreURLs[crm.Connector], err = s.serveCRM(crm, &known.Addr); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stack) serveCRM(crm CRM, addr *string) (url string, err error) {
	if crm.Handler == nil {
		return "", nil
	}
	l, err := net.Listen("tcp", *addr)
	if *addr == "" || err != nil {
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return "", err
		}
	}
	*addr = l.Addr().String()
	server := &http.Server{Handler: crm.Handler, ReadHeaderTimeout: 10 * time.Second}
	s.crms = append(s.crms, server)
	go func() { _ = server.Serve(l) }()
	return "http://" + *addr, nil
}

// startCallsync migrates the database and starts both processes of the product.
func (s *Stack) startCallsync(ctx context.Context, path string) error {
	addr := s.opts.HTTPAddr
	if addr == "" {
		port, err := freePort()
		if err != nil {
			return err
		}
		addr = net.JoinHostPort("127.0.0.1", fmt.Sprint(port))
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("devstack: CALLSYNC_HTTP_ADDR: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	s.URL = "http://" + net.JoinHostPort(host, port)
	workerPort, err := freePort()
	if err != nil {
		return err
	}
	workerAddr := net.JoinHostPort("127.0.0.1", fmt.Sprint(workerPort))
	env := s.environment(map[string]string{
		"DATABASE_URL":                 s.DatabaseURL,
		"TEMPORAL_ADDRESS":             s.TemporalAddress,
		"TEMPORAL_NAMESPACE":           s.TemporalNamespace,
		"CALLSYNC_HTTP_ADDR":           addr,
		"CALLSYNC_PUBLIC_URL":          s.URL,
		"CALLSYNC_SECRET_KEYS":         s.state.SecretKeys,
		"CALLSYNC_ADMIN_TOKEN":         s.AdminToken,
		"CALLSYNC_ADMIN_EMAIL":         s.AdminEmail,
		"CALLSYNC_ADMIN_PASSWORD":      s.AdminPassword,
		"CALLSYNC_ALLOW_PRIVATE_HOSTS": "true",
		"CALLSYNC_SPOOL_DIR":           filepath.Join(s.Dir, "spool"),
		"CALLSYNC_BLOB_URL":            "file://" + filepath.ToSlash(filepath.Join(s.Dir, "recordings")),
	})
	if err := os.MkdirAll(filepath.Join(s.Dir, "spool"), 0o700); err != nil {
		return err
	}
	s.API = &Client{Base: s.URL, Token: s.AdminToken}
	s.say("migrating the database")
	if err := run(ctx, env, path, "migrate"); err != nil {
		return err
	}
	s.say("starting callsync serve and callsync worker")
	s.serve = s.program("serve", path, "serve")
	s.serve.env, s.serve.readyURL = env, s.URL+"/readyz"
	s.worker = s.program("worker", path, "worker")
	s.worker.env, s.worker.readyURL = append(env[:len(env):len(env)], "CALLSYNC_METRICS_ADDR="+workerAddr), "http://"+workerAddr+"/readyz"
	if err := s.StartServe(ctx); err != nil {
		return err
	}
	return s.StartWorker(ctx)
}

// environment is the surrounding one with set over it, except for what the caller gave in Options.Env. What the product
// would read from the surrounding one is left out: a stack is to run the same everywhere.
func (s *Stack) environment(set map[string]string) []string {
	set = maps.Clone(set)
	for _, entry := range s.opts.Env {
		name, value, _ := strings.Cut(entry, "=")
		set[name] = value
	}
	var env []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, "CALLSYNC_") && !strings.HasPrefix(name, "TEMPORAL_") && name != "DATABASE_URL" {
			env = append(env, entry)
		}
	}
	for name, value := range set {
		env = append(env, name+"="+value)
	}
	return lazily(env)
}

// lazily has the garbage collector wait for more where the environment does not say how long: all of the stack shares two
// cores or so, little stays in memory and much passes through it.
func lazily(env []string) []string {
	if os.Getenv("GOGC") != "" {
		return env
	}
	return append(env, "GOGC=400")
}

func (s *Stack) program(name, path string, args ...string) *program {
	return &program{
		name: name, path: path, args: args, log: filepath.Join(s.Logs, name+".log"), echo: s.opts.Echo,
		died: func(err error) {
			select {
			case s.died <- err:
			default:
			}
		},
	}
}

// Died receives an error when a process of the stack ends without being asked.
func (s *Stack) Died() <-chan error { return s.died }

// KillServe sends callsync serve a SIGKILL and returns when it is dead.
func (s *Stack) KillServe() { s.serve.kill() }

// StartServe starts callsync serve again and returns when it is ready.
func (s *Stack) StartServe(ctx context.Context) error { return s.serve.start(ctx) }

// StopServe asks callsync serve to end and returns when it has.
func (s *Stack) StopServe() { s.serve.stop() }

// KillWorker sends callsync worker a SIGKILL and returns when it is dead.
func (s *Stack) KillWorker() { s.worker.kill() }

// StartWorker starts callsync worker again and returns when it is ready.
func (s *Stack) StartWorker(ctx context.Context) error { return s.worker.start(ctx) }

// StopWorker asks callsync worker to end and returns when it has.
func (s *Stack) StopWorker() { s.worker.stop() }

// KillTemporal sends the Temporal server a SIGKILL and returns when it is dead.
func (s *Stack) KillTemporal() { s.temporal.kill() }

// StartTemporal starts the Temporal server again, on the same port and store, and returns when it is ready.
func (s *Stack) StartTemporal(ctx context.Context) error { return s.temporal.start(ctx) }

// KeepFiles makes Close leave a temporary folder, for whoever wants to know why something failed.
func (s *Stack) KeepFiles() { s.temporary = false }

// Close stops all parts in the order that loses nothing, and removes a temporary folder.
func (s *Stack) Close() error {
	for _, p := range []*program{s.serve, s.worker, s.temporal} {
		if p != nil {
			p.stop()
		}
	}
	var errs []error
	for _, crm := range s.crms {
		errs = append(errs, crm.Close())
	}
	if s.postgres != nil {
		stop := s.postgres.Stop
		if s.temporary {
			stop = s.postgres.Discard
		}
		errs = append(errs, stop())
	}
	if s.temporary {
		errs = append(errs, os.RemoveAll(s.Dir))
	}
	return errors.Join(errs...)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
