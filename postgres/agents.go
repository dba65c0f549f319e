package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// learnedCounts tells of a learned number (l) whether it is ours: seen as ours some times, and more often than as that of
// a customer who was spoken with. A number that is learned wrongly must not cost a customer their contact.
const learnedCounts = `(not l.rejected and l.own_seen >= 3 and l.own_seen > l.customer_seen)`

// Sight keeps what a call showed of the workspace: its lines, its agents and their numbers. Of a source that is gone it keeps
// nothing.
func (db *DB) Sight(ctx context.Context, s records.Sighting) error {
	batch := &pgx.Batch{}
	const own = `
		insert into learned_numbers as l (workspace_id, number, kind, source_id, own_seen)
		select s.workspace_id, n.number, n.kind, s.id, 1 from sources s, unnest($3::text[], $4::text[]) as n (number, kind)
		where s.workspace_id = $1 and s.id = $2 order by n.number
		on conflict (workspace_id, number) do update set own_seen = l.own_seen + 1, kind = excluded.kind, source_id = excluded.source_id, seen_at = now()
			where l.workspace_id = $1`
	kinds := map[string]string{}
	for _, a := range s.Agents {
		if a.Number != "" && a.Number[0] == '+' {
			kinds[a.Number] = records.NumberAgent
		}
	}
	for _, n := range s.Lines {
		kinds[n] = records.NumberLine
	}
	delete(kinds, s.Customer)
	var numbers, of []string
	for number, kind := range kinds {
		numbers, of = append(numbers, number), append(of, kind)
	}
	if len(numbers) > 0 {
		batch.Queue(own, s.WorkspaceID, s.SourceID, numbers, of)
	}
	if s.Customer != "" {
		batch.Queue(`update learned_numbers set customer_seen = customer_seen + 1 where workspace_id = $1 and number = $2`, s.WorkspaceID, s.Customer)
	}
	var keys, names, emails, phones, extensions []string
	seen := map[string]bool{}
	for _, a := range s.Agents {
		if a.Key = storable(a.Key); a.Key == "" || seen[a.Key] {
			continue
		}
		seen[a.Key] = true
		keys, names, emails = append(keys, a.Key), append(names, storable(a.Name)), append(emails, storable(a.Email))
		phones, extensions = append(phones, storable(a.Number)), append(extensions, storable(a.Extension))
	}
	if len(keys) > 0 {
		batch.Queue(`
			insert into agents_seen as s (workspace_id, source_id, agent_key, name, email, number, extension)
			select o.workspace_id, o.id, a.* from sources o, unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[]) as a (agent_key, name, email, number, extension)
			where o.workspace_id = $1 and o.id = $2 order by a.agent_key
			on conflict (workspace_id, source_id, agent_key) do update set seen_at = now(),
				name = coalesce(nullif(excluded.name, ''), s.name), email = coalesce(nullif(excluded.email, ''), s.email),
				number = coalesce(nullif(excluded.number, ''), s.number), extension = coalesce(nullif(excluded.extension, ''), s.extension)
				where s.workspace_id = $1`,
			s.WorkspaceID, s.SourceID, keys, names, emails, phones, extensions)
	}
	if batch.Len() == 0 {
		return nil
	}
	if err := db.pool.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("keep what a call showed: %w", err)
	}
	return nil
}

// keepAgents is for how long an agent whom no call names any more is remembered.
const keepAgents = 90 * 24 * time.Hour

// maxAgents is how many agents a list shows.
const maxAgents = 2000

// AgentsSeen lists the agents that calls have named within 90 days, each once and as seen last, by name.
func (db *DB) AgentsSeen(ctx context.Context, workspaceID string) ([]records.SeenAgent, error) {
	rows, _ := db.pool.Query(ctx, `
		select source_id, agent_key, name, email, number, extension, seen_at from (
			select distinct on (agent_key) * from agents_seen
			where workspace_id = $1 and seen_at > now() - $2::interval order by agent_key, seen_at desc) a
		order by lower(coalesce(nullif(name, ''), agent_key)), agent_key limit $3`, workspaceID, keepAgents, maxAgents)
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (a records.SeenAgent, err error) {
		err = row.Scan(&a.SourceID, &a.Key, &a.Name, &a.Email, &a.Number, &a.Extension, &a.SeenAt)
		a.SeenAt = a.SeenAt.UTC()
		return a, err
	})
	return all, settingsError("list agents", err)
}

// DropOldAgents forgets the agents that no call has named for 90 days.
func (db *DB) DropOldAgents(ctx context.Context) error {
	_, err := db.pool.Exec(ctx, `delete from agents_seen where seen_at < now() - $1::interval`, keepAgents)
	return settingsError("forget agents", err)
}

// LearnedNumbers lists the numbers that calls showed to be the workspace's own, in order.
func (db *DB) LearnedNumbers(ctx context.Context, workspaceID string) ([]records.LearnedNumber, error) {
	rows, _ := db.pool.Query(ctx, `
		select number, kind, source_id, own_seen, customer_seen, rejected, `+learnedCounts+`, first_seen_at, seen_at
		from learned_numbers l where workspace_id = $1 order by number limit 5000`, workspaceID)
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (n records.LearnedNumber, err error) {
		err = row.Scan(&n.Number, &n.Kind, &n.SourceID, &n.OwnSeen, &n.CustomerSeen, &n.Rejected, &n.Counts, &n.FirstSeenAt, &n.SeenAt)
		n.FirstSeenAt, n.SeenAt = n.FirstSeenAt.UTC(), n.SeenAt.UTC()
		return n, err
	})
	return all, settingsError("list learned numbers", err)
}

