package odoo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/callsync/callsync/connectors"
)

// arg is an argument of a method. JSON-2 takes it by its name, the older protocols by its place.
type arg struct {
	name  string
	value any
}

// request is one call of a method of a model.
type request struct {
	model, method string
	// ids are the records; nil for methods of the model itself, to which JSON-2 takes no ids.
	ids  []int64
	args []arg
	// context is added to what every call has.
	context map[string]any
	// reads marks a request that changes nothing, so that losing its answer loses nothing.
	reads bool
	// file, where set, is streamed into the body in place of the text fileMark among the arguments.
	file *fileBody
}

func (q request) name() string { return q.model + "." + q.method }

// call asks Odoo and decodes the result into out, if out is not nil.
func (s *session) call(ctx context.Context, q request, out any) error {
	q.context = s.context(q.context)
	if s.protocol == ProtocolJSON2 || s.protocol == ProtocolAuto && !s.older.Load() {
		err := s.json2(ctx, q, out)
		if !errors.Is(err, errNoJSON2) {
			return err
		}
		if s.protocol == ProtocolJSON2 {
			return s.refusal(q.name(), http.StatusNotFound, http.Header{}, fault{})
		}
		if err := s.needsLogin(); err != nil {
			return err
		}
		s.older.Store(true)
	}
	uid, err := s.loginID(ctx)
	if err != nil {
		return err
	}
	return s.rpc(ctx, q.name(), "object", "execute_kw", s.positional(uid, q), q.reads, q.file, out)
}

// positional are the arguments of execute_kw.
func (s *session) positional(uid int64, q request) []any {
	args := []any{}
	if q.ids != nil {
		args = append(args, q.ids)
	}
	for _, a := range q.args {
		args = append(args, a.value)
	}
	return []any{s.database, uid, s.key, q.model, q.method, args, map[string]any{"context": q.context}}
}

// context is what every call has: English, so that what Odoo says of an error can be read, and UTC, for load() takes times in
// the zone of the user otherwise.
func (s *session) context(more map[string]any) map[string]any {
	out := map[string]any{"lang": "en_US", "tz": "UTC"}
	if s.company != 0 {
		out["allowed_company_ids"] = []int64{s.company}
	}
	maps.Copy(out, more)
	return out
}

// uidTTL is how long an authentication holds; it only tells the user's number, for every request proves itself anew.
const uidTTL = time.Hour

// loginID is the user's number for the older protocols.
func (s *session) loginID(ctx context.Context) (int64, error) {
	id, _, err := s.uids.Get(ctx, "", uidTTL, uidTTL, func() (int64, bool, error) {
		var out any
		err := s.rpc(ctx, "common.authenticate", "common", "authenticate", []any{s.database, s.login, s.key, map[string]any{}}, true, nil, &out)
		if err != nil {
			return 0, false, authenticating(err)
		}
		uid := number(out)
		if uid == 0 {
			return 0, false, &connectors.Error{Class: connectors.Unauthorized, NotSent: true, Err: errors.New("odoo common.authenticate: refused"),
				Public: "Odoo does not accept the user name and the key. Copy the API key again, see that the user is active and the database is right, then test the connection."}
		}
		return uid, true, nil
	})
	return id, err
}

// authenticating marks an error of the log-in: nothing of the request that it is for was sent.
func authenticating(err error) error {
	e := *connectors.AsError(err)
	if e.Class != connectors.Unavailable || e.NotSent {
		e.NotSent = true
	}
	return &e
}

// uid is the number of the user.
func (s *session) uid(ctx context.Context) (int64, error) {
	if s.protocol == ProtocolJSON2 || s.protocol == ProtocolAuto && !s.older.Load() {
		var out row
		if err := s.call(ctx, request{model: "res.users", method: "context_get", reads: true}, &out); err != nil {
			return 0, err
		}
		if id := out.id("uid"); id != 0 {
			return id, nil
		}
	}
	return s.loginID(ctx)
}

