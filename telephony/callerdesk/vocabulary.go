package callerdesk

import (
	"strings"

	"github.com/callsync/callsync/telephony"
)

// vocabulary are the fields that CallerDesk publishes of reports and live calls, and those that accounts send besides.
var vocabulary = telephony.NewVocabulary(nil, strings.Fields(`
	sourcenumber destinationnumber dialwhomnumber callduration coins status starttime endtime callsid callrecordingurl
	direction campid talkduration call_group receiver_name error_code lega_picked_time legb_start_time legb_picked_time
	type uniqueid key_press hangup_cause callstatus agent_email cparty_recording
`)...)
