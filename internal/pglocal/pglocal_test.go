//go:build unix

package pglocal

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// scratch is a folder for a server; t.TempDir is private to root, where the server's user could not reach it.
func scratch(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "callsync-pglocal-")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return filepath.Join(dir, "pg")
}

func start(t *testing.T, dir string) *Server {
	t.Helper()
	s, err := Start(t.Context(), Options{Dir: dir, Fsync: true, MaxConnections: 20, SharedBuffers: "16MB"})
	require.NoError(t, err)
	t.Cleanup(func() { s.Stop() })
	return s
}

func execSQL(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), sql)
	require.NoError(t, err)
}

func TestDataSurviveStopAndKill(t *testing.T) {
	t.Parallel()
	dir := scratch(t)
	s := start(t, dir)
	require.NoError(t, s.CreateDatabase(t.Context(), "one"))
	require.NoError(t, s.CreateDatabase(t.Context(), "one"), "a second time is harmless")
	execSQL(t, s.URL("one"), "create table kept (n int); insert into kept values (1)")
	_, err := Start(t.Context(), Options{Dir: dir})
	require.ErrorIs(t, err, ErrInUse)
	require.NoError(t, s.Stop())
	require.NoError(t, s.Stop())

	s = start(t, dir)
	execSQL(t, s.URL("one"), "insert into kept values (2)")
	require.NoError(t, syscall.Kill(s.Pid(), syscall.SIGKILL))
	<-s.Done()
	require.NoError(t, s.Stop())
	s = start(t, dir)
	execSQL(t, s.URL("one"), "select 1/(count(*)-1) from kept")
}

func TestOrphanIsStopped(t *testing.T) {
	t.Parallel()
	dir := scratch(t)
	orphan := start(t, dir)
	// A parent that died lets go of the lock and leaves the server running where the kernel does not tie them.
	require.NoError(t, orphan.lock.Close())
	s := start(t, dir)
	require.NotEqual(t, orphan.Pid(), s.Pid())
	select {
	case <-orphan.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the orphan still runs")
	}
}

func TestStaleLockFileOfAStranger(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	lock := filepath.Join(data, "postmaster.pid")
	stranger := os.Getppid()
	require.NoError(t, os.WriteFile(lock, []byte(strconv.Itoa(stranger)+"\n/data\nrest\n"), 0o600))
	require.NoError(t, stopOrphan(data))
	text, err := os.ReadFile(lock)
	require.NoError(t, err)
	require.Equal(t, strconv.Itoa(os.Getpid())+"\n/data\nrest\n", string(text))
}

func TestDiscardAndRemoveAbandonedLeaveNothing(t *testing.T) {
	t.Parallel()
	dir := scratch(t)
	s := start(t, dir)
	require.NoError(t, s.Discard())
	require.NoDirExists(t, s.Dir)

	s = start(t, dir)
	old := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(filepath.Join(s.Dir, "lock"), old, old))
	RemoveAbandoned(dir)
	require.DirExists(t, s.Dir, "a folder in use stays")
	require.NoError(t, s.lock.Close())
	RemoveAbandoned(dir)
	require.NoDirExists(t, s.Dir)
}

func TestUnreachableFolderMoves(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root needs another user for the server")
	}
	closed := t.TempDir()
	require.NoError(t, os.Chmod(closed, 0o700))
	s := start(t, filepath.Join(closed, "pg"))
	require.Equal(t, "/var/tmp", filepath.Dir(s.Dir))
	require.NoError(t, s.Discard())
}

func TestFind(t *testing.T) {
	empty := t.TempDir()
	t.Setenv(BinEnv, empty)
	_, err := find(0)
	require.ErrorContains(t, err, empty)

	t.Setenv(BinEnv, "")
	newest, err := find(0)
	require.NoError(t, err)
	same, err := find(newest.major)
	require.NoError(t, err)
	require.Equal(t, newest.major, same.major)
	_, err = find(9)
	require.ErrorContains(t, err, "made by PostgreSQL 9")
	t.Setenv(BinEnv, newest.bin)
	given, err := find(0)
	require.NoError(t, err)
	require.Equal(t, newest, given)
}

func TestInstallCommand(t *testing.T) {
	t.Parallel()
	for release, want := range map[string]string{
		"ID=debian\n":                                       "sudo apt-get update && sudo apt-get install -y postgresql",
		"NAME=x\nID=ubuntu\nID_LIKE=debian\n":               "sudo apt-get update && sudo apt-get install -y postgresql",
		"ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n":    "sudo dnf install postgresql-server postgresql-contrib",
		"ID=alpine\n":                                       "apk add postgresql postgresql-contrib",
		"ID=manjaro\nID_LIKE=arch\n":                        "sudo pacman -S postgresql",
		"ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n": "sudo zypper install postgresql-server postgresql-contrib",
		"": "sudo apt-get update && sudo apt-get install -y postgresql",
	} {
		require.Equal(t, want, linuxInstallCommand(release), release)
	}
}
