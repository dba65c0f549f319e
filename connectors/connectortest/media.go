package connectortest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
)

// recordingSize is more than what the sockets between client and server hold.
const recordingSize = 12 << 20

// recording is a WAV file without sound. It gives its second half only when the server has seen some of the first, so
// that a connector which holds it whole is found out.
type recording struct {
	*bytes.Reader
	ctx   context.Context
	seen  *atomic.Int64
	given int
	held  *atomic.Bool
}

func wav(size int) []byte {
	b := make([]byte, size)
	copy(b, "RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00data")
	for i := 44; i < size; i++ {
		b[i] = byte(i * 31)
	}
	return b
}

func (r *recording) Read(p []byte) (int, error) {
	if r.given > recordingSize/2 && !r.held.Load() {
		deadline := time.Now().Add(5 * time.Second)
		for r.seen.Load() == 0 && time.Now().Before(deadline) && r.ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		if r.seen.Load() == 0 {
			r.held.Store(true)
		}
	}
	n, err := r.Reader.Read(p[:min(len(p), 64<<10)])
	r.given += n
	return n, err
}

func (r *recording) Close() error { return nil }

// WriteTo hides that of bytes.Reader, which would give all at once.
func (r *recording) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{r})
}

type watched struct {
	io.ReadCloser
	seen *atomic.Int64
}

func (w watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	w.seen.Add(int64(n))
	return n, err
}

// testRecordings uploads a recording twice, after an answer that was lost, and one that is too large.
func testRecordings(t *testing.T, target Target) {
	crm := target.New(t)
	var seen atomic.Int64
	var watching, drop atomic.Bool
	session := serve(t, target, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if watching.Load() && r.ContentLength != 0 && target.isChange(r) && !strings.Contains(r.Header.Get("Content-Type"), "json") {
			r.Body = watched{r.Body, &seen}
		}
		if drop.Load() && target.isChange(r) {
			drop.Store(false)
			crm.Handler.ServeHTTP(discard{http.Header{}}, r)
			panic(http.ErrAbortHandler)
		}
		crm.Handler.ServeHTTP(w, r)
	}))
	uploader, ok := session.(connectors.RecordingUploader)
	if !ok {
		t.Skip("the connector uploads no recordings")
	}
	need(t, crm.Recordings != nil)
	var party connectors.Ref
	if crm.AddContact != nil {
		party = crm.AddContact(connectors.ObjectContact, "Ada", "+14155550188")
	}
	content := wav(recordingSize)
	upload := func(key, callKey string) connectors.RecordingUpload {
		out, err := session.WriteCall(t.Context(), target.Write(callKey, "", "x", noon))
		require.NoError(t, err)
		return connectors.RecordingUpload{Key: key, CallID: out.RemoteID, Party: party, Name: orDefault(target.UploadName, "call.wav"),
			ContentType: orDefault(target.UploadType, "audio/wav"), Size: recordingSize}
	}
	var held atomic.Bool
	stream := func(ctx context.Context) (io.ReadCloser, error) {
		return &recording{Reader: bytes.NewReader(content), ctx: ctx, seen: &seen, held: &held}, nil
	}
	if target.Buffered {
		stream = func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
	}
	u := upload("rec-1", "key")
	u.Open = stream
	watching.Store(true)
	_, err := uploader.UploadRecording(t.Context(), u)
	require.NoError(t, err)
	require.False(t, held.Load(), "the recording was held in memory: the server saw nothing before half of it was read")
	require.Len(t, crm.Recordings("key"), 1)
	require.True(t, bytes.Equal(content, crm.Recordings("key")[0]), "the bytes arrived as they are")
	watching.Store(false)
	plain := func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
	u.Open = plain
	_, err = uploader.UploadRecording(t.Context(), u)
	require.NoError(t, err, "a file that is there already is a success")
	require.Len(t, crm.Recordings("key"), 1)

	u = upload("rec-2", "key-2")
	u.Open = plain
	drop.Store(true)
	_, err = uploader.UploadRecording(t.Context(), u)
	e := classOf(t, target, err)
	require.True(t, e.Class.Retryable(), "%v", err)
	_, err = uploader.UploadRecording(t.Context(), u)
	require.NoError(t, err)
	require.Len(t, crm.Recordings("key-2"), 1, "one file after an answer that was lost")

	u = upload("rec-3", "key-3")
	u.Size = target.Connector.Info().MaxUpload + 1
	u.Open = func(context.Context) (io.ReadCloser, error) { return nil, fmt.Errorf("it was opened") }
	_, err = uploader.UploadRecording(t.Context(), u)
	e = classOf(t, target, err)
	require.False(t, e.Class.Retryable(), "a recording that is too large: %v", err)
	require.Empty(t, crm.Recordings("key-3"))
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// testTranscriptions writes a transcription twice.
func testTranscriptions(t *testing.T, target Target) {
	crm := target.New(t)
	session := serve(t, target, crm.Handler)
	writer, ok := session.(connectors.TranscriptionWriter)
	if !ok {
		t.Skip("the CRM has no place of its own for transcriptions")
	}
	need(t, crm.Transcriptions != nil)
	call, err := session.WriteCall(t.Context(), target.Write("key", "", "x", noon))
	require.NoError(t, err)
	const text = "Hello, <b>this</b> is Ada.\nHow can I help? 漢字 🎧"
	w := connectors.TranscriptionWrite{Key: "t-1", CallID: call.RemoteID, Text: text, StartedAt: noon, Duration: 205 * time.Second, Customer: "Ada", Agent: "Grace"}
	out, err := writer.WriteTranscription(t.Context(), w)
	require.NoError(t, err)
	require.Len(t, crm.Transcriptions("key"), 1)
	require.Contains(t, crm.Transcriptions("key")[0], "this")
	w.RemoteID, w.Text = out.RemoteID, text+" Good bye."
	_, err = writer.WriteTranscription(t.Context(), w)
	require.NoError(t, err)
	require.Len(t, crm.Transcriptions("key"), 1, "one transcription")
	require.Contains(t, crm.Transcriptions("key")[0], "Good bye.")
}
