package lease

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

// Holder is a run: who started it, and the process that it is.
type Holder struct {
	User string // as the API server knows them
	Host string
	PID  int
	// Machine tells where PID counts: the same host, since the same start of it, in the same PID namespace. Two
	// containers that have one host name are two machines. "" is not known, and is the same as nothing.
	Machine string
}

// Me is the holder that this process is, for user.
func Me(user string) Holder {
	host, err := os.Hostname()
	if err != nil {
		host = "an unnamed host"
	}
	return Holder{User: user, Host: host, PID: os.Getpid(), Machine: machine(host)}
}

// machine is host with what tells this start and this PID namespace of it from others, where the kernel says it.
func machine(host string) string {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	space, _ := os.Readlink("/proc/self/ns/pid")
	return strings.Join(strings.Fields(host+" "+string(boot)+" "+space), " ")
}

// String is how the Lease names its holder, for people too.
func (h Holder) String() string { return fmt.Sprintf("%s on %s, pid %d", h.User, h.Host, h.PID) }

var identity = regexp.MustCompile(`^(.+) on (.+), pid (\d+)$`)

// parseHolder reads what String wrote; what somebody else wrote is a user alone.
func parseHolder(text, machine string) Holder {
	found := identity.FindStringSubmatch(text)
	if found == nil {
		return Holder{User: text}
	}
	pid, _ := strconv.Atoi(found[3])
	return Holder{User: found[1], Host: found[2], PID: pid, Machine: machine}
}

// near says whether h is a process of the machine that other runs on.
func (h Holder) near(other Holder) bool {
	return h.Machine != "" && h.Machine == other.Machine && h.PID > 0
}

// gone says whether the process with that number, on this machine, has ended. One that cannot be told of is there.
func gone(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return true // as Windows says it
	}
	defer func() { _ = p.Release() }()
	return errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}
