package admin_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

const missedActions = "# ours\nactions:\n  - name: Call back\n    do: follow_up\n    due_in: 30m\n"

func TestActionsAPI(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	source, connection := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	path := "/connections/" + connection + "/actions"
	require.Equal(t, map[string]any{"document": "", "version": 0.0}, f.must(200, "GET", path, "").JSON)
	r := f.must(200, "PUT", path, `{"document": `+text(missedActions)+`, "version": 0}`)
	require.Equal(t, missedActions, r.JSON["document"], "as it was written, comments included")
	require.Equal(t, 1.0, r.JSON["version"])
	r = f.must(409, "PUT", path, `{"document": "actions: []", "version": 0}`)
	require.Contains(t, r.JSON["detail"], "Somebody else changed these actions")
	r = f.must(422, "PUT", path, `{"document": "actions:\n  - {name: A, do: followup}\n  - {name: B, do: ticket, when: {field: tagz, operator: is, value: x}}\n"}`)
	require.Contains(t, r.JSON["detail"], "line 2, action 1 (A), do: Say what is to be done")
	require.Len(t, r.JSON["errors"], 2)
	require.Equal(t, 1.0, f.must(200, "GET", path, "").JSON["version"], "what is wrong changes nothing")

	at := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	f.tell(f.ws, story{source: source, receipts: []said{{kind: call.CallEnded, at: at, facts: call.Facts{Direction: call.Inbound, Status: call.Missed,
		StartedAt: at, EndedAt: at, Customer: call.Party{Number: "+14155550101", Name: "Jane"}}}}})
	f.tell(f.ws, story{source: source, receipts: []said{{kind: call.CallEnded, at: at, facts: call.Facts{Direction: call.Inbound, Status: call.Answered, StartedAt: at}}}})
	r = f.must(200, "POST", path+"/preview", `{"document": `+text(missedActions)+`}`)
	require.Equal(t, 2.0, r.JSON["total"])
	require.Equal(t, map[string]any{"task": 1.0}, r.JSON["made"])
	made := r.items()[0].(map[string]any)["makes"].([]any)[0].(map[string]any)
	require.Equal(t, "Call back Jane", made["subject"])
	require.Equal(t, at.Add(30*time.Minute).Format(time.RFC3339), made["due_at"])

	for _, method := range []string{"GET", "PUT"} {
		f.must(404, method, "/connections/"+id()+"/actions", map[string]string{"PUT": `{"document": ""}`}[method])
	}
}

// What a CRM cannot do is refused when it is asked for, not when the first call comes.
func TestActionsThatTheCRMCannotDo(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	hooks := f.must(201, "POST", "/connections", `{"connector": "webhook", "name": "Hooks", "config": {"base_url": "https://example.com/hook"}, "secrets": {"signing_secret": "whsec_abcdefghijklmnopqrstuvwxyz012345"}}`).JSON["id"].(string)
	r := f.must(422, "PUT", "/connections/"+hooks+"/actions", `{"document": "actions:\n  - {name: A, do: follow_up}\n  - {name: B, do: ticket, when: first_call}\n"}`)
	require.Contains(t, r.JSON["detail"], "action 1 (A), do: Hooks takes no follow-up tasks from callsync.")
	require.Len(t, r.JSON["errors"], 2)
}

// followUp makes a call and the follow-up that an action made of it.
func (f *fixture) followUp(source, connection, number string) (callID, followUpID string) {
	at := f.clock().Add(-time.Minute).UTC()
	callID = f.tell(f.ws, story{source: source, receipts: []said{{kind: call.CallEnded, at: at, facts: call.Facts{Direction: call.Inbound, Status: call.Missed,
		StartedAt: at, EndedAt: at, Customer: call.Party{Number: number, Name: "Jane <b>"}}}}})
	_, err := f.db.PutActions(f.t.Context(), f.ws, records.Actions{ConnectionID: connection, Version: -1, Document: missedActions})
	require.NoError(f.t, err)
	require.NoError(f.t, f.db.MakeFollowUp(f.t.Context(), records.FollowUp{WorkspaceID: f.ws, ConnectionID: connection, Kind: records.FollowUpTask, Action: "Call back",
		Plan: records.FollowUpPlan{Subject: "Call back Jane <b>"}, Number: number, CallID: callID, DueAt: at.Add(30 * time.Minute), EscalateAt: at.Add(time.Hour)}))
	all, err := f.db.FollowUps(f.t.Context(), f.ws, records.FollowUpFilter{CallID: callID, Limit: 1})
	require.NoError(f.t, err)
	require.Len(f.t, all, 1)
	return callID, all[0].ID
}

