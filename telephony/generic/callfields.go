package generic

import (
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony/generic/expression"
)

// callFields are the fields of calls beside the parties, the agents and the attribution.
func callFields() map[string]setter {
	return merge(outcomeFields(), recordingFields(), map[string]setter{
		"business_number":         number(func(t *target) *string { return &t.facts.BusinessNumber }, func(t *target) *string { return &t.facts.BusinessRawNumber }),
		"business_raw_number":     text(func(t *target) *string { return &t.facts.BusinessRawNumber }),
		"started_at":              moment(func(t *target) *time.Time { return &t.facts.StartedAt }),
		"answered_at":             moment(func(t *target) *time.Time { return &t.facts.AnsweredAt }),
		"ended_at":                moment(func(t *target) *time.Time { return &t.facts.EndedAt }),
		"duration_seconds":        seconds(func(t *target) **int64 { return &t.facts.DurationSeconds }),
		"ring_seconds":            seconds(func(t *target) **int64 { return &t.facts.RingSeconds }),
		"talk_seconds":            seconds(func(t *target) **int64 { return &t.facts.TalkSeconds }),
		"hold_seconds":            seconds(func(t *target) **int64 { return &t.facts.HoldSeconds }),
		"queue":                   text(func(t *target) *string { return &t.facts.Queue }),
		"department":              text(func(t *target) *string { return &t.facts.Department }),
		"ivr_path":                texts(func(t *target) *[]string { return &t.facts.IVRPath }),
		"digits":                  texts(func(t *target) *[]string { return &t.facts.Digits }),
		"campaign.id":             text(func(t *target) *string { return &t.facts.Campaign.ID }),
		"campaign.name":           text(func(t *target) *string { return &t.facts.Campaign.Name }),
		"reference.crm":           text(func(t *target) *string { return &t.facts.Reference.CRM }),
		"reference.click_to_call": text(func(t *target) *string { return &t.facts.Reference.ClickToCall }),
		"transcription.text":      text(func(t *target) *string { return &t.facts.Transcription.Text }),
		"transcription.url":       text(func(t *target) *string { return &t.facts.Transcription.URL }),
		"transcription.state":     text(func(t *target) *string { return &t.facts.Transcription.State }),
		"disposition.value":       text(func(t *target) *string { return &t.facts.Disposition.Value }),
		"disposition.sub_value":   text(func(t *target) *string { return &t.facts.Disposition.SubValue }),
		"disposition.set_by":      text(func(t *target) *string { return &t.facts.Disposition.SetBy }),
		"disposition.set_at":      moment(func(t *target) *time.Time { return &t.facts.Disposition.SetAt }),
		"tags":                    texts(func(t *target) *[]string { return &t.facts.Tags }),
		"note":                    text(func(t *target) *string { return &t.facts.Note }),
		"lead_status":             text(func(t *target) *string { return &t.facts.LeadStatus }),
		"first_call":              truth(func(t *target) **bool { return &t.facts.FirstCall }),
		"prior_calls":             count(func(t *target) **int64 { return &t.facts.PriorCalls }),
		"operator":                text(func(t *target) *string { return &t.facts.Operator }),
		"circle":                  text(func(t *target) *string { return &t.facts.Circle }),
		"time_zone":               text(func(t *target) *string { return &t.facts.TimeZone }),
		"provider_url":            text(func(t *target) *string { return &t.facts.ProviderURL }),
		"value.amount":            amount(func(t *target, s string) { money(t).Amount = s }),
		"value.currency":          text(func(t *target) *string { return &money(t).Currency }),
		"cost.amount":             amount(func(t *target, s string) { cost(t).Amount = s }),
		"cost.unit":               text(func(t *target) *string { return &cost(t).Unit }),
	})
}

// outcomeFields read words: one that is not known is no fact, and is kept as it came.
func outcomeFields() map[string]setter {
	return map[string]setter{
		"direction": func(_ *decoder, t *target, v any) error {
			s, err := textOf(v)
			if err != nil {
				return err
			}
			dir := directionOf(s)
			if dir == "" {
				return expression.ValueError("The word is no direction that is known; say what it means with direction(value, {…}).")
			}
			t.facts.Direction = dir
			return nil
		},
		"status": func(_ *decoder, t *target, v any) error {
			s, err := textOf(v)
			if err != nil {
				return err
			}
			status := statusOf(s)
			if status == "" {
				return expression.ValueError("The word is no status that is known; say what it means with status(value, {…}).")
			}
			t.facts.Status = status
			return nil
		},
		"hangup_cause": text(func(t *target) *string { return &t.facts.HangupCause }),
		"hangup_by":    text(func(t *target) *string { return &t.facts.HangupBy }),
	}
}

func truth(at func(t *target) **bool) setter {
	return func(_ *decoder, t *target, v any) error {
		b, ok := expression.Bool(v)
		if !ok {
			return expression.ValueError("The value is neither true nor false.")
		}
		*at(t) = &b
		return nil
	}
}

func count(at func(t *target) **int64) setter {
	return func(_ *decoder, t *target, v any) error {
		f, ok := expression.Number(v)
		if !ok || f < 0 || f > longest || f != float64(int64(f)) {
			return expression.ValueError("The value is no count.")
		}
		n := int64(f)
		*at(t) = &n
		return nil
	}
}

// amount keeps the text of a number, so that no cent is lost.
func amount(set func(t *target, s string)) setter {
	return func(_ *decoder, t *target, v any) error {
		if _, ok := expression.Number(v); !ok {
			return expression.ValueError("The value is no amount such as 12.50.")
		}
		s, err := textOf(v)
		if err == nil {
			set(t, s)
		}
		return err
	}
}

func money(t *target) *call.Money {
	if t.facts.Value == nil {
		t.facts.Value = &call.Money{}
	}
	return t.facts.Value
}

func cost(t *target) *call.Cost {
	if t.facts.Cost == nil {
		t.facts.Cost = &call.Cost{}
	}
	return t.facts.Cost
}
