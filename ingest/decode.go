package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
)

// Limits on what one receipt may say. Honest phone systems stay far below.
const (
	maxEvents  = 200
	maxAliases = 32
	maxName    = 512
	// maxNames is how many names all events of a receipt may have together: each is locked while it is applied.
	maxNames = 1000
)

// applier gives receipts their meaning with what the sources are now. It is good for one round.
func (d *Directory) applier(ctx context.Context) records.Applier {
	return records.Applier{
		Decode: func(ctx context.Context, rs []records.Receipt) []records.Verdict {
			out := make([]records.Verdict, len(rs))
			for i := range rs {
				out[i] = d.decode(ctx, &rs[i])
			}
			return out
		},
		Fold: func(h records.History) (records.CallRow, error) { return d.fold(ctx, h) },
	}
}

func (d *Directory) decode(ctx context.Context, r *records.Receipt) records.Verdict {
	f, err := d.byID.get(ctx, sourceKey{r.WorkspaceID, r.SourceID})
	switch {
	case errors.Is(err, records.ErrNotFound):
		return quarantined("The source of this request has been deleted.", nil)
	case err != nil:
		// Neither the fault of the receipt nor for ever: the store may be away, or the source's secrets sealed by a key
		// that this process does not have.
		return records.Verdict{RetryIn: 15 * time.Second}
	case f.provider == nil:
		return quarantined("This callsync does not know the phone system of the source. Update callsync and replay this request.",
			fmt.Errorf("no provider %q", f.Provider))
	}
	req := telephony.Request{Method: r.Method, Event: r.HookEvent, RawQuery: string(r.Query), Body: r.Body, ReceivedAt: r.ReceivedAt}
	if len(r.Headers) > 0 {
		if err := json.Unmarshal(r.Headers, &req.Header); err != nil {
			return quarantined("The stored headers of this request cannot be read.", err)
		}
	}
	if req.Header == nil {
		req.Header = http.Header{}
	}
	if r.Signature == "bad" {
		// A replay, after the key was put right.
		if err := verify(f, req); err != nil {
			return records.Verdict{State: records.ReceiptRejected, Reason: reasonBadSignature}
		}
	}
	v, unknown := readEvents(f, req)
	mark(req.Header, v.Events)
	if len(v.Events) > 0 && req.Header.Get(telephony.TestHeader) == "" {
		d.drift.note(f, r, f.triggerOf(r.HookEvent, v.Events[0].Kind), unknown)
	}
	return v
}

// triggerOf names the kind of request: the event of its hook URL if there is such a hook, else what was read.
func (f *feed) triggerOf(event string, k call.Kind) string {
	if f.hooks[event] {
		return event
	}
	return string(k)
}

func quarantined(reason string, err error) records.Verdict {
	v := records.Verdict{State: records.ReceiptQuarantined, Reason: reason}
	if err != nil {
		v.Detail = clip(err.Error())
	}
	return v
}

func clip(s string) string {
	const most = 4000
	if len(s) > most {
		s = s[:most] + "..."
	}
	return string(bytes.ReplaceAll(bytes.ToValidUTF8([]byte(s), []byte("?")), []byte{0}, []byte("?")))
}

// readEvents lets the provider decode a request and checks what it made of it. A decoder that panics harms this receipt
// alone. unknown are the fields that the provider does not know.
func readEvents(f *feed, req telephony.Request) (v records.Verdict, unknown []telephony.Unknown) {
	defer func() {
		if p := recover(); p != nil {
			// The panic's own text may quote the payload; the stack does not.
			v = quarantined("callsync failed while reading this request. The request is kept; replay it after an update of callsync.",
				fmt.Errorf("decoder panicked with a %T\n%s", p, debug.Stack()))
		}
	}()
	d, err := f.provider.Decode(req, f.settings)
	var unreadable *telephony.UnreadableError
	switch {
	case errors.As(err, &unreadable):
		return quarantined(unreadable.Public, err), nil
	case err != nil:
		return quarantined("callsync could not read this request. The request is kept; replay it after an update of callsync.", err), nil
	case len(d.Events) == 0:
		if d.Ignored == "" {
			d.Ignored = "The request says nothing about a call, a message or a form."
		}
		return records.Verdict{State: records.ReceiptIgnored, Reason: d.Ignored}, nil
	case len(d.Events) > maxEvents:
		return quarantined("The request speaks of too much at once.", fmt.Errorf("%d events", len(d.Events))), nil
	}
	names := map[call.Alias]bool{}
	for i := range d.Events {
		e := &d.Events[i]
		if v, ok := checkEvent(e, f); !ok {
			return v, nil
		}
		names[call.Alias{Value: e.ProviderID}] = true
		for _, a := range e.Aliases {
			names[a] = true
		}
	}
	if len(names) > maxNames {
		return quarantined("The request speaks of too many calls at once.", fmt.Errorf("%d names", len(names))), nil
	}
	return records.Verdict{State: records.ReceiptApplied, Events: d.Events}, d.Unknown
}

