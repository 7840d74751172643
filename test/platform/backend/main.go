// Command backend is the service of the demo platform: small, but real in everything a rotation touches.
// It reads its credentials from the environment once (the signing keys from a volume again and again, if it is told to), keeps
// connection pools, opens new connections now and then, checks its tokens, and drains on SIGTERM.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, os.Environ()); err != nil {
		slog.Error("backend ended", "err", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, environ []string) error {
	s, err := readSettings(environ)
	if err != nil {
		return err
	}
	b, err := newBackend(s)
	if err != nil {
		return err
	}
	defer b.close()
	if s.signingKeysDir != "" {
		go b.reload(ctx, s)
	}
	l, err := net.Listen("tcp", s.listen)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	slog.Info("serving", "address", l.Addr().String(), "pod", s.pod, "signing_key", b.tokens.Load().Active())
	server := &server{handler: b.routes(), delay: s.drainDelay, grace: 50 * time.Second, draining: &b.draining}
	return server.serve(ctx, l)
}
