package call

import (
	"slices"
	"strings"
	"time"
)

// state overlays on to what from states; zero members state nothing. Status and digits have rules of their own in Fold.
func state(to, from *Facts) {
	// "Unknown" is the absence of a direction, said aloud.
	if from.Direction != "" && (from.Direction != DirectionUnknown || to.Direction == "") {
		to.Direction = from.Direction
	}
	party(&to.Customer, from.Customer)
	text(&to.BusinessNumber, from.BusinessNumber)
	text(&to.BusinessRawNumber, from.BusinessRawNumber)
	to.Agents = mergeAgents(to.Agents, from.Agents)
	moment(&to.StartedAt, from.StartedAt)
	moment(&to.AnsweredAt, from.AnsweredAt)
	moment(&to.EndedAt, from.EndedAt)
	pointer(&to.DurationSeconds, from.DurationSeconds)
	pointer(&to.RingSeconds, from.RingSeconds)
	pointer(&to.TalkSeconds, from.TalkSeconds)
	pointer(&to.HoldSeconds, from.HoldSeconds)
	text(&to.HangupCause, from.HangupCause)
	text(&to.HangupBy, from.HangupBy)
	text(&to.Queue, from.Queue)
	text(&to.Department, from.Department)
	whole(&to.IVRPath, from.IVRPath)
	text(&to.Campaign.ID, from.Campaign.ID)
	text(&to.Campaign.Name, from.Campaign.Name)
	to.LeadFields = overlay(to.LeadFields, from.LeadFields)
	text(&to.Reference.CRM, from.Reference.CRM)
	text(&to.Reference.ClickToCall, from.Reference.ClickToCall)
	to.Recordings = mergeRecordings(to.Recordings, from.Recordings)
	text(&to.Transcription.Text, from.Transcription.Text)
	text(&to.Transcription.URL, from.Transcription.URL)
	text(&to.Transcription.State, from.Transcription.State)
	if from.Disposition != (Disposition{}) {
		setDisposition(to, from)
	}
	labels(&to.Tags, from.Tags)
	text(&to.Note, from.Note)
	money(&to.Value, from.Value)
	text(&to.LeadStatus, from.LeadStatus)
	to.Scores = overlay(to.Scores, from.Scores)
	pointer(&to.FirstCall, from.FirstCall)
	pointer(&to.PriorCalls, from.PriorCalls)
	attribution(&to.Attribution, from.Attribution)
	pointer(&to.Cost, from.Cost)
	text(&to.Operator, from.Operator)
	text(&to.Circle, from.Circle)
	text(&to.TimeZone, from.TimeZone)
	text(&to.ProviderURL, from.ProviderURL)
	to.CustomData = overlay(to.CustomData, from.CustomData)
	to.Attributes = overlay(to.Attributes, from.Attributes)
}

func party(to *Party, from Party) {
	text(&to.Number, from.Number)
	text(&to.RawNumber, from.RawNumber)
	text(&to.Name, from.Name)
	text(&to.Email, from.Email)
	text(&to.Company, from.Company)
	text(&to.City, from.City)
	text(&to.State, from.State)
	text(&to.Country, from.Country)
	text(&to.CRMID, from.CRMID)
}

func attribution(to *Attribution, from Attribution) {
	text(&to.Source, from.Source)
	text(&to.Medium, from.Medium)
	text(&to.Campaign, from.Campaign)
	text(&to.Keywords, from.Keywords)
	text(&to.LandingPage, from.LandingPage)
	text(&to.Referrer, from.Referrer)
	to.UTM = overlay(to.UTM, from.UTM)
}

// money leaves an amount as it is while another event writes the same number in another way ("12.50", "12.5"), with the
// same currency or none.
func money(to **Money, from *Money) {
	if from == nil {
		return
	}
	if have := *to; have != nil && sameNumber(have.Amount, from.Amount) && (from.Currency == "" || from.Currency == have.Currency) {
		return
	}
	*to = clone(from)
}

func text[S ~string](to *S, from S) {
	if from != "" {
		*to = from
	}
}

func pointer[T any](to **T, from *T) {
	if from != nil {
		*to = clone(from)
	}
}

