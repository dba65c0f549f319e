//go:build unix

package main

import (
	"context"
	"os"

	"github.com/callsync/callsync/devstack/bench"
)

// measure runs the bench: figures on standard output, what is being done on standard error. BENCH_QUICK=1 makes every
// step short, to see that it works.
func measure(ctx context.Context) error {
	return bench.Run(ctx, bench.Options{Quick: os.Getenv("BENCH_QUICK") != "", Only: os.Getenv("BENCH"), Out: os.Stdout, Log: os.Stderr})
}
