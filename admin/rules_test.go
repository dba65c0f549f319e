package admin_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

const missedRule = "# ours\nrules:\n  - name: Missed\n    when: {field: status, operator: is, value: missed}\n    action: skip\n"

func text(s string) string {
	out, _ := json.Marshal(s)
	return string(out)
}

func TestRulesAPI(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	source, connection := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	for _, path := range []string{"/sources/" + source + "/rules", "/connections/" + connection + "/rules"} {
		r := f.must(200, "GET", path, "")
		require.Equal(t, map[string]any{"document": "", "version": 0.0}, r.JSON)

		r = f.must(200, "PUT", path, `{"document": `+text(missedRule)+`, "version": 0}`)
		require.Equal(t, missedRule, r.JSON["document"], "as it was written, comments included")
		require.Equal(t, 1.0, r.JSON["version"])
		require.Equal(t, r.JSON, f.must(200, "GET", path, "").JSON)

		r = f.must(409, "PUT", path, `{"document": "rules: []", "version": 0}`)
		require.Contains(t, r.JSON["detail"], "Somebody else changed these rules")
		r = f.must(200, "PUT", path, `{"document": {"rules": [{"name": "US", "action": "skip", "when": {"field": "customer.number", "operator": "is", "value": "(415) 555-0101"}}]}}`)
		require.Equal(t, 2.0, r.JSON["version"])

		// All that is wrong at once, with its place.
		r = f.must(422, "PUT", path, `{"document": "rules:\n  - {name: A, action: skip, when: {field: statis, operator: is, value: missed}}\n  - {name: B, action: skp, when: talk_seconds > \"x\"}\n"}`)
		require.Contains(t, r.JSON["detail"], `line 2, rule 1 (A), when.field: There is no field "statis". Did you mean status?`)
		require.Len(t, r.JSON["errors"], 3)
		require.Equal(t, "document", r.JSON["field"])
		f.must(422, "PUT", path, `{"document": "rules: ["}`)
		f.must(422, "PUT", path, `{}`)
		require.Equal(t, 2.0, f.must(200, "GET", path, "").JSON["version"], "what is wrong changes nothing")
		require.Equal(t, "", f.must(200, "PUT", path, `{"document": ""}`).JSON["document"])
	}
	for _, kind := range []string{"/sources/", "/connections/"} {
		f.must(404, "GET", kind+id()+"/rules", "")
		f.must(404, "PUT", kind+id()+"/rules", `{"document": ""}`)
		f.must(404, "POST", kind+id()+"/rules/preview", `{"document": ""}`)
	}
	f.must(404, "GET", "/sources/"+connection+"/rules", "")
}

// Numbers without a country code are those of the sources that feed the connection.
func TestRulesReadNumbersInTheCountriesOfSources(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	connection := f.newConnection().JSON["id"].(string)
	blocked := `{"document": {"rules": [{"name": "A", "action": "skip", "when": {"field": "customer.number", "operator": "one_of", "value": ["030 901820", "020 7946 0018"]}}]}}`
	r := f.must(422, "PUT", "/connections/"+connection+"/rules", blocked)
	require.Contains(t, r.JSON["detail"], "the source has no country")
	f.must(201, "POST", "/sources", `{"provider": "callrail", "name": "London", "default_country": "gb"}`)
	r = f.must(422, "PUT", "/connections/"+connection+"/rules", blocked)
	require.Contains(t, r.JSON["detail"], "no number of GB")
	f.must(201, "POST", "/sources", `{"provider": "callrail", "name": "Berlin", "default_country": "de"}`)
	f.must(200, "PUT", "/connections/"+connection+"/rules", blocked)
}

