package workload

import (
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// TestChangesThroughARestartOnCluster takes the API server away in the middle of the watches, and brings it back at the same address.
func TestChangesThroughARestartOnCluster(t *testing.T) {
	p := newPlace(t)
	p.deployment("backend", 1, script(serves))
	w := p.settled()
	address, stop := p.proxy("127.0.0.1:0")
	client, err := kubernetes.NewForConfig(&rest.Config{Host: "http://" + address, QPS: -1})
	must(t, err)
	through := &Consumers{Client: client, Namespace: p.Namespace, Secret: secret}
	changes := through.Changes(t.Context())
	quiet(t, changes)
	stop()
	must(t, p.Move(t.Context(), w, 1))
	_, stop = p.proxy(address)
	defer stop()
	signalled(t, changes) // what was missed
	p.until("moved", func(w rotation.Workload) bool { return w.Settled && w.Edition == 1 && len(w.Pods) == 1 })
	quiet(t, changes)
	must(t, p.Move(t.Context(), p.look(), 2))
	signalled(t, changes)
}

// proxy stands before the API server, at an address that can be taken away.
func (p *place) proxy(at string) (address string, stop func()) {
	p.Helper()
	target, err := url.Parse(p.config.Host)
	must(p.T, err)
	transport, err := rest.TransportFor(p.config)
	must(p.T, err)
	listener, err := net.Listen("tcp", at)
	must(p.T, err)
	forward := httputil.NewSingleHostReverseProxy(target)
	forward.Transport, forward.FlushInterval = transport, -1
	forward.ErrorHandler = func(http.ResponseWriter, *http.Request, error) {}
	server := &http.Server{Handler: forward}
	go func() { _ = server.Serve(listener) }()
	return listener.Addr().String(), func() { _ = server.Close() }
}
