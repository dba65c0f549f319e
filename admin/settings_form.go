package admin

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/callsync/callsync/telephony"
)

// settingsForm is what the forms of sources and of connections have in common.
type settingsForm struct {
	Title, Action, Submit, Cancel string
	// Values are those of the settings that every source or connection has, Fields those of its kind.
	Values map[string]string
	Fields []formField
	// Wrong holds what is wrong with each input, by its name; Problems are what is wrong besides.
	Wrong    map[string]string
	Problems []string
	// order is how the inputs of Values stand on the page.
	order []string
}

func newSettingsForm(order ...string) settingsForm {
	return settingsForm{Wrong: map[string]string{}, order: order}
}

// formField is one of the settings that the kind of phone system or CRM has.
type formField struct {
	telephony.Field
	// Input is the input's name, and Value what it holds; a secret never has one.
	Input, Value string
	// Set tells that a secret has a value already.
	Set   bool
	Wrong string
	// Focus marks the first field at fault.
	Focus bool
}

// foldedFields are the settings of a kind: those that people look for, and those that work as they are.
type foldedFields struct {
	Usual, Rare []formField
	// Open tells that one of the rare ones was set, or is wrong.
	Open bool
}

// fold puts apart the settings that have a default and need not be set.
func fold(fields []formField) (out foldedFields) {
	for _, f := range fields {
		if f.Default == "" || f.Required || f.Secret || f.Multiline {
			out.Usual = append(out.Usual, f)
			continue
		}
		out.Rare = append(out.Rare, f)
		out.Open = out.Open || f.Value != "" && f.Value != f.Default || f.Wrong != ""
	}
	if len(out.Rare) < 2 {
		out.Usual, out.Rare = fields, nil
	}
	return out
}

// ownField is one of the settings that every source or connection has.
type ownField struct {
	Name, Label, Hint, Value, Wrong string
	Focus                           bool
}

// Own is a template's way to one of them; first is the first one at fault.
func (f settingsForm) Own(name, label, hint, first string) ownField {
	return ownField{Name: name, Label: label, Hint: hint, Value: f.Values[name], Wrong: f.Wrong[name], Focus: name == first}
}

// First is the first of the common inputs that is at fault.
func (f settingsForm) First() string {
	for _, name := range f.order {
		if f.Wrong[name] != "" {
			return name
		}
	}
	return ""
}

// The members of the API's body whose inputs have another name, because people think of them in minutes.
var inputOf = map[string]string{"recordings.policy": "recordings_policy", "recordings.hosts": "recording_hosts", "recordings.retention_days": "recording_days", "window_seconds": "window_minutes", "stale_seconds": "stale_minutes"}

func (f *settingsForm) addField(field telephony.Field, config, secrets map[string]string) {
	one := formField{Field: field, Input: "config." + field.Name, Value: config[field.Name]}
	if field.Secret {
		one.Input, one.Value, one.Set = "secrets."+field.Name, "", secrets[field.Name] != ""
	}
	f.Fields = append(f.Fields, one)
}

// posted takes over what somebody typed, secrets excepted: what is wrong is shown with it.
func (f *settingsForm) posted(r *http.Request) {
	for name := range f.Values {
		f.Values[name] = r.PostForm.Get(name)
	}
	for i := range f.Fields {
		if !f.Fields[i].Secret {
			f.Fields[i].Value = r.PostForm.Get(f.Fields[i].Input)
		}
	}
}

// settings reads the fields of the kind. before are the settings of what is changed; blank ones are taken away from it,
// while secrets that are left blank stay.
func (f *settingsForm) settings(r *http.Request, before map[string]string) (config, secrets Settings) {
	config, secrets = Settings{}, Settings{}
	for _, field := range f.Fields {
		value := r.PostForm.Get(field.Input)
		if !field.Multiline {
			value = strings.TrimSpace(value)
		}
		value = strings.ReplaceAll(value, "\r\n", "\n") // how browsers send lines
		blank := strings.TrimSpace(value) == ""
		switch {
		case field.Secret && r.PostForm.Get("clear."+field.Name) == "true":
			secrets[field.Name] = json.RawMessage("null")
		case field.Secret && !blank:
			secrets[field.Name] = quotedJSON(value)
		case field.Secret:
		case blank:
			if _, had := before[field.Name]; had {
				config[field.Name] = json.RawMessage("null")
			}
		default:
			config[field.Name] = quotedJSON(value)
		}
	}
	return config, secrets
}

// fails puts what is wrong to the inputs at fault. It returns err unless that is about the form.
func (f *settingsForm) fails(err error) error {
	var p *Problem
	if !errors.As(err, &p) || p.Status != http.StatusUnprocessableEntity {
		return err
	}
	all := p.Errors
	if len(all) == 0 {
		all = []FieldError{{p.Field, p.Detail}}
	}
	known := map[string]bool{}
	for name := range f.Values {
		known[name] = true
	}
	for _, one := range f.Fields {
		known[one.Input] = true
	}
	for _, e := range all {
		whole, _, _ := strings.Cut(e.Field, "[")
		name := cmp.Or(inputOf[e.Field], inputOf[whole], e.Field)
		if !known[name] {
			f.Problems = append(f.Problems, e.Message)
			continue
		}
		if f.Wrong[name] == "" {
			f.Wrong[name] = e.Message
		}
	}
	focused := f.First() != ""
	for i := range f.Fields {
		one := &f.Fields[i]
		one.Wrong = f.Wrong[one.Input]
		one.Focus = one.Wrong != "" && !focused
		focused = focused || one.Focus
	}
	return nil
}

// number is a span in units, without a fraction where there is none.
func number(d, unit time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(unit), 'f', -1, 64)
}

func quotedJSON(s string) json.RawMessage {
	b, _ := json.Marshal(s) // a text has no way to fail
	return b
}

// span reads a number of units of so many seconds.
func span(out *faults, field, text string, unit float64, least, most int64) *int64 {
	n, err := strconv.ParseFloat(strings.Replace(text, ",", ".", 1), 64)
	seconds := int64(n * unit)
	if err != nil || n != n || seconds < least || seconds > most {
		out.add(field, fmt.Sprintf("Give a number from %s to %s.", strconv.FormatFloat(float64(least)/unit, 'f', -1, 64), strconv.FormatFloat(float64(most)/unit, 'f', -1, 64)))
		return nil
	}
	return &seconds
}
