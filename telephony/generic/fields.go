package generic

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony/generic/expression"
)

// target is what the rows of a rule fill.
type target struct {
	facts       *call.Facts
	message     *call.Message
	form        *call.Form
	customer    *call.Party
	agents      *[]call.Agent
	attribution *call.Attribution
}

// setter puts a value that is not nil into its place. A value that does not fit gives a ValueError and changes nothing.
type setter func(d *decoder, t *target, v any) error

// events, messages and forms are the subjects of the three lists of rules.
var (
	events = &subject{
		kinds: []string{
			string(call.CallRinging), string(call.CallRouted), string(call.CallAnswered), string(call.CallDTMF), string(call.CallAgentDialed),
			string(call.CallAgentMissed), string(call.CallEnded), string(call.CallUpdated), string(call.DispositionSet), string(call.RecordingArrived),
		},
		fields:  merge(partyFields(), agentFields(), attributionFields(), callFields()),
		indexed: map[string]bool{"agents": true, "recordings": true},
		open: map[string]func(*target) *map[string]any{
			"attributes":  func(t *target) *map[string]any { return &t.facts.Attributes },
			"custom_data": func(t *target) *map[string]any { return &t.facts.CustomData },
			"lead_fields": func(t *target) *map[string]any { return &t.facts.LeadFields },
			"scores":      func(t *target) *map[string]any { return &t.facts.Scores },
		},
	}
	messages = &subject{
		kinds:   []string{string(call.MessageReceived), string(call.MessageSent)},
		fields:  merge(partyFields(), agentFields(), messageFields()),
		indexed: map[string]bool{"agents": true},
		open:    map[string]func(*target) *map[string]any{"attributes": events.open["attributes"]},
	}
	forms = &subject{
		kinds:  []string{string(call.FormSubmitted)},
		fields: merge(partyFields(), attributionFields(), formFields()),
		open: map[string]func(*target) *map[string]any{
			"attributes": events.open["attributes"],
			"fields":     func(t *target) *map[string]any { return &t.form.Fields },
		},
	}
)

func merge(all ...map[string]setter) map[string]setter {
	out := map[string]setter{}
	for _, m := range all {
		maps.Copy(out, m)
	}
	return out
}

// names are the fields of the subject, as the reference and suggestions have them.
func (s *subject) names() []string {
	out := slices.Collect(maps.Keys(s.fields))
	for name := range s.indexed {
		for member := range indexedMembers[name] {
			out = append(out, name+"[0]."+member)
		}
	}
	for name := range s.open {
		out = append(out, name, name+".…")
	}
	slices.Sort(out)
	return out
}

var indexedName = regexp.MustCompile(`^([a-z_]+)\[(\d{1,2})\]\.([a-z_]+)$`)

// setter finds what fills a field; ok is false if there is no such field.
func (s *subject) setter(name string) (set setter, ok bool) {
	if set, ok := s.fields[name]; ok {
		return set, true
	}
	if m := indexedName.FindStringSubmatch(name); m != nil && s.indexed[m[1]] {
		i, _ := strconv.Atoi(m[2])
		set, ok := indexedMembers[m[1]][m[3]]
		return func(d *decoder, t *target, v any) error { return set(d, t, i, v) }, ok && i < mostLegs
	}
	if group, ok := s.open[name]; ok {
		return func(d *decoder, t *target, v any) error {
			m, err := objectOf(d.run, v)
			if err != nil {
				return err
			}
			put(group(t), m)
			return nil
		}, true
	}
	base, member, _ := strings.Cut(name, ".")
	group, ok := s.open[base]
	if !ok || strings.TrimSpace(member) != member || member == "" || len(member) > 128 {
		return nil, false
	}
	return func(d *decoder, t *target, v any) error {
		m, err := objectOf(d.run, map[string]any{member: v})
		if err == nil {
			put(group(t), m)
		}
		return err
	}, true
}

func put(to *map[string]any, from map[string]any) {
	if *to == nil && len(from) > 0 {
		*to = map[string]any{}
	}
	maps.Copy(*to, from)
}

func text(at func(t *target) *string) setter {
	return func(_ *decoder, t *target, v any) error {
		s, err := textOf(v)
		if err == nil {
			*at(t) = s
		}
		return err
	}
}

