package serverconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// No two calls run at the same time, and one that waits in vain may be made again.
func TestCallsTakeTurns(t *testing.T) {
	var turns Turns
	var inside atomic.Int32
	call := func(context.Context) error {
		if inside.Add(1) != 1 {
			t.Error("two calls at once")
		}
		for range 1000 {
			runtime.Gosched() // whoever else may run does
		}
		inside.Add(-1)
		return nil
	}
	errs := make(chan error, 8)
	for range cap(errs) {
		go func() { errs <- turns.Do(t.Context(), time.Minute, call) }()
	}
	turns.Between(func() { _ = call(t.Context()) })
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	err := turns.Do(t.Context(), time.Minute, func(ctx context.Context) error {
		return turns.Do(ctx, time.Millisecond, call)
	})
	if !errors.Is(err, rotation.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a call that has waited in vain: %v", err)
	}
}

func TestWhatTheNetworkSays(t *testing.T) {
	for _, c := range []struct {
		err    error
		want   string
		passes bool
	}{
		{fmt.Errorf("reading: %w", io.EOF), "the connection was lost", true},
		{&net.OpError{Op: "write", Err: syscall.EPIPE}, "the connection was lost: broken pipe", true},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, "connection refused", true},
		{fmt.Errorf("dialing with password=geheim: %w", context.DeadlineExceeded), "no answer in time: context deadline exceeded", true},
		{fmt.Errorf("dialing: %w", context.Canceled), "context canceled", false},
	} {
		got := Network(c.err)
		if got == nil || got.Error() != c.want || errors.Is(got, rotation.ErrUnavailable) != c.passes {
			t.Errorf("%v: got %v, want %s (may pass: %v)", c.err, got, c.want, c.passes)
		}
	}
	if err := Network(errors.New("it said no")); err != nil {
		t.Errorf("an error of the server's became %v", err)
	}
}

// Hints name the fields of the section that the server is configured in.
func TestHintsNameTheSection(t *testing.T) {
	section := Section{Name: "redis", Mode: "tls"}
	untrusted := section.Untrusted(fmt.Errorf("securing: %w", &tls.CertificateVerificationError{Err: errors.New("unknown authority")}))
	for _, field := range []string{"redis.ca", "redis.serverName", "redis.tls"} {
		if !errors.Is(untrusted, rotation.ErrRefused) || !strings.Contains(rotation.Hint(untrusted), field) {
			t.Errorf("no %s in the hint of %v: %s", field, untrusted, rotation.Hint(untrusted))
		}
	}
	alert := section.Untrusted(&net.OpError{Op: "remote error", Err: errors.New("tls: certificate required")})
	if !errors.Is(alert, rotation.ErrRefused) || !strings.Contains(rotation.Hint(alert), "redis.certificate") {
		t.Errorf("an alert: %v (%s)", alert, rotation.Hint(alert))
	}
	if err := section.Untrusted(io.EOF); err != nil {
		t.Errorf("any other error became %v", err)
	}
}
