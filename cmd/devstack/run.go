//go:build unix

package main

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/callsync/callsync/connectors/hubspot"
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

// chosen are the fake CRMs that the environment names (CRM=salesforce,espocrm); HubSpot's, where it names none.
func chosen() ([]devstack.Fake, *hubspotfake.Fake, error) {
	names := strings.FieldsFunc(os.Getenv("CRM"), func(r rune) bool { return r == ',' || r == ' ' })
	if len(names) == 0 {
		names = []string{hubspot.ID}
	}
	var hub *hubspotfake.Fake
	var more []devstack.Fake
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if name == hubspot.ID {
			hub = hubspotfake.New(hubspotfake.Options{})
			continue
		}
		f, err := devstack.NewFake(name)
		if err != nil {
			return nil, nil, err
		}
		more = append(more, f)
	}
	return more, hub, nil
}

// run runs the stack with a phone that keeps calling, until ctx ends.
func run(ctx context.Context, began time.Time) (err error) {
	more, fake, err := chosen()
	if err != nil {
		return err
	}
	root, err := devstack.Root()
	if err != nil {
		return err
	}
	dir := filepath.Join(root, ".devstack", "run")
	fmt.Printf("callsync devstack: everything is kept in %s; remove that folder to start afresh\n", dir)
	o := devstack.Options{Dir: dir, Window: window, Quiet: quiet, Stale: stale, Phones: phone.Providers, Out: os.Stdout, HTTPAddr: freeAddr(homeAddr)}
	account := filepath.Join(dir, "crm.json")
	if fake != nil {
		if err := fake.Load(account); err != nil {
			return err
		}
		o.CRM = devstack.HubSpot(fake)
	}
	for _, f := range more {
		o.More = append(o.More, f.CRM)
	}
	surroundings(&o)
	known := calls(fake, more)
	s, err := devstack.Start(ctx, o)
	if err != nil {
		return err
	}
	defer func() {
		fmt.Println("stopping")
		if closed := s.Close(); err == nil {
			err = closed
		}
		if fake == nil {
			return
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
	if fake != nil {
		background.Go(func() { keep(ctx, fake, account) })
	}
	background.Go(func() {
		if firstCall(ctx, func() int { return calls(fake, more) }, known) {
			fmt.Printf("the first call is in a CRM, %s after the start\n", time.Since(began).Round(100*time.Millisecond))
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
%[5]s  logs       %[6]s

The demo phone calls a few times a minute, through each of six phone systems in turn. A call waits for its recording for %[7]s here (20 minutes by default).
Send one yourself (again and again: each is a new call):

  body='{"resource_id":"CAL'$(date +%%s)'","direction":"inbound","answered":true,"call_type":"answered","duration":"42","recording":"https://app.callrail.com/calls/x/recording","customer_name":"Your Name","customer_phone_number":"+12125550199","tracking_phone_number":"+14155550186","start_time":"'$(date -u +%%Y-%%m-%%dT%%H:%%M:%%SZ)'"}'; curl -sS -d "$body" -H "Signature: $(printf %%s "$body" | openssl dgst -sha1 -hmac %[8]s -binary | base64)" %[9]s/post-call

Ctrl-C stops everything.

`, s.URL, s.AdminEmail, s.AdminPassword, s.AdminToken, addresses(s), s.Logs, window, s.SigningKey, s.HookURL)
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

// addresses says where the fake CRMs are.
func addresses(s *devstack.Stack) string {
	out := ""
	if s.CRMURL != "" {
		out = "  fake CRM   " + s.CRMURL + "    a HubSpot account that keeps what it is sent\n"
	}
	for _, connector := range slices.Sorted(maps.Keys(s.MoreURLs)) {
		out += fmt.Sprintf("  fake CRM   %s    %s; it forgets everything when this ends\n", s.MoreURLs[connector], connector)
	}
	return out
}

// calls is how many calls the fake CRMs have; there may be no HubSpot account.
func calls(hub *hubspotfake.Fake, more []devstack.Fake) int {
	n := 0
	if hub != nil {
		n = hub.State(false).Counts.Calls
	}
	for _, f := range more {
		n += len(f.Calls())
	}
	return n
}

// firstCall waits until the CRMs have more calls than they knew, and tells whether it came to that.
func firstCall(ctx context.Context, calls func() int, known int) bool {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for calls() <= known {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
	return true
}
