package activities_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// scribe is a CRM with a place of its own for transcriptions.
type scribe struct {
	*crm
	texts map[string]string
	asked int
	err   error
}

func (s *scribe) Open(connectors.Settings) (connectors.Session, error) { return s, nil }

func (s *scribe) WriteTranscription(_ context.Context, w connectors.TranscriptionWrite) (connectors.Written, error) {
	s.asked++
	if s.err != nil {
		return connectors.Written{}, s.err
	}
	if _, ok := s.calls[w.CallID]; !ok {
		return connectors.Written{}, &connectors.Error{Class: connectors.NotFound, Public: "gone"}
	}
	s.texts[w.Key] = w.Text
	if w.RemoteID != "" && w.RemoteID != "t-"+w.Key {
		return connectors.Written{}, &connectors.Error{Class: connectors.NotFound, Public: "gone"}
	}
	return connectors.Written{RemoteID: "t-" + w.Key}, nil
}

func newScribe(t *testing.T) (*scribe, *world) {
	s := &scribe{crm: newCRM(connectors.KeyedUpsert), texts: map[string]string{}}
	w := newWorld(t, s.crm)
	w.delivery.Connectors = connectors.NewRegistry(s)
	return s, w
}

func TestATranscriptionIsWrittenOnceAndUpdated(t *testing.T) {
	t.Parallel()
	s, w := newScribe(t)
	one := w.call("")
	require.Equal(t, activities.Done, w.settle(one).Outcome)
	require.Zero(t, s.asked, "there is none yet")

	one.Transcription.Text = "Hello."
	w.next(&one, "")
	require.Equal(t, map[string]string{one.ID: "Hello."}, s.texts)
	w.next(&one, "a note")
	w.sync(one)
	require.Equal(t, 1, s.asked, "once")
	one.Transcription.Text = "Hello. Good bye."
	w.next(&one, "a note")
	require.Equal(t, map[string]string{one.ID: "Hello. Good bye."}, s.texts)
	require.Equal(t, 2, s.asked)

	one.Transcription.Text = ""
	w.next(&one, "another note")
	require.Equal(t, 2, s.asked, "a text that is gone here stays there")
}

func TestATranscriptionThatIsNotTaken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		class  connectors.Class
		warns  bool
		retry  bool
		status string
	}{
		{connectors.Unsupported, false, false, ""}, {connectors.Forbidden, true, false, ""}, {connectors.Invalid, true, false, ""},
		{connectors.RateLimited, false, true, ""}, {connectors.UnknownOutcome, false, true, ""},
	} {
		t.Run(string(c.class), func(t *testing.T) {
			t.Parallel()
			s, w := newScribe(t)
			s.err = &connectors.Error{Class: c.class, Public: "A sentence."}
			one := w.call("")
			one.Transcription.Text = "Hello."
			w.save(one)
			_, err := w.deliver(one)
			if c.retry {
				require.Error(t, err)
				require.Equal(t, "call-1", w.row(one).RemoteID, "the call itself is there")
				s.err = nil
				w.settle(one)
				require.Len(t, s.texts, 1)
				require.Len(t, s.calls, 1)
				require.Len(t, s.writes, 1)
				return
			}
			require.NoError(t, err)
			require.Equal(t, records.DeliveryDone, w.row(one).State)
			var warnings []string
			require.NoError(t, w.sql.QueryRow(t.Context(), `select array(select jsonb_array_elements_text(warnings)) from deliveries where object = 'call'`).Scan(&warnings))
			require.Equal(t, c.warns, len(warnings) > 0, "%v", warnings)
			w.next(&one, "a note")
			require.Equal(t, 1, s.asked, "the same text is not tried again by itself")
			s.err = nil
			w.sync(one)
			require.Len(t, s.texts, 1, "but when somebody asks for it")
		})
	}
}

func TestACallThatIsDeletedBeforeItsTranscription(t *testing.T) {
	t.Parallel()
	s, w := newScribe(t)
	one := w.call("")
	w.settle(one)
	delete(s.calls, "call-1")
	one.Transcription.Text = "Hello."
	require.Equal(t, activities.Skipped, w.next(&one, "").Outcome)
	require.Empty(t, s.texts)
}
