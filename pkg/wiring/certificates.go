package wiring

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/postgres"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/redisacl"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// certificates are what the configuration names by which a server and its clients know each other: whose certificates are trusted, nil for
// the system's, and the one that is shown to the server, nil for none.
func (in opening) certificates(ctx context.Context, c config.Certificates) (trusted *x509.CertPool, own *tls.Certificate, err error) {
	if c.CA != nil {
		if trusted, err = in.trusted(ctx, *c.CA); err != nil {
			return nil, nil, err
		}
	}
	if c.Certificate != "" {
		own, err = in.own(ctx, c.Certificate)
	}
	return trusted, own, err
}

// trusted are the certificates in a key of a Secret.
func (in opening) trusted(ctx context.Context, ref config.KeyRef) (*x509.CertPool, error) {
	data, err := in.secretData(ctx, ref.Name)
	if err != nil {
		return nil, fmt.Errorf("reading the CA of the server's certificate: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data[ref.Key]) {
		return nil, rotation.Refuse(rotation.WithHint(
			fmt.Errorf("key %s of secret %s/%s holds no certificate", ref.Key, in.namespace, ref.Name),
			fmt.Sprintf("it has to be one or more in PEM, as cert-manager puts into ca.crt (%s.ca)", in.server.Section)))
	}
	return pool, nil
}

// own is the certificate in a Secret of the type kubernetes.io/tls, with its key.
func (in opening) own(ctx context.Context, name string) (*tls.Certificate, error) {
	data, err := in.secretData(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate to show to the server: %w", err)
	}
	pair, err := tls.X509KeyPair(data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return nil, rotation.Refuse(rotation.WithHint(
			fmt.Errorf("secret %s/%s holds no certificate with its key: %w", in.namespace, name, err),
			fmt.Sprintf("it has to be of the type kubernetes.io/tls, with tls.crt and tls.key (%s.certificate)", in.server.Section)))
	}
	return &pair, nil
}

// redisTLS is how connections to a Redis server are secured.
func redisTLS(ctx context.Context, in opening, r config.Redis) (redisacl.TLS, error) {
	trusted, own, err := in.certificates(ctx, r.Certificates)
	return redisacl.TLS{Mode: redisacl.TLSMode(r.TLS), RootCAs: trusted, ServerName: r.ServerName, Certificate: own}, err
}

// postgresTLS is how connections to a PostgreSQL server are secured. A tunnel ends in the pod that was named to the API server; whoever
// answers at an address has to prove that it is the server, unless the configuration says otherwise.
func postgresTLS(ctx context.Context, in opening, p config.Postgres) (postgres.TLS, error) {
	trusted, own, err := in.certificates(ctx, p.Certificates)
	mode := postgres.TLSMode(p.SSLMode)
	if mode == "" && in.via == kube.ViaDirect {
		mode = postgres.TLSVerifyFull
	}
	return postgres.TLS{Mode: mode, RootCAs: trusted, ServerName: p.ServerName, Certificate: own}, err
}

// atDoors is how connections to poolers are secured, where those to the server are like that. A tunnel ends in the pooler's own pod, and that
// may have no TLS or a certificate of its own, which the application knows and the configuration does not.
func atDoors(via kube.Via, t postgres.TLS) postgres.TLS {
	if via == kube.ViaDirect {
		t.ServerName = "" // it is the server's
		return t
	}
	return postgres.TLS{Certificate: t.Certificate}
}

// secretData is what a Secret in the target's namespace holds.
func (in opening) secretData(ctx context.Context, name string) (map[string][]byte, error) {
	s, err := in.clients.Kube.CoreV1().Secrets(in.namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return s.Data, nil
}
