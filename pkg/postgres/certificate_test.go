package postgres

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/postgres/postgrestest"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/serverconn"
)

// signer is a CA.
type signer struct {
	t       *testing.T
	own     *x509.Certificate
	private *ecdsa.PrivateKey
}

func newSigner(t *testing.T) signer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := signer{t: t, private: private}
	s.own = &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, Subject: pkix.Name{CommonName: "CA of " + rand.Text()}}
	own, _ := s.signs(*s.own)
	block, _ := pem.Decode(own)
	if s.own, err = x509.ParseCertificate(block.Bytes); err != nil {
		t.Fatal(err)
	}
	return s
}

// signs makes a certificate and its key, as PEM.
func (s signer) signs(c x509.Certificate) (certificate, key []byte) {
	s.t.Helper()
	private := s.private
	if !c.IsCA {
		var err error
		if private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			s.t.Fatal(err)
		}
	}
	c.SerialNumber, c.NotBefore = big.NewInt(time.Now().UnixNano()), time.Now().Add(-24*time.Hour)
	if c.NotAfter.IsZero() {
		c.NotAfter = time.Now().Add(time.Hour)
	}
	der, err := x509.CreateCertificate(rand.Reader, &c, s.own, &private.PublicKey, s.private)
	if err != nil {
		s.t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		s.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text})
}

// client is a certificate to show.
func (s signer) client(name string, until time.Time) *tls.Certificate {
	s.t.Helper()
	pair, err := tls.X509KeyPair(s.signs(x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotAfter: until, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}))
	if err != nil {
		s.t.Fatal(err)
	}
	return &pair
}

func (s signer) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.own)
	return pool
}

// serves is an application on a server of its own that shows that certificate, and knows clients of the CA.
func (s signer) serves(t *testing.T, hba string, c x509.Certificate, settings map[string]string) *app {
	t.Helper()
	certificate, key := s.signs(c)
	all := map[string]string{"ssl": "on", "ssl_ca_file": "ca.crt"}
	for name, value := range settings {
		all[name] = value
	}
	a := &app{t: t, owner: "backend", database: "postgres", Cluster: postgrestest.For(t, postgrestest.Config{HBA: hba, Settings: all, Files: map[string][]byte{
		"server.crt": certificate, "server.key": key, "ca.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.own.Raw}),
	}})}
	a.current = rotation.Credential{V: 1, ID: "backend", Value: rotation.NewSecret([]byte("first password"))}
	a.sql("postgres", "CREATE ROLE backend LOGIN PASSWORD 'first password'", "CREATE SCHEMA AUTHORIZATION backend")
	return a
}

// let wants the administrator to be let in, or kept away for a reason and with a hint.
func (a *app) let(t *testing.T, s *Server, refused, hint string) {
	t.Helper()
	_, err := s.InUse(context.Background(), a.current)
	switch {
	case refused == "" && err != nil:
		t.Errorf("refused: %v", err)
	case refused != "" && (err == nil || errors.Is(err, rotation.ErrUnavailable) || !strings.Contains(err.Error(), refused) || !strings.Contains(rotation.Hint(err), hint)):
		t.Errorf("%v (hint %q), want it to be refused for …%s…, with a hint of %s", err, rotation.Hint(err), refused, hint)
	}
}

