package pipedrive_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// specEnv names a folder with the vendor's descriptions of its API, v1.yaml and v2.yaml (OpenAPI 3). Where it is set, every
// request that the tests send is held to them, more strictly than OpenAPI asks for: nothing that is not described.
const specEnv = "CALLSYNC_PIPEDRIVE_SPEC"

var specs = sync.OnceValues(func() (map[string]map[string]any, error) {
	dir := os.Getenv(specEnv)
	if dir == "" {
		return nil, nil
	}
	out := map[string]map[string]any{}
	for _, version := range []string{"v1", "v2"} {
		text, err := os.ReadFile(filepath.Join(dir, version+".yaml"))
		if err != nil {
			return nil, err
		}
		var doc map[string]any
		if err := yaml.Unmarshal(text, &doc); err != nil {
			return nil, err
		}
		out[version] = doc
	}
	return out, nil
})

// recording passes requests on; with the vendor's description at hand every one is held to it.
func recording(t *testing.T, h http.Handler) http.Handler {
	docs, err := specs()
	if err != nil {
		t.Fatal(err)
	}
	if docs == nil {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil && !strings.HasPrefix(r.URL.Path, "/oauth/") {
			if problem := check(docs, r, body); problem != "" {
				t.Errorf("%s %s: %s", r.Method, r.URL.Path, problem)
			}
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		h.ServeHTTP(w, r)
	})
}

type spec struct{ doc map[string]any }

func check(docs map[string]map[string]any, r *http.Request, body []byte) string {
	version, path := "v1", strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/api"), "/v1")
	if rest, ok := strings.CutPrefix(r.URL.Path, "/api/v2"); ok {
		version, path = "v2", rest
	}
	s := spec{docs[version]}
	operation := s.operation(r.Method, path)
	if operation == nil {
		return "there is no such endpoint"
	}
	if problem := s.checkQuery(operation, r.URL.Query()); problem != "" {
		return problem
	}
	content, _ := s.at(operation["requestBody"])["content"].(map[string]any)
	if len(content) == 0 {
		if len(body) > 0 {
			return "it takes no body"
		}
		return ""
	}
	kind, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	media, ok := content[kind].(map[string]any)
	if !ok {
		return "it does not take " + kind
	}
	if kind == "multipart/form-data" {
		return s.checkForm(media["schema"], body, params["boundary"])
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return "the body is no JSON"
	}
	return s.check("body", media["schema"], v)
}

// at follows a reference.
func (s spec) at(v any) map[string]any {
	m, _ := v.(map[string]any)
	ref, ok := m["$ref"].(string)
	if !ok {
		return m
	}
	var now any = s.doc
	for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		now = now.(map[string]any)[name]
	}
	return s.at(now)
}

func (s spec) operation(method, path string) map[string]any {
	parts := strings.Split(path, "/")
	var found map[string]any
	best := -1
	for pattern, item := range s.doc["paths"].(map[string]any) {
		want := strings.Split(pattern, "/")
		fixed := 0
		if len(want) != len(parts) || !slices.EqualFunc(want, parts, func(w, p string) bool {
			if strings.HasPrefix(w, "{") {
				return p != ""
			}
			fixed++
			return w == p
		}) {
			continue
		}
		if op, ok := s.at(item)[strings.ToLower(method)].(map[string]any); ok && fixed > best {
			best, found = fixed, op
		}
	}
	return found
}

func (s spec) checkQuery(operation map[string]any, q url.Values) string {
	known := map[string]bool{}
	list, _ := operation["parameters"].([]any)
	for _, item := range list {
		p := s.at(item)
		name, _ := p["name"].(string)
		if p["in"] != "query" {
			continue
		}
		known[name] = true
		values := q[name]
		if len(values) == 0 {
			if p["required"] == true {
				return "the parameter " + name + " is missing"
			}
			continue
		}
		schema := s.at(p["schema"])
		var v any = values[0]
		switch schema["type"] {
		case "integer", "number":
			n, err := strconv.ParseFloat(values[0], 64)
			if err != nil {
				return "the parameter " + name + " is no number"
			}
			v = n
		case "boolean":
			b, err := strconv.ParseBool(values[0])
			if err != nil || values[0] != strconv.FormatBool(b) {
				return "the parameter " + name + " is neither true nor false"
			}
			v = b
		}
		if problem := s.check(name, schema, v); problem != "" {
			return problem
		}
	}
	for name, values := range q {
		if !known[name] || len(values) != 1 {
			return "the parameter " + name + " is not described"
		}
	}
	return ""
}

