package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// Bounds of what is done while somebody types.
const (
	editorSchemaTimeout = 8 * time.Second
	tryTime             = 6 * time.Second
)

func isNoSchema(err error) bool { return errors.Is(err, records.ErrNoSchema) }

// whereWords name the members of rows as the editor does.
var whereWords = map[string]string{
	"target": "CRM field", "type": "Type", "mode": "Writing", "empty": "Without a value", "when": "Condition", "max_length": "At most", "note": "Note",
	"value": "Value", "value.field": "Value", "value.expr": "Expression", "value.template": "Text", "value.const": "Value",
	"value.lookup.key": "Key", "value.lookup.table": "Table", "value.lookup.default": "Otherwise",
}

// judge tells of a row what is wrong with it. issues are what changed in the CRM since the mapping in force was made.
func (r *mappingRow) judge(f mappings.Finding, row mappings.Row, issues []records.SchemaIssue) {
	w := rowWrong{Warning: f.Severity == mappings.SeverityWarning, Where: whereWords[f.Key], Text: capital(f.Text)}
	if f.Key == "value" && f.Code == mappings.CodeLanguage {
		w.Text = "Say where the value comes from." // the form chose one of its members already
	}
	suggestion := f.Suggestion
	for _, i := range issues {
		if i.Field == f.Target && i.Code == string(f.Code) && i.Value == f.Value {
			w.Drift, w.Text = true, i.Text
			if i.Suggestion != "" {
				suggestion = i.Suggestion
			}
		}
	}
	line := -1
	if rest, ok := strings.CutPrefix(f.Key, "value.template["); ok {
		line = atoi(strings.TrimSuffix(rest, "]"), -1)
		w.Where = fmt.Sprintf("Line %d of the text", line+1)
	}
	source := sourceOfMember(row, f.Key, line)
	start, end := 0, 0
	if f.Column > 0 && source != "" {
		runes := []rune(source)
		start, end = wordAt(runes, f.Column-1)
		w.Before, w.At, w.After = clipFront(string(runes[:start]), 60), string(runes[start:end]), clip(string(runes[end:]), 60)
	}
	switch {
	case f.Code == mappings.CodeUnknownField && suggestion != "":
		w.Fixes = append(w.Fixes, fixOf(r.Key, "Use "+clip(suggestion, 60), "target", suggestion))
	case f.Code == mappings.CodeNotInList && f.Value != "" && suggestion != "":
		w.Fixes = append(w.Fixes, fixOf(r.Key, "Use “"+clip(suggestion, 60)+"”", "value", suggestion, "old", f.Value))
	case f.Code == mappings.CodeLanguage && suggestion != "" && w.At != "" && !r.Lines:
		runes := []rune(source)
		fixed := string(runes[:start]) + suggestion + string(runes[end:])
		member, value := "text", fixed
		switch {
		case f.Key == "when":
			member = "when"
		case f.Key == "value.field":
			member = "name"
		case line >= 0:
			lines := strings.Split(r.Text, "\n")
			if line < len(lines) {
				lines[line] = fixed
			}
			value = strings.Join(lines, "\n")
		}
		w.Text += " Did you mean " + suggestion + "?"
		w.Fixes = append(w.Fixes, fixOf(r.Key, "Use "+clip(suggestion, 60), member, value))
	case f.Code == mappings.CodeWrongType && r.CRM != nil && f.Key == "type" && r.CRM.Type != r.Type:
		w.Fixes = append(w.Fixes, fixOf(r.Key, "Set the type to “"+typeLabel(r.CRM.Type)+"”", "type", r.CRM.Type))
	case f.Code == mappings.CodeMarkup && r.CRM != nil && r.CRM.Type != r.Type:
		w.Fixes = append(w.Fixes, fixOf(r.Key, "Set the type to “"+typeLabel(r.CRM.Type)+"”", "type", r.CRM.Type))
	case f.Code == mappings.CodeTooLong && f.Value == "":
		if n := lengthNamed.FindStringSubmatch(f.Text); n != nil {
			w.Fixes = append(w.Fixes, fixOf(r.Key, "Cut at "+n[1]+" characters", "max", n[1]))
		}
	case f.Code == mappings.CodeNoUpdate:
		w.Fixes = append(w.Fixes, fixOf(r.Key, "Only fill if empty", "mode", string(mappings.FillIfEmpty)))
	case f.Code == mappings.CodeReadOnly || f.Code == mappings.CodeNoCreate:
		w.Fixes = append(w.Fixes, rowFix{"Take the row out", "remove:" + r.Key})
	}
	r.Wrong = append(r.Wrong, w)
}

// lengthNamed finds the CRM's length in a finding's sentence.
var lengthNamed = regexp.MustCompile(` takes (\d{1,9}) characters`)

func typeLabel(t string) string {
	i := slices.IndexFunc(mappingTypes, func(c mappingChoice) bool { return c.Value == t })
	if i < 0 {
		return t
	}
	return mappingTypes[i].Label
}

// sourceOfMember is the text in which a problem's column counts.
func sourceOfMember(row mappings.Row, key string, line int) string {
	v := row.Value
	switch {
	case key == "when":
		return row.When
	case key == "value.field":
		return v.Field
	case key == "value.expr":
		return v.Expr
	case key == "value.lookup.key" && v.Lookup != nil:
		return v.Lookup.Key
	case line >= 0 && line < len(v.Template):
		return v.Template[line]
	case key == "value.template" && len(v.Template) == 1:
		return v.Template[0]
	}
	return ""
}

