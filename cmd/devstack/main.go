//go:build unix

// Command devstack runs the whole of callsync on one machine, with fake phone systems and fake CRMs: see the Makefile.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const usage = `devstack runs the whole of callsync on one machine, with fake phone systems and fake CRMs.

Usage: devstack COMMAND

Commands:
  run    until Ctrl-C; keeps its data in .devstack. The environment's CRM=salesforce,espocrm names the fake CRMs, which is
         hubspot by default
  demo   a fixed script of calls of every phone system, from nothing to a table of what reached the CRMs
  bench  figures, next to the floors of the same machine
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	began := time.Now()
	if err := command(ctx, os.Args[1:], began); err != nil && !errors.Is(err, context.Canceled) {
		stop()
		fmt.Fprintln(os.Stderr, "devstack:", err)
		os.Exit(1)
	}
	stop()
}

func command(ctx context.Context, args []string, began time.Time) error {
	name := ""
	if len(args) == 1 {
		name = args[0]
	}
	switch name {
	case "run":
		return run(ctx, began)
	case "demo":
		return demo(ctx, began)
	case "bench":
		return measure(ctx)
	}
	fmt.Fprint(os.Stderr, usage)
	return errors.New("name one command")
}
