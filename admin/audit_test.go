package admin_test

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/records"
)

// changesNothing are the routes whose success is no change of what people configure or decide, and why.
var changesNothing = map[string]string{
	"POST /connections/{id}/mappings/{object}/row": "nothing is saved",
	"POST /steps/hide":                   "what Home shows",
	"POST /demo":                         "noted as the source and the connection that it adds (TestDemoData)",
	"POST /demo/remove":                  "noted as a source that is removed (TestDemoData)",
	"POST /api/v1/demo":                  "as POST /demo",
	"DELETE /api/v1/demo":                "as POST /demo/remove",
	"POST /calls/columns":                "what one browser shows",
	"POST /api/v1/connections/{id}/test": "a test; what it resumes is noted as resumed",
	"POST /connections/{id}/test":        "a test",
	"POST /api/v1/connections/{id}/schema/{object}/refresh":   "the CRM's fields are read",
	"POST /connections/{id}/schema":                           "the CRM's fields are read",
	"POST /api/v1/connections/{id}/mappings/{object}/check":   "nothing is saved",
	"POST /api/v1/connections/{id}/mappings/{object}/preview": "nothing is saved",
	"POST /api/v1/connections/{id}/rules/preview":             "nothing is saved",
	"POST /api/v1/sources/{id}/rules/preview":                 "nothing is saved",
	"POST /api/v1/connections/{id}/actions/preview":           "nothing is saved",
	"POST /api/v1/sources/{id}/send-test":                     "a test call, marked as one",
	"POST /sources/{id}/send-test":                            "a test call, marked as one",
	"POST /api/v1/alert-channels/{id}/test":                   "a test",
	"POST /settings/alerts/channels/{id}/test":                "a test",
	"POST /api/v1/connections/{id}/owners/match":              "the CRM's users are read; owners who change for it are noted",
	"POST /connections/{id}/owners/match":                     "the CRM's users are read; owners who change for it are noted",
}

// attempt is a request that changes something: a form or a JSON body.
type attempt struct {
	path string
	body string
	form url.Values
	// as is another token than the test's, and client another person than Anna.
	as     string
	client *http.Client
}

