// Package odoofake is an Odoo in memory, as strict as Odoo 19.0 and 14.0 were seen to be where callsync touches them:
// JSON-2, JSON-RPC and XML-RPC with their faults, methods' arguments, field types, load() with its External IDs and time
// zones, the sanitizer of HTML, places of notes, activities, meetings, OCA's phone calls and phone searches. It can fail in
// the ways real networks do.
package odoofake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/callsync/callsync/internal/crmfake"
)

// Credentials and names that the fake accepts unless Options name others.
const (
	APIKey   = "0123456789abcdef0123456789abcdef01234567"
	Login    = "callsync@example.com"
	Database = "demo"
)

// Options configure the fake.
type Options struct {
	// Version is 19 or 14; zero means 19.
	Version int
	// APIKey, Login and Database are what it accepts; empty means the constants.
	APIKey, Login, Database string
	// Admin makes callsync's user an administrator.
	Admin bool
	// NoEmail takes the user's e-mail address.
	NoEmail bool
	// NoCRM leaves out the CRM app, Phonecalls adds OCA's crm_phonecall and Helpdesk adds helpdesk.ticket.
	NoCRM, Phonecalls, Helpdesk bool
	// Denied are models that the user has no right to.
	Denied []string
	// Owners are e-mails of users; nil means agent1@example.com to agent5@example.com.
	Owners []string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Record is what the database has of a record: string, bool, int64, float64 or []int64 by field. False is nothing.
type Record = map[string]any

// xmlID is what an External ID stands for.
type xmlID struct {
	model string
	id    int64
}

// Fake is the Odoo; it is an http.Handler.
type Fake struct {
	opt    Options
	models map[string]map[string]field

	mu      sync.Mutex
	state   state
	mails   int
	calls   map[string]int
	faults  crmfake.Injector
	partner int64
}

// state is what a transaction changes.
type state struct {
	rows map[string]map[int64]Record
	next map[string]int64
	xml  map[string]xmlID
}

func (s state) clone() state {
	out := state{rows: map[string]map[int64]Record{}, next: maps.Clone(s.next), xml: maps.Clone(s.xml)}
	for model, rows := range s.rows {
		out.rows[model] = make(map[int64]Record, len(rows))
		for id, r := range rows {
			out.rows[model][id] = maps.Clone(r)
		}
	}
	return out
}

// The ids of callsync's user and company.
const (
	userID    = 5
	companyID = 1
)

// New makes an Odoo with default data.
func New(o Options) *Fake {
	if o.Version == 0 {
		o.Version = 19
	}
	for _, d := range []struct {
		to    *string
		value string
	}{{&o.APIKey, APIKey}, {&o.Login, Login}, {&o.Database, Database}} {
		if *d.to == "" {
			*d.to = d.value
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Owners == nil {
		for i := range 5 {
			o.Owners = append(o.Owners, fmt.Sprintf("agent%d@example.com", i+1))
		}
	}
	f := &Fake{opt: o, models: models(o), calls: map[string]int{}, state: state{rows: map[string]map[int64]Record{}, next: map[string]int64{}, xml: map[string]xmlID{}}}
	// Odoo itself has no limits.
	f.faults.RateLimited, f.faults.Unavailable = crmfake.Proxy429, crmfake.Proxy503
	for model := range f.models {
		f.state.rows[model] = map[int64]Record{}
	}
	for i, name := range []string{"Discussions", "Note", "Activities"} {
		f.xml("mail", []string{"mt_comment", "mt_note", "mt_activities"}[i], "mail.message.subtype", f.put("mail.message.subtype", Record{"name": name}))
	}
	for i, name := range []string{"Email", "Call", "Meeting", "To-Do", "Document"} {
		f.xml("mail", "mail_activity_data_"+[]string{"email", "call", "meeting", "todo", "upload_document"}[i], "mail.activity.type", f.put("mail.activity.type", Record{"name": name}))
	}
	for model, module := range map[string]string{"res.partner": "base", "crm.lead": "crm"} {
		if f.models[model] != nil {
			f.xml(module, "model_"+strings.ReplaceAll(model, ".", "_"), "ir.model", f.put("ir.model", Record{"model": model}))
		}
	}
	for _, name := range []string{"Sale", "No interest"} {
		for _, model := range []string{"crm.tag", "calendar.event.type"} {
			if f.models[model] != nil {
				f.put(model, Record{"name": name})
			}
		}
	}
	if f.models["crm.stage"] != nil {
		f.put("crm.stage", Record{"name": "New", "is_won": false})
		f.put("crm.stage", Record{"name": "Won", "is_won": true})
	}
	f.put("res.company", Record{"name": "My Company"})
	f.state.next["res.users"] = userID - 1
	email := any(o.Login)
	if o.NoEmail {
		email = false
	}
	f.partner = f.put("res.partner", Record{"name": "callsync", "email": email})
	f.put("res.users", Record{"name": "callsync", "login": o.Login, "email": email, "active": true, "share": false, "partner_id": f.partner, "company_id": int64(companyID), "tz": "Asia/Kolkata"})
	for _, mail := range o.Owners {
		f.addOwner(mail, true)
	}
	return f
}

// put keeps a record of default data.
func (f *Fake) put(model string, r Record) int64 {
	f.state.next[model]++
	id := f.state.next[model]
	for name, d := range f.models[model] {
		if _, ok := r[name]; !ok {
			r[name] = d.empty()
		}
	}
	if _, ok := f.models[model]["active"]; ok && r["active"] == false && !strings.Contains(model, "users") {
		r["active"] = true
	}
	now := f.opt.Now().UTC().Format(timeLayout)
	r["create_date"], r["write_date"] = now, now
	f.state.rows[model][id] = r
	f.sanitize(model, r)
	return id
}

func (f *Fake) xml(module, name, model string, id int64) {
	f.state.xml[module+"."+name] = xmlID{model, id}
}

func (f *Fake) addOwner(email string, active bool) int64 {
	partner := f.put("res.partner", Record{"name": email, "email": email})
	id := f.put("res.users", Record{"name": email, "login": email, "email": email, "share": false, "partner_id": partner, "company_id": int64(companyID)})
	f.state.rows["res.users"][id]["active"] = active
	return id
}

// fault is an exception.
type fault struct{ name, message string }

func (e fault) Error() string { return e.name + ": " + e.message }

func userError(text string, args ...any) fault {
	return fault{"odoo.exceptions.UserError", fmt.Sprintf(text, args...)}
}

func valueError(text string, args ...any) fault {
	return fault{"builtins.ValueError", fmt.Sprintf(text, args...)}
}

func accessError(text string, args ...any) fault {
	return fault{"odoo.exceptions.AccessError", fmt.Sprintf(text, args...)}
}

func missing(model string, id int64) fault {
	return fault{"odoo.exceptions.MissingError", fmt.Sprintf("Record does not exist or has been deleted.\n(Record: %s(%d,), User: %d)", model, id, userID)}
}

// ServeHTTP implements http.Handler.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/_fake/faults" {
		f.faults.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 128<<20))
	if err != nil {
		http.Error(w, "<html>413</html>", http.StatusRequestEntityTooLarge)
		return
	}
	if f.faults.Before(w, r) {
		return
	}
	record := &answer{header: http.Header{}, status: http.StatusOK}
	switch {
	case f.opt.Version >= 19 && strings.HasPrefix(r.URL.Path, "/json/2/"):
		f.json2(record, r, body)
	case r.URL.Path == "/jsonrpc" && r.Method == http.MethodPost:
		f.jsonrpc(record, body)
	case strings.HasPrefix(r.URL.Path, "/xmlrpc/2/") && r.Method == http.MethodPost:
		f.xmlrpc(record, strings.TrimPrefix(r.URL.Path, "/xmlrpc/2/"), body)
	default:
		record.html(http.StatusNotFound, "<!DOCTYPE html><html><title>404 Not Found</title></html>")
	}
	if f.faults.After(w, r) {
		return
	}
	maps.Copy(w.Header(), record.header)
	w.WriteHeader(record.status)
	_, _ = w.Write(record.body.Bytes())
}

