package hubspotfake

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// apiError is an error in HubSpot's form; as an error of a batch's item it has a status of its own.
type apiError struct {
	status        int
	category      string
	message       string
	subCategory   string
	context       map[string]any
	code, inField string
}

func (e *apiError) body() map[string]any {
	out := map[string]any{"status": "error", "message": e.message, "correlationId": correlationID()}
	if e.category != "" {
		out["category"] = e.category
	}
	if e.subCategory != "" {
		out["subCategory"] = e.subCategory
	}
	if e.context != nil {
		// As the error of a batch's item, which has these whether there is something in them or not.
		out["context"], out["errors"], out["links"] = e.context, []any{}, map[string]string{}
	}
	if e.code != "" {
		out["errors"] = []any{map[string]any{"message": e.message, "code": e.code, "context": map[string]any{"propertyName": []string{e.inField}}}}
	}
	return out
}

func (e *apiError) write(w http.ResponseWriter) { answer(w, e.status, e.body()) }

func fail(w http.ResponseWriter, status int, category, message string) {
	(&apiError{status: status, category: category, message: message}).write(w)
}

func invalid(message string) *apiError {
	return &apiError{status: http.StatusBadRequest, category: "VALIDATION_ERROR", message: message}
}

// invalidValue is HubSpot's answer to property values it refuses: the list is JSON inside the message.
func invalidValue(faults []valueFault) *apiError {
	list, _ := json.Marshal(faults)
	return &apiError{status: http.StatusBadRequest, category: "VALIDATION_ERROR",
		message: "Property values were not valid: " + string(list), code: faults[0].Error, inField: faults[0].Name}
}

type valueFault struct {
	IsValid bool   `json:"isValid"`
	Message string `json:"message"`
	Error   string `json:"error"`
	Name    string `json:"name"`
}

func notFound(object, id string) *apiError {
	return &apiError{status: http.StatusNotFound, category: "OBJECT_NOT_FOUND",
		message: fmt.Sprintf("Object not found.  objectId are usually numeric. (%s %s)", object, id)}
}

func tooMany(w http.ResponseWriter, policy, message string) {
	answer(w, http.StatusTooManyRequests, map[string]any{"status": "error", "message": message, "errorType": "RATE_LIMIT",
		"category": "RATE_LIMITS", "policyName": policy, "correlationId": correlationID()})
}

func correlationID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

const (
	maxBody = 4 << 20
	maxFile = 64 << 20
)

// readBody reads the request's body and checks its type: JSON almost everywhere.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	limit, want := maxBody, "application/json"
	switch {
	case strings.HasPrefix(r.URL.Path, "/files/"):
		limit, want = maxFile, "multipart/form-data"
	case strings.HasPrefix(r.URL.Path, "/oauth/"):
		want = "application/x-www-form-urlencoded"
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, int64(limit)+1))
	if err != nil {
		return nil, false
	}
	if len(body) > limit {
		fail(w, http.StatusRequestEntityTooLarge, "VALIDATION_ERROR", "Request entity too large")
		return nil, false
	}
	if r.Method == http.MethodPost || r.Method == http.MethodPatch {
		if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != want {
			fail(w, http.StatusUnsupportedMediaType, "", "HTTP 415 Unsupported Media Type")
			return nil, false
		}
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	return body, true
}

// decode reads a JSON body strictly: what the description does not know, HubSpot's reader refuses.
func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil && d.More() {
		err = fmt.Errorf("more than one value")
	}
	if err != nil {
		// The vendor's text differs in its details; that it is a 400 that quotes the place is what matters.
		fail(w, http.StatusBadRequest, "VALIDATION_ERROR", "Invalid input JSON on line 1, column 1: "+err.Error())
		return false
	}
	return true
}
