package salesforcefake_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/callsync/callsync/connectors/salesforce/salesforcefake"
)

const data = "/services/data/v67.0"

// ask sends one request and gives the status and, of a refusal, its code.
func ask(t *testing.T, f *salesforcefake.Fake, method, path, body string, header ...string) (int, string, string) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+salesforcefake.Token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	text := w.Body.String()
	var list []struct {
		ErrorCode string `json:"errorCode"`
	}
	code := ""
	if json.Unmarshal([]byte(text), &list) == nil && len(list) > 0 {
		code = list[0].ErrorCode
	}
	return w.Code, code, text
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	f := salesforcefake.New(salesforcefake.Options{})
	contact := f.Add("Contact", salesforcefake.Record{"LastName": "Ada"})
	lead := f.Add("Lead", salesforcefake.Record{"LastName": "Grace", "Company": "x"})
	account := f.Add("Account", salesforcefake.Record{"Name": "Acme"})
	gone := f.Add("Contact", salesforcefake.Record{"LastName": "Gone"})
	f.Delete("Contact", gone)
	left := f.AddOwner("left@example.com", false)
	f.Add("Task", salesforcefake.Record{"Subject": "a", "Callsync_Key__c": "twice"})
	f.Add("Task", salesforcefake.Record{"Subject": "b", "Callsync_Key__c": "twice"})
	upsert := data + "/sobjects/Task/Callsync_Key__c/"
	for name, tc := range map[string]struct {
		method, path, body string
		status             int
		code               string
	}{
		"another path":                    {"GET", "/api", "", 404, ""},
		"an object that is not there":     {"GET", data + "/sobjects/Planet/describe", "", 404, "NOT_FOUND"},
		"PUT":                             {"PUT", upsert + "k", `{}`, 405, "METHOD_NOT_ALLOWED"},
		"POST to a query":                 {"POST", data + "/query", `{}`, 405, "METHOD_NOT_ALLOWED"},
		"no JSON":                         {"PATCH", upsert + "k", `{`, 400, "JSON_PARSER_ERROR"},
		"the key in the body":             {"PATCH", upsert + "k", `{"Callsync_Key__c":"k"}`, 400, "INVALID_FIELD"},
		"a field that is no external id":  {"PATCH", data + "/sobjects/Task/Subject/k", `{}`, 404, "NOT_FOUND"},
		"two records":                     {"PATCH", upsert + "twice", `{"Subject":"x"}`, 300, ""},
		"an unknown field":                {"PATCH", upsert + "k", `{"Nope":"x"}`, 400, "INVALID_FIELD"},
		"a number as text":                {"PATCH", upsert + "k", `{"CallDurationInSeconds":"61"}`, 400, "JSON_PARSER_ERROR"},
		"half a second":                   {"PATCH", upsert + "k", `{"CallDurationInSeconds":61.5}`, 400, "JSON_PARSER_ERROR"},
		"a moment for a date":             {"PATCH", upsert + "k", `{"ActivityDate":"2026-06-01T12:00:00Z"}`, 400, "JSON_PARSER_ERROR"},
		"a date for a moment":             {"PATCH", upsert + "k", `{"ReminderDateTime":"2026-06-01"}`, 400, "JSON_PARSER_ERROR"},
		"a long subject":                  {"PATCH", upsert + "k", `{"Subject":"` + strings.Repeat("🎧", 128) + `"}`, 400, "STRING_TOO_LONG"},
		"a picklist":                      {"PATCH", upsert + "k", `{"CallType":"inbound"}`, 400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"},
		"a read-only field":               {"PATCH", upsert + "k", `{"AccountId":"` + account + `"}`, 400, "INVALID_FIELD_FOR_INSERT_UPDATE"},
		"a company as a person":           {"PATCH", upsert + "k", `{"WhoId":"` + account + `"}`, 400, "MALFORMED_ID"},
		"a lead and a company":            {"PATCH", upsert + "k", `{"WhoId":"` + lead + `","WhatId":"` + account + `"}`, 400, "FIELD_INTEGRITY_EXCEPTION"},
		"a person who is gone":            {"PATCH", upsert + "k", `{"WhoId":"` + gone + `"}`, 400, "ENTITY_IS_DELETED"},
		"an owner who has left":           {"PATCH", upsert + "k", `{"OwnerId":"` + left + `"}`, 400, "INACTIVE_OWNER_OR_USER"},
		"a contact without a name":        {"POST", data + "/sobjects/Contact", `{"Phone":"1"}`, 400, "REQUIRED_FIELD_MISSING"},
		"a lead without a company":        {"POST", data + "/sobjects/Lead", `{"LastName":"x"}`, 400, "REQUIRED_FIELD_MISSING"},
		"a deleted record":                {"PATCH", data + "/sobjects/Contact/" + gone, `{"LastName":"x"}`, 404, "ENTITY_IS_DELETED"},
		"a record of another object":      {"GET", data + "/sobjects/Task/" + contact, "", 400, "MALFORMED_ID"},
		"an id that is none":              {"GET", data + "/sobjects/Task/999999999", "", 404, "NOT_FOUND"},
		"an unknown field of a query":     {"GET", data + "/query?q=" + url.QueryEscape("SELECT Nope FROM Task"), "", 400, "INVALID_FIELD"},
		"a query that is none":            {"GET", data + "/query?q=" + url.QueryEscape("SELECT Id FROM Task WHERE Subject = 'x"), "", 400, "MALFORMED_QUERY"},
		"an injected condition":           {"GET", data + "/query?q=" + url.QueryEscape("SELECT Id FROM Task WHERE Subject = x"), "", 400, "MALFORMED_QUERY"},
		"files without a record":          {"GET", data + "/query?q=" + url.QueryEscape("SELECT Id FROM ContentDocumentLink"), "", 400, "MALFORMED_QUERY"},
		"a search without braces":         {"GET", data + "/search?q=" + url.QueryEscape("FIND 415 RETURNING Contact(Id)"), "", 400, "MALFORMED_SEARCH"},
		"reserved characters in a search": {"GET", data + "/search?q=" + url.QueryEscape("FIND {+1 (415)} IN PHONE FIELDS RETURNING Contact(Id)"), "", 400, "MALFORMED_SEARCH"},
		"a large collection":              {"PATCH", data + "/composite/sobjects/Task/Callsync_Key__c", `{"records":[` + strings.Repeat(`{"attributes":{"type":"Task"}},`, 200) + `{"attributes":{"type":"Task"}}]}`, 400, "EXCEEDED_MAX_SIZE_REQUEST"},
	} {
		status, code, text := ask(t, f, tc.method, tc.path, tc.body)
		require.Equal(t, tc.status, status, "%s: %s", name, text)
		require.Equal(t, tc.code, code, "%s: %s", name, text)
	}
	require.Len(t, f.Records("Task"), 2, "a refusal writes nothing")
	status, _, _ := ask(t, f, "PATCH", upsert+"k", `{"Subject":" x "}`)
	require.Equal(t, 201, status)
	status, _, _ = ask(t, f, "PATCH", upsert+"K", `{"Subject":"y"}`)
	require.Equal(t, 200, status, "keys are compared without regard to case")
	status, code, _ := ask(t, f, "PATCH", upsert+"k", `{"TaskSubtype":"Call"}`)
	require.Equal(t, 400, status)
	require.Equal(t, "INVALID_FIELD_FOR_INSERT_UPDATE", code, "what only a create may set")
	status, code, _ = ask(t, f, "GET", data+"/limits", "", "Authorization", "Bearer nobody")
	require.Equal(t, 401, status)
	require.Equal(t, "INVALID_SESSION_ID", code)
	status, _, _ = ask(t, f, "PATCH", upsert+"k", `{}`, "Content-Type", "text/plain")
	require.Equal(t, 415, status)
}

