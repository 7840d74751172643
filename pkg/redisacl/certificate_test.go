package redisacl

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
	"net"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/redisacl/redistest"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// certificate is a self-signed one for 127.0.0.1.
func certificate(t *testing.T) *redistest.TLS {
	t.Helper()
	return certificateFor(t, &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
}

func certificateFor(t *testing.T, template *x509.Certificate) *redistest.TLS {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.Subject = big.NewInt(1), pkix.Name{CommonName: "redis"}
	template.NotBefore, template.IsCA, template.BasicConstraintsValid = time.Now().Add(-24*time.Hour), true, true
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return &redistest.TLS{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	}
}

// trusting is a pool with one certificate.
func trusting(c *redistest.TLS) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(c.Certificate)
	return pool
}

// Who poses as the server, or shows a certificate that is nobody's, or another's, gets no password.
func TestCertificatesAreChecked(t *testing.T) {
	named := func(names ...string) *redistest.TLS { return certificateFor(t, &x509.Certificate{DNSNames: names}) }
	here, redis, other := certificate(t), named("redis.shop.svc"), certificate(t)
	late := certificateFor(t, &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(-time.Hour)})
	for _, c := range []struct {
		name    string
		server  *redistest.TLS
		tls     TLS
		aliases []string
		refused string // "": it is not
	}{
		{"its CA, and its address", here, TLS{Mode: TLSVerifyFull, RootCAs: trusting(here)}, nil, ""},
		{"its CA, and the name that is configured", redis, TLS{Mode: TLSVerifyFull, RootCAs: trusting(redis), ServerName: "redis.shop.svc"}, nil, ""},
		{"its CA, and another name that it goes by", redis, TLS{Mode: TLSVerifyFull, RootCAs: trusting(redis)}, []string{"10.0.0.7", "redis.shop.svc"}, ""},
		{"its CA, whatever its name", redis, TLS{Mode: TLSVerifyCA, RootCAs: trusting(redis)}, nil, ""},
		{"the name of another", redis, TLS{Mode: TLSVerifyFull, RootCAs: trusting(redis)}, nil, "127.0.0.1 because it doesn't contain any IP SANs"},
		{"another name than the one that is configured", redis, TLS{Mode: TLSVerifyFull, RootCAs: trusting(redis), ServerName: "db.shop.svc"}, []string{"redis.shop.svc"}, "valid for redis.shop.svc, not db.shop.svc"},
		{"another CA", here, TLS{Mode: TLSVerifyCA, RootCAs: trusting(other)}, nil, "signed by unknown authority"},
		{"nobody's CA, as the system knows it", here, TLS{Mode: TLSVerifyFull}, nil, "certificate"},
		{"one that has expired", late, TLS{Mode: TLSVerifyCA, RootCAs: trusting(late)}, nil, "has expired"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, 1, redistest.Config{ACLFile: true, TLS: c.server})
			a.server.TLS, a.aliases = c.tls, c.aliases
			a.judged(c.refused, "redis.ca")
			if _, _, err := a.preflight(); c.refused != "" && !errors.Is(err, rotation.ErrRefused) {
				t.Errorf("preflight: %v, want a refusal", err)
			}
		})
	}
}

// A server that was set up by its manual wants a certificate of each client. It may hang up before its word for that has arrived.
func TestServerThatWantsACertificateOfItsClients(t *testing.T) {
	c := certificate(t)
	c.Clients = true
	a := newApp(t, 1, redistest.Config{ACLFile: true, TLS: c})
	for _, mode := range []TLSMode{TLSAuto, TLSRequire} {
		a.server = a.another()
		a.server.TLS = TLS{Mode: mode}
		_, err := a.server.Generate(context.Background(), 2, a.current)
		if err == nil || !strings.Contains(err.Error(), "certificate") || !strings.Contains(rotation.Hint(err), "redis.certificate") {
			t.Errorf("without one: %v (hint %q)", err, rotation.Hint(err))
		}
		a.server = a.another()
		pair, err := tls.X509KeyPair(c.Certificate, c.Key)
		a.must("reading the certificate", err)
		a.server.TLS = TLS{Mode: mode, Certificate: &pair}
		a.judged("", "")
	}
}

// judged wants the administrator to be let in, or kept away for a reason, with a hint.
func (a *app) judged(refused, hint string) {
	a.t.Helper()
	_, err := a.server.Generate(context.Background(), 2, a.current)
	switch {
	case refused == "" && err != nil:
		a.t.Errorf("refused: %v", err)
	case refused != "" && (err == nil || errors.Is(err, rotation.ErrUnavailable) || !strings.Contains(err.Error(), refused) || !strings.Contains(rotation.Hint(err), hint)):
		a.t.Errorf("%v (hint %q), want it to be refused for …%s…, with a hint of %s", err, rotation.Hint(err), refused, hint)
	}
}
