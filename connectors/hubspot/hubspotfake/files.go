package hubspotfake

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// File is a file of the file manager.
type File struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Extension string    `json:"extension"`
	Folder    string    `json:"folder"`
	Access    string    `json:"access"`
	Content   []byte    `json:"content"`
	CreatedAt time.Time `json:"created_at"`
}

func (x *File) render() map[string]any {
	return map[string]any{"id": x.ID, "name": x.Name, "extension": x.Extension, "path": x.Folder + "/" + x.Name + "." + x.Extension, "access": x.Access,
		"size": len(x.Content), "type": "OTHER", "createdAt": stamp(x.CreatedAt), "updatedAt": stamp(x.CreatedAt), "archived": false}
}

// uploadFile takes a file with the folder and the options that the vendor asks for. RETURN_EXISTING gives the file that
// is there, by its name and content, instead of another.
func (f *Fake) uploadFile(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseMultipartForm(maxFile); err != nil {
		invalid("the body is no multipart form").write(w)
		return
	}
	for name := range r.MultipartForm.Value {
		if !slices.Contains([]string{"charsetHunch", "fileName", "folderId", "folderPath", "options"}, name) {
			invalid("unknown part " + name).write(w)
			return
		}
	}
	folder := r.FormValue("folderPath")
	if (folder == "") == (r.FormValue("folderId") == "") {
		invalid("Exactly one of folderId and folderPath is required").write(w)
		return
	}
	var options struct {
		Access                      string `json:"access"`
		TTL                         string `json:"ttl"`
		Overwrite                   bool   `json:"overwrite"`
		DuplicateValidationStrategy string `json:"duplicateValidationStrategy"`
		DuplicateValidationScope    string `json:"duplicateValidationScope"`
	}
	d := json.NewDecoder(strings.NewReader(r.FormValue("options")))
	d.DisallowUnknownFields()
	err := d.Decode(&options)
	switch {
	case err != nil:
		invalid("options must be a JSON string").write(w)
		return
	case !slices.Contains([]string{"PUBLIC_INDEXABLE", "PUBLIC_NOT_INDEXABLE", "PRIVATE"}, options.Access):
		invalid("access is required").write(w)
		return
	case !slices.Contains([]string{"", "NONE", "REJECT", "RETURN_EXISTING"}, options.DuplicateValidationStrategy),
		!slices.Contains([]string{"", "ENTIRE_PORTAL", "EXACT_FOLDER"}, options.DuplicateValidationScope):
		invalid("unknown way to deal with duplicates").write(w)
		return
	}
	part, header, err := r.FormFile("file")
	if err != nil {
		invalid("file is required").write(w)
		return
	}
	defer part.Close()
	content, err := io.ReadAll(part)
	if err != nil {
		return
	}
	name := orDefault(r.FormValue("fileName"), header.Filename)
	ext := path.Ext(name)
	x := &File{Name: strings.TrimSuffix(name, ext), Extension: strings.TrimPrefix(ext, "."), Folder: folder, Access: options.Access, Content: content, CreatedAt: f.opt.Now()}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, have := range f.data.Files {
		if have.Name != x.Name || have.Folder != x.Folder || sha256.Sum256(have.Content) != sha256.Sum256(content) {
			continue
		}
		switch options.DuplicateValidationStrategy {
		case "RETURN_EXISTING":
			answer(w, http.StatusCreated, have.render())
			return
		case "REJECT":
			(&apiError{status: http.StatusConflict, category: "CONFLICT", message: "A duplicate file exists: " + have.ID}).write(w)
			return
		}
	}
	x.ID = f.nextID()
	f.data.Files = append(f.data.Files, x)
	answer(w, http.StatusCreated, x.render())
}

