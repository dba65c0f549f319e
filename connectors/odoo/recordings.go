package odoo

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/callsync/callsync/connectors"
)

const modelAttachment = "ir.attachment"

// fileBody is a file that goes into a request as base64, where mark stands in its body.
type fileBody struct {
	mark string
	size int64
	open func(context.Context) (io.ReadCloser, error)
}

// around is a body with the file in the place of its mark, and its length.
func (f *fileBody) around(ctx context.Context, body []byte) (io.ReadCloser, int64, error) {
	before, after, ok := bytes.Cut(body, []byte(f.mark))
	if !ok {
		return nil, 0, errors.New("odoo: a body without the place of its file")
	}
	file, err := f.open(ctx)
	if err != nil {
		return nil, 0, interrupted(ctx, err)
	}
	r, w := io.Pipe()
	go func() {
		defer file.Close()
		w.CloseWithError(f.write(ctx, w, file, before, after))
	}()
	return r, int64(len(before)+len(after)) + int64(base64.StdEncoding.EncodedLen(int(f.size))), nil
}

func (f *fileBody) write(ctx context.Context, w io.Writer, file io.Reader, before, after []byte) error {
	if _, err := w.Write(before); err != nil {
		return err
	}
	e := base64.NewEncoder(base64.StdEncoding, w)
	n, err := io.Copy(e, io.LimitReader(file, f.size))
	if err == nil && n != f.size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return interrupted(ctx, err)
	}
	if err := e.Close(); err != nil {
		return err
	}
	_, err = w.Write(after)
	return err
}

// interrupted is a recording that could not be read to its end.
func interrupted(ctx context.Context, err error) error {
	if mine, ok := errors.AsType[*connectors.Error](err); ok {
		return mine
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return &connectors.Error{Class: connectors.Unavailable, Public: "The recording could not be read to its end. callsync tries again.", Err: fmt.Errorf("odoo upload: read the recording: %w", err)}
}

// UploadRecording implements connectors.RecordingUploader: an attachment of the call, or of the contact or lead in whose
// chatter the call is a note, which then shows it. Its External ID makes it one file however often it is sent, and it is
// asked for first, so that what is there is not sent again.
func (s *session) UploadRecording(ctx context.Context, u connectors.RecordingUpload) (connectors.Written, error) {
	if u.Size > maxUpload || u.Size <= 0 {
		return connectors.Written{}, &connectors.Error{Class: connectors.Invalid, NotSent: true,
			Public: fmt.Sprintf("The recording is empty or larger than the %d MB that callsync uploads to Odoo. The link to it is in the call.", maxUpload>>20)}
	}
	callID, err := recordID(u.CallID)
	if err != nil {
		return connectors.Written{}, err
	}
	m, _, err := s.calls(ctx)
	if err != nil {
		return connectors.Written{}, err
	}
	p, note := place{m.model, callID}, row(nil)
	if m.model == ModelNote {
		if note, err = s.read(ctx, ModelNote, callID, "model", "res_id", "attachment_ids"); err != nil {
			return connectors.Written{}, err
		}
		p = place{note.text("model"), note.id("res_id")}
	} else if _, err := s.read(ctx, m.model, callID, "id"); err != nil {
		return connectors.Written{}, err
	}
	name := keyName("recording", u.Key)
	written := connectors.Written{URL: s.recordURL(p.model, p.id)}
	id, found, err := s.byKey(ctx, modelAttachment, name)
	if err != nil {
		return written, err
	}
	if !found {
		if id, err = s.attach(ctx, name, p, u); err != nil {
			return written, s.linked(ctx, p, err)
		}
		written.Created = true
	}
	written.RemoteID = idText(id)
	if note == nil || slices.Contains(note.ids("attachment_ids"), id) {
		return written, nil
	}
	return written, s.showFile(ctx, callID, id)
}

// showFile ties an attachment to a note and to the copies of it.
func (s *session) showFile(ctx context.Context, note, file int64) error {
	list, err := s.search(ctx, query{model: ModelNote, domain: domain(either(domainTerm{"id", "=", note}, domainTerm{"parent_id", "=", note})...),
		fields: []string{"id", "message_id"}, order: "id", limit: maxCopies})
	if err != nil {
		return err
	}
	ids := []int64{note}
	for _, m := range list {
		if id := m.id("id"); id != note && strings.HasPrefix(m.text("message_id"), "<callsync.") {
			ids = append(ids, id)
		}
	}
	return s.call(ctx, request{model: ModelNote, method: "write", ids: ids, args: []arg{{"vals", map[string]any{"attachment_ids": []any{[]any{4, file}}}}}}, nil)
}

func (s *session) attach(ctx context.Context, name string, p place, u connectors.RecordingUpload) (int64, error) {
	ctx = connectors.WithRate(ctx, connectors.RateUpload, 1)
	kind := u.ContentType
	if kind == "" {
		kind = "application/octet-stream"
	}
	file := &fileBody{mark: "callsync-file-" + rand.Text(), size: u.Size, open: u.Open}
	columns, cells, err := table(values{"name": fileName(u), "mimetype": clean(kind), "res_model": p.model, "res_id": p.id, "datas": file.mark})
	if err != nil {
		return 0, err
	}
	ids, err := s.loadFile(ctx, modelAttachment, append([]string{"id"}, columns...), [][]any{append([]any{Module + "." + name}, cells...)}, nil, file)
	if err != nil {
		return 0, err
	}
	return ids[0], nil
}

// fileName is the phone system's name of the file, without a path.
func fileName(u connectors.RecordingUpload) string {
	name := path.Base("/" + strings.ReplaceAll(clean(u.Name), "\\", "/"))
	if name == "/" || name == "." {
		return "recording"
	}
	return cutTo(name, 200)
}
