package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/callsync/callsync/telephony"
)

const sendTestUsage = `callsync send-test sends a running callsync what a phone system would send it, and tells what was understood.

Usage: callsync send-test [--source ID] [--event NAME | --all | --list] [--print] [--deliver]

  --source ID     the source, by its id or its name; needed if there are several
  --event NAME    one trigger (see --list); without it, a whole inbound call is played
  --all           every trigger, calls as a whole
  --list          list the sources, or with --source what can be sent to it
  --print         print the request as a curl line instead of sending it
  --deliver       have the test calls written into the CRMs, too
  --wait 20s      how long to wait until callsync has read what it was sent
  --url URL       where callsync is; CALLSYNC_PUBLIC_URL by default
  --token TOKEN   an API token; CALLSYNC_ADMIN_TOKEN by default, which does not show in the list of processes

The requests go through the source's real hook URLs, in the phone system's encoding, signed if the source has a key. They
are about "callsync test call", a caller whose number no telephone has.

Exit status: 0 everything was understood; 1 it could not be sent; 2 wrong usage; 3 something was refused or not
understood; 4 callsync did not read it in time.
`

// The exit statuses of send-test, beside 0.
const (
	exitFailed        = 1
	exitUsage         = 2
	exitNotUnderstood = 3
	exitNotRead       = 4
)

// exitError ends the process with a status of its own.
type exitError struct {
	code int
	text string
}

func (e *exitError) Error() string { return e.text }

func usageError(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Sprintf(format, args...) + ` (see "callsync send-test --help")`}
}

// sendTest is one run of the command.
type sendTest struct {
	api     *apiClient
	out     io.Writer
	deliver bool
	wait    time.Duration
}

// What the API says, as far as it is needed here.
type (
	sourceInfo struct {
		ID       string `json:"id"`
		Name     string `json:"name"`
		Provider string `json:"provider"`
	}
	providerInfo struct {
		ID       string              `json:"id"`
		Label    string              `json:"label"`
		Triggers []telephony.Trigger `json:"triggers"`
	}
	sentTest struct {
		Sentence string `json:"sentence"`
		Requests []struct {
			Event     string `json:"event"`
			Status    int    `json:"status"`
			ReceiptID string `json:"receipt_id"`
			Problem   string `json:"problem"`
		} `json:"requests"`
	}
	readReceipt struct {
		State      string   `json:"state"`
		Reason     string   `json:"reason"`
		Reading    []string `json:"reading"`
		RecordKind string   `json:"record_kind"`
		RecordID   string   `json:"record_id"`
		Changed    bool     `json:"changed"`
	}
)

// runSendTest sends tests as args say. Its errors are exitErrors with the status that the usage promises.
func runSendTest(ctx context.Context, args []string, out io.Writer) error {
	var source, event, address, token string
	var all, list, print bool
	s := sendTest{out: out}
	flags := flag.NewFlagSet("send-test", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&source, "source", "", "")
	flags.StringVar(&event, "event", "", "")
	flags.BoolVar(&all, "all", false, "")
	flags.BoolVar(&list, "list", false, "")
	flags.BoolVar(&print, "print", false, "")
	flags.BoolVar(&s.deliver, "deliver", false, "")
	flags.DurationVar(&s.wait, "wait", 20*time.Second, "")
	flags.StringVar(&address, "url", os.Getenv("CALLSYNC_PUBLIC_URL"), "")
	flags.StringVar(&token, "token", os.Getenv("CALLSYNC_ADMIN_TOKEN"), "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(out, sendTestUsage)
		return nil
	case err != nil:
		return usageError("%v", err)
	case flags.NArg() > 0:
		return usageError("there is no place for %q", flags.Arg(0))
	case event != "" && all:
		return usageError("give --event or --all, not both")
	}
	u, err := url.Parse(strings.TrimSuffix(address, "/"))
	switch {
	case address == "":
		return usageError("say where callsync is: --url or CALLSYNC_PUBLIC_URL")
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return usageError("the address of callsync must begin with http:// or https://")
	case token == "":
		return usageError("an API token is needed: --token or CALLSYNC_ADMIN_TOKEN")
	}
	s.api = &apiClient{base: u.String(), token: token}

	var sources struct{ Items []sourceInfo }
	if err := s.api.do(ctx, http.MethodGet, "/sources", nil, &sources); err != nil {
		return err
	}
	var kinds struct{ Items []providerInfo }
	if err := s.api.do(ctx, http.MethodGet, "/providers", nil, &kinds); err != nil {
		return err
	}
	kind := map[string]providerInfo{}
	for _, k := range kinds.Items {
		kind[k.ID] = k
	}
	if list && source == "" {
		return s.listSources(sources.Items, kind)
	}
	chosen, err := choose(sources.Items, source)
	if err != nil {
		return err
	}
	info := telephony.Info{ID: chosen.Provider, Label: kind[chosen.Provider].Label, Triggers: kind[chosen.Provider].Triggers}
	switch {
	case list:
		return s.listTriggers(chosen, info)
	case event != "":
		if _, ok := info.Trigger(event); !ok {
			return usageError("%s sends no %q; it sends: %s", info.Label, event, strings.Join(eventsOf(info.Triggers), ", "))
		}
	case len(info.Triggers) == 0:
		return &exitError{exitFailed, fmt.Sprintf("callsync cannot make up what %q sends; its page, %s/sources/%s, has a request to send by hand", chosen.Name, s.api.base, chosen.ID)}
	}
	if print {
		return s.print(ctx, chosen, info, event, all)
	}
	return s.send(ctx, chosen, info, event, all)
}

