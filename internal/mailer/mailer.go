// Package mailer sends e-mails through the operator's SMTP server. It speaks TLS unless it is told not to, refuses texts
// that could add headers, and says of a failure whether trying again may help.
package mailer

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/mail"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"
)

// timeout bounds one message with its connection.
const timeout = 15 * time.Second

// Server is an SMTP server through which to send.
type Server struct {
	host           string
	port           int
	user, password string
	from           *mail.Address
	// implicit is TLS from the first byte (smtps); plain is no TLS at all.
	implicit, plain bool
	// TLS, where set, replaces the system's authorities.
	TLS *tls.Config
}

// Parse reads an address, smtp://user:password@host:587 or smtps://user:password@host:465, and a sender,
// "callsync <alerts@example.com>". smtp demands STARTTLS unless the address ends with ?starttls=off. Errors quote nothing.
func Parse(address, from string) (*Server, error) {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "smtp" && u.Scheme != "smtps") || u.Hostname() == "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return nil, errors.New("write smtp://user:password@host:587 or smtps://user:password@host:465, with special characters of the password percent-encoded")
	}
	s := &Server{host: u.Hostname(), port: 587, implicit: u.Scheme == "smtps"}
	if s.implicit {
		s.port = 465
	}
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return nil, errors.New("the port must be a number from 1 to 65535")
		}
		s.port = int(n)
	}
	if u.User != nil {
		s.user = u.User.Username()
		s.password, _ = u.User.Password()
		if s.user == "" || s.password == "" {
			return nil, errors.New("give both user and password, or neither")
		}
	}
	for name, values := range u.Query() {
		if name != "starttls" || len(values) != 1 || (values[0] != "off" && values[0] != "required") || s.implicit {
			return nil, errors.New("the one option is ?starttls=off, of smtp://")
		}
		s.plain = values[0] == "off"
	}
	if s.plain && s.user != "" {
		return nil, errors.New("with ?starttls=off there can be no password: it would cross the network in the clear")
	}
	if s.from, err = mail.ParseAddress(from); err != nil || strings.ContainsFunc(from, unicode.IsControl) {
		return nil, ErrSender
	}
	return s, nil
}

// ErrSender is why a sender cannot be used.
var ErrSender = errors.New("the sender must be an address such as alerts@example.com or callsync <alerts@example.com>")

// Plain tells that messages cross the network in the clear.
func (s *Server) Plain() bool { return s.plain }

// Message is an e-mail in two forms of the same text.
type Message struct {
	// ID is the part of the Message-ID before the @: the same message sent twice has the same.
	ID         string
	To         []string
	Subject    string
	Text, HTML string
}

// Error is a message that was not sent.
type Error struct {
	// Final tells that sending it again is of no use.
	Final bool
	// Partly tells that some of the recipients have it: sent again, they would have it twice.
	Partly bool
	// Public is a sentence for people.
	Public string
	err    error
}

func (e *Error) Error() string { return "send mail: " + e.err.Error() }

func (e *Error) Unwrap() error { return e.err }

// CheckAddress tells whether s is a plain address, name@example.com.
func CheckAddress(s string) error {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || a.Name != "" || len(s) > 254 || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
		return errors.New("an address is written as name@example.com")
	}
	return nil
}

