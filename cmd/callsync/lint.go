package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

const lintUsage = `callsync mappings lint tells what is wrong with mapping documents, and what they lose, before they are in force.

Usage: callsync mappings lint FILE... [--connector KIND | --connection ID | --schema FILE] [--json]

  FILE              a document in YAML or JSON; - is the standard input
  --connector KIND  compare it with what is known of a kind of CRM without an account: its objects, and the types of the
                    fields that its default mapping fills
  --connection ID   compare it with the fields that the CRM of a connection has now
  --schema FILE     compare it with the fields in a file: what GET /api/v1/connections/ID/schema/OBJECT gave
  --json            print the findings as JSON, one document in an array each
  --url URL         where callsync is, for --connection; CALLSYNC_PUBLIC_URL by default
  --token TOKEN     an API token; CALLSYNC_ADMIN_TOKEN by default, which does not show in the list of processes

Without one of the three only the document itself is checked: names, types, expressions, templates.

Exit status: 0 nothing is wrong (there may be warnings); 1 a file or callsync could not be read; 2 wrong usage; 3 something
is wrong.
`

// exitFindings is the exit status of lint where a document is wrong.
const exitFindings = 3

// mostDocument bounds what is read of a file.
const mostDocument = 16 << 20

// linter is one run of the command.
type linter struct {
	api        *apiClient
	connector  string
	connection string
	schema     *records.Schema
	asJSON     bool
	in         io.Reader
	out        io.Writer
}

// linted is a document with what is to be said of it.
type linted struct {
	File     string            `json:"file"`
	Object   string            `json:"object,omitempty"`
	OK       bool              `json:"ok"`
	Findings mappings.Findings `json:"findings"`
	// NotChecked says what the document was not compared with.
	NotChecked string `json:"not_checked,omitempty"`
}

// runLint checks documents as args say. Its errors are exitErrors with the status that the usage promises.
func runLint(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	var schema, address, token string
	l := linter{in: in, out: out}
	flags := flag.NewFlagSet("mappings lint", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&l.connector, "connector", "", "")
	flags.StringVar(&l.connection, "connection", "", "")
	flags.StringVar(&schema, "schema", "", "")
	flags.BoolVar(&l.asJSON, "json", false, "")
	flags.StringVar(&address, "url", os.Getenv("CALLSYNC_PUBLIC_URL"), "")
	flags.StringVar(&token, "token", os.Getenv("CALLSYNC_ADMIN_TOKEN"), "")
	var files []string
	// Flags may stand behind the files.
	for rest := args; len(rest) > 0; {
		err := flags.Parse(rest)
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(out, lintUsage)
			return nil
		}
		if err != nil {
			return lintUsageError("%v", err)
		}
		rest = flags.Args()
		if len(rest) > 0 {
			files, rest = append(files, rest[0]), rest[1:]
		}
	}
	with := 0
	for _, s := range []string{l.connector, l.connection, schema} {
		if s != "" {
			with++
		}
	}
	kinds := crms()
	_, known := kinds[l.connector]
	switch {
	case len(files) == 0:
		return lintUsageError("name a file")
	case with > 1:
		return lintUsageError("give one of --connector, --connection and --schema")
	case l.connector != "" && !known:
		return lintUsageError("there is no CRM %q; there are %s", l.connector, strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
	}
	if schema != "" {
		if err := l.readSchema(schema); err != nil {
			return err
		}
	}
	if l.connection != "" {
		u, err := url.Parse(strings.TrimSuffix(address, "/"))
		switch {
		case address == "":
			return lintUsageError("say where callsync is: --url or CALLSYNC_PUBLIC_URL")
		case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
			return lintUsageError("the address of callsync must begin with http:// or https://")
		case token == "":
			return lintUsageError("an API token is needed: --token or CALLSYNC_ADMIN_TOKEN")
		}
		l.api = &apiClient{base: u.String(), token: token}
	}
	all := make([]linted, 0, len(files))
	for _, file := range files {
		one, err := l.lint(ctx, file)
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	return l.tell(all)
}

func lintUsageError(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Sprintf(format, args...) + ` (see "callsync mappings lint --help")`}
}

func (l *linter) readSchema(file string) error {
	text, err := readBounded(file, l.in)
	if err != nil {
		return err
	}
	l.schema = &records.Schema{}
	if err := json.Unmarshal(text, l.schema); err != nil || len(l.schema.Fields) == 0 {
		return &exitError{exitFailed, fmt.Sprintf("%s has no fields: it must hold what GET /api/v1/connections/ID/schema/OBJECT gave", file)}
	}
	return nil
}

func readBounded(file string, in io.Reader) ([]byte, error) {
	from, name := in, "the standard input"
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, &exitError{exitFailed, err.Error()}
		}
		defer f.Close()
		from, name = f, file
	}
	text, err := io.ReadAll(io.LimitReader(from, mostDocument+1))
	switch {
	case err != nil:
		return nil, &exitError{exitFailed, fmt.Sprintf("%s could not be read: %v", name, err)}
	case len(text) > mostDocument:
		return nil, &exitError{exitFailed, name + " is too long for a mapping"}
	}
	return text, nil
}

