package salesforce

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"

	"github.com/callsync/callsync/connectors"
)

// UploadRecording implements connectors.RecordingUploader: the recording becomes a file on the Task, and thereby stands among
// its files. The file's title has a mark of the key, and the Task's files are looked through for it first, so that
// repetitions leave one.
func (s *session) UploadRecording(ctx context.Context, u connectors.RecordingUpload) (connectors.Written, error) {
	if u.Size > maxUpload || u.Size <= 0 {
		return connectors.Written{}, &connectors.Error{Class: connectors.Invalid, Public: "The recording is empty or larger than the files Salesforce takes (2 GB). The call has its link."}
	}
	title, name := fileName(u.Key, u.Name)
	return s.fileOnce(ctx, u.CallID, title, newFile{title: title, name: name, kind: u.ContentType, size: u.Size, open: u.Open})
}

// WriteTranscription implements connectors.TranscriptionWriter: a text file on the Task; a change is a new version of it.
func (s *session) WriteTranscription(ctx context.Context, w connectors.TranscriptionWrite) (connectors.Written, error) {
	text := clean(w.Text)
	if strings.TrimSpace(text) == "" {
		return connectors.Written{}, &connectors.Error{Class: connectors.Invalid, Public: "There is no transcription to write."}
	}
	title, name := fileName(w.Key, "Transcription.txt")
	f := newFile{title: title, name: name, kind: "text/plain; charset=utf-8", size: int64(len(text)),
		open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}
	if w.RemoteID == "" {
		return s.fileOnce(ctx, w.CallID, title, f)
	}
	r, err := s.byID(ctx, objVersion, w.RemoteID, "ContentDocumentId")
	if err != nil {
		return connectors.Written{}, err
	}
	f.document = r.text("ContentDocumentId")
	id, err := s.uploadAnyhow(ctx, f)
	if err != nil {
		return connectors.Written{}, err
	}
	return connectors.Written{RemoteID: id, URL: s.recordURL(f.document)}, nil
}

// fileOnce adds a file to a Task that has none of this title.
func (s *session) fileOnce(ctx context.Context, task, title string, f newFile) (connectors.Written, error) {
	if !recordID.MatchString(task) {
		return connectors.Written{}, &connectors.Error{Class: connectors.NotFound, Public: connectors.Sentence(connectors.NotFound, Label)}
	}
	// A query of these must name the record (object reference, ContentDocumentLink, Special Access Rules).
	rows, err := s.selectRows(ctx, objVersion, "SELECT ContentDocumentId, ContentDocument.Title, ContentDocument.LatestPublishedVersionId FROM ContentDocumentLink WHERE LinkedEntityId = "+quote(task), false)
	if err != nil {
		return connectors.Written{}, err
	}
	for _, r := range rows {
		document, _ := r["ContentDocument"].(map[string]any)
		if d := values(document); d.text("Title") == title {
			return connectors.Written{RemoteID: d.text("LatestPublishedVersionId"), URL: s.recordURL(r.text("ContentDocumentId"))}, nil
		}
	}
	f.task = task
	id, err := s.uploadAnyhow(ctx, f)
	if err != nil {
		return connectors.Written{}, err
	}
	return connectors.Written{RemoteID: id, URL: s.recordURL(id), Created: true}, nil
}

// fileName is a file's title with a mark of the key, and its name with the extension by which Salesforce knows its kind.
func fileName(key, name string) (title, file string) {
	base := path.Base("/" + strings.ReplaceAll(name, "\\", "/"))
	ext := path.Ext(base)
	base = strings.Trim(clean(strings.TrimSuffix(base, ext)), "/ ")
	if base == "" {
		base = "Recording"
	}
	ext = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(ext))
	if ext == "" || len(ext) > 5 {
		ext = "mp3"
	}
	sum := sha256.Sum256([]byte(key))
	title = cut(base, 150) + "-" + hex.EncodeToString(sum[:6])
	return title, title + "." + ext
}

// newFile is a file to upload: to a Task, or as a new version of a document.
type newFile struct {
	title, name, kind string
	task, document    string
	size              int64
	open              func(context.Context) (io.ReadCloser, error)
}

// maxInline is how large a file in JSON may be, before it is base64 (REST guide: 37.5 MB as base64, less to be sure).
const maxInline = 25 << 20

// uploadAnyhow streams a file in a multipart body, or where that is refused as such, as it is by some gateways, sends a smaller
// one inside JSON, Salesforce's other form.
func (s *session) uploadAnyhow(ctx context.Context, f newFile) (string, error) {
	id, err := s.upload(ctx, f)
	refusal, ok := errors.AsType[*refused](err)
	if !ok || f.size > maxInline || refusal.status != http.StatusUnsupportedMediaType && refusal.code != codeParse {
		return id, err
	}
	stream, err := f.open(ctx)
	if err != nil {
		return "", connectors.NotSent(err)
	}
	defer stream.Close()
	content, err := io.ReadAll(io.LimitReader(stream, maxInline))
	if err != nil {
		return "", connectors.NotSent(err)
	}
	fields := f.fields()
	fields["VersionData"] = content // encoding/json writes bytes in base64
	id, _, err = s.send(connectors.WithRate(ctx, connectors.RateUpload, 1),
		request{method: http.MethodPost, name: "upload of a file", object: objVersion, path: s.rows(objVersion), body: fields})
	return id, err
}

// fields are those of the file beside its content.
func (f newFile) fields() values {
	v := values{"Title": f.title, "PathOnClient": f.name}
	if f.document != "" {
		v["ContentDocumentId"] = f.document
	} else {
		v["FirstPublishLocationId"] = f.task
	}
	return v
}

// upload streams a file in a multipart body (REST guide, Insert or Update Blob Data). What is around the file is made
// beforehand, so that its length is known and nothing is held.
func (s *session) upload(ctx context.Context, f newFile) (string, error) {
	q := request{method: http.MethodPost, name: "upload of a file", object: objVersion, path: s.rows(objVersion)}
	if err := s.usage.spent(s.now(), s.reserve); err != nil {
		return "", err
	}
	fields, err := json.Marshal(f.fields())
	if err != nil {
		return "", &connectors.Error{Class: connectors.Invalid, NotSent: true, Public: connectors.Sentence(connectors.Invalid, Label), Err: fmt.Errorf("salesforce: encode the fields of a file: %w", err)}
	}
	form := connectors.FileForm{Part: "VersionData", Name: f.name, Type: f.kind, Size: f.size, Open: f.open,
		Fields: []connectors.FormField{{Name: "entity_content", Type: "application/json", Value: string(fields)}}}
	resp, err := form.Post(connectors.WithRate(ctx, connectors.RateUpload, 1), s.uploads.GetClient(), s.uploads.BaseURL+q.path, Label, nil)
	if err != nil {
		return "", connectors.NoAnswer(Label, "salesforce "+q.name, q.reads, err)
	}
	defer resp.Body.Close()
	s.usage.read(s.now(), resp.Header)
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return "", connectors.NoAnswer(Label, "salesforce "+q.name, q.reads, err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return "", s.refusal(q, resp.StatusCode, resp.Header, answer)
	}
	var out saved
	if json.Unmarshal(answer, &out) != nil || !recordID.MatchString(out.ID) {
		return "", connectors.Unreadable(Label, "salesforce "+q.name, q.reads)
	}
	return out.ID, nil
}
