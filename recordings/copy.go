package recordings

import (
	"context"
	"crypto/sha256"
	"encoding"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/internal/blobstore"
	"github.com/callsync/callsync/records"
)

// saveEvery is how many bytes are copied between two notes of how far the copy is.
const saveEvery = 8 << 20

// copying is one attempt to copy one recording.
type copying struct {
	*Archiver
	job    records.RecordingJob
	target target
	up     blobstore.Upload
	sum    hash.Hash
	part   records.RecordingPart
	saved  int64
	// resumed tells that an earlier attempt wrote the beginning.
	resumed bool
	head    []byte
	sent    string
	// buf holds what is read and not written: less than a part.
	buf []byte
}

// errStore wraps failures of our own database; the job is left to its lease then.
var errStore = errors.New("the store failed")

// copy brings the sound into the archive, going on where an earlier attempt stopped. An error is a *fault, or what makes
// the attempt void (errStore, a lost lease, the end of ctx).
func (c *copying) copy(ctx context.Context) (records.RecordingResult, error) {
	var none records.RecordingResult
	c.resume()
	resp, err := c.ask(ctx)
	if err != nil {
		return none, err
	}
	for {
		whole, err := c.receive(ctx, resp)
		resp.Body.Close()
		if err != nil {
			return none, err
		}
		if whole {
			break
		}
		// The connection was closed where the end might be, and nothing said how long it is: whoever has more sends it now.
		if resp, err = c.rest(ctx); err != nil {
			return none, err
		}
		if resp == nil {
			break
		}
	}
	return c.finish(ctx)
}

// resume takes up the state of an earlier attempt, if all of it is there.
func (c *copying) resume() {
	c.part, c.sum = c.job.Partial, sha256.New()
	if c.part.BlobKey == "" || c.part.Offset == 0 {
		c.part = records.RecordingPart{}
		return
	}
	if err := c.sum.(encoding.BinaryUnmarshaler).UnmarshalBinary(c.part.Hash); err != nil {
		c.part, c.sum = records.RecordingPart{}, sha256.New()
		return
	}
	c.up = blobstore.Upload{Key: c.part.BlobKey, Offset: c.part.Offset, ID: c.part.UploadID}
	c.saved, c.resumed = c.part.Offset, true
}

// anew forgets what earlier attempts wrote: the file is another one now.
func (c *copying) anew() {
	c.part, c.sum, c.up = records.RecordingPart{}, sha256.New(), blobstore.Upload{}
	c.saved, c.resumed, c.head, c.buf = 0, false, nil, c.buf[:0]
}

// ask begins the transfer: of the rest, if the beginning is here and still the same, else of all.
func (c *copying) ask(ctx context.Context) (*http.Response, error) {
	if c.resumed {
		resp, fault := c.Fetcher.get(ctx, c.target, c.up.Offset, c.part.Validator)
		if fault != nil {
			return nil, fault
		}
		start, total, ranged := contentRange(resp)
		same := c.part.Total == 0 || total == 0 || total == c.part.Total
		switch {
		case resp.StatusCode == http.StatusPartialContent && ranged && start == c.up.Offset && same && sameFile(resp, c.part.Validator):
			c.part.Total = max(c.part.Total, total)
			return resp, c.suits(resp, total)
		case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && total == c.up.Offset && same:
			// All of it is here already.
			resp.Body.Close()
			resp.Body, resp.ContentLength = http.NoBody, 0
			return resp, nil
		case resp.StatusCode == http.StatusOK:
			c.anew()
			return resp, c.begin(ctx, resp)
		}
		resp.Body.Close()
		c.anew()
	}
	resp, fault := c.Fetcher.get(ctx, c.target, 0, "")
	if fault != nil {
		return nil, fault
	}
	return resp, c.begin(ctx, resp)
}

// sameFile tells whether an answer is of the file that a validator was of; an answer without one says nothing.
func sameFile(resp *http.Response, validator string) bool {
	now := validatorOf(resp)
	return validator == "" || now == "" || now == validator
}

// validatorOf is the ETag of an answer, if it stands for the very bytes, else the date of the file.
func validatorOf(resp *http.Response) string {
	v := resp.Header.Get("ETag")
	if v == "" || strings.HasPrefix(v, "W/") {
		v = resp.Header.Get("Last-Modified")
	}
	if len(v) > 200 {
		return ""
	}
	return v
}

// begin looks at the answer to a request of the whole file.
func (c *copying) begin(ctx context.Context, resp *http.Response) error {
	host := c.target.url.Hostname()
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return faultOf(records.RecordingUnreachable, true, host+" answered with a part of the recording that nobody asked for.", fmt.Errorf("%s answered %d to a request of the whole file", host, resp.StatusCode))
	}
	c.part.Validator, c.part.Total = validatorOf(resp), max(resp.ContentLength, 0)
	return c.suits(resp, c.part.Total)
}

