//go:build unix

// Package pglocal runs a private PostgreSQL server out of a folder, for the devstack and for tests: on a free port of
// the loopback interface, with a random password, as an unprivileged user where the caller is root.
package pglocal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/callsync/callsync/internal/child"
)

// User is the superuser of a private server.
const User = "callsync"

// Options say how a server runs.
type Options struct {
	// Dir is the server's own folder; it is made where it does not exist, and its data are used again where it does.
	Dir string
	// Fsync makes commits durable. Tests leave it off.
	Fsync bool
	// MaxConnections is 200 where it is zero.
	MaxConnections int
	// SharedBuffers is a size as PostgreSQL writes it; empty means 128MB.
	SharedBuffers string
}

// Server is a running private PostgreSQL.
type Server struct {
	// Dir is where the server's files are: Options.Dir, or a folder under /var/tmp where Options.Dir cannot be reached
	// by the unprivileged user.
	Dir string
	// Version is the major version.
	Version int

	opts     Options
	inst     install
	account  *account
	password string
	port     int
	lock     *os.File
	proc     *child.Process
}

// ErrInUse is wrapped by the error of a Start on a folder whose server another process runs.
var ErrInUse = errors.New("the folder is in use by another process")

// Start starts a server in o.Dir and returns when it answers. A server left behind there by a killed parent is stopped
// first. Without PostgreSQL on the machine the error wraps ErrNotInstalled and says how to install it.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.MaxConnections == 0 {
		o.MaxConnections = 200
	}
	if o.SharedBuffers == "" {
		o.SharedBuffers = "128MB"
	}
	who, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := prepareDir(o.Dir, who)
	if err != nil {
		return nil, fmt.Errorf("pglocal: %w", err)
	}
	s := &Server{Dir: dir, opts: o, account: who}
	if s.lock, err = lockDir(dir); err != nil {
		return nil, fmt.Errorf("pglocal: %s: %w", dir, err)
	}
	if err := s.start(ctx); err != nil {
		s.lock.Close()
		return nil, fmt.Errorf("pglocal: %w", err)
	}
	return s, nil
}

func (s *Server) start(ctx context.Context) error {
	major := 0
	if text, err := os.ReadFile(filepath.Join(s.data(), "PG_VERSION")); err == nil {
		if major, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
			return fmt.Errorf("read %s/PG_VERSION: %w", s.data(), err)
		}
	}
	var err error
	if s.inst, err = find(major); err != nil {
		return err
	}
	s.Version = s.inst.major
	// The password is written after initdb has finished, so that its absence marks data to be made anew.
	password, err := os.ReadFile(s.passwordFile())
	switch {
	case err == nil:
		s.password = strings.TrimSpace(string(password))
	case errors.Is(err, os.ErrNotExist):
		if err := s.initdb(ctx); err != nil {
			return err
		}
	default:
		return err
	}
	if err := stopOrphan(s.data()); err != nil {
		return err
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := s.launch(ctx)
		if !errors.Is(err, errTryAgain) || time.Now().After(deadline) || ctx.Err() != nil {
			return err
		}
	}
}

func (s *Server) data() string         { return filepath.Join(s.Dir, "data") }
func (s *Server) passwordFile() string { return filepath.Join(s.Dir, "password") }

// LogFile is where the server writes its log.
func (s *Server) LogFile() string { return filepath.Join(s.Dir, "postgres.log") }

// initdb makes the data folder.
func (s *Server) initdb(ctx context.Context) error {
	if err := os.RemoveAll(s.data()); err != nil {
		return err
	}
	s.password = rand.Text()
	draft := s.passwordFile() + ".new"
	if err := os.WriteFile(draft, []byte(s.password+"\n"), 0o600); err != nil {
		return err
	}
	if err := s.account.own(draft); err != nil {
		return err
	}
	args := []string{"-D", s.data(), "-U", User, "--pwfile=" + draft, "--auth=scram-sha-256", "-E", "UTF8", "--locale=C"}
	if !s.opts.Fsync {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, filepath.Join(s.inst.bin, "initdb"), args...)
	s.prepare(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return os.Rename(draft, s.passwordFile())
}

// prepare makes cmd run as the unprivileged user in the server's folder.
func (s *Server) prepare(cmd *exec.Cmd) {
	cmd.Dir = s.Dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.account.credential()}
}

