package espocrm_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/connectortest"
	"github.com/callsync/callsync/connectors/espocrm"
	"github.com/callsync/callsync/connectors/espocrm/espocrmfake"
)

const apiKey = "5e6ed1c0ffee5e6ed1c0ffee5e6ed1c0"

func settings(url string) connectors.Settings {
	return connectors.Settings{ConnectionID: "c1", Config: map[string]string{"base_url": url}, Secrets: map[string]string{"api_key": apiKey}}
}

func write(key, remoteID, text string, at time.Time) connectors.CallWrite {
	return connectors.CallWrite{Key: key, RemoteID: remoteID, Fields: map[string]any{
		"name": "Inbound call", "dateStart": at, "dateEnd": at.Add(61 * time.Second), "direction": "Inbound", "status": "Held", "description": text,
		espocrm.DurationField: int64(61), "assignedUserId": "1",
	}}
}

// entityOf are EspoCRM's names of what tests make.
var entityOf = map[string]string{connectors.ObjectContact: "Contact", connectors.ObjectLead: "Lead", connectors.ObjectCompany: "Account"}

// mark is where callsync's key begins in a note.
const mark = "\n\n[//]: # (callsync "

// keyed are the living records with callsync's key.
func keyed(f *espocrmfake.Fake, entity, key string) []espocrmfake.Record {
	var out []espocrmfake.Record
	for _, r := range f.Records(entity) {
		post, _ := r["post"].(string)
		if r[espocrm.KeyField] == key || strings.HasSuffix(post, mark+key+")") {
			out = append(out, r)
		}
	}
	return out
}

func remove(f *espocrmfake.Fake, entity, key string) {
	for _, r := range keyed(f, entity, key) {
		f.Delete(entity, r["id"].(string))
	}
}

func text(f *espocrmfake.Fake, entity, key, field string) (string, bool) {
	list := keyed(f, entity, key)
	if len(list) == 0 {
		return "", false
	}
	s, _ := list[0][field].(string)
	s, _, _ = strings.Cut(s, mark)
	return s, true
}

// linked are the records that a record is tied to, as person or parent, each once.
func linked(f *espocrmfake.Fake, entity, key string) []connectors.Ref {
	var out []connectors.Ref
	for _, r := range keyed(f, entity, key) {
		seen := map[connectors.Ref]bool{}
		add := func(object string, id any) {
			s, _ := id.(string)
			if ref := (connectors.Ref{Object: object, ID: s}); s != "" && !seen[ref] {
				seen[ref] = true
				out = append(out, ref)
			}
		}
		for object, name := range map[string]string{connectors.ObjectContact: "contactsIds", connectors.ObjectLead: "leadsIds"} {
			ids, _ := r[name].([]any)
			for _, id := range ids {
				add(object, id)
			}
		}
		for object, e := range entityOf {
			if r["parentType"] == e {
				add(object, r["parentId"])
			}
		}
	}
	return out
}

func recordHooks(f *espocrmfake.Fake, entity, field string) connectortest.RecordHooks {
	h := connectortest.RecordHooks{
		Count:  func(key string) int { return len(keyed(f, entity, key)) },
		Text:   func(key string) (string, bool) { return text(f, entity, key, field) },
		Linked: func(key string) []connectors.Ref { return linked(f, entity, key) },
		Delete: func(key string) { remove(f, entity, key) },
		Done:   func(key string) bool { return keyed(f, entity, key)[0]["status"] == "Completed" },
	}
	if entity == "Note" {
		// A note is on a record; the kit's are on none. TestNotes deletes one.
		h.Delete = nil
	}
	return h
}

