package admin

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/callsync/callsync/records"
)

// auditAction is an action in words: what its actor did, with the object's name for %n and its part for %p. A colon at the
// end is followed by what changed.
type auditAction struct{ Name, Did string }

// auditActions are the actions that callsync notes, in the order of the filter. One that is missing here is shown by its
// name.
var auditActions = []auditAction{
	{"connection.create", "added the connection %n"},
	{"connection.update", "changed the connection %n:"},
	{"connection.delete", "removed the connection %n"},
	{"connection.pause", "paused the connection %n"},
	{"connection.resume", "resumed the connection %n"},
	{"connection.authorize", "connected %n at the CRM"},
	{"connection.revoke", "stopped the connection %n, because the CRM refused its credentials"},
	{"connection.suspend", "suspended the connection %n, because its CRM could not be reached"},
	{"connection.recover", "went on with the connection %n: its CRM answers again"},
	{"mapping.save", "changed the mapping %p of %n:"},
	{"mapping.activate", "put another version of the mapping %p of %n in force:"},
	{"mapping.drift", "found fields of the CRM changed that the mapping %p of %n uses:"},
	{"rules.save", "changed the rules of %n:"},
	{"actions.save", "changed the actions of %n:"},
	{"owners.save", "replaced the owners of %n:"},
	{"owners.assign", "assigned an owner of %n:"},
	{"owners.match", "matched the agents of %n by their e-mails:"},
	{"dispositions.save", "changed the dispositions of %n:"},
	{"source.create", "added the source %n"},
	{"source.update", "changed the source %n:"},
	{"source.delete", "removed the source %n"},
	{"source.rotate_token", "made new hook URLs for the source %n"},
	{"source.acknowledge_fields", "looked at unknown fields of the source %n"},
	{"source.replay", "had the receipts of %n read again that had failed"},
	{"source.pull", "asked the phone system of %n for calls"},
	{"own_numbers.save", "changed the list of your own numbers:"},
	{"learned_number.reject", "said whether %n is one of your own numbers"},
	{"review.resolve", "answered whose number %n is"},
	{"review.reopen", "took back whose number %n is"},
	{"match_choice.forget", "forgot whose number %n is"},
	{"call.sync", "had a call delivered again"},
	{"call.take_ours", "overruled people’s edits of a call in a CRM"},
	{"recording.fetch", "had a recording copied again"},
	{"recording.revoke_link", "withdrew the link of a recording"},
	{"recording.restore_link", "made the link of a recording work again"},
	{"receipt.replay", "had a receipt read again"},
	{"hold.retry", "retried the calls on hold because of “%n”"},
	{"follow_up.close", "closed the follow-up %n"},
	{"follow_up.retry", "retried the follow-up %n"},
	{"alert_channel.create", "added the channel %n for alerts"},
	{"alert_channel.update", "changed the channel %n for alerts:"},
	{"alert_channel.delete", "removed the channel %n for alerts"},
	{"alert_settings.save", "changed when people are alerted:"},
	{"alert.mute", "muted the alert “%n”"},
	{"alert.unmute", "had the alert “%n” told again"},
	{"session.create", "signed in"},
	{"session.switch", "came in from another workspace"},
	{"session.refuse", "refused a sign-in as %n: the password was wrong"},
	{"session.block", "looks at no more passwords of %n for some minutes: too many were wrong"},
	{"session.end", "ended sessions of %n:"},
	{"user.create", "added %n to the workspace:"},
	{"user.update", "changed the user %n:"},
	{"user.delete", "removed %n from the workspace"},
	{"user.set_password", "set another password of %n"},
	{"user.password_link", "made a link by which %n chooses another password"},
	{"invitation.create", "invited %n:"},
	{"invitation.renew", "made another link for the invitation of %n"},
	{"invitation.delete", "took back the invitation of %n"},
	{"invitation.accept", "accepted an invitation:"},
	{"api_token.create", "made the API token %n:"},
	{"api_token.delete", "revoked the API token %n"},
	{"workspace.create", "added the workspace %n"},
	{"workspace.update", "renamed the workspace %n"},
	{"resync.create", "started a resync"},
	{"resync.pause", "paused a resync"},
	{"resync.resume", "went on with a resync"},
	{"resync.cancel", "cancelled a resync"},
}

// auditKinds are the kinds whose names people do not use.
var auditKinds = map[string]string{"api_token": "API token", "session": "sign-in"}

// auditLabel is an action as the filter shows it.
func auditLabel(action string) string {
	kind, verb, _ := strings.Cut(action, ".")
	return title(cmp.Or(auditKinds[kind], kind)) + ": " + strings.ReplaceAll(verb, "_", " ")
}

// auditVerbs are the verbs of actions that have no words of their own.
var auditVerbs = map[string]string{"create": "added", "update": "changed", "save": "changed", "delete": "removed", "invite": "invited",
	"revoke": "revoked", "pause": "paused", "resume": "resumed", "retry": "retried", "accept": "accepted", "test": "tested"}

