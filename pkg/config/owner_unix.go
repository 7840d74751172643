//go:build unix

package config

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// ownerOf is who a file belongs to.
func ownerOf(info fs.FileInfo) string {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	id := strconv.FormatUint(uint64(s.Uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "user " + id
}

// isOurs says whether a file belongs to the user or to root.
func isOurs(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && (s.Uid == 0 || int(s.Uid) == os.Geteuid())
}

// writtenByOthers says whether the group or all may write. The sticky bit of /tmp does not help: anybody may put a new file there.
func writtenByOthers(info fs.FileInfo) bool { return info.Mode().Perm()&0o022 != 0 }

// sameDevice says whether two folders are on one file system; what cannot be told is no.
func sameDevice(a, b string) bool {
	deviceOf := func(path string) (string, bool) {
		info, err := os.Stat(path)
		if err != nil {
			return "", false
		}
		s, ok := info.Sys().(*syscall.Stat_t)
		return fmt.Sprint(s.Dev), ok
	}
	one, known := deviceOf(a)
	other, alsoKnown := deviceOf(b)
	return known && alsoKnown && one == other
}
