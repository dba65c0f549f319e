package activities

import (
	"context"
	"time"

	"github.com/callsync/callsync/records"
)

// Store is what deliveries need of Postgres. Every method is scoped by workspace.
type Store interface {
	FollowUpStore

	// LeaseLane reads everything about one lane and takes its lease. It makes the delivery's row where there is none
	// yet. SendingSince is by the caller's clock: the time that has passed is measured by the store's. Errors: records.ErrNotFound for a call or connection that does not exist (or was folded into another call),
	// *records.LeasedError while another attempt works on it.
	LeaseLane(ctx context.Context, workspaceID, callID, connectionID string, lease time.Duration) (records.Lane, error)
	// LeaseRecord is LeaseLane for a message or form, by its kind and id.
	LeaseRecord(ctx context.Context, workspaceID, kind, id, connectionID string, lease time.Duration) (records.Lane, error)
	// RenewLease prolongs a lease; records.ErrLeaseLost if it is another attempt's by now.
	RenewLease(ctx context.Context, workspaceID, deliveryID, token string, lease time.Duration) error
	// MarkSending commits that a create is about to be sent, before it is. From then on the outcome is open until
	// something else is recorded. Errors: records.ErrLeaseLost.
	MarkSending(ctx context.Context, workspaceID, deliveryID, token string) error
	// MarkWriting commits what is about to be sent of a lane's record, by field, before it is: until it is settled
	// (records.LaneResult) these values may be in the CRM. Of a create it does what MarkSending does, too. Errors:
	// records.ErrLeaseLost.
	MarkWriting(ctx context.Context, workspaceID, deliveryID, token string, sent map[string][]any, create bool) error
	// SaveRemote commits the id of a record that was just created, also for an attempt that has lost its lease, unless
	// the row knows better. Errors: records.ErrLeaseLost.
	SaveRemote(ctx context.Context, workspaceID, deliveryID, token, remoteID, remoteURL string) error
	// FinishLane records an attempt's result, gives the lease back and settles the call when all its lanes are.
	// Errors: records.ErrLeaseLost, records.ErrConnectionActive.
	FinishLane(ctx context.Context, r records.LaneResult) error

	// LeaseContact takes the lease of the row of a phone number (E.164) in a connection, making it where needed.
	// Calls of the same number wait for each other here. Errors: *records.LeasedError.
	LeaseContact(ctx context.Context, workspaceID, connectionID, number string, lease time.Duration) (records.Delivery, string, error)
	// FinishContact records what became of the contact and gives the lease back. Errors: records.ErrLeaseLost.
	FinishContact(ctx context.Context, r records.ContactResult) error
	// Contact returns the row of a phone number without taking a lease; records.ErrNotFound if there is none.
	Contact(ctx context.Context, workspaceID, connectionID, number string) (records.Delivery, error)

	// ConnectionByID returns a connection with its secrets.
	ConnectionByID(ctx context.Context, workspaceID, id string) (records.Connection, error)
	// RevokeConnection revokes a connection, with the reason shown to people, if it is active and its settings are still
	// those of version (UpdatedAt); else it returns false.
	RevokeConnection(ctx context.Context, workspaceID, id string, version time.Time, reason string) (bool, error)
	// Rules returns the rules of a source or connection (records.RulesOfSource, records.RulesOfConnection).
	Rules(ctx context.Context, workspaceID, owner, ownerID string) (records.Rules, error)
	// ActiveMapping returns the mapping in force; records.ErrNotFound if the object has none.
	ActiveMapping(ctx context.Context, workspaceID, connectionID, object string) (records.MappingVersion, error)
	// MoveContact has a number's row, and what people chose for it, name the record that stands for fromID by now.
	MoveContact(ctx context.Context, workspaceID, connectionID, number, fromID, toObject, toID string) error
	// NoteUnmatched notes a lane that has no contact, so that it is looked up again, and asks people if u says so. If
	// somebody has chosen meanwhile it notes nothing and returns the choice.
	NoteUnmatched(ctx context.Context, u records.Unmatched) (choice records.MatchChoice, chosen bool, err error)
	// ForgetUnmatched takes back what NoteUnmatched noted of a lane.
	ForgetUnmatched(ctx context.Context, workspaceID, deliveryID string) error
	// DropChoice forgets the choice of a contact that the CRM no longer has.
	DropChoice(ctx context.Context, workspaceID, connectionID, number, choice string) error
	// Sight keeps what a call shows of its workspace: its lines, its agents and their numbers.
	Sight(ctx context.Context, s records.Sighting) error

	// OwnerFor returns the CRM user to whom an agent was assigned under one of its keys, the surest first and an admin's
	// word before callsync's; ok is false where nobody was.
	OwnerFor(ctx context.Context, workspaceID, connectionID string, keys []string) (ownerID string, ok bool, err error)
	// DispositionFor returns the CRM's outcome that an admin gave a disposition, whatever its case and white space; ok is
	// false where nobody did.
	DispositionFor(ctx context.Context, workspaceID, connectionID, value string) (optionID string, ok bool, err error)
}
