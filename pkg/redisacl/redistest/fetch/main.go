//go:build unix

// Command fetch puts the Valkey that tests start beside Debian's Redis into the user's cache folder, and says what it fetches. Where it
// cannot be had, its tests are skipped.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/redisacl/redistest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := redistest.FetchValkey(ctx, func(what string) { fmt.Println(what) }); err != nil {
		fmt.Fprintln(os.Stderr, "Valkey cannot be had; its tests are skipped:", err)
	}
}
