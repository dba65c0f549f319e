package connectors

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

type countedFile struct {
	io.Reader
	closed *atomic.Int32
}

func (c countedFile) Close() error { c.closed.Add(1); return nil }

// What the CRM reads is what was given, whatever the names are, and the file is closed in the end.
func TestFileForm(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		length := r.ContentLength
		file, head, err := r.FormFile("file")
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		text, _ := io.ReadAll(file)
		if length >= 0 {
			w.Header().Set("Sized", "yes")
		}
		_, _ = io.WriteString(w, head.Filename+"|"+head.Header.Get("Content-Type")+"|"+r.FormValue("a")+"|"+string(text)+"|"+r.Header.Get("X-Key"))
	}))
	t.Cleanup(server.Close)
	for name, size := range map[string]int64{"known": 5, "unknown": 0} {
		var closed atomic.Int32
		f := FileForm{Part: "file", Name: "a\"\r\nX-Evil: 1\\.wav", Type: "audio/wav\r\nX-Evil: 1", Size: size, Fields: []FormField{{Name: "a", Type: "application/json", Value: "{}"}},
			Open: func(context.Context) (io.ReadCloser, error) {
				return countedFile{strings.NewReader("sound"), &closed}, nil
			}}
		resp, err := f.Post(t.Context(), server.Client(), server.URL, "CRM", http.Header{"X-Key": {"k"}})
		require.NoError(t, err, name)
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, "a___X-Evil: 1_.wav|application/octet-stream|{}|sound|k", string(text), name)
		require.Equal(t, size > 0, resp.Header.Get("Sized") == "yes", name)
		require.Positive(t, closed.Load(), name)
	}

	gone := FileForm{Part: "file", Name: "a", Open: func(context.Context) (io.ReadCloser, error) { return nil, errors.New("no such file") }}
	_, err := gone.Post(t.Context(), server.Client(), server.URL, "CRM", nil)
	require.True(t, AsError(err).NotSent)
	var closed atomic.Int32
	refused := FileForm{Part: "file", Name: "a", Open: func(context.Context) (io.ReadCloser, error) { return countedFile{strings.NewReader(""), &closed}, nil }}
	_, err = refused.Post(t.Context(), server.Client(), "http://[", "CRM", nil)
	require.Equal(t, Invalid, AsError(err).Class)
	require.EqualValues(t, 1, closed.Load())
}
