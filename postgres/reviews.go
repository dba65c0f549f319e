package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// firstLook is how long after a number was found to have no contact it is looked up again.
const firstLook = time.Hour

// lockWatch takes the row of a number that has no contact, making it where needed, so that whoever notes a call and whoever
// answers for the number come one after the other. It returns pgx.ErrNoRows for a connection that is not there.
func lockWatch(ctx context.Context, tx pgx.Tx, workspaceID, connectionID, number string) error {
	return tx.QueryRow(ctx, `
		insert into match_watch as w (connection_id, number, workspace_id, next_at)
		select k.id, $3, k.workspace_id, now() + $4 from connections k where k.workspace_id = $1 and k.id = $2
		on conflict (connection_id, number) do update set next_at = coalesce(w.next_at, excluded.next_at) where w.workspace_id = $1
		returning number`, workspaceID, connectionID, number, firstLook).Scan(new(string))
}

// NoteUnmatched notes a lane that has no contact, so that it is looked up again, and asks people where u says so. If
// somebody has chosen meanwhile it notes nothing and returns the choice. Errors: records.ErrNotFound for a connection that
// is gone.
func (db *DB) NoteUnmatched(ctx context.Context, u records.Unmatched) (choice records.MatchChoice, chosen bool, err error) {
	if u.Candidates == nil {
		u.Candidates = []records.Candidate{}
	}
	candidates, err := storableJSON(u.Candidates)
	if err != nil {
		return choice, false, fmt.Errorf("encode candidates: %w", err)
	}
	err = db.inTx(ctx, func(tx pgx.Tx) error {
		if err := lockWatch(ctx, tx, u.WorkspaceID, u.ConnectionID, u.Number); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, `select choice, object, name from match_choices where workspace_id = $1 and connection_id = $2 and number = $3`,
			u.WorkspaceID, u.ConnectionID, u.Number).Scan(&choice.Choice, &choice.Object, &choice.Name)
		if !errors.Is(err, pgx.ErrNoRows) {
			chosen = err == nil
			return err
		}
		batch := &pgx.Batch{}
		batch.Queue(`update match_watch set found = false where workspace_id = $1 and connection_id = $2 and number = $3 and found`,
			u.WorkspaceID, u.ConnectionID, u.Number)
		batch.Queue(`
			insert into unmatched (delivery_id, workspace_id, connection_id, number)
			select d.id, d.workspace_id, d.connection_id, $4 from deliveries d where d.workspace_id = $1 and d.connection_id = $2 and d.id = $3
			on conflict (delivery_id) do update set number = excluded.number`, u.WorkspaceID, u.ConnectionID, u.DeliveryID, u.Number)
		if u.Ask {
			batch.Queue(`
				insert into match_reviews (id, workspace_id, connection_id, number, kind, candidates, total)
				values ($1, $2, $3, $4, $5, $6, $7)
				on conflict (connection_id, number) where state = 'open'
				do update set kind = excluded.kind, candidates = excluded.candidates, total = excluded.total`,
				newID(), u.WorkspaceID, u.ConnectionID, u.Number, u.Kind, candidates, u.Total)
		}
		return tx.SendBatch(ctx, batch).Close()
	})
	if err != nil {
		return choice, false, settingsError("note a call without a contact", err)
	}
	return choice, chosen, nil
}

// ForgetUnmatched takes back what NoteUnmatched noted of a lane.
func (db *DB) ForgetUnmatched(ctx context.Context, workspaceID, deliveryID string) error {
	if _, err := db.pool.Exec(ctx, `delete from unmatched where workspace_id = $1 and delivery_id = $2`, workspaceID, deliveryID); err != nil {
		return fmt.Errorf("forget a call without a contact: %w", err)
	}
	return nil
}

// reviewColumns counts the calls that wait and names some of them.
const reviewColumns = `r.id, r.connection_id, r.number, r.kind, r.candidates, r.total, r.state, r.choice, r.object, r.resolved_by, r.created_at,
	coalesce(r.resolved_at, '0001-01-01 00:00:00+00'),
	(select count(*) from unmatched u where u.workspace_id = r.workspace_id and u.connection_id = r.connection_id and u.number = r.number),
	array(select d.record_id::text from unmatched u join deliveries d on d.workspace_id = u.workspace_id and d.id = u.delivery_id
		where u.workspace_id = r.workspace_id and u.connection_id = r.connection_id and u.number = r.number
		order by u.created_at desc limit 5)`

