//go:build unix

package bench

import (
	"bytes"
	"compress/gzip"
	"context"
	_ "embed"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/admin"
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/hubspot"
	"github.com/callsync/callsync/connectors/salesforce"
	"github.com/callsync/callsync/internal/pglocal"
	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/postgres"
	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/callrail"
)

// listRows makes the database of the step lists.
//
//go:embed lists.sql
var listRows string

const (
	// listCalls is how many calls there are.
	listCalls = 1_000_000
	// listRuns is how often each query runs for its median, after the first time.
	listRuns = 9
)

// plain stands for the sealer: nothing in this database is sealed.
type plain struct{}

func (plain) Seal(b []byte, _ string) ([]byte, error) { return b, nil }
func (plain) Open(b []byte, _ string) ([]byte, error) { return b, nil }

// lists measures lists, searches and figures at a million calls, the first time on a server that has just been started
// and then again; it writes the plans beside. BENCH_DIR keeps the database there for another run, which spares the
// half hour or so that making it takes.
func (b *bench) lists() error {
	dir := os.Getenv("BENCH_DIR")
	if dir == "" {
		dir = filepath.Join(os.TempDir(), "callsync-bench-lists")
		defer os.RemoveAll(dir)
	}
	server, err := pglocal.Start(b.ctx, pglocal.Options{Dir: dir, SharedBuffers: "256MB"})
	if err != nil {
		return err
	}
	defer func() { _ = server.Stop() }()
	calls := b.count(listCalls)
	name := fmt.Sprintf("lists_%d", calls)
	if err := b.makeLists(server, name, calls); err != nil {
		return err
	}
	// What was just made is in the server's memory; the first time means after a start.
	if err := server.Stop(); err != nil {
		return err
	}
	if server, err = pglocal.Start(b.ctx, pglocal.Options{Dir: dir, SharedBuffers: "256MB"}); err != nil {
		return err
	}
	return b.measureLists(server.URL(name), server.LogFile())
}

// makeLists makes the database unless it is there.
func (b *bench) makeLists(server *pglocal.Server, name string, calls int) error {
	if conn, err := pgx.Connect(b.ctx, server.URL(name)); err == nil {
		var n int
		err := conn.QueryRow(b.ctx, "select count(*) from receipt_hours").Scan(&n)
		_ = conn.Close(b.ctx)
		if err == nil && n > 0 {
			b.say("lists: %s is there", name)
			return nil
		}
		return fmt.Errorf("the database %s in %s is not whole: remove the folder", name, server.Dir)
	}
	b.say("lists: making %d calls, their receipts, events and deliveries", calls)
	if err := server.CreateDatabase(b.ctx, name); err != nil {
		return err
	}
	if _, _, err := postgres.Migrate(b.ctx, server.URL(name)); err != nil {
		return err
	}
	conn, err := pgx.Connect(b.ctx, server.URL(name))
	if err != nil {
		return err
	}
	defer conn.Close(b.ctx)
	rows, _, _ := strings.Cut(strings.ReplaceAll(listRows, "{calls}", strconv.Itoa(calls)), "vacuum analyze;")
	if _, err := conn.Exec(b.ctx, rows); err != nil {
		return err
	}
	_, err = conn.Exec(b.ctx, "vacuum analyze")
	return err
}

// listCase is one thing to measure.
type listCase struct {
	name string
	run  func(context.Context, *postgres.DB) (rows int, err error)
}

