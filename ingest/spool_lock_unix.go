//go:build unix

package ingest

import (
	"errors"
	"os"
	"syscall"
)

// lockDir takes the lock that tells other processes to keep off; the system gives it back when the process ends.
func lockDir(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.New("another process uses it: give each process a spool directory of its own")
		}
		return nil, err
	}
	return f, nil
}