func (s spec) checkForm(schema any, body []byte, boundary string) string {
	form := multipart.NewReader(bytes.NewReader(body), boundary)
	got := map[string]any{}
	properties, _, _ := s.object(s.at(schema))
	for {
		part, err := form.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return "the form cannot be read"
		}
		text, _ := io.ReadAll(part)
		var v any = string(text)
		if s.at(properties[part.FormName()])["type"] == "integer" {
			if v, err = strconv.ParseFloat(string(text), 64); err != nil {
				return part.FormName() + " is no number"
			}
		}
		got[part.FormName()] = v
	}
	return s.check("form", schema, got)
}

// object collects the members that a schema and those it is made of describe.
func (s spec) object(schema map[string]any) (properties map[string]any, required []string, open bool) {
	properties = map[string]any{}
	own, _ := schema["properties"].(map[string]any)
	for k, v := range own {
		properties[k] = v
	}
	list, _ := schema["required"].([]any)
	for _, name := range list {
		required = append(required, name.(string))
	}
	open = schema["additionalProperties"] == true || schema["properties"] == nil && schema["allOf"] == nil
	all, _ := schema["allOf"].([]any)
	for _, item := range all {
		p, r, _ := s.object(s.at(item))
		for k, v := range p {
			properties[k] = v
		}
		required = append(required, r...)
	}
	return properties, required, open
}

var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// check holds a value to a schema.
func (s spec) check(where string, schema any, v any) string {
	m := s.at(schema)
	if v == nil {
		if m["nullable"] == true {
			return ""
		}
		return where + " is null"
	}
	all, _ := m["allOf"].([]any)
	if m["type"] == nil && m["properties"] == nil && len(all) == 1 {
		return s.check(where, all[0], v)
	}
	if list, ok := m["enum"].([]any); ok && !slices.ContainsFunc(list, func(x any) bool { return fmt.Sprint(x) == fmt.Sprint(v) }) {
		return fmt.Sprintf("%s is none of %v", where, list)
	}
	switch m["type"] {
	case "string":
		text, ok := v.(string)
		if !ok {
			return where + " is no text"
		}
		switch m["format"] {
		case "date-time":
			if _, err := time.Parse(time.RFC3339, text); err != nil {
				return where + " is no RFC 3339 time"
			}
		case "date":
			if _, err := time.Parse(time.DateOnly, text); err != nil {
				return where + " is no date"
			}
		case "uuid":
			if !uuidForm.MatchString(text) {
				return where + " is no UUID"
			}
		}
	case "integer", "number":
		n, ok := v.(float64)
		if !ok || m["type"] == "integer" && n != float64(int64(n)) {
			return where + " is no " + fmt.Sprint(m["type"])
		}
		if most, ok := m["maximum"].(int); ok && n > float64(most) {
			return where + " is too large"
		}
	case "boolean":
		if _, ok := v.(bool); !ok {
			return where + " is neither true nor false"
		}
	case "array":
		list, ok := v.([]any)
		if !ok {
			return where + " is no list"
		}
		for _, item := range list {
			if problem := s.check(where+"[]", m["items"], item); problem != "" {
				return problem
			}
		}
	default:
		members, ok := v.(map[string]any)
		if !ok {
			return where + " is no object"
		}
		properties, required, open := s.object(m)
		for _, name := range required {
			if members[name] == nil {
				return where + "." + name + " is missing"
			}
		}
		for name, value := range members {
			p, known := properties[name]
			if !known && !(open && len(properties) == 0) {
				return where + "." + name + " is not described"
			}
			if known {
				if problem := s.check(where+"."+name, p, value); problem != "" {
					return problem
				}
			}
		}
	}
	return ""
}
