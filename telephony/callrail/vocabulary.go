package callrail

import (
	"strings"

	"github.com/callsync/callsync/telephony"
)

// vocabulary are the fields that CallRail has: those of its webhooks (help article 5711246459149), of its legacy query,
// and of the calls of its API that webhooks do not have.
var vocabulary = telephony.NewVocabulary(nil, strings.Fields(`
	resource_id id answered voicemail abandoned call_type formatted_call_type changes direction duration formatted_duration
	customer_name customer_number customer_phone_number customer_city customer_state customer_country customer_email
	formatted_customer_name formatted_customer_phone_number formatted_customer_name_or_phone_number formatted_customer_location
	callername callernum callercity callerstate callercountry callsource
	tracking_phone_number formatted_tracking_phone_number trackingnum business_phone_number formatted_business_phone_number destinationnum
	company_id company_name company_resource_id company_time_zone person_id person_resource_id tracker_id tracker_resource_id
	session_uuid source_name formatted_tracking_source source medium campaign keywords keywords_spotted
	start_time created_at updated_at timestamp datetime sent_at submitted_at
	first_call prior_calls total_calls lead_status good_lead_call_id good_lead_call_time spam
	recording recording_redirect recording_player recording_duration waveforms transcription transcription_text conversational_transcript
	voicemail_transcription speaker_percent call_highlights call_summary sentiment keypad_entries
	tags tag detail_tags note value formatted_value score auto_score manual_score custom
	agent agent_email agent_name device_type timeline_url integration_data kissmetrics_id
	landing landing_page_url landingpage last_requested_url referrer referrer_domain referrer_url referrermedium referring_url
	utm_source utm_medium utm_campaign utm_term utm_content utma utmb utmc utmv utmz ga gclid fbclid msclkid fcid
	milestones milestones.first_touch milestones.lead_created milestones.qualified milestones.last_touch
	source_number destination_number content message_type media_urls conversation_id thread_resource_id
	form_data form_url url first_form hidden
`)...)
