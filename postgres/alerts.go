package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

const alertColumns = `a.id, a.workspace_id, a.kind, a.object, a.object_id, a.object_name, a.severity, a.state, a.reason, a.since, a.created_at,
	a.opened_at, a.clear_since, a.resolved_at, a.told_at, a.reminded_at, m.until, coalesce(m.muted_by, '')`

// alertsFrom joins what is muted; $1 is the workspace.
const alertsFrom = ` from alerts a left join alert_mutes m on m.workspace_id = a.workspace_id and m.kind = a.kind and m.object_id = a.object_id and m.until > now()
	where a.workspace_id = $1 `

func scanAlert(row pgx.CollectableRow) (a records.Alert, err error) {
	var opened, clear, resolved, told, reminded, muted *time.Time
	err = row.Scan(&a.ID, &a.WorkspaceID, &a.Kind, &a.Object, &a.ObjectID, &a.ObjectName, &a.Severity, &a.State, &a.Reason, &a.Since, &a.CreatedAt,
		&opened, &clear, &resolved, &told, &reminded, &muted, &a.MutedBy)
	a.Since, a.CreatedAt = a.Since.UTC(), a.CreatedAt.UTC()
	a.OpenedAt, a.ClearSince, a.ResolvedAt, a.ToldAt, a.RemindedAt = utc(orZero(opened)), utc(orZero(clear)), utc(orZero(resolved)), utc(orZero(told)), utc(orZero(reminded))
	a.MutedUntil = utc(orZero(muted))
	return a, err
}

// StepAlerts calls step with the alerts of a workspace that are not resolved, and keeps what it returns, together with a
// message to each channel that wants what it tells. No two steps of a workspace run at once, so that none tells the same
// twice. step may be called again, with what is there then.
func (db *DB) StepAlerts(ctx context.Context, workspaceID string, step func(current []records.Alert) []records.AlertChange) error {
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		// Foreign keys of other writers do not wait for this lock.
		if err := tx.QueryRow(ctx, `select id from workspaces where id = $1 for no key update`, workspaceID).Scan(new(string)); err != nil {
			return err
		}
		rows, _ := tx.Query(ctx, `select `+alertColumns+alertsFrom+` and a.state <> 'resolved' order by a.id`, workspaceID)
		current, err := pgx.CollectRows(rows, scanAlert)
		if err != nil {
			return err
		}
		for _, c := range step(current) {
			if err := keepAlert(ctx, tx, workspaceID, c); err != nil {
				return err
			}
		}
		return nil
	})
	return settingsError("step alerts", err)
}

func keepAlert(ctx context.Context, tx pgx.Tx, workspaceID string, c records.AlertChange) error {
	a := c.Alert
	if c.Drop {
		_, err := tx.Exec(ctx, `delete from alerts where workspace_id = $1 and id = $2`, workspaceID, a.ID)
		return err
	}
	_, err := tx.Exec(ctx, `
		insert into alerts as a (workspace_id, id, kind, object, object_id, object_name, severity, state, reason, since, created_at, opened_at, clear_since, resolved_at, told_at, reminded_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
		on conflict (id) do update set object_name = excluded.object_name, severity = excluded.severity, state = excluded.state, reason = excluded.reason,
			opened_at = excluded.opened_at, clear_since = excluded.clear_since, resolved_at = excluded.resolved_at, told_at = excluded.told_at, reminded_at = excluded.reminded_at
		where a.workspace_id = $1`,
		workspaceID, a.ID, a.Kind, a.Object, a.ObjectID, storable(a.ObjectName), a.Severity, a.State, storable(a.Reason), a.Since, a.CreatedAt,
		timeOrNull(a.OpenedAt), timeOrNull(a.ClearSince), timeOrNull(a.ResolvedAt), timeOrNull(a.ToldAt), timeOrNull(a.RemindedAt))
	if err != nil || c.Event == "" {
		return err
	}
	said, err := storableJSON(c.Said)
	if err != nil {
		return err
	}
	// Who was not told that it began is not told that it is over; and nobody is reminded of what is still on its way.
	_, err = tx.Exec(ctx, `
		insert into alert_messages (id, workspace_id, channel_id, alert_id, number, event, said)
		select gen_random_uuid(), $1, c.id, $2, (select coalesce(max(n.number), 0) + 1 from alert_messages n where n.workspace_id = $1 and n.alert_id = $2), $3, $4
		from alert_channels c
		where c.workspace_id = $1 and c.enabled and (c.kinds is null or $5 = any(c.kinds)) and (c.min_severity = 'warning' or $6 = 'critical')
			and ($3 <> 'resolved' or exists (select from alert_messages e where e.channel_id = c.id and e.alert_id = $2))
			and ($3 <> 'reminded' or not exists (select from alert_messages e where e.channel_id = c.id and e.alert_id = $2 and e.state = 'queued'))`,
		workspaceID, a.ID, c.Event, said, a.Kind, a.Severity)
	return err
}