// Send sends a message to all its recipients at once; where the server refuses some of them, to each of the others by
// itself. Its error is an *Error. Where the connection breaks after the server has taken the message and before it has said
// so, the message is sent although there is an error.
func (s *Server) Send(ctx context.Context, m Message) error {
	msg, err := s.compose(m)
	if err != nil {
		return &Error{Final: true, Public: "The e-mail could not be written: one of the addresses, or the subject, cannot be used.", err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	c, err := s.client(ctx)
	if err != nil {
		return &Error{Final: true, Public: "The operator’s settings of the mail server cannot be used.", err: err}
	}
	err = c.DialAndSendWithContext(ctx, msg)
	switch {
	case err == nil || msg.IsDelivered():
		return nil
	case refusedRecipient(err) && len(m.To) > 1:
		return s.sendEach(ctx, c, m)
	}
	return failure(err)
}

// refusedRecipient tells whether the server took the sender and refused an address. Nobody has the message then.
func refusedRecipient(err error) bool {
	var sent *gomail.SendError
	return errors.As(err, &sent) && sent.Reason == gomail.ErrSMTPRcptTo && sent.ErrorCode() != 0
}

// sendEach sends a message to each recipient by itself. An address that is refused is refused for this message, for good or
// not: it must not cost the others theirs, nor bring it to them again and again.
func (s *Server) sendEach(ctx context.Context, c *gomail.Client, m Message) error {
	each := make([]*gomail.Msg, len(m.To))
	for i, to := range m.To {
		one := m
		one.To = []string{to}
		msg, err := s.compose(one)
		if err != nil {
			return &Error{Final: true, Public: "The e-mail could not be written: one of the addresses cannot be used.", err: err}
		}
		each[i] = msg
	}
	err := c.DialAndSendWithContext(ctx, each...)
	if err == nil {
		return nil
	}
	var refused []string
	final := true
	for i, msg := range each {
		switch {
		case msg.IsDelivered():
		case !refusedRecipient(msg.SendError()):
			// It broke off: whoever has it will have it again.
			return failure(cmp.Or(msg.SendError(), err))
		default:
			final = final && !msg.SendErrorIsTemp()
			refused = append(refused, m.To[i]+answered(failureCode(msg.SendError())))
		}
	}
	switch len(refused) {
	case 0:
		return nil
	case len(m.To):
		return &Error{Final: final, Public: "The mail server refused all of the addresses: " + strings.Join(refused, ", ") + ".", err: err}
	}
	return &Error{Final: true, Partly: true, Public: "The mail server refused " + strings.Join(refused, ", ") + ". The others got the message.", err: err}
}

// failureCode is what the server answered to a message.
func failureCode(err error) int {
	var sent *gomail.SendError
	if errors.As(err, &sent) {
		return sent.ErrorCode()
	}
	return 0
}

func (s *Server) compose(m Message) (*gomail.Msg, error) {
	msg := gomail.NewMsg()
	if err := msg.FromFormat(s.from.Name, s.from.Address); err != nil {
		return nil, err
	}
	if len(m.To) == 0 {
		return nil, errors.New("nobody to send to")
	}
	for _, to := range m.To {
		if err := CheckAddress(to); err != nil {
			return nil, err
		}
	}
	if err := msg.To(m.To...); err != nil {
		return nil, errors.New("a recipient is not an address")
	}
	for _, text := range []string{m.Subject, m.ID} {
		if strings.ContainsFunc(text, unicode.IsControl) {
			return nil, errors.New("a header holds a control character")
		}
	}
	_, domain, _ := strings.Cut(s.from.Address, "@")
	msg.SetMessageIDWithValue(m.ID + "@" + domain)
	msg.SetDate()
	msg.Subject(m.Subject)
	// Out-of-office answers to alerts help nobody (RFC 3834).
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	return msg, nil
}

func (s *Server) client(ctx context.Context) (*gomail.Client, error) {
	left := timeout
	if at, ok := ctx.Deadline(); ok {
		left = max(min(left, time.Until(at)), time.Millisecond)
	}
	options := []gomail.Option{gomail.WithPort(s.port), gomail.WithTimeout(left), gomail.WithTLSPolicy(gomail.TLSMandatory)}
	if _, domain, ok := strings.Cut(s.from.Address, "@"); ok {
		// The name of this machine is nobody's business.
		options = append(options, gomail.WithHELO(domain))
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: s.host}
	if s.TLS != nil {
		config.RootCAs = s.TLS.RootCAs
	}
	options = append(options, gomail.WithTLSConfig(config))
	switch {
	case s.implicit:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS), gomail.WithSSL())
	case s.plain:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	}
	if s.user != "" {
		options = append(options, gomail.WithUsername(s.user), gomail.WithPassword(s.password), gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover))
	}
	return gomail.NewClient(s.host, options...)
}

// failure says in a sentence why a message was not sent. What the server answered is for operators.
func failure(err error) *Error {
	out := &Error{Public: "The mail server could not be reached, or broke off. callsync tries again.", err: err}
	var sent *gomail.SendError
	var answer *textproto.Error
	var cert *tls.CertificateVerificationError
	code := 0
	if errors.As(err, &answer) {
		code = answer.Code
	}
	switch {
	case errors.As(err, &sent):
		code = max(code, sent.ErrorCode())
		out.Final = !sent.IsTemp() && code >= 500
		out.Public = fmt.Sprintf("The mail server refused the message%s.", answered(code))
		if sent.Reason == gomail.ErrSMTPRcptTo {
			out.Public = fmt.Sprintf("The mail server refused one of the addresses%s.", answered(code))
		}
		if code == 0 {
			out.Public = "The connection to the mail server broke off. callsync tries again; the message may arrive twice."
		}
	case errors.Is(err, context.DeadlineExceeded):
		out.Public = "The mail server did not answer in time. callsync tries again."
	case errors.As(err, &cert):
		out.Public = "The mail server’s certificate is not trusted. The operator has to put that right."
	case strings.Contains(err.Error(), "STARTTLS"):
		out.Public = "The mail server offers no encryption (STARTTLS). The operator has to put that right, or allow to do without."
	case code == 535 || code == 534 || code == 530 || errors.Is(err, gomail.ErrNoSupportedAuthDiscovered):
		out.Public = fmt.Sprintf("The mail server refused callsync’s user or password%s. The operator has to put that right.", answered(code))
	}
	return out
}

func answered(code int) string {
	if code == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d)", code)
}
