package zoho

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
)

// maxKey is what the key field takes.
const maxKey = 100

// maxRepairs is how many fields of one record are cut because Zoho says how long they may be.
const maxRepairs = 5

// WriteCall implements connectors.Session: a create is an insert with our unique field, an update goes to the record's id.
func (s *session) WriteCall(ctx context.Context, w connectors.CallWrite) (connectors.Written, error) {
	fields, warnings, err := encode(calls, w.Fields)
	if err != nil {
		return connectors.Written{}, err
	}
	if w.RemoteID != "" {
		fitUpdate(fields)
		return s.update(ctx, calls, w.RemoteID, fields, warnings)
	}
	warnings = append(warnings, s.fitCreate(fields, w.Call)...)
	return s.create(ctx, calls, w.Key, fields, w.Links, warnings)
}

// fitCreate fills what Zoho demands of a call and the mapping left out, and keeps its rule that a call that was no missed
// one has lasted (DEPENDENT_MISMATCH, “Call Duration can not be zero”).
func (s *session) fitCreate(fields values, c call.Call) []connectors.Warning {
	if fields.text("Subject") == "" {
		fields["Subject"] = "Call"
	}
	if fields.text("Call_Type") == "" {
		fields["Call_Type"] = "Inbound"
		if c.Direction == call.Outbound {
			fields["Call_Type"] = "Outbound"
		}
	}
	if fields.text("Call_Start_Time") == "" {
		at := c.StartedAt
		if at.IsZero() {
			at = s.now().UTC()
		}
		fields["Call_Start_Time"] = at.Truncate(time.Second).Format(timeLayout)
	}
	if s.layout != "" {
		fields["Layout"] = map[string]any{"id": s.layout}
	}
	return fitDuration(fields)
}

func fitDuration(fields values) []connectors.Warning {
	text := fields.text(durationField)
	n, ok := seconds(text)
	switch {
	case text != "" && (!ok || n > 0):
		return nil
	case fields.text("Call_Type") == "Missed":
		delete(fields, durationField)
		return nil
	}
	fields[durationField] = duration(1)
	return []connectors.Warning{{Field: durationField, Text: "Zoho CRM takes no call that lasted 0 seconds, unless it was missed: it says 1 second."}}
}

// fitUpdate leaves alone what Zoho demands and a mapping would clear. A length of zero is only known to be right for a
// missed call.
func fitUpdate(fields values) {
	required(fields, "Subject", "Call_Type", "Call_Start_Time", "Owner")
	if v, ok := fields[durationField]; ok {
		if n, is := seconds(fields.text(durationField)); v == nil || is && n == 0 {
			delete(fields, durationField)
		}
	}
}

func required(fields values, names ...string) {
	for _, name := range names {
		if v, ok := fields[name]; ok && v == nil {
			delete(fields, name)
		}
	}
}

// body is that of a write of records.
func (s *session) body(list ...values) map[string]any {
	b := map[string]any{"data": list}
	if s.skipWorkflows {
		b["trigger"] = []string{}
	}
	return b
}

// create inserts a record with our key, or updates the one that Zoho says has it already.
func (s *session) create(ctx context.Context, module, key string, fields values, to []connectors.Ref, warnings []connectors.Warning) (connectors.Written, error) {
	key = cutKey(key)
	fields[KeyField] = key
	own := fields.clone()
	linked := attach(module, fields, to)
	id, more, err := s.insert(ctx, module, fields)
	warnings = append(warnings, more...)
	if err == nil {
		warnings = append(warnings, s.keyed(ctx, module, id, key)...)
		return connectors.Written{RemoteID: id, URL: s.recordURL(module, id), Created: true, Linked: linked, Warnings: warnings}, nil
	}
	if id, err = s.taken(ctx, module, key, err); err != nil {
		return connectors.Written{}, err
	}
	// An earlier attempt made it. Whom it belongs to was said then, and may have been changed by a person since.
	delete(own, KeyField)
	if module == calls || module == tasks {
		fitUpdate(own)
	}
	return s.update(ctx, module, id, own, warnings)
}

