//go:build unix

// Command fetch puts the versions of PostgreSQL that tests start beside Debian's into the user's cache folder, and says what it
// fetches. What is there already is left as it is.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/postgres/postgrestest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	for _, version := range postgrestest.Versions() {
		if _, err := postgrestest.Fetch(ctx, version, func(what string) { fmt.Println(what) }); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			os.Exit(1)
		}
	}
}
