package hubspot_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/connectortest"
	"github.com/callsync/callsync/connectors/hubspot"
	"github.com/callsync/callsync/connectors/hubspot/hubspotfake"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, connectortest.Target{
		Connector: hubspot.New(),
		Settings:  settings,
		Secrets:   []string{token},
		New:       newCRM,
		Write:     write,
		WriteDuration: func(key string, at time.Time, d time.Duration) connectors.CallWrite {
			w := write(key, "", "x", at)
			w.Fields["hs_call_duration"] = d.Milliseconds()
			return w
		},
		Contact: func(_, key, name, number string) connectors.ContactWrite {
			return connectors.ContactWrite{Key: key, Fields: map[string]any{"firstname": name, "phone": number}}
		},
		Classes: map[int]connectors.Class{423: connectors.RateLimited, 477: connectors.Unavailable},
		ErrorBody: func(status int) string {
			return fmt.Sprintf(`{"status":"error","message":"something","correlationId":"aaaaaaaa-1111","category":"CATEGORY_%d"}`, status)
		},
		MaxText: 65536,
	})
}

// newCRM is an account after its connect test, with the kit's hooks.
func newCRM(t *testing.T) connectortest.CRM {
	f, _ := ready(t, hubspotfake.Options{})
	return connectortest.CRM{
		Handler: f,
		Count: func(key string) int {
			n := 0
			for _, c := range f.State(true).Calls {
				if c.Properties[hubspot.CallKey] == key && !c.Archived {
					n++
				}
			}
			return n
		},
		Text: func(key string) (string, bool) {
			c, ok := f.CallByKey(key)
			return c.Properties["hs_call_body"], ok
		},
		Time: func(key string) (time.Time, bool) {
			c, _ := f.CallByKey(key)
			at, err := time.Parse(time.RFC3339Nano, c.Properties["hs_timestamp"])
			return at, err == nil
		},
		Duration: func(key string) (time.Duration, bool) {
			c, _ := f.CallByKey(key)
			d, err := time.ParseDuration(c.Properties["hs_call_duration"] + "ms")
			return d, err == nil
		},
		Delete: func(key string) {
			c, _ := f.CallByKey(key)
			f.Archive("calls", c.ID)
		},
		Linked: func(key string) []connectors.Ref {
			c, _ := f.CallByKey(key)
			var out []connectors.Ref
			for _, id := range c.Contacts {
				out = append(out, connectors.Ref{Object: "contact", ID: id})
			}
			return out
		},
		AddContact: func(object, name, number string) connectors.Ref {
			id, err := f.AddContact(map[string]string{"firstname": name, "phone": number})
			require.NoError(t, err)
			return connectors.Ref{Object: object, ID: id}
		},
		CountContacts: func(_, key string) int {
			n := 0
			for _, c := range f.State(true).Contacts {
				if c.Properties[hubspot.ContactKey] == key && !c.Archived {
					n++
				}
			}
			return n
		},
		AddOwner: func(email string, active bool) {
			if active {
				f.AddOwner(email)
			}
		},
	}
}
