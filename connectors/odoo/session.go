package odoo

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/callsync/callsync/connectors"
)

// session is one Odoo with one user.
type session struct {
	http     *resty.Client
	now      func() time.Time
	site     string
	database string
	login    string
	key      string
	protocol string
	// callModel and forms are the settings of these names; fallback and company are ids, zero where they are not set.
	callModel, forms  string
	fallback, company int64

	// older tells, with the protocol auto, that this Odoo has no JSON-2.
	older atomic.Bool

	models   connectors.Cache[map[string]fieldDef]
	who      connectors.Cache[identity]
	uids     connectors.Cache[int64]
	owners   connectors.Cache[connectors.Owner]
	partners connectors.Cache[int64]
}

// What an Odoo session can do.
var (
	_ connectors.Session           = (*session)(nil)
	_ connectors.CallFinder        = (*session)(nil)
	_ connectors.CallReader        = (*session)(nil)
	_ connectors.Comparer          = (*session)(nil)
	_ connectors.Linker            = (*session)(nil)
	_ connectors.ContactMatcher    = (*session)(nil)
	_ connectors.ContactCreator    = (*session)(nil)
	_ connectors.ContactFollower   = (*session)(nil)
	_ connectors.OwnerResolver     = (*session)(nil)
	_ connectors.OwnerLister       = (*session)(nil)
	_ connectors.DispositionLister = (*session)(nil)
	_ connectors.SchemaDescriber   = (*session)(nil)
	_ connectors.Verifier          = (*session)(nil)
	_ connectors.RecordFinder      = (*session)(nil)
	_ connectors.RecordReader      = (*session)(nil)
	_ connectors.TaskWriter        = (*session)(nil)
	_ connectors.TaskReader        = (*session)(nil)
	_ connectors.NoteWriter        = (*session)(nil)
	_ connectors.TicketWriter      = (*session)(nil)
	_ connectors.MessageLogger     = (*session)(nil)
	_ connectors.FormWriter        = (*session)(nil)
	_ connectors.DealToucher       = (*session)(nil)
	_ connectors.RecordingUploader = (*session)(nil)
	_ connectors.BatchWriter       = (*session)(nil)
)

// row is a record as Odoo's JSON has it: false stands for nothing, and a many2one is [id, name].
type row map[string]any

func (r row) text(name string) string {
	s, _ := r[name].(string)
	return s
}

func (r row) flag(name string) bool {
	b, _ := r[name].(bool)
	return b
}

// id is an integer, or the id of a many2one.
func (r row) id(name string) int64 { return number(r[name]) }

// name is that of the record to which a field leads.
func (r row) name(field string) string {
	pair, _ := r[field].([]any)
	if len(pair) < 2 {
		return ""
	}
	text, _ := pair[1].(string)
	return text
}

// ids are those of a one2many or many2many.
func (r row) ids(name string) []int64 {
	list, _ := r[name].([]any)
	out := make([]int64, 0, len(list))
	for _, v := range list {
		out = append(out, number(v))
	}
	return out
}

func number(v any) int64 {
	switch v := v.(type) {
	case float64:
		return int64(v)
	case int64:
		return v
	case []any:
		if len(v) > 0 {
			return number(v[0])
		}
	}
	return 0
}

// moment reads a datetime of Odoo, which is UTC.
func (r row) moment(name string) time.Time {
	t, err := time.Parse(timeLayout, r.text(name))
	if err != nil {
		return time.Time{}
	}
	return t
}

func idText(id int64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatInt(id, 10)
}

// recordID is the id in one of our references; an id that is none of Odoo's is that of no record.
func recordID(text string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 32)
	if err != nil || id <= 0 {
		return 0, gone()
	}
	return id, nil
}

func gone() *connectors.Error {
	return &connectors.Error{Class: connectors.NotFound, Public: connectors.Sentence(connectors.NotFound, Label)}
}

// recordURL opens a record. Odoo 18 and later lead this address to their own form of it.
func (s *session) recordURL(model string, id int64) string {
	if id == 0 {
		return ""
	}
	return s.site + "/web#id=" + idText(id) + "&model=" + model + "&view_type=form"
}

// identity is who callsync is in this Odoo.
type identity struct {
	uid, partner, company int64
	login, name, email    string
	companyName           string
}

const identityTTL = time.Hour

// me reads the user of the connection.
func (s *session) me(ctx context.Context) (identity, error) {
	out, _, err := s.who.Get(ctx, "", identityTTL, identityTTL, func() (identity, bool, error) {
		uid, err := s.uid(ctx)
		if err != nil {
			return identity{}, false, err
		}
		var rows []row
		if err := s.call(ctx, request{model: "res.users", method: "read", ids: []int64{uid}, reads: true,
			args: []arg{{"fields", []string{"name", "login", "email", "partner_id", "company_id"}}}}, &rows); err != nil {
			return identity{}, false, err
		}
		if len(rows) != 1 || rows[0].id("partner_id") == 0 {
			return identity{}, false, connectors.Unreadable(Label, "odoo res.users.read", true)
		}
		u := rows[0]
		who := identity{uid: uid, partner: u.id("partner_id"), company: u.id("company_id"), login: u.text("login"), name: u.text("name"), email: u.text("email")}
		if pair, _ := u["company_id"].([]any); len(pair) == 2 {
			who.companyName, _ = pair[1].(string)
		}
		return who, true, nil
	})
	return out, err
}
