package telephonytest

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/telephony"
)

// Fuzz runs TryDecode on mutations of cases: of whole requests, and of single fields of them, which the mutation of a body
// seldom leaves readable. What it has found in longer runs is in testdata/fuzz of the provider.
func Fuzz(f *testing.F, p telephony.Provider, cases []Case) {
	AddSeeds(f, cases, func(method, event, query string, body []byte, name, value string) {
		f.Add(method, event, query, body, name, value)
	})
	s := Settings(p)
	s.Location, s.DefaultCountry, s.OwnNumbers = time.UTC, "IN", []string{"+918045671200"}
	f.Fuzz(func(t *testing.T, method, event, query string, body []byte, name, value string) {
		r := telephony.Request{Method: method, Event: event, RawQuery: query, Header: http.Header{}, Body: SetField(body, name, value), ReceivedAt: arrived}
		TryDecode(t, p, r, s)
		if err := p.Verify(r, s); err != nil {
			require.ErrorIs(t, err, telephony.ErrSignature)
			require.NotContains(t, err.Error(), sentinel)
		}
	})
}

// AddSeeds adds the requests of cases as they are, and with one field of each set to the value it has.
func AddSeeds(f *testing.F, cases []Case, add func(method, event, query string, body []byte, name, value string)) {
	f.Helper()
	for i, c := range cases {
		r := c.Request
		add(r.Method, r.Event, r.RawQuery, r.Body, "", "")
		fields := object(r)
		names := slices.Sorted(maps.Keys(fields))
		for n := i % 7; n < len(names); n += 7 {
			add(r.Method, r.Event, r.RawQuery, r.Body, names[n], string(mustJSON(fields[names[n]])))
		}
	}
}

// SetField sets a field of a JSON object to a value, which is JSON or text. Other bodies, and names that are empty, stay.
func SetField(body []byte, name, value string) []byte {
	var fields map[string]json.RawMessage
	if name == "" || json.Unmarshal(body, &fields) != nil || fields == nil {
		return body
	}
	fields[name] = json.RawMessage(value)
	if !json.Valid(fields[name]) {
		fields[name] = mustJSON(value)
	}
	out, err := json.Marshal(fields)
	if err != nil {
		return body
	}
	return bytes.Clone(out)
}
