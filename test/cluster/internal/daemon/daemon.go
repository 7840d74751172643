package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/run"
)

// Set is the daemons of one cluster. Each has a name, a record and a log.
type Set struct {
	Records string // folder of the records
	Logs    string // folder of the logs
	Cgroup  Cgroup // what all of them are started in
}

// Alive tells whether the daemon runs.
func (s Set) Alive(name string) bool {
	r, err := load(s.record(name))
	return err == nil && r.Alive()
}

// Start starts a daemon that does not run, in a session of its own, so that it stays when the caller's terminal goes.
func (s Set) Start(name string, args []string) error {
	if s.Alive(name) {
		return nil
	}
	if err := s.start(name, args); err != nil {
		return fmt.Errorf("starting %s: %w", name, err)
	}
	return nil
}

func (s Set) start(name string, args []string) error {
	log, err := os.OpenFile(s.Log(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	if err := keepOpenFiles(); err != nil {
		return err
	}
	args = s.Cgroup.Join(args)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env = "/", run.Environment()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	// The record comes before Wait, so the number can't have gone to another process yet.
	r, err := recordOf(cmd.Process.Pid)
	if err == nil {
		err = r.save(s.record(name))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("recording the process: %w", err), cmd.Process.Kill(), ignoreExit(cmd.Wait()))
	}
	go func() { _ = cmd.Wait() }() // a daemon that ends while this program runs must not stay as a zombie
	return nil
}

// keepOpenFiles has no process that is started from here inherit a file that this one was started with, such as a lock: it would be
// held for as long as the daemon runs.
func keepOpenFiles() error {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, file := range open {
		if fd, err := strconv.Atoi(file.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
	return nil
}

// Stop kills a daemon, and returns when the process is gone. There is no grace: a daemon of Kubernetes has to bear it,
// the API server would take long to go, and a test wants it away at once.
func (s Set) Stop(ctx context.Context, name string) error {
	r, err := load(s.record(name))
	if err != nil {
		return err
	}
	if err := r.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	if err := waitGone(ctx, r); err != nil {
		return fmt.Errorf("stopping %s: %w", name, err)
	}
	if err := os.Remove(s.record(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("stopping %s: %w", name, err)
	}
	return nil
}

// Began is when the daemon was started last; the zero time if never.
func (s Set) Began(name string) (time.Time, error) {
	r, err := load(s.record(name))
	return r.Began, err
}

// Crashed tells whether the daemon was started, was not stopped, and yet does not run.
func (s Set) Crashed(name string) bool {
	r, err := load(s.record(name))
	return err == nil && r.PID != 0 && !r.Alive()
}

// Log is the file that a daemon writes its output to.
func (s Set) Log(name string) string { return filepath.Join(s.Logs, name+".log") }

func (s Set) record(name string) string { return filepath.Join(s.Records, name+".json") }

func waitGone(ctx context.Context, r Record) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for r.Alive() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("process %d does not end: %w", r.PID, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

func ignoreExit(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}
