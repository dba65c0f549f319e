package admin

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/recordings"
	"github.com/callsync/callsync/records"
)

// RecordingStore keeps recordings and their permanent links.
type RecordingStore interface {
	// RecordingsOfCall returns what is kept of a call's recordings, the oldest first.
	RecordingsOfCall(ctx context.Context, workspaceID, callID string) ([]records.Recording, error)
	// RetryRecording has a recording copied, again or at all; records.ErrNotFound where there is nothing to copy.
	RetryRecording(ctx context.Context, workspaceID, callID, id string) error
	// RevokeRecording makes the permanent link of a recording dead, or alive again.
	RevokeRecording(ctx context.Context, workspaceID, callID, id, by string, revoked bool) error
}

// RecordingSettings is what a source does with the recordings of its calls.
type RecordingSettings struct {
	Policy        string   `json:"policy" enum:"link,archive" doc:"link: they stay at the phone system. archive: callsync keeps a copy with a checksum."`
	Hosts         []string `json:"hosts" doc:"Hosts from which recordings may come, beside the phone system's own: files.example.com, or *.example.com for all below."`
	RetentionDays int      `json:"retention_days,omitempty" doc:"Days that copies are kept; absent: for good."`
	SignIn        bool     `json:"sign_in" doc:"Whoever opens a link has to be signed in to callsync."`
}

// RecordingSettingsPatch changes some of them.
type RecordingSettingsPatch struct {
	Policy        *string            `json:"policy,omitempty" enum:"link,archive"`
	Hosts         Optional[[]string] `json:"hosts,omitzero"`
	RetentionDays Optional[int64]    `json:"retention_days,omitzero" minimum:"0" maximum:"36500" doc:"null or 0: for good."`
	SignIn        *bool              `json:"sign_in,omitempty"`
}

func viewRecordingSettings(r records.SourceRecordings) RecordingSettings {
	v := RecordingSettings{Policy: cmp.Or(r.Policy, records.RecordingsLink), Hosts: r.Hosts, RetentionDays: r.Days, SignIn: r.SignIn}
	if v.Hosts == nil {
		v.Hosts = []string{}
	}
	return v
}

// over is r with what p changes.
func (p *RecordingSettingsPatch) over(r records.SourceRecordings) records.SourceRecordings {
	if p == nil {
		return r
	}
	set(&r.Policy, p.Policy)
	set(&r.SignIn, p.SignIn)
	if p.Hosts.Set {
		r.Hosts = p.Hosts.Value
	}
	if p.RetentionDays.Set {
		r.Days = int(p.RetentionDays.Value)
	}
	return r
}

// recordingValues are what a source's form shows of its settings of recordings.
func recordingValues(values map[string]string, r records.SourceRecordings) {
	values["recordings_policy"] = cmp.Or(r.Policy, records.RecordingsLink)
	values["recording_hosts"] = strings.Join(r.Hosts, "\n")
	values["recording_days"], values["recording_sign_in"] = "", ""
	if r.Days > 0 {
		values["recording_days"] = strconv.Itoa(r.Days)
	}
	if r.SignIn {
		values["recording_sign_in"] = "true"
	}
}

// readRecordings reads these settings of a posted form; nil for one that does not have them.
func readRecordings(out *faults, r *http.Request) *RecordingSettingsPatch {
	if !r.PostForm.Has("recordings_policy") {
		return nil
	}
	policy, signIn := r.PostForm.Get("recordings_policy"), r.PostForm.Get("recording_sign_in") == "true"
	p := &RecordingSettingsPatch{Policy: &policy, SignIn: &signIn}
	p.Hosts.Set, p.Hosts.Value = true, strings.FieldsFunc(r.PostForm.Get("recording_hosts"), func(c rune) bool { return c == ',' || c == ' ' || c == '\n' || c == '\r' || c == '\t' })
	p.RetentionDays.Set = true
	if text := strings.TrimSpace(r.PostForm.Get("recording_days")); text != "" {
		days, err := strconv.Atoi(text)
		if err != nil || days < 1 || days > 36500 {
			out.add("recordings.retention_days", "Give a number of days from 1 to 36500, or leave it empty.")
			return p
		}
		p.RetentionDays.Value = int64(days)
	}
	return p
}

