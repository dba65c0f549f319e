package alerts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/callsync/callsync/internal/httpx"
	"github.com/callsync/callsync/internal/mailer"
	"github.com/callsync/callsync/records"
)

const userAgent = "callsync-alerts/1"

func (s *Sender) email(ctx context.Context, c records.AlertChannel, id string, m records.AlertMessage) *Failure {
	if s.Mail == nil {
		return &Failure{Final: true, Public: "This callsync has no mail server. Its operator has to set CALLSYNC_SMTP_URL and CALLSYNC_SMTP_FROM."}
	}
	text, page := s.letter(m)
	err := s.Mail.Send(ctx, mailer.Message{ID: id, To: Recipients(c), Subject: oneLine(subject(m)), Text: text, HTML: page})
	if err == nil {
		return nil
	}
	var e *mailer.Error
	if !errors.As(err, &e) {
		return &Failure{Public: "The mail server could not be reached."}
	}
	return &Failure{Public: e.Public, Final: e.Final, Partly: e.Partly}
}

// Recipients are the addresses of an e-mail channel.
func Recipients(c records.AlertChannel) []string {
	return slices.DeleteFunc(strings.FieldsFunc(c.Config["to"], func(r rune) bool { return r == ',' || r == ';' || r == '\n' || r == '\r' || r == ' ' }), func(a string) bool { return a == "" })
}

func subject(m records.AlertMessage) string {
	if m.Severity == records.SeverityCritical && m.Event != records.AlertEventResolved {
		return "[callsync] Critical: " + m.Title
	}
	return "[callsync] " + m.Title
}

// oneLine takes what a header must not hold out of a text that people have made up, and bounds it.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
	const most = 200
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "…"
	}
	return s
}

var page = template.Must(template.New("").Parse(`<!doctype html><html><body style="font-family:sans-serif;font-size:15px;line-height:1.5;color:#1b2230">
<p style="font-size:17px"><strong>{{.Title}}</strong></p><p>{{.Reason}}</p>
{{with .Since}}<p>Since {{.}}</p>{{end}}<p><a href="{{.Link}}">{{.Open}}</a></p>
<p style="color:#576174;font-size:13px">{{with .Workspace}}Workspace: {{.}}. {{end}}You get this because an admin of callsync has entered your address. <a href="{{.Settings}}">Change or stop alerts</a></p>
</body></html>`))

// letter is a message as plain text and as HTML.
func (s *Sender) letter(m records.AlertMessage) (text, html string) {
	data := map[string]string{"Title": oneLine(m.Title), "Reason": m.Reason, "Since": since(m), "Link": s.link(m), "Open": "Open callsync",
		"Workspace": oneLine(m.Workspace), "Settings": s.PublicURL + "/settings/alerts"}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s\n", data["Title"], m.Reason)
	if data["Since"] != "" {
		fmt.Fprintf(&b, "\nSince %s\n", data["Since"])
	}
	fmt.Fprintf(&b, "\n%s\n\n--\n", data["Link"])
	if data["Workspace"] != "" {
		fmt.Fprintf(&b, "Workspace: %s\n", data["Workspace"])
	}
	fmt.Fprintf(&b, "Change or stop alerts: %s\n", data["Settings"])
	var h bytes.Buffer
	if err := page.Execute(&h, data); err != nil {
		// The template is fixed, and its data are texts.
		return b.String(), template.HTMLEscapeString(b.String())
	}
	return b.String(), h.String()
}

// CheckSlackURL tells whether an address is an incoming webhook of Slack on one of the hosts.
func CheckSlackURL(address string, hosts []string, plain bool) error {
	u, err := httpx.ParseBaseURL(address)
	if err != nil || (u.Scheme != "https" && !plain) || !slices.Contains(hosts, u.Host) && !slices.Contains(hosts, u.Hostname()) || strings.Trim(u.Path, "/") == "" {
		return fmt.Errorf("the address of an incoming webhook begins with https://%s/", hosts[0])
	}
	return nil
}

func (s *Sender) slack(ctx context.Context, c records.AlertChannel, m records.AlertMessage) *Failure {
	// Checked again: the operator may have changed the hosts since it was saved.
	if err := CheckSlackURL(c.Secrets["url"], s.SlackHosts, s.Plain); err != nil {
		return &Failure{Final: true, Public: "The address is not one of Slack’s: " + err.Error() + "."}
	}
	body, err := json.Marshal(map[string]any{"text": s.slackText(m), "unfurl_links": false, "unfurl_media": false})
	if err != nil {
		return &Failure{Final: true, Public: "The message could not be written."}
	}
	status, header, err := s.post(ctx, c.Secrets["url"], body, nil)
	switch {
	case err != nil:
		return noAnswer(err, "Slack")
	case status/100 == 2:
		return nil
	case status == http.StatusNotFound || status == http.StatusGone || status == http.StatusForbidden:
		return &Failure{Final: true, Public: fmt.Sprintf("Slack knows this address no more (%d): the webhook was removed, or its channel archived. Make a new one in Slack and enter it here.", status)}
	case status == http.StatusTooManyRequests:
		return &Failure{Public: "Slack asks to wait (429).", RetryAfter: s.retryAfter(header)}
	}
	return &Failure{Public: fmt.Sprintf("Slack refused the message (%d).", status), Final: status == http.StatusBadRequest}
}

