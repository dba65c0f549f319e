package admin

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
)

// TestCallView is what came of a test call.
type TestCallView struct {
	ReceiptStatus  int    `json:"receipt_status" doc:"The status with which the hook URL answered the last request; 2xx: it is stored." example:"200"`
	CallProviderID string `json:"call_provider_id,omitempty" doc:"The phone system's id of the call, message or form. GET /calls?q= finds calls by it."`
	Sentence       string `json:"sentence" doc:"What happens next, for people."`
	// Requests are those that were sent, in their order.
	Requests []TestRequest `json:"requests"`
}

// TestRequest is one request of a test.
type TestRequest struct {
	Event     string `json:"event" doc:"The trigger."`
	Label     string `json:"label"`
	Status    int    `json:"status" doc:"The status with which the hook URL answered." example:"200"`
	ReceiptID string `json:"receipt_id,omitempty" doc:"What GET /receipts/{id} shows it by: what was understood, and of which record. Absent: it was not stored."`
	Problem   string `json:"problem,omitempty" doc:"Why it was refused."`
}

// testCallBody says what to send.
type testCallBody struct {
	Event   string          `json:"event,omitempty" maxLength:"100" doc:"One of the triggers of its provider (GET /providers). Absent: the one that says most, as a rule the report of a call that is over."`
	Story   telephony.Story `json:"story,omitempty" maxLength:"100" doc:"Instead of an event: all triggers of one story (GET /providers), in their order and about one call. inbound: a whole incoming call."`
	Deliver *bool           `json:"deliver,omitempty" doc:"false: no CRM gets the call. Absent or true: it goes to the CRMs like any other call."`
}

type testCallIn struct {
	PathID
	Body *testCallBody
}

func (h *Handler) registerTestCalls() {
	handle(h, operator, post("/sources/{id}/send-test", "Send the source a test call, the way its phone system sends calls", "Sources"),
		func(ctx context.Context, p principal, in *testCallIn) (*answer[TestCallView], error) {
			var body testCallBody
			if in.Body != nil {
				body = *in.Body
			}
			v, err := h.sendTest(ctx, p, in.ID, body)
			return &answer[TestCallView]{v}, err
		})
	handle(h, operator, get("/sources/{id}/sample", "Show the request of a trigger, ready to be sent by hand", "Sources"),
		func(ctx context.Context, p principal, in *sampleIn) (*answer[SampleView], error) {
			s, err := h.Store.SourceByID(ctx, p.WorkspaceID, in.ID)
			if err != nil {
				return nil, err
			}
			v, err := h.sample(s, in.Event)
			return &answer[SampleView]{v}, err
		})
}

// sendTest sends a source samples of its provider through its hook URLs.
func (h *Handler) sendTest(ctx context.Context, p principal, id string, what testCallBody) (v TestCallView, err error) {
	s, err := h.Store.SourceByID(ctx, p.WorkspaceID, id)
	if err != nil {
		return v, err
	}
	provider := h.Providers[s.Provider]
	sampler, ok := provider.(telephony.Sampler)
	if !ok {
		return v, problem(http.StatusUnprocessableEntity,
			"callsync cannot make up a call of this kind of phone system. Send one by hand: the source's page shows how.")
	}
	numbers, err := h.Store.OwnNumbers(ctx, p.WorkspaceID)
	if err != nil {
		return v, err
	}
	info := provider.Info()
	own := make([]string, len(numbers))
	for i, n := range numbers {
		own[i] = n.Number
	}
	settings := telephony.SettingsOf(info, s, own)
	wanted := []string{what.Event}
	if what.Story != "" {
		if wanted, err = eventsOf(info, what); err != nil {
			return v, err
		}
	}
	deliver := what.Deliver == nil || *what.Deliver
	at, read := h.Now().UTC(), []call.Event(nil)
	for _, event := range wanted {
		sample, err := sampler.Sample(event, at, settings)
		if errors.Is(err, telephony.ErrNoSample) {
			return v, invalid("event", noSuchEvent(info))
		}
		if err != nil {
			return v, err
		}
		sent, err := h.post(ctx, s, sample, deliver)
		if err != nil {
			return v, err
		}
		sent.Event, sent.Label = triggerOf(info, event, sample)
		v.Requests, v.ReceiptStatus = append(v.Requests, sent), sent.Status
		if sent.Status/100 != 2 {
			v.Sentence = strings.TrimSpace(fmt.Sprintf("The hook URL answered %d, so there is no test call. %s", sent.Status, sent.Problem))
			return v, nil
		}
		decoded, err := provider.Decode(sample, settings)
		var unreadable *telephony.UnreadableError
		switch {
		case errors.As(err, &unreadable):
			v.Sentence = "The request is stored, but with the settings of this source callsync cannot read it: " + unreadable.Public
			return v, nil
		case err != nil:
			return v, err
		case len(decoded.Events) == 0:
			v.Sentence = "The request is stored, but with the settings of this source it is about no call: " + decoded.Ignored
			return v, nil
		}
		for _, e := range decoded.Events {
			e.ReceiptID, e.ReceivedAt = sent.ReceiptID, h.Now().UTC()
			read = append(read, e)
		}
	}
	for _, e := range read {
		v.CallProviderID = cmp.Or(v.CallProviderID, e.ProviderID)
	}
	k, err := h.kept(ctx, p.WorkspaceID)
	if err != nil {
		return v, err
	}
	v.Sentence = h.testSentence(k, s, read, deliver)
	return v, nil
}