// auditSentence says what somebody did, without who.
func auditSentence(e records.AuditEntry) string {
	i := slices.IndexFunc(auditActions, func(a auditAction) bool { return a.Name == e.Action })
	if i < 0 {
		kind, verb, _ := strings.Cut(e.Action, ".")
		did := cmp.Or(auditVerbs[verb], "did “"+strings.ReplaceAll(verb, "_", " ")+"” with")
		return strings.TrimSpace(visible(did + " the " + strings.ReplaceAll(kind, "_", " ") + " " + clip(e.ObjectName, 120)))
	}
	did, told := strings.CutSuffix(auditActions[i].Did, ":")
	did = strings.NewReplacer("%n", cmp.Or(clip(e.ObjectName, 120), "(no name)"), "%p", clip(e.ObjectPart, 60)).Replace(did)
	if what := auditWhat(e); told && what != "" {
		did += ": " + what
	}
	return visible(did)
}

// auditWhat names what changed in a few words: versions, or fields.
func auditWhat(e records.AuditEntry) string {
	if v, ok := e.After["version"].(float64); ok {
		if was, ok := e.Before["version"].(float64); ok {
			return fmt.Sprintf("version %.0f → %.0f", was, v)
		}
		return fmt.Sprintf("version %.0f", v)
	}
	if opened, ok := e.After["opened"].(float64); ok {
		healed, _ := e.After["healed"].(float64)
		return fmt.Sprintf("%.0f new, %.0f gone", opened, healed)
	}
	if n, ok := e.After["sessions_ended"].(float64); ok && len(e.After) == 1 {
		return fmt.Sprintf("%.0f", n)
	}
	if access := auditAccess(e); access != "" {
		return access
	}
	names := auditFields(e)
	var said []string
	for _, n := range names[:min(len(names), 3)] {
		said = append(said, auditField(e.ObjectKind, n))
	}
	if more := len(names) - len(said); more > 0 {
		return strings.Join(said, ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(said, ", ")
}

// auditAccess says what somebody may do now: as admin, from admin to viewer, kept out.
func auditAccess(e records.AuditEntry) string {
	now := func(field string) string { s, _ := e.After[field].(string); return s }
	was, _ := e.Before["role"].(string)
	switch {
	case e.ObjectKind == "api_token" && now("scope") != "":
		return "scope " + now("scope")
	case e.ObjectKind != "user" && e.ObjectKind != "invitation":
		return ""
	case e.After["kept_out"] == true:
		return "may not come in for now"
	case e.Before["kept_out"] == true && now("role") == "":
		return "may come in again"
	case was != "" && now("role") != "":
		return was + " → " + now("role")
	case now("role") != "":
		return "as " + now("role")
	}
	return ""
}

// auditFields are the fields of an entry, in order.
func auditFields(e records.AuditEntry) []string {
	names := map[string]bool{}
	for _, fields := range []map[string]any{e.Before, e.After} {
		for n := range fields {
			names[n] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// auditTables are the objects whose fields are what people have entered: numbers, agents, dispositions.
var auditTables = map[string]bool{"owners": true, "dispositions": true, "own_numbers": true}

var auditFieldNames = map[string]string{"window_seconds": "window (seconds)", "quiet_seconds": "quiet period (seconds)", "stale_seconds": "stale limit (seconds)",
	"match_policy": "contact match", "config.base_url": "base URL", "status_reason": "reason", "recording_days": "days that recordings are kept"}

// auditField is a field as people read it.
func auditField(kind, name string) string {
	if auditTables[kind] {
		return clip(name, 80)
	}
	if label, ok := auditFieldNames[name]; ok {
		return label
	}
	group, member, nested := strings.Cut(name, ".")
	words := strings.ReplaceAll(clip(member, 80), "_", " ")
	switch {
	case !nested:
		return strings.ReplaceAll(clip(name, 80), "_", " ")
	case group == "config":
		return words
	case group == "secrets" && !strings.Contains(words, "secret"):
		return words + " (secret)"
	case group == "secrets":
		return words
	}
	return cmp.Or(auditFieldNames[group], strings.ReplaceAll(group, "_", " ")) + ": " + words
}

// auditLink is where the object of an entry is shown; empty where nothing shows it. What has been removed since is not
// found there.
func auditLink(e records.AuditEntry) string {
	switch e.ObjectKind {
	case "connection":
		if e.Action != "connection.delete" {
			return "/connections/" + e.ObjectID
		}
	case "source":
		if e.Action != "source.delete" {
			return "/sources/" + e.ObjectID
		}
	case "mapping":
		return "/connections/" + e.ObjectID + "/mappings/" + e.ObjectPart
	case "source_rules":
		return "/sources/" + e.ObjectID + "/rules"
	case "connection_rules":
		return "/connections/" + e.ObjectID + "/rules"
	case "actions", "owners":
		return "/connections/" + e.ObjectID + "/" + e.ObjectKind
	case "alert_channel", "alert_settings":
		return "/settings/alerts"
	case "alert":
		return "/alerts"
	case "own_numbers", "learned_number":
		return "/numbers"
	case "review", "match_choice":
		return "/reviews"
	case "call", "recording":
		return "/calls/" + e.ObjectID
	case "receipt":
		return "/receipts/" + e.ObjectID
	case "hold":
		return "/holds"
	case "follow_up":
		return "/follow-ups"
	case "user":
		if e.Action != "user.delete" {
			return "/settings/users/" + e.ObjectID
		}
	case "invitation":
		return "/settings/users"
	case "api_token":
		return "/settings/tokens"
	case "workspace":
		return "/settings/workspaces"
	case "resync":
		return "/resyncs#" + e.ObjectID
	}
	return ""
}
