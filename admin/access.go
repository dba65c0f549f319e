package admin

import (
	"net/mail"
	"net/netip"
	"strings"
	"time"

	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/records"
)

// Links that are shown once lead to these paths, with a token behind them.
const (
	InvitationPath = "/invitations/"
	PasswordPath   = "/password/"
)

// InvitationLife is how long an invitation can be accepted.
const InvitationLife = 7 * 24 * time.Hour

// roleChoice is a role as people choose it.
type roleChoice struct {
	Role, Label string
	// Scope is what a token of the role is called in the API.
	Scope string
	// Text says what the role may do beside the one before it, All what it may do in all.
	Text, All string
}

// roleChoices are the roles, each of which may do what the one before it may do.
var roleChoices = []roleChoice{
	{viewer, "Viewer", "read", "Sees calls, receipts, settings and what was written, and listens to recordings. Changes nothing.",
		"You see calls, receipts, settings and what was written, and can listen to recordings. You change nothing."},
	{operator, "Operator", "operate", "Also delivers calls again, replays receipts, answers match reviews, pauses connections and sees hook URLs.",
		"You see everything, and can deliver calls again, replay receipts, answer match reviews and pause connections."},
	{admin, "Admin", "admin", "Also changes sources, connections, mappings and rules, and says who may come in.",
		"You may do everything in this workspace, and say who may come in."},
}

func choiceOf(role string) roleChoice {
	for _, c := range roleChoices {
		if c.Role == role {
			return c
		}
	}
	return roleChoice{Role: role, Label: title(role)}
}

// roleOfScope is the role that a token's scope stands for.
func roleOfScope(scope string) (string, bool) {
	for _, c := range roleChoices {
		if c.Scope == scope {
			return c.Role, true
		}
	}
	return "", false
}

// checkRole wants role to be one, and no more than p's own.
func checkRole(out *faults, p principal, at, role string) {
	switch {
	case rank(role) == 0:
		out.add(at, "Choose viewer, operator or admin.")
	case !p.may(role):
		out.add(at, "You cannot give more rights than you have.")
	}
}

// checkEmail is an e-mail address by which somebody signs in.
func checkEmail(out *faults, email string) string {
	email = strings.TrimSpace(email)
	a, err := mail.ParseAddress(email)
	if err != nil || a.Address != email || len(email) > 254 || visible(email) != email {
		out.add("email", "Give an e-mail address, such as anna@example.com.")
	}
	return email
}

// checkPassword is a password that is chosen: twice the same, and none of those that are tried first.
func checkPassword(out *faults, password, again, email string) {
	if said := secretbox.RefusePassword(password, email); said != "" {
		out.add("password", said)
	} else if password != again {
		out.add("again", "The two do not match. Type the password once more.")
	}
}

// tokenPrefix is the beginning of a token, by which people recognise it: too little to guess the rest.
func tokenPrefix(token string) string { return token[:min(len(token), 8)] }

// browserFamily tells browsers apart as people do. The header is the browser's own word; nothing hangs on it.
func browserFamily(agent string) string {
	pick := func(pairs ...string) string {
		for i := 0; i < len(pairs); i += 2 {
			if strings.Contains(agent, pairs[i]) {
				return pairs[i+1]
			}
		}
		return ""
	}
	browser := pick("Edg", "Edge", "OPR/", "Opera", "SamsungBrowser", "Samsung Internet", "Firefox/", "Firefox", "FxiOS", "Firefox", "CriOS", "Chrome",
		"Chrome/", "Chrome", "Safari/", "Safari", "curl/", "curl")
	system := pick("iPhone", "iPhone", "iPad", "iPad", "Android", "Android", "Windows", "Windows", "CrOS", "ChromeOS", "Mac OS X", "macOS", "Linux", "Linux")
	switch {
	case browser == "" && system == "":
		return "An unknown browser"
	case browser == "":
		return "A browser on " + system
	case system == "":
		return browser
	}
	return browser + " on " + system
}

// clientAddress is where a request comes from, for limits. Proxies that the operator trusts are seen through: the address
// that the last of them saw counts, for whatever stands before it anybody may have written.
func (h *Handler) clientAddress(remote string, forwarded []string) string {
	addr := parseAddress(remote)
	if !addr.IsValid() {
		return remote
	}
	hops := strings.Split(strings.Join(forwarded, ","), ",")
	for i := len(hops) - 1; i >= 0 && h.trusts(addr); i-- {
		next := parseAddress(strings.TrimSpace(hops[i]))
		if !next.IsValid() {
			break
		}
		addr = next
	}
	if addr.Is6() {
		// Whoever has one address of IPv6 has the whole network of it.
		if network, err := addr.Prefix(64); err == nil {
			return network.String()
		}
	}
	return addr.String()
}

func (h *Handler) trusts(addr netip.Addr) bool {
	for _, network := range h.TrustedProxies {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// parseAddress reads an address with or without a port.
func parseAddress(s string) netip.Addr {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	addr, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

// memberName is what somebody is called.
func memberName(u records.User) string {
	if u.Name != "" {
		return u.Name
	}
	return u.Email
}
