package zohofake

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

var (
	criterion = regexp.MustCompile(`^\(([A-Za-z_$]\w*):(equals|starts_with):(.*)\)$`)
	searched  = regexp.MustCompile(`^[0-9+][0-9 ().-]+$`)
)

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// search finds what was changed longer ago than the lag. A number is found as it is written, whatever stands between its
// digits: without its country code only where it is stored without one. “equals” finds what contains the value.
func (f *Fake) search(w http.ResponseWriter, r *http.Request, module string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := r.URL.Query()
	var match func(*Record) bool
	switch {
	case q.Get("criteria") != "":
		m := criterion.FindStringSubmatch(q.Get("criteria"))
		if m == nil || f.field(module, m[1]) == nil {
			fail(w, http.StatusBadRequest, "INVALID_QUERY", "Invalid query formed", map[string]any{"reason": "invalid column name", "api_name": "criteria"})
			return
		}
		want := strings.ToLower(regexp.MustCompile(`\\(.)`).ReplaceAllString(m[3], "$1"))
		match = func(x *Record) bool {
			s, _ := x.Fields[m[1]].(string)
			s = strings.ToLower(s)
			return s != "" && (m[2] == "equals" && strings.Contains(s, want) || strings.HasPrefix(s, want))
		}
	case q.Get("phone") != "":
		want := digits(q.Get("phone"))
		if len(want) < 2 || !searched.MatchString(q.Get("phone")) {
			fail(w, http.StatusBadRequest, "INVALID_DATA", "The search value contains special characters or does not contain at least two characters", map[string]any{"param_name": "phone"})
			return
		}
		match = func(x *Record) bool {
			for _, field := range f.fields[module] {
				if s, _ := x.Fields[field.APIName].(string); field.Type == "phone" && digits(s) == want {
					return true
				}
			}
			return false
		}
	case q.Get("word") != "":
		match = func(x *Record) bool {
			for _, v := range x.Fields {
				if s, _ := v.(string); strings.Contains(strings.ToLower(s), strings.ToLower(q.Get("word"))) {
					return true
				}
			}
			return false
		}
	default:
		fail(w, http.StatusBadRequest, "EXPECTED_PARAM_MISSING", "mandatory param missing", map[string]any{"param_names": []string{"criteria", "email", "phone", "word"}})
		return
	}
	var all []any
	now := f.opt.Now()
	for _, x := range f.sorted(module) {
		if now.Sub(x.Modified) >= f.lag && x.Fields["$converted"] != true && match(x) {
			all = append(all, f.shown(module, x, q.Get("fields")))
		}
	}
	page(w, r, "data", all)
}

// related lists notes, attachments and deals of a record.
func (f *Fake) related(w http.ResponseWriter, r *http.Request, module string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id, fields := r.PathValue("id"), r.URL.Query().Get("fields")
	switch {
	case f.records[module][id] == nil:
		fail(w, http.StatusBadRequest, "INVALID_DATA", "the id given seems to be invalid", map[string]any{"resource_path_index": 1})
		return
	case fields == "":
		fail(w, http.StatusBadRequest, "REQUIRED_PARAM_MISSING", "One of the expected parameter is missing", map[string]any{"param_name": "fields"})
		return
	}
	var all []any
	switch r.PathValue("list") {
	case "Attachments":
		for _, x := range f.files[id] {
			all = append(all, map[string]any{"id": x.ID, "File_Name": x.Name, "Size": len(x.Content), "Parent_Id": map[string]any{"id": id, "name": "A record"}})
		}
	case "Notes":
		for _, x := range slices.Backward(f.sorted("Notes")) {
			if parent, _ := x.Fields["Parent_Id"].(map[string]any); parent["id"] == id {
				all = append(all, f.shown("Notes", x, fields))
			}
		}
	case "Deals":
		name := map[string]string{"Contacts": "Contact_Name", "Accounts": "Account_Name"}[module]
		for _, x := range f.sorted("Deals") {
			if of, _ := x.Fields[name].(map[string]any); of["id"] == id {
				all = append(all, f.shown("Deals", x, fields))
			}
		}
	default:
		fail(w, http.StatusBadRequest, "INVALID_DATA", "the relation name given seems to be invalid", map[string]any{"resource_path_index": 2})
		return
	}
	page(w, r, "data", all)
}

// maxFile is the largest attachment.
const maxFile = 100 << 20

func (f *Fake) attach(w http.ResponseWriter, r *http.Request, module string) {
	id := r.PathValue("id")
	refuse := func(code, message string, details map[string]any) {
		answer(w, http.StatusBadRequest, map[string]any{"data": []any{refusal(code, message, details)}})
	}
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || params["boundary"] == "" {
		refuse("INVALID_DATA", "invalid data", map[string]any{"expected_data_type": "multipart"})
		return
	}
	part, err := multipart.NewReader(r.Body, params["boundary"]).NextPart()
	if err != nil || part.FormName() != "file" || part.FileName() == "" {
		refuse("MANDATORY_NOT_FOUND", "required field not found", map[string]any{"api_name": "file"})
		return
	}
	var content bytes.Buffer
	n, err := io.Copy(&content, io.LimitReader(part, maxFile+1))
	switch {
	case err != nil:
		refuse("INVALID_DATA", "invalid data", nil)
		return
	case n > maxFile:
		refuse("FILE_SIZE_MORE_THAN_ALLOWED_SIZE", "please check file size", nil)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.records[module][id] == nil {
		refuse("INVALID_DATA", "the related id given seems to be invalid", nil)
		return
	}
	x := File{ID: f.id(), Name: part.FileName(), Content: content.Bytes()}
	f.files[id] = append(f.files[id], x)
	answer(w, http.StatusOK, map[string]any{"data": []any{success("attachment uploaded successfully", f.stamp(), x.ID)}})
}

func (f *Fake) detach(w http.ResponseWriter, r *http.Request, _ string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := r.PathValue("id")
	f.files[id] = slices.DeleteFunc(f.files[id], func(x File) bool { return x.ID == r.PathValue("file") })
	answer(w, http.StatusOK, map[string]any{"data": []any{success("record deleted", map[string]any{}, r.PathValue("file"))}})
}
