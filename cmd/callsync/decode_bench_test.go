package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/callerdesk/callerdeskfake"
	"github.com/callsync/callsync/telephony/callrail/callrailfake"
	"github.com/callsync/callsync/telephony/deepcall/deepcallfake"
	"github.com/callsync/callsync/telephony/generic/genericfake"
	"github.com/callsync/callsync/telephony/smartflo/smartflofake"
	"github.com/callsync/callsync/telephony/xarios/xariosfake"
)

// finalReceipts is the report of an answered call of two minutes as each phone system sends it: what most receipts that
// reach a CRM are like.
func finalReceipts(start time.Time) map[string]struct {
	event  string
	body   []byte
	config map[string]string
} {
	const ring, talk = 12 * time.Second, 108 * time.Second
	type receipt = struct {
		event  string
		body   []byte
		config map[string]string
	}
	return map[string]receipt{
		"callerdesk": {body: callerdeskfake.Report(callerdeskfake.Call{
			ID: "1772357645.1071", StartedAt: start, Duration: ring + talk, Talk: talk, Answered: true, Recording: true, Group: "Sales", Keys: "2", HangupBy: "agent",
		})},
		"callrail": {event: "post-call", body: callrailfake.PostCall(callrailfake.Call{
			ID: "CAL09c8a75d189149a482e881a9590ac1ba", StartedAt: start, Duration: ring + talk, Answered: true, Recording: true, Tags: []string{"roof", "vip"},
			Note: "Call back on Monday.", Value: "1250.50", LeadStatus: "good_lead", AgentEmail: "bo@example.com", PriorCalls: 2, Medium: "cpc", Campaign: "Spring",
		})},
		"deepcall": {body: deepcallfake.Form(deepcallfake.Report(deepcallfake.Call{
			ID: "knk1qft11618572678", StartedAt: start, Ring: ring, Talk: talk, Recording: true, Flow: []string{"#2", "#8", "HANGUP"}, DTMF: []string{"2"}, ExitCode: 9,
		}))},
		"generic": {config: map[string]string{"mapping": genericfake.JSONMapping}, body: genericfake.JSONCall(genericfake.Call{
			ID: "CA77", CustomerName: "Ada Example", StartedAt: start, Ring: ring, Talk: talk, Answered: true, RecordingID: "RE1",
			RecordingURL: "https://pbx.example.com/rec/RE1?key=abc", Queue: "Sales",
		}, "hangup")},
		"smartflo": {event: "hangup", body: smartflofake.JSON(smartflofake.Payload("hangup", smartflofake.Call{
			StartedAt: start, Ring: ring, Talk: talk, Answered: true, IVR: "Main menu", Digits: []string{"2", "1"}, Recording: true,
		}))},
		"xarios": {body: xariosfake.JSON(xariosfake.Call{
			ID: "0f6a2b1e-6a55-4e0e-9c7e-1b2c3d4e5f60", StartedAt: start, Duration: ring + talk, Ring: ring, Talk: talk, Answered: true, Group: "Sales",
			Recordings: []string{"6f1b8a52-11c4-4d29-8c0e-0d7f6c0b1a01"}, Tags: map[string]string{"Support": "step1"},
			Contacts: []xariosfake.Contact{{Name: "Carl Customer", Company: "Example Ltd", Email: "carl@example.com", Phone: "+441632960001", CRMID: "C1"}},
		})},
	}
}

// BenchmarkDecodeFold measures what a receipt costs a core: reading it and folding what it says into a call.
func BenchmarkDecodeFold(b *testing.B) {
	start := time.Date(2026, 3, 1, 9, 34, 5, 0, time.UTC)
	receipts := finalReceipts(start)
	for id, provider := range providers() {
		final, ok := receipts[id]
		require.True(b, ok, "no receipt of %s", id)
		r := telephony.Request{
			Method: http.MethodPost, Event: final.event, Header: http.Header{"Content-Type": {"application/json"}}, Body: final.body, ReceivedAt: start.Add(3 * time.Minute),
		}
		s := telephony.Settings{Location: time.UTC, DefaultCountry: "US", Config: final.config}
		who := call.Identity{ID: "c", WorkspaceID: "w", SourceID: "s", Provider: id}
		b.Run(id, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(r.Body)))
			for b.Loop() {
				d, err := provider.Decode(r, s)
				if err != nil || len(d.Events) != 1 {
					b.Fatal(err, d.Ignored)
				}
				d.Events[0].ReceiptID, d.Events[0].ReceivedAt = "r", r.ReceivedAt
				if c := call.Fold(who, d.Events); c.Phase != call.Ended || c.Status != call.Answered {
					b.Fatal(c.Phase, c.Status)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "receipts/s")
		})
	}
}
