package mappings

import "time"

// OpeningHours are the business hours that rules name, taken together. The zero value names none.
type OpeningHours struct{ all []*openHours }

// OpeningHoursOf reads the hours of the conditions of a rules document. A document that cannot be read, and hours that
// are wrong, name none: who edits the rules is told there.
func OpeningHoursOf(document string) OpeningHours {
	var out OpeningHours
	d, err := ReadRules([]byte(document))
	if err != nil {
		return out
	}
	var walk func(c Condition)
	walk = func(c Condition) {
		if h, ok := c.Value.(Hours); ok {
			if o, faults := h.normal().compile(); len(faults) == 0 {
				out.all = append(out.all, o)
			}
		}
		for _, below := range c.All {
			walk(below)
		}
		for _, below := range c.Any {
			walk(below)
		}
	}
	for _, r := range d.Rules {
		walk(r.When)
	}
	return out
}

// Named tells whether there are any hours.
func (h OpeningHours) Named() bool { return len(h.all) > 0 }

// Open tells whether t is within any of them. Where none are named, every time is open. in is the zone of hours that name
// none themselves.
func (h OpeningHours) Open(t time.Time, in *time.Location) bool {
	if len(h.all) == 0 {
		return true
	}
	for _, o := range h.all {
		if o.holds(t, in) {
			return true
		}
	}
	return false
}
