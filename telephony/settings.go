package telephony

import (
	"time"

	"github.com/callsync/callsync/records"
)

// SettingsOf are the settings of a source as its provider needs them. ownNumbers are its workspace's. The zone of times
// without one is the source's, else the provider's, else UTC.
func SettingsOf(info Info, s records.Source, ownNumbers []string) Settings {
	out := Settings{Location: time.UTC, DefaultCountry: s.DefaultCountry, OwnNumbers: ownNumbers, Config: s.Config, Secrets: s.Secrets}
	for _, name := range []string{s.TimeZone, info.TimeZone} {
		if loc := Zone(name); loc != nil {
			out.Location = loc
			break
		}
	}
	return out
}
