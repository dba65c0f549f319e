package pgtest

import "syscall"

// free is how many bytes may be written below a folder; 0 where it is not there or not ours to write to.
func free(dir string) uint64 {
	var s syscall.Statfs_t
	if syscall.Access(dir, 2) != nil || syscall.Statfs(dir, &s) != nil {
		return 0
	}
	return s.Bavail * uint64(s.Bsize)
}
