// Package smartflofake makes the webhooks that Smartflo sends, for fake phones and tests: the variables of each trigger in
// the forms that real accounts send them, quirks included, in each of the panel's encodings.
package smartflofake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime/multipart"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The directions, as Smartflo writes them in reports.
const (
	Inbound        = "inbound"
	Outbound       = "outbound"
	ClickToCall    = "clicktocall"
	DialerInbound  = "Dialer (inbound)"
	DialerOutbound = "Dialer (outbound)"
)

// Agent is one of the account's people.
type Agent struct {
	ID, Name, Email string
	// Number is E.164. Extension is the softphone's, by which calls reach the agent where it is set.
	Number, Extension string
}

// Call is a call to send webhooks of. Zero members get the values of an ordinary call; see Payload.
type Call struct {
	// ID and UUID are made of StartedAt by default.
	ID, UUID  string
	Direction string
	// Customer and DID are E.164; by default fictional.
	Customer, DID string
	StartedAt     time.Time
	// Ring and Talk are cut to seconds. Without Answered nobody talked.
	Ring, Talk time.Duration
	Answered   bool
	Agent      Agent
	// Missed are the agents who were rung before.
	Missed                      []Agent
	IVR, Department, Attendant  string
	Digits                      []string
	Recording                   bool
	RefID, CustomID             string
	CampaignID, Campaign        string
	Lead                        map[string]any
	Disposition, SubDisposition string
	Operator, Circle            string
}

// ofTrigger lists the variables of each trigger, as the vendor's page has them, with those that panels add.
var (
	early  = []string{"uuid", "call_id", "call_to_number", "caller_id_number", "start_stamp", "billing_circle", "customer_no_with_prefix "}
	report = []string{
		"uuid", "call_id", "call_to_number", "caller_id_number", "customer_number_with_prefix", "start_stamp", "answer_stamp", "end_stamp", "billsec",
		"digits_dialed", "direction", "duration", "answered_agent", "answered_agent_name", "answered_agent_number", "missed_agent", "call_flow",
		"broadcast_lead_fields", "recording_url", "recording_name", "call_status", "outbound_sec", "agent_ring_time", "agent_transfer_ring_time",
		"customer_ring_time", "billing_circle", "call_connected", "aws_call_recording_identifier", "campaign_name", "campaign_id", "reason_key",
		"hangup_cause_description", "hangup_cause_code", "hangup_cause_key", "ref_id", "custom_identifier",
	}
	dialer = []string{
		"call_id", "call_to_number", "caller_id_number", "start_stamp", "start_date", "start_time", "direction", "call_flow", "lead_fields", "campaign_name",
		"campaign_id", "billing_circle", "agent", "agent_name", "agent_number", "customer_no_with_prefix ",
	}
	ofTrigger = map[string][]string{
		"call-received":              early,
		"answered-on-ivr":            with(early, "ivr_id", "ivr_name"),
		"answered-by-agent":          with(early, "answered_agent_number", "call_status", "direction", "ref_id", "custom_identifier"),
		"hangup-missed":              report,
		"hangup-answered":            report,
		"hangup":                     report,
		"dtmf":                       with(early, "date", "digit_pressed"),
		"dialed-on-agent":            with(early, "date", "call_flow", "dept_name list", "ivr_name list", "agent_number", "agent_name"),
		"received-on-department":     with(early, "date only", "call_flow", "dept_id", "dept_name", "ivr_name"),
		"received-on-auto-attendant": with(early, "auto_attendant_id", "auto_attendant_name"),
		"agent-answered-hangup":      report,
		"agent-missed-hangup":        report,
		"customer-answered": {
			"uuid", "call_to_number", "caller_id_number", "start_stamp", "direction", "answer_agent_number", "billing_circle", "call_status", "ref_id",
			"custom_identifier", "customer_no_with_prefix ",
		},
		"customer-missed": {
			"uuid", "call_to_number", "caller_id_number", "customer_number", "start_stamp", "answer_stamp", "end_stamp", "hangup_cause", "billsec", "direction",
			"duration", "answered_agent", "call_flow", "recording_url", "call_status", "call_id", "outbound_sec", "billing_circle",
			"aws_call_recording_identifier", "ref_id", "custom_identifier", "customer_no_with_prefix ",
		},
		"dialer-connected":   dialer,
		"dialer-disposition": with(dialer, "end_stamp", "end_date", "end_time", "duration", "disposition", "sub_dispositon"),
		"session-answered":   with(early, "call_status", "direction"),
	}
)

func with(base []string, more ...string) []string { return slices.Concat(base, more) }

// Triggers are the triggers that Payload knows, by the last part of their hook URLs.
func Triggers() []string { return slices.Sorted(maps.Keys(ofTrigger)) }

// Payload is the body of one webhook, before it is encoded. Its values are text, lists and objects, as Smartflo fills
// them in. It panics on an unknown trigger, which is a programming error.
func Payload(trigger string, c Call) map[string]any {
	names, ok := ofTrigger[trigger]
	if !ok {
		panic("smartflofake: no trigger " + trigger)
	}
	all := c.variables(trigger)
	out := make(map[string]any, len(names))
	for _, name := range names {
		// "date only" and "dept_name list" are the same variables in another form.
		key, _, _ := strings.Cut(strings.TrimSuffix(name, " "), " ")
		if strings.HasSuffix(name, " ") {
			// The panel's stock template has a key that ends in a space.
			key = name
		}
		out[key] = all[name]
	}
	return out
}

// JSON encodes a payload as the panel's JSON bodies.
func JSON(payload map[string]any) []byte { return encode(payload) }

func encode(v any) []byte {
	doc, err := json.Marshal(v)
	if err != nil {
		panic("smartflofake: " + err.Error()) // Only plain values are in it.
	}
	return doc
}

// Form encodes a payload as a urlencoded form or a query, what is nested in brackets.
func Form(payload map[string]any) url.Values {
	out := url.Values{}
	for k, v := range payload {
		flatten(out, k, v)
	}
	return out
}

func flatten(out url.Values, key string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			flatten(out, key+"["+k+"]", inner)
		}
	case []any:
		for i, inner := range v {
			flatten(out, key+"["+strconv.Itoa(i)+"]", inner)
		}
	default:
		out.Set(key, scalar(v))
	}
}

// scalar writes a value as text. Times with a fraction have no exponent.
func scalar(v any) string {
	if f, ok := v.(float64); ok {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// Texts encodes a payload as a form whose nested values are JSON text.
func Texts(payload map[string]any) url.Values {
	out := url.Values{}
	for k, v := range payload {
		text := scalar(v)
		switch v.(type) {
		case map[string]any, []any:
			text = string(encode(v))
		}
		out.Set(k, text)
	}
	return out
}

// Multipart encodes a form as multipart, and returns its Content-Type.
func Multipart(form url.Values) (contentType string, body []byte) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	// A fixed boundary, so that the same call gives the same bytes.
	if err := w.SetBoundary("smartflofake-7d1b5a"); err != nil {
		panic("smartflofake: " + err.Error())
	}
	for _, k := range slices.Sorted(maps.Keys(form)) {
		for _, v := range form[k] {
			if err := w.WriteField(k, v); err != nil {
				panic("smartflofake: " + err.Error()) // Buffers do not fail.
			}
		}
	}
	if err := w.Close(); err != nil {
		panic("smartflofake: " + err.Error())
	}
	return w.FormDataContentType(), b.Bytes()
}
