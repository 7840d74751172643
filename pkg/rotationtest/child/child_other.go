//go:build unix && !linux

package child

import (
	"os/exec"
	"syscall"
)

// Spawn starts a server and closes exited once it has ended.
func Spawn(cmd *exec.Cmd, exited chan<- struct{}, _ syscall.Signal) error {
	if err := cmd.Start(); err != nil {
		close(exited)
		return err
	}
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	return nil
}
