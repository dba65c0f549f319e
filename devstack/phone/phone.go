// Package phone is a fake phone system: it sends CallRail's webhooks, signed, to callsync, as one call after the other
// would make a real one do.
package phone

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/callsync/callsync/telephony/callrail"
	"github.com/callsync/callsync/telephony/callrail/callrailfake"
)

// Sender sends webhooks to one source.
type Sender struct {
	// HookURL is the source's, without an event at its end.
	HookURL string
	// Key is the signing key.
	Key    string
	Client *http.Client
}

// Send sends one webhook and returns the status of the answer.
func (s Sender) Send(ctx context.Context, event string, body []byte) (int, error) {
	return s.SendSigned(ctx, event, body, callrailfake.Sign(s.Key, body))
}

// SendSigned sends one webhook with a signature of the caller's.
func (s Sender) SendSigned(ctx context.Context, event string, body []byte, signature string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.HookURL+"/"+event, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Signature", signature)
	client := s.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, nil
}

// Phone keeps calling.
type Phone struct {
	Sender Sender
	// Every is the mean time between two calls; zero means 12 seconds.
	Every time.Duration
	// Window is the source's, so that what comes late comes before or after its end on purpose.
	Window time.Duration
	// Out receives a line for a webhook that was not accepted; CallRail would not send it again.
	Out io.Writer
}

// Run calls until ctx ends, and returns when no call is under way.
func (p *Phone) Run(ctx context.Context) {
	var calls sync.WaitGroup
	defer calls.Wait()
	every := p.Every
	if every == 0 {
		every = 12 * time.Second
	}
	for {
		calls.Go(func() { p.call(ctx) })
		if !pause(ctx, time.Duration((0.5+rand.Float64())*float64(every))) {
			return
		}
	}
}

// call plays the life of one call.
func (p *Phone) call(ctx context.Context) {
	c := newCall()
	outbound := c.Direction == "outbound"
	postCall, modified := callrail.EventPostCall, callrail.EventCallModified
	if outbound {
		postCall, modified = callrail.EventOutboundPostCall, callrail.EventOutboundCallModified
	} else {
		p.send(ctx, callrail.EventPreCall, callrailfake.PreCall(c))
		if !pause(ctx, seconds(1, 4)) {
			return
		}
		p.send(ctx, callrail.EventRoutingComplete, callrailfake.RoutingComplete(c))
	}
	if !pause(ctx, seconds(2, 15)) {
		return
	}
	end(&c)
	late := c.Recording && rand.IntN(3) == 0
	if late {
		without := c
		without.Recording, without.Transcription = false, ""
		p.send(ctx, postCall, callrailfake.PostCall(without))
		if !pause(ctx, time.Duration(rand.Float64()*0.9*float64(p.Window))) {
			return
		}
		p.send(ctx, modified, callrailfake.Modified(c, "recording_duration", "transcription_text"))
	} else {
		p.send(ctx, postCall, callrailfake.PostCall(c))
	}
	if rand.IntN(20) == 0 {
		p.send(ctx, postCall, callrailfake.PostCall(c))
	}
	if c.Answered && rand.IntN(3) == 0 {
		// Somebody works on the call: before or after it has been written.
		if !pause(ctx, time.Duration(rand.Float64()*2*float64(p.Window))) {
			return
		}
		c.Tags, c.Note = []string{pick("Roof repair", "New customer", "Quote sent", "Emergency")}, pick("Wants a quote by Friday.", "Called about the leak.", "Will call back next week.")
		p.send(ctx, modified, callrailfake.Modified(c, "tags", "note"))
	}
}

func (p *Phone) send(ctx context.Context, event string, body []byte) {
	status, err := p.Sender.Send(ctx, event, body)
	if p.Out == nil || ctx.Err() != nil || err == nil && status < 300 {
		return
	}
	if err != nil {
		fmt.Fprintf(p.Out, "demo phone: %s was not accepted: %v\n", event, err)
		return
	}
	fmt.Fprintf(p.Out, "demo phone: %s was not accepted: status %d\n", event, status)
}

type person struct{ name, number, city, state string }

// people are those who call again and again; others call once. The numbers are reserved for fiction.
var people = []person{
	{"Maria Alvarez", "+12125550101", "New York", "NY"}, {"James O'Neill", "+13125550102", "Chicago", "IL"},
	{"Priya Raman", "+14155550103", "San Francisco", "CA"}, {"Kofi Mensah", "+14045550104", "Atlanta", "GA"},
	{"Anna Kowalska", "+13135550105", "Detroit", "MI"}, {"Daniel Cho", "+12065550106", "Seattle", "WA"},
	{"Fatima Haddad", "+12145550107", "Dallas", "TX"}, {"Lucas Meyer", "+16175550108", "Boston", "MA"},
}

// newCall makes a call that begins now; how it ends is decided by end.
func newCall() callrailfake.Call {
	who := people[rand.IntN(len(people))]
	if rand.IntN(4) == 0 {
		who = person{"", fmt.Sprintf("+1%s55501%02d", pick("303", "503", "602", "702", "813"), 10+rand.IntN(90)), pick("Denver", "Portland", "Phoenix"), pick("CO", "OR", "AZ")}
	}
	c := callrailfake.Call{
		ID: callrailfake.NewID("CAL"), StartedAt: time.Now(), Customer: who.number, CustomerName: who.name, City: who.city, State: who.state,
		Source: pick("Google Organic", "Google Ads", "Direct"), Medium: pick("organic", "cpc", "direct"), PriorCalls: rand.IntN(3),
	}
	if rand.IntN(5) == 0 {
		c.Direction = "outbound"
	}
	return c
}

// end decides how a call went and how long it took.
func end(c *callrailfake.Call) {
	c.Duration = time.Since(c.StartedAt)
	switch n := rand.IntN(10); {
	case n < 6:
		c.Answered, c.Recording = true, true
		c.AgentEmail = fmt.Sprintf("agent%d@example.com", 1+rand.IntN(5))
		c.Transcription = pick("", "Hello, I would like a quote for a new roof.", "Hi, is somebody there on Saturday?")
	case n < 7:
		c.Voicemail, c.Recording = true, true
		c.Transcription = "Please call me back about my roof."
	case n < 8:
		c.Abandoned = true
	default:
		c.Duration = 0
	}
}

func pick(of ...string) string { return of[rand.IntN(len(of))] }

func seconds(from, to float64) time.Duration {
	return time.Duration((from + rand.Float64()*(to-from)) * float64(time.Second))
}

// pause waits and tells whether to go on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
