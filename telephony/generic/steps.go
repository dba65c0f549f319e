package generic

import "github.com/callsync/callsync/telephony"

func setupSteps() []telephony.Step {
	return []telephony.Step{
		{
			Title: "Find out what the phone system sends",
			Text:  "Look in its own documentation for webhooks: which requests, when, with which fields. Where nothing is written, make the source with a mapping that fits nothing yet, point the phone system to the URL, and look at what arrives.",
		},
		{
			Title: "Write the mapping",
			Text:  "Start from one of the two examples in the guide, change the names of the fields to those of your phone system, and save. Faults are shown with the line they are in.",
		},
		{
			Title: "Paste the URL",
			Text:  "Paste it into the phone system's webhook settings, once for each event if it asks for each. What you append to the URL as a last part (`/hangup`) is `request.event` in the mapping. POST or GET, JSON or forms: all are read.",
			URLs:  []telephony.StepURL{{Field: "Webhook", Need: telephony.Required}},
		},
		{
			Title: "Say how it signs",
			Text:  "If the phone system signs its requests, put its key into *Signing key* and say how it signs. If it does not, the URL is the only secret.",
		},
		{
			Title: "Switch off the phone system's own CRM logging",
			Text:  "If it logs calls into your CRM itself, switch that off: otherwise every call is there twice.",
		},
		{
			Title: "Call, look, replay",
			Text:  "Make a call, look at what has arrived, and press **Replay** on receipts that were quarantined or ignored after every change of the mapping: nothing that has arrived is lost.",
		},
	}
}
