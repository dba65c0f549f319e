package callrail

import (
	"strings"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// kinds are the events by the last part of the hook URL. The names CallRail's own pages use are understood as well.
var kinds = map[string]call.Kind{
	EventPreCall:              call.CallRinging,
	EventRoutingComplete:      call.CallRouted,
	"call-routing-complete":   call.CallRouted,
	EventPostCall:             call.CallEnded,
	EventOutboundPostCall:     call.CallEnded,
	EventCallModified:         call.CallUpdated,
	EventOutboundCallModified: call.CallUpdated,
	EventTextReceived:         call.MessageReceived,
	EventTextSent:             call.MessageSent,
	EventFormSubmission:       call.FormSubmitted,
}

// The families of resource ids.
const (
	prefixCall = "CAL"
	prefixForm = "FRM"
	prefixText = "SCI"
)

// kindOf decides what a request says. The URL does, because the body has no event name; the content does where the URL
// is of no event, and where the id proves that the URL was put into the wrong field of the panel.
func (d *decoder) kindOf(event string) call.Kind {
	byURL, known := kinds[strings.ToLower(strings.ReplaceAll(event, "_", "-"))]
	sniffed := d.sniff()
	if !known || family(d.id.value) != "" && family(d.id.value) != familyOf(byURL) {
		return sniffed
	}
	return byURL
}

func family(id string) string {
	for _, p := range []string{prefixCall, prefixForm, prefixText} {
		if strings.HasPrefix(id, p) {
			return p
		}
	}
	return ""
}

func familyOf(k call.Kind) string {
	switch k {
	case call.MessageReceived, call.MessageSent:
		return prefixText
	case call.FormSubmitted:
		return prefixForm
	}
	return prefixCall
}

// sniff tells the kind from the content.
func (d *decoder) sniff() call.Kind {
	f := d.f
	switch fam := family(d.id.value); {
	case fam == prefixForm || fam == "" && f.Has("form_data"):
		return call.FormSubmitted
	case fam == prefixText || fam == "" && f.Has("message_type", "content", "conversation_id"):
		return d.sniffText()
	case f.Has("changes"):
		return call.CallUpdated
	// Only Post-Call and Call Modified have these, if often blank. total_calls is no sign: Pre-Call has it too.
	case f.Has("recording", "recording_duration", "recording_player", "waveforms", "transcription", "note", "value"), d.lasted():
		return call.CallEnded
	case f.Has("business_phone_number", "destinationnum"):
		return call.CallRouted
	}
	return call.CallRinging
}

// lasted tells whether the call has a duration, which it gets by ending.
func (d *decoder) lasted() bool {
	s, _ := telephony.TextOf(d.f.Peek("duration"))
	return strings.Trim(s, "0123456789") == "" && strings.Trim(s, "0") != ""
}

// sniffText tells the direction by whose number is whose. CallRail's help says that messages received name an agent;
// its API, and every receiver that is public, that those sent do.
func (d *decoder) sniffText() call.Kind {
	own := func(field string) bool {
		v, _ := telephony.TextOf(d.f.Peek(field))
		return v != "" && d.own(telephony.ParsePhone(v, d.settings.DefaultCountry, "US").Number)
	}
	switch {
	case own("source_number"):
		return call.MessageSent
	case own("destination_number"):
		return call.MessageReceived
	case d.f.Peek("agent") != nil:
		return call.MessageSent
	}
	return call.MessageReceived
}

func (d *decoder) own(number string) bool {
	if number == "" {
		return false
	}
	for _, n := range d.settings.OwnNumbers {
		if telephony.ParsePhone(n, d.settings.DefaultCountry, "US").Number == number {
			return true
		}
	}
	return false
}
