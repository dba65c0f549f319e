package salesforce

import (
	"context"
	"net/url"
	"strings"

	"github.com/callsync/callsync/connectors"
)

// quote makes a SOQL string of s (SOQL reference, Quoted String Escape Sequences).
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\r", `\r`).Replace(s) + "'"
}

// find escapes a text for the braces of a SOSL FIND clause (SOSL reference, FIND, Reserved Characters).
func find(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune(`?&|!{}[]()^~*:\"'+-`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// page is Salesforce's answer to a query.
type page struct {
	TotalSize      int      `json:"totalSize"`
	Done           bool     `json:"done"`
	NextRecordsURL string   `json:"nextRecordsUrl"`
	Records        []values `json:"records"`
}

// maxRows bounds what a query brings, over all of its pages.
const maxRows = 5000

// rows runs a SOQL query, all pages of it. object is what it is about; all includes what was deleted, merged or archived.
func (s *session) selectRows(ctx context.Context, object, soql string, all bool) ([]values, error) {
	path := s.query()
	if all {
		path = s.queryAll()
	}
	q := get("query of "+label(object), object, path, url.Values{"q": {soql}})
	var out []values
	for {
		var p page
		if _, err := s.do(ctx, q, &p); err != nil {
			return nil, err
		}
		out = append(out, p.Records...)
		next := p.NextRecordsURL
		if p.Done || next == "" || len(out) >= maxRows {
			return out, nil
		}
		if u, err := url.Parse(next); err != nil || u.Host != "" || !strings.HasPrefix(u.Path, "/services/data/") || next == q.path {
			return nil, connectors.Unreadable(Label, "salesforce "+q.name, q.reads)
		}
		q = get(q.name, object, next, nil)
	}
}

// byKey looks for our record by its key. SOQL reads the database, so it sees every write at once.
func (s *session) byKey(ctx context.Context, object, key string, fields ...string) (values, bool, error) {
	if key == "" {
		return nil, false, nil
	}
	rows, err := s.selectRows(ctx, object, "SELECT "+strings.Join(append([]string{"Id"}, fields...), ", ")+" FROM "+object+
		" WHERE "+s.keyField+" = "+quote(cutKey(key))+" ORDER BY CreatedDate LIMIT 2", false)
	if err != nil || len(rows) == 0 {
		return nil, false, err
	}
	return rows[0], rows[0].text("Id") != "", nil
}

// byID reads fields of a record.
func (s *session) byID(ctx context.Context, object, id string, fields ...string) (values, error) {
	if !recordID.MatchString(id) {
		return nil, &connectors.Error{Class: connectors.NotFound, Public: connectors.Sentence(connectors.NotFound, Label)}
	}
	q := get("read of "+label(object), object, s.row(object, id), url.Values{"fields": {strings.Join(append([]string{"Id"}, fields...), ",")}})
	q.byID = true
	var out values
	if _, err := s.do(ctx, q, &out); err != nil {
		return nil, err
	}
	if out.text("Id") == "" && out.text("id") == "" {
		return nil, connectors.Unreadable(Label, "salesforce "+q.name, q.reads)
	}
	return out, nil
}
