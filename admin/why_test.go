package admin

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 14, 10, 0, 0, time.UTC)
	at := func(hour, minute int) time.Time { return time.Date(2026, 11, 20, hour, minute, 0, 0, time.UTC) }
	// base is an ended call that waits for its recording.
	base := func(change func(*lane)) lane {
		l := lane{Call: call.Call{Revision: 2, Phase: call.Ended}, Connection: records.Connection{Status: records.ConnectionActive, Mode: "live"},
			CRM: "HubSpot", Policy: "complete", WindowUntil: at(14, 20), Missing: []call.Artifact{call.ArtifactRecording}, Now: now}
		if change != nil {
			change(&l)
		}
		return l
	}
	delivery := func(change func(*records.DeliveryHistory)) func(*lane) {
		return func(l *lane) {
			l.Delivery = &records.DeliveryHistory{Delivery: records.Delivery{State: records.DeliveryDone, Revision: 2, UpdatedAt: at(14, 3), RemoteID: "7"}}
			l.Complete, l.Missing = true, nil
			change(l.Delivery)
		}
	}
	attempts := func(times ...time.Time) []records.Attempt {
		var out []records.Attempt
		for _, at := range times {
			out = append(out, records.Attempt{At: at, Outcome: "done"})
		}
		return out
	}
	for name, c := range map[string]struct {
		lane   lane
		want   string
		action string
		tone   string
	}{
		"waits for the recording": {base(nil),
			"Waiting for the recording until 14:20; usually it arrives sooner.", "retry", "wait"},
		"waits for several": {base(func(l *lane) {
			l.Missing = []call.Artifact{call.ArtifactDisposition, call.ArtifactTranscription, call.ArtifactRecording}
		}), "Waiting for the recording, the transcription and the disposition until 14:20; usually it arrives sooner.", "retry", "wait"},
		"waits for what may come": {base(func(l *lane) { l.Missing = nil }),
			"Waiting until 14:20 for what may still come; then it goes to HubSpot.", "retry", "wait"},
		"complete": {base(func(l *lane) { l.Complete, l.Missing = true, nil }),
			"Everything has arrived. It goes to HubSpot now.", "none", "wait"},
		"early": {base(func(l *lane) { l.Policy = "early" }),
			"It goes to HubSpot now.", "none", "wait"},
		"window over": {base(func(l *lane) { l.WindowUntil = at(14, 9) }),
			"It goes to HubSpot now.", "none", "wait"},
		"overdue": {base(func(l *lane) { l.WindowUntil = at(13, 0) }),
			"Due since 13:00 and not written yet. callsync tries again by itself; if this stays, is a worker running?", "retry", "trouble"},
		"live": {base(func(l *lane) { l.Call.Phase, l.WindowUntil = call.Live, time.Time{} }),
			"The call is still going on. It goes to HubSpot after it has ended.", "none", "wait"},
		"written once": {base(delivery(func(d *records.DeliveryHistory) { d.Attempts = attempts(at(14, 3)) })),
			"In HubSpot since 14:03.", "none", "done"},
		"written yesterday": {base(delivery(func(d *records.DeliveryHistory) { d.Attempts = attempts(at(14, 3).AddDate(0, 0, -1)) })),
			"In HubSpot since 14:03 on 19 November.", "none", "done"},
		"written last year": {base(delivery(func(d *records.DeliveryHistory) { d.Attempts = attempts(at(14, 3).AddDate(-1, 0, 0)) })),
			"In HubSpot since 14:03 on 20 November 2025.", "none", "done"},
		"updated with the recording": {base(func(l *lane) {
			delivery(func(d *records.DeliveryHistory) { d.Attempts = attempts(at(14, 3), at(14, 9)) })(l)
			l.RecordingAt = at(14, 8)
		}), "In HubSpot since 14:03, updated 14:09 with the recording.", "none", "done"},
		"updated with something else": {base(func(l *lane) {
			delivery(func(d *records.DeliveryHistory) { d.Attempts = attempts(at(14, 3), at(14, 9)) })(l)
			l.RecordingAt = at(14, 1)
		}), "In HubSpot since 14:03, updated 14:09.", "none", "done"},
		"update on its way": {base(delivery(func(d *records.DeliveryHistory) { d.Revision, d.Attempts = 1, attempts(at(14, 3)) })),
			"In HubSpot since 14:03. An update is on its way.", "none", "wait"},
		"sending": {base(delivery(func(d *records.DeliveryHistory) { d.State, d.Revision, d.RemoteID = "sending", 0, "" })),
			"Being written to HubSpot now.", "none", "wait"},
		"rate limited": {base(delivery(func(d *records.DeliveryHistory) {
			d.State, d.Revision, d.RemoteID, d.Class, d.RetryAt = "waiting", 0, "", "rate_limited", at(14, 16)
		})), "HubSpot asks us to wait; next try 14:16.", "retry", "wait"},
		"quota": {base(delivery(func(d *records.DeliveryHistory) {
			d.State, d.Revision, d.RemoteID, d.Class, d.RetryAt = "waiting", 0, "", "quota_exhausted", at(14, 16)
		})), "The request quota of HubSpot is used up; next try 14:16.", "retry", "wait"},
		"unavailable": {base(delivery(func(d *records.DeliveryHistory) {
			d.State, d.Revision, d.RemoteID, d.Class, d.RetryAt = "waiting", 0, "", "unavailable", at(14, 16)
		})), "HubSpot does not answer as it should; next try 14:16.", "retry", "wait"},
		"unknown outcome": {base(delivery(func(d *records.DeliveryHistory) {
			d.State, d.Revision, d.RemoteID, d.Class, d.RetryAt = "sending", 0, "", "unknown_outcome", at(14, 16)
		})), "HubSpot did not say whether it stored the call, so callsync looks before it writes again; next try 14:16.", "retry", "wait"},
		"update rate limited": {base(delivery(func(d *records.DeliveryHistory) {
			d.State, d.Revision, d.Class, d.RetryAt, d.Attempts = "waiting", 1, "rate_limited", at(14, 16), attempts(at(14, 3))
		})), "In HubSpot, with an update to come: HubSpot asks us to wait; next try 14:16.", "retry", "wait"},
		"invalid field": {base(delivery(func(d *records.DeliveryHistory) {
			d.State, d.Class, d.Field, d.Reason = "parked", "invalid", "hs_call_disposition", "HubSpot refused the field hs_call_disposition: “Callback” is not one of its values."
		})), "On hold: HubSpot refused the field hs_call_disposition: “Callback” is not one of its values. Fix this in the mapping or in HubSpot, then retry.", "retry", "trouble"},
		"invalid without words": {base(delivery(func(d *records.DeliveryHistory) { d.State, d.Class, d.Field = "parked", "invalid", "x" })),
			"On hold: HubSpot refused the field x. Fix this in the mapping or in HubSpot, then retry.", "retry", "trouble"},
		"forbidden": {base(delivery(func(d *records.DeliveryHistory) {
			d.State, d.Class, d.Reason = "parked", "forbidden", "The token may not write calls"
		})),
			"On hold: The token may not write calls. Grant the right in HubSpot, then retry.", "retry", "trouble"},
		"revoked": {base(func(l *lane) {
			delivery(func(d *records.DeliveryHistory) { d.State, d.Class = "parked", "revoked" })(l)
			l.Connection.Status = records.ConnectionRevoked
		}), "On hold: HubSpot no longer accepts our access. Connect again, and the call goes out.", "open_connection", "trouble"},
		"revoked and mended": {base(delivery(func(d *records.DeliveryHistory) { d.State, d.Class = "parked", "revoked" })),
			"On hold since HubSpot refused our access. The connection works again: retry, and the call goes out.", "retry", "trouble"},
		"parked while paused": {base(func(l *lane) {
			delivery(func(d *records.DeliveryHistory) {
				d.State, d.Class, d.Reason = "parked", "paused", "Paused by Anna. Resume the connection, and this call goes out."
			})(l)
			l.Connection.Status = records.ConnectionPaused
		}), "On hold: Paused by Anna. Resume the connection, and this call goes out.", "open_connection", "trouble"},
		"parked, then resumed": {base(delivery(func(d *records.DeliveryHistory) { d.State, d.Class = "parked", "paused" })),
			"On hold since the connection was paused. It was resumed: retry, and the call goes out.", "retry", "trouble"},
		"paused before it was due": {base(func(l *lane) {
			l.Connection.Status, l.Connection.StatusReason = records.ConnectionPaused, "Paused by Anna"
		}), "Waiting: Paused by Anna.", "open_connection", "trouble"},
		"paused after it was written": {base(func(l *lane) {
			delivery(func(d *records.DeliveryHistory) { d.Attempts = attempts(at(14, 3)) })(l)
			l.Connection.Status = records.ConnectionPaused
		}), "In HubSpot since 14:03.", "none", "done"},
		"outcome never known": {base(delivery(func(d *records.DeliveryHistory) { d.State, d.Class = "parked", "unknown_outcome" })),
			"On hold: HubSpot never said whether it stored the call. Look in HubSpot whether the call is there, then retry.", "retry", "trouble"},
		"gave up": {base(delivery(func(d *records.DeliveryHistory) {
			d.State, d.Class, d.Reason = "parked", "unavailable", "callsync tried for three days, then stopped."
		})),
			"On hold: callsync tried for three days, then stopped. Retry when the cause is gone.", "retry", "trouble"},
		"deleted by a human": {base(delivery(func(d *records.DeliveryHistory) { d.State, d.Class = "skipped", "deleted" })),
			"Skipped: the record was deleted in HubSpot, and callsync does not make it again.", "none", "idle"},
		"shadow": {base(delivery(func(d *records.DeliveryHistory) { d.State, d.Class = "skipped", "shadow" })),
			"Shadow mode: nothing is written to HubSpot. What would be written is shown.", "none", "idle"},
		"shadow before": {base(func(l *lane) { l.Connection.Mode = "shadow" }),
			"This connection is in shadow mode: nothing is written to HubSpot.", "none", "idle"},
		"by rule": {base(delivery(func(d *records.DeliveryHistory) { d.State, d.Reason = "skipped", "Internal calls are not synced" })),
			"Skipped: Internal calls are not synced.", "none", "idle"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := explain(c.lane)
			require.Equal(t, c.want, got.in(time.UTC, now))
			require.Equal(t, c.action, got.Action)
			require.Equal(t, c.tone, got.Tone)
		})
	}
}

func TestExplainInAZone(t *testing.T) {
	t.Parallel()
	kolkata, err := time.LoadLocation("Asia/Kolkata")
	require.NoError(t, err)
	now := time.Date(2026, 11, 20, 19, 0, 0, 0, time.UTC)
	w := sentence("wait", "none", "until ", time.Date(2026, 11, 20, 18, 0, 0, 0, time.UTC), ".")
	require.Equal(t, "until 23:30 on 20 November.", w.in(kolkata, now), "it is the 21st in Kolkata by now")
}
