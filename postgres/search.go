package postgres

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/unicode/norm"

	"github.com/callsync/callsync/call"
)

// What a search may find a call by is made here, in Go, and not by the database: pg_trgm and unaccent are not to be had
// everywhere, and lower() knows only the letters of the database's locale.

const (
	// maxTerms and maxTermBytes bound what is kept of a call.
	maxTerms     = 80
	maxTermBytes = 64
	// maxSearched bounds the words of a search.
	maxSearched = 8
	// minDigits is how many digits make a text a phone number.
	minDigits = 4
)

// Marks of terms that are not words. The customer's number stands backwards, because people type the end of a number,
// and forwards; our own numbers and those of agents stand backwards.
const (
	termNumberEnd   = "#"
	termNumberStart = "="
	termOurNumber   = "%"
)

// folded is a text in lower case without accents, as far as Unicode knows them.
func folded(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) && !unicode.In(r, keptMarks...) {
			return -1
		}
		switch r = unicode.ToLower(r); r {
		case 'ß':
			return 's'
		case 'ø':
			return 'o'
		case 'ł':
			return 'l'
		case 'đ':
			return 'd'
		case 'ı':
			return 'i'
		}
		return r
	}, norm.NFKD.String(s))
}

// keptMarks are the marks of scripts in which they are vowels, and so make another word.
var keptMarks = []*unicode.RangeTable{unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya,
	unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Thai, unicode.Lao, unicode.Myanmar, unicode.Khmer, unicode.Tibetan}

// words are the words of a text, folded. What is written without spaces is also found from each of its letters on.
func words(s string) []string {
	var out []string
	for _, w := range strings.FieldsFunc(folded(s), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
	}) {
		out = append(out, cutTerm(w))
	}
	return out
}

func cutTerm(w string) string {
	if len(w) <= maxTermBytes {
		return w
	}
	return strings.ToValidUTF8(w[:maxTermBytes], "")
}

// spaceless tells whether a word is of a script that puts no spaces between words.
func spaceless(w string) bool {
	return strings.ContainsFunc(w, func(r rune) bool {
		return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai)
	})
}

// searchText is what a call is found by.
func searchText(c *call.Call) string {
	seen := map[string]bool{}
	var out []string
	add := func(terms ...string) {
		for _, t := range terms {
			if t != "" && !seen[t] && len(out) < maxTerms {
				seen[t] = true
				out = append(out, t)
			}
		}
	}
	text := func(s string) {
		for _, w := range words(clipped(s, 500)) {
			add(w)
			if !spaceless(w) {
				continue
			}
			for i := range w {
				add(w[i:])
			}
		}
	}
	number := cmp.Or(c.Customer.Number, c.Customer.RawNumber)
	if d := digitsOf(number); len(d) >= minDigits {
		add(termNumberEnd+reversed(d), termNumberStart+d)
		if n, err := phonenumbers.Parse(number, "ZZ"); err == nil {
			add(termNumberStart + phonenumbers.GetNationalSignificantNumber(n))
		}
	}
	text(c.ProviderID)
	for _, a := range c.Aliases {
		text(a.Value)
	}
	text(c.Customer.Name)
	text(c.Customer.Company)
	email := func(s string) {
		s = cutTerm(strings.Join(strings.Fields(folded(clipped(s, 200))), ""))
		if local, domain, ok := strings.Cut(s, "@"); ok {
			add(s, domain)
			text(local)
		}
	}
	email(c.Customer.Email)
	ours := func(s string) {
		if d := digitsOf(s); len(d) >= minDigits {
			add(termOurNumber + reversed(d))
		}
	}
	ours(cmp.Or(c.BusinessNumber, c.BusinessRawNumber))
	for _, a := range c.Agents {
		text(a.Name)
		email(a.Email)
		text(a.Extension)
		ours(a.Number)
	}
	return strings.Join(out, " ")
}

