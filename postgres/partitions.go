package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/callsync/callsync/records"
)

const (
	partitionPrefix  = "receipts_"
	partitionDefault = "receipts_default"
	partitionDay     = "20060102"
	// partitionLock is the key of the advisory lock of the one process that tends the partitions.
	partitionLock = 0x63730001
)

// MaintainPartitions makes the partitions of the receipts from today to ahead days on, moves into them what the default
// partition holds of their days, and drops whole days older than keep (zero keeps all) that hold nothing unapplied,
// quarantined or rejected; so it does with the rest of the default partition. It does nothing while another process is at it.
func (db *DB) MaintainPartitions(ctx context.Context, now time.Time, ahead int, keep time.Duration) error {
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("maintain partitions: %w", err)
	}
	defer conn.Release()
	var mine bool
	if err := conn.QueryRow(ctx, `select pg_try_advisory_lock($1)`, int64(partitionLock)).Scan(&mine); err != nil {
		return fmt.Errorf("maintain partitions: %w", err)
	}
	if !mine {
		return nil
	}
	defer func() {
		// The session goes back to the pool: it must not take the lock along.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if _, err := conn.Exec(ctx, `select pg_advisory_unlock($1)`, int64(partitionLock)); err != nil {
			conn.Conn().Close(ctx)
		}
	}()
	have, err := partitions(ctx, conn.Conn())
	if err != nil {
		return err
	}
	var errs []error
	today := now.UTC().Truncate(24 * time.Hour)
	for d := range ahead + 1 {
		day := today.AddDate(0, 0, d)
		if has(have, day) {
			continue
		}
		if err := addPartition(ctx, conn.Conn(), day); err != nil {
			errs = append(errs, err)
		}
	}
	if keep > 0 {
		for _, p := range have {
			if p.To.IsZero() || p.To.After(now.Add(-keep)) {
				continue
			}
			if err := dropPartition(ctx, conn.Conn(), p); err != nil {
				errs = append(errs, err)
			}
		}
		if err := emptyDefault(ctx, conn.Conn(), now.Add(-keep)); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Partitions lists the partitions of the receipts, the oldest first and the default one last, with what keeps each from
// being dropped.
func (db *DB) Partitions(ctx context.Context) ([]records.Partition, error) {
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("list partitions: %w", err)
	}
	defer conn.Release()
	all, err := partitions(ctx, conn.Conn())
	if err != nil {
		return nil, err
	}
	for i, p := range all {
		if p.To.IsZero() {
			continue
		}
		if all[i].Held, err = held(ctx, conn.Conn(), p); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func partitions(ctx context.Context, conn *pgx.Conn) ([]records.Partition, error) {
	rows, err := conn.Query(ctx, `
		select c.relname, pg_total_relation_size(c.oid)
		from pg_inherits i join pg_class c on c.oid = i.inhrelid
		where i.inhparent = 'receipts'::regclass
		order by c.relname = $1, c.relname`, partitionDefault)
	if err != nil {
		return nil, fmt.Errorf("list partitions: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p records.Partition, err error) {
		err = row.Scan(&p.Name, &p.Bytes)
		if day, ok := strings.CutPrefix(p.Name, partitionPrefix); ok {
			if t, err := time.Parse(partitionDay, day); err == nil {
				p.From, p.To = t, t.AddDate(0, 0, 1)
			}
		}
		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("list partitions: %w", err)
	}
	return all, nil
}

func has(all []records.Partition, day time.Time) bool {
	for _, p := range all {
		if p.From.Equal(day) {
			return true
		}
	}
	return false
}

// lowestID is the least UUIDv7 of a moment: its first 48 bits are milliseconds since 1970.
func lowestID(t time.Time) string {
	var id uuid.UUID
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(t.UnixMilli()))
	copy(id[:6], ms[2:])
	return id.String()
}

// addPartition makes the partition of a day. It is filled first and attached then, because attaching locks the receipts
// for less long than making a partition in place. A lock that cannot be had soon is given up: the default partition
// takes the receipts, and the next round tries again.
func addPartition(ctx context.Context, conn *pgx.Conn, day time.Time) error {
	name := partitionPrefix + day.Format(partitionDay)
	from, to := lowestID(day), lowestID(day.AddDate(0, 0, 1))
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, sql := range []string{
			`set local lock_timeout = '3s'`,
			// Blocks writers of the default partition, so that no row of the day slips in between.
			`lock table ` + partitionDefault + ` in share row exclusive mode`,
			`create table ` + name + ` (like receipts including all)`,
			`with moved as (delete from ` + partitionDefault + ` where id >= '` + from + `' and id < '` + to + `' returning *)
				insert into ` + name + ` select * from moved`,
			`alter table receipts attach partition ` + name + ` for values from ('` + from + `') to ('` + to + `')`,
		} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("make partition %s: %w", name, storeError(err))
	}
	return nil
}

// neededReceipt tells whether receipt r is not applied yet, or in trouble that a person may still put right.
const neededReceipt = `exists (select 1 from inbox i where i.receipt_id = r.id)
	or exists (select 1 from receipt_results x join sources s on s.id = x.source_id
		where x.receipt_id = r.id and x.state in ('quarantined', 'rejected') and s.deleted_at is null)`

// emptyDefault deletes what the default partition holds from before a moment and nobody needs: receipts of days that got
// no partition of their own in time. What one round leaves is the next one's.
func emptyDefault(ctx context.Context, conn *pgx.Conn, before time.Time) error {
	_, err := conn.Exec(ctx, `delete from `+partitionDefault+` where id in (
		select r.id from `+partitionDefault+` r where r.id < $1 and not (`+neededReceipt+`) limit 10000)`, lowestID(before))
	if err != nil {
		return fmt.Errorf("empty the default partition: %w", storeError(err))
	}
	return nil
}

// held says why a partition must stay, or nothing.
func held(ctx context.Context, conn *pgx.Conn, p records.Partition) (string, error) {
	var waiting, trouble bool
	err := conn.QueryRow(ctx, `
		select exists (select 1 from inbox where receipt_id >= $1 and receipt_id < $2),
			exists (select 1 from receipt_results r join sources s on s.id = r.source_id
				where r.receipt_id >= $1 and r.receipt_id < $2 and r.state in ('quarantined', 'rejected') and s.deleted_at is null)`,
		lowestID(p.From), lowestID(p.To)).Scan(&waiting, &trouble)
	switch {
	case err != nil:
		return "", fmt.Errorf("look into partition %s: %w", p.Name, err)
	case waiting:
		return "receipts of this day have not been applied yet", nil
	case trouble:
		return "receipts of this day are quarantined or rejected", nil
	}
	return "", nil
}

// dropPartition drops the receipts of a day, unless some are still needed.
func dropPartition(ctx context.Context, conn *pgx.Conn, p records.Partition) error {
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `set local lock_timeout = '3s'`); err != nil {
			return err
		}
		// With the table locked a replay cannot put one of its receipts back into the inbox.
		if _, err := tx.Exec(ctx, `lock table `+pgx.Identifier{p.Name}.Sanitize()+` in access exclusive mode`); err != nil {
			return err
		}
		why, err := held(ctx, tx.Conn(), p)
		if err != nil || why != "" {
			return err
		}
		_, err = tx.Exec(ctx, `drop table `+pgx.Identifier{p.Name}.Sanitize())
		return err
	})
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "55P03" {
		// In use right now; the next round tries again.
		return nil
	}
	if err != nil {
		return fmt.Errorf("drop partition %s: %w", p.Name, storeError(err))
	}
	return nil
}
