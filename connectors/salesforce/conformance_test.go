package salesforce_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/connectortest"
	"github.com/callsync/callsync/connectors/salesforce"
	"github.com/callsync/callsync/connectors/salesforce/salesforcefake"
)

const token = "00D5e0000001XyZ!AQ4AQsecretsessionid"

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func settings(url string) connectors.Settings {
	return connectors.Settings{ConnectionID: "c1", Config: map[string]string{"base_url": url}, Secrets: map[string]string{"access_token": token}}
}

func write(key, remoteID, text string, at time.Time) connectors.CallWrite {
	return connectors.CallWrite{Key: key, RemoteID: remoteID, Fields: map[string]any{
		"Subject": "Inbound call", "Status": "Completed", "ActivityDate": at.Format("2006-01-02"), salesforce.StartField: at, "CallType": "Inbound",
		"CallDurationInSeconds": int64(61), "CallDisposition": "Sale", "Description": text,
	}}
}

// names are Salesforce's for callsync's objects.
var names = map[string]string{"contact": "Contact", "lead": "Lead", "company": "Account", "deal": "Opportunity", "ticket": "Case", "task": "Task", "note": "Task", "message": "Task", "form": "Task"}

func str(r salesforcefake.Record, name string) string {
	s, _ := r[name].(string)
	return s
}

func one(f *salesforcefake.Fake, object, key string) (salesforcefake.Record, bool) {
	if list := f.ByKey(object, key); len(list) > 0 {
		return list[0], true
	}
	return nil, false
}

func linked(r salesforcefake.Record) []connectors.Ref {
	var out []connectors.Ref
	prefixes := map[string]string{"003": "contact", "00Q": "lead", "001": "company", "006": "deal", "500": "ticket"}
	for _, name := range []string{"WhoId", "ContactId", "WhatId"} {
		if id := str(r, name); id != "" {
			out = append(out, connectors.Ref{Object: prefixes[id[:3]], ID: id})
		}
	}
	return out
}

func hooks(f *salesforcefake.Fake, object string) connectortest.RecordHooks {
	return connectortest.RecordHooks{
		Count: func(key string) int { return len(f.ByKey(object, key)) },
		Text: func(key string) (string, bool) {
			r, ok := one(f, object, key)
			return str(r, "Description"), ok
		},
		Linked: func(key string) []connectors.Ref {
			r, _ := one(f, object, key)
			return linked(r)
		},
		Delete: func(key string) {
			for _, r := range f.ByKey(object, key) {
				f.Delete(object, str(r, "Id"))
			}
		},
		Done: func(key string) bool {
			r, _ := one(f, object, key)
			return r["IsClosed"] == true
		},
	}
}

// options are those of the kit's org.
func options() salesforcefake.Options {
	return salesforcefake.Options{Tokens: []string{token}, SearchLag: -1, PageSize: 100, RowLock: time.Millisecond}
}

func newCRM(t *testing.T) connectortest.CRM {
	f := salesforcefake.New(options())
	f.Define("Task", "Outcome__c", "picklist", "Sale", "No interest")
	task := func(key string) salesforcefake.Record { r, _ := one(f, "Task", key); return r }
	tasks := hooks(f, "Task")
	crm := connectortest.CRM{
		Handler: f,
		Count:   tasks.Count,
		Text:    tasks.Text,
		Time: func(key string) (time.Time, bool) {
			at, err := time.Parse("2006-01-02T15:04:05.000-0700", str(task(key), salesforce.StartField))
			return at, err == nil
		},
		Duration: func(key string) (time.Duration, bool) {
			n, ok := task(key)["CallDurationInSeconds"].(float64)
			return time.Duration(n) * time.Second, ok
		},
		Delete: tasks.Delete,
		Linked: tasks.Linked,
		Move: func(key string, to connectors.Ref) {
			f.Set("Task", str(task(key), "Id"), salesforcefake.Record{"WhoId": to.ID})
		},
		Lag: func(on bool) {
			if on {
				f.SetLag(time.Hour)
			} else {
				f.SetLag(0)
			}
		},
		IssueToken:  f.IssueToken,
		ExpireToken: f.ExpireToken,
		AddContact: func(object, name, number string) connectors.Ref {
			v := salesforcefake.Record{"LastName": name, "Phone": number}
			switch object {
			case "company":
				v = salesforcefake.Record{"Name": name, "Phone": number}
			case "lead":
				v["Company"], v["IsConverted"] = "Acme", false
			}
			return connectors.Ref{Object: object, ID: f.Add(names[object], v)}
		},
		CountContacts: func(object, key string) int { return len(f.ByKey(names[object], key)) },
		DeleteContact: func(ref connectors.Ref) { f.Delete(names[ref.Object], ref.ID) },
		MergeContacts: func(loser, winner connectors.Ref) connectors.Ref {
			f.Merge(names[winner.Object], loser.ID, winner.ID)
			return winner
		},
		AddOwner: func(email string, active bool) { f.AddOwner(email, active) },
		AddDeal: func(of connectors.Ref, open bool) string {
			stage := "Prospecting"
			if !open {
				stage = "Closed Lost"
			}
			id := f.Add("Opportunity", salesforcefake.Record{"Name": "A deal", "StageName": stage, "CloseDate": "2026-12-01"})
			f.Add("OpportunityContactRole", salesforcefake.Record{"OpportunityId": id, "ContactId": of.ID})
			return id
		},
		DealField: func(id, field string) string {
			for _, r := range f.Records("Opportunity") {
				if r["Id"] == id {
					return str(r, field)
				}
			}
			return ""
		},
		Recordings: func(key string) [][]byte {
			var out [][]byte
			for name, content := range f.Files(str(task(key), "Id")) {
				if !strings.HasPrefix(name, "Transcription") {
					out = append(out, content)
				}
			}
			return out
		},
		Transcriptions: func(key string) []string {
			var out []string
			for name, content := range f.Files(str(task(key), "Id")) {
				if strings.HasPrefix(name, "Transcription") {
					out = append(out, string(content))
				}
			}
			return out
		},
		Records: map[string]connectortest.RecordHooks{},
	}
	for _, object := range []string{"task", "note", "message", "form", "ticket"} {
		crm.Records[object] = hooks(f, names[object])
	}
	return crm
}

