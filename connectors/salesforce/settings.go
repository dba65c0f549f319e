package salesforce

import (
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/internal/httpx"
)

// defaultVersion is the version of the API. Salesforce keeps each for years; this is the only place that names one.
const defaultVersion = "v67.0"

// The two flows of OAuth.
const (
	flowClient = string(connectors.ClientCredentials)
	flowWeb    = string(connectors.AuthorizationCode)
)

var (
	errQuery    = errors.New("it must not hold a query")
	versionName = regexp.MustCompile(`^v?(\d{2,3})(?:\.0)?$`)
	identifier  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,79}$`)
	recordID    = regexp.MustCompile(`^[A-Za-z0-9]{3,18}$`)
)

// loginHosts are where people of every org sign in. They serve no API of an org.
var loginHosts = []string{"login.salesforce.com", "test.salesforce.com"}

// settings are a connection's, checked.
type settings struct {
	// login is the address for OAuth, api the one for everything else; api is empty where only login is known.
	login, api string
	version    string
	keyField   string
	// outcomes is the picklist of outcomes, recordType the one of calls; both may be empty.
	outcomeField, recordType string
	zone                     *time.Location
	// reserve is the share of the day's requests that is left to others.
	reserve float64
}

func configure(set connectors.Settings) (settings, error) {
	text := func(name string) string { return strings.TrimSpace(set.Config[name]) }
	c := settings{keyField: text("key_field"), outcomeField: text("disposition_field"), recordType: text("record_type"), zone: time.UTC}
	base, err := address(text("base_url"))
	if err != nil {
		return c, &connectors.Error{Class: connectors.Invalid, Field: "base_url", Err: err, Public: "The My Domain address cannot be used: " + err.Error() + "."}
	}
	c.login = base.String()
	if !slices.Contains(loginHosts, base.Hostname()) {
		c.api = c.login
	} else if learnt := text("instance_url"); learnt != "" {
		u, err := address(learnt)
		if err != nil {
			return c, &connectors.Error{Class: connectors.Invalid, Field: "instance_url", Err: err, Public: "The API address cannot be used: " + err.Error() + "."}
		}
		c.api = u.String()
	}
	c.version = defaultVersion
	if v := text("api_version"); v != "" {
		m := versionName.FindStringSubmatch(v)
		if m == nil {
			return c, invalid("api_version", "A version of Salesforce's API is a number such as "+defaultVersion+".")
		}
		c.version = "v" + m[1] + ".0"
	}
	if c.keyField == "" {
		c.keyField = KeyField
	}
	for name, field := range map[string]string{"key_field": c.keyField, "disposition_field": c.outcomeField} {
		if field != "" && !identifier.MatchString(field) {
			return c, invalid(name, "This is no API name of a field in Salesforce.")
		}
	}
	if c.recordType != "" && !recordID.MatchString(c.recordType) {
		return c, invalid("record_type", "The record type is an id of 15 or 18 characters, as in the address of its page under Setup.")
	}
	if name := text("time_zone"); name != "" {
		if c.zone, err = time.LoadLocation(name); err != nil {
			return c, invalid("time_zone", "The time zone is not known. Use a name like America/New_York.")
		}
	}
	percent := defaultReserve
	if s := text("reserve_percent"); s != "" {
		if percent, err = strconv.Atoi(s); err != nil || percent < 0 || percent > 90 {
			return c, invalid("reserve_percent", "The requests left to others are a number from 0 to 90.")
		}
	}
	c.reserve = float64(percent) / 100
	return c, nil
}

// address parses an address. People also paste that of the API, or of a page.
func address(s string) (*url.URL, error) {
	u, err := httpx.ParseBaseURL(s)
	if err == nil && u.RawQuery != "" {
		err = errQuery
	}
	if err != nil {
		return nil, err
	}
	path, _, _ := strings.Cut(u.Path, "/services")
	path, _, _ = strings.Cut(path, "/lightning")
	host := u.Host
	if org, ok := strings.CutSuffix(host, ".lightning.force.com"); ok {
		// The address bar's host serves pages; the API is at My Domain.
		host = org + ".my.salesforce.com"
	}
	return &url.URL{Scheme: u.Scheme, Host: host, Path: strings.TrimRight(path, "/")}, nil
}

// The paths of the API (REST guide, reference).
func (c settings) data() string { return "/services/data/" + c.version }

func (c settings) rows(object string) string { return c.data() + "/sobjects/" + object }

func (c settings) row(object, id string) string { return c.rows(object) + "/" + url.PathEscape(id) }

// keyed is a record by our key (sObject Rows by External ID).
func (c settings) keyed(object, key string) string {
	return c.rows(object) + "/" + c.keyField + "/" + url.PathEscape(key)
}

func (c settings) describe(object string) string { return c.rows(object) + "/describe" }

func (c settings) query() string { return c.data() + "/query" }

// queryAll is query with deleted, merged and archived records.
func (c settings) queryAll() string { return c.data() + "/queryAll" }

func (c settings) search() string { return c.data() + "/search" }

// collections takes up to 200 records, to update by id, or with object to upsert by our key.
func (c settings) collections(object string) string {
	path := c.data() + "/composite/sobjects"
	if object != "" {
		path += "/" + object + "/" + c.keyField
	}
	return path
}

// picklists are the values of all picklists that a record type allows (UI API, Get Values for All Picklist Fields of a
// Record Type).
func (c settings) picklists(object, recordType string) string {
	return c.data() + "/ui-api/object-info/" + object + "/picklist-values/" + url.PathEscape(recordType)
}
