package connectortest

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
)

func testVendorErrors(t *testing.T, target Target) {
	if len(target.Errors) == 0 {
		t.Skip("the vendor has no error bodies of its own")
	}
	for _, want := range target.Errors {
		t.Run(want.Name, func(t *testing.T) {
			t.Parallel()
			crm := target.New(t)
			session := serve(t, target, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if want.On != nil && !want.On(r) {
					crm.Handler.ServeHTTP(w, r)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				for k, v := range want.Header {
					w.Header()[k] = v
				}
				w.WriteHeader(want.Status)
				fmt.Fprint(w, want.Body)
			}))
			var err error
			if want.Do != nil {
				err = want.Do(t.Context(), session)
			} else {
				_, err = session.WriteCall(t.Context(), target.Write("key", "", "hunter2 +14155550199", noon))
			}
			e := classOf(t, target, err)
			require.Equal(t, want.Class, e.Class, "%v", err)
			require.Equal(t, want.Field, e.Field)
			require.Equal(t, want.RemoteID, e.RemoteID)
			if want.MinRetryAfter > 0 || want.MaxRetryAfter > 0 {
				require.GreaterOrEqual(t, e.RetryAfter, want.MinRetryAfter)
				require.LessOrEqual(t, e.RetryAfter, want.MaxRetryAfter)
			}
			require.Contains(t, e.Public, want.Public)
			for _, payload := range []string{"hunter2", "+14155550199", "4155550199"} {
				require.NotContains(t, err.Error(), payload)
				require.NotContains(t, e.Public, payload)
			}
		})
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// testRefused tries what never reaches the CRM: even a create may simply be repeated.
func testRefused(t *testing.T, target Target) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	_, err = open(t, target, "http://"+l.Addr().String()).WriteCall(t.Context(), target.Write("key", "", "x", noon))
	e := classOf(t, target, err)
	require.Equal(t, connectors.Unavailable, e.Class, "nothing was sent, so nothing is unknown")
	require.True(t, e.NotSent)
	dns := &net.DNSError{Err: "no such host", Name: "crm.example", IsNotFound: true}
	for name, cause := range map[string]error{
		"no such name":     &net.OpError{Op: "dial", Net: "tcp", Err: dns},
		"no answer to SYN": &net.OpError{Op: "dial", Net: "tcp", Err: timeout{}},
		"unreachable":      &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("no route to host")},
	} {
		set := target.Settings("https://crm.example")
		set.Transport = transport(func(*http.Request) (*http.Response, error) { return nil, cause })
		session, err := target.Connector.Open(set)
		require.NoError(t, err)
		_, err = session.WriteCall(t.Context(), target.Write("key", "", "x", noon))
		e := classOf(t, target, err)
		require.Equal(t, connectors.Unavailable, e.Class, name)
		require.True(t, e.NotSent, name)
	}
	// The rate budget's own refusal comes back as it is.
	spent := &connectors.Error{Class: connectors.RateLimited, RetryAfter: 3 * time.Second, NotSent: true, Public: "The budget is spent."}
	set := target.Settings("https://crm.example")
	set.Transport = transport(func(*http.Request) (*http.Response, error) { return nil, spent })
	session, err := target.Connector.Open(set)
	require.NoError(t, err)
	_, err = session.WriteCall(t.Context(), target.Write("key", "", "x", noon))
	e = classOf(t, target, err)
	require.Equal(t, connectors.Error{Class: connectors.RateLimited, RetryAfter: 3 * time.Second, NotSent: true},
		connectors.Error{Class: e.Class, RetryAfter: e.RetryAfter, NotSent: e.NotSent})
	// After the request was sent nobody knows.
	broken := serve(t, target, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	_, err = broken.WriteCall(t.Context(), target.Write("key", "", "x", noon))
	require.False(t, classOf(t, target, err).NotSent, "it was sent")
}

type timeout struct{}

func (timeout) Error() string   { return "i/o timeout" }
func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return true }

// testVerify runs the connect test where all is well, where the credentials are wrong and where the CRM is away.
func testVerify(t *testing.T, target Target) {
	crm := target.New(t)
	verifier, ok := serve(t, target, crm.Handler).(connectors.Verifier)
	if !ok {
		t.Skip("the connector has no connect test")
	}
	for range 2 {
		report, err := verifier.Verify(t.Context())
		require.NoError(t, err)
		require.True(t, report.OK(), "%+v", report.Checks)
		require.NotEmpty(t, report.Checks)
		require.Contains(t, []connectors.Idempotency{connectors.KeyedUpsert, connectors.LookupThenWrite, connectors.CreateOnly}, report.Idempotency)
		sentences(t, target, report)
	}
	status := http.StatusUnauthorized
	refusing := serve(t, target, answering(target, func() int { return status }, nil)).(connectors.Verifier)
	report, err := refusing.Verify(t.Context())
	require.NoError(t, err, "wrong credentials are a finding")
	require.False(t, report.OK())
	sentences(t, target, report)
	status = http.StatusServiceUnavailable
	_, err = refusing.Verify(t.Context())
	if err != nil {
		require.True(t, classOf(t, target, err).Class.Retryable())
	} else {
		t.Log("a CRM that is away is a finding of this connector")
	}
}

func sentences(t *testing.T, target Target, report connectors.Report) {
	for _, c := range report.Checks {
		require.NotEmpty(t, c.Name)
		require.NotEmpty(t, c.Text, c.Name)
		for _, secret := range target.Secrets {
			require.NotContains(t, c.Text, secret)
		}
	}
}

// testLag writes to a CRM whose searches do not see the newest changes.
func testLag(t *testing.T, target Target) {
	crm := target.New(t)
	if crm.Lag == nil {
		t.Skip("nothing lags there")
	}
	info := target.Connector.Info()
	require.Positive(t, info.LookupLag, "a connector says how long its look-ups lag")
	crm.Lag(true)
	dropping := true
	session := serve(t, target, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if target.isChange(r) && dropping {
			dropping = false
			crm.Handler.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		crm.Handler.ServeHTTP(w, r)
	}))
	deliver(t, target, session, "key", 10*time.Second, func() { crm.Lag(false) })
	require.Equal(t, 1, crm.Count("key"))
	if creator, ok := session.(connectors.ContactCreator); ok && target.Contact != nil {
		crm.Lag(true)
		out, err := creator.CreateContact(t.Context(), target.Contact(connectors.ObjectContact, "c-key", "Ada Lovelace", "+14155550188"))
		require.NoError(t, err)
		_, _, err = creator.FindContactByKey(t.Context(), "c-key")
		require.NoError(t, err, "what is not seen yet is no error")
		crm.Lag(false)
		if c, ok, err := creator.FindContactByKey(t.Context(), "c-key"); ok {
			require.NoError(t, err)
			require.Equal(t, out.RemoteID, c.ID)
		}
	}
}
