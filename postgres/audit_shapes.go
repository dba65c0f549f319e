package postgres

import (
	"maps"
	"strings"
)

// auditShape reads one kind of object for the audit log: its name, its fields as a JSON object, and its sealed secrets.
// The arguments are the workspace, the object's id and its part, as many of them as the kind has. Locking the row keeps two
// changes at once from noting each other's.
type auditShape struct {
	sql  string
	args int
}

// auditRow is the shape of a row of a table whose columns are its fields, but for those left out: keys, times that change
// with every write, what callsync itself keeps there, and everything secret, which a test holds for all tables.
func auditRow(table, name, sealed, living string, leftOut ...string) auditShape {
	leftOut = append(leftOut, "id", "workspace_id", "created_at", "updated_at", "deleted_at", "secrets")
	return auditShape{`select ` + name + `, to_jsonb(t) - '{` + strings.Join(leftOut, ",") + `}'::text[], ` + sealed + ` from ` + table +
		` t where workspace_id = $1 and id = $2` + living + ` for no key update`, 2}
}

// auditTable is the shape of a table of a connection, whose rows are its fields.
func auditTable(table, key, value string) auditShape {
	return auditShape{`
		select k.name, coalesce((select jsonb_object_agg(` + key + `, ` + value + `) from ` + table + ` t where t.workspace_id = $1 and t.connection_id = $2), '{}'), null::bytea
		from connections k where k.workspace_id = $1 and k.id = $2`, 2}
}

// auditDocument is the shape of a document of rules or actions. A document is kept here as it was, because only the newest
// one is kept elsewhere.
const auditDocument = `jsonb_build_object('version', d.version, 'document', d.document), null::bytea`

func init() { maps.Copy(auditShapes, accessShapes) }

const living = ` and deleted_at is null`

// auditShapes has the objects whose changes are compared, by their kind.
var auditShapes = map[string]auditShape{
	"source":     auditRow("sources", "name", "secrets", living, "token_hash", "token_sealed", "old_token_hash", "old_token_until"),
	"connection": auditRow("connections", "name", "secrets", living, "report", "verified_at", "idempotency"),

	"alert_channel": auditRow("alert_channels", "name", "secrets", "", "sent_at", "failed_at", "failure", "tested_at"),
	"alert_settings": {`select 'Alerts', to_jsonb(t) - '{workspace_id,updated_at}'::text[], null::bytea from alert_settings t
		where workspace_id = $1 for no key update`, 1},

	"owners":       auditTable("connection_owners", "agent_key", "owner_id || case when owner_name = '' then '' else ' (' || owner_name || ')' end"),
	"dispositions": auditTable("connection_dispositions", "value", "option_id"),
	"own_numbers":  {`select 'Own numbers', coalesce((select jsonb_object_agg(number, coalesce(nullif(label, ''), 'listed')) from own_numbers where workspace_id = $1), '{}'), null::bytea`, 1},
	"learned_number": {`select number, jsonb_build_object('rejected', rejected), null::bytea from learned_numbers
		where workspace_id = $1 and number = $2 for no key update`, 2},

	"mapping": {`
		select k.name, jsonb_build_object('version', m.version, 'note', nullif(m.note, '')), null::bytea
		from connections k
		join active_mappings a on a.connection_id = k.id
		join mappings m on m.connection_id = k.id and m.object = a.object and m.version = a.version
		where k.workspace_id = $1 and k.id = $2 and a.object = $3`, 3},
	"source_rules": {`
		select o.name, ` + auditDocument + ` from sources o left join rules d on d.owner_id = o.id and d.workspace_id = o.workspace_id
		where o.workspace_id = $1 and o.id = $2 for no key update of o`, 2},
	"connection_rules": {`
		select o.name, ` + auditDocument + ` from connections o left join rules d on d.owner_id = o.id and d.workspace_id = o.workspace_id
		where o.workspace_id = $1 and o.id = $2 for no key update of o`, 2},
	"actions": {`
		select o.name, ` + auditDocument + ` from connections o left join actions d on d.connection_id = o.id and d.workspace_id = o.workspace_id
		where o.workspace_id = $1 and o.id = $2 for no key update of o`, 2},

	// Not locked here: whoever writes them locks the number's watch before.
	"review": {`
		select number, jsonb_build_object('state', state, 'choice', choice, 'object', object), null::bytea from match_reviews
		where workspace_id = $1 and id = $2`, 2},
	"match_choice": {`
		select number, jsonb_build_object('choice', choice, 'object', object, 'contact', name), null::bytea from match_choices
		where workspace_id = $1 and id = $2`, 2},
	"resync": {`select '', jsonb_build_object('state', state), null::bytea from resyncs where workspace_id = $1 and id = $2 for no key update`, 2},
	"recording": {`
		select '', jsonb_build_object('link_withdrawn', revoked_at is not null), null::bytea from recordings
		where workspace_id = $1 and call_id = $2 and id = $3 for no key update`, 3},
	"follow_up": {`
		select action, jsonb_build_object('state', state, 'closed', closed), null::bytea from follow_ups
		where workspace_id = $1 and id = $2 for no key update`, 2},
}
