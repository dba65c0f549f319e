package telephonytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/callsync/callsync/telephony"
)

// An Encoding is a form in which phone systems send what they say.
type Encoding string

// The encodings: a JSON body; forms in which what is nested is in brackets (a[b]), behind dots (a.b), or JSON in a text;
// the latter also as multipart; and GETs with brackets or JSON texts in the query.
const (
	JSON      Encoding = "JSON"
	Brackets  Encoding = "form with brackets"
	Dots      Encoding = "form with dots"
	Texts     Encoding = "form with JSON texts"
	Multipart Encoding = "multipart form"
	Query     Encoding = "query with brackets"
	QueryText Encoding = "query with JSON texts"
)

// arrived is when requests of the kit come.
var arrived = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Encode writes a payload in several encodings, for the hook of an event.
func Encode(event string, payload map[string]any, as ...Encoding) map[string]telephony.Request {
	out := make(map[string]telephony.Request, len(as))
	for _, e := range as {
		r := telephony.Request{Method: http.MethodPost, Event: event, Header: http.Header{}, ReceivedAt: arrived}
		switch e {
		case JSON:
			r.Header.Set("Content-Type", "application/json")
			r.Body = mustJSON(payload)
		case Brackets, Dots, Texts:
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Body = []byte(Form(payload, e).Encode())
		case Multipart:
			var b bytes.Buffer
			w := multipart.NewWriter(&b)
			form := Form(payload, Texts)
			for _, k := range slices.Sorted(maps.Keys(form)) {
				_ = w.WriteField(k, form.Get(k)) // A buffer takes everything.
			}
			_ = w.Close()
			r.Header.Set("Content-Type", w.FormDataContentType())
			r.Body = b.Bytes()
		case Query:
			r.Method, r.RawQuery = http.MethodGet, Form(payload, Brackets).Encode()
		case QueryText:
			r.Method, r.RawQuery = http.MethodGet, Form(payload, Texts).Encode()
		default:
			panic("telephonytest: no encoding " + string(e))
		}
		out[string(e)] = r
	}
	return out
}

// Form is a payload as a form in one of the encodings that are forms.
func Form(payload map[string]any, as Encoding) url.Values {
	form := url.Values{}
	for k, v := range payload {
		flatten(form, k, v, as)
	}
	return form
}

func flatten(form url.Values, key string, v any, as Encoding) {
	switch v := v.(type) {
	case nil:
		form.Set(key, "")
	case string:
		form.Set(key, v)
	case float64:
		form.Set(key, strconv.FormatFloat(v, 'f', -1, 64))
	case map[string]any:
		if as == Texts {
			form.Set(key, string(mustJSON(v)))
			return
		}
		for k, inner := range v {
			name := key + "[" + k + "]"
			if as == Dots {
				name = key + "." + k
			}
			flatten(form, name, inner, as)
		}
	case []any:
		if as == Texts {
			form.Set(key, string(mustJSON(v)))
			return
		}
		for i, inner := range v {
			flatten(form, key+"["+strconv.Itoa(i)+"]", inner, as)
		}
	default:
		form.Set(key, fmt.Sprint(v))
	}
}

func mustJSON(v any) []byte {
	doc, err := json.Marshal(v)
	if err != nil {
		panic("telephonytest: " + err.Error()) // Only plain values are in it.
	}
	return doc
}