func recordWrites() map[string]func(key, remoteID, text string, links []connectors.Ref) connectors.RecordWrite {
	out := map[string]func(key, remoteID, text string, links []connectors.Ref) connectors.RecordWrite{}
	for _, object := range []string{"task", "note", "message", "form", "ticket"} {
		out[object] = func(key, remoteID, text string, links []connectors.Ref) connectors.RecordWrite {
			return connectors.RecordWrite{Key: key, RemoteID: remoteID, Links: links, Fields: map[string]any{"Description": text}}
		}
	}
	return out
}

func creates(r *http.Request) bool {
	return r.Method == http.MethodPatch && strings.Contains(r.URL.Path, "/"+salesforce.KeyField+"/")
}

func refused(name string, status int, code, message string, class connectors.Class, field, public string, fields ...string) connectortest.VendorError {
	quoted := make([]string, len(fields))
	for i, f := range fields {
		quoted[i] = fmt.Sprintf("%q", f)
	}
	return connectortest.VendorError{Name: name, Status: status, On: creates, Class: class, Field: field, Public: public,
		Body: fmt.Sprintf(`[{"message":%q,"errorCode":%q,"fields":[%s]}]`, message, code, strings.Join(quoted, ","))}
}

// vendorErrors are Salesforce's refusals (REST guide, Status Codes and Error Responses; SOAP guide, StatusCode).
func vendorErrors() []connectortest.VendorError {
	slow := func(v connectortest.VendorError, least, most time.Duration) connectortest.VendorError {
		v.MinRetryAfter, v.MaxRetryAfter = least, most
		return v
	}
	conflict := refused("a unique field of the customer's", 400, "DUPLICATE_VALUE", "duplicate value found: Ticket__c duplicates value on record with id: 00T5e00001AbCdE", connectors.Conflict, "Ticket__c", "only one may have")
	conflict.RemoteID = "00T5e00001AbCdE"
	return []connectortest.VendorError{
		{Name: "the session has ended", Status: 401, Body: `[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]`, Class: connectors.Unauthorized},
		slow(refused("the day's requests", 403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", connectors.QuotaExhausted, "", "last 24 hours"), 15*time.Minute, 15*time.Minute),
		slow(refused("requests at once", 403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.", connectors.RateLimited, "", "slow down"), 10*time.Second, 10*time.Second),
		slow(refused("a lock", 400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records: 0015e00000hunter2", connectors.RateLimited, "", "at this moment"), 2*time.Second, 2*time.Second),
		slow(refused("a lock in a trigger", 400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "TaskTrigger: execution of AfterInsert caused by: System.DmlException: UNABLE_TO_LOCK_ROW hunter2", connectors.RateLimited, "", "at this moment"), 2*time.Second, 2*time.Second),
		{Name: "two records with the key", Status: 300, On: creates, Body: `["/services/data/v67.0/sobjects/Task/00T1","/services/data/v67.0/sobjects/Task/00T2"]`, Class: connectors.Conflict, Field: salesforce.KeyField, Public: "does not demand unique values"},
		refused("no key field", 404, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: Callsync_Key__c", connectors.Invalid, salesforce.KeyField, "is an external ID"),
		refused("a field that is not there", 400, "INVALID_FIELD", "No such column 'Nope__c' on sobject of type Task", connectors.Invalid, "Nope__c", "has no field"),
		refused("a required field", 400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [Region__c]", connectors.Invalid, "Region__c", "demands a value", "Region__c"),
		refused("a picklist", 400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "Call Type: bad value for restricted picklist field: hunter2", connectors.Invalid, "CallType", "does not have this value", "CallType"),
		refused("a validation rule", 400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "hunter2 is wrong", connectors.Invalid, "", "validation rule"),
		refused("a flow", 400, "CANNOT_EXECUTE_FLOW_TRIGGER", "We can't save this record because the hunter2 process failed.", connectors.Invalid, "", "automation"),
		refused("a lead and a record", 400, "FIELD_INTEGRITY_EXCEPTION", "Related To ID: hunter2", connectors.Invalid, "WhatId", "on a lead", "WhatId"),
		refused("a read-only field", 400, "INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to create/update fields: Locked__c. Please check the security settings", connectors.Invalid, "Locked__c", "may not write", "Locked__c"),
		refused("an owner who has left", 400, "INACTIVE_OWNER_OR_USER", "Operation performed with inactive user [0055e000] as owner of task", connectors.Invalid, "", "not active any more"),
		refused("an owner who is none", 400, "INVALID_CROSS_REFERENCE_KEY", "Owner ID: owner cannot be blank", connectors.Invalid, "OwnerId", "agents and owners", "OwnerId"),
		refused("a contact that is gone", 400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", connectors.NotFound, "", "gone"),
		refused("a contact that was deleted", 400, "ENTITY_IS_DELETED", "entity is deleted", connectors.NotFound, "", "gone"),
		refused("a right", 403, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id", connectors.Forbidden, "", "permission set"),
		refused("a record that is hidden", 400, "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "insufficient access rights on cross-reference id: 0035e00000hunter2", connectors.Forbidden, "", "see or edit"),
		refused("no API", 403, "API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization.", connectors.Forbidden, "", "API Enabled"),
		refused("storage", 400, "STORAGE_LIMIT_EXCEEDED", "storage limit exceeded", connectors.Forbidden, "", "no storage left"),
		refused("maintenance", 503, "SERVER_UNAVAILABLE", "Server unavailable", connectors.Unavailable, "", ""),
		refused("a fault", 500, "UNKNOWN_EXCEPTION", "An unexpected error occurred. Please include this ErrorId if you contact support: 1-2 (3)", connectors.Unavailable, "", ""),
		{Name: "another server", Status: 404, Body: "<html>not found</html>", Class: connectors.Unavailable, Public: "not Salesforce's API"},
		conflict,
		{Name: "a query that takes too long", Status: 400, Body: `[{"message":"Your query request was running for too long.","errorCode":"QUERY_TIMEOUT"}]`, Class: connectors.Unavailable,
			Do: func(ctx context.Context, s connectors.Session) error {
				_, _, err := s.(connectors.CallFinder).FindCall(ctx, "key")
				return err
			}},
	}
}

func target() connectortest.Target {
	return connectortest.Target{
		Connector: salesforce.New(),
		Settings: func(url string) connectors.Settings {
			s := settings(url)
			s.Config["disposition_field"] = "Outcome__c"
			return s
		},
		OAuthSettings: func(url string) connectors.Settings {
			return connectors.Settings{ConnectionID: "c1", Config: map[string]string{"base_url": url, "oauth_flow": "authorization_code", "client_id": salesforcefake.ClientID},
				Secrets: map[string]string{"client_secret": salesforcefake.ClientSecret}}
		},
		Secrets: []string{token, salesforcefake.ClientSecret},
		New:     newCRM,
		Write:   write,
		WriteDuration: func(key string, at time.Time, d time.Duration) connectors.CallWrite {
			w := write(key, "", "x", at)
			w.Fields["CallDurationInSeconds"] = int64(d / time.Second)
			return w
		},
		BadWrite: func(key string) connectors.CallWrite {
			w := write(key, "", "x", noon)
			w.Fields["CallType"] = "Sideways"
			return w
		},
		Contact: func(object, key, name, number string) connectors.ContactWrite {
			return connectors.ContactWrite{Key: key, Object: object, Fields: map[string]any{"LastName": name, "Phone": number}}
		},
		Records:   recordWrites(),
		DealField: "NextStep", DealValue: "Call back",
		Errors:  vendorErrors(),
		Classes: map[int]connectors.Class{http.StatusMultipleChoices: connectors.Conflict},
		ErrorBody: func(status int) string {
			return fmt.Sprintf(`[{"message":"something","errorCode":"CODE_%d"}]`, status)
		},
		MaxText: 32000,
		TextLen: func(s string) int { return len(utf16.Encode([]rune(s))) },
		// Salesforce keeps no space around texts, and nothing is null there.
		TextAs:   strings.TrimSpace,
		TimeStep: time.Second, DurationStep: time.Second,
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, target())
}

// TestConformanceByClientCredentials runs the flow of the other grant.
func TestClientCredentials(t *testing.T) {
	t.Parallel()
	a := salesforce.New().(connectors.Authorizer)
	flow, ok, err := a.OAuth(connectors.Settings{Config: map[string]string{"base_url": "https://acme.my.salesforce.com/", "client_id": "k"}, Secrets: map[string]string{"client_secret": "s"}})
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, connectors.ClientCredentials, flow.Grant)
	require.Equal(t, "https://acme.my.salesforce.com/services/oauth2/token", flow.TokenURL)
	require.Empty(t, flow.Scopes, "the app's own")
}
