package admin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/internal/httpx"
	"github.com/callsync/callsync/records"
)

const (
	// mostChannels bounds those of a workspace, mostRecipients the addresses of one.
	mostChannels   = 20
	mostRecipients = 10
	// testPause is how long a channel is not tested again.
	testPause = 10 * time.Second
)

// channelFields are the settings of each kind of channel.
var channelFields = map[string][]field{
	records.ChannelEmail:   {{name: "to", label: "Addresses", required: true}},
	records.ChannelSlack:   {{name: "url", label: "Address of the incoming webhook", required: true, secret: true}},
	records.ChannelWebhook: {{name: "url", label: "Address", required: true}, {name: "signing_secret", label: "Signing secret", required: true, secret: true}},
}

// channelNames are what people call the kinds.
var channelNames = map[string]string{records.ChannelEmail: "E-mail", records.ChannelSlack: "Slack", records.ChannelWebhook: "Webhook"}

// AlertChannelView is a channel as the API shows it.
type AlertChannelView struct {
	ID          string              `json:"id"`
	Kind        string              `json:"kind" enum:"email,slack,webhook"`
	Name        string              `json:"name"`
	Config      map[string]string   `json:"config" doc:"Of an e-mail channel, to: addresses separated by commas. Of a webhook, url."`
	Secrets     map[string]bool     `json:"secrets" doc:"Which secrets are set: of Slack, url; of a webhook, signing_secret."`
	Kinds       []records.AlertKind `json:"kinds" nullable:"true" doc:"The kinds of alerts that it wants; null: all."`
	MinSeverity string              `json:"min_severity" enum:"warning,critical"`
	Enabled     bool                `json:"enabled"`
	SentAt      time.Time           `json:"sent_at,omitzero" doc:"When something was last sent."`
	FailedAt    time.Time           `json:"failed_at,omitzero" doc:"When sending failed, unless something was sent since."`
	Failure     string              `json:"failure,omitempty"`
	CreatedAt   time.Time           `json:"created_at"`
}

func viewChannel(c records.AlertChannel) AlertChannelView {
	secrets := map[string]bool{}
	for _, f := range channelFields[c.Kind] {
		if f.secret {
			secrets[f.name] = true // there is no channel without
		}
	}
	if c.Config == nil {
		c.Config = map[string]string{}
	}
	return AlertChannelView{ID: c.ID, Kind: c.Kind, Name: c.Name, Config: c.Config, Secrets: secrets, Kinds: c.Kinds, MinSeverity: c.MinSeverity, Enabled: c.Enabled,
		SentAt: c.SentAt, FailedAt: c.FailedAt, Failure: c.Failure, CreatedAt: c.CreatedAt}
}

// AlertChannelPatch changes a channel; what is absent stays.
type AlertChannelPatch struct {
	Name        *string                       `json:"name,omitempty"`
	Config      Settings                      `json:"config,omitempty"`
	Secrets     Settings                      `json:"secrets,omitempty"`
	Kinds       Optional[[]records.AlertKind] `json:"kinds,omitempty"`
	MinSeverity *string                       `json:"min_severity,omitempty" enum:"warning,critical"`
	Enabled     *bool                         `json:"enabled,omitempty"`
}

// ChannelTest is what came of a test.
type ChannelTest struct {
	OK   bool   `json:"ok"`
	Text string `json:"text" doc:"What came of it, in a sentence."`
}

type (
	channelIn struct {
		Body struct {
			Kind        string              `json:"kind" enum:"email,slack,webhook"`
			Name        string              `json:"name"`
			Config      Settings            `json:"config,omitempty"`
			Secrets     Settings            `json:"secrets,omitempty"`
			Kinds       []records.AlertKind `json:"kinds,omitempty" nullable:"true"`
			MinSeverity string              `json:"min_severity,omitempty" enum:"warning,critical" default:"warning"`
			Enabled     *bool               `json:"enabled,omitempty" doc:"Default: true."`
		}
	}
	channelPatch struct {
		PathID
		Body AlertChannelPatch
	}
)

