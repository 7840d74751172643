package postgrestest

import (
	"os/exec"
	"runtime"
	"syscall"
)

// spawn starts a server that ends when this process does, however that comes about, and closes exited once it has. The
// signal for that is sent when the thread that started the child ends, so the thread is kept.
func spawn(cmd *exec.Cmd, exited chan<- struct{}) error {
	cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT
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
