// Package temporalx is the plumbing to Temporal: clients that wait for their server, workers with the settings every
// process of ours wants, and the SDK's metrics in Prometheus.
package temporalx

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Options say which Temporal to talk to, and how.
type Options struct {
	// Address is host:port of the frontend.
	Address   string
	Namespace string
	// APIKey is that of Temporal Cloud; empty where there is none. It needs TLS.
	APIKey string
	// TLS is nil for a plain connection.
	TLS *tls.Config
	// Logger takes the SDK's logs; nil drops them.
	Logger *slog.Logger
	// Metrics takes the SDK's metrics, see NewMetricsHandler; nil drops them.
	Metrics client.MetricsHandler
}

// Waits between attempts to connect. A server that starts next to us is there within seconds; one that is down for long
// is asked every few seconds only.
const (
	firstWait  = 100 * time.Millisecond
	longestGap = 5 * time.Second
)

// Dial connects to Temporal and waits until it answers, or until ctx is done. It fails at once where waiting cannot
// help: wrong credentials, no permission, settings that cannot work.
func Dial(ctx context.Context, o Options) (client.Client, error) {
	logger := o.logger()
	for wait := firstWait; ; wait = min(2*wait, longestGap) {
		c, err := client.DialContext(ctx, o.client())
		if err == nil {
			return c, nil
		}
		if hopeless(err) {
			return nil, fmt.Errorf("connect to Temporal at %s: %w", o.Address, err)
		}
		// The cause is logged before ctx ends, so that a start-up that times out says what it waited for.
		logger.WarnContext(ctx, "Temporal does not answer yet", "address", o.Address, "error", err, "retry_in", wait)
		if sleep(ctx, wait) != nil {
			return nil, fmt.Errorf("connect to Temporal at %s: %w (last: %w)", o.Address, context.Cause(ctx), err)
		}
	}
}

// Lazy makes a client that connects when it is first used, so that a process can start while Temporal is away.
func Lazy(o Options) (client.Client, error) {
	c, err := client.NewLazyClient(o.client())
	if err != nil {
		return nil, fmt.Errorf("client for Temporal at %s: %w", o.Address, err)
	}
	return c, nil
}

func (o Options) client() client.Options {
	out := client.Options{
		HostPort:          o.Address,
		Namespace:         o.Namespace,
		Logger:            log.NewStructuredLogger(o.logger()),
		MetricsHandler:    o.Metrics,
		ConnectionOptions: client.ConnectionOptions{TLS: o.TLS},
	}
	if o.APIKey != "" {
		out.Credentials = client.NewAPIKeyStaticCredentials(o.APIKey)
	}
	return out
}

func (o Options) logger() *slog.Logger {
	if o.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Logger
}

// hopeless tells errors of a first connection that waiting does not cure.
func hopeless(err error) bool {
	if _, ok := errors.AsType[*serviceerror.PermissionDenied](err); ok {
		return true
	}
	if _, ok := errors.AsType[*serviceerror.InvalidArgument](err); ok {
		return true
	}
	return status.Code(err) == codes.Unauthenticated // It has no type among the service's errors.
}

// EnsureNamespace makes c's namespace if it does not exist and waits until it does. retention is how long closed
// workflows are kept. Production namespaces are made by their operators; this is for devstacks and tests.
func EnsureNamespace(ctx context.Context, c client.Client, namespace string, retention time.Duration) error {
	_, err := c.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace:                        namespace,
		WorkflowExecutionRetentionPeriod: durationpb.New(retention),
	})
	if _, exists := errors.AsType[*serviceerror.NamespaceAlreadyExists](err); err != nil && !exists {
		return fmt.Errorf("make namespace %s: %w", namespace, err)
	}
	for wait := firstWait; ; wait = min(2*wait, longestGap) {
		// Frontends learn of namespaces from a cache: one that can be described there can be used.
		_, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
		if err == nil {
			return nil
		}
		if sleep(ctx, wait) != nil {
			return fmt.Errorf("wait for namespace %s: %w (last: %w)", namespace, context.Cause(ctx), err)
		}
	}
}

// sleep waits for d and a random part more, so that many processes do not knock together. It ends early with ctx's error.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d + rand.N(d/2)):
		return nil
	}
}
