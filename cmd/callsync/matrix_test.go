package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
)

// TestCapabilityMatrix holds docs/crms/README.md to what the connectors can do and ask for.
func TestCapabilityMatrix(t *testing.T) {
	t.Parallel()
	const file = "../../docs/crms/README.md"
	var b strings.Builder
	b.WriteString(`# CRMs, side by side

Made by ` + "`go test ./cmd/callsync -run CapabilityMatrix -update`" + ` from what the connectors say of themselves;
` + "`GET /api/v1/connectors`" + ` says the same. Notes are there for what comes next: deliveries do not use them yet. Requests for many calls are for resyncs.

`)
	infos := crms().Infos()
	row := func(first string, cell func(connectors.Info) string) {
		b.WriteString("| " + first)
		for _, i := range infos {
			b.WriteString(" | " + cell(i))
		}
		b.WriteString(" |\n")
	}
	yes := func(has bool) string {
		if has {
			return "yes"
		}
		return ""
	}
	row("", func(i connectors.Info) string { return "[" + i.Label + "](" + i.ID + ".md)" })
	row("---", func(connectors.Info) string { return "---" })
	for _, c := range connectors.AllCapabilities() {
		row(c.Label, func(i connectors.Info) string { return yes(slices.Contains(i.Capabilities, c.Name)) })
	}
	row("Connects by a consent page (OAuth 2.0)", func(i connectors.Info) string {
		return yes(slices.Contains(i.Capabilities, connectors.CapabilityOAuth))
	})
	row("Makes one record by", func(i connectors.Info) string { return strings.ReplaceAll(string(i.Idempotency), "_", " ") })
	row("Finds numbers in", func(i connectors.Info) string {
		if len(i.Matches) == 0 && slices.Contains(i.Capabilities, "contact_match") {
			return connectors.ObjectContact
		}
		return strings.Join(i.Matches, ", ")
	})
	row("Creates for unknown numbers", func(i connectors.Info) string { return strings.Join(i.Creates, ", ") })
	row("Mappings", func(i connectors.Info) string {
		var objects []string
		for object := range i.Mappings {
			objects = append(objects, object)
		}
		slices.Sort(objects)
		return strings.Join(objects, ", ")
	})
	row("Limits kept, unless set otherwise", func(i connectors.Info) string {
		var limits []string
		for _, l := range i.Limits {
			per := strings.TrimSuffix(strings.TrimSuffix(l.Per.String(), "0s"), "0m")
			if l.Per < time.Minute {
				per = l.Per.String()
			}
			if l.Daily {
				per = "day"
			}
			limits = append(limits, strings.TrimSpace(fmt.Sprintf("%s %d per %s", l.Class, l.Budget, per)))
		}
		return strings.Join(limits, "; ")
	})
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o644))
	}
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, b.String(), string(text), "run go test ./cmd/callsync -run CapabilityMatrix -update")
}
