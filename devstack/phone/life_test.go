package phone

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/callerdesk"
	"github.com/callsync/callsync/telephony/callrail"
	"github.com/callsync/callsync/telephony/deepcall"
	"github.com/callsync/callsync/telephony/generic"
	"github.com/callsync/callsync/telephony/generic/genericfake"
	"github.com/callsync/callsync/telephony/smartflo"
	"github.com/callsync/callsync/telephony/xarios"
)

// What the fake phone sends through a line is what its kind of phone system would send: signed, readable, about one call, and
// over with its report.
func TestLives(t *testing.T) {
	t.Parallel()
	kinds := telephony.NewRegistry(callerdesk.New(), callrail.New(), deepcall.New(), generic.New(), smartflo.New(), xarios.New())
	secrets := map[string]string{callrail.ID: "signing_key", smartflo.ID: "header_secret", xarios.ID: "static_token", generic.ID: "signing_key"}
	require.Len(t, Providers, len(kinds))
	for _, id := range Providers {
		for _, c := range []Call{
			{Answered: true, Recorded: true, Talk: time.Minute, Disposition: "Sold", Note: "A note.", Tags: []string{"Tag"}}, {},
			{Outbound: true, Answered: true, Recorded: true, Talk: time.Minute}, {Answered: true, Talk: time.Minute, Other: true, Disposition: "Sold"}, {Outbound: true, Other: true},
		} {
			c.StartedAt, c.Ring = time.Now().Add(-2*time.Minute).Truncate(time.Second), 4*time.Second
			c.Customer, c.CustomerName = "+919000012345", "Asha Example"
			const secret = "a-secret"
			settings := telephony.Settings{Location: telephony.Zone("Asia/Kolkata"), DefaultCountry: "IN", Config: map[string]string{}, Secrets: map[string]string{}}
			if name := secrets[id]; name != "" {
				settings.Secrets[name] = secret
			}
			if id == generic.ID {
				settings.Config["mapping"], settings.Location = genericfake.JSONMapping, time.UTC
			}
			var got []telephony.Request
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				event := ""
				if r.URL.Path != "/" {
					event = r.URL.Path[1:]
				}
				got = append(got, telephony.Request{Method: r.Method, Event: event, RawQuery: r.URL.RawQuery, Header: r.Header, Body: body, ReceivedAt: time.Now()})
			}))
			line := Line{Provider: id, URL: server.URL, Secret: secret}
			life := LifeOf(id, c, secret)
			require.NotEmpty(t, life.Report, id)
			var events []call.Event
			ended := false
			for i, w := range append(append(append([]Webhook{}, life.Early...), life.Report...), life.Late...) {
				status, _, err := line.Send(t.Context(), w)
				require.NoError(t, err)
				require.Equal(t, 200, status)
				r := got[len(got)-1]
				require.NoError(t, kinds[id].Verify(r, settings), "%s %s", id, w.Name)
				d, err := kinds[id].Decode(r, settings)
				require.NoError(t, err, "%s %s", id, w.Name)
				require.Len(t, d.Events, 1, "%s %s: %s", id, w.Name, d.Ignored)
				e := d.Events[0]
				require.Equal(t, i >= len(life.Early), e.Kind.Terminal(), "%s %s", id, w.Name)
				ended = ended || e.Kind.Terminal()
				e.ReceiptID, e.ReceivedAt = string(rune('a'+i)), r.ReceivedAt
				events = append(events, e)
			}
			server.Close()
			require.True(t, ended)
			folded := call.Fold(call.Identity{ID: "c"}, events)
			require.Equal(t, life.ID, folded.ProviderID, id)
			require.Equal(t, c.Customer, folded.Customer.Number, id)
			require.Equal(t, life.Business, folded.BusinessNumber, id)
			require.Equal(t, c.Answered, folded.Status == call.Answered, "%s: %s", id, folded.Status)
			want := call.Inbound
			if c.Outbound {
				want = call.Outbound
			}
			require.Equal(t, want, folded.Direction, id)
			require.WithinDuration(t, c.StartedAt, folded.StartedAt, 0, id)
			require.Equal(t, c.Recorded, len(folded.Recordings) == 1, "%s: %+v", id, folded.Recordings)
		}
	}
}
