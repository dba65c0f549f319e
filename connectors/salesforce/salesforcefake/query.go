package salesforcefake

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// cursor is what is left of a query with several pages.
type cursor struct {
	rows  []row
	total int
}

// soql is a query of the part of the language that the fake knows.
type soql struct {
	fields []string
	from   string
	where  cond
	group  string
	order  string
	desc   bool
	limit  int
}

// cond tells whether a record is wanted.
type cond func(get func(string) any) bool

// parser reads tokens.
type parser struct {
	f      *Fake
	tokens []string
	at     int
	// object is what the conditions are about.
	object string
}

func (p *parser) peek() string {
	if p.at < len(p.tokens) {
		return p.tokens[p.at]
	}
	return ""
}

func (p *parser) next() string {
	t := p.peek()
	p.at++
	return t
}

// is takes the word if it is next.
func (p *parser) is(word string) bool {
	if strings.EqualFold(p.peek(), word) {
		p.at++
		return true
	}
	return false
}

func malformed(format string, args ...any) error {
	return invalid("MALFORMED_QUERY", nil, format, args...)
}

func (p *parser) expect(word string) error {
	if !p.is(word) {
		return malformed("unexpected token: '%s'", p.peek())
	}
	return nil
}

// scan splits a query: strings keep their quotes.
func scan(s string) ([]string, error) {
	var out []string
	for i := 0; i < len(s); {
		c := rune(s[i])
		switch {
		case unicode.IsSpace(c):
			i++
		case c == '\'':
			j := i + 1
			for ; j < len(s) && s[j] != '\''; j++ {
				if s[j] == '\\' {
					j++
				}
			}
			if j >= len(s) {
				return nil, malformed("unterminated string literal")
			}
			out = append(out, s[i:j+1])
			i = j + 1
		case strings.ContainsRune("(),", c):
			out = append(out, string(c))
			i++
		case strings.ContainsRune("=!<>", c):
			j := i + 1
			for j < len(s) && strings.ContainsRune("=<>", rune(s[j])) {
				j++
			}
			out = append(out, s[i:j])
			i = j
		default:
			j := i
			for j < len(s) && !unicode.IsSpace(rune(s[j])) && !strings.ContainsRune("'(),=!<>", rune(s[j])) {
				j++
			}
			out = append(out, s[i:j])
			i = j
		}
	}
	return out, nil
}

// unquote reads a string literal.
func unquote(t string) (string, bool) {
	if len(t) < 2 || t[0] != '\'' {
		return "", false
	}
	var b strings.Builder
	for i := 1; i < len(t)-1; i++ {
		if t[i] == '\\' && i+1 < len(t)-1 {
			i++
			switch t[i] {
			case 'n':
				b.WriteByte('\n')
			case 'r':
				b.WriteByte('\r')
			case 't':
				b.WriteByte('\t')
			default:
				b.WriteByte(t[i])
			}
			continue
		}
		b.WriteByte(t[i])
	}
	return b.String(), true
}

func (f *Fake) parseQuery(q string) (soql, error) {
	tokens, err := scan(q)
	if err != nil {
		return soql{}, err
	}
	p := &parser{f: f, tokens: tokens}
	out, err := p.query()
	if err == nil && p.at < len(p.tokens) {
		err = malformed("unexpected token: '%s'", p.peek())
	}
	return out, err
}

func (p *parser) query() (out soql, err error) {
	out.limit = -1
	if err := p.expect("SELECT"); err != nil {
		return out, err
	}
	for {
		out.fields = append(out.fields, p.next())
		if !p.is(",") {
			break
		}
	}
	if err := p.expect("FROM"); err != nil {
		return out, err
	}
	out.from = p.next()
	if p.f.defs[out.from] == nil {
		return out, invalid("INVALID_TYPE", nil, "sObject type '%s' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name.", out.from)
	}
	p.object = out.from
	for _, n := range out.fields {
		if err := p.f.known(out.from, n); err != nil {
			return out, err
		}
	}
	if p.is("WHERE") {
		if out.where, err = p.or(); err != nil {
			return out, err
		}
	}
	if p.is("GROUP") {
		if err := p.expect("BY"); err != nil {
			return out, err
		}
		out.group = p.next()
		if len(out.fields) != 1 || out.fields[0] != out.group {
			return out, malformed("Field must be grouped or aggregated: %s", out.fields[0])
		}
	}
	if p.is("ORDER") {
		if err := p.expect("BY"); err != nil {
			return out, err
		}
		out.order = p.next()
		if err := p.f.known(out.from, out.order); err != nil {
			return out, err
		}
		out.desc = p.is("DESC")
		p.is("ASC")
	}
	if p.is("LIMIT") {
		if out.limit, err = strconv.Atoi(p.next()); err != nil {
			return out, malformed("expecting a number")
		}
	}
	return out, nil
}

