// Package openapi holds the requests that a connector's tests send to the vendor's own descriptions of its API, more strictly
// than OpenAPI asks for: nothing may be sent that is not described. The descriptions belong to the vendors and are not part
// of this repository; a test names where they are by an environment variable, and does without them where it is not set.
package openapi

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
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// Descriptions are documents of OpenAPI 3. Their paths are taken as they are; what servers or gateways put before them is
// for the caller to cut off.
type Descriptions []spec

// Load reads documents in YAML or JSON.
func Load(files ...string) (Descriptions, error) {
	var out Descriptions
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var doc map[string]any
		if err := yaml.Unmarshal(text, &doc); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out = append(out, spec{doc})
	}
	return out, nil
}

// Hold passes requests on to h, and fails the test at each that d does not describe. pathIn gives the path as d has it; an
// empty one is not looked at.
func (d Descriptions) Hold(t testing.TB, h http.Handler, pathIn func(*http.Request) string) http.Handler {
	if len(d) == 0 {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if path := pathIn(r); err == nil && path != "" {
			if problem := d.Check(r, path, body); problem != "" {
				t.Errorf("%s %s: %s", r.Method, r.URL.Path, problem)
			}
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		h.ServeHTTP(w, r)
	})
}

// Check says what about a request is not as described, or nothing.
func (d Descriptions) Check(r *http.Request, path string, body []byte) string {
	s, operation := d.operation(r.Method, path)
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
	switch kind {
	case "multipart/form-data":
		return s.checkForm(media["schema"], body, params["boundary"])
	case "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return "the form cannot be read"
		}
		got := map[string]any{}
		for name := range form {
			got[name] = form.Get(name)
		}
		return s.check("form", media["schema"], got)
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return "the body is no JSON"
	}
	return s.check("body", media["schema"], v)
}

// Operation is what is described of a method and path, nil if there is none.
func (d Descriptions) Operation(method, path string) map[string]any {
	_, found := d.operation(method, path)
	return found
}

// operation is the one whose path has the most in common with path word for word.
func (d Descriptions) operation(method, path string) (in spec, found map[string]any) {
	best := -1
	for _, s := range d {
		if op, fixed := s.operation(method, path); op != nil && fixed > best {
			in, found, best = s, op, fixed
		}
	}
	return in, found
}

type spec struct{ doc map[string]any }

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

func (s spec) operation(method, path string) (found map[string]any, best int) {
	parts := strings.Split(path, "/")
	best = -1
	paths, _ := s.doc["paths"].(map[string]any)
	for pattern, item := range paths {
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
	return found, best
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
		if len(values) > 1 && schema["type"] != "array" {
			return "the parameter " + name + " is there more than once"
		}
		var v any = values[0]
		switch schema["type"] {
		case "integer", "number":
			n, err := strconv.ParseFloat(values[0], 64)
			if err != nil {
				return "the parameter " + name + " is no number"
			}
			v = n
		case "array":
			list := []any{}
			for _, one := range values {
				list = append(list, one)
			}
			v = list
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
	for name := range q {
		if !known[name] {
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
			if !known && m["additionalProperties"] != nil {
				p, known = m["additionalProperties"].(map[string]any)
			}
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
