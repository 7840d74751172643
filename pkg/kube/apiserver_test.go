package kube

import (
	"bufio"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	gwebsocket "github.com/gorilla/websocket"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/tools/portforward"
	kubeletforward "k8s.io/cri-streaming/pkg/streaming/portforward"
	kubeletexec "k8s.io/cri-streaming/pkg/streaming/remotecommand"
)

// apiServer is an API server with one pod, default/server-0. What it streams goes through the node's own
// implementation of port-forward and exec, the WebSocket ones by way of a bridge as in a real API server.
type apiServer struct {
	*httptest.Server
	node     *httptest.Server // the kubelet behind it
	listener *killable

	mu        sync.Mutex
	pod       *corev1.Pod
	denied    []string // "VERB subresource", as in "GET portforward"
	noSockets atomic.Bool
	hang      chan struct{} // if not nil, streaming requests wait for it
	requests  []string      // "GET portforward websocket"

	forward kubeletforward.PortForwarder
	exec    *localExec
	routes  map[string]http.HandlerFunc // "POST /apis/…"
}

const podPath = "/api/v1/namespaces/default/pods/server-0"

func newAPIServer(t *testing.T) *apiServer {
	t.Helper()
	s := &apiServer{pod: runningPod(), forward: toLoopback{}, exec: newLocalExec(t, "sh"), routes: map[string]http.HandlerFunc{}}
	s.node = httptest.NewServer(http.HandlerFunc(s.serveNode))
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.listener = &killable{Listener: s.Server.Listener}
	s.Server.Listener = s.listener
	s.StartTLS()
	t.Cleanup(func() {
		s.listener.kill()
		s.Close()
		s.node.CloseClientConnections()
		s.node.Close()
	})
	return s
}

func runningPod() *corev1.Pod {
	return &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "server-0"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "db"}, {Name: "exporter"}}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	}
}

// flags are kubectl's, with a kubeconfig for s.
func (s *apiServer) flags(t *testing.T) *genericclioptions.ConfigFlags {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	file := writeKubeconfig(t, fmt.Sprintf(`
clusters: [{name: c, cluster: {server: %q, certificate-authority: %q}}]
users: [{name: sre, user: {token: t0ken}}]
contexts: [{name: test, context: {cluster: c, user: sre}}]
current-context: test
`, s.URL, ca))
	flags := genericclioptions.NewConfigFlags(false)
	flags.KubeConfig = &file
	return flags
}

