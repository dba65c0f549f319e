package mailer_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/internal/mailer"
	"github.com/callsync/callsync/internal/mailer/smtptest"
)

var message = mailer.Message{ID: "m-1", To: []string{"anna@example.com", "ben@example.com"}, Subject: "Büro is silent", Text: "Büro\nhas sent nothing.\n.\nEnd", HTML: "<p>Büro</p>"}

func server(t *testing.T, s *smtptest.Server, prefix, query string) *mailer.Server {
	t.Helper()
	m, err := mailer.Parse(prefix+s.Addr+query, "callsync <alerts@example.org>")
	require.NoError(t, err)
	m.TLS = &tls.Config{RootCAs: s.Roots} //nolint:gosec // only the authorities are taken from it
	return m
}

func TestSend(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options       smtptest.Options
		prefix, query string
	}{
		"starttls":     {prefix: "smtp://"},
		"with a user":  {options: smtptest.Options{User: "u@x", Password: "p@ss word"}, prefix: "smtp://u%40x:p%40ss%20word@"},
		"smtps":        {options: smtptest.Options{Implicit: true, User: "u", Password: "p"}, prefix: "smtps://u:p@"},
		"in the clear": {options: smtptest.Options{NoTLS: true}, prefix: "smtp://", query: "?starttls=off"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := smtptest.New(t, c.options)
			require.NoError(t, server(t, s, c.prefix, c.query).Send(t.Context(), message))
			require.Empty(t, s.Complaints())
			require.Len(t, s.Mails(), 1)
			got := s.Mails()[0]
			require.Equal(t, "alerts@example.org", got.From)
			require.Equal(t, message.To, got.To)
			m, err := mail.ReadMessage(strings.NewReader(got.Data))
			require.NoError(t, err)
			require.Equal(t, "<m-1@example.org>", m.Header.Get("Message-ID"))
			subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
			require.NoError(t, err)
			require.Equal(t, message.Subject, subject)
			kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
			require.NoError(t, err)
			require.Equal(t, "multipart/alternative", kind)
			var parts []string
			for r := multipart.NewReader(m.Body, params["boundary"]); ; {
				p, err := r.NextRawPart()
				if err == io.EOF {
					break
				}
				require.NoError(t, err)
				text, err := io.ReadAll(quotedprintable.NewReader(p))
				require.NoError(t, err)
				parts = append(parts, p.Header.Get("Content-Type")+": "+strings.ReplaceAll(strings.TrimRight(string(text), "\r\n"), "\r\n", "\n"))
			}
			require.Equal(t, []string{"text/plain; charset=UTF-8: " + message.Text, "text/html; charset=UTF-8: " + message.HTML}, parts)
		})
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	at := func(command, answer string) func(string, string) string {
		return func(c, _ string) string {
			if c == command {
				return answer
			}
			return ""
		}
	}
	for name, c := range map[string]struct {
		options smtptest.Options
		prefix  string
		final   bool
		says    string
	}{
		"no STARTTLS":          {smtptest.Options{NoTLS: true}, "smtp://", false, "STARTTLS"},
		"wrong password":       {smtptest.Options{User: "u", Password: "p"}, "smtp://u:hunter2@", false, "user or password (535)"},
		"unknown recipient":    {smtptest.Options{Answer: at("RCPT", "550 5.1.1 hunter2 nobody")}, "smtp://", true, "all of the addresses: anna@example.com (550), ben@example.com (550)"},
		"greylisted":           {smtptest.Options{Answer: at("RCPT", "451 4.7.1 later")}, "smtp://", false, "all of the addresses: anna@example.com (451), ben@example.com (451)"},
		"refused":              {smtptest.Options{Answer: at(".", "554 5.7.1 spam")}, "smtp://", true, "refused the message (554)"},
		"full":                 {smtptest.Options{Answer: at("MAIL", "452 4.3.1 full")}, "smtp://", false, "refused the message (452)"},
		"broken off when sent": {smtptest.Options{Answer: at(".", "drop")}, "smtp://", false, "may arrive twice"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := smtptest.New(t, c.options)
			err := server(t, s, c.prefix, "").Send(t.Context(), message)
			var e *mailer.Error
			require.True(t, errors.As(err, &e), "%v", err)
			require.Equal(t, c.final, e.Final)
			require.Contains(t, e.Public, c.says)
			require.NotContains(t, e.Public, "hunter2")
			require.Empty(t, s.Complaints())
		})
	}
}

