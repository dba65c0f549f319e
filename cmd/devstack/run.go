//go:build unix

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/callsync/callsync/connectors/hubspot/hubspotfake"
	"github.com/callsync/callsync/devstack"
	"github.com/callsync/callsync/devstack/phone"
)

// The demo source of make run waits shorter than a real one, so that there is something to see.
const (
	window = time.Minute
	quiet  = 3 * time.Second
	stale  = 5 * time.Minute
)

// homeAddr is where callsync serves unless CALLSYNC_HTTP_ADDR says otherwise.
const homeAddr = "127.0.0.1:8080"

// run runs the stack with a phone that keeps calling, until ctx ends.
func run(ctx context.Context, began time.Time) (err error) {
	root, err := devstack.Root()
	if err != nil {
		return err
	}
	dir := filepath.Join(root, ".devstack", "run")
	fmt.Printf("callsync devstack: everything is kept in %s; remove that folder to start afresh\n", dir)
	fake := hubspotfake.New(hubspotfake.Options{})
	account := filepath.Join(dir, "crm.json")
	if err := fake.Load(account); err != nil {
		return err
	}
	known := fake.State(false).Counts.Calls
	o := devstack.Options{Dir: dir, Window: window, Quiet: quiet, Stale: stale, CRM: devstack.HubSpot(fake), Phones: phone.Providers, Out: os.Stdout, HTTPAddr: freeAddr(homeAddr)}
	surroundings(&o)
	s, err := devstack.Start(ctx, o)
	if err != nil {
		return err
	}
	defer func() {
		fmt.Println("stopping")
		if closed := s.Close(); err == nil {
			err = closed
		}
		if saved := fake.Save(account); err == nil {
			err = saved
		}
	}()
	welcome(s)

	ctx, stop := context.WithCancel(ctx)
	var background sync.WaitGroup
	defer background.Wait()
	defer stop()
	caller := phone.Phone{Lines: s.Lines, Window: window, Out: os.Stdout}
	background.Go(func() { caller.Run(ctx) })
	background.Go(func() { keep(ctx, fake, account) })
	background.Go(func() {
		if firstCall(ctx, fake, known) {
			fmt.Printf("the first call is in the CRM, %s after the start\n", time.Since(began).Round(100*time.Millisecond))
		}
	})
	select {
	case <-ctx.Done():
		return nil
	case died := <-s.Died():
		return died
	}
}

// surroundings takes over what the environment says about callsync.
func surroundings(o *devstack.Options) {
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		switch {
		case value == "":
		case name == "DATABASE_URL":
			o.DatabaseURL = value
		case name == "CALLSYNC_HTTP_ADDR":
			o.HTTPAddr = value
		case name == "CALLSYNC_ADMIN_TOKEN":
			o.AdminToken = value
		case strings.HasPrefix(name, "CALLSYNC_"):
			o.Env = append(o.Env, entry)
		}
	}
}

// freeAddr is addr where it is free, else "", which takes any port.
func freeAddr(addr string) string {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return ""
	}
	l.Close()
	return addr
}

// welcome says where everything is and how to send a call.
func welcome(s *devstack.Stack) {
	fmt.Printf(`
callsync is running.

  callsync   %[1]s    login %[2]s, password %[3]s
  API        %[1]s/api/v1    authorization: Bearer %[4]s
  fake CRM   %[5]s    a HubSpot account that keeps what it is sent
  logs       %[6]s

The demo phone calls a few times a minute, through each of six phone systems in turn. A call waits for its recording for %[7]s here (20 minutes by default).
Send one yourself (again and again: each is a new call):

  body='{"resource_id":"CAL'$(date +%%s)'","direction":"inbound","answered":true,"call_type":"answered","duration":"42","recording":"https://app.callrail.com/calls/x/recording","customer_name":"Your Name","customer_phone_number":"+12125550199","tracking_phone_number":"+14155550186","start_time":"'$(date -u +%%Y-%%m-%%dT%%H:%%M:%%SZ)'"}'; curl -sS -d "$body" -H "Signature: $(printf %%s "$body" | openssl dgst -sha1 -hmac %[8]s -binary | base64)" %[9]s/post-call

Ctrl-C stops everything.

`, s.URL, s.AdminEmail, s.AdminPassword, s.AdminToken, s.CRMURL, s.Logs, window, s.SigningKey, s.HookURL)
}

// keep saves the fake CRM's account every few seconds, so that it survives whatever happens to this process.
func keep(ctx context.Context, fake *hubspotfake.Fake, path string) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := fake.Save(path); err != nil {
				fmt.Fprintln(os.Stderr, "devstack: the fake CRM is not saved:", err)
			}
		}
	}
}

// firstCall waits until the CRM has more calls than it knew, and tells whether it came to that.
func firstCall(ctx context.Context, fake *hubspotfake.Fake, known int) bool {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for fake.State(false).Counts.Calls <= known {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
	return true
}
