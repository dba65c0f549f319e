package hubspotfake

import (
	"regexp"
	"strings"
)

// HubSpot serves the same API under v3 and v4 and under dated versions. The fake has routes for the first, and deals by
// their type's number.
var dated = []struct {
	pattern *regexp.Regexp
	path    string
}{
	{regexp.MustCompile(`^/crm/objects/20\d\d-\d\d/([^/]+/[^/]+/associations/.*)$`), "/crm/v4/objects/$1"},
	{regexp.MustCompile(`^/crm/objects/20\d\d-\d\d/(.*)$`), "/crm/v3/objects/$1"},
	{regexp.MustCompile(`^/crm/(properties|owners)/20\d\d-\d\d(.*)$`), "/crm/v3/$1$2"},
	{regexp.MustCompile(`^/crm/associations/20\d\d-\d\d/(.*)$`), "/crm/v4/associations/$1"},
	{regexp.MustCompile(`^/crm/extensions/calling/20\d\d-\d\d/(.*)$`), "/crm/v3/extensions/calling/$1"},
	{regexp.MustCompile(`^/(account-info|files|oauth)/20\d\d-\d\d/(.*)$`), "/$1/v3/$2"},
}

func canonical(path string) string {
	for _, d := range dated {
		if d.pattern.MatchString(path) {
			path = d.pattern.ReplaceAllString(path, d.path)
			break
		}
	}
	if strings.HasPrefix(path, "/crm/") {
		path = strings.ReplaceAll(path+"/", "/deals/", "/0-3/")
		path = strings.TrimSuffix(path, "/")
	}
	return path
}
