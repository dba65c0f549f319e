package smartflo

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/callsync/callsync/telephony"
)

// documented are the variables of the vendor's page, without "$" and in their order of appearance.
var documented = []string{
	"uuid", "call_to_number", "caller_id_number", "customer_number_with_prefix", "customer_number", "answered_agent_number",
	"answered_agent_name", "start_stamp", "answer_stamp", "end_stamp", "hangup_cause", "billsec", "digits_dialed", "direction",
	"duration", "answered_agent", "missed_agent", "call_flow", "broadcast_lead_fields", "recording_url", "start_date",
	"start_time", "call_connected", "broadcast_name", "broadcast_id", "bridged_duration", "call_status", "call_id",
	"outbound_sec", "agent_ring_time", "billing_circle", "telecom_operator", "telecom_circle", "first_missed_agent_number",
	"first_missed_agent_follow_me_number", "end_time", "aws_call_recording_identifier", "customer_no_with_prefix", "ivr_id",
	"ivr_name", "date", "digit_pressed", "dept_name", "agent_number", "agent_name", "dept_id", "auto_attendant_id",
	"auto_attendant_name", "answer_agent_number", "end_date", "lead_fields", "campaign_name", "campaign_id", "agent",
	"disposition", "sub_dispositon",
}

// undocumented are further variables that panels offer and calls carry. The last three are the call report API's names
// for the same things, which templates copied from there use.
var undocumented = []string{
	"ref_id", "custom_identifier", "reason_key", "hangup_cause_description", "hangup_cause_code", "hangup_cause_key",
	"customer_ring_time", "agent_transfer_ring_time", "recording_name", "queue_name", "did_number", "sub_disposition", "status",
	"schedule_timestamp", "schedule_assigned_agent_id", "schedule_note", "customer_name", "customer_email",
	"client_number", "call_duration", "answered_seconds",
}

var (
	// variableNames are all names that are read.
	variableNames = map[string]struct{}{}
	// spellings are the same by their squashed form.
	spellings = map[string]string{}
)

func init() {
	for _, list := range [][]string{documented, undocumented, triggerKeys} {
		for _, name := range list {
			variableNames[name] = struct{}{}
			spellings[squash(name)] = name
		}
	}
}

// unfilled is a text of nothing but variables that the panel did not replace: "$campaign_name", "$start_date $start_time",
// "$answered_agent{}".
var unfilled = regexp.MustCompile(`^(?:\$\{?[A-Za-z_][A-Za-z0-9_]*\}?(?:\{\})?["\s,;:|/.-]*)+$`)

// blankPlaceholders returns v without texts that state nothing: variables that were not replaced, and other systems'
// words for nothing.
func blankPlaceholders(v any) any {
	switch v := v.(type) {
	case string:
		if placeholder(v) {
			return nil
		}
	case map[string]any:
		for k, inner := range v {
			v[k] = blankPlaceholders(inner)
		}
	case []any:
		for i, inner := range v {
			v[i] = blankPlaceholders(inner)
		}
	}
	return v
}

func placeholder(s string) bool {
	s = strings.TrimSpace(s)
	if len(s) > 200 || s == "" {
		return false
	}
	switch strings.ToLower(s) {
	case "null", "(null)", "nil", "undefined", "0000-00-00 00:00:00":
		return true
	}
	return s[0] == '$' && unfilled.MatchString(s)
}

// leftovers are what the panel leaves behind variables whose names begin with another variable's: it replaces the shorter
// one inside of the longer. "$answered_agent_name" becomes "_name" where $answered_agent is empty.
var leftovers = map[string]string{
	"answered_agent_name": "_name", "agent_name": "_name",
	"answered_agent_number": "_number", "answer_agent_number": "_number", "agent_number": "_number",
	"first_missed_agent_number": "_number", "first_missed_agent_follow_me_number": "_number",
	"agent_ring_time": "_ring_time", "agent_transfer_ring_time": "_transfer_ring_time",
	"hangup_cause_description": "_description", "hangup_cause_code": "_code", "hangup_cause_key": "_key",
	"customer_number_with_prefix": "_with_prefix", "customer_no_with_prefix": "_with_prefix",
}

// nested are the variables that hold objects or lists. What a form makes of them without nesting them says nothing.
var nested = map[string]bool{
	"answered_agent": true, "missed_agent": true, "call_flow": true, "billing_circle": true, "lead_fields": true, "broadcast_lead_fields": true, "digits_dialed": true,
}

// bareLeftover is a leftover with nothing before it.
var bareLeftover = regexp.MustCompile(`^_[A-Za-z_]+$`)

// withoutLeftovers removes them. Before a name's leftover stands the agent, and before that of a number with its prefix
// the number, which are what was meant; before the others stands something else.
func withoutLeftovers(name string, v any) any {
	if nested[name] && (v == "Array" || v == "[object Object]" || v == "None" || telephony.Blank(telephony.Embedded(v))) {
		return nil
	}
	s, ok := v.(string)
	suffix := leftovers[name]
	if !ok || suffix == "" {
		return v
	}
	if bareLeftover.MatchString(s) {
		return nil
	}
	before, found := strings.CutSuffix(s, suffix)
	switch {
	case !found:
		return v
	case suffix == "_with_prefix", suffix == "_name" && !strings.HasPrefix(before, "[") && !strings.HasPrefix(before, "{") && before != "Array":
		return telephony.CleanText(before)
	}
	return nil
}

// vocabulary are all variables, with the members of those that have some. Lead fields and what the CRM passes are named by
// people.
var vocabulary = sync.OnceValue(func() *telephony.Vocabulary {
	inner := map[string][]string{
		"answered_agent": agentMembers, "missed_agent": agentMembers, "billing_circle": {"operator", "circle", "telecom_operator", "telecom_circle"},
		"call_flow": slices.Concat(agentMembers, []string{
			"value", "input", "digit", "digits", "ivr_name", "dept_name", "optsts", "dstype", "dsid", "tgst", "dept_dialst", "anstime", "status", "cause", "reason",
		}),
	}
	var paths []string
	for name := range variableNames {
		if inner[name] == nil {
			paths = append(paths, name)
		}
		for _, member := range inner[name] {
			paths = append(paths, name+"."+member)
		}
	}
	return telephony.NewVocabulary(nil, paths...)
})
