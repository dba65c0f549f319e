package recordings

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/internal/blobstore"
	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/records"
)

// LinkStore is what links need of PostgreSQL.
type LinkStore interface {
	// RecordingByToken returns the recording whose link has the token with this SHA-256; records.ErrNotFound if none has.
	RecordingByToken(ctx context.Context, hash []byte) (records.RecordingJob, error)
	RecordingByID(ctx context.Context, workspaceID, id string) (records.RecordingJob, error)
	SourceByID(ctx context.Context, workspaceID, id string) (records.Source, error)
	// NoteRecordingTrouble keeps why the phone system's recording cannot be reached, if nothing else is known of it.
	NoteRecordingTrouble(ctx context.Context, workspaceID, id string, r records.RecordingResult) error
}

// Sealer makes short-lived links that nobody can forge or read.
type Sealer interface {
	Seal(plain []byte, context string) ([]byte, error)
	Open(sealed []byte, context string) ([]byte, error)
}

// Links serves the permanent links of recordings: /recordings/{token} leads to a short-lived one, that of the archive or the
// phone system's own.
type Links struct {
	Store   LinkStore
	Blobs   blobstore.Store
	Fetcher *Fetcher
	Sealer  Sealer
	// PublicURL is where people reach callsync.
	PublicURL string
	// SignedIn tells the workspace of whoever is signed in; ok is false where nobody is.
	SignedIn func(*http.Request) (workspaceID string, ok bool)
	Metrics  *Metrics
	Log      *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Path is where links are; what comes behind it is the link's token.
const Path = "/recordings/"

// shortLife is how long a short-lived link lives: a player asks for pieces while somebody listens.
const shortLife = time.Hour

// sealedFor binds short-lived links to their use.
const sealedFor = "recording-file"

// LinkOf is the permanent link of a recording.
func LinkOf(publicURL, token string) string { return publicURL + Path + url.PathEscape(token) }

// Handler answers the requests below Path.
func (l *Links) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path+"{token}", l.open)
	mux.HandleFunc("GET "+Path+"file/{ticket}", l.file)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "private, no-store")
		h.Set("X-Robots-Tag", "noindex, nofollow, noarchive")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
		// Players of CRMs are on other sites.
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		if _, pattern := mux.Handler(r); pattern == "" {
			l.say(w, http.StatusNotFound, "unknown", "There is no such recording.")
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (l *Links) now() time.Time {
	if l.Now != nil {
		return l.Now()
	}
	return time.Now()
}

// open authorises by the token and leads on.
func (l *Links) open(w http.ResponseWriter, r *http.Request) {
	j, err := l.Store.RecordingByToken(r.Context(), secretbox.HashToken(r.PathValue("token")))
	if errors.Is(err, records.ErrNotFound) {
		l.say(w, http.StatusNotFound, "unknown", "There is no such recording.")
		return
	}
	if err != nil {
		l.broken(w, r, j, err)
		return
	}
	source, err := l.Store.SourceByID(r.Context(), j.WorkspaceID, j.SourceID)
	if err != nil && !errors.Is(err, records.ErrNotFound) {
		l.broken(w, r, j, err)
		return
	}
	removed := err != nil
	if source.Recordings.SignIn {
		workspace, ok := "", false
		if l.SignedIn != nil {
			workspace, ok = l.SignedIn(r)
		}
		if !ok {
			l.count("sign_in")
			http.Redirect(w, r, "/login?next="+url.QueryEscape(r.URL.Path), http.StatusSeeOther)
			return
		}
		if workspace != j.WorkspaceID {
			l.say(w, http.StatusNotFound, "unknown", "There is no such recording.")
			return
		}
	}
	switch {
	case !j.RevokedAt.IsZero():
		l.say(w, http.StatusGone, "revoked", "This link has been withdrawn.")
	case j.State == call.RecordingArchived:
		l.archived(w, r, j)
	case j.State == call.RecordingUnavailable:
		l.say(w, http.StatusGone, "unavailable", "This recording is not available, and will not be. "+j.Reason)
	case j.Class == records.RecordingHost:
		l.say(w, http.StatusNotFound, "refused", j.Reason)
	case j.Gone || removed:
		l.say(w, http.StatusGone, "unavailable", "The phone system does not have this recording any more.")
	case j.Vendor.URL == "" && j.Vendor.PlayerURL == "":
		w.Header().Set("Retry-After", "60")
		l.say(w, http.StatusNotFound, "not_yet", "The recording is not there yet. Try again in some minutes.")
	default:
		l.vendor(w, r, j, source)
	}
}

// archived leads to the copy: by a link of the archive's service, or to ourselves.
func (l *Links) archived(w http.ResponseWriter, r *http.Request, j records.RecordingJob) {
	to, err := l.Blobs.Link(r.Context(), j.BlobKey, blobstore.Headers{ContentType: j.ContentType, Disposition: disposition(j)}, shortLife)
	if errors.Is(err, blobstore.ErrNoLinks) {
		to, err = l.ticket(j)
	}
	if err != nil {
		l.broken(w, r, j, err)
		return
	}
	l.count("archive")
	http.Redirect(w, r, to, http.StatusFound)
}

// ticket is what a short-lived link of ours holds, sealed.
type ticket struct {
	Workspace string `json:"w"`
	ID        string `json:"r"`
	Until     int64  `json:"u"`
}

func (l *Links) ticket(j records.RecordingJob) (string, error) {
	plain, err := json.Marshal(ticket{j.WorkspaceID, j.ID, l.now().Add(shortLife).Unix()})
	if err != nil {
		return "", err
	}
	sealed, err := l.Sealer.Seal(plain, sealedFor)
	if err != nil {
		return "", err
	}
	return l.PublicURL + Path + "file/" + base64.RawURLEncoding.EncodeToString(sealed), nil
}

// file serves a copy to who has a short-lived link, in ranges if asked.
func (l *Links) file(w http.ResponseWriter, r *http.Request) {
	var t ticket
	sealed, err := base64.RawURLEncoding.DecodeString(r.PathValue("ticket"))
	if err == nil {
		var plain []byte
		if plain, err = l.Sealer.Open(sealed, sealedFor); err == nil {
			err = json.Unmarshal(plain, &t)
		}
	}
	if err != nil || l.now().After(time.Unix(t.Until, 0)) {
		l.say(w, http.StatusForbidden, "expired", "This link has expired. Open the recording by its permanent link.")
		return
	}
	j, err := l.Store.RecordingByID(r.Context(), t.Workspace, t.ID)
	switch {
	case err != nil && !errors.Is(err, records.ErrNotFound):
		l.broken(w, r, j, err)
		return
	case err != nil || j.State != call.RecordingArchived || !j.RevokedAt.IsZero():
		l.say(w, http.StatusGone, "revoked", "This recording is not available any more.")
		return
	}
	body := &blobReader{ctx: r.Context(), blobs: l.Blobs, key: j.BlobKey, size: j.Size}
	defer body.Close()
	h := w.Header()
	h.Set("Content-Type", j.ContentType)
	h.Set("Content-Disposition", disposition(j))
	h.Set("ETag", `"`+fmt.Sprintf("%x", j.SHA256)+`"`)
	l.count("file")
	http.ServeContent(&patient{ResponseWriter: w, control: http.NewResponseController(w)}, r, "", j.ArchivedAt, body)
	if body.err != nil && r.Context().Err() == nil {
		l.Log.ErrorContext(r.Context(), "a recording could not be read from the archive", "recording", j.ID, "workspace", j.WorkspaceID, "error", body.err)
	}
}

// disposition names the file for those who keep it, by nothing that a stranger sent.
func disposition(j records.RecordingJob) string {
	at := j.AvailableAt
	if at.IsZero() {
		at = j.KnownAt
	}
	ext, ok := records.RecordingExtension(j.ContentType)
	if !ok {
		ext = "bin"
	}
	return fmt.Sprintf(`inline; filename="recording-%s-%s.%s"`, at.UTC().Format("20060102-1504"), j.ID[len(j.ID)-8:], ext)
}

// vendor leads to the phone system, or hands its answer through where a browser may not have what proves who asks.
func (l *Links) vendor(w http.ResponseWriter, r *http.Request, j records.RecordingJob, source records.Source) {
	if j.Vendor.URL == "" {
		// A page that plays it, and nothing else.
		u, err := url.Parse(j.Vendor.PlayerURL)
		t, _ := l.Fetcher.target(source, records.RecordingJob{Vendor: call.Recording{URL: "https://unknown.invalid/"}})
		if err != nil || !allowed(u, t.hosts) {
			l.say(w, http.StatusNotFound, "refused", "The phone system's page of this recording cannot be opened from here.")
			return
		}
		l.count("vendor")
		http.Redirect(w, r, u.String(), http.StatusFound)
		return
	}
	t, fault := l.Fetcher.target(source, j)
	if fault == nil {
		t, fault = l.Fetcher.settled(r.Context(), t)
	}
	if fault != nil {
		l.trouble(w, r, j, fault)
		return
	}
	if t.plain() {
		l.count("vendor")
		http.Redirect(w, r, t.url.String(), http.StatusFound)
		return
	}
	l.proxy(w, r, j, t)
}

// proxy hands the phone system's answer through, ranges included.
func (l *Links) proxy(w http.ResponseWriter, r *http.Request, j records.RecordingJob, t target) {
	if span := r.Header.Get("Range"); span != "" && len(span) < 100 {
		t.span = span
	}
	resp, fault := l.Fetcher.get(r.Context(), t, 0, "")
	if fault != nil {
		l.trouble(w, r, j, fault)
		return
	}
	defer resp.Body.Close()
	head := make([]byte, sniffed)
	n, err := io.ReadFull(resp.Body, head)
	head = head[:n]
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		l.trouble(w, r, j, networkFault(t.url.Hostname(), err))
		return
	}
	kind, ok := typeOf(head, resp.Header.Get("Content-Type"), j.Vendor.ContentType)
	if start, _, ranged := contentRange(resp); ranged && start > 0 {
		// The middle of a file says nothing of its kind.
		kind = plainType(resp.Header.Get("Content-Type"))
		if _, ok = records.RecordingExtension(kind); !ok {
			kind, ok = octets, true
		}
	}
	if !ok {
		l.trouble(w, r, j, faultOf(records.RecordingWrong, true, t.url.Hostname()+" sent a page or a text instead of sound.", errors.New("no sound")))
		return
	}
	h := w.Header()
	for _, name := range []string{"Content-Range", "Accept-Ranges", "Last-Modified", "ETag"} {
		if v := resp.Header.Get(name); v != "" && len(v) < 200 {
			h.Set(name, v)
		}
	}
	j.ContentType = kind
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", disposition(j))
	if resp.ContentLength >= 0 {
		h.Set("Content-Length", strconv.FormatInt(resp.ContentLength, 10))
	}
	l.count("proxy")
	w.WriteHeader(resp.StatusCode)
	if r.Method == http.MethodHead {
		return
	}
	out := &patient{ResponseWriter: w, control: http.NewResponseController(w)}
	if _, err := out.Write(head); err == nil {
		_, err = io.Copy(struct{ io.Writer }{out}, resp.Body)
		if err != nil && r.Context().Err() == nil {
			// What was promised cannot be kept: the connection must not look as if it had ended well.
			panic(http.ErrAbortHandler)
		}
	}
}

