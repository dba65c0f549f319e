package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/mail"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/callsync/callsync/internal/blobstore"
	"github.com/callsync/callsync/internal/mailer"
	"github.com/callsync/callsync/internal/secretbox"
)

// Bounds of an admin token: below the first it is refused, below the second it is warned of.
const (
	minAdminToken    = 8
	strongAdminToken = 20
)

// Problem is one thing that is wrong: the variable, what is wrong with it, and what to do. It never quotes a value.
type Problem struct {
	Name string
	Text string
	Fix  string
}

func (p Problem) String() string { return p.Name + " " + p.Text + ": " + p.Fix }

// Problems is everything that is wrong.
type Problems []Problem

// Error has one line per problem.
func (p Problems) Error() string {
	lines := make([]string, 0, len(p)+1)
	lines = append(lines, "the configuration has "+plural(len(p), "problem"))
	for _, one := range p {
		lines = append(lines, "  "+one.String())
	}
	return strings.Join(lines, "\n")
}

// Validate tells everything that is wrong with c for a process with these roles, as a Problems, or nil.
func (c Config) Validate(roles ...Role) error {
	if p := c.problems(roles); len(p) > 0 {
		slices.SortStableFunc(p, byOrder(c.variables()))
		return p
	}
	return nil
}

func (c Config) problems(roles []Role) Problems {
	var out Problems
	add := func(name, text, fix string) { out = append(out, Problem{name, text, fix}) }
	for _, v := range c.variables() {
		if v.value.IsZero() && slices.ContainsFunc(roles, func(r Role) bool { return slices.Contains(v.NeededBy(), string(r)) }) {
			add(v.Name, "is not set", "it is "+lowerFirst(v.Tag.Get("desc")))
		}
		if text, fix := outOfBounds(v); text != "" {
			add(v.Name, text, fix)
		}
	}

	if s := c.Database.URL.Reveal(); s != "" {
		// The parser's error quotes the value, so it is not passed on.
		if _, err := pgconn.ParseConfig(s); err != nil {
			add("DATABASE_URL", "cannot be read", "write postgres://user:password@host:5432/database, with special characters of the password percent-encoded, and check that files it names exist")
		}
	}
	checkAddr := func(name, addr string) {
		if addr != "" && !validAddr(addr) {
			add(name, "is not an address", "write host:port, or :port for every interface")
		}
	}
	checkAddr("TEMPORAL_ADDRESS", c.Temporal.Address)
	checkAddr("CALLSYNC_HTTP_ADDR", c.HTTP.Addr)
	checkAddr("CALLSYNC_METRICS_ADDR", c.HTTP.MetricsAddr)
	if c.HTTP.MetricsAddr != "" && c.HTTP.MetricsAddr == c.HTTP.Addr {
		add("CALLSYNC_METRICS_ADDR", "is the same as CALLSYNC_HTTP_ADDR", "leave it empty to serve metrics there")
	}
	if _, err := c.Temporal.TLSConfig(); err != nil {
		var p Problem
		errors.As(err, &p)
		out = append(out, p)
	}
	if c.HTTP.PublicURL != "" && !validPublicURL(c.HTTP.PublicURL) {
		add("CALLSYNC_PUBLIC_URL", "is not a plain web address", "write https://host or https://host/path, without user, query or fragment")
	}
	if c.Secrets.Keys != "" {
		if _, err := c.Secrets.Keyset(); err != nil {
			add("CALLSYNC_SECRET_KEYS", "cannot be used, "+err.Error(), "write id:key, as callsync keygen prints it")
		}
	}
	if t := c.Secrets.AdminToken.Reveal(); t != "" && (len(t) < minAdminToken || strings.ContainsFunc(t, notTokenRune)) {
		add("CALLSYNC_ADMIN_TOKEN", "cannot be used as a token", fmt.Sprintf("give at least %d letters, digits or any of -._~+/=, better %d random ones", minAdminToken, strongAdminToken))
	}
	out = append(out, c.Secrets.adminProblems()...)
	if u := c.Archive.URL.Reveal(); u != "" {
		if _, err := blobstore.Open(u); err != nil {
			add("CALLSYNC_BLOB_URL", "cannot be used", err.Error())
		}
	}
	out = append(out, c.Alerts.problems()...)
	// The server separates a deployment's name from its version by these, and keeps the prefix for itself.
	if d := c.Delivery.Deployment; strings.ContainsAny(d, ".:") || strings.HasPrefix(d, "__") {
		add("WORKER_DEPLOYMENT", "is not a name of a deployment", "leave out '.' and ':' and a leading '__'")
	}
	return out
}

