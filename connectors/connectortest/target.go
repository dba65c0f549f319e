package connectortest

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/callsync/callsync/connectors"
)

// CRM is one fake CRM, made for one test. What its connector has no capability for stays nil.
type CRM struct {
	// Handler serves the vendor's API. It has no limits and no lag.
	Handler http.Handler
	// Count is how many living records there are of a key.
	Count func(key string) int
	// Text, Time and Duration read back what the record of a key holds in the fields that Target.Write and
	// Target.WriteDuration fill with them.
	Text     func(key string) (string, bool)
	Time     func(key string) (time.Time, bool)
	Duration func(key string) (time.Duration, bool)
	// Delete removes the record of a key, as a person would. Nil where nobody can.
	Delete func(key string)
	// Linked are the records that the call of a key is tied to; one that is tied twice is there twice.
	Linked func(key string) []connectors.Ref
	// Move ties the call of a key to a contact and to no other, as a person would. Nil where nobody can.
	Move func(key string, to connectors.Ref)
	// Lag stops (true) the index of the searches from seeing changes, or lets it catch up. Nil where nothing lags.
	Lag func(bool)

	// IssueToken makes another access token that is accepted; ExpireToken ends one. They are for connectors with OAuth.
	IssueToken  func() string
	ExpireToken func(token string)

	// AddContact makes a record of an object ("contact", "lead", "company") with a phone number, which the searches see.
	AddContact func(object, name, number string) connectors.Ref
	// AddEmailContact makes a contact with an e-mail address and no number; connectors.EmailMatcher needs it.
	AddEmailContact func(name, email string) connectors.Ref
	// CountContacts is how many living records of an object Target.Contact's key has, or its name where the CRM has no
	// place for the key.
	CountContacts func(object, key string) int
	// DeleteContact removes a contact. MergeContacts merges loser into winner and gives what stands for both of them then,
	// which is a third record at some vendors. Nil where nobody can.
	DeleteContact func(connectors.Ref)
	MergeContacts func(loser, winner connectors.Ref) connectors.Ref

	// AddOwner makes a user; one who is not active has left.
	AddOwner func(email string, active bool)

	// Records are the hooks of the other records by object: connectors.ObjectTask and so on.
	Records map[string]RecordHooks

	// AddDeal makes a deal of a contact, open or closed; DealField reads a field of it.
	AddDeal   func(of connectors.Ref, open bool) string
	DealField func(id, field string) string

	// Recordings are the contents of the recordings of the call of a key, one for each file.
	Recordings func(key string) [][]byte
	// Transcriptions are the texts of the transcriptions of the call of a key.
	Transcriptions func(key string) []string
}

// RecordHooks read what is there of one object other than calls.
type RecordHooks struct {
	// Count is how many living records there are of a key, Text what one holds in the field that the write fills.
	Count func(key string) int
	Text  func(key string) (string, bool)
	// Linked are the records it is tied to. Nil where the CRM cannot tie it.
	Linked func(key string) []connectors.Ref
	// Delete removes it, as a person would. Nil where nobody can.
	Delete func(key string)
	// Done tells whether a task is closed.
	Done func(key string) bool
}

// Target is a connector under test.
type Target struct {
	Connector connectors.Connector
	// Settings are settings that work against a fake at baseURL.
	Settings func(baseURL string) connectors.Settings
	// OAuthSettings are those of a connection that was connected by OAuth; the kit adds the tokens. Nil without OAuth.
	OAuthSettings func(baseURL string) connectors.Settings
	// Secrets are the secrets in these settings, and anything else that must never be in an error.
	Secrets []string
	// New makes a fake that is ready for calls.
	New func(t *testing.T) CRM
	// Write is a write of the record of key whose text and time are these. remoteID is empty for a create.
	Write func(key, remoteID, text string, at time.Time) connectors.CallWrite
	// WriteDuration is a create of the record of key that began at this moment and lasted so long, as the mapping would
	// make it. Nil where a call has no duration.
	WriteDuration func(key string, at time.Time, d time.Duration) connectors.CallWrite
	// BadWrite is a create that the CRM refuses for a value of it; batches need it.
	BadWrite func(key string) connectors.CallWrite
	// Contact is a contact (or what object says) of key to create.
	Contact func(object, key, name, number string) connectors.ContactWrite
	// Records are writes of the other records by object.
	Records map[string]func(key, remoteID, text string, links []connectors.Ref) connectors.RecordWrite
	// DealField is a field of deals and a value for it.
	DealField, DealValue string
	// Upload is the recording's name and type that the vendor takes; zero means WAV.
	UploadName, UploadType string
	// Buffered allows an upload to be in memory: the vendor takes recordings inside JSON only.
	Buffered bool
	// Changes tells which requests may change something, where everything is a POST to one address or another. Nil means all
	// but GETs and those with "search" in their path.
	Changes func(*http.Request) bool
	// Errors are the vendor's refusals, with their headers and bodies as documented or observed.
	Errors []VendorError
	// Classes are the statuses whose class differs from connectors.Classify.
	Classes map[int]connectors.Class
	// NotVendors are the statuses whose class differs from that once more where the body is not the vendor's: something in
	// front of the API has answered.
	NotVendors map[int]connectors.Class
	// ErrorBody is the vendor's body for a status; nil means none.
	ErrorBody func(status int) string
	// MaxText is how long the text may be, as TextLen counts; zero means that there is no limit.
	MaxText int
	// TextLen counts as the vendor does; nil means characters (runes).
	TextLen func(string) int
	// TextAs is what the vendor itself makes of a text, such as its ends trimmed; nil means the same text.
	TextAs func(string) string
	// TimeStep is what the vendor keeps of a time; zero means milliseconds. DurationStep is the same for durations.
	TimeStep, DurationStep time.Duration
}

// VendorError is one refusal of a vendor and what it has to become.
type VendorError struct {
	Name   string
	Status int
	Header http.Header
	Body   string
	// On tells which requests are answered so; the others go to a fake. Nil means all.
	On func(*http.Request) bool
	// Do is what is tried; nil means a create of a call.
	Do func(ctx context.Context, s connectors.Session) error

	Class    connectors.Class
	Field    string
	RemoteID string
	// MinRetryAfter and MaxRetryAfter bound RetryAfter; both zero mean that it is not looked at.
	MinRetryAfter, MaxRetryAfter time.Duration
	// Public is part of the sentence for people.
	Public string
}
