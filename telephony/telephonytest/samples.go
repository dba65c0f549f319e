package telephonytest

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// usualWindow is the window that a source has by default.
const usualWindow = 20 * time.Minute

// checkSamples checks the samples of a provider that has some: each passes its own check, says what the URL it is for
// says, and is from the fictional customer; without secrets in the settings there is none in the request.
func checkSamples(t *testing.T, p telephony.Provider) {
	sampler, ok := p.(telephony.Sampler)
	if !ok {
		t.Skip("the provider has no samples")
	}
	_, err := sampler.Sample("no such event", time.Now(), Settings(p))
	require.ErrorIs(t, err, telephony.ErrNoSample)
	info := p.Info()
	events := []string{""}
	for _, t := range info.Triggers {
		if t.Sample {
			events = append(events, t.Event)
		}
	}
	for _, zone := range []*time.Location{time.UTC, time.FixedZone("Asia/Kolkata", 19800)} {
		for _, event := range events {
			at := time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)
			s := Settings(p)
			s.Location = zone
			r, err := sampler.Sample(event, at, s)
			require.NoError(t, err, event)
			require.NoError(t, p.Verify(r, s), "the sample of %q is signed", event)
			require.Equal(t, at, r.ReceivedAt)
			trigger, _ := info.Trigger(event)
			if event != "" {
				require.Equal(t, trigger.Hook, r.Event)
			}
			again, err := sampler.Sample(event, at, s)
			require.NoError(t, err)
			require.Equal(t, r, again, "a sample is made of its arguments alone")
			if trigger.Story == telephony.NoStory {
				require.NotEmpty(t, decode(t, p, r, s).Ignored, event)
				continue
			}
			checkSample(t, p, r, s)
			if event != "" {
				require.Contains(t, trigger.Kinds, decode(t, p, r, s).Events[0].Kind, event)
			}

			next := at.Add(time.Microsecond)
			other, err := sampler.Sample(event, next, s)
			require.NoError(t, err)
			require.NotEqual(t, decode(t, p, r, s).Events[0].ProviderID, decode(t, p, other, s).Events[0].ProviderID, "every sample is a new one")

			s.Secrets = nil
			open, err := sampler.Sample(event, at, s)
			require.NoError(t, err)
			require.NotContains(t, string(open.Body)+open.RawQuery+strings.Join(headerValues(open.Header), " "), sentinel)
		}
	}
}

// checkStories checks that the samples of one story tell of one call that is over in the end, whatever order they come in.
func checkStories(t *testing.T, p telephony.Provider) {
	sampler, ok := p.(telephony.Sampler)
	if !ok {
		t.Skip("the provider has no samples")
	}
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)
	info, s := p.Info(), Settings(p)
	for _, story := range []telephony.Story{telephony.InboundStory, telephony.OutboundStory} {
		var events []call.Event
		known := map[string]bool{}
		for i, trigger := range info.StoryOf(story) {
			r, err := sampler.Sample(trigger.Event, at, s)
			require.NoError(t, err)
			e := decode(t, p, r, s).Events[0]
			names := []string{e.ProviderID}
			for _, a := range e.Aliases {
				names = append(names, a.Kind+" "+a.Value)
			}
			require.True(t, i == 0 || slices.ContainsFunc(names, func(n string) bool { return known[n] }), "%s is about another call", trigger.Event)
			for _, n := range names {
				known[n] = n != ""
			}
			e.ReceiptID, e.ReceivedAt = trigger.Event, at.Add(time.Duration(i)*time.Second)
			events = append(events, e)
		}
		if len(events) == 0 {
			continue
		}
		c := call.Fold(call.Identity{ID: "c"}, events)
		require.Equal(t, call.Direction(story), c.Direction)
		require.Equal(t, call.Answered, c.Status, story)
		slices.Reverse(events)
		reversed := call.Fold(call.Identity{ID: "c"}, events)
		require.Equal(t, c, reversed, "the order of events does not matter")
	}
}

func headerValues(h http.Header) (out []string) {
	for _, v := range h {
		out = append(out, v...)
	}
	return out
}

func checkSample(t *testing.T, p telephony.Provider, r telephony.Request, s telephony.Settings) {
	t.Helper()
	out := decode(t, p, r, s)
	require.Len(t, out.Events, 1, "%q: %+v", r.Event, out)
	e := out.Events[0]
	switch {
	case e.Message != nil:
		require.Equal(t, telephony.TestCustomer, e.Message.Customer.Number, r.Event)
		return
	case e.Form != nil:
		require.Equal(t, telephony.TestCustomer, e.Form.Customer.Number, r.Event)
		require.Equal(t, telephony.TestName, e.Form.Customer.Name)
		return
	}
	require.NotEmpty(t, e.ProviderID+aliasesOf(e), r.Event)
	require.Equal(t, telephony.TestCustomer, e.Facts.Customer.Number, r.Event)
	require.Equal(t, telephony.TestBusiness, e.Facts.BusinessNumber, r.Event)
	require.NotEqual(t, call.StatusUnknown, e.Facts.Status, r.Event)
	e.ReceivedAt = r.ReceivedAt
	c := call.Fold(call.Identity{ID: "c"}, []call.Event{e})
	if c.Phase != call.Ended {
		require.WithinDuration(t, r.ReceivedAt, c.StartedAt, time.Second, r.Event)
		return
	}
	if !c.EndedAt.IsZero() {
		require.False(t, c.EndedAt.After(r.ReceivedAt), "%q ends at %s", r.Event, c.EndedAt)
	}
	over := call.Complete(c, p.Info().Expects) || !call.WindowBase(c).Add(usualWindow).After(r.ReceivedAt)
	require.True(t, over, "%q makes people wait: %+v", r.Event, c)
}

func aliasesOf(e call.Event) string {
	var b strings.Builder
	for _, a := range e.Aliases {
		b.WriteString(a.Value)
	}
	return b.String()
}
