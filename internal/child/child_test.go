//go:build linux

package child_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/internal/child"
)

// TestMain doubles as the parent whose death the test watches: it starts a child, tells its pid, and waits to be killed.
func TestMain(m *testing.M) {
	if os.Getenv("CHILD_TEST_PARENT") != "" {
		p, err := child.Start(exec.Command("sleep", "300"), syscall.SIGKILL)
		if err != nil {
			panic(err)
		}
		os.Stdout.WriteString(strconv.Itoa(p.Pid()) + "\n")
		select {}
	}
	os.Exit(m.Run())
}

func TestChildDiesWithItsParent(t *testing.T) {
	t.Parallel()
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), "CHILD_TEST_PARENT=1")
	out, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, 0), "the child runs")

	require.NoError(t, parent.Process.Kill())
	_ = parent.Wait()
	require.Eventually(t, func() bool { return gone(pid) }, 10*time.Second, 10*time.Millisecond)
}

// gone counts a zombie as gone: in a container without an init nobody may reap an orphan.
func gone(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(stat), ") Z ")
}

func TestStop(t *testing.T) {
	t.Parallel()
	polite, err := child.Start(exec.Command("sleep", "300"), syscall.SIGKILL)
	require.NoError(t, err)
	require.True(t, polite.Stop(syscall.SIGTERM, 10*time.Second))
	require.Error(t, polite.Err())
	require.NoError(t, polite.Signal(syscall.SIGTERM), "signalling an ended child is no error")

	deaf := exec.Command("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done")
	out, w, err := os.Pipe()
	require.NoError(t, err)
	deaf.Stdout = w
	p, err := child.Start(deaf, syscall.SIGKILL)
	require.NoError(t, err)
	_, err = bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.False(t, p.Stop(syscall.SIGTERM, 100*time.Millisecond))
}
