package zohofake

import (
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"strings"
	"time"
)

// AddUser adds a user and returns the id.
func (f *Fake) AddUser(email string, active bool) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := User{ID: f.id(), Email: email, Active: active}
	f.users = append(f.users, u)
	return u.ID
}

// Add makes a record, past all rules, and lets the searches see it at once. It returns its id.
func (f *Fake) Add(module string, fields map[string]any) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := f.add(module, fields)
	f.records[module][id].Created = f.records[module][id].Created.Add(-2 * time.Hour)
	f.records[module][id].Modified = f.records[module][id].Created
	return id
}

// Get reads a record.
func (f *Fake) Get(module, id string) (Record, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.records[module][id]
	if r == nil {
		return Record{}, false
	}
	c := *r
	c.Fields = maps.Clone(r.Fields)
	return c, true
}

// All are the records of a module, the newest first.
func (f *Fake) All(module string) []Record {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []Record
	for _, r := range f.sorted(module) {
		c := *r
		c.Fields = maps.Clone(r.Fields)
		out = append(out, c)
	}
	return out
}

// Set changes a field, as a person would.
func (f *Fake) Set(module, id, field string, v any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r := f.records[module][id]; r != nil {
		r.Fields[field] = v
	}
}

// Delete puts a record into the recycle bin.
func (f *Fake) Delete(module, id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop(module, id)
}

// Merge merges a record into another one, as Zoho does it: loser is deleted, and nothing says into which one.
func (f *Fake) Merge(module, loser, winner string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop(module, loser)
}

// Convert turns a lead into a contact, whose id it returns.
func (f *Fake) Convert(lead string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.records["Leads"][lead]
	id := f.add("Contacts", map[string]any{"First_Name": r.Fields["First_Name"], "Last_Name": r.Fields["Last_Name"], "Phone": r.Fields["Phone"]})
	r.Fields["$converted"] = true
	r.Fields["$converted_detail"] = map[string]any{"contact": id, "convert_date": f.opt.Now().Format(time.DateOnly), "converted_by": f.users[0].ID}
	r.Fields["Converted_Contact"] = map[string]any{"id": id, "name": "A record"}
	return id
}

// Lock locks a record for everybody, or unlocks it.
func (f *Fake) Lock(id string, on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.locked[id] = on
}

// SetLag changes how long searches do not see a change.
func (f *Fake) SetLag(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lag = d
}

// Files are the attachments of a record.
func (f *Fake) Files(id string) []File {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]File(nil), f.files[id]...)
}

// Fields changes the fields of a module; change may drop some or make one unique or not.
func (f *Fake) Fields(module string, change func([]*Field) []*Field) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fields[module] = change(f.fields[module])
}

// Asked is how often each route was asked, by its pattern.
func (f *Fake) Asked() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.asked)
}

// pageRows is how many of the newest records of a module the page shows.
const pageRows = 200

var pageTemplate = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Fake Zoho CRM</title><style>
:root{color-scheme:light dark;--line:light-dark(#d9dde3,#343a43);--dim:light-dark(#5b6470,#9aa4b2);--bg:light-dark(#fff,#14171b);--head:light-dark(#f4f6f8,#1d2127)}
body{font:15px/1.45 system-ui,sans-serif;margin:0 auto;max-width:1200px;padding:1.5rem;background:var(--bg);color:light-dark(#1b1f24,#e6e9ee)}
h1{font-size:1.4rem;margin:0}p{color:var(--dim);margin:.3rem 0 1.2rem}h2{font-size:1.1rem;margin:1.6rem 0 .5rem}
.wrap{overflow-x:auto;border:1px solid var(--line);border-radius:8px}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.45rem .7rem;border-bottom:1px solid var(--line);vertical-align:top}tr:last-child td{border-bottom:0}
th{background:var(--head);font-weight:600;white-space:nowrap}small{color:var(--dim);white-space:pre-line}
</style></head><body><h1>Fake Zoho CRM</h1><p>A stand-in for a Zoho CRM account. Reload to see what callsync has written since.</p>
{{range .}}<h2>{{.Name}}</h2><div class="wrap"><table><thead><tr><th>No.</th><th>Record</th><th>Kind</th><th>When</th><th>Belongs to</th></tr></thead><tbody>
{{range .Rows}}<tr><td>{{.ID}}</td><td>{{.Title}}{{with .Text}}<br><small>{{.}}</small>{{end}}</td><td>{{.Kind}}</td><td>{{.When}}</td><td>{{.Of}}</td></tr>
{{else}}<tr><td colspan="5">Nothing yet.</td></tr>{{end}}</tbody></table></div>{{end}}</body></html>
`))

type pageRow struct{ ID, Title, Text, Kind, When, Of string }

func (f *Fake) page(w http.ResponseWriter, _ *http.Request) {
	type module struct {
		Name string
		Rows []pageRow
	}
	var out []module
	f.mu.Lock()
	for _, name := range []string{"Calls", "Contacts", "Leads", "Tasks", "Notes", "Cases"} {
		m := module{Name: name}
		for _, r := range f.sorted(name)[:min(len(f.records[name]), pageRows)] {
			row := pageRow{ID: r.ID, Title: first(r, "Subject", "Full_Name", "Note_Title"), Text: first(r, "Description", "Note_Content", "Phone"),
				Kind: strings.TrimSpace(first(r, "Call_Type", "Status") + " " + first(r, "Call_Duration")), When: first(r, "Call_Start_Time", "Due_Date")}
			for _, link := range []string{"Who_Id", "What_Id", "Parent_Id", "Related_To"} {
				if to, ok := r.Fields[link].(map[string]any); ok {
					row.Of = f.title(fmt.Sprint(to["id"]))
				}
			}
			if row.When == "" {
				row.When = r.Created.UTC().Format(time.DateTime)
			}
			m.Rows = append(m.Rows, row)
		}
		out = append(out, m)
	}
	f.mu.Unlock()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	_ = pageTemplate.Execute(w, out)
}

func first(r *Record, names ...string) string {
	for _, n := range names {
		if s, _ := r.Fields[n].(string); s != "" {
			return s
		}
	}
	return ""
}

// title is the name of the record with an id.
func (f *Fake) title(id string) string {
	for _, m := range f.records {
		if r := m[id]; r != nil {
			return first(r, "Full_Name", "Account_Name", "Deal_Name", "Subject")
		}
	}
	return id
}
