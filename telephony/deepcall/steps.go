package deepcall

import (
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

func setupSteps() []telephony.Step {
	return []telephony.Step{
		{
			Title: "Tell callsync your user id",
			Text:  "Set this source's *User id* to the id of your DeepCall account. DeepCall signs nothing; with the id, a report of another account is held back.",
		},
		{
			Title: "Add a push report webhook",
			Text:  "In the DeepCall panel add a **push report** webhook and paste the URL. One URL serves all types of calls, DID numbers and campaigns; if you make several webhooks, let only one of them report each call. Raw JSON and the form field `push_report` both work.",
			URLs:  []telephony.StepURL{{Field: "Push report webhook", Need: telephony.Required, Note: "one report for each call, when it is over"}},
		},
		{
			Title: "Save it",
			Text:  "DeepCall calls the URL to see whether it answers `GODBLESSYOU`. callsync answers that to every request, and the webhook becomes active.",
		},
		{
			Title: "Take over all variables",
			Text:  "If the panel asks for a template, take over every variable it offers, each under its own name: `\"callId\": \"{{%%callId%%}}\"`. `callId` is indispensable; what is left out is missing in the call. If `push_report={}` arrives, the template is empty.",
		},
		{
			Title: "Switch off DeepCall's own CRM logging",
			Text:  "If your CRM is connected in the DeepCall panel, DeepCall logs calls there itself: switch that off, else every call is there twice.",
		},
		{
			Title: "Activate and call",
			Text:  "Press **Activate**, make a call, and see on the source's page what has arrived. If its recording does not play, set *Address of recordings* to the server that the panel plays recordings from.",
		},
	}
}

// The events of samples. All of them go to one URL.
const (
	sampleReport = "push-report"
	sampleForm   = "push-report-form"
	samplePing   = "ping"
)

func triggers() []telephony.Trigger {
	return []telephony.Trigger{
		{Event: samplePing, Label: "Check of the URL", Kinds: []call.Kind{}, Story: telephony.NoStory, Sample: true},
		{Event: sampleReport, Label: "Push report", Kinds: []call.Kind{call.CallEnded}, Story: telephony.InboundStory, Sample: true},
		{Event: sampleForm, Label: "Push report in a form", Kinds: []call.Kind{call.CallEnded}, Story: telephony.InboundStory, Sample: true, VariantOf: sampleReport},
	}
}