func (s Secrets) adminProblems() Problems {
	var out Problems
	switch {
	case s.AdminEmail == "" && s.AdminPassword != "":
		out = append(out, Problem{"CALLSYNC_ADMIN_EMAIL", "is not set, but CALLSYNC_ADMIN_PASSWORD is", "set both or neither"})
	case s.AdminEmail != "" && s.AdminPassword == "":
		out = append(out, Problem{"CALLSYNC_ADMIN_PASSWORD", "is not set, but CALLSYNC_ADMIN_EMAIL is", "set both or neither"})
	}
	if s.AdminEmail != "" {
		if a, err := mail.ParseAddress(s.AdminEmail); err != nil || a.Address != s.AdminEmail {
			out = append(out, Problem{"CALLSYNC_ADMIN_EMAIL", "is not an e-mail address", "write name@example.com"})
		}
	}
	if said := secretbox.RefusePassword(s.AdminPassword.Reveal(), s.AdminEmail); s.AdminPassword != "" && said != "" {
		out = append(out, Problem{"CALLSYNC_ADMIN_PASSWORD", "cannot be taken", said})
	}
	return out
}

func (a Alerts) problems() Problems {
	var out Problems
	switch _, err := mailer.Parse(a.SMTPURL.Reveal(), a.SMTPFrom); {
	case a.SMTPURL == "" && a.SMTPFrom != "":
		out = append(out, Problem{"CALLSYNC_SMTP_URL", "is not set, but CALLSYNC_SMTP_FROM is", "set both or neither"})
	case a.SMTPURL == "" || err == nil:
	case a.SMTPFrom == "":
		out = append(out, Problem{"CALLSYNC_SMTP_FROM", "is not set, but CALLSYNC_SMTP_URL is", "set both or neither"})
	case errors.Is(err, mailer.ErrSender):
		out = append(out, Problem{"CALLSYNC_SMTP_FROM", "cannot be used", "write alerts@example.com or callsync <alerts@example.com>"})
	default:
		out = append(out, Problem{"CALLSYNC_SMTP_URL", "cannot be used", err.Error()})
	}
	for host := range strings.SplitSeq(a.SlackHosts, ",") {
		if u, err := url.Parse("https://" + strings.TrimSpace(host)); err != nil || u.Host == "" || u.Host != strings.TrimSpace(host) {
			out = append(out, Problem{"CALLSYNC_SLACK_HOSTS", "is not a list of hosts", "write hooks.slack.com"})
			break
		}
	}
	return out
}

// Mail is the mail server; nil where there is none.
func (a Alerts) Mail() *mailer.Server {
	s, err := mailer.Parse(a.SMTPURL.Reveal(), a.SMTPFrom)
	if err != nil {
		return nil
	}
	return s
}

// Slack is the hosts of incoming webhooks of Slack.
func (a Alerts) Slack() []string {
	var out []string
	for host := range strings.SplitSeq(a.SlackHosts, ",") {
		out = append(out, strings.ToLower(strings.TrimSpace(host)))
	}
	return out
}

// Warnings are sentences on what works but should be looked at; they quote no value.
func (c Config) Warnings() []string {
	var out []string
	for _, name := range Unknown() {
		out = append(out, name+" is set but means nothing to callsync: is it misspelt?")
	}
	if t := c.Secrets.AdminToken; t != "" && len(t) < strongAdminToken {
		out = append(out, fmt.Sprintf("CALLSYNC_ADMIN_TOKEN is short: give at least %d random characters", strongAdminToken))
	}
	if u, err := url.Parse(c.HTTP.PublicURL); err == nil && u.Scheme == "http" && !loopback(u.Hostname()) {
		out = append(out, "CALLSYNC_PUBLIC_URL is not https: tokens in hook URLs cross the network in the clear")
	}
	if m := c.Alerts.Mail(); m != nil && m.Plain() {
		out = append(out, "CALLSYNC_SMTP_URL allows e-mails without encryption: names of sources and connections cross the network in the clear")
	}
	if c.HTTP.AllowPrivateHosts {
		out = append(out, "CALLSYNC_ALLOW_PRIVATE_HOSTS is on: admins can make callsync send requests into your network")
	}
	return out
}

