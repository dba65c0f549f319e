//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/callsync/callsync/devstack"
)

// demo plays the script on a stack of its own that leaves nothing, unless something is to be looked at.
func demo(ctx context.Context, began time.Time) error {
	crms := devstack.NewDemoCRMs()
	o := devstack.DemoOptions(crms)
	o.Out = os.Stdout
	s, err := devstack.Start(ctx, o)
	if err != nil {
		return err
	}
	fmt.Printf("the stack is up after %s; callsync waits for late recordings for %s here (20 minutes by default)\n", time.Since(began).Round(100*time.Millisecond), o.Window)
	err = devstack.Demo(ctx, s, crms, os.Stdout)
	if err != nil && ctx.Err() == nil {
		s.KeepFiles()
	}
	if closed := s.Close(); err == nil {
		err = closed
	}
	if err == nil {
		fmt.Printf("the demo took %s\n", time.Since(began).Round(100*time.Millisecond))
	}
	return err
}
