// Command kubectl-rotate is the kubectl plugin behind `kubectl rotate`.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, cli.CommandLine(os.Args), cli.Terminal())
	stop()
	os.Exit(code)
}
