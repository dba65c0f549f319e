package generic

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/generic/expression"
)

// NoteAttribute is the attribute that lists the fields of the mapping that did not work for a request.
const NoteAttribute = "callsync_mapping"

// requestName is the name under which expressions find the request itself.
const requestName = "request"

// decoder reads one request with the rules of a mapping.
type decoder struct {
	request  telephony.Request
	settings telephony.Settings
	run      *expression.Run
	// values are the fields of the request; fromQuery tells that they are those of the URL's query.
	values     map[string]any
	fromQuery  bool
	about      map[string]any
	ownNumbers map[string]bool
	// unread is what no event has read, by name, once there is one.
	unread map[string]any
}

// newDecoder reads the fields of a request: those of its body, or where that is empty those of its query.
func newDecoder(r telephony.Request, s telephony.Settings) (*decoder, error) {
	f, err := telephony.ReadBody(r)
	if err != nil {
		return nil, err
	}
	d := &decoder{request: r, settings: s}
	if f.Len() == 0 && d.trustsQuery() {
		if f, err = telephony.ReadQuery(r); err != nil {
			return nil, err
		}
		d.fromQuery = true
	}
	d.values, _ = filled(f.Values()).(map[string]any)
	d.run = expression.NewRun(d.field, func(s string) any { return filled(telephony.Embedded(s)) })
	d.run.Env = d
	return d, nil
}

// trustsQuery tells whether the query counts. It does not where the phone system signs only the body: whoever has seen one
// signed request could put anything there.
func (d *decoder) trustsQuery() bool {
	return signingKey(d.settings) == "" || signatureOf(d.settings.Config).coversQuery()
}

