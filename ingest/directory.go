package ingest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
)

// Sources is where the receiver and the relay look sources and connections up. Deleted ones are not found.
type Sources interface {
	// SourceByToken finds the source whose hook token, or former token while it is valid, has this SHA-256;
	// records.ErrNotFound if there is none. Its secrets are open.
	SourceByToken(ctx context.Context, tokenHash []byte) (records.Source, error)
	SourceByID(ctx context.Context, workspaceID, id string) (records.Source, error)
	// ConnectionsOf lists the connections of a workspace, paused and revoked ones too.
	ConnectionsOf(ctx context.Context, workspaceID string) ([]records.Connection, error)
	OwnNumbers(ctx context.Context, workspaceID string) ([]records.OwnNumber, error)
}

// Directory remembers for some seconds what the sources and connections are. Receiver, relay and sweeper of a process
// share one.
type Directory struct {
	store      Sources
	providers  telephony.Registry
	byToken    *cache[[sha256.Size]byte, *feed]
	byID       *cache[sourceKey, *feed]
	ownNumbers *cache[string, []string]
	drift      *drift
}

type sourceKey struct{ workspace, id string }

// feed is a source ready to be used. It is shared and never changed.
type feed struct {
	records.Source
	provider telephony.Provider // nil: this binary does not have it
	settings telephony.Settings
	expects  call.Expectations
	signs    bool
	hooks    map[string]bool // events of hook URLs
}

// NewDirectory makes an empty directory over store.
func NewDirectory(store Sources, providers telephony.Registry) *Directory {
	d := &Directory{store: store, providers: providers, drift: newDrift()}
	d.byToken = newCache(func(ctx context.Context, hash [sha256.Size]byte) (*feed, error) {
		s, err := store.SourceByToken(ctx, hash[:])
		return d.feed(ctx, s, err)
	})
	d.byID = newCache(func(ctx context.Context, k sourceKey) (*feed, error) {
		s, err := store.SourceByID(ctx, k.workspace, k.id)
		return d.feed(ctx, s, err)
	})
	d.byID.ttl = time.Second
	d.ownNumbers = newCache(func(ctx context.Context, workspaceID string) ([]string, error) {
		rows, err := store.OwnNumbers(ctx, workspaceID)
		numbers := make([]string, len(rows))
		for i, r := range rows {
			numbers[i] = r.Number
		}
		return numbers, err
	})
	return d
}

func (d *Directory) feed(ctx context.Context, s records.Source, err error) (f *feed, _ error) {
	if err != nil {
		return nil, fmt.Errorf("look up a source: %w", err)
	}
	f = &feed{Source: s, provider: d.providers[s.Provider]}
	numbers, err := d.ownNumbers.get(ctx, s.WorkspaceID)
	if err != nil {
		return nil, fmt.Errorf("look up own numbers: %w", err)
	}
	if f.provider == nil {
		return f, nil
	}
	info := f.provider.Info()
	f.settings = telephony.SettingsOf(info, s, numbers)
	f.expects = telephony.ExpectationsOf(info, s.Config)
	f.hooks = make(map[string]bool, len(info.Hooks))
	for _, h := range info.Hooks {
		f.hooks[h.Event] = true
	}
	defer func() {
		// A provider that panics on the settings of one source must not take the process down.
		if p := recover(); p != nil {
			f.signs = true
		}
	}()
	f.signs = f.provider.Signs(f.settings)
	return f, nil
}

// Forget makes what is remembered be looked up again: an admin of this process has changed a source or its numbers.
func (d *Directory) Forget() {
	d.ownNumbers.expireAll()
	d.byToken.expireAll()
	d.byID.expireAll()
}

// again looks a source up once more, because a request did not fit what is remembered of it: its key may just have been
// changed. A stranger's requests cause two look-ups a second at most.
func (d *Directory) again(ctx context.Context, token [sha256.Size]byte) (*feed, error) {
	d.byToken.expire(token, 500*time.Millisecond)
	return d.byToken.get(ctx, token)
}

// lanes are those of connections that f feeds.
func (f *feed) lanes(connections []records.Connection) []records.Connection {
	var out []records.Connection
	for _, c := range connections {
		if f.Feeds(c) {
			out = append(out, c)
		}
	}
	return out
}
