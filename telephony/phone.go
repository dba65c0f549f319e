package telephony

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// Phone is a phone number as a phone system wrote it and, where it could be read, in E.164.
type Phone struct {
	// Number is E.164 ("+14155550100"), empty where Raw is withheld, internal or no number.
	Number string
	// Extension are the digits behind the number, or the whole of an internal number written as one ("x123").
	Extension string
	// Raw is what the phone system sent, trimmed.
	Raw string
	// Withheld tells that the caller hid the number or the network did not pass it on.
	Withheld bool
}

// longestPhone bounds what is looked at; no number, extension included, is longer.
const longestPhone = 64

var (
	withheldWords = []string{
		"anonymous", "restricted", "unavailable", "blocked", "private", "withheld", "unknown", "no caller id", "not available",
	}
	extension = regexp.MustCompile(`(?i)(?:;ext=|\b(?:ext|extension)[.:]?\s*|\s*[x#]\s*)(\d{1,8})$`)
)

// ParsePhone reads a phone number. Regions are ISO 3166 codes in which a number without a country code is tried; the
// first that is not empty counts. A number with a "+" needs only a possible length; one without must be valid in the
// region, because extensions and codes look like numbers ("0607297260058" is an extension of an Indian phone system).
func ParsePhone(raw string, regions ...string) Phone {
	p := Phone{Raw: cut(CleanText(raw), 4*longestPhone)}
	if p.Raw == "" || len(p.Raw) > longestPhone {
		return p
	}
	if withheld(p.Raw) {
		p.Withheld = true
		return p
	}
	digits := strings.TrimPrefix(p.Raw, "tel:")
	if m := extension.FindStringSubmatchIndex(digits); m != nil {
		p.Extension, digits = digits[m[2]:m[3]], strings.TrimSpace(digits[:m[0]])
	}
	// Letters mean a name, an account or a vanity number. Reading the digits among them would invent a number:
	// "Extension-0602141810347" is an extension.
	if digits == "" || strings.ContainsFunc(digits, func(r rune) bool { return !unicode.IsDigit(r) && !strings.ContainsRune("+-\u2013().,/ \u00a0", r) }) {
		return p
	}
	region := ""
	for _, r := range regions {
		if r = strings.ToUpper(strings.TrimSpace(r)); r != "" {
			region = r
			break
		}
	}
	n, err := phonenumbers.Parse(digits, region)
	if err != nil {
		return p
	}
	// Numbers of North America all have the same length, so that there a possible one cannot be an extension.
	fits := phonenumbers.IsPossibleNumberWithReason(n) == phonenumbers.IS_POSSIBLE
	if fits && (strings.HasPrefix(digits, "+") || n.GetCountryCode() == northAmerica) || phonenumbers.IsValidNumber(n) {
		p.Number = phonenumbers.Format(n, phonenumbers.E164)
	}
	return p
}

const northAmerica = 1

// withheld recognises the words for a hidden number, and their spelling on a telephone's keypad with a plus in front
// (+266696687 is ANONYMOUS), which carriers put where only digits may stand. Some of those parse as numbers of real
// countries.
func withheld(raw string) bool {
	raw = strings.ToLower(raw)
	spelled, isSpelled := strings.CutPrefix(raw, "+")
	for _, w := range withheldWords {
		if raw == w || isSpelled && spelled == strings.Map(keypad, w) {
			return true
		}
	}
	return false
}

func keypad(r rune) rune {
	if r < 'a' || r > 'z' {
		return -1
	}
	return rune("22233344455566677778889999"[r-'a'])
}