// mostHosts bounds the hosts of a source.
const mostHosts = 50

// checkRecordings finds what is wrong with a source's settings of recordings, and brings hosts into one form.
func checkRecordings(out *faults, r *records.SourceRecordings) {
	if r.Policy != "" && r.Policy != records.RecordingsLink && r.Policy != records.RecordingsArchive {
		out.add("recordings.policy", "The policy of recordings must be link or archive.")
	}
	if r.Days < 0 || r.Days > 36500 {
		out.add("recordings.retention_days", "Give a number of days from 1 to 36500, or none to keep copies for good.")
	}
	if len(r.Hosts) > mostHosts {
		out.add("recordings.hosts", fmt.Sprintf("A source has %d hosts at most.", mostHosts))
		return
	}
	var hosts []string
	for i, h := range r.Hosts {
		host, err := recordings.ParseHost(h)
		if err != nil {
			out.add(fmt.Sprintf("recordings.hosts[%d]", i), err.Error())
			continue
		}
		if !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	if len(hosts) > 0 || len(r.Hosts) == 0 {
		r.Hosts = hosts
	}
}

// checkShare finds out whether a connection can have recordings as it wants them.
func (h *Handler) checkShare(out *faults, c records.Connection) {
	switch c.Recordings {
	case "", records.ShareLink, records.ShareVendorLink, records.ShareNone:
		return
	case records.ShareUpload:
	default:
		out.add("recordings", "Recordings must be link, vendor_link, upload or none.")
		return
	}
	if connector, ok := h.Connectors[c.Connector]; ok {
		p, known := connector.(connectors.Prototyper)
		if known {
			_, known = p.Prototype().(connectors.RecordingUploader)
		}
		if !known {
			out.add("recordings", connector.Info().Label+" takes no recordings; give it their link.")
		}
	}
}

// RecordingView is what callsync keeps of a recording, beside what the call says of it.
type RecordingView struct {
	ID            string              `json:"id" doc:"callsync's id of the recording."`
	Recording     string              `json:"recording,omitempty" doc:"The id in the call's recordings."`
	Link          string              `json:"link,omitempty" doc:"The permanent link; absent while it is revoked."`
	State         call.RecordingState `json:"state" enum:"expected,available,archived,failed,unavailable"`
	Class         string              `json:"class,omitempty" doc:"The kind of trouble, if there is any."`
	Reason        string              `json:"reason,omitempty"`
	Size          int64               `json:"size,omitempty" doc:"Of the copy, in bytes."`
	SHA256        string              `json:"sha256,omitempty"`
	ContentType   string              `json:"content_type,omitempty"`
	Attempts      int                 `json:"attempts,omitempty"`
	NextAttemptAt time.Time           `json:"next_attempt_at,omitzero"`
	ArchivedAt    time.Time           `json:"archived_at,omitzero"`
	ExpiresAt     time.Time           `json:"expires_at,omitzero" doc:"When the copy will be deleted."`
	RevokedAt     time.Time           `json:"revoked_at,omitzero"`
	RevokedBy     string              `json:"revoked_by,omitempty"`
}

func (h *Handler) viewRecording(k records.Recording, of []call.Recording) RecordingView {
	v := RecordingView{ID: k.ID, State: k.State, Class: k.Class, Reason: k.Reason, Size: k.Size, SHA256: hex.EncodeToString(k.SHA256), ContentType: k.ContentType,
		Attempts: k.Attempts, NextAttemptAt: k.NextAt, ArchivedAt: k.ArchivedAt, ExpiresAt: k.ExpiresAt, RevokedAt: k.RevokedAt, RevokedBy: k.RevokedBy}
	if k.RevokedAt.IsZero() {
		v.Link = recordings.LinkOf(strings.TrimSuffix(h.public.String(), "/"), k.Token)
	}
	if i := slices.IndexFunc(of, func(r call.Recording) bool { return records.RecordingKey(r) == k.Key }); i >= 0 {
		v.Recording = of[i].ID
	}
	return v
}

// withStates are a call's recordings as they stand: what callsync found out of them counts.
func withStates(all []call.Recording, kept []records.Recording) []call.Recording {
	out := slices.Clone(all)
	for i := range out {
		key := records.RecordingKey(out[i])
		if at := slices.IndexFunc(kept, func(k records.Recording) bool { return k.Key == key }); key != "" && at >= 0 {
			out[i].State = kept[at].State
			out[i].ContentType = cmp.Or(kept[at].ContentType, out[i].ContentType)
		}
	}
	return out
}

// RecordingPath is a call and one of its recordings in a path.
type RecordingPath struct {
	PathID
	Recording string `path:"recording" doc:"callsync's id of the recording."`
}

func (p *RecordingPath) ids() []string { return []string{p.ID, p.Recording} }

func (h *Handler) registerRecordings() {
	const tag = "Calls"
	handle(h, operator, post("/calls/{id}/recordings/{recording}/fetch", "Copy a recording into the archive, again or at all", tag), h.fetchRecording)
	handle(h, operator, post("/calls/{id}/recordings/{recording}/revoke", "Withdraw the permanent link of a recording", tag), h.revokeRecording)
	handle(h, operator, post("/calls/{id}/recordings/{recording}/restore", "Make a withdrawn link work again", tag), h.restoreRecording)
}

func (h *Handler) fetchRecording(ctx context.Context, p principal, in *RecordingPath) (*answer[RecordingView], error) {
	if err := h.Store.RetryRecording(ctx, p.WorkspaceID, in.ID, in.Recording); err != nil {
		return nil, err
	}
	return h.oneRecording(ctx, p, in)
}

func (h *Handler) revokeRecording(ctx context.Context, p principal, in *RecordingPath) (*answer[RecordingView], error) {
	if err := h.Store.RevokeRecording(ctx, p.WorkspaceID, in.ID, in.Recording, p.Name, true); err != nil {
		return nil, err
	}
	return h.oneRecording(ctx, p, in)
}

func (h *Handler) restoreRecording(ctx context.Context, p principal, in *RecordingPath) (*answer[RecordingView], error) {
	if err := h.Store.RevokeRecording(ctx, p.WorkspaceID, in.ID, in.Recording, "", false); err != nil {
		return nil, err
	}
	return h.oneRecording(ctx, p, in)
}

func (h *Handler) oneRecording(ctx context.Context, p principal, in *RecordingPath) (*answer[RecordingView], error) {
	all, err := h.Store.RecordingsOfCall(ctx, p.WorkspaceID, in.ID)
	if err != nil {
		return nil, err
	}
	for _, k := range all {
		if k.ID == in.Recording {
			return &answer[RecordingView]{h.viewRecording(k, nil)}, nil
		}
	}
	return nil, notFound()
}

// recordingLine is one recording on the page of its call.
type recordingLine struct {
	Label, URL string
	Seconds    *int64
	// ID is ours; empty where nothing is kept of it.
	ID string
	// Player is where its sound is; empty where there is none to play.
	Player string
	// State says in a word where it is, Tone colours it.
	State, Tone string
	Text        []part
	// Fetch, Revoke and Restore are the buttons that make sense.
	Fetch, Revoke, Restore bool
}

// recordingLines say of each recording where it is, and whether what is missing is "not yet" or "never".
func (h *Handler) recordingLines(c call.Call, kept []records.Recording) []recordingLine {
	var out []recordingLine
	for i, r := range c.Recordings {
		line := recordingLine{Label: fmt.Sprintf("Recording %d", i+1), Seconds: r.DurationSeconds, URL: webURL(cmp.Or(r.PlayerURL, r.URL))}
		if len(c.Recordings) == 1 {
			line.Label = "Recording"
		}
		key := records.RecordingKey(r)
		at := slices.IndexFunc(kept, func(k records.Recording) bool { return k.Key == key })
		if key == "" || at < 0 {
			if r.State == call.RecordingExpected {
				line.State, line.Tone, line.Text = "Not yet", "wait", []part{{Text: "Not yet: the phone system says that there will be one."}}
			}
			if r.State == call.RecordingUnavailable || r.State == call.RecordingFailed {
				line.State, line.Tone, line.Text = "None", "idle", []part{{Text: "It will not come: the phone system says that there is none, or not where it is."}}
			}
			out = append(out, line)
			continue
		}
		h.tellRecording(&line, kept[at])
		out = append(out, line)
	}
	return out
}

// recordingWords say where a recording is.
var recordingWords = map[call.RecordingState]string{call.RecordingArchived: "In the archive", call.RecordingUnavailable: "None", call.RecordingFailed: "Failed",
	call.RecordingExpected: "Not yet", call.RecordingAvailable: "Not copied"}

func (h *Handler) tellRecording(line *recordingLine, k records.Recording) {
	line.ID, line.Revoke, line.Restore = k.ID, k.RevokedAt.IsZero(), !k.RevokedAt.IsZero()
	say := func(tone, text string, at time.Time) {
		line.State, line.Tone, line.Text = recordingWords[k.State], tone, []part{{Text: visible(text), At: at}}
	}
	if line.Restore {
		say("idle", "Its link was withdrawn by "+cmp.Or(k.RevokedBy, "somebody")+" ", k.RevokedAt)
		line.State, line.URL = "Link withdrawn", ""
		return
	}
	here := recordings.Path + k.Token
	switch k.State {
	case call.RecordingArchived:
		line.Player, line.URL = here, here
		say("done", fmt.Sprintf("In callsync's archive, %s. ", size(k.Size)), time.Time{})
		if !k.ExpiresAt.IsZero() {
			line.Text = append(line.Text, part{Text: "It is deleted ", At: k.ExpiresAt})
		}
	case call.RecordingUnavailable:
		line.URL = ""
		say("idle", "It will not come. "+k.Reason, time.Time{})
		if k.Class == records.RecordingExpired {
			say("idle", k.Reason, time.Time{})
		}
		line.Fetch = k.Class == records.RecordingNever || k.Class == records.RecordingGone
	case call.RecordingFailed:
		say("trouble", k.Reason, time.Time{})
		line.Fetch = true
	case call.RecordingExpected:
		say("wait", "Not yet: "+cmp.Or(k.Reason, "the phone system says that there will be one."), time.Time{})
		line.Fetch = k.Class != ""
	default:
		line.Player, line.URL = here, here
		switch {
		case k.Reason != "":
			say("wait", k.Reason, time.Time{})
			line.Fetch = true
		case !k.NextAt.IsZero():
			say("wait", "At the phone system; callsync is copying it.", time.Time{})
		default:
			say("idle", "At the phone system.", time.Time{})
			line.Fetch = true
		}
	}
}

// size says how large a file is.
func size(bytes int64) string {
	if bytes < 1<<20 {
		return fmt.Sprintf("%d KB", max(bytes>>10, 1))
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/(1<<20))
}

// allowSound lets the call's page play what the permanent link leads to: the archive's service, or the phone system's.
func (h *Handler) allowSound(w http.ResponseWriter) {
	from := "media-src 'self' https:"
	if h.public.Scheme == "http" {
		from += " http:"
	}
	w.Header().Set("Content-Security-Policy", pagePolicy+"; "+from)
}

// recordingForm does what a button of a recording asks for.
func (h *Handler) recordingForm(w http.ResponseWriter, r *http.Request, p principal) error {
	in := &RecordingPath{PathID: PathID{ID: r.PathValue("id")}, Recording: r.PathValue("recording")}
	if !validID(in.ID) || !validID(in.Recording) {
		return notFound()
	}
	do, notice := h.fetchRecording, "fetching"
	switch r.PathValue("action") {
	case "fetch":
	case "revoke":
		do, notice = h.revokeRecording, "revoked"
	case "restore":
		do, notice = h.restoreRecording, "restored"
	default:
		return notFound()
	}
	if _, err := do(r.Context(), p, in); err != nil {
		return err
	}
	return back(w, r, "/calls/"+in.ID, notice)
}
