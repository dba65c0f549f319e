// Package smtptest is a strict SMTP server for tests: it keeps what it takes, and can be told to misbehave.
package smtptest

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Options say how the server behaves.
type Options struct {
	// NoTLS leaves STARTTLS away; Implicit speaks TLS from the first byte.
	NoTLS, Implicit bool
	// User and Password, where set, are demanded.
	User, Password string
	// Answer, where set, may answer a command ("MAIL", "RCPT", "DATA", "." for the end of the data) otherwise than with
	// success; empty leaves it. "drop" takes the message and breaks off, "hang" never answers.
	Answer func(command, line string) string
}

// Mail is one message that the server took.
type Mail struct {
	From string
	To   []string
	Data string
}

// Server is a fake mail server.
type Server struct {
	t       *testing.T
	options Options
	cert    tls.Certificate
	// Roots trust the server's certificate.
	Roots *x509.CertPool
	// Addr is host:port.
	Addr string

	mu    sync.Mutex
	mails []Mail
	// Complaints are breaches of the protocol by the client.
	complaints []string
}

// New starts a server that ends with the test.
func New(t *testing.T, o Options) *Server {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	s := &Server{t: t, options: o, cert: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, Roots: x509.NewCertPool()}
	s.Roots.AddCert(leaf)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.Addr = l.Addr().String()
	var wg sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			wg.Go(func() {
				defer c.Close()
				s.serve(c)
			})
		}
	})
	return s
}

// Mails are the messages that the server has taken, also those after which it broke off.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.mails...)
}

// Complaints are what clients did wrong.
func (s *Server) Complaints() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.complaints...)
}

func (s *Server) complain(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.complaints = append(s.complaints, fmt.Sprintf(format, args...))
}

func (s *Server) config() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{s.cert}, MinVersion: tls.VersionTLS12}
}

func (s *Server) serve(c net.Conn) {
	secure := s.options.Implicit
	if secure {
		c = tls.Server(c, s.config())
	}
	r := bufio.NewReader(c)
	say := func(line string) { fmt.Fprintf(c, "%s\r\n", line) }
	say("220 mail ready")
	var m Mail
	greeted, in := false, s.options.User == ""
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		if !strings.HasSuffix(line, "\r\n") {
			s.complain("a bare newline: %q", line)
		}
		line = strings.TrimRight(line, "\r\n")
		command, _, _ := strings.Cut(strings.ToUpper(line), " ")
		if s.options.Answer != nil {
			switch answer := s.options.Answer(command, line); answer {
			case "":
			case "hang":
				_, _ = r.ReadString('\n')
				return
			default:
				say(answer)
				continue
			}
		}
		switch command {
		case "EHLO", "HELO":
			greeted = true
			lines := []string{"mail", "ENHANCEDSTATUSCODES"}
			if !s.options.NoTLS && !secure {
				lines = append(lines, "STARTTLS")
			}
			if s.options.User != "" && secure {
				lines = append(lines, "AUTH PLAIN")
			}
			for i, l := range lines {
				sep := "-"
				if i == len(lines)-1 {
					sep = " "
				}
				say("250" + sep + l)
			}
		case "STARTTLS":
			say("220 go ahead")
			c = tls.Server(c, s.config())
			r, secure, greeted = bufio.NewReader(c), true, false
		case "AUTH":
			if !secure {
				s.complain("a password in the clear")
			}
			fields := strings.Fields(line)
			raw, _ := base64.StdEncoding.DecodeString(fields[len(fields)-1])
			if string(raw) != "\x00"+s.options.User+"\x00"+s.options.Password {
				say("535 5.7.8 wrong")
				continue
			}
			in = true
			say("235 2.7.0 welcome")
		case "MAIL":
			switch {
			case !greeted:
				s.complain("MAIL before EHLO")
				say("503 5.5.1 first EHLO")
				continue
			case !in:
				say("530 5.7.0 who are you?")
				continue
			}
			m = Mail{From: between(line)}
			say("250 2.1.0 ok")
		case "RCPT":
			m.To = append(m.To, between(line))
			say("250 2.1.5 ok")
		case "DATA":
			if len(m.To) == 0 {
				s.complain("DATA without recipients")
			}
			say("354 go ahead")
			if !s.data(r, &m) {
				return
			}
			s.mu.Lock()
			s.mails = append(s.mails, m)
			s.mu.Unlock()
			answer := ""
			if s.options.Answer != nil {
				answer = s.options.Answer(".", "")
			}
			switch answer {
			case "":
				say("250 2.0.0 taken")
			case "drop":
				return
			case "hang":
				_, _ = r.ReadString('\n')
				return
			default:
				// It was not taken after all.
				s.mu.Lock()
				s.mails = s.mails[:len(s.mails)-1]
				s.mu.Unlock()
				say(answer)
			}
			m = Mail{}
		case "RSET", "NOOP":
			say("250 2.0.0 ok")
		case "*": // how a client ends a sign-in that failed
			say("501 5.7.0 cancelled")
		case "QUIT":
			say("221 2.0.0 bye")
			return
		default:
			s.complain("an unknown command: %q", line)
			say("500 5.5.2 what?")
		}
	}
}

func (s *Server) data(r *bufio.Reader, m *Mail) bool {
	var b strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return false
		}
		if !strings.HasSuffix(line, "\r\n") {
			s.complain("a bare newline in the data: %q", line)
		}
		if len(line) > 1000 {
			s.complain("a line of %d bytes", len(line))
		}
		if line == ".\r\n" {
			m.Data = b.String()
			return true
		}
		b.WriteString(strings.TrimPrefix(line, "."))
	}
}

func between(line string) string {
	_, rest, _ := strings.Cut(line, "<")
	address, _, _ := strings.Cut(rest, ">")
	return address
}
