package callrail

import (
	"maps"
	"net/url"
	"strings"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// callInProgress is the API's call_type of a call that has not ended.
const callInProgress = "in_progress"

// asInWebhooks are fields that the API names otherwise than webhooks, where the short name has the number of before 2021.
var asInWebhooks = map[string]string{"company_id": "company_resource_id", "person_id": "person_resource_id", "tracker_id": "tracker_resource_id"}

// pulled reads a call of the API (https://apidocs.callrail.com, Listing All Calls). Its fields are those of the webhooks,
// some under other names, in other types (numbers where webhooks have text, null where they have ""), or with another
// value for the same thing, such as the recording's URL.
//
// A call that came complete by webhooks must not change by being pulled, so it becomes two events. The first holds all
// facts with an authority below that of the webhooks' reports: it fills what they did not say. The second is a final
// report of the few that people change later, so that a lost Call Modified is made good; what a Call Modified named as
// changed still stands above it.
func (d *decoder) pulled() []call.Event {
	values := d.f.Values()
	for name, webhook := range asInWebhooks {
		if id, _ := telephony.TextOf(values[name]); id != "" && strings.Trim(id, "0123456789") != "" {
			if _, ok := values[webhook]; !ok {
				values[webhook] = id
			}
			delete(values, name)
		}
	}
	if v, ok := values["formatted_value"]; ok {
		// It has the cents; value is called an integer.
		if readMoney(v) != nil || dash(v) {
			values["value"] = v
		}
	}
	maps.DeleteFunc(values, func(k string, v any) bool { return strings.HasPrefix(k, "recording") && telephony.Blank(v) })
	if file := recordingFile(values["recording_player"]); file != "" {
		values["recording"] = file
	}
	d.f = telephony.NewFields(values)
	d.f.Drop(fieldResourceID, fieldNumericID)

	if word, _ := telephony.TextOf(values["call_type"]); strings.EqualFold(word, callInProgress) {
		e := call.Event{Kind: call.CallPulled, ProviderID: d.id.value}
		d.call(&e)
		e.Facts.Status = call.InProgress
		return []call.Event{e}
	}
	last := call.Event{Kind: call.CallEnded, ProviderID: d.id.value}
	d.call(&last)
	all := call.Event{Kind: call.CallPulled, ProviderID: d.id.value, Aliases: last.Aliases, Facts: last.Facts}
	x := &all.Facts
	last.Facts = call.Facts{
		Status: x.Status, DurationSeconds: x.DurationSeconds, Tags: x.Tags, Note: x.Note, Value: x.Value, LeadStatus: x.LeadStatus,
		Customer: call.Party{Name: x.Customer.Name},
	}
	x.Status, x.DurationSeconds, x.Tags, x.Note, x.Value, x.LeadStatus, x.Customer.Name = "", nil, nil, "", nil, "", ""
	last.Seq, last.Aliases = 1, nil
	return []call.Event{all, last}
}

// recordingFile is the URL that webhooks give for the sound of a recording, made from that of its player: the API's own
// needs the API key. Empty where the player's URL has another form.
func recordingFile(player any) string {
	s, _ := telephony.TextOf(player)
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || !strings.HasSuffix(u.Path, "/recording") || u.Query().Get("access_key") == "" {
		return ""
	}
	return u.JoinPath("redirect").String()
}