func (b *bench) measureLists(address, logFile string) error {
	db, err := postgres.Open(b.ctx, address, plain{}, postgres.Options{MaxConns: 4})
	if err != nil {
		return err
	}
	defer db.Close()
	// Plans come from auto_explain, so that they are those of the statements as they are.
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	q := u.Query()
	for name, value := range map[string]string{"session_preload_libraries": "auto_explain", "auto_explain.log_min_duration": "0", "auto_explain.log_analyze": "on", "auto_explain.log_buffers": "on"} {
		q.Set(name, value)
	}
	u.RawQuery = q.Encode()
	explained, err := postgres.Open(b.ctx, u.String(), plain{}, postgres.Options{MaxConns: 1})
	if err != nil {
		return err
	}
	defer explained.Close()
	ids, err := b.listIDs(address)
	if err != nil {
		return err
	}
	plans, err := os.Create(filepath.Join(filepath.Dir(logFile), "plans.txt"))
	if err != nil {
		return err
	}
	defer plans.Close()
	fmt.Fprintf(b.Out, "| query | rows | first, ms | median of %d, ms | database, ms | statements | buffers |\n|---|---|---|---|---|---|---|\n", listRuns)
	for _, c := range listCases(ids) {
		first, rows, err := timed(b.ctx, db, c)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		all := make([]time.Duration, listRuns)
		for i := range all {
			if all[i], _, err = timed(b.ctx, db, c); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
		slices.Sort(all)
		info, err := os.Stat(logFile)
		if err != nil {
			return err
		}
		if _, _, err = timed(b.ctx, explained, c); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		time.Sleep(200 * time.Millisecond) // the server writes its log when it likes
		text, err := readFrom(logFile, info.Size())
		if err != nil {
			return err
		}
		spent, statements, buffers := readPlans(text)
		fmt.Fprintf(plans, "==== %s\n%s\n", c.name, text)
		fmt.Fprintf(b.Out, "| %s | %d | %.1f | %.1f | %.1f | %d | %d |\n", c.name, rows, ms(first), ms(all[len(all)/2]), spent, statements, buffers)
	}
	b.say("lists: the plans are in %s", plans.Name())
	return b.pages(db, ids)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func timed(ctx context.Context, db *postgres.DB, c listCase) (time.Duration, int, error) {
	began := time.Now()
	rows, err := c.run(ctx, db)
	return time.Since(began), rows, err
}

func readFrom(name string, offset int64) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return "", err
	}
	text, err := io.ReadAll(f)
	return string(text), err
}

var (
	planDuration = regexp.MustCompile(`duration: ([0-9.]+) ms  plan:`)
	planBuffers  = regexp.MustCompile(`^\s+Buffers: shared (?:hit=(\d+))?\s*(?:read=(\d+))?`)
)

// readPlans sums up the statements of a log: their time, with that of the measuring of each step, and the pages of the
// outermost step of each.
func readPlans(text string) (ms float64, statements int, buffers int64) {
	counted := true
	for line := range strings.Lines(text) {
		if m := planDuration.FindStringSubmatch(line); m != nil {
			d, _ := strconv.ParseFloat(m[1], 64)
			ms, statements, counted = ms+d, statements+1, false
		}
		if m := planBuffers.FindStringSubmatch(line); m != nil && !counted {
			hit, _ := strconv.ParseInt(m[1], 10, 64)
			read, _ := strconv.ParseInt(m[2], 10, 64)
			buffers, counted = buffers+hit+read, true
		}
	}
	return ms, statements, buffers
}

// listIDs are what the cases are about.
type listIDs struct {
	big, small, few   string
	source, hubspot   string
	call, busy, ident string
	deep              records.Cursor
}