// insert sends a new record, and sends it again with texts cut where Zoho says how long they may be.
func (s *session) insert(ctx context.Context, module string, fields values) (string, []connectors.Warning, error) {
	q := request{method: http.MethodPost, name: "insert into " + module, module: module, path: "/" + module}
	var warnings []connectors.Warning
	for repairs := 0; ; repairs++ {
		q.body = s.body(fields)
		id, r, err := s.one(ctx, q)
		if err == nil {
			return id, warnings, nil
		}
		warning, ok := shorten(fields, r)
		if !ok || repairs == maxRepairs {
			return "", warnings, err
		}
		warnings = append(warnings, warning)
	}
}

// shorten cuts the field that a refusal says is too long.
func shorten(fields values, r result) (connectors.Warning, bool) {
	d := r.parsed()
	limit, text := d.maxLength(), fields.text(d.APIName)
	if r.Code != "INVALID_DATA" || limit == 0 || length(text) <= limit || d.APIName == KeyField {
		return connectors.Warning{}, false
	}
	fields[d.APIName] = cut(text, limit)
	return wasCut(d.APIName, limit), true
}

// taken is the record that has our key, where that is why an insert was refused; else the refusal.
func (s *session) taken(ctx context.Context, module, key string, refusal error) (string, error) {
	e := connectors.AsError(refusal)
	if e.Class != connectors.Conflict || e.Field != KeyField {
		return "", refusal
	}
	if e.RemoteID != "" {
		return e.RemoteID, nil
	}
	r, ok, err := s.byKey(ctx, module, key)
	if err == nil && !ok {
		// It is there, and the search does not show it yet.
		err = &connectors.Error{Class: connectors.Unavailable, RetryAfter: lookupLag, Err: e,
			Public: "Zoho CRM has this record from an earlier attempt, but does not show it yet. callsync tries again."}
	}
	return r.text("id"), err
}

// update changes a record by its id.
func (s *session) update(ctx context.Context, module, id string, fields values, warnings []connectors.Warning) (connectors.Written, error) {
	written := connectors.Written{RemoteID: id, URL: s.recordURL(module, id), Warnings: warnings}
	if !usable(id) {
		return written, gone("update of " + module)
	}
	q := request{method: http.MethodPut, name: "update of " + module, module: module, path: recordPath(module, id)}
	for repairs := 0; len(fields) > 0; repairs++ {
		q.body = s.body(fields)
		_, r, err := s.one(ctx, q)
		if err == nil {
			break
		}
		warning, ok := shorten(fields, r)
		if !ok || repairs == maxRepairs {
			return written, err
		}
		written.Warnings = append(written.Warnings, warning)
	}
	return written, nil
}

func (v values) clone() values {
	out := make(values, len(v))
	for k, x := range v {
		out[k] = x
	}
	return out
}

// cutKey keeps a key within its field. callsync's keys are far shorter.
func cutKey(key string) string {
	if length(key) <= maxKey {
		return key
	}
	return strings.TrimSuffix(cut(key, maxKey), " …")
}

// attach says in fields to which records a new one belongs, and returns those of to that found a place: calls and tasks
// have a contact (Who_Id) and one other record, which may be a lead (What_Id with $se_module); cases have a place for each
// kind. Their names for it are those of an unchanged account (Related_To is unconfirmed).
func attach(module string, fields values, to []connectors.Ref) []connectors.Ref {
	var done []connectors.Ref
	for _, l := range to {
		if usable(l.ID) && tie(module, fields, l) {
			done = append(done, l)
		}
	}
	return done
}

