package zoho

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/internal/httpx"
)

var (
	_ connectors.Authorizer    = connector{}
	_ connectors.ConsentReader = connector{}
)

// dataCenter is one of Zoho's data centres. Each has its own accounts, and knows nothing of those of the others
// (zoho.com/accounts/protocol/oauth/multi-dc.html).
type dataCenter struct {
	// name is what Zoho calls it in the parameter location.
	name string
	// accounts and api are hosts; ui is the host of Zoho CRM's pages.
	accounts, api, ui string
}

// auto is the setting that lets Zoho say which data centre the account is in.
const auto = "auto"

var dataCenters = []dataCenter{
	{"us", "accounts.zoho.com", "zohoapis.com", "crm.zoho.com"},
	{"eu", "accounts.zoho.eu", "zohoapis.eu", "crm.zoho.eu"},
	{"in", "accounts.zoho.in", "zohoapis.in", "crm.zoho.in"},
	{"au", "accounts.zoho.com.au", "zohoapis.com.au", "crm.zoho.com.au"},
	{"jp", "accounts.zoho.jp", "zohoapis.jp", "crm.zoho.jp"},
	{"cn", "accounts.zoho.com.cn", "zohoapis.com.cn", "crm.zoho.com.cn"},
	{"ca", "accounts.zohocloud.ca", "zohoapis.ca", "crm.zohocloud.ca"},
	{"sa", "accounts.zoho.sa", "zohoapis.sa", "crm.zoho.sa"},
	{"uk", "accounts.zoho.uk", "zohoapis.uk", "crm.zoho.uk"},
}

func dataCenterNames() []string {
	out := []string{auto}
	for _, c := range dataCenters {
		out = append(out, c.name)
	}
	return out
}

// centerOf finds the data centre whose API is at host: www.zohoapis.eu, sandbox.zohoapis.eu.
func centerOf(host string) (dataCenter, bool) {
	at := slices.IndexFunc(dataCenters, func(c dataCenter) bool { return host == c.api || strings.HasSuffix(host, "."+c.api) })
	if at < 0 {
		return dataCenter{}, false
	}
	return dataCenters[at], true
}

// place is where an account is.
type place struct {
	center dataCenter
	// chosen tells that an admin named the data centre.
	chosen bool
	// api and accounts are addresses. Behind a proxy, or with a fake, both are the same host.
	api, accounts string
	org           string
}

var errQuery = errors.New("it must not hold a query")

// locate reads where the account is: an address wins over the data centre, which a Zoho address says too.
func locate(set connectors.Settings) (place, error) {
	p := place{center: dataCenters[0], org: strings.TrimSpace(set.Config["org_id"])}
	if p.org != "" && !isID(p.org) {
		return p, invalid("org_id", "The organization ID is a number.")
	}
	if name := strings.ToLower(strings.TrimSpace(set.Config["data_center"])); name != "" && name != auto {
		at := slices.IndexFunc(dataCenters, func(c dataCenter) bool { return c.name == name })
		if at < 0 {
			return p, invalid("data_center", "Zoho has no such data centre. Choose one of "+strings.Join(dataCenterNames(), ", ")+".")
		}
		p.center, p.chosen = dataCenters[at], true
	}
	p.api, p.accounts = "https://www."+p.center.api, "https://"+p.center.accounts
	base := strings.TrimSpace(set.Config["base_url"])
	if base == "" {
		return p, nil
	}
	u, err := httpx.ParseBaseURL(base)
	if err == nil && u.RawQuery != "" {
		err = errQuery
	}
	if err != nil {
		return p, &connectors.Error{Class: connectors.Invalid, Field: "base_url", Err: err, Public: "The API address of Zoho CRM cannot be used: " + err.Error() + "."}
	}
	u.Path = strings.TrimSuffix(strings.TrimRight(u.Path, "/"), version)
	p.api = strings.TrimRight(u.String(), "/")
	center, known := centerOf(u.Hostname())
	switch {
	case !known:
		// A proxy or a fake has the accounts, too.
		p.accounts = p.api
	case !p.chosen:
		p.center, p.accounts = center, "https://"+center.accounts
	case center != p.center:
		return p, invalid("data_center", "The API address belongs to another data centre ("+center.name+"). Empty one of the two.")
	}
	return p, nil
}

// The kinds of clients.
const (
	grantConsent = "consent"
	grantSelf    = "self_client"
)

