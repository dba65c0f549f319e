package activities

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/callsync/callsync/activities/batches"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// opened keeps what is costly to make and rarely changes: sessions, whose caches of owners and dispositions would be
// lost otherwise, and compiled mappings. An entry is used as long as its version is the row's.
type opened struct {
	mu       sync.Mutex
	sessions map[string]openSession
	programs map[programKey]*mappings.Program
	rules    map[rulesKey]*mappings.Rules
	actions  map[actionsKey]*mappings.Actions
}

type openSession struct {
	session connectors.Session
	version time.Time
}

type programKey struct {
	connectionID, object string
	version              int
}

// maxOpened bounds each cache; past it the cache starts anew, which costs only time.
const maxOpened = 4096

func (d *attempt) session(ctx context.Context, conn records.Connection) (connectors.Session, error) {
	o := &d.open
	o.mu.Lock()
	have, ok := o.sessions[conn.ID]
	o.mu.Unlock()
	if ok && have.version.Equal(conn.UpdatedAt) {
		d.version = have.version
		return have.session, nil
	}
	connector, ok := d.Connectors[conn.Connector]
	if !ok {
		return nil, &connectors.Error{Class: connectors.Unsupported,
			Public: fmt.Sprintf("This version of callsync has no connector %q.", conn.Connector)}
	}
	full, err := d.Store.ConnectionByID(ctx, d.in.WorkspaceID, conn.ID)
	if err != nil {
		return nil, fmt.Errorf("%w: read the connection: %w", errStore, err)
	}
	d.version = full.UpdatedAt
	settings := connectors.Settings{ConnectionID: full.ID, Config: full.Config, Secrets: full.Secrets, Transport: batches.Transport(d.Transport(full))}
	if d.Grants != nil {
		if settings.Tokens, err = d.Grants.Tokens(connector, full); err != nil {
			return nil, err
		}
	}
	session, err := connector.Open(settings)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.sessions == nil || len(o.sessions) >= maxOpened {
		o.sessions = map[string]openSession{}
	}
	o.sessions[conn.ID] = openSession{session, full.UpdatedAt}
	return session, nil
}

// program is the compiled mapping of an object, of the version that was in force when the lane was read, or a newer one;
// nil where the connector has no fields.
func (d *attempt) program(ctx context.Context, object string, version int) (*mappings.Program, int, error) {
	if version == 0 {
		return nil, 0, nil
	}
	o := &d.open
	key := programKey{d.in.ConnectionID, object, version}
	o.mu.Lock()
	p, ok := o.programs[key]
	o.mu.Unlock()
	if ok {
		return p, version, nil
	}
	m, err := d.Store.ActiveMapping(ctx, d.in.WorkspaceID, d.in.ConnectionID, object)
	if errors.Is(err, records.ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("%w: read the mapping: %w", errStore, err)
	}
	doc, err := mappings.Parse([]byte(m.Document))
	if err == nil {
		p, err = mappings.Compile(doc)
	}
	if err != nil {
		return nil, 0, &connectors.Error{Class: connectors.Invalid, Err: err,
			Public: fmt.Sprintf("Version %d of the mapping cannot be used. Correct it, then retry.", m.Version)}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.programs == nil || len(o.programs) >= maxOpened {
		o.programs = map[programKey]*mappings.Program{}
	}
	o.programs[programKey{d.in.ConnectionID, object, m.Version}] = p
	return p, m.Version, nil
}