// AlertsPage lists alerts, the newest first.
func (db *DB) AlertsPage(ctx context.Context, workspaceID string, f records.AlertFilter) ([]records.Alert, error) {
	rows, _ := db.pool.Query(ctx, `select `+alertColumns+alertsFrom+` and a.state <> 'seen' and ($2 = '' or a.state = $2) and ($3 = '' or a.id < nullif($3, '')::uuid)
		order by a.id desc limit $4`, workspaceID, f.State, f.Before, f.Limit)
	all, err := pgx.CollectRows(rows, scanAlert)
	return all, settingsError("list alerts", err)
}

// MuteAlert has no alert of the same kind and object told until a moment; a zero one ends that. It returns the alert as it is
// then. Errors: records.ErrNotFound.
func (db *DB) MuteAlert(ctx context.Context, workspaceID, id string, until time.Time, who string) (a records.Alert, err error) {
	err = db.inTx(ctx, func(tx pgx.Tx) error {
		var err error
		if until.IsZero() {
			_, err = tx.Exec(ctx, `delete from alert_mutes m using alerts a where a.workspace_id = $1 and a.id = $2 and m.workspace_id = $1 and m.kind = a.kind and m.object_id = a.object_id`,
				workspaceID, id)
		} else {
			_, err = tx.Exec(ctx, `
				insert into alert_mutes (workspace_id, kind, object_id, until, muted_by)
				select a.workspace_id, a.kind, a.object_id, $3, $4 from alerts a where a.workspace_id = $1 and a.id = $2 and a.state <> 'seen'
				on conflict (workspace_id, kind, object_id) do update set until = excluded.until, muted_by = excluded.muted_by`, workspaceID, id, until, storable(who))
		}
		if err != nil {
			return err
		}
		rows, _ := tx.Query(ctx, `select `+alertColumns+alertsFrom+` and a.id = $2 and a.state <> 'seen'`, workspaceID, id)
		if a, err = pgx.CollectExactlyOneRow(rows, scanAlert); err != nil {
			return err
		}
		change := records.Change{Action: "alert.unmute", ObjectKind: "alert", ObjectID: a.ID, ObjectName: a.Title()}
		if !until.IsZero() {
			change.Action, change.After = "alert.mute", map[string]any{"until": until.UTC()}
		}
		return db.note(ctx, tx, workspaceID, change)
	})
	return a, settingsError("mute an alert", err)
}

// messageLife is how long it is tried to send a message.
const messageLife = 24 * time.Hour

