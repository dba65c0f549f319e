package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/callsync/callsync/activities/budget"
	"github.com/callsync/callsync/activities/grants"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// codeRequired is the code of issues of fields without which the CRM makes no record.
const codeRequired = string(mappings.CodeRequired)

// SchemaStore keeps what CRMs say of their fields.
type SchemaStore interface {
	// ClaimSchemas takes objects whose fields are due to be read; nobody else is given them within lease.
	ClaimSchemas(ctx context.Context, connectors []string, limit int, lease time.Duration) ([]records.SchemaKey, error)
	// Schema returns the newest version, Schemas all that are kept, the newest first. Errors: records.ErrNotFound.
	Schema(ctx context.Context, k records.SchemaKey) (records.SchemaSnapshot, error)
	Schemas(ctx context.Context, k records.SchemaKey) ([]records.SchemaSnapshot, error)
	// PutSchema keeps what was read, as a new version if it differs from the last one.
	PutSchema(ctx context.Context, k records.SchemaKey, read records.Schema, next time.Duration, diff func(before, after records.Schema) []records.SchemaChange) (records.SchemaSnapshot, bool, error)
	// FailSchema notes why an object was not read, and reads it after wait; without a reason its turn had not come.
	FailSchema(ctx context.Context, k records.SchemaKey, failure string, wait time.Duration) error
	// PutSchemaIssues makes these issues the open ones of an object.
	PutSchemaIssues(ctx context.Context, k records.SchemaKey, v records.SchemaVerdict) (opened, healed int, err error)

	ConnectionByID(ctx context.Context, workspaceID, id string) (records.Connection, error)
	ActiveMapping(ctx context.Context, workspaceID, connectionID, object string) (records.MappingVersion, error)
	Dispositions(ctx context.Context, workspaceID, connectionID string) ([]records.Disposition, error)
}

// Schemas reads the fields that CRMs have, keeps them, and tells in what the mappings in force do not fit them.
type Schemas struct {
	Store      SchemaStore
	Connectors connectors.Registry
	// Transport carries the requests of a connection, and charges them to its budgets.
	Transport func(records.Connection) http.RoundTripper
	// Budgets, if set, give regular reads their turn, behind the calls.
	Budgets *budget.Budgets
	// Grants, if set, has the access tokens of connections that were made by OAuth.
	Grants *grants.Grants
	// Every is how often the fields are read; zero means every six hours.
	Every time.Duration
	Log   *slog.Logger
	// Observe, if set, is told of every read's connector and outcome ("same", "changed", "failed"), for metrics.
	Observe func(connector, outcome string)
}

// The times of reads.
const (
	schemaEvery = 6 * time.Hour
	// schemaLease is how long a read may take before another process may try.
	schemaLease   = 2 * time.Minute
	schemaTimeout = 45 * time.Second
	// schemaRetry is when a read that failed is tried again; one whose object the CRM does not have waits longer.
	schemaRetry = 15 * time.Minute
	// schemaGap is how long callsync waits at least, however soon the CRM may be asked again.
	schemaGap = time.Minute
)

// Bounds of what is kept of an object: an account may have hundreds of fields and lists of thousands of values.
const (
	maxFields     = 2000
	maxOptions    = 1000
	maxAllOptions = 20_000
	maxLabel      = 200
	maxFieldName  = 255
)

