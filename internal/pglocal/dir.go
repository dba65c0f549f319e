//go:build unix

package pglocal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// account is the user a server runs as where the caller is root; nil means the caller.
type account struct{ uid, gid int }

// unprivileged names the user for the server. PostgreSQL refuses to run as root.
func unprivileged() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 == nil && err2 == nil {
			return &account{uid: uid, gid: gid}, nil
		}
	}
	return nil, errors.New("pglocal: PostgreSQL refuses to run as root, and this machine has no user postgres or nobody to run it as")
}

func (a *account) credential() *syscall.Credential {
	if a == nil {
		return nil
	}
	return &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
}

func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	return os.Lchown(path, a.uid, a.gid)
}

// prepareDir makes the server's folder, or one elsewhere if the unprivileged user could not reach it.
func prepareDir(dir string, who *account) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if who != nil && !reachable(filepath.Dir(dir)) {
		sum := sha256.Sum256([]byte(dir))
		dir = filepath.Join("/var/tmp", "callsync-postgres-"+hex.EncodeToString(sum[:6]))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return "", err
	}
	return dir, who.own(dir)
}

// reachable tells whether any user may pass through dir and its parents, as far as they exist.
func reachable(dir string) bool {
	for {
		info, err := os.Stat(dir)
		if err == nil && info.Mode().Perm()&0o001 == 0 {
			return false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}
		dir = parent
	}
}

// lockDir takes the folder for this process; the kernel gives it back when the process ends in whatever way.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrInUse
		}
		return nil, err
	}
	return f, nil
}

// stopOrphan ends a server that a killed parent left running on data. The caller holds the folder's lock, so nobody else
// wants it.
func stopOrphan(data string) error {
	lockFile := filepath.Join(data, "postmaster.pid")
	for deadline := time.Now().Add(30 * time.Second); ; {
		text, err := os.ReadFile(lockFile)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		first, rest, _ := strings.Cut(string(text), "\n")
		pid, err := strconv.Atoi(strings.TrimSpace(first))
		if err != nil || pid <= 1 {
			return fmt.Errorf("%s does not begin with a process id", lockFile)
		}
		if !strings.Contains(commandLine(pid), data) {
			// It was killed, and its number may by now be a stranger's, which would keep PostgreSQL from starting. A
			// lock file of its own parent does not; and PostgreSQL still checks the shared memory the file names, so
			// that it does not start beside sessions of the old server.
			return os.WriteFile(lockFile, []byte(strconv.Itoa(os.Getpid())+"\n"+rest), 0o600)
		}
		if err := syscall.Kill(pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop the server left on %s: %w", data, err)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the server left on %s (process %d) does not stop", data, pid)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// commandLine is how a running process was called; empty where there is none.
func commandLine(pid int) string {
	if _, err := os.Stat("/proc/self/cmdline"); err == nil {
		text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
		return string(text)
	}
	text, _ := exec.Command("ps", "-o", "args=", "-p", strconv.Itoa(pid)).Output()
	return string(text)
}

// RemoveAbandoned removes the folders matching pattern (as filepath.Glob) whose process has died without doing so.
func RemoveAbandoned(pattern string) {
	dirs, _ := filepath.Glob(pattern)
	for _, dir := range dirs {
		info, err := os.Stat(filepath.Join(dir, "lock"))
		// One just made may not be locked yet.
		if err != nil || time.Since(info.ModTime()) < time.Minute {
			continue
		}
		lock, err := lockDir(dir)
		if err != nil {
			continue
		}
		if stopOrphan(filepath.Join(dir, "data")) == nil {
			os.RemoveAll(dir)
		}
		lock.Close()
	}
}