func (f *Fake) searchFiles(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	limit, err := strconv.Atoi(orDefault(q.Get("limit"), "10"))
	if err != nil || limit < 1 || limit > 100 {
		invalid("limit must be between 1 and 100").write(w)
		return
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	results := []any{}
	for _, x := range f.data.Files {
		if strings.Contains(x.Name, q.Get("name")) && len(results) < limit {
			results = append(results, x.render())
		}
	}
	answer(w, http.StatusOK, map[string]any{"results": results})
}

func (f *Fake) deleteFile(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := len(f.data.Files)
	f.data.Files = slices.DeleteFunc(f.data.Files, func(x *File) bool { return x.ID == r.PathValue("id") })
	if len(f.data.Files) == before {
		notFound("files", r.PathValue("id")).write(w)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// FilesOf are the files that a record has attached.
func (f *Fake) FilesOf(kind, id string) []File {
	f.mu.RLock()
	defer f.mu.RUnlock()
	o := f.data.Objects[kind][id]
	if o == nil {
		return nil
	}
	var out []File
	for id := range strings.SplitSeq(o.Props["hs_attachment_ids"], ";") {
		for _, x := range f.data.Files {
			if x.ID == id {
				out = append(out, *x)
			}
		}
	}
	return out
}

// Files are all files.
func (f *Fake) Files() []File {
	f.mu.RLock()
	defer f.mu.RUnlock()
	var out []File
	for _, x := range f.data.Files {
		out = append(out, *x)
	}
	return out
}

// Utterance is one of a transcript.
type Utterance struct {
	Speaker struct {
		ID    string `json:"id"`
		Name  string `json:"name"`
		Email string `json:"email,omitempty"`
	} `json:"speaker"`
	Text            string `json:"text"`
	StartTimeMillis *int64 `json:"startTimeMillis"`
	EndTimeMillis   *int64 `json:"endTimeMillis"`
	LanguageCode    string `json:"languageCode,omitempty"`
}

// Transcript is a call's transcript.
type Transcript struct {
	ID         string      `json:"id"`
	CallID     string      `json:"call_id"`
	Utterances []Utterance `json:"utterances"`
}

func (f *Fake) createTranscript(w http.ResponseWriter, r *http.Request) {
	var in struct {
		EngagementID               int64       `json:"engagementId"`
		TranscriptCreateUtterances []Utterance `json:"transcriptCreateUtterances"`
	}
	if !decode(w, r, &in) {
		return
	}
	for _, u := range in.TranscriptCreateUtterances {
		if u.Speaker.ID == "" || u.Speaker.Name == "" || u.Text == "" || u.StartTimeMillis == nil || u.EndTimeMillis == nil || *u.EndTimeMillis < *u.StartTimeMillis {
			invalid("an utterance needs a speaker with id and name, a text and its times").write(w)
			return
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	o, e := f.resolve("calls", fmt.Sprint(in.EngagementID), "")
	if e != nil {
		e.write(w)
		return
	}
	if len(in.TranscriptCreateUtterances) == 0 {
		invalid("transcriptCreateUtterances is required").write(w)
		return
	}
	t := &Transcript{ID: f.nextID(), CallID: o.ID, Utterances: in.TranscriptCreateUtterances}
	f.data.Transcripts = append(f.data.Transcripts, t)
	o.Props["hs_call_has_transcript"] = "true"
	answer(w, http.StatusOK, map[string]any{"id": t.ID})
}

func (f *Fake) readTranscript(w http.ResponseWriter, r *http.Request) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, t := range f.data.Transcripts {
		if t.ID == r.PathValue("id") {
			answer(w, http.StatusOK, map[string]any{"id": t.ID, "engagementId": t.CallID, "transcriptSource": "INTEGRATOR_GENERATED", "transcriptUtterances": t.Utterances})
			return
		}
	}
	notFound("transcripts", r.PathValue("id")).write(w)
}

func (f *Fake) deleteTranscript(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, t := range f.data.Transcripts {
		if t.ID == r.PathValue("id") {
			f.data.Transcripts = slices.Delete(f.data.Transcripts, i, i+1)
			delete(f.data.Objects["calls"][t.CallID].Props, "hs_call_has_transcript")
			w.WriteHeader(http.StatusNoContent)
			return
		}
	}
	notFound("transcripts", r.PathValue("id")).write(w)
}

// TranscriptsOf are the transcripts of a call.
func (f *Fake) TranscriptsOf(callID string) []Transcript {
	f.mu.RLock()
	defer f.mu.RUnlock()
	var out []Transcript
	for _, t := range f.data.Transcripts {
		if t.CallID == callID {
			out = append(out, *t)
		}
	}
	return out
}