func TestFollowUpsAPI(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	source, connection := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	one, followUp := f.followUp(source, connection, "+14155550101")
	f.followUp(source, connection, "+14155550102")
	f.followUp(source, connection, "+14155550103")

	// Page by page, newest first.
	r := f.must(200, "GET", "/follow-ups?limit=2&state=open,overdue", "")
	require.Len(t, r.items(), 2)
	r = f.must(200, "GET", "/follow-ups?limit=2&cursor="+url.QueryEscape(r.JSON["next_cursor"].(string)), "")
	require.Len(t, r.items(), 1)
	last := r.items()[0].(map[string]any)
	require.Equal(t, followUp, last["id"])
	require.Equal(t, "open", last["state"])
	require.Equal(t, "It is being made in HubSpot.", last["why"])
	require.Empty(t, f.must(200, "GET", "/follow-ups?state=done", "").items())
	require.Len(t, f.must(200, "GET", "/follow-ups?connection="+connection+"&kind=task", "").items(), 3)
	require.Empty(t, f.must(200, "GET", "/follow-ups?kind=ticket", "").items())
	f.must(422, "GET", "/follow-ups?state=odd", "")
	f.must(422, "GET", "/follow-ups?call=odd", "")

	f.exec(`update follow_ups set settled_revision = revision`)
	require.Contains(t, f.must(200, "GET", "/follow-ups/"+followUp, "").JSON["why"], "A later call with the number closes it.")
	shown := f.must(200, "GET", "/calls/"+one, "").JSON["follow_ups"].([]any)
	require.Equal(t, followUp, shown[0].(map[string]any)["id"])

	r = f.must(200, "POST", "/follow-ups/"+followUp+"/close", "")
	require.Equal(t, []any{"done", "person"}, []any{r.JSON["state"], r.JSON["closed"]})
	f.must(200, "POST", "/follow-ups/"+followUp+"/close", "")
	f.must(202, "POST", "/follow-ups/"+followUp+"/retry", "")
	for _, path := range []string{"", "/close", "/retry"} {
		f.must(404, map[bool]string{true: "GET", false: "POST"}[path == ""], "/follow-ups/"+id()+path, "")
	}

	// One that is on hold is among the holds, with the call that it is for, and its retry finds it.
	f.exec(`update deliveries set state = 'parked', class = 'invalid', reason = 'No.' where object = 'task' and key = $1`, followUp)
	hold := f.must(200, "GET", "/holds", "").items()[0].(map[string]any)
	require.Equal(t, []any{one}, hold["call_ids"])
	f.must(202, "POST", "/holds/"+hold["id"].(string)+"/retry", "")
	require.Equal(t, []string{f.ws + " " + followUp + " " + connection}, f.actions.syncs())
	require.Equal(t, "On hold: No.", f.must(200, "GET", "/follow-ups/"+followUp, "").JSON["why"])
}

func TestFollowUpPages(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	source, connection := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	one, followUp := f.followUp(source, connection, "+14155550101")
	f.user(f.ws, "anna@example.com", "Anna", records.RoleOperator)
	c := f.signIn("anna@example.com")
	get := func(path string) string {
		r := f.get(c, path)
		require.Equal(t, 200, r.Status, "%s: %s", path, r.Raw)
		return string(r.Raw)
	}
	page := get("/follow-ups")
	require.Contains(t, page, "Call back Jane &lt;b&gt;")
	require.NotContains(t, page, "Jane <b>")
	require.Contains(t, page, "/follow-ups/"+followUp+"/close")
	require.Contains(t, get("/calls/"+one), "Call back Jane &lt;b&gt;")
	require.Contains(t, get("/connections/"+connection+"/actions"), "What they would make")
	require.Contains(t, get("/follow-ups?show=done"), "None")
	require.Contains(t, get("/connections"), "/connections/"+connection+"/actions")
}

func TestBrowserFollowUps(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	source, connection := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	one, _ := f.followUp(source, connection, "+14155550101")
	f.followUp(source, connection, "+14155550102")
	f.followUp(source, connection, "+14155550103")
	f.exec(`update follow_ups set settled_revision = revision`)
	f.exec(`update follow_ups set state = 'overdue', due_at = now() - interval '5 minutes' where number = '+14155550102'`)
	_, err := f.db.PutActions(t.Context(), f.ws, records.Actions{ConnectionID: connection, Version: -1})
	require.NoError(t, err)
	b := f.newBrowser("Europe/London")
	b.signIn("anna@example.com")
	b.open("/connections/" + connection + "/actions")
	b.picture("actions-empty", true)
	b.press("example")
	b.until(`document.getElementById("text").value.includes("Call back")`)
	b.until(`document.querySelector("#actions-preview").innerText.includes("3 tasks")`)
	b.picture("actions", true)
	b.run(chromedp.SetValue(chromedp.CSS("#text"), "actions:\n  - {name: A, do: followup}\n"))
	b.press("save")
	b.until(`document.querySelector("[role=alert]") !== null && document.querySelector("[role=alert]").innerText.includes("Line 2, action 1 (A), do")`)
	b.picture("actions-wrong", true)
	b.press("example")
	b.until(`document.getElementById("text").value.includes("Call back")`)
	b.press("save")
	b.until(`document.querySelector(".flash[role=status]") !== null`)
	b.open("/follow-ups")
	b.picture("follow-ups", true)
	b.open("/calls/" + one)
	b.picture("follow-ups-call", true)
	b.open("/follow-ups")
	b.run(chromedp.Click(chromedp.CSS(`form[action$="/close"] button`)))
	b.until(`document.querySelector(".flash[role=status]") !== null`)
	b.open("/follow-ups?show=done")
	require.Contains(t, js[string](b, "document.querySelector('main').innerText"), "Closed in callsync")
}
