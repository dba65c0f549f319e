//go:build unix && !linux

package child

import "syscall"

// Other systems cannot tie a child to its parent's death; an orphan is stopped by the next start on the same folder.
func tieToParent(*syscall.SysProcAttr, syscall.Signal) {}
