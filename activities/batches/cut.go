package batches

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
)

// cut says that nothing more is sent for a batch: a delivery that has lost its lane must not write later.
type cut struct{ done atomic.Bool }

type cutKey struct{}

func (c *cut) set() { c.done.Store(true) }

var errCut = errors.New("one of the batch's deliveries has ended")

// Transport carries the requests of a connection over base, and refuses those of a batch that was cut off. It keeps a nil
// base nil.
func Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		return nil
	}
	return transport{base}
}

type transport struct{ base http.RoundTripper }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if isCut(r.Context()) {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, unknown(errCut)
	}
	return t.base.RoundTrip(r)
}

func isCut(ctx context.Context) bool {
	c, ok := ctx.Value(cutKey{}).(*cut)
	return ok && c.done.Load()
}
