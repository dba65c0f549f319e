package postgres

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/records"
)

func (r *settingsRig) try(t *testing.T, db *DB, try records.SignInTry) time.Duration {
	t.Helper()
	wait, _, err := db.CountSignIn(r.ctx, try)
	require.NoError(t, err)
	return wait
}

// Two processes count together, a restart forgets nothing, and many tries at the same moment are as many as one after the other.
func TestSignInsAreCountedForAllProcesses(t *testing.T) {
	t.Parallel()
	r := newSettingsRig(t)
	second := r.open(t, r.keys)
	anna := records.SignInTry{Address: "203.0.113.7", Email: "anna@example.com"}
	var let, last atomic.Int32
	var wg sync.WaitGroup
	for i := range 20 {
		db := []*DB{r.DB, second}[i%2]
		wg.Go(func() {
			wait, l, err := db.CountSignIn(r.ctx, anna)
			if err != nil {
				t.Error(err)
			}
			if wait == 0 {
				let.Add(1)
			}
			if l {
				last.Add(1)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, pairFailures, let.Load())
	require.EqualValues(t, 1, last.Load())
	wait := r.try(t, r.open(t, r.keys), records.SignInTry{Address: anna.Address, Email: " ANNA@example.com"})
	require.Greater(t, wait, 14*time.Minute)
	require.LessOrEqual(t, wait, signInSpan)
	require.Zero(t, r.try(t, r.DB, records.SignInTry{Address: "203.0.113.8", Email: anna.Email}), "elsewhere she may")
	require.NotContains(t, r.dump(t, "access_counts"), "203.0.113")

	// Tries that wait count nowhere: one address alone does not use up the account's.
	for range 100 {
		r.try(t, r.DB, anna)
	}
	require.Zero(t, r.try(t, r.DB, records.SignInTry{Address: "203.0.113.9", Email: anna.Email}))
	_, err := r.pool.Exec(r.ctx, `update access_counts set until = until - interval '16 minutes'`)
	require.NoError(t, err)
	require.Zero(t, r.try(t, second, anna))
	require.NoError(t, r.DropOldAccess(r.ctx))
	var n int
	require.NoError(t, r.pool.QueryRow(r.ctx, `select count(*) from access_counts`).Scan(&n))
	require.Equal(t, 3, n, "what is over is forgotten")

	// Who knows the password is not limited, and makes the tries before void.
	for range addressFailures + 10 {
		require.Zero(t, r.try(t, r.DB, anna))
		require.NoError(t, second.SignInSucceeded(r.ctx, anna))
	}
}

// A stranger who guesses from everywhere is held, and the account's owner signs in all the same where they have before.
func TestAStrangerDoesNotLockTheOwnerOut(t *testing.T) {
	t.Parallel()
	r := newSettingsRig(t)
	anna, ben := r.person(t, r.ws, "anna@example.com", records.RoleAdmin), r.person(t, r.ws, "ben@example.com", records.RoleAdmin)
	own := secretbox.HashToken("own")
	require.NoError(t, r.KnowBrowser(r.ctx, anna.ID, own))
	require.NoError(t, r.KnowBrowser(r.ctx, anna.ID, own))
	require.NoError(t, r.KnowBrowser(r.ctx, ben.ID, own), "another's browser does not change hands")
	for id, want := range map[string]bool{anna.ID: true, ben.ID: false} {
		known, err := r.KnowsBrowser(r.ctx, id, own)
		require.NoError(t, err)
		require.Equal(t, want, known)
	}
	for i := range emailFailures {
		require.Zero(t, r.try(t, r.DB, records.SignInTry{Address: "198.51.100." + string(rune('a'+i)), Email: anna.Email}))
	}
	elsewhere := records.SignInTry{Address: "203.0.113.7", Email: anna.Email}
	require.NotZero(t, r.try(t, r.DB, elsewhere))
	elsewhere.Browser = secretbox.HashToken("made up")
	require.NotZero(t, r.try(t, r.DB, elsewhere), "a cookie that is made up helps nobody")
	elsewhere.Browser = own
	for range browserFailures {
		require.Zero(t, r.try(t, r.DB, elsewhere))
	}
	require.NotZero(t, r.try(t, r.DB, elsewhere), "nor does a stolen one for long")
	require.NoError(t, r.SignInSucceeded(r.ctx, elsewhere))
	require.Zero(t, r.try(t, r.DB, elsewhere))
	require.Zero(t, r.try(t, r.DB, records.SignInTry{Address: "203.0.113.7", Email: ben.Email, Browser: own}))

	// Another password ends what the old one has begun; old ones and too many are forgotten.
	require.NoError(t, r.SetPassword(r.ctx, anna.ID, "$argon2id$other", ""))
	known, err := r.KnowsBrowser(r.ctx, anna.ID, own)
	require.NoError(t, err)
	require.False(t, known)
	for range knownBrowsers + 5 {
		require.NoError(t, r.KnowBrowser(r.ctx, anna.ID, secretbox.HashToken(newID())))
	}
	count := func() (n int) {
		require.NoError(t, r.pool.QueryRow(r.ctx, `select count(*) from known_browsers`).Scan(&n))
		return n
	}
	require.Equal(t, knownBrowsers, count())
	_, err = r.pool.Exec(r.ctx, `update known_browsers set used_at = now() - interval '181 days'`)
	require.NoError(t, err)
	require.NoError(t, r.DropOldAccess(r.ctx))
	require.Zero(t, count())
}
