package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Settings are config or secrets as a request has them: values may be any scalar, null takes a member away.
type Settings map[string]json.RawMessage

// Schema is an object of anything.
func (Settings) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true,
		Description: "Values may be strings, numbers or booleans; null takes a setting away."}
}

// over returns old with s laid over it. Scalars become their text, anything else compact JSON.
func (s Settings) over(old map[string]string) map[string]string {
	out := maps.Clone(old)
	if out == nil {
		out = map[string]string{}
	}
	for name, raw := range s {
		var text string
		switch {
		case string(raw) == "null":
			delete(out, name)
			continue
		case len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &text) == nil:
			out[name] = text
		default:
			var b bytes.Buffer
			if json.Compact(&b, raw) == nil {
				out[name] = b.String()
			}
		}
	}
	return out
}

// field is what providers' and connectors' settings have in common.
type field struct {
	name, label      string
	secret, required bool
	options          []string
}

// checkSettings finds what is wrong with a source's or connection's settings, given the fields that its kind has. Names in
// extra are allowed in config besides.
func checkSettings(kind string, fields []field, config, secrets map[string]string, extra ...string) faults {
	var out faults
	known := map[string]field{}
	for _, f := range fields {
		known[f.name] = f
	}
	for _, name := range slices.Sorted(maps.Keys(config)) {
		f, ok := known[name]
		switch {
		case ok && f.secret:
			out.add("config."+name, fmt.Sprintf("%s is a secret: put it under secrets.", name))
		case !ok && !slices.Contains(extra, name):
			out.add("config."+name, fmt.Sprintf("%s has no setting %q. It has: %s.", kind, clip(name, 60), listFields(fields, false)))
		case ok && len(f.options) > 0 && config[name] != "" && !slices.Contains(f.options, config[name]):
			out.add("config."+name, fmt.Sprintf("%s must be one of: %s.", f.label, strings.Join(f.options, ", ")))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		switch f, ok := known[name]; {
		case !ok:
			out.add("secrets."+name, fmt.Sprintf("%s has no secret %q. It has: %s.", kind, clip(name, 60), listFields(fields, true)))
		case !f.secret:
			out.add("secrets."+name, fmt.Sprintf("%s is no secret: put it under config.", name))
		}
	}
	for _, f := range fields {
		at, in := "config.", config
		if f.secret {
			at, in = "secrets.", secrets
		}
		if f.required && strings.TrimSpace(in[f.name]) == "" {
			out.add(at+f.name, fmt.Sprintf("%s needs this: %s.", kind, f.label))
		}
	}
	for in, values := range map[string]map[string]string{"config.": config, "secrets.": secrets} {
		for name, value := range values {
			if len(value) > 16<<10 || strings.ContainsRune(value, 0) {
				out.add(in+clip(name, 60), "This value is too long or has a NUL byte.")
			}
		}
	}
	return out
}

func listFields(fields []field, secret bool) string {
	var names []string
	for _, f := range fields {
		if f.secret == secret {
			names = append(names, f.name)
		}
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// present tells which secrets there are, never what they are.
func present(secrets map[string]string) map[string]bool {
	out := map[string]bool{}
	for name, value := range secrets {
		out[name] = value != ""
	}
	return out
}

// namesHost tells whether a setting says to which host requests and, with them, secrets go.
func namesHost(name string) bool {
	for _, part := range []string{"url", "host", "domain", "instance", "region", "data_center", "datacenter"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// checkHosts refuses URLs that are not http(s), carry credentials, or lead where the operator does not allow.
func (h *Handler) checkHosts(config map[string]string) faults {
	var out faults
	for _, name := range slices.Sorted(maps.Keys(config)) {
		value := strings.TrimSpace(config[name])
		if value == "" || (name != "base_url" && !strings.Contains(value, "://")) {
			continue
		}
		u, err := url.Parse(value)
		switch {
		case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
			out.add("config."+name, "This must be an absolute URL that begins with https:// or http://.")
		case u.User != nil:
			out.add("config."+name, "Put the user name and password under secrets, not into the URL.")
		default:
			if err := h.CheckHost(u.Hostname()); err != nil {
				out.add("config."+name, err.Error())
			}
		}
	}
	return out
}

// checkName bounds a name that people give.
func checkName(out *faults, at, name string) string {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > 200 || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		out.add(at, "Give it a name of 1 to 200 characters, in one line.")
	}
	return name
}

// clip cuts s to at most n bytes at a rune's border.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n] + "…"
}
