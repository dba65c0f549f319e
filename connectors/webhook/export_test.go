package webhook

import (
	"testing"
	"time"
)

// Sign signs as the connector does, for the tests of the receiver.
func Sign(t *testing.T, secret, id string, at time.Time, body []byte) string {
	t.Helper()
	keys, err := parseKeys(secret)
	if err != nil {
		t.Fatal(err)
	}
	return sign(keys, id, at, body)
}
