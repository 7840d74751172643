// Package daemon starts programs that outlive the one that started them, and ends exactly those.
package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Record says which process is meant. Process numbers are used again; a number, the time it began and the machine's
// boot together are not.
type Record struct {
	PID   int
	Start uint64 // in clock ticks after the boot
	Boot  string
	Began time.Time // the same by the clock, for people and for comparing with what Kubernetes says
}

// Alive tells whether the very process recorded still runs. One that has ended and waits for its parent is not alive.
func (r Record) Alive() bool {
	state, start, err := readStat(r.PID)
	return err == nil && start == r.Start && state != 'Z' && state != 'X' && r.Boot == bootID()
}

// Signal sends a signal to the process recorded and to no other: the handle is taken before the comparison, so it
// stands for the process that was compared, even when that ends in between.
func (r Record) Signal(sig syscall.Signal) error {
	p, err := os.FindProcess(r.PID)
	if err != nil {
		return fmt.Errorf("signalling process %d: %w", r.PID, err)
	}
	defer func() { _ = p.Release() }()
	if !r.Alive() {
		return nil
	}
	if err := p.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signalling process %d: %w", r.PID, err)
	}
	return nil
}

// recordOf describes a process that runs now.
func recordOf(pid int) (Record, error) {
	_, start, err := readStat(pid)
	if err != nil {
		return Record{}, err
	}
	return Record{PID: pid, Start: start, Boot: bootID(), Began: time.Now()}, nil
}

func (r Record) save(file string) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	// Renamed into place: a reader never sees half a record.
	temp := file + ".new"
	if err := os.WriteFile(temp, append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(temp, file)
}

// load returns the record in a file; none means a record that is not alive.
func load(file string) (Record, error) {
	var r Record
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, fmt.Errorf("reading a process record: %w", err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("reading the process record %s: %w", filepath.Base(file), err)
	}
	return r, nil
}

func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(id))
}

func readStat(pid int) (state byte, start uint64, err error) {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, 0, err
	}
	return parseStat(string(data))
}

// parseStat reads the third and the twenty-second field of /proc/PID/stat (proc(5)). The second is the program's
// name in parentheses, and may hold spaces and parentheses itself.
func parseStat(stat string) (state byte, start uint64, err error) {
	end := strings.LastIndexByte(stat, ')')
	fields := strings.Fields(stat[end+1:])
	if end < 0 || len(fields) < 20 {
		return 0, 0, fmt.Errorf("process state %q is not understood", stat)
	}
	start, err = strconv.ParseUint(fields[19], 10, 64)
	return fields[0][0], start, err
}
