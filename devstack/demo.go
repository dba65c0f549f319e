//go:build unix

package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/callsync/callsync/connectors/hubspot/hubspotfake"
	"github.com/callsync/callsync/devstack/phone"
	"github.com/callsync/callsync/telephony/callrail"
	"github.com/callsync/callsync/telephony/callrail/callrailfake"
)

// DemoOptions are those of a stack that Demo runs on: a window that does not try one's patience.
func DemoOptions(fake *hubspotfake.Fake) Options {
	return Options{Window: 6 * time.Second, Quiet: time.Second, CRM: HubSpot(fake)}
}

// demoTimeout is how long the CRM may take to have what the script waits for: a multiple of what it takes on a busy
// machine.
const demoTimeout = time.Minute

// Demo sends a fixed script of calls through the stack, waits for them, and prints call by call what became of them. It
// returns an error unless every call is in the fake CRM exactly once with the expected fields and every webhook is
// accounted for.
func Demo(ctx context.Context, s *Stack, fake *hubspotfake.Fake, out io.Writer) error {
	d := &demo{stack: s, fake: fake, sender: phone.Sender{HookURL: s.HookURL, Key: s.SigningKey}}
	d.scenes = script(fake)
	fmt.Fprintf(out, "sending the script: %d calls and 2 bad webhooks, window %s\n", len(d.scenes), s.opts.Window)
	problems := d.play(ctx)
	waiting := d.wait(ctx)
	more, err := d.account(ctx)
	problems = append(problems, more...)
	d.table(out)
	for _, sc := range d.scenes {
		for _, p := range sc.problems {
			problems = append(problems, sc.name+": "+p)
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
	fmt.Fprintf(out, "every call is in the CRM exactly once with the expected fields; every webhook is accounted for\n")
	return nil
}

type demo struct {
	stack  *Stack
	fake   *hubspotfake.Fake
	sender phone.Sender
	scenes []*scene
	// badSignature and unreadable count the webhooks that are no calls.
	badSignature, unreadable int
}

// scene is one call of the script.
type scene struct {
	name string
	// call is the call as it is in the end; owner is the CRM's id of its agent.
	call  callrailfake.Call
	owner string
	play  func(ctx context.Context, p *player)
	// body are parts that the record's text must hold, and writes how often the record is written; zero is not checked.
	body   []string
	writes int

	id       string
	sent     int
	lastSent time.Time
	done     time.Time
	outcome  string
	record   string
	problems []string
}

// player sends the webhooks of one scene.
type player struct {
	d    *demo
	sc   *scene
	errs []error
}

// send sends the scene's webhook once, which must be accepted.
func (p *player) send(ctx context.Context, event string, body []byte) {
	status, err := p.d.sender.Send(ctx, event, body)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("answered %d", status)
	}
	if err != nil {
		p.errs = append(p.errs, fmt.Errorf("%s: %w", event, err))
	}
	p.sc.sent++
	p.sc.lastSent = time.Now()
}

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
		if c := calls[p.sc.call.ID]; err == nil && c.State == "synced" {
			return
		}
		p.wait(ctx, 100*time.Millisecond)
	}
	p.errs = append(p.errs, errors.New("not delivered in time"))
}

