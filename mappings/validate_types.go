package mappings

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/internal/exprkit"
	"github.com/callsync/callsync/records"
)

// givenNames name what expressions give, for people.
var givenNames = map[FieldType]string{
	FieldText: "a text", FieldNumber: "a number", FieldBool: "true or false", FieldDateTime: "a time", FieldObject: "a group of several values",
	FieldTexts: "a list", FieldObjects: "a list of groups", FieldMap: "a group of several values",
}

// madeNames name what rows make, for people.
var madeNames = map[Type]string{
	Text: "text", HTML: "HTML", Number: "numbers", Bool: "true or false", DateTime: "times", Picklist: "a value of a list", Multi: "lists of values",
}

// storedNames name what CRMs store, for people.
var storedNames = map[records.SchemaType]string{
	records.SchemaText: "text", records.SchemaLongText: "text", records.SchemaHTML: "HTML", records.SchemaNumber: "numbers",
	records.SchemaBool: "true or false", records.SchemaDate: "dates", records.SchemaDateTime: "times", records.SchemaPicklist: "one value of a list",
	records.SchemaMulti: "values of a list", records.SchemaRef: "the id of another record",
}

// ownType finds values that can never be what the row's type makes of them. It tells whether it found none.
func (v *validator) ownType() bool {
	t, s := v.typ(), v.value
	wrong := func(how string) bool {
		v.fail(CodeWrongType, "type", "The value is %s, which a row of type %s cannot make anything of%s.", givenNames[s.kind], t, how)
		return false
	}
	if v.spec.Value.Const != nil || v.spec.Value.Lookup != nil {
		return v.constants(t)
	}
	switch t {
	case Number:
		if s.kind == FieldDateTime {
			return wrong("; seconds_between counts the seconds between two times")
		}
		if s.kind != "" && s.kind != FieldNumber && s.kind != FieldText || s.closed && v.noneIs(isNumber) {
			return wrong("")
		}
	case Bool:
		if s.kind != "" && s.kind != FieldBool && s.kind != FieldText || s.closed && v.noneIs(isBool) {
			return wrong("; compare it, as in talk_seconds > 0")
		}
	case DateTime:
		if s.kind != "" && s.kind != FieldDateTime && s.kind != FieldText || s.closed && v.noneIs(isTimeText) {
			return wrong("")
		}
	default:
		if s.kind == FieldObject || s.kind == FieldMap || s.kind == FieldObjects {
			return wrong("; name the one that is meant, or use pairs")
		}
	}
	return true
}

// constants finds the constants of the row that are not of its type: each is the author's own.
func (v *validator) constants(t Type) bool {
	ok := true
	check := func(key, name string, c any) {
		if c == nil {
			return
		}
		r := &run{budget: workBudget, location: time.UTC}
		if _, err := r.convert(fromConstant(c), t, 0); err != nil {
			ok = false
			f := v.fail(CodeWrongType, key, "The constant %sis not what a row of type %s needs. %s", name, t, public(err))
			f.Value, _, _ = asText(fromConstant(c))
		}
	}
	check("value.const", "", v.spec.Value.Const)
	if l := v.spec.Value.Lookup; l != nil {
		for _, key := range sortedKeys(l.Table) {
			check("value.lookup.table", fmt.Sprintf("of %q ", clip(key, 60)), l.Table[key])
		}
		check("value.lookup.default", "", l.Default)
	}
	return ok
}

// noneIs tells that there are texts, and none of them is one of these.
func (v *validator) noneIs(is func(string) bool) bool {
	return len(v.value.texts) > 0 && !slices.ContainsFunc(v.value.texts, func(t staticText) bool { return is(t.value) })
}

func isNumber(s string) bool { _, err := parseNumber(s); return err == nil }

func isBool(s string) bool { _, err := asBool(s); return err == nil }

func isTimeText(s string) bool { _, err := asTime(s); return err == nil }

func isDateText(s string) bool { _, err := time.Parse(time.DateOnly, s); return err == nil }

