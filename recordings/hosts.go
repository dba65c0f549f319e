package recordings

import (
	"net"
	"net/url"
	"slices"
	"strings"
)

// sentence is an error for people.
type sentence string

func (s sentence) Error() string { return string(s) }

// ParseHost reads an entry of an allow-list as an admin writes it: "files.example.com", "files.example.com:8443", or
// "*.example.com" for every name below. It returns it in lower case; the error is a sentence.
func ParseHost(s string) (string, error) {
	host := strings.ToLower(strings.TrimSpace(s))
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = host, ""
	}
	rest := strings.TrimPrefix(name, "*.")
	switch {
	case rest == "" || len(host) > 253:
		return "", sentence("Write the name of a host, such as files.example.com.")
	case strings.ContainsAny(host, "/@?#") || strings.Contains(host, "://"):
		return "", sentence("Write the name of a host alone, without https:// and without a path.")
	case strings.HasPrefix(name, "*.") && !strings.Contains(rest, "."):
		return "", sentence("A star stands for names below a domain such as *.example.com, not for all of a top-level domain.")
	case strings.ContainsFunc(rest, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != ':' && r != '[' && r != ']'
	}):
		return "", sentence("A host has letters, digits, '-' and '.' only; write names of other scripts in punycode (xn--).")
	case port != "" && strings.ContainsFunc(port, func(r rune) bool { return r < '0' || r > '9' }):
		return "", sentence("The port must be a number.")
	}
	return host, nil
}

// allowed tells whether an address lies on one of the hosts. An entry without a port allows the ports that the schemes have.
func allowed(u *url.URL, hosts []string) bool {
	name, port := strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), u.Port()
	if name == "" || u.Scheme != "https" && u.Scheme != "http" {
		return false
	}
	return slices.ContainsFunc(hosts, func(entry string) bool {
		host, only, err := net.SplitHostPort(strings.ToLower(entry))
		if err != nil {
			host, only = strings.ToLower(entry), ""
		}
		if only != port && (only != "" || port != "443" && port != "80") {
			return false
		}
		if below, ok := strings.CutPrefix(host, "*."); ok {
			return strings.HasSuffix(name, "."+below)
		}
		return strings.Trim(host, "[]") == name
	})
}