// attempts has a successful change for each route that makes one. A new route that is not in here, nor in changesNothing,
// fails TestEveryRouteThatChangesSomethingIsNoted.
func (f *fixture) attempts() map[string]func() attempt {
	source := func() string { return f.newSource().JSON["id"].(string) }
	connection := func() string { return f.newConnection().JSON["id"].(string) }
	theSource, theConnection := source(), connection()
	aCall := func() string { return f.simpleCall(f.ws, theSource, theConnection) }
	numbers := 0
	number := func() string { numbers++; return fmt.Sprintf("+1415555%04d", numbers) }
	first := func(path string) string {
		return f.must(200, "GET", path, "").items()[0].(map[string]any)["id"].(string)
	}
	review := func() string {
		f.asked(theSource, theConnection, number(), 5, "done", records.Candidate{Object: "contact", ID: "1", Name: "Jane"})
		return first("/reviews?state=open")
	}
	choice := func() string {
		f.must(200, "POST", "/reviews/"+review()+"/resolve", `{"contact_id": "none"}`)
		return first("/match-choices")
	}
	answered := func() string {
		r := review()
		f.must(200, "POST", "/reviews/"+r+"/resolve", `{"contact_id": "none"}`)
		return r
	}
	hold := func() string {
		at := time.Now().Add(-time.Hour)
		f.tell(f.ws, story{source: theSource, receipts: []said{{kind: "call.ended", at: at}}, lanes: []told{{connection: theConnection, state: "parked", revision: 1, class: "invalid", reason: "No " + number()}}})
		return first("/holds")
	}
	resync := func(paused bool) string {
		r := f.must(202, "POST", "/resyncs", `{"filter": {}}`).JSON["id"].(string)
		if paused {
			f.must(200, "POST", "/resyncs/"+r+"/pause", "")
		}
		return r
	}
	kept := func() string {
		c := aCall()
		f.edited(c, "theirs")
		return c
	}
	drift := func() string {
		s := source()
		require.NoError(f.t, f.db.RecordFields(f.t.Context(), []records.FieldSighting{{WorkspaceID: f.ws, SourceID: s, FieldName: records.FieldName{Trigger: "post-call", Path: "mood"},
			Type: "text", Count: 1, First: time.Now(), Last: time.Now(), ReceiptID: id()}}))
		return s
	}
	learned := func() string {
		n := number()
		require.NoError(f.t, f.db.Sight(f.t.Context(), records.Sighting{WorkspaceID: f.ws, SourceID: theSource, Lines: []string{n}}))
		return n
	}
	channel := func() string {
		return f.must(201, "POST", "/alert-channels", `{"kind": "email", "name": "Ops", "config": {"to": "anna@example.com"}}`).JSON["id"].(string)
	}
	channelForm := url.Values{"kind": {"email"}, "name": {"Sales"}, "config.to": {"ben@example.com"}, "enabled": {"true"}, "kinds": {"refused"}}
	alarm := func() string {
		return f.alert(f.ws, records.AlertSilent, "source", source(), "Main office", "critical", "open", time.Hour)
	}
	followUp := func() string {
		_, one := f.followUp(theSource, theConnection, number())
		return one
	}
	recording := func(state string) (string, string) {
		c := aCall()
		k := f.recordingsOf(c)[0].ID
		if state != "" {
			f.must(200, "POST", "/calls/"+c+"/recordings/"+k+"/"+state, "")
		}
		return c, k
	}
	receipt := func() string { aCall(); return first("/receipts") }
	document := func(connection string) string {
		d, err := f.db.ActiveMapping(f.t.Context(), f.ws, connection, "call")
		require.NoError(f.t, err)
		return d.Document
	}
	quoted := func(text string) string {
		raw, err := json.Marshal(text)
		require.NoError(f.t, err)
		return string(raw)
	}
	// People who are changed, and one who changes themselves.
	people := 0
	member := func() string {
		people++
		email := fmt.Sprintf("member%d@example.com", people)
		f.user(f.ws, email, "Member", "viewer")
		return f.idOf(email)
	}
	invitation := func() string {
		people++
		return f.must(201, "POST", "/users", fmt.Sprintf(`{"email": "guest%d@example.com", "role": "viewer"}`, people)).JSON["id"].(string)
	}
	token := func() string { return f.must(201, "POST", "/tokens", `{"name": "report"}`).JSON["id"].(string) }
	f.user(f.ws, "self@example.com", "Self", "admin")
	self := func() *http.Client { return f.signIn("self@example.com") }
	elsewhere := id()
	require.NoError(f.t, f.db.CreateWorkspace(f.t.Context(), records.Workspace{ID: elsewhere, Name: "Elsewhere"}))
	f.exec(`insert into memberships (user_id, workspace_id, role) select id, $1, 'admin' from users where email = 'self@example.com'`, elsewhere)
	body := func(path, body string) func() attempt {
		return func() attempt { return attempt{path: path, body: body} }
	}
	return map[string]func() attempt{
		"POST /api/v1/sources":                   body("/sources", `{"provider": "callrail", "name": "Second"}`),
		"PATCH /api/v1/sources/{id}":             func() attempt { return attempt{path: "/sources/" + source(), body: `{"name": "Renamed"}`} },
		"DELETE /api/v1/sources/{id}":            func() attempt { return attempt{path: "/sources/" + source()} },
		"POST /api/v1/sources/{id}/rotate-token": func() attempt { return attempt{path: "/sources/" + source() + "/rotate-token"} },
		"POST /api/v1/sources/{id}/drift/acknowledge": func() attempt {
			return attempt{path: "/sources/" + drift() + "/drift/acknowledge", body: `{"all": true}`}
		},
		"PUT /api/v1/sources/{id}/rules": func() attempt {
			return attempt{path: "/sources/" + source() + "/rules", body: `{"document": "otherwise: skip"}`}
		},
		"PUT /api/v1/connections/{id}/rules": func() attempt {
			return attempt{path: "/connections/" + connection() + "/rules", body: `{"document": "otherwise: skip"}`}
		},
		"PUT /api/v1/connections/{id}/actions": func() attempt {
			return attempt{path: "/connections/" + connection() + "/actions", body: `{"document": "actions: []"}`}
		},
		"POST /api/v1/connections":            body("/connections", `{"connector": "webhook", "name": "w", "config": {"base_url": "https://hooks.example.com/x"}, "secrets": {"signing_secret": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}}`),
		"PATCH /api/v1/connections/{id}":      func() attempt { return attempt{path: "/connections/" + connection(), body: `{"name": "Renamed"}`} },
		"DELETE /api/v1/connections/{id}":     func() attempt { return attempt{path: "/connections/" + connection()} },
		"POST /api/v1/connections/{id}/pause": func() attempt { return attempt{path: "/connections/" + connection() + "/pause"} },
		"POST /api/v1/connections/{id}/resume": func() attempt {
			c := connection()
			f.must(200, "POST", "/connections/"+c+"/pause", "")
			return attempt{path: "/connections/" + c + "/resume"}
		},
		"PUT /api/v1/connections/{id}/owners": func() attempt {
			return attempt{path: "/connections/" + connection() + "/owners", body: `{"items": [{"agent": "a@example.com", "owner_id": "7"}]}`}
		},
		"PUT /api/v1/connections/{id}/dispositions": func() attempt {
			return attempt{path: "/connections/" + connection() + "/dispositions", body: `{"items": [{"value": "Sold", "option_id": "f240bbac-87c9-4f6e-bf70-924b57d47db7"}]}`}
		},
		"PUT /api/v1/connections/{id}/mappings/{object}": func() attempt {
			c := connection()
			return attempt{path: "/connections/" + c + "/mappings/call", body: `{"document": ` + quoted(document(c)) + `}`}
		},
		"POST /api/v1/connections/{id}/mappings/{object}/versions/{n}/activate": func() attempt {
			c := connection()
			f.must(200, "PUT", "/connections/"+c+"/mappings/call", `{"document": `+quoted(document(c))+`}`)
			return attempt{path: "/connections/" + c + "/mappings/call/versions/1/activate"}
		},
		"PUT /api/v1/own-numbers": func() attempt {
			return attempt{path: "/own-numbers", body: `{"items": [{"number": "` + number() + `"}]}`}
		},
		"PATCH /api/v1/own-numbers/learned": func() attempt {
			return attempt{path: "/own-numbers/learned", body: `{"number": "` + learned() + `", "rejected": true}`}
		},
		"POST /api/v1/reviews/{id}/resolve": func() attempt {
			return attempt{path: "/reviews/" + review() + "/resolve", body: `{"contact_id": "none"}`}
		},
		"DELETE /api/v1/match-choices/{id}": func() attempt { return attempt{path: "/match-choices/" + choice()} },
		"POST /api/v1/calls/{id}/sync":      func() attempt { return attempt{path: "/calls/" + aCall() + "/sync"} },
		"POST /api/v1/calls/{id}/take-ours": func() attempt {
			return attempt{path: "/calls/" + kept() + "/take-ours", body: `{"connection_id": "` + theConnection + `"}`}
		},
		"POST /api/v1/calls/{id}/recordings/{recording}/fetch": func() attempt {
			c, k := recording("")
			return attempt{path: "/calls/" + c + "/recordings/" + k + "/fetch"}
		},
		"POST /api/v1/calls/{id}/recordings/{recording}/revoke": func() attempt {
			c, k := recording("")
			return attempt{path: "/calls/" + c + "/recordings/" + k + "/revoke"}
		},
		"POST /api/v1/calls/{id}/recordings/{recording}/restore": func() attempt {
			c, k := recording("revoke")
			return attempt{path: "/calls/" + c + "/recordings/" + k + "/restore"}
		},
		"POST /api/v1/receipts/{id}/replay":  func() attempt { return attempt{path: "/receipts/" + receipt() + "/replay"} },
		"POST /api/v1/holds/{id}/retry":      func() attempt { return attempt{path: "/holds/" + hold() + "/retry"} },
		"POST /api/v1/follow-ups/{id}/close": func() attempt { return attempt{path: "/follow-ups/" + followUp() + "/close"} },
		"POST /api/v1/follow-ups/{id}/retry": func() attempt { return attempt{path: "/follow-ups/" + followUp() + "/retry"} },
		"POST /api/v1/resyncs":               body("/resyncs", `{"filter": {}}`),
		"POST /api/v1/resyncs/{id}/pause":    func() attempt { return attempt{path: "/resyncs/" + resync(false) + "/pause"} },
		"POST /api/v1/resyncs/{id}/resume":   func() attempt { return attempt{path: "/resyncs/" + resync(true) + "/resume"} },
		"POST /api/v1/resyncs/{id}/cancel":   func() attempt { return attempt{path: "/resyncs/" + resync(false) + "/cancel"} },
		"POST /api/v1/sources/{id}/pull": func() attempt {
			s := source()
			f.must(200, "PATCH", "/sources/"+s, `{"secrets": {"api_key": "very-secret-key"}, "config": {"api_account_id": 123456789}}`)
			return attempt{path: "/sources/" + s + "/pull", body: fmt.Sprintf(`{"from": %q}`, time.Now().Add(-time.Hour).UTC().Format(time.RFC3339))}
		},

		"PUT /api/v1/alert-settings":         body("/alert-settings", `{"held_count": 3, "held_hours": 2, "trouble_count": 1, "silent_minutes": 60, "quota_percent": 90}`),
		"POST /api/v1/alert-channels":        body("/alert-channels", `{"kind": "email", "name": "Ops", "config": {"to": "anna@example.com"}}`),
		"PATCH /api/v1/alert-channels/{id}":  func() attempt { return attempt{path: "/alert-channels/" + channel(), body: `{"enabled": false}`} },
		"DELETE /api/v1/alert-channels/{id}": func() attempt { return attempt{path: "/alert-channels/" + channel()} },
		"POST /api/v1/alerts/{id}/mute":      func() attempt { return attempt{path: "/alerts/" + alarm() + "/mute", body: `{"hours": 4}`} },
		"POST /alerts/{id}/mute":             func() attempt { return attempt{path: "/alerts/" + alarm() + "/mute", form: url.Values{"hours": {"4"}}} },
		"POST /settings/alerts": func() attempt {
			return attempt{path: "/settings/alerts", form: url.Values{"held_count": {"4"}, "held_hours": {"2"}, "trouble_count": {"1"}, "silent_minutes": {"60"}, "quota_percent": {"90"}}}
		},
		"POST /settings/alerts/channels": func() attempt { return attempt{path: "/settings/alerts/channels", form: channelForm} },
		"POST /settings/alerts/channels/{id}": func() attempt {
			return attempt{path: "/settings/alerts/channels/" + channel(), form: channelForm}
		},
		"POST /settings/alerts/channels/{id}/delete": func() attempt { return attempt{path: "/settings/alerts/channels/" + channel() + "/delete"} },

		"POST /api/v1/users":                  body("/users", `{"email": "new@example.com", "role": "viewer"}`),
		"PATCH /api/v1/users/{id}":            func() attempt { return attempt{path: "/users/" + member(), body: `{"role": "operator"}`} },
		"DELETE /api/v1/users/{id}":           func() attempt { return attempt{path: "/users/" + member()} },
		"POST /api/v1/invitations/{id}/renew": func() attempt { return attempt{path: "/invitations/" + invitation() + "/renew"} },
		"DELETE /api/v1/invitations/{id}":     func() attempt { return attempt{path: "/invitations/" + invitation()} },
		"POST /api/v1/tokens":                 body("/tokens", `{"name": "report", "scope": "read"}`),
		"DELETE /api/v1/tokens/{id}":          func() attempt { return attempt{path: "/tokens/" + token()} },
		"POST /api/v1/workspaces":             func() attempt { return attempt{path: "/workspaces", body: `{"name": "Beta"}`, as: f.boot} },
		"PATCH /api/v1/workspaces/{id}":       body("/workspaces/"+f.ws, `{"name": "Acme Ltd"}`),

		"POST /settings/users": func() attempt {
			return attempt{path: "/settings/users", form: url.Values{"email": {"other@example.com"}, "role": {"viewer"}}}
		},
		"POST /settings/users/{id}": func() attempt {
			return attempt{path: "/settings/users/" + member(), form: url.Values{"name": {"M"}, "role": {"operator"}}}
		},
		"POST /settings/users/{id}/{do}":   func() attempt { return attempt{path: "/settings/users/" + member() + "/disable"} },
		"POST /settings/users/{id}/remove": func() attempt { return attempt{path: "/settings/users/" + member() + "/remove"} },
		"POST /settings/invitations/{id}/renew": func() attempt {
			return attempt{path: "/settings/invitations/" + invitation() + "/renew"}
		},
		"POST /settings/invitations/{id}/revoke": func() attempt {
			return attempt{path: "/settings/invitations/" + invitation() + "/revoke"}
		},
		"POST /settings/tokens": func() attempt {
			return attempt{path: "/settings/tokens", form: url.Values{"name": {"report"}, "scope": {"read"}, "days": {"30"}}}
		},
		"POST /settings/tokens/{id}/revoke": func() attempt { return attempt{path: "/settings/tokens/" + token() + "/revoke"} },
		"POST /settings/workspaces": func() attempt {
			f.exec(`update users set installation = email = 'self@example.com'`)
			return attempt{path: "/settings/workspaces", form: url.Values{"name": {"Gamma"}}, client: self()}
		},
		"POST /settings/workspaces/rename": func() attempt {
			return attempt{path: "/settings/workspaces/rename", form: url.Values{"name": {"Acme " + number()}}}
		},
		"POST /settings/workspaces/{id}/switch": func() attempt {
			return attempt{path: "/settings/workspaces/" + elsewhere + "/switch", client: self()}
		},
		"POST /account/name": func() attempt {
			return attempt{path: "/account/name", form: url.Values{"name": {"Selma"}}, client: self()}
		},
		"POST /account/password": func() attempt {
			member()
			return attempt{path: "/account/password", form: url.Values{"old": {password}, "password": {"four plain words here"}, "again": {"four plain words here"}},
				client: f.signIn(fmt.Sprintf("member%d@example.com", people))}
		},
		"POST /account/sessions/end-others": func() attempt {
			self()
			return attempt{path: "/account/sessions/end-others", client: self()}
		},
		"POST /account/sessions/{id}/end": func() attempt {
			self()
			var one string
			require.NoError(f.t, f.sql.QueryRow(f.t.Context(), `select s.id from sessions s join users u on u.id = s.user_id where u.email = 'self@example.com' order by s.created_at desc limit 1`).Scan(&one))
			return attempt{path: "/account/sessions/" + one + "/end", client: self()}
		},

		"POST /calls/retry": func() attempt {
			return attempt{path: "/calls/retry", form: url.Values{"id": {aCall()}, "into": {theConnection}}}
		},
		"POST /calls/{id}/sync": func() attempt { return attempt{path: "/calls/" + aCall() + "/sync"} },
		"POST /calls/{id}/recordings/{recording}/{action}": func() attempt {
			c, k := recording("")
			return attempt{path: "/calls/" + c + "/recordings/" + k + "/revoke"}
		},
		"POST /calls/{id}/take-ours": func() attempt {
			return attempt{path: "/calls/" + kept() + "/take-ours", form: url.Values{"connection": {theConnection}}}
		},
		"POST /resyncs":              func() attempt { return attempt{path: "/resyncs", form: url.Values{"do": {"deliver"}}} },
		"POST /resyncs/{id}/{do}":    func() attempt { return attempt{path: "/resyncs/" + resync(false) + "/cancel"} },
		"POST /receipts/{id}/replay": func() attempt { return attempt{path: "/receipts/" + receipt() + "/replay"} },
		"POST /holds/{id}/retry":     func() attempt { return attempt{path: "/holds/" + hold() + "/retry"} },
		"POST /sources":              func() attempt { return attempt{path: "/sources", form: sourceForm("provider", "callrail")} },
		"POST /sources/{id}/edit": func() attempt {
			return attempt{path: "/sources/" + source() + "/edit", form: sourceForm("name", "Renamed")}
		},
		"POST /sources/{id}/replay": func() attempt {
			s := source()
			f.exec(`update receipt_results set state = 'quarantined', source_id = $2 where receipt_id = $1`, receipt(), s)
			f.exec(`update receipts set source_id = $1 where id in (select receipt_id from receipt_results where source_id = $1)`, s)
			return attempt{path: "/sources/" + s + "/replay", form: url.Values{"state": {"quarantined"}}}
		},
		"POST /sources/{id}/rotate-token": func() attempt { return attempt{path: "/sources/" + source() + "/rotate-token"} },
		"POST /sources/{id}/delete":       func() attempt { return attempt{path: "/sources/" + source() + "/delete"} },
		"POST /sources/{id}/drift":        func() attempt { return attempt{path: "/sources/" + drift() + "/drift"} },
		"POST /sources/{id}/rules": func() attempt {
			return attempt{path: "/sources/" + source() + "/rules", form: url.Values{"do": {"save"}, "tab": {"text"}, "version": {"0"}, "text": {"otherwise: skip"}}}
		},
		"POST /connections/{id}/rules": func() attempt {
			return attempt{path: "/connections/" + connection() + "/rules", form: url.Values{"do": {"save"}, "tab": {"text"}, "version": {"0"}, "text": {"otherwise: skip"}}}
		},
		"POST /connections/{id}/actions": func() attempt {
			return attempt{path: "/connections/" + connection() + "/actions", form: url.Values{"do": {"save"}, "version": {"0"}, "text": {missedActions}}}
		},
		"POST /follow-ups/{id}/close": func() attempt { return attempt{path: "/follow-ups/" + followUp() + "/close"} },
		"POST /follow-ups/{id}/retry": func() attempt { return attempt{path: "/follow-ups/" + followUp() + "/retry"} },
		"POST /connections":           func() attempt { return attempt{path: "/connections", form: f.connectionForm("name", "New")} },
		"POST /connections/{id}/edit": func() attempt {
			return attempt{path: "/connections/" + connection() + "/edit", form: f.connectionForm("name", "Renamed")}
		},
		"POST /connections/{id}/delete": func() attempt { return attempt{path: "/connections/" + connection() + "/delete"} },
		"POST /connections/{id}/match": func() attempt {
			return attempt{path: "/connections/" + connection() + "/match", form: url.Values{"object": {"contact"}, "on_none": {"none"}, "on_many": {"ask"}, "owner": {"longest"}, "unknown_agent": {"none"}}}
		},
		"POST /connections/{id}/owners": func() attempt {
			return attempt{path: "/connections/" + connection() + "/owners", form: url.Values{"agent": {"a@example.com"}, "owner": {"7"}}}
		},
		"POST /connections/{id}/mappings/{object}": func() attempt {
			c := connection()
			return attempt{path: "/connections/" + c + "/mappings/call", form: url.Values{"do": {"save"}, "text": {document(c)}}}
		},
		"POST /api/v1/reviews/{id}/reopen": func() attempt { return attempt{path: "/reviews/" + answered() + "/reopen"} },
		"POST /reviews/{id}/reopen":        func() attempt { return attempt{path: "/reviews/" + answered() + "/reopen"} },
		"POST /connections/{id}/mode":      func() attempt { return attempt{path: "/connections/" + connection() + "/mode"} },
		"POST /connections/{id}/dispositions": func() attempt {
			return attempt{path: "/connections/" + connection() + "/dispositions", form: url.Values{"value": {"Sold"}, "option": {"f240bbac-87c9-4f6e-bf70-924b57d47db7"}}}
		},
		"POST /reviews/{id}/resolve": func() attempt {
			return attempt{path: "/reviews/" + review() + "/resolve", form: url.Values{"choice": {":none"}}}
		},
		"POST /match-choices/{id}/forget": func() attempt { return attempt{path: "/match-choices/" + choice() + "/forget"} },
		"POST /numbers": func() attempt {
			return attempt{path: "/numbers", form: url.Values{"number": {learned()}, "rejected": {"true"}}}
		},
		"POST /numbers/listed": func() attempt {
			return attempt{path: "/numbers/listed", form: url.Values{"number": {number()}, "label": {"Reception"}}}
		},
		"POST /numbers/listed/remove": func() attempt {
			n := number()
			f.must(200, "PUT", "/own-numbers", `{"items": [{"number": "`+n+`"}]}`)
			return attempt{path: "/numbers/listed/remove", form: url.Values{"number": {n}}}
		},
		"POST /connections/{id}/pause": func() attempt { return attempt{path: "/connections/" + connection() + "/pause"} },
		"POST /connections/{id}/resume": func() attempt {
			c := connection()
			f.must(200, "POST", "/connections/"+c+"/pause", "")
			return attempt{path: "/connections/" + c + "/resume"}
		},
	}
}

