//go:build unix

package devstack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/callsync/callsync/connectors/hubspot"
	"github.com/callsync/callsync/connectors/hubspot/hubspotfake"
	"github.com/callsync/callsync/connectors/webhook"
	"github.com/callsync/callsync/connectors/webhook/webhookfake"
	"github.com/callsync/callsync/devstack/phone"
	"github.com/callsync/callsync/telephony/callerdesk"
	"github.com/callsync/callsync/telephony/callrail"
	"github.com/callsync/callsync/telephony/callrail/callrailfake"
	"github.com/callsync/callsync/telephony/deepcall"
)

// demoSecret signs what the demo's webhook CRM gets.
const demoSecret = "whsec_ZGVtby1vZi1jYWxsc3luYy13ZWJob29rcw=="

// DemoCRMs are the fake CRMs of the demo: a HubSpot account and a receiver of signed webhooks, which are looked at closely,
// and one of each other connector.
type DemoCRMs struct {
	HubSpot *hubspotfake.Fake
	Webhook *webhookfake.Receiver
	More    []Fake
}

// NewDemoCRMs makes them.
func NewDemoCRMs() DemoCRMs {
	crms := DemoCRMs{HubSpot: hubspotfake.New(hubspotfake.Options{}), Webhook: NewReceiver()}
	for _, id := range FakeIDs() {
		if id != hubspot.ID && id != webhook.ID {
			crms.More = append(crms.More, fakes[id]())
		}
	}
	return crms
}

// DemoOptions are those of a stack that Demo runs on: every phone system, every CRM, and a window that does not try one's
// patience.
func DemoOptions(crms DemoCRMs) Options {
	o := Options{
		Window: 6 * time.Second, Quiet: time.Second, CRM: HubSpot(crms.HubSpot), Also: Webhook(crms.Webhook, demoSecret), Phones: phone.Providers,
	}
	for _, f := range crms.More {
		o.More = append(o.More, f.CRM)
	}
	return o
}

// demoTimeout is how long the CRM may take to have what the script waits for: a multiple of what it takes on a busy
// machine.
const demoTimeout = time.Minute

// Demo sends a fixed script of calls of every phone system through the stack, waits for them, and prints call by call what
// became of them. It returns an error unless every call is in every fake CRM exactly once, in HubSpot and the webhooks with the
// expected fields, and every webhook is accounted for.
func Demo(ctx context.Context, s *Stack, crms DemoCRMs, out io.Writer) error {
	d := &demo{stack: s, fake: crms.HubSpot, receiver: crms.Webhook, more: crms.More, lines: map[string]phone.Line{}}
	for _, line := range s.Lines {
		d.lines[line.Provider] = line
	}
	d.scenes = append(script(crms.HubSpot), d.otherPhones(crms.HubSpot)...)
	fmt.Fprintf(out, "sending the script: %d calls of %d phone systems and 2 bad webhooks, window %s\n", len(d.scenes), len(d.lines), s.opts.Window)
	problems := d.play(ctx)
	waiting := d.wait(ctx)
	more, err := d.account(ctx)
	problems = append(problems, more...)
	d.table(out)
	for _, sc := range d.scenes {
		for _, p := range sc.problems {
			problems = append(problems, sc.title()+": "+p)
		}
	}
	switch {
	case waiting != nil:
		problems = append(problems, waiting.Error())
	case err != nil:
		problems = append(problems, err.Error())
	}
	if len(problems) > 0 {
		return fmt.Errorf("the demo differs from what is expected:\n  %s\nthe logs are in %s", strings.Join(problems, "\n  "), s.Logs)
	}
	fmt.Fprintf(out, "every call is in each of %d CRMs exactly once with the expected fields; every webhook is accounted for\n", 2+len(d.more))
	return nil
}

type demo struct {
	stack    *Stack
	fake     *hubspotfake.Fake
	receiver *webhookfake.Receiver
	more     []Fake
	lines    map[string]phone.Line
	scenes   []*scene
	// badSignature and unreadable count the webhooks that are no calls, all of them CallRail's.
	badSignature, unreadable int
}

// The stages of a call at which webhooks are sent.
const (
	early = iota
	report
	late
)