func (b *bench) listIDs(address string) (ids listIDs, err error) {
	conn, err := pgx.Connect(b.ctx, address)
	if err != nil {
		return ids, err
	}
	defer conn.Close(b.ctx)
	var workspaces []string
	if err = conn.QueryRow(b.ctx, `select array_agg(workspace_id::text order by n desc) from (select workspace_id, count(*) as n from call_list group by 1) w`).Scan(&workspaces); err != nil {
		return ids, err
	}
	ids.big, ids.small, ids.few = workspaces[0], workspaces[3], workspaces[6]
	if err = conn.QueryRow(b.ctx, `select source_id from call_list where workspace_id = $1 group by 1 order by count(*) limit 1`, ids.big).Scan(&ids.source); err != nil {
		return ids, err
	}
	if err = conn.QueryRow(b.ctx, `select id from connections where workspace_id = $1 and connector = 'hubspot'`, ids.big).Scan(&ids.hubspot); err != nil {
		return ids, err
	}
	if err = conn.QueryRow(b.ctx, `select c.id, c.customer_number, c.state ->> 'provider_call_id' from calls c where c.workspace_id = $1 and c.customer_number not like '+442079460%' order by c.id offset 1000 limit 1`, ids.big).Scan(&ids.call, &ids.busy, &ids.ident); err != nil {
		return ids, err
	}
	err = conn.QueryRow(b.ctx, `select listed_at, call_id from call_list where workspace_id = $1 order by listed_at desc, call_id desc offset (select count(*) * 9 / 10 from call_list where workspace_id = $1) limit 1`, ids.big).Scan(&ids.deep.At, &ids.deep.ID)
	return ids, err
}

