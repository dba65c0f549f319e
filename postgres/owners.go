package postgres

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// Owners lists which agents belong to which users of the CRM, in the order of the agents' keys.
func (db *DB) Owners(ctx context.Context, workspaceID, connectionID string) ([]records.Owner, error) {
	rows, _ := db.pool.Query(ctx, `
		select agent_key, owner_id, owner_name, manual from connection_owners
		where workspace_id = $1 and connection_id = $2 order by agent_key`, workspaceID, connectionID)
	os, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (o records.Owner, err error) {
		err = row.Scan(&o.AgentKey, &o.OwnerID, &o.OwnerName, &o.Manual)
		return o, err
	})
	return os, settingsError("list owners", err)
}

// PutOwners replaces what admins assigned; what callsync found stays for the agents that are not among owners. Of an agent
// that stands twice the last entry counts. Errors: records.ErrNotFound for a connection that is not there.
func (db *DB) PutOwners(ctx context.Context, workspaceID, connectionID string, owners []records.Owner) error {
	byKey := make(map[string]records.Owner, len(owners))
	for _, o := range owners {
		byKey[agentKey(o.AgentKey)] = o
	}
	var keys, ids, names []string
	for key, o := range byKey {
		keys, ids, names = append(keys, key), append(ids, o.OwnerID), append(names, o.OwnerName)
	}
	err := db.changing(ctx, workspaceID, "owners.save", audited{kind: "owners", id: connectionID}, func(tx pgx.Tx) error {
		if err := lockConnection(ctx, tx, workspaceID, connectionID); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `delete from connection_owners where workspace_id = $1 and connection_id = $2 and manual`, workspaceID, connectionID)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			insert into connection_owners (connection_id, workspace_id, agent_key, owner_id, owner_name, manual)
			select $2, $1, o.agent_key, o.owner_id, o.owner_name, true
			from unnest($3::text[], $4::text[], $5::text[]) as o (agent_key, owner_id, owner_name)
			on conflict (connection_id, agent_key) do update set owner_id = excluded.owner_id, owner_name = excluded.owner_name, manual = true`,
			workspaceID, connectionID, keys, ids, names)
		if err != nil {
			return err
		}
		_, err = matchOwners(ctx, tx, workspaceID, connectionID)
		return err
	})
	return settingsError("replace owners", err)
}

// SetOwner assigns one agent, or with an empty OwnerID takes back what an admin assigned. Errors: records.ErrNotFound for
// a connection that is not there.
func (db *DB) SetOwner(ctx context.Context, workspaceID, connectionID string, o records.Owner) error {
	err := db.changing(ctx, workspaceID, "owners.assign", audited{kind: "owners", id: connectionID}, func(tx pgx.Tx) error {
		if err := lockConnection(ctx, tx, workspaceID, connectionID); err != nil {
			return err
		}
		if o.OwnerID != "" {
			_, err := tx.Exec(ctx, `
				insert into connection_owners (connection_id, workspace_id, agent_key, owner_id, owner_name, manual) values ($2, $1, $3, $4, $5, true)
				on conflict (connection_id, agent_key) do update set owner_id = excluded.owner_id, owner_name = excluded.owner_name, manual = true`,
				workspaceID, connectionID, agentKey(o.AgentKey), o.OwnerID, o.OwnerName)
			return err
		}
		_, err := tx.Exec(ctx, `delete from connection_owners where workspace_id = $1 and connection_id = $2 and agent_key = $3 and manual`,
			workspaceID, connectionID, agentKey(o.AgentKey))
		if err != nil {
			return err
		}
		_, err = matchOwners(ctx, tx, workspaceID, connectionID)
		return err
	})
	return settingsError("assign an agent", err)
}

// OwnerFor returns the user of the CRM whom an agent was assigned to under one of the names it has: by an admin, else by
// callsync, and the earlier name first. ok is false where nobody was.
func (db *DB) OwnerFor(ctx context.Context, workspaceID, connectionID string, keys []string) (ownerID string, ok bool, err error) {
	named := make([]string, len(keys))
	for i, key := range keys {
		named[i] = agentKey(key)
	}
	err = db.pool.QueryRow(ctx, `
		select owner_id from connection_owners where workspace_id = $1 and connection_id = $2 and agent_key = any($3)
		order by manual desc, array_position($3, agent_key) limit 1`,
		workspaceID, connectionID, named).Scan(&ownerID)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", false, nil
	}
	return ownerID, err == nil, settingsError("look up an owner", err)
}

// agentKey brings an e-mail into lower case; ids ("id:...") keep theirs.
func agentKey(key string) string {
	key = strings.TrimSpace(key)
	if strings.HasPrefix(key, "id:") {
		return key
	}
	return strings.ToLower(key)
}
