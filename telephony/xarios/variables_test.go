package xarios_test

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/telephonytest"
)

func dictionary() telephonytest.Dictionary {
	all := []telephonytest.Variable{
		{Name: "triggerID", Field: "attributes.triggerid", Example: "7b1d1f5c-2c7b"},
		{Name: "id", Field: "attributes.entityid", Example: "2f9f3f0e-7a55", Note: "the user or tenant whose trigger fired"},
		{Name: "tenantId", Field: "attributes.tenantid", Example: "2f9f3f0e-7a55"},
		{Name: "cdr", Field: "provider_call_id", Example: m{"id": "s2", "dir": 2, "type": 2}, Want: "s2", Note: "all below"},
		{Name: "customData", Field: "custom_data", Example: m{"hook": "post call"}, Note: "without the static token"},

		{Name: "cdr.id", Field: "provider_call_id", Example: "s2"},
		{Name: "cdr.dType", Field: "attributes.dtype", Example: "CloudLegCdr", Note: "unless it is CloudSessionCdr"},
		{Name: "cdr.sVer", Field: "attributes.sver", Example: 2, Note: "unless it is 1"},
		{Name: "cdr.tz", Field: "time_zone", Example: "Europe/London", Note: "the zone of times without an offset"},
		{Name: "cdr.start", Field: "started_at", Example: "2026-07-01T15:04:05+01:00", Want: "2026-07-01T14:04:05Z"},
		{Name: "cdr.answer", Field: "answered_at", Example: "2026-07-01T15:04:15+01:00", Want: "2026-07-01T14:04:15Z"},
		{Name: "cdr.end", Field: "ended_at", Example: "2026-07-01T15:05:40+01:00", Want: "2026-07-01T14:05:40Z"},
		{Name: "cdr.dur", Field: "duration_seconds", Example: 95},
		{Name: "cdr.ring", Field: "ring_seconds", Example: 12},
		{Name: "cdr.talk", Field: "talk_seconds", Example: 80},
		{Name: "cdr.hold", Field: "hold_seconds", Example: 3},
		{Name: "cdr.lost", Field: "status", Example: 1, Want: "abandoned", Note: "of a call nobody answered; also an attribute"},
		{Name: "cdr.lostinPark", Field: "status", Example: 1, Want: "abandoned", Note: "likewise"},
		{Name: "cdr.ans", Field: "status", Example: 1, Want: "answered"},
		{Name: "cdr.cause", Field: "hangup_cause", Example: "NORMAL_CLEARING"},
		{Name: "cdr.dir", Field: "direction", Example: 3, Want: "outbound"},
		{Name: "cdr.type", Field: "attributes.type", Example: 0, Want: "0", Note: "1 makes the call internal"},
		{Name: "cdr.cliNum", Field: "customer.number", Example: "+441632960001"},
		{Name: "cdr.cliName", Field: "customer.name", Example: "EXAMPLE LTD", Note: "a match of the directory counts before it"},
		{Name: "cdr.cliState", Field: "customer.state", Example: "TX"},
		{Name: "cdr.cliCtry", Field: "customer.country", Example: "GB"},
		{Name: "cdr.ddiNum", Field: "business_number", Example: "+441632960100"},
		{Name: "cdr.fRngGroupName", Field: "queue", Example: "Sales", Note: "where there is no other group"},
		{Name: "cdr.lRngGroupName", Field: "queue", Example: "Sales", Note: "where there is no answering group; also an attribute"},
		{Name: "cdr.ansGroupName", Field: "queue", Example: "Sales", Note: "also an attribute"},
		{Name: "cdr.hasRec", Field: "recordings[0].state", Example: 1, Want: "unavailable", Note: "where there are no ids"},
		{Name: "cdr.rateCost", Field: "cost.amount", Example: "0.05"},
		{Name: "cdr.recordingIds", Field: "recordings[0].id", Example: []any{"6f1b8a52-11c4"}, Want: "6f1b8a52-11c4"},
		{Name: "cdr.directorymatches", Field: "customer.name", Example: []any{m{"fullName": "Carl Customer"}}, Want: "Carl Customer", Note: "the contacts below"},
		{Name: "cdr.tags", Field: "tags", Example: m{"Support": "step1"}, Want: []any{"Support: step1"}, Note: "the pairs also as an attribute"},
	}
	for _, name := range strings.Fields("pbxId pbxName park aban short t2t cliLoc cliArea ddiName rteID rteName rate rateBand rateName") {
		all = append(all, telephonytest.Variable{Name: "cdr." + name, Field: "attributes." + strings.ToLower(name), Example: "v-" + name})
	}
	for _, place := range []string{"fRng", "lRng", "ans", "lAns"} {
		note := "who rang and did not answer missed the call"
		if strings.HasSuffix(strings.ToLower(place), "ans") {
			note = "who answered and was not the last to do so transferred the call"
		}
		all = append(all,
			telephonytest.Variable{Name: "cdr." + place + "UsrNum", Field: "agents[0].extension", Example: "302", Note: note},
			telephonytest.Variable{Name: "cdr." + place + "UsrName", Field: "agents[0].name", Example: "Tess Example", Note: note},
			telephonytest.Variable{Name: "cdr." + place + "AgtNum", Field: "agents[0].extension", Example: "302", Note: "where there is no user; else an attribute if it differs"},
			telephonytest.Variable{Name: "cdr." + place + "AgtName", Field: "agents[0].name", Example: "Tess Example", Note: "likewise"},
			telephonytest.Variable{Name: "cdr." + place + "DevNum", Field: "agents[0].id", Example: "user_1a2b3c", Note: "where there is neither user nor agent; else an attribute"},
			telephonytest.Variable{Name: "cdr." + place + "DevName", Field: "agents[0].name", Example: "(T42S) Tess", Note: "likewise"},
		)
	}
	all = append(all, telephonytest.Variable{Name: "cdr.lRgDevName", Field: "agents[0].name", Example: "(T42S) Tess", Note: "as the vendor's example spells it"})
	const contact = "cdr.directoryMatches[0]."
	id := m{contact + "contactId": "c1"}
	for _, v := range [][2]string{{"title", "lead_fields.title"}, {"fullName", "customer.name"}, {"companyName", "customer.company"}, {"jobTitle", "lead_fields.jobtitle"}, {"crmId", "customer.crm_id"}} {
		all = append(all, telephonytest.Variable{Name: contact + v[0], Field: v[1], Example: "v-" + v[0], With: id})
	}
	all = append(all, telephonytest.Variable{Name: contact + "email", Field: "customer.email", Example: "carl@example.com", With: id})
	for i := range 4 {
		n := strconv.Itoa(i + 1)
		all = append(all, telephonytest.Variable{Name: contact + "phone" + n, Field: "lead_fields.phone" + n, Example: "+44163296000" + n, With: id, Note: "of several matches the one with the customer's number counts"})
	}
	for i := range 10 {
		n := strconv.Itoa(i + 1)
		all = append(all, telephonytest.Variable{Name: contact + "field" + n, Field: "lead_fields.field" + n, Example: "v-" + n, With: id})
	}
	for _, name := range strings.Fields("dirName dirId dirType contactId") {
		all = append(all, telephonytest.Variable{Name: contact + name, Field: "lead_fields." + strings.ToLower(name), Example: "v-" + name, With: m{contact + "fullName": "Carl"}, Note: "in the vendor's example"})
	}
	all = append(all, telephonytest.Variable{Name: contact + "fields", Field: "customer.name", Example: m{"fullName": "Carl Customer"}, Want: "Carl Customer", With: id, Note: "in the vendor's example: the contact's fields"})
	for i := range all {
		all[i].Triggers = []string{"cdr"}
	}
	return telephonytest.Dictionary{
		Variables: all,
		Least:     func(string) map[string]any { return m{"cdr.id": "s1", "cdr.dir": 2, "cdr.type": 2} },
		Encode: func(_ string, payload map[string]any) map[string]telephony.Request {
			out := telephonytest.Encode("", payload, telephonytest.JSON, telephonytest.Brackets, telephonytest.Dots, telephonytest.Texts, telephonytest.Multipart, telephonytest.Query, telephonytest.QueryText)
			put := out[string(telephonytest.JSON)]
			put.Method = http.MethodPut
			out["JSON by PUT"] = put
			return out
		},
	}
}
