package grants

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
)

var errTooLarge = errors.New("the answer of the token endpoint is too large")

// answer is a transport that remembers what a token endpoint has said: vendors put addresses of the account beside the token.
type answer struct {
	base http.RoundTripper
	mu   sync.Mutex
	body []byte
}

func (a *answer) RoundTrip(r *http.Request) (*http.Response, error) {
	base := a.base
	if base == nil {
		base = http.DefaultTransport
	}
	resp, err := base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	resp.Body.Close()
	if err == nil && len(body) > maxAnswer {
		err = errTooLarge
	}
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.body = body
	a.mu.Unlock()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// fields are the members of the last answer, nil where it was no JSON object.
func (a *answer) fields() map[string]any {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out map[string]any
	if json.Unmarshal(a.body, &out) != nil {
		return nil
	}
	return out
}
