package odoo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
)

// domainTerm is one condition of a search: field, operator, value; or an operator such as "|" alone.
type domainTerm []any

// domain is a search's conditions in Polish notation, as Odoo has them.
func domain(terms ...domainTerm) []any {
	out := []any{}
	for _, t := range terms {
		if len(t) == 1 {
			out = append(out, t[0])
		} else {
			out = append(out, []any(t))
		}
	}
	return out
}

// either joins conditions with or.
func either(terms ...domainTerm) []domainTerm {
	out := []domainTerm{}
	for range len(terms) - 1 {
		out = append(out, domainTerm{"|"})
	}
	return append(out, terms...)
}

// query is a search with what it reads.
type query struct {
	model  string
	domain []any
	fields []string
	order  string
	limit  int
	offset int
	// archived finds records that are not active too.
	archived bool
}

func (s *session) search(ctx context.Context, q query) ([]row, error) {
	ctx = connectors.WithRate(ctx, connectors.RateSearch, 1)
	r := request{model: q.model, method: "search_read", reads: true, args: []arg{{"domain", q.domain}, {"fields", q.fields}, {"offset", q.offset}, {"limit", q.limit}, {"order", q.order}}}
	if q.archived {
		r.context = map[string]any{"active_test": false}
	}
	var out []row
	return out, s.call(ctx, r, &out)
}

// read reads one record that may be archived; NotFound where there is none.
func (s *session) read(ctx context.Context, model string, id int64, fields ...string) (row, error) {
	list, err := s.search(ctx, query{model: model, domain: domain(domainTerm{"id", "=", id}), fields: fields, order: "id", limit: 1, archived: true})
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, gone()
	}
	return list[0], nil
}

// fieldDef is a field as fields_get describes it.
type fieldDef struct {
	Type      string   `json:"type"`
	Label     string   `json:"string"`
	Required  flag     `json:"required"`
	Readonly  flag     `json:"readonly"`
	Store     flag     `json:"store"`
	Relation  string   `json:"relation"`
	Size      int      `json:"size"`
	Selection [][2]any `json:"selection"`
}

// flag is a boolean that Odoo's own modules write as 1, too.
type flag bool

// UnmarshalJSON implements json.Unmarshaler.
func (f *flag) UnmarshalJSON(b []byte) error {
	*f = flag(string(b) == "true" || string(b) == "1")
	return nil
}

// modelsTTL is how long descriptions of models are remembered.
const modelsTTL = 10 * time.Minute

// fields describes a model; ok is false where this Odoo has no such model, or hides it from callsync's user.
func (s *session) fields(ctx context.Context, model string) (map[string]fieldDef, bool, error) {
	return s.models.Get(ctx, model, modelsTTL, modelsTTL, func() (map[string]fieldDef, bool, error) {
		var out map[string]fieldDef
		err := s.call(ctx, request{model: model, method: "fields_get", reads: true,
			args: []arg{{"allfields", []string{}}, {"attributes", []string{"type", "string", "required", "readonly", "store", "relation", "size", "selection"}}}}, &out)
		if missingModel(err) {
			return nil, false, nil
		}
		return out, err == nil, err
	})
}

// missingModel tells whether Odoo said that there is no such model, or that the user may not see it.
func missingModel(err error) bool {
	r, ok := errors.AsType[*refused](err)
	if !ok {
		return false
	}
	switch r.fault.kind() {
	case "NotFound", "AccessError":
		return true
	case "UserError", "KeyError":
		return strings.HasPrefix(r.fault.message, saysNoModel) || r.fault.kind() == "KeyError"
	}
	return false
}

// mapped makes Odoo's values of a mapping's fields. Fields that the model has not are an error that names them.
func (s *session) mapped(ctx context.Context, model string, fields map[string]any) (values, []connectors.Warning, error) {
	defs, ok, err := s.fields(ctx, model)
	if err != nil {
		return nil, nil, err
	}
	if !ok {
		return nil, nil, lacks(model)
	}
	return encodeAll(model, defs, fields)
}

