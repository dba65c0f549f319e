package ingest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/workflows"
)

// Messages and forms are told to runs of their own as soon as they are there, told again when they change and not when they
// do not, delivered on demand, and found by the sweeper after Temporal was wiped.
func TestMessagesAndFormsAreTold(t *testing.T) {
	t.Parallel()
	for kind, say := range map[string]func(text string) call.Event{
		"message": func(text string) call.Event {
			return call.Event{Kind: call.MessageReceived, ProviderID: "m1", Message: &call.Message{Body: text, Customer: call.Party{Number: "+14155550101"}}}
		},
		"form": func(text string) call.Event {
			return call.Event{Kind: call.FormSubmitted, ProviderID: "m1", Form: &call.Form{Fields: map[string]any{"comment": text}}}
		},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.say(say("Hello"))
			var id string
			require.NoError(t, r.pool.QueryRow(t.Context(), `select id from `+kind+`s`).Scan(&id))
			sent := r.to.of(id)
			require.Len(t, sent, 1)
			require.True(t, sent[0].Complete, "nothing is waited for")
			require.EqualValues(t, 1, sent[0].Revision)
			require.Len(t, sent[0].Lanes, 1)
			require.Equal(t, 1, r.count(`select count(*) from deliveries where object = $1 and record_id = $2 and key = $2::text and state = 'waiting'`, kind, id))

			r.say(say("Hello"))
			require.Len(t, r.to.of(id), 1, "a duplicate changes nothing")
			r.say(say("Hello again"))
			require.Len(t, r.to.of(id), 2)
			require.EqualValues(t, 2, r.to.of(id)[1].Revision)

			require.NoError(t, r.relay.SyncNow(t.Context(), r.source.WorkspaceID, id, nil))
			require.NotZero(t, r.to.of(id)[2].Force)
			require.Error(t, r.relay.SyncNow(t.Context(), newUUID(), id, nil), "another workspace's")

			r.exec(`update ` + kind + `s set check_at = now()`)
			_, err := NewSweeper(r.relay).Sweep(t.Context())
			require.NoError(t, err)
			require.Len(t, r.to.of(id), 4, "it is not settled")
			r.exec(`update ` + kind + `s set check_at = now(), settled_revision = revision`)
			_, err = NewSweeper(r.relay).Sweep(t.Context())
			require.NoError(t, err)
			require.Len(t, r.to.of(id), 4)
			require.Zero(t, r.count(`select count(*) from `+kind+`s where check_at is not null`))

			require.Equal(t, kind+"/w/s/c", workflows.SyncID(workflows.CallInput{Kind: kind, WorkspaceID: "w", SourceID: "s", CallID: "c"}))
		})
	}
}