// ClaimMessages returns messages that are due, each to one process until its lease ends, and of one alert on one channel only
// the oldest. Those that could not be sent for a day are given up.
func (db *DB) ClaimMessages(ctx context.Context, limit int, lease time.Duration) ([]records.QueuedMessage, error) {
	_, err := db.pool.Exec(ctx, `update alert_messages set state = 'failed', ended_at = now(),
			failure = trim(failure || ' It was given up after a day.')
		where state = 'queued' and created_at < now() - $1::interval and lease_until <= now()`, messageLife)
	if err != nil {
		return nil, fmt.Errorf("give messages up: %w", storeError(err))
	}
	type claimed struct {
		records.QueuedMessage
		sealed []byte
	}
	rows, _ := db.pool.Query(ctx, `
		with due as (
			select m.id from alert_messages m join alert_channels c on c.id = m.channel_id and c.enabled
			where m.state = 'queued' and m.due_at <= now() and m.lease_until <= now()
				and not exists (select from alert_messages e where e.channel_id = m.channel_id and e.alert_id = m.alert_id and e.number < m.number and e.state = 'queued')
			order by m.due_at, m.id limit $1 for update of m skip locked)
		update alert_messages m set lease_until = now() + $2::interval, attempts = m.attempts + 1
		from due, alert_channels c where m.id = due.id and c.id = m.channel_id
		returning m.id, m.said, m.attempts, m.created_at, `+channelColumns, limit, lease)
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m claimed, err error) {
		var said []byte
		var created time.Time
		if m.Channel, m.sealed, err = scanChannel(row, &m.ID, &said, &m.Attempts, &created); err != nil {
			return m, err
		}
		m.Expires = created.UTC().Add(messageLife)
		return m, json.Unmarshal(said, &m.Said)
	})
	if err != nil {
		return nil, fmt.Errorf("claim messages: %w", storeError(err))
	}
	var out []records.QueuedMessage
	for _, m := range all {
		if m.Channel.Secrets, err = db.openSecrets(m.sealed, channelContext(m.Channel.ID)); err != nil {
			sentence := records.SendResult{Final: true, Failure: "The secrets of this channel cannot be opened: they were sealed by a key that callsync has no more. Enter them again."}
			if err := db.MessageSent(ctx, m.Channel.WorkspaceID, m.ID, sentence); err != nil {
				return out, err
			}
			continue
		}
		out = append(out, m.QueuedMessage)
	}
	return out, nil
}

// MessageSent records what became of an attempt, in the message and in its channel. What another process has recorded
// meanwhile stays.
func (db *DB) MessageSent(ctx context.Context, workspaceID, id string, r records.SendResult) error {
	state := records.MessageSent
	if r.Failure != "" && !r.Partly {
		if state = records.MessageQueued; r.Final {
			state = records.MessageFailed
		}
	}
	_, err := db.pool.Exec(ctx, `
		with message as (
			update alert_messages set state = $3, failure = $4, due_at = coalesce($5, due_at), lease_until = '-infinity', ended_at = case when $3 <> 'queued' then now() end
			where workspace_id = $1 and id = $2 and state = 'queued' returning channel_id)
		update alert_channels c set sent_at = case when $3 = 'sent' then now() else c.sent_at end, failed_at = case when $4 <> '' then now() end, failure = $4
		from message m where c.workspace_id = $1 and c.id = m.channel_id`,
		workspaceID, id, state, storable(r.Failure), timeOrNull(r.RetryAt))
	return settingsError("record a message", err)
}

// AlertMessages lists the newest messages of a workspace.
func (db *DB) AlertMessages(ctx context.Context, workspaceID string, limit int) ([]records.SentMessage, error) {
	rows, _ := db.pool.Query(ctx, `
		select m.id, m.channel_id, c.name, m.said, m.state, m.attempts, m.failure, m.created_at, m.due_at, m.ended_at
		from alert_messages m join alert_channels c on c.id = m.channel_id
		where m.workspace_id = $1 order by m.created_at desc, m.id limit $2`, workspaceID, limit)
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m records.SentMessage, err error) {
		var said []byte
		var ended *time.Time
		if err = row.Scan(&m.ID, &m.ChannelID, &m.ChannelName, &said, &m.State, &m.Attempts, &m.Failure, &m.CreatedAt, &m.DueAt, &ended); err != nil {
			return m, err
		}
		m.CreatedAt, m.DueAt, m.EndedAt = m.CreatedAt.UTC(), m.DueAt.UTC(), utc(orZero(ended))
		return m, json.Unmarshal(said, &m.Said)
	})
	return all, settingsError("list messages of alerts", err)
}
