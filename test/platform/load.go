package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/kubectl-rotate/kubectl-rotate/test/platform/deploy"
	"github.com/kubectl-rotate/kubectl-rotate/test/platform/load"
)

func newLoad(where *target) *cobra.Command {
	var config load.Config
	c := &cobra.Command{
		Use:   "load",
		Short: "Send requests at a fixed rate, count every failure, and print a summary as JSON",
		Long: "Send requests at a fixed rate until the duration is over or the command is interrupted, and print a\n" +
			"summary as JSON. Exits with 1 if any request failed, and with 3 if the machine was too slow to judge.\n" +
			"See the package's documentation for what counts.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if config.URL == "" {
				kube, err := where.config()
				if err != nil {
					return err
				}
				if config.URL, err = deploy.BackendURL(c.Context(), kube, where.namespace); err != nil {
					return err
				}
			}
			return runLoad(c.Context(), c.OutOrStdout(), c.ErrOrStderr(), config)
		},
	}
	where.addTo(c)
	c.Flags().StringVar(&config.URL, "url", "", "the backend's address (default: its Service's cluster IP)")
	c.Flags().Float64Var(&config.Rate, "rate", 200, "requests per second")
	c.Flags().DurationVar(&config.Duration, "duration", 0, "how long (default: until interrupted)")
	c.Flags().IntVar(&config.FreshPercent, "fresh-percent", 50, "how many of a hundred requests open a connection; -1 is none")
	c.Flags().IntVar(&config.MaxInFlight, "max-in-flight", 2048, "bound of requests under way; those beyond it are not sent")
	c.Flags().IntVar(&config.TokenEvery, "token-every", 20, "every n-th request asks for a token; -1 sends none")
	return c
}

func runLoad(ctx context.Context, out, progress io.Writer, c load.Config) error {
	run, err := load.Start(ctx, c)
	if err != nil {
		return err
	}
	follow(run, progress)
	summary := run.Stop()
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(summary); err != nil {
		return fmt.Errorf("printing the summary: %w", err)
	}
	return summary.Err()
}

// follow shows how the run goes until it ends: one line that is written over on a terminal, or a line every 5 s.
func follow(run *load.Run, w io.Writer) {
	every, format := 5*time.Second, "%s\n"
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		every, format = time.Second, "\r\x1b[K%s"
		defer fmt.Fprintln(w)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-run.Done():
			fmt.Fprintf(w, format, run.Snapshot().Line())
			return
		case <-tick.C:
			fmt.Fprintf(w, format, run.Snapshot().Line())
		}
	}
}
