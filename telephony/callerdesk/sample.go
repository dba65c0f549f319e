package callerdesk

import (
	"fmt"
	"strconv"
	"time"

	"github.com/callsync/callsync/telephony"
)

var _ telephony.Sampler = Provider{}

// Sample implements telephony.Sampler: the report of an incoming call that was answered, all values text as CallerDesk
// writes them.
func (Provider) Sample(event string, at time.Time, s telephony.Settings) (telephony.Request, error) {
	if event != "" {
		return telephony.Request{}, fmt.Errorf("callerdesk: %w", telephony.ErrNoSample)
	}
	const ring, talk = 5 * time.Second, time.Minute
	stamp := func(t time.Time) string {
		if s.Location != nil {
			t = t.In(s.Location)
		}
		return t.Format(time.DateTime)
	}
	seconds := func(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }
	start := at.Add(-ring - talk)
	// Asterisk's ids are the second of the start and a sequence.
	id := strconv.FormatInt(start.Unix(), 10) + "." + strconv.Itoa(at.Nanosecond())
	return telephony.SampleJSON("", at, map[string]string{
		"type": "call_report", "CallSid": id, "Uniqueid": id, "Direction": "IVR", "Status": "ANSWER", "hangup_cause": "ANSWER(16-customer)",
		"SourceNumber": telephony.TestCustomer, "DestinationNumber": telephony.TestBusiness, "DialWhomNumber": "+12025550101",
		"receiver_name": "Test Agent", "call_group": "Test", "campid": "", "key_press": "", "coins": "0", "error_code": "0",
		"StartTime": stamp(start), "EndTime": stamp(at), "LegA_Picked_time": stamp(start), "LegB_Start_time": stamp(start), "LegB_Picked_time": stamp(start.Add(ring)),
		"CallDuration": seconds(ring + talk), "TalkDuration": seconds(talk), "CallRecordingUrl": "",
	})
}
