package smartflo

import (
	"net/url"
	"regexp"
	"strings"
)

// recordingURL makes a usable URL of what was sent, and reads the id of the call it names. The URL holds a token by which
// anybody can listen.
func recordingURL(raw string) (link, callID string, ok bool) {
	if lower := strings.ToLower(raw); strings.HasPrefix(lower, "http%3a") || strings.HasPrefix(lower, "https%3a") {
		if plain, err := url.QueryUnescape(raw); err == nil {
			raw = plain
		}
	}
	raw = strings.ReplaceAll(raw, "&amp;", "&")
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || len(raw) > longestURL {
		return "", "", false
	}
	for k, v := range u.Query() {
		if squash(k) == "callid" && len(v) > 0 {
			callID = strings.TrimSpace(v[0])
		}
	}
	return raw, callID, true
}

// longestURL bounds a recording's URL, in bytes.
const longestURL = 4096

// ownRecording tells whether the call that a recording's URL names is this one. Ids have several forms; only two of
// the same form can contradict each other, and the prefix of a server ("h11.08-") comes and goes.
func (d *decoder) ownRecording(id string) bool {
	if id == "" || d.callID == "" {
		return true
	}
	for _, own := range []string{d.callID, d.uuid, d.refID, d.flow.callID} {
		if own != "" && (own == id || strings.HasSuffix(own, "-"+id) || strings.HasSuffix(id, "-"+own)) {
			return true
		}
	}
	return uuidForm.MatchString(id) != uuidForm.MatchString(d.callID)
}

// uuidForm is the form of ids that recordings of the dialer have beside those of the telephone system.
var uuidForm = regexp.MustCompile(`^(?i:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$`)
