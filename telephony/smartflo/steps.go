package smartflo

import (
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// needs tell which triggers are worth a webhook; those that are not here feed the live board.
var needs = map[trigger]telephony.StepURL{
	hangup:              {Need: telephony.Required, Note: "make two webhooks with it, one for inbound and one for outbound"},
	hangupMissed:        {Need: telephony.Unneeded, Note: "instead of the one for both, if you want missed calls only"},
	hangupAnswered:      {Need: telephony.Unneeded, Note: "instead of the one for both, if you want answered calls only"},
	agentAnsweredHangup: {Need: telephony.Unneeded, Note: "says the same again"},
	agentMissedHangup:   {Need: telephony.Unneeded, Note: "says the same again"},
	customerMissed:      {Need: telephony.IfUsed, Note: "click to call"},
	dialerDisposition:   {Need: telephony.IfUsed, Note: "the dialer; what agents say about a call comes only here"},
	dialerConnected:     {Need: telephony.Live, Note: "of the dialer"},
	dtmfOption:          {Need: telephony.Live, Note: "the report lists the digits too"},
}

func setupSteps() []telephony.Step {
	urls := make([]telephony.StepURL, len(triggers))
	for i, t := range triggers {
		u, ok := needs[t.id]
		if !ok {
			u.Need = telephony.Live
		}
		u.Event, u.Field = string(t.id), t.label
		urls[i] = u
	}
	return []telephony.Step{
		{
			Title: "Open the webhooks",
			Text:  "In Smartflo's panel open **API Connect → Webhook** (older panels: **Services → Webhook**). If there is no such page, ask Smartflo's support to switch webhooks on for the account.",
		},
		{
			Title: "Make one webhook per trigger",
			Text:  "Paste into each the URL of the same name. The body does not say which trigger it is; the end of the URL does.",
			URLs:  urls,
		},
		{
			Title: "Choose POST and JSON",
			Text:  "As method choose **POST**, as content type **JSON**. GET, forms and multipart are read too.",
		},
		{
			Title: "Write the body",
			Text: "Take all of Smartflo's variables, under their own names (`\"call_id\": \"$call_id\"`). At least: `call_id`, `uuid`, `direction`, `call_status`, `call_to_number`, `caller_id_number`, `customer_no_with_prefix`, `start_stamp`, `end_stamp`, `duration`, `outbound_sec`, `answered_agent`, `missed_agent`, `recording_url`, `ref_id`, `custom_identifier`. " +
				"If your body uses other names, tell them here under *Your own field names*.",
		},
		{
			Title: "If one URL must do for several triggers",
			Text:  "Use the first URL without its last part, and add a static field to each body, for example `\"event\": \"hangup\"`.",
		},
		{
			Title: "Switch off Smartflo's own CRM logging",
			Text:  "If your CRM is connected in Smartflo (**API Connect**, integrations), it logs calls there itself: switch that off, else every call is written twice.",
		},
		{
			Title: "Activate and call",
			Text:  "Press **Activate**, make a call in each direction, and see on the source's page what has arrived and what was understood.",
		},
	}
}

// The events of samples that are other forms of Call hangup: urlencoded, with what is nested in brackets, and of a click to
// call.
const (
	sampleForm        = "hangup-form"
	sampleClickToCall = "hangup-click-to-call"
)

// story is the order of an inbound call's triggers and, after that, of those that only calls out have. The panel's order
// is another one.
var story = []struct {
	trigger
	of telephony.Story
}{
	{callReceived, telephony.InboundStory}, {answeredOnIVR, telephony.InboundStory}, {receivedOnAttendant, telephony.InboundStory}, {dtmfOption, telephony.InboundStory},
	{receivedOnDepartment, telephony.InboundStory}, {dialedOnAgent, telephony.InboundStory}, {answeredByAgent, telephony.InboundStory},
	{sessionAnswered, telephony.InboundStory}, {hangup, telephony.InboundStory}, {hangupAnswered, telephony.InboundStory}, {agentAnsweredHangup, telephony.InboundStory},
	{hangupMissed, missedStory}, {agentMissedHangup, missedStory},
	{customerAnswered, telephony.OutboundStory},
	{customerMissed, missedOutStory},
	{dialerConnected, dialerStory}, {dialerDisposition, dialerStory},
}

// Stories beside the usual ones: a missed call is another call than an answered one.
const (
	missedStory    telephony.Story = "missed"
	missedOutStory telephony.Story = "missed_outbound"
	dialerStory    telephony.Story = "dialer"
)

func triggerList() []telephony.Trigger {
	out := make([]telephony.Trigger, len(story))
	for i, s := range story {
		t := triggerByID[s.trigger]
		kinds := []call.Kind{t.kind}
		out[i] = telephony.Trigger{Event: string(t.id), Label: t.label, Hook: string(t.id), Kinds: kinds, Story: s.of, Sample: true}
	}
	variant := func(event, label string, story telephony.Story) telephony.Trigger {
		return telephony.Trigger{Event: event, Label: label, Hook: string(hangup), Kinds: []call.Kind{call.CallEnded}, Story: story, Sample: true, VariantOf: string(hangup)}
	}
	return append(out, variant(sampleForm, "Call hangup, as a form", telephony.InboundStory), variant(sampleClickToCall, "Call hangup, click to call", telephony.OutboundStory))
}
