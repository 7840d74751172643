package kube

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// settle is how long the first dial of ViaAuto waits for a node to say that a port is refused, where there is a Unix
// socket to go to instead.
const settle = 300 * time.Millisecond

// dialAuto takes the first way that works.
//
// What leads on to exec is a port-forward that can't be had: forbidden, or not carried by a proxy or the server. What
// exec needs as well does not: a pod that runs, an API server and a node that answer. A refused port leads to exec if
// there is a Socket, since the server may listen on that alone; exec to the same port would be refused the same.
func (d *Dialer) dialAuto(ctx context.Context, t target) (net.Conn, error) {
	f, err := d.forward(ctx, t)
	if err == nil {
		if err = d.refusedFor(ctx, f); err == nil {
			d.take(ViaPortForward, nil)
			return f.conn, nil
		}
		_ = f.conn.Close()
	}
	unreachable := f == nil && errors.Is(err, rotation.ErrUnavailable)
	if ctx.Err() != nil || unreachable || errors.As(err, new(podError)) {
		return nil, err
	}
	return d.takeExec(ctx, t, err)
}

// refusedFor waits a moment for the refusal of a port, if there is anywhere else to go.
func (d *Dialer) refusedFor(ctx context.Context, f *forwarding) error {
	if d.Socket == "" {
		return nil
	}
	select {
	case <-f.heard:
		return f.refusal()
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(settle):
		return nil
	}
}

// takeExec dials by exec instead of a port-forward that failed with instead.
func (d *Dialer) takeExec(ctx context.Context, t target, instead error) (net.Conn, error) {
	conn, err := d.dialExec(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("by port-forward: %w; by exec: %w", instead, err)
	}
	d.take(ViaExec, instead)
	return conn, nil
}

// take remembers the way, and tells it once.
func (d *Dialer) take(via Via, instead error) {
	d.mu.Lock()
	first := d.took == ""
	d.took = via
	d.mu.Unlock()
	if first && d.OnTake != nil {
		d.OnTake(via, instead)
	}
}

// forward and dialExec add to each way's error why it failed.
func (d *Dialer) forward(ctx context.Context, t target) (*forwarding, error) {
	f, err := d.portForward(ctx, t.address, t.port)
	if err != nil {
		return nil, d.explain(ctx, "portforward", err)
	}
	return f, nil
}

func (d *Dialer) dialPortForward(ctx context.Context, t target) (*conn, error) {
	f, err := d.forward(ctx, t)
	if err != nil {
		return nil, err
	}
	return f.conn, nil
}

func (d *Dialer) dialExec(ctx context.Context, t target) (*conn, error) {
	if d.Socket != "" && !t.unix() {
		t.socket = d.Socket
	}
	r, err := d.execute(ctx, t)
	if err != nil {
		return nil, d.explain(ctx, "exec", err)
	}
	return r.conn, nil
}