// eventsOf are the triggers of the story that is asked for.
func eventsOf(info telephony.Info, what testCallBody) ([]string, error) {
	if what.Event != "" {
		return nil, invalid("story", "Name an event or a story, not both.")
	}
	var events, stories []string
	for _, t := range info.StoryOf(what.Story) {
		events = append(events, t.Event)
	}
	if len(events) > 0 {
		return events, nil
	}
	for _, t := range info.Triggers {
		if !slices.Contains(stories, string(t.Story)) {
			stories = append(stories, string(t.Story))
		}
	}
	return nil, invalid("story", info.Label+" has no such story. It has: "+strings.Join(stories, ", ")+".")
}

// triggerOf is the name and the label of the trigger that a sample is of: the one that was asked for, or else the one
// that its provider chose.
func triggerOf(info telephony.Info, event string, sample telephony.Request) (name, label string) {
	if t, ok := info.Trigger(event); ok {
		return t.Event, t.Label
	}
	for _, t := range info.Triggers {
		if t.Sample && t.Hook == sample.Event && t.VariantOf == "" && slices.ContainsFunc(t.Kinds, call.Kind.Terminal) {
			return t.Event, t.Label
		}
	}
	return sample.Event, sample.Event
}

func noSuchEvent(info telephony.Info) string {
	var names []string
	for _, t := range info.Triggers {
		if t.Sample {
			names = append(names, t.Event)
		}
	}
	return info.Label + " has no such event. It has: " + strings.Join(names, ", ") + "."
}

// post sends a request to the hook URL of a source inside of this process, and returns what was answered.
func (h *Handler) post(ctx context.Context, s records.Source, sample telephony.Request, deliver bool) (sent TestRequest, err error) {
	target := telephony.HookPath(s.Provider, s.Token, sample.Event)
	if sample.RawQuery != "" {
		target += "?" + sample.RawQuery
	}
	r, err := http.NewRequestWithContext(ctx, sample.Method, target, bytes.NewReader(sample.Body))
	if err != nil {
		// The error names the URL, which is a secret.
		return sent, errors.New("the request of a test call could not be made")
	}
	r.Header = sample.Header.Clone()
	r.Header.Set("User-Agent", "callsync/"+h.Version)
	mark := telephony.TestDeliver
	if !deliver {
		mark = telephony.TestOnly
	}
	r.Header.Set(telephony.TestHeader, mark)
	w := &inProcess{status: http.StatusOK, header: http.Header{}}
	h.Hooks.ServeHTTP(w, r)
	sent.Status, sent.ReceiptID = w.status, w.header.Get(telephony.TestReceiptHeader)
	if w.status/100 != 2 {
		var problem struct {
			Detail string `json:"detail"`
		}
		_ = json.Unmarshal(w.body.Bytes(), &problem)
		sent.Problem = problem.Detail
	}
	return sent, nil
}

// inProcess keeps an answer instead of sending it.
type inProcess struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (w *inProcess) Header() http.Header         { return w.header }
func (w *inProcess) WriteHeader(status int)      { w.status = status }
func (w *inProcess) Write(b []byte) (int, error) { return w.body.Write(b) }

// testSentence says what becomes of a test that was stored.
func (h *Handler) testSentence(k kept, s records.Source, events []call.Event, deliver bool) string {
	e := events[len(events)-1]
	switch {
	case e.Message != nil:
		return "The test message is stored. GET /api/v1/messages shows it."
	case e.Form != nil:
		return "The test form is stored. GET /api/v1/forms shows it."
	}
	c := call.Fold(call.Identity{SourceID: s.ID, Provider: s.Provider}, events)
	stored := fmt.Sprintf("The test call is stored. The calls show it as “%s” of %s.", telephony.TestName, telephony.TestCustomer)
	if c.Phase == call.Live {
		stored += fmt.Sprintf(" Nobody ends it: it counts as live until the source's limit of %s.", longSpan(s.Stale))
	}
	var crms []string
	now, later := true, time.Time{}
	complete := call.Complete(c, h.expectations(s))
	for _, conn := range k.connections {
		if !s.Feeds(conn) {
			continue
		}
		crms = append(crms, conn.Name)
		window := s.Window
		if conn.Window != nil {
			window = *conn.Window
		}
		if until := call.WindowBase(c).Add(window); !complete && until.After(e.ReceivedAt) {
			now = false
			if until.After(later) {
				later = until
			}
		}
	}
	switch {
	case !deliver:
		return stored + " No CRM gets it."
	case len(crms) == 0:
		return stored + " The source feeds no connection yet, so no CRM gets it."
	case c.Phase == call.Live:
		return fmt.Sprintf("%s Then it goes to %s like any other call.", stored, strings.Join(crms, ", "))
	case now:
		return fmt.Sprintf("%s It goes to %s like any other call, within seconds.", stored, strings.Join(crms, ", "))
	}
	return fmt.Sprintf("%s It goes to %s like any other call: when what it waits for has come, or at %s UTC.", stored, strings.Join(crms, ", "), later.UTC().Format("15:04"))
}

// longSpan is a span of minutes or more as people say it.
func longSpan(d time.Duration) string {
	if d >= time.Hour && d%time.Hour == 0 {
		return plural(int(d/time.Hour), "hour")
	}
	return plural(int(d/time.Minute), "minute")
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