func encodeAll(model string, defs map[string]fieldDef, fields map[string]any) (values, []connectors.Warning, error) {
	out := values{}
	var warnings []connectors.Warning
	for name, v := range fields {
		d, ok := defs[name]
		if !ok || bool(d.Readonly && !d.Store) {
			return nil, nil, &connectors.Error{Class: connectors.Invalid, Field: name, NotSent: true,
				Public: "Odoo has no field “" + name + "” that can be written on " + labelOf(model) + ". Correct the mapping, then retry."}
		}
		x, warning, err := encode(v, d)
		if err != nil {
			return nil, nil, &connectors.Error{Class: connectors.Invalid, Field: name, NotSent: true, Err: err,
				Public: "The value for the Odoo field “" + name + "” is of another kind (" + d.Type + "). Correct the mapping, then retry."}
		}
		if warning != nil {
			warning.Field = name
			warnings = append(warnings, *warning)
		}
		if id, ok := x.(int64); ok && d.Type == "many2one" {
			x = dbID(id)
		}
		out[name] = x
	}
	slices.SortFunc(warnings, func(a, b connectors.Warning) int { return strings.Compare(a.Field, b.Field) })
	return out, warnings, nil
}

func labelOf(model string) string {
	if l := labels[model]; l != "" {
		return l
	}
	return model
}