// checkEvent makes an event fit to be stored, or says why it is not.
func checkEvent(e *call.Event, f *feed) (records.Verdict, bool) {
	switch {
	case e.Message != nil:
		e.Message.Provider = f.Provider
		e.Message.ProviderID = e.ProviderID
	case e.Form != nil:
		e.Form.Provider = f.Provider
		e.Form.ProviderID = e.ProviderID
	case e.ProviderID == "" && len(e.Aliases) == 0:
		return quarantined("The request does not say which call it is about.", errors.New("an event without ids")), false
	}
	if len(e.Aliases) > maxAliases || len(e.ProviderID) > maxName {
		return quarantined("The request's ids of the call are too many or too long.", fmt.Errorf("%d aliases", len(e.Aliases))), false
	}
	for _, a := range e.Aliases {
		if a.Kind == "" || a.Value == "" || len(a.Kind) > maxName || len(a.Value) > maxName {
			return quarantined("The request's ids of the call are empty or too long.", fmt.Errorf("alias of kind %.20q", a.Kind)), false
		}
	}
	data, err := json.Marshal(e)
	if err != nil {
		return quarantined("callsync cannot keep what this request says.", fmt.Errorf("encode an event: %w", err)), false
	}
	// Text that Postgres cannot keep: NUL, and bytes that are not UTF-8, which the encoder has replaced. What is kept
	// must be what is folded, so the event is read back.
	if clean, changed := replaceNUL(data); changed || bytes.Contains(data, []byte(`\ufffd`)) {
		*e = call.Event{}
		if err := json.Unmarshal(clean, e); err != nil {
			return quarantined("callsync cannot keep what this request says.", fmt.Errorf("read an event back: %w", err)), false
		}
	}
	return records.Verdict{}, true
}

// replaceNUL puts U+FFFD in the place of each escaped NUL of a JSON text.
func replaceNUL(data []byte) ([]byte, bool) {
	nul := []byte(`\u0000`)
	if !bytes.Contains(data, nul) {
		return data, false
	}
	out := make([]byte, 0, len(data))
	changed := false
	for i := 0; i < len(data); i++ {
		switch {
		case data[i] != '\\' || i+1 >= len(data):
			out = append(out, data[i])
		case bytes.HasPrefix(data[i:], nul):
			out = append(out, `\ufffd`...)
			i += len(nul) - 1
			changed = true
		default:
			// Two bytes at once: the second one of an escaped backslash begins no escape.
			out = append(out, data[i], data[i+1])
			i++
		}
	}
	return out, changed
}

// fold makes the call of a history.
func (d *Directory) fold(ctx context.Context, h records.History) (row records.CallRow, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("fold panicked with a %T\n%s", p, debug.Stack())
		}
	}()
	f, err := d.byID.get(ctx, sourceKey{h.WorkspaceID, h.SourceID})
	if err != nil {
		return row, err
	}
	c := call.Fold(call.Identity{ID: h.CallID, WorkspaceID: h.WorkspaceID, SourceID: h.SourceID, Provider: f.Provider}, h.Events)
	if c.Phase == call.Live && h.Before.Call.Stale {
		// The stale limit has closed it; only a receipt that ends it takes the flag away.
		c.Phase, c.Stale, c.Live = call.Ended, true, call.LivePicture{}
	}
	row = records.CallRow{Call: c, Complete: call.Complete(c, f.expects), Artifacts: call.Completeness(c, f.expects, time.Time{}, time.Time{}), WindowBase: h.Before.WindowBase, CreatedAt: h.Before.CreatedAt}
	if row.WindowBase.IsZero() {
		row.WindowBase = call.WindowBase(c)
	}
	return row, nil
}
