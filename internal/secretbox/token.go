package secretbox

import (
	"crypto/rand"
	"crypto/sha256"
	"strings"
)

// NewToken makes a random token of 130 bits: "cs_" and 26 lower-case letters and digits, which survive URLs, vendors'
// panels that fold case, and double clicks. The prefix lets secret scanners find leaked ones.
func NewToken() string { return "cs_" + strings.ToLower(rand.Text()) }

// HashToken is the form in which tokens are stored and looked up. A plain SHA-256 is enough for what cannot be guessed,
// and a look-up by it leaks nothing of the token through its timing.
func HashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}