type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (a *answer) html(status int, text string) {
	a.status = status
	a.header.Set("Content-Type", "text/html; charset=utf-8")
	a.body.WriteString(text)
}

func (a *answer) json(status int, v any) {
	a.status = status
	a.header.Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(&a.body).Encode(v)
}

// statuses are those with which JSON-2 answers exceptions.
var statuses = map[string]int{
	"odoo.exceptions.AccessError": 403, "odoo.exceptions.AccessDenied": 403, "odoo.exceptions.MissingError": 404, "odoo.exceptions.UserError": 422,
	"odoo.exceptions.ValidationError": 422, "werkzeug.exceptions.NotFound": 404, "werkzeug.exceptions.Unauthorized": 401,
	"werkzeug.exceptions.UnprocessableEntity": 422, "werkzeug.exceptions.BadRequest": 400,
}

func (a *answer) fault2(e fault) {
	status := statuses[e.name]
	if status == 0 {
		status = http.StatusInternalServerError
	}
	a.json(status, map[string]any{"name": e.name, "message": e.message, "arguments": []any{e.message}, "context": map[string]any{}, "debug": "Traceback (most recent call last):\n" + e.message})
}

// json2 is the protocol of Odoo 19.
func (f *Fake) json2(a *answer, r *http.Request, body []byte) {
	if db := r.Header.Get("X-Odoo-Database"); db != "" && db != f.opt.Database {
		a.html(http.StatusNotFound, "<!DOCTYPE html>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>No database is selected and the requested URL was not found in the server-wide controllers.</p>")
		return
	}
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/json/2/"), "/")
	if r.Method != http.MethodPost || len(parts) != 2 {
		a.fault2(fault{"werkzeug.exceptions.NotFound", "Did you mean POST /json/2/<model>/<method>?"})
		return
	}
	if r.Header.Get("Content-Type") != "application/json" {
		a.html(http.StatusUnsupportedMediaType, "<!doctype html>\n<title>415 Unsupported Media Type</title>")
		return
	}
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") || key != f.opt.APIKey {
		a.fault2(fault{"werkzeug.exceptions.Unauthorized", "Invalid apikey"})
		return
	}
	var named map[string]any
	if err := decode(body, &named); err != nil {
		a.fault2(fault{"werkzeug.exceptions.BadRequest", "could not parse the body as json: " + err.Error()})
		return
	}
	c := call{model: parts[0], method: parts[1], named: map[string]any{}}
	for name, v := range named {
		switch name {
		case "ids":
			ids, _ := v.([]any)
			c.ids, c.hasIDs = idsOf(ids), true
		case "context":
			c.context, _ = v.(map[string]any)
		default:
			c.named[name] = v
		}
	}
	if f.models[c.model] == nil {
		a.fault2(fault{"werkzeug.exceptions.NotFound", fmt.Sprintf("the model '%s' does not exist", c.model)})
		return
	}
	out, err := f.run(c, true)
	if err != nil {
		a.fault2(asFault(err))
		return
	}
	a.json(http.StatusOK, out)
}

