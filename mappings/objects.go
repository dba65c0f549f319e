package mappings

import (
	"time"

	"github.com/expr-lang/expr/types"

	"github.com/callsync/callsync/call"
)

var timeType = types.TypeOf(time.Time{})

func moment(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC()
}

func info(name string, t FieldType, description string, values ...string) FieldInfo {
	return FieldInfo{Name: name, Type: t, Description: description, Values: values}
}

// The objects below give the parts of a call members by their canonical names, without copying or reflection.
type (
	party         call.Party
	agent         call.Agent
	recording     call.Recording
	transcription call.Transcription
	disposition   call.Disposition
	money         call.Money
	cost          call.Cost
	campaign      call.Campaign
	reference     call.Reference
	attribution   call.Attribution
	alias         call.Alias
)

var partyMembers = []FieldInfo{
	info("number", FieldText, "the number, E.164 where it could be read as one"),
	info("raw_number", FieldText, "the number as the phone system wrote it"),
	info("name", FieldText, "the name the phone system knows"),
	info("email", FieldText, "the e-mail address"),
	info("company", FieldText, "the company"),
	info("city", FieldText, "the city"),
	info("state", FieldText, "the state or region"),
	info("country", FieldText, "the country"),
	info("crm_id", FieldText, "the contact's id in the CRM, where the phone system knows it"),
}

func (p *party) member(name string) any {
	switch name {
	case "number":
		return str(p.Number)
	case "raw_number":
		return str(p.RawNumber)
	case "name":
		return str(p.Name)
	case "email":
		return str(p.Email)
	case "company":
		return str(p.Company)
	case "city":
		return str(p.City)
	case "state":
		return str(p.State)
	case "country":
		return str(p.Country)
	case "crm_id":
		return str(p.CRMID)
	}
	return nil
}

var agentMembers = []FieldInfo{
	info("id", FieldText, "the phone system's id of the agent"),
	info("name", FieldText, "the agent's name"),
	info("email", FieldText, "the agent's e-mail address"),
	info("number", FieldText, "the agent's number"),
	info("extension", FieldText, "the agent's extension"),
	info("status", FieldText, "what happened on this leg", agentStatuses...),
	info("ring_seconds", FieldNumber, "how long it rang there"),
	info("talk_seconds", FieldNumber, "how long this agent talked"),
	info("hold_seconds", FieldNumber, "how long this leg was on hold"),
	info("answered_at", FieldDateTime, "when this agent answered"),
	info("ended_at", FieldDateTime, "when this leg ended"),
}

func (a *agent) member(name string) any {
	switch name {
	case "id":
		return str(a.ID)
	case "name":
		return str(a.Name)
	case "email":
		return str(a.Email)
	case "number":
		return str(a.Number)
	case "extension":
		return str(a.Extension)
	case "status":
		return str(string(a.Status))
	case "ring_seconds":
		return num(a.RingSeconds)
	case "talk_seconds":
		return num(a.TalkSeconds)
	case "hold_seconds":
		return num(a.HoldSeconds)
	case "answered_at":
		return moment(a.AnsweredAt)
	case "ended_at":
		return moment(a.EndedAt)
	}
	return nil
}

func agents(r *run) any {
	all := r.in.Call.Agents
	if len(all) == 0 {
		return nil
	}
	out := make([]any, min(len(all), maxList))
	for i := range out {
		out[i] = (*agent)(&all[i])
	}
	return out
}

func answering(r *run) object {
	all := r.in.Call.Agents
	if len(all) == 0 {
		return nil
	}
	for i := range all {
		if all[i].Status == call.AgentAnswered {
			return (*agent)(&all[i])
		}
	}
	return (*agent)(&all[0])
}

var recordingMembers = []FieldInfo{
	info("id", FieldText, "the recording's id"),
	info("url", FieldText, "the link to the sound file: callsync's permanent one, or the phone system's if the connection passes it on"),
	info("player_url", FieldText, "the phone system's page that plays it, if the connection passes its links on"),
	info("state", FieldText, "whether it can be listened to", recordingStates...),
	info("duration_seconds", FieldNumber, "how long it is"),
	info("content_type", FieldText, "the kind of sound file, such as audio/mpeg"),
}

