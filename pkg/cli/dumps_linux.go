package cli

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// noDumps has no copy of this process's memory written anywhere, and keeps other processes of the same user from reading it: it holds
// passwords. A core that the kernel hands to a program is held back by the second setting.
func noDumps() error {
	var all error
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		all = fmt.Errorf("setting RLIMIT_CORE: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		all = errors.Join(all, fmt.Errorf("setting PR_SET_DUMPABLE: %w", err))
	}
	return all
}
