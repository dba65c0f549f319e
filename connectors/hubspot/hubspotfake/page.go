package hubspotfake

import (
	"html"
	"html/template"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// pageRows is how many of the newest records the page shows.
const pageRows = 200

var tags = regexp.MustCompile(`<[^>]*>`)

// plainText is a call's body without its tags; the template escapes what is left.
func plainText(s string) string {
	s = strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(s, " "))), " ")
	if r := []rune(s); len(r) > 240 {
		s = string(r[:240]) + "…"
	}
	return s
}

type pageCall struct {
	ID, Time, Direction, Status, From, To, Title, Body, Duration, Contact, Owner, Outcome, Recording string
}

type pageContact struct{ ID, Name, Phone, Mobile, Email, Made string }

var pageTemplate = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Fake HubSpot</title><style>
:root{color-scheme:light dark;--line:light-dark(#d9dde3,#343a43);--dim:light-dark(#5b6470,#9aa4b2);--bg:light-dark(#fff,#14171b);--head:light-dark(#f4f6f8,#1d2127)}
body{font:15px/1.45 system-ui,sans-serif;margin:0 auto;max-width:1200px;padding:1.5rem;background:var(--bg);color:light-dark(#1b1f24,#e6e9ee)}
h1{font-size:1.4rem;margin:0}p{color:var(--dim);margin:.3rem 0 1.2rem}h2{font-size:1.1rem;margin:1.6rem 0 .5rem}
.wrap{overflow-x:auto;border:1px solid var(--line);border-radius:8px}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.45rem .7rem;border-bottom:1px solid var(--line);vertical-align:top}tr:last-child td{border-bottom:0}
th{background:var(--head);font-weight:600;white-space:nowrap}td.n{white-space:nowrap;font-variant-numeric:tabular-nums}small{color:var(--dim)}
</style></head><body>
<h1>Fake HubSpot</h1>
<p>A stand-in for a HubSpot account. {{.Calls}} calls, {{.Contacts}} contacts, {{.Links}} links. Reload to see what callsync has written since. Figures for scripts: <a href="/_fake/state?summary=1">/_fake/state</a></p>
<h2>Calls</h2>
<div class="wrap"><table><thead><tr><th>Time (UTC)</th><th>Call</th><th>From → to</th><th>Contact</th><th>Status</th><th>Length</th><th>Outcome</th><th>Recording</th></tr></thead><tbody>
{{range .CallRows}}<tr><td class="n">{{.Time}}<br><small>no. {{.ID}}</small></td><td>{{.Title}}{{with .Body}}<br><small>{{.}}</small>{{end}}</td><td class="n">{{.From}} → {{.To}}<br><small>{{.Direction}}</small></td><td>{{.Contact}}{{with .Owner}}<br><small>owner {{.}}</small>{{end}}</td><td>{{.Status}}</td><td class="n">{{.Duration}}</td><td>{{.Outcome}}</td><td>{{with .Recording}}<a href="{{.}}" rel="noreferrer">listen</a>{{end}}</td></tr>
{{else}}<tr><td colspan="8">No calls yet.</td></tr>{{end}}</tbody></table></div>
<h2>Contacts</h2>
<div class="wrap"><table><thead><tr><th>No.</th><th>Name</th><th>Phone</th><th>Mobile</th><th>E-mail</th><th>Created</th></tr></thead><tbody>
{{range .ContactRows}}<tr><td class="n">{{.ID}}</td><td>{{.Name}}</td><td class="n">{{.Phone}}</td><td class="n">{{.Mobile}}</td><td>{{.Email}}</td><td class="n">{{.Made}}</td></tr>
{{else}}<tr><td colspan="6">No contacts yet.</td></tr>{{end}}</tbody></table></div>
{{with .Others}}<h2>Tasks, notes, messages and tickets</h2>
<div class="wrap"><table><thead><tr><th>Time (UTC)</th><th>Kind</th><th>Text</th><th>Contact</th><th>Status</th></tr></thead><tbody>
{{range .}}<tr><td class="n">{{.Time}}<br><small>no. {{.ID}}</small></td><td>{{.Kind}}</td><td>{{.Title}}{{with .Body}}<br><small>{{.}}</small>{{end}}</td><td>{{.Contact}}{{with .Owner}}<br><small>owner {{.}}</small>{{end}}</td><td>{{.Status}}</td></tr>
{{end}}</tbody></table></div>{{end}}
</body></html>
`))

// otherKinds are the records of the page's last table, with the properties that it shows.
var otherKinds = []struct{ object, kind, title, body, status string }{
	{"tasks", "task", "hs_task_subject", "hs_task_body", "hs_task_status"},
	{"notes", "note", "", "hs_note_body", ""},
	{"communications", "message", "", "hs_communication_body", "hs_communication_channel_type"},
	{"tickets", "ticket", "subject", "content", "hs_ticket_priority"},
}

type pageOther struct{ ID, Time, Kind, Title, Body, Contact, Owner, Status string }

func (f *Fake) page(w http.ResponseWriter, _ *http.Request) {
	var v struct {
		Calls, Contacts, Links int
		CallRows               []pageCall
		ContactRows            []pageContact
		Others                 []pageOther
	}
	f.mu.RLock()
	name := func(o *object) string {
		return strings.TrimSpace(o.Props["firstname"] + " " + o.Props["lastname"])
	}
	contact := map[string]string{}
	for _, l := range f.data.Links {
		if o := f.data.Objects["contacts"][l.ToID]; o != nil {
			contact[l.FromID] = orDefault(name(o), o.Props["phone"])
		}
	}
	label := func(p *Property, value string) string {
		for _, o := range p.Options {
			if o.Value == value {
				return o.Label
			}
		}
		return value
	}
	owner := func(id string) string {
		for _, o := range f.data.Owners {
			if o.ID == id {
				return o.Email
			}
		}
		return ""
	}
	calls := f.sorted("calls")
	for i := len(calls) - 1; i >= 0 && len(v.CallRows) < pageRows; i-- {
		o := calls[i]
		if o.archived() {
			continue
		}
		p := o.Props
		row := pageCall{ID: o.ID, Time: p["hs_timestamp"], Direction: strings.ToLower(p["hs_call_direction"]), Status: p["hs_call_status"], From: p["hs_call_from_number"],
			To: p["hs_call_to_number"], Title: p["hs_call_title"], Body: plainText(p["hs_call_body"]), Contact: contact[o.ID], Owner: owner(p["hubspot_owner_id"]),
			Outcome: label(f.data.Properties["calls"]["hs_call_disposition"], p["hs_call_disposition"]), Recording: p["hs_call_recording_url"]}
		if t, ok := parseTime(row.Time); ok {
			row.Time = t.Format(time.DateTime)
		}
		if ms, err := strconv.ParseFloat(p["hs_call_duration"], 64); err == nil {
			row.Duration = (time.Duration(ms) * time.Millisecond).Round(time.Second).String()
		}
		v.CallRows = append(v.CallRows, row)
	}
	for _, k := range otherKinds {
		list := f.sorted(k.object)
		for i := len(list) - 1; i >= 0 && len(list)-i <= pageRows; i-- {
			o := list[i]
			if o.archived() {
				continue
			}
			row := pageOther{ID: o.ID, Time: o.Props["hs_timestamp"], Kind: k.kind, Title: o.Props[k.title], Body: plainText(o.Props[k.body]), Contact: contact[o.ID],
				Owner: owner(o.Props["hubspot_owner_id"]), Status: strings.ToLower(o.Props[k.status])}
			if t, ok := parseTime(row.Time); ok {
				row.Time = t.Format(time.DateTime)
			}
			v.Others = append(v.Others, row)
		}
	}
	contacts := f.sorted("contacts")
	for i := len(contacts) - 1; i >= 0 && len(v.ContactRows) < pageRows; i-- {
		o := contacts[i]
		if !o.archived() {
			v.ContactRows = append(v.ContactRows, pageContact{o.ID, name(o), o.Props["phone"], o.Props["mobilephone"], o.Props["email"], o.CreatedAt.Format(time.DateTime)})
		}
	}
	v.Calls, v.Contacts, v.Links = len(calls), len(contacts), len(f.data.Links)
	f.mu.RUnlock()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	_ = pageTemplate.Execute(w, v)
}
