package hubspot

import "net/url"

// Every path of HubSpot's API that callsync uses, and with it the API's version, is here. The v3 and v4 paths are
// supported until September 2027; the date-based ones (/crm/objects/2026-09/...) take the same bodies.
const (
	defaultBaseURL = "https://api.hubapi.com"

	pathObjects      = "/crm/v3/objects/"
	pathProperties   = "/crm/v3/properties/"
	pathOwners       = "/crm/v3/owners"
	pathAssociations = "/crm/v4/objects/"
	pathAccount      = "/account-info/v3/details"
	pathDispositions = "/calling/v1/dispositions"
)

// The objects of HubSpot that callsync writes, by its own names for them.
var objects = map[string]string{"call": "calls", "contact": "contacts"}

func objectPath(object, id string) string { return pathObjects + object + "/" + url.PathEscape(id) }

func upsertPath(object string) string { return pathObjects + object + "/batch/upsert" }

func searchPath(object string) string { return pathObjects + object + "/search" }

// linkPath makes the unlabelled default association between two records; repeating it changes nothing.
func linkPath(callID, object, id string) string {
	return pathAssociations + "calls/" + url.PathEscape(callID) + "/associations/default/" + object + "/" + url.PathEscape(id)
}

// recordURL opens a call in HubSpot's pages. 0-48 is the type id of calls. The form of the URL is unconfirmed.
func recordURL(portal, id string) string {
	if portal == "" {
		return ""
	}
	return "https://app.hubspot.com/contacts/" + portal + "/record/0-48/" + url.PathEscape(id)
}
