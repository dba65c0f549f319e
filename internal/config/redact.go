package config

import (
	"log/slog"
	"net/url"
	"time"
)

// redacted stands for a secret wherever a configuration is shown.
const redacted = "redacted"

// Secret is text that is never shown: only Reveal gives it.
type Secret string

// Reveal is the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String is empty for an empty secret, and "redacted" otherwise.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString keeps the secret out of %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText keeps the secret out of JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue keeps the secret out of logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// SecretURL is an address that may hold a password: only Reveal gives it whole.
type SecretURL string

// Reveal is the whole address.
func (s SecretURL) Reveal() string { return string(s) }

// String is the address without password and query, which may hold one; "redacted" for what is not a URL.
func (s SecretURL) String() string {
	if s == "" {
		return ""
	}
	u, err := url.Parse(string(s))
	if err != nil || u.Scheme == "" || u.Opaque != "" {
		return redacted
	}
	if u.User != nil {
		u.User = url.UserPassword(u.User.Username(), redacted)
	}
	u.RawQuery, u.Fragment, u.ForceQuery = "", "", false
	return u.String()
}

// GoString keeps the password out of %#v.
func (s SecretURL) GoString() string { return s.String() }

// MarshalText keeps the password out of JSON.
func (s SecretURL) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue keeps the password out of logs.
func (s SecretURL) LogValue() slog.Value { return slog.StringValue(s.String()) }

// LogValue shows every variable by its name, without secrets.
func (c Config) LogValue() slog.Value {
	var attrs []slog.Attr
	for _, v := range c.variables() {
		value := v.value.Interface()
		if d, ok := value.(time.Duration); ok {
			value = d.String()
		}
		attrs = append(attrs, slog.Any(v.Name, value))
	}
	return slog.GroupValue(attrs...)
}
