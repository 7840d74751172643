//go:build unix && !linux

package postgrestest

import "os/exec"

// spawn starts a server and closes exited once it has ended.
func spawn(cmd *exec.Cmd, exited chan<- struct{}) error {
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
