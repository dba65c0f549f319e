package httpx

import (
	"errors"
	"net/url"
	"strings"
)

// ParseBaseURL reads an address that an admin typed: http or https with a host and without a user, for a password in
// it would end up in places where secrets do not belong. The error does not repeat the text.
func ParseBaseURL(s string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(s))
	switch {
	case err != nil:
		return nil, errors.New("it is not a URL")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("it must begin with https:// or http://")
	case u.Hostname() == "":
		return nil, errors.New("it has no host")
	case u.User != nil:
		return nil, errors.New("it must not hold a user name or password")
	case u.Fragment != "":
		return nil, errors.New("it must not hold a fragment")
	}
	return u, nil
}
