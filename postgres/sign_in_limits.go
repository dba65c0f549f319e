package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// Limits of failed sign-ins within signInSpan. The pair of address and e-mail is held short; the address alone, which may be a
// whole office or a proxy, and the e-mail alone, which somebody may want to lock out, are held longer. A browser in which the
// account's owner has signed in counts by itself: strangers keep them out of none of theirs.
const (
	signInSpan      = 15 * time.Minute
	pairFailures    = 5
	browserFailures = 5
	addressFailures = 50
	emailFailures   = 50
)

// Known browsers that are forgotten: those not used for long, and all but the newest of one person.
const (
	knownBrowserLife = 180 * 24 * time.Hour
	knownBrowsers    = 50
)

// signInKey is something that tries are counted under.
type signInKey struct {
	key  []byte
	most int
	// ofAccount tells whether reaching it says something of the account.
	ofAccount bool
	// forgets tells whether a success makes what was counted void: whoever knows the password was not guessing.
	forgets bool
}

// signInKeys are what a try is counted under. Spelling an e-mail in another way does not help.
func signInKeys(ctx context.Context, tx pgx.Tx, t records.SignInTry) ([]signInKey, error) {
	email := strings.ToLower(strings.TrimSpace(t.Email))
	if len(t.Browser) > 0 {
		var known bool
		err := tx.QueryRow(ctx, `
			select exists (select 1 from known_browsers b join users u on u.id = b.user_id where b.token_hash = $1 and lower(u.email) = $2)`,
			t.Browser, storable(email)).Scan(&known)
		if err != nil {
			return nil, err
		}
		if known {
			return []signInKey{{accessKey("sign-in browser", string(t.Browser), email), browserFailures, true, true}}, nil
		}
	}
	return []signInKey{
		{accessKey("sign-in pair", t.Address, email), pairFailures, true, true},
		{accessKey("sign-in address", t.Address), addressFailures, false, false},
		{accessKey("sign-in e-mail", email), emailFailures, true, false},
	}, nil
}

// CountSignIn counts a try to sign in, for all processes. wait is how long it must wait, in which case its password is not
// to be looked at, and it does not count; zero if it may be tried now. It is counted before it is known whether it fails, so
// that many at the same moment do not slip through; SignInSucceeded takes it back. last says that the next one for this
// account waits if this one fails.
func (db *DB) CountSignIn(ctx context.Context, t records.SignInTry) (wait time.Duration, last bool, err error) {
	err = db.inTx(ctx, func(tx pgx.Tx) error {
		wait, last = 0, false
		keys, err := signInKeys(ctx, tx, t)
		if err != nil {
			return err
		}
		ids, most := make([][]byte, len(keys)), make([]int, len(keys))
		for i, k := range keys {
			ids[i], most[i] = k.key, k.most
		}
		full := func() error {
			var seconds float64
			err := tx.QueryRow(ctx, `
				select coalesce(max(extract(epoch from c.until - now())), 0)::float8
				from access_counts c join unnest($1::bytea[], $2::int[]) as k (key, most) using (key)
				where c.until > now() and c.count >= k.most`, ids, most).Scan(&seconds)
			wait = time.Duration(seconds * float64(time.Second))
			return err
		}
		if err := full(); err != nil || wait > 0 {
			return err
		}
		counts, err := countAccess(ctx, tx, signInSpan, ids...)
		if err != nil {
			return err
		}
		for i, n := range counts {
			if n > most[i] { // others came between
				return full()
			}
			last = last || n == most[i] && keys[i].ofAccount
		}
		return nil
	})
	return wait, last, settingsError("count a sign-in", err)
}

// SignInSucceeded takes a try back that was counted: the person has proved who they are.
func (db *DB) SignInSucceeded(ctx context.Context, t records.SignInTry) error {
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		keys, err := signInKeys(ctx, tx, t)
		if err != nil {
			return err
		}
		var void, one [][]byte
		for _, k := range keys {
			if k.forgets {
				void = append(void, k.key)
			} else {
				one = append(one, k.key)
			}
		}
		_, err = tx.Exec(ctx, `
			with void as (delete from access_counts where key = any($1::bytea[]))
			update access_counts set count = greatest(count - 1, 0) where key = any($2::bytea[])`, void, one)
		return err
	})
	return settingsError("take a sign-in back", err)
}

// KnowBrowser remembers a browser, by the SHA-256 of its cookie, in which a person has signed in. It is noted every day at
// most, so that signing in stays cheap.
func (db *DB) KnowBrowser(ctx context.Context, userID string, hash []byte) error {
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			insert into known_browsers as b (token_hash, user_id) values ($1, $2)
			on conflict (token_hash) do update set used_at = now() where b.user_id = $2 and b.used_at < now() - interval '1 day'`, hash, userID)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		_, err = tx.Exec(ctx, `
			delete from known_browsers where user_id = $1 and token_hash in (
				select token_hash from known_browsers where user_id = $1 order by used_at desc, token_hash offset $2)`, userID, knownBrowsers)
		return err
	})
	return settingsError("remember a browser", err)
}

// KnowsBrowser tells whether a person has signed in in a browser.
func (db *DB) KnowsBrowser(ctx context.Context, userID string, hash []byte) (known bool, err error) {
	err = db.pool.QueryRow(ctx, `select exists (select 1 from known_browsers where token_hash = $1 and user_id = $2)`, hash, userID).Scan(&known)
	return known, settingsError("look up a browser", err)
}

// DropOldAccess forgets counts that are over and browsers that were not used for long.
func (db *DB) DropOldAccess(ctx context.Context) error {
	_, err := db.pool.Exec(ctx, `
		with counts as (delete from access_counts where until <= now())
		delete from known_browsers where used_at < now() - $1::interval`, knownBrowserLife)
	return settingsError("forget old counts of sign-ins", err)
}