func sourceForm(more ...string) url.Values {
	form := url.Values{"name": {"Main"}, "policy": {"complete"}, "window_minutes": {"20"}, "quiet_seconds": {"5"}, "stale_minutes": {"240"}, "feeds": {"all"}, "recordings_policy": {"link"}}
	for i := 0; i+1 < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return form
}

func (f *fixture) connectionForm(more ...string) url.Values {
	form := url.Values{"connector": {"hubspot"}, "config.base_url": {f.crm.URL}, "config.portal_id": {"4242"}, "secrets.access_token": {crmToken}, "mode": {"live"}, "recordings": {"link"}}
	for i := 0; i+1 < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return form
}

// everyEntry are those of all workspaces, the newest first.
func (f *fixture) everyEntry() (out []records.AuditEntry) {
	f.t.Helper()
	all, err := f.db.Workspaces(f.t.Context())
	require.NoError(f.t, err)
	for _, w := range all {
		entries, err := f.db.AuditPage(f.t.Context(), w.ID, records.AuditFilter{Limit: 10_000})
		require.NoError(f.t, err)
		out = append(out, entries...)
	}
	slices.SortFunc(out, func(a, b records.AuditEntry) int { return strings.Compare(b.ID, a.ID) })
	return out
}

// entries are those of the workspace's audit log, the newest first.
func (f *fixture) entries(filter records.AuditFilter) []records.AuditEntry {
	f.t.Helper()
	if filter.Limit == 0 {
		filter.Limit = 1000
	}
	all, err := f.db.AuditPage(f.t.Context(), f.ws, filter)
	require.NoError(f.t, err)
	return all
}

