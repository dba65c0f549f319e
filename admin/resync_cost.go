package admin

import (
	"fmt"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// gathered is how many calls of a resync share a request, as forecasts reckon: fewer than usually do.
const gathered = 10

// shares tells what of a resync's requests to a kind of CRM several calls share: new records, and changes with what is read
// before them.
func (h *Handler) shares(connector string) (creates, changes bool) {
	p, ok := h.Connectors[connector].(connectors.Prototyper)
	if !ok {
		return false, false
	}
	_, creates = p.Prototype().(connectors.BatchWriter)
	_, changes = p.Prototype().(connectors.BatchReader)
	return creates, changes
}

// resyncEach is how many requests each call of a resync takes in a place, where a delivery by itself takes each: of a new
// record the write and its tie to the contact are shared, of one that is there the read and the change.
func resyncEach(place records.ResyncPlace, each float64, creates, changes bool) float64 {
	made, changed := each, each
	if creates {
		made = min(each, max(1, each-2)+2.0/gathered)
	}
	if changes {
		changed = min(each, 2.0/gathered)
	}
	present := 0.0
	if place.Calls > 0 {
		present = min(1, float64(place.Present)/float64(place.Calls))
	}
	return present*changed + (1-present)*made
}

// sharedWords say how many requests calls take that share them; empty where they do not.
func sharedWords(calls int64, each, before float64) string {
	need, alone := int64(each*float64(calls)+0.5), int64(before*float64(calls)+0.5)
	if need >= alone || calls < 2 {
		return ""
	}
	return fmt.Sprintf("Many calls share a request: about %s instead of %s.", numbered(max(1, need), "request"), grouped(alone))
}