// trouble says why the phone system's recording cannot be had, and keeps what a person can cure.
func (l *Links) trouble(w http.ResponseWriter, r *http.Request, j records.RecordingJob, f *fault) {
	if r.Context().Err() != nil {
		return
	}
	if !f.retry {
		result := records.RecordingResult{State: call.RecordingFailed, Class: f.class, Reason: f.public, Detail: f.Error()}
		if f.class == records.RecordingGone {
			result.State = call.RecordingUnavailable
		}
		if err := l.Store.NoteRecordingTrouble(r.Context(), j.WorkspaceID, j.ID, result); err != nil {
			l.Log.WarnContext(r.Context(), "trouble with a recording could not be noted", "recording", j.ID, "error", err)
		}
	}
	status := http.StatusBadGateway
	switch f.class {
	case records.RecordingNotYet, records.RecordingHost, records.RecordingNoAddress:
		status = http.StatusNotFound
	case records.RecordingGone:
		status = http.StatusGone
	}
	if f.retry {
		w.Header().Set("Retry-After", "60")
	}
	l.say(w, status, f.class, f.public)
}

func (l *Links) broken(w http.ResponseWriter, r *http.Request, j records.RecordingJob, err error) {
	if r.Context().Err() != nil {
		return
	}
	l.Log.ErrorContext(r.Context(), "a recording could not be served", "recording", j.ID, "workspace", j.WorkspaceID, "error", err)
	w.Header().Set("Retry-After", "10")
	l.say(w, http.StatusServiceUnavailable, "broken", "The recording cannot be served at present. Please try again.")
}