// lacks is a model that this Odoo has not.
func lacks(model string) error {
	return &connectors.Error{Class: connectors.Unsupported, NotSent: true, Err: fmt.Errorf("odoo: no model %s", model),
		Public: "This Odoo has no " + labelOf(model) + " (" + model + "), or callsync's user may not see them. Install the app, give the user the right, or choose another setting of the connection."}
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// keyName is the name part of an External ID: what a record is, and callsync's key of it.
func keyName(kind, key string) string {
	if !plainKey.MatchString(key) {
		sum := sha256.Sum256([]byte(key))
		key = hex.EncodeToString(sum[:16])
	}
	return kind + "_" + key
}

// load makes a record or updates the one of the External ID name, with all of values, in one transaction. The context is
// added to the request's. Where two do it at once, the database lets one of them fail, which Odoo or callsync repeats.
func (s *session) load(ctx context.Context, model, name string, v values, more map[string]any) (int64, error) {
	ctx = connectors.WithRate(ctx, connectors.RateWrite, 1)
	columns, cells, err := table(v)
	if err != nil {
		return 0, err
	}
	ids, err := s.loadRows(ctx, model, append([]string{"id"}, columns...), [][]any{append([]any{Module + "." + name}, cells...)}, more)
	if e, ok := errors.AsType[*connectors.Error](err); ok && e.Class == connectors.Invalid && v[e.Field] == activityCall {
		// Somebody has deleted Odoo's own type of activity: what is of no type is better than nothing.
		v = maps.Clone(v)
		delete(v, e.Field)
		return s.load(ctx, model, name, v, more)
	}
	if err != nil {
		return 0, err
	}
	return ids[0], nil
}

// table are values as columns and cells of load(), in the order of their names.
func table(v values) (columns []string, cells []any, err error) {
	names := make([]string, 0, len(v))
	for name := range v {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		column, text, err := cell(name, v[name])
		if err != nil {
			return nil, nil, &connectors.Error{Class: connectors.Invalid, Field: name, NotSent: true, Err: err, Public: connectors.Sentence(connectors.Invalid, Label)}
		}
		columns, cells = append(columns, column), append(cells, text)
	}
	return columns, cells, nil
}

// loaded is load()'s answer. Its ids are false where a row was refused: then nothing was written.
type loaded struct {
	IDs      any `json:"ids"`
	Messages []struct {
		Type    string `json:"type"`
		Message string `json:"message"`
		Field   any    `json:"field"`
	} `json:"messages"`
}

func (s *session) loadRows(ctx context.Context, model string, columns []string, rows [][]any, more map[string]any) ([]int64, error) {
	return s.loadFile(ctx, model, columns, rows, more, nil)
}

func (s *session) loadFile(ctx context.Context, model string, columns []string, rows [][]any, more map[string]any, file *fileBody) ([]int64, error) {
	// What belongs to somebody who was archived is written all the same.
	ctxt := map[string]any{"active_test": false}
	maps.Copy(ctxt, more)
	q := request{model: model, method: "load", args: []arg{{"fields", columns}, {"data", rows}}, context: ctxt, file: file}
	var out loaded
	if err := s.call(ctx, q, &out); err != nil {
		return nil, err
	}
	for _, m := range out.Messages {
		if m.Type == "error" {
			field, _ := m.Field.(string)
			return nil, s.refusedRow(q.name(), m.Message, field)
		}
	}
	list, _ := out.IDs.([]any)
	ids := make([]int64, 0, len(list))
	for _, v := range list {
		ids = append(ids, number(v))
	}
	if len(ids) != len(rows) || slices.Contains(ids, 0) {
		return nil, connectors.Unreadable(Label, "odoo "+q.name(), false)
	}
	return ids, nil
}

// unknownError is how load() of Odoo 14 quotes an exception.
var unknownError = regexp.MustCompile(`(?s)^Unknown error during import: <class '([A-Za-z0-9_.]{1,99})'>: (.*)$`)

// refusedRow is a row that load() refused, told as the exception behind it.
func (s *session) refusedRow(name, message, field string) error {
	f := fault{name: "odoo.exceptions.UserError", message: message}
	if m := unknownError.FindStringSubmatch(message); m != nil {
		f = fault{name: m[1], message: m[2]}
	}
	switch {
	case strings.Contains(message, saysSecurity), strings.HasPrefix(message, saysNotAllowed), strings.Contains(message, saysOnlyAdmins):
		f.name = "odoo.exceptions.AccessError"
	case strings.Contains(message, saysSerialize), strings.HasPrefix(message, "Unknown database error"), strings.Contains(message, "deadlock detected"):
		f.name = "psycopg2.errors.SerializationFailure"
	}
	err := s.refusal(name, http.StatusInternalServerError, http.Header{}, f)
	e := connectors.AsError(err)
	if fieldName.MatchString(field) && e.Class == connectors.Invalid {
		e.Field = field
		e.Public = "Odoo refused the value of the field “" + field + "”. Correct the mapping, then retry."
	}
	if strings.HasPrefix(message, saysNoRecord) && linkFields[field] {
		e.Class, e.Public = connectors.NotFound, "The record it belongs to is gone from Odoo."
	}
	return e
}

// linkFields are the fields by which records are tied to contacts and leads.
var linkFields = map[string]bool{"partner_id": true, "partner_ids": true, "opportunity_id": true}

// write changes records that are there: Odoo's write() to a message that is gone says true.
func (s *session) write(ctx context.Context, model string, ids []int64, v values, more map[string]any) error {
	if len(v) == 0 {
		return nil
	}
	ctx = connectors.WithRate(ctx, connectors.RateWrite, 1)
	vals := make(map[string]any, len(v))
	for name, x := range v {
		vals[name] = plain(x)
	}
	return s.call(ctx, request{model: model, method: "write", ids: ids, args: []arg{{"vals", vals}}, context: more}, nil)
}

// byKey finds the record of an External ID, archived ones too. Users may not read External IDs themselves from Odoo 15 on,
// so it is asked what one stands for.
func (s *session) byKey(ctx context.Context, model, name string) (int64, bool, error) {
	ctx = connectors.WithRate(ctx, connectors.RateSearch, 1)
	var out []any
	err := s.call(ctx, request{model: "ir.model.data", method: "check_object_reference", reads: true,
		args: []arg{{"module", Module}, {"xml_id", name}}, context: map[string]any{"active_test": false}}, &out)
	if r, ok := errors.AsType[*refused](err); ok && strings.Contains(r.fault.message, saysNoXMLID) {
		return 0, false, nil
	}
	if err != nil || len(out) != 2 || out[0] != model {
		return 0, false, err
	}
	id := number(out[1])
	return id, id != 0, nil
}

// linked makes a NotFound of an error of a write whose contact or lead is gone: Odoo says that of some records as a missing
// right.
func (s *session) linked(ctx context.Context, p place, err error) error {
	if err == nil || p.id == 0 || !connectors.IsClass(err, connectors.Forbidden) && !connectors.IsClass(err, connectors.Invalid) {
		return err
	}
	if _, rerr := s.read(ctx, p.model, p.id, "id"); connectors.IsClass(rerr, connectors.NotFound) {
		return gone()
	}
	return err
}
