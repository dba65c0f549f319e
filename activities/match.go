package activities

import (
	"cmp"
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// wanted is the customer whose contact is looked for.
type wanted struct {
	// number is E.164; extension is what was dialled after it, if the phone system shows that.
	number, extension string
	// email is the address, in small letters, where the CRM looks for those. One of the two is set.
	email string
	// country is the source's: numbers without a country code are read in it.
	country string
	// hint is the contact that the phone system names, as an id in a CRM that may be this one.
	hint string
	// owner is the CRM user who owns the call.
	owner string
	// policy has its defaults, and its objects.
	policy records.Match
}

// key names the calls of one number that are answered alike where several contacts share it.
func (w wanted) key() string {
	switch {
	case w.hint != "":
		return "crm:" + w.hint
	case w.policy.OnMany == records.MatchOwner && w.owner != "":
		return "owner:" + w.owner
	}
	return "many"
}

// who is the key of the customer's row: the number, else the e-mail address.
func (w wanted) who() string { return cmp.Or(w.number, w.email) }

// what names it for people.
func (w wanted) what() string {
	if w.number == "" {
		return "e-mail address"
	}
	return "number"
}

// address is an e-mail address as it is compared; empty for what is none.
func address(email string) string {
	email = strings.ToLower(strings.TrimSpace(email))
	if len(email) > 254 || strings.Count(email, "@") != 1 || strings.HasPrefix(email, "@") || strings.HasSuffix(email, "@") || strings.ContainsAny(email, " \t\r\n<>,;\"") {
		return ""
	}
	return email
}

// phoneQuery gives a number in the forms CRMs store it.
func phoneQuery(w wanted) connectors.PhoneQuery {
	q := connectors.PhoneQuery{E164: w.number, National: w.number[1:], Objects: w.policy.Objects}
	if n, err := phonenumbers.Parse(w.number, ""); err == nil {
		q.National = phonenumbers.GetNationalSignificantNumber(n)
		q.Country = phonenumbers.GetRegionCodeForNumber(n)
	}
	return q
}

// How well a stored number is the wanted one.
const (
	otherNumber = iota
	sameLine    // the same number; of the two, one has an extension
	sameNumber  // the same, with its extension
)

// likeness compares the numbers of a contact with the wanted one. CRMs store numbers as people typed them, so each is
// read in the source's country, where there is none in the customer's, and compared as E.164. Of people who share a line
// the extension tells one from the other.
func (w wanted) likeness(numbers []string) int {
	best := otherNumber
	country := w.country
	if n, err := phonenumbers.Parse(w.number, ""); err == nil {
		country = cmp.Or(country, phonenumbers.GetRegionCodeForNumber(n))
	}
	for _, raw := range numbers {
		n, err := phonenumbers.Parse(raw, country)
		if err != nil || phonenumbers.Format(n, phonenumbers.E164) != w.number {
			continue
		}
		switch n.GetExtension() {
		case w.extension:
			return sameNumber
		case "":
			best = sameLine
		default:
			if w.extension == "" {
				best = sameLine
			}
		}
	}
	return best
}

// extension is what was dialled after a number, as the phone system wrote it.
func extension(raw, country string) string {
	n, err := phonenumbers.Parse(raw, country)
	if err != nil {
		return ""
	}
	return n.GetExtension()
}

// matches keeps those of found that really have the number: of the first object in the order of the policy that has any,
// those that match best, the most recently changed first. However many contacts an object later in the order has, a call
// belongs to one of the first.
func (w wanted) matches(found []connectors.Contact) []connectors.Contact {
	return w.best(found, func(c connectors.Contact) int { return w.likeness(c.Numbers) })
}

// mailMatches is matches for those that have the e-mail address.
func (w wanted) mailMatches(found []connectors.Contact) []connectors.Contact {
	return w.best(found, func(c connectors.Contact) int {
		if slices.ContainsFunc(c.Emails, func(e string) bool { return address(e) == w.email }) {
			return sameNumber
		}
		return otherNumber
	})
}

func (w wanted) best(found []connectors.Contact, likeness func(connectors.Contact) int) []connectors.Contact {
	var out []connectors.Contact
	place, like := len(w.policy.Objects), otherNumber
	seen := map[connectors.Ref]bool{}
	for _, c := range found {
		c.Object = cmp.Or(c.Object, connectors.ObjectContact)
		at, l := slices.Index(w.policy.Objects, c.Object), likeness(c)
		if at < 0 || l == otherNumber || seen[c.Ref] {
			continue
		}
		seen[c.Ref] = true
		if at < place || at == place && l > like {
			out, place, like = nil, at, l
		}
		if at == place && l == like {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b connectors.Contact) int {
		return cmp.Or(b.ModifiedAt.Compare(a.ModifiedAt), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// choose is the one of several contacts that share the number whom the call belongs to by the policy, with the reason in
// words; ok is false where the policy names none, or has people asked.
func (w wanted) choose(all []connectors.Contact) (c connectors.Contact, why string, ok bool) {
	if w.policy.OnMany == records.MatchOwner && w.owner != "" {
		if i := slices.IndexFunc(all, func(c connectors.Contact) bool { return c.OwnerID == w.owner }); i >= 0 {
			return all[i], "A contact of the call's owner", true
		}
	}
	if w.policy.OnMany == records.MatchOwner || w.policy.OnMany == records.MatchRecent {
		return all[0], "The most recently changed", true
	}
	return c, "", false
}

// candidates are what people are shown of contacts.
func candidates(all []connectors.Contact) []records.Candidate {
	out := make([]records.Candidate, 0, min(len(all), records.MaxCandidates))
	for _, c := range all[:min(len(all), records.MaxCandidates)] {
		one := records.Candidate{Object: c.Object, ID: c.ID, Name: clip(c.Name, 200), URL: clip(c.URL, 2000), Owner: c.OwnerID,
			Company: clip(c.Company, 200), ModifiedAt: c.ModifiedAt}
		if len(c.Emails) > 0 {
			one.Email = clip(c.Emails[0], 320)
		}
		out = append(out, one)
	}
	return out
}

// clip cuts s to about n bytes, between characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}
