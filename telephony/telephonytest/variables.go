package telephonytest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// Variable is one field that a vendor documents, and the place of the canonical call, message or form where it is found.
type Variable struct {
	// Name is the vendor's, with the path to it where it is inside of another: "cdr.cliNum", "aHDetail[0].status".
	Name string
	// Triggers are the events of the provider's Info.Triggers that have it.
	Triggers []string
	// Field is the place in the canonical JSON: "customer.number", "agents[0].name", "attributes.billsec"; of aliases by
	// their kind: "aliases[smartflo_uuid]". Empty means that it states nothing: a placeholder, as Note has to explain.
	Field string
	// Example is a value as it is sent. Want is what stands in Field then; the same unless it is set.
	Example, Want any
	// With are further fields that the place depends on, by paths as in Name; they replace those of Dictionary.Least.
	With map[string]any
	// Note is for people: what else is made of it, or when.
	Note string
	// Extra marks a variable that is not on the vendor's page but is sent.
	Extra bool
}

// Dictionary is all variables of a provider.
type Dictionary struct {
	Variables []Variable
	// Least is the request of a trigger with as little as can be, by paths.
	Least func(trigger string) map[string]any
	// Encode writes a payload in every form in which the phone system may send that trigger, by the forms' names.
	Encode   func(trigger string, payload map[string]any) map[string]telephony.Request
	Settings *telephony.Settings
}

// checkVariables checks of every variable, trigger and encoding that the example stands in its place, and that it is the
// variable which brings it there; and that the provider knows all of its own variables.
func checkVariables(t *testing.T, p telephony.Provider, d Dictionary) {
	s := Settings(p)
	if d.Settings != nil {
		s = *d.Settings
	}
	for _, v := range d.Variables {
		t.Run(v.Name, func(t *testing.T) { checkVariable(t, p, d, v, s) })
	}
}

// checkVariable checks one variable.
func checkVariable(t *testing.T, p telephony.Provider, d Dictionary, v Variable, s telephony.Settings) {
	t.Helper()
	require.NotEmpty(t, v.Triggers, v.Name)
	for _, trigger := range v.Triggers {
		_, ok := p.Info().Trigger(trigger)
		require.True(t, ok, "%s: no trigger %s", v.Name, trigger)
		with := map[string]any{}
		for _, part := range []map[string]any{d.Least(trigger), v.With} {
			for _, path := range slices.Sorted(maps.Keys(part)) {
				setPath(with, path, part[path])
			}
		}
		without := deepCopy(with).(map[string]any)
		setPath(with, v.Name, v.Example)
		dropPath(without, v.Name)
		want := plain(v.Want)
		if v.Want == nil {
			want = plain(v.Example)
		}
		lacking := d.Encode(trigger, without)
		for form, r := range d.Encode(trigger, with) {
			about := fmt.Sprintf("%s of %s as %s", v.Name, trigger, form)
			got, unknown := canonicalOf(t, p, r, s)
			if v.Field == "" {
				bare, _ := canonicalOf(t, p, lacking[form], s)
				require.Equal(t, plain(bare), plain(got), "%s: a placeholder is no fact", about)
				require.NotEmpty(t, v.Note, v.Name)
				continue
			}
			require.Equal(t, want, plain(at(got, v.Field)), "%s: %s\n%s", about, v.Field, r.Body)
			require.Empty(t, unknown, "%s: a documented field is known", about)
			other, _ := canonicalOf(t, p, lacking[form], s)
			require.NotEqual(t, want, plain(at(other, v.Field)), "%s: %s has its value without it as well", about, v.Field)
		}
	}
}

// canonicalOf is the call, message or form that a request makes, as JSON has it, with the attributes of messages and
// forms; nil if it makes none.
func canonicalOf(t testing.TB, p telephony.Provider, r telephony.Request, s telephony.Settings) (map[string]any, []telephony.Unknown) {
	t.Helper()
	out := decode(t, p, r, s)
	if len(out.Events) == 0 {
		return nil, nil
	}
	for i := range out.Events {
		out.Events[i].ReceiptID, out.Events[i].ReceivedAt = "r", r.ReceivedAt
	}
	var record any
	switch e := out.Events[0]; {
	case e.Message != nil:
		record = struct {
			call.Message
			Attributes map[string]any `json:"attributes,omitempty"`
		}{call.FoldMessage(out.Events), e.Facts.Attributes}
	case e.Form != nil:
		record = struct {
			call.Form
			Attributes map[string]any `json:"attributes,omitempty"`
		}{call.FoldForm(out.Events), e.Facts.Attributes}
	default:
		record = call.Fold(call.Identity{ID: "c"}, out.Events)
	}
	doc, err := json.Marshal(record)
	require.NoError(t, err)
	var canonical map[string]any
	require.NoError(t, json.Unmarshal(doc, &canonical))
	return canonical, out.unknown
}

// plain is v with all that is single as text: a form has no other values.
func plain(v any) any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plain(v[i])
		}
		return out
	case []string:
		out := make([]any, len(v))
		for i := range v {
			out[i] = v[i]
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = plain(v[k])
		}
		return out
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// parts takes a path apart: names, places of lists and kinds of aliases.
func parts(path string) []string {
	return strings.FieldsFunc(strings.ReplaceAll(path, "]", ""), func(r rune) bool { return r == '.' || r == '[' })
}

// at is the value at a path, nil if there is none.
func at(v any, path string) any {
	for _, part := range parts(path) {
		switch in := v.(type) {
		case map[string]any:
			v = in[part]
		case []any:
			v = nil
			if i, err := strconv.Atoi(part); err == nil && i < len(in) {
				v = in[i]
				continue
			}
			for _, item := range in {
				if m, ok := item.(map[string]any); ok && m["kind"] == part {
					v = m["value"]
				}
			}
		default:
			return nil
		}
	}
	return v
}

// setPath puts a value at a path, making what is on the way.
func setPath(m map[string]any, path string, value any) {
	m[parts(path)[0]] = with(m[parts(path)[0]], parts(path)[1:], deepCopy(value))
}

func with(v any, path []string, value any) any {
	if len(path) == 0 {
		return value
	}
	if i, err := strconv.Atoi(path[0]); err == nil {
		list, _ := v.([]any)
		for len(list) <= i {
			list = append(list, map[string]any{})
		}
		list[i] = with(list[i], path[1:], value)
		return list
	}
	m, ok := v.(map[string]any)
	if !ok {
		m = map[string]any{}
	}
	m[path[0]] = with(m[path[0]], path[1:], value)
	return m
}

// dropPath takes the value at a path away.
func dropPath(m map[string]any, path string) {
	names := parts(path)
	last := names[len(names)-1]
	var parent any = m
	if len(names) > 1 {
		parent = at(m, strings.Join(names[:len(names)-1], "."))
	}
	if in, ok := parent.(map[string]any); ok {
		delete(in, last)
	}
}

func deepCopy(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = deepCopy(v[k])
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = deepCopy(v[i])
		}
		return out
	}
	return v
}