// Reviews lists the reviews of a workspace, the newest first.
func (db *DB) Reviews(ctx context.Context, workspaceID string, f records.ReviewFilter) ([]records.Review, error) {
	rows, _ := db.pool.Query(ctx, `select `+reviewColumns+` from match_reviews r join connections k on k.workspace_id = r.workspace_id and k.id = r.connection_id
		where r.workspace_id = $1 and k.deleted_at is null and ($2 = '' or r.state = $2) and ($3 = '' or r.connection_id::text = $3)
			and ($4 = '' or r.id::text < $4)
		order by r.id desc limit $5`, workspaceID, f.State, f.ConnectionID, f.Before.ID, f.Limit)
	all, err := pgx.CollectRows(rows, scanReview(workspaceID))
	return all, settingsError("list reviews", err)
}

// ReviewByID returns a review. Errors: records.ErrNotFound.
func (db *DB) ReviewByID(ctx context.Context, workspaceID, id string) (records.Review, error) {
	rows, _ := db.pool.Query(ctx, `select `+reviewColumns+` from match_reviews r where r.workspace_id = $1 and r.id = $2`, workspaceID, id)
	r, err := pgx.CollectExactlyOneRow(rows, scanReview(workspaceID))
	return r, settingsError("read a review", err)
}

// OpenReviews counts the open reviews of a workspace.
func (db *DB) OpenReviews(ctx context.Context, workspaceID string) (n int64, err error) {
	err = db.pool.QueryRow(ctx, `select count(*) from match_reviews r join connections k on k.workspace_id = r.workspace_id and k.id = r.connection_id
		where r.workspace_id = $1 and r.state = 'open' and k.deleted_at is null`, workspaceID).Scan(&n)
	return n, settingsError("count reviews", err)
}

func scanReview(workspaceID string) pgx.RowToFunc[records.Review] {
	return func(row pgx.CollectableRow) (records.Review, error) {
		r := records.Review{WorkspaceID: workspaceID}
		err := row.Scan(&r.ID, &r.ConnectionID, &r.Number, &r.Kind, &r.Candidates, &r.Total, &r.State, &r.Choice, &r.Object, &r.ResolvedBy,
			&r.CreatedAt, &r.ResolvedAt, &r.Calls, &r.CallIDs)
		r.CreatedAt, r.ResolvedAt = r.CreatedAt.UTC(), r.ResolvedAt.UTC()
		return r, err
	}
}

// keepReviews is for how long a review that is closed is kept.
const keepReviews = 90 * 24 * time.Hour

// DropOldReviews forgets reviews that were closed 90 days ago. What was chosen for a number stays.
func (db *DB) DropOldReviews(ctx context.Context) error {
	_, err := db.pool.Exec(ctx, `delete from match_reviews where state <> 'open' and resolved_at < now() - $1::interval`, keepReviews)
	return settingsError("forget reviews", err)
}

// maxAnswered is how many calls an answer returns; the others follow with the next looks.
const maxAnswered = 5000

// ResolveReview answers a review and remembers the answer for its number. It returns the calls that are to be delivered
// again, the oldest first. Errors: records.ErrNotFound, records.ErrConflict for a review that is closed already.
func (db *DB) ResolveReview(ctx context.Context, workspaceID, id string, c records.MatchChoice) ([]records.HeldCall, error) {
	var held []records.HeldCall
	err := db.changing(ctx, workspaceID, "review.resolve", audited{kind: "review", id: id}, func(tx pgx.Tx) error {
		held = nil
		var connectionID, number string
		err := tx.QueryRow(ctx, `select connection_id, number from match_reviews where workspace_id = $1 and id = $2`, workspaceID, id).Scan(&connectionID, &number)
		if err != nil {
			return err
		}
		if err := lockWatch(ctx, tx, workspaceID, connectionID, number); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			update match_reviews set state = 'resolved', choice = $3, object = $4, resolved_by = $5, resolved_at = now()
			where workspace_id = $1 and id = $2 and state = 'open'`, workspaceID, id, c.Choice, c.Object, c.ChosenBy)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return records.ErrConflict
		}
		if err := choose(ctx, tx, workspaceID, connectionID, number, c); err != nil {
			return err
		}
		rows, _ := tx.Query(ctx, `select d.record_id::text from unmatched u join deliveries d on d.workspace_id = u.workspace_id and d.id = u.delivery_id
			where u.workspace_id = $1 and u.connection_id = $2 and u.number = $3 and `+redeliverable+`
			order by u.created_at limit $4`, workspaceID, connectionID, number, maxAnswered)
		calls, err := pgx.CollectRows(rows, pgx.RowTo[string])
		for _, call := range calls {
			held = append(held, records.HeldCall{CallID: call, ConnectionID: connectionID})
		}
		return err
	})
	return held, settingsError("resolve a review", err)
}

// ReopenReview takes back the answer of a review: the choice for its number is forgotten, and the question is asked again.
// What was delivered meanwhile stays. Errors: records.ErrNotFound, records.ErrConflict for one that is not answered, or
// whose number is asked about again already.
func (db *DB) ReopenReview(ctx context.Context, workspaceID, id string) error {
	err := db.changing(ctx, workspaceID, "review.reopen", audited{kind: "review", id: id}, func(tx pgx.Tx) error {
		var connectionID, number string
		err := tx.QueryRow(ctx, `select connection_id, number from match_reviews where workspace_id = $1 and id = $2`, workspaceID, id).Scan(&connectionID, &number)
		if err != nil {
			return err
		}
		if err := lockWatch(ctx, tx, workspaceID, connectionID, number); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			update match_reviews r set state = 'open', choice = '', object = '', resolved_by = '', resolved_at = null
			where r.workspace_id = $1 and r.id = $2 and r.state = 'resolved'
				and not exists (select from match_reviews o where o.workspace_id = $1 and o.connection_id = r.connection_id and o.number = r.number and o.state = 'open')`,
			workspaceID, id)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return records.ErrConflict
		}
		batch := &pgx.Batch{}
		batch.Queue(`delete from match_choices where workspace_id = $1 and connection_id = $2 and number = $3`, workspaceID, connectionID, number)
		batch.Queue(`update match_watch set found = false, next_at = now() + $4::interval where workspace_id = $1 and connection_id = $2 and number = $3`,
			workspaceID, connectionID, number, firstLook)
		return tx.SendBatch(ctx, batch).Close()
	})
	return settingsError("take back the answer of a review", err)
}

