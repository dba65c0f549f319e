package telephony

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
)

// MethodPull is the method of receipts that callsync fetched itself. Decode sees it in Request.Method.
const MethodPull = "PULL"

// Puller is a Provider whose phone system can be asked for the calls it has had, so that webhooks that were lost are made
// good. What it returns is stored as receipts and decoded like a webhook: there is one way in.
type Puller interface {
	Provider
	// PullInfo describes what can be asked for.
	PullInfo() PullInfo
	// PullSetup tells whether a source with these settings can be asked, and how often it should be. It does no I/O.
	PullSetup(Settings) PullSetup
	// Pull asks for one page of the calls of a range. cursor is empty for the first page, then the Next of the page before;
	// it holds nothing secret or personal. Asking for a page again is harmless. rt carries the requests. Errors are
	// *PullError.
	Pull(ctx context.Context, rt http.RoundTripper, s Settings, r PullRange, cursor string) (PullPage, error)
}

// PullInfo describes how a phone system wants to be asked.
type PullInfo struct {
	// Oldest is how long the phone system keeps its calls.
	Oldest time.Duration
	// Settle is how long after its end a call is left to the webhooks, which may still be on their way.
	Settle time.Duration
	// Recent and Daily are how far back the two regular pulls look: the frequent one, and the one of each day, which finds
	// what was changed or reported late.
	Recent, Daily time.Duration
	// Pause is the time between two pages, so that others who use the same quota are left some of it.
	Pause time.Duration
	// Address is the setting that says where requests go, Key the secret that goes there. Who changes the one has to know
	// the other.
	Address, Key string
}

// PullSetup is what a source's settings say about pulling.
type PullSetup struct {
	// Missing is what a person must do before the source can be asked, as a sentence; empty if it can be.
	Missing string
	// Every is the time between regular pulls; zero for none.
	Every time.Duration
}

// PullRange chooses the calls that began from From (inclusive) to To (inclusive) and had ended by EndedBy.
type PullRange struct {
	From, To, EndedBy time.Time
}

// PullPage is one page of calls.
type PullPage struct {
	Items []Pulled
	// LeftOut is how many calls of the page are not among Items, because they had not ended by EndedBy.
	LeftOut int
	// Next is the cursor of the next page; empty on the last one.
	Next string
}

// Pulled is one call as the phone system describes it.
type Pulled struct {
	// ID is the phone system's id of the call, the ProviderID of the events that Body is decoded to.
	ID string
	// Event is what Decode sees in Request.Event.
	Event string
	Body  []byte
}

// PullError is a page that could not be had. Public is a sentence for people; Err is for operators. Neither holds a
// secret or anything of a call.
type PullError struct {
	// Retry tells that asking again later can help; RetryAfter is when, zero where the phone system does not say.
	Retry      bool
	RetryAfter time.Duration
	Public     string
	Err        error
}

func (e *PullError) Error() string {
	if e.Err == nil {
		return e.Public
	}
	return e.Err.Error()
}

func (e *PullError) Unwrap() error { return e.Err }

// ConfigPullEvery is the setting of a source that says how often it is asked.
const ConfigPullEvery = "pull_every"

// pullEvery are the values of ConfigPullEvery besides "off".
var pullEvery = map[string]time.Duration{"15m": 15 * time.Minute, "1h": time.Hour, "6h": 6 * time.Hour}

// PullEveryField is the setting that PullEvery reads.
func PullEveryField() Field {
	return Field{
		Name: ConfigPullEvery, Label: "Look for missed calls", Default: "1h", Options: []string{"off", "15m", "1h", "6h"},
		Help: "How often the phone system is asked for calls whose webhooks did not arrive. Nothing is asked without an API key.",
	}
}

// PullEvery is how often config wants the phone system to be asked; zero for never. It is hourly unless config says
// otherwise.
func PullEvery(config map[string]string) time.Duration {
	v := strings.ToLower(strings.TrimSpace(config[ConfigPullEvery]))
	if slices.Contains([]string{"off", "false", "no", "0"}, v) {
		return 0
	}
	if d, ok := pullEvery[v]; ok {
		return d
	}
	return time.Hour
}
