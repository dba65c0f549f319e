// Package genericfake makes the requests of two phone systems that the generic provider reads with the example mappings of
// its guide: one that sends forms, one that sends nested JSON. It is for fake phones and tests.
package genericfake

import (
	"crypto/hmac"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// FormMapping and JSONMapping are the example mappings of docs/phones/generic.md.
var (
	//go:embed form.yaml
	FormMapping string
	//go:embed json.yaml
	JSONMapping string
)

// Sign returns the signature of a body in the provider's default form: HMAC-SHA256 in hex, for the header X-Signature.
func Sign(key string, body []byte) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

// Call is a call to send requests of.
type Call struct {
	ID string
	// Outbound tells that the business calls the customer.
	Outbound           bool
	Customer, Business string
	CustomerName       string
	StartedAt          time.Time
	Ring, Talk         time.Duration
	Answered           bool
	// RecordingID and RecordingURL are sent if they are not empty; Recorded says that there will be some.
	RecordingID, RecordingURL string
	Recorded                  bool
	Agent, AgentEmail         string
	Queue                     string
	Note                      string
	Tags                      []string
	Disposition               string
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (c Call) customer() string { return or(c.Customer, "+14155550134") }
func (c Call) business() string { return or(c.Business, "+14155550186") }

func (c Call) endedAt() time.Time {
	if c.Answered {
		return c.StartedAt.Add(c.Ring + c.Talk)
	}
	return c.StartedAt.Add(c.Ring)
}

func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

// FormStatus is a status callback: ringing, in-progress, completed, busy, no-answer, failed, canceled.
func FormStatus(c Call, status string) []byte {
	from, to, direction := c.customer(), c.business(), "inbound"
	if c.Outbound {
		from, to, direction = to, from, "outbound-api"
	}
	at := c.StartedAt
	v := url.Values{
		"AccountSid": {"AC00000000000000000000000000000001"}, "ApiVersion": {"2010-04-01"}, "CallSid": {c.ID}, "CallStatus": {status},
		"Direction": {direction}, "From": {from}, "To": {to}, "Caller": {from}, "Called": {to}, "CallerName": {c.CustomerName},
		"FromCity": {"SAN FRANCISCO"}, "FromCountry": {"US"}, "ToCity": {""}, "ToCountry": {"US"}, "CallbackSource": {"call-progress-events"},
	}
	switch status {
	case "in-progress":
		at = at.Add(c.Ring)
	case "completed", "busy", "no-answer", "failed", "canceled":
		at = c.endedAt()
		v.Set("CallDuration", seconds(at.Sub(c.StartedAt)))
		v.Set("SipResponseCode", "200")
		if c.RecordingURL != "" {
			v.Set("RecordingUrl", c.RecordingURL)
			v.Set("RecordingSid", c.RecordingID)
			v.Set("RecordingDuration", seconds(c.Talk))
		}
	}
	v.Set("Timestamp", at.UTC().Format(time.RFC1123Z))
	return []byte(v.Encode())
}

// FormRecording is a recording callback: completed, absent or failed.
func FormRecording(c Call, status string) []byte {
	return []byte(url.Values{
		"AccountSid": {"AC00000000000000000000000000000001"}, "CallSid": {c.ID}, "RecordingSid": {c.RecordingID}, "RecordingStatus": {status},
		"RecordingUrl": {c.RecordingURL}, "RecordingDuration": {seconds(c.Talk)}, "RecordingChannels": {"1"}, "RecordingSource": {"DialVerb"},
	}.Encode())
}

// FormMessage is a text message from the customer.
func FormMessage(id, body string, media ...string) []byte {
	v := url.Values{
		"MessageSid": {id}, "SmsStatus": {"received"}, "From": {"+14155550134"}, "To": {"+14155550186"}, "Body": {body},
		"NumMedia": {strconv.Itoa(len(media))}, "FromCity": {"SAN FRANCISCO"}, "FromCountry": {"US"},
	}
	for i, m := range media {
		v.Set(fmt.Sprintf("MediaUrl%d", i), m)
	}
	return []byte(v.Encode())
}

type object map[string]any

func (o object) json() []byte {
	doc, err := json.Marshal(map[string]any(o))
	if err != nil {
		panic("genericfake: " + err.Error()) // Only plain values are in it.
	}
	return doc
}

const local = "02/01/2006 15:04:05"

func clock(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(d/time.Minute), int(d%time.Minute/time.Second))
}

// JSONCall is a request of the JSON phone system about a call: ring, dial, answer, hangup, or update with what people
// changed afterwards. Its times are local to UTC.
func JSONCall(c Call, event string, changed ...string) []byte {
	side := func(number, name string) object { return object{"number": number, "name": name} }
	from, to, direction := side(c.customer(), c.CustomerName), side(c.business(), ""), "in"
	if c.Outbound {
		from, to, direction = to, from, "out"
	}
	inner := object{"id": c.ID, "linked_id": "L-" + c.ID}
	at := c.StartedAt
	switch event {
	case "update":
		at = c.endedAt().Add(time.Minute)
		inner["notes"], inner["labels"] = c.Note, append([]string{}, c.Tags...)
		inner["outcome"] = object{"name": c.Disposition, "detail": "", "by": c.AgentEmail}
	default:
		inner["direction"], inner["from"], inner["to"] = direction, from, to
		inner["started"], inner["queue"], inner["talk"] = c.StartedAt.UTC().Format(local), c.Queue, "00:00"
		inner["menu"] = []object{{"name": "Main menu", "key": "2"}, {"name": or(c.Queue, "Office"), "key": ""}}
	}
	switch event {
	case "answer":
		at = c.StartedAt.Add(c.Ring)
	case "hangup":
		at = c.endedAt()
		result, legResult := "NO ANSWER", "NOANSWER"
		if c.Answered {
			result, legResult = "ANSWER", "ANSWER"
			inner["answered"], inner["talk"] = c.StartedAt.Add(c.Ring).UTC().Format(local), clock(c.Talk)
		}
		inner["ended"], inner["result"], inner["ring"], inner["hung_up_by"] = at.UTC().Format(local), result, clock(c.Ring), "CALLER"
		inner["recorded"] = c.Recorded || c.RecordingURL != ""
		inner["recording"] = object{"id": c.RecordingID, "url": c.RecordingURL}
		inner["legs"] = []object{
			{"ext": "203", "name": "Cy Example", "mail": "cy@example.com", "result": "NOANSWER", "ring": "00:05"},
			{"ext": "204", "name": or(c.Agent, "Bo Agent"), "mail": or(c.AgentEmail, "bo@example.com"), "result": legResult, "ring": clock(c.Ring), "talk": clock(c.Talk)},
		}
	}
	o := object{"event": event, "sent_at": at.UnixMilli(), "version": 3, "call": inner}
	if event == "update" {
		o["changed"] = append([]string{}, changed...)
	}
	return o.json()
}

// JSONText is a text message of the JSON phone system.
func JSONText(id string, outbound bool, text string, at time.Time) []byte {
	m := object{"id": id, "direction": "in", "from": "+14155550134", "to": "+14155550186", "text": text, "thread": "t-1", "files": []string{}}
	if outbound {
		m["direction"], m["from"], m["to"] = "out", "+14155550186", "+14155550134"
	}
	return object{"event": "text", "sent_at": at.UnixMilli(), "message": m}.json()
}

// JSONForm is a form that a visitor of a web page submitted.
func JSONForm(id string, values map[string]any, at time.Time) []byte {
	return object{"event": "form", "sent_at": at.UnixMilli(), "form": object{"id": id, "page": "https://www.example.com/contact", "values": values}}.json()
}
