package pipedrive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/callsync/callsync/connectors"
)

// maxAnswer bounds the answer to an upload.
const maxAnswer = 1 << 20

// UploadRecording implements connectors.RecordingUploader. A call log takes one recording, and says 409 when it has it. A
// call that is an activity alone gets a file, whose name holds a mark of the recording by which a second attempt finds it.
func (s *session) UploadRecording(ctx context.Context, u connectors.RecordingUpload) (connectors.Written, error) {
	if u.Size > maxUpload {
		return connectors.Written{}, invalid("file", fmt.Sprintf("The recording is larger than the %d MB that Pipedrive takes. Its link is in the call's note.", maxUpload>>20))
	}
	r := parseRecord(u.CallID)
	if id := r.logID(); id != "" {
		err := s.upload(ctx, request{endpoint: uploadRecording, name: "upload of a recording", id: id}, nil, u, u.Name)
		if connectors.IsClass(err, connectors.Conflict) {
			return connectors.Written{RemoteID: id}, nil
		}
		return connectors.Written{RemoteID: id, Created: err == nil}, err
	}
	if _, ok := number(r.activity); !ok {
		return connectors.Written{}, gone()
	}
	sum := sha256.Sum256([]byte(u.Key))
	ext := path.Ext(u.Name)
	name := fileName(strings.TrimSuffix(u.Name, ext) + "-" + hex.EncodeToString(sum[:4]) + ext)
	if found, err := s.hasFile(ctx, r.activity, name); err != nil || found {
		return connectors.Written{}, err
	}
	err := s.upload(ctx, request{endpoint: uploadFile, name: "upload of a file"}, map[string]string{"activity_id": r.activity}, u, name)
	return connectors.Written{Created: err == nil}, err
}

// hasFile looks for a file of an activity among the newest ones.
func (s *session) hasFile(ctx context.Context, activity, name string) (bool, error) {
	id, _ := number(activity)
	q := url.Values{"sort": {"update_time DESC"}, "start": {"0"}, "limit": {"100"}}
	var files []struct {
		ActivityID int64  `json:"activity_id"`
		Name       string `json:"name"`
	}
	if err := s.do(ctx, request{endpoint: listFiles, name: "look-up of files", query: q}, &files); err != nil {
		return false, err
	}
	for _, f := range files {
		if f.ActivityID == id && f.Name == name {
			return true, nil
		}
	}
	return false, nil
}

// upload streams a file as multipart/form-data.
func (s *session) upload(ctx context.Context, q request, values map[string]string, u connectors.RecordingUpload, name string) error {
	form := connectors.FileForm{Part: "file", Name: fileName(name), Type: contentType(u.ContentType), Size: u.Size, Open: u.Open}
	for _, k := range slices.Sorted(maps.Keys(values)) {
		form.Fields = append(form.Fields, connectors.FormField{Name: k, Value: values[k]})
	}
	header := http.Header{}
	if s.token != "" {
		header.Set("x-api-token", s.token)
	}
	resp, err := form.Post(q.charged(ctx), s.uploads, s.base+q.url(s.v1, q.id), Label, header)
	if err != nil {
		return connectors.NoAnswer(Label, "pipedrive "+q.name, q.reads(), err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return connectors.NoAnswer(Label, "pipedrive "+q.name, q.reads(), err)
	}
	_, err = s.read(q, resp.StatusCode, resp.Header, answer, nil)
	return err
}

// fileName keeps what cannot break a header out of a name.
func fileName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == '"' || r == '\\' || r == '/' || r == 0x7f {
			return '_'
		}
		return r
	}, s)
	if s == "" {
		return "recording.mp3"
	}
	return s
}

func contentType(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "application/octet-stream"
	}
	return s
}