// mutating lists the routes that may change something: the operations of the API from its description, and the pages' forms.
func (f *fixture) mutating() (routes []string) {
	f.t.Helper()
	var doc struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	require.NoError(f.t, json.Unmarshal([]byte(f.must(200, "GET", "/openapi.json", "").Raw), &doc))
	for path, methods := range doc.Paths {
		for method := range methods {
			if method != "get" {
				routes = append(routes, strings.ToUpper(method)+" /api/v1"+path)
			}
		}
	}
	for _, pattern := range f.handler.PagePatterns() {
		if !strings.HasPrefix(pattern, "GET ") {
			routes = append(routes, pattern)
		}
	}
	slices.Sort(routes)
	return routes
}

func TestEveryRouteThatChangesSomethingIsNoted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	client := f.signIn("anna@example.com")
	attempts := f.attempts()
	routes := f.mutating()
	for _, route := range routes {
		_, nothing := changesNothing[route]
		try, known := attempts[route]
		if nothing {
			continue
		}
		if !assert.True(t, known, "%s: say in audit_test.go how it changes something (attempts), or why it does not (changesNothing)", route) {
			continue
		}
		a := try()
		before := len(f.everyEntry())
		method, path, _ := strings.Cut(route, " ")
		var r reply
		if strings.HasPrefix(path, "/api/v1") {
			r = f.as(cmp.Or(a.as, f.token), method, "/api/v1"+a.path, a.body)
			if !assert.Less(t, r.Status, 300, "%s: %s", route, r.Raw) {
				continue
			}
		} else {
			r = f.post(cmp.Or(a.client, client), a.path, a.form)
			shown := strings.Contains(r.Raw, `id="once"`) // a link or a token, in the answer itself
			if !assert.True(t, r.Status == 303 || r.Status == 200 && shown, "%s: %s", route, r.Raw) {
				continue
			}
		}
		all := f.everyEntry()
		if !assert.Greater(t, len(all), before, "%s has changed something and left nothing in the audit log: have its store note it (db.changing, db.noting), or Store.Audit", route) {
			continue
		}
		for _, e := range all[:len(all)-before] {
			if e.Actor.Kind == records.ActorSystem {
				continue // what callsync found while it did what it was asked for
			}
			assert.Equal(t, route, e.Actor.Route)
			assert.Equal(t, r.Header.Get("X-Request-Id"), e.Actor.RequestID, route)
			if strings.HasPrefix(path, "/api/v1") {
				assert.Equal(t, records.ActorToken, e.Actor.Kind, route)
				assert.NotEmpty(t, e.Actor.ID, "%s: which token", route)
			} else if a.client == nil {
				assert.Equal(t, "Anna Smith", e.Actor.Name, route)
			} else {
				assert.Equal(t, records.ActorUser, e.Actor.Kind, route)
			}
		}
	}
	for _, known := range []map[string]string{changesNothing} {
		for route := range known {
			assert.Contains(t, routes, route, "there is no such route any more")
		}
	}
	for route := range attempts {
		assert.Contains(t, routes, route, "there is no such route any more")
	}
	require.Greater(t, len(routes), 60)
	// Every action has words, and secrets are nowhere.
	page := f.get(client, "/settings/audit").Raw
	require.NotContains(t, page, "did “")
	var dump string
	require.NoError(t, f.sql.QueryRow(t.Context(), `select string_agg(l::text, ' ') from audit_log l`).Scan(&dump))
	for _, secret := range []string{crmToken, "key-one", "very-secret-key", "whsec_", password} {
		require.NotContains(t, dump, secret)
	}
}

