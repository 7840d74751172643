package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
)

// Main is a process of this program: it runs args, of which the first one is the program's name, and gives the exit code.
func Main(args []string) int {
	s := Terminal()
	if err := noDumps(); err != nil {
		_ = report.NewPrinter(s.Err).Linef("note: should this process crash, its core would hold passwords: %v", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return Run(ctx, CommandLine(args), s)
}
