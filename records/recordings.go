package records

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/callsync/callsync/call"
)

// What a source does with the recordings of its calls.
const (
	// RecordingsLink leaves them at the phone system; callsync's link leads there.
	RecordingsLink = "link"
	// RecordingsArchive keeps a copy in the recording archive.
	RecordingsArchive = "archive"
)

// What a connection's CRM gets of a recording.
const (
	// ShareLink is callsync's permanent link.
	ShareLink = "link"
	// ShareVendorLink is the phone system's own link.
	ShareVendorLink = "vendor_link"
	// ShareUpload is the recording itself, and the permanent link.
	ShareUpload = "upload"
	// ShareNone is nothing.
	ShareNone = "none"
)

// SourceRecordings is what a source does with the recordings of its calls.
type SourceRecordings struct {
	// Policy is RecordingsLink or RecordingsArchive; empty means RecordingsLink.
	Policy string
	// Hosts are those from which recordings may come, beside the provider's own: "files.example.com", "*.example.com".
	Hosts []string
	// Days is for how long copies are kept; zero means for good.
	Days int
	// SignIn demands of people who open a link that they are signed in.
	SignIn bool
}

// Recording is what callsync knows and keeps of one recording of a call.
type Recording struct {
	ID          string
	WorkspaceID string
	SourceID    string
	CallID      string
	// Key tells the recordings of a call apart; see RecordingKey.
	Key string
	// Token is the secret of its permanent link.
	Token string
	State call.RecordingState
	// Class says what kind of trouble the state comes of (the Recording... classes), Reason says it in a sentence, and
	// Detail to operators.
	Class  string
	Reason string
	Detail string
	// Attempts are those to copy it since its address is known, NextAt is when the next one is due; zero for none.
	Attempts int
	NextAt   time.Time
	// BlobKey is the file of the copy. Size is in bytes; SHA256 is the copy's checksum.
	BlobKey     string
	Size        int64
	SHA256      []byte
	ContentType string
	// KnownAt is when callsync heard of it first, AvailableAt when it knew where it is.
	KnownAt     time.Time
	AvailableAt time.Time
	ArchivedAt  time.Time
	// ExpiresAt is when the copy will be deleted, as its source is set at present; zero for never.
	ExpiresAt time.Time
	RevokedAt time.Time
	RevokedBy string
}

// Classes of trouble with recordings.
const (
	// RecordingHost: it lies on a host that is not allowed.
	RecordingHost = "host"
	// RecordingAccess: the phone system refuses callsync.
	RecordingAccess = "access"
	// RecordingNotYet: it is not there so far.
	RecordingNotYet = "not_yet"
	// RecordingNever: it never came.
	RecordingNever = "never"
	// RecordingGone: the phone system has deleted it.
	RecordingGone = "gone"
	// RecordingWrong: what is there is no sound.
	RecordingWrong = "wrong"
	// RecordingTooLarge: it is larger than the limit.
	RecordingTooLarge = "too_large"
	// RecordingUnreachable: the phone system does not answer.
	RecordingUnreachable = "unreachable"
	// RecordingArchiveAway: the archive cannot be written to.
	RecordingArchiveAway = "archive"
	// RecordingExpired: the copy was deleted as it was configured.
	RecordingExpired = "expired"
	// RecordingWithheld: a rule of its source keeps recordings of such calls out.
	RecordingWithheld = "withheld"
	// RecordingNoAddress: the phone system did not say where it is.
	RecordingNoAddress = "no_address"
)

// RecordingKey is what r is known by among the recordings of its call; empty for one without a name.
func RecordingKey(r call.Recording) string {
	if r.ID != "" {
		return "id:" + hashed(r.ID)
	}
	if r.URL != "" {
		return "url:" + hashed(r.URL)
	}
	return ""
}

// hashed keeps what may hold a phone number or a token out of keys.
func hashed(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}

// RecordingJob is a recording that is to be copied, with all that is needed for it.
type RecordingJob struct {
	Recording
	// Vendor is the recording as the phone system tells of it; Gone tells that it does so no more.
	Vendor call.Recording
	Gone   bool
	// ProviderCallID is the call's id at the phone system.
	ProviderCallID string
	// Deadline is until when "not there" means "not yet".
	Deadline time.Time
	// Lease is the token with which this attempt records what it did.
	Lease   string
	Partial RecordingPart
}

// RecordingPart is how much of a recording is copied.
type RecordingPart struct {
	// BlobKey, UploadID and Offset are those of the archive's upload; BlobKey is empty before it has begun.
	BlobKey  string
	UploadID string
	Offset   int64
	// Hash is the state of the checksum at Offset.
	Hash []byte
	// Validator is the phone system's ETag or date of the file, Total its size in bytes; zero where it does not say.
	Validator string
	Total     int64
}

// RecordingResult is what became of an attempt to copy a recording.
type RecordingResult struct {
	// State is archived, or what it is without a copy; Class, Reason and Detail are as in Recording.
	State                 call.RecordingState
	Class, Reason, Detail string
	// RetryIn is when to try again; zero for never.
	RetryIn time.Duration
	// Size, SHA256 and ContentType are the copy's.
	Size        int64
	SHA256      []byte
	ContentType string
}

// RecordingPatience is for how long after its call's window a recording that is not there counts as "not yet". Phone
// systems make it ready within minutes as a rule, and within hours after trouble of theirs.
const RecordingPatience = 12 * time.Hour

// recordingTypes are the types that recordings are kept and served as, with the extensions of their files.
var recordingTypes = map[string]string{
	"audio/mpeg": "mp3", "audio/wav": "wav", "audio/ogg": "ogg", "audio/mp4": "m4a", "audio/aac": "aac", "audio/flac": "flac",
	"audio/amr": "amr", "audio/webm": "weba", "audio/basic": "au", "audio/aiff": "aiff", "audio/gsm": "gsm", "audio/opus": "opus",
	"video/mp4": "mp4", "video/webm": "webm",
}

// RecordingExtension is the file extension of a recording's type; ok is false for a type that is none of a recording.
func RecordingExtension(contentType string) (extension string, ok bool) {
	extension, ok = recordingTypes[contentType]
	return extension, ok
}

// StepRecording is the step of a delivery that uploaded a recording.
func StepRecording(id string) string { return "recording:" + id }