func asFault(err error) fault {
	if e, ok := err.(fault); ok {
		return e
	}
	return fault{"builtins.Exception", err.Error()}
}

// decode reads JSON with whole numbers as int64.
func decode(body []byte, v *map[string]any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return err
	}
	for k, x := range *v {
		(*v)[k] = numbers(x)
	}
	return nil
}

func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		n, _ := v.Float64()
		return n
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = numbers(v[k])
		}
	}
	return v
}

// jsonrpc answers with status 200, whatever happened.
func (f *Fake) jsonrpc(a *answer, body []byte) {
	var in map[string]any
	if err := decode(body, &in); err != nil {
		a.html(http.StatusBadRequest, "Invalid JSON data")
		return
	}
	params, _ := in["params"].(map[string]any)
	service, _ := params["service"].(string)
	method, _ := params["method"].(string)
	args, _ := params["args"].([]any)
	out, err := f.dispatch(service, method, args)
	if err != nil {
		e, code := asFault(err), 0
		if f.opt.Version < 19 {
			code = 200
		}
		a.json(http.StatusOK, map[string]any{"jsonrpc": "2.0", "id": in["id"], "error": map[string]any{"code": code, "message": "Odoo Server Error",
			"data": map[string]any{"name": e.name, "message": e.message, "arguments": []any{e.message}, "debug": "Traceback\n" + e.message, "context": map[string]any{}}}})
		return
	}
	a.json(http.StatusOK, map[string]any{"jsonrpc": "2.0", "id": in["id"], "result": out})
}

