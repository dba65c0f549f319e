package zoho

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
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
	form := connectors.FileForm{Part: "file", Name: name, Type: u.ContentType, Size: u.Size, Open: u.Open}
	resp, err := form.Post(connectors.WithRate(ctx, connectors.RateUpload, 1), s.uploads.GetClient(), s.uploads.BaseURL+version+q.path, Label, nil)
	if err != nil {
		return "", connectors.NoAnswer(Label, "zoho "+q.name, q.reads, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return "", connectors.NoAnswer(Label, "zoho "+q.name, q.reads, err)
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
	return "", connectors.Unreadable(Label, "zoho "+q.name, q.reads)
}