// slackEscape makes a text safe in mrkdwn: only these three characters begin something there.
var slackEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func (s *Sender) slackText(m records.AlertMessage) string {
	// A bar would end the address of a link.
	label := strings.ReplaceAll(slackEscape.Replace(oneLine(m.Title)), "|", "/")
	var b strings.Builder
	if m.Severity == records.SeverityCritical && m.Event != records.AlertEventResolved {
		b.WriteString("*Critical:* ")
	}
	fmt.Fprintf(&b, "*<%s|%s>*\n%s", s.link(m), label, slackEscape.Replace(m.Reason))
	var foot []string
	if at := since(m); at != "" {
		foot = append(foot, "Since "+at)
	}
	if m.Workspace != "" {
		foot = append(foot, "Workspace: "+slackEscape.Replace(oneLine(m.Workspace)))
	}
	if len(foot) > 0 {
		b.WriteString("\n" + strings.Join(foot, " · "))
	}
	return b.String()
}

// webhookData is what a webhook gets as data.
type webhookData struct {
	AlertID   string            `json:"alert_id,omitempty"`
	Kind      records.AlertKind `json:"kind,omitempty"`
	Severity  string            `json:"severity"`
	Object    string            `json:"object,omitempty"`
	ObjectID  string            `json:"object_id,omitempty"`
	Name      string            `json:"name,omitempty"`
	Workspace string            `json:"workspace,omitempty"`
	Title     string            `json:"title"`
	Reason    string            `json:"reason"`
	Since     time.Time         `json:"since,omitzero"`
	Link      string            `json:"link"`
}

func (s *Sender) webhook(ctx context.Context, c records.AlertChannel, id string, m records.AlertMessage) *Failure {
	u, err := httpx.ParseBaseURL(c.Config["url"])
	if err != nil {
		return &Failure{Final: true, Public: "The address of the webhook cannot be used: " + err.Error() + "."}
	}
	keys, err := httpx.ParseSigningKeys(c.Secrets["signing_secret"])
	if err != nil {
		return &Failure{Final: true, Public: "The signing secret cannot be used: " + err.Error() + "."}
	}
	at := s.now().UTC()
	body, err := json.Marshal(struct {
		Type      string      `json:"type"`
		Timestamp time.Time   `json:"timestamp"`
		Data      webhookData `json:"data"`
	}{"alert." + m.Event, at, webhookData{m.AlertID, m.Kind, m.Severity, m.Object, m.ObjectID, m.ObjectName, m.Workspace, m.Title, m.Reason, m.Since, s.link(m)}})
	if err != nil {
		return &Failure{Final: true, Public: "The message could not be written."}
	}
	id = "msg_" + id
	status, header, err := s.post(ctx, u.String(), body, map[string]string{"webhook-id": id,
		"webhook-timestamp": strconv.FormatInt(at.Unix(), 10), "webhook-signature": httpx.SignWebhook(keys, id, at, body)})
	switch {
	case err != nil:
		return noAnswer(err, "The receiver of the webhook")
	case status/100 == 2:
		return nil
	case status == http.StatusGone:
		return &Failure{Final: true, Public: "The receiver of the webhook answered 410: it wants no more."}
	case status/100 == 3:
		return &Failure{Public: fmt.Sprintf("The receiver of the webhook sends callsync elsewhere (%d). Enter the final address.", status)}
	}
	return &Failure{Public: fmt.Sprintf("The receiver of the webhook did not take the message (%d).", status), RetryAfter: s.retryAfter(header)}
}

func (s *Sender) post(ctx context.Context, address string, body []byte, headers map[string]string) (int, http.Header, error) {
	client := httpx.NewClient(httpx.ClientOptions{Transport: s.Transport, Timeout: sendTimeout, MaxBody: 64 << 10, UserAgent: userAgent})
	resp, err := client.R().SetContext(ctx).SetHeader("Content-Type", "application/json").SetHeaders(headers).SetBody(body).Post(address)
	if err != nil {
		return 0, nil, err
	}
	return resp.StatusCode(), resp.Header(), nil
}

func (s *Sender) retryAfter(h http.Header) time.Duration {
	d, _ := httpx.ParseRetryAfter(h.Get("Retry-After"), s.now())
	return d
}