// Kinds are the connectors that list their fields.
func (s *Schemas) Kinds() []string {
	var out []string
	for id, c := range s.Connectors {
		if describes(c) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

func describes(c connectors.Connector) bool {
	p, ok := c.(connectors.Prototyper)
	if !ok {
		return false
	}
	_, ok = p.Prototype().(connectors.SchemaDescriber)
	return ok
}

// Due takes objects whose fields are to be read now.
func (s *Schemas) Due(ctx context.Context, limit int) ([]records.SchemaKey, error) {
	return s.Store.ClaimSchemas(ctx, s.Kinds(), limit, schemaLease)
}

// Refresh reads the fields of an object in its turn among the connection's requests, and compares the mapping with them.
// A CRM that does not answer is no error: it is noted, and asked again later.
func (s *Schemas) Refresh(ctx context.Context, k records.SchemaKey) error {
	conn, err := s.Store.ConnectionByID(ctx, k.WorkspaceID, k.ConnectionID)
	if err != nil {
		return fmt.Errorf("read the connection: %w", err)
	}
	if connector, ok := s.Connectors[conn.Connector]; ok && s.Budgets != nil {
		// As a change of a record: behind new calls, and with a turn that comes also where the budget is always short.
		pass, err := s.Budgets.Admit(ctx, connector.Info(), conn, "schema:"+k.Object, budget.Update)
		if err != nil {
			return s.failed(ctx, k, conn, err)
		}
		defer func() {
			if err := pass.Done(context.WithoutCancel(ctx)); err != nil {
				s.Log.Warn("a budget could not be settled", "connection", k.ConnectionID, "error", err)
			}
		}()
		ctx = pass.With(ctx)
	}
	if _, err := s.read(ctx, k, conn); err != nil {
		return s.failed(ctx, k, conn, err)
	}
	return nil
}

// failed notes a read that failed. Only errors of the store are errors.
func (s *Schemas) failed(ctx context.Context, k records.SchemaKey, conn records.Connection, err error) error {
	e := (*connectors.Error)(nil)
	if !errors.As(err, &e) {
		return err
	}
	if e.Class == connectors.RateLimited && e.NotSent {
		// Its turn has not come.
		return s.Store.FailSchema(context.WithoutCancel(ctx), k, "", max(e.RetryAfter, time.Second))
	}
	s.observe(conn.Connector, "failed")
	wait := schemaRetry
	if e.Class == connectors.Unsupported {
		wait = 4 * s.every()
	}
	wait = max(wait, min(e.RetryAfter, s.every()))
	s.Log.Warn("the fields of a CRM could not be read", "workspace", k.WorkspaceID, "connection", k.ConnectionID, "object", k.Object, "class", e.Class, "error", err)
	return s.Store.FailSchema(context.WithoutCancel(ctx), k, e.Public, jitter(wait))
}

// Read asks the CRM for the fields of an object now, keeps them and compares the mapping with them. Errors:
// records.ErrNotFound for the connection, records.ErrNoSchema, *connectors.Error.
func (s *Schemas) Read(ctx context.Context, k records.SchemaKey) (records.SchemaSnapshot, error) {
	conn, err := s.Store.ConnectionByID(ctx, k.WorkspaceID, k.ConnectionID)
	if err != nil {
		return records.SchemaSnapshot{}, err
	}
	return s.read(ctx, k, conn)
}

// Recent returns the fields of an object as they were read within age, else asks the CRM. A CRM that does not answer
// gives what was read before, if there is something, with the reason why it may be old. Errors as of Read.
func (s *Schemas) Recent(ctx context.Context, k records.SchemaKey, age time.Duration) (snapshot records.SchemaSnapshot, stale string, err error) {
	have, err := s.Store.Schema(ctx, k)
	if err != nil && !errors.Is(err, records.ErrNotFound) {
		return have, "", err
	}
	if err == nil && time.Since(have.ReadAt) < age {
		return have, "", nil
	}
	found := err == nil
	now, err := s.Read(ctx, k)
	if e := (*connectors.Error)(nil); found && errors.As(err, &e) && e.Class != connectors.Unsupported {
		s.Log.WarnContext(ctx, "older fields of a CRM are used, it does not answer", "connection", k.ConnectionID, "object", k.Object, "error", err)
		return have, orElse(e.Public, "The CRM did not answer."), nil
	}
	return now, "", err
}

func (s *Schemas) read(ctx context.Context, k records.SchemaKey, conn records.Connection) (records.SchemaSnapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, schemaTimeout)
	defer cancel()
	schema, err := s.describe(ctx, conn, k.Object)
	if err != nil {
		return records.SchemaSnapshot{}, err
	}
	keep := context.WithoutCancel(ctx)
	out, changed, err := s.Store.PutSchema(keep, k, schema, jitter(s.every()), mappings.DiffSchemas)
	if err != nil {
		return out, fmt.Errorf("keep the fields of %s: %w", k.Object, err)
	}
	if changed && out.Version > 1 {
		s.observe(conn.Connector, "changed")
		s.Log.Info("the fields of a CRM have changed", "workspace", k.WorkspaceID, "connection", k.ConnectionID, "object", k.Object,
			"version", out.Version, "changes", len(out.Changes))
	} else {
		s.observe(conn.Connector, "same")
	}
	return out, s.compare(keep, k, conn)
}

// describe asks the CRM. A connector's panic is an error like others.
func (s *Schemas) describe(ctx context.Context, conn records.Connection, object string) (schema records.Schema, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &connectors.Error{Class: connectors.Unavailable, Err: fmt.Errorf("the connector panicked with a %T", p),
				Public: "callsync failed while it read the CRM's fields."}
		}
	}()
	connector, ok := s.Connectors[conn.Connector]
	if !ok {
		return schema, &connectors.Error{Class: connectors.Unsupported, Public: fmt.Sprintf("This version of callsync has no connector %q.", conn.Connector)}
	}
	label := connector.Info().Label
	settings := connectors.Settings{ConnectionID: conn.ID, Config: conn.Config, Secrets: conn.Secrets, Transport: s.Transport(conn)}
	if s.Grants != nil {
		if settings.Tokens, err = s.Grants.Tokens(connector, conn); err != nil {
			return schema, err
		}
	}
	// A session of its own: those of deliveries remember what the CRM said before.
	session, err := connector.Open(settings)
	if err != nil {
		return schema, err
	}
	d, ok := session.(connectors.SchemaDescriber)
	if !ok {
		return schema, records.ErrNoSchema
	}
	if schema, err = d.Describe(ctx, object); err != nil {
		return schema, connectors.AsError(err)
	}
	if len(schema.Fields) == 0 {
		// Taken at its word, every mapping would be wrong: a right was taken away, most likely.
		return schema, &connectors.Error{Class: connectors.Forbidden,
			Public: fmt.Sprintf("%s shows callsync no fields of %s. Let callsync's user see them.", label, object)}
	}
	if lister, ok := session.(connectors.DispositionLister); ok && object == connectors.ObjectCall {
		schema.Outcomes, err = lister.Dispositions(ctx)
		switch e := connectors.AsError(err); {
		case err == nil:
		case e.Class == connectors.Forbidden, e.Class == connectors.Unsupported:
			// The fields are there to be seen, the outcomes are not: nothing is known of these.
			schema.Outcomes = nil
		default:
			return schema, e
		}
	}
	schema.Object = object
	return bounded(schema), nil
}