// scopes are the rights that callsync asks for. Searching has one of its own.
var scopes = []string{
	"ZohoCRM.modules.calls.READ", "ZohoCRM.modules.calls.CREATE", "ZohoCRM.modules.calls.UPDATE",
	"ZohoCRM.modules.contacts.READ", "ZohoCRM.modules.contacts.CREATE", "ZohoCRM.modules.contacts.UPDATE",
	"ZohoCRM.modules.leads.READ", "ZohoCRM.modules.leads.CREATE", "ZohoCRM.modules.leads.UPDATE",
	"ZohoCRM.modules.accounts.READ", "ZohoCRM.modules.deals.READ", "ZohoCRM.modules.deals.UPDATE",
	"ZohoCRM.modules.tasks.READ", "ZohoCRM.modules.tasks.CREATE", "ZohoCRM.modules.tasks.UPDATE",
	"ZohoCRM.modules.cases.READ", "ZohoCRM.modules.cases.CREATE", "ZohoCRM.modules.cases.UPDATE",
	"ZohoCRM.modules.notes.READ", "ZohoCRM.modules.notes.CREATE", "ZohoCRM.modules.notes.UPDATE",
	"ZohoCRM.modules.attachments.READ", "ZohoCRM.modules.attachments.CREATE",
	"ZohoCRM.settings.fields.READ", "ZohoCRM.settings.fields.CREATE", "ZohoCRM.settings.layouts.READ",
	"ZohoCRM.users.READ", "ZohoCRM.org.READ", "ZohoSearch.securesearch.READ",
}

// OAuth implements connectors.Authorizer. An access token lives for an hour; Zoho gives ten in ten minutes for one refresh
// token, so all workers share one (zoho.com/accounts/protocol/oauth/web-apps/access-token-expiry.html). Scopes are
// separated by commas.
func (connector) OAuth(set connectors.Settings) (connectors.OAuth, bool, error) {
	id := strings.TrimSpace(set.Config["client_id"])
	if id == "" {
		return connectors.OAuth{}, false, nil
	}
	if !plain(id) {
		return connectors.OAuth{}, true, invalid("client_id", "The client ID holds characters that none has. Copy it from api-console.zoho.com again.")
	}
	secret := strings.TrimSpace(set.Secrets["client_secret"])
	if !plain(secret) {
		return connectors.OAuth{}, true, invalid("client_secret", "The client secret is missing or holds characters that none has. Copy it from api-console.zoho.com again.")
	}
	p, err := locate(set)
	if err != nil {
		return connectors.OAuth{}, true, err
	}
	flow := connectors.OAuth{
		Grant: connectors.AuthorizationCode, AuthURL: p.accounts + "/oauth/v2/auth", TokenURL: p.accounts + "/oauth/v2/token",
		ClientID: id, ClientSecret: secret, Scopes: []string{strings.Join(scopes, ",")},
		AuthParams: map[string]string{"access_type": "offline", "prompt": "consent"},
		Learn:      learn,
	}
	switch strings.TrimSpace(set.Config["grant"]) {
	case "", grantConsent:
	case grantSelf:
		if p.org == "" {
			return connectors.OAuth{}, true, invalid("org_id", "A Self Client needs the organization ID: the number behind org in the address of Zoho CRM.")
		}
		flow.Grant, flow.AuthURL, flow.AuthParams, flow.Learn = connectors.ClientCredentials, "", nil, nil
		flow.TokenParams = map[string]string{"soid": "ZohoCRM." + p.org}
	default:
		return connectors.OAuth{}, true, invalid("grant", "Say "+grantConsent+" or "+grantSelf+".")
	}
	return flow, true, nil
}

// ReadConsent implements connectors.ConsentReader: the way back from Zoho's consent page says in which data centre the
// account is, and only there the code counts. accounts-server says the same as an address and is not gone by: the client's
// secret is sent to no host that is not in the table.
func (connector) ReadConsent(set connectors.Settings, query url.Values) (map[string]string, error) {
	location := strings.ToLower(strings.TrimSpace(query.Get("location")))
	p, err := locate(set)
	if err != nil || location == "" {
		return nil, err
	}
	if base := strings.TrimSpace(set.Config["base_url"]); base != "" && !p.chosen {
		// A sandbox, a proxy or a fake.
		return nil, nil
	}
	at := slices.IndexFunc(dataCenters, func(c dataCenter) bool { return c.name == location })
	switch {
	case at < 0:
		return nil, invalid("data_center", "The account is in a data centre of Zoho's that this version of callsync does not know.")
	case dataCenters[at] == p.center:
		return nil, nil
	case p.chosen:
		return nil, invalid("data_center", "The account is in the data centre "+location+". Choose it, or "+auto+", then connect again.")
	}
	return map[string]string{"base_url": "https://www." + dataCenters[at].api}, nil
}

// learn takes the address of the account's API from the token's answer: a sandbox has one of its own.
func learn(answer map[string]any) map[string]string {
	domain, _ := answer["api_domain"].(string)
	u, err := url.Parse(domain)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Port() != "" {
		return nil
	}
	if _, known := centerOf(u.Hostname()); !known {
		return nil
	}
	return map[string]string{"base_url": "https://" + u.Hostname()}
}
