package wiring

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/postgres"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// certified is a certificate and its key, as cert-manager puts them into a Secret.
func certified(t *testing.T) map[string][]byte {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return map[string][]byte{"ca.crt": text, "tls.crt": text, "tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})}
}

// What the configuration names is taken as it stands in the Secrets, or refused with the field that names it.
func TestCertificatesOfTheConfiguration(t *testing.T) {
	data, other := certified(t), certified(t)
	secret := func(name string, data map[string][]byte) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Data: data}
	}
	in := redisIn(corev1.Container{}, secret("tls", data), secret("mixed", map[string][]byte{"tls.crt": data["tls.crt"], "tls.key": other["tls.key"]}))
	in.server.Section = "postgres"
	ca := func(name, key string) config.Certificates {
		return config.Certificates{CA: &config.KeyRef{Name: name, Key: key}}
	}
	for _, c := range []struct {
		name          string
		config        config.Certificates
		refused, hint string
	}{
		{"a key that is not there", ca("tls", "ca.pem"), "key ca.pem of secret shop/tls holds no certificate", "postgres.ca"},
		{"a key that is no certificate", ca("tls", "tls.key"), "key tls.key of secret shop/tls holds no certificate", "postgres.ca"},
		{"the key of another certificate", config.Certificates{Certificate: "mixed"}, "secret shop/mixed holds no certificate with its key", "postgres.certificate"},
	} {
		_, _, err := in.certificates(t.Context(), c.config)
		if !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), c.refused) || !strings.Contains(rotation.Hint(err), c.hint) {
			t.Errorf("%s: %v (hint %q), want …%s… and %s", c.name, err, rotation.Hint(err), c.refused, c.hint)
		}
		if strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%s: a key shows in %v", c.name, err)
		}
	}
	if _, _, err := in.certificates(t.Context(), ca("nowhere", "ca.crt")); err == nil || !strings.Contains(err.Error(), `"nowhere" not found`) {
		t.Errorf("a Secret that is not there: %v", err)
	}

	all := ca("tls", "ca.crt")
	all.ServerName, all.Certificate = "db.shop.svc", "tls"
	got, err := postgresTLS(t.Context(), in, config.Postgres{SSLMode: "verify-full", Certificates: all})
	if err != nil || got.Mode != postgres.TLSVerifyFull || got.ServerName != "db.shop.svc" || got.Certificate == nil || got.RootCAs == nil {
		t.Errorf("all of it: %+v, %v", got, err)
	}
	if got, err = postgresTLS(t.Context(), in, config.Postgres{SSLMode: "prefer"}); err != nil || got.Certificate != nil || got.RootCAs != nil {
		t.Errorf("none of it: %+v, %v", got, err)
	}
}

// A pooler's own pod is at the end of a tunnel to it; an address is checked, for the name that it has itself.
func TestPoolersAreNotCheckedForTheNameOfTheServer(t *testing.T) {
	strict := postgres.TLS{Mode: postgres.TLSVerifyFull, RootCAs: x509.NewCertPool(), ServerName: "db.shop.svc"}
	if got := atDoors(kube.ViaPortForward, strict); got.Mode != "" || got.ServerName != "" {
		t.Errorf("over a tunnel: %+v", got)
	}
	in := opening{via: kube.ViaDirect, target: config.Target{Postgres: &config.Postgres{Through: []string{"pool.example:6432"}}}}
	all, notes, err := doors(t.Context(), in, nil, atDoors(in.via, strict))
	if err != nil || len(all) != 1 || len(notes) > 0 {
		t.Fatalf("%+v, %v, %v", all, notes, err)
	}
	if got := all[0]; got.Host != "pool.example" || got.TLS.Mode != postgres.TLSVerifyFull || got.TLS.RootCAs != strict.RootCAs || got.TLS.ServerName != "" {
		t.Errorf("at an address: %+v", got)
	}
}

// Certificates of servers in pods are for what the pods go by, and not for the end of a tunnel.
func TestNamesOfServersInPods(t *testing.T) {
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "db-0"}, Spec: corev1.PodSpec{Subdomain: "db"}}
	pod.Status.PodIPs = []corev1.PodIP{{IP: "10.0.0.7"}, {IP: "2001:db8::7"}}
	want := "10.0.0.7 2001:db8::7 db-0.db db-0.db.shop db-0.db.shop.svc db-0.db.shop.svc.cluster.local " +
		"db-rw db-rw.shop db-rw.shop.svc db-rw.shop.svc.cluster.local"
	if got := strings.Join(aliases(pod, "db-rw"), " "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Whoever answers at an address has to show a certificate, unless the configuration says otherwise; a tunnel leads to a pod that was named.
func TestDirectConnectionsAreVerified(t *testing.T) {
	for _, c := range []struct {
		via  kube.Via
		mode string
		want postgres.TLSMode
	}{
		{kube.ViaDirect, "", postgres.TLSVerifyFull}, {kube.ViaDirect, "prefer", postgres.TLSPrefer}, {kube.ViaDirect, "disable", postgres.TLSDisable},
		{kube.ViaAuto, "", ""}, {kube.ViaExec, "require", postgres.TLSRequire},
	} {
		got, err := postgresTLS(t.Context(), opening{via: c.via}, config.Postgres{SSLMode: c.mode})
		if err != nil || got.Mode != c.want {
			t.Errorf("--via=%s with sslmode %q: %q, %v: want %q", c.via, c.mode, got.Mode, err, c.want)
		}
	}
}

// A dry run and status log in at no pooler, which may be anybody that a connection string names, and say so.
func TestADryRunLogsInAtNoPooler(t *testing.T) {
	in := openingIn(config.Target{Kind: config.KindPostgres, Postgres: &config.Postgres{Through: []string{"127.0.0.1:6432"}, Database: "shop"}})
	in.via = kube.ViaDirect
	for _, only := range []bool{false, true} {
		in.only = only
		found, notes, err := doors(t.Context(), in, nil, postgres.TLS{})
		if err != nil || (len(found) == 0) != only || (len(notes) == 1) != only {
			t.Errorf("nothing is to change: %v; %d poolers, said %q, %v", only, len(found), notes, err)
		}
		if only && !strings.Contains(notes[0], "127.0.0.1:6432") {
			t.Errorf("it does not say which: %q", notes)
		}
	}
}
