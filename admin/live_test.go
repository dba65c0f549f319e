package admin_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/admin"
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/records"
)

// liveCall stores a call that has begun some seconds ago.
func (f *fixture) liveCall(ws, source, name string, kind call.Kind, ago int, facts call.Facts) string {
	f.t.Helper()
	facts.Customer.Name = name
	return f.tell(ws, story{source: source, receipts: []said{{kind: kind, at: f.clock().Add(-time.Duration(ago) * time.Second), facts: facts}}})
}

// hangUp ends a call as the pipeline would, and tells of it.
func (f *fixture) hangUp(ids ...string) {
	f.t.Helper()
	f.exec(`update calls set phase = 'ended', state = state - 'live' || '{"phase": "ended"}' where id = any($1::uuid[])`, ids)
	f.notify(f.ws)
}

func (f *fixture) notify(ws string) { f.exec(`select pg_notify('callsync_live', $1)`, ws) }

// watcher reads a stream of live calls.
type watcher struct {
	t      *testing.T
	resp   *http.Response
	lines  chan string
	cancel context.CancelFunc
}

func (f *fixture) watch(header ...string) *watcher {
	f.t.Helper()
	ctx, cancel := context.WithCancel(f.t.Context())
	f.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.http.URL+"/api/v1/live", nil)
	require.NoError(f.t, err)
	req.Header.Set("Authorization", "Bearer "+f.token)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(f.t, err)
	w := &watcher{t: f.t, resp: resp, lines: make(chan string, 1000), cancel: cancel}
	go func() {
		defer close(w.lines)
		defer resp.Body.Close()
		in := bufio.NewScanner(resp.Body)
		in.Buffer(nil, 64<<20)
		for in.Scan() {
			w.lines <- in.Text()
		}
	}()
	return w
}

// line is the next line of the stream; false at its end.
func (w *watcher) line() (string, bool) {
	w.t.Helper()
	select {
	case l, ok := <-w.lines:
		return l, ok
	case <-time.After(20 * time.Second):
		w.t.Fatal("the stream says nothing")
	}
	return "", false
}

// ends waits for the stream's end.
func (w *watcher) ends() {
	w.t.Helper()
	for ok := true; ok; {
		_, ok = w.line()
	}
}

type liveEvent struct {
	Name, ID string
	Items    []admin.LiveItem
	Changed  []admin.LiveItem
	Gone     []string
	More     int64
}

func (w *watcher) event() liveEvent {
	w.t.Helper()
	var e liveEvent
	for {
		l, ok := w.line()
		require.True(w.t, ok, "the stream has ended")
		name, value, _ := strings.Cut(l, ": ")
		switch name {
		case "event":
			e.Name = value
		case "id":
			e.ID = value
		case "data":
			require.NoError(w.t, json.Unmarshal([]byte(value), &e))
		case "":
			if e.Name != "" {
				return e
			}
		}
	}
}

func names(items []admin.LiveItem) string {
	var out []string
	for _, i := range items {
		out = append(out, fmt.Sprintf("%s %s", i.Customer.Name, i.State))
	}
	return strings.Join(out, ", ")
}

