// Package telephony is the inbound contract: how a kind of phone system is described, how its requests are verified,
// what they say, and what they must be answered. Each provider is a package below this one; cmd/callsync registers them.
package telephony

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sort"
	"time"

	"github.com/callsync/callsync/call"
)

// Provider is one kind of phone system. Its methods are pure: they do no I/O and read no clock but Request.ReceivedAt, so
// that a receipt can be replayed years later. They are called concurrently.
type Provider interface {
	Info() Info
	// Signs tells whether Verify proves anything with these settings: false where the provider cannot sign or no key is
	// configured. The receiver then knows a request that passed from one that was never checked.
	Signs(Settings) bool
	// Verify checks that the request comes from the phone system. It returns nil where Signs is false, and an error
	// wrapping ErrSignature where the request does not prove its origin.
	Verify(Request, Settings) error
	// Decode tells what the request says. It returns an *UnreadableError for a request it cannot read (which is then
	// quarantined, visible and replayable), and an empty Decoded with Ignored for one that it understands but that says
	// nothing about a call (a ping). It sets Kind, Seq, OccurredAt, ProviderID, Aliases, Facts, Asserted, Outlook,
	// Message and Form of each event; ReceiptID and ReceivedAt are the caller's.
	Decode(Request, Settings) (Decoded, error)
	// Reply is what the phone system must be answered once its request is stored.
	Reply(Request) Reply
}

// Request is one webhook request as it arrived, its body read once.
type Request struct {
	Method string
	// Event is the part of the path after the token ("post-call"), empty where the hook URL has none.
	Event      string
	RawQuery   string
	Header     http.Header
	Body       []byte
	ReceivedAt time.Time
}

// Settings are the parts of a source that decoding depends on.
type Settings struct {
	// Location is the zone of times that carry none.
	Location *time.Location
	// DefaultCountry is the ISO 3166 region in which numbers without a country code are read.
	DefaultCountry string
	OwnNumbers     []string
	Config         map[string]string
	Secrets        map[string]string
}

// Decoded is what a request says.
type Decoded struct {
	Events []call.Event
	// Ignored says, in a sentence, why a request that was understood has no events.
	Ignored string
	// Unknown are the fields of a request with events that the provider does not know; see Vocabulary.
	Unknown []Unknown
}

// Reply is an HTTP answer. A zero Status means 200.
type Reply struct {
	Status      int
	ContentType string
	Body        string
}

// ErrSignature is wrapped by every error of Verify.
var ErrSignature = errors.New("signature does not match")

// UnreadableError is a request that a provider cannot read: Where it is wrong ("body, byte 17", "field start_time") and
// what a person can do. Public is shown to people and holds nothing of the payload; Err is for operators.
type UnreadableError struct {
	Where  string
	Public string
	Err    error
}

func (e *UnreadableError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("unreadable at %s: %s", e.Where, e.Public)
	}
	return fmt.Sprintf("unreadable at %s: %v", e.Where, e.Err)
}

func (e *UnreadableError) Unwrap() error { return e.Err }

// Info describes a provider to people and to the API.
type Info struct {
	ID    string `json:"id"`
	Label string `json:"label"`
	// Hooks are the events that need a URL of their own, in the order of the vendor's panel; empty where one URL does.
	Hooks  []Hook  `json:"hooks"`
	Fields []Field `json:"fields"`
	// Expects are the artifacts this kind of phone system usually sends.
	Expects call.Expectations `json:"expects"`
	// TimeZone is the zone of its times where they carry none; empty where they always do.
	TimeZone string `json:"time_zone,omitempty"`
	// Steps tell what to do in the vendor's panel, one by one.
	Steps []Step `json:"steps"`
	// Triggers are the requests that it sends, in the order of a call's life.
	Triggers []Trigger `json:"triggers"`
	// Setup is Steps as one Markdown text.
	Setup string `json:"setup"`
	Docs  string `json:"docs,omitempty"`
	// Demo tells that it is the phone system of the demo data: people do not choose it.
	Demo bool `json:"-"`
}

// Hook is one event with a URL of its own: /hooks/{provider}/{token}/{Event}.
type Hook struct {
	Event string `json:"event"`
	Label string `json:"label"`
}

// Field is one setting of a source that its provider needs.
type Field struct {
	Name     string   `json:"name"`
	Label    string   `json:"label"`
	Help     string   `json:"help,omitempty"`
	Secret   bool     `json:"secret"`
	Required bool     `json:"required"`
	Default  string   `json:"default,omitempty"`
	Options  []string `json:"options,omitempty"`
	// Multiline marks a setting that is a text of many lines.
	Multiline bool `json:"multiline,omitempty"`
}

// Registry holds the providers of a binary by id.
type Registry map[string]Provider

// NewRegistry registers providers; it panics on a doubled id, which is a programming error.
func NewRegistry(providers ...Provider) Registry {
	r := Registry{}
	for _, p := range providers {
		id := p.Info().ID
		if _, ok := r[id]; ok {
			panic("telephony: provider " + id + " registered twice")
		}
		r[id] = p
	}
	return r
}

// Infos lists the providers that people can choose, by id.
func (r Registry) Infos() []Info {
	out := make([]Info, 0, len(r))
	for _, p := range r {
		if info := p.Info(); !info.Demo {
			out = append(out, info)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out
}

// HookPath is the path of a source's hook URL; event may be empty.
func HookPath(provider, token, event string) string {
	p := "/hooks/" + url.PathEscape(provider) + "/" + url.PathEscape(token)
	if event != "" {
		p += "/" + url.PathEscape(event)
	}
	return p
}
