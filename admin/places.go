package admin

import (
	_ "embed"
	"strings"
	"sync"

	"github.com/nyaruka/phonenumbers"
)

// The names that forms suggest. Both lists are made of the public-domain time zone database (zone.tab, zone1970.tab,
// iso3166.tab).
var (
	//go:embed places/zones.txt
	zonesFile string
	//go:embed places/countries.txt
	countriesFile string
)

// place is a value that a form suggests, with its name.
type place struct{ Value, Name string }

// zones are the time zones that people know their phone system's by.
var zones = sync.OnceValue(func() []string { return strings.Fields(zonesFile) })

// countries are those in which callsync can read numbers, by their codes.
var countries = sync.OnceValue(func() []place {
	supported := phonenumbers.GetSupportedRegions()
	var out []place
	for line := range strings.Lines(countriesFile) {
		code, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		if supported[code] {
			out = append(out, place{code, name})
		}
	}
	return out
})