func (h *Handler) registerAlertChannels() {
	const tag = "Alerts"
	handle(h, viewer, get("/alert-channels", "List where alerts are told", tag), func(ctx context.Context, p principal, _ *none) (*answer[List[AlertChannelView]], error) {
		all, err := h.Store.AlertChannels(ctx, p.WorkspaceID)
		items := make([]AlertChannelView, 0, len(all))
		for _, c := range all {
			items = append(items, viewChannel(c))
		}
		return &answer[List[AlertChannelView]]{List[AlertChannelView]{Items: items}}, err
	})
	handle(h, viewer, get("/alert-channels/{id}", "Show a channel", tag), func(ctx context.Context, p principal, in *PathID) (*answer[AlertChannelView], error) {
		c, err := h.Store.AlertChannelByID(ctx, p.WorkspaceID, in.ID)
		return &answer[AlertChannelView]{viewChannel(c)}, err
	})
	handle(h, admin, created(post("/alert-channels", "Add a channel", tag)), h.createChannel)
	handle(h, admin, method(http.MethodPatch, "/alert-channels/{id}", "Change a channel", tag), h.patchChannel)
	handle(h, admin, method(http.MethodDelete, "/alert-channels/{id}", "Remove a channel", tag), func(ctx context.Context, p principal, in *PathID) (*none, error) {
		return nil, h.Store.DeleteAlertChannel(ctx, p.WorkspaceID, in.ID)
	})
	handle(h, admin, post("/alert-channels/{id}/test", "Send a test", tag), func(ctx context.Context, p principal, in *PathID) (*answer[ChannelTest], error) {
		t, err := h.testChannel(ctx, p, in.ID)
		return &answer[ChannelTest]{t}, err
	})
}

func (h *Handler) createChannel(ctx context.Context, p principal, in *channelIn) (*answer[AlertChannelView], error) {
	id, err := newID()
	if err != nil {
		return nil, err
	}
	b := in.Body
	c := records.AlertChannel{ID: id, WorkspaceID: p.WorkspaceID, Kind: b.Kind, Name: b.Name, Config: b.Config.over(nil), Secrets: b.Secrets.over(nil),
		Kinds: b.Kinds, MinSeverity: b.MinSeverity, Enabled: b.Enabled == nil || *b.Enabled, CreatedAt: h.Now().UTC()}
	if c.MinSeverity == "" {
		c.MinSeverity = records.SeverityWarning
	}
	if err := h.checkChannel(&c); err != nil {
		return nil, err
	}
	switch err := h.Store.CreateAlertChannel(ctx, c, mostChannels); {
	case errors.Is(err, records.ErrConflict):
		return nil, problem(http.StatusConflict, fmt.Sprintf("A workspace has %d channels at most. Remove one that is not needed.", mostChannels))
	case err != nil:
		return nil, err
	}
	return &answer[AlertChannelView]{viewChannel(c)}, nil
}

func (h *Handler) patchChannel(ctx context.Context, p principal, in *channelPatch) (*answer[AlertChannelView], error) {
	c, err := h.Store.AlertChannelByID(ctx, p.WorkspaceID, in.ID)
	if err != nil {
		return nil, err
	}
	b, was := in.Body, c.Config["url"]
	if b.Name != nil {
		c.Name = *b.Name
	}
	c.Config, c.Secrets = b.Config.over(c.Config), b.Secrets.over(c.Secrets)
	if b.Kinds.Set {
		c.Kinds = b.Kinds.Value
	}
	if b.MinSeverity != nil {
		c.MinSeverity = *b.MinSeverity
	}
	if b.Enabled != nil {
		c.Enabled = *b.Enabled
	}
	if err := h.checkChannel(&c); err != nil {
		return nil, err
	}
	if _, again := b.Secrets["signing_secret"]; c.Kind == records.ChannelWebhook && c.Config["url"] != was && !again {
		// As with connections: who may edit a channel must not be able to make it vouch for a server of theirs.
		return nil, invalid("secrets.signing_secret", "The address is another one. Enter the signing secret again, best a new one.")
	}
	if err := h.Store.UpdateAlertChannel(ctx, c); err != nil {
		return nil, err
	}
	// It may be right now; whether it is, the next message shows.
	c.Failure, c.FailedAt = "", time.Time{}
	return &answer[AlertChannelView]{viewChannel(c)}, nil
}

