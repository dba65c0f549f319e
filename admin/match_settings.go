package admin

import (
	"fmt"
	"slices"
	"strings"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// MatchView says how a connection's calls find their contact and their owner.
type MatchView struct {
	Objects      []string `json:"objects" doc:"The objects that are searched for the number, in the order of preference."`
	OnNone       string   `json:"on_none" enum:"create_contact,create_lead,none,ask"`
	OnMany       string   `json:"on_many" enum:"recent,owner,none,ask"`
	AskHold      bool     `json:"ask_hold"`
	TrustCRMID   bool     `json:"trust_crm_id"`
	Owner        string   `json:"owner" enum:"last,first,longest"`
	UnknownAgent string   `json:"unknown_agent" enum:"none,default"`
	DefaultOwner string   `json:"default_owner,omitempty"`
}

// MatchPatch changes a Match; what is absent stays.
type MatchPatch struct {
	Objects      *[]string `json:"objects,omitempty" maxItems:"10" doc:"The objects that are searched for the number, in the order of preference; an empty list means the connector's own. The first one in which somebody has the number counts."`
	OnNone       *string   `json:"on_none,omitempty" enum:"create_contact,create_lead,none,ask" doc:"What to do with a number that nobody in the CRM has."`
	OnMany       *string   `json:"on_many,omitempty" enum:"recent,owner,none,ask" doc:"What to do with a number that several have: the one that was changed last; one of the call's owner, else as recent; none; ask people."`
	AskHold      *bool     `json:"ask_hold,omitempty" doc:"Keep a call here until somebody has answered. Else it is delivered without a contact and tied to it afterwards."`
	TrustCRMID   *bool     `json:"trust_crm_id,omitempty" doc:"Take the contact whom the phone system names even if it has not the number: its contacts come from this very CRM."`
	Owner        *string   `json:"owner,omitempty" enum:"last,first,longest" doc:"Which of the agents who answered owns the call."`
	UnknownAgent *string   `json:"unknown_agent,omitempty" enum:"none,default" doc:"What to do where that agent is no user of the CRM."`
	DefaultOwner *string   `json:"default_owner,omitempty" maxLength:"200" doc:"The id of the CRM's user for unknown_agent default."`
}

// over is m with what the patch changes.
func (p *MatchPatch) over(m records.Match) records.Match {
	if p == nil {
		return m
	}
	set(&m.Objects, p.Objects)
	set(&m.OnNone, p.OnNone)
	set(&m.OnMany, p.OnMany)
	set(&m.AskHold, p.AskHold)
	set(&m.TrustCRMID, p.TrustCRMID)
	set(&m.Owner, p.Owner)
	set(&m.UnknownAgent, p.UnknownAgent)
	set(&m.DefaultOwner, p.DefaultOwner)
	return m
}

func (h *Handler) viewMatch(c records.Connection) MatchView {
	m := c.Match.WithDefaults()
	if len(m.Objects) == 0 {
		m.Objects = searched(h.info(c))
	}
	return MatchView{Objects: m.Objects, OnNone: m.OnNone, OnMany: m.OnMany, AskHold: m.AskHold, TrustCRMID: m.TrustCRMID,
		Owner: m.Owner, UnknownAgent: m.UnknownAgent, DefaultOwner: m.DefaultOwner}
}

// info describes a connection's connector; empty for one of another build.
func (h *Handler) info(c records.Connection) connectors.Info {
	if connector, ok := h.Connectors[c.Connector]; ok {
		return connector.Info()
	}
	return connectors.Info{}
}

// searched are the objects in which a connector looks for numbers.
func searched(i connectors.Info) []string {
	if len(i.Matches) == 0 {
		return []string{connectors.ObjectContact}
	}
	return i.Matches
}

// creates are the objects that a connector creates for unknown numbers, if it creates any.
func creates(i connectors.Info) []string {
	if len(i.Creates) == 0 {
		return []string{connectors.ObjectContact}
	}
	return i.Creates
}

// checkMatch finds what is wrong with how calls find their contact.
func checkMatch(m records.Match, i connectors.Info) faults {
	var out faults
	for n, o := range m.Objects {
		switch {
		case !slices.Contains(searched(i), o):
			out.add(fmt.Sprintf("match.objects[%d]", n), fmt.Sprintf("%s cannot be searched for this by phone. It has: %s.", i.Label, strings.Join(searched(i), ", ")))
		case slices.Contains(m.Objects[:n], o):
			out.add(fmt.Sprintf("match.objects[%d]", n), "This object is in the list twice.")
		}
	}
	for policy, object := range map[string]string{records.MatchCreateContact: connectors.ObjectContact, records.MatchCreateLead: connectors.ObjectLead} {
		if m.OnNone == policy && !slices.Contains(creates(i), object) {
			out.add("match.on_none", fmt.Sprintf("callsync does not create a %s in %s.", object, i.Label))
		}
	}
	for _, f := range []struct {
		field, value string
		known        []string
	}{
		{"on_none", m.OnNone, []string{records.MatchCreateContact, records.MatchCreateLead, records.MatchNone, records.MatchAsk}},
		{"on_many", m.OnMany, []string{records.MatchRecent, records.MatchOwner, records.MatchNone, records.MatchAsk}},
		{"owner", m.Owner, []string{records.OwnerLast, records.OwnerFirst, records.OwnerLongest}},
		{"unknown_agent", m.UnknownAgent, []string{records.AgentNone, records.AgentDefault}},
	} {
		if f.value != "" && !slices.Contains(f.known, f.value) {
			out.add("match."+f.field, "This must be one of "+strings.Join(f.known, ", ")+".")
		}
	}
	if len(m.DefaultOwner) > 200 {
		out.add("match.default_owner", "This is no id of a user.")
	}
	if m.UnknownAgent == records.AgentDefault && strings.TrimSpace(m.DefaultOwner) == "" {
		out.add("match.default_owner", "Name the user of the CRM who shall own the calls of agents nobody knows.")
	}
	return out
}

// matchWords say for people what becomes of an unknown number, of a shared one, and who owns a call.
func matchWords(m MatchView) (onNone, onMany, owner string) {
	until := ", and logged without a contact until then"
	if m.AskHold {
		until = ", and the call is on hold until then"
	}
	onNone = map[string]string{
		records.MatchCreateContact: "get a new contact", records.MatchCreateLead: "get a new lead", records.MatchNone: "are logged without a contact",
		records.MatchAsk: "are asked about under Reviews" + until,
	}[m.OnNone]
	onMany = map[string]string{
		records.MatchRecent: "go to the contact that changed last", records.MatchNone: "are logged without a contact",
		records.MatchOwner: "go to a contact of the call's owner, else to the one that changed last",
		records.MatchAsk:   "are asked about under Reviews" + until,
	}[m.OnMany]
	owner = map[string]string{
		records.OwnerLast: "The agent who answered last.", records.OwnerFirst: "The agent who answered first.",
		records.OwnerLongest: "The agent who talked longest.",
	}[m.Owner]
	if m.UnknownAgent == records.AgentDefault {
		owner += " Calls of agents who are no users of the CRM go to the user " + visible(m.DefaultOwner) + "."
	}
	return onNone, onMany, owner
}
