package espocrm

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/callsync/callsync/connectors"
)

// chunkSize is how much of a recording goes in one request. In base64 it stays below 1 MiB, the limit of a web server
// that nobody has told otherwise (nginx: client_max_body_size).
const chunkSize = 720 << 10

// attachmentType is the field type of RecordingsField.
const attachmentType = "attachmentMultiple"

// UploadRecording implements connectors.RecordingUploader. The sound file goes into the call's field for recordings, if
// there is one (the connect test adds it where it may), else into a note in the stream of the contact, or of the call
// where it has no contact: EspoCRM's calls take no files by themselves, and documents only some types of them.
func (s *session) UploadRecording(ctx context.Context, u connectors.RecordingUpload) (connectors.Written, error) {
	if u.Size > maxUpload || u.Size <= 0 {
		return connectors.Written{}, &connectors.Error{Class: connectors.Invalid,
			Public: fmt.Sprintf("The recording is empty or larger than the %d MB that callsync uploads to EspoCRM. The link to it is in the call.", maxUpload>>20)}
	}
	defs, err := s.fields(ctx, "Call")
	if err != nil {
		return connectors.Written{}, err
	}
	if defs[RecordingsField].Type == attachmentType {
		return s.uploadToCall(ctx, u)
	}
	return s.uploadToNote(ctx, u)
}

func (s *session) uploadToCall(ctx context.Context, u connectors.RecordingUpload) (connectors.Written, error) {
	r, err := s.get(ctx, "Call", u.CallID)
	if err != nil {
		return connectors.Written{}, err
	}
	name := fileName(u)
	names, _ := r[RecordingsField+"Names"].(map[string]any)
	for id, n := range names {
		if n == name {
			return connectors.Written{RemoteID: id, URL: s.recordURL("Call", u.CallID)}, nil
		}
	}
	id, err := s.upload(ctx, u, name, "Call", RecordingsField)
	if err != nil {
		return connectors.Written{}, err
	}
	values := attributes{RecordingsField + "Ids": append(slices.Clone(r.list(RecordingsField+"Ids")), id)}
	_, warnings, err := s.update(ctx, "Call", u.CallID, values)
	return connectors.Written{RemoteID: id, URL: s.recordURL("Call", u.CallID), Created: err == nil, Warnings: warnings}, err
}

func (s *session) uploadToNote(ctx context.Context, u connectors.RecordingUpload) (connectors.Written, error) {
	place := u.Party
	if people[place.Object] == "" && place.Object != connectors.ObjectCompany || place.ID == "" {
		place = connectors.Ref{Object: connectors.ObjectCall, ID: u.CallID}
	}
	n, found, err := s.findNote(ctx, u.Key)
	if err != nil || found {
		return connectors.Written{RemoteID: n.text("id"), URL: s.recordURL(parents[place.Object], place.ID)}, err
	}
	id, err := s.upload(ctx, u, fileName(u), "Note", "attachments")
	if err != nil {
		return connectors.Written{}, err
	}
	return s.writeNote(ctx, connectors.RecordWrite{Key: u.Key, Links: []connectors.Ref{place},
		Fields: map[string]any{"post": "Recording of a call: " + s.recordURL("Call", u.CallID), "attachmentsIds": []string{id}}})
}

// fileName tells a call's recordings apart by more than the phone system's name of them.
func fileName(u connectors.RecordingUpload) string {
	ext := path.Ext(u.Name)
	base := strings.TrimSuffix(path.Base("/"+strings.ReplaceAll(u.Name, "\\", "/")), ext)
	sum := sha256.Sum256([]byte(u.Key))
	return cut(strings.Trim(base, "/"), 150) + "-" + hex.EncodeToString(sum[:4]) + cut(ext, 20)
}

// upload sends a file in pieces (Espo\Tools\Attachment\UploadService): first what it is and how large, then its pieces in
// their order. EspoCRM adds each piece to the end, so after a piece without an answer the file begins anew; what stays
// behind of it, EspoCRM's own clean-up deletes.
func (s *session) upload(ctx context.Context, u connectors.RecordingUpload, name, entity, field string) (string, error) {
	ctx = connectors.WithRate(ctx, connectors.RateUpload, 1)
	body, err := u.Open(ctx)
	if err != nil {
		return "", err
	}
	defer body.Close()
	kind := u.ContentType
	if kind == "" {
		kind = "application/octet-stream"
	}
	var out attributes
	q := request{method: http.MethodPost, name: "begin of an upload", entity: "Attachment", path: "/Attachment", body: attributes{
		"name": name, "type": kind, "role": "Attachment", "parentType": entity, "field": field, "size": u.Size, "isBeingUploaded": true,
	}}
	if err := s.do(ctx, q, &out); err != nil {
		return "", err
	}
	id := out.text("id")
	if id == "" {
		return "", connectors.Unreadable(Label, "espocrm "+q.name, q.reads)
	}
	piece := make([]byte, min(chunkSize, u.Size))
	for left := u.Size; left > 0; {
		n, err := io.ReadFull(body, piece[:min(left, int64(len(piece)))])
		if err != nil {
			return "", interrupted(ctx, err)
		}
		left -= int64(n)
		q := request{method: http.MethodPost, name: "upload of a piece", entity: "Attachment", path: recordPath("Attachment", "chunk", id),
			text: "data:application/octet-stream;base64," + base64.StdEncoding.EncodeToString(piece[:n])}
		if err := s.do(ctx, q, nil); err != nil {
			return "", err
		}
	}
	return id, nil
}

// interrupted is a recording that could not be read to its end.
func interrupted(ctx context.Context, err error) error {
	if mine, ok := errors.AsType[*connectors.Error](err); ok {
		return mine
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return &connectors.Error{Class: connectors.Unavailable, Public: "The recording could not be read to its end. callsync tries again.", Err: fmt.Errorf("espocrm upload: read the recording: %w", err)}
}