func clone[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

func moment(to *time.Time, from time.Time) {
	if t := normal(from); !t.IsZero() {
		*to = t
	}
}

// normal puts t in UTC without a monotonic reading, so that a stored call equals a fresh one. A year that RFC 3339
// cannot write states nothing: it would make the whole call unwritable.
func normal(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	t = t.UTC().Round(0)
	if y := t.Year(); y < 1 || y > 9999 {
		return time.Time{}
	}
	return t
}

func whole(to *[]string, from []string) {
	if len(from) > 0 {
		*to = list(from)
	}
}

// labels are a set: the same ones in another order are no change.
func labels(to *[]string, from []string) {
	lacks := func(of []string) func(string) bool { return func(s string) bool { return !slices.Contains(of, s) } }
	if len(*to) != len(from) || slices.ContainsFunc(from, lacks(*to)) || slices.ContainsFunc(*to, lacks(from)) {
		whole(to, from)
	}
}

func list(from []string) []string {
	if len(from) == 0 {
		return nil
	}
	return slices.Clone(from)
}

func overlay[K comparable, V any](to, from map[K]V) map[K]V {
	if len(from) == 0 {
		return to
	}
	if to == nil {
		to = make(map[K]V, len(from))
	}
	for k, v := range from {
		to[k] = v
	}
	return to
}

// mergeAgents adds the legs of from to those of to, each agent once, in the order of first appearance.
func mergeAgents(to, from []Agent) []Agent {
	for i := range from {
		a := &from[i]
		if *a == (Agent{}) {
			continue
		}
		at := slices.IndexFunc(to, func(b Agent) bool { return sameAgent(&b, a) })
		if at < 0 {
			to, at = append(to, Agent{}), len(to)
		}
		b := &to[at]
		text(&b.ID, a.ID)
		text(&b.Name, a.Name)
		text(&b.Email, a.Email)
		text(&b.Number, a.Number)
		text(&b.Extension, a.Extension)
		text(&b.Status, a.Status)
		pointer(&b.RingSeconds, a.RingSeconds)
		pointer(&b.TalkSeconds, a.TalkSeconds)
		pointer(&b.HoldSeconds, a.HoldSeconds)
		moment(&b.AnsweredAt, a.AnsweredAt)
		moment(&b.EndedAt, a.EndedAt)
	}
	return to
}

// sameAgent compares by the strongest name both have. Legs that name nobody are one.
func sameAgent(a, b *Agent) bool {
	switch {
	case a.ID != "" && b.ID != "":
		return a.ID == b.ID
	case a.Email != "" && b.Email != "":
		return strings.EqualFold(a.Email, b.Email)
	case a.Number != "" && b.Number != "":
		return a.Number == b.Number
	case a.Extension != "" && b.Extension != "":
		return a.Extension == b.Extension
	case a.Name != "" && b.Name != "":
		return a.Name == b.Name
	}
	return a.nameless() && b.nameless()
}

func (a *Agent) nameless() bool {
	return a.ID == "" && a.Email == "" && a.Number == "" && a.Extension == "" && a.Name == ""
}

// keepAgents keeps of have those that want names too, in want's order, so that what is known of them is not lost.
func keepAgents(have, want []Agent) []Agent {
	var out []Agent
	for i := range want {
		at := slices.IndexFunc(have, func(b Agent) bool { return sameAgent(&b, &want[i]) })
		if at >= 0 && !slices.ContainsFunc(out, func(b Agent) bool { return sameAgent(&b, &have[at]) }) {
			out = append(out, have[at])
		}
	}
	return out
}

// mergeRecordings adds the recordings of from to those of to, each once, in the order of first appearance.
func mergeRecordings(to, from []Recording) []Recording {
	for i := range from {
		r := &from[i]
		if *r == (Recording{}) {
			continue
		}
		at := slices.IndexFunc(to, func(b Recording) bool { return sameRecording(&b, r) })
		if at < 0 {
			to, at = append(to, Recording{}), len(to)
		}
		b := &to[at]
		text(&b.ID, r.ID)
		text(&b.URL, r.URL)
		text(&b.PlayerURL, r.PlayerURL)
		text(&b.State, r.State)
		pointer(&b.DurationSeconds, r.DurationSeconds)
		text(&b.ContentType, r.ContentType)
	}
	return to
}

func sameRecording(a, b *Recording) bool {
	switch {
	case a.ID != "" && b.ID != "":
		return a.ID == b.ID
	case a.URL != "" && b.URL != "":
		return a.URL == b.URL
	}
	return a.placeholder() && b.placeholder()
}

// placeholder tells whether r only says that there is, or will be, a recording.
func (r *Recording) placeholder() bool { return r.ID == "" && r.URL == "" }

func keepRecordings(have, want []Recording) []Recording {
	var out []Recording
	for i := range want {
		at := slices.IndexFunc(have, func(b Recording) bool { return sameRecording(&b, &want[i]) })
		if at >= 0 && !slices.ContainsFunc(out, func(b Recording) bool { return sameRecording(&b, &have[at]) }) {
			out = append(out, have[at])
		}
	}
	return out
}

// dropPlaceholders removes the recording without a name once one with a name is there: they are the same.
func dropPlaceholders(all []Recording) []Recording {
	if !slices.ContainsFunc(all, func(r Recording) bool { return !r.placeholder() }) {
		return all
	}
	return slices.DeleteFunc(all, func(r Recording) bool { return r.placeholder() })
}