// One address that is refused does not cost the others their message, and who has it does not get it again.
func TestOneAddressIsRefused(t *testing.T) {
	t.Parallel()
	m := message
	m.To = []string{"anna@example.com", "ben@example.com", "chloe@example.com"}
	for answer, sends := range map[string]int{"550 5.1.1 hunter2 nobody": 2, "451 4.7.1 later": 2} {
		s := smtptest.New(t, smtptest.Options{Answer: func(command, line string) string {
			if command == "RCPT" && strings.Contains(line, "ben@") {
				return answer
			}
			return ""
		}})
		err := server(t, s, "smtp://", "").Send(t.Context(), m)
		var e *mailer.Error
		require.ErrorAs(t, err, &e)
		require.True(t, e.Partly && e.Final)
		require.Equal(t, "The mail server refused ben@example.com ("+answer[:3]+"). The others got the message.", e.Public)
		require.Len(t, s.Mails(), sends)
		for i, to := range []string{"anna@example.com", "chloe@example.com"} {
			require.Equal(t, []string{to}, s.Mails()[i].To)
			require.Contains(t, s.Mails()[i].Data, "<m-1@example.org>")
		}
		require.Empty(t, s.Complaints())
	}
	// One alone is no matter of others.
	m.To = m.To[:1]
	s := smtptest.New(t, smtptest.Options{Answer: func(command, _ string) string { return map[string]string{"RCPT": "550 no"}[command] }})
	var e *mailer.Error
	require.ErrorAs(t, server(t, s, "smtp://", "").Send(t.Context(), m), &e)
	require.True(t, e.Final && !e.Partly)
	require.Contains(t, e.Public, "one of the addresses (550)")
}

// A server that is trusted by nobody, one that does not answer, and none at all.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	s := smtptest.New(t, smtptest.Options{})
	m := server(t, s, "smtp://", "")
	m.TLS = nil
	var e *mailer.Error
	require.ErrorAs(t, m.Send(t.Context(), message), &e)
	require.Contains(t, e.Public, "certificate")
	require.Empty(t, s.Mails())

	s = smtptest.New(t, smtptest.Options{Answer: func(c, _ string) string {
		if c == "MAIL" {
			return "hang"
		}
		return ""
	}})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	require.ErrorAs(t, server(t, s, "smtp://", "").Send(ctx, message), &e)
	require.Less(t, time.Since(began), 5*time.Second, "the caller's context ends it")
	require.False(t, e.Final)
}

// Nobody can add headers or recipients.
func TestHeaderInjection(t *testing.T) {
	t.Parallel()
	s := smtptest.New(t, smtptest.Options{})
	sender := server(t, s, "smtp://", "")
	for _, change := range []func(*mailer.Message){
		func(m *mailer.Message) { m.Subject = "x\r\nBcc: eve@example.com" },
		func(m *mailer.Message) { m.Subject = "x\nBcc: eve@example.com" },
		func(m *mailer.Message) { m.ID = "x>\r\nBcc: eve@example.com" },
		func(m *mailer.Message) { m.To = []string{"anna@example.com\r\nRCPT TO:<eve@example.com>"} },
		func(m *mailer.Message) { m.To = []string{"Anna <anna@example.com>"} },
		func(m *mailer.Message) { m.To = []string{"anna@example.com, eve@example.com"} },
		func(m *mailer.Message) { m.To = nil },
	} {
		m := message
		change(&m)
		var e *mailer.Error
		require.ErrorAs(t, sender.Send(t.Context(), m), &e)
		require.True(t, e.Final)
	}
	require.Empty(t, s.Mails())
}

func TestParse(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{
		"smtp://mail.example.com":                      true,
		"smtp://mail.example.com:25?starttls=off":      true,
		"smtp://u:p@mail.example.com?starttls=off":     false,
		"smtp://u:p@mail.example.com?starttls=maybe":   false,
		"smtps://u:p@mail.example.com":                 true,
		"smtps://u:p@mail.example.com?starttls=off":    false,
		"smtp://u@mail.example.com":                    false,
		"smtp://mail.example.com:99999":                false,
		"smtp://mail.example.com/path":                 false,
		"mail.example.com:587":                         false,
		"https://mail.example.com":                     false,
		"":                                             false,
		"smtp://u:p%zz@mail.example.com":               false,
		"smtp://u:p@mail.example.com?insecure=hunter2": false,
	} {
		_, err := mailer.Parse(address, "a@example.com")
		require.Equal(t, ok, err == nil, address)
		if err != nil {
			require.NotContains(t, err.Error(), "hunter2")
		}
	}
	for from, ok := range map[string]bool{"a@example.com": true, "callsync <a@example.com>": true, "": false, "a": false, "a@example.com\r\nBcc: b@example.com": false} {
		_, err := mailer.Parse("smtp://mail.example.com", from)
		require.Equal(t, ok, err == nil, from)
	}
}
