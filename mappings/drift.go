package mappings

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/callsync/callsync/internal/exprkit"
	"github.com/callsync/callsync/records"
)

// maxChanges bounds the differences that are told of one pair of schemas.
const maxChanges = 500

// DiffSchemas tells what changed from one schema to another, in the order of the fields' names: what has gone first. A
// field that has gone while one with its label and type has come counts as renamed.
func DiffSchemas(before, after records.Schema) []records.SchemaChange {
	d := schemaDiff{}
	had, has := byName(before.Fields), byName(after.Fields)
	renamed := map[string]bool{}
	for _, name := range sortedKeys(had) {
		if _, ok := has[name]; ok || after.Partial {
			continue
		}
		f := had[name]
		if now, ok := successor(f, had, after.Fields); ok && !renamed[now.Name] {
			renamed[now.Name] = true
			d.add(records.ChangeRenamed, now, name, now.Name)
			d.out[len(d.out)-1].Field = name
			continue
		}
		d.add(records.ChangeRemoved, f, "", "")
	}
	for _, name := range sortedKeys(has) {
		if was, ok := had[name]; ok {
			d.field(was, has[name])
		} else if !renamed[name] && !before.Partial {
			d.add(records.ChangeAdded, has[name], "", string(has[name].Type))
		}
	}
	d.options(records.ChangeOutcomeGone, records.ChangeOutcomeAdded, records.SchemaField{Name: "dispositions"}, before.Outcomes, after.Outcomes)
	return d.out
}

type schemaDiff struct{ out []records.SchemaChange }

func (d *schemaDiff) add(kind string, f records.SchemaField, before, after string) {
	if len(d.out) < maxChanges {
		d.out = append(d.out, records.SchemaChange{Kind: kind, Field: f.Name, Label: f.Label, Before: before, After: after})
	}
}

func (d *schemaDiff) field(was, is records.SchemaField) {
	if was.Type != is.Type {
		d.add(records.ChangeType, is, string(was.Type), string(is.Type))
	}
	if was.Label != is.Label {
		d.add(records.ChangeLabel, is, was.Label, is.Label)
	}
	switch {
	case is.Required && !was.Required:
		d.add(records.ChangeRequired, is, "", "")
	case was.Required && !is.Required:
		d.add(records.ChangeOptional, is, "", "")
	}
	locked := func(f records.SchemaField) bool { return f.ReadOnly || f.NoCreate }
	switch {
	case locked(is) && !locked(was):
		d.add(records.ChangeReadOnly, is, "", "")
	case locked(was) && !locked(is):
		d.add(records.ChangeWritable, is, "", "")
	}
	if was.MaxLength != is.MaxLength {
		d.add(records.ChangeLength, is, strconv.Itoa(was.MaxLength), strconv.Itoa(is.MaxLength))
	}
	if !was.MoreOptions && !is.MoreOptions && was.Type == is.Type {
		d.options(records.ChangeOptionRemoved, records.ChangeOptionAdded, is, was.Options, is.Options)
	}
}

func (d *schemaDiff) options(gone, come string, f records.SchemaField, before, after []records.SchemaOption) {
	if before == nil || after == nil {
		return
	}
	has := func(list []records.SchemaOption, id string) bool {
		return slices.ContainsFunc(list, func(o records.SchemaOption) bool { return o.ID == id })
	}
	for _, o := range before {
		if !has(after, o.ID) {
			d.add(gone, f, optionName(o), "")
		}
	}
	for _, o := range after {
		if !has(before, o.ID) {
			d.add(come, f, "", optionName(o))
		}
	}
}

func optionName(o records.SchemaOption) string {
	if o.Label == "" || o.Label == o.ID {
		return o.ID
	}
	return o.Label + " (" + o.ID + ")"
}

func byName(fields []records.SchemaField) map[string]records.SchemaField {
	out := make(map[string]records.SchemaField, len(fields))
	for _, f := range fields {
		out[f.Name] = f
	}
	return out
}

// successor is the new field that a field which has gone most likely became: of its label, else of a like name and its type.
func successor(gone records.SchemaField, had map[string]records.SchemaField, now []records.SchemaField) (records.SchemaField, bool) {
	var names []string
	for _, f := range now {
		if _, old := had[f.Name]; old || f.ReadOnly || f.Hidden {
			continue
		}
		if gone.Label != "" && foldName(f.Label) == foldName(gone.Label) {
			return f, true
		}
		if f.Type == gone.Type {
			names = append(names, f.Name)
		}
	}
	if near := exprkit.Nearest(gone.Name, names); near != "" {
		i := slices.IndexFunc(now, func(f records.SchemaField) bool { return f.Name == near })
		return now[i], true
	}
	return records.SchemaField{}, false
}

// Watched is what the fields of a CRM are compared with.
type Watched struct {
	// CRM is the connector's name for people.
	CRM string
	// Document is the mapping in force, nil where the object has none.
	Document *Document
	// Dispositions are where the table of dispositions leads: the disposition to the outcome's id.
	Dispositions map[string]string
}

