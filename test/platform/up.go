package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-rotate/kubectl-rotate/test/platform/deploy"
)

func newUp(where *target) *cobra.Command {
	var o deploy.Options
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "up",
		Short: "Deploy the platform, or bring it up to date, and wait until it is ready",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), timeout)
			defer cancel()
			o.Progress = lines(c.ErrOrStderr())
			return up(ctx, c.OutOrStdout(), where, o)
		},
	}
	where.addTo(c)
	c.Flags().StringVar(&o.BackendImage, "image", deploy.BackendImage, "image of the backend")
	c.Flags().StringVar(&o.BaseImage, "base-image", deploy.BaseImage, "image with PostgreSQL and Redis")
	c.Flags().Int32Var(&o.Replicas, "replicas", 3, "replicas of the backend")
	c.Flags().Int32Var(&o.RedisNodes, "redis-nodes", 2, "pods of Redis: a primary and its replicas")
	c.Flags().DurationVar(&o.TokenLifetime, "token-lifetime", 15*time.Minute, "lifetime of the backend's tokens")
	c.Flags().DurationVar(&timeout, "timeout", 3*time.Minute, "how long to wait")
	return c
}

func up(ctx context.Context, out io.Writer, where *target, o deploy.Options) error {
	config, err := where.config()
	if err != nil {
		return err
	}
	p, err := deploy.Deploy(ctx, config, where.namespace, o)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "namespace   %s\nbackend     %s\npostgresql  %s\nredis       %s\n",
		p.Namespace, p.URL, p.PostgreSQL, p.Redis)
	return nil
}

func newDown(where *target) *cobra.Command {
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "down",
		Short: "Remove the platform with its passwords and its data",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), timeout)
			defer cancel()
			config, err := where.config()
			if err != nil {
				return err
			}
			return deploy.Remove(ctx, config, where.namespace, lines(c.ErrOrStderr()))
		},
	}
	where.addTo(c)
	c.Flags().DurationVar(&timeout, "timeout", 2*time.Minute, "how long to wait")
	return c
}

// lines prints progress with the seconds since the start.
func lines(w io.Writer) func(string) {
	start := time.Now()
	return func(line string) { fmt.Fprintf(w, "%5.1fs  %s\n", time.Since(start).Seconds(), line) }
}
