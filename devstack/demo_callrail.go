//go:build unix

package devstack

import (
	"context"
	"fmt"
	"time"

	"github.com/callsync/callsync/connectors/hubspot/hubspotfake"
	"github.com/callsync/callsync/devstack/phone"
	"github.com/callsync/callsync/telephony/callrail"
	"github.com/callsync/callsync/telephony/callrail/callrailfake"
)

// script is what the demo plays through CallRail. All scenes are played at once.
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
		p.rail(ctx, callrail.EventPostCall, callrailfake.PostCall(c))
	}
	ring := func(ctx context.Context, p *player, c callrailfake.Call) {
		p.rail(ctx, callrail.EventPreCall, callrailfake.PreCall(c))
		p.wait(ctx, 300*time.Millisecond)
		p.rail(ctx, callrail.EventRoutingComplete, callrailfake.RoutingComplete(c))
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

	return railScenes([]railScene{
		{name: "answered, recording late", owner: owner, call: late, writes: 1, play: func(ctx context.Context, p *player) {
			ring(ctx, p, late)
			post(ctx, p, without(late))
			p.wait(ctx, 2*time.Second)
			p.rail(ctx, callrail.EventCallModified, callrailfake.Modified(late, "recording_duration"))
		}},
		{name: "answered, recording never", owner: owner, call: never, writes: 1, play: func(ctx context.Context, p *player) {
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
		{name: "updated after close", owner: owner, call: updated, writes: 2, body: []string{"Quote sent", "Wants it by Friday."}, play: func(ctx context.Context, p *player) {
			before := without(updated)
			before.Recording = true
			ring(ctx, p, before)
			post(ctx, p, before)
			p.delivered(ctx)
			p.rail(ctx, callrail.EventCallModified, callrailfake.Modified(updated, "tags", "note"))
		}},
		{name: "every webhook three times", owner: owner, call: duplicate, writes: 1, play: func(ctx context.Context, p *player) {
			for range 3 {
				ring(ctx, p, duplicate)
			}
			for range 3 {
				post(ctx, p, duplicate)
			}
		}},
		{name: "in the wrong order", owner: owner, call: reordered, body: []string{"Came first"}, play: func(ctx context.Context, p *player) {
			p.rail(ctx, callrail.EventCallModified, callrailfake.Modified(reordered, "tags"))
			p.wait(ctx, 500*time.Millisecond)
			before := without(reordered)
			before.Recording = true
			post(ctx, p, before)
			p.wait(ctx, 500*time.Millisecond)
			ring(ctx, p, before)
		}},
		{name: "from a known contact", owner: owner, call: known, play: func(ctx context.Context, p *player) { post(ctx, p, known) }},
		{name: "outbound", owner: owner, call: outbound, play: func(ctx context.Context, p *player) {
			p.rail(ctx, callrail.EventOutboundPostCall, callrailfake.OutboundPostCall(outbound))
		}},
		{name: "two at once, the first", owner: owner, call: twinA, play: func(ctx context.Context, p *player) { post(ctx, p, twinA) }},
		{name: "two at once, the second", owner: owner, call: twinB, play: func(ctx context.Context, p *player) { post(ctx, p, twinB) }},
	})
}

// railScene is a scene of CallRail, by the call as it is in the end.
type railScene struct {
	name, owner string
	call        callrailfake.Call
	play        func(ctx context.Context, p *player)
	body        []string
	writes      int
}

func railScenes(all []railScene) []*scene {
	out := make([]*scene, len(all))
	for i, sc := range all {
		out[i] = &scene{
			phone: callrail.ID, name: sc.name, owner: sc.owner, providerID: sc.call.ID, customer: sc.call.Customer, fields: fieldsOf(sc.call),
			recorded: sc.call.Recording, play: sc.play, body: sc.body, writes: sc.writes,
		}
	}
	return out
}

// rail sends one of CallRail's webhooks.
func (p *player) rail(ctx context.Context, event string, body []byte) {
	stage := report
	switch event {
	case callrail.EventPreCall, callrail.EventRoutingComplete:
		stage = early
	case callrail.EventCallModified, callrail.EventOutboundCallModified:
		stage = late
	}
	p.send(ctx, stage, phone.Webhook{Name: event, Event: event, Body: body})
}

// fieldsOf are the fields of the record that follow from a call of CallRail.
func fieldsOf(c callrailfake.Call) map[string]string {
	tracking := "+14155550186" // The builders' default.
	want := map[string]string{
		"hs_timestamp":     c.StartedAt.UTC().Format("2006-01-02T15:04:05.000Z"),
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
