package xarios

import (
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

func setupSteps() []telephony.Step {
	return []telephony.Step{
		{
			Title: "Add a webhook",
			Text:  "In Xarios' **Customer Portal** add a webhook (how many you may have depends on the licence). Paste the URL, choose the request method **POST** and the request format **JSON**. PUT, GET and Form Data work as well.",
			URLs:  []telephony.StepURL{{Field: "URL", Need: telephony.Required, Note: "one report for each call session, when it is over"}},
		},
		{
			Title: "Add a token of your own",
			Text:  "Under **Additional payload data** add the key `token` with a long random text, and enter the same text here as *Static token*. Xarios signs nothing; this is what tells its requests from others.",
		},
		{
			Title: "Let it try again",
			Text:  "Set **Retry attempts** to 10. callsync recognises repetitions.",
		},
		{
			Title: "Leave the filter open",
			Text:  "Or let only *External* calls through. callsync skips internal calls unless you tell it otherwise.",
		},
		{
			Title: "Switch off Xarios' own CRM logging",
			Text:  "If Xarios adds call history to your CRM itself, switch that off: otherwise every call is logged twice.",
		},
		{
			Title: "Wait ten minutes, then call",
			Text:  "Xarios caches its triggers that long. Then call one of your numbers and see on the source's page what has arrived.",
		},
	}
}

// The events of samples: the one trigger there is, in two encodings.
const (
	sampleEvent = "cdr"
	sampleForm  = "cdr-form"
)

func triggers() []telephony.Trigger {
	return []telephony.Trigger{
		{Event: sampleEvent, Label: "Call session ended", Kinds: []call.Kind{call.CallEnded}, Story: telephony.InboundStory, Sample: true},
		{Event: sampleForm, Label: "Call session ended, as Form Data", Kinds: []call.Kind{call.CallEnded}, Story: telephony.InboundStory, Sample: true, VariantOf: sampleEvent},
	}
}