// fieldType compares what the row makes with what the field stores. It tells whether they go together.
func (v *validator) fieldType(f records.SchemaField) bool {
	t := v.typ()
	textual := t == Text || t == Picklist
	wrong := func(how string) bool {
		v.fail(CodeWrongType, "type", "%s holds %s in the CRM, and this row makes %s.%s", called(f), storedNames[f.Type], madeNames[t], how)
		return false
	}
	// perhaps is for text in a field of another type: it depends on the text.
	perhaps := func(is func(string) bool, kind FieldType, better Type) bool {
		if v.value.closed && len(v.value.texts) > 0 {
			for _, text := range v.value.texts {
				if !is(text.value) && text.written {
					x := v.fail(CodeWrongType, "value", "%s holds %s in the CRM, and “%s” is none.", called(f), storedNames[f.Type], clip(text.value, 60))
					x.Value = text.value
					return false
				}
			}
			return true
		}
		if v.value.kind == kind {
			v.warn(CodeWrongType, "type", "%s holds %s in the CRM: set the type of the row to %s.", called(f), storedNames[f.Type], better)
			return true
		}
		v.warn(CodeWrongType, "type", "%s holds %s in the CRM, and this row makes text: it is refused where the text is none.", called(f), storedNames[f.Type])
		return true
	}
	switch f.Type {
	case records.SchemaText, records.SchemaLongText:
		if t == HTML {
			v.warn(CodeMarkup, "type", "%s holds plain text in the CRM: people will see the tags. Set the type of the row to text.", called(f))
		}
	case records.SchemaHTML:
		if t == Text && !(v.value.closed && v.noneIs(hasMarkup)) && v.value.kind != FieldNumber && v.value.kind != FieldDateTime {
			v.warn(CodeMarkup, "type", "%s holds HTML in the CRM: line breaks are lost, and what strangers wrote is not escaped. Set the type of the row to html.", called(f))
		}
	case records.SchemaNumber:
		switch {
		case textual:
			return perhaps(isNumber, FieldNumber, Number)
		case t != Number:
			return wrong("")
		}
	case records.SchemaBool:
		switch {
		case textual:
			return perhaps(isBool, FieldBool, Bool)
		case t != Bool:
			return wrong("")
		}
	case records.SchemaDateTime:
		switch {
		case textual:
			return perhaps(func(s string) bool { return isTimeText(s) || isDateText(s) }, FieldDateTime, DateTime)
		case t != DateTime:
			return wrong("")
		}
	case records.SchemaDate:
		return v.date(f, textual, wrong)
	case records.SchemaPicklist:
		switch t {
		case DateTime, HTML:
			return wrong("")
		case Multi:
			v.warn(CodePrecision, "type", "%s holds one value in the CRM, and this row makes a list: more than one value does not fit.", called(f))
		}
	case records.SchemaMulti:
		if t == DateTime || t == HTML {
			return wrong("")
		}
	case records.SchemaRef:
		if t == DateTime || t == Bool || t == HTML || t == Multi {
			return wrong("")
		}
	}
	return true
}

func hasMarkup(s string) bool { return strings.ContainsAny(s, "<>&\n") }

// date compares the row with a field that holds a day.
func (v *validator) date(f records.SchemaField, textual bool, wrong func(string) bool) bool {
	source := v.spec.Value.Field
	if source == "" {
		source = "started_at"
	}
	form := fmt.Sprintf(`{expr: 'time_format(%s, "YYYY-MM-DD")'}`, source)
	switch {
	case v.typ() == DateTime && f.DateText:
		return wrong(" Use type text with " + form + ".")
	case v.typ() == DateTime:
		v.warn(CodePrecision, "type", "%s holds a date in the CRM: the time of day is lost, and the day is that of UTC. %s gives the day of the source's time zone, as text.", called(f), form)
	case !textual:
		return wrong("")
	case v.value.kind == FieldDateTime:
		v.warn(CodePrecision, "value", "%s holds a date in the CRM, and this is a time as text. Use %s.", called(f), form)
	case v.value.closed && v.noneIs(isDateText):
		return wrong("")
	}
	return true
}

// length compares how long the value may be with what the field takes.
func (v *validator) length(f records.SchemaField) {
	t := v.typ()
	if f.MaxLength <= 0 || t != Text && t != HTML && t != Picklist || f.Type == records.SchemaPicklist || f.Type == records.SchemaRef {
		return
	}
	limit := v.spec.MaxLength
	if limit == 0 || limit > f.MaxLength {
		for _, text := range v.value.texts {
			if text.written && textLength(text.value) > f.MaxLength {
				x := v.fail(CodeTooLong, "value", "%s takes %d characters in the CRM; “%s” has %d.", called(f), f.MaxLength, clip(text.value, 40), textLength(text.value))
				x.Value = text.value
				return
			}
		}
	}
	switch {
	case limit > 0 && limit <= f.MaxLength:
	case limit > f.MaxLength:
		if v.value.most > f.MaxLength || v.value.most == 0 {
			v.warn(CodeTooLong, "max_length", "%s takes %d characters in the CRM: what is longer is lost, although max_length is %d.", called(f), f.MaxLength, limit)
		}
	case v.value.most > f.MaxLength:
		v.warn(CodeTooLong, "value", "%s takes %d characters in the CRM, and the value may have %d: the rest is lost. Set max_length to %d.", called(f), f.MaxLength, v.value.most, f.MaxLength)
	case v.value.most == 0 && v.value.long && f.MaxLength < 30_000:
		v.warn(CodeTooLong, "value", "%s takes %d characters in the CRM, and the value may be longer: the rest is lost. Set max_length to %d.", called(f), f.MaxLength, f.MaxLength)
	}
}