// Who poses as the server, or shows a certificate that is nobody's, or another's, gets no login.
func TestCertificatesAreChecked(t *testing.T) {
	ours, other := newSigner(t), newSigner(t)
	a := ours.serves(t, "", x509.Certificate{DNSNames: []string{"db.shop.svc"}}, nil)
	late := ours.serves(t, "", x509.Certificate{DNSNames: []string{"db.shop.svc"}, NotAfter: time.Now().Add(-time.Hour)}, nil)
	named := ours.serves(t, "", x509.Certificate{Subject: pkix.Name{CommonName: "db.shop.svc"}}, nil)
	svc := []string{"10.0.0.7", "db-0.db.shop.svc", "db.shop.svc"}
	for _, c := range []struct {
		name    string
		at      *app
		tls     TLS
		aliases []string
		refused string // "": it is not
	}{
		{"its CA, and the name that is configured", a, TLS{Mode: TLSVerifyFull, RootCAs: ours.pool(), ServerName: "db.shop.svc"}, nil, ""},
		{"its CA, and another name that it goes by", a, TLS{Mode: TLSVerifyFull, RootCAs: ours.pool()}, svc, ""},
		{"its CA, whatever its name", a, TLS{Mode: TLSVerifyCA, RootCAs: ours.pool()}, nil, ""},
		{"its CA, with require, as in libpq", a, TLS{Mode: TLSRequire, RootCAs: ours.pool()}, nil, ""},
		{"the name of another", a, TLS{Mode: TLSVerifyFull, RootCAs: ours.pool()}, nil, "127.0.0.1 because it doesn't contain any IP SANs"},
		{"another name than the one that is configured", a, TLS{Mode: TLSVerifyFull, RootCAs: ours.pool(), ServerName: "pg.shop.svc"}, svc, "valid for db.shop.svc, not pg.shop.svc"},
		{"a name where names are looked for no more", named, TLS{Mode: TLSVerifyFull, RootCAs: ours.pool(), ServerName: "db.shop.svc"}, nil, "legacy Common Name"},
		{"another CA", a, TLS{Mode: TLSVerifyCA, RootCAs: other.pool()}, nil, "signed by unknown authority"},
		{"another CA, with require", a, TLS{Mode: TLSRequire, RootCAs: other.pool()}, nil, "signed by unknown authority"},
		{"nobody's CA, as the system knows it", a, TLS{Mode: TLSVerifyFull, ServerName: "db.shop.svc"}, nil, "signed by unknown authority"},
		{"one that has expired", late, TLS{Mode: TLSVerifyCA, RootCAs: ours.pool()}, nil, "has expired"},
		{"none of it, where nothing is checked", late, TLS{Mode: TLSRequire}, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := c.at.via(viaScram)
			s.TLS, s.Nodes[0].Aliases = c.tls, c.aliases
			before := c.at.log()
			c.at.let(t, s, c.refused, "postgres.ca")
			if _, err := s.InUse(context.Background(), c.at.current); c.refused != "" && !errors.Is(err, rotation.ErrRefused) {
				t.Errorf("%v, want a refusal", err)
			}
			if more := strings.TrimPrefix(c.at.log(), before); c.refused != "" && strings.Contains(more, postgrestest.User) {
				t.Errorf("it was told who came: %s", more)
			}
		})
	}
}

// clients is a server that wants certificates: of everybody, and by other paths one of each user's own, with a password or without.
const clients = `
local   all all                   trust
hostssl all all      127.0.0.1/32 scram-sha-256 clientcert=verify-ca
hostssl all all      127.0.0.3/32 scram-sha-256 clientcert=verify-full
hostssl all postgres 127.0.0.4/32 cert
hostssl all all      127.0.0.4/32 scram-sha-256
`

// A server may want a certificate of its clients, and one of each user's own.
func TestServerThatWantsACertificateOfItsClients(t *testing.T) {
	ours, other := newSigner(t), newSigner(t)
	for _, version := range []string{"TLSv1.2", "TLSv1.3"} {
		a := ours.serves(t, clients, x509.Certificate{DNSNames: []string{"db.shop.svc"}}, map[string]string{"ssl_max_protocol_version": version})
		for _, c := range []struct {
			name, via     string
			shown         *tls.Certificate
			refused, hint string
		}{
			{"one of its CA", viaScram, ours.client("rotator", time.Time{}), "", ""},
			{"none", viaScram, nil, "connection requires a valid client certificate", "postgres.certificate"},
			{"one of another CA", viaScram, other.client("rotator", time.Time{}), "the server refused the connection: tls: unknown certificate authority", "postgres.certificate"},
			{"one that has expired", viaScram, ours.client("rotator", time.Now().Add(-time.Hour)), "the server refused the connection: tls: expired certificate", "postgres.certificate"},
			{"the administrator's own, with a password", viaTrust, ours.client("postgres", time.Time{}), "", ""},
			{"somebody else's, with a password", viaTrust, ours.client("rotator", time.Time{}), "password authentication failed", `"rotator"`},
			{"the administrator's own, instead of a password", viaMD5, ours.client("postgres", time.Time{}), "", ""},
			{"somebody else's, instead of a password", viaMD5, ours.client("rotator", time.Time{}), "certificate authentication failed", `"rotator"`},
			{"none, instead of a password", viaMD5, nil, "connection requires a valid client certificate", "postgres.certificate"},
		} {
			t.Run(version+": "+c.name, func(t *testing.T) {
				s := a.via(c.via)
				s.TLS = TLS{Mode: TLSVerifyFull, RootCAs: ours.pool(), ServerName: "db.shop.svc", Certificate: c.shown}
				if c.via == viaMD5 {
					s.Admin.Password = rotation.Secret{}
				}
				a.let(t, s, c.refused, c.hint)
			})
		}
	}
}