// choose finds the source that is meant.
func choose(sources []sourceInfo, name string) (sourceInfo, error) {
	if len(sources) == 0 {
		return sourceInfo{}, &exitError{exitFailed, "callsync has no source yet: add one on its Sources page"}
	}
	if name == "" {
		if len(sources) == 1 {
			return sources[0], nil
		}
		return sourceInfo{}, usageError("there are %d sources: name one with --source; --list shows them", len(sources))
	}
	named := slices.DeleteFunc(slices.Clone(sources), func(s sourceInfo) bool { return s.ID != name && !strings.EqualFold(s.Name, name) })
	switch len(named) {
	case 0:
		return sourceInfo{}, usageError("there is no source %q; --list shows those there are", name)
	case 1:
		return named[0], nil
	}
	return sourceInfo{}, usageError("%d sources are called %q: give the id of one; --list shows them", len(named), name)
}

func eventsOf(triggers []telephony.Trigger) []string {
	var out []string
	for _, t := range triggers {
		out = append(out, t.Event)
	}
	return out
}

func (s *sendTest) table(rows func(w io.Writer)) error {
	w := tabwriter.NewWriter(s.out, 0, 0, 3, ' ', 0)
	rows(w)
	return w.Flush()
}

func (s *sendTest) listSources(sources []sourceInfo, kind map[string]providerInfo) error {
	if len(sources) == 0 {
		_, err := fmt.Fprintln(s.out, "no sources yet")
		return err
	}
	return s.table(func(w io.Writer) {
		for _, one := range sources {
			fmt.Fprintf(w, "%s\t%s\t%s\n", one.ID, one.Name, cmp.Or(kind[one.Provider].Label, one.Provider))
		}
	})
}

func (s *sendTest) listTriggers(source sourceInfo, info telephony.Info) error {
	fmt.Fprintf(s.out, "%s (%s)\n", source.Name, info.Label)
	return s.table(func(w io.Writer) {
		for _, t := range info.Triggers {
			fmt.Fprintf(w, "  %s\t%s\t%s\n", t.Event, t.Label, strings.ReplaceAll(string(t.Story), "_", " "))
		}
	})
}

// print writes the requests as lines for a shell.
func (s *sendTest) print(ctx context.Context, source sourceInfo, info telephony.Info, event string, all bool) error {
	events := []string{event}
	if all {
		events = eventsOf(info.Triggers)
	}
	for i, one := range events {
		var sample struct{ Event, Label, Command, Note string }
		if err := s.api.do(ctx, http.MethodGet, "/sources/"+source.ID+"/sample?"+url.Values{"event": {one}}.Encode(), nil, &sample); err != nil {
			return err
		}
		if i > 0 {
			fmt.Fprintln(s.out)
		}
		fmt.Fprintf(s.out, "# %s\n", sample.Label)
		if sample.Note != "" {
			fmt.Fprintf(s.out, "# %s\n", sample.Note)
		}
		fmt.Fprintln(s.out, sample.Command)
	}
	return nil
}