// dispatch is one request of the older protocols.
func (f *Fake) dispatch(service, method string, args []any) (any, error) {
	text := func(i int) string {
		if i < len(args) {
			s, _ := args[i].(string)
			return s
		}
		return ""
	}
	if db := text(0); db != f.opt.Database {
		return nil, fault{"psycopg2.OperationalError", fmt.Sprintf("connection to server failed: FATAL:  database %q does not exist\n", db)}
	}
	switch {
	case service == "common" && method == "authenticate" && len(args) == 4:
		if text(1) != f.opt.Login || text(2) != f.opt.APIKey {
			return false, nil
		}
		return int64(userID), nil
	case service != "object" || method != "execute_kw" || len(args) < 6:
		return nil, fault{"builtins.Exception", "Method not found: " + method}
	case args[1] != int64(userID) || text(2) != f.opt.APIKey:
		return nil, fault{"odoo.exceptions.AccessDenied", "Access Denied"}
	}
	c := call{model: text(3), method: text(4)}
	c.args, _ = args[5].([]any)
	if len(args) > 6 {
		c.named, _ = args[6].(map[string]any)
	}
	c.context, _ = c.named["context"].(map[string]any)
	delete(c.named, "context")
	if f.models[c.model] == nil {
		return nil, userError("Object %s doesn't exist", c.model)
	}
	return f.run(c, false)
}

func idsOf(list []any) []int64 {
	out := []int64{}
	for _, v := range list {
		n, _ := v.(int64)
		out = append(out, n)
	}
	return out
}

// Records are the living records of a model, by id.
func (f *Fake) Records(model string) map[int64]Record {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state.clone().rows[model]
}

// ByKey is the record of an External ID of callsync's.
func (f *Fake) ByKey(model, name string) (int64, Record, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	x, ok := f.state.xml["__callsync__."+name]
	if !ok || x.model != model {
		return 0, nil, false
	}
	r, ok := f.state.rows[model][x.id]
	return x.id, maps.Clone(r), ok
}

// Add makes a record, as a person would.
func (f *Fake) Add(model string, r Record) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.put(model, r)
}

// Set changes a record, as an administrator would.
func (f *Fake) Set(model string, id int64, r Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.Copy(f.state.rows[model][id], r)
	f.sanitize(model, f.state.rows[model][id])
}

// Delete removes a record, with the notes and activities in its chatter.
func (f *Fake) Delete(model string, id int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unlink(model, id)
}

// AddOwner makes a user; one who is not active has left.
func (f *Fake) AddOwner(email string, active bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.addOwner(email, active)
}

// Partner is the id of the contact of callsync's own user.
func (f *Fake) Partner() int64 { return f.partner }

// Mails is how many people would have got an e-mail.
func (f *Fake) Mails() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mails
}

// Calls is how often methods were called, by "model.method".
func (f *Fake) Calls() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.calls)
}