func (c *recording) member(name string) any {
	switch name {
	case "id":
		return str(c.ID)
	case "url":
		return str(c.URL)
	case "player_url":
		return str(c.PlayerURL)
	case "state":
		return str(string(c.State))
	case "duration_seconds":
		return num(c.DurationSeconds)
	case "content_type":
		return str(c.ContentType)
	}
	return nil
}

func recordings(r *run) any {
	all := r.in.Call.Recordings
	if len(all) == 0 {
		return nil
	}
	out := make([]any, min(len(all), maxList))
	for i := range out {
		out[i] = (*recording)(&all[i])
	}
	return out
}

var transcriptionMembers = []FieldInfo{
	info("text", FieldText, "the text"),
	info("url", FieldText, "the phone system's link to it"),
	info("state", FieldText, "what the phone system says of it"),
}

func (t *transcription) member(name string) any {
	switch name {
	case "text":
		return str(t.Text)
	case "url":
		return str(t.URL)
	case "state":
		return str(t.State)
	}
	return nil
}

var dispositionMembers = []FieldInfo{
	info("value", FieldText, "the outcome"),
	info("sub_value", FieldText, "the outcome's second level"),
	info("set_by", FieldText, "who set it"),
	info("set_at", FieldDateTime, "when it was set"),
}

func (d *disposition) member(name string) any {
	switch name {
	case "value":
		return str(d.Value)
	case "sub_value":
		return str(d.SubValue)
	case "set_by":
		return str(d.SetBy)
	case "set_at":
		return moment(d.SetAt)
	}
	return nil
}

var moneyMembers = []FieldInfo{
	info("amount", FieldText, "the amount as decimal text; number(value.amount) calculates with it"),
	info("currency", FieldText, "the currency, such as EUR"),
}

func (m *money) member(name string) any {
	switch name {
	case "amount":
		return str(m.Amount)
	case "currency":
		return str(m.Currency)
	}
	return nil
}

var costMembers = []FieldInfo{
	info("amount", FieldText, "the amount as decimal text"),
	info("unit", FieldText, "the phone system's unit: a currency, coins, pulses"),
}

func (c *cost) member(name string) any {
	switch name {
	case "amount":
		return str(c.Amount)
	case "unit":
		return str(c.Unit)
	}
	return nil
}

var campaignMembers = []FieldInfo{
	info("id", FieldText, "the campaign's id"),
	info("name", FieldText, "the campaign's name"),
}

func (c *campaign) member(name string) any {
	switch name {
	case "id":
		return str(c.ID)
	case "name":
		return str(c.Name)
	}
	return nil
}

var referenceMembers = []FieldInfo{
	info("crm", FieldText, "the CRM record that was clicked to call"),
	info("click_to_call", FieldText, "the click-to-call request"),
}

func (f *reference) member(name string) any {
	switch name {
	case "crm":
		return str(f.CRM)
	case "click_to_call":
		return str(f.ClickToCall)
	}
	return nil
}

var attributionMembers = []FieldInfo{
	info("source", FieldText, "where the caller came from"),
	info("medium", FieldText, "the kind of marketing"),
	info("campaign", FieldText, "the marketing campaign"),
	info("keywords", FieldText, "the search words"),
	info("landing_page", FieldText, "the first page the caller saw"),
	info("referrer", FieldText, "the page before it"),
	info("utm", FieldMap, "the utm parameters, by name without utm_"),
}

func (a *attribution) member(name string) any {
	switch name {
	case "source":
		return str(a.Source)
	case "medium":
		return str(a.Medium)
	case "campaign":
		return str(a.Campaign)
	case "keywords":
		return str(a.Keywords)
	case "landing_page":
		return str(a.LandingPage)
	case "referrer":
		return str(a.Referrer)
	case "utm":
		if len(a.UTM) == 0 {
			return nil
		}
		return a.UTM
	}
	return nil
}

var aliasMembers = []FieldInfo{
	info("kind", FieldText, "the kind of name"),
	info("value", FieldText, "the name"),
}

func (a *alias) member(name string) any {
	switch name {
	case "kind":
		return str(a.Kind)
	case "value":
		return str(a.Value)
	}
	return nil
}

func aliases(r *run) any {
	all := r.in.Call.Aliases
	if len(all) == 0 {
		return nil
	}
	out := make([]any, min(len(all), maxList))
	for i := range out {
		out[i] = (*alias)(&all[i])
	}
	return out
}
