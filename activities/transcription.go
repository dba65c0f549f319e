package activities

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// stepTranscription records which text of the transcription the CRM has, by its hash, and its id there.
const stepTranscription = "transcription"

// transcribe writes the call's transcription where the CRM has a place of its own for it, after the call's record: once, and
// again when the text has changed. Other CRMs get it by the mapping. What the CRM does not take is a warning: the call itself
// is there. It reports deleted when the call's record was deleted by a human meanwhile.
func (d *attempt) transcribe(ctx context.Context, session connectors.Session) (deleted bool, warnings []string, err error) {
	c := d.lane.Call.Call
	writer, ok := session.(connectors.TranscriptionWriter)
	if !ok || d.kind() != connectors.ObjectCall || strings.TrimSpace(c.Transcription.Text) == "" {
		return false, nil, nil
	}
	sum := sha256.Sum256([]byte(c.Transcription.Text))
	hash := hex.EncodeToString(sum[:16])
	before := d.lane.Delivery.Steps[stepTranscription]
	if before.Key == hash && (before.ID != "" || !d.in.Force) {
		return false, nil, nil
	}
	w := connectors.TranscriptionWrite{Key: d.key(), CallID: d.remoteIDNow(), RemoteID: before.ID, Text: c.Transcription.Text,
		StartedAt: c.StartedAt, Customer: c.Customer.Name}
	if s := c.TalkSeconds; s != nil {
		w.Duration = time.Duration(*s) * time.Second
	} else if s := c.DurationSeconds; s != nil {
		w.Duration = time.Duration(*s) * time.Second
	}
	if agent, ok := owningAgent(c.Agents, records.OwnerLast); ok {
		w.Agent = agent.Name
	}
	out, err := writer.WriteTranscription(ctx, w)
	switch e := connectors.AsError(err); {
	case err == nil:
		d.step(stepTranscription, records.Step{ID: orElse(out.RemoteID, before.ID), Key: hash, Text: "Transcription written"})
		for _, warn := range out.Warnings {
			warnings = append(warnings, "Transcription: "+warn.Text)
		}
		return false, warnings, nil
	case e.Class.Retryable():
		return false, nil, err
	case e.Class == connectors.NotFound && before.ID == "":
		if reader, ok := session.(connectors.CallReader); ok {
			_, rerr := reader.ReadCall(ctx, d.remoteIDNow(), nil)
			if isClass(rerr, connectors.NotFound) {
				return true, nil, nil
			}
		}
		warnings = append(warnings, "Transcription: "+e.Public)
	case e.Class == connectors.NotFound:
		// Somebody deleted it: it is not made again.
	case e.Class == connectors.Unauthorized, e.Class == connectors.Revoked:
		return false, nil, err
	case e.Class == connectors.Unsupported:
		// This account has no such place: the call's text has it.
	default:
		warnings = append(warnings, "Transcription: "+e.Public)
	}
	// It is tried again when the text changes, or somebody asks for it.
	d.step(stepTranscription, records.Step{ID: before.ID, Key: hash, Text: "Transcription not written"})
	return false, warnings, nil
}
