package activities

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

// sightEvery is how often one worker notes that it has seen a number or an agent again.
const sightEvery = 10 * time.Minute

// sights keeps what this worker has noted lately, so that most calls note nothing.
type sights struct {
	mu   sync.Mutex
	seen map[string]time.Time
}

// fresh tells whether key has not been noted lately, and takes it as noted.
func (s *sights) fresh(key string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.seen[key]) < sightEvery {
		return false
	}
	if s.seen == nil || len(s.seen) >= 4*maxOpened {
		s.seen = map[string]time.Time{}
	}
	s.seen[key] = now
	return true
}

// sight notes what the call shows of the workspace. That it fails costs the call nothing.
func (d *attempt) sight(ctx context.Context) {
	c := &d.lane.Call.Call
	if c.Attributes[call.AttributeTest] == true {
		return
	}
	s := d.sighting(c)
	if s.Customer == "" && len(s.Lines) == 0 && len(s.Agents) == 0 {
		return
	}
	if err := d.Store.Sight(ctx, s); err != nil {
		d.Log.WarnContext(ctx, "what a call shows of its workspace could not be kept", "workspace", d.in.WorkspaceID, "call", d.in.CallID, "error", err)
	}
}

func (d *attempt) sighting(c *call.Call) records.Sighting {
	s := records.Sighting{WorkspaceID: d.in.WorkspaceID, SourceID: c.SourceID}
	fresh := func(kind, key string) bool {
		return key != "" && d.seen.fresh(strings.Join([]string{d.in.WorkspaceID, c.SourceID, kind, key}, "\x00"), d.began)
	}
	customer := c.Customer.Number
	// A number on both sides shows nothing.
	if n := c.BusinessNumber; n != customer && strings.HasPrefix(n, "+") && fresh("line", n) {
		s.Lines = append(s.Lines, n)
	}
	for _, a := range c.Agents {
		key := AgentKey(a)
		if !fresh("agent", key+"\x00"+a.Number) {
			continue
		}
		s.Agents = append(s.Agents, records.SeenAgent{SourceID: c.SourceID, Key: key, Name: clip(a.Name, 200), Email: clip(a.Email, 320),
			Number: clip(a.Number, 40), Extension: clip(a.Extension, 40)})
	}
	if c.Direction == call.Inbound && c.Status == call.Answered && fresh("customer", customer) {
		s.Customer = customer
	}
	return s
}
