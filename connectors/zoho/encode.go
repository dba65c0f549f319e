package zoho

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/callsync/callsync/connectors"
)

// timeLayout is Zoho's ISO 8601: whole seconds, with an offset.
const timeLayout = "2006-01-02T15:04:05-07:00"

// maxTexts are the lengths of Zoho's own text fields, by module and field; "" is every module
// (zoho.com/crm/developer/docs/api/v8/insert-records.html). What is longer than a field that is not here is cut when Zoho
// says how long it may be.
var maxTexts = map[string]map[string]int{
	"":       {"Description": 32000, "Subject": 255, "Phone": 30, "Mobile": 30, "Home_Phone": 30, "Other_Phone": 30, "Email": 100},
	contacts: {"First_Name": 40, "Last_Name": 80},
	leads:    {"First_Name": 40, "Last_Name": 80, "Company": 200},
	// The lengths of notes are unconfirmed.
	notes: {"Note_Title": 120, "Note_Content": 32000},
}

// lookups are the fields that name another record; a mapping gives its id. "" is every module.
var lookups = map[string]map[string]bool{
	"":       {"Owner": true, "Layout": true, "Who_Id": true, "What_Id": true},
	contacts: {"Account_Name": true, "Vendor_Name": true, "Reporting_To": true},
	deals:    {"Account_Name": true, "Contact_Name": true, "Campaign_Source": true},
	cases:    {"Related_To": true, "Account_Name": true, "Deal_Name": true, "Product_Name": true},
}

// dates are the fields that hold a day: of a time, the one in its own zone. Mappings give text.
var dates = map[string]bool{"Due_Date": true, "Closing_Date": true, "Date_of_Birth": true}

// durationField holds a call's length. callsync's mappings give seconds; Zoho takes minutes and seconds as text. Its guide
// calls the format HH:mm; its answers have Call_Duration_in_seconds beside it, and the same field's description at
// zoho.com/bigin/developer/docs/apis/calls-response.html says mm:ss.
const durationField = "Call_Duration"

// length counts UTF-16 units: whether Zoho counts an emoji once or twice is not documented, and this fits either way.
func length(s string) int {
	n := 0
	for _, r := range s {
		n += max(utf16.RuneLen(r), 1)
	}
	return n
}

func maxText(module, field string) int {
	if n := maxTexts[module][field]; n > 0 {
		return n
	}
	return maxTexts[""][field]
}

// encode makes Zoho's values. What is too long is cut, with a warning.
func encode(module string, fields map[string]any) (values, []connectors.Warning, error) {
	out := make(values, len(fields)+4)
	var warnings []connectors.Warning
	for name, v := range fields {
		x, err := encodeValue(module, name, v)
		if err != nil {
			return nil, nil, &connectors.Error{Class: connectors.Invalid, Field: name, NotSent: true, Err: err,
				Public: "The value for the Zoho field “" + name + "” is of a kind that Zoho cannot store. Correct the mapping, then retry."}
		}
		if text, ok := x.(string); ok {
			if limit := maxText(module, name); limit > 0 && length(text) > limit {
				x = cut(text, limit)
				warnings = append(warnings, wasCut(name, limit))
			}
		}
		out[name] = x
	}
	return out, warnings, nil
}

func wasCut(field string, limit int) connectors.Warning {
	return connectors.Warning{Field: field, Text: fmt.Sprintf("The text was longer than Zoho's %d characters and was cut.", limit)}
}

func encodeValue(module, name string, v any) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		if (lookups[""][name] || lookups[module][name]) && v != "" {
			return map[string]any{"id": v}, nil
		}
		if v == "" {
			return nil, nil
		}
		return v, nil
	case bool:
		return v, nil
	case int:
		return number(name, float64(v)), nil
	case int64:
		return number(name, float64(v)), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("zoho: a number that is none")
		}
		return number(name, v), nil
	case time.Time:
		switch {
		case v.IsZero():
			return nil, nil
		case dates[name]:
			return v.Format(time.DateOnly), nil
		}
		return v.Truncate(time.Second).Format(timeLayout), nil
	case []string:
		return v, nil
	}
	return nil, fmt.Errorf("zoho: a value of type %T", v)
}

func number(name string, v float64) any {
	if name == durationField {
		return duration(v)
	}
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		return int64(v)
	}
	return v
}

// duration writes seconds as minutes and seconds.
func duration(seconds float64) string {
	n := int64(min(max(seconds, 0), 1e7))
	return fmt.Sprintf("%02d:%02d", n/60, n%60)
}

// seconds reads a duration: minutes and seconds, or hours before them.
func seconds(text string) (int64, bool) {
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return 0, false
	}
	total := int64(0)
	for _, p := range parts {
		n, err := strconv.ParseInt(strings.TrimSpace(p), 10, 32)
		if err != nil || n < 0 {
			return 0, false
		}
		total = total*60 + n
	}
	return total, true
}

// decode is the value of a field as a mapping would have written it, of a record that was read.
func decode(r values, name string) any {
	v := r[name]
	switch v := v.(type) {
	case map[string]any:
		id, _ := v["id"].(string)
		return id
	case string:
		if name != durationField {
			return v
		}
		if n, ok := r["Call_Duration_in_seconds"].(float64); ok {
			return int64(n)
		}
		if n, ok := seconds(v); ok {
			return n
		}
		return v
	}
	return v
}

// cut shortens s to at most limit units, at a character.
func cut(s string, limit int) string {
	const mark = " …"
	if limit <= length(mark) {
		return ""
	}
	end, left := 0, limit-length(mark)
	for i, r := range s {
		if left -= max(utf16.RuneLen(r), 1); left < 0 {
			end = i
			break
		}
	}
	return s[:end] + mark
}