// options compares the values that are known with those that the CRM's list has.
func (v *validator) options(f records.SchemaField) {
	if f.Type != records.SchemaPicklist && f.Type != records.SchemaMulti || len(f.Options) == 0 || f.MoreOptions {
		return
	}
	if v.typ() == Number || v.typ() == Bool {
		return
	}
	var canBe []string
	for _, text := range v.value.texts {
		value := strings.TrimSpace(text.value)
		if value == "" || hasOption(f, value) {
			continue
		}
		if !text.written {
			canBe = append(canBe, value)
			continue
		}
		x := v.fail(CodeNotInList, "value", "The list of %s has no value “%s” in the CRM. %s", called(f), clip(value, 60), listed(f.Options))
		x.Value, x.Suggestion = value, nearestOption(f.Options, value)
	}
	if len(canBe) > 0 {
		v.warn(CodeNotInList, "value", "The value can be %s, which the list of %s has not in the CRM: such calls are refused. Translate it by a look-up table.",
			strings.Join(canBe[:min(len(canBe), 8)], ", "), called(f))
	}
}

func hasOption(f records.SchemaField, value string) bool {
	return slices.ContainsFunc(f.Options, func(o records.SchemaOption) bool {
		return o.ID == value || f.ByLabel && (strings.EqualFold(o.ID, value) || strings.EqualFold(strings.TrimSpace(o.Label), value))
	})
}

// nearestOption is the id of the option that was most likely meant: the one with this label, else the nearest.
func nearestOption(options []records.SchemaOption, value string) string {
	names := make([]string, 0, 2*len(options))
	for _, o := range options {
		if foldName(o.Label) == foldName(value) || strings.EqualFold(o.ID, value) {
			return o.ID
		}
		names = append(names, o.ID)
	}
	if near := exprkit.Nearest(value, names); near != "" {
		return near
	}
	labels := make([]string, 0, len(options))
	for _, o := range options {
		labels = append(labels, o.Label)
	}
	if near := exprkit.Nearest(value, labels); near != "" {
		return options[slices.Index(labels, near)].ID
	}
	return ""
}

// listed names some options.
func listed(options []records.SchemaOption) string {
	const most = 12
	var names []string
	for _, o := range options[:min(len(options), most)] {
		names = append(names, clip(o.ID, 40))
	}
	if len(options) > most {
		names = append(names, "…")
	}
	return "It has: " + strings.Join(names, ", ") + "."
}

// durationUnits are words in names and labels of fields that say in which unit a duration is kept.
var durationUnits = []struct {
	pattern *regexp.Regexp
	unit    string
}{
	{regexp.MustCompile(`(?i)(\b|_|\()(milliseconds?|millis|msec|ms)(\b|_|\))`), unitMillis},
	{regexp.MustCompile(`(?i)(\b|_|\()(minutes?|mins?)(\b|_|\))|Minutes?$`), "minutes"},
	{regexp.MustCompile(`(?i)(\b|_|\()(hours?|hrs?)(\b|_|\))|Hours?$`), "hours"},
	{regexp.MustCompile(`(?i)(\b|_|\()(seconds?|secs?)(\b|_|\))|Seconds?$`), unitSeconds},
}

// precision finds what a number loses in its field, and durations in another unit than the field's.
func (v *validator) precision(f records.SchemaField) {
	if f.Type != records.SchemaNumber || v.typ() != Number {
		return
	}
	if f.Whole && v.value.fraction {
		v.warn(CodePrecision, "value", "%s holds whole numbers in the CRM: fractions are lost, or refused. Use round.", called(f))
	}
	if v.value.unit == "" {
		return
	}
	for _, u := range durationUnits {
		if u.pattern.MatchString(f.Label) || u.pattern.MatchString(f.Name) {
			if u.unit != v.value.unit {
				v.warn(CodePrecision, "value", "%s seems to be in %s, and the value is in %s. %s", called(f), u.unit, v.value.unit, inUnit(u.unit, v.spec.Value.Field))
			}
			return
		}
	}
}

// inUnit says how a duration is brought into a unit.
func inUnit(unit, field string) string {
	if field == "" {
		field = "talk_seconds"
	}
	switch unit {
	case "minutes":
		return fmt.Sprintf("Use round(%s / 60, 1).", field)
	case "hours":
		return fmt.Sprintf("Use round(%s / 3600, 2).", field)
	case unitMillis:
		return fmt.Sprintf("Use millis(%s).", field)
	}
	return ""
}
