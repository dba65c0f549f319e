package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

const channelColumns = `c.id, c.workspace_id, c.kind, c.name, c.config, c.secrets, c.kinds, c.min_severity, c.enabled, c.sent_at, c.failed_at, c.failure, c.tested_at, c.created_at`

// channelContext binds sealed secrets to their channel.
func channelContext(id string) string { return "alert_channel:" + id }

// scanChannel reads a channel with its secrets sealed, after other columns.
func scanChannel(row pgx.CollectableRow, before ...any) (c records.AlertChannel, sealed []byte, err error) {
	var sent, failed, tested *time.Time
	err = row.Scan(append(before, &c.ID, &c.WorkspaceID, &c.Kind, &c.Name, &c.Config, &sealed, &c.Kinds, &c.MinSeverity, &c.Enabled, &sent, &failed, &c.Failure, &tested, &c.CreatedAt)...)
	c.SentAt, c.FailedAt, c.TestedAt, c.CreatedAt = utc(orZero(sent)), utc(orZero(failed)), utc(orZero(tested)), c.CreatedAt.UTC()
	return c, sealed, err
}

// AlertChannels lists the channels of a workspace without their secrets, the oldest first.
func (db *DB) AlertChannels(ctx context.Context, workspaceID string) ([]records.AlertChannel, error) {
	rows, _ := db.pool.Query(ctx, `select `+channelColumns+` from alert_channels c where c.workspace_id = $1 order by c.id`, workspaceID)
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (records.AlertChannel, error) {
		c, _, err := scanChannel(row)
		return c, err
	})
	return all, settingsError("list channels", err)
}

// AlertChannelByID returns a channel with its secrets. Errors: records.ErrNotFound.
func (db *DB) AlertChannelByID(ctx context.Context, workspaceID, id string) (records.AlertChannel, error) {
	rows, _ := db.pool.Query(ctx, `select `+channelColumns+` from alert_channels c where c.workspace_id = $1 and c.id = $2`, workspaceID, id)
	c, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (records.AlertChannel, error) {
		c, sealed, err := scanChannel(row)
		if err == nil {
			c.Secrets, err = db.openSecrets(sealed, channelContext(c.ID))
		}
		return c, err
	})
	return c, settingsError("read a channel", err)
}

// CreateAlertChannel stores a channel whose ID the caller has made; its secrets are kept sealed. Errors: records.ErrConflict
// where the workspace has most already.
func (db *DB) CreateAlertChannel(ctx context.Context, c records.AlertChannel, most int) error {
	sealed, err := db.sealSecrets(c.Secrets, channelContext(c.ID))
	if err != nil {
		return fmt.Errorf("create a channel: %w", err)
	}
	err = db.changing(ctx, c.WorkspaceID, "alert_channel.create", audited{kind: "alert_channel", id: c.ID}, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			insert into alert_channels (id, workspace_id, kind, name, config, secrets, kinds, min_severity, enabled)
			select $2, $1, $3, $4, $5, $6, $7, $8, $9 where (select count(*) from alert_channels c where c.workspace_id = $1) < $10`,
			c.WorkspaceID, c.ID, c.Kind, c.Name, orEmpty(c.Config), sealed, c.Kinds, c.MinSeverity, c.Enabled, most)
		if err == nil && tag.RowsAffected() == 0 {
			err = records.ErrConflict
		}
		return err
	})
	return settingsError("create a channel", err)
}

// UpdateAlertChannel replaces what admins set of a channel. One that is switched off gives up what was on its way. Errors:
// records.ErrNotFound.
func (db *DB) UpdateAlertChannel(ctx context.Context, c records.AlertChannel) error {
	sealed, err := db.sealSecrets(c.Secrets, channelContext(c.ID))
	if err != nil {
		return fmt.Errorf("change a channel: %w", err)
	}
	return db.changing(ctx, c.WorkspaceID, "alert_channel.update", audited{kind: "alert_channel", id: c.ID}, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `update alert_channels set name = $3, config = $4, secrets = $5, kinds = $6, min_severity = $7, enabled = $8, failed_at = null, failure = ''
			where workspace_id = $1 and id = $2`, c.WorkspaceID, c.ID, c.Name, orEmpty(c.Config), sealed, c.Kinds, c.MinSeverity, c.Enabled)
		if err := oneRow("change a channel", tag, err); err != nil || c.Enabled {
			return err
		}
		_, err = tx.Exec(ctx, `update alert_messages set state = 'failed', ended_at = now(), failure = 'The channel was switched off.'
			where workspace_id = $1 and channel_id = $2 and state = 'queued'`, c.WorkspaceID, c.ID)
		return settingsError("change a channel", err)
	})
}

// DeleteAlertChannel removes a channel and what was said on it. Errors: records.ErrNotFound.
func (db *DB) DeleteAlertChannel(ctx context.Context, workspaceID, id string) error {
	err := db.changing(ctx, workspaceID, "alert_channel.delete", audited{kind: "alert_channel", id: id}, func(tx pgx.Tx) error {
		return mustMeet(tx.Exec(ctx, `delete from alert_channels where workspace_id = $1 and id = $2`, workspaceID, id))
	})
	return settingsError("remove a channel", err)
}

// BeginChannelTest notes that a channel is being tested. It is false where that was less than pause ago: a test reaches
// people who have not asked for it. Errors: records.ErrNotFound.
func (db *DB) BeginChannelTest(ctx context.Context, workspaceID, id string, pause time.Duration) (bool, error) {
	tag, err := db.pool.Exec(ctx, `update alert_channels set tested_at = now() where workspace_id = $1 and id = $2 and coalesce(tested_at, '-infinity') <= now() - $3::interval`,
		workspaceID, id, pause)
	if err != nil || tag.RowsAffected() == 1 {
		return err == nil, settingsError("begin a test", err)
	}
	var there bool
	err = db.pool.QueryRow(ctx, `select exists (select from alert_channels where workspace_id = $1 and id = $2)`, workspaceID, id).Scan(&there)
	if err == nil && !there {
		err = records.ErrNotFound
	}
	return false, settingsError("begin a test", err)
}

// ChannelTested records what came of a test: an empty failure is success.
func (db *DB) ChannelTested(ctx context.Context, workspaceID, id, failure string) error {
	tag, err := db.pool.Exec(ctx, `update alert_channels set sent_at = case when $3 = '' then now() else sent_at end, failed_at = case when $3 <> '' then now() end, failure = $3
		where workspace_id = $1 and id = $2`, workspaceID, id, storable(failure))
	return oneRow("record a test", tag, err)
}
