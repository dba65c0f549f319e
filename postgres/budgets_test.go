package postgres

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/records"
)

func budgetRig(t *testing.T) (*settingsRig, string) {
	r := newSettingsRig(t)
	c := r.newConnection()
	require.NoError(t, r.CreateConnection(r.ctx, c))
	return r, c.ID
}

func TestBudgetsAreSharedAndExact(t *testing.T) {
	t.Parallel()
	r, conn := budgetRig(t)
	// An hour per request: the clock does not matter.
	charge := []records.BudgetCharge{{Class: "", Emission: time.Hour, Tolerance: 10 * time.Hour}, {Class: "search", Emission: time.Hour, Tolerance: 100 * time.Hour}}
	var granted, refused atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				wait, err := r.ChargeBudgets(r.ctx, r.ws, conn, charge, time.Second)
				if err != nil {
					t.Error(err)
				} else if wait <= time.Second {
					granted.Add(1)
				} else {
					refused.Add(1)
				}
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 10, granted.Load(), "two at once never take the same place")
	require.EqualValues(t, 30, refused.Load())

	// What was refused was charged nowhere: the class search has 90 places left.
	search := charge[1:]
	wait, err := r.ChargeBudgets(r.ctx, r.ws, conn, []records.BudgetCharge{{Class: "search", Emission: 90 * time.Hour, Tolerance: 100 * time.Hour}}, time.Second)
	require.NoError(t, err)
	require.LessOrEqual(t, wait, time.Second)
	wait, err = r.ChargeBudgets(r.ctx, r.ws, conn, search, time.Second)
	require.NoError(t, err)
	require.InDelta(t, time.Hour.Seconds(), wait.Seconds(), 60)

	// Charged all the same where the caller may wait; given back by a negative cost.
	wait, err = r.ChargeBudgets(r.ctx, r.ws, conn, search, 1000*time.Hour)
	require.NoError(t, err)
	require.InDelta(t, time.Hour.Seconds(), wait.Seconds(), 60)
	_, err = r.ChargeBudgets(r.ctx, r.ws, conn, []records.BudgetCharge{{Class: "search", Emission: -2 * time.Hour, Tolerance: 100 * time.Hour}}, time.Second)
	require.NoError(t, err)
	wait, err = r.ChargeBudgets(r.ctx, r.ws, conn, search, time.Second)
	require.NoError(t, err)
	require.LessOrEqual(t, wait, time.Second)

	_, err = r.ChargeBudgets(r.ctx, r.other, conn, charge, time.Second)
	require.ErrorIs(t, err, records.ErrNotFound, "another workspace's connection")
}

func TestBudgetsOfADay(t *testing.T) {
	t.Parallel()
	r, conn := budgetRig(t)
	charge := func(day string, cost int) time.Duration {
		wait, err := r.ChargeBudgets(r.ctx, r.ws, conn, []records.BudgetCharge{
			{Class: "day:", Day: day, DayEnds: time.Now().Add(3 * time.Hour), Cost: cost, Daily: 100}}, time.Second)
		require.NoError(t, err)
		return wait
	}
	require.Zero(t, charge("2026-11-22", 99))
	require.Zero(t, charge("2026-11-22", 1))
	require.InDelta(t, 3*3600, charge("2026-11-22", 1).Seconds(), 5)
	require.Zero(t, charge("2026-11-22", -5))
	require.Zero(t, charge("2026-11-22", 5))
	require.Zero(t, charge("2026-11-23", 100))
}

func TestBlockedBudget(t *testing.T) {
	t.Parallel()
	r, conn := budgetRig(t)
	charge := []records.BudgetCharge{{Class: "", Emission: time.Millisecond, Tolerance: time.Second}}
	_, err := r.ChargeBudgets(r.ctx, r.ws, conn, charge, time.Second)
	require.NoError(t, err)
	require.NoError(t, r.BlockBudget(r.ctx, r.other, conn, "", time.Hour))
	wait, err := r.ChargeBudgets(r.ctx, r.ws, conn, charge, time.Second)
	require.NoError(t, err)
	require.Zero(t, wait)
	require.NoError(t, r.BlockBudget(r.ctx, r.ws, conn, "", time.Hour))
	require.NoError(t, r.BlockBudget(r.ctx, r.ws, conn, "", time.Minute), "a shorter one changes nothing")
	wait, err = r.ChargeBudgets(r.ctx, r.ws, conn, charge, time.Second)
	require.NoError(t, err)
	require.InDelta(t, 3600, wait.Seconds(), 5)
}

