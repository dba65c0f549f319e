package generic

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // Some phone systems sign with HMAC-SHA1.
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"regexp"
	"strings"

	"github.com/callsync/callsync/telephony"
)

// The parts that signed content can have.
const (
	partBody      = "{body}"
	partTimestamp = "{timestamp}"
	partQuery     = "{query}"
)

// signature is how a phone system signs: HMAC with the signing key over the content.
type signature struct {
	header, algorithm, encoding, prefix, content, timestamp string
}

// signatureOf reads the settings; those that are not made have their defaults.
func signatureOf(config map[string]string) signature {
	get := func(name, otherwise string) string {
		if v := strings.TrimSpace(config[name]); v != "" {
			return v
		}
		return otherwise
	}
	return signature{
		header:    get(settingSignatureHeader, "X-Signature"),
		algorithm: strings.ToLower(get(settingSignatureAlgorithm, "sha256")),
		encoding:  strings.ToLower(get(settingSignatureEncoding, "hex")),
		prefix:    get(settingSignaturePrefix, ""),
		content:   get(settingSignatureContent, partBody),
		timestamp: get(settingSignatureTimestamp, ""),
	}
}

// hashes are the algorithms.
var hashes = map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}

var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")

// check finds what is wrong with the rule.
func (s signature) check() (out telephony.ConfigProblems) {
	fail := func(setting, text string) { out = append(out, telephony.ConfigProblem{Setting: setting, Text: text}) }
	if !headerName.MatchString(s.header) {
		fail(settingSignatureHeader, "This is no name of a header.")
	}
	if hashes[s.algorithm] == nil {
		fail(settingSignatureAlgorithm, "The algorithm is sha1, sha256 or sha512.")
	}
	if s.encoding != "hex" && s.encoding != "base64" {
		fail(settingSignatureEncoding, "The encoding is hex or base64.")
	}
	if strings.Count(s.content, partBody) != 1 || len(s.content) > 200 {
		fail(settingSignatureContent, "The signed content must name {body} once, such as {timestamp}.{body}; {timestamp} and {query} can stand beside it.")
	}
	switch names := strings.Contains(s.content, partTimestamp); {
	case names && s.timestamp == "":
		fail(settingSignatureTimestamp, "The signed content names {timestamp}: say in which header it comes.")
	case s.timestamp != "" && !headerName.MatchString(s.timestamp):
		fail(settingSignatureTimestamp, "This is no name of a header.")
	}
	return out
}

// coversQuery tells whether the query is signed.
func (s signature) coversQuery() bool { return strings.Contains(s.content, partQuery) }

// sum is the signature that a request must have.
func (s signature) sum(r telephony.Request, key string) []byte {
	h := hmac.New(hashes[s.algorithm], []byte(key))
	rest := s.content
	for rest != "" {
		// Part by part: what the request says must not be taken for a part itself.
		i := strings.IndexByte(rest, '{')
		if i < 0 {
			i = len(rest)
		}
		h.Write([]byte(rest[:i]))
		rest = rest[i:]
		switch {
		case strings.HasPrefix(rest, partBody):
			h.Write(r.Body)
			rest = rest[len(partBody):]
		case strings.HasPrefix(rest, partTimestamp):
			h.Write([]byte(r.Header.Get(s.timestamp)))
			rest = rest[len(partTimestamp):]
		case strings.HasPrefix(rest, partQuery):
			h.Write([]byte(r.RawQuery))
			rest = rest[len(partQuery):]
		case rest != "":
			h.Write([]byte{'{'})
			rest = rest[1:]
		}
	}
	return h.Sum(nil)
}

// verify checks a request. A rule that makes no sense lets nothing pass.
func (s signature) verify(r telephony.Request, key string) error {
	if len(s.check()) > 0 {
		return fmt.Errorf("the settings of the signature are wrong: %w", telephony.ErrSignature)
	}
	header := r.Header
	if header == nil {
		header = http.Header{}
	}
	given := strings.TrimSpace(header.Get(s.header))
	if given == "" {
		return fmt.Errorf("header %s is missing: %w", s.header, telephony.ErrSignature)
	}
	if strings.Contains(s.content, partTimestamp) && header.Get(s.timestamp) == "" {
		return fmt.Errorf("header %s is missing: %w", s.timestamp, telephony.ErrSignature)
	}
	encoded, ok := strings.CutPrefix(given, s.prefix)
	if !ok {
		return fmt.Errorf("header %s does not begin with the prefix: %w", s.header, telephony.ErrSignature)
	}
	mac, err := s.decode(strings.TrimSpace(encoded))
	if err != nil {
		return fmt.Errorf("header %s is not %s: %w", s.header, s.encoding, telephony.ErrSignature)
	}
	if !hmac.Equal(mac, s.sum(r, key)) {
		return fmt.Errorf("header %s was made with another key or for another request: %w", s.header, telephony.ErrSignature)
	}
	return nil
}

func (s signature) decode(text string) ([]byte, error) {
	if s.encoding == "hex" {
		return hex.DecodeString(text)
	}
	// With the alphabet of URLs or the usual one, padded or not.
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	return base64.RawStdEncoding.Strict().DecodeString(text)
}
