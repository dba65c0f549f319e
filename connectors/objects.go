package connectors

import (
	"context"
	"io"
	"time"
)

// The objects of mappings and capabilities beside "call", "contact" and "lead".
const (
	ObjectCall    = "call"
	ObjectContact = "contact"
	ObjectLead    = "lead"
	ObjectCompany = "company"
	ObjectDeal    = "deal"
	ObjectTask    = "task"
	ObjectNote    = "note"
	ObjectTicket  = "ticket"
	ObjectMessage = "message"
	ObjectForm    = "form"
)

// RecordWrite is one write of a record that is not a call: a task, note, ticket, message or form submission.
type RecordWrite struct {
	// Key is callsync's own id of the record, the same in every attempt.
	Key string
	// RemoteID is the record's id in the CRM where it is known; then the write is an update.
	RemoteID string
	// Fields are the CRM's fields and their values, as the mapping of the object made them.
	Fields map[string]any
	// Links are the records it belongs to: the contact first, then the call, then others.
	Links []Ref
}

// RecordFinder looks for our records of the objects other than calls by key, after a create without an answer.
type RecordFinder interface {
	// FindRecord returns the record of object with our key, or ok false.
	FindRecord(ctx context.Context, object, key string) (id string, ok bool, err error)
}

// RecordReader reads our records of other objects than calls as they are now, as CallReader reads calls.
type RecordReader interface {
	// ReadRecord reads fields of the record of object with this id. NotFound where somebody deleted it, Unsupported for objects
	// that cannot be read.
	ReadRecord(ctx context.Context, object, id string, fields []string) (map[string]any, error)
}

// RecordLinker ties records of other objects than calls to a contact that is found later, once.
type RecordLinker interface {
	// LinkRecord ties the record of object with this id. NotFound where one of the two is gone.
	LinkRecord(ctx context.Context, object, id string, to Ref) error
}

// TaskWriter writes follow-up tasks.
type TaskWriter interface {
	WriteTask(ctx context.Context, w RecordWrite) (Written, error)
	// CompleteTask closes a task; one that is closed already is no error. NotFound where somebody deleted it.
	CompleteTask(ctx context.Context, id string) error
}

// TaskReader tells whether a task is still to be done.
type TaskReader interface {
	// TaskOpen reads a task; it is not open once somebody has completed or cancelled it. NotFound where somebody deleted it.
	TaskOpen(ctx context.Context, id string) (open bool, err error)
}

// NoteWriter writes notes.
type NoteWriter interface {
	WriteNote(ctx context.Context, w RecordWrite) (Written, error)
}

// TicketWriter opens tickets (cases).
type TicketWriter interface {
	WriteTicket(ctx context.Context, w RecordWrite) (Written, error)
}

// MessageLogger logs text messages with their contact.
type MessageLogger interface {
	LogMessage(ctx context.Context, w RecordWrite) (Written, error)
}

// FormWriter logs form submissions with their contact or lead.
type FormWriter interface {
	WriteForm(ctx context.Context, w RecordWrite) (Written, error)
}

// DealToucher finds the open deals of a contact and changes one.
type DealToucher interface {
	// OpenDeals lists the open deals of a contact or company, the most recently changed first, 100 at most.
	OpenDeals(ctx context.Context, of Ref) ([]Deal, error)
	// TouchDeal changes fields of a deal. NotFound where it is gone.
	TouchDeal(ctx context.Context, id string, fields map[string]any) error
}

// Deal is an open deal (opportunity).
type Deal struct {
	Ref
	Name       string
	OwnerID    string
	ModifiedAt time.Time
}

// RecordingUploader puts the recording itself into the CRM and ties it to a call record.
type RecordingUploader interface {
	// UploadRecording is called at least once for a recording. It must leave one file: by its key, or by looking at the
	// call record first; a file that is there already is a success.
	UploadRecording(ctx context.Context, u RecordingUpload) (Written, error)
}

// RecordingUpload is one recording to upload.
type RecordingUpload struct {
	// Key is callsync's own id of the recording, the same in every attempt.
	Key string
	// CallID is the call record's id in the CRM. Party is the contact it belongs to; empty where it has none.
	CallID string
	Party  Ref
	// Name is a file name with its extension; ContentType and Size (bytes) are those of the stream.
	Name        string
	ContentType string
	Size        int64
	// Open begins the stream anew. It is read once per attempt and closed by the connector, which never holds it whole
	// unless the vendor's API leaves no other way (base64 in JSON); then it refuses more than MaxUpload of its Info.
	Open func(context.Context) (io.ReadCloser, error)
}

// TranscriptionWriter writes a call's transcription where the CRM has a place of its own for it. CRMs without one get
// it by the mapping.
type TranscriptionWriter interface {
	WriteTranscription(ctx context.Context, w TranscriptionWrite) (Written, error)
}

// TranscriptionWrite is one transcription to write.
type TranscriptionWrite struct {
	Key    string
	CallID string
	// RemoteID is the transcription's id where it was written before.
	RemoteID string
	Text     string
	// StartedAt is the call's start, Duration its length.
	StartedAt time.Time
	Duration  time.Duration
	// Customer and Agent name the speakers; empty where they are not known.
	Customer, Agent string
}

// OwnerLister lists everybody who can own records, for the table of agents and owners.
type OwnerLister interface {
	// Owners lists the users, 5,000 at most; those who have left are Active false or missing.
	Owners(ctx context.Context) ([]Owner, error)
}

// BatchWriter writes several calls in one request, for backfill.
type BatchWriter interface {
	// MaxBatch is how many calls one request takes.
	MaxBatch() int
	// WriteCalls writes all of ws and returns one outcome for each, in their order. One item's failure is its own. No two of
	// ws have a key or an id in common. What it owes beside the fields of a new record and did not get done, such as a link,
	// is missing in the outcome.
	WriteCalls(ctx context.Context, ws []CallWrite) []BatchOutcome
}

// BatchOutcome is what became of one item of a batch. Err is nil or an *Error.
type BatchOutcome struct {
	Written Written
	Err     error
}

// BatchReader is a BatchWriter that also reads several calls in one request, and takes changes of several in one.
type BatchReader interface {
	BatchWriter
	// ReadCalls reads fields of the records as they are now, as CallReader does; it returns one outcome for each of ids, in
	// their order. ids are at most MaxBatch. One item's failure is its own.
	ReadCalls(ctx context.Context, ids, fields []string) []ReadOutcome
}

// ReadOutcome is what was read of one record. Err is nil or an *Error, NotFound for a record that is gone.
type ReadOutcome struct {
	Fields map[string]any
	Err    error
}

// ContactFollower tells what became of a contact that is not found any more, or that was converted: merged into another
// one, turned from a lead into a contact.
type ContactFollower interface {
	// FollowContact returns the record that stands for of now, which may be of itself; ok is false where it is gone.
	FollowContact(ctx context.Context, of Ref) (now Ref, ok bool, err error)
}
