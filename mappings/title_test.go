package mappings

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
)

// inLanguage is what call_title says, written in the language of mappings itself.
const inLanguage = `(direction == "outbound" ? lookup(status, {missed: "Unanswered call to", abandoned: "Unanswered call to", voicemail: "Voicemail left for",
	busy: "Unanswered call (busy) to", failed: "Failed call to", cancelled: "Cancelled call to"}, "Outbound call to")
	: direction == "internal" ? lookup(status, {missed: "Missed internal call from", abandoned: "Missed internal call from",
	voicemail: "Internal voicemail from", busy: "Missed internal call (busy) from", failed: "Failed internal call from",
	cancelled: "Cancelled internal call from"}, "Internal call with")
	: lookup(status, {missed: "Missed call from", abandoned: "Abandoned call from", voicemail: "Voicemail from",
	busy: "Missed call (busy) from", failed: "Failed call from", cancelled: "Cancelled call from"},
	direction == "inbound" ? "Inbound call from" : "Call with")) + " " + coalesce(person_name(customer.name), customer.company,
	phone_international(customer.number), customer.raw_number, direction == "internal" ? "a colleague" : "an unknown number")`

func TestCallTitle(t *testing.T) {
	t.Parallel()
	parties := []call.Party{
		{}, {Name: " Ada Lovelace ", Number: "+14155550101"}, {Name: "WIRELESS CALLER", Number: "+14155550101"}, {Name: "WIRELESS CALLER", Company: "Acme"},
		{Number: "+442079460018", RawNumber: "020 7946 0018"}, {RawNumber: "anonymous"}, {Number: "415 555 0101"},
	}
	statuses := append([]call.Status{""}, call.Ringing, call.InProgress, call.Answered, call.Missed, call.Voicemail, call.Abandoned, call.Busy, call.Failed, call.Cancelled, call.StatusUnknown)
	for _, direction := range []call.Direction{"", call.Inbound, call.Outbound, call.Internal, call.DirectionUnknown} {
		for _, status := range statuses {
			for _, party := range parties {
				in := Input{Call: call.Call{ID: "1"}, Country: "us"}
				in.Call.Direction, in.Call.Status, in.Call.Customer = direction, status, party
				want, err := evaluate(t, inLanguage, in)
				require.NoError(t, err)
				got, err := evaluate(t, `call_title`, in)
				require.NoError(t, err)
				require.Equal(t, want, got, "%s %s %+v", direction, status, party)
			}
		}
	}
	got, err := evaluate(t, `call_title`, Input{})
	require.NoError(t, err)
	require.Nil(t, got, "no call, no title")
}
