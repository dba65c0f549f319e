package ingest

import (
	"context"
	"log/slog"
	"time"
)

// Partitions keeps the days of receipts.
type Partitions interface {
	// MaintainPartitions makes the days from today to ahead days on and drops those older than keep (zero: none) that
	// hold nothing that is still needed. It does nothing while another process is at it.
	MaintainPartitions(ctx context.Context, now time.Time, ahead int, keep time.Duration) error
}

// MaintainPartitions tends the days of receipts until ctx ends: at once, then every ten minutes.
func MaintainPartitions(ctx context.Context, p Partitions, keep time.Duration, log *slog.Logger) {
	const ahead = 3
	for {
		pause := 10 * time.Minute
		if err := p.MaintainPartitions(ctx, time.Now(), ahead, keep); err != nil && ctx.Err() == nil {
			// The default partition takes what has no day of its own, so nothing is lost meanwhile.
			log.Error("the partitions of receipts could not be tended", "error", err)
			pause = time.Minute
		}
		if !wait(ctx, nil, pause) {
			return
		}
	}
}
