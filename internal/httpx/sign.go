package httpx

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
)

// The lengths of a signing key that the Standard Webhooks specification allows, in bytes.
const (
	minKey = 24
	maxKey = 64
)

// ParseSigningKeys reads signing secrets as the Standard Webhooks specification writes them (https://www.standardwebhooks.com):
// whsec_ and base64. Several may stand side by side while one is being replaced. Its errors are ends of sentences for people.
func ParseSigningKeys(s string) ([][]byte, error) {
	var keys [][]byte
	for _, word := range strings.Fields(s) {
		text, ok := strings.CutPrefix(word, "whsec_")
		if !ok {
			return nil, errors.New("it must begin with whsec_")
		}
		key, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			// The padding gets lost on the way through forms and shells.
			key, err = base64.RawStdEncoding.DecodeString(text)
		}
		if err != nil {
			return nil, errors.New("what follows whsec_ must be base64")
		}
		if len(key) < minKey || len(key) > maxKey {
			return nil, errors.New("it must hold between 24 and 64 bytes")
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("it is missing")
	}
	return keys, nil
}

// SignWebhook makes the value of the header webhook-signature: one v1 signature per key, over id, time and the body's very
// bytes. The headers webhook-id and webhook-timestamp (seconds) go with it.
func SignWebhook(keys [][]byte, id string, at time.Time, body []byte) string {
	head := id + "." + strconv.FormatInt(at.Unix(), 10) + "."
	out := make([]string, len(keys))
	for i, key := range keys {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(head))
		m.Write(body)
		out[i] = "v1," + base64.StdEncoding.EncodeToString(m.Sum(nil))
	}
	return strings.Join(out, " ")
}
