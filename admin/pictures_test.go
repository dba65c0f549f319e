package admin_test

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/admin"
	"github.com/callsync/callsync/call"
)

var pictures = flag.String("pictures", "", "make the documents' pictures in this directory (make pictures)")

// drawn is the moment at which all pictures are drawn. The stories' own clock has its minutes, so that hours stay whole.
var drawn = time.Date(2026, 3, 12, 14, 25, 0, 0, time.UTC)

// askStill stops the page's clock at the moment of the pictures, moves all times with it, and puts names in the place of what
// is different each time: ids, tokens, ports.
const askStill = `(() => {
	const at = %d, by = %d, Real = Date;
	window.Date = class extends Real { constructor(...a) { if (a.length) { super(...a); } else { super(at); } } static now() { return at; } };
	const moved = s => isNaN(Real.parse(s)) ? s : new Real(Real.parse(s) + by).toISOString();
	document.querySelectorAll("time[datetime]").forEach(e => e.setAttribute("datetime", moved(e.getAttribute("datetime"))));
	document.querySelectorAll("[data-now], [data-from], [data-to]").forEach(e => ["now", "from", "to"].forEach(n => { if (e.dataset[n]) { e.dataset[n] = moved(e.dataset[n]); } }));
	if (window.htmx) { window.htmx.trigger = () => {}; }
	document.dispatchEvent(new Event("htmx:afterSwap"));
	const same = s => s.replace(/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, "019c2f4e-7a10-7c31-9d25-4b8e6f013a72").replace(/cs_[a-z0-9]{20,}/g, "cs_4kq7…")
		.replace(/CAL[0-9a-f]{12}/g, "CAL8154711").replace(/http:\/\/127\.0\.0\.1:\d+/g, "https://callsync.example.com").replace(/Jane <b>/g, "Olivia Brown")
		.replace(/20\d\d-\d\d-\d\dT[\d:.]+Z/g, moved).replace(/\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?=\d{1,2} [A-Z][a-z]{2} 20)/g, "").replace(/\b\d{1,2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)(?= \d{2}:| 20\d\d, \d\d:\d\d [A-Z]{3})/g, "12 Mar");
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let n; (n = walk.nextNode());) { const s = same(n.nodeValue); if (s !== n.nodeValue) { n.nodeValue = s; } }
	document.querySelectorAll("input, textarea").forEach(e => { if (e.value) { const s = same(e.value); if (s !== e.value) { e.value = s; } } });
	return document.querySelector("footer").getBoundingClientRect().top + scrollY;
})()`

// drawing is one picture: a page in a state of the data, and how it is shown.
type drawing struct {
	name, path string
	narrow     bool
	dark       bool
	// until is what must be there first; do is done before.
	until, do string
	// high is how much of the page is shown, in pixels; zero is the usual height.
	high int
}

// draw writes one picture.
func (b *browser) draw(d drawing, by time.Duration) {
	b.t.Helper()
	width, high := int64(1180), cmp.Or(d.high, 900)
	if d.narrow {
		width = 390
	}
	b.size(width, int64(high))
	b.dark(d.dark)
	b.open(d.path)
	if d.until != "" {
		b.until(d.until)
	}
	if d.do != "" {
		js[bool](b, "("+d.do+", true)")
	}
	end := js[float64](b, fmt.Sprintf(askStill, drawn.UnixMilli(), by.Milliseconds()))
	shot, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	require.NoError(b.t, err)
	full, err := png.Decode(bytes.NewReader(shot))
	require.NoError(b.t, err)
	small := fewColours(full, image.Rect(0, 0, int(width), min(high, int(end)+12)))
	var out bytes.Buffer
	require.NoError(b.t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, small))
	require.NoError(b.t, os.WriteFile(filepath.Join(*pictures, d.name+".png"), out.Bytes(), 0o644))
}

