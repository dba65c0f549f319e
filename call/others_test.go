package call

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFoldMessage(t *testing.T) {
	t.Parallel()
	sent := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	said := func(id string, after time.Duration, m Message) Event {
		return Event{ReceiptID: id, Kind: MessageReceived, ReceivedAt: sent.Add(after), Message: &m}
	}
	events := []Event{
		said("1", 0, Message{ProviderID: "SCI1", Direction: Inbound, Body: "Hi", Media: []string{"a.jpg"}, SentAt: sent,
			Customer: Party{Number: "+14155550134", Name: "Ada"}, Agents: []Agent{{Email: "bo@example.com"}}}),
		said("2", time.Minute, Message{ProviderID: "SCI1", Direction: Inbound, Body: "Hi", LeadStatus: "good_lead", SentAt: sent.In(time.FixedZone("", 3600)),
			Agents: []Agent{{Email: "BO@example.com", Name: "Bo"}}}),
		{ReceiptID: "3", Kind: CallEnded, ReceivedAt: sent.Add(time.Hour)},
	}
	want := Message{ProviderID: "SCI1", Direction: Inbound, Body: "Hi", Media: []string{"a.jpg"}, SentAt: sent, LeadStatus: "good_lead",
		Customer: Party{Number: "+14155550134", Name: "Ada"}, Agents: []Agent{{Email: "BO@example.com", Name: "Bo"}}}
	require.Equal(t, want, FoldMessage(events))
	slices.Reverse(events)
	require.Equal(t, want, FoldMessage(append(events, events...)), "neither order nor repetition matters")
	require.True(t, Same(want, FoldMessage(events)))
	want.Body = "Ho"
	require.False(t, Same(want, FoldMessage(events)))
	require.Zero(t, FoldMessage(nil))
}

func TestFoldForm(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	events := []Event{
		{ReceiptID: "2", Kind: FormSubmitted, ReceivedAt: at.Add(time.Minute), Form: &Form{Fields: map[string]any{"phone": []any{"1", "2"}}, Attribution: Attribution{UTM: map[string]string{"term": "roof"}}}},
		{ReceiptID: "1", Kind: FormSubmitted, ReceivedAt: at, Form: &Form{ProviderID: "FRM1", SubmittedAt: at, FormURL: "https://example.com", LandingPage: "https://example.com/l",
			Customer: Party{Email: "ada@example.com"}, Fields: map[string]any{"name": "Ada", "phone": "1"}, Attribution: Attribution{Source: "Google", UTM: map[string]string{"source": "g"}}}},
	}
	want := Form{ProviderID: "FRM1", SubmittedAt: at, FormURL: "https://example.com", LandingPage: "https://example.com/l", Customer: Party{Email: "ada@example.com"},
		Fields:      map[string]any{"name": "Ada", "phone": []any{"1", "2"}},
		Attribution: Attribution{Source: "Google", UTM: map[string]string{"source": "g", "term": "roof"}}}
	require.Equal(t, want, FoldForm(events))
	require.Equal(t, map[string]any{"name": "Ada", "phone": "1"}, events[1].Form.Fields, "events are not changed")
	require.Zero(t, FoldForm(nil))
}

func TestMoneyIsComparedByNumber(t *testing.T) {
	t.Parallel()
	usd := func(s string) *Money { return &Money{Amount: s} }
	for _, c := range []struct{ first, second, want *Money }{
		{usd("12.50"), usd("12.5"), usd("12.50")},
		{usd("12.50"), usd("13"), usd("13")},
		{&Money{Amount: "12", Currency: "EUR"}, usd("12.00"), &Money{Amount: "12", Currency: "EUR"}},
		{usd("12"), &Money{Amount: "12", Currency: "EUR"}, &Money{Amount: "12", Currency: "EUR"}},
		{nil, usd("0"), usd("0")},
		{usd("0"), nil, usd("0")},
	} {
		got := Fold(Identity{}, []Event{
			{ReceiptID: "1", Kind: CallEnded, Facts: Facts{Value: c.first}},
			{ReceiptID: "2", Kind: CallEnded, Facts: Facts{Value: c.second}},
		})
		require.Equal(t, c.want, got.Value)
	}
}

// What a phone system is asked for later fills gaps and gives way to what it reported.
func TestPulledFactsGiveWay(t *testing.T) {
	t.Parallel()
	pulled := []Event{
		{ReceiptID: "9", Seq: 0, Kind: CallPulled, Facts: Facts{Queue: "asked", HangupBy: "asked", Note: "asked", Attributes: map[string]any{"a": "asked", "b": "asked"}}},
		{ReceiptID: "9", Seq: 1, Kind: CallEnded, Facts: Facts{Tags: []string{"b", "a"}, LeadStatus: "good"}},
	}
	reported := []Event{
		{ReceiptID: "1", Kind: CallRinging, Facts: Facts{Queue: "live"}},
		{ReceiptID: "2", Kind: CallEnded, Facts: Facts{HangupBy: "final", Tags: []string{"a", "b"}, Attributes: map[string]any{"a": "final"}}},
		{ReceiptID: "3", Kind: CallUpdated, Asserted: []Field{FieldNote}},
	}
	c := Fold(Identity{}, append(reported, pulled...))
	require.Equal(t, "asked", c.Queue, "it knows more than what was said while the call was live")
	require.Equal(t, "final", c.HangupBy)
	require.Equal(t, map[string]any{"a": "final", "b": "asked"}, c.Attributes)
	require.Equal(t, []string{"a", "b"}, c.Tags, "another order is no change")
	require.Equal(t, "good", c.LeadStatus)
	require.Empty(t, c.Note, "what a change has cleared stays so")
	require.Equal(t, Live, Fold(Identity{}, pulled[:1]).Phase, "the facts alone do not end a call")
}
