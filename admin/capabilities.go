package admin

import (
	"cmp"
	"slices"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// capabilityRow is one thing that callsync can do with some CRM.
type capabilityRow struct {
	Label string
	// State is "on", "off" or "no": off is what the settings leave out, no what this CRM or its connector cannot do.
	State string
	// Note says what that means, URL leads to the setting.
	Note, URL string
}

// without says what it means that a CRM cannot do something; those that nobody would miss are not there.
var without = map[string]string{
	"contact_match":    "Calls are written without a contact.",
	"email_match":      "Forms without a phone number find nobody.",
	"contact_create":   "Numbers that nobody has stay without a contact.",
	"link":             "Calls name their contact when they are written; one that appears later is not tied to them.",
	"owner":            "Calls have no owner, unless the mapping names one.",
	"disposition":      "Dispositions go there as the phone system wrote them.",
	"update":           "What people change in the CRM cannot be seen, so a change of the call is written over it.",
	"call_look_up":     "If the CRM does not say whether it stored a call, a person has to look.",
	"schema":           "Field names are not checked before a call is written.",
	"contact_follow":   "A contact that was merged or converted is looked for anew.",
	"owner_list":       "The users have to be written by their ids.",
	"recording_upload": "Calls get a link to the recording.",
	"transcription":    "The transcription goes where the mapping puts it.",
	"task":             "Actions make no tasks.",
	"task_read":        "A task that somebody completes there stays open here.",
	"note":             "Actions write no notes.",
	"ticket":           "Actions open no tickets.",
	"deal":             "Actions change no deals.",
	"message":          "Text messages are skipped.",
	"form":             "Form submissions are skipped.",
	"record_link":      "Messages and forms are not tied to contacts that appear later.",
	"record_read":      "What people change in tasks, tickets, text messages and forms is written over.",
	"oauth":            "Access is by a token or key in the settings.",
}

// quiet are capabilities that people have nothing to decide about, or that only matter for speed: they are left out where
// the CRM has none.
var quiet = []string{"verify", "record_look_up", "batch"}

// capabilityRows are what callsync can do with a connection's CRM, what of it is on, and what is not possible.
func (h *Handler) capabilityRows(c records.Connection, actions records.Actions) []capabilityRow {
	infos := h.Connectors.Infos()
	i := slices.IndexFunc(infos, func(i connectors.Info) bool { return i.ID == c.Connector })
	if i < 0 {
		return nil
	}
	has := infos[i].Capabilities
	used := map[string]bool{}
	if doc, err := mappings.ParseActions([]byte(actions.Document)); err == nil {
		for _, a := range doc.Actions {
			used[string(a.Do)] = true
			used["task"] = used["task"] || a.Do == mappings.DoFollowUp
		}
	}
	at := "/connections/" + c.ID
	match := c.Match.WithDefaults()
	var on, no []capabilityRow
	all := connectors.AllCapabilities()
	all = append(all, connectors.Capability{Name: connectors.CapabilityOAuth, Label: "Is connected by its consent page (OAuth)"})
	for _, one := range all {
		row := capabilityRow{Label: one.Label, State: "on"}
		if !slices.Contains(has, one.Name) {
			if !slices.Contains(quiet, one.Name) {
				row.State, row.Note = "no", without[one.Name]
				no = append(no, row)
			}
			continue
		}
		switch one.Name {
		case "contact_match":
			row.URL = at + "/match"
		case "contact_create":
			row.URL = at + "/match"
			if match.OnNone != records.MatchCreateContact && match.OnNone != records.MatchCreateLead {
				row.State, row.Note = "off", "Contact match leaves unknown numbers without a contact."
				if match.OnNone == records.MatchAsk {
					row.Note = "Contact match asks a person about unknown numbers."
				}
			}
		case "owner", "owner_list":
			row.URL = at + "/owners"
		case "disposition":
			row.URL = at + "/dispositions"
		case "recording_upload":
			row.URL = at + "/edit#writing"
			switch cmp.Or(c.Recordings, records.ShareLink) {
			case records.ShareUpload:
			case records.ShareNone:
				row.State, row.Note = "off", "The CRM gets nothing of a recording."
			default:
				row.State, row.Note = "off", "The CRM gets a link to the recording."
			}
		case "task", "ticket", "deal":
			row.URL = at + "/actions"
			if !used[one.Name] {
				row.State, row.Note = "off", "No action does this."
			}
		}
		on = append(on, row)
	}
	return append(on, no...)
}
