package salesforce

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/callsync/callsync/connectors"
)

// locks keep writes to the same parent apart. Salesforce locks the contact or lead, the related record and the account of a
// Task while it writes one, and gives up with UNABLE_TO_LOCK_ROW when two writes of one parent meet for long.
type locks struct {
	mu   sync.Mutex
	held map[string]*lock
}

type lock struct {
	turn chan struct{}
	// users hold or wait for it; the last one takes it away.
	users int
}

func newLocks() *locks { return &locks{held: map[string]*lock{}} }

// take waits for the turn with all of ids and returns what ends it. Ids are taken in their order, so that nobody waits for
// each other.
func (l *locks) take(ctx context.Context, ids []string) (release func(), err error) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	var mine []string
	release = func() {
		for _, id := range mine {
			l.leave(id, true)
		}
	}
	for _, id := range ids {
		l.mu.Lock()
		k := l.held[id]
		if k == nil {
			k = &lock{turn: make(chan struct{}, 1)}
			l.held[id] = k
		}
		k.users++
		l.mu.Unlock()
		select {
		case k.turn <- struct{}{}:
			mine = append(mine, id)
		case <-ctx.Done():
			l.leave(id, false)
			release()
			return nil, connectors.NotSent(ctx.Err())
		}
	}
	return release, nil
}

func (l *locks) leave(id string, held bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.held[id]
	if held {
		<-k.turn
	}
	if k.users--; k.users == 0 {
		delete(l.held, id)
	}
}

// The pauses before a write whose parent somebody else has locked is tried again, within one attempt.
const (
	lockTries = 3
	lockPause = 300 * time.Millisecond
)

// alone runs write while no other write of this process touches the same parents, and again a few times while Salesforce
// says that somebody else has one of them locked: another worker, or a person.
func (s *session) alone(ctx context.Context, parents []string, write func() error) error {
	release, err := s.parents.take(ctx, parents)
	if err != nil {
		return err
	}
	defer release()
	for try := 1; ; try++ {
		err := write()
		if !hasCode(err, codeLocked) || try == lockTries {
			return err
		}
		pause := time.NewTimer(time.Duration(try)*lockPause + rand.N(lockPause))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return err
		}
	}
}

// parentsOf are the ids that Salesforce locks with a record of these values: those it names, and the account of a contact
// whose account is known.
func (s *session) parentsOf(v values) []string {
	var out []string
	for _, name := range []string{"WhoId", "WhatId", "ContactId", "AccountId"} {
		id := v.text(name)
		if id == "" {
			continue
		}
		out = append(out, id)
		if account, ok := s.accountOf(id); ok {
			out = append(out, account)
		}
	}
	return out
}
