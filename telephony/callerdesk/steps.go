package callerdesk

import (
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

func setupSteps() []telephony.Step {
	return []telephony.Step{
		{
			Title: "Open the webhooks",
			Text:  "In CallerDesk open **Settings → API & Integration → Webhooks**. It is a premium feature: ask CallerDesk's support if it is not there.",
		},
		{
			Title: "Paste the URL",
			Text:  "It is the same URL for every event; a report and a live call are told apart by what they say. Choose **POST** where the panel lets you choose; GET works as well. There are no fields to choose: CallerDesk sends all it has.",
			URLs: []telephony.StepURL{
				{Field: "Call report", Need: telephony.Required, Note: "how the call ended, its times, its recording"},
				{Field: "Live call", Need: telephony.Live},
				{Field: "member, call group", Need: telephony.Unneeded, Note: "callsync accepts and ignores them"},
			},
		},
		{
			Title: "Switch off CallerDesk's own CRM logging",
			Text:  "If the panel's integrations have your CRM connected, CallerDesk logs calls there itself: switch that off, else every call is logged twice.",
		},
		{
			Title: "Call one of your numbers",
			Text:  "Then see on the source's page what has arrived and what was understood.",
		},
	}
}

// The events of samples. All of them go to one URL.
const (
	sampleReport       = "call-report"
	sampleReportGet    = "call-report-get"
	sampleLive         = "live-call"
	sampleLiveAnswered = "live-call-answered"
)

func triggers() []telephony.Trigger {
	return []telephony.Trigger{
		{Event: sampleLive, Label: "Live call, ringing", Kinds: []call.Kind{call.CallRinging, call.CallAgentDialed, call.CallRouted, call.CallAgentMissed}, Story: telephony.InboundStory, Sample: true},
		{Event: sampleLiveAnswered, Label: "Live call, answered", Kinds: []call.Kind{call.CallAnswered}, Story: telephony.InboundStory, Sample: true},
		{Event: sampleReport, Label: "Call report", Kinds: []call.Kind{call.CallEnded}, Story: telephony.InboundStory, Sample: true},
		{Event: sampleReportGet, Label: "Call report by GET", Kinds: []call.Kind{call.CallEnded}, Story: telephony.InboundStory, Sample: true, VariantOf: sampleReport},
	}
}