func TestLiveStream(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(d *admin.Deps) { d.Live.Beat = 50 * time.Millisecond })
	source := f.newSource().JSON["id"].(string)
	ann := f.liveCall(f.ws, source, "Ann", call.CallAnswered, 60, call.Facts{Direction: call.Inbound, BusinessNumber: "+13105550100", Agents: []call.Agent{{Name: "Bo", Status: call.AgentAnswered}}})
	cy := f.liveCall(f.ws, source, "Cy", call.CallRouted, 30, call.Facts{Queue: "Support"})

	// One answer for who asks for JSON.
	r := f.must(200, "GET", "/live", "")
	require.Equal(t, "application/json", r.Header.Get("Content-Type"))
	require.Len(t, r.items(), 2)
	require.EqualValues(t, 0, r.JSON["more"])
	item := r.items()[1].(map[string]any)
	require.Equal(t, ann, item["id"])
	require.Equal(t, "Main office", item["source"])
	require.Equal(t, "callrail", item["provider"])
	require.Equal(t, "talking", item["state"])
	require.Equal(t, "inbound", item["direction"])
	require.Equal(t, "+13105550100", item["business_number"])
	require.Equal(t, "Bo", item["agents"].([]any)[0].(map[string]any)["name"])
	since, err := time.Parse(time.RFC3339, item["since"].(string))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(-time.Minute), since, 10*time.Second)

	w := f.watch("Accept", "text/event-stream")
	require.Equal(t, 200, w.resp.StatusCode)
	require.Equal(t, "text/event-stream; charset=utf-8", w.resp.Header.Get("Content-Type"))
	require.Equal(t, "no", w.resp.Header.Get("X-Accel-Buffering"))
	first := w.event()
	require.Equal(t, "snapshot", first.Name)
	require.Equal(t, "Cy waiting, Ann talking", names(first.Items), "who waits comes first")

	// What changes comes at once, alone.
	dee := f.liveCall(f.ws, source, "Dee", call.CallRinging, 0, call.Facts{})
	f.notify(f.ws)
	e := w.event()
	require.Equal(t, "change", e.Name)
	require.Equal(t, "Dee ringing", names(e.Changed))
	require.Empty(t, e.Gone)
	require.NotEqual(t, first.ID, e.ID)
	f.hangUp(cy, dee)
	e = w.event()
	require.Empty(t, e.Changed)
	require.ElementsMatch(t, []string{cy, dee}, e.Gone)
	// News that are none are not sent on; the stream only says that it is alive.
	f.notify(f.ws)
	for {
		l, _ := w.line()
		require.False(t, strings.HasPrefix(l, "event"), l)
		if l == ": still here" {
			break
		}
	}

	// Who comes back gets all anew, wherever they were.
	back := f.watch("Last-Event-ID", e.ID).event()
	require.Equal(t, "snapshot", back.Name)
	require.Equal(t, "Ann talking", names(back.Items))

	// Lost notifications are made good.
	f.liveCall(f.ws, source, "Eve", call.CallRinging, 0, call.Facts{})
	require.Equal(t, "Eve ringing", names(w.event().Changed))
}

func TestLiveStreamsEnd(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(d *admin.Deps) { d.Live.Check = 50 * time.Millisecond })
	require.Equal(t, 401, f.as("", "GET", "/api/v1/live", "").Status)

	// With their token ...
	token := secretbox.NewToken()
	tokenID := id()
	require.NoError(t, f.db.CreateAPIToken(t.Context(), records.APIToken{ID: tokenID, WorkspaceID: f.ws, Name: "board", Hash: secretbox.HashToken(token)}))
	w := f.watch("Authorization", "Bearer "+token)
	require.Equal(t, "snapshot", w.event().Name)
	f.must(204, "DELETE", "/tokens/"+tokenID, "")
	w.ends()

	// ... with their session ...
	f.user(f.ws, "anna@example.com", "Anna", "viewer")
	client := f.signIn("anna@example.com")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.http.URL+"/api/v1/live", nil)
	require.NoError(t, err)
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, 200, resp.StatusCode)
	f.exec(`delete from sessions`)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err, "the stream ends in order")

	// ... and with the process.
	w = f.watch()
	require.Equal(t, "snapshot", w.event().Name)
	f.handler.EndStreams()
	w.ends()
	require.Equal(t, 503, f.watch().resp.StatusCode)
}

func TestLiveStreamsAreBounded(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(d *admin.Deps) { d.Live.Streams, d.Live.WorkspaceStreams = 3, 2 })
	other := id()
	require.NoError(t, f.db.CreateWorkspace(t.Context(), records.Workspace{ID: other, Name: "Beta"}))
	stranger := []string{"Authorization", "Bearer " + f.newToken(other)}
	mine := f.watch()
	mine.event()
	f.watch().event()
	require.Equal(t, 503, f.watch().resp.StatusCode, "no more of one workspace")
	f.watch(stranger...).event()
	require.Equal(t, 503, f.watch(stranger...).resp.StatusCode, "no more of all")
	mine.cancel()
	require.Eventually(t, func() bool {
		w := f.watch()
		defer w.cancel()
		return w.resp.StatusCode == 200
	}, 20*time.Second, 50*time.Millisecond, "whoever leaves makes room")
}

