package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// apiClient speaks the JSON API of a running callsync.
type apiClient struct {
	// base is where callsync is, without a slash at its end.
	base, token string
}

// do sends in as JSON (nothing if it is nil) to a path below /api/v1 and reads the answer into out. Its errors are
// exitErrors that say what to do; none has the token.
func (c *apiClient) do(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+"/api/v1"+path, body)
	if err != nil {
		return &exitError{exitUsage, "the address of callsync is no URL"}
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		if inner := (*url.Error)(nil); errors.As(err, &inner) {
			err = inner.Err // the URL stands in the sentence
		}
		return &exitError{exitFailed, fmt.Sprintf("callsync does not answer at %s: %v. Is it running there? --url or CALLSYNC_PUBLIC_URL says where it is", c.base, err)}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return &exitError{exitFailed, fmt.Sprintf("the answer of %s broke off: %v", c.base, err)}
	}
	if resp.StatusCode/100 != 2 {
		return c.refused(resp.StatusCode, text)
	}
	if err := json.Unmarshal(text, out); err != nil {
		return &exitError{exitFailed, fmt.Sprintf("what answers at %s is not callsync's API: %v", c.base, err)}
	}
	return nil
}

func (c *apiClient) refused(status int, text []byte) error {
	var problem struct{ Detail string }
	_ = json.Unmarshal(text, &problem) // what is not ours has no detail
	switch {
	case status == http.StatusUnauthorized:
		return &exitError{exitFailed, "callsync does not accept this token. Give a valid one with --token or CALLSYNC_ADMIN_TOKEN; they are made by POST /api/v1/tokens"}
	case problem.Detail != "":
		return &exitError{exitFailed, fmt.Sprintf("callsync refused this with status %d: %s", status, problem.Detail)}
	}
	return &exitError{exitFailed, fmt.Sprintf("what answers at %s is not callsync's API: it answered %d", c.base, status)}
}
