package xarios

import (
	"fmt"
	"time"

	"github.com/callsync/callsync/telephony"
)

var _ telephony.Sampler = Provider{}

// Sample implements telephony.Sampler: the call data of an incoming call that was answered, with the static token if one
// is configured. How a form is nested is not documented; the sample has brackets (unconfirmed).
func (Provider) Sample(event string, at time.Time, s telephony.Settings) (telephony.Request, error) {
	if event != "" && event != sampleEvent && event != sampleForm {
		return telephony.Request{}, fmt.Errorf("xarios: %w", telephony.ErrNoSample)
	}
	const ring, talk = 5, 60
	zone := s.Location
	if zone == nil {
		zone = time.UTC
	}
	stamp := func(t time.Time) string { return t.In(zone).Format("2006-01-02T15:04:05-07:00") }
	answered := at.Add(-talk * time.Second)
	h := telephony.SampleID(at, 32)
	guid := h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
	const none = "00000000-0000-0000-0000-000000000000"
	doc := map[string]any{
		"triggerId": none, "id": none, "tenantId": none,
		"cdr": map[string]any{
			"id": guid, "dType": "CloudSessionCdr", "sVer": 1, "pbxName": "Test", "dir": 2, "type": 2, "ans": 1, "cause": "NORMAL_CLEARING",
			"tz": zone.String(), "start": stamp(answered.Add(-ring * time.Second)), "answer": stamp(answered), "end": stamp(at),
			"dur": ring + talk, "ring": ring, "talk": talk,
			"cliNum": telephony.TestCustomer, "cliName": telephony.TestName, "cliCtry": "US", "ddiNum": telephony.TestBusiness,
			"fRngUsrNum": "301", "fRngUsrName": "Test Agent", "ansUsrNum": "301", "ansUsrName": "Test Agent", "lAnsUsrNum": "301", "lAnsUsrName": "Test Agent",
			"ansGroupName": "Test",
		},
	}
	if token := staticToken(s); token != "" {
		doc["customData"] = map[string]string{tokenKey(s): token}
	}
	if event == sampleForm {
		return telephony.SampleForm("", at, doc), nil
	}
	return telephony.SampleJSON("", at, doc)
}