func TestAuditAPI(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	source, connection := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	f.must(200, "PATCH", "/connections/"+connection, `{"name": "=HYPERLINK(\"https://evil.example\")", "window_seconds": 60}`)
	f.must(200, "PUT", "/sources/"+source+"/rules", `{"document": "otherwise: skip"}`)

	items := f.must(200, "GET", "/audit?object="+connection+"&action=connection.update", "").items()
	require.Len(t, items, 1)
	e := items[0].(map[string]any)
	require.Equal(t, map[string]any{"name": "HubSpot"}, e["before"])
	require.Equal(t, map[string]any{"name": `=HYPERLINK("https://evil.example")`, "window_seconds": 60.0}, e["after"])
	require.Equal(t, "PATCH /api/v1/connections/{id}", e["route"])
	require.Equal(t, "connection", e["object"].(map[string]any)["kind"])
	require.Equal(t, `changed the connection =HYPERLINK("https://evil.example"): name, window (seconds)`, e["sentence"])

	all := f.must(200, "GET", "/audit", "").items()
	var seen []string
	for cursor := ""; ; {
		r := f.must(200, "GET", "/audit?limit=2&cursor="+cursor, "")
		for _, i := range r.items() {
			seen = append(seen, i.(map[string]any)["id"].(string))
		}
		next, _ := r.JSON["next_cursor"].(string)
		if cursor = next; cursor == "" {
			break
		}
	}
	require.Len(t, seen, len(all))
	require.Len(t, f.must(200, "GET", "/audit?object=source_rules:"+source, "").items(), 1)
	require.Empty(t, f.must(200, "GET", "/audit?object=mapping:"+connection+":call", "").items(), "what a new connection begins with is part of it")
	mapping, err := f.db.ActiveMapping(t.Context(), f.ws, connection, "call")
	require.NoError(t, err)
	_, err = f.db.AddMappingVersion(t.Context(), f.ws, records.MappingVersion{ConnectionID: connection, Object: "call", Document: mapping.Document, Author: "Anna"})
	require.NoError(t, err)
	require.Len(t, f.must(200, "GET", "/audit?object=mapping:"+connection+":call", "").items(), 1)
	require.Len(t, f.must(200, "GET", "/audit?actor=system", "").items(), 1)
	all = f.must(200, "GET", "/audit", "").items()
	require.Empty(t, f.must(200, "GET", "/audit?to=2020-01-01T00:00:00Z", "").items())
	require.Len(t, f.must(200, "GET", "/audit?from=2020-01-01T00:00:00Z", "").items(), len(all))
	f.must(422, "GET", "/audit?from=yesterday", "")
	f.must(422, "GET", "/audit?cursor=x", "")

	// For a spreadsheet: nothing in it is a formula.
	r := f.must(200, "GET", "/audit.csv?action=connection.update", "")
	require.Contains(t, r.Header.Get("Content-Disposition"), "callsync-audit-")
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(r.Raw, "\uFEFF"))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 2)
	require.Contains(t, rows[1], `'=HYPERLINK("https://evil.example")`)

	// Only admins read it, and nobody changes it.
	for _, role := range []string{"viewer", "operator"} {
		f.user(f.ws, role+"@example.com", role, role)
		client := f.signIn(role + "@example.com")
		for _, path := range []string{"/api/v1/audit", "/api/v1/audit.csv", "/settings/audit"} {
			require.Equal(t, 403, f.get(client, path).Status, path)
		}
		require.NotContains(t, f.get(client, "/numbers").Raw, "/settings/audit")
	}
	other := f.otherToken(t)
	require.Empty(t, f.as(other, "GET", "/api/v1/audit?object="+connection, "").items())
	require.NotContains(t, f.as(other, "GET", "/api/v1/audit.csv", "").Raw, connection)
	require.Equal(t, http.StatusUnauthorized, f.as("", "GET", "/api/v1/audit", "").Status)
}
