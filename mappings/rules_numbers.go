package mappings

import (
	"slices"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// numberSet is phone numbers to compare with: whole ones, beginnings (+9198*) and ends (*3210).
type numberSet struct {
	// country is the source's, in which numbers of calls without a country code are read.
	country  string
	whole    map[string]struct{}
	prefixes map[string]struct{}
	suffixes map[string]struct{}
	// lengths are those of the prefixes and suffixes, each once.
	prefixLengths, suffixLengths []int
}

// longestNumber bounds what is read; no number is longer.
const longestNumber = 40

// longestShort is the most digits of an extension or a service number; what has more should be a number of some country.
const longestShort = 8

// What can be wrong with a number of a document.
type numberFault int

const (
	numberFine numberFault = iota
	// numberNone: it is no phone number at all.
	numberNone
	// numberUnread: it is none in the country; it may be one elsewhere.
	numberUnread
)

func newNumberSet(country string) *numberSet {
	return &numberSet{country: strings.ToUpper(country), whole: map[string]struct{}{}, prefixes: map[string]struct{}{}, suffixes: map[string]struct{}{}}
}

// add reads one number of the document. What it cannot read as a number of the country is compared digit by digit.
func (s *numberSet) add(text string) numberFault {
	text = strings.TrimSpace(text)
	end, begins := strings.CutSuffix(text, "*")
	end, ends := strings.CutPrefix(end, "*")
	digits, ok := bareNumber(end)
	if !ok || begins && ends || len(digits) > longestNumber {
		return numberNone
	}
	switch {
	case begins:
		prefix, fault := s.prefix(digits)
		put(s.prefixes, &s.prefixLengths, prefix)
		return fault
	case ends:
		put(s.suffixes, &s.suffixLengths, digits)
		return numberFine
	}
	e164, ok := s.read(digits)
	switch {
	case ok:
		s.whole[e164] = struct{}{}
	case strings.HasPrefix(digits, "+"):
		return numberNone
	case len(digits) > longestShort:
		s.whole[digits] = struct{}{}
		return numberUnread
	default:
		s.whole[digits] = struct{}{}
	}
	return numberFine
}

func put(set map[string]struct{}, lengths *[]int, text string) {
	set[text] = struct{}{}
	if !slices.Contains(*lengths, len(text)) {
		*lengths = append(*lengths, len(text))
	}
}

// bareNumber is a number without what people put between its digits.
func bareNumber(text string) (string, bool) {
	var b strings.Builder
	for i, c := range strings.TrimPrefix(strings.TrimSpace(text), "tel:") {
		switch {
		case c >= '0' && c <= '9':
			b.WriteRune(c)
		case c == '+' && i == 0:
			b.WriteRune(c)
		case !strings.ContainsRune(" -().,/\u00a0\u2013", c):
			return "", false
		}
	}
	return b.String(), strings.Trim(b.String(), "+") != ""
}

// read gives a number in E.164. One with a country code needs a possible length only, one without must be valid: an
// extension looks like a number.
func (s *numberSet) read(digits string) (string, bool) {
	if s.country == "" && strings.HasPrefix(digits, "00") {
		digits = "+" + digits[2:]
	}
	n, err := phonenumbers.Parse(digits, s.country)
	if err != nil {
		return "", false
	}
	if strings.HasPrefix(digits, "+") && phonenumbers.IsPossibleNumber(n) || phonenumbers.IsValidNumber(n) {
		return phonenumbers.Format(n, phonenumbers.E164), true
	}
	return "", false
}

// prefix reads the beginning of a number: 098 in India is +9198, as is 0091 98.
func (s *numberSet) prefix(digits string) (string, numberFault) {
	if strings.HasPrefix(digits, "+") {
		return digits, numberFine
	}
	if rest, ok := strings.CutPrefix(digits, "00"); ok && rest != "" {
		return "+" + rest, numberFine
	}
	code := phonenumbers.GetCountryCodeForRegion(s.country)
	if code == 0 {
		return digits, numberUnread
	}
	if trunk := phonenumbers.GetNddPrefixForRegion(s.country, true); trunk != "" && len(digits) > len(trunk) {
		digits = strings.TrimPrefix(digits, trunk)
	}
	return "+" + strconv.Itoa(code) + digits, numberFine
}

// holds tells whether a number of a call is in the set.
func (s *numberSet) holds(number string) bool {
	number, ok := bareNumber(number)
	if !ok {
		return false
	}
	if s.has(number) {
		return true
	}
	if strings.HasPrefix(number, "+") {
		return false
	}
	e164, ok := s.read(number)
	return ok && s.has(e164)
}

func (s *numberSet) has(number string) bool {
	if _, ok := s.whole[number]; ok {
		return true
	}
	for _, n := range s.prefixLengths {
		if len(number) >= n {
			if _, ok := s.prefixes[number[:n]]; ok {
				return true
			}
		}
	}
	for _, n := range s.suffixLengths {
		if len(number) >= n {
			if _, ok := s.suffixes[number[len(number)-n:]]; ok {
				return true
			}
		}
	}
	return false
}
