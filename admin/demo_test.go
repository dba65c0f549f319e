package admin_test

import (
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

// demo is a workspace as people have one: two CRMs and a day's calls in all states.
type demo struct {
	source, hubspot, webhook string
	// star is the call of the screenshots: in one CRM with its recording, on hold in the other.
	star, waiting, live, held, broken string
}

func (f *fixture) demo() demo {
	f.t.Helper()
	now := f.clock().UTC().Truncate(time.Second)
	ago := func(minutes int) time.Time { return now.Add(-time.Duration(minutes) * time.Minute) }
	d := demo{source: f.newSource().JSON["id"].(string), hubspot: f.newConnection().JSON["id"].(string)}
	d.webhook = f.must(201, "POST", "/connections", `{"connector": "webhook", "name": "Data warehouse", "config": {"base_url": "https://hooks.example.com/calls"}, "secrets": {"signing_secret": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}}`).JSON["id"].(string)
	f.must(200, "POST", "/connections/"+d.hubspot+"/test", "")

	anna := call.Agent{Name: "Anna Smith", Email: "anna@acme.example", Status: call.AgentAnswered, RingSeconds: num(9), TalkSeconds: num(251)}
	ben := call.Agent{Name: "Ben Ortiz", Email: "ben@acme.example", Status: call.AgentAnswered, RingSeconds: num(12), TalkSeconds: num(64)}
	record := "https://app.hubspot.com/contacts/4242/record/0-48/"
	done := func(connection string, at ...time.Time) told {
		l := told{connection: connection, state: "done", revision: 1, remote: "10482", url: record + "10482"}
		if connection == d.webhook {
			l.remote, l.url = "", ""
		}
		for i, one := range at {
			l.attempts = append(l.attempts, records.Attempt{At: one, Outcome: "done", Revision: int64(i + 1), Duration: time.Duration(412-90*i) * time.Millisecond})
			l.revision = int64(i + 1)
		}
		return l
	}
	simple := func(start time.Time, status call.Status, seconds int64, who call.Party, agent call.Agent, lanes ...told) string {
		facts := call.Facts{Direction: call.Inbound, Status: status, StartedAt: start, EndedAt: start.Add(time.Duration(seconds) * time.Second), DurationSeconds: num(seconds), Customer: who,
			BusinessNumber: "+13105550100", Agents: []call.Agent{agent}}
		if status == call.Answered {
			facts.AnsweredAt = start.Add(9 * time.Second)
			facts.Recordings = []call.Recording{{ID: "1", URL: "https://app.callrail.com/calls/1/recording", State: call.RecordingAvailable, DurationSeconds: num(seconds)}}
		} else {
			facts.Agents[0].Status, facts.Agents[0].TalkSeconds = call.AgentMissed, nil
		}
		return f.tell(f.ws, story{source: d.source, receipts: []said{{kind: call.CallEnded, at: facts.EndedAt.Add(2 * time.Second), facts: facts}}, lanes: lanes})
	}

	simple(ago(300), call.Answered, 1325, call.Party{Number: "+919876543210", Name: "Rahul Sharma"}, anna, done(d.hubspot, ago(277)), done(d.webhook, ago(277)))
	simple(ago(281), call.Missed, 24, call.Party{Number: "+442079460018"}, ben, done(d.hubspot, ago(280)), done(d.webhook, ago(280)))
	simple(ago(232), call.Voicemail, 48, call.Party{Number: "+13105550177", Name: "Marguerite Featherstonehaugh-Williamson"}, anna, done(d.hubspot, ago(225)), done(d.webhook, ago(225)))
	simple(ago(190), call.Answered, 702, call.Party{Number: "+14155550142", Name: "Diego Alvarez", Company: "Alvarez Roofing"}, ben,
		told{connection: d.hubspot, state: "skipped", revision: 1, class: "deleted", reason: "Somebody deleted the record in HubSpot."}, done(d.webhook, ago(170)))
	simple(ago(150), call.Answered, 96, call.Party{Number: "+12125550123", Name: "Wei Zhang"}, anna, done(d.hubspot, ago(148)), done(d.webhook, ago(148)))
	refused := told{connection: d.hubspot, state: "parked", revision: 1, class: "invalid", field: "hs_call_disposition",
		reason:   "HubSpot refused the field hs_call_disposition: “Callback requested” is not one of the outcomes of this account",
		attempts: []records.Attempt{{At: ago(108), Outcome: "parked", Class: "invalid", Reason: "HubSpot refused the field hs_call_disposition: “Callback requested” is not one of the outcomes of this account", Duration: 301 * time.Millisecond}}}
	d.held = simple(ago(121), call.Answered, 388, call.Party{Number: "+16465550199", Name: "Priya Natarajan"}, ben, refused, done(d.webhook, ago(107)))
	for range 3 {
		simple(ago(110), call.Answered, 140, call.Party{Number: "+16465550144", Name: "Omar Haddad"}, anna, refused, done(d.webhook, ago(105)))
	}
	simple(ago(74), call.Busy, 3, call.Party{RawNumber: "anonymous"}, ben, done(d.hubspot, ago(73)), done(d.webhook, ago(73)))

	// The star: all receipts of a call, with a recording that came late and an agent's note after that.
	start := ago(52)
	end := start.Add(260 * time.Second)
	customer := call.Party{Number: "+14155550101", RawNumber: "415-555-0101", Name: "Jane Doe", Company: "Doe & Daughters Plumbing", City: "San Francisco", State: "CA", Country: "US"}
	both := []call.Agent{{Name: "Ben Ortiz", Email: "ben@acme.example", Status: call.AgentMissed, RingSeconds: num(15)}, anna}
	ended := call.Facts{Direction: call.Inbound, Status: call.Answered, StartedAt: start, AnsweredAt: start.Add(9 * time.Second), EndedAt: end, DurationSeconds: num(260), RingSeconds: num(9), TalkSeconds: num(251),
		Customer: customer, BusinessNumber: "+13105550100", Agents: both, FirstCall: ptr(true),
		Attribution: call.Attribution{Source: "Google Ads", Medium: "cpc", Campaign: "Emergency plumbing SF", Keywords: "burst pipe"}}
	withRecording := ended
	withRecording.Recordings = []call.Recording{{ID: "1", URL: "https://app.callrail.com/calls/CAL8154/recording", State: call.RecordingAvailable, DurationSeconds: num(251)}}
	withAll := withRecording
	withAll.Tags, withAll.Note = []string{"New customer", "Emergency"}, "Burst pipe in the kitchen. Promised a visit before six."
	withAll.Value = &call.Money{Amount: "480.00", Currency: "USD"}
	withAll.Transcription = call.Transcription{Text: "Anna: Acme Plumbing, this is Anna. How can I help?\nJane: Hi, a pipe burst under my kitchen sink, there is water everywhere.\nAnna: I am sorry to hear that. Please close the main valve first, it is usually near the meter.\nJane: Done, it stopped. Can somebody come today?\nAnna: Ben can be with you before six. May I have your address?"}
	d.star = f.tell(f.ws, story{source: d.source, revision: 3, receipts: []said{
		{kind: call.CallRinging, at: start.Add(time.Second), facts: call.Facts{Direction: call.Inbound, Status: call.Ringing, StartedAt: start, Customer: customer, BusinessNumber: "+13105550100"}},
		{kind: call.CallEnded, at: end.Add(2 * time.Second), facts: ended, outlook: map[call.Artifact]call.Outlook{call.ArtifactRecording: call.Announced}},
		{kind: call.CallUpdated, at: end.Add(6 * time.Minute), facts: withRecording},
		{kind: call.CallUpdated, at: end.Add(6*time.Minute + 3*time.Second), facts: withRecording, same: true},
		{kind: call.CallUpdated, at: end.Add(19 * time.Minute), facts: withAll},
	}, lanes: []told{
		{connection: d.hubspot, state: "done", revision: 3, remote: "10497", url: record + "10497",
			steps: map[string]records.Step{
				"party":        {At: end.Add(6*time.Minute + 5*time.Second), Text: "Contact matched by phone number"},
				"link:contact": {At: end.Add(6*time.Minute + 6*time.Second), Text: "Linked to the contact"}},
			written: map[string]any{"hs_call_title": "Inbound call from Jane Doe", "hs_call_direction": "INBOUND", "hs_call_status": "COMPLETED", "hs_call_duration": 260000,
				"hs_call_from_number": "+14155550101", "hs_call_recording_url": "https://app.callrail.com/calls/CAL8154/recording", "hubspot_owner_id": "79312"},
			attempts: []records.Attempt{
				{At: end.Add(6*time.Minute + 4*time.Second), Outcome: "retry", Class: "rate_limited", Reason: "HubSpot asks us to wait.", Duration: 88 * time.Millisecond},
				{At: end.Add(6*time.Minute + 6*time.Second), Outcome: "done", Duration: 612 * time.Millisecond},
				{At: end.Add(19*time.Minute + 5*time.Second), Outcome: "done", Revision: 3, Duration: 287 * time.Millisecond}}},
		{connection: d.webhook, state: "waiting", revision: 1, class: "unavailable", reason: "The receiver of the webhook does not answer.", retryAt: now.Add(6 * time.Minute),
			attempts: []records.Attempt{{At: end.Add(6*time.Minute + 6*time.Second), Outcome: "done", Duration: 140 * time.Millisecond},
				{At: ago(2), Outcome: "retry", Class: "unavailable", Reason: "The receiver of the webhook does not answer.", Duration: 10 * time.Second}}},
	}})

	// One waits for its recording, one is live, one is in trouble everywhere.
	start = ago(9)
	d.waiting = f.tell(f.ws, story{source: d.source, receipts: []said{{kind: call.CallEnded, at: start.Add(121 * time.Second), facts: call.Facts{
		Direction: call.Outbound, Status: call.Answered, StartedAt: start, AnsweredAt: start.Add(9 * time.Second), EndedAt: start.Add(120 * time.Second), DurationSeconds: num(120),
		Customer: call.Party{Number: "+33142685300", Name: "Chloé Lefèvre"}, BusinessNumber: "+13105550100", Agents: []call.Agent{ben}},
		outlook: map[call.Artifact]call.Outlook{call.ArtifactRecording: call.Announced}}}})
	d.live = f.tell(f.ws, story{source: d.source, live: true, receipts: []said{{kind: call.CallRinging, at: ago(0), facts: call.Facts{
		Direction: call.Inbound, Status: call.Ringing, StartedAt: ago(0), Customer: call.Party{Number: "+13235550166"}}}}})

	bad := records.Receipt{ID: idAt(ago(30)), WorkspaceID: f.ws, SourceID: d.source, ReceivedAt: ago(30), Method: "POST", HookEvent: "post-call", Signature: "ok",
		Query: []byte("debug=1"), Headers: []byte(`{"Content-Type": ["application/x-www-form-urlencoded"], "User-Agent": ["CallRail"]}`),
		Body: []byte("resource_id=CAL0a1b2c3d&customer_phone_number=%2B14155550101&start_time=yesterday&note=h\x00llo%00")}
	bad.Result.State, bad.Result.Reason = records.ReceiptQuarantined, "The field start_time is not a time. If CallRail changed its format, tell us; then replay the receipt."
	bad.Result.Detail = `callrail: unreadable at field start_time: parsing time: cannot parse as "2006"`
	d.broken = bad.ID
	if err := f.db.InsertReceipts(f.t.Context(), []records.Receipt{bad}); err != nil {
		f.t.Fatal(err)
	}
	return d
}

func ptr[T any](v T) *T { return &v }