// A whole rotation goes on behind certificates, with each login proven by one that the server checked.
func TestRotationBehindCertificates(t *testing.T) {
	ours := newSigner(t)
	a := ours.serves(t, clients, x509.Certificate{DNSNames: []string{"db.shop.svc"}}, nil)
	a.server = a.via(viaScram)
	a.server.TLS = TLS{Mode: TLSVerifyFull, RootCAs: ours.pool(), ServerName: "db.shop.svc", Certificate: ours.client("rotator", time.Time{})}
	c := a.next()
	a.stands(a.server, c, rotation.Accepts, "login as")
	a.must("revoke", a.server.Revoke(context.Background(), pass, a.current))
	a.stands(a.server, a.current, rotation.Quarantined, "NOLOGIN")
	a.must("erase", a.server.Erase(context.Background(), pass, a.current))
	a.stands(a.server, c, rotation.Accepts, "login as")
}

// A pooler has a certificate of its own, or no TLS at all, whatever the server has; and it may want one of its clients.
func TestPoolerHasCertificatesOfItsOwn(t *testing.T) {
	ours, its := newSigner(t), newSigner(t)
	a := ours.serves(t, "", x509.Certificate{DNSNames: []string{"db.shop.svc"}}, nil)
	a.server = a.via(viaScram)
	a.server.TLS = TLS{Mode: TLSVerifyFull, RootCAs: ours.pool(), ServerName: "db.shop.svc"}
	folder := t.TempDir()
	certificate, key := its.signs(x509.Certificate{DNSNames: []string{"pgbouncer.shop.svc"}})
	secured := func(mode string) map[string]string {
		return map[string]string{
			"client_tls_sslmode": mode, "client_tls_cert_file": readable(t, folder, "tls.crt", certificate),
			"client_tls_key_file": readable(t, folder, "tls.key", key),
			"client_tls_ca_file":  readable(t, folder, "ca.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: its.own.Raw})),
		}
	}
	for _, c := range []struct {
		name     string
		settings map[string]string
		tls      TLS
		want     rotation.Status
		phrase   string
	}{
		{"without TLS", nil, TLS{}, rotation.Accepts, "login as"},
		{"by another CA", secured("require"), TLS{}, rotation.Accepts, "login as"},
		{"by another CA, and that is checked", secured("require"), TLS{Mode: TLSVerifyCA, RootCAs: its.pool()}, rotation.Accepts, "login as"},
		{"by another CA than is wanted", secured("require"), TLS{Mode: TLSVerifyCA, RootCAs: ours.pool()}, rotation.Unknown, "unknown authority"},
		{"which wants a certificate", secured("verify-ca"), TLS{Mode: TLSRequire, Certificate: its.client("rotator", time.Time{})}, rotation.Accepts, "login as"},
		{"which wants a certificate, and is shown none", secured("verify-ca"), TLS{Mode: TLSRequire}, rotation.Unknown, "certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a.behind(c.settings)
			a.server.Doors[0].TLS = c.tls
			if place := a.atDoor(a.current); place.Status != c.want || !strings.Contains(place.Proof, c.phrase) {
				t.Errorf("%+v, want %s (…%s…)", place, c.want, c.phrase)
			}
		})
	}
}

// readable writes a file that the pooler may read, whoever it runs as.
func readable(t *testing.T, folder, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := errors.Join(os.WriteFile(path, content, 0o644), os.Chmod(folder, 0o755), os.Chmod(filepath.Dir(folder), 0o755)); err != nil {
		t.Fatal(err)
	}
	return path
}

// A node in a pod is not called localhost because a tunnel to it ends there.
func TestNamesOfANode(t *testing.T) {
	for _, c := range []struct {
		node Node
		name string
		want string
	}{
		{Node{}, "", "localhost"},
		{Node{Host: "db.example"}, "", "db.example"},
		{Node{Aliases: []string{"10.0.0.7", "db"}}, "", "10.0.0.7 db"},
		{Node{Host: "db.example", Aliases: []string{"db"}}, "", "db.example db"},
		{Node{Host: "db.example", Aliases: []string{"db"}}, "db.shop.svc", "db.shop.svc"},
	} {
		peer := serverconn.Peer{TLS: TLS{ServerName: c.name}, Hosts: c.node.hosts()}
		if got := strings.Join(peer.Names(), " "); got != c.want {
			t.Errorf("%+v: %q, want %q", c.node, got, c.want)
		}
	}
}