// errTryAgain is wrapped where the server could not start for a reason that passes.
var errTryAgain = errors.New("try again")

// launch starts the server on a free port and waits until it answers.
func (s *Server) launch(ctx context.Context) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	s.port = port
	settings := []string{
		"listen_addresses=127.0.0.1", "port=" + strconv.Itoa(port), "unix_socket_directories=",
		"max_connections=" + strconv.Itoa(s.opts.MaxConnections), "shared_buffers=" + s.opts.SharedBuffers,
		"logging_collector=off", "timezone=UTC", "log_timezone=UTC",
		// A cluster without replicas needs no more in its log.
		"wal_level=minimal", "max_wal_senders=0", "max_wal_size=2GB",
	}
	if !s.opts.Fsync {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off")
	}
	args := []string{"-D", s.data()}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	log, err := os.OpenFile(s.LogFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	from, err := log.Seek(0, 2)
	if err != nil {
		return err
	}
	cmd := exec.Command(filepath.Join(s.inst.bin, "postgres"), args...)
	s.prepare(cmd)
	cmd.Stdout, cmd.Stderr = log, log
	// SIGINT is PostgreSQL's fast stop: sessions are cut, nothing is lost.
	if s.proc, err = child.Start(cmd, syscall.SIGINT); err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	if err := s.await(ctx, from); err != nil {
		s.proc.Stop(syscall.SIGINT, 10*time.Second)
		return err
	}
	return nil
}

// await returns when the server answers. Crash recovery after a SIGKILL may take it a while.
func (s *Server) await(ctx context.Context, logFrom int64) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-s.proc.Done():
			text := readFrom(s.LogFile(), logFrom)
			err := fmt.Errorf("postgres ended at its start (%v); its log says:\n%s", s.proc.Err(), text)
			// Another process took the port between our look and the server's bind, or sessions of a killed server are
			// still ending.
			if strings.Contains(text, "could not bind") || strings.Contains(text, "is still in use") {
				err = fmt.Errorf("%w: %w", errTryAgain, err)
			}
			return err
		case <-ctx.Done():
			return fmt.Errorf("postgres did not answer: %w; its log is %s", err, s.LogFile())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// URL is the connection string of a database of the server, as its superuser.
func (s *Server) URL(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(User, s.password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), Path: "/" + database, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// CreateDatabase makes a database where it does not exist.
func (s *Server) CreateDatabase(ctx context.Context, name string) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return fmt.Errorf("pglocal: create database: %w", err)
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "create database "+pgx.Identifier{name}.Sanitize())
	const duplicateDatabase = "42P04"
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == duplicateDatabase {
		return nil
	}
	return err
}

// Pid is the process id of the server.
func (s *Server) Pid() int { return s.proc.Pid() }

// Done is closed when the server has ended, by Stop or by itself.
func (s *Server) Done() <-chan struct{} { return s.proc.Done() }

// Stop ends the server: sessions are cut, the data are written. Calling it again is harmless.
func (s *Server) Stop() error {
	defer s.lock.Close()
	if !s.proc.Stop(syscall.SIGINT, 30*time.Second) {
		return fmt.Errorf("pglocal: postgres did not stop in 30 s and was killed; its log is %s", s.LogFile())
	}
	return nil
}

// Discard ends the server without writing its data, and removes its folder.
func (s *Server) Discard() error {
	defer s.lock.Close()
	// SIGQUIT is PostgreSQL's immediate stop.
	s.proc.Stop(syscall.SIGQUIT, 10*time.Second)
	return os.RemoveAll(s.Dir)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func readFrom(name string, offset int64) string {
	text, err := os.ReadFile(name)
	if err != nil || int64(len(text)) < offset {
		return ""
	}
	return string(text[offset:])
}