func TestRulesPreview(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	source, connection := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	other := f.must(201, "POST", "/sources", `{"provider": "callrail", "name": "Elsewhere", "connections": []}`).JSON["id"].(string)
	at := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	tell := func(source, number string, status call.Status, minutes int, lanes ...told) string {
		start := at.Add(time.Duration(minutes) * time.Minute)
		return f.tell(f.ws, story{source: source, lanes: lanes, receipts: []said{{kind: call.CallEnded, at: start, facts: call.Facts{Direction: call.Inbound, Status: status, StartedAt: start,
			Customer: call.Party{Number: number}, TalkSeconds: num(int64(minutes))}}}})
	}
	delivered := tell(source, "+14155550101", call.Missed, 1, told{connection: connection, state: "done", revision: 1, remote: "7"})
	missed := tell(source, "+14155550102", call.Missed, 2)
	answered := tell(source, "+14155550103", call.Answered, 3)
	own := tell(source, "+14155550999", call.Answered, 4)
	tell(other, "+14155550104", call.Missed, 5)
	f.must(200, "PUT", "/own-numbers", `{"items": [{"number": "+14155550999"}]}`)

	try := func(kind, owner, document string) (reply, map[string]map[string]any) {
		r := f.must(200, "POST", "/"+kind+"/"+owner+"/rules/preview", `{"document": `+text(document)+`}`)
		byCall := map[string]map[string]any{}
		for _, item := range r.items() {
			byCall[item.(map[string]any)["call_id"].(string)] = item.(map[string]any)
		}
		return r, byCall
	}
	r, by := try("connections", connection, missedRule)
	require.Len(t, by, 4, "calls of a source that does not feed the connection do not count")
	require.Equal(t, []any{4.0, 2.0, 2.0, 0.0, 2.0}, []any{r.JSON["total"], r.JSON["sync"], r.JSON["skip"], r.JSON["failed"], r.JSON["changed"]})
	require.Equal(t, "skip", by[missed]["action"])
	require.Equal(t, true, by[missed]["changed"])
	require.Equal(t, "Skipped by the rule “Missed” of the connection HubSpot.", by[missed]["sentence"])
	require.Nil(t, by[missed]["in_crm"])
	require.Equal(t, true, by[delivered]["in_crm"], "what is in the CRM stays there")
	require.Equal(t, "sync", by[answered]["action"])

	// With these rules in force, the same document changes nothing, and the rules of the source come first.
	f.must(200, "PUT", "/connections/"+connection+"/rules", `{"document": `+text(missedRule)+`}`)
	f.must(200, "PUT", "/sources/"+source+"/rules", `{"document": "rules: [{name: Ours, action: skip, when: own_number}]"}`)
	r, by = try("connections", connection, missedRule)
	require.Equal(t, 0.0, r.JSON["changed"])
	require.Equal(t, "source", by[own]["owner"])
	require.Equal(t, "Skipped by the rule “Ours” of the source Main office.", by[own]["sentence"])
	r, _ = try("connections", connection, "")
	require.Equal(t, 2.0, r.JSON["changed"])

	// A rule that fails is told of, and a document that is wrong is refused.
	f.exec(`update calls set state = jsonb_set(state, '{attributes}', '{"plan": "gold"}') where id = $1`, answered)
	_, by = try("sources", source, "rules: [{name: Odd, action: skip, when: attributes.plan < 3}]")
	require.Equal(t, "failed", by[answered]["action"])
	require.Contains(t, by[answered]["sentence"], "The rule “Odd” (1) does not work for this call")
	require.NotContains(t, r.Raw, "gold")
	f.must(422, "POST", "/sources/"+source+"/rules/preview", `{"document": "rules: 3"}`)
	f.must(422, "POST", "/sources/"+source+"/rules/preview", `{"document": "", "last": 501}`)
	require.Len(t, f.must(200, "POST", "/sources/"+source+"/rules/preview", `{"document": "", "last": 2}`).items(), 2)
}

// What a rule left out, or could not decide about, says so on the call's page and in lists.
func TestWhyOfRules(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	source, connection := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	at := time.Now().Add(-time.Hour).UTC()
	lane := func(state, reason string) string {
		return f.tell(f.ws, story{source: source, receipts: []said{{kind: call.CallEnded, at: at, facts: call.Facts{Status: call.Missed, StartedAt: at}}},
			lanes: []told{{connection: connection, state: state, class: "rule", revision: 1, reason: reason}}})
	}
	skipped := lane("skipped", "Skipped by the rule “Internal calls” of the source Front desk.")
	held := lane("parked", "In the rules of the source Front desk: The rule “Odd” (1) does not work for this call: The row does too much work.")
	why := func(id string) any {
		return f.must(200, "GET", "/calls/"+id, "").JSON["why"].([]any)[0].(map[string]any)["sentence"]
	}
	require.Equal(t, "Skipped by the rule “Internal calls” of the source Front desk.", why(skipped))
	require.Equal(t, "On hold: In the rules of the source Front desk: The rule “Odd” (1) does not work for this call: The row does too much work. Correct the rules, then retry.", why(held))
	require.Equal(t, "skipped", f.must(200, "GET", "/calls?state=skipped", "").items()[0].(map[string]any)["state"])
}

