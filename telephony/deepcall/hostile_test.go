package deepcall_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/telephony/deepcall"
	"github.com/callsync/callsync/telephony/telephonytest"
)

// What makes the repair of templates search again and again must not take longer for it.
func TestHostileBodies(t *testing.T) {
	t.Parallel()
	const size = 256 << 10
	for name, unit := range map[string]string{
		"open lists": `"["`, "open objects": `"{"`, "placeholders": `{{%%a%%}}`, "half placeholders": `{{%%`, "braces": `{{`, "colons": `:,`, "spaces": `:       `,
		"quotes": `"`, "backslashes": `\"`, "escaped lists": `"[\"`, "encoded": `%7B`, "reports": `{},`, "ids": `{"callId":"1"},`, "lists": `"[{"a":1}]",`,
		"nested push_report": `{"push_report":`, "texts": `"[{\"push_report\":\"`,
	} {
		body := strings.Repeat(unit, size/len(unit))
		for _, body := range []string{body, "{" + body, "push_report=" + body, `{"push_report":"` + body, "[" + body + "]"} {
			began := time.Now()
			_, _ = deepcall.New().Decode(telephonytest.Post(t, "", body), settings())
			require.Less(t, time.Since(began), 10*time.Second, name)
		}
	}
	wide := `{"callId":"1","aHDetail":[` + strings.TrimSuffix(strings.Repeat(`{"agentId":1},`, 20_000), ",") + `],"DTMF":"` + strings.Repeat("1,", 100_000) + `","ivrExecuteFlow":"` + strings.Repeat("#1,", 100_000) + `"}`
	f := decode(t, telephonytest.Post(t, "", wide), settings()).Facts
	require.Len(t, f.Agents, 1)
	require.Len(t, f.Digits, 1000)
	require.Len(t, f.IVRPath, 1000)
	require.Less(t, len(f.Attributes), 20)
}
