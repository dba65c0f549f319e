package callrail_test

import (
	"slices"
	"strings"

	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/telephonytest"
)

func dictionary() telephonytest.Dictionary {
	live := []string{"pre-call", "routing-complete"}
	ended := []string{"post-call", "outbound-post-call", "call-modified", "outbound-call-modified"}
	calls := slices.Concat(live, ended)
	routed := slices.Concat([]string{"routing-complete"}, ended)
	modified := []string{"call-modified", "outbound-call-modified"}
	received, sent := []string{"text-received"}, []string{"text-sent"}
	texts, form := slices.Concat(sent, received), []string{"form-submission"}
	const at, utc = "2026-03-01T10:04:05.000-05:00", "2026-03-01T15:04:05Z"
	placeholder := "a placeholder: nobody can know it while the call goes on"
	said := "where there is no other than this; else it only repeats what others say"
	all := []telephonytest.Variable{
		{Name: "resource_id", Triggers: calls, Field: "provider_call_id", Example: "CAL2"},
		{Name: "answered", Triggers: live, Field: "status", Example: true, Want: "in_progress", Note: "false is a placeholder while the call goes on"},
		{Name: "answered", Triggers: ended, Field: "status", Example: true, Want: "answered"},
		{Name: "call_type", Triggers: live, Example: "missed", Note: placeholder},
		{Name: "voicemail", Triggers: live, Example: false, Note: placeholder},
		{Name: "duration", Triggers: live, Example: "0", Note: placeholder},
		{Name: "call_type", Triggers: ended, Field: "status", Example: "abandoned"},
		{Name: "formatted_call_type", Triggers: calls, Field: "attributes.formatted_call_type", Example: "Missed Call", Note: said},
		{Name: "voicemail", Triggers: ended, Field: "status", Example: true, Want: "voicemail"},
		{Name: "duration", Triggers: ended, Field: "duration_seconds", Example: "15"},
		{Name: "formatted_duration", Triggers: calls, Field: "attributes.formatted_duration", Example: "15s", Note: said},
		{Name: "customer_city", Triggers: calls, Field: "customer.city", Example: "Springfield"},
		{Name: "customer_country", Triggers: calls, Field: "customer.country", Example: "US"},
		{Name: "customer_name", Triggers: calls, Field: "customer.name", Example: "Ada Example"},
		{Name: "customer_number", Triggers: calls, Field: "customer.number", Example: "+14155550134", Note: "sent as customer_phone_number"},
		{Name: "customer_phone_number", Triggers: calls, Field: "customer.number", Example: "+14155550134"},
		{Name: "customer_state", Triggers: calls, Field: "customer.state", Example: "CA"},
		{Name: "company_time_zone", Triggers: calls, Field: "time_zone", Example: "America/Detroit"},
		{Name: "direction", Triggers: calls, Field: "direction", Example: "outbound"},
		{Name: "first_call", Triggers: calls, Field: "first_call", Example: true},
		{Name: "prior_calls", Triggers: calls, Field: "prior_calls", Example: 3},
		{Name: "start_time", Triggers: calls, Field: "started_at", Example: at, Want: utc},
		{Name: "tracking_phone_number", Triggers: calls, Field: "business_number", Example: "+14155550186"},
		{Name: "formatted_tracking_phone_number", Triggers: calls, Field: "attributes.formatted_tracking_phone_number", Example: "415-555-0186", Note: said},
		{Name: "business_phone_number", Triggers: routed, Field: "attributes.business_phone_number", Example: "+14155550143", Note: "the number it was put through to"},
		{Name: "formatted_business_phone_number", Triggers: routed, Field: "attributes.formatted_business_phone_number", Example: "415-555-0143", Note: said},
		{Name: "tags", Triggers: routed, Field: "tags", Example: []any{"vip", "roof"}},
		{Name: "note", Triggers: ended, Field: "note", Example: "Call back"},
		{Name: "value", Triggers: ended, Field: "value.amount", Example: "12.50"},
		{Name: "recording_duration", Triggers: ended, Field: "recordings[0].duration_seconds", Example: "15"},
		{Name: "auto_score", Triggers: ended, Field: "scores.auto_score", Example: "4"},
		{Name: "manual_score", Triggers: ended, Field: "scores.manual_score", Example: "5"},
		{Name: "transcription_text", Triggers: ended, Field: "transcription.text", Example: "Hello.", Note: "in changes; the text itself comes as transcription"},
		{Name: "changes", Triggers: modified, Field: "attributes.changes", Example: []any{"note", "tags"}, Note: "what it names counts even when it is empty"},

		{Name: "id", Triggers: slices.Concat(texts, form), Field: "attributes.id", Example: 879204976, Note: "the id where there is no resource_id"},
		{Name: "resource_id", Triggers: texts, Field: "provider_message_id", Example: "SCI2"},
		{Name: "agent", Triggers: texts, Field: "agents[0].email", Example: "bo@example.com", Note: "or the name"},
		{Name: "source_number", Triggers: received, Field: "customer.number", Example: "415-555-0134", Want: "+14155550134"},
		{Name: "source_number", Triggers: sent, Field: "business_number", Example: "415-555-0186", Want: "+14155550186"},
		{Name: "destination_number", Triggers: received, Field: "business_number", Example: "415-555-0186", Want: "+14155550186"},
		{Name: "destination_number", Triggers: sent, Field: "customer.number", Example: "415-555-0134", Want: "+14155550134"},
		{Name: "content", Triggers: texts, Field: "body", Example: "Is someone free?"},
		{Name: "timestamp", Triggers: texts, Field: "sent_at", Example: at, Want: utc},
		{Name: "lead_status", Triggers: texts, Field: "lead_status", Example: "good_lead"},
		{Name: "conversation_id", Triggers: texts, Field: "conversation_id", Example: "crp-1"},
		{Name: "company_resource_id", Triggers: slices.Concat(calls, texts), Field: "attributes.company_resource_id", Example: "COM1"},
		{Name: "person_resource_id", Triggers: slices.Concat(calls, texts), Field: "attributes.person_resource_id", Example: "PER1"},

		{Name: "form_data", Triggers: form, Field: "fields", Example: m{"your_name": "Joe Tester", "message": "Hello"}, Note: "the customer is read from it"},
		{Name: "form_url", Triggers: form, Field: "form_url", Example: "https://www.example.com/contact"},
		{Name: "landing_page_url", Triggers: form, Field: "landing_page", Example: "https://www.example.com/"},
		{Name: "referrer", Triggers: form, Field: "attribution.referrer", Example: "Radio Ad", Note: "where there is no referring_url; else an attribute"},
		{Name: "referring_url", Triggers: form, Field: "attribution.referrer", Example: "https://ads.example/"},
		{Name: "submitted_at", Triggers: form, Field: "submitted_at", Example: at, Want: utc},
		{Name: "first_form", Triggers: form, Field: "attributes.first_form", Example: true},
	}
	// Call Routing Complete may have attribution, too.
	for _, name := range strings.Fields("source keywords campaign medium utm_source utm_medium utm_campaign") {
		field := strings.ReplaceAll(name, "utm_", "utm.")
		all = append(all, telephonytest.Variable{Name: name, Triggers: slices.Concat(form, routed), Field: "attribution." + field, Example: "v " + name})
	}
	for _, name := range strings.Fields("company_id company_name created_at source_name total_calls tracker_resource_id") {
		triggers := calls
		if name == "company_id" {
			triggers = slices.Concat(calls, form)
		}
		all = append(all, telephonytest.Variable{Name: name, Triggers: triggers, Field: "attributes." + name, Example: "v " + name})
	}
	// "Everything else" of Post-Call and Call Modified, by the API's documentation.
	for _, v := range []telephonytest.Variable{
		{Name: "recording", Field: "recordings[0].url", Example: "https://app.callrail.example/r?access_key=a"},
		{Name: "recording_player", Field: "recordings[0].player_url", Example: "https://app.callrail.example/p", With: m{"recording": "https://app.callrail.example/r"}},
		{Name: "transcription", Field: "transcription.text", Example: "Hello."},
		{Name: "conversational_transcript", Field: "transcription.text", Example: "Hello.", Note: "where there is no transcription"},
		{Name: "lead_status", Field: "lead_status", Example: "good_lead"},
		{Name: "score", Field: "scores.score", Example: "4"},
		{Name: "keypad_entries", Field: "digits", Example: []any{"2", "1"}},
		{Name: "agent_email", Field: "agents[0].email", Example: "bo@example.com"},
		{Name: "agent_name", Field: "agents[0].name", Example: "Bo Agent"},
		{Name: "timeline_url", Field: "provider_url", Example: "https://app.callrail.example/t"},
		{Name: "landing_page_url", Field: "attribution.landing_page", Example: "https://www.example.com/"},
		{Name: "referring_url", Field: "attribution.referrer", Example: "https://ads.example/"},
		{Name: "utm_term", Field: "attribution.utm.term", Example: "roof"},
		{Name: "utm_content", Field: "attribution.utm.content", Example: "a"},
		{Name: "formatted_value", Field: "attributes.formatted_value", Example: "$12.50", Note: said},
		{Name: "milestones", Field: "attributes.milestones", Example: m{"first_touch": m{"source": "x"}}},
		{Name: "datetime", Field: "started_at", Example: "2026-03-01 15:04:05", Want: utc, Note: "of the legacy form, UTC"},
		{Name: "id", Field: "aliases[callrail_id]", Example: 766970532, Note: "before 2021"},
	} {
		v.Triggers, v.Extra = ended, true
		all = append(all, v)
	}
	for _, name := range strings.Fields(`abandoned detail_tags spam device_type good_lead_call_id good_lead_call_time last_requested_url keywords_spotted call_highlights speaker_percent
		waveforms custom integration_data gclid fbclid msclkid ga utma utmb utmc utmv utmz kissmetrics_id session_uuid`) {
		all = append(all, telephonytest.Variable{Name: name, Triggers: ended, Field: "attributes." + name, Example: "v " + name, Extra: true})
	}
	all = append(all,
		telephonytest.Variable{Name: "message_type", Triggers: texts, Field: "attributes.message_type", Example: "mms", Extra: true},
		telephonytest.Variable{Name: "thread_resource_id", Triggers: texts, Field: "conversation_id", Example: "SMT1", Note: "where there is no conversation_id", Extra: true},
		telephonytest.Variable{Name: "media_urls", Triggers: texts, Field: "media[0]", Example: []any{"https://media.example/1"}, Want: "https://media.example/1", Extra: true},
	)
	return telephonytest.Dictionary{
		Variables: all,
		Least: func(trigger string) map[string]any {
			switch {
			case slices.Contains(texts, trigger):
				return m{"resource_id": "SCI1"}
			case slices.Contains(form, trigger):
				return m{"resource_id": "FRM1"}
			}
			return m{"resource_id": "CAL1"}
		},
		Encode: func(trigger string, payload map[string]any) map[string]telephony.Request {
			return telephonytest.Encode(trigger, payload, telephonytest.JSON, telephonytest.Brackets)
		},
	}
}
