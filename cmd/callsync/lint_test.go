package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLint(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	good := write("good.yaml", "format: 1\nobject: call\nfields:\n  - target: subject\n    value: {field: customer.name}\n")
	bad := write("bad.yaml", "format: 1\nobject: call\nfields:\n  - target: subject\n    value: {expr: 'customer.nmae + 1'}\n  - target: outcom\n    value: {const: x}\n")
	near := write("near.yaml", "format: 1\nobject: call\nfields:\n  - target: subjct\n    value: {field: customer.name}\n")
	html := write("html.yaml", "format: 1\nobject: call\nfields:\n  - target: hs_call_body\n    value: {field: note}\n  - target: hs_call_duration\n    value: {field: talk_seconds}\n")
	planet := write("planet.yaml", "format: 1\nobject: planet\nfields:\n  - target: x\n    value: {field: note}\n")
	fields := `{"object": "call", "version": 3, "fields": [{"name": "subject", "label": "Subject", "type": "text", "required": true, "read_only": false, "max_length": 10}]}`
	schema := write("schema.json", fields)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" || r.URL.Path != "/api/v1/connections/c-1/schema/call" {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"detail": "There is no such thing in this workspace."}`))
			return
		}
		_, _ = w.Write([]byte(fields))
	}))
	t.Cleanup(api.Close)
	for name, c := range map[string]struct {
		args   []string
		status int
		out    string
	}{
		"good":         {[]string{good}, 0, good + ": not checked: the fields of a CRM\n"},
		"bad":          {[]string{bad}, exitFindings, bad + ":5:10: error: row 1 (subject), value.expr: There is no field nmae here. Did you mean name? [language]\n"},
		"with schema":  {[]string{"--schema", schema, good}, 0, ""},
		"near":         {[]string{near, "--schema", schema}, exitFindings, near + ":4: error: row 1 (subjct), target: The CRM has no field subjct in call. Did you mean subject? [unknown_field]\n"},
		"live":         {[]string{near, "--connection", "c-1", "--url", api.URL, "--token", "secret"}, exitFindings, near + ":4: error: row 1 (subjct)"},
		"live good":    {[]string{good, "--connection", "c-1", "--url", api.URL + "/", "--token", "secret"}, 0, ""},
		"not there":    {[]string{good, "--connection", "c-2", "--url", api.URL, "--token", "secret"}, exitFailed, ""},
		"no such file": {[]string{filepath.Join(dir, "none")}, exitFailed, ""},
		"no schema":    {[]string{good, "--schema", good}, exitFailed, ""},
		"connector":    {[]string{html, "--connector", "hubspot"}, 0, "warning: row 1 (hs_call_body), type: The default mapping of HubSpot fills hs_call_body by a row of type html, this one is of type text. [wrong_type]\n"},
		"objects":      {[]string{planet, "--connector", "hubspot"}, exitFindings, "callsync writes no planet to HubSpot. It writes call,"},
		"no connector": {[]string{good, "--connector", "nobody"}, exitUsage, ""},
		"no file":      {nil, exitUsage, ""},
		"two":          {[]string{good, "--connector", "hubspot", "--schema", schema}, exitUsage, ""},
		"no address":   {[]string{good, "--connection", "c-1", "--url", "", "--token", "x"}, exitUsage, ""},
		"unknown flag": {[]string{good, "--nothing"}, exitUsage, ""},
		"help":         {[]string{"--help"}, 0, "Usage: callsync mappings lint"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			err := runLint(t.Context(), c.args, strings.NewReader(""), &out)
			if c.status == 0 {
				require.NoError(t, err)
			} else {
				var exit *exitError
				require.True(t, errors.As(err, &exit), "%v", err)
				require.Equal(t, c.status, exit.code, exit.text)
				require.NotContains(t, exit.text, "secret")
			}
			require.Contains(t, out.String(), c.out)
		})
	}

	var out bytes.Buffer
	err := runLint(t.Context(), []string{"-", "--json", "--schema", schema}, strings.NewReader("format: 1\nobject: call\nfields:\n  - target: subject\n    value: {const: far too long a text}\n"), &out)
	require.Error(t, err)
	var got []linted
	require.NoError(t, json.Unmarshal(out.Bytes(), &got))
	require.Len(t, got, 1)
	require.False(t, got[0].OK)
	require.Equal(t, 5, got[0].Findings[0].Line)
	require.EqualValues(t, "too_long", got[0].Findings[0].Code)
}

// The documents that the connectors bring are right by themselves.
func TestLintDefaults(t *testing.T) {
	t.Parallel()
	for _, info := range crms().Infos() {
		for object, text := range info.Mappings {
			var out bytes.Buffer
			require.NoError(t, runLint(t.Context(), []string{"-", "--connector", info.ID}, bytes.NewReader(text), &out), "%s %s: %s", info.ID, object, out.String())
			require.NotContains(t, out.String(), "warning:", "%s %s", info.ID, object)
		}
	}
}
