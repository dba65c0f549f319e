package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// Problem is the answer to a request that failed: RFC 9457 problem details with a sentence a person understands and, where
// one is at fault, the field. It never repeats what was sent: that may be a secret.
type Problem struct {
	Type   string `json:"type" example:"about:blank"`
	Title  string `json:"title" example:"Unprocessable Entity"`
	Status int    `json:"status" example:"422"`
	Detail string `json:"detail" doc:"What is wrong and what to do, in a sentence."`
	Field  string `json:"field,omitempty" doc:"The first field at fault, as a path into the request." example:"secrets.api_key"`
	// Errors has every fault where there are several.
	Errors []FieldError `json:"errors,omitempty"`
	// Elsewhere leads back to the workspace of the page that was refused.
	Elsewhere *Elsewhere `json:"-"`
}

// FieldError is one field at fault.
type FieldError struct {
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
}

func (p *Problem) Error() string { return p.Detail }

// GetStatus makes a Problem an answer of huma.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is the media type of RFC 9457.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

func problem(status int, detail string) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail}
}

func notFound() *Problem {
	return problem(http.StatusNotFound, "There is no such thing in this workspace.")
}

// faults collects what is wrong with a request, so that a person can mend it all at once.
type faults []FieldError

func (f *faults) add(field, message string) { *f = append(*f, FieldError{field, message}) }

// problem is nil if nothing is wrong.
func (f faults) problem() error {
	if len(f) == 0 {
		return nil
	}
	p := problem(http.StatusUnprocessableEntity, f[0].Message)
	p.Field = f[0].Field
	p.Errors = f
	return p
}

// invalid is the problem of one field.
func invalid(field, message string) error { return faults{{field, message}}.problem() }

// huma builds its own errors (a body that is not JSON, a member of the wrong type) through this variable. Its default
// repeats the values at fault, and those may be secrets.
func init() {
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		p := problem(status, msg)
		if status >= http.StatusInternalServerError {
			p.Detail = "Something went wrong here. It was logged; please try again."
			return p
		}
		for _, err := range errs {
			var d huma.ErrorDetailer
			if !errors.As(err, &d) {
				continue // its text may hold what was sent
			}
			e := d.ErrorDetail()
			field := strings.TrimPrefix(strings.TrimPrefix(e.Location, "body"), ".")
			p.Errors = append(p.Errors, FieldError{field, e.Message})
		}
		if len(p.Errors) > 0 {
			first := p.Errors[0]
			p.Field = first.Field
			p.Detail = first.Message + "."
			if first.Field != "" {
				p.Detail = first.Field + ": " + p.Detail
			}
		}
		return p
	}
}

// asProblem turns an error of a store or a connector into the answer. What is not understood is logged and hidden.
func asProblem(ctx context.Context, log *slog.Logger, err error) *Problem {
	var p *Problem
	var ce *connectors.Error
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, records.ErrNotFound):
		return notFound()
	case errors.Is(err, records.ErrLastAdmin):
		return problem(http.StatusConflict, "This is the last admin of the workspace. Make somebody else an admin first.")
	case errors.Is(err, records.ErrConflict):
		return problem(http.StatusConflict, "This exists already.")
	case errors.As(err, &ce):
		status := http.StatusBadGateway
		if ce.Class == connectors.Invalid || ce.Class == connectors.Unsupported {
			status = http.StatusUnprocessableEntity
		}
		p = problem(status, cmp.Or(ce.Public, "The CRM refused the request."))
		p.Field = ce.Field
		return p
	case errors.Is(err, context.DeadlineExceeded):
		return problem(http.StatusGatewayTimeout, "This took too long. Please narrow the search or try again.")
	}
	log.ErrorContext(ctx, "request failed", "err", err)
	return problem(http.StatusInternalServerError, "Something went wrong here. It was logged; please try again.")
}

// writeProblem answers outside of huma.
func writeProblem(w http.ResponseWriter, p *Problem) {
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client is gone if this fails
}