// checkChannel brings a channel into its form and says what is wrong with it.
func (h *Handler) checkChannel(c *records.AlertChannel) error {
	var out faults
	c.Name = checkName(&out, "name", c.Name)
	fields, ok := channelFields[c.Kind]
	if !ok {
		out.add("kind", "Choose email, slack or webhook.")
		return out.problem()
	}
	for _, values := range []map[string]string{c.Config, c.Secrets} {
		maps.DeleteFunc(values, func(_, value string) bool { return strings.TrimSpace(value) == "" })
		for name, value := range values {
			values[name] = strings.TrimSpace(value)
		}
	}
	out = append(out, checkSettings(channelNames[c.Kind], fields, c.Config, c.Secrets)...)
	if c.Kinds != nil && len(c.Kinds) == 0 {
		out.add("kinds", "Choose at least one kind of alert.")
	}
	for _, kind := range c.Kinds {
		if !slices.Contains(records.AlertKinds, kind) {
			out.add("kinds", fmt.Sprintf("There is no kind of alert %q.", clip(string(kind), 40)))
			break
		}
	}
	slices.Sort(c.Kinds)
	c.Kinds = slices.Compact(c.Kinds)
	if len(c.Kinds) == len(records.AlertKinds) {
		c.Kinds = nil
	}
	if len(out) > 0 {
		return out.problem()
	}
	switch c.Kind {
	case records.ChannelEmail:
		h.checkRecipients(c, &out)
	case records.ChannelSlack:
		if h.Alerter != nil {
			if err := h.Alerter.CheckSlack(c.Secrets["url"]); err != nil {
				out.add("secrets.url", "This is no address of Slack: "+err.Error()+".")
			}
		}
	case records.ChannelWebhook:
		if u, err := httpx.ParseBaseURL(c.Config["url"]); err != nil {
			out.add("config.url", "This address cannot be used: "+err.Error()+".")
		} else if err := h.CheckHost(u.Hostname()); err != nil {
			out.add("config.url", err.Error())
		}
		if _, err := httpx.ParseSigningKeys(c.Secrets["signing_secret"]); err != nil {
			out.add("secrets.signing_secret", "The signing secret cannot be used: "+err.Error()+".")
		}
	}
	return out.problem()
}

func (h *Handler) checkRecipients(c *records.AlertChannel, out *faults) {
	var all []string
	for _, a := range strings.FieldsFunc(c.Config["to"], func(r rune) bool { return r == ',' || r == ';' || r == '\n' || r == '\r' || r == ' ' }) {
		if parsed, err := mail.ParseAddress(a); err != nil || parsed.Address != a || len(a) > 254 {
			out.add("config.to", "Write each address as name@example.com, with commas between them.")
			return
		}
		if !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	if len(all) == 0 || len(all) > mostRecipients {
		out.add("config.to", fmt.Sprintf("Give 1 to %d addresses.", mostRecipients))
		return
	}
	c.Config["to"] = strings.Join(all, ", ")
}

// testChannel sends a test and notes what came of it.
func (h *Handler) testChannel(ctx context.Context, p principal, id string) (ChannelTest, error) {
	c, err := h.Store.AlertChannelByID(ctx, p.WorkspaceID, id)
	if err != nil {
		return ChannelTest{}, err
	}
	if h.Alerter == nil {
		return ChannelTest{}, problem(http.StatusNotImplemented, "This process sends no alerts.")
	}
	switch ok, err := h.Store.BeginChannelTest(ctx, p.WorkspaceID, id, testPause); {
	case err != nil:
		return ChannelTest{}, err
	case !ok:
		return ChannelTest{}, problem(http.StatusTooManyRequests, "This channel was tested a moment ago. Wait some seconds, then try again.")
	}
	failure := h.Alerter.TestChannel(ctx, c)
	// The result counts even for somebody who did not wait for it.
	if err := h.Store.ChannelTested(context.WithoutCancel(ctx), p.WorkspaceID, id, failure); err != nil {
		return ChannelTest{}, err
	}
	if failure != "" {
		return ChannelTest{Text: failure}, nil
	}
	return ChannelTest{OK: true, Text: "The test was sent. Look whether it has arrived."}, nil
}