// Drift tells in what w does not fit the CRM's fields any more. earlier are the schemas that were there before, the newest
// first. What fitted one of them and does not fit now blocks: deliveries that write it would fail. What never fitted is
// told, and blocks nothing, for the CRM may know better; nor does what is only a loss.
func Drift(w Watched, now records.Schema, earlier []records.Schema) []records.SchemaIssue {
	var out []records.SchemaIssue
	if w.Document != nil {
		var before []Findings
		for _, f := range Validate(*w.Document, &now) {
			if f.Code == CodeNotChecked || f.Code == CodeLanguage {
				continue
			}
			if before == nil {
				for i := range earlier {
					before = append(before, Validate(*w.Document, &earlier[i]))
				}
			}
			at := slices.IndexFunc(before, func(all Findings) bool { return !all.has(f) })
			if at < 0 && f.Severity == SeverityWarning {
				continue
			}
			issue := records.SchemaIssue{Object: now.Object, Field: f.Target, Code: string(f.Code), Value: f.Value, Suggestion: f.Suggestion,
				Blocking:    f.Severity == SeverityError && at >= 0,
				CreatesOnly: f.Code == CodeRequired || f.Code == CodeNoCreate}
			var old *records.Schema
			if at >= 0 {
				old = &earlier[at]
			}
			w.say(&issue, f, now, old)
			same := func(o records.SchemaIssue) bool {
				return o.Field == issue.Field && o.Code == issue.Code && o.Value == issue.Value
			}
			if i := slices.IndexFunc(out, same); i < 0 {
				out = append(out, issue)
			} else if issue.Blocking {
				out[i] = issue
			}
		}
	}
	return append(out, w.outcomes(now)...)
}

// has tells whether there is the same finding, whatever the words.
func (f Findings) has(x Finding) bool {
	return slices.ContainsFunc(f, func(o Finding) bool {
		return o.Code == x.Code && o.Severity == x.Severity && o.Target == x.Target && o.Value == x.Value
	})
}

// say puts an issue into words: what has changed, and what to do.
func (w Watched) say(issue *records.SchemaIssue, f Finding, now records.Schema, old *records.Schema) {
	where := "the mapping of " + now.Object
	if f.Row > 0 {
		where = fmt.Sprintf("row %d of the mapping of %s", f.Row, now.Object)
	}
	name := f.Target
	var was records.SchemaField
	known := false
	if old != nil {
		if was, known = findField(old.Fields, f.Target); known {
			name = called(was)
		}
	}
	is, _ := findField(now.Fields, f.Target)
	switch {
	case f.Code == CodeUnknownField && known:
		issue.Text = fmt.Sprintf("%s has no field %s any more, which %s fills.", w.CRM, name, where)
		issue.Suggestion = ""
		if next, ok := successor(was, byName(old.Fields), now.Fields); ok {
			issue.Suggestion = next.Name
		}
		if issue.Suggestion != "" {
			issue.Text += fmt.Sprintf(" It seems to be %s now: put that into the row.", issue.Suggestion)
		} else {
			issue.Text += fmt.Sprintf(" Make the field again in %s, or take the row out.", w.CRM)
		}
	case f.Code == CodeRequired && f.Row == 0 && known:
		issue.Text = fmt.Sprintf("%s makes no record without %s any more, and %s does not fill it. Add a row for it, or make it optional in %s.", w.CRM, called(is), where, w.CRM)
	case f.Code == CodeRequired && f.Row == 0:
		issue.Text = fmt.Sprintf("%s has a new field, %s, without which it makes no record, and %s does not fill it. Add a row for it, or make it optional in %s.", w.CRM, called(is), where, w.CRM)
	case f.Code == CodeReadOnly && known:
		issue.Text = fmt.Sprintf("%s lets nobody write %s any more, which %s fills. Take the row out, or allow it in %s.", w.CRM, called(is), where, w.CRM)
	case f.Code == CodeWrongType && known && was.Type != is.Type:
		issue.Text = fmt.Sprintf("%s has changed %s from %s to %s, which %s does not fit any more. %s", w.CRM, called(is), storedNames[was.Type], storedNames[is.Type], where, f.Text)
	case f.Code == CodeNotInList && known && f.Value != "":
		issue.Text = fmt.Sprintf("%s has taken “%s” out of the list of %s, which %s uses.", w.CRM, clip(f.Value, 60), called(is), where)
		if i := slices.IndexFunc(was.Options, func(o records.SchemaOption) bool { return o.ID == f.Value }); i >= 0 {
			if near := nearestOption(is.Options, was.Options[i].Label); near != "" {
				issue.Suggestion = near
			}
		}
		if issue.Suggestion != "" {
			issue.Text += fmt.Sprintf(" Use “%s”, or add the value again in %s.", issue.Suggestion, w.CRM)
		} else {
			issue.Text += fmt.Sprintf(" Change the row, or add the value again in %s.", w.CRM)
		}
	default:
		issue.Text = strings.ToUpper(where[:1]) + where[1:] + ": " + f.Text
		if f.Suggestion != "" {
			issue.Text += " Did you mean " + f.Suggestion + "?"
		}
	}
}

// outcomes compares the table of dispositions with the account's outcomes. Calls go without an outcome where it is gone,
// so it blocks nothing.
func (w Watched) outcomes(now records.Schema) []records.SchemaIssue {
	if now.Outcomes == nil {
		return nil
	}
	var out []records.SchemaIssue
	for _, value := range sortedKeys(w.Dispositions) {
		id := w.Dispositions[value]
		if slices.ContainsFunc(now.Outcomes, func(o records.SchemaOption) bool { return o.ID == id }) {
			continue
		}
		issue := records.SchemaIssue{Object: now.Object, Field: DispositionsField, Code: string(CodeDisposition), Value: clip(value, 200),
			Suggestion: nearestOption(now.Outcomes, value)}
		issue.Text = fmt.Sprintf("The table of dispositions leads “%s” to an outcome that %s no longer has: such calls go there without one. Correct the table.", clip(value, 60), w.CRM)
		if i := slices.IndexFunc(now.Outcomes, func(o records.SchemaOption) bool { return o.ID == issue.Suggestion }); i >= 0 {
			issue.Text += fmt.Sprintf(" “%s” is the nearest.", clip(now.Outcomes[i].Label, 60))
		}
		out = append(out, issue)
	}
	return out
}

// DispositionsField stands for the table of dispositions where issues name a field.
const DispositionsField = "dispositions"