// RejectNumber has a learned number count as a customer's, or, with rejected false, leaves it to what calls show. Errors:
// records.ErrNotFound.
func (db *DB) RejectNumber(ctx context.Context, workspaceID, number string, rejected bool) error {
	err := db.changing(ctx, workspaceID, "learned_number.reject", audited{kind: "learned_number", id: number}, func(tx pgx.Tx) error {
		return mustMeet(tx.Exec(ctx, `update learned_numbers set rejected = $3 where workspace_id = $1 and number = $2`, workspaceID, number, rejected))
	})
	return settingsError("reject a number", err)
}

// CRMUsers returns the users of a connection's CRM as they were listed last, and when that was; zero for never.
func (db *DB) CRMUsers(ctx context.Context, workspaceID, connectionID string) (users []records.CRMUser, at time.Time, err error) {
	rows, _ := db.pool.Query(ctx, `
		select users, listed_at from connection_users where workspace_id = $1 and connection_id = $2 and isfinite(listed_at)`, workspaceID, connectionID)
	_, err = pgx.ForEachRow(rows, []any{&users, &at}, func() error { return nil })
	return users, at.UTC(), settingsError("list the CRM's users", err)
}

// PutCRMUsers keeps the users of a connection's CRM and assigns to those who are active the agents with their e-mails,
// where no admin did. It returns how many agents are assigned that way. Errors: records.ErrNotFound.
func (db *DB) PutCRMUsers(ctx context.Context, workspaceID, connectionID string, users []records.CRMUser) (matched int, err error) {
	if users == nil {
		users = []records.CRMUser{}
	}
	data, err := storableJSON(users)
	if err != nil {
		return 0, fmt.Errorf("encode the CRM's users: %w", err)
	}
	err = db.changing(ctx, workspaceID, "owners.match", audited{kind: "owners", id: connectionID}, func(tx pgx.Tx) error {
		if err := lockConnection(ctx, tx, workspaceID, connectionID); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `
			insert into connection_users (connection_id, workspace_id, users, listed_at) values ($2, $1, $3, now())
			on conflict (connection_id) do update set users = excluded.users, listed_at = now(), claimed_until = '-infinity'
				where connection_users.workspace_id = $1`, workspaceID, connectionID, data)
		if err != nil {
			return err
		}
		matched, err = matchOwners(ctx, tx, workspaceID, connectionID)
		return err
	})
	return matched, settingsError("keep the CRM's users", err)
}

// matchOwners assigns agents to the CRM's users with their e-mails, as they were listed last, where no admin did. The
// connection is locked.
func matchOwners(ctx context.Context, tx pgx.Tx, workspaceID, connectionID string) (matched int, err error) {
	if _, err := tx.Exec(ctx, `delete from connection_owners where workspace_id = $1 and connection_id = $2 and not manual`, workspaceID, connectionID); err != nil {
		return 0, err
	}
	tag, err := tx.Exec(ctx, `
		insert into connection_owners (connection_id, workspace_id, agent_key, owner_id, owner_name, manual)
		select distinct on (a.agent_key) l.connection_id, l.workspace_id, a.agent_key, u.id, coalesce(u.name, ''), false
		from connection_users l
		cross join jsonb_to_recordset(l.users) as u (id text, name text, email text, active boolean)
		join agents_seen a on a.workspace_id = l.workspace_id and a.agent_key = lower(trim(u.email))
		where l.workspace_id = $1 and l.connection_id = $2 and u.active and u.email <> ''
		order by a.agent_key, u.id
		on conflict (connection_id, agent_key) do nothing`, workspaceID, connectionID)
	return int(tag.RowsAffected()), err
}

// ClaimUserLists takes up to limit active connections of the given connectors whose users were listed longer ago than
// every, for some minutes.
func (db *DB) ClaimUserLists(ctx context.Context, connectors []string, every time.Duration, limit int) ([]records.LaneKey, error) {
	rows, _ := db.pool.Query(ctx, `
		insert into connection_users as u (connection_id, workspace_id, claimed_until)
		select k.id, k.workspace_id, now() + interval '10 minutes' from connections k
		left join connection_users l on l.connection_id = k.id
		where k.connector = any($1) and k.status = 'active' and k.deleted_at is null
			and coalesce(l.listed_at, '-infinity') < now() - $2::interval and coalesce(l.claimed_until, '-infinity') <= now()
		limit $3
		on conflict (connection_id) do update set claimed_until = excluded.claimed_until where u.claimed_until <= now()
		returning workspace_id, connection_id`, connectors, every, limit)
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (k records.LaneKey, err error) {
		err = row.Scan(&k.WorkspaceID, &k.ConnectionID)
		return k, err
	})
	return all, settingsError("claim lists of users", err)
}
