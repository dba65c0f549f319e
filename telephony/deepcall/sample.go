package deepcall

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/callsync/callsync/telephony"
)

var _ telephony.Sampler = Provider{}

// Sample implements telephony.Sampler: the report of an incoming call that was answered, of the account that is
// configured, as JSON or, as panels in the field send it, in a form.
func (Provider) Sample(event string, at time.Time, s telephony.Settings) (telephony.Request, error) {
	switch event {
	case "", sampleReport, sampleForm:
	case samplePing:
		return telephony.Request{Method: http.MethodPost, Header: http.Header{}, ReceivedAt: at}, nil
	default:
		return telephony.Request{}, fmt.Errorf("deepcall: %w", telephony.ErrNoSample)
	}
	const (
		ring, talk  = 5, 60
		agent       = 301
		agentNumber = "12025550101"
	)
	stamp := func(t time.Time) string {
		if s.Location != nil {
			t = t.In(s.Location)
		}
		return t.Format(time.DateTime)
	}
	answered := at.Add(-talk * time.Second)
	start := answered.Add(-ring * time.Second)
	account := strings.TrimSpace(s.Config[ConfigUserID])
	if account == "" {
		account = "10000000"
	}
	// DeepCall writes numbers with their country code and without the plus.
	customer, business := strings.TrimPrefix(telephony.TestCustomer, "+"), strings.TrimPrefix(telephony.TestBusiness, "+")
	r, err := telephony.SampleJSON("", at, map[string]any{
		"callId": telephony.SampleID(at, 26), "userId": account, "callStatus": 3, "cType": "IBD", "exitCode": 18, "did": business, "cNumber": customer,
		"ivrSTime": stamp(start), "ivrETime": stamp(at), "ivrDuration": ring + talk,
		"firstAttended": "agent", "firstAnswerTime": stamp(answered), "lastHangupTime": stamp(at), "lastFirstDuration": talk,
		"custAnswerSTime": stamp(answered), "custAnswerETime": stamp(at), "custAnswerDuration": talk,
		"talkDuration": talk, "agentOnCallDuration": talk, "totalHoldDuration": 0,
		"masterAgent": agent, "masterAgentNumber": agentNumber, "masterGroupId": 1, "aH": []int{agent}, "aAnsH": []int{agent},
		"aHDetail": []any{map[string]any{
			"agentId": agent, "agentNumber": agentNumber, "status": "answered", "totalRingDuration": ring,
			"talkDuration": talk, "answerSTime": stamp(answered), "answerETime": stamp(at), "recording": "",
		}},
		"nH": []any{}, "nHDetail": []any{}, "recordings": []any{}, "HangupBySourceDetected": 1,
		"contactListData": map[string]any{"name": telephony.TestName},
	})
	if err != nil || event != sampleForm {
		return r, err
	}
	return telephony.SampleForm("", at, map[string]any{"push_report": string(r.Body)}), nil
}
