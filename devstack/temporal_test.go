//go:build unix

package devstack

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// A workflow that waits for a signal and a timer outlives a SIGKILL of the embedded server.
func TestTemporalSurvivesKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Temporal server; not with -short")
	}
	t.Parallel()
	ctx := t.Context()
	temporal, err := BuildTemporal(ctx, t.Logf)
	require.NoError(t, err)
	s := &Stack{opts: Options{NoFsync: true}, died: make(chan error, 8)}
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.prepareDir())
	require.NoError(t, s.startPostgres(ctx))
	began := time.Now()
	require.NoError(t, s.startTemporal(ctx, temporal))
	t.Logf("first start: %s", time.Since(began).Round(time.Millisecond))

	c, err := client.Dial(client.Options{HostPort: s.TemporalAddress, Namespace: temporalNamespace})
	require.NoError(t, err)
	defer c.Close()
	w := worker.New(c, "queue", worker.Options{})
	w.RegisterWorkflowWithOptions(func(ctx workflow.Context) (string, error) {
		var got string
		workflow.GetSignalChannel(ctx, "signal").Receive(ctx, &got)
		return got, workflow.Sleep(ctx, 2*time.Second)
	}, workflow.RegisterOptions{Name: "wait"})
	require.NoError(t, w.Start())
	defer w.Stop()
	run, err := c.SignalWithStartWorkflow(ctx, "id", "signal", "kept", client.StartWorkflowOptions{TaskQueue: "queue"}, "wait")
	require.NoError(t, err)

	s.KillTemporal()
	began = time.Now()
	require.NoError(t, s.StartTemporal(ctx))
	t.Logf("start after a kill: %s", time.Since(began).Round(time.Millisecond))
	var got string
	require.NoError(t, run.Get(ctx, &got))
	require.Equal(t, "kept", got)
	select {
	case err := <-s.Died():
		t.Fatalf("a kill that was asked for is reported: %v", err)
	default:
	}
}

func TestOutputSeesTheReadyLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		writes []string
		want   bool
	}{
		{[]string{"READY host:1\n"}, true},
		{[]string{"RE", "ADY host:1"}, true},
		{[]string{strings.Repeat("noise\n", 100_000), "mo", "re\nREADY host:1\n", "more\n"}, true},
		{[]string{"not READY \n", "x", "READY \n"}, false},
	} {
		file, err := os.Create(filepath.Join(t.TempDir(), "log"))
		require.NoError(t, err)
		o := &output{file: file, ready: make(chan struct{})}
		for _, w := range c.writes {
			_, err := o.Write([]byte(w))
			require.NoError(t, err)
		}
		got := false
		select {
		case <-o.ready:
			got = true
		default:
		}
		require.Equal(t, c.want, got, c.writes[0][:min(20, len(c.writes[0]))])
		require.NoError(t, file.Close())
	}
}

func TestProgramThatEndsIsReported(t *testing.T) {
	t.Parallel()
	died := make(chan error, 1)
	p := &program{
		name: "short", path: "/bin/sh", args: []string{"-c", "echo READY; exit 3"}, env: os.Environ(),
		log: filepath.Join(t.TempDir(), "log"), died: func(err error) { died <- err },
	}
	if err := p.start(t.Context()); err == nil {
		require.ErrorContains(t, <-died, "exit status 3")
	}
	p.args[1] = "echo no; exit 4"
	require.ErrorContains(t, p.start(context.Background()), "exit status 4")
	text, err := os.ReadFile(p.log)
	require.NoError(t, err)
	require.Equal(t, "READY\nno\n", string(text))
}
