package phone

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/callsync/callsync/telephony/callrail"
	"github.com/callsync/callsync/telephony/callrail/callrailfake"
)

// Phone keeps calling, through all of its lines in turn.
type Phone struct {
	Lines []Line
	// Every is the mean time between two calls; zero means 12 seconds.
	Every time.Duration
	// Window is the sources', so that what comes late comes before or after its end on purpose.
	Window time.Duration
	// Out receives a line for a webhook that was not accepted; the phone does not send it again.
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
	for n := 0; len(p.Lines) > 0; n++ {
		line := p.Lines[n%len(p.Lines)]
		calls.Go(func() {
			if line.Provider == callrail.ID {
				p.callrail(ctx, line)
			} else {
				p.call(ctx, line)
			}
		})
		if !pause(ctx, time.Duration((0.5+rand.Float64())*float64(every))) {
			return
		}
	}
}

// call plays the life of one call through any phone system.
func (p *Phone) call(ctx context.Context, line Line) {
	who := people[rand.IntN(len(people))]
	c := Call{
		StartedAt: time.Now().Truncate(time.Second), Ring: seconds(2, 6).Truncate(time.Second), Customer: numberIn(line.Provider), CustomerName: who.name,
		Outbound: rand.IntN(5) == 0, Answered: rand.IntN(10) < 7, AgentEmail: fmt.Sprintf("agent%d@example.com", 1+rand.IntN(5)), Other: rand.IntN(2) == 0,
	}
	if c.Answered {
		c.Talk, c.Recorded = seconds(3, 15).Truncate(time.Second), true
		if rand.IntN(3) == 0 {
			c.Disposition, c.Note, c.Tags = pick("Interested", "Call back", "Sold"), pick("Wants a quote by Friday.", "Will call back next week."), []string{pick("New customer", "Quote sent")}
		}
	}
	life := LifeOf(line.Provider, c, line.Secret)
	for i, w := range life.Early {
		p.send(ctx, line, w)
		if !pause(ctx, c.Ring/time.Duration(len(life.Early))) || i == len(life.Early)-1 && !pause(ctx, c.Talk) {
			return
		}
	}
	if len(life.Early) == 0 && !pause(ctx, c.Ring+c.Talk) {
		return
	}
	for _, w := range life.Report {
		p.send(ctx, line, w)
		if rand.IntN(20) == 0 {
			p.send(ctx, line, w)
		}
	}
	for _, w := range life.Late {
		if !pause(ctx, time.Duration(rand.Float64()*1.5*float64(p.Window))) {
			return
		}
		p.send(ctx, line, w)
	}
}

// callrail plays the life of one call through CallRail, voicemails, transcriptions and late changes included.
func (p *Phone) callrail(ctx context.Context, line Line) {
	c := newCall()
	send := func(event string, body []byte) { p.send(ctx, line, Webhook{Name: event, Event: event, Body: body}) }
	postCall, modified := callrail.EventPostCall, callrail.EventCallModified
	if c.Direction == "outbound" {
		postCall, modified = callrail.EventOutboundPostCall, callrail.EventOutboundCallModified
	} else {
		send(callrail.EventPreCall, callrailfake.PreCall(c))
		if !pause(ctx, seconds(1, 4)) {
			return
		}
		send(callrail.EventRoutingComplete, callrailfake.RoutingComplete(c))
	}
	if !pause(ctx, seconds(2, 15)) {
		return
	}
	end(&c)
	late := c.Recording && rand.IntN(3) == 0
	if late {
		without := c
		without.Recording, without.Transcription = false, ""
		send(postCall, callrailfake.PostCall(without))
		if !pause(ctx, time.Duration(rand.Float64()*0.9*float64(p.Window))) {
			return
		}
		send(modified, callrailfake.Modified(c, "recording_duration", "transcription_text"))
	} else {
		send(postCall, callrailfake.PostCall(c))
	}
	if rand.IntN(20) == 0 {
		send(postCall, callrailfake.PostCall(c))
	}
	if c.Answered && rand.IntN(3) == 0 {
		// Somebody works on the call: before or after it has been written.
		if !pause(ctx, time.Duration(rand.Float64()*2*float64(p.Window))) {
			return
		}
		c.Tags, c.Note = []string{pick("Roof repair", "New customer", "Quote sent", "Emergency")}, pick("Wants a quote by Friday.", "Called about the leak.", "Will call back next week.")
		send(modified, callrailfake.Modified(c, "tags", "note"))
	}
}

func (p *Phone) send(ctx context.Context, line Line, w Webhook) {
	status, _, err := line.Send(ctx, w)
	if p.Out == nil || ctx.Err() != nil || err == nil && status < 300 {
		return
	}
	if err != nil {
		fmt.Fprintf(p.Out, "demo phone: %s of %s was not accepted: %v\n", w.Name, line.Provider, err)
		return
	}
	fmt.Fprintf(p.Out, "demo phone: %s of %s was not accepted: status %d\n", w.Name, line.Provider, status)
}

type person struct{ name, number, city, state string }

// people are those who call again and again; others call once. The numbers are reserved for fiction.
var people = []person{
	{"Maria Alvarez", "+12125550101", "New York", "NY"}, {"James O'Neill", "+13125550102", "Chicago", "IL"},
	{"Priya Raman", "+14155550103", "San Francisco", "CA"}, {"Kofi Mensah", "+14045550104", "Atlanta", "GA"},
	{"Anna Kowalska", "+13135550105", "Detroit", "MI"}, {"Daniel Cho", "+12065550106", "Seattle", "WA"},
	{"Fatima Haddad", "+12145550107", "Dallas", "TX"}, {"Lucas Meyer", "+16175550108", "Boston", "MA"},
}

// numberIn is a customer's number in the country where a phone system is at home.
func numberIn(provider string) string {
	switch provider {
	case "xarios":
		return fmt.Sprintf("+44163296%04d", rand.IntN(1000))
	case "generic":
		return fmt.Sprintf("+1212555%04d", 100+rand.IntN(100))
	}
	return fmt.Sprintf("+9190000%05d", rand.IntN(100_000))
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