// fewColours draws a part of a picture with the 256 colours that say most of it. Pages have few: the rest are edges of letters.
func fewColours(from image.Image, part image.Rectangle) *image.Paletted {
	count := map[color.RGBA]int{}
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(from.At(x, y)).(color.RGBA) }
	for y := part.Min.Y; y < part.Max.Y; y++ {
		for x := part.Min.X; x < part.Max.X; x++ {
			count[at(x, y)]++
		}
	}
	all := make([]color.RGBA, 0, len(count))
	for c := range count {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b color.RGBA) int {
		return cmp.Or(count[b]-count[a], cmp.Compare(a.R, b.R), cmp.Compare(a.G, b.G), cmp.Compare(a.B, b.B))
	})
	far := func(a, b color.RGBA) int {
		r, g, bl := int(a.R)-int(b.R), int(a.G)-int(b.G), int(a.B)-int(b.B)
		return r*r + g*g + bl*bl
	}
	var few color.Palette
	place := map[color.RGBA]uint8{}
	for _, near := range []int{60, 12, 0} { // first those that differ much
		for i, c := range all {
			if _, have := place[c]; have || len(few) == 256 {
				continue
			}
			if i < 24 || !slices.ContainsFunc(few, func(f color.Color) bool { return far(f.(color.RGBA), c) <= near }) {
				place[c] = uint8(len(few))
				few = append(few, c)
			}
		}
	}
	out := image.NewPaletted(image.Rect(0, 0, part.Dx(), part.Dy()), few)
	for y := range part.Dy() {
		for x := range part.Dx() {
			c := at(part.Min.X+x, part.Min.Y+y)
			i, ok := place[c]
			if !ok {
				i = uint8(few.Index(c))
				place[c] = i
			}
			out.SetColorIndex(x, y, i)
		}
	}
	return out
}

// yesterday fills a day with the calls of a small office.
func (f *fixture) yesterday(d demo) {
	f.t.Helper()
	people := []call.Party{{Number: "+14155550131", Name: "Grace Okafor"}, {Number: "+442079460021", Name: "Tom Bright"}, {Number: "+919876500011", Name: "Anil Kapoor"}, {Number: "+13105550145", Name: "Sofia Rossi"}, {Number: "+33142685377", Name: "Luc Martin"}}
	agents := []string{"Anna Smith", "Ben Ortiz"}
	for hour, n := range []int{0, 0, 0, 0, 0, 0, 3, 4, 2, 5, 6, 4, 3, 0, 0, 0, 0, 0, 0, 0, 1, 4, 6, 3} {
		for i := range n {
			at := f.at.Add(-time.Duration(hour)*time.Hour - time.Duration(11+i*7)*time.Minute).UTC()
			facts := call.Facts{Direction: call.Inbound, Status: call.Answered, StartedAt: at, AnsweredAt: at.Add(8 * time.Second), EndedAt: at.Add(3 * time.Minute), DurationSeconds: num(int64(60 + 37*i)),
				Customer: people[(hour+i)%len(people)], BusinessNumber: "+13105550100", Agents: []call.Agent{{Name: agents[i%2], Status: call.AgentAnswered, TalkSeconds: num(52)}}}
			f.tell(f.ws, story{source: d.source, receipts: []said{{kind: call.CallEnded, at: facts.EndedAt.Add(2 * time.Second), facts: facts}}, lanes: []told{
				{connection: d.hubspot, state: "done", revision: 1, remote: "9", url: "https://app.hubspot.com/contacts/4242/record/0-48/9"}, {connection: d.webhook, state: "done", revision: 1}}})
		}
	}
}

// moveBack takes what the database has dated by its own clock to the stories' time.
func (f *fixture) moveBack(began time.Time) {
	f.t.Helper()
	tx, err := f.sql.Begin(f.t.Context())
	require.NoError(f.t, err)
	defer func() { _ = tx.Rollback(context.Background()) }()
	run := func(sql string, args ...any) {
		_, err := tx.Exec(f.t.Context(), sql, args...)
		require.NoError(f.t, err, sql)
	}
	run(`set local session_replication_role = replica`) // the audit log does not let itself be changed
	rows, err := tx.Query(f.t.Context(), `select c.table_name, c.column_name from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
		where c.table_schema = 'public' and t.table_type = 'BASE TABLE' and c.udt_name = 'timestamptz' and c.is_generated = 'NEVER' and c.table_name not like 'receipts%' and c.table_name not like 'sessions%'`)
	require.NoError(f.t, err)
	var columns [][2]string
	for rows.Next() {
		var c [2]string
		require.NoError(f.t, rows.Scan(&c[0], &c[1]))
		columns = append(columns, c)
	}
	require.NoError(f.t, rows.Err())
	for _, c := range columns {
		run(fmt.Sprintf(`update %q set %q = %q - $1::interval where %q between $2 and now() + interval '1 minute'`, c[0], c[1], c[1], c[1]), began.Sub(f.at), began)
	}
	require.NoError(f.t, tx.Commit(f.t.Context()))
}

