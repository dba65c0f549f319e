package activities

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// RecordingStore has recordings copied.
type RecordingStore interface {
	// WantRecording has a recording copied into the archive that nobody has asked for so far.
	WantRecording(ctx context.Context, workspaceID, id string) error
}

// RecordingFiles reads the files of the recording archive.
type RecordingFiles interface {
	// Open reads a file from offset on; length below zero means to its end.
	Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)
}

// errTooLong ends an attempt whose requests, without uploads, take longer than they can.
var errTooLong = errors.New("the attempt took too long")

// recordingPath is where permanent links are, behind the public URL.
const recordingPath = "/recordings/"

// kept is what callsync keeps of one of the call's recordings.
func (d *attempt) kept(r call.Recording) (records.Recording, bool) {
	key := records.RecordingKey(r)
	i := slices.IndexFunc(d.lane.Recordings, func(k records.Recording) bool { return k.Key == key })
	if key == "" || i < 0 {
		return records.Recording{}, false
	}
	return d.lane.Recordings[i], true
}

// sharedCall is the call as the connection may see it: with callsync's permanent links in place of the phone system's,
// which expire and hold tokens, unless the connection wants these, or none.
func (d *attempt) sharedCall() call.Call {
	c := d.lane.Call.Call
	how := d.lane.Connection.Recordings
	if len(c.Recordings) == 0 || how == records.ShareVendorLink {
		return c
	}
	c.Recordings = slices.Clone(c.Recordings)
	for i := range c.Recordings {
		r := &c.Recordings[i]
		k, known := d.kept(*r)
		there := r.URL != "" || r.PlayerURL != ""
		r.URL, r.PlayerURL = "", ""
		if known && there && how != records.ShareNone && k.RevokedAt.IsZero() {
			r.URL = d.PublicURL + recordingPath + k.Token
		}
	}
	return c
}

// recordingURL is the link to the call's recording, the first one if there are several; empty for none.
func (d *attempt) recordingURL() string {
	for _, r := range d.sharedCall().Recordings {
		if r.URL != "" {
			return r.URL
		}
	}
	return ""
}

// The object of a step that uploaded a recording, or of one that the CRM does not take.
const (
	uploadedRecording = "recording"
	refusedRecording  = "refused"
)

// uploadRecordings puts the call's recordings into the CRM where the connection wants that: those that are in the archive,
// each once. For the others it is called again when they have come. What the CRM does not take costs a warning, not the
// delivery: the link is in the record.
func (d *attempt) uploadRecordings(ctx context.Context, session connectors.Session, party connectors.Ref) (warnings []string, err error) {
	uploader, ok := session.(connectors.RecordingUploader)
	if !ok || d.kind() != connectors.ObjectCall || d.lane.Connection.Recordings != records.ShareUpload || d.Recordings == nil || d.Files == nil {
		return nil, nil
	}
	for _, r := range d.lane.Call.Call.Recordings {
		k, known := d.kept(r)
		if !known || !k.RevokedAt.IsZero() {
			continue
		}
		name := records.StepRecording(k.ID)
		step, had := d.lane.Delivery.Steps[name]
		switch {
		case had && (step.Object != refusedRecording || !d.in.Force):
			continue
		case k.State == call.RecordingAvailable && k.NextAt.IsZero():
			if err := d.Recordings.WantRecording(ctx, d.in.WorkspaceID, k.ID); err != nil {
				return warnings, fmt.Errorf("%w: want a recording: %w", errStore, err)
			}
			continue
		case k.State != call.RecordingArchived:
			continue
		}
		err := d.uploadRecording(ctx, uploader, party, k)
		if err != nil && refusedForGood(connectors.AsError(err).Class) {
			warning := "The recording was not uploaded, the link to it is in the record. " + orElse(connectors.AsError(err).Public, d.label()+" does not take it.")
			warnings = append(warnings, warning)
			d.step(name, records.Step{Object: refusedRecording, Text: "Recording not uploaded"})
			continue
		}
		if err != nil {
			return warnings, err
		}
		d.step(name, records.Step{Object: uploadedRecording, ID: k.ID, Text: "Recording uploaded"})
	}
	return warnings, nil
}

// refusedForGood are the failures of an upload that trying again does not cure, and that say nothing of the connection.
func refusedForGood(c connectors.Class) bool {
	return c == connectors.Invalid || c == connectors.Unsupported || c == connectors.Forbidden || c == connectors.NotFound
}

func (d *attempt) uploadRecording(ctx context.Context, uploader connectors.RecordingUploader, party connectors.Ref, k records.Recording) error {
	if most := d.Connectors[d.lane.Connection.Connector].Info().MaxUpload; most > 0 && k.Size > most {
		return &connectors.Error{Class: connectors.Invalid,
			Public: fmt.Sprintf("It has %d MB, and %s takes %d MB at most.", k.Size>>20, d.label(), most>>20)}
	}
	// A long recording takes its time; the attempt shows life meanwhile.
	d.limit.Stop()
	_, err := uploader.UploadRecording(ctx, connectors.RecordingUpload{
		Key: k.ID, CallID: d.remoteIDNow(), Party: party, Name: d.recordingName(k), ContentType: k.ContentType, Size: k.Size,
		Open: func(ctx context.Context) (io.ReadCloser, error) {
			file, err := d.Files.Open(ctx, k.BlobKey, 0, -1)
			if err != nil {
				return nil, &connectors.Error{Class: connectors.Unavailable, NotSent: true, Err: fmt.Errorf("open the copy of a recording: %w", err),
					Public: "callsync cannot read the recording from its archive at present. It tries again."}
			}
			return file, nil
		},
	})
	d.limit.Reset(WriteTimeout)
	return err
}

// recordingName is the name of the file in the CRM, made of nothing that a stranger sent.
func (d *attempt) recordingName(k records.Recording) string {
	at := d.lane.Call.Call.StartedAt
	if at.IsZero() {
		at = k.KnownAt
	}
	ext, ok := records.RecordingExtension(k.ContentType)
	if !ok {
		ext = "bin"
	}
	return "recording-" + at.UTC().Format("2006-01-02-1504") + "-" + k.ID[len(k.ID)-8:] + "." + ext
}