func TestTurns(t *testing.T) {
	t.Parallel()
	r, conn := budgetRig(t)
	take := func(ws, holder string) (time.Duration, bool) {
		wait, ok, err := r.TakeTurn(r.ctx, ws, conn, holder, time.Second)
		require.NoError(t, err)
		return wait, ok
	}
	_, ok := take(r.ws, "a")
	require.False(t, ok)
	require.NoError(t, r.ReserveTurn(r.ctx, r.ws, conn, "a", time.Minute))
	require.NoError(t, r.ReserveTurn(r.ctx, r.ws, conn, "b", 0))
	_, ok = take(r.other, "a")
	require.False(t, ok)
	for range 2 {
		wait, ok := take(r.ws, "a")
		require.True(t, ok)
		require.InDelta(t, 60, wait.Seconds(), 5)
	}
	wait, ok := take(r.ws, "b")
	require.True(t, ok)
	require.Zero(t, wait)
	_, ok = take(r.ws, "b")
	require.False(t, ok, "a turn is taken once")
}

func TestSlots(t *testing.T) {
	t.Parallel()
	r, conn := budgetRig(t)
	take := func(ws, holder string, lease time.Duration) bool {
		ok, err := r.TakeSlot(r.ctx, ws, conn, holder, 2, lease)
		require.NoError(t, err)
		return ok
	}
	require.False(t, take(r.other, "x", time.Minute))
	// The first time only makes the places.
	require.Eventually(t, func() bool { return take(r.ws, "a", time.Minute) }, 5*time.Second, time.Millisecond)
	require.True(t, take(r.ws, "b", -time.Second))
	require.True(t, take(r.ws, "a", time.Minute), "who has one keeps it")
	require.True(t, take(r.ws, "c", time.Minute), "b's has run out")
	require.False(t, take(r.ws, "d", time.Minute))
	require.NoError(t, r.FreeSlot(r.ctx, r.other, conn, "a"))
	require.False(t, take(r.ws, "d", time.Minute))
	require.NoError(t, r.FreeSlot(r.ctx, r.ws, conn, "a"))
	require.True(t, take(r.ws, "d", time.Minute))
	require.False(t, take(r.ws, "e", time.Minute))
}

func TestSuspension(t *testing.T) {
	t.Parallel()
	r, conn := budgetRig(t)
	fail := func() time.Duration {
		d, err := r.ConnectionFailed(r.ctx, r.ws, conn, 3, time.Hour, 3*time.Hour)
		require.NoError(t, err)
		return d
	}
	probe := func(ws string) time.Duration {
		d, err := r.ProbeConnection(r.ctx, ws, conn, time.Minute)
		require.NoError(t, err)
		return d
	}
	require.Zero(t, probe(r.ws), "not suspended")
	require.Zero(t, fail())
	require.Zero(t, fail())
	require.InDelta(t, 3600, fail().Seconds(), 5)
	require.InDelta(t, 3600, fail().Seconds(), 5, "those that were under way do not prolong it")
	require.InDelta(t, 3600, probe(r.ws).Seconds(), 5)
	health, err := r.ConnectionHealth(r.ctx, r.ws)
	require.NoError(t, err)
	require.Equal(t, 3, health[conn].Failures)
	require.InDelta(t, 3600, time.Until(health[conn].SuspendedUntil).Seconds(), 5)
	health, err = r.ConnectionHealth(r.ctx, r.other)
	require.NoError(t, err)
	require.Empty(t, health)

	expire := func() {
		_, err := r.pool.Exec(r.ctx, `update connection_health set suspended_until = now() - interval '1 second'`)
		require.NoError(t, err)
	}
	expire()
	require.Zero(t, probe(r.ws), "one may try")
	require.InDelta(t, 60, probe(r.ws).Seconds(), 5, "the others wait for it")
	require.InDelta(t, 7200, fail().Seconds(), 5, "it failed: twice as long")
	expire()
	require.Zero(t, probe(r.ws))
	require.InDelta(t, 3*3600, fail().Seconds(), 5)
	require.NoError(t, r.ConnectionWorks(r.ctx, r.other, conn))
	require.NotZero(t, probe(r.ws))
	require.NoError(t, r.ConnectionWorks(r.ctx, r.ws, conn))
	require.Zero(t, probe(r.ws))
	require.Zero(t, fail())
}
