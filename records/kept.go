package records

import (
	"maps"
	"time"
)

// Base is what is known of the fields of one record in a CRM from before, by the CRM's names: what an update is compared
// with to tell a person's edit from callsync's own values.
type Base struct {
	// Written is what callsync asked the CRM to store last.
	Written map[string]any
	// Shown is how the CRM showed that in its answer, where it is another spelling: cut, cleaned, calculated. Of fields that
	// are appended to it is the part that is callsync's.
	Shown map[string]any
	// Sent are values of writes whose outcome is not known.
	Sent map[string][]any
	// Kept are the edits that callsync has met.
	Kept map[string]Kept
	// Overruled are the fields in which a person asked for callsync's value once, with the Theirs of the edit they saw.
	Overruled map[string]string
}

// Left are the fields as callsync knows the record: what it wrote, as the CRM showed it, and the edits that it kept.
func (b Base) Left() map[string]any {
	out := make(map[string]any, len(b.Written))
	maps.Copy(out, b.Written)
	maps.Copy(out, b.Shown)
	for f, k := range b.Kept {
		if k.Open() {
			out[f] = k.Theirs
		}
	}
	return out
}

// Kept is a value that somebody put into a field of the CRM, and that callsync leaves there although it wants another one.
type Kept struct {
	// Cause is one of the constants KeptEdited to KeptFull.
	Cause string `json:"cause"`
	// Ours is what callsync wrote last, Theirs what was there, Wanted what callsync would write; long texts are cut.
	Ours   any `json:"ours,omitempty"`
	Theirs any `json:"theirs,omitempty"`
	Wanted any `json:"wanted,omitempty"`
	// TheirsHash and WantedHash tell whether the two are still the same.
	TheirsHash string    `json:"theirs_hash"`
	WantedHash string    `json:"wanted_hash"`
	At         time.Time `json:"at"`
	// ResolvedAt and Resolution say when and how the two came together again; zero and empty while they differ.
	ResolvedAt time.Time `json:"resolved_at,omitzero"`
	Resolution string    `json:"resolution,omitempty"`
}

// Why a value is kept.
const (
	// KeptEdited: somebody changed it. KeptCleared: somebody emptied it. KeptRemoved: somebody took away values of a list
	// that callsync had added.
	KeptEdited  = "edited"
	KeptCleared = "cleared"
	KeptRemoved = "removed"
	// KeptFilled: the field is only to be filled while it is empty, and it is not. KeptFull: there is no room for what
	// callsync would append.
	KeptFilled = "filled"
	KeptFull   = "full"
)

// How an edit was resolved.
const (
	// ResolvedSame: the CRM has what callsync wants. ResolvedReverted: the edit was taken back in the CRM.
	// ResolvedOurs: somebody asked for callsync's value. ResolvedWithdrawn: callsync wants nothing else there any more.
	ResolvedSame      = "same"
	ResolvedReverted  = "reverted"
	ResolvedOurs      = "ours"
	ResolvedWithdrawn = "withdrawn"
)

// Open tells whether callsync and the CRM still differ.
func (k Kept) Open() bool { return k.Cause != "" && k.ResolvedAt.IsZero() }

// Conflict tells whether it is an edit that people are shown: callsync's value was changed, and the two still differ.
func (k Kept) Conflict() bool { return k.Open() && k.Cause != KeptFilled }
