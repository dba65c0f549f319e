package connectors

// Capability is something a CRM's sessions may be able to do beyond writing calls.
type Capability struct {
	Name string
	// Label names it for people.
	Label string
	// Has tells whether a session can.
	Has func(Session) bool
}

// CapabilityOAuth is the capability of connectors that are Authorizers: it is the connector's, not its sessions'.
const CapabilityOAuth = "oauth"

func can[T any](s Session) bool {
	_, ok := s.(T)
	return ok
}

// AllCapabilities lists every capability there is, in the order in which they are shown.
func AllCapabilities() []Capability {
	return []Capability{
		{"contact_match", "Finds contacts by phone number", can[ContactMatcher]},
		{"email_match", "Finds contacts by e-mail", can[EmailMatcher]},
		{"contact_create", "Creates contacts", can[ContactCreator]},
		{"link", "Ties calls to contacts", can[Linker]},
		{"owner", "Finds the owner by e-mail", can[OwnerResolver]},
		{"disposition", "Lists the account's call outcomes", can[DispositionLister]},
		{"update", "Reads records before it changes them", can[CallReader]},
		{"call_look_up", "Finds our call records by key", can[CallFinder]},
		{"schema", "Lists the CRM's fields", can[SchemaDescriber]},
		{"verify", "Tests a connection", can[Verifier]},
		{"contact_follow", "Follows merged and converted contacts", can[ContactFollower]},
		{"owner_list", "Lists the CRM's users", can[OwnerLister]},
		{"recording_upload", "Uploads recordings", can[RecordingUploader]},
		{"transcription", "Has a place of its own for transcriptions", can[TranscriptionWriter]},
		{"task", "Writes follow-up tasks", can[TaskWriter]},
		{"task_read", "Sees whether a task was completed", can[TaskReader]},
		{"note", "Writes notes", can[NoteWriter]},
		{"ticket", "Opens tickets", can[TicketWriter]},
		{"deal", "Changes open deals", can[DealToucher]},
		{"message", "Logs text messages", can[MessageLogger]},
		{"form", "Logs form submissions", can[FormWriter]},
		{"record_link", "Ties messages and forms to contacts that appear later", can[RecordLinker]},
		{"record_look_up", "Finds our other records by key", can[RecordFinder]},
		{"record_read", "Reads our other records before it changes them", can[RecordReader]},
		{"batch", "Writes many calls in one request", can[BatchWriter]},
		{"batch_read", "Reads and changes many calls in one request", can[BatchReader]},
	}
}

// Capabilities names what s can do, in the order of AllCapabilities.
func Capabilities(s Session) []string {
	out := []string{}
	for _, c := range AllCapabilities() {
		if c.Has(s) {
			out = append(out, c.Name)
		}
	}
	return out
}

// Prototyper is implemented by connectors that can show a session without settings, so that the registry knows the
// capabilities of a connector nobody has connected yet. The session is only asked for its interfaces.
type Prototyper interface {
	Prototype() Session
}
