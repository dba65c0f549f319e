package admin

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// mappingRow is a row in the editor, as it was typed.
type mappingRow struct {
	// Key names the row in the page as long as it is edited; N is its place, from 1.
	Key string
	N   int
	// From is its place in the text that is edited; below 0 it is new.
	From int

	Target, Form string
	// Name is the field that is read, Fixed the constant, Text the expression, the template or the look-up's key.
	Name, Fixed, Text string
	Table, Default    string
	Mode, Type, Empty string
	When, Note, Max   string

	// Locked says why the row is edited as text only; Source is that text.
	Locked, Source string
	// Lines tells that the template has line breaks within one of its lines, which are not told apart here.
	Lines bool

	// CRM is the CRM's field; nil where there is none of this name, or the fields are not known.
	CRM *crmField
	// Wrong is what is wrong with the row, Drift what changed in the CRM.
	Wrong []rowWrong
	Given rowGiven
	Open  bool
	Focus bool
	First bool
	Last  bool
}

// rowGiven is what a row gives for the call that was chosen.
type rowGiven struct {
	// Made is false where no call was tried.
	Made    bool
	Text    string
	Skipped string
	Error   string
	Steps   []mappings.Step
	Sources []mappings.SourceValue
	Warned  []string
}

// rowWrong is one thing that is wrong with a row.
type rowWrong struct {
	Warning bool
	// Where names the member in the page's words.
	Where string
	Text  string
	// Before, At and After are the source around the place of the fault; all are empty where there is none.
	Before, At, After string
	// Fixes are what one click can do about it.
	Fixes []rowFix
	// Drift tells that it fitted once, and the CRM has changed.
	Drift bool
}

// rowFix is a change of a row. Do is what its button asks for.
type rowFix struct{ Label, Do string }

// fixOf makes a button that sets a member of a row.
func fixOf(key, label, member, value string, more ...string) rowFix {
	v := url.Values{member: {value}}
	for i := 0; i+1 < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	return rowFix{Label: label, Do: "fix:" + key + "?" + v.Encode()}
}

// choices of a row.
var (
	mappingForms = []option{
		{Value: mappings.FormField, Label: "Field of the call"}, {Value: mappings.FormConst, Label: "Always the same"}, {Value: mappings.FormExpr, Label: "Expression"},
		{Value: mappings.FormTemplate, Label: "Text with fields"}, {Value: mappings.FormLookup, Label: "Look-up table"},
	}
	mappingModes = []mappingChoice{
		{string(mappings.Overwrite), "Update", "Written, and updated as long as nobody changed it in the CRM. What somebody changed there stays."},
		{string(mappings.Always), "Always overwrite", "Written whenever callsync’s value changes, also over what somebody typed into the CRM."},
		{string(mappings.FillIfEmpty), "Only fill if empty", "Written once, if the field is empty then. Never changed after that."},
		{string(mappings.Append), "Append", "Added below what is there, or to the list’s values; what others wrote stays. For text, HTML and lists."},
		{string(mappings.NeverWrite), "Off", "Not written. The preview still shows what it would give."},
	}
	mappingTypes = []mappingChoice{
		{string(mappings.Text), "text", ""}, {string(mappings.HTML), "HTML", ""}, {string(mappings.Number), "number", ""}, {string(mappings.Bool), "yes or no", ""},
		{string(mappings.DateTime), "time", ""}, {string(mappings.Picklist), "value of a list", ""}, {string(mappings.Multi), "several values", ""},
	}
	mappingEmpties = []mappingChoice{
		{string(mappings.SkipEmpty), "leave the field alone", ""}, {string(mappings.ClearEmpty), "empty it, if callsync filled it", ""},
	}
)

// mappingChoice is one of a few values, with what it does.
type mappingChoice struct{ Value, Label, Means string }

