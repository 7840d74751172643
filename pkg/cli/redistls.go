package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/redisacl"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// redisTLS is how connections to a Redis server are secured, with what the configuration names for that.
func redisTLS(ctx context.Context, in opening, r config.Redis) (redisacl.TLS, error) {
	t := redisacl.TLS{Mode: redisacl.TLSMode(r.TLS), ServerName: r.ServerName}
	if r.CA != nil {
		data, err := in.secretData(ctx, r.CA.Name)
		if err != nil {
			return t, fmt.Errorf("reading the CA of the server's certificate: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(data[r.CA.Key]) {
			return t, rotation.Refuse(rotation.WithHint(
				fmt.Errorf("key %s of secret %s/%s holds no certificate", r.CA.Key, in.namespace, r.CA.Name),
				fmt.Sprintf("it has to be one or more in PEM, as cert-manager puts into ca.crt (%s.ca)", in.server.Section)))
		}
	}
	if r.Certificate != "" {
		data, err := in.secretData(ctx, r.Certificate)
		if err != nil {
			return t, fmt.Errorf("reading the certificate to show to the server: %w", err)
		}
		pair, err := tls.X509KeyPair(data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey])
		if err != nil {
			return t, rotation.Refuse(rotation.WithHint(
				fmt.Errorf("secret %s/%s holds no certificate with its key: %w", in.namespace, r.Certificate, err),
				"it has to be of the type kubernetes.io/tls, with tls.crt and tls.key"))
		}
		t.Certificate = &pair
	}
	return t, nil
}

// secretData is what a Secret in the target's namespace holds.
func (in opening) secretData(ctx context.Context, name string) (map[string][]byte, error) {
	s, err := in.clients.Kube.CoreV1().Secrets(in.namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return s.Data, nil
}
