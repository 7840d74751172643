package e2e

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// apiProxy stands between the program and the API server, with a certificate of its own. Upgraded connections pass
// through it. What it does to a request is set by faults before the program starts.
type apiProxy struct {
	*gate
	server *httptest.Server

	mu       sync.Mutex
	upgrades map[string]int // the tunnels that were asked for, by "websocket portforward", "SPDY/3.1 exec", …
	faults   faults
}

// faults are what a proxy does to requests. The zero value is nothing.
type faults struct {
	plain  bool                              // refuses to upgrade to a WebSocket
	before func(*http.Request) *hold         // holds a request before it is sent on
	after  func(*http.Request) *hold         // holds its answer before it is given back
	tunnel func(io.ReadWriter) io.ReadWriter // what an upgraded connection goes through
}

// hold keeps one request, or one answer, until whoever sent it is gone.
type hold struct {
	once sync.Once
	held chan struct{} // closed when there is something in it
}

func newHold() *hold { return &hold{held: make(chan struct{})} }

// keep blocks until the sender is gone.
func (h *hold) keep(ctx context.Context) error {
	h.once.Do(func() { close(h.held) })
	<-ctx.Done()
	return ctx.Err()
}

// through has the world's commands go through a proxy from here on.
func (w *world) through() *apiProxy {
	w.Helper()
	p := &apiProxy{gate: newGate(w), upgrades: map[string]int{}}
	target, err := url.Parse(w.config.Host)
	w.must("parsing the API server's URL", err)
	secure, err := rest.TLSConfigFor(w.config)
	w.must("preparing TLS", err)
	reverse := &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host },
		Transport:      &http.Transport{TLSClientConfig: secure, MaxIdleConnsPerHost: 20},
		ModifyResponse: p.answered,
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:       log.New(io.Discard, "", 0),
	}
	p.server = httptest.NewUnstartedServer(p.handler(reverse))
	_ = p.server.Listener.Close()
	p.server.Listener = p.gate
	p.server.EnableHTTP2 = true
	p.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	p.server.StartTLS()
	w.kubeconfig = p.kubeconfig()
	return p
}

// kubeconfig is the world's, with the proxy as the server.
func (p *apiProxy) kubeconfig() string {
	p.w.Helper()
	return p.w.rewritten(func(c *api.Cluster) {
		c.Server = "https://" + p.at
		c.CertificateAuthorityData = authority(p.server)
		c.TLSServerName = "example.com" // as httptest's certificate says
	})
}

// authority is the certificate of a test's server, as a kubeconfig holds it.
func authority(s *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

// rewritten is the world's kubeconfig with its clusters changed.
func (w *world) rewritten(change func(*api.Cluster)) (path string) {
	w.Helper()
	config, err := clientcmd.LoadFromFile(w.kubeconfig)
	w.must("reading the kubeconfig", err)
	for _, c := range config.Clusters {
		change(c)
	}
	path = filepath.Join(w.TempDir(), "kubeconfig")
	w.must("writing a kubeconfig", clientcmd.WriteToFile(*config, path))
	return path
}

func (p *apiProxy) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		f := p.current()
		p.count(r)
		if f.plain && strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
			http.Error(rw, "no WebSocket here", http.StatusBadRequest)
			return
		}
		if f.before != nil {
			if h := f.before(r); h != nil {
				_ = h.keep(r.Context())
				return
			}
		}
		next.ServeHTTP(rw, r)
	})
}

// answered is told of each answer before it is given back.
func (p *apiProxy) answered(resp *http.Response) error {
	f := p.current()
	if body, ok := resp.Body.(io.ReadWriteCloser); ok && f.tunnel != nil && resp.StatusCode == http.StatusSwitchingProtocols {
		resp.Body = struct {
			io.ReadWriter
			io.Closer
		}{f.tunnel(body), body}
	}
	if f.after != nil {
		if h := f.after(resp.Request); h != nil {
			return h.keep(resp.Request.Context())
		}
	}
	return nil
}

func (p *apiProxy) current() faults {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults
}

// count takes note of a request for a tunnel.
func (p *apiProxy) count(r *http.Request) {
	if to := r.Header.Get("Upgrade"); to != "" {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.upgrades[to+" "+path.Base(r.URL.Path)]++
	}
}

// asked is how often a tunnel was asked for.
func (p *apiProxy) asked(tunnel string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.upgrades[tunnel]
}

// set has the proxy do this from here on.
func (p *apiProxy) set(f faults) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = f
}

// changes says whether a request changes something: questions about permissions and tunnels are POSTs too, and what is told
// beside a run is no effect of it.
func changes(r *http.Request) bool {
	switch {
	case r.Method == http.MethodGet,
		strings.HasPrefix(r.URL.Path, "/apis/authorization.k8s.io/"), strings.HasPrefix(r.URL.Path, "/apis/authentication.k8s.io/"),
		strings.HasSuffix(r.URL.Path, "/portforward"), strings.HasSuffix(r.URL.Path, "/exec"),
		strings.HasSuffix(r.URL.Path, "/events"), strings.HasSuffix(r.URL.Path, "/configmaps"), strings.HasSuffix(r.URL.Path, "-rotate-history"):
		return false
	}
	return true
}

// change names a request by its verb, resource and name.
func change(r *http.Request) string {
	_, object, _ := strings.Cut(r.URL.Path, "/namespaces/")
	_, object, _ = strings.Cut(object, "/")
	return fmt.Sprintf("%s %s", r.Method, object)
}
