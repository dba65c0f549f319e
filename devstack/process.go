//go:build unix

package devstack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/callsync/callsync/internal/child"
)

// program is one part of the stack that runs as a process of its own and may be killed and started again.
type program struct {
	name string
	path string
	args []string
	env  []string
	// log is the file its output is appended to; echo receives it too, where it is not nil.
	log  string
	echo io.Writer
	// readyURL answers 200 when the program works. Where it is empty the program prints a line that begins with READY.
	readyURL string
	// died is told when the program ends without being asked.
	died func(error)

	mu      sync.Mutex
	process *child.Process
	// asked marks a process whose end is wanted.
	asked *bool
}

// readyTimeout is how long a program may take to start. A machine that builds at the same time is slow.
const readyTimeout = 2 * time.Minute

// start starts the program and returns when it works.
func (p *program) start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process != nil {
		return fmt.Errorf("devstack: %s runs already", p.name)
	}
	file, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	out := &output{file: file, echo: p.echo, ready: make(chan struct{})}
	cmd := exec.Command(p.path, p.args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env, out, out
	process, err := child.Start(cmd, syscall.SIGKILL)
	if err != nil {
		file.Close()
		return fmt.Errorf("devstack: start %s: %w", p.name, err)
	}
	asked := new(bool)
	p.process, p.asked = process, asked
	go func() {
		<-process.Done()
		file.Close()
		p.mu.Lock()
		unasked := !*asked
		if p.process == process {
			p.process = nil
		}
		p.mu.Unlock()
		if unasked && p.died != nil {
			p.died(fmt.Errorf("%s ended without being asked (%v); its log is %s", p.name, process.Err(), p.log))
		}
	}()
	if err := p.await(ctx, process, out.ready); err != nil {
		*asked = true
		process.Kill()
		p.process = nil
		return fmt.Errorf("devstack: start %s: %w; its log is %s and ends with:\n%s", p.name, err, p.log, tail(p.log))
	}
	return nil
}

// tail is the end of a file.
func tail(name string) string {
	text, err := os.ReadFile(name)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-2000):])
}

// await returns when the process works.
func (p *program) await(ctx context.Context, process *child.Process, line <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if p.readyURL == "" {
		select {
		case <-line:
			return nil
		case <-process.Done():
			return fmt.Errorf("it ended: %v", process.Err())
		case <-ctx.Done():
			return fmt.Errorf("it is not ready: %w", ctx.Err())
		}
	}
	for {
		err := ask(ctx, p.readyURL)
		if err == nil {
			return nil
		}
		select {
		case <-process.Done():
			return fmt.Errorf("it ended: %v", process.Err())
		case <-ctx.Done():
			return fmt.Errorf("it is not ready: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func ask(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s: %s", url, resp.Status, bytes.TrimSpace(text))
	}
	return nil
}

// kill sends SIGKILL and returns when the process has ended. A program that does not run stays so.
func (p *program) kill() {
	if process := p.end(); process != nil {
		process.Kill()
	}
}

// stop asks the program to end and kills it if it does not.
func (p *program) stop() {
	if process := p.end(); process != nil {
		process.Stop(syscall.SIGTERM, 40*time.Second)
	}
}

// end takes the process out, as one whose end is wanted.
func (p *program) end() *child.Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	process := p.process
	if process != nil {
		*p.asked = true
		p.process = nil
	}
	return process
}

// run runs path to its end and returns what it printed as part of the error, if it fails.
func run(ctx context.Context, env []string, path string, args ...string) error {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = env
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("devstack: %s %v: %w\n%s", path, args, err, text)
	}
	return nil
}

// output writes what a program prints to its log, and sees the line that says it is ready.
type output struct {
	file  *os.File
	echo  io.Writer
	ready chan struct{}
	seen  bool
	// line is the beginning of the line that is being printed, as far as it matters.
	line []byte
}

var readyMark = []byte("READY ")

func (o *output) Write(b []byte) (int, error) {
	if !o.seen {
		o.look(b)
	}
	if o.echo != nil {
		_, _ = o.echo.Write(b)
	}
	if _, err := o.file.Write(b); err != nil && !errors.Is(err, os.ErrClosed) {
		return 0, err
	}
	return len(b), nil
}

func (o *output) look(b []byte) {
	for line := range bytes.Lines(b) {
		if len(o.line) < len(readyMark) {
			o.line = append(o.line, line[:min(len(line), len(readyMark))]...)
		}
		if bytes.HasPrefix(o.line, readyMark) {
			o.seen = true
			close(o.ready)
			return
		}
		if line[len(line)-1] == '\n' {
			o.line = o.line[:0]
		}
	}
}
