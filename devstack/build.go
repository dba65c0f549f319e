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
	"syscall"
	"time"
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

// Binaries are the programs the stack runs as processes of their own.
type Binaries struct{ Callsync, Temporal string }

// Build builds the programs into .devstack/bin of the checkout; what is up to date is left alone. say receives a line for
// what may take long.
func Build(ctx context.Context, say func(format string, args ...any)) (Binaries, error) {
	root, err := Root()
	if err != nil {
		return Binaries{}, err
	}
	bin := filepath.Join(root, ".devstack", "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return Binaries{}, err
	}
	// Several test binaries may build at once; the first does the work and the others find it done.
	lock, err := os.OpenFile(filepath.Join(bin, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return Binaries{}, err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return Binaries{}, err
	}
	b := Binaries{Callsync: filepath.Join(bin, "callsync"), Temporal: filepath.Join(bin, "callsync-temporal")}
	if _, err := os.Stat(b.Temporal); errors.Is(err, os.ErrNotExist) {
		say("building the embedded Temporal server: the first time this takes about 4 minutes on 2 cores, later a second")
	}
	if err := build(ctx, filepath.Join(root, "devstack", "temporal"), ".", b.Temporal); err != nil {
		return Binaries{}, err
	}
	if _, err := os.Stat(b.Callsync); errors.Is(err, os.ErrNotExist) {
		say("building callsync")
	}
	return b, build(ctx, root, "./cmd/callsync", b.Callsync)
}

func build(ctx context.Context, dir, pkg, out string) error {
	began := time.Now()
	// Without the stamp of the commit, which would link it again after every commit. Built beside and renamed, so that a program that runs from there is not disturbed.
	draft := out + ".new"
	if _, err := os.Stat(out); err == nil {
		// go build leaves a file alone that is up to date, which is much faster than linking it again. A link is a copy
		// that costs nothing: go build replaces files, it does not write into them.
		os.Remove(draft)
		if err := os.Link(out, draft); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", draft, pkg)
	cmd.Dir = dir
	if text, err := cmd.CombinedOutput(); err != nil {
		os.Remove(draft)
		return fmt.Errorf("devstack: go build %s in %s, after %s: %w\n%s", pkg, dir, time.Since(began).Round(time.Second), err, text)
	}
	return os.Rename(draft, out)
}
