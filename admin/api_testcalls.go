package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
)

// TestCallView is what came of a test call.
type TestCallView struct {
	ReceiptStatus  int    `json:"receipt_status" doc:"The status with which the hook URL answered; 2xx: the request is stored." example:"200"`
	CallProviderID string `json:"call_provider_id,omitempty" doc:"The phone system's id of the call, message or form. GET /calls?q= finds calls by it."`
	Sentence       string `json:"sentence" doc:"What happens next, for people."`
}

// testCallBody says what to send.
type testCallBody struct {
	Event   string `json:"event,omitempty" maxLength:"100" doc:"One of the triggers of its provider (GET /providers). Absent: the one that says most, as a rule the report of a call that is over."`
	Deliver *bool  `json:"deliver,omitempty" doc:"false: no CRM gets the call. Absent or true: it goes to the CRMs like any other call."`
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
			v, _, err := h.sendTest(ctx, p, in.ID, body.Event, body.Deliver == nil || *body.Deliver)
			return &answer[TestCallView]{v}, err
		})
}

// sendTest sends a source the sample of its provider through its hook URL. isCall tells whether a call came of it.
func (h *Handler) sendTest(ctx context.Context, p principal, id, event string, deliver bool) (v TestCallView, isCall bool, err error) {
	s, err := h.Store.SourceByID(ctx, p.WorkspaceID, id)
	if err != nil {
		return v, false, err
	}
	provider := h.Providers[s.Provider]
	sampler, ok := provider.(telephony.Sampler)
	if !ok {
		return v, false, problem(http.StatusUnprocessableEntity,
			"callsync cannot make up a call of this kind of phone system. Send one by hand: the source's page shows how.")
	}
	numbers, err := h.Store.OwnNumbers(ctx, p.WorkspaceID)
	if err != nil {
		return v, false, err
	}
	info := provider.Info()
	own := make([]string, len(numbers))
	for i, n := range numbers {
		own[i] = n.Number
	}
	settings := telephony.SettingsOf(info, s, own)
	sample, err := sampler.Sample(event, h.Now().UTC(), settings)
	if errors.Is(err, telephony.ErrNoSample) {
		return v, false, invalid("event", noSuchEvent(info))
	}
	if err != nil {
		return v, false, err
	}
	status, text, err := h.post(ctx, s, sample, deliver)
	if err != nil {
		return v, false, err
	}
	v.ReceiptStatus = status
	if status/100 != 2 {
		v.Sentence = strings.TrimSpace(fmt.Sprintf("The hook URL answered %d, so there is no test call. %s", status, text))
		return v, false, nil
	}
	decoded, err := provider.Decode(sample, settings)
	var unreadable *telephony.UnreadableError
	switch {
	case errors.As(err, &unreadable):
		v.Sentence = "The request is stored, but with the settings of this source callsync cannot read it: " + unreadable.Public
		return v, false, nil
	case err != nil:
		return v, false, err
	case len(decoded.Events) == 0:
		v.Sentence = "The request is stored, but with the settings of this source it is about no call: " + decoded.Ignored
		return v, false, nil
	}
	e := decoded.Events[0]
	v.CallProviderID = e.ProviderID
	k, err := h.kept(ctx, p.WorkspaceID)
	if err != nil {
		return v, false, err
	}
	v.Sentence = h.testSentence(k, s, e, deliver)
	return v, e.Message == nil && e.Form == nil, nil
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

// post sends a request to the hook URL of a source inside of this process, and returns the answer's status and, if it is a
// problem, its sentence.
func (h *Handler) post(ctx context.Context, s records.Source, sample telephony.Request, deliver bool) (status int, sentence string, err error) {
	target := telephony.HookPath(s.Provider, s.Token, sample.Event)
	if sample.RawQuery != "" {
		target += "?" + sample.RawQuery
	}
	r, err := http.NewRequestWithContext(ctx, sample.Method, target, bytes.NewReader(sample.Body))
	if err != nil {
		// The error names the URL, which is a secret.
		return 0, "", errors.New("the request of a test call could not be made")
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
	var problem struct {
		Detail string `json:"detail"`
	}
	_ = json.Unmarshal(w.body.Bytes(), &problem) // an answer of success is the phone system's business
	return w.status, problem.Detail, nil
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
func (h *Handler) testSentence(k kept, s records.Source, e call.Event, deliver bool) string {
	switch {
	case e.Message != nil:
		return "The test message is stored. GET /api/v1/messages shows it."
	case e.Form != nil:
		return "The test form is stored. GET /api/v1/forms shows it."
	}
	e.ReceivedAt = h.Now().UTC()
	c := call.Fold(call.Identity{SourceID: s.ID, Provider: s.Provider}, []call.Event{e})
	stored := fmt.Sprintf("The test call is stored. The calls show it as “%s” of %s.", telephony.TestName, telephony.TestCustomer)
	if c.Phase == call.Live {
		stored += fmt.Sprintf(" Nobody ends it: it counts as live until the source's limit of %s.", longSpan(s.Stale))
	}
	var crms []string
	now, later := true, time.Time{}
	complete := call.Complete(c, h.expectations(s))
	for _, conn := range k.connections {
		if s.Connections != nil && !slices.Contains(s.Connections, conn.ID) {
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

// sourceTestForm sends a test call and leads to it.
func (h *Handler) sourceTestForm(w http.ResponseWriter, r *http.Request, p principal) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxLoginForm)
	if err := r.ParseForm(); err != nil {
		return problem(http.StatusBadRequest, "This form could not be read.")
	}
	id := r.PathValue("id")
	v, isCall, err := h.sendTest(r.Context(), p, id, r.PostForm.Get("event"), r.PostForm.Get("deliver") != "false")
	switch {
	case err != nil:
		return err
	case v.CallProviderID == "":
		return problem(http.StatusUnprocessableEntity, v.Sentence)
	case isCall:
		http.Redirect(w, r, "/calls?"+url.Values{"q": {v.CallProviderID}, "done": {"sent"}}.Encode(), http.StatusSeeOther)
		return nil
	}
	return back(w, r, "/sources#"+id, "stored")
}

// byHand is how to send a source a request without its phone system.
type byHand struct {
	// Sends tells whether callsync can make up a call, Event which one says most.
	Sends bool
	Event string
	// Command is a line for a shell. Nothing in it is secret but the hook URL.
	Command string
	// Signed tells that the source takes only signed requests, which the command's is not.
	Signed bool
}

func (h *Handler) byHand(s records.Source, hooks []HookURL) byHand {
	out := byHand{Command: "curl -i " + quoted(hooks[0].URL) + " \\\n  -H 'Content-Type: application/json' --data @request.json"}
	provider := h.Providers[s.Provider]
	if provider == nil {
		return out
	}
	settings := telephony.SettingsOf(provider.Info(), s, nil)
	out.Signed = provider.Signs(settings)
	sampler, ok := provider.(telephony.Sampler)
	if !ok {
		return out
	}
	settings.Secrets = nil
	sample, err := sampler.Sample("", h.Now().UTC(), settings)
	if err != nil {
		return out
	}
	out.Sends, out.Event = true, sample.Event
	address := hooks[0].URL
	for _, hook := range hooks {
		if hook.Event == sample.Event {
			address = hook.URL
		}
	}
	if sample.RawQuery != "" {
		address += "?" + sample.RawQuery
	}
	out.Command = "curl -i -X " + sample.Method + " " + quoted(address)
	for _, name := range slices.Sorted(maps.Keys(sample.Header)) {
		out.Command += " \\\n  -H " + quoted(name+": "+sample.Header.Get(name))
	}
	if len(sample.Body) > 0 {
		out.Command += " \\\n  --data-raw " + quoted(string(sample.Body))
	}
	return out
}

// quoted is s as one word of a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
