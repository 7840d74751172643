// Package run runs other programs and says, when one fails, what it was and what it wrote.
package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Program is a program to be run once.
type Program struct {
	Args  []string
	Dir   string    // where it runs; empty means where the caller does
	Stdin io.Reader // nil means nothing to read
	Env   []string  // nil means Environment
}

// Output runs the program to its end and returns what it wrote to its standard output. The error of one that failed
// quotes the last lines of its error output.
func (p Program) Output(ctx context.Context) (string, error) {
	var out, problems bytes.Buffer
	cmd := exec.CommandContext(ctx, p.Args[0], p.Args[1:]...)
	cmd.Dir, cmd.Stdin, cmd.Env = p.Dir, p.Stdin, p.Env
	if cmd.Env == nil {
		cmd.Env = Environment()
	}
	cmd.Stdout, cmd.Stderr = &out, &problems
	// Asked to end rather than killed, a program clears away what it has mounted.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return "", failure(p.Args, err, problems.String())
	}
	return out.String(), nil
}

// Quiet runs the program to its end for its effect only.
func (p Program) Quiet(ctx context.Context) error {
	_, err := p.Output(ctx)
	return err
}

// Environment is the one that programs of the cluster start with: the caller's proxies, Go flags and kubeconfig are
// none of their business, and would make a cluster differ from one shell to the next.
func Environment() []string {
	return []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=" + os.Getenv("HOME"),
		"LC_ALL=C.UTF-8",
	}
}

// Downloading is the environment of programs that fetch something: the caller's, who knows the way out.
func Downloading(more ...string) []string { return append(os.Environ(), more...) }

func failure(args []string, err error, problems string) error {
	name := filepath.Base(args[0])
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("running %s: %w", name, err)
	}
	if problems = LastLines(problems, 12); problems != "" {
		return fmt.Errorf("running %s: %w: %s", name, err, problems)
	}
	return fmt.Errorf("running %s: %w", name, err)
}

// LastLines returns the last n lines of s, without its final newline.
func LastLines(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
