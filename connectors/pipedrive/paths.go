package pipedrive

import (
	"net/url"
	"strconv"
	"strings"
)

const (
	defaultBaseURL = "https://api.pipedrive.com"
	defaultAuthURL = "https://oauth.pipedrive.com"
)

// endpoint is one of Pipedrive's endpoints: its path below the API's version, and its price in tokens of the daily budget
// (x-token-cost in the vendor's API description of August 2026).
type endpoint struct {
	method, path string
	v2           bool
	cost         int
}

// Every endpoint that callsync uses. What exists in version 2 is used there: it is half the price, and the counterpart in
// version 1 is out of support since 2026-08-01.
var (
	userMe           = endpoint{"GET", "/users/me", false, 2}
	listUsers        = endpoint{"GET", "/users", false, 20}
	createCallLog    = endpoint{"POST", "/callLogs", false, 10}
	readCallLog      = endpoint{"GET", "/callLogs/{id}", false, 2}
	listCallLogs     = endpoint{"GET", "/callLogs", false, 20}
	uploadRecording  = endpoint{"POST", "/callLogs/{id}/recordings", false, 10}
	uploadFile       = endpoint{"POST", "/files", false, 10}
	listFiles        = endpoint{"GET", "/files", false, 20}
	createNote       = endpoint{"POST", "/notes", false, 10}
	updateNote       = endpoint{"PUT", "/notes/{id}", false, 10}
	readNote         = endpoint{"GET", "/notes/{id}", false, 2}
	listNotes        = endpoint{"GET", "/notes", false, 20}
	createLead       = endpoint{"POST", "/leads", false, 10}
	readLead         = endpoint{"GET", "/leads/{id}", false, 2}
	listLeads        = endpoint{"GET", "/leads", false, 20}
	leadFields       = endpoint{"GET", "/leadFields", false, 20}
	activityTypes    = endpoint{"GET", "/activityTypes", false, 20}
	createActivity   = endpoint{"POST", "/activities", true, 5}
	readActivity     = endpoint{"GET", "/activities/{id}", true, 1}
	updateActivity   = endpoint{"PATCH", "/activities/{id}", true, 5}
	listActivities   = endpoint{"GET", "/activities", true, 10}
	createPerson     = endpoint{"POST", "/persons", true, 5}
	readPerson       = endpoint{"GET", "/persons/{id}", true, 1}
	listPersons      = endpoint{"GET", "/persons", true, 10}
	searchPersons    = endpoint{"GET", "/persons/search", true, 20}
	readOrganization = endpoint{"GET", "/organizations/{id}", true, 1}
	searchCompanies  = endpoint{"GET", "/organizations/search", true, 20}
	listDeals        = endpoint{"GET", "/deals", true, 10}
	updateDeal       = endpoint{"PATCH", "/deals/{id}", true, 5}
	personFields     = endpoint{"GET", "/personFields", true, 10}
	createField      = endpoint{"POST", "/personFields", true, 5}
	companyFields    = endpoint{"GET", "/organizationFields", true, 10}
	dealFields       = endpoint{"GET", "/dealFields", true, 10}
)

// prefix is where version 1 lives: the API's common host has it at /v1, as the vendor's description says, a company's own
// host at /api/v1, as the vendor's documentation says. Version 2 is at /api/v2 on both.
func prefix(host string) string {
	if host != "api.pipedrive.com" && strings.HasSuffix(host, ".pipedrive.com") {
		return "/api/v1"
	}
	return "/v1"
}

func (e endpoint) url(v1, id string) string {
	path := strings.Replace(e.path, "{id}", url.PathEscape(id), 1)
	if e.v2 {
		return "/api/v2" + path
	}
	return v1 + path
}

// webURL is the web address of the company whose API is at host; empty where the host does not say.
func webURL(host string) string {
	if host == "api.pipedrive.com" || !strings.HasSuffix(host, ".pipedrive.com") {
		return ""
	}
	return "https://" + host
}

// number reads an id of Pipedrive's, which are positive numbers but for leads and call logs.
func number(id string) (int64, bool) {
	n, err := strconv.ParseInt(id, 10, 64)
	return n, err == nil && n > 0
}