// wordAt is the name, or else the character, at a place.
func wordAt(runes []rune, at int) (start, end int) {
	start = min(max(at, 0), len(runes))
	end = start
	for end < len(runes) && (unicode.IsLetter(runes[end]) || unicode.IsDigit(runes[end]) || runes[end] == '_') {
		end++
	}
	if end == start && end < len(runes) {
		end++
	}
	return start, end
}

// clipFront cuts the begin of a text that is too long.
func clipFront(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return "…" + string(runes[len(runes)-n:])
}

// judgeRows gives the findings of a document to its rows, and returns those that belong to none. Where some rows cannot be
// read, the others are compared with the CRM's fields all the same.
func (v *mappingPageView) judgeRows(found mappings.Findings, doc mappings.Document, fields editorFields) (rest mappings.Findings) {
	broken := map[int]bool{}
	for _, f := range found {
		broken[f.Row] = broken[f.Row] || f.Severity == mappings.SeverityError && f.Code == mappings.CodeLanguage
	}
	if len(found.Errors()) > 0 && slices.ContainsFunc(found, func(f mappings.Finding) bool { return broken[f.Row] }) && fields.schema != nil {
		good, places := doc, []int{}
		good.Fields = nil
		for i, row := range doc.Fields {
			if !broken[i+1] {
				good.Fields, places = append(good.Fields, row), append(places, i+1)
			}
		}
		for _, f := range mappings.Validate(good, fields.schema) {
			if f.Row > 0 {
				f.Row = places[f.Row-1]
				found = append(found, f)
			}
		}
	}
	for _, f := range found {
		switch {
		case f.Row > 0 && f.Row <= len(v.Rows) && f.Row <= len(doc.Fields):
			v.Rows[f.Row-1].judge(f, doc.Fields[f.Row-1], v.Schema.Issues)
		case f.Code == mappings.CodeRequired && f.Row == 0: // a row that waits to be filled says so
		default:
			rest = append(rest, f)
		}
	}
	return rest
}

// givenBy is what a row gave, for people.
func givenBy(e *mappings.RowExplanation) rowGiven {
	out := rowGiven{Made: true, Skipped: e.Skipped, Error: e.Error, Steps: e.Steps, Sources: e.Sources, Warned: e.Warnings}
	switch {
	case e.Error != "" || e.Skipped != "" && e.Result == nil:
	case e.Clears:
		out.Text, out.Skipped = "", "empties the field, if callsync filled it"
	default:
		out.Text = clip(shownValue(e.Result), pageValue)
	}
	return out
}

// mappingRowForm tells of one row what is wrong with it, and what it gives for a call, while it is typed. It runs what
// deliveries run.
func (h *Handler) mappingRowForm(w http.ResponseWriter, r *http.Request, p principal) error {
	c, err := h.Store.ConnectionByID(r.Context(), p.WorkspaceID, r.PathValue("id"))
	if err != nil {
		return err
	}
	rows := readMappingRows(r.PostForm)
	if len(rows) != 1 {
		return problem(http.StatusBadRequest, "One row is tried at a time.")
	}
	object := r.PathValue("object")
	row, fields := &rows[0], h.editorFields(r.Context(), c, object)
	row.CRM, row.N = fields.find(row.Target), atoi(r.PostForm.Get("n"), 1)
	edit := row.edit(nil)
	doc := mappings.Document{Format: mappings.Format, Object: object, Fields: []mappings.Row{edit.Row}}
	var tableWrong error
	if l := edit.Row.Value.Lookup; l != nil {
		l.Table, tableWrong = mappings.ParseTable(row.Table)
	}
	program, err := mappings.Compile(doc)
	var problems mappings.Problems
	switch {
	case tableWrong != nil:
		row.Wrong = append(row.Wrong, rowWrong{Where: "Table", Text: tableWrong.Error()})
	case errors.As(err, &problems):
		for _, one := range problems {
			row.judge(mappings.Finding{Problem: one, Severity: mappings.SeverityError, Code: mappings.CodeLanguage}, edit.Row, nil)
		}
	case err != nil:
		return err
	default:
		card, err := h.schemaCard(r.Context(), p, c.ID, object)
		if err != nil {
			return err
		}
		for _, f := range mappings.Validate(doc, fields.schema) {
			if f.Row == 1 {
				row.judge(f, edit.Row, card.Issues)
			}
		}
		row.Given = h.tryRow(r.Context(), p, c.ID, object, r.PostForm.Get("call"), program)
	}
	return h.renderPart(w, "mapping", "mapping_row_tried", frame{WorkspaceID: placeOf(p), CanAct: true, CanEdit: p.may(admin), Page: row})
}

// tryRow applies a program of one row to one call. Nothing is said where that is not possible: the preview says why.
func (h *Handler) tryRow(ctx context.Context, p principal, connectionID, object, callID string, program *mappings.Program) (out rowGiven) {
	if h.Previewer == nil || !validID(callID) {
		return out
	}
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	q := records.PreviewQuery{WorkspaceID: p.WorkspaceID, ConnectionID: connectionID, Object: object, Kind: kindOf(object), IDs: []string{callID}}
	err := h.Previewer.Preview(ctx, q, func(_ records.Previewed, in mappings.Input, _ mappings.Update) error {
		explained, _, _ := program.Explain(in) // what a row does not do is in its explanation
		for i := range explained {
			out = givenBy(&explained[i])
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		h.Log.WarnContext(ctx, "a row of a mapping could not be tried", "connection", connectionID, "err", err)
	}
	return out
}

// Number is the row's place as text, for the editor's names.
func (r mappingRow) Number() string { return strconv.Itoa(r.N) }
