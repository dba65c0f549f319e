package hubspot

import "net/url"

// version is a version of HubSpot's API. Everything that differs between versions is in this file; their bodies are the
// same.
type version string

// v3 means v3 for most of the API and v4 for associations. HubSpot supports v4 until March 2027 and v3 for some time
// longer; the dated versions are named by the paths of their own.
const v3 version = "v3"

// versions are those that a connection may choose.
var versions = []string{string(v3), "2026-03"}

const (
	defaultBaseURL = "https://api.hubapi.com"
	authorizeURL   = "https://app.hubspot.com/oauth/authorize"

	// pathDispositions is older than all versions. It is asked only where the property of the outcomes shows none.
	pathDispositions = "/calling/v1/dispositions"
)

// HubSpot's names of the objects, as paths have them. Deals go by their type's number because that is the only form that
// HubSpot's description of the deals' paths has; every path of objects takes either.
const (
	calls          = "calls"
	contacts       = "contacts"
	companies      = "companies"
	deals          = "0-3"
	tickets        = "tickets"
	tasks          = "tasks"
	notes          = "notes"
	communications = "communications"
)

// objects are HubSpot's objects by callsync's names for them. Text messages are HubSpot's communications; form
// submissions are logged as notes, for HubSpot takes real ones only for its own forms.
var objects = map[string]string{
	"call": calls, "contact": contacts, "company": companies, "deal": deals, "ticket": tickets,
	"task": tasks, "note": notes, "message": communications, "form": notes,
}

// typeIDs are the numbers of object types in the addresses of records.
var typeIDs = map[string]string{calls: "0-48", contacts: "0-1", companies: "0-2", deals: deals, tickets: "0-5", tasks: "0-27", notes: "0-46", communications: "0-18"}

func (v version) objects(object string) string {
	if v == v3 {
		return "/crm/v3/objects/" + object
	}
	return "/crm/objects/" + string(v) + "/" + object
}

func (v version) object(object, id string) string {
	return v.objects(object) + "/" + url.PathEscape(id)
}

func (v version) properties(object string) string {
	if v == v3 {
		return "/crm/v3/properties/" + object
	}
	return "/crm/properties/" + string(v) + "/" + object
}

func (v version) owners() string {
	if v == v3 {
		return "/crm/v3/owners"
	}
	return "/crm/owners/" + string(v)
}

// link is the unlabelled default association between two records; repeating it changes nothing.
func (v version) link(from, id, to, toID string) string {
	base := "/crm/v4/objects/"
	if v != v3 {
		base = "/crm/objects/" + string(v) + "/"
	}
	return base + from + "/" + url.PathEscape(id) + "/associations/default/" + to + "/" + url.PathEscape(toID)
}

// links is the path of the batches of associations between two objects.
func (v version) links(from, to string) string {
	if v == v3 {
		return "/crm/v4/associations/" + from + "/" + to + "/batch"
	}
	return "/crm/associations/" + string(v) + "/" + from + "/" + to + "/batch"
}

func (v version) account() string { return "/account-info/" + string(v) + "/details" }
func (v version) files() string   { return "/files/" + string(v) + "/files" }
func (v version) token() string   { return "/oauth/" + string(v) + "/token" }
func (v version) transcripts() string {
	if v == v3 {
		return "/crm/v3/extensions/calling/transcripts"
	}
	return "/crm/extensions/calling/" + string(v) + "/transcripts"
}

// recordURL opens a record in HubSpot's pages. The form of the URL is unconfirmed.
func recordURL(portal, object, id string) string {
	if portal == "" {
		return ""
	}
	return "https://app.hubspot.com/contacts/" + portal + "/record/" + typeIDs[object] + "/" + url.PathEscape(id)
}