// TestPictures makes the documents' pictures, of every page, from data and at a moment that are always the same. It does
// nothing without -pictures.
func TestPictures(t *testing.T) {
	if *pictures == "" {
		t.Skip("make pictures")
	}
	require.NoError(t, os.MkdirAll(*pictures, 0o755))
	old, err := filepath.Glob(filepath.Join(*pictures, "*.png"))
	require.NoError(t, err)
	for _, file := range old {
		require.NoError(t, os.Remove(file))
	}
	began := time.Now().UTC()
	at := began.Add(-25 * time.Minute).Truncate(time.Hour).Add(25 * time.Minute)
	clock := func(d *admin.Deps) { d.Now = func() time.Time { return at } }
	by := drawn.Sub(at)

	empty := newFixture(t, clock, withDemo)
	empty.at = at
	empty.user(empty.ws, "anna@example.com", "Anna Smith", "admin")
	b := empty.newBrowser("Europe/London")
	b.draw(drawing{name: "sign-in", path: "/login", high: 560}, by)
	b.signIn("anna@example.com")
	for _, d := range []drawing{{name: "home-empty", path: "/"}, {name: "calls-empty", path: "/calls"}, {name: "holds-empty", path: "/holds"}, {name: "connections-empty", path: "/connections"}, {name: "alerts-empty", path: "/alerts"}} {
		b.draw(d, by)
	}

	f := newFixture(t, clock, withPreviews)
	f.at = at
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	d := f.demo()
	f.yesterday(d)
	ids := f.pageIDs(d)
	f.asked(d.source, d.hubspot, "+14155550190", 8, "parked", sharers...)
	f.must(200, "POST", "/connections/"+d.hubspot+"/owners/match", "")
	// Who is called so is in the data to see that it stays text; in pictures they would look like a fault.
	f.exec(`update calls set state = replace(state::text, 'Jane <b>', 'Olivia Brown')::jsonb, customer_name = 'Olivia Brown' where customer_name = 'Jane <b>'`)
	f.moveBack(began)
	b = f.newBrowser("Europe/London")
	b.signIn("anna@example.com")
	of := func(what string) string { return ids[what] }
	connection, source := of("/connections/{id}"), of("/sources/{id}")
	ready := "document.querySelector('#mapping-preview .counts') !== null"
	invited := path(t, f.must(201, "POST", "/users", `{"email": "dora@example.com", "role": "operator"}`).JSON["url"].(string))
	for _, d := range []drawing{
		{name: "home", path: "/"}, {name: "home-dark", path: "/", dark: true}, {name: "home-narrow", path: "/", narrow: true},
		{name: "calls", path: "/calls"}, {name: "calls-dark", path: "/calls", dark: true}, {name: "calls-narrow", path: "/calls", narrow: true},
		{name: "calls-nothing-found", path: "/calls?q=nobody", high: 600},
		{name: "call", path: "/calls/" + d.star}, {name: "call-dark", path: "/calls/" + d.star, dark: true}, {name: "call-narrow", path: "/calls/" + d.star, narrow: true},
		{name: "call-waiting", path: "/calls/" + d.waiting}, {name: "call-on-hold", path: "/calls/" + d.held},
		{name: "calls-retry", path: "/calls/retry?id=" + d.held},
		{name: "live", path: "/live"},
		{name: "messages", path: "/messages"}, {name: "message", path: of("/messages/{id}")}, {name: "forms", path: "/forms"}, {name: "form", path: of("/forms/{id}")},
		{name: "holds", path: "/holds"}, {name: "holds-narrow", path: "/holds", narrow: true}, {name: "hold", path: of("/holds/{id}")},
		{name: "reviews", path: "/reviews"}, {name: "follow-ups", path: "/follow-ups"},
		{name: "receipts", path: "/receipts"}, {name: "receipts-not-understood", path: "/receipts?state=quarantined"}, {name: "receipt", path: of("/receipts/{id}")},
		{name: "sources", path: "/sources"}, {name: "source", path: source}, {name: "source-setup", path: source + "#setup", do: "document.querySelector('#setup').scrollIntoView()"},
		{name: "source-kinds", path: "/sources/new"}, {name: "source-form", path: "/sources/new?provider=callrail"}, {name: "source-edit", path: source + "/edit"},
		{name: "source-rules", path: source + "/rules"}, {name: "source-rotate", path: source + "/rotate-token"}, {name: "source-delete", path: source + "/delete"},
		{name: "connections", path: "/connections"}, {name: "connection", path: connection}, {name: "connection-dark", path: connection, dark: true}, {name: "connection-narrow", path: connection, narrow: true},
		{name: "connection-kinds", path: "/connections/new"}, {name: "connection-form", path: "/connections/new?connector=hubspot"}, {name: "connection-edit", path: connection + "/edit"},
		{name: "connection-consent", path: connection + "/connect", high: 600}, {name: "connection-mode", path: connection + "/mode"}, {name: "connection-delete", path: connection + "/delete"},
		{name: "mapping", path: connection + "/mappings/call", until: ready}, {name: "mapping-dark", path: connection + "/mappings/call", until: ready, dark: true},
		{name: "mapping-row", path: connection + "/mappings/call", until: ready, do: "document.querySelectorAll('.maprow > details')[1].open = true"},
		{name: "mapping-text", path: connection + "/mappings/call?tab=text", until: ready}, {name: "mapping-narrow", path: connection + "/mappings/call", until: ready, narrow: true},
		{name: "rules", path: connection + "/rules"}, {name: "actions", path: connection + "/actions"}, {name: "match", path: connection + "/match"},
		{name: "owners", path: connection + "/owners"}, {name: "dispositions", path: connection + "/dispositions"},
		{name: "resyncs", path: "/resyncs"}, {name: "resync", path: of("/resyncs/{id}")},
		{name: "alerts", path: "/alerts"}, {name: "alert-settings", path: "/settings/alerts"}, {name: "alert-channel", path: "/settings/alerts" + of("/channels/{id}")},
		{name: "numbers", path: "/numbers"}, {name: "users", path: "/settings/users"}, {name: "user", path: "/settings" + of("/users/{id}")}, {name: "tokens", path: "/settings/tokens"},
		{name: "workspaces", path: "/settings/workspaces"}, {name: "audit", path: "/settings/audit"}, {name: "account", path: "/account"},
		{name: "help", path: "/help"}, {name: "help-page", path: "/help/guide"}, {name: "not-found", path: "/nothing/here", high: 500},
	} {
		b.draw(d, by)
	}
	b.draw(drawing{name: "join", path: invited}, by)
	f.exec(`update connections set status = 'revoked', status_reason = 'HubSpot says that the access was taken back.' where id = $1`, d.hubspot)
	b.draw(drawing{name: "connection-revoked", path: connection}, by)
	b.draw(drawing{name: "home-failing", path: "/"}, by)
}