// send sends a body and gives the answer whatever its status.
func (s *session) send(ctx context.Context, name, path, contentType string, body []byte, file *fileBody, reads bool) (int, http.Header, []byte, error) {
	r := s.http.R().SetHeader("Content-Type", contentType)
	if file == nil {
		r.SetContext(ctx).SetBody(body)
	} else {
		stream, size, err := file.around(ctx, body)
		if err != nil {
			return 0, nil, nil, err
		}
		defer stream.Close()
		r.SetContext(context.WithValue(ctx, lengthKey{}, size)).SetBody(io.Reader(stream))
	}
	if strings.HasPrefix(path, json2Path) {
		r.SetHeader("Authorization", "bearer "+s.key)
		if s.database != "" {
			r.SetHeader("X-Odoo-Database", s.database)
		}
	}
	resp, err := r.Post(path)
	if err != nil {
		return 0, nil, nil, connectors.NoAnswer(Label, "odoo "+name, reads, err)
	}
	return resp.StatusCode(), resp.Header(), resp.Body(), nil
}

const json2Path = "/json/2/"

// lengthKey is the length of a streamed body in a request's context: Odoo's own server takes none in chunks.
type lengthKey struct{}

func setLength(_ *resty.Client, r *http.Request) error {
	if n, ok := r.Context().Value(lengthKey{}).(int64); ok {
		r.ContentLength = n
	}
	return nil
}

// errNoJSON2 is a server that has no JSON-2: Odoo before 19, or no Odoo.
var errNoJSON2 = errors.New("odoo: no JSON-2 at this address")

// json2 speaks the protocol of Odoo 19 and later (addons/rpc/controllers/json2.py).
func (s *session) json2(ctx context.Context, q request, out any) error {
	body := make(map[string]any, len(q.args)+2)
	for _, a := range q.args {
		body[a.name] = a.value
	}
	if q.ids != nil {
		body["ids"] = q.ids
	}
	body["context"] = q.context
	text, err := encodeJSON(body)
	if err != nil {
		return invalidRequest(q.name())
	}
	status, header, answer, err := s.send(ctx, q.name(), json2Path+q.model+"/"+q.method, "application/json", text, q.file, q.reads)
	if err != nil {
		return err
	}
	if status >= 200 && status <= 299 {
		return decodeResult(answer, out, q.name(), q.reads)
	}
	f := readJSON2(answer)
	if status == http.StatusNotFound && f.name == "" {
		return errNoJSON2
	}
	return s.refusal(q.name(), status, header, f)
}

// rpc speaks one of the older protocols.
func (s *session) rpc(ctx context.Context, name, service, method string, args []any, reads bool, file *fileBody, out any) error {
	if s.protocol == ProtocolXML {
		return s.xmlrpc(ctx, name, service, method, args, reads, file, out)
	}
	text, err := encodeJSON(map[string]any{"jsonrpc": "2.0", "method": "call", "id": 1,
		"params": map[string]any{"service": service, "method": method, "args": args}})
	if err != nil {
		return invalidRequest(name)
	}
	status, header, answer, err := s.send(ctx, name, "/jsonrpc", "application/json", text, file, reads)
	if err != nil {
		return err
	}
	var envelope struct {
		Result json.RawMessage `json:"result"`
		Error  *struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
			Data    struct {
				Name    string `json:"name"`
				Message string `json:"message"`
			} `json:"data"`
		} `json:"error"`
	}
	decoded := json.Unmarshal(answer, &envelope) == nil
	if decoded && envelope.Error != nil && envelope.Error.Data.Name != "" {
		return s.refusal(name, faultStatus(status), header, fault{name: envelope.Error.Data.Name, message: envelope.Error.Data.Message})
	}
	if status < 200 || status > 299 {
		return s.refusal(name, status, header, fault{})
	}
	if !decoded || envelope.Error != nil || envelope.Result == nil {
		return connectors.Unreadable(Label, "odoo "+name, reads)
	}
	return decodeResult(envelope.Result, out, name, reads)
}

// faultStatus is the status that a fault of the older protocols stands for: they come with 200.
func faultStatus(status int) int {
	if status >= 200 && status <= 299 {
		return http.StatusInternalServerError
	}
	return status
}

func decodeResult(answer []byte, out any, name string, reads bool) error {
	if out == nil {
		var any json.RawMessage
		out = &any
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return connectors.Unreadable(Label, "odoo "+name, reads)
	}
	return nil
}

func invalidRequest(name string) error {
	return &connectors.Error{Class: connectors.Invalid, NotSent: true, Public: connectors.Sentence(connectors.Invalid, Label), Err: fmt.Errorf("odoo %s: encode the request", name)}
}
