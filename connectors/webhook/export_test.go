package webhook

import (
	"testing"
	"time"

	"github.com/callsync/callsync/internal/httpx"
)

// Sign signs as the connector does, for the tests of the receiver.
func Sign(t *testing.T, secret, id string, at time.Time, body []byte) string {
	t.Helper()
	keys, err := httpx.ParseSigningKeys(secret)
	if err != nil {
		t.Fatal(err)
	}
	return httpx.SignWebhook(keys, id, at, body)
}