// parts are what is sent, one after the other: whole calls where triggers tell of one, else single triggers.
func parts(info telephony.Info, event string, all bool) []map[string]any {
	if event != "" {
		return []map[string]any{{"event": event}}
	}
	if !all {
		if len(info.StoryOf(telephony.InboundStory)) > 0 {
			return []map[string]any{{"story": telephony.InboundStory}}
		}
		return []map[string]any{{}}
	}
	var out []map[string]any
	told := map[string]bool{}
	for _, t := range info.Triggers {
		if told[t.Event] || !t.Sample {
			continue
		}
		if t.Story == telephony.InboundStory || t.Story == telephony.OutboundStory {
			for _, of := range info.StoryOf(t.Story) {
				told[of.Event] = true
			}
			if told[t.Event] {
				out = append(out, map[string]any{"story": t.Story})
				continue
			}
		}
		told[t.Event] = true
		out = append(out, map[string]any{"event": t.Event})
	}
	return out
}

func (s *sendTest) send(ctx context.Context, source sourceInfo, info telephony.Info, event string, all bool) error {
	fmt.Fprintf(s.out, "%s (%s)\n", source.Name, info.Label)
	refused, wrong, unread := 0, 0, 0
	var links []string
	for _, part := range parts(info, event, all) {
		part["deliver"] = s.deliver
		var sent sentTest
		if err := s.api.do(ctx, http.MethodPost, "/sources/"+source.ID+"/send-test", part, &sent); err != nil {
			return err
		}
		for _, r := range sent.Requests {
			if r.Status/100 != 2 {
				refused++
				fmt.Fprintf(s.out, "  %-28s answered %d: %s\n", r.Event, r.Status, cmp.Or(r.Problem, "refused"))
				continue
			}
			receipt, err := s.read(ctx, r.ReceiptID)
			if err != nil {
				return err
			}
			trigger, _ := info.Trigger(r.Event)
			switch {
			case receipt.State == "applied":
				fmt.Fprintf(s.out, "  %-28s %s\n", r.Event, strings.Join(receipt.Reading, "; "))
				if link := s.api.base + "/calls/" + receipt.RecordID; receipt.RecordKind == "call" && !slices.Contains(links, link) {
					links = append(links, link)
				}
			case receipt.State == "ignored" && trigger.Story == telephony.NoStory:
				fmt.Fprintf(s.out, "  %-28s %s\n", r.Event, receipt.Reason)
			case receipt.State == "pending":
				unread++
				fmt.Fprintf(s.out, "  %-28s stored, but not read within %s: %s/receipts/%s\n", r.Event, s.wait, s.api.base, r.ReceiptID)
			default:
				wrong++
				fmt.Fprintf(s.out, "  %-28s %s: %s %s/receipts/%s\n", r.Event, receipt.State, receipt.Reason, s.api.base, r.ReceiptID)
			}
		}
		if len(sent.Requests) == 0 || !all {
			fmt.Fprintln(s.out, sent.Sentence)
		}
	}
	for _, link := range links {
		fmt.Fprintln(s.out, link)
	}
	switch {
	case refused+wrong > 0:
		return &exitError{exitNotUnderstood, fmt.Sprintf("%d of the requests refused, %d not understood; the lines above say why", refused, wrong)}
	case unread > 0:
		return &exitError{exitNotRead, fmt.Sprintf("%d of the requests not read in time: is callsync serve busy, or its database away? They are stored; nothing is lost", unread)}
	}
	return nil
}

// read waits until a receipt has been read. One that has not in time is still pending.
func (s *sendTest) read(ctx context.Context, id string) (r readReceipt, err error) {
	deadline := time.Now().Add(s.wait)
	for {
		if err := s.api.do(ctx, http.MethodGet, "/receipts/"+id, nil, &r); err != nil {
			return r, err
		}
		if r.State != "pending" || !time.Now().Before(deadline) {
			return r, nil
		}
		select {
		case <-ctx.Done():
			return r, &exitError{exitFailed, "stopped"}
		case <-time.After(100 * time.Millisecond):
		}
	}
}