func TestDay(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	f := salesforcefake.New(salesforcefake.Options{PerDay: 2, Now: func() time.Time { return now }})
	for range 2 {
		status, _, _ := ask(t, f, "GET", data+"/limits", "")
		require.Equal(t, 200, status)
	}
	status, code, _ := ask(t, f, "GET", data+"/limits", "")
	require.Equal(t, 403, status)
	require.Equal(t, "REQUEST_LIMIT_EXCEEDED", code)
	now = now.Add(24 * time.Hour)
	status, _, _ = ask(t, f, "GET", data+"/limits", "")
	require.Equal(t, 200, status)
}

// The web server flow as a library speaks it: code, tokens, refresh, and the end of it all.
func TestWebFlow(t *testing.T) {
	t.Parallel()
	f := salesforcefake.New(salesforcefake.Options{})
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	c := oauth2.Config{ClientID: salesforcefake.ClientID, ClientSecret: salesforcefake.ClientSecret, RedirectURL: "https://callsync.example/oauth/callback", Scopes: []string{"api", "refresh_token"},
		Endpoint: oauth2.Endpoint{AuthURL: s.URL + "/services/oauth2/authorize", TokenURL: s.URL + "/services/oauth2/token", AuthStyle: oauth2.AuthStyleInParams}}
	verifier := oauth2.GenerateVerifier()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get(c.AuthCodeURL("st", oauth2.S256ChallengeOption(verifier)))
	require.NoError(t, err)
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	back, err := resp.Location()
	require.NoError(t, err)
	require.Equal(t, "st", back.Query().Get("state"))
	code := back.Query().Get("code")
	_, err = c.Exchange(t.Context(), code, oauth2.VerifierOption("another"))
	require.Error(t, err)
	token, err := c.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
	require.NoError(t, err)
	require.True(t, token.Expiry.IsZero(), "nothing is said of when it ends")
	require.NotEmpty(t, token.Extra("instance_url"))
	_, err = c.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
	require.Error(t, err, "a code counts once")
	refreshed, err := c.TokenSource(t.Context(), &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	require.NoError(t, err)
	require.NotEqual(t, token.AccessToken, refreshed.AccessToken)
	f.Revoke()
	_, err = c.TokenSource(t.Context(), &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	var no *oauth2.RetrieveError
	require.ErrorAs(t, err, &no)
	require.Equal(t, "invalid_grant", no.ErrorCode)
	status, _, _ := ask(t, f, "GET", data+"/limits", "", "Authorization", "Bearer "+refreshed.AccessToken)
	require.Equal(t, 401, status)
}

// A search sees what is older than its lag, in the values of then.
func TestLag(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	f := salesforcefake.New(salesforcefake.Options{SearchLag: time.Minute, Now: func() time.Time { return now }})
	found := func(number string) bool {
		status, _, text := ask(t, f, "GET", data+"/search?q="+url.QueryEscape("FIND {"+number+"} IN PHONE FIELDS RETURNING Contact(Id, Phone)"), "")
		require.Equal(t, 200, status, text)
		return bytes.Contains([]byte(text), []byte(`"Phone"`))
	}
	status, _, _ := ask(t, f, "PATCH", data+"/sobjects/Contact/Callsync_Key__c/k", `{"LastName":"Ada","Phone":"(415) 555-0101"}`)
	require.Equal(t, 201, status)
	require.False(t, found("4155550101"))
	now = now.Add(time.Minute)
	require.True(t, found("4155550101"))
	status, _, _ = ask(t, f, "PATCH", data+"/sobjects/Contact/Callsync_Key__c/k", `{"Phone":"(415) 555-0102"}`)
	require.Equal(t, 200, status)
	require.True(t, found("4155550101"))
	require.False(t, found("4155550102"))
	now = now.Add(time.Minute)
	require.True(t, found("4155550102"))
	require.False(t, found("14155550102"), "another word")
	require.True(t, found("*0102"))
}