// The page works without scripts: every button posts the form, and the rules that are edited live in it.
func TestRulesPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	f.user(f.ws, "vera@example.com", "Vera", "viewer")
	source, connection := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	f.simpleCall(f.ws, source, connection)
	client := f.signIn("anna@example.com")
	path := "/sources/" + source + "/rules"
	page := f.get(client, path)
	require.Equal(t, 200, page.Status)
	require.Contains(t, page.Raw, "No rules: every call syncs")

	form := func(do string, more ...string) url.Values {
		v := url.Values{"do": {do}, "tab": {"builder"}, "version": {"0"}, "otherwise": {"sync"}}
		for i := 0; i < len(more); i += 2 {
			v.Add(more[i], more[i+1])
		}
		return v
	}
	page = f.post(client, path, form("preset:hours"))
	require.Contains(t, page.Raw, `value="Outside business hours"`)
	require.Contains(t, page.Raw, "Not saved yet")

	rule := []string{"r0.name", "Blocked", "r0.action", "skip", "r0.match", "all", "r0.c0.kind", "field", "r0.c0.field", "customer.number", "r0.c0.operator", "one_of", "r0.c0.value", "(415) 555-0101\n+44 20 7946 0018, 310 555 0100"}
	page = f.post(client, path, form("preview", rule...))
	require.Contains(t, page.Raw, "Skipped by the rule “Blocked” of the source Main office.")
	require.Contains(t, page.Raw, "It is in a CRM already, and stays there.")
	require.Equal(t, 0.0, f.must(200, "GET", path, "").JSON["version"], "trying saves nothing")

	// A wrong value is complained of beside it, and everything typed is still there.
	wrong := append(append([]string{}, rule...), "r1.name", "Short", "r1.action", "skip", "r1.match", "all", "r1.c0.kind", "field", "r1.c0.field", "talk_seconds", "r1.c0.operator", "less", "r1.c0.value", "ten")
	page = f.post(client, path, form("save", wrong...))
	require.Equal(t, 422, page.Status)
	require.Contains(t, page.Raw, "less compares numbers")
	require.Contains(t, page.Raw, `value="ten"`)
	require.Contains(t, page.Raw, "1 thing is not right below")

	page = f.post(client, path, form("save", rule...))
	require.Equal(t, 303, page.Status)
	saved := f.must(200, "GET", path, "")
	require.Equal(t, 1.0, saved.JSON["version"])
	require.Equal(t, "Anna Smith", saved.JSON["author"])
	require.Contains(t, saved.JSON["document"], `value: [(415) 555-0101, +44 20 7946 0018, 310 555 0100]`)

	// Somebody who has not seen that version saves over nothing.
	page = f.post(client, path, form("save", rule...))
	require.Equal(t, 409, page.Status)
	require.Contains(t, page.Raw, "Somebody else changed these rules")

	// From the builder to the text and back; a group in a group survives both.
	nested := `{"any":[{"field":"queue","operator":"is","value":"Sales"},{"all":["stale",{"field":"tags","operator":"is_empty"}]}]}`
	page = f.post(client, path, form("text", append(rule, "r0.c1.kind", "group", "r0.c1.text", nested)...))
	require.Contains(t, page.Raw, `name="text"`)
	document := "rules:\n- name: Nested\n  action: sync\n  when: {all: [{field: custom_data.plan name, operator: is, value: gold}, " + nested + "]}\n"
	page = f.post(client, path, url.Values{"do": {"builder"}, "tab": {"text"}, "version": {"1"}, "text": {document}})
	require.Contains(t, page.Raw, "A group in a group is edited as text.")
	require.Contains(t, page.Raw, `value="plan name"`)
	page = f.post(client, path, url.Values{"do": {"save"}, "tab": {"text"}, "version": {"1"}, "text": {"# mine\n" + document}})
	require.Equal(t, 303, page.Status)
	require.Contains(t, f.must(200, "GET", path, "").JSON["document"], "# mine")
	page = f.post(client, path, url.Values{"do": {"save"}, "tab": {"text"}, "version": {"2"}, "text": {"rules: [{}]"}})
	require.Equal(t, 422, page.Status)
	require.Contains(t, page.Raw, "rule 1, name: Give the rule a name")

	// A viewer looks and tries, but does not save. Another workspace sees nothing.
	viewer := f.signIn("vera@example.com")
	require.Contains(t, f.get(viewer, path).Raw, "Only admins change rules.")
	require.Equal(t, 403, f.post(viewer, path, form("save", rule...)).Status)
	other := id()
	require.NoError(t, f.db.CreateWorkspace(t.Context(), records.Workspace{ID: other, Name: "Beta"}))
	f.user(other, "stranger@example.com", "Stranger", "admin")
	stranger := f.signIn("stranger@example.com")
	require.Equal(t, 404, f.get(stranger, path).Status)
	require.Equal(t, 404, f.post(stranger, path, form("save", rule...)).Status)
	require.Equal(t, 404, f.get(client, "/connections/"+source+"/rules").Status)

	// Text of a hostile admin stays text.
	page = f.post(client, path, form("save", "r0.name", `"><script>alert(1)</script>`, "r0.action", "skip", "r0.c0.kind", "expr", "r0.c0.text", `"</script><script>"`))
	require.NotContains(t, page.Raw, "<script>alert")
	f.post(client, path, form(strings.Repeat("up:", 50)+"99999999999999999999", rule...))
	f.post(client, path, form("remove-rule:-1", rule...))
	f.post(client, path, form("remove-condition:0:9", rule...))
}