func newCRM(t *testing.T) connectortest.CRM {
	f := espocrmfake.New(espocrmfake.Options{APIKey: apiKey})
	moment := func(key, field string) (time.Time, bool) {
		s, ok := text(f, "Call", key, field)
		if !ok {
			return time.Time{}, false
		}
		at, err := time.Parse("2006-01-02 15:04:05", s)
		return at, err == nil
	}
	person := func(object, name, number string) connectors.Ref {
		values := espocrmfake.Record{"lastName": name, "phoneNumber": number}
		if object == connectors.ObjectCompany {
			values = espocrmfake.Record{"name": name, "phoneNumber": number}
		}
		return connectors.Ref{Object: object, ID: f.Add(entityOf[object], values)}
	}
	return connectortest.CRM{
		Handler: f,
		Count:   func(key string) int { return len(keyed(f, "Call", key)) },
		Text:    func(key string) (string, bool) { return text(f, "Call", key, "description") },
		Time:    func(key string) (time.Time, bool) { return moment(key, "dateStart") },
		Duration: func(key string) (time.Duration, bool) {
			list := keyed(f, "Call", key)
			if len(list) == 0 {
				return 0, false
			}
			n, ok := list[0][espocrm.DurationField].(float64)
			return time.Duration(n) * time.Second, ok
		},
		Delete: func(key string) { remove(f, "Call", key) },
		Linked: func(key string) []connectors.Ref { return linked(f, "Call", key) },
		Move: func(key string, to connectors.Ref) {
			f.Set("Call", keyed(f, "Call", key)[0]["id"].(string), espocrmfake.Record{"contactsIds": []any{to.ID}, "parentType": entityOf[to.Object], "parentId": to.ID})
		},
		AddContact: person,
		AddEmailContact: func(name, email string) connectors.Ref {
			return connectors.Ref{Object: connectors.ObjectContact, ID: f.Add("Contact", espocrmfake.Record{"lastName": name, "emailAddress": email})}
		},
		CountContacts: func(object, key string) int { return len(keyed(f, entityOf[object], key)) },
		DeleteContact: func(ref connectors.Ref) { f.Delete(entityOf[ref.Object], ref.ID) },
		AddOwner:      func(email string, active bool) { f.AddOwner(email, active) },
		Records: map[string]connectortest.RecordHooks{
			connectors.ObjectTask: recordHooks(f, "Task", "description"), connectors.ObjectTicket: recordHooks(f, "Case", "description"),
			connectors.ObjectNote: recordHooks(f, "Note", "post"), connectors.ObjectMessage: recordHooks(f, "Note", "post"), connectors.ObjectForm: recordHooks(f, "Note", "post"),
		},
		AddDeal: func(of connectors.Ref, open bool) string {
			stage := "Proposal"
			if !open {
				stage = "Closed Won"
			}
			return f.Add("Opportunity", espocrmfake.Record{"name": "Deal", "stage": stage, "amount": 100, "closeDate": "2026-12-01", "contactsIds": []any{of.ID}})
		},
		DealField: func(id, field string) string {
			for _, r := range f.Records("Opportunity") {
				if r["id"] == id {
					s, _ := r[field].(string)
					return s
				}
			}
			return ""
		},
		Recordings: func(key string) [][]byte { return f.Files(keyed(f, "Call", key)[0][espocrm.RecordingsField+"Ids"]) },
	}
}

func recordWrite(field string) func(key, remoteID, text string, links []connectors.Ref) connectors.RecordWrite {
	return func(key, remoteID, text string, links []connectors.Ref) connectors.RecordWrite {
		return connectors.RecordWrite{Key: key, RemoteID: remoteID, Fields: map[string]any{field: text}, Links: links}
	}
}

func creates(r *http.Request) bool { return r.Method == http.MethodPost }

func header(reason string) http.Header { return http.Header{"X-Status-Reason": {reason}} }

// body is EspoCRM's for its pages.
func body(label, data string) string {
	return `{"messageTranslation":{"label":"` + label + `","scope":null,"data":` + data + `}}`
}