// suits refuses what is too large, and closes the answer then.
func (c *copying) suits(resp *http.Response, total int64) error {
	if total > c.limit() {
		resp.Body.Close()
		return c.tooLarge()
	}
	c.sent = resp.Header.Get("Content-Type")
	return nil
}

func (c *copying) limit() int64 {
	if c.MaxBytes > 0 {
		return c.MaxBytes
	}
	return DefaultMaxBytes
}

func (c *copying) tooLarge() *fault {
	return faultOf(records.RecordingTooLarge, false, fmt.Sprintf("The recording is larger than the %d MB that the archive takes.", c.limit()>>20), nil)
}

// receive copies what an answer holds. whole tells that nothing is missing; else the connection ended where the file may.
func (c *copying) receive(ctx context.Context, resp *http.Response) (whole bool, err error) {
	size := c.Blobs.PartSize()
	if cap(c.buf) == 0 {
		want := int64(size)
		if resp.ContentLength >= 0 && resp.ContentLength < want {
			want = resp.ContentLength + 1
		}
		c.buf = make([]byte, 0, max(want, 64<<10))
	}
	var read int64
	for {
		if len(c.buf) == cap(c.buf) && len(c.buf) < size {
			// Whoever sends more than was said.
			c.buf = append(c.buf, 0)[:len(c.buf)]
		}
		room := c.buf[len(c.buf):min(cap(c.buf), size)]
		n, rerr := resp.Body.Read(room)
		c.buf = c.buf[:len(c.buf)+n]
		read += int64(n)
		if err := c.look(rerr != nil); err != nil {
			return false, err
		}
		if c.up.Offset+int64(len(c.buf)) > c.limit() {
			return false, c.tooLarge()
		}
		if len(c.buf) == size {
			if err := c.flush(ctx); err != nil {
				return false, err
			}
		}
		switch {
		case rerr == nil:
		case rerr != io.EOF:
			if err := c.keep(ctx); err != nil {
				return false, err
			}
			if ctx.Err() != nil {
				return false, ctx.Err()
			}
			return false, networkFault(c.target.url.Hostname(), rerr)
		case resp.ContentLength < 0 && len(resp.TransferEncoding) == 0 && resp.ProtoMajor < 2:
			return false, nil
		default:
			if total := c.part.Total; total > 0 && c.up.Offset+int64(len(c.buf)) != total {
				return false, faultOf(records.RecordingUnreachable, true, c.target.url.Hostname()+" sent less of the recording than it had said.", errors.New("size differs"))
			}
			return true, nil
		}
	}
}

// look refuses what is no sound as soon as its first bytes are here.
func (c *copying) look(end bool) error {
	if c.head != nil || c.up.Offset > 0 || len(c.buf) < sniffed && !end {
		return nil
	}
	host := c.target.url.Hostname()
	if len(c.buf) == 0 {
		return faultOf(records.RecordingNotYet, true, host+" has an empty recording so far.", errors.New("empty answer"))
	}
	c.head = append([]byte{}, c.buf[:min(len(c.buf), sniffed)]...)
	if _, ok := typeOf(c.head, c.sent, c.job.Vendor.ContentType); !ok {
		c.head = nil
		return faultOf(records.RecordingWrong, true, fmt.Sprintf("%s sent a page or a text instead of sound. If the phone system wants a login for recordings, "+
			"let it hand them out by their address, or enter its key in the settings of the source.", host), errors.New("no sound"))
	}
	return nil
}

// flush writes a whole part, and notes now and then how far the copy is.
func (c *copying) flush(ctx context.Context) error {
	if err := c.open(ctx); err != nil {
		return err
	}
	if err := c.Blobs.Write(ctx, &c.up, c.buf); err != nil {
		return c.archiveFailed(ctx, err)
	}
	c.sum.Write(c.buf)
	c.Metrics.bytes.Add(float64(len(c.buf)))
	c.buf = c.buf[:0]
	if c.up.Offset-c.saved < saveEvery {
		return nil
	}
	return c.keep(ctx)
}

// open notes the archive's file before there is one, so that none is ever forgotten.
func (c *copying) open(ctx context.Context) error {
	if c.up.Key != "" {
		return nil
	}
	key := c.job.WorkspaceID + "/" + c.job.ID + "/" + uuid.NewString()
	if err := c.Store.BeginRecording(ctx, c.job.WorkspaceID, c.job.ID, c.job.Lease, key); err != nil {
		return storeFailed(err)
	}
	c.up.Key, c.part.BlobKey = key, key
	return nil
}

// keep notes how far the copy is, also if the attempt is being ended.
func (c *copying) keep(ctx context.Context) error {
	if c.up.Key == "" || c.up.Offset == c.saved {
		return nil
	}
	state, err := c.sum.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		return fmt.Errorf("keep a checksum: %w", err)
	}
	c.part.UploadID, c.part.Offset, c.part.Hash = c.up.ID, c.up.Offset, state
	if err := c.Store.SaveRecordingPart(context.WithoutCancel(ctx), c.job.WorkspaceID, c.job.ID, c.job.Lease, c.part); err != nil {
		return storeFailed(err)
	}
	c.saved = c.up.Offset
	return nil
}