func listCases(ids listIDs) []listCase {
	list := func(name, workspace string, f records.CallFilter) listCase {
		f.Limit = 50
		return listCase{name, func(ctx context.Context, db *postgres.DB) (int, error) {
			p, err := db.SearchCalls(ctx, workspace, f)
			return len(p.Items), err
		}}
	}
	receipts := func(name, workspace string, f records.ReceiptFilter) listCase {
		f.Limit = 50
		return listCase{name, func(ctx context.Context, db *postgres.DB) (int, error) {
			p, err := db.ReceiptsPage(ctx, workspace, f)
			return len(p), err
		}}
	}
	stats := func(name, workspace string, span time.Duration) listCase {
		return listCase{name, func(ctx context.Context, db *postgres.DB) (int, error) {
			now := time.Now().UTC()
			s, err := db.Stats(ctx, workspace, now.Add(-span), now)
			return int(s.Calls), err
		}}
	}
	now := time.Now()
	out := []listCase{
		list("calls, newest", ids.big, records.CallFilter{}),
		list("calls, page at nine tenths", ids.big, records.CallFilter{Before: ids.deep}),
		list("calls of a workspace with 40", ids.few, records.CallFilter{}),
		list("on hold (1,200)", ids.big, records.CallFilter{State: records.CallOnHold}),
		list("on hold, workspace with 40 (none)", ids.few, records.CallFilter{State: records.CallOnHold}),
		list("waiting (none)", ids.big, records.CallFilter{State: records.CallWaiting}),
		list("live", ids.big, records.CallFilter{State: records.CallLive}),
		list("synced (95 of 100)", ids.big, records.CallFilter{State: records.CallSynced}),
		list("skipped (25 of 1,000)", ids.big, records.CallFilter{State: records.CallSkipped}),
		list("a source with 1 of 1,000 calls", ids.big, records.CallFilter{SourceID: ids.source}),
		list("a connection", ids.big, records.CallFilter{ConnectionID: ids.hubspot}),
		list("on hold for a connection", ids.big, records.CallFilter{ConnectionID: ids.hubspot, LaneState: records.DeliveryParked}),
		list("a connection that has none", ids.big, records.CallFilter{ConnectionID: uuid.NewString()}),
		list("failed calls (3 of 10,000)", ids.big, records.CallFilter{Status: call.Failed}),
		list("outbound", ids.big, records.CallFilter{Direction: call.Outbound}),
		list("recording overdue", ids.big, records.CallFilter{Recording: call.Overdue}),
		list("recording expected (hardly any)", ids.big, records.CallFilter{Recording: call.Expected}),
		list("recording arrived, missed (none)", ids.big, records.CallFilter{Recording: call.Arrived, Status: call.Missed}),
		list("a week, long ago", ids.big, records.CallFilter{From: now.AddDate(0, 0, -60), To: now.AddDate(0, 0, -53)}),
		list("search: a number", ids.big, records.CallFilter{Query: ids.busy}),
		list("search: a number as people write it", ids.big, records.CallFilter{Query: "0" + ids.busy[3:7] + " " + ids.busy[7:]}),
		list("search: its last 4 digits", ids.big, records.CallFilter{Query: ids.busy[len(ids.busy)-4:]}),
		list("search: a number with 5 of 100 calls", ids.big, records.CallFilter{Query: "020 7946 0001"}),
		list("search: the beginning of most numbers", ids.big, records.CallFilter{Query: "+4477"}),
		list("search: a number that nobody has", ids.big, records.CallFilter{Query: "+15550100999"}),
		list("search: a common name", ids.big, records.CallFilter{Query: "maria"}),
		list("search: two common words", ids.big, records.CallFilter{Query: "garcia josé"}),
		list("search: a rare name", ids.big, records.CallFilter{Query: "quartz1234"}),
		list("search: a name of 1 of 50 calls", ids.big, records.CallFilter{Query: "quartz"}),
		list("search: one letter", ids.big, records.CallFilter{Query: "m"}),
		list("search: a name that nobody has", ids.big, records.CallFilter{Query: "rumpelstiltskin"}),
		list("search: an agent", ids.big, records.CallFilter{Query: "agent17@example.com"}),
		list("search: the phone system's id", ids.big, records.CallFilter{Query: ids.ident}),
		list("search: our id", ids.big, records.CallFilter{Query: ids.call}),
		list("search: a common name, on hold", ids.big, records.CallFilter{Query: "maria", State: records.CallOnHold}),
		list("search: a common name, failed calls", ids.big, records.CallFilter{Query: "maria", Status: call.Failed}),
		list("search: a common name, workspace with 40", ids.few, records.CallFilter{Query: "maria"}),
		list("search: another workspace's number (none)", ids.few, records.CallFilter{Query: ids.busy}),
		{"holds, grouped", func(ctx context.Context, db *postgres.DB) (int, error) {
			h, err := db.Holds(ctx, ids.big)
			return len(h), err
		}},
		receipts("receipts, newest", ids.big, records.ReceiptFilter{}),
		receipts("receipts of a source", ids.big, records.ReceiptFilter{SourceID: ids.source}),
		receipts("receipts, quarantined", ids.big, records.ReceiptFilter{State: records.ReceiptQuarantined}),
		receipts("receipts, rejected (none)", ids.big, records.ReceiptFilter{State: records.ReceiptRejected}),
		receipts("receipts, ignored", ids.big, records.ReceiptFilter{State: "ignored"}),
		receipts("receipts, pending (none)", ids.big, records.ReceiptFilter{State: "pending"}),
		receipts("receipts of a workspace with 40 calls", ids.few, records.ReceiptFilter{}),
		{"text messages", func(ctx context.Context, db *postgres.DB) (int, error) {
			m, err := db.MessagesPage(ctx, ids.big, records.RecordFilter{Limit: 51})
			return len(m), err
		}},
		stats("figures of an hour", ids.big, time.Hour),
		stats("figures of a day", ids.big, 24*time.Hour),
		stats("figures of 7 days", ids.big, 7*24*time.Hour),
		stats("figures of 30 days", ids.big, 30*24*time.Hour),
		stats("figures of 30 days, workspace with 40", ids.few, 30*24*time.Hour),
		{"live calls", func(ctx context.Context, db *postgres.DB) (int, error) {
			l, _, err := db.LiveCalls(ctx, ids.big, 200)
			return len(l), err
		}},
		{"a call: row, events, receipts, deliveries", func(ctx context.Context, db *postgres.DB) (int, error) {
			if _, err := db.CallDetail(ctx, ids.big, ids.call); err != nil {
				return 0, err
			}
			if _, err := db.EventsOfCall(ctx, ids.big, ids.call); err != nil {
				return 0, err
			}
			if _, err := db.ReceiptsOfCall(ctx, ids.big, ids.call); err != nil {
				return 0, err
			}
			d, err := db.DeliveriesOfCall(ctx, ids.big, ids.call)
			return len(d), err
		}},
		{"count before a retry of all on hold", func(ctx context.Context, db *postgres.DB) (int, error) {
			n, err := db.CountCalls(ctx, ids.big, records.CallFilter{State: records.CallOnHold}, 10_000)
			return int(n.Calls), err
		}},
		{"count before a retry of everything", func(ctx context.Context, db *postgres.DB) (int, error) {
			n, err := db.CountCalls(ctx, ids.big, records.CallFilter{}, 10_000)
			return int(n.Calls), err
		}},
	}
	return out
}