func (l *Links) count(result string) {
	if l.Metrics != nil {
		l.Metrics.links.WithLabelValues(result).Inc()
	}
}

var page = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="robots" content="noindex">
<title>Recording</title><h1>Recording</h1><p>{{.}}</p></html>
`))

// say answers with a plain page.
func (l *Links) say(w http.ResponseWriter, status int, result, sentence string) {
	l.count(result)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = page.Execute(w, sentence)
}

// patient gives a client that reads slowly some time for every piece, and ends with one that reads nothing.
type patient struct {
	http.ResponseWriter
	control *http.ResponseController
}

// writeTime is how long a client may take to read one piece.
const writeTime = 2 * time.Minute

func (p *patient) Write(b []byte) (int, error) {
	// A server that has no deadlines is one of a test's.
	_ = p.control.SetWriteDeadline(time.Now().Add(writeTime))
	n, err := p.ResponseWriter.Write(b)
	_ = p.control.SetWriteDeadline(time.Time{})
	return n, err
}

// blobReader reads a file of the archive from wherever it is set to, for http.ServeContent.
type blobReader struct {
	ctx    context.Context
	blobs  blobstore.Store
	key    string
	size   int64
	offset int64
	body   io.ReadCloser
	err    error
}

func (b *blobReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += b.offset
	case io.SeekEnd:
		offset += b.size
	}
	if offset < 0 {
		return 0, errors.New("recordings: seek before the start")
	}
	if offset != b.offset {
		b.Close()
	}
	b.offset = offset
	return offset, nil
}

func (b *blobReader) Read(p []byte) (int, error) {
	if b.offset >= b.size {
		return 0, io.EOF
	}
	if b.body == nil {
		if b.body, b.err = b.blobs.Open(b.ctx, b.key, b.offset, -1); b.err != nil {
			return 0, b.err
		}
	}
	n, err := b.body.Read(p)
	b.offset += int64(n)
	if err == io.EOF && b.offset < b.size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

// Close ends the reading.
func (b *blobReader) Close() {
	if b.body != nil {
		b.body.Close()
		b.body = nil
	}
}
