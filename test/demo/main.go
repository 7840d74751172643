// Command demo rotates the password of the demo platform's database while requests keep coming in: it kills the
// rotation in the middle, runs it again, and counts what was lost. It exits with 1 if a request was lost or the password was not
// rotated, and with 3 if the machine was too slow to judge.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-rotate/kubectl-rotate/test/platform/deploy"
	"github.com/kubectl-rotate/kubectl-rotate/test/platform/load"
)

func main() {
	var d demo
	flag.StringVar(&d.kubeconfig, "kubeconfig", "", "the cluster's kubeconfig")
	flag.StringVar(&d.namespace, "namespace", "default", "where the platform is")
	flag.StringVar(&d.plugin, "plugin", "bin/kubectl-rotate", "the program to show")
	flag.DurationVar(&d.soak, "soak", 10*time.Second, "how long the old login is refused before it is dropped; 10m is what people use")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := d.show(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		stop()
		os.Exit(load.ExitCode(err))
	}
}

// demo is one showing.
type demo struct {
	kubeconfig, namespace, plugin string
	soak                          time.Duration
}

func (d demo) show(ctx context.Context, out io.Writer) error {
	config, err := clientcmd.BuildConfigFromFlags("", d.kubeconfig)
	if err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	platform, err := deploy.Deploy(ctx, config, d.namespace, deploy.Options{})
	if err != nil {
		return err
	}
	old, err := credentials(ctx, platform)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "\nFinding the number of requests a second that this machine serves while nothing is rotated.")
	requests, err := load.Calibrate(ctx, load.Config{URL: platform.URL})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%.0f requests a second to the platform from here on; its database login is %s.\n", requests.Rate, old.user)
	run, err := load.Start(ctx, requests)
	if err != nil {
		return err
	}
	err = d.rotateTwice(ctx, out)
	served := run.Stop()
	if err != nil {
		return err
	}
	return d.tell(ctx, out, platform, old, served)
}

// rotateTwice runs the command, kills it in the middle of its rollout, and runs it again.
func (d demo) rotateTwice(ctx context.Context, out io.Writer) error {
	args := []string{"postgres", "--yes", "--again", "--soak=" + d.soak.String()}
	fmt.Fprintf(out, "\n$ kubectl rotate %s      (it will be killed in the middle of the rollout)\n\n", strings.Join(args, " "))
	first := d.command(ctx, out, args)
	killer := &killAt{mark: "rollout", out: out}
	first.Stderr = killer
	if err := first.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", d.plugin, err)
	}
	killer.process = first.Process
	var ended *exec.ExitError
	if err := first.Wait(); !errors.As(err, &ended) {
		return fmt.Errorf("the rotation should have been killed, and ended with: %w", err)
	}
	args = append(args[:2:2], args[3:]...) // what is under way goes on: --again is not needed
	fmt.Fprintf(out, "\nkill -9. The same command again:\n\n$ kubectl rotate %s\n\n", strings.Join(args, " "))
	second := d.command(ctx, out, args)
	if err := second.Run(); err != nil {
		return fmt.Errorf("the rotation did not come to its end: %w", err)
	}
	return nil
}

func (d demo) command(ctx context.Context, out io.Writer, args []string) *exec.Cmd {
	c := exec.CommandContext(ctx, d.plugin, append(args, "--kubeconfig", d.kubeconfig, "-n", d.namespace)...) //nolint:gosec // our own program
	c.Stdout, c.Stderr = out, out
	return c
}

// killAt passes text on, and kills the process once a line about mark has been written.
type killAt struct {
	mark    string
	out     io.Writer
	process *os.Process
}

// Write never fails because of the kill: what was written stays to be seen.
func (k *killAt) Write(p []byte) (int, error) {
	n, err := k.out.Write(p)
	if k.process != nil && strings.Contains(string(p), k.mark) {
		_ = k.process.Kill()
	}
	return n, err
}

// tell sums up.
func (d demo) tell(ctx context.Context, out io.Writer, platform *deploy.Platform, old login, served load.Summary) error {
	now, err := credentials(ctx, platform)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n  requests served           %d, of which %d took over %v\n", served.OK, served.Slow, load.SlowAfter)
	fmt.Fprintf(out, "  requests failed           %d\n", served.Failed)
	for reason, n := range served.Failures {
		fmt.Fprintf(out, "    %-40s %d\n", reason, n)
	}
	fmt.Fprintf(out, "  requests not sent         %d\n", served.Unsent)
	fmt.Fprintf(out, "  latency, 99 of 100        %.0f ms\n", served.Latency.P99)
	fmt.Fprintf(out, "  the login                 %s, before %s\n", now.user, old.user)
	accepted, err := lets(ctx, platform, now)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "  the new login is accepted %s\n", yes(accepted))
	still, err := lets(ctx, platform, old)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "  the old login is refused  %s\n", yes(!still))
	if still || !accepted || now.user == old.user {
		return errors.New("the password was not rotated")
	}
	return served.Err()
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}
