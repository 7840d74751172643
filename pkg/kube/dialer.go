package kube

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"

	"k8s.io/client-go/rest"
)

// Via is a way to a server in a pod.
type Via string

const (
	// ViaAuto tries ViaPortForward and then ViaExec, and stays with the one that worked. Where a node says only later that
	// nothing listens on the port, the connection ends with syscall.ECONNREFUSED, and the next dial takes ViaExec.
	ViaAuto Via = "auto"
	// ViaPortForward goes through the pod's portforward subresource. It needs the verb create on it.
	ViaPortForward Via = "port-forward"
	// ViaExec runs a relay in the container, by the exec subresource. It needs the verb create on it, and a shell and
	// one of a few common programs in the container. It reaches Unix sockets too, and so peer authentication.
	ViaExec Via = "exec"
	// ViaDirect dials the address as it is, from here.
	ViaDirect Via = "direct"
)

// Dialer connects to a server in a pod. Its DialContext is shaped like net.Dialer's. Each dial is a tunnel of its
// own, and no socket listens anywhere. It is safe for concurrent use; set the fields before.
type Dialer struct {
	Clients *Clients
	// Namespace and Pod name the pod. They are not looked at for ViaDirect.
	Namespace, Pod string
	// Container is where exec runs. Empty is right for a pod with one container.
	Container string
	// Via is the way to take. Empty means ViaAuto.
	Via Via
	// Socket is the server's Unix socket in the container, as in /var/run/postgresql/.s.PGSQL.5432. If set, ViaExec
	// goes to it whatever address is dialed.
	Socket string
	// OnTake is told which way ViaAuto took, and why not the one before it (nil for the first). It may be nil.
	OnTake func(taken Via, instead error)

	mu      sync.Mutex
	took    Via
	works   bool  // a port-forward has brought bytes
	refused error // why the next dial goes elsewhere
}

// Dialer gives a dialer to a pod, with its other fields unset.
func (c *Clients) Dialer(namespace, pod string) *Dialer {
	return &Dialer{Clients: c, Namespace: namespace, Pod: pod}
}

// Took says which way is taken: Via, or for ViaAuto what has worked, and "" as long as nothing has.
func (d *Dialer) Took() Via {
	if via := d.via(); via != ViaAuto {
		return via
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.took
}

func (d *Dialer) via() Via {
	if d.Via == "" {
		return ViaAuto
	}
	return d.Via
}

// DialContext connects to address, of which only the port counts in a pod: there is no other host than the pod's
// own loopback. For the network "unix", address is the path of a socket in the container, which only ViaExec
// reaches. The connection outlives ctx, which bounds the dialing alone.
//
// A port that nothing listens on is reported by the first Read, as syscall.ECONNREFUSED: nodes tell it no sooner.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if d.via() == ViaDirect {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	t, err := parseTarget(network, address)
	if err != nil {
		return nil, d.dialError(network, address, err)
	}
	conn, err := d.dial(ctx, t)
	if err != nil {
		return nil, d.dialError(network, address, err)
	}
	return conn, nil
}

func (d *Dialer) dial(ctx context.Context, t target) (net.Conn, error) {
	switch via := d.Took(); {
	case via == ViaPortForward && t.unix():
		return nil, errors.New("a port-forward does not reach a Unix socket")
	case via == ViaPortForward:
		conn, err := d.dialPortForward(ctx, t)
		return nilOr(conn, err)
	case via == ViaExec:
		conn, err := d.dialExec(ctx, t)
		return nilOr(conn, err)
	case via != "":
		return nil, fmt.Errorf("%q is not a way to a pod", via)
	case t.unix():
		return d.takeExec(ctx, t, errors.New("a port-forward does not reach a Unix socket"))
	default:
		return d.dialAuto(ctx, t)
	}
}

// nilOr keeps a nil *conn from becoming a net.Conn that is not nil.
func nilOr(c *conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (d *Dialer) dialError(network, address string, err error) error {
	return fmt.Errorf("dialing %s %s in pod %s: %w", network, address, d.pod(), err)
}

// pod names the pod as kubectl does.
func (d *Dialer) pod() string { return d.Namespace + "/" + d.Pod }

// subresource starts a request for one of the pod's.
func (d *Dialer) subresource(name string) *rest.Request {
	return d.Clients.Kube.CoreV1().RESTClient().Post().
		Namespace(d.Namespace).Resource("pods").Name(d.Pod).SubResource(name)
}

// target is what to connect to inside a pod.
type target struct {
	address        // what was asked for
	port    uint16 // of the pod's loopback
	socket  string // or the path of a Unix socket
}

func (t target) unix() bool { return t.socket != "" }

// inPod names t for errors.
func (t target) inPod() string {
	if t.unix() {
		return "socket " + t.socket
	}
	return fmt.Sprintf("port %d", t.port)
}

func parseTarget(network, text string) (target, error) {
	t := target{address: address{network, text}}
	switch network {
	case "unix":
		t.socket = text
		return t, checkSocket(text)
	case "tcp", "tcp4", "tcp6":
	default:
		return t, net.UnknownNetworkError(network)
	}
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return t, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return t, fmt.Errorf("port %q is not a number from 1 to 65535", port)
	}
	t.port = uint16(number)
	return t, nil
}

// checkSocket keeps paths out that one of the relays would read as something else (socat: commas and colons).
func checkSocket(path string) error {
	if path == "" || path[0] != '/' {
		return fmt.Errorf("socket %q is not an absolute path", path)
	}
	for _, r := range path {
		plain := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !plain && r != '/' && r != '.' && r != '_' && r != '-' {
			return fmt.Errorf("socket %q: only letters, digits and ./_- can be relayed", path)
		}
	}
	return nil
}
