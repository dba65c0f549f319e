package callerdesk

import (
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/callsync/callsync/telephony"
)

var _ telephony.Sampler = Provider{}

// Sample implements telephony.Sampler: an incoming call that is answered, all values text as CallerDesk writes them.
func (Provider) Sample(event string, at time.Time, s telephony.Settings) (telephony.Request, error) {
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
	fields := map[string]string{
		"CallSid": id, "Direction": "IVR", "SourceNumber": telephony.TestCustomer, "DestinationNumber": telephony.TestBusiness,
		"DialWhomNumber": "+12025550101", "call_group": "Test", "campid": "",
	}
	if event == sampleLive || event == sampleLiveAnswered {
		fields["Status"], fields["StartTime"] = "Transfer to agent", stamp(at)
		if event == sampleLiveAnswered {
			fields["Status"] = "Picked"
		}
		return telephony.SampleJSON("", at, fields)
	}
	maps.Copy(fields, map[string]string{
		"type": "call_report", "Uniqueid": id, "Status": "ANSWER", "hangup_cause": "ANSWER(16-customer)",
		"receiver_name": "Test Agent", "key_press": "", "coins": "0", "error_code": "0",
		"StartTime": stamp(start), "EndTime": stamp(at), "LegA_Picked_time": stamp(start), "LegB_Start_time": stamp(start), "LegB_Picked_time": stamp(start.Add(ring)),
		"CallDuration": seconds(ring + talk), "TalkDuration": seconds(talk), "CallRecordingUrl": "",
	})
	switch event {
	case "", sampleReport:
		return telephony.SampleJSON("", at, fields)
	case sampleReportGet:
		delete(fields, "type")
		return telephony.SampleQuery("", at, fields), nil
	}
	return telephony.Request{}, fmt.Errorf("callerdesk: %w", telephony.ErrNoSample)
}