// All pictures are shown by the tour, say in words what they show, and are not too heavy to be carried in the binary.
func TestPicturesAreShown(t *testing.T) {
	t.Parallel()
	tour, err := os.ReadFile("../docs/tour.md")
	require.NoError(t, err)
	files, err := filepath.Glob("../docs/images/*.png")
	require.NoError(t, err)
	require.Greater(t, len(files), 60)
	var sum int64
	for _, file := range files {
		info, err := os.Stat(file)
		require.NoError(t, err)
		sum += info.Size()
		name := "(images/" + filepath.Base(file) + ")"
		at := strings.Index(string(tour), name)
		require.Positive(t, at, "docs/tour.md does not show %s", file)
		require.NotContains(t, string(tour[max(0, at-3):at]), "![]", "%s has no text in its place", file)
	}
	require.Less(t, sum, int64(3<<20))
	f := newFixture(t)
	f.user(f.ws, "v@example.com", "V", "viewer")
	v := f.signIn("v@example.com")
	page := f.get(v, "/help/tour")
	require.Equal(t, len(files), strings.Count(page.Raw, `<img src="/help/images/`))
	r := f.get(v, "/help/images/home.png")
	require.Equal(t, 200, r.Status)
	require.Equal(t, "image/png", r.Header.Get("Content-Type"))
	require.Equal(t, 404, f.get(v, "/help/images/none.png").Status)
}
