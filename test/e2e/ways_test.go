package e2e

import (
	"bytes"
	"fmt"
	"net/url"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd/api"
)

// The same rotation through a relay in the container, and over the network, where the server checks passwords and
// a login is the proof.
func TestOtherWays(t *testing.T) {
	alone(t)
	w := newWorld(t)
	w.loadedWith(25)
	r := w.as("admin", "postgres", "--yes", "--soak=1s", "--via=exec")
	if r.code != 0 {
		t.Fatalf("by exec: %s", r)
	}
	w.standby("backend_v2")
	r = w.rotate(0, "postgres", "--yes", "--soak=1s", "--again", "--via=direct", "--config", w.direct(w.platform.PostgreSQL))
	w.says(r, "login as backend_v3")
	w.standby("backend_v3")
}

// An administrator without a password is let in by the server's Unix socket, to which only a relay in the container goes.
// The application's logins are proven by what the server stores, since the socket asks nobody for a password.
func TestUnixSocket(t *testing.T) {
	alone(t)
	w := newWorld(t)
	w.must("taking the administrator's password away", w.withoutAdminPassword())
	w.loadedWith(25)
	r := w.as("admin", "postgres", "--yes", "--soak=1s", "--via=exec")
	if r.code != 0 {
		t.Fatalf("by exec to the socket: %s", r)
	}
	w.says(r, "stored verifier fits")
	w.standby("backend_v2")
}

// With no flag either, and where the server knows who comes over its socket (peer): the relay then runs as the server's own user. What the
// port is asked for is still a login, which proves the new one.
func TestPeerAuthentication(t *testing.T) {
	alone(t)
	w := newWorld(t)
	w.superuser(`COPY (SELECT) TO PROGRAM 'sed -i "/^host.*trust/d; s/^local\(.*\)trust/local\1peer/" $PGDATA/pg_hba.conf'`)
	w.superuser("SELECT pg_reload_conf()")
	w.must("taking the administrator's password away", w.withoutAdminPassword())
	w.loadedWith(25)
	r := w.as("admin", "postgres", "--yes", "--soak=1s")
	if r.code != 0 {
		t.Fatalf("with no flag: %s", r)
	}
	w.says(r, "no password of postgres is known: reaching postgresql-0 by exec, over the server's Unix socket", "login as backend_v2")
	w.standby("backend_v2")
}

// withoutAdminPassword has the server's pod know no password of its superuser; the server has one, which it asks for over the
// network only.
func (w *world) withoutAdminPassword() error {
	w.Helper()
	before, err := w.kube.CoreV1().Pods(w.ns).Get(w.ctx, "postgresql-0", metav1.GetOptions{})
	if err != nil {
		return err
	}
	patch := []byte(`{"spec":{"template":{"spec":{"containers":[{"name":"postgresql","env":[{"name":"POSTGRES_PASSWORD","$patch":"delete"}]}]}}}}`)
	_, err = w.kube.AppsV1().StatefulSets(w.ns).Patch(w.ctx, "postgresql", types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return err
	}
	w.until("the server is back", func() bool {
		p, err := w.kube.CoreV1().Pods(w.ns).Get(w.ctx, "postgresql-0", metav1.GetOptions{})
		return err == nil && p.UID != before.UID && ready(*p)
	})
	w.servesAgain()
	return nil
}

// servesAgain waits until the server lets the login in, and all pods of the service are ready.
func (w *world) servesAgain() {
	w.Helper()
	w.until("the service works again", func() bool {
		conn, err := w.connect(w.login(), "demo-platform")
		if err != nil {
			return false
		}
		_ = conn.Close(w.ctx)
		for _, p := range w.pods() {
			if !ready(p) {
				return false
			}
		}
		return true
	})
}

// A port-forward takes a WebSocket, as an administrator may; where WebSockets do not come through, the port-forward and the
// relay go over SPDY.
func TestWithoutWebSockets(t *testing.T) {
	long(t)
	alone(t)
	w := newWorld(t)
	w.loadedWith(25)
	proxy := w.through()
	for n, c := range []struct {
		plain     bool
		via, took string
		not       string
	}{
		{false, "port-forward", "websocket portforward", "SPDY/3.1 portforward"},
		{true, "port-forward", "SPDY/3.1 portforward", ""},
		{true, "exec", "SPDY/3.1 exec", ""},
	} {
		proxy.set(faults{plain: c.plain})
		if r := w.as("admin", "postgres", "--yes", "--soak=0", "--again", "--via="+c.via); r.code != 0 {
			t.Fatalf("by %s: %s", c.via, r)
		}
		if proxy.asked(c.took) == 0 || proxy.asked(c.not) > 0 {
			t.Errorf("by %s: tunnels were asked for by %v", c.via, proxy.upgrades)
		}
		w.standby(fmt.Sprintf("backend_v%d", n+2))
	}
}

// All that goes to the API server, the tunnels too, goes through the proxy that kubectl would take: that of the
// kubeconfig, spoken to in the clear or over TLS, or that of the environment. Without it the server's name means nothing.
func TestHTTPSProxy(t *testing.T) {
	long(t)
	alone(t)
	w := newWorld(t)
	w.loadedWith(25)
	plain, secure := w.newConnectProxy(false), w.newConnectProxy(true)
	original := w.kubeconfig
	behind := func(proxy string, authority []byte) string {
		w.kubeconfig = original
		return w.rewritten(func(c *api.Cluster) {
			server, err := url.Parse(c.Server)
			w.must("parsing the server's URL", err)
			c.Server, c.ProxyURL = "https://kubernetes:"+server.Port(), proxy
			c.CertificateAuthorityData = append(c.CertificateAuthorityData, authority...)
		})
	}
	w.kubeconfig = behind("", nil)
	w.says(w.rotate(1, "status"), "kubernetes", "hint: ")
	for _, c := range []struct {
		name       string
		kubeconfig string
		proxy      *connectProxy
		env        []string
		args       []string
		login      string
	}{
		{"in the clear", behind(plain.URL, nil), plain, nil, []string{"--via=port-forward"}, "backend_v2"},
		{"over TLS", behind(secure.URL, authority(secure.Server)), secure, nil, []string{"--via=port-forward"}, "backend_v3"},
		{"over TLS, by exec", behind(secure.URL, authority(secure.Server)), secure, nil, []string{"--via=exec", "--context=admin"}, "backend_v4"},
		{"of the environment", behind("", nil), plain, []string{"HTTPS_PROXY=" + plain.URL, "NO_PROXY="}, []string{"--via=port-forward"}, "backend_v5"},
	} {
		w.kubeconfig = c.kubeconfig
		before := c.proxy.tunnels.Load()
		run := w.command("restricted", append([]string{"postgres", "--yes", "--soak=0", "--again"}, c.args...)...)
		run.Env = append(run.Env, c.env...)
		var said bytes.Buffer
		run.Stderr = &said
		if err := run.Run(); err != nil {
			t.Fatalf("%s: %v\n%s", c.name, err, said.String())
		}
		if made := c.proxy.tunnels.Load() - before; made < 2 {
			t.Errorf("%s: %d connections through the proxy", c.name, made)
		}
		w.kubeconfig = original
		w.standby(c.login)
	}
}