func writeKubeconfig(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, []byte("apiVersion: v1\nkind: Config\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func (s *apiServer) clients(t *testing.T) *Clients {
	t.Helper()
	c, err := New(s.flags(t), Options{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *apiServer) dialer(t *testing.T) *Dialer {
	t.Helper()
	return s.clients(t).Dialer("default", "server-0")
}

// deny answers 403 to a subresource by one verb of HTTP.
func (s *apiServer) deny(rules ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied = append(s.denied, rules...)
}

func (s *apiServer) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

func (s *apiServer) serve(w http.ResponseWriter, r *http.Request) {
	route := s.routes[r.Method+" "+r.URL.Path]
	switch {
	case route != nil:
		route(w, r)
	case r.URL.Path == podPath && s.pod != nil:
		writeJSON(w, http.StatusOK, s.pod)
	case strings.HasPrefix(r.URL.Path, podPath+"/") && s.pod != nil:
		s.serveStream(w, r, strings.TrimPrefix(r.URL.Path, podPath+"/"))
	default:
		writeStatus(w, http.StatusNotFound, metav1.StatusReasonNotFound, `pods "server-0" not found`)
	}
}

func (s *apiServer) serveStream(w http.ResponseWriter, r *http.Request, subresource string) {
	kind := "spdy"
	if gwebsocket.IsWebSocketUpgrade(r) {
		kind = "websocket"
	}
	s.mu.Lock()
	s.requests = append(s.requests, r.Method+" "+subresource+" "+kind)
	denied := slices.Contains(s.denied, r.Method+" "+subresource)
	s.mu.Unlock()
	if s.hang != nil {
		<-s.hang
	}
	switch {
	case denied:
		writeStatus(w, http.StatusForbidden, metav1.StatusReasonForbidden,
			fmt.Sprintf("pods %q is forbidden: cannot create resource %q", "server-0", "pods/"+subresource))
	case kind == "websocket" && s.noSockets.Load():
		http.Error(w, "a proxy that knows no WebSockets", http.StatusBadRequest)
	case kind == "websocket" && subresource == "portforward":
		s.bridge(w, r)
	case kind == "websocket":
		s.exec.serveWebSocket(w, r)
	default:
		s.proxy(w, r)
	}
}

// bridge carries SPDY inside a WebSocket to the node.
func (s *apiServer) bridge(w http.ResponseWriter, r *http.Request) {
	upgrader := gwebsocket.Upgrader{Subprotocols: []string{"SPDY/3.1+" + portforward.PortForwardProtocolV1Name}}
	socket, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	client := portforward.NewTunnelingConnectionWithLogger(logr.Discard(), socket)
	defer client.Close()
	backend, reader, err := s.upgradeToNode(r.URL.RequestURI())
	if err != nil {
		return
	}
	join(client, client, backend, reader)
}

// proxy carries an upgraded connection to the node as it is.
func (s *apiServer) proxy(w http.ResponseWriter, r *http.Request) {
	backend, err := net.Dial("tcp", s.node.Listener.Addr().String())
	if err != nil {
		return
	}
	// A node has other names for what to carry than the API has.
	r.URL.RawQuery = strings.NewReplacer("stdin=true", "input=1", "stdout=true", "output=1", "stderr=true", "error=1").
		Replace(r.URL.RawQuery)
	if err := r.Write(backend); err != nil {
		return
	}
	client, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	join(client, buffered, backend, backend)
}

func (s *apiServer) upgradeToNode(uri string) (net.Conn, io.Reader, error) {
	backend, err := net.Dial("tcp", s.node.Listener.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	_, err = fmt.Fprintf(backend, "POST %s HTTP/1.1\r\nHost: node\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"+
		"X-Stream-Protocol-Version: %s\r\nContent-Length: 0\r\n\r\n", uri, portforward.PortForwardProtocolV1Name)
	if err != nil {
		return nil, nil, err
	}
	reader := bufio.NewReader(backend)
	answer, err := http.ReadResponse(reader, nil)
	if err == nil && answer.StatusCode != http.StatusSwitchingProtocols {
		err = fmt.Errorf("node: %s", answer.Status)
	}
	return backend, reader, err
}

// join copies both ways until both have ended.
func join(client io.WriteCloser, fromClient io.Reader, backend net.Conn, fromBackend io.Reader) {
	var copying sync.WaitGroup
	copying.Go(func() { _, _ = io.Copy(client, fromBackend); _ = client.Close(); _ = backend.Close() })
	copying.Go(func() { _, _ = io.Copy(backend, fromClient); _ = client.Close(); _ = backend.Close() })
	copying.Wait()
}

func (s *apiServer) serveNode(w http.ResponseWriter, r *http.Request) {
	const day = 24 * time.Hour
	if strings.HasSuffix(r.URL.Path, "/exec") {
		options, err := kubeletexec.NewOptions(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		kubeletexec.ServeExec(w, r, s.exec, "server-0", "", r.FormValue("container"), r.URL.Query()["command"],
			options, day, 10*time.Second, []string{"v4.channel.k8s.io"})
		return
	}
	kubeletforward.ServePortForward(w, r, s.forward, "server-0", "", nil, day, 10*time.Second,
		[]string{portforward.PortForwardProtocolV1Name})
}

func writeJSON(w http.ResponseWriter, code int, object any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(object)
}

func writeStatus(w http.ResponseWriter, code int, reason metav1.StatusReason, message string) {
	writeJSON(w, code, &metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure, Code: int32(code), Reason: reason, Message: message,
	})
}

// killable is a listener whose connections can all be cut, hijacked ones too.
type killable struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func (k *killable) Accept() (net.Conn, error) {
	c, err := k.Listener.Accept()
	if err == nil {
		k.mu.Lock()
		k.conns = append(k.conns, c)
		k.mu.Unlock()
	}
	return c, err
}

func (k *killable) kill() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.conns {
		_ = c.Close()
	}
	k.conns = nil
}
