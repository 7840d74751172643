package kube

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// dialAuto takes the first way that works.
//
// What leads on to exec is a port-forward that can't be had: forbidden, or not carried by a proxy or the server. What
// exec needs as well does not: a pod that runs, an API server and a node that answer. A refused port leads to exec if
// there is a Socket, since the server may listen on that alone; exec to the same port would be refused the same. The
// refusal comes with the first Read, so that it is the next dial that goes there.
func (d *Dialer) dialAuto(ctx context.Context, t target) (net.Conn, error) {
	if why := d.turnedAway(); why != nil {
		return d.takeExec(ctx, t, why)
	}
	f, err := d.forward(ctx, t)
	if err == nil {
		d.take(ViaPortForward, nil)
		return f.conn, nil
	}
	if ctx.Err() != nil || errors.Is(err, rotation.ErrUnavailable) || errors.As(err, new(podError)) {
		return nil, err
	}
	return d.takeExec(ctx, t, err)
}

// turnedAway is why the port was refused, once, where nothing has ever come from it and there is a Socket.
func (d *Dialer) turnedAway() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	why := d.refused
	d.refused = nil
	return why
}

// answered hears of the first that a port-forward brings: nil for bytes, else the refusal of the port. A server that has
// answered there once is only away.
func (d *Dialer) answered(refusal error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case refusal == nil:
		d.works = true
	case d.via() == ViaAuto && d.Socket != "" && !d.works:
		d.took, d.refused = "", refusal
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

// take remembers the way, and tells of it.
func (d *Dialer) take(via Via, instead error) {
	d.mu.Lock()
	other := d.took != via
	d.took = via
	d.mu.Unlock()
	if other && d.OnTake != nil {
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