// known refuses fields that are not there; with a dot, of the record that a reference leads to.
func (f *Fake) known(object, n string) error {
	from := object
	if relation, rest, dotted := strings.Cut(n, "."); dotted {
		x, seen := f.visible(object, relation+"Id")
		if !seen || x.kind != "reference" {
			return invalid("INVALID_FIELD", nil, "Didn't understand relationship '%s' in field path.", relation)
		}
		object, n = x.refs[0], rest
	}
	if _, seen := f.visible(object, n); !seen {
		return invalid("INVALID_FIELD", nil, "\nSELECT %s\n       ^\nERROR at Row:1:Column:8\nNo such column '%s' on entity '%s'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.", n, n, from)
	}
	return nil
}

func (p *parser) or() (cond, error) {
	a, err := p.and()
	for err == nil && p.is("OR") {
		var b cond
		if b, err = p.and(); err == nil {
			left := a
			a = func(get func(string) any) bool { return left(get) || b(get) }
		}
	}
	return a, err
}

func (p *parser) and() (cond, error) {
	a, err := p.one()
	for err == nil && p.is("AND") {
		var b cond
		if b, err = p.one(); err == nil {
			left := a
			a = func(get func(string) any) bool { return left(get) && b(get) }
		}
	}
	return a, err
}

func (p *parser) one() (cond, error) {
	if p.is("NOT") {
		c, err := p.one()
		return func(get func(string) any) bool { return !c(get) }, err
	}
	if p.is("(") {
		c, err := p.or()
		if err == nil {
			err = p.expect(")")
		}
		return c, err
	}
	name, op := p.next(), p.next()
	if err := p.f.known(p.object, name); err != nil {
		return nil, err
	}
	x, _ := p.f.visible(p.object, name)
	if strings.EqualFold(op, "IN") {
		return p.in(name)
	}
	literal := p.next()
	if strings.HasPrefix(strings.ToUpper(literal), "LAST_N_DAYS:") {
		return func(get func(string) any) bool { return get(name) != nil }, nil
	}
	want, quoted := unquote(literal)
	if x != nil && (x.kind == "id" || x.kind == "reference") && quoted && len(want) != 15 && len(want) != 18 {
		return nil, invalid("INVALID_QUERY_FILTER_OPERATOR", nil, "\n%s %s\n^\nERROR at Row:1:Column:1\ninvalid ID field: %s", name, op, want)
	}
	if x != nil && quoted && (x.kind == "boolean" || x.kind == "int") {
		return nil, invalid("INVALID_FIELD", nil, "value of filter criterion for field '%s' must be of type %s and should not be enclosed in quotes", name, x.kind)
	}
	if !quoted {
		switch strings.ToLower(literal) {
		case "null", "true", "false":
		default:
			return nil, malformed("Bind variables only allowed in Apex code: %s", literal)
		}
	}
	equal := func(get func(string) any) bool {
		v := get(name)
		switch {
		case quoted:
			s, _ := v.(string)
			return strings.EqualFold(s, want) || x != nil && (x.kind == "id" || x.kind == "reference") && len(want) == 15 && strings.HasPrefix(s, want)
		case strings.EqualFold(literal, "null"):
			return v == nil
		}
		b, _ := v.(bool)
		return fmt.Sprint(b) == strings.ToLower(literal)
	}
	switch op {
	case "=":
		return equal, nil
	case "!=", "<>":
		return func(get func(string) any) bool { return !equal(get) }, nil
	}
	return nil, malformed("unexpected operator: '%s'", op)
}

// in reads a list of literals or another query.
func (p *parser) in(name string) (cond, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	var want []string
	if strings.EqualFold(p.peek(), "SELECT") {
		object := p.object
		sub, err := p.query()
		if err != nil {
			return nil, err
		}
		p.object = object
		for _, id := range p.f.order[sub.from] {
			r := p.f.records[sub.from][id]
			get := p.f.getter(sub.from, r)
			if r.row["IsDeleted"] == false && (sub.where == nil || sub.where(get)) {
				if s, is := get(sub.fields[0]).(string); is {
					want = append(want, s)
				}
			}
		}
	} else {
		for {
			s, quoted := unquote(p.next())
			if !quoted {
				return nil, malformed("unexpected token in a list")
			}
			want = append(want, s)
			if !p.is(",") {
				break
			}
		}
	}
	if err := p.expect(")"); err != nil {
		return nil, err
	}
	return func(get func(string) any) bool {
		s, _ := get(name).(string)
		return slices.ContainsFunc(want, func(w string) bool { return strings.EqualFold(w, s) })
	}, nil
}