func (l *linter) lint(ctx context.Context, file string) (linted, error) {
	text, err := readBounded(file, l.in)
	if err != nil {
		return linted{}, err
	}
	doc, found := mappings.Lint(text, l.schema)
	out := linted{File: file, Object: doc.Object, Findings: append(mappings.Findings{}, found...)}
	if len(found.Errors()) == 0 {
		switch {
		case l.schema != nil && l.schema.Object != "" && l.schema.Object != doc.Object:
			return out, &exitError{exitFailed, fmt.Sprintf("%s is the mapping of %s, and the fields are those of %s", file, doc.Object, l.schema.Object)}
		case l.connection != "":
			schema, note, err := l.live(ctx, doc.Object)
			if err != nil {
				return out, err
			}
			out.NotChecked = note
			if schema != nil {
				_, found = mappings.Lint(text, schema)
				out.Findings = append(mappings.Findings{}, found...)
			}
		case l.connector != "":
			out.Findings = append(out.Findings, l.defaults(doc)...)
			out.NotChecked = "the fields of an account: whether they are there, may be written and take the values"
		case l.schema == nil:
			out.NotChecked = "the fields of a CRM"
		}
	}
	out.OK = len(out.Findings.Errors()) == 0
	return out, nil
}

// live are the fields of a connection's CRM, nil where it has none of its own, with what is to be said of them.
func (l *linter) live(ctx context.Context, object string) (*records.Schema, string, error) {
	var got struct {
		records.Schema
		Warning string `json:"warning"`
	}
	err := l.api.do(ctx, http.MethodGet, "/connections/"+url.PathEscape(l.connection)+"/schema/"+url.PathEscape(object), nil, &got)
	if err != nil {
		return nil, "", err
	}
	return &got.Schema, got.Warning, nil
}

// defaults compares a document with what is known of a kind of CRM without an account.
func (l *linter) defaults(doc mappings.Document) mappings.Findings {
	info := crms()[l.connector].Info()
	text, ok := info.Mappings[doc.Object]
	if !ok {
		objects := slices.Sorted(maps.Keys(info.Mappings))
		return mappings.Findings{{Severity: mappings.SeverityError, Code: mappings.CodeUnknownField, Problem: mappings.Problem{Line: 1, Key: "object",
			Text: fmt.Sprintf("callsync writes no %s to %s. It writes %s.", doc.Object, info.Label, cmp.Or(strings.Join(objects, ", "), "calls as they are, without a mapping"))}}}
	}
	usual, _ := mappings.Parse(text) // the kit of connectors holds that it is right
	var out mappings.Findings
	for i, row := range doc.Fields {
		at := slices.IndexFunc(usual.Fields, func(r mappings.Row) bool { return strings.EqualFold(r.Target, row.Target) })
		if at < 0 {
			continue
		}
		have, want := cmp.Or(row.Type, mappings.Text), cmp.Or(usual.Fields[at].Type, mappings.Text)
		if (have == mappings.HTML) != (want == mappings.HTML) || slices.Contains([]mappings.Type{mappings.Number, mappings.Bool, mappings.DateTime, mappings.Multi}, want) && have != want {
			out = append(out, mappings.Finding{Severity: mappings.SeverityWarning, Code: mappings.CodeWrongType, Problem: mappings.Problem{Row: i + 1, Target: row.Target, Key: "type",
				Text: fmt.Sprintf("The default mapping of %s fills %s by a row of type %s, this one is of type %s.", info.Label, row.Target, want, have)}})
		}
	}
	return out
}

// tell prints what was found, as compilers do, and ends with the status.
func (l *linter) tell(all []linted) error {
	wrong := 0
	for _, one := range all {
		wrong += len(one.Findings.Errors())
	}
	if l.asJSON {
		enc := json.NewEncoder(l.out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(all); err != nil {
			return err
		}
	} else {
		for _, one := range all {
			for _, f := range one.Findings {
				where := one.File
				if f.Line > 0 {
					where += fmt.Sprintf(":%d", f.Line)
					if f.Column > 0 {
						where += fmt.Sprintf(":%d", f.Column)
					}
				}
				p := f.Problem
				p.Line, p.Column = 0, 0
				fmt.Fprintf(l.out, "%s: %s: %s [%s]\n", where, f.Severity, p, f.Code)
			}
			if one.NotChecked != "" {
				fmt.Fprintf(l.out, "%s: not checked: %s\n", one.File, strings.TrimSuffix(one.NotChecked, "."))
			}
		}
	}
	if wrong > 0 {
		return &exitError{exitFindings, fmt.Sprintf("%d %s wrong", wrong, map[bool]string{true: "thing is", false: "things are"}[wrong == 1])}
	}
	return nil
}