// scene is one call of the script.
type scene struct {
	// phone is the kind of phone system.
	phone, name string
	// providerID is the phone system's id of the call, customer whom it is with, owner the CRM's id of its agent.
	providerID, customer, owner string
	// fields are what the record must have besides; recorded tells whether it must have a recording.
	fields   map[string]string
	recorded bool
	play     func(ctx context.Context, p *player)
	// body are parts that the record's text must hold, and writes how often the record is written; zero is not checked.
	body   []string
	writes int

	id       string
	sent     [late + 1]int
	lastSent time.Time
	done     time.Time
	outcome  string
	record   string
	also     string
	// elsewhere is in how many of the other CRMs it is.
	elsewhere string
	problems  []string
}

func (sc *scene) title() string { return sc.phone + ": " + sc.name }

func (sc *scene) allSent() int { return sc.sent[early] + sc.sent[report] + sc.sent[late] }

// player sends the webhooks of one scene.
type player struct {
	d    *demo
	sc   *scene
	errs []error
}

// send sends the scene's webhook once, which must be accepted.
func (p *player) send(ctx context.Context, stage int, w phone.Webhook) {
	status, answer, err := p.d.lines[p.sc.phone].Send(ctx, w)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("answered %d", status)
	}
	if want, ok := answers[p.sc.phone]; ok && err == nil && answer != want {
		err = fmt.Errorf("answered %q and not %q", answer, want)
	}
	if err != nil {
		p.errs = append(p.errs, fmt.Errorf("%s: %w", w.Name, err))
	}
	p.sc.sent[stage]++
	p.sc.lastSent = time.Now()
}

// answers are what phone systems want to hear.
var answers = map[string]string{deepcall.ID: "GODBLESSYOU", callerdesk.ID: "success"}

func (p *player) wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// delivered returns when the CRM has the call.
func (p *player) delivered(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	for ctx.Err() == nil {
		calls, err := p.d.calls(ctx)
		if c := calls[p.sc.providerID]; err == nil && c.State == "synced" {
			return
		}
		p.wait(ctx, 100*time.Millisecond)
	}
	p.errs = append(p.errs, errors.New("not delivered in time"))
}

// play plays all scenes, and two webhooks that are no calls, and tells what did not go as it should.
func (d *demo) play(ctx context.Context) []string {
	var scenes sync.WaitGroup
	players := make([]*player, len(d.scenes))
	for i, sc := range d.scenes {
		players[i] = &player{d: d, sc: sc}
		scenes.Go(func() { sc.play(ctx, players[i]) })
	}
	var problems []string
	stray := callrailfake.PostCall(callrailfake.Call{ID: callrailfake.NewID("CAL"), StartedAt: time.Now(), Answered: true})
	for _, bad := range []struct {
		what   string
		body   []byte
		key    string
		status int
		count  *int
	}{
		{"a bad signature", stray, "not the key", http.StatusUnauthorized, &d.badSignature},
		{"an unreadable body", stray[:len(stray)/2], d.lines[callrail.ID].Secret, http.StatusOK, &d.unreadable},
	} {
		status, _, err := d.lines[callrail.ID].SendSigned(ctx, phone.Webhook{Event: callrail.EventPostCall, Body: bad.body}, bad.key)
		*bad.count++
		if err == nil && status != bad.status {
			err = fmt.Errorf("answered %d and not %d", status, bad.status)
		}
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", bad.what, err))
		}
	}
	scenes.Wait()
	for _, p := range players {
		for _, err := range p.errs {
			problems = append(problems, fmt.Sprintf("%s: %v", p.sc.title(), err))
		}
	}
	return problems
}

// apiCall is what the demo reads of a call.
type apiCall struct {
	ID             string `json:"id"`
	ProviderCallID string `json:"provider_call_id"`
	State          string `json:"state"`
}

// calls are the calls that callsync has, by the provider's id.
func (d *demo) calls(ctx context.Context) (map[string]apiCall, error) {
	all, err := All[apiCall](ctx, d.stack.API, "/calls", nil)
	byID := map[string]apiCall{}
	for _, c := range all {
		if _, doubled := byID[c.ProviderCallID]; doubled {
			return nil, fmt.Errorf("call %s is there twice", c.ProviderCallID)
		}
		byID[c.ProviderCallID] = c
	}
	return byID, err
}