// bounded keeps a schema within what is stored, in the order of the fields' names: what comes in another order is the same.
func bounded(in records.Schema) records.Schema {
	out := records.Schema{Object: in.Object, Partial: in.Partial, Fields: make([]records.SchemaField, 0, min(len(in.Fields), maxFields))}
	all := 0
	options := func(list []records.SchemaOption) (kept []records.SchemaOption, more bool) {
		for _, o := range list {
			if len(kept) == maxOptions || all == maxAllOptions || len(o.ID) > maxFieldName {
				more = true
				continue
			}
			all++
			kept = append(kept, records.SchemaOption{ID: text(o.ID), Label: clip(text(o.Label), maxLabel)})
		}
		return kept, more
	}
	fields := slices.Clone(in.Fields)
	slices.SortStableFunc(fields, func(a, b records.SchemaField) int { return cmp.Compare(a.Name, b.Name) })
	for _, f := range fields {
		if f.Name == "" || len(f.Name) > maxFieldName || len(out.Fields) == maxFields {
			out.Partial = true
			continue
		}
		if n := len(out.Fields); n > 0 && out.Fields[n-1].Name == text(f.Name) {
			continue
		}
		f.Name, f.Label = text(f.Name), clip(text(f.Label), maxLabel)
		var more bool
		f.Options, more = options(f.Options)
		f.MoreOptions = f.MoreOptions || more
		out.Fields = append(out.Fields, f)
	}
	if in.Outcomes != nil {
		kept, more := options(in.Outcomes)
		if !more {
			out.Outcomes = append([]records.SchemaOption{}, kept...)
		}
	}
	return out
}

