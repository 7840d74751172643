// Command cluster runs a real Kubernetes on one node, for the tests and the demo. See README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/cluster"
)

const usage = `A Kubernetes of one node, in a folder.

usage: cluster [--dir FOLDER] COMMAND

  up                  bring it up, or mend it
  down                end it and remove its folder
  status              what runs; fails unless all does
  image [flags]       build an image and import it; see image --help
  import FILE.tar     import an image from a file
  logs COMPONENT      print a component's log
  stop COMPONENT      end one component
  start COMPONENT     start it again

  --dir FOLDER        where it lives; default: .cluster in the checkout's root
`

func main() {
	// Root's PATH may lack the folders of ip and iptables, as after a plain su.
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := execute(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		stop()
		os.Exit(exitCode(err))
	}
}

// errUsage is a mistake in the command line.
var errUsage = errors.New("see --help")

func exitCode(err error) int {
	if errors.Is(err, errUsage) {
		return 2
	}
	return 1
}

func execute(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	dir := flags.String("dir", "", "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp), err == nil && flags.NArg() == 0:
		_, err := io.WriteString(stdout, usage)
		return err
	case err != nil:
		return fmt.Errorf("%w; %w", err, errUsage)
	}
	do, err := parseCommand(flags.Arg(0), flags.Args()[1:], stdout)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	c, err := open(*dir, stderr)
	if err != nil {
		return err
	}
	return do(ctx, c)
}

// command is a command line that was understood.
type command func(context.Context, *cluster.Cluster) error

func parseCommand(name string, args []string, stdout io.Writer) (command, error) {
	if name == "image" {
		return parseImage(args, stdout)
	}
	none := map[string]command{
		"up":     func(ctx context.Context, c *cluster.Cluster) error { return c.Up(ctx) },
		"down":   func(ctx context.Context, c *cluster.Cluster) error { return c.Down(ctx) },
		"status": func(ctx context.Context, c *cluster.Cluster) error { return c.Status(ctx, stdout) },
	}
	one := map[string]func(context.Context, *cluster.Cluster, string) error{
		"import": func(ctx context.Context, c *cluster.Cluster, file string) error { return c.ImportFile(ctx, file) },
		"logs":   func(_ context.Context, c *cluster.Cluster, name string) error { return c.WriteLog(stdout, name) },
		"stop":   func(ctx context.Context, c *cluster.Cluster, name string) error { return c.Stop(ctx, name) },
		"start":  func(ctx context.Context, c *cluster.Cluster, name string) error { return c.Start(ctx, name) },
	}
	if do, ok := none[name]; ok && len(args) == 0 {
		return do, nil
	}
	if do, ok := one[name]; ok && len(args) == 1 {
		return func(ctx context.Context, c *cluster.Cluster) error { return do(ctx, c, args[0]) }, nil
	}
	return nil, fmt.Errorf("%q is not a command with %d arguments; %w", name, len(args), errUsage)
}