// Keyset is the parsed CALLSYNC_SECRET_KEYS.
func (s Secrets) Keyset() (*secretbox.Keyset, error) { return secretbox.Parse(s.Keys.Reveal()) }

// TLSConfig is how to connect to Temporal: nil without TLS. Its error is a Problem.
func (t Temporal) TLSConfig() (*tls.Config, error) {
	if !t.TLS && t.APIKey == "" && t.TLSServerName == "" && t.TLSServerCA == "" && t.TLSClientCert == "" && t.TLSClientKey == "" {
		return nil, nil
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.TLSServerName}
	if t.TLSServerCA != "" {
		pem, err := os.ReadFile(t.TLSServerCA)
		out.RootCAs = x509.NewCertPool()
		if err != nil || !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, Problem{"TEMPORAL_TLS_SERVER_CA_CERT_PATH", "names no readable PEM certificate", "check the path and the rights of the file"}
		}
	}
	if (t.TLSClientCert == "") != (t.TLSClientKey == "") {
		return nil, Problem{"TEMPORAL_TLS_CLIENT_CERT_PATH", "and TEMPORAL_TLS_CLIENT_KEY_PATH belong together", "set both or neither"}
	}
	if t.TLSClientCert != "" {
		pair, err := tls.LoadX509KeyPair(t.TLSClientCert, t.TLSClientKey)
		if err != nil {
			return nil, Problem{"TEMPORAL_TLS_CLIENT_CERT_PATH", "and its key cannot be loaded", "check both paths, the rights of the files, and that they belong together"}
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}

// Error makes a Problem usable on its own.
func (p Problem) Error() string { return p.String() }

// normalize brings a valid configuration into the one form that the rest relies on.
func (c *Config) normalize() { c.HTTP.PublicURL = strings.TrimRight(c.HTTP.PublicURL, "/") }

// outOfBounds checks v against its min and max tags.
func outOfBounds(v variable) (text, fix string) {
	lo, hi := v.Tag.Get("min"), v.Tag.Get("max")
	if lo == "" && hi == "" {
		return "", ""
	}
	parse := func(s string) int64 {
		if v.value.Type() == reflect.TypeFor[time.Duration]() {
			d, err := time.ParseDuration(s)
			if err != nil {
				panic("config: bad bound of " + v.Name)
			}
			return int64(d)
		}
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			panic("config: bad bound of " + v.Name)
		}
		return n
	}
	switch {
	case lo != "" && v.value.Int() < parse(lo):
		return "is too small", "give at least " + lo
	case hi != "" && v.value.Int() > parse(hi):
		return "is too large", "give at most " + hi
	}
	return "", ""
}

func validAddr(addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && strconv.FormatUint(n, 10) == port
}

func validPublicURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && u.User == nil &&
		u.RawQuery == "" && !u.ForceQuery && u.Fragment == "" && !strings.Contains(s, "#")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// notTokenRune tells the characters that RFC 6750 does not allow in a bearer token.
func notTokenRune(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._~+/=", r))
}

// expected says what a value of type t looks like.
func expected(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration such as 90s or 20m"
	case t == reflect.TypeFor[slog.Level]():
		return "DEBUG, INFO, WARN or ERROR"
	case t == reflect.TypeFor[Networks]():
		return "addresses or networks such as 10.0.0.1 or 10.0.0.0/8, separated by commas"
	case t.Kind() == reflect.Bool:
		return "true or false"
	default:
		return "a whole number"
	}
}

func lowerFirst(s string) string {
	// Names such as PostgreSQL or E-mail keep their capital where the second letter is not small.
	if len(s) > 1 && s[1] >= 'a' && s[1] <= 'z' && !strings.HasPrefix(s, "PostgreSQL") && !strings.HasPrefix(s, "Temporal") {
		return strings.ToLower(s[:1]) + s[1:]
	}
	return s
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
