package deepcall

import (
	"strings"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// direction reads cType: IBD is inbound; OBD, CTC, QC and BRD are outbound. Of POOL the vendor says that the system calls
// the customer, but an inbound call alone has a DID. MASK, FLASH and words nobody knows are told by their signs, else not
// at all: a wrong guess would swap customer and business.
func (d *decoder) direction(x *call.Facts) {
	hasDID := d.f.Peek("did") != nil
	word := strings.ToUpper(d.peek("ctype"))
	if word == "CTC" && d.internal() {
		x.Direction = call.Internal
		return
	}
	switch word {
	case "IBD", "INBOUND", "INCOMING":
		x.Direction = call.Inbound
	case "OBD", "CTC", "QC", "BRD", "OUTBOUND", "OUTGOING":
		x.Direction = call.Outbound
	case "POOL":
		x.Direction = call.Outbound
		if hasDID {
			x.Direction = call.Inbound
		}
	default:
		x.Direction = d.directionBySigns(hasDID)
	}
}

func (d *decoder) directionBySigns(hasDID bool) call.Direction {
	camp := d.peek("campid")
	switch first := strings.ToLower(d.peek("firstattended")); {
	case hasDID:
		return call.Inbound
	case d.peek("masternumctc") != "", len(d.theirs) > 0, first == from, d.api.Len() > 0, camp != "" && camp != "0":
		return call.Outbound
	// A customer who is answered after an agent was called.
	case first == "agent" && d.at("custanswerstime").After(d.at("firstanswertime")):
		return call.Outbound
	}
	return ""
}

// parties reads who is who: the customer, the number of ours that the call went through, and our people.
func (d *decoder) parties(x *call.Facts) {
	ourSide, theirSide := d.sides(d.ours)
	candidates := []string{d.peek("cnumber"), d.peek("cnumber10")}
	if ourSide == to {
		candidates = []string{d.peek("masternumctc"), d.peek("cnumber"), d.peek("cnumber10")}
	}
	for _, l := range d.theirs {
		candidates = append(candidates, l.number)
	}
	if number := d.api.Peek(theirSide); d.clickToCall && strings.EqualFold(or(textIn(d.api.Peek(theirSide+"type"), ""), "number"), "number") {
		candidates = append(candidates, textIn(number, ""))
	}
	switch x.Direction {
	case call.Inbound:
		candidates = append(candidates, d.peek("callerid"))
	case call.Outbound:
		candidates = append(candidates, d.peek("dialednumber"))
	}
	for _, raw := range candidates {
		if raw == "" || raw == "0" || raw == "false" || x.Direction == call.Internal {
			continue
		}
		p := d.phone(raw)
		x.Customer.Number, x.Customer.RawNumber = p.Number, p.Raw
		break
	}
	d.f.Drop("cnumber", "cnumber10", "masteragentnumber")

	business := d.phone(d.f.Text("did"))
	if business.Raw == "" && x.Direction != call.Inbound {
		business = d.phone(d.caller(x.Customer))
	}
	x.BusinessNumber, x.BusinessRawNumber = business.Number, business.Raw

	x.Agents = d.agents()
	x.RingSeconds = d.ring(x.Direction)
}

// caller is the number that the customer was shown, else the one that our side was shown, unless that is the customer's.
func (d *decoder) caller(customer call.Party) string {
	for _, l := range append(d.theirs[:len(d.theirs):len(d.theirs)], d.ours...) {
		if l.cli != "" && lastTen(l.cli) != lastTen(customer.RawNumber) {
			return l.cli
		}
	}
	return ""
}

// ring is how long the far end was rung: of the way out the customer, of the way in the agent who answered.
func (d *decoder) ring(dir call.Direction) *int64 {
	list := d.theirs
	if dir == call.Inbound {
		list = d.ours
	}
	for _, l := range list {
		if l.answered {
			return l.ring
		}
	}
	// Of several that nobody answered it is not said whether they rang one after the other.
	if len(list) == 1 {
		return list[0].ring
	}
	return nil
}

// phone reads a number. DeepCall calls its numbers E.164 but writes them without the plus; those of API parameters lack
// the country code as well.
func (d *decoder) phone(raw string) telephony.Phone {
	p := telephony.ParsePhone(raw, d.settings.DefaultCountry, "IN")
	if p.Number != "" || p.Withheld || len(p.Raw) < len("10123456789") || p.Raw[0] == '0' || strings.Trim(p.Raw, "0123456789") != "" {
		return p
	}
	with := telephony.ParsePhone("+"+p.Raw, "")
	with.Raw = p.Raw
	return with
}
