//go:build unix

package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
)

// Root is the folder of the callsync checkout around the working directory: the stack builds its programs from it.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && moduleLine.Match(text) {
			return dir, nil
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		return "", errors.New("devstack: run it inside a checkout of callsync: it builds its programs from there")
	}
}

var moduleLine = regexp.MustCompile(`(?m)^module github\.com/callsync/callsync\s*$`)

// BuildTemporal builds the embedded Temporal server into .devstack/bin of the checkout and returns its path. What is up to
// date is left alone. say receives a line for what takes long.
func BuildTemporal(ctx context.Context, say func(format string, args ...any)) (string, error) {
	return build(ctx, "devstack/temporal", ".", "callsync-temporal", func() {
		say("building the embedded Temporal server: the first time this takes about 4 minutes on 2 cores, later a second")
	})
}

// BuildCallsync builds the product as BuildTemporal builds the server.
func BuildCallsync(ctx context.Context, say func(format string, args ...any)) (string, error) {
	return build(ctx, ".", "./cmd/callsync", "callsync", func() { say("building callsync") })
}

// built are the programs that this process has built: even to find that nothing changed costs go build seconds.
var built struct {
	sync.Mutex
	paths map[string]string
}

// build builds a program in a folder of the checkout, once in a process; first is called if it was never built.
func build(ctx context.Context, folder, pkg, name string, first func()) (string, error) {
	built.Lock()
	defer built.Unlock()
	if path, ok := built.paths[name]; ok {
		return path, nil
	}
	path, err := buildNow(ctx, folder, pkg, name, first)
	if err == nil {
		if built.paths == nil {
			built.paths = map[string]string{}
		}
		built.paths[name] = path
	}
	return path, err
}

func buildNow(ctx context.Context, folder, pkg, name string, first func()) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(root, ".devstack", "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return "", err
	}
	// Several test binaries may build at once; the first does the work and the others find it done.
	lock, err := os.OpenFile(filepath.Join(bin, name+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	out := filepath.Join(bin, name)
	// Built beside and renamed, so that a program that runs from there is not disturbed. go build leaves a file alone that
	// is up to date, which is much faster than linking it again; a link is a copy that costs nothing, because go build
	// replaces files and does not write into them.
	draft := out + ".new"
	os.Remove(draft)
	if err := os.Link(out, draft); errors.Is(err, os.ErrNotExist) {
		first()
	} else if err != nil {
		return "", err
	}
	// Without the stamp of the commit, which would link it again after every commit.
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", draft, pkg)
	cmd.Dir = filepath.Join(root, folder)
	if text, err := cmd.CombinedOutput(); err != nil {
		os.Remove(draft)
		return "", fmt.Errorf("devstack: go build %s in %s: %w\n%s", pkg, cmd.Dir, err, text)
	}
	// A rename of two links to one file does nothing, and leaves both.
	defer os.Remove(draft)
	return out, os.Rename(draft, out)
}
