package deepcall

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"path"
	"strings"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// DefaultRecordingBase is where the recordings of the accounts are that we know of. The server differs between accounts:
// others are at https://ctv1.sarv.com/telephony/0/voice/streamRecording/{userId}{path*}.
const DefaultRecordingBase = "https://s-ct3.sarv.com/v2/recording/direct/{userId}{path}"

// noBase is the setting for no links at all.
const noBase = "none"

// mostRecordings bounds the recordings of one call.
const mostRecordings = 100

// recordings reads all recordings that the report names, each once: the list of them, those of the legs, which may have
// the whole address, and voicemail. Their files are not repeated among the attributes, because they have the customer's
// number in their names.
func (d *decoder) recordings() []call.Recording {
	var out []call.Recording
	index := map[string]int{}
	add := func(v any, m map[string]any) (id string) {
		where := textIn(v, "")
		r, ok := d.recording(where)
		if !ok || len(out) >= mostRecordings {
			return ""
		}
		r.DurationSeconds = squashed(m).Int("recordingduration", "duration")
		if at, ok := index[r.ID]; ok {
			// The whole address beats one put together.
			if isURL(where) || out[at].URL == "" {
				out[at].URL, out[at].State = r.URL, r.State
			}
			out[at].DurationSeconds = firstInt(out[at].DurationSeconds, r.DurationSeconds)
			return r.ID
		}
		index[r.ID] = len(out)
		out = append(out, r)
		return r.ID
	}
	addAll := func(name string) bool {
		var kept []any
		read := false
		for _, item := range filesIn(d.f.Peek(name)) {
			m, ok := item.(map[string]any)
			if !ok {
				read = add(item, nil) != "" || read
				continue
			}
			inner := squashed(m)
			id := add(inner.Peek("file", "path", "recording", "filename"), m)
			if whole := add(inner.Peek("recordingurl", "url", "link"), m); whole != "" {
				id = whole
			}
			if id == "" {
				continue
			}
			read = true
			rest := withoutFiles(m)
			rest["id"] = id
			kept = append(kept, rest)
		}
		if read {
			d.f.Drop(name)
		}
		if len(kept) > 0 {
			d.extra[name] = kept
		}
		return read
	}
	addAll("recordings")
	for _, name := range []string{"ahdetail", "nhdetail"} {
		for _, item := range listOf(d.f.Peek(name)) {
			if m, ok := loosely(item).(map[string]any); ok {
				inner := squashed(m)
				add(inner.Peek("recording"), nil)
				add(inner.Peek("recordingurl"), nil)
			}
		}
	}
	addAll("recordingurl")
	voicemail := d.f.Peek("voicemail")
	switch b := strings.ToLower(textIn(voicemail, "")); {
	case addAll("voicemail"):
		d.voicemail = true
	case voicemail == false, b == "0", b == "false", b == "no", telephony.Blank(voicemail):
		d.f.Drop("voicemail")
	default:
		d.voicemail = true
	}
	if seconds := d.f.Int("recordingduration"); seconds != nil && len(out) == 1 {
		out[0].DurationSeconds = firstInt(out[0].DurationSeconds, seconds)
	} else if seconds != nil {
		d.extra["recordingduration"] = *seconds
	}
	return out
}

// filesIn is a list of recordings; text may name several files.
func filesIn(v any) []any {
	s, ok := v.(string)
	if !ok || isURL(s) {
		return listOf(v)
	}
	var out []any
	for part := range strings.SplitSeq(s, ",") {
		out = append(out, part)
	}
	return out
}

// recording makes a recording of a file's path or address. Its id is made of the file's name, which is the same in both;
// the name itself holds a phone number.
func (d *decoder) recording(where string) (call.Recording, bool) {
	where = strings.TrimSpace(where)
	name := where
	if u, err := url.Parse(where); err == nil {
		name = u.Path
	}
	name = name[strings.LastIndexAny(name, "/*")+1:]
	if name == "" || len(where) > 2048 || !isURL(where) && !isPath(where) {
		return call.Recording{}, false
	}
	sum := sha256.Sum256([]byte(name))
	r := call.Recording{ID: hex.EncodeToString(sum[:8]), URL: where, State: call.RecordingAvailable}
	switch strings.ToLower(path.Ext(name)) {
	case ".wav":
		r.ContentType = "audio/wav"
	case ".mp3":
		r.ContentType = "audio/mpeg"
	}
	if !isURL(where) {
		if r.URL = d.address(where); r.URL == "" {
			r.State = call.RecordingUnavailable
		}
	}
	return r, true
}

func isURL(s string) bool {
	u, err := url.Parse(strings.TrimSpace(s))
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

// isPath tells a file's path from words that say there is none.
func isPath(s string) bool {
	switch strings.ToLower(path.Ext(s)) {
	case ".wav", ".mp3", ".ogg", ".gsm", ".m4a", ".opus":
	default:
		if !strings.HasPrefix(s, "/") {
			return false
		}
	}
	for part := range strings.SplitSeq(s, "/") {
		if part == ".." {
			return false
		}
	}
	return true
}

// address puts the address of a file together; empty where that cannot be.
func (d *decoder) address(file string) string {
	base := strings.TrimSpace(d.settings.Config[ConfigRecordingBase])
	switch {
	case base == "":
		base = DefaultRecordingBase
	case strings.EqualFold(base, noBase):
		return ""
	}
	user := d.account()
	if user == "" {
		user = strings.TrimSpace(d.settings.Config[ConfigUserID])
	}
	if !strings.Contains(base, "{path}") && !strings.Contains(base, "{path*}") {
		base = strings.TrimRight(base, "/")
		if !strings.Contains(base, "{userId}") && user != "" && !strings.HasSuffix(base, "/"+user) {
			base += "/{userId}"
		}
		base += "{path}"
	}
	if user == "" && strings.Contains(base, "{userId}") {
		return ""
	}
	escaped := (&url.URL{Path: "/" + strings.TrimLeft(file, "/")}).EscapedPath()
	out := strings.NewReplacer(
		"{userId}", url.PathEscape(user), "{path}", escaped, "{path*}", strings.ReplaceAll(escaped, "/", "*"),
	).Replace(base)
	if !isURL(out) {
		return ""
	}
	return out
}