// text is what JSON can keep.
func text(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// Compare tells anew in what the mapping in force, and for calls the table of dispositions, does not fit the fields that
// were read last: after one of them was changed. It asks the CRM nothing; where nothing was read, it does nothing.
func (s *Schemas) Compare(ctx context.Context, k records.SchemaKey) error {
	conn, err := s.Store.ConnectionByID(ctx, k.WorkspaceID, k.ConnectionID)
	if err != nil {
		return fmt.Errorf("read the connection: %w", err)
	}
	return s.compare(ctx, k, conn)
}

// mostCompares bounds how often what is in force may change while it is compared.
const mostCompares = 5

func (s *Schemas) compare(ctx context.Context, k records.SchemaKey, conn records.Connection) error {
	for range mostCompares {
		if err := s.compareOnce(ctx, k, conn); !errors.Is(err, records.ErrConflict) {
			return err
		}
	}
	// Who changed it compares, too.
	return nil
}

func (s *Schemas) compareOnce(ctx context.Context, k records.SchemaKey, conn records.Connection) error {
	all, err := s.Store.Schemas(ctx, k)
	if err != nil || len(all) == 0 {
		return err
	}
	w := mappings.Watched{CRM: conn.Connector}
	if c, ok := s.Connectors[conn.Connector]; ok {
		w.CRM = c.Info().Label
	}
	m, err := s.Store.ActiveMapping(ctx, k.WorkspaceID, k.ConnectionID, k.Object)
	if err != nil && !errors.Is(err, records.ErrNotFound) {
		return fmt.Errorf("read the mapping: %w", err)
	}
	if err == nil {
		// A document that an older version of callsync took says of itself what is wrong when it is used.
		if doc, err := mappings.Parse([]byte(m.Document)); err == nil {
			w.Document = &doc
		}
	}
	if k.Object == connectors.ObjectCall {
		table, err := s.Store.Dispositions(ctx, k.WorkspaceID, k.ConnectionID)
		if err != nil {
			return fmt.Errorf("read the dispositions: %w", err)
		}
		w.Dispositions = make(map[string]string, len(table))
		for _, d := range table {
			w.Dispositions[d.Value] = d.OptionID
		}
	}
	var earlier []records.Schema
	for _, old := range all[1:] {
		earlier = append(earlier, old.Schema)
	}
	v := records.SchemaVerdict{MappingVersion: m.Version, SchemaVersion: all[0].Version, Issues: mappings.Drift(w, all[0].Schema, earlier)}
	opened, healed, err := s.Store.PutSchemaIssues(ctx, k, v)
	if err != nil {
		return fmt.Errorf("keep the issues of %s: %w", k.Object, err)
	}
	if opened+healed > 0 {
		s.Log.Warn("a mapping and the fields of its CRM have come apart, or together again", "workspace", k.WorkspaceID, "connection", k.ConnectionID,
			"object", k.Object, "opened", opened, "healed", healed)
	}
	return nil
}

func (s *Schemas) every() time.Duration { return cmp.Or(s.Every, schemaEvery) }

func (s *Schemas) observe(connector, outcome string) {
	if s.Observe != nil {
		s.Observe(connector, outcome)
	}
}

// jitter spreads reads: up to a tenth sooner or later, never sooner than schemaGap.
func jitter(d time.Duration) time.Duration {
	return max(schemaGap, d-d/10+rand.N(max(d/5, 1)))
}