func clipped(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

func digitsOf(s string) string {
	var b strings.Builder
	for _, r := range clipped(s, 64) {
		if r >= '0' && r <= '9' {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// artifactLetters are what has become of recording, transcription and disposition, a letter each; empty for not known.
func artifactLetters(all map[call.Artifact]call.ArtifactStatus) string {
	if all == nil {
		return ""
	}
	letters := ""
	for _, a := range []call.Artifact{call.ArtifactRecording, call.ArtifactTranscription, call.ArtifactDisposition} {
		switch all[a].State {
		case call.Arrived:
			letters += "a"
		case call.Expected, call.Overdue:
			letters += "e"
		default:
			letters += "n"
		}
	}
	return letters
}

// phoneDigits splits q into its digits and whatever is not part of how people write numbers. An extension is left out,
// and so is the (0) that some write behind the country code.
func phoneDigits(q string) (digits, rest string) {
	q = strings.ToLower(strings.TrimPrefix(q, "tel:"))
	for _, mark := range []string{";ext=", "ext.", "ext", "x", "#"} {
		if i := strings.LastIndex(q, mark); i > 0 && digitsOf(q[i:]) == strings.Trim(q[i+len(mark):], " .:") && len(digitsOf(q[:i])) >= minDigits {
			q = q[:i]
			break
		}
	}
	if strings.HasPrefix(strings.TrimSpace(q), "+") || strings.HasPrefix(strings.TrimSpace(q), "00") {
		q = strings.Replace(q, "(0)", "", 1)
	}
	var d, r strings.Builder
	for _, c := range norm.NFKC.String(q) {
		switch {
		case unicode.IsDigit(c):
			// Digits of every script, as NFKC leaves them.
			if v, ok := digitValue(c); ok {
				d.WriteByte('0' + v)
			}
		case strings.ContainsRune("+-‐‑–—()[]./_ \u00a0\u202f\u2009\t\u200e\u200f\u202a\u202c", c):
		default:
			r.WriteRune(c)
		}
	}
	return d.String(), r.String()
}

// digitValue is the value of a decimal digit of any script: their tens lie in a row.
func digitValue(r rune) (byte, bool) {
	for _, rg := range unicode.Nd.R16 {
		if r >= rune(rg.Lo) && r <= rune(rg.Hi) {
			return byte((r - rune(rg.Lo)) % 10), true
		}
	}
	return 0, false
}

// addresses are what is to be found as it is written: e-mail addresses, and parts of them.
func addresses(q string) []string {
	var out []string
	dotted := false
	for _, w := range strings.Fields(folded(q)) {
		w = cutTerm(strings.Trim(w, "@.,;:<>()\"'"))
		dotted = dotted || strings.ContainsAny(w, "@.")
		if w != "" {
			out = append(out, w)
		}
	}
	if !dotted || len(out) > maxSearched {
		return nil
	}
	return out
}

// terms are alternatives, each of them beginnings of terms that a call must all have.
type terms [][]string

// tsquery writes the search for the database, with the lexemes of a workspace. No alternative is no query.
func (t terms) tsquery(workspaceID string) string {
	prefix := strings.ReplaceAll(workspaceID, "-", "")
	prefix = prefix[max(len(prefix)-8, 0):]
	var or []string
	for _, all := range t {
		var and []string
		for _, w := range all {
			// An address may hold anything.
			and = append(and, "'"+strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(prefix+w)+"':*")
		}
		or = append(or, strings.Join(and, " & "))
	}
	return strings.Join(or, " | ")
}

// searchTerms read what a person typed, the likeliest meaning first; nil finds nothing.
func searchTerms(q string, countries []string) []terms {
	digits, rest := phoneDigits(q)
	found := words(clipped(q, 200))
	if len(found) > maxSearched {
		found = found[:maxSearched]
	}
	if len(digits) < minDigits || rest != "" {
		if len(found) == 0 {
			return nil
		}
		if whole := addresses(q); whole != nil {
			return []terms{{whole, found}}
		}
		return []terms{{found}}
	}
	// Leading zeros are the trunk prefix (0) or stand for the + (00); E.164 has neither.
	bare := strings.TrimLeft(digits, "0")
	var ends, starts, ours terms
	end := func(d string) {
		if len(d) >= minDigits && !slices.ContainsFunc(ends, func(t []string) bool { return t[0] == termNumberEnd+reversed(d) }) {
			ends, ours = append(ends, []string{termNumberEnd + reversed(d)}), append(ours, []string{termOurNumber + reversed(d)})
		}
	}
	end(bare)
	if len(ends) == 0 {
		end(digits)
	}
	// Some countries' trunk prefix is no zero: the number is read as their people write it.
	for _, c := range countries {
		if n, err := phonenumbers.Parse(digits, c); err == nil && phonenumbers.IsValidNumber(n) {
			end(strings.TrimPrefix(phonenumbers.Format(n, phonenumbers.E164), "+"))
		}
	}
	starts = terms{{termNumberStart + cmp.Or(bare, digits)}}
	all := []terms{ends, starts, ours}
	if len(found) > 0 {
		all = append(all, terms{found}) // an id of the phone system may be digits
	}
	return all
}

// searchCountries are those in which a workspace's sources read numbers.
func (db *DB) searchCountries(ctx context.Context, workspaceID string) ([]string, error) {
	var out []string
	err := db.lookRow(ctx, `select coalesce(array_agg(distinct upper(default_country)), '{}') from sources where workspace_id = $1 and default_country <> ''`, workspaceID).Scan(&out)
	return out, err
}

func reversed(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}
