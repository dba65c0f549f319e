package zoho

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"path"
	"strings"

	"github.com/callsync/callsync/connectors"
)

// UploadRecording implements connectors.RecordingUploader: the recording becomes an attachment of the call. Its file is named
// after the key, and the call's attachments are looked at first, so that repetitions leave one.
func (s *session) UploadRecording(ctx context.Context, u connectors.RecordingUpload) (connectors.Written, error) {
	if u.Size > maxUpload {
		return connectors.Written{}, &connectors.Error{Class: connectors.Invalid, NotSent: true, Public: "The recording is larger than the files Zoho CRM takes (100 MB). The call has its link."}
	}
	name, id := fileName(u), ""
	err := s.related(ctx, calls, u.CallID, "Attachments", []string{"id", "File_Name"}, func(r values) bool {
		if r.text("File_Name") == name {
			id = r.text("id")
		}
		return id == ""
	})
	if err != nil {
		return connectors.Written{}, err
	}
	if id != "" {
		return connectors.Written{RemoteID: id}, nil
	}
	if id, err = s.upload(ctx, name, u); err != nil {
		return connectors.Written{}, err
	}
	return connectors.Written{RemoteID: id, Created: true}, nil
}

// fileName is made of the key, with the extension by which a browser knows what to play.
func fileName(u connectors.RecordingUpload) string {
	safe := func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return -1
	}
	ext := strings.Map(safe, strings.TrimPrefix(path.Ext(u.Name), "."))
	if ext == "" || len(ext) > 5 || strings.EqualFold(ext, "exe") {
		ext = "mp3"
	}
	return "callsync-" + strings.Map(safe, u.Key) + "." + strings.ToLower(ext)
}

// upload streams the recording: the form around it is made beforehand, so that its length is known and nothing is held.
func (s *session) upload(ctx context.Context, name string, u connectors.RecordingUpload) (string, error) {
	q := request{method: http.MethodPost, name: "upload of a recording", module: calls, path: recordPath(calls, u.CallID, "Attachments")}
	head, tail, contentType, err := form(name, u.ContentType)
	if err != nil {
		return "", &connectors.Error{Class: connectors.Invalid, NotSent: true, Public: connectors.Sentence(connectors.Invalid, Label), Err: err}
	}
	var opened []io.Closer
	defer func() {
		for _, c := range opened {
			c.Close()
		}
	}()
	var source error
	body := func() (io.ReadCloser, error) {
		stream, err := u.Open(ctx)
		if err != nil {
			source = err
			return nil, err
		}
		opened = append(opened, stream)
		return io.NopCloser(io.MultiReader(bytes.NewReader(head), stream, bytes.NewReader(tail))), nil
	}
	first, err := body()
	if err != nil {
		return "", connectors.NotSent(err)
	}
	ctx = connectors.WithRate(ctx, connectors.RateUpload, 1)
	r, err := http.NewRequestWithContext(ctx, q.method, s.uploads.BaseURL+version+q.path, first)
	if err != nil {
		return "", &connectors.Error{Class: connectors.Invalid, NotSent: true, Public: connectors.Sentence(connectors.Invalid, Label), Err: fmt.Errorf("zoho %s: make the request", q.name)}
	}
	// The body can be had again, so that a token which has expired meanwhile costs a refresh and not the attempt.
	r.GetBody = body
	r.ContentLength = int64(len(head)) + u.Size + int64(len(tail))
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "callsync")
	resp, err := s.uploads.GetClient().Do(r)
	if source != nil {
		return "", connectors.AsError(source)
	}
	if err != nil {
		return "", noAnswer(q, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return "", noAnswer(q, err)
	}
	return s.uploaded(q, answer{resp.StatusCode, resp.Header, text})
}

// uploaded reads the answer to an upload.
func (s *session) uploaded(q request, a answer) (string, error) {
	var p struct {
		Data []result `json:"data"`
	}
	if json.Unmarshal(a.body, &p) == nil && len(p.Data) == 1 && a.status < 500 {
		if id, ok := p.Data[0].done(); ok {
			return id, nil
		}
		return "", s.itemRefusal(q, p.Data[0])
	}
	if v, bad := a.refused(); bad {
		return "", s.refusal(q, a, v)
	}
	return "", unreadable(q, a.status)
}

// form makes what stands before and after the file in a multipart body.
func form(name, fileType string) (head, tail []byte, contentType string, err error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	h := textproto.MIMEHeader{}
	h.Set("Content-Disposition", `form-data; name="file"; filename="`+name+`"`)
	if strings.ContainsAny(fileType, "\r\n") || fileType == "" {
		fileType = "application/octet-stream"
	}
	h.Set("Content-Type", fileType)
	if _, err := w.CreatePart(h); err != nil {
		return nil, nil, "", err
	}
	head = bytes.Clone(b.Bytes())
	if err := w.Close(); err != nil {
		return nil, nil, "", err
	}
	return head, bytes.Clone(b.Bytes()[len(head):]), w.FormDataContentType(), nil
}
