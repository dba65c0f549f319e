//go:build !unix

package ingest

import "os"

// lockDir takes no lock where the system has none of this kind.
func lockDir(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
}
