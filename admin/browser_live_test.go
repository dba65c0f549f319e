package admin_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/internal/browsertest"
)

// liveDemo is a quarter of an hour in a busy office.
func (f *fixture) liveDemo(source string) (ids []string) {
	f.t.Helper()
	agent := func(name string, s call.AgentStatus) call.Agent { return call.Agent{Name: name, Status: s} }
	us := func(f call.Facts, number string) call.Facts {
		f.Customer.Number, f.BusinessNumber = number, "+13105550100"
		return f
	}
	in, out := call.Inbound, call.Outbound
	for _, c := range []struct {
		name  string
		kind  call.Kind
		ago   int
		facts call.Facts
	}{
		{"Jane Doe", call.CallAnswered, 754, us(call.Facts{Direction: in, Department: "Sales", Agents: []call.Agent{agent("Anna Smith", call.AgentAnswered)}}, "+14155550101")},
		{"Marguerite Featherstonehaugh-Williamson", call.CallRouted, 95, us(call.Facts{Direction: in, Department: "Emergency repairs", Queue: "First line"}, "+13105550177")},
		{"", call.CallRouted, 12, us(call.Facts{Direction: in, IVRPath: []string{"Main menu"}}, "+442079460018")},
		{"Diego Alvarez", call.CallAgentDialed, 6, us(call.Facts{Direction: in, Queue: "First line", Agents: []call.Agent{agent("Ben Ortiz", call.AgentDialed), agent("Priya Natarajan", call.AgentDialed)}}, "+14155550142")},
		{"Chloé Lefèvre", call.CallRouted, 8, us(call.Facts{Direction: out, Agents: []call.Agent{agent("Omar Haddad", call.AgentAnswered)}}, "+33142685300")},
		{"Rahul Sharma", call.CallAnswered, 3905, us(call.Facts{Direction: out, Agents: []call.Agent{agent("Wei Zhang", call.AgentAnswered)}}, "+919876543210")},
	} {
		ids = append(ids, f.liveCall(f.ws, source, c.name, c.kind, c.ago, c.facts))
	}
	return ids
}

// The board shows who rings, waits and talks, and changes by itself at once.
func TestBrowserLive(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna Smith", "viewer")
	b := f.newBrowser("America/Los_Angeles")
	b.signIn("anna@example.com")
	b.open("/live")
	require.Contains(t, js[string](b, "document.querySelector('.empty').textContent"), "Add a source")
	source := f.newSource().JSON["id"].(string)
	b.open("/live")
	b.until("document.querySelector('#live-status').textContent === 'Updates by itself'")
	b.picture("live-empty", false)

	// What begins shows up without anybody doing anything, those who wait first.
	ids := f.liveDemo(source)
	f.notify(f.ws)
	b.until("document.querySelectorAll('#live tbody tr').length === 6")
	states := js[[]string](b, "Array.from(document.querySelectorAll('#live .chip'), e => e.textContent)")
	require.Equal(t, []string{"Waiting", "Ringing", "Ringing", "In the menu", "Talking", "Talking"}, states)
	require.Contains(t, js[string](b, "document.querySelector('.live-counts').textContent"), "2 ringing")

	// Times tick.
	first := js[string](b, "document.querySelector('#live .elapsed').textContent")
	require.Regexp(t, `^1:[34]\d$`, first)
	b.until("document.querySelector('#live .elapsed').textContent !== '" + first + "'")

	// The focus stays while the board changes, and calls go when they end.
	js[bool](b, "(document.getElementById('live-"+ids[0]+"').focus(), true)")
	f.hangUp(ids[1])
	b.until("document.getElementById('live-" + ids[1] + "') === null")
	require.Equal(t, "live-"+ids[0], js[string](b, "document.activeElement.id"))
	require.Regexp(t, `^1[2-4]:\d\d$`, js[string](b, "document.querySelector('#live-"+ids[0]+"').closest('tr').querySelector('.elapsed').textContent"))

	for _, dark := range []bool{false, true} {
		b.dark(dark)
		for _, width := range []int64{1280, 390} {
			b.size(width, 844)
			b.open("/live")
			b.picture(fmt.Sprintf("live-%d%s", width, suffix(dark)), true)
		}
	}
	b.dark(false)
	b.size(1280, 900)

	// Without scripts it is a list.
	b.run(browsertest.Command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
	b.open("/live")
	b.picture("live-without-scripts", true)
	b.run(browsertest.Command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{}))

	// A lost stream says so, and comes back.
	b.open("/live")
	b.until("document.querySelector('#live-status').textContent === 'Updates by itself'")
	f.http.CloseClientConnections()
	b.until("document.querySelector('#live-status').textContent === 'Connecting again …'")
	f.liveCall(f.ws, source, "Late", call.CallRinging, 0, call.Facts{})
	b.until("document.querySelector('#live').textContent.includes('Late')")
	b.Forget("net::ERR_")
}

// A source in a wrong time zone says so where it can be changed.
func TestBrowserClock(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	source := f.newSource().JSON["id"].(string)
	f.exec(`insert into source_clocks (source_id, workspace_id, samples) select $1, $2, array_agg(3600 + n % 5) from generate_series(1, 40) n`, source, f.ws)
	b := f.newBrowser("America/Los_Angeles")
	b.signIn("anna@example.com")
	b.open("/sources")
	b.picture("sources-clock", false)
	b.open("/sources/" + source)
	require.Contains(t, js[string](b, "document.querySelector('#clock').textContent"), "the time zone should probably be America/Chicago")
	b.picture("source-clock", false)
}
