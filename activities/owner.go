package activities

import (
	"context"
	"fmt"
	"strings"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// owner is the CRM user who shall own the record: the one to whom the agent of the call was assigned, else the one with
// that agent's e-mail, else whom the policy names; empty where there is none. The warning says that the agent is no user
// of the CRM.
func (d *attempt) owner(ctx context.Context, session connectors.Session) (id, warning string, err error) {
	resolver, can := session.(connectors.OwnerResolver)
	if !can {
		return "", "", nil
	}
	policy := d.lane.Connection.Match.WithDefaults()
	agent, ok := owningAgent(d.lane.Call.Call.Agents, policy.Owner)
	if ok {
		id, err = d.userOf(ctx, resolver, agent)
		if err != nil || id != "" {
			return id, "", err
		}
		warning = fmt.Sprintf("The agent %s is no user of %s that callsync knows. Assign one under Agents and owners.", agentName(agent), d.label())
	}
	if policy.UnknownAgent == records.AgentDefault {
		return policy.DefaultOwner, warning, nil
	}
	return "", warning, nil
}

// userOf is the CRM user who is an agent; empty where nobody is.
func (d *attempt) userOf(ctx context.Context, resolver connectors.OwnerResolver, agent call.Agent) (string, error) {
	id, ok, err := d.Store.OwnerFor(ctx, d.in.WorkspaceID, d.in.ConnectionID, agentKeys(agent))
	if err != nil {
		return "", fmt.Errorf("%w: read the owners: %w", errStore, err)
	}
	if ok || agent.Email == "" {
		return id, nil
	}
	owner, ok, err := resolver.FindOwner(ctx, agent.Email)
	if err != nil || !ok || !owner.Active {
		return "", err
	}
	return owner.ID, nil
}

// owningAgent is the agent to whom the call counts: of those who answered the last one, or as the policy says. Where
// nobody answered it is the one who was rung, if there was but one.
func owningAgent(agents []call.Agent, policy string) (call.Agent, bool) {
	var answered []call.Agent
	for _, a := range agents {
		if a.Status == call.AgentAnswered || a.Status == call.AgentTransferred {
			answered = append(answered, a)
		}
	}
	if len(answered) == 0 {
		if len(agents) == 1 {
			return agents[0], true
		}
		return call.Agent{}, false
	}
	best := answered[0]
	for _, a := range answered[1:] {
		switch policy {
		case records.OwnerFirst:
			if earlier(a, best) {
				best = a
			}
		case records.OwnerLongest:
			if talked(a) > talked(best) {
				best = a
			}
		default:
			if !earlier(a, best) {
				best = a
			}
		}
	}
	return best, true
}

// earlier tells whether a, who comes later in the list, is known to have answered before b.
func earlier(a, b call.Agent) bool {
	return !a.AnsweredAt.IsZero() && !b.AnsweredAt.IsZero() && a.AnsweredAt.Before(b.AnsweredAt)
}

func talked(a call.Agent) int64 {
	if a.TalkSeconds == nil {
		return 0
	}
	return *a.TalkSeconds
}

func agentName(a call.Agent) string {
	for _, s := range []string{a.Name, a.Email, a.Extension, a.ID} {
		if s = strings.TrimSpace(s); s != "" {
			return clip(s, 100)
		}
	}
	return "of this call"
}

// AgentKey is how the table of owners names an agent: the e-mail in lower case, else "id:", "number:" or "name:" and
// what the phone system calls them. It is empty for an agent of whom nothing is known.
func AgentKey(a call.Agent) string {
	if keys := agentKeys(a); len(keys) > 0 {
		return keys[0]
	}
	return ""
}

// agentKeys are all names under which an agent may be in the table of owners, the surest first.
func agentKeys(a call.Agent) []string {
	var keys []string
	add := func(prefix, s string) {
		if s = strings.TrimSpace(s); s != "" {
			keys = append(keys, prefix+s)
		}
	}
	add("", strings.ToLower(a.Email))
	add("id:", a.ID)
	add("number:", a.Number)
	if a.Number == "" {
		add("extension:", a.Extension)
	}
	add("name:", strings.ToLower(a.Name))
	return keys
}
