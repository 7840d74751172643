package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

// clientsWithCertificates is a pg_hba.conf that asks everybody who comes by a port-forward for a certificate, and the administrator for
// nothing else.
const clientsWithCertificates = `local all all trust
hostssl all postgres localhost cert
hostssl all all localhost scram-sha-256 clientcert=verify-ca
host all all all scram-sha-256
`

// A server with certificates of the cluster's own CA, for its Service, as cert-manager and operators make them, wants one of its clients too. What is missing is said, each with
// the field that names it, before anything begins; then a rotation goes through, and each login is proven by one.
func TestServerWithCertificates(t *testing.T) {
	long(t)
	alone(t)
	w := newWorld(t)
	ca := newIssuer(w)
	server, key := ca.signs(&x509.Certificate{DNSNames: []string{"postgresql." + w.ns + ".svc"}})
	w.certified(server, key, ca.text)
	own, ownKey := ca.signs(&x509.Certificate{Subject: pkix.Name{CommonName: "postgres"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	w.secretOf(w.ns, "postgresql-client", map[string]string{"ca.crt": ca.text, "tls.crt": own, "tls.key": ownKey})
	w.secretOf(w.ns, "other-ca", map[string]string{"ca.crt": newIssuer(w).text})

	before := w.fingerprint()
	const mine = "service: postgresql, sslmode: verify-full, ca: {name: postgresql-client, key: ca.crt}, certificate: postgresql-client"
	for _, c := range []struct{ postgres, says, names string }{
		{"", "connection requires a valid client certificate", "postgres.certificate"},
		{"sslmode: verify-full, certificate: postgresql-client", "signed by unknown authority", "postgres.ca"},
		{"sslmode: verify-ca, ca: {name: other-ca, key: ca.crt}, certificate: postgresql-client", "signed by unknown authority", "postgres.ca"},
		{mine + ", serverName: other", "not other", "postgres.serverName"},
	} {
		r := w.as("admin", "postgres", "--yes", w.configured(c.postgres))
		if r.code == 0 {
			t.Errorf("it was let in: %s", r)
		}
		r.says(t, c.says, c.names)
	}
	w.unchanged(before)

	config := w.configured(mine)
	w.rotate(4, "postgres", "--yes", config).says(t, `get secrets "postgresql-client"`)
	w.grantWith("postgres", config)
	w.loadedWith(25)
	w.says(w.rotate(0, "postgres", "--yes", "--soak=1s", config), "login as backend_v2")
	w.standby("backend_v2")
}

// certified has the server use a certificate, know clients of a CA, and want a certificate of them.
func (w *world) certified(certificate, key, ca string) {
	w.Helper()
	for name, text := range map[string]string{"tls.crt": certificate, "tls.key": key, "ca.crt": ca, "pg_hba.conf": clientsWithCertificates} {
		w.exec("postgresql-0", text, "bash", "-c", "cd $PGDATA && cat >"+name+" && chown postgres "+name+" && chmod 600 "+name)
	}
	for _, setting := range []string{"ssl_cert_file = 'tls.crt'", "ssl_key_file = 'tls.key'", "ssl_ca_file = 'ca.crt'", "ssl = on"} {
		w.superuser("ALTER SYSTEM SET " + setting)
	}
	w.superuser("SELECT pg_reload_conf()")
}

// issuer signs certificates.
type issuer struct {
	w       *world
	own     *x509.Certificate
	private *ecdsa.PrivateKey
	text    string // its certificate
}

func newIssuer(w *world) issuer {
	w.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.must("making a key", err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA of " + rand.Text()}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	w.must("making a CA", err)
	own, err := x509.ParseCertificate(der)
	w.must("reading it", err)
	return issuer{w, own, private, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
}

// signs makes a certificate and its key.
func (a issuer) signs(template *x509.Certificate) (certificate, key string) {
	a.w.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	a.w.must("making a key", err)
	template.SerialNumber, template.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, a.own, &private.PublicKey, a.private)
	a.w.must("signing a certificate", err)
	text, err := x509.MarshalPKCS8PrivateKey(private)
	a.w.must("writing a key", err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text}))
}