// tie puts one record into its place; false where there is none, or it is taken.
func tie(module string, fields values, l connectors.Ref) bool {
	id := map[string]any{"id": l.ID}
	if module == cases {
		name := map[string]string{connectors.ObjectContact: "Related_To", connectors.ObjectCompany: "Account_Name", connectors.ObjectDeal: "Deal_Name"}[l.Object]
		if name == "" || fields[name] != nil {
			return false
		}
		fields[name] = id
		return true
	}
	switch l.Object {
	case connectors.ObjectContact:
		if fields["Who_Id"] != nil {
			return false
		}
		fields["Who_Id"] = id
	case connectors.ObjectLead, connectors.ObjectCompany, connectors.ObjectDeal, connectors.ObjectTicket:
		if fields["What_Id"] != nil {
			return false
		}
		fields["What_Id"], fields["$se_module"] = id, modules[l.Object]
	default:
		return false
	}
	return true
}

// byKey looks for our record by its key. “equals” finds what contains the value too, so the answer is looked at; and the
// search may not know yet what was written a moment ago.
func (s *session) byKey(ctx context.Context, module, key string, fields ...string) (values, bool, error) {
	key = cutKey(key)
	if key == "" {
		return nil, false, nil
	}
	var p page
	q := get("look-up in "+module, module, "/"+module+"/search", url.Values{"criteria": {"(" + KeyField + ":equals:" + escape(key) + ")"},
		"fields": {strings.Join(append([]string{"id", KeyField}, fields...), ",")}, "per_page": {"200"}})
	q.class = connectors.RateSearch
	if found, err := s.read(ctx, q, &p); !found || err != nil {
		return nil, false, err
	}
	at := slices.IndexFunc(p.Data, func(r values) bool { return r.text(KeyField) == key && usable(r.text("id")) })
	if at < 0 {
		return nil, false, nil
	}
	return p.Data[at], true, nil
}

// escape protects what a criteria's syntax uses.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `(`, `\(`, `)`, `\)`, `,`, `\,`).Replace(s)
}

// FindCall implements connectors.CallFinder.
func (s *session) FindCall(ctx context.Context, key string) (string, bool, error) {
	r, ok, err := s.byKey(ctx, calls, key)
	return r.text("id"), ok, err
}

// maxFields is how many fields one request may name.
const maxFields = 50

// ReadCall implements connectors.CallReader.
func (s *session) ReadCall(ctx context.Context, id string, fields []string) (map[string]any, error) {
	return s.readFields(ctx, calls, id, fields)
}

// readFields reads fields of a record as it is now.
func (s *session) readFields(ctx context.Context, module, id string, fields []string) (map[string]any, error) {
	out := make(map[string]any, len(fields))
	names := slices.Clone(fields)
	if slices.Contains(names, durationField) {
		names = append(names, "Call_Duration_in_seconds")
	}
	if len(names) == 0 {
		names = []string{"id"}
	}
	for chunk := range slices.Chunk(names, maxFields) {
		r, err := s.record(ctx, module, id, url.Values{"fields": {strings.Join(chunk, ",")}})
		if err != nil {
			return nil, err
		}
		for _, f := range chunk {
			if slices.Contains(fields, f) {
				out[f] = decode(r, f)
			}
		}
	}
	return out, nil
}

// LinkCall implements connectors.Linker. A call has one contact and one other record: where somebody has filled the place,
// it stays.
func (s *session) LinkCall(ctx context.Context, callID string, to connectors.Ref) error {
	return s.link(ctx, calls, callID, to)
}

// link ties a record to another one, where the place for that is free.
func (s *session) link(ctx context.Context, module, id string, to connectors.Ref) error {
	fields := values{}
	if !tie(module, fields, to) {
		return &connectors.Error{Class: connectors.Unsupported, Public: "callsync cannot tie these records of Zoho CRM to each other."}
	}
	if !usable(to.ID) {
		return gone("link of " + module)
	}
	names := []string{"id"}
	for name := range fields {
		if name != "$se_module" {
			names = append(names, name)
		}
	}
	r, err := s.record(ctx, module, id, url.Values{"fields": {strings.Join(names, ",")}})
	if err != nil {
		return err
	}
	if slices.ContainsFunc(names, func(name string) bool { return r.ref(name) != "" }) {
		return nil
	}
	_, err = s.update(ctx, module, id, fields, nil)
	return err
}
