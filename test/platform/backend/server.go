package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// server answers HTTP until it is told to end, and then loses nobody on the way out.
//
// When a pod is to end, SIGTERM and the removal of its address from every node's rules set out at the same time, and
// nothing says when the rules have changed. So new connections go on arriving for a moment, and on those kept open
// by clients the next request may be under way. Three rules lose none of them:
//
//  1. For the length of delay everything goes on as before, new connections included.
//  2. Every reply in that time says "Connection: close": clients that use a kept connection leave it by themselves.
//  3. Only then does the listener close, and the requests still running get the length of grace.
//
// A client that kept a connection unused for the whole delay finds it closed, perhaps while it is sending. It has to
// drop idle connections sooner than delay; net/http's own way (SetKeepAlivesEnabled, Shutdown at once) closes idle
// connections at the start and would catch every client that way.
type server struct {
	handler  http.Handler
	delay    time.Duration
	grace    time.Duration
	draining *atomic.Bool
}

// serve answers on l until ctx ends, then drains. It gives an error when requests had to be cut off.
func (s *server) serve(ctx context.Context, l net.Listener) error {
	web := &http.Server{
		Handler:           s.farewell(s.handler),
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
	}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	s.draining.Store(true)
	slog.Info("draining", "delay", s.delay)
	select {
	case err := <-failed:
		return fmt.Errorf("serving while draining: %w", err)
	case <-time.After(s.delay):
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.grace)
	defer cancel()
	if err := web.Shutdown(last); err != nil {
		return errors.Join(fmt.Errorf("requests cut off after %v: %w", s.grace, err), web.Close())
	}
	slog.Info("drained")
	return nil
}

// farewell makes clients leave their kept connections while the server drains.
func (s *server) farewell(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
