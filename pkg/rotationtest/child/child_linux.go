// Package child starts servers for tests that end when the tests do.
package child

import (
	"os/exec"
	"runtime"
	"syscall"
)

// Spawn starts a server that is sent last when this process ends, however that comes about, and closes exited once it has ended. The
// signal for that is sent when the thread that started the child ends, so the thread is kept.
func Spawn(cmd *exec.Cmd, exited chan<- struct{}, last syscall.Signal) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = last
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
		close(exited)
	}()
	return <-started
}
