package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/callsync/callsync/call"
)

const (
	// usualCalls is from how many of a source's latest calls it is told what is usual, and usualEnough how many of them
	// must have an artifact for that.
	usualCalls  = 200
	usualEnough = 5
)

// UsualArrivals tells within what time of their end 9 in 10 of a source's latest calls that have an artifact had it. An
// artifact that hardly any call has is left out.
func (db *DB) UsualArrivals(ctx context.Context, workspaceID, sourceID string) (map[call.Artifact]time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	var counts [3]int64
	var seconds [3]*float64
	err := db.lookRow(ctx, `
		with newest as materialized (
			select call_id, window_base from call_list
			where workspace_id = $1 and source_id = $2 and window_base is not null order by listed_at desc, call_id desc limit $3),
		seen as (
			select n.call_id, n.window_base,
				min(id_time(e.receipt_id)) filter (where e.data @? '$.facts.recordings[*].url') as recording,
				min(id_time(e.receipt_id)) filter (where e.data @? '$.facts.transcription.text') as transcription,
				min(id_time(e.receipt_id)) filter (where e.data @? '$.facts.disposition.value') as disposition
			from newest n join events e on e.workspace_id = $1 and e.record_id = n.call_id and e.record_kind = 'call'
			group by 1, 2)
		select count(recording), count(transcription), count(disposition),
			percentile_disc(0.9) within group (order by extract(epoch from recording - window_base)::float8),
			percentile_disc(0.9) within group (order by extract(epoch from transcription - window_base)::float8),
			percentile_disc(0.9) within group (order by extract(epoch from disposition - window_base)::float8)
		from seen`, workspaceID, sourceID, usualCalls).Scan(&counts[0], &counts[1], &counts[2], &seconds[0], &seconds[1], &seconds[2])
	if err != nil {
		return nil, fmt.Errorf("tell usual arrivals: %w", timedOut(ctx, err))
	}
	out := map[call.Artifact]time.Duration{}
	for i, a := range []call.Artifact{call.ArtifactRecording, call.ArtifactTranscription, call.ArtifactDisposition} {
		if counts[i] >= usualEnough && seconds[i] != nil {
			out[a] = max(time.Duration(*seconds[i]*float64(time.Second)), 0).Round(time.Second)
		}
	}
	return out, nil
}
