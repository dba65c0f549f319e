package temporalx

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// frontend is a Temporal that knows only how to answer the first question and to keep namespaces.
type frontend struct {
	workflowservice.UnimplementedWorkflowServiceServer
	mu         sync.Mutex
	refuse     []error
	asked      int
	namespaces map[string]int
	slow       int
}

func (f *frontend) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	if len(f.refuse) > 0 {
		err := f.refuse[0]
		f.refuse = f.refuse[1:]
		return nil, err
	}
	return &workflowservice.GetSystemInfoResponse{ServerVersion: "test"}, nil
}

func (f *frontend) RegisterNamespace(_ context.Context, r *workflowservice.RegisterNamespaceRequest) (*workflowservice.RegisterNamespaceResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.namespaces[r.Namespace]; ok {
		return nil, serviceerror.ToStatus(serviceerror.NewNamespaceAlreadyExists("exists")).Err()
	}
	f.namespaces[r.Namespace] = f.slow
	return &workflowservice.RegisterNamespaceResponse{}, nil
}

func (f *frontend) DescribeNamespace(_ context.Context, r *workflowservice.DescribeNamespaceRequest) (*workflowservice.DescribeNamespaceResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if left, ok := f.namespaces[r.Namespace]; !ok || left > 0 {
		f.namespaces[r.Namespace]--
		return nil, serviceerror.ToStatus(serviceerror.NewNamespaceNotFound(r.Namespace)).Err()
	}
	return &workflowservice.DescribeNamespaceResponse{}, nil
}

func serve(t *testing.T, f *frontend, address string) string {
	t.Helper()
	l, err := net.Listen("tcp", address)
	require.NoError(t, err)
	s := grpc.NewServer()
	workflowservice.RegisterWorkflowServiceServer(s, f)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return l.Addr().String()
}

func TestDialWaitsForTheServer(t *testing.T) {
	t.Parallel()
	f := &frontend{refuse: []error{status.Error(codes.Unavailable, "starting"), status.Error(codes.Internal, "half there")}}
	address := serve(t, f, "127.0.0.1:0")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var logs bytes.Buffer
	c, err := Dial(ctx, Options{Address: address, Namespace: "n", Logger: slog.New(slog.NewTextHandler(&logs, nil))})
	require.NoError(t, err)
	c.Close()
	require.Contains(t, logs.String(), "Temporal does not answer yet")
}

func TestDialGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0") // Nobody answers there.
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = Dial(ctx, Options{Address: l.Addr().String(), Namespace: "n"})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, l.Addr().String())
}

func TestDialFailsAtOnceWhereWaitingCannotHelp(t *testing.T) {
	t.Parallel()
	for _, code := range []codes.Code{codes.Unauthenticated, codes.PermissionDenied, codes.InvalidArgument} {
		t.Run(code.String(), func(t *testing.T) {
			t.Parallel()
			f := &frontend{refuse: []error{status.Error(code, "no")}}
			_, err := Dial(t.Context(), Options{Address: serve(t, f, "127.0.0.1:0"), Namespace: "n"})
			require.Error(t, err)
			require.Equal(t, 1, f.asked)
		})
	}
}

func TestEnsureNamespace(t *testing.T) {
	t.Parallel()
	f := &frontend{namespaces: map[string]int{}, slow: 2}
	c, err := Lazy(Options{Address: serve(t, f, "127.0.0.1:0"), Namespace: "n"})
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, EnsureNamespace(t.Context(), c, "n", time.Hour))
	require.NoError(t, EnsureNamespace(t.Context(), c, "n", time.Hour), "a second time")
}

func TestWorker(t *testing.T) {
	t.Parallel()
	c, err := Lazy(Options{Address: "127.0.0.1:1", Namespace: "n"})
	require.NoError(t, err)
	defer c.Close()
	for _, o := range []WorkerOptions{{}, {ActivitiesOnly: true, Activities: 5}, {Deployment: "callsync", BuildID: "1"}} {
		require.NotPanics(t, func() { require.NotNil(t, NewWorker(c, "q", o)) })
	}
}