// wait returns when every scene is as it should be, or with an error when it takes too long. What is still wrong then is
// in the scenes.
func (d *demo) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	for {
		calls, err := d.calls(ctx)
		if err == nil {
			open := 0
			state := d.fake.State(true)
			others := d.others()
			for _, sc := range d.scenes {
				sc.id = calls[sc.providerID].ID
				sc.check(calls[sc.providerID], state, d.receiver)
				sc.checkOthers(others)
				switch {
				case len(sc.problems) > 0:
					open++
					sc.done = time.Time{}
				case sc.done.IsZero():
					sc.done = time.Now()
				}
			}
			if open == 0 {
				return nil
			}
		}
		select {
		case died := <-d.stack.Died():
			return died
		case <-ctx.Done():
			if err != nil {
				return err
			}
			return fmt.Errorf("not everything arrived within %s", demoTimeout)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// others are the calls in the CRMs beside the two that are looked at closely, by connector and callsync's key.
func (d *demo) others() map[string]map[string]int {
	out := map[string]map[string]int{}
	for _, f := range d.more {
		out[f.Connector] = f.Calls()
	}
	return out
}

// checkOthers holds that each of the other CRMs has the call once.
func (sc *scene) checkOthers(others map[string]map[string]int) {
	have := 0
	for _, connector := range slices.Sorted(maps.Keys(others)) {
		switch n := others[connector][sc.id]; {
		case n == 1:
			have++
		case sc.id != "":
			sc.problems = append(sc.problems, fmt.Sprintf("%s has it %d times", connector, n))
		}
	}
	sc.elsewhere = fmt.Sprintf("%d of %d", have, len(others))
}

// check compares a scene with what the API and the CRM have.
func (sc *scene) check(c apiCall, state hubspotfake.State, receiver *webhookfake.Receiver) {
	sc.problems = nil
	problem := func(format string, args ...any) { sc.problems = append(sc.problems, fmt.Sprintf(format, args...)) }
	if c.ID == "" {
		problem("callsync does not have the call")
		return
	}
	if c.State != "synced" {
		problem("callsync says it is %s", c.State)
	}
	var found []hubspotfake.Record
	for _, r := range state.Calls {
		if r.Properties["callsync_call_id"] == c.ID {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		problem("%d records in the CRM", len(found))
		return
	}
	r := found[0]
	sc.record = "call " + r.ID
	for name, want := range sc.fields {
		if got := r.Properties[name]; got != want {
			problem("%s is %q and not %q", name, got, want)
		}
	}
	if got := r.Properties["hubspot_owner_id"]; got != sc.owner {
		problem("its owner is %q and not %q", got, sc.owner)
	}
	if has := r.Properties["hs_call_recording_url"] != ""; has != sc.recorded {
		problem("has a recording: %t, expected: %t", has, sc.recorded)
	}
	for _, part := range sc.body {
		if !strings.Contains(r.Properties["hs_call_body"], part) {
			problem("its text lacks %q", part)
		}
	}
	if sc.writes != 0 && r.Writes != sc.writes {
		problem("was written %d times and not %d", r.Writes, sc.writes)
	}
	sc.outcome = fmt.Sprintf("%d write", r.Writes)
	if r.Writes != 1 {
		sc.outcome += "s"
	}
	sc.checkContact(r, state, problem)
	sc.checkWebhook(c, receiver, problem)
}

// checkWebhook compares a scene with what the receiver of webhooks has: the call at its newest revision.
func (sc *scene) checkWebhook(c apiCall, receiver *webhookfake.Receiver, problem func(string, ...any)) {
	got, ok := receiver.Call(c.ID)
	var data struct {
		Customer struct {
			Number string `json:"number"`
		} `json:"customer"`
		Recordings []any `json:"recordings"`
	}
	switch err := json.Unmarshal(got.Data, &data); {
	case !ok:
		problem("the webhook CRM does not have it")
	case err != nil:
		problem("the webhook CRM has something that is no call: %v", err)
	case data.Customer.Number != sc.customer:
		problem("the webhook CRM has another customer")
	case (len(data.Recordings) > 0) != sc.recorded:
		problem("the webhook CRM has %d recordings", len(data.Recordings))
	}
	sc.also = fmt.Sprintf("revision %d", got.Revision)
}

func (sc *scene) checkContact(r hubspotfake.Record, state hubspotfake.State, problem func(string, ...any)) {
	if len(r.Contacts) != 1 {
		problem("linked to %d contacts", len(r.Contacts))
		return
	}
	for _, contact := range state.Contacts {
		if contact.ID == r.Contacts[0] {
			sc.record += ", contact " + contact.ID
			if got := contact.Properties["phone"]; got != sc.customer {
				problem("linked to a contact with another number")
			}
		}
	}
}

// apiReceipt is what the demo reads of a receipt.
type apiReceipt struct {
	ID       string `json:"id"`
	State    string `json:"state"`
	RecordID string `json:"record_id"`
}

// account tells what is there that should not be: records that no call explains, and webhooks that nobody accounts for.
func (d *demo) account(ctx context.Context) (problems []string, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	state := d.fake.State(false)
	numbers := map[string]bool{}
	for _, sc := range d.scenes {
		numbers[sc.customer] = true
	}
	if state.Counts.Calls != len(d.scenes) {
		problems = append(problems, fmt.Sprintf("the CRM has %d calls and not %d", state.Counts.Calls, len(d.scenes)))
	}
	if state.Counts.Contacts != len(numbers) {
		problems = append(problems, fmt.Sprintf("the CRM has %d contacts and not %d", state.Counts.Contacts, len(numbers)))
	}
	if calls, refused := d.receiver.Calls(), d.receiver.Counts().Refused; calls != len(d.scenes) || refused != 0 {
		problems = append(problems, fmt.Sprintf("the webhook CRM has %d calls and not %d, and refused %d requests", calls, len(d.scenes), refused))
	}
	for connector, calls := range d.others() {
		if len(calls) != len(d.scenes) {
			problems = append(problems, fmt.Sprintf("%s has %d calls and not %d", connector, len(calls), len(d.scenes)))
		}
	}
	receipts, err := All[apiReceipt](ctx, d.stack.API, "/receipts", nil)
	if err != nil {
		return problems, err
	}
	byCall, byState := map[string]int{}, map[string]int{}
	for _, r := range receipts {
		byCall[r.RecordID]++
		byState[r.State]++
	}
	sent := 0
	for _, sc := range d.scenes {
		sent += sc.allSent()
		if byCall[sc.id] != sc.allSent() {
			problems = append(problems, fmt.Sprintf("%s: %d receipts and not %d", sc.title(), byCall[sc.id], sc.allSent()))
		}
	}
	for state, want := range map[string]int{"applied": sent, "rejected": d.badSignature, "quarantined": d.unreadable, "pending": 0, "ignored": 0} {
		if byState[state] != want {
			problems = append(problems, fmt.Sprintf("%d receipts are %s and not %d", byState[state], state, want))
		}
	}
	d.sayWhy(ctx)
	return problems, nil
}

// sayWhy asks callsync for its own words on each call.
func (d *demo) sayWhy(ctx context.Context) {
	for _, sc := range d.scenes {
		if sc.id == "" {
			continue
		}
		var view struct {
			Complete bool `json:"complete"`
		}
		if err := d.stack.API.Do(ctx, http.MethodGet, "/calls/"+sc.id, nil, &view); err != nil {
			sc.outcome += ", " + err.Error()
		} else if view.Complete {
			sc.outcome = "complete, " + sc.outcome
		} else {
			sc.outcome = "window over, " + sc.outcome
		}
	}
}

// table says provider by provider what was sent, and what became of it.
func (d *demo) table(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nphone\tcall\tearly\treport\tlate\tworkflow\tHubSpot\twebhooks\tother CRMs\tseconds after its last webhook")
	before := ""
	for _, sc := range d.scenes {
		took := "-"
		if !sc.done.IsZero() {
			took = fmt.Sprintf("%.1f", sc.done.Sub(sc.lastSent).Seconds())
		}
		name := sc.phone
		if name == before {
			name = ""
		}
		before = sc.phone
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t%s\n", name, sc.name, sc.sent[early], sc.sent[report], sc.sent[late], sc.outcome, sc.record, sc.also, sc.elsewhere, took)
		if sc.phone == callrail.ID && sc == d.lastOf(callrail.ID) {
			fmt.Fprintf(w, "\tbad signature\t\t%d\t\trefused with 401, kept\t-\t-\t-\t-\n", d.badSignature)
			fmt.Fprintf(w, "\tunreadable body\t\t%d\t\tquarantined\t-\t-\t-\t-\n", d.unreadable)
		}
	}
	w.Flush()
	var names []string
	for _, f := range d.more {
		names = append(names, f.Connector)
	}
	fmt.Fprintf(out, "\nthe other CRMs: %s\n\n", strings.Join(names, ", "))
}

func (d *demo) lastOf(phone string) (last *scene) {
	for _, sc := range d.scenes {
		if sc.phone == phone {
			last = sc
		}
	}
	return last
}