// Forms, Modes, Types and Empties are what can be chosen in a row.
func (mappingRow) Forms() []option          { return mappingForms }
func (mappingRow) Modes() []mappingChoice   { return mappingModes }   //nolint:revive // see Forms
func (mappingRow) Types() []mappingChoice   { return mappingTypes }   //nolint:revive // see Forms
func (mappingRow) Empties() []mappingChoice { return mappingEmpties } //nolint:revive // see Forms

// ModeLabel is the mode in a word or two.
func (r mappingRow) ModeLabel() string {
	i := slices.IndexFunc(mappingModes, func(m mappingChoice) bool { return m.Value == r.Mode })
	if i < 0 {
		return r.Mode
	}
	return mappingModes[i].Label
}

// Gist is the value in one line.
func (r mappingRow) Gist() string {
	switch r.Form {
	case mappings.FormField:
		return r.Name
	case mappings.FormConst:
		if r.Fixed == "" {
			return ""
		}
		return "“" + strings.ReplaceAll(r.Fixed, "\n", "”, “") + "”"
	case mappings.FormLookup:
		return r.Text + " by a table"
	}
	return strings.Join(strings.Fields(r.Text), " ")
}

// Tone is the worst of what is wrong with the row: fails, warns or nothing.
func (r mappingRow) Tone() string {
	tone := ""
	for _, w := range r.Wrong {
		if !w.Warning {
			return "fails"
		}
		tone = "warns"
	}
	if r.Given.Error != "" {
		return "fails"
	}
	return tone
}

// Set tells whether the row says more than its value and mode.
func (r mappingRow) Set() bool {
	return r.When != "" || r.Empty == string(mappings.ClearEmpty) || r.Max != "" || r.Note != ""
}

// mappingRows are a draft's rows in the editor.
func mappingRows(d *mappings.Draft) []mappingRow {
	out := make([]mappingRow, len(d.Rows))
	for i, r := range d.Rows {
		out[i] = mappingRowOf(r)
		out[i].Key, out[i].From = strconv.Itoa(i+1), i
	}
	return out
}

func mappingRowOf(r mappings.DraftRow) mappingRow {
	out := mappingRow{Target: r.Target, Form: r.Form, Mode: cmp.Or(string(r.Mode), string(mappings.Overwrite)), Type: cmp.Or(string(r.Type), string(mappings.Text)),
		Empty: cmp.Or(string(r.Empty), string(mappings.SkipEmpty)), When: r.When, Note: r.Note, Locked: r.Locked, Source: r.Text}
	if r.MaxLength != 0 {
		out.Max = strconv.Itoa(r.MaxLength)
	}
	v := r.Value
	switch r.Form {
	case mappings.FormField:
		out.Name = v.Field
	case mappings.FormConst:
		out.Fixed = constText(v.Const)
	case mappings.FormExpr:
		out.Text = v.Expr
	case mappings.FormTemplate:
		out.Text = strings.Join(v.Template, "\n")
		out.Lines = slices.ContainsFunc(v.Template, func(s string) bool { return strings.Contains(s, "\n") })
	case mappings.FormLookup:
		out.Table = strings.TrimRight(r.Table, "\n")
		if v.Lookup != nil {
			out.Text, out.Default = v.Lookup.Key, constText(v.Lookup.Default)
		}
	}
	return out
}

// constText is a constant as it is typed: of a list one value a line.
func constText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []any:
		lines := make([]string, len(v))
		for i, item := range v {
			lines[i] = constText(item)
		}
		return strings.Join(lines, "\n")
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// constOf is what was typed as a constant of a row's type. What was not changed stays what it was.
func constOf(text, typ string, was any) any {
	if was != nil && constText(was) == text {
		return was
	}
	switch mappings.Type(typ) {
	case mappings.Number:
		if n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64); err == nil {
			return n
		}
		if f, err := strconv.ParseFloat(strings.TrimSpace(text), 64); err == nil {
			return f
		}
	case mappings.Bool:
		if b, err := strconv.ParseBool(strings.TrimSpace(text)); err == nil && len(strings.TrimSpace(text)) > 1 {
			return b
		}
	case mappings.Multi:
		var list []any
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" {
				list = append(list, line)
			}
		}
		if len(list) > 1 {
			return list
		}
	}
	return text
}

