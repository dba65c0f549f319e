// Command callsync is the product: it receives the webhooks of phone systems and writes calls into CRMs.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/callsync/callsync/internal/config"
	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/internal/telemetry"
	"github.com/callsync/callsync/postgres"
)

const usage = `callsync brings every call of a phone system into the CRM, once.

Usage: callsync COMMAND

Commands:
  serve     receive webhooks, apply them, signal workflows; serve the API and the UI
  worker    run the workflows and deliver calls to CRMs
  migrate   bring the database's schema up to date
  send-test send test calls to a running callsync and tell what it understood; --help tells how
  mappings lint  tell what is wrong with mapping documents before they are in force; --help tells how
  user      list and add people, reset passwords; alone it tells how
  workspace list and add workspaces
  keygen    print a value for CALLSYNC_SECRET_KEYS
  version   print the version

All configuration comes from the environment: see docs/configuration.md.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "callsync:", err)
		if exit := (*exitError)(nil); errors.As(err, &exit) {
			os.Exit(exit.code)
		}
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 1 && args[0] == "send-test" {
		return runSendTest(ctx, args[1:], out)
	}
	if len(args) > 1 && args[0] == "mappings" && args[1] == "lint" {
		return runLint(ctx, args[2:], os.Stdin, out)
	}
	if len(args) > 0 && (args[0] == "user" || args[0] == "workspace") {
		return runAccess(ctx, args, os.Stdin, out)
	}
	if len(args) != 1 {
		fmt.Fprint(out, usage)
		return errors.New("name one command")
	}
	switch args[0] {
	case "serve":
		return serve(ctx)
	case "worker":
		return work(ctx)
	case "migrate":
		return migrate(ctx, out)
	case "send-test":
		return runSendTest(ctx, nil, out)
	case "keygen":
		_, err := fmt.Fprintln(out, secretbox.Generate("k1"))
		return err
	case "version":
		b := telemetry.Build()
		_, err := fmt.Fprintf(out, "callsync %s (%s, %s)\n", b.Version, b.Revision, b.Go)
		return err
	case "help", "-h", "--help":
		_, err := fmt.Fprint(out, usage)
		return err
	}
	fmt.Fprint(out, usage)
	return fmt.Errorf("there is no command %q", args[0])
}

func migrate(ctx context.Context, out io.Writer) error {
	cfg, err := config.Load(config.Migrate)
	if err != nil {
		return err
	}
	from, to, err := postgres.Migrate(ctx, cfg.Database.URL.Reveal())
	if err != nil {
		return err
	}
	if from == to {
		_, err = fmt.Fprintf(out, "the schema is up to date (version %d)\n", to)
	} else {
		_, err = fmt.Fprintf(out, "the schema went from version %d to %d\n", from, to)
	}
	return err
}
