package telephony

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Sampler is a Provider that can make up a request as its phone system sends it. Administrators send one to see the whole
// way of a call before anybody has to telephone.
type Sampler interface {
	// Sample makes the request of one of Info.Triggers, in the encoding of the phone system; "" means the one that says
	// most. The request's Event is that of the hook URL it is for. The call, message or form in it is a new one for every
	// moment at and the same one for all triggers of a story; it is over then unless the trigger is one of a call that goes
	// on, and is TestCustomer's. The request is signed if s has what that needs. It is a pure function of its arguments.
	// Errors: ErrNoSample for an event that the provider does not know.
	Sample(event string, at time.Time, s Settings) (Request, error)
}

// Demonstrator is the Provider of the demo data.
type Demonstrator interface {
	// Demonstrate makes some dozens of requests about the hours before now, in the order in which they would have arrived.
	Demonstrate(now time.Time) ([]Request, error)
}

// ErrNoSample is wrapped by the error of a Sampler that is asked for an event that it does not know.
var ErrNoSample = errors.New("there is no sample of this event")

// Who samples are from and to, so that everybody sees that nobody has called. The numbers are of the range that the North
// American Numbering Plan reserves for fiction (555-0100 to 555-0199); no telephone has them.
const (
	TestName     = "callsync test call"
	TestCustomer = "+12025550143"
	TestBusiness = "+12025550100"
)

// TestHeader marks requests that callsync has made itself, with one of the values below. Only callsync's own way into the
// receiver keeps it: on a request from outside it is taken away, so that nobody can mark a call as a test.
const TestHeader = "Callsync-Test"

// TestReceiptHeader carries, in the answer to a request with TestHeader, the id of the receipt that it became.
const TestReceiptHeader = "Callsync-Test-Receipt"

// The values of TestHeader: a test that goes to the CRMs like any other call, and one that does not.
const (
	TestDeliver = "deliver"
	TestOnly    = "only"
)

// SampleID is a text of n hexadecimal digits, 64 at most, that is another one for every moment.
func SampleID(at time.Time, n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "callsync sample %d", at.UnixNano()))
	return hex.EncodeToString(sum[:])[:n]
}

// SampleJSON is a POST of a JSON document, in lines that people can read.
func SampleJSON(event string, at time.Time, document any) (Request, error) {
	body, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return Request{}, fmt.Errorf("encode a sample: %w", err)
	}
	return Request{
		Method: http.MethodPost, Event: event, Header: http.Header{"Content-Type": {"application/json"}}, Body: body, ReceivedAt: at,
	}, nil
}

// SampleForm is a POST of a urlencoded form: what is nested in document goes into brackets (call[id], list[0]).
func SampleForm(event string, at time.Time, document map[string]any) Request {
	form := url.Values{}
	for name, v := range document {
		flattenSample(form, name, v)
	}
	return Request{
		Method: http.MethodPost, Event: event, Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		Body: []byte(form.Encode()), ReceivedAt: at,
	}
}

func flattenSample(form url.Values, name string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			flattenSample(form, name+"["+k+"]", inner)
		}
	case map[string]string:
		for k, inner := range v {
			form.Set(name+"["+k+"]", inner)
		}
	case []any:
		for i, inner := range v {
			flattenSample(form, name+"["+strconv.Itoa(i)+"]", inner)
		}
	default:
		form.Set(name, fmt.Sprint(v))
	}
}

// SampleQuery is a GET of fields in the query.
func SampleQuery(event string, at time.Time, fields map[string]string) Request {
	query := url.Values{}
	for name, v := range fields {
		query.Set(name, v)
	}
	return Request{Method: http.MethodGet, Event: event, RawQuery: query.Encode(), Header: http.Header{}, ReceivedAt: at}
}
