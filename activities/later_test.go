package activities_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/postgres"
)

// tyingCRM ties messages and forms to contacts that appear later.
type tyingCRM struct {
	*textCRM
	tied []connectors.Ref
	err  error
}

func (c *tyingCRM) Open(connectors.Settings) (connectors.Session, error) { return c, nil }

func (c *tyingCRM) LinkRecord(_ context.Context, _, id string, to connectors.Ref) error {
	if c.err != nil {
		return c.err
	}
	if _, ok := c.records[id]; !ok {
		return &connectors.Error{Class: connectors.NotFound, Public: "gone"}
	}
	c.tied = append(c.tied, to)
	return nil
}

func (c *tyingCRM) FollowContact(_ context.Context, of connectors.Ref) (connectors.Ref, bool, error) {
	_, ok := c.contacts[of.ID]
	return of, ok, nil
}

// A message that was made before anybody had its number is tied to the contact that appears, once; what cannot be tied, and
// what somebody deleted, is left.
func TestAMessageFindsItsContactLater(t *testing.T) {
	t.Parallel()
	refusal := &connectors.Error{Class: connectors.Forbidden, Public: "no"}
	for _, c := range []struct {
		name    string
		err     error
		deleted bool
		outcome activities.Outcome
		tied    int
	}{
		{"tied", nil, false, activities.Done, 1}, {"refused", refusal, false, activities.Done, 0}, {"deleted", nil, true, activities.Skipped, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, text := newTextWorld(t, connectors.KeyedUpsert)
			crm := &tyingCRM{textCRM: text, err: c.err}
			w.delivery.Connectors = connectors.NewRegistry(crm)
			w.exec(`update connections set match_policy = '{"on_none": "none"}', updated_at = now()`)
			m := w.message("+14155550101", "Hello")
			require.Equal(t, activities.Done, w.settleOther(m).Outcome)
			require.Empty(t, text.contacts)
			text.contacts["human"] = connectors.Contact{Ref: connectors.Ref{Object: "contact", ID: "human"}, Numbers: []string{"+14155550101"}}
			if c.deleted {
				clear(text.records)
			}
			for range 2 {
				r, err := w.deliverOther(m, true)
				require.NoError(t, err)
				require.Equal(t, c.outcome, r.Outcome)
			}
			require.Len(t, crm.tied, c.tied)
			if c.tied > 0 {
				require.Equal(t, connectors.Ref{Object: "contact", ID: "human"}, crm.tied[0])
			}
		})
	}
}

// A message that the CRM has no place for without a contact waits for one to appear.
func TestAMessageThatNeedsItsContactIsTriedAgain(t *testing.T) {
	t.Parallel()
	w, text := newTextWorld(t, connectors.KeyedUpsert)
	w.exec(`update connections set match_policy = '{"on_none": "none"}', updated_at = now()`)
	text.fault = func(what, when string) error {
		if what == "message" && len(text.contacts) == 0 {
			return &connectors.Error{Class: connectors.Invalid, NotSent: true, Public: "A note belongs to somebody."}
		}
		return nil
	}
	m := w.message("+14155550101", "Hello")
	require.Equal(t, activities.Parked, w.settleOther(m).Outcome)
	db := w.delivery.Store.(*postgres.DB)
	w.exec(`update match_watch set next_at = now()`)
	w.exec(`update deliveries set lease_until = '-infinity'`)
	lanes, err := db.ClaimRematches(t.Context(), 10, 10)
	require.NoError(t, err)
	require.Len(t, lanes, 1)
	require.Equal(t, m.id, lanes[0].CallID)
	text.contacts["human"] = connectors.Contact{Ref: connectors.Ref{Object: "contact", ID: "human"}, Numbers: []string{"+14155550101"}}
	r, err := w.deliverOther(m, true)
	require.NoError(t, err)
	require.Equal(t, activities.Done, r.Outcome)
	require.Equal(t, []connectors.Ref{{Object: "contact", ID: "human"}}, text.records[w.rowOf(m).RemoteID].Links)
}
