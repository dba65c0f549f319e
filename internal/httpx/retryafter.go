package httpx

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter bounds what a server may ask for: a daily quota, with room for its time zone.
const maxRetryAfter = 25 * time.Hour

// ParseRetryAfter reads a Retry-After header, seconds or an HTTP date (RFC 9110, 10.2.3; some vendors send fractions),
// clamped to what is sensible. It is false where there is none that can be read.
func ParseRetryAfter(header string, now time.Time) (time.Duration, bool) {
	header = strings.TrimSpace(header)
	if header == "" {
		return 0, false
	}
	var d time.Duration
	if s, err := strconv.ParseFloat(header, 64); err == nil {
		if math.IsNaN(s) {
			return 0, false
		}
		d = time.Duration(math.Ceil(min(max(s, 0), maxRetryAfter.Seconds()) * float64(time.Second)))
	} else if t, err := http.ParseTime(header); err == nil {
		d = t.Sub(now)
	} else {
		return 0, false
	}
	return min(max(d, 0), maxRetryAfter), true
}