// A reader who does not read holds up nobody: the others go on, and it is let go after a while.
func TestLiveStreamOfASlowReader(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(d *admin.Deps) {
		d.Live.Every, d.Live.Patience, d.Live.Streams = time.Millisecond, time.Second, 2
	})
	source := f.newSource().JSON["id"].(string)
	// Little room on the way, so that it is soon full: the system would hold megabytes for who does not read.
	const room = 4 << 10
	narrow := httptest.NewUnstartedServer(f.handler)
	narrow.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		require.NoError(t, c.(*net.TCPConn).SetWriteBuffer(room))
		return ctx
	}
	narrow.Start()
	t.Cleanup(narrow.Close)
	conn, err := net.Dial("tcp", narrow.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.(*net.TCPConn).SetReadBuffer(room))
	_, err = fmt.Fprintf(conn, "GET /api/v1/live HTTP/1.1\r\nHost: callsync\r\nAuthorization: Bearer %s\r\n\r\n", f.token)
	require.NoError(t, err)
	status, err := bufio.NewReaderSize(conn, 16).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, status, "200 OK")
	// From here on nobody reads.
	w := f.watch()
	w.event()
	long := strings.Repeat("x", 200_000)
	for i := range 5 {
		f.liveCall(f.ws, source, fmt.Sprint(i, long), call.CallRinging, 0, call.Facts{})
		f.notify(f.ws)
		require.NotEmpty(t, w.event().Name)
	}
	require.Eventually(t, func() bool {
		w := f.watch()
		defer w.cancel()
		return w.resp.StatusCode == 200
	}, 20*time.Second, 50*time.Millisecond, "its place is free again")
}

func TestLivePage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna", "viewer")
	client := f.signIn("anna@example.com")
	require.Contains(t, f.get(client, "/live").Raw, "Add a source")
	source := f.newSource().JSON["id"].(string)
	require.Contains(t, f.get(client, "/live").Raw, "Nobody is on the phone")
	require.Contains(t, f.get(client, "/live").Raw, `aria-current="page">Live`)
	agents := func(s call.AgentStatus, names ...string) (out []call.Agent) {
		for _, n := range names {
			out = append(out, call.Agent{Name: n, Status: s})
		}
		return out
	}
	f.liveCall(f.ws, source, `<script>alert(1)</script>`+"\u202e", call.CallAgentDialed, 5, call.Facts{Direction: call.Inbound, Department: "Sales", Queue: "sales", Agents: agents(call.AgentDialed, "Al", "Bo", "Cy", "Di")})
	f.liveCall(f.ws, source, "Ann", call.CallRouted, 5, call.Facts{Direction: call.Outbound, Agents: agents(call.AgentAnswered, "Eve")})
	f.liveCall(f.ws, source, "Ben", call.CallAnswered, 3725, call.Facts{Agents: agents(call.AgentAnswered, "Fay")})
	page := f.get(client, "/live/rows").Raw
	require.NotContains(t, page, "<html")
	require.NotContains(t, page, "<script>alert")
	require.Contains(t, page, "2 ringing")
	require.Contains(t, page, "rings at Al, Bo, Cy and 1 more")
	require.Contains(t, page, ">Eve<", "an outgoing call is not waiting for our agent")
	require.Contains(t, page, ">Sales<", "the same name is shown once")
	require.Contains(t, page, ">1:02:0")

	// A board shows 500 calls and says how many more there are.
	f.exec(`insert into calls (id, workspace_id, source_id, state, phase) select gen_random_uuid(), $1, $2, '{}', 'live' from generate_series(1, 600)`, f.ws, source)
	require.Contains(t, f.get(client, "/live").Raw, "and 103 more that are not shown")
	require.EqualValues(t, 103, f.must(200, "GET", "/live", "").JSON["more"])
}