// getter reads fields of a record, with a dot those of the one that it refers to.
func (f *Fake) getter(object string, r *record) func(string) any {
	return func(n string) any {
		relation, rest, dotted := strings.Cut(n, ".")
		if !dotted {
			return r.row[n]
		}
		id, _ := r.row[relation+"Id"].(string)
		for _, to := range f.defs[object].fields[relation+"Id"].refs {
			if other := f.records[to][id]; other != nil {
				return other.row[rest]
			}
		}
		return nil
	}
}

// query serves /query and /queryAll.
func (f *Fake) query(r *http.Request, text string, all bool) (reply, error) {
	q, err := f.parseQuery(text)
	if err != nil {
		return reply{}, err
	}
	if q.from == "ContentDocumentLink" && !strings.Contains(text, "LinkedEntityId =") && !strings.Contains(text, "ContentDocumentId =") {
		return reply{}, malformed("Implementation restriction: ContentDocumentLink requires a filter by a single Id on ContentDocumentId or LinkedEntityId using the equals operator or multiple Id's using the IN operator.")
	}
	var found []*record
	for _, id := range f.order[q.from] {
		rec := f.records[q.from][id]
		if !all && rec.row["IsDeleted"] == true {
			continue
		}
		if q.where == nil || q.where(f.getter(q.from, rec)) {
			found = append(found, rec)
		}
	}
	if q.order != "" {
		slices.SortStableFunc(found, func(a, b *record) int {
			x, y := fmt.Sprint(f.getter(q.from, a)(q.order)), fmt.Sprint(f.getter(q.from, b)(q.order))
			if q.desc {
				x, y = y, x
			}
			return strings.Compare(x, y)
		})
	}
	var rows []row
	seen := map[any]bool{}
	for _, rec := range found {
		if q.limit >= 0 && len(rows) == q.limit {
			break
		}
		if q.group != "" {
			v := rec.row[q.group]
			if !seen[v] {
				seen[v] = true
				rows = append(rows, row{"attributes": row{"type": "AggregateResult"}, q.group: v})
			}
			continue
		}
		rows = append(rows, f.project(q, rec))
	}
	return f.firstPage(r, rows), nil
}

func (f *Fake) project(q soql, rec *record) row {
	id, _ := rec.row["Id"].(string)
	out := row{"attributes": row{"type": q.from, "url": "/services/data/v67.0/sobjects/" + q.from + "/" + id}}
	get := f.getter(q.from, rec)
	for _, n := range q.fields {
		relation, rest, dotted := strings.Cut(n, ".")
		if !dotted {
			out[n] = rec.row[n]
			continue
		}
		inner, _ := out[relation].(row)
		if inner == nil {
			inner = row{"attributes": row{"type": relation}}
		}
		inner[rest] = get(n)
		out[relation] = inner
	}
	return out
}

func (f *Fake) firstPage(r *http.Request, rows []row) reply {
	f.next++
	key := fmt.Sprintf("01g%012d", f.next)
	f.cursors[key] = cursor{rows, len(rows)}
	return f.page(r, key, 0)
}

// page is a part of a query's rows, with the address of the next one.
func (f *Fake) page(r *http.Request, key string, from int) reply {
	c := f.cursors[key]
	to := min(from+f.opt.PageSize, len(c.rows))
	out := map[string]any{"totalSize": c.total, "done": to == len(c.rows), "records": append([]row{}, c.rows[from:to]...)}
	if to < len(c.rows) {
		version := dataPath.FindStringSubmatch(r.URL.Path)[1]
		out["nextRecordsUrl"] = fmt.Sprintf("/services/data/v%s.0/query/%s-%d", version, key, to)
	} else {
		delete(f.cursors, key)
	}
	return ok(out)
}

func (f *Fake) nextPage(r *http.Request, parts []string) (reply, error) {
	key, from, found := strings.Cut(parts[1], "-")
	n, err := strconv.Atoi(from)
	if c, known := f.cursors[key]; !found || err != nil || !known || n > len(c.rows) {
		return reply{}, invalid("INVALID_QUERY_LOCATOR", nil, "invalid query locator")
	}
	return f.page(r, key, n), nil
}