func target() connectortest.Target {
	return connectortest.Target{
		Connector: espocrm.New(),
		Settings:  settings,
		Secrets:   []string{apiKey},
		New:       newCRM,
		Write:     write,
		WriteDuration: func(key string, at time.Time, d time.Duration) connectors.CallWrite {
			w := write(key, "", "x", at)
			w.Fields["dateEnd"], w.Fields[espocrm.DurationField] = at.Add(d), int64(d/time.Second)
			return w
		},
		Contact: func(object, key, name, number string) connectors.ContactWrite {
			return connectors.ContactWrite{Key: key, Object: object, Fields: map[string]any{"firstName": "Ms", "lastName": name, "phoneNumber": number}}
		},
		Records: map[string]func(key, remoteID, text string, links []connectors.Ref) connectors.RecordWrite{
			connectors.ObjectTask: recordWrite("description"), connectors.ObjectTicket: recordWrite("description"), connectors.ObjectNote: recordWrite("post"),
			connectors.ObjectMessage: recordWrite("post"), connectors.ObjectForm: recordWrite("post"),
		},
		DealField: "description", DealValue: "touched",
		Classes: map[int]connectors.Class{},
		// EspoCRM's own 403 and 404 have a reason; without one something in front has answered, or the lock against guessing.
		NotVendors: map[int]connectors.Class{http.StatusForbidden: connectors.Unavailable},
		ErrorBody: func(status int) string {
			if status == http.StatusForbidden || status == http.StatusNotFound {
				return body("noAccess", `{}`)
			}
			return ""
		},
		TimeStep: time.Second, DurationStep: time.Second,
		Errors: []connectortest.VendorError{
			{Name: "a required field", Status: 400, On: creates, Header: header("Field validation failure; entityType: Call, field: dateEnd, type: required."),
				Body: body("validationFailure", `{"field":"dateEnd","type":"required"}`), Class: connectors.Invalid, Field: "dateEnd", Public: "demands a value"},
			{Name: "a value that is no option", Status: 400, On: creates, Header: header("Field validation failure; entityType: Call, field: direction, type: valid."),
				Body: body("validationFailure", `{"field":"direction","type":"valid"}`), Class: connectors.Invalid, Field: "direction", Public: "one of its options"},
			{Name: "assignment", Status: 403, On: creates, Header: header("Assignment failure: assigned user or team not allowed."), Class: connectors.Forbidden, Field: "assignedUser", Public: "Assignment Permission"},
			{Name: "a user that the role hides", Status: 403, On: creates, Header: header("No foreign record access for link operation (Call:assignedUser)."),
				Body: body("cannotRelateForbidden", `{"foreignEntityType":"User","action":"read"}`), Class: connectors.Forbidden, Field: "assignedUser", Public: "User → read"},
			{Name: "a contact that is gone", Status: 403, On: creates, Header: header("Can't relate with non-existing record. entity type: Call, link: contacts."),
				Body: body("cannotRelateNonExisting", `{"foreignEntityType":"Contact"}`), Class: connectors.NotFound, Field: "contacts"},
			{Name: "a user that is gone", Status: 403, On: creates, Header: header("Can't relate with non-existing record. entity type: Call, link: assignedUser."),
				Body: body("cannotRelateNonExisting", `{"foreignEntityType":"User"}`), Class: connectors.Invalid, Field: "assignedUser", Public: "does not exist any more"},
			{Name: "no right", Status: 403, On: creates, Header: header("No create access."), Class: connectors.Forbidden, Public: "Call → create"},
			{Name: "the lock against guessing", Status: 403, Class: connectors.Unavailable, MinRetryAfter: time.Minute, MaxRetryAfter: time.Minute, Public: "failed log-ins"},
			{Name: "an unknown key", Status: 401, Class: connectors.Unauthorized},
			{Name: "two factors", Status: 401, Header: header("second-step-required"), Body: `{"status":"secondStepRequired","token":"hunter2"}`, Class: connectors.Unauthorized, Public: "two-factor"},
			{Name: "another server", Status: 404, Body: "<html>not found</html>", Class: connectors.Unavailable, Public: "not EspoCRM's API"},
			{Name: "a duplicate", Status: 409, On: creates, Header: header("duplicate"), Body: `[{"id":"6b0258e7adfc1f58a","name":"hunter2","phoneNumber":"+14155550199"}]`, Class: connectors.Conflict, RemoteID: "6b0258e7adfc1f58a"},
			{Name: "the proxy's limit", Status: 429, Header: http.Header{"Retry-After": {"17"}}, Body: "<html>429</html>", Class: connectors.RateLimited, MinRetryAfter: 17 * time.Second, MaxRetryAfter: 17 * time.Second},
			{Name: "a body that is too large", Status: 413, Body: "<html>413</html>", Class: connectors.Invalid, Public: "web server"},
			{Name: "maintenance", Status: 503, Header: header("Application is in maintenance mode."), Class: connectors.Unavailable},
			{Name: "a key that is not there", Status: 400, Header: header("Not existing attribute 'cCallsyncKey' in where."), Class: connectors.Invalid, Field: "cCallsyncKey", Public: "has no field",
				Do: func(ctx context.Context, s connectors.Session) error {
					_, _, err := s.(connectors.CallFinder).FindCall(ctx, "key")
					return err
				}},
		},
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, target())
}