// script is what the demo plays. All scenes are played at once.
func script(fake *hubspotfake.Fake) []*scene {
	const agent = "dana@example.com"
	owner := fake.AddOwner(agent)
	// The window is counted from a call's end: they all end now.
	const talk = 61 * time.Second
	began := time.Now().Add(-talk).Truncate(time.Millisecond)
	base := func(n int) callrailfake.Call {
		return callrailfake.Call{
			ID: callrailfake.NewID("CAL"), StartedAt: began,
			Customer: fmt.Sprintf("+1212555%04d", 100+n), CustomerName: fmt.Sprintf("Demo Caller %c", 'A'+n),
		}
	}
	talked := func(n int) callrailfake.Call {
		c := base(n)
		c.Answered, c.Duration, c.Recording, c.AgentEmail = true, talk, true, agent
		return c
	}
	without := func(c callrailfake.Call) callrailfake.Call {
		c.Recording, c.Transcription, c.Tags, c.Note = false, "", nil, ""
		return c
	}
	post := func(ctx context.Context, p *player, c callrailfake.Call) {
		p.send(ctx, callrail.EventPostCall, callrailfake.PostCall(c))
	}
	ring := func(ctx context.Context, p *player, c callrailfake.Call) {
		p.send(ctx, callrail.EventPreCall, callrailfake.PreCall(c))
		p.wait(ctx, 300*time.Millisecond)
		p.send(ctx, callrail.EventRoutingComplete, callrailfake.RoutingComplete(c))
		p.wait(ctx, 300*time.Millisecond)
	}

	late := talked(0)
	never := talked(1)
	never.Recording = false
	missed := base(2)
	voicemail := base(3)
	voicemail.Voicemail, voicemail.Duration, voicemail.Recording = true, 17*time.Second, true
	voicemail.Transcription = "Please call me back."
	updated := talked(4)
	updated.Tags, updated.Note = []string{"Quote sent"}, "Wants it by Friday."
	duplicate, reordered := talked(5), talked(6)
	reordered.Tags = []string{"Came first"}
	known, outbound := talked(7), talked(8)
	outbound.Direction = "outbound"
	twinA, twinB := talked(9), talked(9)
	twinB.StartedAt = twinB.StartedAt.Add(-time.Second)
	if _, err := fake.AddContact(map[string]string{"phone": known.Customer, "firstname": "Known"}); err != nil {
		panic("devstack: " + err.Error()) // The fake refuses what this file makes up.
	}

	return []*scene{
		{name: "answered, recording late", call: late, owner: owner, writes: 1, play: func(ctx context.Context, p *player) {
			ring(ctx, p, late)
			post(ctx, p, without(late))
			p.wait(ctx, 2*time.Second)
			p.send(ctx, callrail.EventCallModified, callrailfake.Modified(late, "recording_duration"))
		}},
		{name: "answered, recording never", call: never, owner: owner, writes: 1, play: func(ctx context.Context, p *player) {
			ring(ctx, p, never)
			post(ctx, p, never)
		}},
		{name: "missed", call: missed, play: func(ctx context.Context, p *player) {
			ring(ctx, p, missed)
			post(ctx, p, missed)
		}},
		{name: "voicemail", call: voicemail, body: []string{voicemail.Transcription}, play: func(ctx context.Context, p *player) {
			ring(ctx, p, voicemail)
			post(ctx, p, voicemail)
		}},
		{name: "updated after close", call: updated, owner: owner, writes: 2, body: []string{"Quote sent", "Wants it by Friday."}, play: func(ctx context.Context, p *player) {
			before := without(updated)
			before.Recording = true
			ring(ctx, p, before)
			post(ctx, p, before)
			p.delivered(ctx)
			p.send(ctx, callrail.EventCallModified, callrailfake.Modified(updated, "tags", "note"))
		}},
		{name: "every webhook three times", call: duplicate, owner: owner, writes: 1, play: func(ctx context.Context, p *player) {
			for range 3 {
				ring(ctx, p, duplicate)
			}
			for range 3 {
				post(ctx, p, duplicate)
			}
		}},
		{name: "in the wrong order", call: reordered, owner: owner, body: []string{"Came first"}, play: func(ctx context.Context, p *player) {
			p.send(ctx, callrail.EventCallModified, callrailfake.Modified(reordered, "tags"))
			p.wait(ctx, 500*time.Millisecond)
			before := without(reordered)
			before.Recording = true
			post(ctx, p, before)
			p.wait(ctx, 500*time.Millisecond)
			ring(ctx, p, before)
		}},
		{name: "from a known contact", call: known, owner: owner, play: func(ctx context.Context, p *player) { post(ctx, p, known) }},
		{name: "outbound", call: outbound, owner: owner, play: func(ctx context.Context, p *player) {
			p.send(ctx, callrail.EventOutboundPostCall, callrailfake.OutboundPostCall(outbound))
		}},
		{name: "two at once, the first", call: twinA, owner: owner, play: func(ctx context.Context, p *player) { post(ctx, p, twinA) }},
		{name: "two at once, the second", call: twinB, owner: owner, play: func(ctx context.Context, p *player) { post(ctx, p, twinB) }},
	}
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
		{"an unreadable body", stray[:len(stray)/2], d.sender.Key, http.StatusOK, &d.unreadable},
	} {
		status, err := d.sender.SendSigned(ctx, callrail.EventPostCall, bad.body, callrailfake.Sign(bad.key, bad.body))
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
			problems = append(problems, fmt.Sprintf("%s: %v", p.sc.name, err))
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
			for _, sc := range d.scenes {
				sc.id = calls[sc.call.ID].ID
				sc.check(calls[sc.call.ID], state)
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

// check compares a scene with what the API and the CRM have.
func (sc *scene) check(c apiCall, state hubspotfake.State) {
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
	for name, want := range sc.want() {
		if got := r.Properties[name]; got != want {
			problem("%s is %q and not %q", name, got, want)
		}
	}
	if has := r.Properties["hs_call_recording_url"] != ""; has != sc.call.Recording {
		problem("has a recording: %t, expected: %t", has, sc.call.Recording)
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
}

func (sc *scene) checkContact(r hubspotfake.Record, state hubspotfake.State, problem func(string, ...any)) {
	if len(r.Contacts) != 1 {
		problem("linked to %d contacts", len(r.Contacts))
		return
	}
	for _, contact := range state.Contacts {
		if contact.ID == r.Contacts[0] {
			sc.record += ", contact " + contact.ID
			if got := contact.Properties["phone"]; got != sc.call.Customer {
				problem("linked to a contact with another number")
			}
		}
	}
}

// want are the fields of the record that follow from the call.
func (sc *scene) want() map[string]string {
	c := sc.call
	tracking := "+14155550186" // The builders' default.
	want := map[string]string{
		"hs_timestamp":     c.StartedAt.UTC().Format("2006-01-02T15:04:05.000Z"),
		"hubspot_owner_id": sc.owner,
		"hs_call_duration": fmt.Sprint(c.Duration.Milliseconds()),
		"hs_call_status":   "NO_ANSWER",
	}
	if c.Answered {
		want["hs_call_status"] = "COMPLETED"
	}
	if c.Direction == "outbound" {
		want["hs_call_direction"], want["hs_call_from_number"], want["hs_call_to_number"] = "OUTBOUND", tracking, c.Customer
	} else {
		want["hs_call_direction"], want["hs_call_from_number"], want["hs_call_to_number"] = "INBOUND", c.Customer, tracking
	}
	return want
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
		numbers[sc.call.Customer] = true
	}
	if state.Counts.Calls != len(d.scenes) {
		problems = append(problems, fmt.Sprintf("the CRM has %d calls and not %d", state.Counts.Calls, len(d.scenes)))
	}
	if state.Counts.Contacts != len(numbers) {
		problems = append(problems, fmt.Sprintf("the CRM has %d contacts and not %d", state.Counts.Contacts, len(numbers)))
	}
	receipts, err := All[apiReceipt](ctx, d.stack.API, "/receipts", url.Values{"source": {d.stack.SourceID}})
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
		sent += sc.sent
		if byCall[sc.id] != sc.sent {
			problems = append(problems, fmt.Sprintf("%s: %d receipts and not %d", sc.name, byCall[sc.id], sc.sent))
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

func (d *demo) table(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "\ncall\treceipts\tworkflow\tCRM\tseconds after its last webhook")
	for _, sc := range d.scenes {
		took := "-"
		if !sc.done.IsZero() {
			took = fmt.Sprintf("%.1f", sc.done.Sub(sc.lastSent).Seconds())
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\n", sc.name, sc.sent, sc.outcome, sc.record, took)
	}
	fmt.Fprintf(w, "bad signature\t%d\trefused with 401, kept\t-\t-\n", d.badSignature)
	fmt.Fprintf(w, "unreadable body\t%d\tquarantined\t-\t-\n", d.unreadable)
	w.Flush()
	fmt.Fprintln(out)
}
