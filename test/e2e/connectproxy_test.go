package e2e

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
)

// connectProxy is an HTTPS proxy, as companies have them: it knows CONNECT and nothing else. It alone knows where the host
// "kubernetes" is.
type connectProxy struct {
	*httptest.Server
	target  string
	tunnels atomic.Int64 // that it has made
}

func (w *world) newConnectProxy(secure bool) *connectProxy {
	w.Helper()
	api, err := url.Parse(w.config.Host)
	w.must("parsing the API server's URL", err)
	p := &connectProxy{target: api.Host}
	p.Server = httptest.NewUnstartedServer(p)
	if secure {
		p.StartTLS()
	} else {
		p.Start()
	}
	w.Cleanup(p.Close)
	return p
}

// ServeHTTP joins the client to the API server.
func (p *connectProxy) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect || r.URL.Hostname() != "kubernetes" {
		http.Error(rw, "only CONNECT kubernetes", http.StatusMethodNotAllowed)
		return
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		http.Error(rw, "no way", http.StatusBadGateway)
		return
	}
	defer server.Close()
	client, early, err := rw.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	p.tunnels.Add(1)
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	done := make(chan struct{}, 2)
	go func() { _, _ = io.Copy(server, early); done <- struct{}{} }()
	go func() { _, _ = io.Copy(client, server); done <- struct{}{} }()
	<-done
}