// readMappingRows reads the rows of a form, in their order.
func readMappingRows(form url.Values) []mappingRow {
	out := make([]mappingRow, 0, len(form["row"]))
	seen := map[string]bool{}
	for _, key := range form["row"] {
		if seen[key] || len(key) > 12 || len(out) == mostMappingRows {
			continue
		}
		seen[key] = true
		get := func(name string) string { return strings.ReplaceAll(form.Get(key+"."+name), "\r\n", "\n") }
		out = append(out, mappingRow{Key: key, From: atoi(get("from"), -1), Target: strings.TrimSpace(get("target")), Form: get("form"), Name: strings.TrimSpace(get("name")),
			Fixed: get("fixed"), Text: get("text"), Table: strings.TrimRight(get("table"), "\n"), Default: get("default"), Mode: get("mode"), Type: get("type"), Empty: get("empty"), When: get("when"),
			Note: get("note"), Max: strings.TrimSpace(get("max"))})
	}
	return out
}

// mostMappingRows is more than a document may have, so that the check says so.
const mostMappingRows = 501

// edit is the row as an edit of the text it came from.
func (r mappingRow) edit(d *mappings.Draft) mappings.RowEdit {
	e := mappings.RowEdit{From: r.From, Form: r.Form, Table: r.Table, Row: mappings.Row{Target: r.Target, Type: mappings.Type(r.Type), Mode: mappings.Mode(r.Mode),
		Empty: mappings.Empty(r.Empty), When: r.When, Note: r.Note}}
	var was mappings.DraftRow
	if d != nil && r.From >= 0 && r.From < len(d.Rows) {
		was = d.Rows[r.From]
		if was.Locked != "" {
			return mappings.RowEdit{From: r.From}
		}
		if before := mappingRowOf(was); before.Table == r.Table {
			e.Table = was.Table
		}
	} else {
		e.From = -1
	}
	if r.Max != "" {
		e.Row.MaxLength = atoi(r.Max, -1) // what is no number is refused
	}
	v := &e.Row.Value
	switch r.Form {
	case mappings.FormField:
		v.Field = r.Name
	case mappings.FormConst:
		v.Const = constOf(r.Fixed, r.Type, was.Value.Const)
	case mappings.FormExpr:
		v.Expr = r.Text
	case mappings.FormTemplate:
		if v.Template = was.Value.Template; was.Form != r.Form || strings.Join(was.Value.Template, "\n") != r.Text {
			v.Template = strings.Split(strings.TrimRight(r.Text, "\n"), "\n")
		}
	case mappings.FormLookup:
		l := mappings.Lookup{Key: r.Text}
		var before any
		if was.Value.Lookup != nil {
			before = was.Value.Lookup.Default
		}
		if r.Default != "" || before != nil && constText(before) == "" {
			l.Default = constOf(r.Default, r.Type, before)
		}
		v.Lookup = &l
	}
	return e
}

// textOfRows is the document with the rows as they were typed. A row whose table cannot be read is told by its key.
func textOfRows(base string, rows []mappingRow) (text, wrongRow string, err error) {
	d, err := mappings.NewDraft(base)
	if err != nil {
		return base, "", err
	}
	edits := make([]mappings.RowEdit, len(rows))
	for i, r := range rows {
		edits[i] = r.edit(d)
		if r.Form == mappings.FormLookup {
			if _, err := mappings.ParseTable(r.Table); err != nil {
				return base, r.Key, err
			}
		}
	}
	text, err = d.Edit(edits)
	return text, "", err
}

