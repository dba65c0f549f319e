package ingest_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/ingest"
	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/workflows"
)

// followUpRows is a store of claims and a Temporal that may be away.
type followUpRows struct {
	due      []records.PendingFollowUp
	told     []records.PendingFollowUp
	released []string
	away     map[string]bool
	signals  chan workflows.FollowUpInput
}

func (f *followUpRows) ClaimFollowUps(context.Context, int, int, time.Duration) ([]records.PendingFollowUp, error) {
	return f.due, nil
}

func (f *followUpRows) FinishFollowUpSignals(_ context.Context, told []records.PendingFollowUp) error {
	f.told = append(f.told, told...)
	return nil
}

func (f *followUpRows) ReleaseFollowUps(_ context.Context, ids []string, _ time.Duration) error {
	f.released = append(f.released, ids...)
	return nil
}

func (f *followUpRows) SignalFollowUp(_ context.Context, in workflows.FollowUpInput, s workflows.FollowUpSignal) error {
	if f.away[in.FollowUpID] {
		return errors.New("away")
	}
	f.signals <- in
	return nil
}

func TestWorkflowsAreToldOfFollowUps(t *testing.T) {
	t.Parallel()
	f := &followUpRows{signals: make(chan workflows.FollowUpInput, 10), away: map[string]bool{"b": true},
		due: []records.PendingFollowUp{{ID: "a", WorkspaceID: "w", ConnectionID: "k", Connector: "crm", Revision: 2}, {ID: "b", Revision: 1}}}
	round := ingest.NewFollowUps(f, f, slog.New(slog.DiscardHandler))
	_, err := round.Round(t.Context())
	require.Error(t, err)
	require.Equal(t, workflows.FollowUpInput{WorkspaceID: "w", ConnectionID: "k", Connector: "crm", FollowUpID: "a"}, <-f.signals)
	require.Equal(t, f.due[:1], f.told)
	require.Equal(t, []string{"b"}, f.released, "what Temporal did not take is told again")

	f.due = nil
	more, err := round.Round(t.Context())
	require.NoError(t, err)
	require.False(t, more)
}
