package gate

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Dial connects to a port of a pod. The host of the address does not count.
type Dial func(ctx context.Context, namespace, pod, address string) (net.Conn, error)

// Ready asks every pod whether it is ready, over a tunnel to the pod itself: past the Service, which hides those that are
// not, and the kubelet, which asks only so often. A tunnel stays open from one look to the next.
type Ready struct {
	Pods      Pods
	Dial      Dial
	Path      string
	Scheme    string   // http, or https, where no certificate is checked
	Port      int      // 0: that of each pod
	Consumers []string // which to ask; none: all

	mu      sync.Mutex
	clients map[string]*http.Client // by pod
}

// readyLimit is how long a pod may take to answer.
const readyLimit = 5 * time.Second

// Look is bad when a pod does not answer, or with a status that is no success to a kubelet.
func (r *Ready) Look(ctx context.Context, _ rotation.Record) (rotation.Item, error) {
	all, err := r.Pods(ctx)
	if err != nil {
		return rotation.Item{}, err
	}
	asked := slices.DeleteFunc(slices.Clone(all), func(p Pod) bool {
		return r.port(p) == 0 || len(r.Consumers) > 0 && !slices.Contains(r.Consumers, p.Workload)
	})
	r.forget(asked)
	if len(asked) == 0 {
		return rotation.Item{Phase: rotation.Waiting, Note: "no pod of a consumer declares a port to be asked at"}, nil
	}
	said := each(asked, func(p Pod) string { return r.ask(ctx, p) })
	bad := slices.DeleteFunc(slices.Clone(said), func(s string) bool { return s == "" })
	note := fmt.Sprintf("%d of %d pods ready at %s", len(asked)-len(bad), len(asked), r.Path)
	if len(bad) > 0 {
		return rotation.Item{Phase: rotation.Failed, Note: note + "; " + bad[0]}, nil
	}
	return rotation.Item{Phase: rotation.Done, Note: note}, nil
}

func (r *Ready) port(p Pod) int {
	if r.Port != 0 {
		return r.Port
	}
	return p.Port
}

// ask is what is wrong with a pod; "" is nothing.
func (r *Ready) ask(ctx context.Context, p Pod) string {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	status, _, err := get(ctx, r.client(p), fmt.Sprintf("%s://localhost:%d%s", r.Scheme, r.port(p), r.Path), 1<<10)
	switch {
	case err != nil:
		return fmt.Sprintf("pod/%s does not answer: %v", p.Name, err)
	case status < 200 || status > 399:
		return fmt.Sprintf("pod/%s answers %d", p.Name, status)
	}
	return ""
}

// client is the one that is kept for a pod.
func (r *Ready) client(p Pod) *http.Client {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := p.key()
	if c := r.clients[key]; c != nil {
		return c
	}
	c := &http.Client{CheckRedirect: stay, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return r.Dial(ctx, p.Namespace, p.Name, address)
		},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // as the kubelet's probes do; the tunnel is authenticated
		MaxIdleConns:    1,
	}}
	if r.clients == nil {
		r.clients = map[string]*http.Client{}
	}
	r.clients[key] = c
	return c
}

// forget ends the tunnels to pods that are not asked any more.
func (r *Ready) forget(asked []Pod) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, c := range r.clients {
		if !slices.ContainsFunc(asked, func(p Pod) bool { return p.key() == key }) {
			c.CloseIdleConnections()
			delete(r.clients, key)
		}
	}
}

// Close ends all tunnels.
func (r *Ready) Close() { r.forget(nil) }