// choose remembers c for a number whose watch is locked. Calls that were delivered without a contact stay so if that is
// what was chosen.
func choose(ctx context.Context, tx pgx.Tx, workspaceID, connectionID, number string, c records.MatchChoice) error {
	batch := &pgx.Batch{}
	batch.Queue(`
		insert into match_choices (id, workspace_id, connection_id, number, choice, object, name, chosen_by)
		values ($1, $2, $3, $4, $5, $6, $7, $8)
		on conflict (connection_id, number) do update set choice = excluded.choice, object = excluded.object, name = excluded.name,
			chosen_by = excluded.chosen_by, created_at = now()`,
		newID(), workspaceID, connectionID, number, c.Choice, c.Object, storable(c.Name), c.ChosenBy)
	if c.Choice == records.ChoiceNone {
		batch.Queue(`
			delete from unmatched u using deliveries d
			where u.workspace_id = $1 and u.connection_id = $2 and u.number = $3 and d.workspace_id = $1 and d.id = u.delivery_id and d.state = 'done'`,
			workspaceID, connectionID, number)
	}
	// The caller has the calls delivered; what it leaves undone is found after a while.
	batch.Queue(`
		update match_watch set found = true, looks = 0, next_at = now() + interval '2 minutes'
		where workspace_id = $1 and connection_id = $2 and number = $3`, workspaceID, connectionID, number)
	return tx.SendBatch(ctx, batch).Close()
}

// Choices lists what people chose, the newest first; an empty connectionID means all connections.
func (db *DB) Choices(ctx context.Context, workspaceID, connectionID string, before records.Cursor, limit int) ([]records.MatchChoice, error) {
	rows, _ := db.pool.Query(ctx, `
		select c.id, c.workspace_id, c.connection_id, c.number, c.choice, c.object, c.name, c.chosen_by, c.created_at
		from match_choices c join connections k on k.workspace_id = c.workspace_id and k.id = c.connection_id
		where c.workspace_id = $1 and k.deleted_at is null and ($2 = '' or c.connection_id::text = $2) and ($3 = '' or c.id::text < $3)
		order by c.id desc limit $4`, workspaceID, connectionID, before.ID, limit)
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c records.MatchChoice, err error) {
		err = row.Scan(&c.ID, &c.WorkspaceID, &c.ConnectionID, &c.Number, &c.Choice, &c.Object, &c.Name, &c.ChosenBy, &c.CreatedAt)
		c.CreatedAt = c.CreatedAt.UTC()
		return c, err
	})
	return all, settingsError("list choices", err)
}

// ForgetChoice forgets what was chosen for a number: its next call is matched anew. Errors: records.ErrNotFound.
func (db *DB) ForgetChoice(ctx context.Context, workspaceID, id string) error {
	err := db.changing(ctx, workspaceID, "match_choice.forget", audited{kind: "match_choice", id: id}, func(tx pgx.Tx) error {
		return mustMeet(tx.Exec(ctx, `delete from match_choices where workspace_id = $1 and id = $2`, workspaceID, id))
	})
	return settingsError("forget a choice", err)
}

// DropChoice forgets the choice of a contact that the CRM no longer has.
func (db *DB) DropChoice(ctx context.Context, workspaceID, connectionID, number, choice string) error {
	_, err := db.pool.Exec(ctx, `delete from match_choices where workspace_id = $1 and connection_id = $2 and number = $3 and choice = $4`,
		workspaceID, connectionID, number, choice)
	if err != nil {
		return fmt.Errorf("drop a choice: %w", err)
	}
	return nil
}
