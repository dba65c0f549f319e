package smartflo

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/callsync/callsync/telephony"
)

// The bounds of what is read of a call's path.
const (
	mostSteps   = 200
	longestStep = 200
)

// step is one place a call came through. Its members are those of the vendor's heterogeneous objects that more than one
// kind of step has.
type step struct {
	// kind is the type, squashed; empty where a step has none.
	kind, label, name, state string
	at                       time.Time
	fields                   *telephony.Fields
}

// flow is a call's path.
type flow struct {
	steps []step
	// callID is the value of the first step, which is the call's id.
	callID                 string
	queue, department      string
	cause                  string
	digits                 []string
	clickToCall, voicemail bool
}

// labels are the words of steps where those of the vendor are not for people.
var labels = map[string]string{
	"ivr": "IVR", "dtmf": "DTMF", "timegroup": "Time Group", "agenthangup": "Agent Hangup", "clicktocall": "Click to Call",
	"voicestreaming": "Voice Streaming", "hangup": "Hangup", "autoattendant": "Auto Attendant", "inboundqueue": "Inbound Queue",
}

// readFlow reads call_flow: a list of objects, also as JSON text or with the places as keys, or a text for people.
func readFlow(v any, loc *time.Location) flow {
	var w flow
	v = telephony.Embedded(v)
	if s, ok := v.(string); ok && s != "" {
		w.steps = []step{{label: decoded(s)}}
		return w
	}
	for _, item := range items(v, "type", "time", "anstime") {
		m, ok := item.(map[string]any)
		if !ok || len(w.steps) == mostSteps {
			continue
		}
		w.add(readStep(m, loc))
	}
	return w
}

// items is v as a list: a list, an object whose keys are places, or one object that has one of the names.
func items(v any, names ...string) []any {
	switch v := v.(type) {
	case []any:
		return v
	case map[string]any:
		if len(v) == 0 {
			return nil
		}
		if telephony.NewFields(v).Has(names...) {
			return []any{v}
		}
		keys := slices.Collect(maps.Keys(v))
		slices.SortFunc(keys, func(a, b string) int {
			x, errX := strconv.Atoi(a)
			y, errY := strconv.Atoi(b)
			if errX == nil && errY == nil && x != y {
				return x - y
			}
			return strings.Compare(a, b)
		})
		out := make([]any, len(keys))
		for i, k := range keys {
			out[i] = v[k]
		}
		return out
	}
	return nil
}

func readStep(m map[string]any, loc *time.Location) step {
	f := telephony.NewFields(m)
	kind := decoded(f.Text("type"))
	s := step{kind: squash(kind), label: kind, fields: f}
	if label := labels[s.kind]; label != "" {
		s.label = label
	}
	s.name = decoded(firstOf(f.Text("name"), f.Text("dept_name", "ivr_name")))
	s.state = decoded(f.Text("dialst", "tgst", "dept_dialst", "status", "optsts"))
	s.at, _ = moment(f.Peek("time"), loc)
	if s.kind == "" && f.Peek("anstime") != nil {
		s.label = "Answered"
		if at, ok := moment(f.Peek("anstime"), loc); ok {
			s.at = at
		}
	}
	s.at = s.at.Truncate(time.Second)
	return s
}

func (w *flow) add(s step) {
	f := s.fields
	switch s.kind {
	case "init":
		w.callID = firstOf(w.callID, f.Text("value"))
	case "clicktocall":
		w.clickToCall = true
		// Its name is the trunk's, with the number that was dialled in it.
		s.name = ""
	case "dtmf":
		pressed := digitsOf(f.Peek("input", "digit", "digits", "value"))
		w.digits = append(w.digits, pressed...)
		s.name, s.state = strings.Join(pressed, ","), ""
	case "inboundqueue", "queue":
		w.queue = firstOf(w.queue, s.name)
	case "department":
		w.department = firstOf(w.department, s.name)
	case "voicemail":
		w.voicemail = true
	case "hangup":
		w.cause = firstOf(f.Text("cause", "reason"), w.cause)
	}
	w.steps = append(w.steps, s)
}

// path is the way for people: "IVR: Main", "DTMF: 1", "Agent: Asha (Answered)".
func (w *flow) path() []string {
	var out []string
	for _, s := range w.steps {
		if s.kind == "init" || s.label == "" {
			continue
		}
		text := s.label
		if s.name != "" {
			text += ": " + s.name
		}
		if s.state != "" {
			text += " (" + s.state + ")"
		}
		out = append(out, shorten(text))
	}
	return out
}

func shorten(s string) string {
	if len(s) <= longestStep {
		return s
	}
	n := longestStep
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// began is the time of the first step that has one.
func (w *flow) began() time.Time {
	for _, s := range w.steps {
		if !s.at.IsZero() {
			return s.at
		}
	}
	return time.Time{}
}

func (w *flow) hungUp() bool {
	return slices.ContainsFunc(w.steps, func(s step) bool { return s.kind == "hangup" })
}

// ended is the time of the last hangup of the call itself.
func (w *flow) ended() time.Time {
	for _, s := range slices.Backward(w.steps) {
		if s.kind == "hangup" && !s.at.IsZero() {
			return s.at
		}
	}
	return time.Time{}
}

// talkBegan is when the last of both sides answered: an agent, or the customer of a click-to-call.
func (w *flow) talkBegan(clickToCall bool) time.Time {
	for _, s := range w.steps {
		agent := s.kind == "agent" && squash(s.state) == "answered"
		customer := s.kind == "customer" && squash(s.state) == "answered" || s.kind == "" && s.label == "Answered"
		if clickToCall && customer || !clickToCall && agent {
			return s.at
		}
	}
	return time.Time{}
}

var (
	escape     = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
	plusInText = regexp.MustCompile(`([\pL\pN])\+([\pL\pN])`)
)

// decoded undoes the URL encoding that values inside of call_flow keep: "Auto+Attendant", "PJSIP%2F%2B…". A plus before a
// number is no space.
func decoded(s string) string {
	if escape.MatchString(s) {
		if plain, err := url.QueryUnescape(s); err == nil {
			return telephony.CleanText(plain)
		}
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r >= 'A' }) {
		s = plusInText.ReplaceAllString(s, "$1 $2")
	}
	return s
}