// changeRows does what a button of the editor asks for. It returns in a sentence what was done, for those who do not see it.
func changeRows(rows []mappingRow, do string, schema *records.Schema) ([]mappingRow, string) {
	what, arg, _ := strings.Cut(do, ":")
	if what == "add" {
		r := newMappingRow(arg, schema)
		r.Key, r.Open, r.Focus = freeKey(rows), true, true
		return append(rows, r), "A row was added at the end."
	}
	query := ""
	if what == "fix" {
		arg, query, _ = strings.Cut(arg, "?")
	}
	at := slices.IndexFunc(rows, func(r mappingRow) bool { return r.Key == arg })
	if at < 0 {
		return rows, ""
	}
	switch what {
	case "up", "down":
		to := at - 1
		if what == "down" {
			to = at + 1
		}
		if to >= 0 && to < len(rows) {
			rows[at], rows[to] = rows[to], rows[at]
			rows[to].Focus = true
			return rows, fmt.Sprintf("The row is number %d now.", to+1)
		}
	case "remove":
		return slices.Delete(rows, at, at+1), "The row was taken out."
	case "fix":
		v, err := url.ParseQuery(query)
		if err != nil {
			return rows, ""
		}
		rows[at].fix(v)
		rows[at].Open = true
		return rows, "Corrected. It is not saved yet."
	}
	return rows, ""
}

// fix sets what one click sets.
func (r *mappingRow) fix(v url.Values) {
	for member, to := range map[string]*string{"target": &r.Target, "type": &r.Type, "max": &r.Max, "mode": &r.Mode, "name": &r.Name, "text": &r.Text, "when": &r.When} {
		if v.Has(member) {
			*to = v.Get(member)
		}
	}
	old, now := v.Get("old"), v.Get("value")
	if !v.Has("value") {
		return
	}
	switch r.Form {
	case mappings.FormConst:
		r.Fixed = replaceLine(r.Fixed, old, now)
	case mappings.FormLookup:
		if r.Default == old {
			r.Default = now
		}
		r.Table = replaceEntry(r.Table, old, now)
	case mappings.FormExpr, mappings.FormTemplate:
		r.Text = strings.NewReplacer(strconv.Quote(old), strconv.Quote(now), "'"+old+"'", strconv.Quote(now)).Replace(r.Text)
	}
}

func replaceLine(text, old, now string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		if strings.TrimSpace(lines[i]) == old {
			lines[i] = now
		}
	}
	return strings.Join(lines, "\n")
}

// replaceEntry replaces a value of a table where it stands alone behind its key.
func replaceEntry(table, old, now string) string {
	lines := strings.Split(table, "\n")
	for i, line := range lines {
		entry, err := mappings.ParseTable(line)
		if err != nil {
			continue
		}
		for key, v := range entry {
			if constText(v) == old {
				lines[i] = tableLine(key, now)
			}
		}
	}
	return strings.Join(lines, "\n")
}

// tableLine is one entry of a table, with quotes where they are needed.
func tableLine(key, value string) string {
	plain := func(s string) string {
		if t, err := mappings.ParseTable("k: " + s); err == nil && t["k"] == s && strings.TrimSpace(s) != "" {
			if _, err := mappings.ParseTable(s + ": v"); err == nil {
				return s
			}
		}
		return strconv.Quote(s)
	}
	return plain(key) + ": " + plain(value)
}

func freeKey(rows []mappingRow) string {
	most := 0
	for _, r := range rows {
		most = max(most, atoi(r.Key, 0))
	}
	return strconv.Itoa(most + 1)
}

// newMappingRow is a row for a field of the CRM, empty but for its type.
func newMappingRow(target string, schema *records.Schema) mappingRow {
	r := mappingRow{From: -1, Target: target, Form: mappings.FormField, Mode: string(mappings.Overwrite), Type: string(mappings.Text), Empty: string(mappings.SkipEmpty)}
	if schema != nil {
		if i := slices.IndexFunc(schema.Fields, func(f records.SchemaField) bool { return f.Name == target }); i >= 0 {
			r.Type = string(rowTypeOf(schema.Fields[i]))
		}
	}
	return r
}
