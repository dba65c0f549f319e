package hubspot

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/callsync/callsync/connectors"
)

// folder is where recordings go in HubSpot's file manager.
const folder = "/callsync-recordings"

type file struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Extension string `json:"extension"`
}

// UploadRecording implements connectors.RecordingUploader: the recording becomes a private file, and the file an
// attachment of the call. The file is named after the key and looked for by its name first, and HubSpot is asked for the
// file it has where it would make a second one, so that repetitions leave one.
func (s *session) UploadRecording(ctx context.Context, u connectors.RecordingUpload) (connectors.Written, error) {
	if u.Size > maxUpload {
		return connectors.Written{}, &connectors.Error{Class: connectors.Invalid, Public: "The recording is larger than the files HubSpot takes (2 GB). The call has its link."}
	}
	var call record
	if err := s.do(ctx, get("read of calls", s.api.object(calls, u.CallID), url.Values{"properties": {"hs_attachment_ids"}}), &call); err != nil {
		return connectors.Written{}, err
	}
	name := fileName(u)
	id, err := s.findFile(ctx, name)
	if err != nil {
		return connectors.Written{}, err
	}
	created := false
	if id == "" {
		if id, err = s.upload(ctx, name, u); err != nil {
			return connectors.Written{}, err
		}
		created = true
	}
	attached := strings.FieldsFunc(call.property("hs_attachment_ids"), func(r rune) bool { return r == ';' })
	if !slices.Contains(attached, id) {
		props := map[string]string{"hs_attachment_ids": strings.Join(append(attached, id), ";")}
		if err := s.update(ctx, calls, u.CallID, props); err != nil {
			return connectors.Written{}, err
		}
	}
	return connectors.Written{RemoteID: id, Created: created}, nil
}

// fileName is made of the key, with the extension by which HubSpot knows what to play.
func fileName(u connectors.RecordingUpload) string {
	safe := func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return -1
	}
	ext := strings.Map(safe, strings.TrimPrefix(path.Ext(u.Name), "."))
	if ext == "" || len(ext) > 5 {
		ext = "mp3"
	}
	return "callsync-" + strings.Map(safe, u.Key) + "." + strings.ToLower(ext)
}

// findFile looks for a file by its name; HubSpot shows names with or without the extension, and finds parts of them.
func (s *session) findFile(ctx context.Context, name string) (string, error) {
	base := strings.TrimSuffix(name, path.Ext(name))
	var page struct {
		Results []file `json:"results"`
	}
	if err := s.do(ctx, get("search of files", s.api.files()+"/search", url.Values{"name": {base}, "limit": {"10"}}), &page); err != nil {
		return "", err
	}
	for _, f := range page.Results {
		if f.Name == base || f.Name == name {
			return f.ID, nil
		}
	}
	return "", nil
}

// upload streams the recording: the form around it is made beforehand, so that its length is known and nothing is held.
func (s *session) upload(ctx context.Context, name string, u connectors.RecordingUpload) (string, error) {
	q := request{method: http.MethodPost, name: "upload of a recording", path: s.api.files()}
	form := connectors.FileForm{Part: "file", Name: name, Type: u.ContentType, Size: u.Size, Open: u.Open, Fields: []connectors.FormField{
		{Name: "fileName", Value: name}, {Name: "folderPath", Value: folder},
		{Name: "options", Value: `{"access":"PRIVATE","overwrite":false,"duplicateValidationStrategy":"RETURN_EXISTING","duplicateValidationScope":"EXACT_FOLDER"}`},
	}}
	resp, err := form.Post(connectors.WithRate(ctx, connectors.RateUpload, 1), s.uploads.GetClient(), s.uploads.BaseURL+q.path, Label, nil)
	if err != nil {
		return "", connectors.NoAnswer(Label, "hubspot "+q.name, q.reads, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return "", connectors.NoAnswer(Label, "hubspot "+q.name, q.reads, err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return "", s.refusal(q, resp.StatusCode, resp.Header, answer)
	}
	var f file
	if json.Unmarshal(answer, &f) != nil || f.ID == "" {
		return "", connectors.Unreadable(Label, "hubspot "+q.name, q.reads)
	}
	return f.ID, nil
}
