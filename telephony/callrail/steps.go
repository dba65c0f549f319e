package callrail

import (
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

func setupSteps() []telephony.Step {
	return []telephony.Step{
		{
			Title: "Make one source for each company",
			Text:  "In CallRail, webhooks and signing keys belong to a company. If your account has several companies, each gets a source of its own.",
		},
		{
			Title: "Paste the URLs",
			Text:  "In CallRail open **Settings → Integrations → Webhooks**, choose the company, and paste each URL into the field of the same name. A field can hold several URLs: add ours beside those that are there.",
			URLs: []telephony.StepURL{
				{Event: EventPreCall, Field: "Pre-Call", Need: telephony.Live},
				{Event: EventRoutingComplete, Field: "Call Routing Complete", Need: telephony.Live},
				{Event: EventPostCall, Field: "Post-Call", Need: telephony.Required},
				{Event: EventCallModified, Field: "Call Modified", Need: telephony.Required, Note: "late recordings, transcriptions, tags, notes, values and scores come only here"},
				{Event: EventOutboundPostCall, Field: "Outbound Post-Call", Need: telephony.IfUsed, Note: "calls that people make through CallRail"},
				{Event: EventOutboundCallModified, Field: "Outbound Call Modified", Need: telephony.IfUsed, Note: "likewise"},
				{Event: EventTextReceived, Field: "Text Message Received", Need: telephony.IfUsed},
				{Event: EventTextSent, Field: "Text Message Sent", Need: telephony.IfUsed},
				{Event: EventFormSubmission, Field: "Form Submission", Need: telephony.IfUsed},
			},
		},
		{
			Title: "Take over the signing key",
			Text:  "Under **Webhooks → Advanced Settings** copy the **Webhook Signature Secret Token** into this source's *Signing key*. CallRail sends JSON by POST and signs it; there is nothing to choose.",
		},
		{
			Title: "Switch off CallRail's own CRM logging",
			Text:  "Look under **Settings → Integrations** for your CRM (HubSpot, Salesforce, Zoho and others). If it is connected there, CallRail logs calls into the CRM itself: switch that off, else every call is there twice.",
		},
		{
			Title: "Activate and call",
			Text:  "Press **Activate**, call one of your tracking numbers, and see on the source's page what has arrived and what was understood.",
		},
		{
			Title: "Let callsync ask for what was lost",
			Text:  "Under **Settings → API** make an API key, and enter it here with the account id. CallRail never repeats a webhook: without the key, a call whose webhook was lost stays lost.",
		},
	}
}

func triggers() []telephony.Trigger {
	of := func(event, label string, story telephony.Story, kind call.Kind) telephony.Trigger {
		return telephony.Trigger{Event: event, Label: label, Hook: event, Kinds: []call.Kind{kind}, Story: story, Sample: true}
	}
	return []telephony.Trigger{
		of(EventPreCall, "Pre-Call", telephony.InboundStory, call.CallRinging),
		of(EventRoutingComplete, "Call Routing Complete", telephony.InboundStory, call.CallRouted),
		of(EventPostCall, "Post-Call", telephony.InboundStory, call.CallEnded),
		of(EventCallModified, "Call Modified", telephony.InboundStory, call.CallUpdated),
		of(EventOutboundPostCall, "Outbound Post-Call", telephony.OutboundStory, call.CallEnded),
		of(EventOutboundCallModified, "Outbound Call Modified", telephony.OutboundStory, call.CallUpdated),
		of(EventTextReceived, "Text Message Received", telephony.MessageStory, call.MessageReceived),
		of(EventTextSent, "Text Message Sent", telephony.MessageStory, call.MessageSent),
		of(EventFormSubmission, "Form Submission", telephony.FormStory, call.FormSubmitted),
	}
}
