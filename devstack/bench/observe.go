//go:build unix

package bench

import (
	"fmt"

	"github.com/jackc/pgx/v5"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/callsync/callsync/workflows"
)

// pending counts receipts that are not applied yet.
func (b *bench) pending() (n int, err error) { return b.ask(`select count(*) from inbox`) }

// unsettled counts calls that have ended and are not where they belong.
func (b *bench) unsettled() (n int, err error) {
	pending, err := b.pending()
	if err != nil {
		return 0, err
	}
	calls, err := b.ask(`select count(*) from calls where phase = 'ended' and merged_into is null and settled_revision < revision`)
	return pending + calls, err
}

func (b *bench) ask(sql string) (n int, err error) {
	conn, err := pgx.Connect(b.ctx, b.stack.DatabaseURL)
	if err != nil {
		return 0, err
	}
	defer conn.Close(b.ctx)
	err = conn.QueryRow(b.ctx, sql).Scan(&n)
	return n, err
}

// temporalCost reads from the history of the newest call what it used of Temporal, so that the floor uses the same.
func (b *bench) temporalCost(cl client.Client) (TemporalCost, error) {
	var c TemporalCost
	conn, err := pgx.Connect(b.ctx, b.stack.DatabaseURL)
	if err != nil {
		return c, err
	}
	defer conn.Close(b.ctx)
	var workspace, source, id string
	if err := conn.QueryRow(b.ctx, `select workspace_id, source_id, id from calls where phase = 'ended' order by id desc limit 1`).Scan(&workspace, &source, &id); err != nil {
		return c, fmt.Errorf("find a call: %w", err)
	}
	events := cl.GetWorkflowHistory(b.ctx, workflows.CallSyncID(workspace, source, id), "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			return c, fmt.Errorf("read a history: %w", err)
		}
		switch e.EventType {
		case enums.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
			c.Signals++
		case enums.EVENT_TYPE_TIMER_STARTED:
			c.Timers++
		case enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
			c.Activities++
		}
	}
	return c, nil
}