// nothing does nothing where the pages would do something.
type nothing struct{}

func (nothing) SyncNow(context.Context, string, string, []string) error { return nil }
func (nothing) Replay(context.Context, string, string) error            { return nil }
func (nothing) Recent(context.Context, records.SchemaKey, time.Duration) (records.SchemaSnapshot, string, error) {
	return records.SchemaSnapshot{}, "", nil
}
func (nothing) Read(context.Context, records.SchemaKey) (records.SchemaSnapshot, error) {
	return records.SchemaSnapshot{}, nil
}
func (nothing) Compare(context.Context, records.SchemaKey) error { return nil }

// pages measures the pages on the same database: the time of the server, the database included, and their weights.
func (b *bench) pages(db *postgres.DB, ids listIDs) error {
	token := secretbox.NewToken()
	if err := db.CreateAPIToken(b.ctx, records.APIToken{ID: uuid.Must(uuid.NewV7()).String(), WorkspaceID: ids.big, Name: "bench", Hash: secretbox.HashToken(token)}); err != nil {
		return err
	}
	h, err := admin.New(admin.Deps{Store: db, Providers: telephony.NewRegistry(callrail.New()), Connectors: connectors.NewRegistry(hubspot.New(), salesforce.New()),
		Replayer: nothing{}, Resyncer: nothing{}, Hooks: http.NotFoundHandler(), Schemas: nothing{}, PublicURL: "http://bench.example.com", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer h.Close()
	ask := func(path string) (*httptest.ResponseRecorder, time.Duration) {
		r := httptest.NewRequestWithContext(b.ctx, http.MethodGet, "http://bench.example.com"+path, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		began := time.Now()
		h.ServeHTTP(w, r)
		return w, time.Since(began)
	}
	fmt.Fprintf(b.Out, "\n| page | first, ms | median of %d, ms | HTML, kB | gzip, kB |\n|---|---|---|---|---|\n", listRuns)
	home := ""
	for _, path := range []string{"/", "/?span=7d", "/?span=30d", "/calls", "/calls?state=on_hold", "/calls?q=maria", "/calls?q=quartz1234", "/calls/" + ids.call, "/live", "/holds", "/receipts", "/receipts?state=quarantined", "/messages", "/sources", "/connections"} {
		w, first := ask(path)
		if w.Code != http.StatusOK {
			return fmt.Errorf("%s was answered with %d", path, w.Code)
		}
		body := w.Body.Bytes()
		if path == "/" {
			home = string(body)
		}
		all := make([]time.Duration, listRuns)
		for i := range all {
			_, all[i] = ask(path)
		}
		slices.Sort(all)
		fmt.Fprintf(b.Out, "| %s | %.1f | %.1f | %.1f | %.1f |\n", strings.ReplaceAll(path, ids.call, "{id}"), ms(first), ms(all[len(all)/2]), float64(len(body))/1000, float64(zipped(body))/1000)
	}
	for _, m := range regexp.MustCompile(`(?:href|src)="(/static/[^"]+\.(?:css|js|svg))"`).FindAllStringSubmatch(home, -1) {
		w, _ := ask(m[1])
		fmt.Fprintf(b.Out, "| %s | | | %.1f | %.1f |\n", filepath.Base(m[1]), float64(w.Body.Len())/1000, float64(zipped(w.Body.Bytes()))/1000)
	}
	return nil
}

func zipped(b []byte) int {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Len()
}
