//go:build unix

package devstack

import (
	"context"
	"fmt"
	"time"

	"github.com/callsync/callsync/connectors/hubspot/hubspotfake"
	"github.com/callsync/callsync/devstack/phone"
	"github.com/callsync/callsync/telephony/callerdesk"
	"github.com/callsync/callsync/telephony/deepcall"
	"github.com/callsync/callsync/telephony/generic"
	"github.com/callsync/callsync/telephony/smartflo"
	"github.com/callsync/callsync/telephony/xarios"
)

// otherPhones is what the demo plays through the phone systems beside CallRail: for each a call from its early triggers to
// what comes late, and one in its other encoding.
func (d *demo) otherPhones(fake *hubspotfake.Fake) []*scene {
	const agent = "lee@example.com"
	owner := fake.AddOwner(agent)
	ring, talk := 5*time.Second, 55*time.Second
	began := time.Now().Add(-ring - talk).Truncate(time.Second)
	india := func(n int) string { return fmt.Sprintf("+9198765%05d", n) }
	talked := func(customer string) phone.Call {
		return phone.Call{StartedAt: began, Ring: ring, Talk: talk, Customer: customer, Answered: true, Recorded: true, AgentEmail: agent}
	}
	missed := func(customer string) phone.Call {
		return phone.Call{StartedAt: time.Now().Add(-ring).Truncate(time.Second), Ring: ring, Customer: customer, Other: true}
	}
	with := func(c phone.Call, change func(*phone.Call)) phone.Call {
		change(&c)
		return c
	}
	scenes := []*scene{
		d.scene(smartflo.ID, "through menu and department, in five encodings", talked(india(1)), scene{owner: owner, writes: 1}),
		d.scene(smartflo.ID, "dialer, disposition after close", with(talked(india(2)), func(c *phone.Call) {
			c.Outbound, c.Other, c.Disposition = true, true, "Interested"
		}), scene{owner: owner, writes: 2, body: []string{"Interested"}}),
		d.scene(callerdesk.ID, "live and report, JSON by POST", talked(india(3)), scene{writes: 1}),
		d.scene(callerdesk.ID, "missed, by GET", missed(india(4)), scene{writes: 1}),
		d.scene(xarios.ID, "answered, JSON, with tags", with(talked("+441632960201"), func(c *phone.Call) { c.Tags = []string{"step1"} }), scene{writes: 1, body: []string{"step1"}}),
		d.scene(xarios.ID, "missed, as a form", missed("+441632960202"), scene{writes: 1}),
		d.scene(deepcall.ID, "answered, push_report in a form", talked(india(5)), scene{writes: 1}),
		d.scene(deepcall.ID, "missed, JSON", missed(india(6)), scene{writes: 1}),
		d.scene(generic.ID, "recording late, note after close", with(talked("+12125550161"), func(c *phone.Call) {
			c.Note, c.Tags, c.Disposition = "Call back on Monday.", []string{"Key account"}, "Sold"
		}), scene{owner: owner, writes: 2, body: []string{"Call back on Monday.", "Key account"}}),
		d.scene(generic.ID, "missed", missed("+12125550162"), scene{writes: 1}),
	}
	return scenes
}

// scene is the call c through a phone system, with what is expected beside what follows from c.
func (d *demo) scene(provider, name string, c phone.Call, expect scene) *scene {
	life := phone.LifeOf(provider, c, d.lines[provider].Secret)
	sc := expect
	sc.phone, sc.name, sc.providerID, sc.customer, sc.recorded = provider, name, life.ID, c.Customer, c.Recorded
	sc.fields = map[string]string{
		"hs_timestamp":        c.StartedAt.UTC().Format("2006-01-02T15:04:05.000Z"),
		"hs_call_direction":   "INBOUND",
		"hs_call_from_number": c.Customer,
		"hs_call_to_number":   life.Business,
		"hs_call_status":      "NO_ANSWER",
	}
	if c.Answered {
		sc.fields["hs_call_status"] = "COMPLETED"
		sc.fields["hs_call_duration"] = fmt.Sprint(c.Talk.Milliseconds())
	}
	if c.Outbound {
		sc.fields["hs_call_direction"], sc.fields["hs_call_from_number"], sc.fields["hs_call_to_number"] = "OUTBOUND", life.Business, c.Customer
	}
	sc.play = func(ctx context.Context, p *player) {
		for _, w := range life.Early {
			p.send(ctx, early, w)
			p.wait(ctx, 200*time.Millisecond)
		}
		for _, w := range life.Report {
			p.send(ctx, report, w)
		}
		for i, w := range life.Late {
			if i == len(life.Late)-1 && sc.writes > 1 {
				p.delivered(ctx)
			} else {
				p.wait(ctx, time.Second)
			}
			p.send(ctx, late, w)
		}
	}
	return &sc
}
