// Package callrailfake makes the webhooks that CallRail sends, for fake phones and tests: the same fields in the same
// forms as the vendor's own, with what a caller does not care about filled in. API is CallRail's API over such calls.
package callrailfake

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // CallRail signs with HMAC-SHA1.
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Sign returns the value of the Signature header for body.
func Sign(key string, body []byte) string {
	h := hmac.New(sha1.New, []byte(key))
	h.Write(body)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// NewID makes a random resource id: prefix is CAL for calls, SCI for texts, FRM for forms.
func NewID(prefix string) string {
	var b [16]byte
	rand.Read(b[:])
	return prefix + hex.EncodeToString(b[:])
}

// Call is a call to send webhooks of. Zero members get the values of an ordinary call; see each builder.
type Call struct {
	// ID is the resource id; make one with NewID("CAL").
	ID string
	// NumericID, if not zero, is sent as the id that CallRail had before 2021.
	NumericID int64
	// Direction is "inbound" (default) or "outbound".
	Direction string
	StartedAt time.Time
	// Duration is cut to seconds.
	Duration time.Duration
	// Customer, Tracking and Business are E.164; by default fictional.
	Customer, Tracking, Business string
	CustomerName                 string
	City, State, Country         string
	// Company and Zone are the account's; Zone is an IANA name.
	Company, Zone string

	Answered, Voicemail, Abandoned bool
	// InProgress is a call that has not ended; only the API tells of it as such.
	InProgress bool
	// Recording adds the recording's URLs, with AccessKey in them, and its duration.
	Recording     bool
	AccessKey     string
	Transcription string
	Tags          []string
	Note          string
	// Value is decimal text ("12.50").
	Value      string
	LeadStatus string
	// Score is sent if not zero.
	Score                 int
	AgentEmail, AgentName string
	PriorCalls            int
	// Source, Medium and Campaign are the marketing that brought the caller.
	Source, Medium, Campaign string
}

const timeLayout = "2006-01-02T15:04:05.000-07:00"

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func (c Call) stamp(t time.Time) string {
	loc, err := time.LoadLocation(or(c.Zone, "America/New_York"))
	if err != nil {
		loc = time.UTC
	}
	return t.In(loc).Format(timeLayout)
}

func dashed(e164 string) string {
	s := strings.TrimPrefix(e164, "+1")
	if len(s) != 10 {
		return e164
	}
	return s[:3] + "-" + s[3:6] + "-" + s[6:]
}

// hexOf gives related ids that stay the same for the same text.
func hexOf(prefix, s string) string {
	sum := sha1.Sum([]byte(s)) //nolint:gosec // No secret.
	return prefix + hex.EncodeToString(sum[:16])
}

type object map[string]any

func (o object) json() []byte {
	doc, err := json.Marshal(map[string]any(o))
	if err != nil {
		panic("callrailfake: " + err.Error()) // Only plain values are in it.
	}
	return doc
}

// PreCall is the webhook of a call that starts to ring. It carries the vendor's placeholders: not answered, missed, no
// duration, whatever c says.
func PreCall(c Call) []byte { return c.preCall().json() }

func (c Call) preCall() object {
	customer, tracking := or(c.Customer, "+14155550134"), or(c.Tracking, "+14155550186")
	name := or(c.CustomerName, "Ada Example")
	o := object{
		"answered": false, "call_type": "missed", "formatted_call_type": "Missed Call",
		"customer_city": or(c.City, "San Francisco"), "customer_state": or(c.State, "CA"), "customer_country": or(c.Country, "US"),
		"customer_name": name, "customer_phone_number": customer, "formatted_customer_name": name,
		"formatted_customer_phone_number": dashed(customer), "formatted_customer_name_or_phone_number": name,
		"company_id": 422269185, "company_name": or(c.Company, "Example Roofing LLC"),
		"company_resource_id": hexOf("COM", or(c.Company, "Example Roofing LLC")),
		"company_time_zone":   or(c.Zone, "America/New_York"),
		"created_at":          c.stamp(c.StartedAt.Add(300 * time.Millisecond)), "start_time": c.stamp(c.StartedAt),
		"timestamp": c.stamp(c.StartedAt), "datetime": c.StartedAt.UTC().Format("2006-01-02 15:04:05"),
		"direction": or(c.Direction, "inbound"), "duration": "0", "formatted_duration": "0s",
		"first_call": c.PriorCalls == 0, "prior_calls": c.PriorCalls, "total_calls": c.PriorCalls + 1,
		"tracking_phone_number": tracking, "formatted_tracking_phone_number": dashed(tracking),
		"person_resource_id": hexOf("PER", customer), "tracker_resource_id": hexOf("TRK", tracking),
		"resource_id": c.ID, "source_name": "Website Pool", "voicemail": false,
	}
	if c.NumericID != 0 {
		o["id"] = c.NumericID
	}
	return o
}

// RoutingComplete is the webhook of a call that has found its way: Pre-Call with the number it was put through to.
func RoutingComplete(c Call) []byte {
	o := c.preCall()
	business := or(c.Business, "+14155550143")
	o["business_phone_number"], o["formatted_business_phone_number"] = business, dashed(business)
	if len(c.Tags) > 0 {
		o["tags"] = c.Tags
	}
	return o.json()
}

// PostCall is the webhook of a call that has ended, with all that c says.
func PostCall(c Call) []byte { return c.postCall().json() }

// OutboundPostCall is PostCall of a call to the customer.
func OutboundPostCall(c Call) []byte {
	c.Direction = "outbound"
	return c.postCall().json()
}

// Modified is the webhook of a call that was changed after its end: all that c says now, and the names of what changed
// (tags, note, value, transcription_text, recording_duration, auto_score, manual_score).
func Modified(c Call, changes ...string) []byte {
	o := c.postCall()
	o["changes"] = append([]string{}, changes...)
	return o.json()
}

func (c Call) postCall() object {
	o := c.preCall()
	seconds := int64(c.Duration / time.Second)
	business := or(c.Business, "+14155550143")
	kind, label := "missed", "Missed Call"
	switch {
	case c.Voicemail:
		kind, label = "voicemail", "Voicemail"
	case c.Answered && c.Direction == "outbound":
		kind, label = "outbound", "Outbound Call"
	case c.Answered:
		kind, label = "answered", "Answered Call"
	case c.Abandoned:
		kind, label = "abandoned", "Abandoned Call"
	}
	merge(o, object{
		"answered": c.Answered, "voicemail": c.Voicemail, "call_type": kind, "formatted_call_type": label,
		"duration": strconv.FormatInt(seconds, 10), "formatted_duration": fmt.Sprintf("%ds", seconds),
		"business_phone_number": business, "formatted_business_phone_number": dashed(business), "destinationnum": business,
		"formatted_customer_location": or(c.City, "San Francisco") + ", " + or(c.State, "CA"),
		"source":                      or(c.Source, "Google Organic"), "formatted_tracking_source": or(c.Source, "Google Organic"),
		"medium": c.Medium, "campaign": c.Campaign, "keywords": "", "landing_page_url": "", "referring_url": "",
		"last_requested_url": "", "referrer_domain": "", "referrer": "", "referrermedium": "", "landingpage": "",
		"utm_source": "", "utm_medium": "", "utm_term": "", "utm_content": "", "utm_campaign": "", "gclid": "", "fbclid": "", "msclkid": "", "ga": "",
		"milestones": object{"first_touch": object{"event_date": c.stamp(c.StartedAt), "source": or(c.Source, "Google Organic"), "medium": nil}},
		"tags":       append([]string{}, c.Tags...), "detail_tags": []any{}, "tag": "", "note": c.Note, "value": c.Value, "formatted_value": "--",
		"lead_status": c.LeadStatus, "good_lead_call_id": "", "good_lead_call_time": "", "score": "",
		"recording": "", "recording_duration": "", "recording_player": "", "recording_redirect": "", "waveforms": "",
		"transcription": c.Transcription, "conversational_transcript": "", "call_highlights": []any{}, "keywords_spotted": "",
		"speaker_percent": "", "keypad_entries": "", "agent_email": c.AgentEmail, "device_type": "", "custom": "", "spam": false,
		"callernum": o["customer_phone_number"], "callername": o["customer_name"], "callercity": o["customer_city"],
		"callerstate": o["customer_state"], "callercountry": o["customer_country"], "trackingnum": o["tracking_phone_number"],
		"integration_data": []any{object{"integration": "Webhooks", "data": nil}},
		"timeline_url":     fmt.Sprintf("https://app.callrail.com/analytics/a/728790660/events/%s?event_id=%s&event_type=call", o["person_resource_id"], c.ID),
	})
	if c.AgentName != "" {
		o["agent_name"] = c.AgentName
	}
	if c.Score != 0 {
		o["score"] = c.Score
	}
	if c.Value != "" {
		o["formatted_value"] = "$" + c.Value
	}
	if c.Recording {
		key := or(c.AccessKey, "aaaabbbbccccdddd")
		base := "https://app.callrail.com/calls/" + c.ID + "/recording"
		merge(o, object{
			"recording": base + "/redirect?access_key=" + key, "recording_redirect": base + "/redirect?access_key=" + key,
			"recording_player": base + "?access_key=" + key, "recording_duration": seconds,
		})
	}
	return o
}

func merge(to, from object) {
	for k, v := range from {
		to[k] = v
	}
}

// Text is a text message. Numbers are written as CallRail writes them in texts: 770-555-5555.
type Text struct {
	// ID is the resource id; make one with NewID("SCI").
	ID                 string
	Customer, Tracking string
	Content            string
	Media              []string
	At                 time.Time
	ConversationID     string
	LeadStatus         string
	// Agent is the e-mail of who sent it.
	Agent string
}

func (x Text) message(from, to string) object {
	o := object{
		"resource_id": x.ID, "source_number": dashed(from), "destination_number": dashed(to), "content": x.Content,
		"message_type": "sms", "media_urls": append([]string{}, x.Media...), "timestamp": x.At.UTC().Format(timeLayout),
		"lead_status": nil, "conversation_id": or(x.ConversationID, "crp-1"), "company_resource_id": hexOf("COM", "Example Roofing LLC"),
		"person_resource_id": hexOf("PER", or(x.Customer, "+14155550134")), "thread_resource_id": hexOf("SMT", or(x.ConversationID, "crp-1")),
	}
	if len(x.Media) > 0 {
		o["message_type"] = "mms"
	}
	if x.LeadStatus != "" {
		o["lead_status"] = x.LeadStatus
	}
	return o
}

// TextReceived is the webhook of a text from the customer.
func TextReceived(x Text) []byte {
	return x.message(or(x.Customer, "+14155550134"), or(x.Tracking, "+14155550186")).json()
}

// TextSent is the webhook of a text to the customer.
func TextSent(x Text) []byte {
	o := x.message(or(x.Tracking, "+14155550186"), or(x.Customer, "+14155550134"))
	if x.Agent != "" {
		o["agent"] = x.Agent
	}
	return o.json()
}

// Form is a form submission.
type Form struct {
	// ID is the resource id; make one with NewID("FRM").
	ID string
	At time.Time
	// Data are the form's own fields.
	Data                     map[string]any
	FormURL, LandingPage     string
	Source, Medium, Campaign string
	First                    bool
}

// FormSubmission is the webhook of a form that was submitted. What is missing is null, as CallRail does only in forms.
func FormSubmission(w Form) []byte {
	text := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	at := w.At.UTC().Format(timeLayout)
	form := or(w.FormURL, "https://www.example.com/contact")
	person := hexOf("PER", w.ID)
	return object{
		"resource_id": w.ID, "company_id": 422269185, "company_resource_id": hexOf("COM", "Example Roofing LLC"),
		"person_resource_id": person, "lead_status": nil, "form_data": w.Data, "url": form, "form_url": form,
		"source": or(w.Source, "Google Organic"), "medium": text(w.Medium), "campaign": text(w.Campaign), "keywords": nil,
		"landing": text(w.LandingPage), "landing_page_url": text(w.LandingPage), "referrer": nil, "referrer_url": nil, "referring_url": nil,
		"utm_source": nil, "utm_medium": nil, "utm_campaign": nil, "first_form": w.First,
		"submitted_at": at, "created_at": at, "updated_at": at, "timestamp": at, "session_uuid": nil, "hidden": nil, "fcid": nil,
		"timeline_url": fmt.Sprintf("https://app.callrail.com/analytics/a/728790660/events/%s?event_id=%s&event_type=form_capture", person, w.ID),
	}.json()
}