func moment(at func(t *target) *time.Time) setter {
	return func(d *decoder, t *target, v any) error {
		m, err := momentOf(v, d.settings.Location)
		if err == nil {
			*at(t) = m
		}
		return err
	}
}

func seconds(at func(t *target) **int64) setter {
	return func(_ *decoder, t *target, v any) error {
		n, err := secondsOf(v)
		if err == nil {
			*at(t) = &n
		}
		return err
	}
}

func texts(at func(t *target) *[]string) setter {
	return func(d *decoder, t *target, v any) error {
		list, err := textsOf(d.run, v)
		if err == nil {
			*at(t) = list
		}
		return err
	}
}

// number fills a phone number and, if nothing else does, its raw text.
func number(at, raw func(t *target) *string) setter {
	return func(d *decoder, t *target, v any) error {
		s, err := textOf(v)
		if err != nil {
			return err
		}
		p, err := d.phone(s, "")
		if err != nil {
			return err
		}
		*at(t) = p.Number
		if r := raw(t); *r == "" {
			*r = p.Raw
		}
		return nil
	}
}

func partyFields() map[string]setter {
	return map[string]setter{
		"customer.number":     number(func(t *target) *string { return &t.customer.Number }, func(t *target) *string { return &t.customer.RawNumber }),
		"customer.raw_number": text(func(t *target) *string { return &t.customer.RawNumber }),
		"customer.name":       text(func(t *target) *string { return &t.customer.Name }),
		"customer.email":      text(func(t *target) *string { return &t.customer.Email }),
		"customer.company":    text(func(t *target) *string { return &t.customer.Company }),
		"customer.city":       text(func(t *target) *string { return &t.customer.City }),
		"customer.state":      text(func(t *target) *string { return &t.customer.State }),
		"customer.country":    text(func(t *target) *string { return &t.customer.Country }),
		"customer.crm_id":     text(func(t *target) *string { return &t.customer.CRMID }),
	}
}

func attributionFields() map[string]setter {
	return map[string]setter{
		"attribution.source":       text(func(t *target) *string { return &t.attribution.Source }),
		"attribution.medium":       text(func(t *target) *string { return &t.attribution.Medium }),
		"attribution.campaign":     text(func(t *target) *string { return &t.attribution.Campaign }),
		"attribution.keywords":     text(func(t *target) *string { return &t.attribution.Keywords }),
		"attribution.landing_page": text(func(t *target) *string { return &t.attribution.LandingPage }),
		"attribution.referrer":     text(func(t *target) *string { return &t.attribution.Referrer }),
		"attribution.utm": func(d *decoder, t *target, v any) error {
			m, err := objectOf(d.run, v)
			if err != nil {
				return err
			}
			for k, inner := range m {
				if s, ok := expression.Text(inner); ok && s != "" {
					if t.attribution.UTM == nil {
						t.attribution.UTM = map[string]string{}
					}
					t.attribution.UTM[strings.TrimPrefix(strings.ToLower(k), "utm_")] = s
				}
			}
			return nil
		},
	}
}

func messageFields() map[string]setter {
	business := func(t *target) *string { return &t.message.BusinessNumber }
	return map[string]setter{
		// A message has no place for the raw text beside the number.
		"business_number": func(d *decoder, t *target, v any) error {
			s, err := textOf(v)
			if err != nil {
				return err
			}
			p, err := d.phone(s, "")
			if err == nil {
				*business(t) = p.Number
				if p.Number == "" {
					*business(t) = p.Raw
				}
			}
			return err
		},
		"body":            text(func(t *target) *string { return &t.message.Body }),
		"media":           texts(func(t *target) *[]string { return &t.message.Media }),
		"conversation_id": text(func(t *target) *string { return &t.message.ConversationID }),
		"sent_at":         moment(func(t *target) *time.Time { return &t.message.SentAt }),
		"lead_status":     text(func(t *target) *string { return &t.message.LeadStatus }),
	}
}

func formFields() map[string]setter {
	return map[string]setter{
		"form_url":     text(func(t *target) *string { return &t.form.FormURL }),
		"landing_page": text(func(t *target) *string { return &t.form.LandingPage }),
		"submitted_at": moment(func(t *target) *time.Time { return &t.form.SubmittedAt }),
	}
}
