package odoo

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/internal/httpx"
)

// fault is what Odoo said: the name of the Python exception and its text. The text quotes values, so it is read but never
// shown.
type fault struct {
	name, message string
}

var (
	exceptionName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]{0,99}$`)
	fieldName     = regexp.MustCompile(`^[a-z_][A-Za-z0-9_]{0,99}$`)
	// fieldAtFault finds the field in the texts of Odoo's errors: "Invalid field 'x'", "Wrong value for crm.lead.type: ",
	// "Missing required value for the field 'Opportunity' (name)", "Invalid field res.partner.x in condition".
	fieldAtFault = []*regexp.Regexp{
		regexp.MustCompile(`^Invalid field (?:name )?'([a-z_][A-Za-z0-9_]{0,99})'`),
		regexp.MustCompile(`^Wrong value for [a-z_.]{1,99}\.([a-z_][A-Za-z0-9_]{0,99}):`),
		regexp.MustCompile(`required value for the field '[^'\n]{1,200}' \(([a-z_][A-Za-z0-9_]{0,99})\)`),
		regexp.MustCompile(`^Invalid field [a-z_.]{1,99}\.([a-z_][A-Za-z0-9_]{0,99}) in `),
	}
	keyError = regexp.MustCompile(`^'([a-z_][A-Za-z0-9_]{0,99})'$`)
)

// What Odoo's texts say, in English, which every request asks for.
const (
	saysGone       = "does not exist or has been deleted"
	saysNoXMLID    = "External ID not found in the system"
	saysNoModel    = "Object "
	saysSecurity   = "security restrictions"
	saysNotAllowed = "You are not allowed to"
	saysOnlyAdmins = "'model' and 'res_id'"
	saysSender     = "configure the sender's email address"
	saysNoRecord   = "No matching record found for"
	saysSerialize  = "could not serialize access"
	saysDatabase   = "database "
)

// readJSON2 reads an error of JSON-2; a body that is not Odoo's has no name.
func readJSON2(body []byte) fault {
	var v struct {
		Name    string `json:"name"`
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &v) != nil || !exceptionName.MatchString(v.Name) {
		return fault{}
	}
	return fault{name: v.Name, message: v.Message}
}

// kind is the exception's name without its module.
func (f fault) kind() string { return f.name[strings.LastIndexByte(f.name, '.')+1:] }

func (f fault) field() string {
	for _, form := range fieldAtFault {
		if m := form.FindStringSubmatch(f.message); m != nil {
			return m[1]
		}
	}
	if f.kind() == "KeyError" {
		if m := keyError.FindStringSubmatch(f.message); m != nil {
			return m[1]
		}
	}
	return ""
}

// class is that of the exception, whatever the status it came with; empty where the status decides.
func (f fault) class() connectors.Class {
	switch f.kind() {
	case "AccessDenied", "SessionExpiredException", "Unauthorized":
		return connectors.Unauthorized
	case "MissingError":
		return connectors.NotFound
	case "AccessError", "Forbidden":
		if strings.Contains(f.message, saysGone) {
			return connectors.NotFound
		}
		return connectors.Forbidden
	case "UserError", "ValidationError", "RedirectWarning", "ValueError", "TypeError", "KeyError", "BadRequest", "UnprocessableEntity",
		"NotNullViolation", "UniqueViolation", "CheckViolation", "IntegrityError", "ForeignKeyViolation", "DataError":
		if strings.Contains(f.message, saysGone) {
			return connectors.NotFound
		}
		return connectors.Invalid
	case "NotFound":
		// JSON-2's own 404: a model or method that is not there.
		return connectors.Unsupported
	case "SerializationFailure", "TransactionRollbackError", "DeadlockDetected", "LockNotAvailable", "InterfaceError":
		return connectors.Unavailable
	case "OperationalError":
		if strings.Contains(f.message, saysDatabase) && strings.Contains(f.message, "does not exist") {
			return connectors.Invalid
		}
		return connectors.Unavailable
	}
	return ""
}

// refusal turns an answer that is no success into an error.
func (s *session) refusal(name string, status int, header http.Header, f fault) error {
	e := &connectors.Error{Class: connectors.Classify(status, nil)}
	if c := f.class(); c != "" && status != http.StatusTooManyRequests && status != http.StatusUnauthorized {
		e.Class = c
	}
	e.Field = f.field()
	e.Public = connectors.Sentence(e.Class, Label)
	switch {
	case e.Class == connectors.Unauthorized:
		e.Public = "Odoo does not accept the API key. It may have ended, or was deleted, or the user is not active. Make a new one in Odoo (My Profile → Account Security), then test the connection."
	case e.Class == connectors.Forbidden && f.name != "":
		e.Public = f.forbidden(name)
	case status == http.StatusNotFound && f.name == "":
		// Not Odoo's own 404: a proxy, a wrong address or a wrong database must not be taken for a record that somebody deleted.
		e.Class = connectors.Unavailable
		e.Public = "What answers at the address is not Odoo's API, or the name of the database is wrong. Check both in the connection."
	case status == http.StatusRequestEntityTooLarge:
		e.Public = "Odoo, or the web server in front of it, refuses requests of this size. Raise its limit (nginx: client_max_body_size), then retry."
	case status >= 300 && status < 400 && e.Class == connectors.Invalid:
		e.Public = "The address of Odoo has moved. Correct the address of the connection."
	case f.kind() == "OperationalError" && e.Class == connectors.Invalid:
		e.Field = "database"
		e.Public = "Odoo has no database of the name that the connection gives. Correct it, then retry."
	case e.Class == connectors.Unsupported:
		e.Public = "This Odoo lacks an app that callsync needs for this. Install it, or choose another setting of the connection."
	case e.Class == connectors.Invalid && strings.Contains(f.message, saysSender):
		e.Public = "Odoo wants an e-mail address of callsync's user before it writes this. Enter one in the user's contact, then retry."
	case e.Class == connectors.Invalid && e.Field != "":
		e.Public = "Odoo refused the value of the field “" + e.Field + "”, or has no such field. Correct the mapping, then retry."
	}
	if d, ok := httpx.ParseRetryAfter(header.Get("Retry-After"), s.now()); ok && e.Class.Retryable() && d > 0 {
		e.RetryAfter = d
	}
	e.Err = &refused{name: name, status: status, fault: f}
	return e
}

// refused is the operator's view of a refusal: no text of Odoo's, for that quotes values.
type refused struct {
	name   string
	status int
	fault  fault
}

func (r *refused) Error() string {
	text := fmt.Sprintf("odoo %s: status %d", r.name, r.status)
	if exceptionName.MatchString(r.fault.name) {
		text += " " + r.fault.name
	}
	return text
}

// forbidden says which right is missing.
func (f fault) forbidden(name string) string {
	model := name[:strings.LastIndexByte(name, '.')]
	what := labels[model]
	if what == "" {
		what = model
	}
	return "callsync's user in Odoo may not do this with " + what + ". Give the user the right (Settings → Users), such as Contact Creation, or Sales: User: All Documents, then retry."
}

// labels name models for people.
var labels = map[string]string{
	"res.partner": "contacts", "crm.lead": "leads", "mail.message": "notes", "mail.activity": "activities", "calendar.event": "meetings",
	"crm.phonecall": "phone calls", "voip.call": "calls", "ir.attachment": "attachments", "helpdesk.ticket": "tickets", "res.users": "users",
}