// filled takes away what a template of the phone system has left unfilled: a text that is only {{name}} or ${name}.
func filled(v any) any {
	switch v := v.(type) {
	case string:
		open := strings.HasPrefix(v, "{{") && strings.HasSuffix(v, "}}") || strings.HasPrefix(v, "${") && strings.HasSuffix(v, "}")
		if open && len(v) <= 100 && !strings.ContainsAny(v, "\":\r\n") {
			return nil
		}
	case []any:
		for i := range v {
			v[i] = filled(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = filled(v[k])
		}
	}
	return v
}

// field gives a field to expressions.
func (d *decoder) field(name string) any {
	if name == requestName {
		return d.aboutRequest()
	}
	return d.values[fieldName(name)]
}

// fieldName is how telephony.Fields names a field.
func fieldName(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// aboutRequest is what expressions find under request.
func (d *decoder) aboutRequest() map[string]any {
	if d.about != nil {
		return d.about
	}
	d.about = map[string]any{"method": d.request.Method, "event": telephony.CleanText(d.request.Event), "fields": d.values}
	if !d.request.ReceivedAt.IsZero() {
		d.about["received_at"] = d.request.ReceivedAt.UTC()
	}
	if d.fromQuery {
		d.about["query"] = d.values
	} else if q, err := telephony.ReadQuery(d.request); err == nil && d.trustsQuery() {
		d.about["query"] = filled(q.Values())
	}
	header := make(map[string]any, len(d.request.Header))
	for name, values := range d.request.Header {
		if len(values) > 0 {
			header[name] = telephony.CleanText(values[0])
		}
	}
	d.about["header"] = header
	return d.about
}

// decode makes the events of all rules that apply.
func (d *decoder) decode(p *program) (telephony.Decoded, error) {
	if len(d.values) == 0 {
		return telephony.Decoded{Ignored: "The request is empty."}, nil
	}
	var out telephony.Decoded
	for i := range p.rules {
		e, err := d.event(&p.rules[i])
		if err != nil {
			return telephony.Decoded{}, err
		}
		if e != nil {
			e.Seq = len(out.Events)
			out.Events = append(out.Events, *e)
		}
	}
	if len(out.Events) == 0 {
		out.Ignored = "No rule of the source's mapping applies to this request."
	}
	out.Unknown = noVocabulary.Unknown(d.unread)
	return out, nil
}

// noVocabulary knows nothing: what a phone system sends is known if the mapping reads it.
var noVocabulary = telephony.NewVocabulary(nil)

// leave remembers what an event has not read. What another event of the request has read is not among it.
func (d *decoder) leave(left map[string]any) {
	if d.unread == nil {
		d.unread = maps.Clone(left)
		return
	}
	maps.DeleteFunc(d.unread, func(name string, _ any) bool { _, ok := left[name]; return !ok })
}

// unreadable is the error of a part of the mapping without which there is no event.
func unreadable(at string, err error) error {
	u := &telephony.UnreadableError{Where: "mapping, " + at, Err: err}
	switch value, isValue := errors.AsType[expression.ValueError](err); {
	case errors.Is(err, expression.ErrTooMuch):
		u.Public = "The mapping does too much work for this request. Simplify it and replay the request."
	case isValue:
		u.Public = fmt.Sprintf("The mapping does not work for this request, in %s: %s Correct it and replay the request.", at, string(value))
	default:
		u.Public = fmt.Sprintf("The mapping does not work for this request, in %s. Correct it and replay the request.", at)
	}
	return u
}

// event makes the event of a rule, nil if the rule does not apply.
func (d *decoder) event(r *rule) (*call.Event, error) {
	if r.when != nil {
		v, err := d.run.Eval(r.when)
		if err != nil {
			return nil, unreadable(r.at+".when", err)
		}
		applies, ok := expression.Bool(v)
		if v != nil && !ok {
			return nil, unreadable(r.at+".when", expression.ValueError("A condition is neither true nor false."))
		}
		if !applies {
			return nil, nil
		}
	}
	kind, err := d.choose(r.kind, r.subject.kinds)
	if err != nil {
		return nil, unreadable(r.at+".kind", err)
	}
	if kind == "" {
		return nil, nil
	}
	b := &eventBuilder{decoder: d, rule: r, event: &call.Event{Kind: call.Kind(kind)}, used: &used{}}
	if err := b.identify(); err != nil {
		return nil, err
	}
	if err := b.fill(); err != nil {
		return nil, err
	}
	return b.event, nil
}

// choose gives the word of a choice, empty if there is none.
func (d *decoder) choose(c choice, words []string) (string, error) {
	if c.expr == nil {
		return c.word, nil
	}
	v, err := d.run.Eval(c.expr)
	if err != nil || v == nil {
		return "", err
	}
	s, err := textOf(v)
	if err == nil && !slices.Contains(words, s) {
		err = expression.ValueError("The value is none of " + strings.Join(words, ", ") + ".")
	}
	return s, err
}

// eventBuilder makes one event.
type eventBuilder struct {
	decoder *decoder
	rule    *rule
	event   *call.Event
	used    *used
	notes   []string
	// failed are the names of rows that did not work: what could not be read must not be asserted away.
	failed []string
}

// note remembers that a part of the rule did not work.
func (b *eventBuilder) note(at string, err error) {
	text := "It failed."
	if v, ok := errors.AsType[expression.ValueError](err); ok {
		text = string(v)
	}
	b.notes = append(b.notes, b.rule.at+"."+at+": "+text)
}

// text evaluates what has to be a single value.
func (b *eventBuilder) text(at string, p *expression.Program) (string, error) {
	if p == nil {
		return "", nil
	}
	v, err := b.decoder.run.Eval(p)
	if err == nil && v != nil {
		var s string
		if s, err = textOf(v); err == nil {
			b.decoder.take(b.used, p)
			return s, nil
		}
	}
	if err != nil {
		return "", unreadable(b.rule.at+"."+at, err)
	}
	return "", nil
}

// identify reads what the event is about.
func (b *eventBuilder) identify() error {
	var err error
	if b.event.ProviderID, err = b.text("id", b.rule.id); err != nil {
		return err
	}
	for _, a := range b.rule.aliases {
		s, err := b.text("aliases."+a.kind, a.value)
		if err != nil {
			return err
		}
		if s != "" {
			b.event.Aliases = append(b.event.Aliases, call.Alias{Kind: a.kind, Value: s})
		}
	}
	if b.event.ProviderID == "" && len(b.event.Aliases) == 0 {
		return &telephony.UnreadableError{
			Where:  "mapping, " + b.rule.at + ".id",
			Public: fmt.Sprintf("The request has no id where the mapping looks for it, in %s.id, so it cannot be told what it is about. Correct the mapping and replay the request.", b.rule.at),
			Err:    errors.New("no id"),
		}
	}
	return nil
}

// fill reads everything else.
func (b *eventBuilder) fill() error {
	r, e := b.rule, b.event
	t := &target{facts: &e.Facts}
	switch r.subject {
	case messages:
		e.Message = &call.Message{Provider: ID, ProviderID: e.ProviderID, Direction: call.Inbound}
		if e.Kind == call.MessageSent {
			e.Message.Direction = call.Outbound
		}
		t.message, t.customer, t.agents = e.Message, &e.Message.Customer, &e.Message.Agents
	case forms:
		e.Form = &call.Form{Provider: ID, ProviderID: e.ProviderID}
		t.form, t.customer, t.attribution = e.Form, &e.Form.Customer, &e.Form.Attribution
	default:
		t.customer, t.agents, t.attribution = &e.Facts.Customer, &e.Facts.Agents, &e.Facts.Attribution
	}
	for i := range r.rows {
		if err := b.row(&r.rows[i], t); err != nil {
			return err
		}
	}
	tidy(t)
	if err := b.occurred(); err != nil {
		return err
	}
	if err := b.outlooks(); err != nil {
		return err
	}
	if err := b.asserted(); err != nil {
		return err
	}
	if !e.Kind.Terminal() {
		dropPlaceholders(&e.Facts)
	}
	b.attributes()
	return nil
}

// row fills one field. What does not work is noted and leaves the others alone.
func (b *eventBuilder) row(r *row, t *target) error {
	d := b.decoder
	v, err := d.run.Eval(r.value)
	if err == nil {
		if v == nil || telephony.Blank(v) {
			return nil
		}
		err = r.set(d, t, v)
	}
	switch {
	case err == nil:
		d.take(b.used, r.value)
	case errors.Is(err, expression.ErrTooMuch):
		return unreadable(b.rule.at+".fields."+r.name, err)
	case errors.Is(err, errPartly):
	default:
		b.failed = append(b.failed, r.name)
		b.note("fields."+r.name, err)
	}
	return nil
}

func (b *eventBuilder) occurred() error {
	e, d, p := b.event, b.decoder, b.rule.occurredAt
	if p != nil {
		v, err := d.run.Eval(p)
		if err == nil && v != nil {
			e.OccurredAt, err = momentOf(v, d.settings.Location)
		}
		if errors.Is(err, expression.ErrTooMuch) {
			return unreadable(b.rule.at+".occurred_at", err)
		}
		if err != nil {
			e.OccurredAt = time.Time{}
			b.note("occurred_at", err)
		} else if v != nil {
			d.take(b.used, p)
		}
	}
	switch {
	case e.Message != nil && e.OccurredAt.IsZero():
		e.OccurredAt = e.Message.SentAt
	case e.Form != nil && e.OccurredAt.IsZero():
		e.OccurredAt = e.Form.SubmittedAt
	}
	return nil
}

func (b *eventBuilder) outlooks() error {
	for _, o := range b.rule.outlook {
		word, err := b.decoder.choose(o.value, outlooks)
		if errors.Is(err, expression.ErrTooMuch) {
			return unreadable(b.rule.at+".outlook", err)
		}
		if err != nil {
			b.note("outlook."+string(o.artifact), err)
			continue
		}
		if word == "" {
			continue
		}
		if b.event.Outlook == nil {
			b.event.Outlook = map[call.Artifact]call.Outlook{}
		}
		b.event.Outlook[o.artifact] = call.Outlook(word)
	}
	return nil
}

// asserted names the fields that count even when they are empty. Names that an expression gives and that are no fields
// are words of the phone system for something else.
func (b *eventBuilder) asserted() error {
	fields := slices.Clone(b.rule.asserted)
	if p := b.rule.named; p != nil {
		v, err := b.decoder.run.Eval(p)
		var names []string
		if err == nil && v != nil {
			names, err = textsOf(b.decoder.run, v)
		}
		if errors.Is(err, expression.ErrTooMuch) {
			return unreadable(b.rule.at+".asserted", err)
		}
		if err != nil {
			b.note("asserted", err)
		}
		for _, name := range names {
			if f := call.Field(strings.ToLower(name)); f.Known() {
				fields = append(fields, f)
			}
		}
	}
	slices.Sort(fields)
	for _, f := range slices.Compact(fields) {
		if !slices.ContainsFunc(b.failed, func(name string) bool { return concerns(f, name) }) {
			b.event.Asserted = append(b.event.Asserted, f)
		}
	}
	return nil
}

// concerns tells whether a row is about a field, a member of it or a group that holds it.
func concerns(f call.Field, row string) bool {
	name := string(f)
	row, _, _ = strings.Cut(row, "[")
	return name == row || strings.HasPrefix(row, name+".") || strings.HasPrefix(name, row+".")
}

// dropPlaceholders takes from a call that is not over what only its end can tell: phone systems send zeros before.
func dropPlaceholders(x *call.Facts) {
	for _, n := range []**int64{&x.DurationSeconds, &x.TalkSeconds, &x.RingSeconds, &x.HoldSeconds} {
		if *n != nil && **n == 0 {
			*n = nil
		}
	}
}

// attributes keeps what no row has read, and says which rows did not work.
func (b *eventBuilder) attributes() {
	d, x := b.decoder, &b.event.Facts
	left := map[string]any{}
	d.leftovers(left, "", d.values, b.used)
	if d.fromQuery {
		// What the administrator has put into the URL stands among what the phone system says.
		for _, name := range telephony.URLSecrets {
			delete(left, name)
		}
	}
	d.leave(left)
	mapped := x.Attributes
	x.Attributes = telephony.BoundedObject(left)
	put(&x.Attributes, mapped)
	if len(b.notes) > 0 {
		put(&x.Attributes, map[string]any{NoteAttribute: b.notes})
	}
}