// rest asks for what comes after all that is here: nil if nothing does.
func (c *copying) rest(ctx context.Context) (*http.Response, error) {
	have := c.up.Offset + int64(len(c.buf))
	host := c.target.url.Hostname()
	resp, fault := c.Fetcher.get(ctx, c.target, have, c.part.Validator)
	if fault != nil {
		return nil, fault
	}
	start, total, ranged := contentRange(resp)
	switch {
	case resp.StatusCode == http.StatusPartialContent && ranged && start == have && sameFile(resp, c.part.Validator):
		return resp, nil
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && (total == 0 || total == have):
		resp.Body.Close()
		return nil, nil
	case resp.StatusCode == http.StatusOK && (resp.ContentLength < 0 || resp.ContentLength == have):
		// It sends files whole only, and does not say how long this one is, or says that this was all.
		resp.Body.Close()
		return nil, nil
	}
	resp.Body.Close()
	return nil, faultOf(records.RecordingUnreachable, true, host+" closed the connection in the middle of the recording.", errors.New("the file is longer than what was sent"))
}

// finish makes the copy readable. What another process has begun is read back first: two may have been at it.
func (c *copying) finish(ctx context.Context) (records.RecordingResult, error) {
	var none records.RecordingResult
	if err := c.open(ctx); err != nil {
		return none, err
	}
	c.sum.Write(c.buf)
	size := c.up.Offset + int64(len(c.buf))
	c.Metrics.bytes.Add(float64(len(c.buf)))
	if err := c.Blobs.Finish(ctx, &c.up, c.buf); err != nil {
		return none, c.archiveFailed(ctx, err)
	}
	sum := c.sum.Sum(nil)
	if c.resumed {
		if err := c.verify(ctx, sum); err != nil {
			return none, err
		}
	}
	if c.head == nil {
		file, err := c.Blobs.Open(ctx, c.up.Key, 0, sniffed)
		if err == nil {
			c.head, err = io.ReadAll(file)
			file.Close()
		}
		if err != nil {
			return none, c.archiveFailed(ctx, err)
		}
	}
	kind, _ := typeOf(c.head, c.sent, c.job.Vendor.ContentType)
	if kind == "" {
		kind = octets
	}
	return records.RecordingResult{State: call.RecordingArchived, Size: size, SHA256: sum, ContentType: kind}, nil
}

func (c *copying) verify(ctx context.Context, sum []byte) error {
	file, err := c.Blobs.Open(ctx, c.up.Key, 0, -1)
	if err != nil {
		return c.archiveFailed(ctx, err)
	}
	defer file.Close()
	again := sha256.New()
	if _, err := io.Copy(again, file); err != nil {
		return c.archiveFailed(ctx, err)
	}
	if string(again.Sum(nil)) != string(sum) {
		return c.lost(ctx, errors.New("the checksum of the archived file differs"))
	}
	return nil
}

// archiveFailed is a failure of the archive: to be tried again, from the start if what was written is lost.
func (c *copying) archiveFailed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, blobstore.ErrLost) {
		return c.lost(ctx, err)
	}
	if kerr := c.keep(ctx); kerr != nil {
		return kerr
	}
	return faultOf(records.RecordingArchiveAway, true, "callsync cannot write into its recording archive at present.", err)
}

// lost has the next attempt begin from the start.
func (c *copying) lost(ctx context.Context, err error) error {
	c.part.Offset, c.part.Hash, c.part.UploadID = 0, nil, ""
	if serr := c.Store.SaveRecordingPart(context.WithoutCancel(ctx), c.job.WorkspaceID, c.job.ID, c.job.Lease, c.part); serr != nil {
		return storeFailed(serr)
	}
	return faultOf(records.RecordingArchiveAway, true, "What was copied of the recording so far is lost in the archive. callsync begins anew.", err)
}

func storeFailed(err error) error {
	if errors.Is(err, records.ErrLeaseLost) {
		return err
	}
	return fmt.Errorf("%w: %w", errStore, err)
}

// contentRange reads "bytes 10-99/100", "bytes 10-99/*" and "bytes */100"; zero for a total that is not known.
func contentRange(resp *http.Response) (start, total int64, ok bool) {
	text, found := strings.CutPrefix(strings.TrimSpace(resp.Header.Get("Content-Range")), "bytes ")
	if !found {
		return 0, 0, false
	}
	span, size, _ := strings.Cut(text, "/")
	if n, err := strconv.ParseInt(strings.TrimSpace(size), 10, 64); err == nil && n > 0 {
		total = n
	}
	first, _, dashed := strings.Cut(strings.TrimSpace(span), "-")
	n, err := strconv.ParseInt(first, 10, 64)
	return n, total, dashed && err == nil && n >= 0
}
