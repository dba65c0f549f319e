package admin

import (
	"crypto/sha256"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Limits of failed sign-ins. The pair of address and e-mail is held short; the address alone, which may be a whole office
// or a proxy, and the e-mail alone, which somebody may want to lock out, are held longer.
const (
	pairFailures    = 5
	addressFailures = 50
	emailFailures   = 50
	failureSpan     = 15 * time.Minute
	// maxLoginKeys bounds the memory that strangers can take.
	maxLoginKeys = 20_000
)

// loginLimit counts failed sign-ins of this process.
type loginLimit struct {
	now  func() time.Time
	mu   sync.Mutex
	seen map[[32]byte]failures
}

type failures struct {
	count int
	until time.Time
}

func newLoginLimit(now func() time.Time) *loginLimit {
	return &loginLimit{now: now, seen: map[[32]byte]failures{}}
}

// waitLogin and loggedIn are wait and succeeded for the address that a request comes from.
func (h *Handler) waitLogin(r *http.Request, email string) time.Duration {
	return h.logins.wait(h.clientAddress(r.RemoteAddr, r.Header.Values("X-Forwarded-For")), email)
}

func (h *Handler) loggedIn(r *http.Request, email string) {
	h.logins.succeeded(h.clientAddress(r.RemoteAddr, r.Header.Values("X-Forwarded-For")), email)
}

// tooMany is what a person is told who must wait.
func tooMany(wait time.Duration) string {
	return "Too many attempts. Please try again in " + strconv.Itoa(int(wait.Minutes())+1) + " minutes."
}

// loginKeys are what a sign-in is counted under, with the limit of each.
func loginKeys(host, email string) map[[32]byte]int {
	email = strings.ToLower(strings.TrimSpace(email))
	return map[[32]byte]int{
		sha256.Sum256([]byte("pair\x00" + host + "\x00" + email)): pairFailures,
		sha256.Sum256([]byte("address\x00" + host)):               addressFailures,
		sha256.Sum256([]byte("email\x00" + email)):                emailFailures,
	}
}

// wait is how long this sign-in must wait; zero if it may be tried now. A try that may be made is counted at once, so that
// many at the same moment do not slip through; succeeded takes it back.
func (l *loginLimit) wait(host, email string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, keys := l.now(), loginKeys(host, email)
	if len(l.seen) > maxLoginKeys {
		l.forget(now)
	}
	for key, limit := range keys {
		if f := l.seen[key]; f.count >= limit && now.Before(f.until) {
			return f.until.Sub(now)
		}
	}
	for key := range keys {
		f := l.seen[key]
		if !now.Before(f.until) {
			f = failures{until: now.Add(failureSpan)}
		}
		f.count++
		l.seen[key] = f
	}
	return 0
}

// succeeded forgets the failures of a person who proved who they are.
func (l *loginLimit) succeeded(host, email string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, limit := range loginKeys(host, email) {
		if f, ok := l.seen[key]; ok && limit == pairFailures {
			delete(l.seen, key)
		} else if ok {
			f.count--
			l.seen[key] = f
		}
	}
}

// forget drops what is over, and everything if that is not enough.
func (l *loginLimit) forget(now time.Time) {
	for key, f := range l.seen {
		if !now.Before(f.until) {
			delete(l.seen, key)
		}
	}
	if len(l.seen) > maxLoginKeys {
		clear(l.seen)
	}
}
