package salesforcefake

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"slices"
	"strings"
)

// uploadFile serves POST /sobjects/ContentVersion: a multipart body whose first part is entity_content and whose second one is
// VersionData, or JSON with the file in base64.
func (f *Fake) uploadFile(r *http.Request, body []byte) (reply, error) {
	var v row
	var content []byte
	if kind, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "multipart/form-data" {
		var err error
		if v, content, err = readParts(multipart.NewReader(r.Body, params["boundary"])); err != nil {
			return reply{}, err
		}
	} else {
		var err error
		if v, err = parse(body); err != nil {
			return reply{}, err
		}
		text, _ := v["VersionData"].(string)
		if content, err = base64.StdEncoding.DecodeString(text); err != nil {
			return reply{}, invalid("INVALID_BASE64", nil, "VersionData is no base64")
		}
	}
	delete(v, "VersionData")
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check(r, "ContentVersion", "", v); err != nil {
		return reply{}, err
	}
	file, _ := v["PathOnClient"].(string)
	if file == "" {
		return reply{}, invalid("REQUIRED_FIELD_MISSING", []string{"PathOnClient"}, "Required fields are missing: [PathOnClient]")
	}
	if v["Title"] == nil {
		v["Title"] = strings.TrimSuffix(file, path.Ext(file))
	}
	document, _ := v["ContentDocumentId"].(string)
	if document == "" {
		document = f.put("ContentDocument", row{"Title": v["Title"]})
		v["ContentDocumentId"] = document
		f.put("ContentDocumentLink", row{"ContentDocumentId": document, "LinkedEntityId": f.order["User"][0]})
		if to := v["FirstPublishLocationId"]; to != nil {
			f.put("ContentDocumentLink", row{"ContentDocumentId": document, "LinkedEntityId": to})
		}
	} else if v["FirstPublishLocationId"] != nil {
		return reply{}, invalid("INVALID_INPUT", []string{"FirstPublishLocationId"}, "You cannot set FirstPublishLocationId on a new version.")
	}
	v["ContentSize"] = float64(len(content))
	id := f.put("ContentVersion", v)
	f.content[id] = content
	f.records["ContentDocument"][document].row["LatestPublishedVersionId"] = id
	return reply{http.StatusCreated, saved(id)}, nil
}

func readParts(m *multipart.Reader) (v row, content []byte, err error) {
	bad := func(text string) error { return invalid("INVALID_MULTIPART_REQUEST", nil, "%s", text) }
	first, err := m.NextPart()
	if err != nil || first.FormName() != "entity_content" || !strings.HasPrefix(first.Header.Get("Content-Type"), "application/json") {
		return nil, nil, bad("The first part must be the entity as JSON.")
	}
	text, err := io.ReadAll(first)
	if err != nil {
		return nil, nil, bad("The first part ended early.")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if d.Decode(&v) != nil || v == nil {
		return nil, nil, bad("The first part is no JSON.")
	}
	second, err := m.NextPart()
	if err != nil || second.FormName() != "VersionData" || second.FileName() == "" {
		return nil, nil, bad("The second part must be VersionData with a file name.")
	}
	if content, err = io.ReadAll(second); err != nil {
		return nil, nil, bad("The file ended early.")
	}
	if _, err := m.NextPart(); err != io.EOF {
		return nil, nil, bad("There are more parts than two.")
	}
	return v, content, nil
}

// Files are the contents of the newest versions of the files of a record, by their file names.
func (f *Fake) Files(id string) map[string][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[string][]byte{}
	for _, l := range f.records["ContentDocumentLink"] {
		if l.row["LinkedEntityId"] != id || l.row["IsDeleted"] == true {
			continue
		}
		document, _ := l.row["ContentDocumentId"].(string)
		newest, _ := f.records["ContentDocument"][document].row["LatestPublishedVersionId"].(string)
		name, _ := f.records["ContentVersion"][newest].row["PathOnClient"].(string)
		for out[name] != nil {
			name += "+"
		}
		out[name] = slices.Clone(f.content[newest])
	}
	return out
}
