package connectortest

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
)

// recordObjects are the objects that the record writers write.
var recordObjects = map[string]string{"task": connectors.ObjectTask, "note": connectors.ObjectNote, "ticket": connectors.ObjectTicket,
	"message": connectors.ObjectMessage, "form": connectors.ObjectForm}

// testExercised demands a hook for every capability: what a connector says that it can, the kit tries.
func testExercised(t *testing.T, target Target) {
	crm := target.New(t)
	session := serve(t, target, crm.Handler)
	has := connectors.Capabilities(session)
	p, ok := target.Connector.(connectors.Prototyper)
	require.True(t, ok, "the registry asks a prototype for its capabilities")
	require.Equal(t, has, connectors.Capabilities(p.Prototype()), "the prototype and a session differ")
	hooks := map[string]bool{
		"contact_match":    crm.AddContact != nil,
		"email_match":      crm.AddEmailContact != nil,
		"record_link":      crm.AddContact != nil,
		"contact_create":   target.Contact != nil && crm.CountContacts != nil,
		"link":             crm.Linked != nil && crm.AddContact != nil,
		"owner":            crm.AddOwner != nil,
		"owner_list":       crm.AddOwner != nil,
		"contact_follow":   crm.AddContact != nil && crm.DeleteContact != nil,
		"recording_upload": crm.Recordings != nil,
		"transcription":    crm.Transcriptions != nil,
		"deal":             crm.AddDeal != nil && crm.DealField != nil && target.DealField != "",
		"batch":            target.BadWrite != nil,
		// These need no hook.
		"disposition": true, "update": true, "call_look_up": true, "schema": true, "verify": true, "record_look_up": true, "record_read": true, "task_read": true, "batch_read": true,
	}
	for name, object := range recordObjects {
		hooks[name] = target.Records[object] != nil && crm.Records[object].Count != nil && crm.Records[object].Text != nil
	}
	for _, c := range connectors.AllCapabilities() {
		require.Contains(t, hooks, c.Name, "the kit does not know this capability")
	}
	for _, name := range has {
		require.True(t, hooks[name], "the session has the capability %q, but the target has no hook for it", name)
	}
	if a, ok := target.Connector.(connectors.Authorizer); ok {
		require.True(t, target.OAuthSettings != nil && crm.IssueToken != nil && crm.ExpireToken != nil, "the connector has OAuth, but the target has no hook for it")
		testFlow(t, target, a)
	}
	info := target.Connector.Info()
	if slices.Contains(has, "recording_upload") {
		require.Positive(t, info.MaxUpload, "a connector that uploads says how much at most")
	}
	if len(target.Errors) > 0 {
		require.True(t, slices.ContainsFunc(target.Errors, func(e VendorError) bool { return e.Class == connectors.RateLimited }),
			"the vendor's errors lack its answer to too many requests")
	}
}

// need skips a behaviour whose hook is missing; testExercised says which.
func need(t *testing.T, hook bool) {
	t.Helper()
	if !hook {
		t.Skip("the target has no hook for it")
	}
}

func testFlow(t *testing.T, target Target, a connectors.Authorizer) {
	flow, ok, err := a.OAuth(target.OAuthSettings("https://crm.example"))
	require.NoError(t, err)
	require.True(t, ok, "OAuthSettings are those of an OAuth connection")
	require.NotEmpty(t, flow.Grant)
	require.Regexp(t, `^https://`, flow.TokenURL)
	require.NotEmpty(t, flow.ClientID)
	if flow.Grant == connectors.AuthorizationCode {
		require.Regexp(t, `^https://`, flow.AuthURL)
	}
	if flow.Learn != nil {
		for _, answer := range []map[string]any{nil, {}, {"access_token": 1, "hub_id": "x", "api_domain": []any{}, "instance_url": nil}} {
			require.NotPanics(t, func() { flow.Learn(answer) })
		}
	}
}
