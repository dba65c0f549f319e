package postgres

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestQuantile holds the quantiles of counts to those of the calls themselves, in order, as percentile_cont is defined.
func TestQuantile(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		calls := rapid.SliceOfN(rapid.Int64Range(0, 40), 1, 60).Draw(t, "calls")
		p := rapid.SampledFrom([]float64{0, 0.5, 0.95, 1}).Draw(t, "p")
		slices.Sort(calls)
		var counts []secondsCount
		for _, c := range calls {
			if n := len(counts); n > 0 && counts[n-1].Seconds == c {
				counts[n-1].Calls++
				continue
			}
			counts = append(counts, secondsCount{c, 1})
		}
		at := p * float64(len(calls)-1)
		low, high := float64(calls[int(math.Floor(at))]), float64(calls[int(math.Ceil(at))])
		require.InDelta(t, low+(at-math.Floor(at))*(high-low), quantile(counts, p), 1e-9)
	})
}
