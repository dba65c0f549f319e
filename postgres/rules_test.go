package postgres

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/records"
)

func TestRules(t *testing.T) {
	t.Parallel()
	r := newSettingsRig(t)
	source, connection := r.newSource(), r.newConnection()
	require.NoError(t, r.CreateSource(r.ctx, source))
	require.NoError(t, r.CreateConnection(r.ctx, connection))
	for owner, id := range map[string]string{records.RulesOfSource: source.ID, records.RulesOfConnection: connection.ID} {
		none, err := r.Rules(r.ctx, r.ws, owner, id)
		require.NoError(t, err)
		require.Equal(t, records.Rules{Owner: owner, OwnerID: id}, none)

		put := func(ws, document string, version int) (records.Rules, error) {
			return r.PutRules(r.ctx, ws, records.Rules{Owner: owner, OwnerID: id, Version: version, Document: document, Author: "Ann"})
		}
		_, err = put(r.other, "otherwise: skip", -1)
		require.ErrorIs(t, err, records.ErrNotFound, "another workspace makes none for it")
		first, err := put(r.ws, "rules: []", 0)
		require.NoError(t, err)
		require.Equal(t, 1, first.Version)
		require.False(t, first.UpdatedAt.IsZero())
		have, err := r.Rules(r.ctx, r.ws, owner, id)
		require.NoError(t, err)
		require.Equal(t, first, have)

		_, err = put(r.ws, "other", 0)
		require.ErrorIs(t, err, records.ErrConflict, "somebody else was first")
		second, err := put(r.ws, "", 1)
		require.NoError(t, err)
		require.Equal(t, 2, second.Version, "an emptied document is a change, too")
		third, err := put(r.ws, "rules: [] # again", -1)
		require.NoError(t, err)
		require.Equal(t, 3, third.Version)

		// Another workspace neither sees nor changes them, and one kind of owner is not the other.
		_, err = put(r.other, "rules: []", -1)
		require.ErrorIs(t, err, records.ErrNotFound)
		have, err = r.Rules(r.ctx, r.other, owner, id)
		require.NoError(t, err)
		require.Zero(t, have.Version)
		wrong := map[string]string{records.RulesOfSource: records.RulesOfConnection, records.RulesOfConnection: records.RulesOfSource}[owner]
		_, err = r.PutRules(r.ctx, r.ws, records.Rules{Owner: wrong, OwnerID: newID(), Document: "x", Version: -1})
		require.ErrorIs(t, err, records.ErrNotFound)
	}
	require.NoError(t, r.DeleteSource(r.ctx, r.ws, source.ID))
	fresh := r.newSource()
	require.NoError(t, r.CreateSource(r.ctx, fresh))
	require.NoError(t, r.DeleteSource(r.ctx, r.ws, fresh.ID))
	_, err := r.PutRules(r.ctx, r.ws, records.Rules{Owner: records.RulesOfSource, OwnerID: fresh.ID, Document: "x", Version: -1})
	require.ErrorIs(t, err, records.ErrNotFound, "what is deleted gets no rules")
}
