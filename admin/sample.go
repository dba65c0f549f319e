package admin

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
)

// SampleView is the request of one trigger, to be sent by hand.
type SampleView struct {
	Event   string            `json:"event"`
	Label   string            `json:"label"`
	Method  string            `json:"method"`
	URL     string            `json:"url" doc:"The real hook URL: whoever knows it can send calls."`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body,omitempty"`
	Command string            `json:"command" doc:"The request as a line for a shell."`
	Note    string            `json:"note,omitempty" doc:"What to do before it is sent."`
}

type sampleIn struct {
	PathID
	Event string `query:"event" maxLength:"100" doc:"One of the triggers of its provider. Absent: the one that says most."`
}

// stand is what stands in a request for a secret that the sender would put there.
func stand(name string) string { return "YOUR_" + strings.ToUpper(name) }

// sample is the request of a trigger as the phone system of s would send it. A secret that such a request carries as it is
// is left out; a signature, which tells nothing of its key, is made.
func (h *Handler) sample(s records.Source, event string) (v SampleView, err error) {
	provider := h.Providers[s.Provider]
	sampler, ok := provider.(telephony.Sampler)
	if !ok {
		return v, problem(http.StatusUnprocessableEntity, "callsync cannot make up a call of this kind of phone system.")
	}
	info := provider.Info()
	settings := telephony.SettingsOf(info, s, nil)
	stands := map[string]string{}
	for name, value := range s.Secrets {
		if value != "" {
			stands[name] = stand(name)
		}
	}
	open := settings
	open.Secrets = stands
	at := h.Now().UTC()
	sample, err := sampler.Sample(event, at, open)
	if errors.Is(err, telephony.ErrNoSample) {
		return v, invalid("event", noSuchEvent(info))
	}
	if err != nil {
		return v, err
	}
	var carried []string
	for _, name := range slices.Sorted(maps.Keys(stands)) {
		if carries(sample, stands[name]) {
			carried = append(carried, stands[name])
		}
	}
	switch {
	case len(carried) > 0:
		v.Note = "Put the secret of this source in the place of " + strings.Join(carried, " and ") + " first. A request without it is answered 401 and kept as rejected."
	case provider.Signs(settings):
		if sample, err = sampler.Sample(event, at, settings); err != nil {
			return v, err
		}
		v.Note = "The signature is that of this body: if you change the body, the request is answered 401 and kept as rejected."
	}
	v.Event, v.Label = triggerOf(info, event, sample)
	v.Method, v.Body, v.Headers = sample.Method, string(sample.Body), map[string]string{}
	v.URL = strings.TrimSuffix(h.public.String(), "/") + telephony.HookPath(s.Provider, s.Token, sample.Event)
	if sample.RawQuery != "" {
		v.URL += "?" + sample.RawQuery
	}
	for name := range sample.Header {
		v.Headers[name] = sample.Header.Get(name)
	}
	v.Command = command(v)
	return v, nil
}

// carries tells whether a request has a text somewhere. Texts of stand look the same in every encoding.
func carries(r telephony.Request, text string) bool {
	if strings.Contains(string(r.Body), text) || strings.Contains(r.RawQuery, text) {
		return true
	}
	for _, values := range r.Header {
		if strings.Contains(strings.Join(values, "\n"), text) {
			return true
		}
	}
	return false
}

// command is a request as a line for a shell.
func command(v SampleView) string {
	out := "curl -i -X " + v.Method + " " + quoted(v.URL)
	for _, name := range slices.Sorted(maps.Keys(v.Headers)) {
		out += " \\\n  -H " + quoted(name+": "+v.Headers[name])
	}
	if v.Body != "" {
		out += " \\\n  --data-raw " + quoted(v.Body)
	}
	return out
}

// byHand is how to send a source a request of one's own where callsync cannot make one up.
func byHand(hook HookURL) SampleView {
	return SampleView{URL: hook.URL, Command: "curl -i " + quoted(hook.URL) + " \\\n  -H 'Content-Type: application/json' --data @request.json"}
}

// quoted is s as one word of a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
