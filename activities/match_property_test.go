package activities_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// Each check takes seconds of waiting for answers that were lost; ask for more with -rapid.checks.
func init() { _ = flag.Set("rapid.checks", "25") }

// Whatever happens in whatever order (calls of one number side by side in two workers, answers lost, contacts that appear,
// are merged or deleted, people who answer, policies that change), a call has one record, tied to one contact at most
// unless that one went away, and a number gets one created contact at most.
func TestOneRecordAndOneContactWhateverHappens(t *testing.T) {
	t.Parallel()
	policies := []records.Match{{}, {OnNone: "create_lead", OnMany: "owner"}, {OnNone: "none", OnMany: "none"}, {OnNone: "ask", OnMany: "ask"},
		{OnNone: "ask", OnMany: "ask", AskHold: true}, {OnNone: "create_contact", OnMany: "ask"}}
	w, p := newPeople(t, connectors.LookupThenWrite, records.Match{})
	w.delivery.Connectors = connectors.NewRegistry(finding{p})
	second := &activities.Delivery{Store: w.delivery.Store, Connectors: w.delivery.Connectors, Transport: w.delivery.Transport, Log: w.delivery.Log}
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		number := fmt.Sprintf("+1415556%04d", run)
		p.mu.Lock()
		clear(p.contacts)
		clear(p.made)
		clear(p.moved)
		clear(p.links)
		clear(p.calls)
		clear(p.keys)
		p.instant = rapid.Bool().Draw(rt, "instant")
		p.mu.Unlock()
		w.exec(`delete from unmatched`)
		w.exec(`delete from match_watch`)
		w.exec(`update match_reviews set state = 'dismissed' where state = 'open'`)
		w.policy(rapid.SampledFrom(policies).Draw(rt, "policy"))
		var calls []call.Call
		disturbed := false
		for range rapid.IntRange(2, 9).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{"calls", "calls", "appears", "merged", "answered", "swept", "again", "policy"}).Draw(rt, "step") {
			case "calls":
				batch := []call.Call{w.call(number), w.call(number)}
				calls = append(calls, batch...)
				if rapid.Bool().Draw(rt, "lost") {
					p.fault = lostOnce(rapid.SampledFrom([]string{"call", "contact"}).Draw(rt, "what"), rapid.SampledFrom([]string{"before", "committed"}).Draw(rt, "when"))
				}
				var wg sync.WaitGroup
				for i, c := range batch {
					by := *w
					if i == 1 {
						by.delivery = second
					}
					wg.Go(func() { by.settle(c) })
				}
				wg.Wait()
			case "appears":
				p.add(rapid.SampledFrom([]string{"contact", "lead"}).Draw(rt, "object"), fmt.Sprint("p", len(p.contacts), run), "", 1, number)
			case "merged":
				p.mu.Lock()
				ids := make([]string, 0, len(p.contacts))
				for id := range p.contacts {
					ids = append(ids, id)
				}
				slices.Sort(ids)
				p.mu.Unlock()
				if len(ids) > 1 {
					disturbed = true
					from, to := p.contacts[ids[0]].Ref, p.contacts[ids[1]].Ref
					p.merge(from, to)
				}
			case "answered":
				for _, r := range w.reviews("open") {
					choice, object := rapid.SampledFrom([]string{"none", "create"}).Draw(rt, "choice"), "lead"
					if len(r.Candidates) > 0 {
						choice, object = r.Candidates[0].ID, r.Candidates[0].Object
					}
					w.resolve(choice, object)
				}
			case "swept":
				w.sweep()
			case "again":
				if len(calls) > 0 {
					w.force(rapid.SampledFrom(calls).Draw(rt, "call"))
				}
			case "policy":
				w.policy(rapid.SampledFrom(policies).Draw(rt, "policy"))
			}
		}
		for range 6 {
			w.sweep()
		}
		require.LessOrEqual(rt, len(p.calls), len(calls), "one record for each call at most")
		byRecord := map[string]bool{}
		for _, c := range calls {
			row := w.row(c)
			require.Contains(rt, []string{"done", "parked"}, row.State)
			if row.RemoteID != "" {
				require.False(rt, byRecord[row.RemoteID])
				byRecord[row.RemoteID] = true
				if !disturbed {
					require.LessOrEqual(rt, len(p.links[row.RemoteID]), 1, "one contact for each call")
				}
			}
		}
		require.Len(rt, p.calls, len(byRecord), "no record that nobody knows of")
		if !disturbed {
			require.LessOrEqual(rt, len(p.made), 1, "one created contact for each number")
		}
	})
}

// finding is people whose call records can be looked for by key.
type finding struct{ *people }

func (f finding) Open(connectors.Settings) (connectors.Session, error) { return f, nil }

func (f finding) FindCall(ctx context.Context, key string) (string, bool, error) {
	return lookupCRM{f.crm}.FindCall(ctx, key)
}

// lostOnce is an answer that is lost, once, with two workers asking.
func lostOnce(what, when string) func(string, string) error {
	var mu sync.Mutex
	fail := once(what, when, &connectors.Error{Class: connectors.UnknownOutcome, RetryAfter: time.Millisecond, Public: "no answer"})
	return func(w, at string) error {
		mu.Lock()
		defer mu.Unlock()
		return fail(w, at)
	}
}
