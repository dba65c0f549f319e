package zoho_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/callsync/callsync/connectors/zoho/zohofake"
)

// oasEnv names a directory with Zoho's OpenAPI files of version 8 (github.com/zoho/crm-oas, v8.0). Where it is set, every
// request that the conformance tests send is held to them: the path and verb, the parameters and their types, and the body.
const oasEnv = "CALLSYNC_ZOHO_OAS"

// oasFiles are the files that describe what callsync asks, the most specific first: the paths of the later ones are wider.
var oasFiles = []string{"attachments", "fields", "layouts", "users", "org", "notes", "record", "related_records"}

type oasDoc map[string]any

var oasDocs = sync.OnceValues(func() (map[string]oasDoc, error) {
	dir := os.Getenv(oasEnv)
	if dir == "" {
		return nil, nil
	}
	out := map[string]oasDoc{}
	all, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	for _, path := range all {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var doc oasDoc
		if err := json.Unmarshal(text, &doc); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		out[strings.TrimSuffix(filepath.Base(path), ".json")] = doc
	}
	return out, nil
})

// TestOAS walks through the account with every request held to Zoho's files.
func TestOAS(t *testing.T) {
	t.Parallel()
	docs, err := oasDocs()
	if err != nil {
		t.Fatal(err)
	}
	if docs == nil {
		t.Skip(oasEnv + " names no files")
	}
	f := zohofake.New(zohofake.Options{SearchLag: -1, Always200: true})
	var mu sync.Mutex
	seen := map[string]int{}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		where, problem := oasCheck(docs, r, body)
		if problem != "" {
			t.Errorf("%s %s: %s\n%.300s", r.Method, r.URL, problem, body)
		}
		mu.Lock()
		seen[r.Method+" "+where]++
		mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		f.ServeHTTP(w, r)
	})
	walkFake(t, f, h)
	for where, n := range seen {
		t.Log(n, where)
	}
}

var oasParam = regexp.MustCompile(`\{[^}]+\}`)

// oasCheck finds the operation of a request, and says what is wrong with it.
func oasCheck(docs map[string]oasDoc, r *http.Request, body []byte) (where, problem string) {
	for _, file := range oasFiles {
		doc := docs[file]
		paths, _ := doc["paths"].(map[string]any)
		// The most literal path first: a search is no record.
		for _, path := range slices.SortedFunc(maps.Keys(paths), func(a, b string) int {
			return cmp.Or(strings.Count(a, "{")-strings.Count(b, "{"), strings.Compare(a, b))
		}) {
			item := paths[path]
			if !regexp.MustCompile("^" + oasParam.ReplaceAllString(path, "[^/]+") + "$").MatchString(r.URL.Path) {
				continue
			}
			operation, ok := item.(map[string]any)[strings.ToLower(r.Method)].(map[string]any)
			if !ok {
				continue
			}
			where = file + " " + path
			if problem = oasQuery(docs, file, operation, r); problem != "" {
				return where, problem
			}
			return where, oasBody(docs, file, operation, r, body)
		}
	}
	return "", "there is no such operation"
}

// oasOwn are parameters that Zoho's files demand and its guide does not, or that only the guide has.
var oasOwn = map[string][]string{"attachments": {"ids", "attachmentUrl"}, "notes": {"ids"}}

func oasQuery(docs map[string]oasDoc, file string, operation map[string]any, r *http.Request) string {
	known := map[string]bool{}
	list, _ := operation["parameters"].([]any)
	for _, x := range list {
		_, p := oasAt(docs, file, x)
		name, _ := p["name"].(string)
		if p["in"] != "query" {
			continue
		}
		known[name] = true
		v := r.URL.Query().Get(name)
		if p["required"] == true && v == "" && !slices.Contains(oasOwn[file], name) {
			return "the parameter " + name + " is missing"
		}
		schema, _ := p["schema"].(map[string]any)
		if _, err := strconv.Atoi(v); v != "" && schema["type"] == "integer" && err != nil {
			return "the parameter " + name + " is no integer"
		}
		if values, ok := schema["enum"].([]any); ok && v != "" && !slices.Contains(values, any(v)) {
			return "the parameter " + name + " knows no " + v
		}
	}
	for name := range r.URL.Query() {
		if !known[name] {
			return "there is no parameter " + name
		}
	}
	return ""
}

func oasBody(docs map[string]oasDoc, file string, operation map[string]any, r *http.Request, body []byte) string {
	if len(body) == 0 {
		return ""
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		// The files describe no body of an upload.
		return ""
	}
	from, request := oasAt(docs, file, operation["requestBody"])
	content, _ := request["content"].(map[string]any)
	media, ok := content["application/json"].(map[string]any)
	if !ok {
		return "it takes no JSON"
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return "the body is no JSON"
	}
	return oasValue(docs, from, "body", media["schema"], v)
}

// oasAt follows references, into other files too.
func oasAt(docs map[string]oasDoc, file string, v any) (string, map[string]any) {
	for {
		m, _ := v.(map[string]any)
		ref, ok := m["$ref"].(string)
		if !ok {
			return file, m
		}
		path, pointer, _ := strings.Cut(ref, "#/")
		if path != "" {
			file = strings.TrimSuffix(filepath.Base(path), ".json")
		}
		v = any(map[string]any(docs[file]))
		for name := range strings.SplitSeq(pointer, "/") {
			v = v.(map[string]any)[name]
		}
	}
}

// oasValue holds a value to a schema. What is required is not looked at: the files call read-only fields required, too.
func oasValue(docs map[string]oasDoc, file, at string, schema, v any) string {
	file, s := oasAt(docs, file, schema)
	if options, ok := s["oneOf"].([]any); ok {
		problem := ""
		for _, o := range options {
			if problem = oasValue(docs, file, at, o, v); problem == "" {
				return ""
			}
		}
		return problem
	}
	if v == nil || s["type"] == nil {
		return ""
	}
	switch v := v.(type) {
	case map[string]any:
		properties, _ := s["properties"].(map[string]any)
		if s["type"] != "object" {
			return at + " is no object"
		}
		for name, x := range v {
			p, known := properties[name]
			if !known && s["additionalProperties"] == nil && len(properties) > 0 && !(strings.HasSuffix(at, ".unique") && name == "case_sensitive") {
				return at + " has no " + name
			}
			if problem := oasValue(docs, file, at+"."+name, p, x); problem != "" {
				return problem
			}
		}
	case []any:
		if s["type"] != "array" {
			return at + " is no array"
		}
		for i, x := range v {
			if problem := oasValue(docs, file, fmt.Sprint(at, "[", i, "]"), s["items"], x); problem != "" {
				return problem
			}
		}
	case string:
		if s["type"] != "string" {
			return at + " is no string"
		}
		if values, ok := s["enum"].([]any); ok && !slices.Contains(values, any(v)) {
			return at + " knows no " + v
		}
	case float64:
		if s["type"] != "integer" && s["type"] != "number" {
			return at + " is no number"
		}
	case bool:
		if s["type"] != "boolean" {
			return at + " is no boolean"
		}
	}
	return ""
}
