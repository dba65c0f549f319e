// Package deepcallfake makes the push reports that DeepCall sends, for fake phones and tests: the same fields in the same
// forms as the vendor's own, with what a caller does not care about filled in. Numbers and names are fictional.
package deepcallfake

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The types of calls.
const (
	Inbound     = "IBD"
	Campaign    = "OBD"
	ClickToCall = "CTC"
	QuickCall   = "QC"
	Broadcast   = "BRD"
)

// Zone is the zone of DeepCall's times, which have none written.
var Zone = time.FixedZone("IST", 5*3600+1800)

const timeLayout = "2006-01-02 15:04:05"

// NewID makes a random call id of the vendor's length.
func NewID() string {
	var b [13]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Agent is one attempt to reach an agent.
type Agent struct {
	ID       int
	Number   string
	Group    int
	Ring     time.Duration
	Answered bool
	// Retry counts the attempts before this one.
	Retry int
}

// Call is a call to report. Zero members get the values of an ordinary call; see Report.
type Call struct {
	// ID is the call id; make one with NewID.
	ID string
	// Type is one of the types above; Inbound by default.
	Type string
	// Status is the callStatus; 3 (both answered) by default.
	Status    int
	ExitCode  int
	UserID    string
	StartedAt time.Time
	// Ring, Talk and Hold are cut to seconds. A status but 3 has no talk.
	Ring, Talk, Hold time.Duration
	// Customer and DID are numbers with country code and without plus, as DeepCall writes them.
	Customer, DID string
	// Agents are called one after the other; one who answers, or by the status does not, by default. A click-to-call
	// has none unless they are given.
	Agents []Agent
	// From is the number of ours that a click-to-call rings first; RequestID what the API answered to its request.
	From, RequestID string
	CampaignID      int
	Recording       bool
	// RecordingURL adds the whole address to the legs, as DeepCall does for some accounts.
	RecordingURL bool
	// Flow is the way through the IVR.
	Flow []string
	DTMF []string
	// Disposition is sent as JSON in text, as DeepCall does.
	Disposition []string
	HungUpBy    int
	Amount      float64
	ContactID   string
	Contact     map[string]any
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.In(Zone).Format(timeLayout)
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

type object = map[string]any

// Report is the report of c as an object, ready to be changed.
func Report(c Call) map[string]any {
	c.Type, c.Status = or(c.Type, Inbound), or(c.Status, 3)
	c.UserID, c.Customer = or(c.UserID, "81234567"), or(c.Customer, "919811000134")
	if c.Agents == nil && c.Type != ClickToCall {
		c.Agents = []Agent{{ID: 301, Number: "919811000301", Group: 4, Ring: 5 * time.Second, Answered: c.Status == 3}}
	}
	if c.Status != 3 {
		c.Talk, c.Hold, c.Recording = 0, 0, false
	}
	p := parts{Call: c, talkFrom: c.StartedAt.Add(c.Ring)}
	p.end = p.talkFrom.Add(c.Talk)
	p.file = fmt.Sprintf("/%s/%s_%s_%s_%s.wav", p.talkFrom.In(Zone).Format("200601"), c.ID, last(c.Customer, 10), p.talkFrom.In(Zone).Format("2006-1-2-15-4-5"), c.Type)
	o := object{
		"callId": c.ID, "callStatus": c.Status, "cType": c.Type, "did": nil, "campId": c.CampaignID, "userId": c.UserID,
		"ivrSTime": stamp(c.StartedAt), "ivrETime": stamp(p.end), "ivrDuration": seconds(p.end.Sub(c.StartedAt)),
		"cNumber": c.Customer, "masterNumCTC": nil, "masterAgent": "", "masterAgentNumber": "", "masterGroupId": 0,
		"firstAttended": nil, "firstAnswerTime": nil, "lastHangupTime": nil, "lastFirstDuration": 0,
		"talkDuration": seconds(c.Talk), "agentOnCallDuration": 0, "totalHoldDuration": seconds(c.Hold),
		"custAnswerSTime": nil, "custAnswerETime": nil, "custAnswerDuration": 0, "forward": "false",
		"ivrExecuteFlow": nil, "HangupBySourceDetected": c.HungUpBy, "ivrIdArr": []int{},
		"totalCreditsUsed": object{"freeHit": 1, "paidHit": 0, "amount": c.Amount},
		"aH":               []int{}, "aAnsH": []int{}, "aHDetail": []any{}, "nH": []string{}, "nHDetail": []any{}, "recordings": []any{},
		"voiceMail": []any{}, "DTMF": append([]string{}, c.DTMF...), "cliArr": []any{}, "contactListData": []any{}, "modules": []any{},
		"callDisposition": text(append([]string{}, c.Disposition...)), "callBack": "", "excAdm": 75,
	}
	if len(c.Flow) > 0 {
		o["ivrExecuteFlow"], o["ivrIdArr"] = strings.Join(c.Flow, ","), []int{315}
	}
	if c.ExitCode != 0 {
		o["exitCode"] = c.ExitCode
	}
	if c.ContactID != "" {
		o["contactId"] = c.ContactID
	}
	if c.Contact != nil {
		o["contactListData"] = c.Contact
	}
	if c.Type == Inbound {
		o["did"] = or(c.DID, "917935000186")
	}
	if c.Recording {
		o["recordings"] = []any{object{"nodeid": p.node(), "visitId": p.visit(0), "file": p.file, "time": stamp(p.talkFrom)}}
	}
	if c.Status == 3 {
		maps.Copy(o, object{
			"firstAttended": "agent", "firstAnswerTime": stamp(p.talkFrom), "lastHangupTime": stamp(p.end), "lastFirstDuration": seconds(c.Talk),
			"custAnswerSTime": stamp(p.talkFrom), "custAnswerETime": stamp(p.end), "custAnswerDuration": seconds(c.Talk),
		})
	}
	p.agents(o)
	if c.Type == ClickToCall {
		p.clickToCall(o)
	}
	return o
}

// parts are what the parts of a report share.
type parts struct {
	Call
	talkFrom, end time.Time
	file          string
}

func (p parts) node() string {
	if p.Type == ClickToCall {
		return "to"
	}
	return "#3"
}

// visit is the id of a leg: milliseconds of when it began.
func (p parts) visit(n int) string {
	return strconv.FormatInt(p.StartedAt.Add(time.Duration(n)*time.Second).UnixMilli(), 10)
}

func (p parts) agents(o object) {
	var called, answered []int
	var details []any
	for i, a := range p.Agents {
		if !slices.Contains(called, a.ID) {
			called = append(called, a.ID)
		}
		leg := p.leg(object{"agentId": a.ID, "agentNumber": a.Number, "groupId": a.Group, "CTC": nil, "visitId": p.visit(i) + "_0", "retry": a.Retry}, a.Answered, a.Ring)
		details = append(details, leg)
		if a.Answered {
			answered = append(answered, a.ID)
			if len(answered) == 1 {
				o["masterAgent"], o["masterAgentNumber"], o["masterGroupId"] = a.ID, a.Number, a.Group
			}
			o["agentOnCallDuration"] = seconds(p.Talk)
		}
	}
	if len(details) > 0 {
		o["aH"], o["aAnsH"], o["aHDetail"] = called, append([]int{}, answered...), details
	}
}

// leg fills in what all legs have.
func (p parts) leg(o object, answered bool, ring time.Duration) object {
	maps.Copy(o, object{
		"status": "unanswered", "recording": "", "ping": "direct", "nodeId": "#3", "totalRingDuration": seconds(ring), "totalHoldDuration": 0,
		"talkDuration": 0, "talkSTime": nil, "talkETime": nil, "answerSTime": nil, "answerETime": nil, "answerDuration": 0, "cli": "917935000187",
	})
	if !answered {
		return o
	}
	maps.Copy(o, object{
		"status": "answered", "totalHoldDuration": seconds(p.Hold), "talkDuration": seconds(p.Talk), "talkSTime": stamp(p.talkFrom), "talkETime": stamp(p.end),
		"answerSTime": stamp(p.talkFrom), "answerETime": stamp(p.end), "answerDuration": seconds(p.Talk),
	})
	if p.Recording {
		o["recording"] = p.file
		if p.RecordingURL {
			o["recordingUrl"] = "https://recordings.example/v2/recording/direct/" + p.UserID + p.file
		}
	}
	return o
}

func (p parts) clickToCall(o object) {
	ours := or(p.From, "919811000302")
	fromAnswered, toAnswered := false, false
	switch p.Status {
	case 3:
		fromAnswered, toAnswered = true, true
		o["firstAttended"] = "from"
	case 6, 10, 14:
		fromAnswered = true
	case 4, 5, 16, 18, 19:
		toAnswered = p.Status != 19
	}
	o["api_para"] = object{
		"userId": p.UserID, "fromType": "number", "from": last(ours, 10), "toType": "number", "to": last(p.Customer, 10), "reqId": or(p.RequestID, "rq_"+p.ID),
	}
	o["cNumber"], o["masterNumCTC"] = nil, nil
	if toAnswered {
		o["cNumber"] = p.Customer
	}
	if fromAnswered {
		o["masterNumCTC"] = ours
	}
	o["nH"] = []string{p.Customer, ours}
	o["nHDetail"] = []any{
		p.leg(object{"CTC": "to", "number": p.Customer, "visitId": p.visit(3), "retry": 0}, toAnswered, p.Ring),
		p.leg(object{"CTC": "from", "number": ours, "visitId": p.visit(0), "retry": 0}, fromAnswered, 3*time.Second),
	}
}

func last(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[len(s)-n:]
}

func text(v any) string {
	doc, err := json.Marshal(v)
	if err != nil {
		panic("deepcallfake: " + err.Error()) // Only plain values are in it.
	}
	return string(doc)
}

// JSON is the report as the documentation has it: the body of a POST.
func JSON(report map[string]any) []byte { return []byte(text(report)) }

// Form is the report as it is mostly sent: the form field push_report with JSON in it.
func Form(report map[string]any) []byte {
	return []byte(url.Values{"push_report": {text(report)}}.Encode())
}

// Fields is the report as plain form fields; what is nested is JSON.
func Fields(report map[string]any) []byte {
	return []byte(values(report).Encode())
}

func values(report map[string]any) url.Values {
	out := url.Values{}
	for k, v := range report {
		out.Set(k, filledIn(v))
	}
	return out
}

// Template is the report as a panel's template makes it: every variable in quotes, values as text, and placeholders
// for the names that the report does not have.
func Template(report map[string]any, names ...string) []byte {
	o := object{}
	for _, n := range names {
		if v, ok := report[n]; ok {
			o[n] = filledIn(v)
		} else {
			o[n] = "{{%%" + n + "%%}}"
		}
	}
	return JSON(o)
}

// filledIn is what DeepCall puts in the place of a variable.
func filledIn(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	return text(v)
}
