// Package connectortest is the list of behaviours that every connector must show against its fake: how it classifies
// every status, that any number of repetitions makes one record, that no secret gets into an error, that what is written
// arrives as it was, and that no server can hold it up.
package connectortest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
)

// Run runs all behaviours as subtests. A behaviour of a capability that the connector has not is skipped; a capability
// for which the target gives no hook fails.
func Run(t *testing.T, target Target) {
	for _, b := range []struct {
		name string
		run  func(*testing.T, Target)
	}{
		{"Info", testInfo},
		{"EveryCapabilityIsExercised", testExercised},
		{"EveryStatusHasAClass", testStatuses},
		{"RetryAfter", testRetryAfter},
		{"VendorErrors", testVendorErrors},
		{"TwiceIsOnce", testTwice},
		{"ConcurrentIsOnce", testConcurrent},
		{"CommitThenDropIsOnce", testCommitThenDrop},
		{"CommitThenTimeoutIsOnce", testCommitThenTimeout},
		{"LaggingIndex", testLag},
		{"RefusedConnectionWasNotSent", testRefused},
		{"CancelIsPrompt", testCancel},
		{"TextArrivesAsItIs", testText},
		{"TimesAreInstants", testTimes},
		{"DurationsInTheVendorsUnit", testDurations},
		{"DeletedByAPerson", testDeleted},
		{"MovedByAPerson", testMoved},
		{"OversizeAnswer", testOversize},
		{"SlowAnswer", testSlow},
		{"RedirectElsewhere", testRedirect},
		{"ErrorsHoldNoSecret", testSecrets},
		{"BodiesThatAreNotTheVendors", testGarbage},
		{"TokenExpiresMidFlight", testExpiry},
		{"RevokedGrant", testRevoked},
		{"ConnectTest", testVerify},
		{"Mappings", testMappings},
		{"Reads", testRead},
		{"Links", testLinks},
		{"Contacts", testContacts},
		{"ContactsByEmail", testEmails},
		{"ContactsAreMadeOnce", testContactOnce},
		{"ContactsAreFollowed", testFollow},
		{"Owners", testOwners},
		{"Dispositions", testDispositions},
		{"Records", testRecords},
		{"Deals", testDeals},
		{"Recordings", testRecordings},
		{"Transcriptions", testTranscriptions},
		{"Batches", testBatch},
	} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			b.run(t, target)
		})
	}
}

// serve runs h for the length of the test and opens a session on it.
func serve(t *testing.T, target Target, h http.Handler) connectors.Session {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return open(t, target, s.URL)
}

func open(t *testing.T, target Target, url string) connectors.Session {
	t.Helper()
	session, err := target.Connector.Open(target.Settings(url))
	require.NoError(t, err)
	return session
}

// noon is a moment with milliseconds.
var noon = time.Date(2026, 6, 1, 12, 0, 0, 123e6, time.UTC)

// classOf demands that err is a connector's error, and gives it.
func classOf(t *testing.T, target Target, err error) *connectors.Error {
	t.Helper()
	require.Error(t, err)
	var e *connectors.Error
	require.ErrorAs(t, err, &e)
	require.NotEmpty(t, e.Class)
	require.NotEmpty(t, e.Public, "an error needs a sentence for people")
	for _, secret := range target.Secrets {
		require.NotContains(t, err.Error(), secret)
		require.NotContains(t, e.Public, secret)
	}
	return e
}

// deliver writes by the protocol of the design until it is done: repeat where the CRM has our key, look before writing
// again where it has not, never write blindly. settled returns when what was sent has been dealt with: the protocol
// looks no sooner than the request's time limit and the CRM's lag.
func deliver(t *testing.T, target Target, session connectors.Session, key string, timeout time.Duration, settled func()) connectors.Written {
	t.Helper()
	return goOn(t, target, session, key, timeout, settled, false)
}

// goOn is deliver after a first attempt, whose outcome may be unknown.
func goOn(t *testing.T, target Target, session connectors.Session, key string, timeout time.Duration, settled func(), unknown bool) connectors.Written {
	t.Helper()
	info := target.Connector.Info()
	for range 10 {
		if finder, ok := session.(connectors.CallFinder); ok && unknown && info.Idempotency != connectors.KeyedUpsert {
			settled()
			id, found, err := finder.FindCall(t.Context(), key)
			require.NoError(t, err)
			if found {
				return connectors.Written{RemoteID: id}
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		out, err := session.WriteCall(ctx, target.Write(key, "", "hello", noon))
		cancel()
		if err == nil {
			require.NotEmpty(t, out.RemoteID)
			return out
		}
		e := classOf(t, target, err)
		if e.Class == connectors.Conflict && e.RemoteID != "" {
			return connectors.Written{RemoteID: e.RemoteID}
		}
		require.True(t, e.Class.Retryable(), "%v", err)
		unknown = unknown || e.Class == connectors.UnknownOutcome
		if unknown && info.Idempotency == connectors.CreateOnly {
			return connectors.Written{}
		}
	}
	t.Fatal("the record could not be written")
	return connectors.Written{}
}
